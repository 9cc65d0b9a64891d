"""What did each site's robots.txt say, and what was made of it?

One text: for each origin a line on what was answered and which rules were followed, then the file
as it was sent. Lines of ours begin with ``##``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO, Final

from crawler.exports.format import Export, Written
from crawler.plain import plain, printable

_ORIGINS: Final = """
    SELECT *
    FROM {origins}
    WHERE coalesce(robots_status, robots_error) IS NOT NULL
    ORDER BY origin
"""


def write(export: Export, out: BinaryIO) -> Written:
    """Write what is known of all origins."""
    origins = export.moment.subquery("origins", export.choice.where)
    rows = export.moment.connection.execute(_ORIGINS.format(origins=origins))
    names = [name for name, *_ in rows.description]  # older files have fewer
    count = 0
    for row in export.counted(rows):
        count += 1
        for line in _lines(dict(zip(names, row, strict=True))):
            out.write(f"{line}\n".encode("utf-8", "replace"))
    return Written(count, "origin")


def _lines(origin: Mapping[str, Any]) -> list[str]:
    status, error = origin["robots_status"], origin["robots_error"]
    fetched_at, crawl_delay = origin["robots_fetched_at"], origin["crawl_delay"]
    answered = f"HTTP {status}" if status is not None else str(error)
    when = f", asked for {fetched_at}" if fetched_at else ""
    told = [
        f"## {origin['origin']}/robots.txt: {plain(answered)}{when}",
        f"## {_meaning(status, origin.get('robots_agent'))}",
    ]
    if crawl_delay is not None:
        told.append(f"## Crawl-delay: {crawl_delay:g} s")
    if origin.get("robots_widened"):
        told.append("## some of its rules were too costly, and forbid more than they say")
    text = (origin["robots_body"] or b"").decode("utf-8-sig", "replace")
    text = "\n".join(text.splitlines())
    return [*told, *([printable(text)] if text.strip() else []), ""]


def _meaning(status: int | None, agent: Any) -> str:
    """RFC 9309, 2.3.1: what an answer means for everything else of its origin."""
    if status is None:
        return "nothing was asked for without it"
    if status == 429 or status >= 500:
        return "nothing was asked for while it cannot be had"
    if 400 <= status < 500:
        return "there is none: everything may be fetched"
    return f"obeyed: the rules for {plain(agent)}" if agent else "obeyed"
