"""What do machines add to a crawl, and what does a page cost over an engine?

In each case a crawl runs until everybody works, and then for a while in which answers are counted
at the sites and the CPU time of each process is read; so no start and no end is in the figures.
"""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path
from statistics import fmean

import psutil
import trustme

from tests import engines
from tests.bench.contestants import our_command
from tests.bench.loads import Failed, Figure, lap_folder
from tests.bench.server import serve_hosts
from tests.bench.workshop import Tell
from tests.sites.skip import ROOT

NUMBERS = (1, 2, 4, 8, 16)
LATENCY_MS = 500.0
CONCURRENCY = 10
"""Of each worker: so few that all of them wait."""
WINDOW_S = 20.0
POLL_S = 0.1
END_S = 30
WAYS = ("processes", "redis", "rediss")
THERE = """
    SELECT (SELECT count(*) FROM workers), (SELECT count(*) FROM visits WHERE kind = 'page')
"""


@dataclass(frozen=True, slots=True)
class Window:
    """What happened in a while. rate: pages that the sites sent, a second. wall_s: how long it was.

    cpu_s: by who took it: conductor, engine, workers.
    """

    rate: float
    wall_s: float
    cpu_s: Mapping[str, float]

    def cost(self, who: str) -> float:
        """Microseconds of CPU a page."""
        return 1e6 * self.cpu_s[who] / max(self.rate * self.wall_s, 1)


@dataclass(frozen=True, slots=True)
class Work:
    """What is to be crawled, how, and by how many.

    way: processes of the conductor, or machines of one worker each over ``redis`` or ``rediss``.
    concurrency: of each worker.
    """

    way: str = "redis"
    workers: int = 1
    hosts: int = 400
    pages: int = 2000
    latency_ms: float = 0.0
    concurrency: int = 64


def machines(_runs: int, limit_s: float, tell: Tell) -> Iterator[Figure]:
    """Do 16 workers fetch 16 times as much where all wait, and what does an engine cost a page?"""
    yield from waiting(NUMBERS, limit_s, tell)
    yield from working(limit_s, tell)


def waiting(numbers: Sequence[int], limit_s: float, tell: Tell) -> Iterator[Figure]:
    """Answers come half a second late: machines of one worker each, ten requests in flight."""
    alone = 0.0
    most = CONCURRENCY / (LATENCY_MS / 1000)
    for number in numbers:
        found = watch(Work(workers=number, latency_ms=LATENCY_MS, concurrency=CONCURRENCY), limit_s)
        alone = alone or found.rate / number
        share = found.rate / number / alone
        yield Figure(
            f"{number} machines, {LATENCY_MS:g} ms late: pages/s",
            f"{found.rate:,.1f}",
            f"{number * most:g}; {share:.0%} of {number} times one",
        )
        tell(f"machines: {number}: {found.rate:,.1f} pages/s, {share:.0%}")
        yield from _costs(f"{number} machines, {LATENCY_MS:g} ms late", found)


def working(limit_s: float, tell: Tell, work: Work | None = None) -> Iterator[Figure]:
    """Answers come at once: pages by processes, and over an engine with and without TLS."""
    for way in WAYS:
        found = watch(replace(work or Work(), way=way), limit_s)
        tell(f"machines: {way}: {found.rate:,.0f} pages/s")
        yield from _costs(way, found)


def _costs(name: str, found: Window) -> Iterator[Figure]:
    for who in found.cpu_s:
        yield Figure(f"{name}: {who}, us of CPU a page", f"{found.cost(who):,.0f}")


def watch(work: Work, limit_s: float, window_s: float = WINDOW_S) -> Window:
    """Crawl until all work, and look for a while. Raises Failed."""
    with lap_folder() as home:
        with serve_hosts(work.hosts, pages=work.pages, latency_ms=work.latency_ms) as site:
            (home / "seeds.txt").write_text("".join(f"{url}\n" for url in site.urls()))
            with _begun(work, home) as family:
                _wait_for_all(home / "crawl.db", work, limit_s)
                begun, before = time.monotonic(), _spent(family)
                time.sleep(window_s)
                ended, after = time.monotonic(), _spent(family)
        seconds = range(ceil(begun - site.counts.first), int(ended - site.counts.first))
        answers = [site.counts.per_second[one] for one in seconds]
        cpu_s = {who: after[who] - before[who] for who in before}
        return Window(fmean(answers), ended - begun, cpu_s)


Family = Mapping[str, Sequence[psutil.Process]]
"""Who works, by what they are."""


@contextmanager
def _begun(work: Work, home: Path) -> Iterator[Family]:
    """A crawl that has begun, and who works for it; all of it ends with the block."""
    command = ["crawl", str(home / "seeds.txt"), "--db", str(home / "crawl.db"), "--quiet"]
    command += ["--no-analyse", "--set", "robots.sitemaps=false"]
    command += ["--set", f"run.concurrency={work.concurrency}"]
    with ExitStack() as held:
        if work.way == "processes":
            command += ["--workers", str(work.workers)]
            yield {"conductor": [held.enter_context(_running(command, home))]}
            return
        engine, url = held.enter_context(_engine(work.way, home))
        command += ["--workers", "0", "--redis", url]
        conductor = held.enter_context(_running(command, home))
        words = ["work", "--redis", url, "--workers", "1", "--quiet"]
        workers = [held.enter_context(_running(words, home)) for _ in range(work.workers)]
        yield {"conductor": [conductor], "engine": [psutil.Process(engine)], "workers": workers}


@contextmanager
def _running(words: Sequence[str], home: Path) -> Iterator[psutil.Process]:
    """A command of this crawler, for as long as the block takes."""
    with (home / "log").open("ab") as log:
        process = subprocess.Popen(
            [*our_command(), *words], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def _engine(way: str, home: Path) -> Iterator[tuple[int, str]]:
    """A Redis: its process, and how it is reached."""
    if way == "redis":
        with engines.serve() as engine:
            yield engine.pid, engine.url
        return
    authority = trustme.CA()
    authority.cert_pem.write_to_path(home / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(home / "own.pem")
    port = engines.free_port()
    options = [
        "tls-port",
        str(port),
        "tls-auth-clients",
        "no",
        "tls-ca-cert-file",
        str(home / "ca.pem"),
    ]
    options += ["tls-cert-file", str(home / "own.pem"), "tls-key-file", str(home / "own.pem")]
    with engines.serve("redis", *options) as engine:
        yield engine.pid, f"rediss://127.0.0.1:{port}?ssl_ca_certs={home}/ca.pem"


def _wait_for_all(database: Path, work: Work, limit_s: float) -> None:
    """Until each worker is there, and as many pages as would keep all of them busy."""
    enough = 2 * work.workers * work.concurrency
    begun = time.monotonic()
    while time.monotonic() - begun < limit_s:
        time.sleep(POLL_S)
        with (
            suppress(sqlite3.Error),
            closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as asked,
        ):
            [there, pages] = asked.execute(THERE).fetchone()
            if pages >= enough and (work.way == "processes" or there >= work.workers):
                return
    raise Failed(f"{work.workers} workers were not at work within {limit_s:g} s")


def _spent(family: Family) -> dict[str, float]:
    """CPU time of each so far, with all below the workers."""
    found = {}
    for who, processes in family.items():
        own = [*processes]
        if who == "workers":
            own += [child for one in processes for child in one.children(recursive=True)]
        times = [one.cpu_times() for one in own]
        found[who] = sum(one.user + one.system for one in times)
    return found
