"""How much of a body is read, and how is it decoded?

At most its cap, within its share of the memory of all bodies. It works on the response of any
requests adapter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import gevent
from requests import Response

from crawler.fetch import decode
from crawler.fetch.decode import Cut, Garbled
from crawler.fetch.failures import Failure
from crawler.fetch.memory_budget import Share
from crawler.fetch.transport import BREATH, Incoming

WIRE_SLACK: Final = 64 * 1024
"""A body that is compressed may be this much longer on the wire than what it may decode to."""

_WINDOWED: Final = frozenset({"br", "zstd"})
"""Codings whose decoder holds up to 16 MiB of what it has said."""


class BoundedBody:
    """A body as far as it was read.

    cap: bytes of it that may be kept. size: that are. wire: as they came. pieces: what is kept,
    decoded. garbled: of what was decoded, some is missing or is not what was sent.
    """

    def __init__(self, cap: int, share: Share) -> None:
        self.cap = cap
        self.size = 0
        self.wire = 0
        self.pieces: list[bytes] = []
        self.garbled = False
        self._share = share
        self._weight = 1

    def read(self, answer: Response | None) -> None:
        """Keeps it as it comes. Raises Failure where it is longer than its cap."""
        if not self._keep_whole(answer):
            self._keep(self._from_wire(answer, self.cap + 1))

    def read_coded(
        self, answer: Response | None, codings: Sequence[str], garbled: Callable[[Failure], None]
    ) -> None:
        """Keeps it decoded; where nothing at all could be, the bytes are kept as they came.

        garbled: is told what could not be decoded. Raises Failure where it is longer than its cap,
        or cut off.
        """
        held: list[bytes] = []
        self._weight += sum(coding in _WINDOWED for coding in codings)
        source = self._from_wire(answer, self.cap + WIRE_SLACK)
        try:
            self._keep(decode.decoded(self._remembering(source, held), codings))
        except Cut as cut:
            raise Failure("conn_closed", str(cut)) from None
        except Garbled as error:
            garbled(Failure("decode_error", str(error)))
            self.garbled = bool(self.size)
            if not self.size:
                self._keep(iter(held))
                self._keep(source)

    def too_large(self) -> Failure:
        """That it is longer than its cap."""
        return Failure("too_large", f"more than {self.cap:,} bytes")

    def _keep_whole(self, answer: Response | None) -> bool:
        """Keeps a body that came with its head, as small ones do; False where it must be read."""
        raw = getattr(answer, "raw", None)
        if not isinstance(raw, Incoming) or not raw.exchange.complete:
            return False
        size = raw.wire_bytes
        if size > self.cap:
            return False
        self._share.reach(size)
        self.pieces = raw.exchange.take()
        self.size = size
        return True

    def _remembering(self, source: Iterator[bytes], held: list[bytes]) -> Iterator[bytes]:
        for piece in source:
            if not self.size:
                self._share.reach(self.wire)
                held.append(piece)
            elif held:
                held.clear()
            yield piece

    def _from_wire(self, answer: Response | None, limit: int) -> Iterator[bytes]:
        for piece in _pieces(answer):
            self.wire += len(piece)
            yield piece
            if self.wire > limit:
                raise self.too_large()

    def _keep(self, pieces: Iterator[bytes]) -> None:
        breath = self.size + BREATH
        for piece in pieces:
            if self.size >= breath:
                gevent.sleep(0)
                breath += BREATH
            room = self.cap - self.size
            if len(piece) > room:
                self.pieces.append(piece[:room])
                self.size += room
                raise self.too_large()
            self._share.reach((self.size + len(piece)) * self._weight)
            self.pieces.append(piece)
            self.size += len(piece)


def _pieces(answer: Response | None) -> Iterator[bytes]:
    """The undecoded body, whatever adapter it comes from."""
    raw: Any = None if answer is None else answer.raw
    if raw is None:
        return iter(())
    if hasattr(raw, "stream"):
        found: Iterator[bytes] = raw.stream(decode.PIECE, decode_content=False)
        return found
    return iter(lambda: raw.read(decode.PIECE), b"")
