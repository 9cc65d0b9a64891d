"""What did the bytes say before they were compressed?

Decoders are generators: chunks in, pieces of at most 64 KiB out, pulled by whoever counts them, so
a bomb costs what was asked of it and no more. At most two codings (urllib3 GHSA-gm62-xv2j-4w53).
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Final

import brotli

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PIECE: Final = 64 * 1024
MAX_CODINGS: Final = 2

Pieces = Iterator[bytes]

_GZIP: Final = 16 + zlib.MAX_WBITS
_RAW: Final = -zlib.MAX_WBITS
_ZSTD_WINDOW: Final[dict[int, int]] = {zstd.DecompressionParameter.window_log_max: 23}
"""8 MiB: what RFC 9659 allows a server to demand of a client's memory."""


class Garbled(Exception):
    """The bytes are not what their coding says; the text is one line for people."""


class Cut(Exception):
    """The bytes ended before their coding did."""


def gunzip(chunks: Pieces) -> Pieces:
    """RFC 1952: members one after another; what follows the last is padding or rubbish."""
    engine, members = zlib.decompressobj(_GZIP), 0
    fed = False
    for chunk in chunks:
        data = chunk
        while data:
            if not fed and members and not b"\x1f\x8b".startswith(data[:2]):
                return _drain(chunks)
            fed = True
            yield from _inflated(engine, data)
            if not engine.eof:
                break
            members += 1
            data = engine.unused_data
            engine, fed = zlib.decompressobj(_GZIP), False
    if fed:
        raise Cut("the gzip stream ends early")


def inflate(chunks: Pieces) -> Pieces:
    """HTTP's deflate is zlib (RFC 9110, section 8.4.1.2), but many send it without its frame."""
    engine: Any = None
    held = b""
    for chunk in chunks:
        if engine is None:
            held += chunk
            if len(held) < 2:
                continue
            engine = zlib.decompressobj(zlib.MAX_WBITS if _is_zlib(held) else _RAW)
            chunk = held
        yield from _inflated(engine, chunk)
        if engine.eof:
            return _drain(chunks)
    if engine is not None or held:
        raise Cut("the deflate stream ends early")


def _drain(chunks: Pieces) -> None:
    """Reads what follows the end, so that the connection can be used again."""
    for _ in chunks:
        pass


def _is_zlib(start: bytes) -> bool:
    return start[0] & 0x0F == 8 and (start[0] << 8 | start[1]) % 31 == 0


def _inflated(engine: Any, data: bytes) -> Pieces:
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
    """What a call that failed had decoded and lost: a page with a bad checksum is still a page."""
    found = bytearray()
    with suppress(zlib.error):
        for at in range(len(data)):
            found += engine.decompress(data[at : at + 1], PIECE)
    if found:
        yield bytes(found)


def unbrotli(chunks: Pieces) -> Pieces:
    """RFC 7932."""
    engine = brotli.Decompressor()
    begun = False
    for chunk in chunks:
        begun = True
        try:
            piece = engine.process(chunk, output_buffer_limit=PIECE)
            while piece or not engine.can_accept_more_data():
                yield piece
                piece = engine.process(b"", output_buffer_limit=PIECE)
        except brotli.error as failure:
            raise Garbled(f"brotli: {failure}") from failure
        if engine.is_finished():
            return _drain(chunks)
    if begun:
        raise Cut("the brotli stream ends early")


def unzstd(chunks: Pieces) -> Pieces:
    """RFC 8878: frames one after another; what follows the last and is none is rubbish."""
    engine, frames, fed = zstd.ZstdDecompressor(options=_ZSTD_WINDOW), 0, False
    for chunk in chunks:
        data = chunk
        while data:
            fed = True
            try:
                yield from _unframed(engine, data)
            except zstd.ZstdError as failure:
                if frames:
                    return _drain(chunks)
                raise Garbled(str(failure)) from failure
            if not engine.eof:
                break
            frames += 1
            data = engine.unused_data
            engine, fed = zstd.ZstdDecompressor(options=_ZSTD_WINDOW), False
    if fed:
        raise Cut("the zstd stream ends early")


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


def codings_of(values: Iterable[str]) -> list[str]:
    """The codings that Content-Encoding headers name, in the order in which they were applied."""
    named = (coding.strip().lower() for value in values for coding in value.split(","))
    return [coding for coding in named if coding not in ("", "identity")]


def decoded(chunks: Iterable[bytes], codings: list[str]) -> Pieces:
    """The pieces behind at most two codings. Raises Garbled at once for others, Cut at the end."""
    unknown = [coding for coding in codings if coding not in DECODERS]
    if unknown:
        raise Garbled(f"unknown content coding {unknown[0]!r}")
    if len(codings) > MAX_CODINGS:
        raise Garbled(f"{len(codings)} content codings, one on another")
    pieces = iter(chunks)
    for coding in reversed(codings):
        pieces = DECODERS[coding](pieces)
    return pieces
