"""How much of the disk does what a visit brings take?

Roughly, and not too little: a host has a limit (``scope.max_bytes_per_host``), and what a site can
make long has to count by its length. Constants are those of two crawls of manuals (52,000 pages,
3.3 million links), with all indexes.
"""

from __future__ import annotations

from typing import Final

from crawler.model import Document, LinkColumns

LINK_BYTES: Final = 45
URL_BYTES: Final = 105
PAGE_BYTES: Final = 900
"""A row of each without its texts; a page with its first visit and the usual headers."""
USUAL_HEADERS_BYTES: Final = 1_000
"""So much of the headers of each visit is history that a person asks for by crawling again, and
does not count: a site that is watched for years must not run out of space by it."""
_PAGE: Final = 4_096
"""SQLite's, of which a row that is longer than a quarter takes one or more of its own."""
_LONG: Final = 900
_USUAL: Final = 200


def of_url(url: str) -> int:
    """A new row of ``urls``."""
    size = len(url) + URL_BYTES
    return size if size < _LONG else _PAGE // max(1, _PAGE // size)


def of_links(links: LinkColumns) -> int:
    """Links of a page, with what they say, without their targets."""
    count = len(links)
    texts = sum(_texts(column, count) for column in (links.anchors, links.rels, links.fragments))
    return LINK_BYTES * count + texts


def of_visit(headers: str | None) -> int:
    """What a visit takes beyond the usual."""
    return max(0, len(headers or "") - USUAL_HEADERS_BYTES)


def of_page(document: Document) -> int:
    """A new row of ``pages``, without its links, its body and its text."""
    said = (document.title, document.description, document.h1, document.canonical)
    return PAGE_BYTES + sum(map(len, filter(None, said)))


def _texts(column: list[str | None], count: int) -> int:
    whole = len("".join(filter(None, column)).encode("utf-8", "surrogatepass"))
    if whole < _USUAL * count:
        return whole
    return sum(len(text) if len(text) < _LONG else _PAGE for text in filter(None, column))
