"""What are the bytes of an HTTP/2 connection made of?

Frames (RFC 9113, section 4) and headers packed by HPACK (RFC 7541). hpack brings the tables and the
code of Huffman; blocks are read here, because its own reader copies what is left of a block for
each header, 1.5 s of CPU for 256 KiB. What is sent is never put into the other side's table: it
may be a secret (RFC 7541, section 7.1), and needs no memory of ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from struct import Struct
from typing import Final

from hpack.exceptions import HPACKError
from hpack.huffman_table import decode_huffman
from hpack.table import HeaderTable

from crawler.fetch.failures import Failure

DATA: Final = 0
HEADERS: Final = 1
PRIORITY: Final = 2
RST_STREAM: Final = 3
SETTINGS: Final = 4
PUSH_PROMISE: Final = 5
PING: Final = 6
GOAWAY: Final = 7
WINDOW_UPDATE: Final = 8
CONTINUATION: Final = 9

ACK: Final = 0x1
END_STREAM: Final = 0x1
END_HEADERS: Final = 0x4
PADDED: Final = 0x8
HAS_PRIORITY: Final = 0x20

MAX_FRAME: Final = 16 * 1024
"""Bytes of a frame that both sides take unless they say otherwise, and we say nothing."""
PRIORITY_SIZE: Final = 5
PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
TABLE_SIZE: Final = 4096
"""Bytes of headers that the other side may have us remember."""
ENTRY: Final = 32
"""Bytes that a header counts for besides its name and value (RFC 9113, section 6.5.2)."""
UPDATES: Final = 2
"""Sizes that may be set at the beginning of a block (RFC 7541, section 4.2)."""
REMEMBERED: Final = 64
"""Bytes of a packed text of which it is remembered what it says."""
LONGEST_NUMBER: Final = 4
"""Bytes of a number behind its first: more than any size here needs."""

_HEAD: Final = Struct(">HBBBL")
_FIELDS: Final = 0x10
"""A header that no one on its way may remember; its name is spelt out."""
_EMPTY_TABLE: Final = b"\x20"
_METHODS: Final = {"GET": b"\x82"}
_HTTPS: Final = b"\x87"
_AUTHORITY, _METHOD, _PATH = b"\x01", b"\x02", b"\x04"
_OF_CONNECTIONS: Final = frozenset({b"connection", b"host", b"keep-alive", b"transfer-encoding"})
"""Headers of ours that HTTP/2 has no use for (RFC 9113, section 8.2.2)."""

Pair = tuple[bytes, bytes]


def malformed(why: str) -> Failure:
    """What breaks the rules of HTTP/2."""
    return Failure("proto_error", f"HTTP/2: {why}")


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame as it is sent."""
    size = len(payload)
    return _HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


class Frames:
    """Cuts what comes into frames. Holds one that is not whole, at most."""

    __slots__ = ("_held",)

    def __init__(self) -> None:
        self._held = b""

    def __repr__(self) -> str:
        return f"<Frames, {len(self._held):,} bytes held>"

    def feed(self, data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
        """Kind, flags, stream and payload of each. Raises Failure for one that is too large."""
        if self._held:
            data = self._held + data
            self._held = b""
        at, end = 0, len(data)
        while end - at >= _HEAD.size:
            high, low, kind, flags, stream = _HEAD.unpack_from(data, at)
            size = high << 8 | low
            if size > MAX_FRAME:
                raise malformed(f"a frame of {size:,} bytes")
            begin = at + _HEAD.size
            if begin + size > end:
                break
            at = begin + size
            yield kind, flags, stream & 0x7FFFFFFF, data[begin:at]
        self._held = data[at:]


def unpadded(flags: int, payload: bytes, before: int = 0) -> bytes:
    """A payload without its padding, and without so many bytes at its beginning."""
    begin, end = before, len(payload)
    if flags & PADDED:
        begin += 1
        end -= payload[0] if payload else 0
    if begin > end:
        raise malformed("padding longer than its frame")
    return payload[begin:end]


def request(
    method: str, authority: str, path: str, lines: bytes, stream: int, body: bytes = b""
) -> bytes:
    """The frames that ask for something by https.

    lines: headers as HTTP/1.1 has them, each with its CRLF. Those of connections are left out.
    """
    known = _METHODS.get(method)
    block = b"".join(
        (
            _EMPTY_TABLE if stream == 1 else b"",
            known or _METHOD + _plain(method.encode("ascii")),
            _HTTPS,
            _AUTHORITY + _plain(authority.encode("ascii")),
            _PATH + _plain(path.encode("ascii")),
            packed(lines),
        )
    )
    parts = _parts(block)
    last = len(parts) - 1
    ends = 0 if body else END_STREAM
    asks = b"".join(
        frame(
            CONTINUATION if number else HEADERS,
            (0 if number else ends) | (END_HEADERS if number == last else 0),
            stream,
            part,
        )
        for number, part in enumerate(parts)
    )
    content = _parts(body)
    return asks + b"".join(
        frame(DATA, 0 if number < len(content) else END_STREAM, stream, part)
        for number, part in enumerate(content, 1)
    )


def _parts(whole: bytes) -> list[bytes]:
    return [whole[at : at + MAX_FRAME] for at in range(0, len(whole), MAX_FRAME)]


@lru_cache(maxsize=256)
def packed(lines: bytes) -> bytes:
    """Header lines as HTTP/2 has them. Nearly all requests have the same."""
    pairs = (line.partition(b": ") for line in lines.split(b"\r\n") if line)
    return b"".join(
        bytes((_FIELDS,)) + _plain(name.lower()) + _plain(value.strip(b" \t"))
        for name, _, value in pairs
        if name.lower() not in _OF_CONNECTIONS
    )


def _plain(text: bytes) -> bytes:
    """A text and its length, not compressed."""
    size = len(text)
    if size < 0x7F:
        return bytes((size,)) + text
    size -= 0x7F
    digits = bytearray((0x7F,))
    while size >= 0x80:
        digits.append(size & 0x7F | 0x80)
        size >>= 7
    digits.append(size)
    return bytes(digits) + text


class Unpacker:
    """Reads the headers that the other side packs, and remembers what it may refer to."""

    __slots__ = ("_table",)

    def __init__(self) -> None:
        self._table = HeaderTable()

    def __repr__(self) -> str:
        return f"<Unpacker, {len(self._table.dynamic_entries)} headers remembered>"

    def read(self, block: bytes, room: int) -> tuple[list[Pair], int]:
        """The headers of a block, and what is left of the room that they may take: less than
        nothing where they are not whole. Raises Failure."""
        try:
            return self._read(block, room)
        except (HPACKError, IndexError) as error:
            raise malformed(f"headers that cannot be unpacked ({type(error).__name__})") from None

    def _read(self, block: bytes, room: int) -> tuple[list[Pair], int]:
        table = self._table
        found: list[Pair] = []
        at, end, updates = 0, len(block), 0
        while at < end:
            first = block[at]
            if first & 0x80:
                index, at = _number(block, at, 0x7F)
                name, value = table.get_by_index(index)
            elif first & 0x60 == 0x20:
                size, at = _number(block, at, 0x1F)
                updates += 1
                if found or updates > UPDATES or size > TABLE_SIZE:
                    raise malformed("a table of headers that nobody allowed")
                table.maxsize = size
                continue
            else:
                index, at = _number(block, at, 0x3F if first & 0x40 else 0x0F)
                name, at = (table.get_by_index(index)[0], at) if index else _text(block, at)
                value, at = _text(block, at)
                if first & 0x40:
                    table.add(name, value)
            room -= len(name) + len(value) + ENTRY
            if room < 0:
                break
            found.append((name, value))
        return found, room


def _number(block: bytes, at: int, mask: int) -> tuple[int, int]:
    """A number, and where it ends (RFC 7541, section 5.1)."""
    number = block[at] & mask
    at += 1
    if number < mask:
        return number, at
    for shift in range(0, 7 * LONGEST_NUMBER, 7):
        digit = block[at]
        at += 1
        number += (digit & 0x7F) << shift
        if digit < 0x80:
            return number, at
    raise malformed("a number without end in its headers")


def _text(block: bytes, at: int) -> tuple[bytes, int]:
    """A text, and where it ends (RFC 7541, section 5.2)."""
    is_huffman = block[at] & 0x80
    size, at = _number(block, at, 0x7F)
    end = at + size
    if end > len(block):
        raise malformed("a header longer than its block")
    text = block[at:end]
    if not is_huffman:
        return text, end
    return (_unpacked(text) if size <= REMEMBERED else decode_huffman(text)), end


@lru_cache(maxsize=4096)
def _unpacked(text: bytes) -> bytes:
    """By the code of Huffman: 10 us a value, and most values of a site come again and again."""
    return decode_huffman(text)


_BAD_NAME: Final = re.compile(rb"[\x00-\x20A-Z\x7f-\xff:]")
_BAD_VALUE: Final = re.compile(rb"[\x00\r\n]")
_FORBIDDEN: Final = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"upgrade"}
)


def split(pairs: list[Pair]) -> tuple[int | None, list[Pair]]:
    """Status, None where there is none, and headers of a block (RFC 9113, sections 8.2 and 8.3).
    Raises Failure for what is malformed."""
    status: int | None = None
    headers: list[Pair] = []
    for name, value in pairs:
        if name == b":status" and status is None and not headers:
            if not (len(value) == 3 and value.isdigit() and value >= b"100"):
                raise malformed(f"the status {value[:20].decode('latin-1')!r}")
            status = int(value)
        elif not name or _BAD_NAME.search(name):
            raise malformed(f"the name of a header {name[:60].decode('latin-1')!r}")
        elif name in _FORBIDDEN:
            raise malformed(f"the header {name.decode()}, which belongs to HTTP/1.1")
        elif _BAD_VALUE.search(value):
            raise malformed(f"a line end in the header {name[:60].decode('latin-1')!r}")
        else:
            headers.append((name, value.strip(b" \t")))
    return status, headers
