"""What does a sitemap or feed list?

As XML (`xml_lists`), as text with one address a line, or as JSON Feed; each may be packed.
"""

from __future__ import annotations

import json
import re
import zlib
from typing import Final, NamedTuple

from crawler.model import SitemapEntry
from crawler.parse.mend import begins_late
from crawler.parse.targets import Targets
from crawler.parse.xml_lists import Found, entries

MAX_ENTRIES: Final = 50_000
"""Of one sitemap, by its protocol."""

MAX_UNPACKED_BYTES: Final = 50 * 1024 * 1024
"""Of one sitemap, by its protocol."""

_MAX_LAYERS: Final = 2
_FIRST: Final = 256
_CHUNK: Final = 65_536
GZIP: Final = b"\x1f\x8b"
"""How a packed file begins."""

_LINE = re.compile(rb"^[^\S\n]*(?!#)(\S[^\n\r]*)", re.MULTILINE)
_ADDRESS = re.compile(rb"\s*https?://\S+\s*\Z", re.IGNORECASE)
_ITEMS = re.compile(r'"items"\s*:\s*\[\s*')
_BETWEEN = re.compile(r"[\s,]*")
_JSON_FEED = re.compile(rb"""["']version["']\s*:\s*["']https?:\\?/\\?/jsonfeed\.org""")


class Unpacked(NamedTuple):
    """A body without gzip around it; `whole` is False when something is missing."""

    data: bytes
    whole: bool


class Listing(NamedTuple):
    """Entries in order; truncated: ``parse`` after a break, ``links`` at the cap, or None."""

    entries: list[SitemapEntry]
    truncated: str | None


def unpack(body: bytes, most: int = MAX_UNPACKED_BYTES) -> Unpacked:
    """Takes off what gzip is left after the content coding: ``.xml.gz`` is a file, not a coding.

    most: bytes that are unpacked.
    """
    whole = True
    for _ in range(_MAX_LAYERS):
        if not body.startswith(GZIP):
            break
        body, ended = _gunzip(body, most)
        whole = whole and ended
    return Unpacked(body, whole)


def read_listing(
    data: bytes, targets: Targets, limit: int = MAX_ENTRIES, *, damaged: bool = False
) -> Listing:
    """Reads a sitemap, index or feed of any kind from UTF-8.

    damaged: from the first break on, it may say anything.
    """
    start = data.lstrip()[:1]
    if start == b"<" or begins_late(data):
        return _read_xml(data, targets, limit, mend=not damaged)
    if start == b"{":
        return _read_json(data, targets, limit)
    return _read_lines(data, targets, limit)


def is_list_of_addresses(data: bytes) -> bool:
    """Is this text one address a line, and nothing else but comments?"""
    some = False
    for found in _LINE.finditer(data):
        if not _ADDRESS.match(found[0]):
            return False
        some = True
    return some


def is_json_feed(data: bytes) -> bool:
    """Does this say that it is a JSON Feed (https://www.jsonfeed.org/version/1.1/)?"""
    return data.lstrip()[:1] == b"{" and _JSON_FEED.search(data) is not None


def _read_xml(data: bytes, targets: Targets, limit: int, *, mend: bool) -> Listing:
    found, whole = entries(data, limit, mend=mend)
    read: list[SitemapEntry] = []
    for entry in found[:limit]:
        read.append(_entry(entry, targets))
    return Listing(read, "links" if len(found) > limit else None if whole else "parse")


def _read_json(data: bytes, targets: Targets, limit: int) -> Listing:
    """The pages of a JSON Feed."""
    text, cut = data.decode("utf-8", "replace"), None
    try:
        items = json.loads(text, strict=False).get("items")
    except (ValueError, RecursionError):
        items, cut = _items_before_a_break(text), "parse"
    found = [
        _entry(Found(href, lastmod=date), targets)
        for item in (items if isinstance(items, list) else ())
        if isinstance(item, dict) and (href := _text_of(item, "url", "external_url"))
        for date in (_text_of(item, "date_modified", "date_published"),)
    ]
    return Listing(found[:limit], "links" if len(found) > limit else cut)


def _items_before_a_break(text: str) -> list[object]:
    start = _ITEMS.search(text)
    items: list[object] = []
    decoder = json.JSONDecoder(strict=False)
    at = start.end() if start else len(text)
    while at < len(text):
        try:
            item, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            break
        items.append(item)
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr]  # it may match nothing
    return items


def _text_of(item: dict[str, object], *names: str) -> str | None:
    """The first of some members that is a text."""
    texts = (item.get(name) for name in names)
    return next((text.strip() for text in texts if isinstance(text, str) and text.strip()), None)


def _read_lines(data: bytes, targets: Targets, limit: int) -> Listing:
    """Reads a sitemap that is one address a line; a line that is none is passed over."""
    entries: list[SitemapEntry] = []
    for line in data.decode("utf-8", "replace").splitlines():
        href = line.strip()
        if not href.lower().startswith(("http://", "https://")):
            continue
        if len(entries) == limit:
            return Listing(entries, "links")
        entries.append(_entry(Found(href), targets))
    return Listing(entries, None)


def _gunzip(body: bytes, room: int) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    at = 0
    while body.startswith(GZIP, at) and room:
        member = zlib.decompressobj(wbits=31)
        try:
            # In steps, so that what comes before a damaged place is kept, and no member costs more
            # than its own bytes: there may be half a million.
            step = _FIRST
            while at < len(body) and room and not member.eof:
                part = member.decompress(body[at : at + step], room)
                given = min(step, len(body) - at)
                at += given - len(member.unconsumed_tail) - len(member.unused_data)
                room -= len(part)
                parts.append(part)
                step = _CHUNK
        except zlib.error:
            return b"".join(parts), False
        if not member.eof:
            return b"".join(parts), False
    return b"".join(parts), room > 0


def _entry(found: Found, targets: Targets) -> SitemapEntry:
    return SitemapEntry(
        targets.place_on(found.href, found.bases),
        found.is_sitemap,
        found.lastmod,
        _priority(found.priority),
        found.changefreq,
    )


def _priority(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0.0 <= value <= 1.0 else None
