"""Servers that say exactly what a test tells them to, byte for byte."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.ssl import SSLContext

from crawler.config import FetchConfig, RobotsConfig
from crawler.fetch import Fetcher
from crawler.model import Job, Reply

QUICK = FetchConfig(connect_s=1.0, read_s=0.6, total_s=3.0, max_body_bytes=100_000)
"""Limits that a test can wait for: of one in which time is up."""
PATIENT = FetchConfig(connect_s=30.0, read_s=30.0, total_s=30.0, max_body_bytes=100_000)
"""Limits that no machine is too slow for: of one in which something comes."""

Play = Callable[[socket.socket], None]


@contextmanager
def stage(
    play: Play, *, host: str = "127.0.0.1", context: SSLContext | None = None
) -> Iterator[Stage]:
    """A server that gives each connection to `play` and then closes it."""
    made = Stage(play, host, context)
    try:
        yield made
    finally:
        made.server.stop(timeout=0)


class Stage:
    """connections: accepted so far. requests: heads received, in order, as text."""

    def __init__(self, play: Play, host: str, context: SSLContext | None) -> None:
        self.connections = 0
        self.requests: list[str] = []
        self._play = play
        options = {"ssl_context": context} if context else {}
        self.server = StreamServer((host, 0), self._meet, spawn=Pool(), **options)
        self.server._log_error = lambda *_, **__: None  # broken handshakes are what tests want
        self.server.start()
        self.port = self.server.server_port
        self.scheme = "https" if context else "http"

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def _meet(self, sock: socket.socket, address: object) -> None:
        self.connections += 1
        # An answer that nobody reads to its end is no error of the server.
        try:
            self._play(Recorded(sock, self))
        except OSError:
            pass
        finally:
            sock.close()


class Recorded:
    """A server's side of a connection that notes what it was asked."""

    def __init__(self, sock: socket.socket, stage: Stage) -> None:
        self.sock = sock
        self._stage = stage

    def request(self) -> str:
        """Waits for the head of a request; empty when the client has closed."""
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.sock.recv(65536)
            if not more:
                return ""
            data += more
        self._stage.requests.append(data.decode("latin-1"))
        return data.decode("latin-1")

    def say(self, data: bytes) -> None:
        self.sock.sendall(data)

    def reset(self) -> None:
        """Ends the connection with RST instead of FIN."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def whole(data: bytes, end: str = "close") -> Play:
    """Says all at once."""

    def play(peer: Recorded) -> None:
        peer.request()
        peer.say(data)
        _end(peer, end)

    return play


def bytewise(data: bytes, end: str = "close") -> Play:
    """Says one byte at a time; of what is long, the first and the last 1,500 bytes."""

    def play(peer: Recorded) -> None:
        peer.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer.request()
        long = len(data) > 4000
        head, middle, tail = (
            (data[:1500], data[1500:-1500], data[-1500:]) if long else (data, b"", b"")
        )
        for part in (head, tail):
            for at in range(len(part)):
                peer.say(part[at : at + 1])
                gevent.sleep(0)
            if part is head and middle:
                peer.say(middle)
        _end(peer, end)

    return play


def _end(peer: Recorded, end: str) -> None:
    if end == "reset":
        gevent.sleep(0.05)  # a reset overtakes what was not read yet
        peer.reset()
    elif end == "hold":
        gevent.sleep(5)


def serving(*answers: bytes) -> Play:
    """Answers one request after another on each connection, the last answer again and again."""

    def play(peer: Recorded) -> None:
        count = 0
        while peer.request():
            peer.say(answers[min(count, len(answers) - 1)])
            count += 1

    return play


def fetcher(config: FetchConfig = PATIENT, **options: object) -> Fetcher:
    return Fetcher(config, robots=RobotsConfig(max_bytes=50_000), **options)


def job(url: str, **fields: object) -> Job:
    return Job(**{"token": 1, "url_id": 1, "url": url, "private_ok": True} | fields)


def fetch(url: str, config: FetchConfig = PATIENT, **fields: object) -> Reply:
    """One fetch by a fetcher of its own."""
    one = fetcher(config)
    try:
        return one.fetch(job(url, **fields))
    finally:
        one.close()


def ok(body: bytes, *headers: bytes) -> bytes:
    """A plain good answer."""
    lines = [b"HTTP/1.1 200 OK", *headers, b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body
