"""What form does a body have that is no page, by its bytes?

Asked of files that are labelled as something else, and of sitemaps.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from lxml import etree

from crawler.parse.sitemaps import GZIP, is_list_of_addresses
from crawler.parse.sniff import SNIFFED_BYTES, media_type, root_name

MOST: Final = 256 * 1024 * 1024
"""A file that is packed itself is not unpacked any further to tell how long it is."""
_HEAD: Final = 65_536
_PIECE: Final = 1024 * 1024

Row = tuple[object, ...]


def form_of(body: bytes) -> Row:
    """The columns of ``body_forms`` behind its key and version."""
    packed = body.startswith(GZIP)
    beginning = next(_inflated(body, _HEAD), b"") if packed else body[:_HEAD]
    namespace, root = root_of(beginning) or (None, None)
    return (
        media_type(None, body[:SNIFFED_BYTES]),
        root,
        namespace,
        int(root_name(beginning) == b"html"),
        int(root is None and is_text(beginning)),
        _unpacked_bytes(body) if packed else len(body),
    )


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


def _unpacked_bytes(body: bytes) -> int:
    size = 0
    for piece in _inflated(body, _PIECE):
        size += len(piece)
        if size >= MOST:
            break
    return size


def _inflated(packed: bytes, size: int) -> Iterator[bytes]:
    """What a gzip file holds, in pieces of at most this size; up to a damage."""
    stream = zlib.decompressobj(wbits=31)
    rest = packed
    while rest and not stream.eof:
        try:
            data = stream.decompress(rest, size)
        except zlib.error:
            return
        rest = stream.unconsumed_tail
        if data:
            yield data
