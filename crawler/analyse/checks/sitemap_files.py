"""What did each sitemap of the crawl answer, and what kind of document was it?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from crawler.analyse.checks.robots_files import named_sitemaps
from crawler.store.database import Connection

NAMESPACE: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"
FEEDS: Final = frozenset({"rss", "feed", "RDF"})
"""Roots of what may stand in a sitemap's place: https://www.sitemaps.org/protocol.html#otherformats
"""
_GUESSES: Final = """
    SELECT urls.id, urls.origin_id
    FROM urls
    JOIN origins ON origins.id = urls.origin_id
    WHERE urls.kind IN ('sitemap', 'page')
        AND urls.url = origins.origin || '/sitemap.xml'
"""
ARE_SITEMAPS: Final = "(kind = 'sitemap' OR id IN (SELECT sitemap_id FROM sitemap_entries))"
"""Rows of `urls`: what was asked for as a sitemap, or is one though a page links to it."""
LAST: Final = f"""
    WITH last AS MATERIALIZED (
        SELECT url_id, max(id) AS id
        FROM visits
        WHERE url_id IN (SELECT id FROM urls WHERE {ARE_SITEMAPS})
            AND kind IN ('sitemap', 'page')
            AND status = 200
        GROUP BY url_id
    )
"""
"""The last good answer of every sitemap."""
_READ: Final = f"""
    {LAST}
    SELECT urls.id, urls.url, visits.error, visits.truncated, visits.body_bytes,
        body_forms.body_id IS NOT NULL AS is_known, body_forms.root, body_forms.namespace,
        coalesce(body_forms.is_page, 0), coalesce(body_forms.is_list, 0),
        coalesce(body_forms.unpacked_bytes, visits.body_bytes)
    FROM last
    JOIN urls ON urls.id = last.url_id
    JOIN visits ON visits.id = last.id
    LEFT JOIN body_forms ON body_forms.body_id = visits.body_id AND body_forms.sniffed IS NOT NULL
    WHERE urls.status = 200
    ORDER BY urls.id
"""


class SitemapFile(msgspec.Struct, frozen=True):
    """One that answered 200. body_bytes: as it was sent, without content coding. is_known: its
    form is, which is what follows: see the table ``body_forms``."""

    url_id: int
    url: str
    error: str | None
    truncated: str | None
    body_bytes: int
    is_known: bool
    root: str | None
    namespace: str | None
    is_page: bool
    is_list: bool
    unpacked_bytes: int


def sitemap_files(connection: Connection) -> Iterator[SitemapFile]:
    """Every sitemap that answered 200."""
    for row in connection.execute(_READ):
        yield SitemapFile(*row)


def guessed(connection: Connection) -> frozenset[int]:
    """Those that nobody named: they were asked for at the usual place."""
    named = named_sitemaps(connection)
    rows = connection.execute(_GUESSES).fetchall()
    return frozenset(url_id for url_id, origin_id in rows if not named.get(origin_id))
