"""In which processes are bodies read?

Reading a hostile page may take minutes of C code or all memory, so it is done in processes that can
be killed. They are given packed bodies and give back what was found in them; the file is the
parent's alone. When one hangs or dies, the body that it was at is to blame, and no other; its site
is read no longer than `patience.py` says.
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
from crawler.channels.patience import SPENT, Patience, Usual
from crawler.cpu_time import worked_s
from crawler.orphans import end_with_parent, let_go
from crawler.parse.isolated import limit_memory

Found = TypeVar("Found")

LIMIT_S: Final = 60.0
"""What one body may take, of its process's own time; one of 10 MB takes 1.2 s."""
WAITS: Final = 10
"""So many times as long is waited for one, where the machine has other things to do."""
LOST_S: Final = 5.0
"""What a body counts for that its process died of."""
TELL_S: Final = 5.0
"""A reader tells what it has found when it took so much longer than is usual."""
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
    """What was found in a body, or why it could not be read: timeout, lost, site_too_slow, or the
    name of a Python error. excess_s: what that took beyond the usual."""

    number: int
    found: Found | None = None
    error: str | None = None
    excess_s: float = 0.0


Chunk = list[Packed]
Look = Callable[[bytes, Packed], Found]
"""What is done with a body, unpacked, in a process that was forked: no more than its answer comes
back."""
_question = msgspec.msgpack.Decoder(Chunk)


def read_all(
    chunks: Iterable[Chunk],
    look: Look[Found],
    kind: Any,
    *,
    processes: int,
    patience: Patience | None = None,
) -> Iterator[list[Read[Found]]]:
    """What is found in the bodies, chunk by chunk, in the order in which they are ready.

    kind: the type of what is found. patience: of the sites whose bodies they are.
    """
    answers = msgspec.msgpack.Decoder(list[Read[kind]])
    waiting = _Waiting(chunks, patience)
    usual = patience.usual if patience is not None else Usual()
    readers: dict[int, _Reader] = {}
    try:
        while True:
            while len(readers) < processes and (chunk := waiting.next()):
                reader = _Reader(chunk, look, usual)
                readers[reader.number] = reader
            yield from waiting.refused()
            if not readers:
                return
            for reader in _ready(readers):
                read = reader.take(answers, waiting.again)
                waiting.charge(read)
                yield read
                chunk = None if reader.gone else waiting.next()
                if chunk:
                    reader.give(chunk)
                else:
                    readers.pop(reader.number).close()
    finally:
        for reader in readers.values():
            reader.close()


class _Waiting:
    """What is to be read, but for what sites have that took too long. again: to be read first."""

    def __init__(self, chunks: Iterable[Chunk], patience: Patience | None) -> None:
        self.again: deque[Chunk] = deque()
        self._chunks = iter(chunks)
        self._patience = patience
        self._refused: list[Read[Any]] = []

    def next(self) -> Chunk | None:
        """The next that may be read."""
        while chunk := self.again.popleft() if self.again else next(self._chunks, None):
            spent = {one.number for one in chunk if self._is_spent(one.number)}
            self._refused += [Read(number, None, SPENT) for number in sorted(spent)]
            if len(spent) < len(chunk):
                return [one for one in chunk if one.number not in spent]
        return None

    def _is_spent(self, number: int) -> bool:
        return self._patience is not None and self._patience.is_spent(number)

    def charge(self, read: list[Read[Any]]) -> None:
        """What took longer than is usual counts for its site."""
        if self._patience is None:
            return
        for one in read:
            if one.excess_s:
                self._patience.charge(one.number, one.excess_s)

    def refused(self) -> Iterator[list[Read[Any]]]:
        """What will not be read any more, since this was asked last."""
        if self._refused:
            refused, self._refused = self._refused, []
            yield refused


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

    def __init__(self, chunk: Chunk, look: Look[Any], usual: Usual) -> None:
        self.gone = False
        self._cell = Cell.create()
        ours, theirs = (_blocking(side) for side in socket.socketpair())
        parent = os.getpid()
        self._pid = _fork()
        if self._pid == 0:
            _serve(parent, theirs.detach(), self._cell.descriptor, look, usual)
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
        begun_s, body_id, since = self._cell.read()
        waited_s = time.monotonic() - since
        if body_id == 0 or waited_s <= LIMIT_S:
            return False
        return waited_s > WAITS * LIMIT_S or worked_s(self._pid) - begun_s > LIMIT_S

    def take(self, answers: Any, again: deque[Chunk]) -> list[Read[Any]]:
        """The answer; of one that is late or has died, the body that is to blame, with the others
        put back."""
        late = self.is_late()
        frame = None if late else self._frames.read()
        if frame is not None:
            read: list[Read[Any]] = answers.decode(frame)
            if left := self._chunk[len(read) :]:
                again.append(left)
            return read
        self.gone = True
        _, blamed, _ = self._cell.read()
        blamed = blamed or self._chunk[0].number
        others = [one for one in self._chunk if one.number != blamed]
        if others:
            again.append(others)
        return [Read(blamed, None, "timeout" if late else "lost", LIMIT_S if late else LOST_S)]

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


def _serve(parent: int, link: int, cell: int, look: Look[Any], usual: Usual) -> NoReturn:
    """Be a reader, until the other side closes."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        end_with_parent(parent)
        mark = Cell(cell)  # what is mapped stays so when its descriptor is closed
        let_go(link)
        limit_memory()
        frames = Frames(_socket(fileno=link))
        while (frame := frames.read()) is not None:
            frames.write(list(_read_some(_question.decode(frame), mark, look, usual)))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _read_some(chunk: Chunk, mark: Cell, look: Look[Any], usual: Usual) -> Iterator[Read[Any]]:
    """What is in a chunk, or in the first of it where these take very long: their sites may have no
    patience left by then."""
    excess_s = 0.0
    for packed in chunk:
        read = _read(packed, mark, look, usual)
        yield read
        excess_s += read.excess_s
        if excess_s > TELL_S:
            return


def _read(packed: Packed, mark: Cell, look: Look[Any], usual: Usual) -> Read[Any]:
    begun_s = time.process_time()
    mark.write(begun_s, packed.number, time.monotonic())
    found, error, size = None, None, 0
    try:
        body = zlib.decompress(packed.body)
        size = len(body)
        found = look(body, packed)
    except Exception as failure:  # one body's own; those beside it are read
        error = type(failure).__name__
    mark.write(0.0, 0, 0.0)
    return Read(packed.number, found, error, usual.excess_s(time.process_time() - begun_s, size))
