"""Which addresses does a crawl know, as a plain list?

A line each, as other tools take them: all that were ever seen, or those of a state or a reason. A
robots.txt and a sitemap are nobody's page, and left out.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any, BinaryIO

from crawler.errors import UsageError
from crawler.exports.format import Export, Written
from crawler.store.views import COUNTED


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
    """What no URL has may be a slip of the pen, or just not there: both are told."""
    known = [
        one
        for (one,) in export.moment.connection.execute(
            f"SELECT DISTINCT {name} FROM urls WHERE {name} IS NOT NULL AND {COUNTED} ORDER BY 1"
        )
    ]
    if value is not None and value not in known:
        near = get_close_matches(value.lower(), known, 1)
        hint = f'did you mean "{near[0]}"? ' if near else ""
        raise UsageError(f'--{name}: no URL is "{value}" ({hint}there are: {", ".join(known)})')
