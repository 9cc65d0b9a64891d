"""How does a test stand up many hostile hosts, and what does it expect of each?

An `Origin` is one case of HOSTILE.md: a name of its own, an address of its own, what its server
does with a connection, and the rows that a crawl must leave behind.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Literal

import gevent
from gevent.ssl import SSLContext

from tests.fetch.nameserver import Found
from tests.fetch.stage import Play, Recorded, Stage, stage

NO_RULES = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
Act = Callable[[Recorded, str], bool]
"""Answers a request for a path; whether the connection stays open."""

OPEN, CLOSED = "127.1", "127.66.0"
"""Networks: what the crawl may ask, and what it may not."""


@dataclass(frozen=True, slots=True)
class Row:
    """What a crawl leaves of one URL.

    path: of the URL, or the whole of it. attempts: ``urls.attempts``, which is also how many visits
    of its own it has. status, error, truncated: of each of these.
    """

    path: str
    state: str = "done"
    reason: str | None = None
    attempts: int = 1
    status: int | None = 200
    error: str | None = None
    truncated: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """One case.

    play: what the server does with a connection; None where there is none, "hole" where nothing
    that is sent there is ever answered.
    rows: expected. seeds: paths. In both ``{}`` stands for the origin, ``{name}``, ``{port}`` for
    its parts, ``{closed}`` for an origin that is refused, ``{plain}`` for one that is good.
    robots: errors of the visits to robots.txt, and how many there are of each.
    found: what the name server says of its name, by default ``{}``: the address of its server.
    context: of TLS, for a name. scheme: of its URLs, where it is not what the server speaks.
    name: of the host, where the rule is about that.
    """

    number: int
    rule: str
    play: Play | Literal["hole"] | None
    rows: tuple[Row, ...] = (Row("/"),)
    seeds: tuple[str, ...] = ("/",)
    robots: tuple[tuple[str | None, int], ...] = ((None, 1),)
    found: Found = ("{}",)
    context: Callable[[str], SSLContext] | None = None
    scheme: str | None = None
    name: str | None = None


def skipped(path: str, reason: str) -> Row:
    """A URL that was never asked for."""
    return Row(path, "skipped", reason, 0, None)


def lost(
    number: int, rule: str, error: str, tries: int, play: Play | Literal["hole"] | None = None,
    **more: Any,
) -> Origin:  # fmt: skip
    """A host whose robots.txt cannot be had: its page takes that error, without a visit."""
    rows = (Row("/", "failed", error, 0, None),)
    return Origin(number, rule, play, rows, robots=((error, tries),), **more)


def unsent(number: int, rule: str, url: str, reason: str) -> Origin:
    """A URL with which nobody is ever asked for anything."""
    return Origin(number, rule, None, (skipped(url, reason),), (url,), robots=())


def conversation(act: Act, rules: bytes = NO_RULES) -> Play:
    """Answers robots.txt as if there were none, and leaves the rest to `act`."""

    def play(peer: Recorded) -> None:
        stays = True
        while stays and (head := peer.request()):
            path = head.split()[1]
            if path == "/robots.txt":
                peer.say(rules)
            else:
                stays = act(peer, path)

    return play


def once(says: bytes, end: str = "close") -> Play:
    """Says this of every path but robots.txt, and ends as told."""

    def act(peer: Recorded, path: str) -> bool:
        peer.say(says)
        end_connection(peer, end)
        return False

    return conversation(act)


def paths(answers: Mapping[str, bytes], rules: bytes = NO_RULES) -> Play:
    """Answers each path as told, on a connection that is kept; what is not told is a 404."""

    def act(peer: Recorded, path: str) -> bool:
        peer.say(answers.get(path, NO_RULES))
        return True

    return conversation(act, rules)


def end_connection(peer: Recorded, end: str) -> None:
    """``close``, ``reset``, or ``hold`` it until the other side has had enough."""
    if end == "reset":
        gevent.sleep(0.05)  # a reset overtakes what was not read yet
        peer.reset()
    elif end == "hold":
        while peer.sock.recv(65536):
            pass


class Party:
    """Origins that stand, each at its own address. zone: for a name server."""

    def __init__(self, origins: tuple[Origin, ...]) -> None:
        self.origins = origins
        self.zone: dict[str, Found] = {}
        self.stages: dict[int, Stage] = {}
        self._names: dict[int, str] = {}
        self._roots: dict[int, str] = {}
        self._closers = ExitStack()
        stand = self._closers.enter_context
        self.forbidden = stand(stage(once(b"HTTP/1.1 200 OK\r\n\r\nsecret"), host=f"{CLOSED}.1"))
        self.plain = stand(stage(once(b"HTTP/1.1 200 OK\r\n\r\nplain"), host=f"{OPEN}.255.1"))
        self.zone["plain.test"] = [f"{OPEN}.255.1"]
        for place, origin in enumerate(origins):
            self._stand(place, origin)

    def close(self) -> None:
        self._closers.close()

    def seeds(self) -> list[str]:
        """Every URL to begin with."""
        return [self.url(origin, seed) for origin in self.origins for seed in origin.seeds]

    def url(self, origin: Origin, path: str) -> str:
        """The URL that a path of a table stands for."""
        place = self.origins.index(origin)
        root = self._roots[place]
        name, port = self._names[place], root.rpartition(":")[2]
        known = {"": root, "name": name, "port": port} | self._elsewhere()
        whole = path if path.startswith(("http", "{")) else "{}" + path
        for word, meaning in known.items():
            whole = whole.replace("{" + word + "}", meaning)
        return whole

    def _elsewhere(self) -> dict[str, str]:
        return {
            "closed": f"http://{CLOSED}.1:{self.forbidden.port}",
            "plain": f"http://plain.test:{self.plain.port}",
        }

    def _stand(self, place: int, origin: Origin) -> None:
        name = origin.name or f"c{origin.number}-{place}.test"
        address = f"{OPEN}.{1 + place // 200}.{1 + place % 200}"
        context = origin.context(name) if origin.context else None
        found = origin.found
        if isinstance(found, tuple):
            found = [address if ip == "{}" else ip for ip in found]
        self.zone[name] = found
        scheme = origin.scheme or ("https" if context else "http")
        self._names[place] = name
        self._roots[place] = f"{scheme}://{name}:{self._port(place, origin, address, context)}"

    def _port(self, place: int, origin: Origin, address: str, context: SSLContext | None) -> int:
        if origin.play == "hole":
            hole = BlackHole(address)
            self._closers.callback(hole.close)
            return hole.port
        if origin.play is None:
            return self.forbidden.port
        made = Stage(self._resolved(origin.play), address, context)
        self._closers.callback(made.server.stop, timeout=0)
        self.stages[place] = made
        return made.port

    def _resolved(self, play: Play) -> Play:
        """The play, with addresses for what stands for them in what it says."""

        def played(peer: Recorded) -> None:
            play(Speaking(peer, self._meant))

        return played

    def _meant(self, text: bytes) -> bytes:
        for word, meaning in self._elsewhere().items():
            text = text.replace(b"{%s}" % word.encode(), meaning.encode())
        return text


class Speaking:
    """A peer that says addresses instead of what stands for them."""

    def __init__(self, peer: Recorded, meant: Callable[[bytes], bytes]) -> None:
        self._peer = peer
        self._meant = meant

    def say(self, data: bytes) -> None:
        self._peer.say(self._meant(data) if len(data) < 4000 else data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._peer, name)


class BlackHole:
    """A listener whose backlog is full answers no SYN, and that needs no root."""

    def __init__(self, address: str) -> None:
        self._listener = socket.socket()
        self._listener.bind((address, 0))
        self._listener.listen(0)
        self.port: int = self._listener.getsockname()[1]
        self._waiting = []
        for _ in range(3):
            waiting = socket.socket()
            waiting.setblocking(False)
            waiting.connect_ex((address, self.port))
            self._waiting.append(waiting)

    def close(self) -> None:
        for sock in (*self._waiting, self._listener):
            sock.close()
