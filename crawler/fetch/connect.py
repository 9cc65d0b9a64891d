"""How does a connection come about?

Name, addresses, gate, connection, TLS: in this order, and only here. The gate is asked about every
address before any packet leaves for one.
"""

from __future__ import annotations

import _socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any, Final

import gevent
import msgspec
from gevent import socket, ssl

from crawler.config.proxy import Proxy
from crawler.fetch import proxies, tls
from crawler.fetch.deadlines import Silence
from crawler.fetch.dns import Names
from crawler.fetch.failures import Doubtful, Failure, of_talking
from crawler.fetch.gate import Gate
from crawler.fetch.race import Race
from crawler.fetch.reachability import Reachability, Witnesses
from crawler.fetch.route import Route
from crawler.fetch.shortage import Shortage, pauses
from crawler.policy import urls

if TYPE_CHECKING:
    from crawler.fetch.http2 import Session

ADDRESSES_TOLD: Final = 3
"""Of a host whose addresses are all refused by the gate."""

LOOPBACK: Final = "127.0.0.1"
"""Where localhost and the names below it are (RFC 6761, section 6.3)."""

RECEIVE: Final = 64 * 1024
"""Bytes that are read at once."""
READS_BETWEEN: Final = 4
"""Of what comes on a connection on which nothing was asked."""

_PEEK: Final = _socket.MSG_PEEK | _socket.MSG_DONTWAIT


class Uncounted(Exception):
    """The host is at addresses that its job does not name: nothing was sent.

    addresses: all at which it is, as far as the gate admits them.
    """

    def __init__(self, addresses: list[str]) -> None:
        super().__init__(", ".join(addresses[:ADDRESSES_TOLD]))
        self.addresses = tuple(addresses)


class Facts(msgspec.Struct):
    """How an answer came, or how far a request did.

    ip: the address connected to, or tried last. dns_ms, connect_ms, tls_ms, ttfb_ms: of the phases
    that took place. security: what TLS came to, None without it. starved: waits for a descriptor
    of this machine.
    """

    ip: str | None = None
    dns_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    ttfb_ms: float | None = None
    security: tls.Security | None = None
    starved: bool = False


class HttpConnection:
    """A socket to the end of one route, alone in use by one exchange at a time.

    ip: the address at its other end. security: what TLS came to, None without it. silence: the
    limit of its waits; the socket has no time-out of its own. like: who bears witness with it, None
    before its first answer. session: what is spoken, where it is HTTP/2.
    """

    __slots__ = ("idle_since", "ip", "like", "route", "security", "session", "silence", "sock")

    def __init__(self, route: Route, ip: str, sock: socket.socket | ssl.SSLSocket) -> None:
        sock.settimeout(None)
        self.route = route
        self.ip = ip
        self.sock = sock
        self.security = tls.security(sock) if isinstance(sock, ssl.SSLSocket) else None
        self.session = _session(sock) if route.http2 != "never" else None
        self.silence = Silence(inf)
        self.like: Witnesses[tuple[str, int]] | None = None
        self.idle_since = 0.0

    def __repr__(self) -> str:
        return f"<HttpConnection {self.route} at {self.ip}>"

    def quiet(self) -> bool:
        """Whether nothing came since the last answer. What came unasked must never be read as an
        answer, so such a connection is not used again; one of HTTP/2 may have been told something
        that is no part of any."""
        sock: Any = self.sock
        try:
            sock._sock.recv(1, _PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return self.session is not None and self._hear_out(self.session)

    def _hear_out(self, session: Session) -> bool:
        """Reads what has come between two answers; whether another may follow."""
        self.sock.settimeout(0.0)
        try:
            for _ in range(READS_BETWEEN):
                data = self.sock.recv(RECEIVE)
                if not data:
                    return False
                session.receive(data)
        except BlockingIOError:
            return session.alive
        except OSError as caught:
            return isinstance(caught, ssl.SSLWantReadError) and session.alive
        finally:
            self.sock.settimeout(None)
        return False

    def close(self) -> None:
        self.sock.close()


def _session(sock: socket.socket | ssl.SSLSocket) -> Session | None:
    """Our end of HTTP/2, where this is what both sides agreed upon."""
    if not isinstance(sock, ssl.SSLSocket) or sock.selected_alpn_protocol() != tls.H2:
        return None
    from crawler.fetch.http2 import Session  # for those who speak it

    return Session()


class Connector:
    """Opens connections for one policy of TLS.

    gate: judges every address. names: resolves. verify: who is believed. reachability: says whether
    a failure may be our own network's. make_room: gives descriptors of this process free.
    opened: connections so far. blocked: attempts that the gate refused.
    """

    def __init__(
        self,
        *,
        gate: Gate,
        names: Names,
        verify: tls.Verify,
        reachability: Reachability,
        make_room: Callable[[], None],
    ) -> None:
        self._gate = gate
        self._names = names
        self._verify = verify
        self._reachability = reachability
        self._make_room = make_room
        self.opened = 0
        self.blocked = 0

    def __repr__(self) -> str:
        return f"<Connector {self.opened:,} opened, {self.blocked:,} blocked>"

    def open(
        self,
        route: Route,
        *,
        private_ok: bool,
        anew: bool,
        among: tuple[str, ...] | None,
        facts: Facts,
        connect_s: float,
        read_s: float,
    ) -> HttpConnection:
        """A new connection. Raises Failure, Shortage or Uncounted.

        private_ok: the host was named by the person as their own. anew: what is known of its name
        has led to nothing; a job that names addresses has just found them out. among: those that
        may be connected to, None for any. connect_s: seconds to resolve, and then to connect to any
        address. read_s: of silence during a handshake.
        """
        if route.via is not None:
            return self._through(route.via, route, private_ok, facts, connect_s, read_s)
        if anew and not among:
            self._names.forget(route.host)
        addresses = self.admitted(self._resolved(route.host, connect_s, facts), route, private_ok)
        if among is not None and not set(addresses) <= set(among):
            raise Uncounted(addresses)
        with self._distrusting(route.host):
            sock = self._connected(addresses, route.port, connect_s, facts)
            ip = str(facts.ip)
            self._names.prefer(route.host, ip)
            self._reachability.resolved(route.host)
            stream = self._secured(sock, route, read_s, facts)
        connection = HttpConnection(route, ip, stream)
        facts.security = connection.security
        self.opened += 1
        return connection

    def whereabouts(self, route: Route, private_ok: bool, connect_s: float) -> tuple[str, ...]:
        """The addresses of a host that may be connected to. Raises Failure or Shortage."""
        found = self._resolved(route.host, connect_s, Facts())
        return tuple(self.admitted(found, route, private_ok))

    def _through(
        self, proxy: Proxy, route: Route, private_ok: bool, facts: Facts, connect_s: float,
        read_s: float,
    ) -> HttpConnection:  # fmt: skip
        """A connection by way of a proxy. What is noted of addresses is the proxy's, and so is not
        told as the site's."""
        self.admit_name(route, private_ok)
        aside = Facts()
        try:
            found = list(self._resolved(proxy.host.strip("[]"), connect_s, aside))
            sock = self._connected(found, proxy.port, connect_s, aside)
        except Failure as failure:
            raise proxies.refused(proxy, failure.detail) from failure
        facts.connect_ms = aside.connect_ms
        try:
            if not route.is_relayed:
                sock.settimeout(read_s)
                proxies.open_way(proxy, route, sock.sendall, sock.recv)
            stream = self._secured(sock, route, read_s, facts)
        except OSError as caught:
            sock.close()
            if isinstance(caught, Failure):
                raise
            raise proxies.refused(proxy, of_talking(caught).detail) from caught
        except BaseException:
            sock.close()
            raise
        connection = HttpConnection(route, str(aside.ip), stream)
        facts.security = connection.security
        self.opened += 1
        return connection

    def admit_name(self, route: Route, private_ok: bool) -> None:
        """May a proxy be asked for this host? Of names nobody here knows where they lead; what says
        by itself that it is private is refused as it is without a proxy. Raises Failure."""
        host = route.host.removeprefix("[").removesuffix("]")
        address = host if urls.is_ip(host) else LOOPBACK
        if not (urls.is_ip(host) or urls.is_private_literal(host)):
            return
        if self._gate.refusal(address, route.host, private_ok) is not None:
            self.blocked += 1
            raise Failure("blocked_addr", f"{route.host} is private")

    def admitted(self, addresses: tuple[str, ...], route: Route, private_ok: bool) -> list[str]:
        """Those of a host's addresses to which packets may go, at least one. Raises Failure
        (``blocked_addr``) where there is none."""
        host = route.host
        found = [ip for ip in addresses if self._gate.refusal(ip, host, private_ok) is None]
        if not found:
            self.blocked += 1
            shown = ", ".join(addresses[:ADDRESSES_TOLD])
            raise Failure("blocked_addr", f"{host} is at {shown}")
        return found

    def admit(self, ip: str, route: Route, private_ok: bool) -> None:
        """The same of the address of a kept connection: what one job was allowed says nothing about
        the next."""
        if route.via is not None:
            self.admit_name(route, private_ok)
            return
        if self._gate.refusal(ip, route.host, private_ok) is not None:
            self.admitted((ip,), route, private_ok)

    @contextmanager
    def _distrusting(self, host: str) -> Iterator[None]:
        """Where connecting fails, the host may have moved: its name is asked for anew."""
        try:
            yield
        except Failure:
            self._names.forget(host)
            raise

    def _resolved(self, host: str, timeout_s: float, facts: Facts) -> tuple[str, ...]:
        known = self._names.knows(host)
        started, began = perf_counter(), monotonic()
        for pause_s in pauses():
            try:
                found = self._names.addresses(host, timeout_s)
                break
            except Shortage:
                self._wait_for_room(pause_s, facts)
            except Doubtful as failure:
                raise self._reachability.doubt_name(failure, host, began, timeout_s) from failure
        else:
            raise Shortage("no file descriptor free")
        if not known:
            facts.dns_ms = (perf_counter() - started) * 1000
        return found

    def _connected(
        self, addresses: list[str], port: int, limit_s: float, facts: Facts
    ) -> socket.socket:
        started, began = perf_counter(), monotonic()
        for pause_s in pauses():
            race = Race(addresses, port)
            try:
                sock = race.run(limit_s)
                break
            except Shortage:
                self._wait_for_room(pause_s, facts)
            except Doubtful as failure:
                raise self._reachability.doubt_address(
                    failure, race.ip, port, began, limit_s
                ) from failure
            finally:
                facts.ip = race.ip
        else:
            raise Shortage("no file descriptor or port free")
        facts.connect_ms = (perf_counter() - started) * 1000
        return sock

    def _secured(
        self, sock: socket.socket, route: Route, read_s: float, facts: Facts
    ) -> socket.socket | ssl.SSLSocket:
        if route.scheme != "https":
            return sock
        began = perf_counter()
        trust = route.trust or tls.Trust(self._verify)
        policy = tls.context(trust.verify, trust.cert, trust.key, route.http2)
        stream = tls.wrap(sock, route.host, policy, read_s)
        if route.http2 == "always" and stream.selected_alpn_protocol() != tls.H2:
            stream.close()
            raise Failure("tls_proto", "it speaks no HTTP/2, and fetch.http2 is always")
        facts.tls_ms = (perf_counter() - began) * 1000
        return stream

    def _wait_for_room(self, pause_s: float, facts: Facts) -> None:
        self._make_room()
        facts.starved = True
        gevent.sleep(pause_s)
        facts.starved = False
