"""Which sitemap would tell search engines of a site as it was crawled?

For each origin an index, ``sitemap.xml``, and its parts, by the protocol's limits (sitemaps.org:
50,000 addresses and 50 MiB a part, all of one origin). In it are pages that may be indexed and are
their own canonical; ``lastmod`` is when a page was first seen as it is now. Of several origins each
has a folder.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, Final
from xml.sax.saxutils import escape

from crawler import plain
from crawler.errors import UsageError
from crawler.exports.format import Export, Written

MAX_URLS: Final = 50_000
MAX_BYTES: Final = 50 * 1024 * 1024
MAX_ADDRESS: Final = 2_047
"""Of an address: "less than 2,048 characters"."""
XMLNS: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"
_END: Final = {"urlset": b"</urlset>\n", "sitemapindex": b"</sitemapindex>\n"}
_PAGES: Final = """
    SELECT origins.origin, pages.url, pages.changed_at
    FROM {pages} AS pages
    JOIN urls ON urls.id = pages.id
    JOIN origins ON origins.id = urls.origin_id
    WHERE pages.indexable = 1
        AND pages.status = 200
        AND (pages.canonical IS NULL OR pages.canonical = pages.url)
    ORDER BY origins.origin, pages.url
"""


class List:
    """A file of entries that is closed whole. count: its entries."""

    def __init__(self, path: Path, root: str) -> None:
        self._end = _END[root]
        self._file: BinaryIO = path.open("wb")
        head = f'<?xml version="1.0" encoding="UTF-8"?>\n<{root} xmlns="{XMLNS}">\n'
        self._size = self._file.write(head.encode())
        self.count = 0

    def __repr__(self) -> str:
        return f"<List of {self.count:,}, {self._size:,} bytes>"

    def takes(self, entry: bytes) -> bool:
        """Is there room for it?"""
        return self.count < MAX_URLS and self._size + len(entry) + len(self._end) <= MAX_BYTES

    def add(self, entry: bytes) -> None:
        """Add an entry."""
        self._size += self._file.write(entry)
        self.count += 1

    def close(self) -> None:
        """Write the end."""
        self._file.write(self._end)
        self._file.close()


def write(export: Export, out: Path) -> Written:
    """Write all sitemaps."""
    connection = export.moment.connection
    analysed = "SELECT 1 FROM pages WHERE indexable IS NOT NULL LIMIT 1"
    if not connection.execute(analysed).fetchone():
        raise UsageError(
            "sitemap: which pages may be indexed is not known yet; crawler analyse tells it"
        )
    pages = export.moment.subquery("pages", export.choice.where)
    sql = _PAGES.format(pages=pages)
    (origins,) = connection.execute(f"SELECT count(DISTINCT origin) FROM ({sql})").fetchone()
    rows = export.counted(connection.execute(sql))
    written = left_out = 0
    for origin, members in groupby(rows, key=itemgetter(0)):
        folder = out if origins == 1 else out / _name(origin)
        folder.mkdir(exist_ok=True)
        count, long = _write(origin, members, folder)
        written, left_out = written + count, left_out + long
    told = f"Left out: {plain.count(left_out, 'page')} whose address is longer than a sitemap takes"
    return Written(written, "page", (told,) if left_out else ())


def _write(
    origin: str, pages: Iterable[tuple[str, str, str | None]], folder: Path
) -> tuple[int, int]:
    """Write the sitemaps of an origin; how many pages are in them, and how many are not."""
    index = List(folder / "sitemap.xml", "sitemapindex")
    part: List | None = None
    written = left_out = 0
    for _, url, changed_at in pages:
        entry = _entry("url", url, changed_at)
        if len(url) > MAX_ADDRESS:
            left_out += 1
            continue
        if part is None or not part.takes(entry):
            if part is not None:
                part.close()
            name = f"sitemap-{index.count + 1}.xml"
            part = List(folder / name, "urlset")
            index.add(_entry("sitemap", f"{origin}/{name}", None))
        part.add(entry)
        written += 1
    if part is not None:
        part.close()
    index.close()
    return written, left_out


def _entry(element: str, url: str, changed_at: str | None) -> bytes:
    """An entry; its time is as the W3C has it (https://www.w3.org/TR/NOTE-datetime)."""
    lastmod = f"<lastmod>{escape(changed_at)}</lastmod>" if changed_at else ""
    return f"<{element}><loc>{escape(url)}</loc>{lastmod}</{element}>\n".encode()


def _name(origin: str) -> str:
    """A name for the folder of an origin that every system takes: ``https_example.org_8443``."""
    scheme, _, rest = origin.partition("://")
    return f"{scheme}_{re.sub(r'[^a-z0-9.-]', '_', rest)}"
