"""Which of a host's addresses takes a connection first?

Happy Eyeballs (RFC 8305): the families take turns, each address has a head start on the next, and
the first connection that stands is taken. So an address that answers nothing costs a quarter of a
second, however many there are, and not the time of all.
"""

from __future__ import annotations

import errno
import os
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import chain, zip_longest
from select import POLLOUT
from typing import Final

from gevent import select, socket

from crawler.fetch.deadlines import Silence
from crawler.fetch.failures import Doubtful, Failure, of_connecting
from crawler.fetch.shortage import OWN, Shortage

HEAD_START_S: Final = 0.25
"""What an address may take before the next is tried beside it (RFC 8305, section 5)."""
HEAD_START_MIN_S: Final = 0.01
AT_ONCE: Final = 8
"""Attempts of one race that run side by side; the longest running gives way to the next."""

_ON_ITS_WAY: Final = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EINTR})


def interleaved(addresses: Iterable[str]) -> list[str]:
    """Addresses with the families taking turns (RFC 8305, section 4), each in the order given; the
    family of the first begins."""
    found = list(addresses)
    is_six = ":" in found[0] if found else False
    begin = [ip for ip in found if (":" in ip) is is_six]
    other = [ip for ip in found if (":" in ip) is not is_six]
    pairs = zip_longest(begin, other)
    return [ip for ip in chain.from_iterable(pairs) if ip is not None]


def head_start_s(count: int, limit_s: float) -> float:
    """The head start of each of so many addresses, so that the last has half of the time left."""
    return min(HEAD_START_S, max(HEAD_START_MIN_S, limit_s / (2 * count)))


class Race:
    """Attempts to connect to one port of a host's addresses, in this order.

    ip: the address that took a connection; before that the one tried last, and in the end the one
    whose failure is told.
    """

    def __init__(self, addresses: Sequence[str], port: int) -> None:
        self._waiting = deque(addresses)
        self._port = port
        self._running: dict[int, tuple[str, socket.socket]] = {}
        self._failures: list[tuple[str, Failure]] = []
        self._shortage: Shortage | None = None
        self.ip = addresses[0]

    def __repr__(self) -> str:
        return f"<Race {len(self._running)} running, {len(self._waiting)} wait>"

    def run(self, limit_s: float) -> socket.socket:
        """The first connection that stands, without a time-out of its own. Raises the Failure that
        says most, or Shortage when not all could be tried."""
        limit = Silence(limit_s)
        head_start = head_start_s(len(self._waiting), limit_s)
        limit.start()
        try:
            won = self._start_next()
            while won is None and self._running:
                won = self._wait(head_start) or self._start_next()
        except TimeoutError:
            self._give_up()
            won = None
        finally:
            limit.stop()
            self._close()
        if won is None:
            raise self._verdict()
        return won

    def _start_next(self) -> socket.socket | None:
        """Begins the next attempt, and those behind it while they fail at once; a socket where one
        stands at once."""
        while self._waiting:
            if len(self._running) >= AT_ONCE:
                self._abandon(next(iter(self._running)))
            self.ip = self._waiting.popleft()
            sock = self._begin(self.ip)
            if sock is None:
                continue
            code = self._knock(sock)
            if code == 0:
                return sock
            if code in _ON_ITS_WAY:
                self._running[sock.fileno()] = (self.ip, sock)
                return None
            sock.close()
            self._failed(self.ip, code)
        return None

    def _knock(self, sock: socket.socket) -> int:
        """What the attempt came to, as an errno. Text that names no address of this machine's
        networks (``fe80::1%eth9``) leads nowhere."""
        try:
            return sock.connect_ex((self.ip, self._port))
        except OSError:
            return errno.EHOSTUNREACH

    def _begin(self, ip: str) -> socket.socket | None:
        try:
            sock = socket.socket(_family(ip), socket.SOCK_STREAM)
        except OSError as failure:
            self._failed(ip, failure.errno or 0)
            return None
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setblocking(False)
        return sock

    def _wait(self, head_start: float) -> socket.socket | None:
        """A socket that stands; None when an attempt has failed, or had its head start."""
        poll = select.poll()
        for descriptor in self._running:
            poll.register(descriptor, POLLOUT)
        for descriptor, _ in poll.poll(head_start * 1000 if self._waiting else None):
            ip, sock = self._running.pop(descriptor)
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if code == 0:
                self.ip = ip
                return sock
            sock.close()
            self._failed(ip, code)
        return None

    def _failed(self, ip: str, code: int) -> None:
        if code in OWN and not (code == errno.EADDRNOTAVAIL and _leads_nowhere(ip, self._port)):
            self._shortage = Shortage("no file descriptor or port free")
        else:
            self._failures.append((ip, of_connecting(OSError(code, os.strerror(code)))))

    def _abandon(self, descriptor: int) -> None:
        ip, sock = self._running.pop(descriptor)
        sock.close()
        self._failures.append((ip, of_connecting(TimeoutError())))

    def _give_up(self) -> None:
        for descriptor in list(self._running):
            self._abandon(descriptor)

    def _close(self) -> None:
        for _, sock in self._running.values():
            sock.close()
        self._running.clear()

    def _verdict(self) -> Failure | Shortage:
        if self._shortage is not None:
            return self._shortage
        self.ip, told = min(self._failures, key=lambda failed: _says_little(failed[1]))
        return told


def _says_little(failure: Failure) -> int:
    """A refusal is the host's own word; silence may have many reasons; a way that is not there says
    nothing of the host."""
    if not isinstance(failure, Doubtful):
        return 0
    return 1 if failure.word == "connect_timeout" else 2


def _leads_nowhere(ip: str, port: int) -> bool:
    """Whether this machine has no address from which to reach that one. A connect() says the same
    where no port is left; a datagram socket, which sends nothing here, needs none of those."""
    try:
        with socket.socket(_family(ip), socket.SOCK_DGRAM) as probe:
            probe.connect((ip, port))
    except OSError as failure:
        return failure.errno == errno.EADDRNOTAVAIL
    return False


def _family(ip: str) -> int:
    return socket.AF_INET6 if ":" in ip else socket.AF_INET
