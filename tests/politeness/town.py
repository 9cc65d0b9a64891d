"""What does a town of 200 hosts look like, most of them well and some of them not?

Every host has an address of its own in 127.0.0.0/8 and says what manners it expects, which of its
pages a crawl must find, and what becomes of the rest.
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any

import trustme
from gevent.pool import Pool
from gevent.server import StreamServer

from tests.politeness.checker import UNANSWERED, Manners
from tests.sites.server import Answer, Hit, Request, Server
from tests.sites.web import Host, Web

GAP_S = 0.5
PAGES = 12
REST_S = 2


@dataclass
class House:
    """A host of the town, and what is expected of a crawl of it.

    healthy: nothing of it is unusual. pages: paths that are to be fetched with status 200.
    fates: state and reason of other paths.
    """

    host: Host
    manners: Manners = field(default_factory=lambda: Manners(GAP_S))
    healthy: bool = False
    pages: set[str] = field(default_factory=set)
    fates: dict[str, tuple[str, str]] = field(default_factory=dict)


class Town:
    """Its houses by their addresses."""

    def __init__(self) -> None:
        self.web = Web()
        self.houses: dict[str, House] = {}
        self._secure = Secure(self._reply_securely, record=self.web.whole_log.append)
        self._others: list[StreamServer] = []

    def close(self) -> None:
        """Stop answering."""
        self.web.close()
        self._secure.stop()
        for server in self._others:
            server.stop(timeout=0)

    @property
    def log(self) -> list[Hit]:
        """Every request to the town."""
        return self.web.whole_log

    @property
    def manners(self) -> dict[str, Manners]:
        """What each house expects."""
        return {address: house.manners for address, house in self.houses.items()}

    def seeds(self) -> list[str]:
        """The home page of every house."""
        return [house.host.url() for house in self.houses.values()]

    def build(self, kind: str, number: int) -> House:
        """A house whose address tells its kind and number."""
        address = f"127.1.{KINDS.index(kind)}.{number + 1}"
        house = House(Host(address, self.web.port, self.log), healthy=kind == "healthy")
        self.houses[address] = house
        if kind not in ("dead", "hanging"):
            house.host = self.web.host(address)
            _furnish(house)
        BUILDERS[kind](self, house)
        return house

    def hang(self, house: House) -> None:
        """Accept and never answer; the log tells how long a client waited."""
        address = house.host.address

        def wait(connection: Any, _peer: object) -> None:
            started = time.monotonic()
            connection.settimeout(60)
            try:
                while connection.recv(4096):
                    pass
            except OSError:
                pass
            finally:
                ended = time.monotonic() - _heard_ago_s(connection)
                connection.close()
            self.log.append(Hit(started, ended, "GET", address, address, "/", UNANSWERED, {}))

        server = StreamServer((address, self.web.port), wait)
        server.start()
        self._others.append(server)

    def listen_securely(self, house: House) -> int:
        """Answer over TLS too; the port."""
        return self._secure.listen(house.host.address)

    def _reply_securely(self, request: Request) -> Answer:
        return self.houses[request.address].host.reply(
            Request(request.method, f"{request.target}?tls", request.host, request.address, {})
        )

    def __repr__(self) -> str:
        return f"<Town of {len(self.houses)} houses>"


class Secure(Server):
    """The same over TLS, with a certificate that nobody signed for."""

    def listen(self, address: str, port: int = 0) -> int:
        """Start on an address; all addresses share the port of the first."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert(address).configure_cert(context)
        listener = StreamServer(
            (address, self.port), self._converse, spawn=Pool(100), ssl_context=context
        )
        listener.start()
        self.port = listener.server_port
        self._listeners[address] = listener
        return self.port


def _heard_ago_s(connection: Any) -> float:
    """When the other side sent something last, and be it that it hung up: by the kernel's notice,
    for this process may have been asleep (tcp_info, tcpi_last_ack_recv, in ms)."""
    told = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    (ago_ms,) = struct.unpack_from("I", told, 56)
    return float(ago_ms) / 1000


def _furnish(house: House) -> None:
    paths = [f"/page/{number}" for number in range(PAGES)]
    house.host.page("/", links=[*paths, "/secret/1"])
    for path in [*paths, "/secret/1"]:
        house.host.page(path)
    house.pages = {"/", "/secret/1", *paths}


def _healthy(town: Town, house: House) -> None:
    pass


def _strict(town: Town, house: House) -> None:
    house.host.robots("User-agent: *\nDisallow: /secret\n")
    _forbid(house)


def _forbid(house: House, **manners: Any) -> None:
    house.manners = Manners(GAP_S, forbidden=("/secret",), **manners)
    house.pages -= {"/secret/1"}
    house.fates["/secret/1"] = ("skipped", "robots")


def _delaying(town: Town, house: House) -> None:
    house.host.robots("User-agent: *\nCrawl-delay: 1\nDisallow: /secret\n")
    _forbid(house, crawl_delay_s=1.0)


def _busy(house: House, status: int, retry_after: Callable[[], str]) -> None:
    told = []

    def once(_request: Request) -> Answer:
        if told:
            return Answer(body=b"<p>again</p>")
        told.append(True)
        headers = {"Retry-After": retry_after(), "Date": formatdate(usegmt=True)}
        return Answer(status, headers)

    house.host.decide("/page/3", once)
    house.manners = Manners(GAP_S, retry_after_s={"/page/3": REST_S})


def _busy_seconds(town: Town, house: House) -> None:
    _busy(house, 429, lambda: str(REST_S))


def _busy_date(town: Town, house: House) -> None:
    # a date has whole seconds: one more makes sure that the rest is at least what is expected
    _busy(house, 503, lambda: formatdate(int(time.time()) + REST_S + 1, usegmt=True))


def _closed(town: Town, house: House) -> None:
    house.host.raw("/robots.txt", status=503)
    house.manners = Manners(GAP_S, forbidden=("/page", "/secret"))
    house.pages = set()
    house.fates = {"/": ("skipped", "robots_unreachable")}


def _recovering(town: Town, house: House) -> None:
    rules = Answer(headers={"Content-Type": "text/plain"}, body=b"User-agent: *\nDisallow: /secret")
    house.host.answer("/robots.txt", Answer(503, {"Retry-After": str(REST_S)}), rules)
    _forbid(house, retry_after_s={"/robots.txt": REST_S})


def _pointing(town: Town, house: House) -> None:
    house.host.raw("/rules.txt", body="User-agent: *\nDisallow: /secret")
    house.host.redirect("/robots.txt", "/rules.txt")
    _forbid(house)


def _secured(town: Town, house: House) -> None:
    port = town.listen_securely(house)
    house.host.redirect("/robots.txt", f"https://{house.host.address}:{port}/robots.txt")
    house.host.raw("/robots.txt?tls", body="User-agent: *\nDisallow: /secret")
    _forbid(house)


def _hanging(town: Town, house: House) -> None:
    town.hang(house)
    house.manners = Manners(GAP_S)
    house.fates = {"/": ("failed", "timeout")}


def _dead(town: Town, house: House) -> None:
    house.fates = {"/": ("failed", "connect_refused")}


def _slow(town: Town, house: House) -> None:
    for number in range(PAGES):
        house.host.page(f"/page/{number}", wait_s=0.3)


BUILDERS: dict[str, Callable[[Town, House], None]] = {
    "healthy": _healthy,
    "strict": _strict,
    "delaying": _delaying,
    "busy for seconds": _busy_seconds,
    "busy until a date": _busy_date,
    "closed": _closed,
    "recovering": _recovering,
    "pointing": _pointing,
    "secured": _secured,
    "hanging": _hanging,
    "dead": _dead,
    "slow": _slow,
}
KINDS = list(BUILDERS)
NUMBERS = {
    "healthy": 120, "strict": 20, "delaying": 8, "busy for seconds": 6, "busy until a date": 6,
    "closed": 6, "recovering": 6, "pointing": 6, "secured": 4, "hanging": 6, "dead": 6, "slow": 6,
}  # fmt: skip


@contextmanager
def town(**numbers: int) -> Iterator[Town]:
    """A town with so many houses of each kind."""
    built = Town()
    try:
        for kind, count in numbers.items():
            for number in range(count):
                built.build(kind, number)
        yield built
    finally:
        built.close()
