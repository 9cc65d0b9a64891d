"""Where does a body end that comes in chunks?

RFC 9112, section 7.1, read as browsers read it: what follows the size of a chunk means nothing, be
it spelt well or not, and a line may end without its CR. A size that is no plain number leaves no
safe meaning.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from crawler.fetch.failures import Failure

FRAMING_ROOM: Final = 16 * 1024
FRAMING_PER_CHUNK: Final = 256
"""Bytes of chunk headers that a body may have: 16 KiB, and 256 for each chunk. One line of 70 KB
is more than that; the chunk signatures that some object stores send are not."""
REMEMBERED: Final = 20
MAX_TRAILER: Final = 64 * 1024
"""Bytes of a trailer line that are waited for."""

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]+)[ \t]*(?:;.*|\r)?", re.DOTALL)
_LARGEST: Final = 2**63 - 1
_NOTHING: Final = frozenset({b"", b"\r"})


def _size(line: bytes) -> int:
    """What the line before a chunk says, -1 where it is no size."""
    found = _SIZE.fullmatch(line)
    size = int(found[1], 16) if found else -1
    return size if size <= _LARGEST else -1


size_of: Final = lru_cache(maxsize=1024)(_size)
"""The same for short lines: a body may have millions of chunks."""


class Chunks:
    """A body in chunks, as far as it has come.

    whole: the last chunk has come. complete: so have the trailers. rest: what came behind them.
    broken: what ended it before. trailers: lines of them.
    """

    __slots__ = (
        "_after_data",
        "_chunks",
        "_framing",
        "_held",
        "_left",
        "broken",
        "complete",
        "rest",
        "trailers",
        "whole",
    )

    def __init__(self) -> None:
        self.whole = False
        self.complete = False
        self.broken: Failure | None = None
        self.rest = b""
        self.trailers = 0
        self._held = b""
        self._left = 0
        self._after_data = False
        self._framing = 0
        self._chunks = 0

    def __repr__(self) -> str:
        state = "complete" if self.complete else "whole" if self.whole else "on its way"
        return f"<Chunks {state}, {self._chunks:,} so far>"

    @property
    def missing(self) -> int:
        """Bytes of the chunk that has begun, and at least one of its header."""
        return self._left or len(self._held.strip(b"\r\n"))

    def feed(self, data: bytes) -> bytes:
        """What has come of the body."""
        data, self._held = self._held + data, b""
        pieces: list[bytes] = []
        at = 0
        while at < len(data) and not self.complete and self.broken is None:
            if self._left:
                piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                if data[at : at + 2] == b"\r\n":
                    at += 2
                else:
                    self._after_data = True
                continue
            end = data.find(b"\n", at)
            if end < 0:
                self._hold(data[at:])
                break
            self._read(data[at:end])
            at = end + 1
        else:
            self.rest = data[at:]
        return b"".join(pieces)

    def _hold(self, start: bytes) -> None:
        """Keeps the beginning of a line, within its bounds."""
        self._held = start
        if self.whole:
            self.complete = len(start) > MAX_TRAILER
        else:
            self._check_framing(len(start))

    def _read(self, line: bytes) -> None:
        """A line without its LF."""
        if self._after_data and line in _NOTHING:
            self._after_data = False
            return
        self._framing += len(line)
        if self.whole:
            self.trailers += 1
            self.complete = line in _NOTHING
            return
        size = size_of(line) if len(line) < REMEMBERED else _size(line)
        if size < 0:
            shown = line[:40].decode("latin-1")
            self.broken = Failure("proto_error", f"not the size of a chunk: {shown!r}")
            return
        self._chunks += 1
        self._check_framing(0)
        self._left = size
        self.whole = size == 0
        self._after_data = False

    def _check_framing(self, more: int) -> None:
        if self._framing + more > FRAMING_ROOM + FRAMING_PER_CHUNK * (self._chunks + 1):
            self.broken = Failure("proto_error", "a chunk header without end")
