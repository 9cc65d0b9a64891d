"""What does a sitemap or feed list?

Sitemaps and indexes (https://www.sitemaps.org/protocol.html) as XML or as text, RSS 2.0 and 1.0,
Atom (RFC 4287); namespaces are not looked at, because half the world writes them wrong. XML is
read as a stream: what stands before a break is kept, entities are never expanded, and nothing is
loaded from anywhere.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from lxml import etree

from crawler.model import SitemapEntry
from crawler.parse.targets import Targets
from crawler.parse.text import fold

MAX_ENTRIES: Final = 50_000
"""Of one sitemap, by its protocol."""

MAX_UNPACKED_BYTES: Final = 50 * 1024 * 1024
"""Of one sitemap, by its protocol."""

_MAX_LAYERS: Final = 2
_CHUNK: Final = 65_536
_MAX_TEXT: Final = 100
_GZIP: Final = b"\x1f\x8b"


class Unpacked(NamedTuple):
    """A body without gzip around it; `whole` is False when something is missing."""

    data: bytes
    whole: bool


class Listing(NamedTuple):
    """Entries in order; truncated: ``parse`` after a break, ``links`` at the cap, or None."""

    entries: list[SitemapEntry]
    truncated: str | None


class _Found(NamedTuple):
    href: str
    is_sitemap: bool = False
    lastmod: str | None = None
    priority: str | None = None
    changefreq: str | None = None


def unpack(body: bytes) -> Unpacked:
    """Takes off what gzip is left after the content coding: ``.xml.gz`` is a file, not a coding."""
    whole = True
    for _ in range(_MAX_LAYERS):
        if not body.startswith(_GZIP):
            break
        body, ended = _gunzip(body)
        whole = whole and ended
    return Unpacked(body, whole)


def read_xml(data: bytes, targets: Targets, limit: int = MAX_ENTRIES) -> Listing:
    """Reads a sitemap, index or feed from UTF-8."""
    entries: list[SitemapEntry] = []
    try:
        for found in _xml_entries(data):
            if len(entries) == limit:
                return Listing(entries, "links")
            entries.append(_entry(found, targets))
    except etree.XMLSyntaxError:
        return Listing(entries, "parse")
    return Listing(entries, None)


def read_lines(data: bytes, targets: Targets, limit: int = MAX_ENTRIES) -> Listing:
    """Reads a sitemap that is one address a line; a line that is none is passed over."""
    entries: list[SitemapEntry] = []
    for line in data.decode("utf-8", "replace").splitlines():
        href = line.strip()
        if not href.lower().startswith(("http://", "https://")):
            continue
        if len(entries) == limit:
            return Listing(entries, "links")
        entries.append(_entry(_Found(href), targets))
    return Listing(entries, None)


def _gunzip(body: bytes) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    room = MAX_UNPACKED_BYTES
    while body.startswith(_GZIP) and room:
        member = zlib.decompressobj(wbits=31)
        try:
            # In steps, so that what comes before a damaged place is kept.
            while body and room and not member.eof:
                part = member.decompress(body[:_CHUNK], room)
                body = member.unconsumed_tail + body[_CHUNK:] if not member.eof else body[_CHUNK:]
                room -= len(part)
                parts.append(part)
        except zlib.error:
            return b"".join(parts), False
        if not member.eof:
            return b"".join(parts), False
        body = member.unused_data + body
    return b"".join(parts), room > 0


def _xml_entries(data: bytes) -> Iterator[_Found]:
    parser = etree.XMLPullParser(
        events=("end",),
        tag=tuple("{*}" + tag for tag in _READERS),
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )
    # White space before the declaration is an error that many servers make.
    data = data.lstrip()
    broken: etree.XMLSyntaxError | None = None
    for at in range(0, len(data), _CHUNK):
        try:
            parser.feed(data[at : at + _CHUNK])
        except etree.XMLSyntaxError as error:
            broken = error
        yield from _drain(parser)
        if broken:
            raise broken
    parser.close()
    yield from _drain(parser)


def _drain(parser: etree.XMLPullParser[etree._Element]) -> Iterator[_Found]:
    for _, element in parser.read_events():
        found = _READERS[_local(element)](element)
        if found is not None and found.href:
            yield found
        # What has been read is let go, or 50,000 entries would stand in memory at once.
        parent = element.getparent()
        if parent is not None:
            element.clear(keep_tail=True)
            while element.getprevious() is not None:
                del parent[0]


def _entry(found: _Found, targets: Targets) -> SitemapEntry:
    index, _ = targets.place(found.href)
    return SitemapEntry(
        index, found.is_sitemap, found.lastmod, _priority(found.priority), found.changefreq
    )


def _priority(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0.0 <= value <= 1.0 else None


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _texts(element: etree._Element) -> dict[str, str]:
    """Local names of the children with what stands in them; of two alike, the first."""
    texts: dict[str, str] = {}
    for child in element.iterchildren(tag=etree.Element):
        texts.setdefault(_local(child), fold("".join(child.itertext(tag=etree.Element))))
    return texts


def _sitemap_entry(element: etree._Element) -> _Found:
    texts = _texts(element)
    # Some write the address without <loc> around it.
    href = texts.get("loc") or fold(element.text or "")
    return _Found(
        href,
        _local(element) == "sitemap",
        _short(texts.get("lastmod")),
        texts.get("priority"),
        _short(texts.get("changefreq")),
    )


def _rss_item(element: etree._Element) -> _Found | None:
    texts = _texts(element)
    guid = texts.get("guid", "")
    # A guid is an address unless it says that it is none, and often enough even then.
    href = texts.get("link") or (guid if guid.startswith(("http://", "https://")) else "")
    return _Found(href, lastmod=_short(texts.get("pubDate") or texts.get("date")))


def _atom_entry(element: etree._Element) -> _Found:
    links = [link for link in element.iterchildren("{*}link") if link.get("href")]
    # RFC 4287, section 4.2.7.2: without rel it is an alternate.
    pages = (link.get("href", "") for link in links if link.get("rel", "alternate") == "alternate")
    texts = _texts(element)
    return _Found(next(pages, ""), lastmod=_short(texts.get("updated") or texts.get("published")))


def _short(text: str | None) -> str | None:
    return text[:_MAX_TEXT] if text else None


_READERS: Final[dict[str, Callable[[etree._Element], _Found | None]]] = {
    "url": _sitemap_entry,
    "sitemap": _sitemap_entry,
    "item": _rss_item,
    "entry": _atom_entry,
}
