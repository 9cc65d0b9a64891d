"""Which addresses does a crawl know, as a plain list?

A line each, as other tools take them: all that were ever seen, or those of a state or a reason. A
robots.txt and a sitemap are nobody's page, and left out.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, BinaryIO, Final

from crawler.errors import UsageError
from crawler.exports.format import Export, Written
from crawler.policy import words
from crawler.store.views import COUNTED

KNOWN: Final[dict[str, tuple[str, ...]]] = {
    "state": ("queued", "done", "failed", "skipped"),
    "reason": (),
}
"""Words that a URL may have, beside those that `policy/words.py` knows."""


def write(export: Export, out: BinaryIO) -> Written:
    """Write all addresses that were asked for, in the order in which they were found."""
    chosen = export.moment.subquery("urls", export.choice.where)
    asked = {name: export.options[name] for name in ("state", "reason")}
    for name, value in asked.items():
        _refuse_unknown(export, name, value)
    rows = export.moment.connection.execute(
        f"""
        SELECT url
        FROM {chosen}
        WHERE {COUNTED}
            AND (:state IS NULL OR state = :state)
            AND (:reason IS NULL OR reason = :reason)
            AND (:run IS NULL OR id IN (SELECT url_id FROM visits WHERE run_id = :run))
        ORDER BY id
        """,
        asked | {"run": export.choice.run},
    )
    count = 0
    for (url,) in export.counted(rows):
        out.write(f"{url}\n".encode("utf-8", "replace"))
        count += 1
    return Written(count, "URL")


def _refuse_unknown(export: Export, name: str, value: Any) -> None:
    """A word that stands for nothing is a slip of the pen; one that no URL has today is not."""
    word = words.of(value)
    if value is None or value in KNOWN[name] or (word.meaning and name in word.stands):
        return
    known = [
        one
        for (one,) in export.moment.connection.execute(
            f"SELECT DISTINCT {name} FROM urls WHERE {name} IS NOT NULL AND {COUNTED} ORDER BY 1"
        )
    ]
    if value not in known:
        known = [*dict.fromkeys((*KNOWN[name], *known))]
        near = get_close_matches(value.lower(), known, 1)
        hint = f'did you mean "{near[0]}"? ' if near else ""
        raise UsageError(f'--{name}: no URL is "{value}" ({hint}there are: {", ".join(known)})')
