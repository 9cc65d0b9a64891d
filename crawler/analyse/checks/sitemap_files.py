"""What did each sitemap of the crawl answer, and what kind of document was it?"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

import msgspec
from lxml import etree

from crawler.analyse.checks.robots_files import named_sitemaps
from crawler.parse.sitemaps import GZIP, is_list_of_addresses
from crawler.store.database import Connection

NAMESPACE: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"
FEEDS: Final = frozenset({"rss", "feed", "RDF"})
"""Roots of what may stand in a sitemap's place: https://www.sitemaps.org/protocol.html#otherformats
"""
_HEAD: Final = 65_536
_PIECE: Final = 1024 * 1024
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
    SELECT urls.id, urls.url, visits.error, visits.truncated, visits.body_bytes, bodies.body
    FROM last
    JOIN urls ON urls.id = last.url_id
    JOIN visits ON visits.id = last.id
    LEFT JOIN bodies ON bodies.id = visits.body_id
    WHERE urls.status = 200
    ORDER BY urls.id
"""


class SitemapFile(msgspec.Struct, frozen=True):
    """One that answered 200. body: as it is stored, a zlib stream; body_bytes: as it was sent,
    without content coding."""

    url_id: int
    url: str
    error: str | None
    truncated: str | None
    body_bytes: int
    body: bytes | None

    def begins(self) -> bytes:
        """Its beginning, unpacked."""
        return next(self._pieces(_HEAD), b"")

    def unpacked_bytes(self, most: int) -> int:
        """How long it is unpacked; at least `most` where it is longer than that."""
        if not self.begins_packed():
            return self.body_bytes
        size = 0
        for piece in self._pieces(_PIECE):
            size += len(piece)
            if size >= most:
                break
        return size

    def begins_packed(self) -> bool:
        """Is it a file that is packed itself?"""
        return zlib.decompressobj().decompress(self.body or b"", 2) == GZIP if self.body else False

    def _pieces(self, size: int) -> Iterator[bytes]:
        """What it holds, in pieces of at most this size; up to a damage."""
        pieces = _inflated(iter([self.body or b""]), size, zlib.MAX_WBITS)
        return _inflated(pieces, size, 31) if self.begins_packed() else pieces


def _inflated(packed: Iterator[bytes], size: int, bits: int) -> Iterator[bytes]:
    stream = zlib.decompressobj(wbits=bits)
    for piece in packed:
        rest = piece
        while rest and not stream.eof:
            try:
                data = stream.decompress(rest, size)
            except zlib.error:
                return
            rest = stream.unconsumed_tail
            if data:
                yield data


def sitemap_files(connection: Connection) -> Iterator[SitemapFile]:
    """Every sitemap that answered 200."""
    for row in connection.execute(_READ):
        yield SitemapFile(*row)


def guessed(connection: Connection) -> frozenset[int]:
    """Those that nobody named: they were asked for at the usual place."""
    named = named_sitemaps(connection)
    rows = connection.execute(_GUESSES).fetchall()
    return frozenset(url_id for url_id, origin_id in rows if not named.get(origin_id))


def root_of(data: bytes) -> tuple[str, str] | None:
    """Namespace and name of the first element; None where this is no XML."""
    parser = etree.XMLPullParser(
        events=("start",), resolve_entities=False, no_network=True, load_dtd=False
    )
    with suppress(etree.XMLSyntaxError):  # what is wrong further on is another matter
        parser.feed(data.lstrip())
    for _, element in parser.read_events():
        space, _, name = str(element.tag).rpartition("}")
        return space[1:], name
    return None


def is_text(data: bytes) -> bool:
    """Is this one address a line, as far as one sees?"""
    whole = data if len(data) < _HEAD else data[: data.rfind(b"\n") + 1]
    return is_list_of_addresses(whole.removeprefix(b"\xef\xbb\xbf"))
