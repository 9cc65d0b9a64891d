"""What does a document lead to, and what no more?

Lives on the writer's thread. Links of a page, names in a style sheet and entries of a sitemap take
the place of those that the document had before.
"""

from __future__ import annotations

import msgspec

from crawler.config import Config
from crawler.store import rows
from crawler.store.batch import Batch
from crawler.store.contract import Arrival, Entry
from crawler.store.database import Connection
from crawler.store.ruling import Facts, within_nesting
from crawler.store.url_table import UrlTable, is_settled

MAX_SITEMAP_DEPTH = 3
"""Sitemap indexes within indexes."""


class Outlinks:
    """The links of a crawl's documents, and the entries of its sitemaps.

    any_may_have_some: also what is no page yet.
    """

    def __init__(
        self, connection: Connection, config: Config, url_table: UrlTable, batch: Batch
    ) -> None:
        self._connection = connection
        self._max_nesting = config.assets.max_nesting
        self._url_table = url_table
        self._batch = batch
        # What is a page now may have been a style sheet, with links of its own.
        self.any_may_have_some = bool(connection.execute(KEPT_ASSETS).fetchone()[0])

    def replace(self, arrival: Arrival, facts: Facts) -> int:
        """Replace the links of a page; returns how many there are."""
        entry, document = arrival.entry, arrival.visit.document
        if facts.before.is_page or self.any_may_have_some:
            self._connection.execute("DELETE FROM links WHERE source_id = ?", (entry.id,))
        ids = self._url_table.admit_links(
            document, facts.depth + 1, source_id=entry.id, of_echo=facts.is_echo
        )
        return self._batch.links(entry.id, ids, document.columns)

    def replace_styles(self, arrival: Arrival, facts: Facts) -> None:
        """Replace what a style sheet names, unless too many name each other already."""
        entry, document = arrival.entry, arrival.visit.document
        if not document.columns:
            self._connection.execute("DELETE FROM links WHERE source_id = ?", (entry.id,))
            return
        deep = self._connection.execute(NESTING, (entry.id,)).fetchone()[0]
        bounded = within_nesting(document, deep, self._max_nesting)
        visit = msgspec.structs.replace(arrival.visit, document=bounded)
        self.replace(msgspec.structs.replace(arrival, visit=visit), facts)

    def forget(self, entry: Entry) -> None:
        """A page that is gone or has moved links to nothing, and a sitemap names nothing."""
        self._connection.execute("DELETE FROM links WHERE source_id = ?", (entry.id,))
        self._connection.execute("DELETE FROM sitemap_entries WHERE sitemap_id = ?", (entry.id,))

    def replace_sitemap(self, arrival: Arrival) -> None:
        """Entries of a sitemap or feed: they are links like others, one click from a seed."""
        entry, document = arrival.entry, arrival.visit.document
        self._connection.execute("DELETE FROM sitemap_entries WHERE sitemap_id = ?", (entry.id,))
        within = 0 if entry.kind == "page" else entry.depth
        known, hashes = self._url_table.known, document.targets.hashes
        for item in document.entries:
            depth = within + 1 if item.is_sitemap else 1
            seen = known(hashes[item.target])
            if seen is not None and is_settled(seen, depth):
                self._batch.sitemap_entry(rows.SITEMAP_ENTRIES.row(entry.id, seen.id, item))
                continue
            target = document.targets[item.target]
            kind = "sitemap" if item.is_sitemap else "page"
            if item.is_sitemap and depth >= MAX_SITEMAP_DEPTH:
                target = msgspec.structs.replace(target, refusal="depth")
            url_id = self._url_table.admit(
                target, "sitemap", depth, source_id=entry.id, fetch_kind=kind
            )
            self._batch.sitemap_entry(rows.SITEMAP_ENTRIES.row(entry.id, url_id, item))


KEPT_ASSETS = """
    SELECT EXISTS (SELECT 1 FROM runs WHERE json_extract(config, '$.assets.mode') = 'fetch')
"""

NESTING = """
    WITH RECURSIVE sheets(id, found_on_id, deep) AS (
        SELECT id, found_on_id, 1
        FROM urls
        WHERE id = ?
        UNION ALL
        SELECT urls.id, urls.found_on_id, sheets.deep + 1
        FROM sheets
        JOIN urls ON urls.id = sheets.found_on_id
        WHERE urls.kind = 'asset' AND sheets.deep < 1000
    )
    SELECT max(deep)
    FROM sheets
"""
