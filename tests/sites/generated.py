"""What does a site of any size look like, and what must a crawl of it find?

Every page is a function of its number and the seed: the site needs no memory, any process can
serve it, and what a crawl should have found is computed, not recorded. Each page links first to
its two children in a binary tree, so that all are reachable, then to others at random.

    python -m tests.sites.generated --pages 5000 --port 0 --log access.jsonl

prints ``port N`` and serves until it is ended.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import NamedTuple

import gevent
from gevent import subprocess

from tests.patience import PATIENT_S
from tests.sites.server import NOT_FOUND, Answer, Hit, Request, Server, html
from tests.sites.skip import ROOT

ROBOTS = b"User-agent: *\nAllow: /\n"
WORDS = (
    *("harbour", "lantern", "meadow", "copper", "window", "winter", "paper", "garden", "silver"),
    *("engine", "river", "morning", "station", "violet", "granite", "feather", "market", "candle"),
    *("island", "thunder", "orchard", "ribbon", "marble", "compass"),
)
START_S = PATIENT_S


class KnownLink(NamedTuple):
    """One anchor of the site: paths of the two pages, its place on the page, and its text."""

    source: str
    position: int
    target: str
    anchor: str


@dataclass(frozen=True)
class GeneratedSite:
    """A site that is known in advance.

    pages: how many. links_per_page: anchors on each, at least two. seed: another one is another
    site. page_bytes: least size of a page; text fills it up. latency_ms: every answer waits this
    long. jitter_ms: a page waits between nothing and this in addition, the same at each request.
    """

    pages: int = 100
    links_per_page: int = 10
    seed: int = 1
    page_bytes: int = 0
    latency_ms: float = 0.0
    jitter_ms: float = 0.0

    def __post_init__(self) -> None:
        if self.pages < 1 or self.links_per_page < 2:
            raise ValueError("a generated site has at least one page and two links on each")

    def path(self, number: int) -> str:
        """Where a page stands; the first one is the home page."""
        return f"/p/{number}.html" if number else "/"

    def number(self, path: str) -> int | None:
        """Which page stands at a path; None where there is none."""
        if path == "/":
            return 0
        text = path.removeprefix("/p/").removesuffix(".html")
        known = text.isascii() and text.isdigit() and 0 < int(text) < self.pages
        return int(text) if known and path == self.path(int(text)) else None

    def token(self, number: int) -> str:
        """A word that stands on this page and on no other."""
        return "t" + blake2b(f"{self.seed} {number}".encode(), digest_size=10).hexdigest()

    def title(self, number: int) -> str:
        """The title of a page, its own."""
        return f"Page {number} of {self.pages}"

    def links(self, number: int) -> list[KnownLink]:
        """The anchors of a page, in order: its children, then others."""
        chance = Random(f"{self.seed} {number}")
        children = [child for child in (2 * number + 1, 2 * number + 2) if child < self.pages]
        others = [
            int(chance.random() * self.pages) for _ in range(self.links_per_page - len(children))
        ]
        source = self.path(number)
        return [
            KnownLink(source, position, self.path(target), _anchor(chance, target))
            for position, target in enumerate(children + others)
        ]

    def body(self, number: int) -> bytes:
        """The document of a page."""
        links = "".join(
            f'<p>{WORDS[one.position % len(WORDS)]} <a href="{one.target}">{one.anchor}</a></p>\n'
            for one in self.links(number)
        )
        head = f"<h1>{self.title(number)}</h1>\n<p>{self.token(number)}</p>\n"
        short = html(self.title(number), head + links)
        lacking = self.page_bytes - len(short) - len("<p></p>")
        if lacking <= 0:
            return short
        start = number * 97 % len(self._filler)
        text = (self._filler[start:] + self._filler * (lacking // len(self._filler) + 1))[:lacking]
        return short.replace(b"\n</body>", f"<p>{text}</p>\n</body>".encode(), 1)

    def latency_s(self, number: int) -> float:
        """How long a page waits before it answers."""
        jitter = Random(f"{self.seed} wait {number}").random() * self.jitter_ms
        return (self.latency_ms + jitter) / 1000

    def paths(self) -> list[str]:
        """The path of every page, all of them reachable from the first."""
        return [self.path(number) for number in range(self.pages)]

    def all_links(self) -> Iterator[KnownLink]:
        """Every anchor of every page."""
        for number in range(self.pages):
            yield from self.links(number)

    def answer(self, request: Request) -> Answer:
        """What the site says to a request."""
        if request.target == "/robots.txt":
            plain = {"Content-Type": "text/plain"}
            return Answer(headers=plain, body=ROBOTS, wait_s=self.latency_ms / 1000)
        number = self.number(request.target)
        if number is None:
            return NOT_FOUND
        return Answer(body=self.body(number), wait_s=self.latency_s(number))

    def write(self, folder: Path) -> None:
        """Lay the site out as files, for a server of files."""
        (folder / "p").mkdir(parents=True, exist_ok=True)
        (folder / "robots.txt").write_bytes(ROBOTS)
        (folder / "index.html").write_bytes(self.body(0))
        for number in range(1, self.pages):
            (folder / self.path(number)[1:]).write_bytes(self.body(number))

    @cached_property
    def _filler(self) -> str:
        chance = Random(self.seed)
        return " ".join(chance.choice(WORDS) for _ in range(4000)) + " "


@dataclass(frozen=True, slots=True)
class Served:
    """A site that is being served.

    addresses: all on the same port. pid: of the process that serves, which a test may stop or kill.
    log: the access log, one JSON object of a `Hit` a line, or None.
    """

    port: int
    addresses: tuple[str, ...]
    pid: int
    log: Path | None = None

    def url(self, path: str = "/", address: str | None = None) -> str:
        """The absolute URL of a path, on the first address unless one is given."""
        return f"http://{address or self.addresses[0]}:{self.port}{path}"

    def hits(self) -> list[Hit]:
        """The access log so far."""
        if self.log is None:
            raise ValueError("this site keeps no log: serve it with log=PATH")
        # Read at once: who reads line by line may get the two halves of one that is being written.
        whole, _, _ = self.log.read_text(encoding="utf-8").rpartition("\n")
        return [Hit(**json.loads(line)) for line in whole.split("\n") if line]


@contextmanager
def serve(
    site: GeneratedSite, *, addresses: Sequence[str] = ("127.0.0.1",), log: Path | None = None
) -> Iterator[Served]:
    """Serve in this process, which must yield to the hub for the site to answer."""
    with _recorder(log, sync=False) as record:
        server = Server(site.answer, record=record)
        try:
            for address in addresses:
                server.listen(address)
            yield Served(server.port, tuple(addresses), os.getpid(), log)
        finally:
            server.stop()


@contextmanager
def serve_apart(
    site: GeneratedSite,
    *,
    addresses: Sequence[str] = ("127.0.0.1",),
    log: Path | None = None,
    sync: bool = False,
    port: int = 0,
) -> Iterator[Served]:
    """Serve in a process of its own; `sync` makes every line of the log safe on disk at once."""
    command = [sys.executable, "-m", "tests.sites.generated", f"--port={port}"]
    command += [f"--{name.replace('_', '-')}={value}" for name, value in asdict(site).items()]
    command += [f"--address={address}" for address in addresses]
    command += [f"--log={log}"] if log else []
    command += ["--sync"] if sync else []
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=False
    )
    try:
        with gevent.Timeout(START_S):
            words = process.stdout.readline().split()
        if len(words) != 2:
            raise RuntimeError(f"the generated site did not start: {' '.join(command)}")
        yield Served(int(words[1]), tuple(addresses), process.pid, log)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@contextmanager
def _recorder(log: Path | None, *, sync: bool) -> Iterator[Callable[[Hit], object]]:
    """Writes hits down, a line each, when the reply has been handed to the kernel.

    So a line can come a moment after the client has the reply.
    """
    if log is None:
        yield lambda hit: None
        return
    with log.open("a", encoding="utf-8", buffering=1) as lines:

        def record(hit: Hit) -> None:
            lines.write(json.dumps({name: getattr(hit, name) for name in HIT_FIELDS}) + "\n")
            if sync:
                os.fsync(lines.fileno())

        yield record


HIT_FIELDS = tuple(one.name for one in fields(Hit))


def _anchor(chance: Random, target: int) -> str:
    first, second = int(chance.random() * len(WORDS)), target % len(WORDS)
    return f"{WORDS[first]} {WORDS[second]} {target}"


def _arguments(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sites.generated", description=__doc__)
    for one in fields(GeneratedSite):
        kind = type(one.default)
        parser.add_argument(f"--{one.name.replace('_', '-')}", type=kind, default=one.default)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--address", action="append", help="may be given many times")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--sync", action="store_true", help="fsync every line of the log")
    return parser.parse_args(given)


def main(given: Sequence[str]) -> None:
    """Serve until ended."""
    asked = _arguments(given)
    site = GeneratedSite(**{one.name: getattr(asked, one.name) for one in fields(GeneratedSite)})
    with _recorder(asked.log, sync=asked.sync) as record:
        server = Server(site.answer, record=record)
        for address in asked.address or ["127.0.0.1"]:
            server.listen(address, asked.port)
        print("port", server.port, flush=True)
        gevent.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
