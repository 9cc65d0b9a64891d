"""How does a worker start without importing everything anew?

It is forked by a server (`forkserver.py`) that has imported it all. The server comes from this
process, before that has a loop, a thread or a database (`prepare`); where it is too late for that,
or when the server was killed, it is an interpreter of its own.
"""

from __future__ import annotations

import _socket
import atexit
import contextlib
import os
import signal
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import gevent
from gevent import subprocess
from gevent.event import AsyncResult
from gevent.lock import BoundedSemaphore
from gevent.os import fork_gevent
from gevent.socket import wait_read

from crawler.channels.forkserver import FORK, receive, serve, status_of
from crawler.children import command_of

CLOSE_S: Final = 2.0

Answered = tuple[bytes, list[int]]
NONE: Final[Answered] = (b"", [])
"""What a server answers that is gone."""


class Process:
    """A process that was forked for us; only itself is ever signalled, whatever its pid means now.

    returncode: as of `subprocess.Popen`; None until somebody has waited for its end.
    """

    def __init__(self, pid: int, handle: int, reap: Callable[[int], int]) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._handle = handle
        self._reap = reap

    def __repr__(self) -> str:
        return f"<Process {self.pid} {self.returncode}>"

    @classmethod
    def stillborn(cls, returncode: int) -> Process:
        """One that could not be forked: it has ended already."""
        process = cls(0, -1, lambda _: returncode)
        process.returncode = returncode
        return process

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        """The exit status, when the process has ended. Raises TimeoutError."""
        if self.returncode is None:
            wait_read(self._handle, timeout, TimeoutError(f"{self} goes on"))
            status = self._reap(self.pid)
            if self.returncode is None:  # two may have waited
                self.returncode = status
                os.close(self._handle)
        return self.returncode


class _Server:
    """One server's process, and the conversation with it: requests and answers in turn."""

    def __init__(self, control: int, process: Process | subprocess.Popen[bytes]) -> None:
        self.process = process
        self.gone = False
        self._control = socket.socket(fileno=control)
        self._asked: deque[AsyncResult[Answered]] = deque()
        self._listening = gevent.spawn(self._listen)

    def ask(self, request: bytes, descriptors: Sequence[int] = ()) -> Answered:
        """Its answer, `NONE` when it is gone.

        Who asks may be killed meanwhile; the answer then still finds its own place.
        """
        answer: AsyncResult[Answered] = AsyncResult()
        self._asked.append(answer)
        try:
            socket.send_fds(self._control, [request], descriptors)
        except OSError:
            self._lose()
        try:
            return answer.get() or NONE
        except BaseException:
            answer.rawlink(_decline)
            raise

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while (answer := receive(self._control, 1)) != NONE:
                self._asked.popleft().set(answer)
        self._lose()

    def _lose(self) -> None:
        self.gone = True
        while self._asked:
            self._asked.popleft().set(NONE)

    def end(self) -> None:
        """Close the conversation, at which it ends, and make sure that it is gone."""
        self._listening.kill()
        self._lose()
        self._control.close()
        try:
            self.process.wait(CLOSE_S)
        except (TimeoutError, subprocess.TimeoutExpired):
            self.process.kill()
            self.process.wait()


def _decline(answer: AsyncResult[Answered]) -> None:
    """Nobody waits for it any more: the process it speaks of ends when its socket closes."""
    _, descriptors = answer.get() or NONE
    for number in descriptors:
        os.close(number)


class ForkServer:
    """Forks workers. When its process is killed, all of them are, and the next has a new one."""

    def __init__(self) -> None:
        self._server: _Server | None = None
        self._starting = BoundedSemaphore()

    def __repr__(self) -> str:
        return f"<ForkServer {self._server and self._server.process!r}>"

    def fork(self, link: int, cell: int) -> Process:
        """A worker with this socket and this cell; where none can be had, one that died at once."""
        server = self._living()
        pid, handles = server.ask(FORK, (link, cell))
        if not pid:  # it was killed, and nobody had noticed
            server = self._living()
            pid, handles = server.ask(FORK, (link, cell))
        if not handles:
            return Process.stillborn(server.process.wait() if server.gone else 1)
        return Process(int(pid), handles[0], lambda pid: _status(server, pid))

    def _living(self) -> _Server:
        with self._starting:
            if self._server is not None and self._server.gone:
                self._server.end()
                self._server = None
            if self._server is None:
                self._server = _take_prepared() or _spawn()
            return self._server

    def end(self) -> None:
        """End the server; the kernel kills the workers that are left."""
        if self._server is not None:
            self._server.end()


def _status(server: _Server, pid: int) -> int:
    status, _ = server.ask(b"%d" % pid)
    return int(status) if status else -signal.SIGKILL  # it died with its server


_prepared: list[tuple[int, Process]] = []
"""The socket and the process of a server that waits for its first channel."""


def prepare() -> None:
    """Fork a server from this process, which must not have a loop, a thread or a database yet.

    It imports what workers need while this process imports what the conductor needs, and what both
    need is there already.
    """
    import crawler.policy.robots
    import crawler.policy.scope  # noqa: F401  # 10 ms that are spent once

    ours, theirs = _pair()
    parent = os.getpid()
    pid = fork_gevent()
    if pid == 0:
        ours.close()
        serve(theirs.detach(), parent)
    theirs.close()
    _prepared.append((ours.detach(), Process(pid, os.pidfd_open(pid), status_of)))
    atexit.register(_drop_prepared)


def _pair() -> tuple[_socket.socket, _socket.socket]:
    """Two ends of a conversation; made below gevent, whose sockets bring the loop up."""
    return _socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def _take_prepared() -> _Server | None:
    return _Server(*_prepared.pop()) if _prepared else None


def _drop_prepared() -> None:
    """No channel came for it."""
    for _, process in _prepared:
        process.kill()
        status_of(process.pid)


def _spawn() -> _Server:
    ours, theirs = _pair()
    number = theirs.fileno()
    process = subprocess.Popen(
        command_of("crawler", "_forks", str(number), str(os.getpid())),
        pass_fds=[number],
        stdin=subprocess.DEVNULL,
    )
    theirs.close()
    return _Server(ours.detach(), process)
