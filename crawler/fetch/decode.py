"""What did the bytes say before they were compressed?

Decoders are generators: chunks in, pieces of at most 64 KiB out, pulled by whoever counts them, so
a bomb costs what was asked of it and no more. At most two codings (urllib3 GHSA-gm62-xv2j-4w53).
"""

from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, Final

import brotli
import msgspec
from isal import isal_zlib

from crawler.fetch.failures import Failure, Unended

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE: Final = 64 * 1024
MAX_CODINGS: Final = 2
MAX_MEMBERS: Final = 4096
"""Streams of one coding, one behind the other: a file of 10 MB that bgzip made has 160."""

Pieces = Iterator[bytes]

_RAW: Final = -zlib.MAX_WBITS
_ZSTD_WINDOW: Final[dict[int, int]] = {zstd.DecompressionParameter.window_log_max: 23}
"""8 MiB: what RFC 9659 allows a server to demand of a client's memory."""


class Garbled(Exception):
    """The bytes are not what their coding says; the text is one line for people."""


class Cut(Exception):
    """The bytes ended before their coding did."""


class _Source:
    """Bytes that come in chunks, to be had by number.

    whole: all that was said is decoded, so that an end that is not told is none too early.
    """

    def __init__(self, chunks: Pieces) -> None:
        self._chunks = chunks
        self._held = b""
        self.whole = False

    def chunk(self) -> bytes:
        """What is there, or comes next; empty at the end. Raises what the chunks raise."""
        held, self._held = self._held, b""
        if held:
            return held
        try:
            return next(self._chunks, b"")
        except Unended:
            if self.whole:
                return b""
            raise

    def give_back(self, data: bytes) -> None:
        """To be had again."""
        self._held = data + self._held

    def peek(self, count: int) -> bytes:
        """The next bytes, fewer at the end; they stay."""
        held = self._held or self.chunk()
        while len(held) < count:
            self._held = b""
            more = self.chunk()
            if not more:
                break
            held += more
        self._held = held
        return held[:count]

    def take(self, count: int) -> bytes:
        """The next bytes, fewer at the end."""
        found = self.peek(count)
        self._held = self._held[len(found) :]
        return found

    def skip(self, count: int) -> None:
        """Passes over the next bytes."""
        while count > 0 and (data := self.chunk()):
            self._held = data[count:]
            count -= len(data)

    def take_until(self, end: bytes) -> None:
        """Passes over what comes up to this byte, and that."""
        while data := self.chunk():
            _, found, behind = data.partition(end)
            if found:
                return self.give_back(behind)

    def drain(self) -> None:
        """Reads what follows the end, so that the connection can be used again."""
        self.whole = True
        while self.chunk():
            pass


def gunzip(chunks: Pieces) -> Pieces:
    """RFC 1952: members one after another; what follows the last is padding or rubbish."""
    source = _Source(chunks)
    members = 0
    while start := source.peek(2):
        if members and start != b"\x1f\x8b":
            return source.drain()
        yield from _member(source)
        members += 1
        _check_count(members)


def _member(source: _Source) -> Pieces:
    _skip_header(source)
    check = size = 0
    for piece in _inflated(source):
        check = isal_zlib.crc32(piece, check)
        size += len(piece)
        yield piece
    trailer = source.take(8)
    told = check.to_bytes(4, "little") + (size & 0xFFFF_FFFF).to_bytes(4, "little")
    # A server that was in a hurry forgets the trailer: what it said is whole all the same.
    if len(trailer) == 8 and trailer != told:
        raise Garbled("the checksum of the gzip stream is wrong")


def _skip_header(source: _Source) -> None:
    """RFC 1952, section 2.3."""
    start = source.take(10)
    if start[:2] != b"\x1f\x8b"[: len(start)] or start[2:3] not in (b"", b"\x08"):
        raise Garbled("not a gzip stream")
    if len(start) < 10:
        raise Cut("the gzip stream ends in its header")
    flags = start[3]
    if flags & 4:
        source.skip(int.from_bytes(source.take(2), "little"))
    for flag in (8, 16):  # name and comment
        if flags & flag:
            source.take_until(b"\0")
    if flags & 2:
        source.take(2)


def inflate(chunks: Pieces) -> Pieces:
    """HTTP's deflate is zlib (RFC 9110, section 8.4.1.2), but many send it without its frame."""
    source = _Source(chunks)
    start = source.peek(2)
    if not start:
        return
    framed = len(start) == 2 and _is_zlib(start)
    if framed:
        source.take(2)
    check = 1
    for piece in _inflated(source):
        if framed:
            check = isal_zlib.adler32(piece, check)
        yield piece
    trailer = source.take(4) if framed else b""
    if len(trailer) == 4 and trailer != check.to_bytes(4, "big"):
        raise Garbled("the checksum of the deflate stream is wrong")
    source.drain()


def _is_zlib(start: bytes) -> bool:
    return start[0] & 0x0F == 8 and (start[0] << 8 | start[1]) % 31 == 0


def _inflated(source: _Source) -> Pieces:
    """The content of one stream of RFC 1951; the source stands behind its end then."""
    engine = zlib.decompressobj(_RAW)
    while not engine.eof:
        data = source.chunk()
        if not data:
            raise Cut("the compressed stream ends early")
        yield from _pieces(engine, data)
    source.give_back(engine.unused_data)
    source.whole = True


def _pieces(engine: Any, data: bytes) -> Pieces:
    while True:
        before = engine.copy()
        try:
            piece = engine.decompress(data, PIECE)
        except zlib.error as failure:
            yield from _salvaged(before, data)
            raise Garbled(str(failure)) from failure
        if not piece:
            return
        yield piece
        data = engine.unconsumed_tail


def _salvaged(engine: Any, data: bytes) -> Pieces:
    """What a call that failed had decoded and lost: half a page is still a page."""
    found = bytearray()
    with suppress(zlib.error):
        for at in range(len(data)):
            found += engine.decompress(data[at : at + 1], PIECE)
    if found:
        yield bytes(found)


def unbrotli(chunks: Pieces) -> Pieces:
    """RFC 7932."""
    source = _Source(chunks)
    engine = brotli.Decompressor()
    begun = False
    while chunk := source.chunk():
        begun = True
        try:
            piece = engine.process(chunk, output_buffer_limit=PIECE)
            while piece or not engine.can_accept_more_data():
                yield piece
                piece = engine.process(b"", output_buffer_limit=PIECE)
        except brotli.error as failure:
            raise Garbled(f"brotli: {failure}") from failure
        if engine.is_finished():
            return source.drain()
    if begun:
        raise Cut("the brotli stream ends early")


def unzstd(chunks: Pieces) -> Pieces:
    """RFC 8878: frames one after another; what follows the last and is none is rubbish."""
    source = _Source(chunks)
    frames = 0
    while source.peek(1):
        try:
            yield from _frame(source)
        except zstd.ZstdError as failure:
            if frames:
                return source.drain()
            raise Garbled(str(failure)) from failure
        frames += 1
        _check_count(frames)


def _check_count(members: int) -> None:
    """Raises Failure (``too_large``): a member that says nothing costs 2 us, a frame 10."""
    if members >= MAX_MEMBERS:
        raise Failure("too_large", f"more than {MAX_MEMBERS:,} compressed streams on end")


def _frame(source: _Source) -> Pieces:
    engine = zstd.ZstdDecompressor(options=_ZSTD_WINDOW)
    while not engine.eof:
        data = source.chunk()
        if not data:
            raise Cut("the zstd stream ends early")
        yield from _unframed(engine, data)
    source.give_back(engine.unused_data)
    source.whole = True


def _unframed(engine: Any, data: bytes) -> Pieces:
    piece = engine.decompress(data, PIECE)
    while piece or not (engine.needs_input or engine.eof):
        yield piece
        if engine.eof:
            return
        piece = engine.decompress(b"", PIECE)


DECODERS: Final[dict[str, Callable[[Pieces], Pieces]]] = {
    "gzip": gunzip,
    "x-gzip": gunzip,
    "deflate": inflate,
    "br": unbrotli,
    "zstd": unzstd,
}

ACCEPTED: Final = "gzip, deflate, br, zstd"


_REAL: Final = frozenset(
    {"aes128gcm", "br2", "bzip2", "compress", "dcb", "dcz", "exi", "lz4", "lzma", "pack200-gzip"}
    | {"snappy", "x-bzip2", "x-compress", "xz"}
)
"""Codings that are not asked for and not undone here. Any other word means nothing."""
_BINARY: Final = re.compile(rb"[\0-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""https://mimesniff.spec.whatwg.org/#binary-data-byte"""
_SNIFFED: Final = 1445
_FEW: Final = 0.02
"""Of what a stray control character makes of a text; in what is packed it is a tenth."""
_WIDE: Final = (b"\xff\xfe", b"\xfe\xff")
_ODDITIES: Final = " \t\"'"


def is_binary(body: bytes) -> bool:
    """Is this no text, in whatever encoding?"""
    start = body[:_SNIFFED]
    if start.startswith(_WIDE):
        return False
    return len(_BINARY.findall(start)) > max(1, _FEW * len(start))


class Codings(msgspec.Struct, frozen=True):
    """What Content-Encoding headers say, in the order in which it was done.

    known: codings that are undone here. unknown: other words, but for ``identity``.
    """

    known: tuple[str, ...]
    unknown: tuple[str, ...]

    def still_on(self, body: bytes, *, is_text: bool) -> bool:
        """Whether a coding that nobody undid is on this body: it says so, and is no text.

        is_text: but it is to be one. Of a word that means nothing that is needed to tell, since
        pictures come with such words, too.
        """
        if not _REAL.isdisjoint(self.unknown):
            return bool(_BINARY.search(body[:_SNIFFED]))
        return bool(self.unknown) and is_text and is_binary(body)


_NONE: Final = Codings((), ())


def codings_of(values: Sequence[str]) -> Codings:
    """The codings that Content-Encoding headers name (RFC 9110, section 8.4.1).

    In quotes, or with parameters, as neither may be, they mean the same.
    """
    if not values:
        return _NONE
    named = [_name(coding) for value in values for coding in value.split(",")]
    return Codings(
        tuple(coding for coding in named if coding in DECODERS),
        tuple(c for c in named if c not in DECODERS and c not in ("", "identity")),
    )


def _name(written: str) -> str:
    whole = written.strip().lower()
    name = whole.partition(";")[0].strip(_ODDITIES)
    return name if name in DECODERS or name in ("", "identity") else whole


def decoded(chunks: Iterable[bytes], codings: Sequence[str]) -> Pieces:
    """The pieces behind at most two known codings. Raises Garbled at once for more, Cut at the
    end."""
    if len(codings) > MAX_CODINGS:
        raise Garbled(f"{len(codings)} content codings, one on another")
    pieces = iter(chunks)
    for coding in reversed(codings):
        pieces = DECODERS[coding](pieces)
    return pieces
