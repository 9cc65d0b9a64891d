"""What does a list in XML list?

Sitemaps and indexes (https://www.sitemaps.org/protocol.html), RSS 2.0 and 1.0, Atom (RFC 4287). An
element counts only in its place, and in the namespace of what it stands in; which namespace that is
matters little, because half the world writes it wrong. XML is read as a stream: entities are never
expanded, and nothing is loaded from anywhere. What is not well-formed is mended (`mend`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final, NamedTuple

from lxml import etree

from crawler.parse.mend import mended
from crawler.parse.text import fold

_CHUNK: Final = 65_536
_MAX_TEXT: Final = 100
_ATOM: Final = ("http://www.w3.org/2005/Atom", "http://purl.org/atom/ns#")
_BASE: Final = "{http://www.w3.org/XML/1998/namespace}base"
_DATE: Final = "{http://purl.org/dc/elements/1.1/}date"
_ALTERNATE: Final = ("alternate", "http://www.iana.org/assignments/relation/alternate")
_PAGES: Final = ("", "text/html", "application/xhtml+xml")


class Found(NamedTuple):
    """One entry, as written.

    bases: what ``xml:base`` says of it, outermost first.
    """

    href: str
    is_sitemap: bool = False
    lastmod: str | None = None
    priority: str | None = None
    changefreq: str | None = None
    bases: tuple[str, ...] = ()


class _Gathered:
    """What has been read so far: entries, and other languages of their pages."""

    def __init__(self) -> None:
        self.entries: list[Found] = []
        self.alternates: dict[str, None] = {}


def entries(data: bytes, limit: int, *, mend: bool = True) -> tuple[list[Found], bool]:
    """The entries of a list in UTF-8, one more than `limit` at most; False where it is broken.

    Alternates of entries stand behind them, where they are none themselves. mend: read on behind a
    break.
    """
    found = _Gathered()
    whole = _gather(data, limit, found)
    if mend and not whole:
        of_mended = _Gathered()
        _gather(mended(data), limit, of_mended)
        found = max(of_mended, found, key=lambda gathered: len(gathered.entries))
    listed = {entry.href for entry in found.entries}
    others = (Found(href) for href in found.alternates if href and href not in listed)
    return [*found.entries, *islice(others, max(0, limit + 1 - len(listed)))], whole


def _gather(data: bytes, limit: int, found: _Gathered) -> bool:
    """Adds what is read before a break; False where there is one."""
    try:
        for _ in islice(_read(data, found), limit + 1):
            pass
    except etree.XMLSyntaxError:
        return False
    return True


def _read(data: bytes, into: _Gathered) -> Iterator[None]:
    """Reads into what is gathered; stops after each entry."""
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
        yield from _drain(parser, into)
        if broken:
            raise broken
    parser.close()
    yield from _drain(parser, into)


def _drain(parser: etree.XMLPullParser[etree._Element], into: _Gathered) -> Iterator[None]:
    for _, element in parser.read_events():
        places, reader = _READERS[_local(element)]
        parent = element.getparent()
        if _place(parent) not in places:
            continue
        for found in reader(element):
            if found.href:
                into.entries.append(found)
                yield
        if _local(element) == "url":
            into.alternates.update(dict.fromkeys(_alternates(element)))
        # What has been read is let go, or 50,000 entries would stand in memory at once.
        if parent is not None:
            element.clear(keep_tail=True)
            while element.getprevious() is not None:
                del parent[0]


def _place(parent: etree._Element | None) -> str:
    """Where an entry stands: the names of what is around it."""
    names = []
    while parent is not None:
        names.append(_local(parent))
        parent = parent.getparent()
    return "/".join(reversed(names))


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _namespace(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[0][1:]


def _own(element: etree._Element) -> dict[str, list[str]]:
    """Local names of the children in its namespace, or in none, with the texts they hold."""
    texts: dict[str, list[str]] = {}
    around = _namespace(element)
    for child in element.iterchildren(tag=etree.Element):
        if _namespace(child) in (around, ""):
            texts.setdefault(_local(child), []).append(_text(child))
    return texts


def _text(element: etree._Element) -> str:
    """What stands in it up to another element."""
    parts = [element.text or ""]
    for child in element:
        if isinstance(child.tag, str):
            break
        parts.append(child.tail or "")
    return fold("".join(parts))


def _bases(element: etree._Element) -> tuple[str, ...]:
    around = (element, *element.iterancestors())
    return tuple(base for part in reversed(around) if (base := part.get(_BASE)))


def _sitemap_entry(element: etree._Element) -> Iterator[Found]:
    texts = _own(element)
    # Some write the address without <loc> around it.
    for href in texts.get("loc") or [_text(element)]:
        yield Found(
            href,
            _local(element) == "sitemap",
            _first(texts, "lastmod"),
            next(iter(texts.get("priority", ())), None),
            _first(texts, "changefreq"),
        )


def _alternates(element: etree._Element) -> Iterator[str]:
    """The same page in other languages; the prefix often stands for another namespace."""
    for child in element.iterchildren("{*}link"):
        if "alternate" in child.get("rel", "").lower().split():
            yield fold(child.get("href", ""))


def _rss_item(element: etree._Element) -> Iterator[Found]:
    texts = _own(element)
    links = [link for link in texts.get("link", ()) if link]
    if not links:
        permanent = (
            _text(child)
            for child in element.iterchildren("{*}guid")
            if child.get("isPermaLink", "").lower() != "false"
        )
        # A guid is an address unless it says that it is none, and often enough even then.
        guids = (*permanent, *texts.get("guid", ()))
        links = [guid for guid in guids if guid.startswith(("http://", "https://"))]
    dates = {"date": [_text(date) for date in element.iterchildren(_DATE)]}
    date = _first(texts, "pubDate") or _first(texts, "date") or _first(dates, "date")
    href = links[0] if links else _atom_page(element, _ATOM)
    yield Found(href, lastmod=date, bases=_bases(_nearest(element, "link")))


def _atom_entry(element: etree._Element) -> Iterator[Found]:
    texts = _own(element)
    link = _atom_link(element, (_namespace(element), ""))
    yield Found(
        "" if link is None else fold(link.get("href", "")),
        lastmod=_first(texts, "updated") or _first(texts, "modified") or _first(texts, "published"),
        bases=_bases(element if link is None else link),
    )


def _atom_page(element: etree._Element, namespaces: tuple[str, ...]) -> str:
    link = _atom_link(element, namespaces)
    return "" if link is None else fold(link.get("href", ""))


def _atom_link(element: etree._Element, namespaces: tuple[str, ...]) -> etree._Element | None:
    """RFC 4287, section 4.2.7: without rel it is an alternate. One that says it is no page comes
    after all others."""
    links = [
        link
        for link in element.iterchildren("{*}link")
        if _namespace(link) in namespaces
        and link.get("href")
        and link.get("rel", "alternate").lower() in _ALTERNATE
    ]
    links.sort(key=lambda link: link.get("type", "").partition(";")[0].strip() not in _PAGES)
    return links[0] if links else None


def _nearest(element: etree._Element, name: str) -> etree._Element:
    """The first child of that name in the element's namespace, or the element."""
    around = _namespace(element)
    children = element.iterchildren("{*}" + name)
    return next((child for child in children if _namespace(child) == around), element)


def _first(texts: dict[str, list[str]], name: str) -> str | None:
    text = next((text for text in texts.get(name, ()) if text), None)
    return text[:_MAX_TEXT] if text else None


_READERS: Final[dict[str, tuple[frozenset[str], Callable[[etree._Element], Iterator[Found]]]]] = {
    "url": (frozenset({"urlset"}), _sitemap_entry),
    "sitemap": (frozenset({"sitemapindex"}), _sitemap_entry),
    "item": (frozenset({"rss/channel", "rss", "RDF", "RDF/channel"}), _rss_item),
    "entry": (frozenset({"feed", ""}), _atom_entry),
}
"""By local name: the places in which an entry counts, and what reads it."""
