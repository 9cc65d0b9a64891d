"""How does a test answer HTTP on loopback?

A small HTTP/1.1 server over gevent: keep-alive, HEAD, many addresses on one port, and a record of
every request with its start and end on the machine's monotonic clock.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import BinaryIO

import gevent
from gevent.pool import Pool
from gevent.server import StreamServer
from gevent.ssl import SSLContext

PHRASES: Mapping[int, str] = {status.value: status.phrase for status in HTTPStatus}
MAX_HEAD_LINES = 1000
MAX_LINE = 65_536
MAX_CONVERSATIONS = 10_000
READ_TIMEOUT_S = 60
ONE_PIECE = 65_536


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asked.

    address: the loopback address that it connected to. host: its Host header.
    target: path and query as sent. headers: names in lower case. body: what stands behind them.
    """

    method: str
    target: str
    host: str
    address: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer:
    """What it gets.

    headers: sent besides Content-Length and, where none is given, a Content-Type of HTML.
    wait_s: silence before the first byte.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Hit:
    """One request that was answered: started and ended are seconds of `time.monotonic`."""

    started: float
    ended: float
    method: str
    address: str
    host: str
    path: str
    status: int
    headers: Mapping[str, str]


class Server:
    """Answers every request on its addresses with ``answer(request)``."""

    def __init__(
        self, answer: Callable[[Request], Answer], *, record: Callable[[Hit], object],
        context: SSLContext | None = None,
    ) -> None:  # fmt: skip
        self.port = 0
        self._tls = {} if context is None else {"ssl_context": context}
        self._answer = answer
        self._record = record
        self._listeners: dict[str, StreamServer] = {}

    def listen(self, address: str, port: int = 0) -> int:
        """Start on an address; all addresses share the port of the first."""
        if address in self._listeners:
            return self.port
        place = (address, self.port or port)
        pool = Pool(MAX_CONVERSATIONS)
        listener = StreamServer(place, self._converse, backlog=4096, spawn=pool, **self._tls)
        listener.start()
        self.port = listener.server_port
        self._listeners[address] = listener
        return self.port

    def leave(self, address: str) -> None:
        """Refuse connections to an address until it is listened on again."""
        self._listeners.pop(address).stop(timeout=0)

    @property
    def conversations(self) -> int:
        """Connections that are open; one whose client has died closes when it is answered."""
        return sum(len(listener.pool) for listener in self._listeners.values())

    def stop(self) -> None:
        """Close all listeners and every conversation still open."""
        for listener in self._listeners.values():
            listener.stop(timeout=0)
        self._listeners.clear()

    def _converse(self, connection: socket.socket, peer: object) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(READ_TIMEOUT_S)
        address = connection.getsockname()[0]
        try:
            with connection, connection.makefile("rb", 16_384) as lines:
                while (request := _read(lines, address)) is not None:
                    if not self._reply(connection, request):
                        return
        except OSError:
            return  # the client went away, which is its good right

    def _reply(self, connection: socket.socket, request: Request) -> bool:
        """Answer one request; whether the connection stays open."""
        started = time.monotonic()
        answer = self._answer(request)
        if answer.wait_s:
            gevent.sleep(answer.wait_s)
        stays = request.headers.get("connection", "").lower() != "close"
        wire = _wire(answer, request, stays=stays)
        handed = time.monotonic()
        try:
            connection.sendall(wire)
        finally:
            # What is sent in one piece may be at its client's, who has its next turn to think of,
            # before this server is awake again.
            ended = handed if len(wire) <= ONE_PIECE else time.monotonic()
            self._record(_hit(request, answer.status, started, ended))
        return stays

    def __repr__(self) -> str:
        return f"<Server port {self.port}, {len(self._listeners)} addresses>"


def html(title: str, body: str) -> bytes:
    """A whole document."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{title}</title></head>\n<body>\n{body}\n</body></html>\n"
    ).encode()


NOT_FOUND = Answer(status=404, body=html("Not found", "<h1>There is no such page</h1>"))


def _read(lines: BinaryIO, address: str) -> Request | None:
    """The next request of a connection; None at the end."""
    words = lines.readline(MAX_LINE).split()
    if len(words) != 3:
        return None
    headers: dict[str, str] = {}
    for _ in range(MAX_HEAD_LINES):
        name, _colon, value = lines.readline(MAX_LINE).decode("latin-1").partition(":")
        if not name.strip():
            break
        headers[name.strip().lower()] = value.strip()
    body = lines.read(int(headers.get("content-length", 0)))
    method, target = words[0].decode("latin-1"), words[1].decode("latin-1")
    return Request(method, target, headers.get("host", ""), address, headers, body)


def _wire(answer: Answer, request: Request, *, stays: bool) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {PHRASES.get(answer.status, 'Unknown')}"]
    given = {name.lower() for name in answer.headers}
    if "content-type" not in given and answer.body:
        lines.append("Content-Type: text/html; charset=utf-8")
    if "content-length" not in given and answer.status != 304:
        lines.append(f"Content-Length: {len(answer.body)}")
    if not stays:
        lines.append("Connection: close")
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
    return head if request.method == "HEAD" or answer.status == 304 else head + answer.body


def _hit(request: Request, status: int, started: float, ended: float) -> Hit:
    return Hit(
        started,
        ended,
        request.method,
        request.address,
        request.host,
        request.target,
        status,
        request.headers,
    )
