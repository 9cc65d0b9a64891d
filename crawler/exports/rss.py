"""What has changed on a site, for readers of feeds?

RSS 2.0: an item for each change that the last run found, or the one that is asked for. What an item
is called does not depend on when it is exported, so that a reader sees each once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, BinaryIO, Final

from lxml import etree

from crawler.exports.format import Export, Written
from crawler.plain import plain

_CHANGES: Final = """
    SELECT change, url, what, before, title_before, title, changed_at, from_run, to_run
    FROM {changes}
    WHERE (:run IS NULL OR (to_run = :run AND from_run = :run - 1))
    ORDER BY changed_at DESC, url
"""


def write(export: Export, out: BinaryIO) -> Written:
    """Write the feed."""
    run = export.choice.run
    changes = export.moment.subquery(
        "changes" if run is None else "changes_between_runs", export.choice.where
    )
    rows = export.moment.connection.execute(_CHANGES.format(changes=changes), {"run": run})
    count = 0
    with etree.xmlfile(out, encoding="utf-8") as file:
        file.write_declaration()
        with file.element("rss", version="2.0"), file.element("channel"):
            for name, text in _about(export):
                file.write(_element(name, text), pretty_print=True)
            for row in export.counted(rows):
                file.write(_item(row), pretty_print=True)
                count += 1
    out.write(b"\n")
    return Written(count, "change", _remarks(export))


def _remarks(export: Export) -> tuple[str, ...]:
    """Why there may be nothing in it."""
    run = export.choice.run
    earlier = "SELECT 1 FROM runs WHERE id < coalesce(?, (SELECT max(id) FROM runs)) LIMIT 1"
    if export.moment.connection.execute(earlier, (run,)).fetchone():
        return ()
    return ("There is no earlier run to compare with: crawl again, and what has changed is told",)


def _about(export: Export) -> Sequence[tuple[str, str]]:
    """What the feed is of, and the site that it leads to."""
    seed = export.moment.connection.execute(
        "SELECT urls.url FROM seeds JOIN urls ON urls.id = seeds.url_id ORDER BY seeds.id LIMIT 1"
    ).fetchone()
    name = export.moment.path.stem
    return (
        ("title", f"Changes of {name}"),
        ("link", seed[0] if seed else "about:blank"),
        ("description", f"What the crawl {name} found new, changed, moved or gone"),
        ("lastBuildDate", format_datetime(export.now)),
        ("generator", "crawler"),
    )


def _item(row: Sequence[Any]) -> etree._Element:
    change, url, what, before, title_before, title, changed_at, from_run, to_run = row
    item = etree.Element("item")
    said = [f"{change}: {what}" if what else change, *([f"before: {before}"] if before else [])]
    for name, text in (
        ("title", f"{change}: {title or title_before or url}"),
        ("link", url),
        ("description", "\n".join(said)),
        ("category", change),
    ):
        item.append(_element(name, text))
    item.append(_element("guid", f"{url}#{from_run}-{to_run}-{change}", isPermaLink="false"))
    if changed_at:
        when = datetime.fromisoformat(changed_at).astimezone(UTC)
        item.append(_element("pubDate", format_datetime(when)))
    return item


def _element(name: str, text: str, **attributes: str) -> etree._Element:
    made = etree.Element(name, attributes)
    made.text = "\n".join(map(plain, text.split("\n")))
    return made
