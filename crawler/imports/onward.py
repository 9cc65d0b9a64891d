"""How is a member of a ZIP file searched without being unpacked again and again?"""

from __future__ import annotations

import io
from collections import deque
from typing import IO, Final

KEPT: Final = 4 * 1024 * 1024
"""Of what was read last: a reader of records reads ahead 64 KiB, and looks for the next record in
pieces of a mebibyte."""
_PIECE: Final = 256 * 1024


class Onward(io.RawIOBase):
    """A stream that goes back by what it has kept, and no further.

    To go back in a packed member is to unpack it from its beginning: with damage behind damage, a
    file of a megabyte would take hours.
    """

    def __init__(self, stream: IO[bytes], kept: int = KEPT) -> None:
        super().__init__()
        self._stream = stream
        self._most = kept
        self._pieces: deque[tuple[int, bytes]] = deque()
        self._held = 0
        self._end = 0
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """As far as that goes."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, at: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place, or to the first that is kept where it lies before that."""
        if whence != io.SEEK_SET:
            raise io.UnsupportedOperation("only from the beginning")
        while at > self._end and self._more():
            pass
        first = self._pieces[0][0] if self._pieces else self._end
        self._at = min(max(at, first), self._end)
        return self._at

    def read(self, size: int = -1) -> bytes:
        """So many bytes, or fewer where a piece ends; none at the end. All of it is never given."""
        while self._at == self._end:
            if not self._more():
                return b""
        begins, piece = next(found for found in reversed(self._pieces) if found[0] <= self._at)
        start = self._at - begins
        data = piece[start:] if size < 0 else piece[start : start + size]
        self._at += len(data)
        return data

    def _more(self) -> bool:
        """Read on, and let go what was read long ago."""
        piece = self._stream.read(_PIECE)
        if not piece:
            return False
        self._pieces.append((self._end, piece))
        self._end += len(piece)
        self._held += len(piece)
        while self._held - len(self._pieces[0][1]) >= self._most:
            self._held -= len(self._pieces.popleft()[1])
        return True
