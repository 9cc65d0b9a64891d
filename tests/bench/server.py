"""How do thousands of hosts answer from one process, and what do they see of a crawler?

Every host has an address of its own in 127.0.0.0/8, all on one port. The process prints
``port N`` when all of them listen, and what it counted, as JSON, when it is ended by SIGTERM.

    python -m tests.bench.server --hosts 500 --pages 50 --latency-ms 100
"""

from __future__ import annotations

import argparse
import json
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import gevent
import trustme
from gevent import ssl
from gevent.event import Event

from tests.bench.stopwatch import end_with_parent
from tests.sites.generated import GeneratedSite
from tests.sites.server import NOT_FOUND, Answer, Hit, Request, Server, html
from tests.sites.skip import ROOT

START_S = 60
ROBOTS = Answer(headers={"Content-Type": "text/plain"}, body=b"User-agent: *\nAllow: /\n")
SPECIAL = {"/robots.txt": ROBOTS, "/sitemap.xml": NOT_FOUND}
PAGE = Answer(body=html("A page", "<h1>A page</h1>\n<p>It has no links.</p>"))


@dataclass(frozen=True, slots=True)
class Counts:
    """What the hosts saw.

    connections: accepted. requests: answered. peak: most requests that waited for their answer at
    one moment. first: when the first request came, seconds of the monotonic clock; 0 for none.
    per_second: answers in each second since then.
    """

    connections: int = 0
    requests: int = 0
    peak: int = 0
    first: float = 0.0
    per_second: list[int] = field(default_factory=list)

    def plateau(self) -> float:
        """Answers a second over the middle of the time, the second to fourth fifth, so that neither
        start nor end counts. Hosts that began together answer in bursts, so it is a mean."""
        whole = self.per_second[:-1]
        middle = whole[len(whole) // 5 : len(whole) * 4 // 5 or None]
        return fmean(middle) if middle else 0.0


@dataclass(slots=True)
class Running:
    """A server that runs: where it listens, and its counts once it has ended."""

    port: int
    hosts: int
    secure: bool
    counts: Counts = Counts()

    def urls(self) -> list[str]:
        """The home page of every host."""
        scheme = "https" if self.secure else "http"
        return [f"{scheme}://{address(number)}:{self.port}/" for number in range(self.hosts)]


def address(number: int) -> str:
    """The address of a host."""
    return f"127.{10 + number // 62_500}.{number // 250 % 250}.{number % 250 + 1}"


@contextmanager
def serve_hosts(
    hosts: int,
    *,
    pages: int = 0,
    latency_ms: float = 0.0,
    port: int = 0,
    authority: Path | None = None,
) -> Iterator[Running]:
    """Serve in a process of its own; the counts are there when the context is left.

    pages: of each host; 0 for a page without links under any path. authority: over TLS, with
    certificates of a new authority whose own is written to this file.
    """
    command = [sys.executable, "-m", "tests.bench.server", f"--hosts={hosts}", f"--pages={pages}"]
    command += [f"--latency-ms={latency_ms}", f"--port={port}"]
    command += [f"--authority={authority}"] if authority else []
    process = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        speaks = select.select([process.stdout], [], [], START_S)[0]
        words = process.stdout.readline().split() if speaks else []
        if len(words) != 2:
            raise RuntimeError(f"{hosts} hosts did not start")
        running = Running(int(words[1]), hosts, authority is not None)
        yield running
        process.terminate()
        running.counts = Counts(**json.loads(process.communicate(timeout=START_S)[0]))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class CountingServer(Server):
    """A server that counts; with contexts by address it speaks TLS."""

    def __init__(
        self, answer: Callable[[Request], Answer], contexts: dict[str, ssl.SSLContext]
    ) -> None:
        super().__init__(self._counted(answer), record=self._ended)
        self._contexts = contexts
        self._waiting = 0
        self._peak = 0
        self._requests = 0
        self._connections = 0
        self._first = 0.0
        self._seconds: Counter[int] = Counter()

    def counts(self) -> Counts:
        """What has been seen so far."""
        last = max(self._seconds, default=-1)
        per_second = [self._seconds[second] for second in range(last + 1)]
        return Counts(self._connections, self._requests, self._peak, self._first, per_second)

    def _counted(self, answer: Callable[[Request], Answer]) -> Callable[[Request], Answer]:
        def counted(request: Request) -> Answer:
            self._first = self._first or time.monotonic()
            self._waiting += 1
            self._peak = max(self._peak, self._waiting)
            return answer(request)

        return counted

    def _ended(self, hit: Hit) -> None:
        self._waiting -= 1
        self._requests += 1
        self._seconds[int(hit.ended - self._first)] += 1

    def _converse(self, connection: socket.socket, peer: object) -> None:
        self._connections += 1
        context = self._contexts.get(connection.getsockname()[0])
        if context is not None:
            try:
                connection = context.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                return
        super()._converse(connection, peer)


def certified(addresses: Sequence[str], authority: Path | None) -> dict[str, ssl.SSLContext]:
    """A context with a certificate of its own for every address; none without an authority."""
    if authority is None:
        return {}
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(authority)
    contexts: dict[str, Any] = {}
    for one in addresses:
        contexts[one] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issuer.issue_cert(one).configure_cert(contexts[one])
    return contexts


def main(given: Sequence[str]) -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.server")
    parser.add_argument("--hosts", type=int, required=True)
    parser.add_argument("--pages", type=int, default=0)
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--authority", type=Path)
    asked = parser.parse_args(given)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    addresses = [address(number) for number in range(asked.hosts)]
    server = CountingServer(_answers(asked), certified(addresses, asked.authority))
    for one in addresses:
        server.listen(one, asked.port)
    ended = Event()
    end_with_parent()
    gevent.signal_handler(signal.SIGTERM, ended.set)
    print("port", server.port, flush=True)
    ended.wait()
    print(json.dumps(asdict(server.counts())), flush=True)


def _answers(asked: argparse.Namespace) -> Callable[[Request], Answer]:
    if asked.pages:
        return GeneratedSite(pages=asked.pages, latency_ms=asked.latency_ms).answer
    return lambda request: SPECIAL.get(request.target, PAGE)


if __name__ == "__main__":
    main(sys.argv[1:])
