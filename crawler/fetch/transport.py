"""How does a request get out, and an answer in?

A requests adapter over gevent sockets. It takes a connection that is kept, or has one opened,
sends, and gives back the head of the answer with the body still to come, undecoded. It follows
nothing, retries nothing but a kept connection that had gone stale, and has no idea of deadlines
beyond connect and silence: those belong to the layer above.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from math import inf
from time import monotonic
from typing import TYPE_CHECKING, Final

import gevent
import msgspec
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from crawler.fetch import proxies, tls
from crawler.fetch.connect import RECEIVE, Connector, Facts, HttpConnection
from crawler.fetch.dns import Names
from crawler.fetch.failures import Doubtful, Failure, Unprocessed, of_talking
from crawler.fetch.gate import Gate
from crawler.fetch.http1 import Exchange
from crawler.fetch.pool import Idle
from crawler.fetch.reachability import Reachability
from crawler.fetch.requests_internals import SlimRequest, SlimResponse
from crawler.fetch.route import Route

if TYPE_CHECKING:
    from crawler.fetch.http2 import Answer, Session

TRAILER_S: Final = 2.0
"""How long what belongs behind a body that is whole is waited for, so that its connection can be
kept."""
BREATH: Final = 1024 * 1024
"""Bytes after which the other greenlets, and the timers of deadlines, get their turn even when the
next bytes are already here."""
SENT_AT_ONCE: Final = 0xFFFF
"""What a server takes without a word (RFC 9113, section 6.9.2). More goes by HTTP/1.1."""
PLAIN_KEPT: Final = 20_000
"""Origins that are remembered to want HTTP/1.1."""
MISDIRECTED: Final = 421
"""RFC 9110, section 15.5.20."""


class Incoming:
    """The body of an answer on its way; what `requests.Response.raw` is here.

    Bytes come as they were sent, without chunk framing, never decoded.
    """

    __slots__ = ("_connection", "_transport", "exchange")

    def __init__(
        self, transport: Transport, connection: HttpConnection, exchange: Exchange | Answer
    ) -> None:
        self._transport = transport
        self._connection: HttpConnection | None = connection
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
            got = self._receive_more(self._connection)
            breath -= got
            if breath <= 0:
                gevent.sleep(0)
                breath = BREATH
            yield from exchange.take()
        self.close()

    def _receive_more(self, connection: HttpConnection) -> int:
        """Feeds what comes next. Raises Failure, but not where only trailers can be missing."""
        exchange = self.exchange
        if not exchange.whole:
            return _receive(connection, exchange)
        connection.silence.limit_s = min(connection.silence.limit_s, TRAILER_S)
        try:
            return _receive(connection, exchange)
        except Failure:
            self.close()
            return 0

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
        self._max_head = max_header_bytes
        self._reachability = Reachability(names)
        self._idle: Idle[HttpConnection] = Idle()
        self._connector = Connector(
            gate=gate,
            names=names,
            verify=verify,
            reachability=self._reachability,
            make_room=self._idle.clear,
        )
        self._plain: set[Route] = set()
        self._sweeping = False
        self._closed = False
        self._requests = self._reused = self._stale = self._in_use = 0

    def __repr__(self) -> str:
        return f"<Transport {self._in_use} in use, {len(self._idle)} idle>"

    def stats(self) -> TransportStats:
        """A snapshot."""
        return TransportStats(
            requests=self._requests,
            opened=self._connector.opened,
            reused=self._reused,
            stale=self._stale,
            in_use=self._in_use,
            idle=len(self._idle),
            blocked=self._connector.blocked,
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
        """The answer, as soon as its head is whole. Raises Failure, Shortage or Uncounted.

        timeout: seconds to connect, and of silence. The policy of TLS is the transport's own:
        verify and cert change nothing, so that a careless argument cannot weaken it.
        """
        connect_s, read_s = timeout if isinstance(timeout, tuple) else (timeout, timeout)
        self._requests += 1
        asked = _asked(request)
        large = len(asked.body or b"") > SENT_AT_ONCE
        if asked.route.http2 == "auto" and (large or asked.route in self._plain):
            asked.route = _without_http2(asked.route)
        message = _message(asked)
        # What is sent twice may be done twice: no connection that may have gone stale.
        found = self._ask_kept(asked, message, read_s) if asked.body is None else None
        connection, exchange = found or self._ask_anew(asked, message, connect_s, read_s)
        return self._answer(request, connection, exchange, asked.facts)

    def whereabouts(self, asked: SlimRequest, connect_s: float) -> tuple[str, ...]:
        """The addresses that a direct way may lead to. Raises Failure or Shortage."""
        return self._connector.whereabouts(asked.route, asked.private_ok, connect_s)

    def _ask_kept(
        self, asked: SlimRequest, message: bytes, read_s: float | None
    ) -> tuple[HttpConnection, Exchange | Answer] | None:
        """On a connection that is kept; None where there is none, or it would not do."""
        connection = self._kept(asked)
        if connection is None:
            return None
        facts = asked.facts
        facts.ip = connection.ip if asked.route.via is None else None
        facts.security = connection.security
        exchange = self._exchange(connection, asked, message, read_s, again=True)
        if exchange is not None:
            if not _is_misdirected(connection, exchange):
                return connection, exchange
            self._end(connection)
        facts.security = None
        return None

    def _ask_anew(
        self, asked: SlimRequest, message: bytes, connect_s: float | None, read_s: float | None
    ) -> tuple[HttpConnection, Exchange | Answer]:
        """On a new connection; on another one where the server says that it has done nothing."""
        for again in (True, False):  # the last one answers, or raises
            connection = self._connector.open(
                asked.route,
                private_ok=asked.private_ok,
                anew=asked.anew,
                among=asked.among,
                facts=asked.facts,
                connect_s=connect_s or 60.0,
                read_s=read_s or 60.0,
            )
            self._in_use += 1
            exchange = self._exchange(connection, asked, message, read_s, again=again)
            if exchange is not None:
                break
        assert exchange is not None
        return connection, exchange

    def _answer(
        self,
        request: PreparedRequest,
        connection: HttpConnection,
        exchange: Exchange | Answer,
        facts: Facts,
    ) -> SlimResponse:
        head = exchange.head
        assert head is not None
        route = connection.route
        if route.via is not None and route.is_relayed:
            failure = proxies.of_answer(route.via, head.status)
            if failure is not None:
                self._end(connection)
                raise failure
        return SlimResponse(request, head, Incoming(self, connection, exchange), facts)

    def _kept(self, asked: SlimRequest) -> HttpConnection | None:
        """An idle connection, if this job may use it; one to where its host is no more is ended."""
        connection = self._idle.take(asked.route, monotonic())
        if connection is None:
            return None
        direct = asked.route.via is None
        if direct and asked.among is not None and connection.ip not in asked.among:
            connection.close()
            return None
        try:
            self._connector.admit(connection.ip, asked.route, asked.private_ok)
        except Failure:
            self._idle.put(connection, monotonic())
            raise
        self._reused += 1
        self._in_use += 1
        return connection

    def _exchange(
        self,
        connection: HttpConnection,
        asked: SlimRequest,
        message: bytes,
        read_s: float | None,
        *,
        again: bool,
    ) -> Exchange | Answer | None:
        """Sends, and reads until the head is whole. None where `again` allows for another try: the
        connection had gone stale, or the server says that it has done nothing."""
        route, facts = connection.route, asked.facts
        ip, port = connection.ip, route.via.port if route.via else route.port
        exchange, message = self._begin(connection, asked, message)
        connection.silence.limit_s = read_s or inf
        began = monotonic()
        try:
            _send(connection, message)
            while exchange.head is None:
                _receive(connection, exchange)
                if facts.ttfb_ms is None and exchange.begun:
                    facts.ttfb_ms = (monotonic() - began) * 1000
        except BaseException as caught:
            self._end(connection)
            failure = of_talking(caught) if isinstance(caught, OSError) else caught
            if again and self._may_go_again(connection, exchange, failure, asked):
                facts.ttfb_ms = None
                return None
            if isinstance(failure, Doubtful) and not exchange.begun:
                failure = self._reachability.doubt_silence(failure, ip, port, began, read_s or inf)
            if failure is caught:
                raise
            raise failure from caught
        connection.like = connection.like or self._reachability.answered(ip, port)
        connection.like.heard()
        return exchange

    def _begin(
        self, connection: HttpConnection, asked: SlimRequest, message: bytes
    ) -> tuple[Exchange | Answer, bytes]:
        """What becomes of a request on a connection, and how it is said there."""
        method = asked.method or "GET"
        if connection.session is None:
            return Exchange(method, self._max_head), message
        return connection.session.ask(
            method, asked.authority, asked.path, asked.block, self._max_head, asked.body or b""
        )

    def _may_go_again(
        self,
        connection: HttpConnection,
        exchange: Exchange | Answer,
        failure: BaseException,
        asked: SlimRequest,
    ) -> bool:
        """Whether a failure before any answer is no reason not to ask once more, and how."""
        if isinstance(failure, Unprocessed):
            if failure.plainly and asked.route.http2 == "auto":
                self._keep_plain(asked.route)
                asked.route = _without_http2(asked.route)
                return True
            return not failure.plainly
        is_unsaid = exchange.broken is None and not exchange.begun
        is_stale = is_unsaid and connection.idle_since > 0 and _is_close(failure)
        self._stale += is_stale
        return is_stale

    def _keep_plain(self, route: Route) -> None:
        """A server on this way wants HTTP/1.1."""
        if len(self._plain) >= PLAIN_KEPT:
            self._plain.clear()
        self._plain.add(route)

    def _done(self, connection: HttpConnection, exchange: Exchange | Answer) -> None:
        if exchange.complete and exchange.reusable and not self._closed:
            self._in_use -= 1
            self._idle.put(connection, monotonic())
            if not self._sweeping:
                self._sweeping = True
                gevent.spawn_later(5.0, self._sweep)
        else:
            self._end(connection)

    def _end(self, connection: HttpConnection) -> None:
        self._in_use -= 1
        connection.close()

    def _sweep(self) -> None:
        """Runs on its own while connections are idle, so that none outlives its time."""
        self._idle.sweep(monotonic())
        self._sweeping = len(self._idle) > 0 and not self._closed
        if self._sweeping:
            gevent.spawn_later(5.0, self._sweep)


def _send(connection: HttpConnection, message: bytes) -> None:
    silence = connection.silence
    silence.start()
    try:
        while message:
            # Not sendall: most messages go at once, and it costs twice as much.
            message = message[connection.sock.send(message) :]
    finally:
        silence.stop()


def _receive(connection: HttpConnection, exchange: Exchange | Answer) -> int:
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
        if connection.session is not None:
            _pay(connection, connection.session)
        elif exchange.pause_s:
            gevent.sleep(exchange.pause_s)
    else:
        exchange.eof()
    return len(data)


def _pay(connection: HttpConnection, session: Session) -> None:
    """Sends what HTTP/2 asks for when something has come. Where that fails, what has come is good
    all the same, and reading on will tell why."""
    owed = session.owed()
    if not owed:
        return
    is_sent = False
    try:
        _send(connection, owed)
        is_sent = True
    except OSError:
        pass
    finally:  # of a frame that has gone in part the rest would be missed
        if not is_sent:
            session.alive = False
            session.mute = True


def _is_misdirected(connection: HttpConnection, exchange: Exchange | Answer) -> bool:
    """Whether an answer is that this connection is none for this request: another may be."""
    head = exchange.head
    return connection.session is not None and head is not None and head.status == MISDIRECTED


def _without_http2(route: Route) -> Route:
    return msgspec.structs.replace(route, http2="never")


def _is_close(failure: BaseException) -> bool:
    return isinstance(failure, Failure) and failure.word in ("conn_closed", "conn_reset")


def _asked(request: PreparedRequest) -> SlimRequest:
    """The request, with what a Session that is not ours did not say."""
    if isinstance(request, SlimRequest):
        return request
    headers = request.headers or CaseInsensitiveDict()
    body = request.body.encode() if isinstance(request.body, str) else request.body
    if body is not None and not isinstance(body, bytes):
        raise Failure("proto_error", "only a body that is whole can be sent")
    block = header_block(headers)
    return SlimRequest(request.method or "GET", request.url or "", headers, block, body=body)


def _message(asked: SlimRequest) -> bytes:
    route = asked.route
    site, more = "", b""
    if route.via is not None and route.is_relayed:
        site, more = f"http://{asked.authority}", proxies.authorization(route.via)
    line = f"{asked.method} {site}{asked.path} HTTP/1.1\r\nHost: {asked.authority}\r\n"
    if not line.isascii() or " " in asked.path:
        raise Failure("proto_error", "the address is not an encoded URL")
    return line.encode("ascii") + more + asked.block + b"\r\n" + (asked.body or b"")


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
