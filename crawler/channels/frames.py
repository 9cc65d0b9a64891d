"""How do values cross a socketpair?

A frame is a length (4 bytes, big-endian) and that many bytes of msgpack. Two greenlets that write
to one socket would mix their frames, so each side has one sender.
"""

from __future__ import annotations

import mmap
import os
import struct
from socket import socket
from typing import TypeVar

import msgspec

Value = TypeVar("Value")

_LENGTH = struct.Struct(">I")
_CELL = struct.Struct("=dqd")
_encoder = msgspec.msgpack.Encoder()


def write_frame(link: socket, value: object) -> None:
    """Send one value; blocks while the other side does not read."""
    payload = _encoder.encode(value)
    link.sendall(_LENGTH.pack(len(payload)) + payload)


def read_frame(link: socket) -> bytearray | None:
    """The next frame's bytes, or None when the other side has closed."""
    head = _read_exactly(link, _LENGTH.size)
    if head is None:
        return None
    return _read_exactly(link, _LENGTH.unpack(head)[0])


def _read_exactly(link: socket, size: int) -> bytearray | None:
    data = bytearray(size)
    view = memoryview(data)
    got = 0
    while got < size:
        try:
            count = link.recv_into(view[got:])
        except ConnectionError:
            return None
        if count == 0:
            return None
        got += count
    return data


class Cell:
    """A few words of memory that a worker writes and the conductor reads at any time.

    beat: monotonic seconds of the worker's last sign of life. token: the lease of the job that it
    is parsing, 0 for none. since: monotonic seconds at which that began.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, _CELL.size)

    @classmethod
    def create(cls) -> Cell:
        """A cell of zeros in memory of its own."""
        descriptor = os.memfd_create("crawler-cell", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, _CELL.size)
        return cls(descriptor)

    def read(self) -> tuple[float, int, float]:
        """beat, token, since."""
        beat, token, since = _CELL.unpack(self._memory[: _CELL.size])
        return beat, token, since

    def write(self, beat: float, token: int, since: float) -> None:
        """Replace all three."""
        self._memory[: _CELL.size] = _CELL.pack(beat, token, since)

    def close(self) -> None:
        """Give the memory back."""
        self._memory.close()
        os.close(self.descriptor)
