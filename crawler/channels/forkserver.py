"""What does a fork server do?

It imports what workers need, and then forks whoever is asked for: a worker is there in a few
milliseconds, where an interpreter of its own needed 200. It never runs gevent's loop.

A request comes with two descriptors, the worker's socket and its cell, and is answered by the
worker's pid with a descriptor of that process; or it is the pid of a worker that has ended, and is
answered by its exit status. Nobody here outlives a parent: the kernel kills the server with the
conductor, and workers with the server.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import gc
import os
import signal
import socket
import traceback
from collections.abc import Sequence
from typing import Final, NoReturn

import gevent
from gevent import monkey
from gevent.os import fork_gevent

from crawler.orphans import end_with_parent

SERVER_NAME: Final = "crawler-forks"
WORKER_NAME: Final = "crawler-worker"
"""What ps and top show of processes whose command line is the conductor's."""
FORK: Final = b"fork"
REFUSED: Final = b"refused"
WORD_BYTES: Final = 32
PR_SET_NAME: Final = 15
LESS_URGENT: Final = 5
"""How nice workers are: what they have fetched is worth something when it is stored. On equal terms
they run ahead of the writer, and at the end of a crawl it is left alone with a core of many."""


def serve(control: int, parent: int) -> NoReturn:
    """Fork whoever is asked for, until the conductor closes its end of the socket, or dies.

    control: the number of the socket; parent: the conductor's pid.
    """
    end_with_parent(parent)
    _be_called(SERVER_NAME)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the terminal's Ctrl-C is the conductor's business
    _read_nothing()
    import crawler.channels.child  # noqa: F401  # once for all workers

    # urllib3 looks for IPv6 when it is imported, which brings a loop up; a worker makes its own.
    gevent.get_hub().destroy(destroy_loop=True)
    gc.freeze()
    gc.enable()
    # gevent's own socket would run the loop as soon as it waits.
    link = monkey.get_original("socket", "socket")(fileno=control)
    while True:
        words, descriptors = receive(link, 2)
        if words == FORK:
            _fork(link, descriptors)
        elif words:
            link.send(b"%d" % status_of(int(words)))
        else:
            break
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitid(os.P_ALL, 0, os.WEXITED)
    os._exit(0)


def _read_nothing() -> None:
    """The standard input is the conductor's: seeds may come from it."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)


def _fork(link: socket.socket, descriptors: Sequence[int]) -> None:
    parent = os.getpid()
    pid = 0
    try:
        if len(descriptors) < 2:
            raise OSError(errno.EMFILE, "descriptors were lost on the way")
        pid = fork_gevent()
        if pid == 0:
            link.close()
            _work(parent, descriptors)
        handle = os.pidfd_open(pid)
    except OSError:
        if pid:
            os.kill(pid, signal.SIGKILL)
            status_of(pid)
        link.send(REFUSED)
    else:
        socket.send_fds(link, [b"%d" % pid], [handle])
        os.close(handle)
    for number in descriptors:
        os.close(number)


def _work(parent: int, descriptors: Sequence[int]) -> NoReturn:
    """Be a worker; whatever goes wrong, do not go on as a second server."""
    from crawler.channels import child

    try:
        end_with_parent(parent)
        _be_called(WORKER_NAME)
        os.nice(LESS_URGENT)
        child.serve(*descriptors)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _be_called(name: str) -> None:
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode())


# Both sides


def receive(link: socket.socket, most: int) -> tuple[bytes, list[int]]:
    """The next words and up to so many descriptors; nothing of either when the other side is gone.

    The descriptors are not inherited by what this process executes.
    """
    words, descriptors, _, _ = socket.recv_fds(link, WORD_BYTES, most)
    for number in descriptors:
        os.set_inheritable(number, False)
    return words, descriptors


def status_of(pid: int) -> int:
    """Wait for a child; its exit status, negative for the signal that killed it.

    One that somebody else has waited for counts as killed: libev's watchers wait for all there are.
    """
    try:
        end = os.waitid(os.P_PID, pid, os.WEXITED)
    except ChildProcessError:
        return -signal.SIGKILL
    assert end is not None
    return end.si_status if end.si_code == os.CLD_EXITED else -end.si_status
