"""In which processes are bodies read?

Reading a hostile page may take minutes of C code or all memory, so it is done in processes that can
be killed. They are given packed bodies and give back what was found in them; the file is the
parent's alone. When one hangs or dies, the body that it was at is to blame, and no other.
"""

from __future__ import annotations

import os
import signal
import socket
import time
import traceback
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Any, Final, Generic, NoReturn, TypeVar

import msgspec
from gevent import monkey

from crawler.channels.frames import Cell, Frames
from crawler.orphans import end_with_parent, let_go

Found = TypeVar("Found")

LIMIT_S: Final = 60.0
"""What one body may take; one of 10 MB takes 1.2 s."""
_LOOK_S: Final = 1.0
_poll = monkey.get_original("select", "poll")
_socket = monkey.get_original("socket", "socket")
_fork = monkey.get_original("os", "fork")
# gevent's own would bring up a loop, which none of these processes needs.


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """A body as it is stored: a zlib stream.

    number: by which it is known to whoever asks, from 1. charset: what it was read as. url: of the
    page, where that matters.
    """

    number: int
    charset: str | None
    body: bytes
    url: str = ""


class Read(msgspec.Struct, Generic[Found], frozen=True, array_like=True):
    """What was found in a body, or why it could not be read: timeout, lost, or the name of a
    Python error."""

    number: int
    found: Found | None = None
    error: str | None = None


Chunk = list[Packed]
Look = Callable[[bytes, Packed], Found]
"""What is done with a body, unpacked, in a process that was forked: no more than its answer comes
back."""
_question = msgspec.msgpack.Decoder(Chunk)


def read_all(
    chunks: Iterable[Chunk], look: Look[Found], kind: Any, *, processes: int
) -> Iterator[list[Read[Found]]]:
    """What is found in the bodies, chunk by chunk, in the order in which they are ready.

    kind: the type of what is found.
    """
    answers = msgspec.msgpack.Decoder(list[Read[kind]])
    waiting = iter(chunks)
    again: deque[Chunk] = deque()
    readers: dict[int, _Reader] = {}
    try:
        while True:
            while len(readers) < processes and (chunk := _next(again, waiting)):
                reader = _Reader(chunk, look)
                readers[reader.number] = reader
            if not readers:
                return
            for reader in _ready(readers):
                yield reader.take(answers, again)
                chunk = None if reader.gone else _next(again, waiting)
                if chunk:
                    reader.give(chunk)
                else:
                    readers.pop(reader.number).close()
    finally:
        for reader in readers.values():
            reader.close()


def _next(again: deque[Chunk], waiting: Iterator[Chunk]) -> Chunk | None:
    return again.popleft() if again else next(waiting, None)


def _ready(readers: dict[int, _Reader]) -> list[_Reader]:
    """Those that have an answer, have died, or take too long."""
    poll = _poll()
    for number in readers:
        poll.register(number)
        poll.modify(number, 1)  # POLLIN
    while True:
        ready = {number for number, _ in poll.poll(_LOOK_S * 1000)}
        late = {number for number, reader in readers.items() if reader.is_late()}
        if ready or late:
            return [readers[number] for number in sorted(ready | late)]


class _Reader:
    """A process that reads one chunk after another. gone: it will read no more."""

    def __init__(self, chunk: Chunk, look: Look[Any]) -> None:
        self.gone = False
        self._cell = Cell.create()
        ours, theirs = (_blocking(side) for side in socket.socketpair())
        parent = os.getpid()
        self._pid = _fork()
        if self._pid == 0:
            _serve(parent, theirs.detach(), self._cell.descriptor, look)
        theirs.close()
        self._frames = Frames(ours)
        self.number: int = ours.fileno()
        self.give(chunk)

    def __repr__(self) -> str:
        return f"<_Reader {self._pid} with {len(self._chunk)} bodies>"

    def give(self, chunk: Chunk) -> None:
        """The next chunk to be read."""
        self._chunk = chunk
        with suppress(OSError):  # its death is noticed when it is asked for the answer
            self._frames.write(chunk)

    def is_late(self) -> bool:
        """Has it been at one body for too long?"""
        _, body_id, since = self._cell.read()
        return body_id != 0 and time.monotonic() - since > LIMIT_S

    def take(self, answers: Any, again: deque[Chunk]) -> list[Read[Any]]:
        """The answer; of one that is late or has died, the body that is to blame, with the others
        put back."""
        late = self.is_late()
        frame = None if late else self._frames.read()
        if frame is not None:
            read: list[Read[Any]] = answers.decode(frame)
            return read
        self.gone = True
        _, blamed, _ = self._cell.read()
        blamed = blamed or self._chunk[0].number
        others = [one for one in self._chunk if one.number != blamed]
        if others:
            again.append(others)
        return [Read(blamed, None, "timeout" if late else "lost")]

    def close(self) -> None:
        """End it, whatever it does."""
        self._frames.link.close()
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(self._pid, 0)
        self._cell.close()


def _blocking(side: socket.socket) -> socket.socket:
    """A socket that stops its process while it waits: here are no greenlets to go on."""
    plain: socket.socket = _socket(fileno=side.detach())
    plain.setblocking(True)
    return plain


def _serve(parent: int, link: int, cell: int, look: Look[Any]) -> NoReturn:
    """Be a reader, until the other side closes."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        end_with_parent(parent)
        mark = Cell(cell)  # what is mapped stays so when its descriptor is closed
        let_go(link)
        frames = Frames(_socket(fileno=link))
        while (frame := frames.read()) is not None:
            frames.write([_read(packed, mark, look) for packed in _question.decode(frame)])
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _read(packed: Packed, mark: Cell, look: Look[Any]) -> Read[Any]:
    now = time.monotonic()
    mark.write(now, packed.number, now)
    found, error = None, None
    try:
        found = look(zlib.decompress(packed.body), packed)
    except Exception as failure:  # one body's own; those beside it are read
        error = type(failure).__name__
    mark.write(now, 0, now)
    return Read(packed.number, found, error)
