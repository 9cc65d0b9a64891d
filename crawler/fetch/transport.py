"""How does a request get out, and an answer in?

A requests adapter over gevent sockets. It resolves, asks the gate about the address before any
packet leaves, connects, speaks TLS, and gives back the head of the answer with the body still to
come, undecoded. It follows nothing, retries nothing but a kept connection that had gone stale, and
has no idea of deadlines beyond connect and silence: those belong to the layer above.
"""

from __future__ import annotations

import _socket
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from io import BytesIO
from math import inf
from time import monotonic, perf_counter
from typing import Any, Final

import gevent
import msgspec
from gevent import socket, ssl
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.cookies import RequestsCookieJar
from requests.hooks import default_hooks
from requests.structures import CaseInsensitiveDict

from crawler.fetch import tls
from crawler.fetch.deadlines import Silence
from crawler.fetch.dns import Names
from crawler.fetch.failures import Doubtful, Failure, of_connecting, of_talking
from crawler.fetch.gate import Gate
from crawler.fetch.http1 import Exchange
from crawler.fetch.pool import Idle, Key
from crawler.fetch.reachability import Reachability, Witnesses
from crawler.fetch.shortage import OWN, Shortage, pauses

RECEIVE: Final = 64 * 1024
ADDRESSES_TRIED: Final = 3
BREATH: Final = 1024 * 1024
"""Bytes after which the other greenlets, and the timers of deadlines, get their turn even when the
next bytes are already here."""

_PORTS: Final = {"http": 80, "https": 443}
_URL: Final = re.compile(r"(https?)://(?:[^/?#]*@)?([^/?#@]*)([^#]*)")
"""Scheme, what Host says, and what is requested."""
_NO_HOOKS: Final = default_hooks()
_PEEK: Final = _socket.MSG_PEEK | _socket.MSG_DONTWAIT

Place = tuple[str, str, int, str, str]
"""Scheme, host, port, what Host says, and what is requested."""


class Facts(msgspec.Struct):
    """How an answer came, or how far a request did.

    ip: the address connected to, or tried last. dns_ms, connect_ms, tls_ms, ttfb_ms: of the phases
    that took place. starved: waits for a descriptor of this machine.
    """

    ip: str | None = None
    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    ttfb_ms: float | None = None
    starved: bool = False


class Request(PreparedRequest):
    """A prepared request with what requests has no word for.

    place: where the URL leads; a URL that leads nowhere raises Failure.
    private_ok: the host was named by the person as their own.
    headers: shared by requests; read, never changed.
    block: the header lines as bytes, each with its CRLF, without Host; spares formatting them.
    facts: what the transport notes on its way.
    """

    def __init__(
        self,
        method: str,
        url: str,
        headers: CaseInsensitiveDict[str | bytes],
        block: bytes,
        private_ok: bool,
    ) -> None:
        # What PreparedRequest.__init__ sets, without making for each what is the same for all.
        self.method = method
        self.url = url
        self.headers = headers
        self.hooks = _NO_HOOKS
        self.body = self._cookies = self._body_position = None
        self.place = split(url)
        self.block = block
        self.facts = Facts()
        self.private_ok = private_ok


class Connection:
    """A socket to one place, alone in use by one exchange at a time.

    silence: the limit of its waits; the socket has no time-out of its own. like: who bears witness
    with it, None before its first answer.
    """

    __slots__ = ("idle_since", "ip", "key", "like", "silence", "sock")

    def __init__(self, key: Key, ip: str, sock: socket.socket | ssl.SSLSocket) -> None:
        sock.settimeout(None)
        self.key = key
        self.ip = ip
        self.sock = sock
        self.silence = Silence(inf)
        self.like: Witnesses[tuple[str, int]] | None = None
        self.idle_since = 0.0

    def __repr__(self) -> str:
        scheme, host, port = self.key
        return f"<Connection {scheme}://{host}:{port} at {self.ip}>"

    def quiet(self) -> bool:
        """Whether nothing came since the last answer. What came unasked must never be read as an
        answer, so such a connection is not used again."""
        sock: Any = self.sock
        try:
            sock._sock.recv(1, _PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        self.sock.close()


class Incoming:
    """The body of an answer on its way; what `requests.Response.raw` is here.

    Bytes come as they were sent, without chunk framing, never decoded.
    """

    __slots__ = ("_connection", "_transport", "exchange")

    def __init__(self, transport: Transport, connection: Connection, exchange: Exchange) -> None:
        self._transport = transport
        self._connection: Connection | None = connection
        self.exchange = exchange
        if exchange.complete:
            self.close()

    @property
    def wire_bytes(self) -> int:
        """Bytes of the body received."""
        return self.exchange.wire_bytes

    def stream(self, amt: int = RECEIVE, decode_content: bool = False) -> Iterator[bytes]:
        """Pieces as they come. Raises Failure when the body ends early."""
        exchange = self.exchange
        yield from exchange.take()
        breath = BREATH
        while not exchange.complete:
            if exchange.broken is not None:
                self.close()
                raise exchange.broken
            if self._connection is None:
                return
            got = _receive(self._connection, exchange)
            breath -= got
            if breath <= 0:
                gevent.sleep(0)
                breath = BREATH
            yield from exchange.take()
        self.close()

    def read(self, amt: int | None = None, decode_content: bool = False) -> bytes:
        """All that is left; for those who take a Response for a file."""
        return b"".join(self.stream())

    def close(self) -> None:
        """Gives the connection back when the answer was read whole, else ends it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            self.exchange.abandon()
            self._transport._done(connection, self.exchange)

    release_conn = close


class Answer(Response):
    """A Response that builds its headers and cookies when somebody asks for them.

    exact_headers: names and values as bytes, in the order of arrival. facts: how it came.
    """

    def __init__(self, request: PreparedRequest, raw: Incoming, facts: Facts) -> None:
        head = raw.exchange.head
        assert head is not None
        self._content = False  # as in requests: not read yet
        self._content_consumed = False
        self._next = None
        self.status_code = head.status
        self.version = head.version
        self.exact_headers = head.headers
        self.facts = facts
        self.raw = raw
        self.url = request.url or ""
        self.request = request
        self.history = []
        self.encoding = None
        self.reason = ""

    def __getattr__(self, name: str) -> Any:
        if name == "headers":
            pairs = {n.decode("latin-1"): v.decode("latin-1") for n, v in self.exact_headers}
            self.headers = CaseInsensitiveDict(pairs)
            return self.headers
        if name == "cookies":
            self.cookies = RequestsCookieJar()
            return self.cookies
        raise AttributeError(name)

    def close(self) -> None:
        """Lets the connection go."""
        self.raw.close()


class TransportStats(msgspec.Struct, frozen=True):
    """What a transport did.

    requests: sent. opened, reused: connections. stale: reused ones that had to be replaced.
    in_use, idle: connections now. blocked: attempts that the gate refused.
    """

    requests: int
    opened: int
    reused: int
    stale: int
    in_use: int
    idle: int
    blocked: int


class Transport(BaseAdapter):
    """One policy of TLS, one pool of connections.

    gate: judges every address. names: resolves. verify: who is believed. max_header_bytes: of a
    head.
    """

    def __init__(
        self, *, gate: Gate, names: Names, verify: tls.Verify, max_header_bytes: int
    ) -> None:
        super().__init__()
        self._gate = gate
        self._names = names
        self._verify = verify
        self._max_head = max_header_bytes
        self._reachability = Reachability(names)
        self._idle: Idle[Connection] = Idle()
        self._sweeping = False
        self._closed = False
        self._requests = self._opened = self._reused = self._stale = 0
        self._in_use = self._blocked = 0

    def __repr__(self) -> str:
        return f"<Transport {self._in_use} in use, {len(self._idle)} idle>"

    def stats(self) -> TransportStats:
        """A snapshot."""
        return TransportStats(
            requests=self._requests,
            opened=self._opened,
            reused=self._reused,
            stale=self._stale,
            in_use=self._in_use,
            idle=len(self._idle),
            blocked=self._blocked,
        )

    def close(self) -> None:
        """Ends the idle connections; those in use end with their answers."""
        self._closed = True
        self._idle.clear()

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float | None, float | None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        """The answer, as soon as its head is whole. Raises Failure or Shortage.

        timeout: seconds to connect, and of silence. The policy of TLS is the transport's own:
        verify and cert change nothing, so that a careless argument cannot weaken it.
        """
        connect_s, read_s = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        place = getattr(request, "place", None) or split(request.url or "")
        scheme, host, port, authority, path = place
        message = _message(request, authority, path)
        private_ok = getattr(request, "private_ok", False)
        key = (scheme, host, port)
        method = request.method or "GET"
        self._requests += 1
        facts = getattr(request, "facts", None) or Facts()
        connection = self._kept(key, private_ok)
        if connection is not None:
            exchange = Exchange(method, self._max_head)
            facts.ip = connection.ip
            if self._exchange(connection, exchange, message, facts, read_s, may_be_stale=True):
                return self._answer(request, connection, exchange, facts)
        connection = self._open(key, private_ok, facts, connect_s or 60.0, read_s or 60.0)
        exchange = Exchange(method, self._max_head)
        self._exchange(connection, exchange, message, facts, read_s, may_be_stale=False)
        return self._answer(request, connection, exchange, facts)

    def _answer(
        self, request: PreparedRequest, connection: Connection, exchange: Exchange, facts: Facts
    ) -> Answer:
        return Answer(request, Incoming(self, connection, exchange), facts)

    def _kept(self, key: Key, private_ok: bool) -> Connection | None:
        """An idle connection. What one job was allowed says nothing about the next: asked anew."""
        connection = self._idle.take(key, monotonic())
        if connection is None:
            return None
        if self._gate.refusal(connection.ip, key[1], private_ok):
            self._blocked += 1
            self._idle.put(connection, monotonic())
            raise Failure("blocked_addr", f"{key[1]} is at {connection.ip}")
        self._reused += 1
        self._in_use += 1
        return connection

    def _exchange(
        self,
        connection: Connection,
        exchange: Exchange,
        message: bytes,
        facts: Facts,
        read_s: float | None,
        *,
        may_be_stale: bool,
    ) -> bool:
        """Sends, and reads until the head is whole; False when the connection had gone stale."""
        ip, port = connection.ip, connection.key[2]
        connection.silence.limit_s = read_s or inf
        began = monotonic()
        try:
            _send(connection, message)
            sent = perf_counter()
            while exchange.head is None:
                _receive(connection, exchange)
                if facts.ttfb_ms is None:
                    facts.ttfb_ms = (perf_counter() - sent) * 1000
        except BaseException as caught:
            self._end(connection)
            failure = of_talking(caught) if isinstance(caught, OSError) else caught
            if may_be_stale and not exchange.begun and _is_close(failure):
                self._stale += 1
                facts.ttfb_ms = None
                return False
            if isinstance(failure, Doubtful) and not exchange.begun:
                failure = self._reachability.doubt_silence(failure, ip, port, began, read_s or inf)
            if failure is caught:
                raise
            raise failure from caught
        connection.like = connection.like or self._reachability.answered(ip, port)
        connection.like.heard()
        return True

    def _open(
        self, key: Key, private_ok: bool, facts: Facts, connect_s: float, read_s: float
    ) -> Connection:
        scheme, host, port = key
        began = perf_counter()
        known = self._names.knows(host)
        found = self._resolved(host, connect_s, facts)
        if not known:
            facts.dns_ms = (perf_counter() - began) * 1000
        open_to_us = [ip for ip in found if self._gate.refusal(ip, host, private_ok) is None]
        if not open_to_us:
            self._blocked += 1
            raise Failure("blocked_addr", f"{host} is at {', '.join(found[:ADDRESSES_TRIED])}")
        began = perf_counter()
        sock = self._connected(open_to_us[:ADDRESSES_TRIED], port, connect_s, facts)
        ip = str(facts.ip)
        self._reachability.resolved(host)
        facts.connect_ms = (perf_counter() - began) * 1000
        stream: socket.socket | ssl.SSLSocket = sock
        if scheme == "https":
            began = perf_counter()
            stream = tls.wrap(sock, host, tls.context(self._verify), read_s)
            facts.tls_ms = (perf_counter() - began) * 1000
        self._opened += 1
        self._in_use += 1
        return Connection(key, ip, stream)

    def _resolved(self, host: str, timeout_s: float, facts: Facts) -> tuple[str, ...]:
        began = monotonic()
        for pause_s in pauses():
            try:
                return self._names.addresses(host, timeout_s)
            except Shortage:
                self._make_room(pause_s, facts)
            except Doubtful as failure:
                raise self._reachability.doubt_name(failure, host, began, timeout_s) from failure
        raise Shortage("no file descriptor free")

    def _make_room(self, pause_s: float, facts: Facts) -> None:
        self._idle.clear()
        facts.starved = True
        gevent.sleep(pause_s)
        facts.starved = False

    def _connected(
        self, ips: list[str], port: int, connect_s: float, facts: Facts
    ) -> socket.socket:
        """The first address that takes a connection; each gets a fair share of the time left.

        The first is tried in any case: if this process stood still since the name was resolved,
        that is nobody's fault.
        """
        last: Failure | None = None
        began = monotonic()
        until = perf_counter() + connect_s
        for number, ip in enumerate(ips):
            share = (until - perf_counter()) / (len(ips) - number)
            if share <= 0:
                break
            facts.ip = ip
            try:
                return self._connect(ip, port, share, facts)
            except Failure as failure:
                last = failure
        last = last or Failure("connect_timeout", "no time left to connect")
        if isinstance(last, Doubtful):
            last = self._reachability.doubt_address(last, str(facts.ip), port, began, connect_s)
        raise last

    def _connect(self, ip: str, port: int, timeout_s: float, facts: Facts) -> socket.socket:
        family = socket.AF_INET6 if ":" in ip else socket.AF_INET
        silence = Silence(timeout_s)
        for pause_s in pauses():
            sock = None
            try:
                sock = socket.socket(family, socket.SOCK_STREAM)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                silence.start()
                sock.connect((ip, port))
                return sock
            except BaseException as caught:
                if sock is not None:
                    sock.close()
                if not isinstance(caught, OSError):
                    raise
                if caught.errno not in OWN:
                    raise of_connecting(caught) from caught
            finally:
                silence.stop()
            self._make_room(pause_s, facts)
        raise Shortage("no file descriptor or port free")

    def _done(self, connection: Connection, exchange: Exchange) -> None:
        if exchange.complete and exchange.reusable and not self._closed:
            self._in_use -= 1
            self._idle.put(connection, monotonic())
            if not self._sweeping:
                self._sweeping = True
                gevent.spawn_later(5.0, self._sweep)
        else:
            self._end(connection)

    def _end(self, connection: Connection) -> None:
        self._in_use -= 1
        connection.close()

    def _sweep(self) -> None:
        """Runs on its own while connections are idle, so that none outlives its time."""
        self._idle.sweep(monotonic())
        self._sweeping = len(self._idle) > 0 and not self._closed
        if self._sweeping:
            gevent.spawn_later(5.0, self._sweep)


def _send(connection: Connection, message: bytes) -> None:
    silence = connection.silence
    silence.start()
    try:
        while message:
            # Not sendall: most messages go at once, and it costs twice as much.
            message = message[connection.sock.send(message) :]
    finally:
        silence.stop()


def _receive(connection: Connection, exchange: Exchange) -> int:
    """Feeds what comes next; bytes that came, 0 at the end."""
    silence = connection.silence
    silence.start()
    try:
        data: bytes = connection.sock.recv(RECEIVE)
    except OSError as failure:
        raise of_talking(failure) from failure
    finally:
        silence.stop()
    if data:
        exchange.feed(data)
        if exchange.pause_s:
            gevent.sleep(exchange.pause_s)
    else:
        exchange.eof()
    return len(data)


def _is_close(failure: BaseException) -> bool:
    return isinstance(failure, Failure) and failure.word in ("conn_closed", "conn_reset")


def split(url: str) -> Place:
    """Where an http(s) URL leads. Raises Failure for what is none."""
    found = _URL.match(url)
    if found is None:
        raise _nowhere(url)
    scheme, authority, path = found.groups()
    host, port = _endpoint(scheme, authority)
    if not host or not 0 < port < 65536:
        raise _nowhere(url)
    return scheme, host, port, authority, path if path.startswith("/") else "/" + path


@lru_cache(maxsize=4096)
def _endpoint(scheme: str, authority: str) -> tuple[str, int]:
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, ""
    return host, int(port) if port.isdecimal() else _PORTS[scheme]


def _nowhere(url: str) -> Failure:
    return Failure("proto_error", f"not an address to connect to: {url[:200]}")


def _message(request: PreparedRequest, authority: str, path: str) -> bytes:
    block = getattr(request, "block", None)
    if block is None:
        block = header_block(request.headers or {})
    line = f"{request.method} {path} HTTP/1.1\r\nHost: {authority}\r\n"
    if not line.isascii() or " " in path:
        raise Failure("proto_error", "the address is not an encoded URL")
    return line.encode("ascii") + block + b"\r\n"


def header_block(headers: Mapping[str, str | bytes]) -> bytes:
    """Header lines as bytes, each with its CRLF, without Host."""
    lines = BytesIO()
    for name, value in headers.items():
        if name.lower() == "host":
            continue
        text = value.decode("latin-1") if isinstance(value, bytes) else value
        if any(char in "\r\n\0" for char in name + text):
            raise Failure("proto_error", f"a line break in the header {name!r}")
        lines.write(f"{name}: {text}\r\n".encode("latin-1", "replace"))
    return lines.getvalue()
