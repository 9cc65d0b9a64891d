"""What does a crawl over machines come to when something is done to it?

Sites, engine and machines are real, each in processes of its own; what happened is read in the
sites' own logs.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

import gevent
import psutil
from gevent import subprocess

from crawler.channels.redis.remote import RedisChannel
from crawler.config import Config
from crawler.crawl import Crawl
from tests import engines
from tests.channels.redis.manning import NAME
from tests.crawls import check_whole, config, plan, rows
from tests.engines import Engine
from tests.patience import PATIENT_S, until
from tests.sites import generated
from tests.sites.generated import GeneratedSite, Served
from tests.sites.server import Hit
from tests.sites.skip import ROOT

FENCE_S: Final = 6.0
LOST_S: Final = 8.0
"""Shorter than a person's, that nobody waits long, and longer than a busy machine stands still."""
HOSTS: Final = 10
PAGES: Final = 20
LATENCY_MS: Final = 60
DOUBLED: Final = """
    SELECT url_id
    FROM visits
    WHERE kind = 'page'
    GROUP BY url_id
    HAVING count(*) > 1
"""


class Machine:
    """A `crawler work` in a process of its own."""

    def __init__(
        self, engine: Engine, *options: str, workers: int = 1, command: Sequence[str] = ()
    ):
        words = [sys.executable, "-m", "crawler", "work", "--redis", engine.url, "--name", NAME]
        self.process = subprocess.Popen(
            [*command, *words, "--workers", str(workers), *options],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def family(self) -> list[psutil.Process]:
        """It and its children."""
        this = psutil.Process(self.process.pid)
        return [this, *this.children(recursive=True)]

    def stand_still(self, seconds: float) -> None:
        """All of it."""
        family = self.family()
        for one in family:
            one.suspend()
        gevent.sleep(seconds)
        for one in family:
            one.resume()

    def end(self, number: signal.Signals = signal.SIGKILL) -> int:
        """Send a signal, and wait for its end."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return int(self.process.wait(PATIENT_S))


class Storm:
    """A crawl of several sites of one host each, asked one question at a time."""

    def __init__(self, engine: Engine, served: Served, database: Path, settings: Config) -> None:
        self.engine = engine
        self.served = served
        self.database = database
        self.settings = settings
        self.machines: list[Machine] = []
        self.seeds = [served.url("/", address) for address in served.addresses]
        self.channel = RedisChannel(
            settings, engine.address(), NAME, fence_s=FENCE_S, lost_s=LOST_S
        )
        asked = plan(database, *self.seeds, settings=settings)
        self.crawl = Crawl(asked, channel=self.channel)

    def join(self, *options: str, workers: int = 1, command: Sequence[str] = ()) -> Machine:
        """One more machine."""
        self.machines.append(Machine(self.engine, *options, workers=workers, command=command))
        return self.machines[-1]

    def run(self, fault: Callable[[Storm], None] | None = None) -> None:
        """Crawl to the end, while the fault is done."""
        breaking = gevent.spawn(fault, self) if fault else None
        with gevent.Timeout(PATIENT_S):
            assert self.crawl.run().outcome.reason == "finished"
        if breaking is not None:
            breaking.get(timeout=PATIENT_S)

    def wait(self, hits: int) -> None:
        """Until the sites have answered so many requests."""
        until(lambda: len(self.served.hits()) >= hits)

    def check(self, most_repeats: int) -> None:
        """All is stored once, no host was asked two things at once, and little was asked twice."""
        check_whole(self.database)
        states = rows(
            self.database, "SELECT state, count(*) FROM urls WHERE kind = 'page' GROUP BY state"
        )
        assert states == [("done", HOSTS * PAGES)]
        assert rows(self.database, DOUBLED) == []
        hits = self.served.hits()
        assert overlaps(hits) == []
        assert repeats(hits) <= most_repeats


def overlaps(hits: Sequence[Hit]) -> list[tuple[Hit, Hit]]:
    """Pairs of requests that a host had to answer at the same time."""
    by_host: defaultdict[str, list[Hit]] = defaultdict(list)
    for hit in sorted(hits, key=lambda one: one.started):
        by_host[hit.address].append(hit)
    return [
        (first, second)
        for ours in by_host.values()
        for first, second in pairwise(ours)
        if second.started < first.ended
    ]


def repeats(hits: Sequence[Hit]) -> int:
    """Requests for what had been asked for before."""
    asked = Counter((hit.address, hit.path) for hit in hits)
    return sum(count - 1 for count in asked.values())


@contextmanager
def storm(
    folder: Path, kind: str, *options: str, machines: int = 2, latency_ms: float = LATENCY_MS
) -> Iterator[Storm]:
    """A crawl that is about to begin, with so many machines."""
    settings = config(
        pace={"own_in_flight": 1},
        fetch={"total_s": 4, "read_s": 4, "connect_s": 4},
        run={"concurrency": 50},
    )
    site = GeneratedSite(pages=PAGES, links_per_page=4, latency_ms=latency_ms)
    addresses = [f"127.0.0.{number}" for number in range(2, 2 + HOSTS)]
    with (
        engines.serve(kind, *options) as engine,
        generated.serve_apart(site, addresses=addresses, log=folder / "log") as served,
    ):
        made = Storm(engine, served, folder / "crawl.db", settings)
        try:
            for _ in range(machines):
                made.join()
            yield made
        finally:
            for machine in made.machines:
                _end(machine)


def _end(machine: Machine) -> None:
    for one in machine.family() if machine.process.poll() is None else ():
        os.kill(one.pid, signal.SIGKILL)
    machine.process.wait()
    machine.process.stderr.close()
