"""How do values cross a socketpair?

A frame is a length (4 bytes, big-endian) and that many bytes of msgpack. Two greenlets that write
to one socket would mix their frames, so each side has one sender.
"""

from __future__ import annotations

import mmap
import os
import struct
import time
from socket import socket
from typing import Final

import msgspec

from crawler.store.clock import BOOT

BUFFER_KEPT = 4 * 1024 * 1024
"""A larger buffer is given up after its frame."""
AHEAD: Final = 512 * 1024
"""Where in its buffer a frame begins. msgspec first cuts a buffer down to half as much again as
stands before the frame: of one that begins at its start nothing was left, and each page of memory
had to be had anew. What stands before is never touched, and so takes no memory."""
_LENGTH = struct.Struct(">I")
_CELL = struct.Struct("=dqd")
_UNTIL = struct.Struct("=d")
_BYTES = _CELL.size + _UNTIL.size
_encoder = msgspec.msgpack.Encoder()


def is_list(frame: memoryview) -> bool:
    """Does this frame hold a list, of jobs or visits, rather than one thing said beside them?

    https://github.com/msgpack/msgpack/blob/master/spec.md#array-format-family
    """
    first = frame[0] if frame else 0
    return first >> 4 == 0x9 or first in (0xDC, 0xDD)


class Frames:
    """One end of a socketpair. Its buffers are used again and again: fresh ones for each frame cost
    more in page faults than the copying."""

    def __init__(self, link: socket) -> None:
        self.link = link
        self._sent = bytearray()
        self._received = bytearray(_LENGTH.size)

    def __repr__(self) -> str:
        return f"<Frames over {self.link.fileno()}>"

    def write(self, value: object) -> None:
        """Send one value; blocks while the other side does not read."""
        frame = self._sent
        _encoder.encode_into(value, frame, AHEAD)
        start = AHEAD - _LENGTH.size
        _LENGTH.pack_into(frame, start, len(frame) - AHEAD)
        with memoryview(frame) as whole, whole[start:] as sent:
            self.link.sendall(sent)
        if len(frame) > AHEAD + BUFFER_KEPT:
            self._sent = bytearray()

    def read(self) -> memoryview | None:
        """The next frame, valid until the next call; None when the other side has closed."""
        head = self._read_exactly(_LENGTH.size)
        if head is None:
            return None
        return self._read_exactly(_LENGTH.unpack(head)[0])

    def _read_exactly(self, size: int) -> memoryview | None:
        if not size <= len(self._received) <= max(size, BUFFER_KEPT):
            self._received = bytearray(size)
        view = memoryview(self._received)[:size]
        got = 0
        while got < size:
            try:
                count = self.link.recv_into(view[got:])
            except ConnectionError:
                return None
            if count == 0:
                return None
            got += count
        return view


def boot_time() -> float:
    """Seconds of the one clock that goes on while a machine sleeps."""
    return time.clock_gettime(BOOT)


class Cell:
    """A few words of memory that a worker writes and its parent reads at any time.

    beat: monotonic seconds of the worker's last sign of life. token: the lease of the job that it
    is parsing, 0 for none. since: monotonic seconds at which that began. One word goes the other
    way: until when fetches may begin.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, _BYTES)

    @classmethod
    def create(cls) -> Cell:
        """A cell of zeros in memory of its own."""
        descriptor = os.memfd_create("crawler-cell", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, _BYTES)
        return cls(descriptor)

    def read(self) -> tuple[float, int, float]:
        """beat, token, since."""
        beat, token, since = _CELL.unpack(self._memory[: _CELL.size])
        return beat, token, since

    def write(self, beat: float, token: int, since: float) -> None:
        """Replace all three."""
        self._memory[: _CELL.size] = _CELL.pack(beat, token, since)

    def let_start(self, until: float) -> None:
        """No fetch may begin from this moment of `boot_time` on; 0 for no end."""
        self._memory[_CELL.size :] = _UNTIL.pack(until)

    def may_start(self) -> bool:
        """May a fetch begin now?"""
        (until,) = _UNTIL.unpack(self._memory[_CELL.size :])
        return not until or boot_time() < until

    def close(self) -> None:
        """Give the memory back; called again, do nothing: its number may be another's by then."""
        if not self._memory.closed:
            self._memory.close()
            os.close(self.descriptor)
