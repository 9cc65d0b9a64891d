"""What does this crawler bear: late answers, certificates, a long queue?

Works without peers, each a handful of figures with what they are to be held against. The servers
count; the crawler is only timed and weighed.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import mkdtemp

from tests.bench import race, revisit, workshop
from tests.bench.contestants import Command, crawl_command, our_command, pages_of_crawl
from tests.bench.filling import fill
from tests.bench.race import last_words
from tests.bench.server import Counts, Running, serve_hosts
from tests.bench.stopwatch import Cost, take_time
from tests.bench.workshop import Tell
from tests.sites.skip import ROOT

GAP_S = 0.5
"""Rest of a public host (``pace.gap_s``)."""
PUBLIC = ("--set", "pace.own_is_public=true")
"""Hosts on loopback are treated as those of the internet are."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a table: what was measured, the value, and what it is to be held against."""

    what: str
    value: str
    against: str = ""


class Failed(Exception):
    """A run that did not end well; its text says how."""


@dataclass(frozen=True, slots=True)
class Load:
    """A crawl of many hosts, as its server, the clock and the database saw it."""

    cost: Cost
    counts: Counts
    pages: int


def latency(runs: int, limit_s: float, tell: Tell) -> Iterator[Figure]:
    """Hosts that answer late: is politeness the only limit, and are thousands in flight?"""
    yield from paced(500, 50, 100.0, runs, limit_s, tell)
    yield from waiting(2000, 1000, 5000.0, runs, limit_s, tell)


def paced(
    hosts: int, pages: int, latency_ms: float, runs: int, limit_s: float, tell: Tell
) -> Iterator[Figure]:
    """Public pace: the most that can be had is hosts / (latency + gap)."""
    name = f"{hosts} hosts, {latency_ms:g} ms late, public pace"
    loads = _repeat(name, runs, tell, lambda: _load(hosts, pages, latency_ms, PUBLIC, limit_s))
    most = hosts / (latency_ms / 1000 + GAP_S)
    rate = median(load.counts.plateau() for load in loads)
    yield Figure(f"{name}: answers/s", f"{rate:,.0f}", f"{most:,.0f}: {rate / most:.0%}")
    yield from _usual(name, loads, hosts * pages)


def waiting(
    hosts: int, concurrency: int, latency_ms: float, runs: int, limit_s: float, tell: Tell
) -> Iterator[Figure]:
    """Two workers, each with room for half of the hosts: do all wait at once?"""
    arguments = ("--concurrency", str(concurrency), "--workers", "2")
    name = f"{hosts} hosts, {latency_ms / 1000:g} s late, --concurrency {concurrency}"
    loads = _repeat(name, runs, tell, lambda: _load(hosts, 2, latency_ms, arguments, limit_s))
    peak = median(load.counts.peak for load in loads)
    most = min(hosts, 2 * concurrency)
    yield Figure(f"{name}: in flight", f"{peak:,.0f}", f"{most:,}: {peak / most:.0%}")
    yield from _usual(name, loads, hosts * 2)


def tls(runs: int, limit_s: float, tell: Tell, *, hosts: int = 200) -> Iterator[Figure]:
    """The same hosts over http and over https: what does a new connection cost more?"""
    pages = 5
    plain, secure = [], []
    for turn in range(1, runs + 1):
        plain.append(_load(hosts, pages, 0.0, (), limit_s))
        secure.append(_load(hosts, pages, 0.0, (), limit_s, secure=True))
        tell(f"tls {turn}/{runs}  https: {_told(secure[-1])}; http: {_told(plain[-1])}")
    more = median(one.cost.cpu_s for one in secure) - median(one.cost.cpu_s for one in plain)
    connections = median(one.counts.connections for one in secure)
    name = f"{hosts} https hosts, {pages} pages each"
    yield Figure(f"{name}: CPU ms a new connection", f"{1000 * more / connections:.2f}")
    yield Figure(f"{name}: connections", f"{connections:,.0f}", f"{hosts:,} hosts")
    yield from _usual(name, secure, hosts * pages)
    yield from _usual(f"{name}, but http", plain, hosts * pages)


def analysis(runs: int, limit_s: float, tell: Tell) -> Iterator[Figure]:
    """What a crawl of the Python manual takes when it has ended: facts, graph, checks."""
    course = race.docs()
    with lap_folder() as home, race.served(course) as site:
        timed_run(crawl_command(our_command(), site.url(course.start), home), home, limit_s)
        yield from analysed(home / "crawl.db", runs, limit_s, tell)


def analysed(crawled: Path, runs: int, limit_s: float, tell: Tell) -> Iterator[Figure]:
    """The first analysis of a crawl, and one that has only the checks to make again."""
    pages = pages_of_crawl(crawled.parent)
    before = crawled.stat().st_size
    first, again = [], []
    for turn in range(1, runs + 1):
        with lap_folder() as home:
            copy = home / "crawl.db"
            shutil.copyfile(crawled, copy)
            command = [*our_command(), "analyse", "--db", copy, "--quiet"]
            first.append(timed_run(command, home, limit_s))
            again.append(timed_run(command, home, limit_s))
            grown = copy.stat().st_size / before - 1
        tell(f"analysis {turn}/{runs}  {first[-1].wall_s:.1f} s, again {again[-1].wall_s:.1f} s")
    cpu = median(1000 * cost.cpu_s / pages for cost in first)
    yield Figure("pages", f"{pages:,}")
    yield Figure("first analysis, s", _median(cost.wall_s for cost in first))
    yield Figure("first analysis, CPU ms a page", f"{cpu:.2f}")
    yield Figure("again, s", _median(cost.wall_s for cost in again))
    yield Figure("the file grows by", f"{grown:.0%}", "30%")
    yield Figure("peak MB", _median(cost.peak_bytes / 1e6 for cost in first))


def million(
    runs: int, limit_s: float, tell: Tell, *, pages: int = 1_000_000, told_s: float = 1.0
) -> Iterator[Figure]:
    """A million pages and 20 million links in one file: what takes more than a second there?

    Made, analysed and asked once, however long that takes.
    """
    with lap_folder() as home:
        database = home / "million.db"
        tell(f"million: a file of {pages:,} pages, its analysis, its views: a quarter of an hour")
        command = [sys.executable, "-m", "tests.bench.million", str(database), str(pages)]
        ran = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        if ran.returncode:
            raise Failed(f"exit {ran.returncode}")
        took: dict[str, float] = json.loads(ran.stdout)
        yield Figure("the file, MB", f"{database.stat().st_size / 1e6:,.0f}")
    views = [seconds for what, seconds in took.items() if what.startswith("view ")]
    yield Figure("views within a second", f"{sum(one <= 1 for one in views)}", f"{len(views)}")
    yield Figure("all checks, s", f"{sum(s for what, s in took.items() if 'check ' in what):,.0f}")
    for what, seconds in sorted(took.items(), key=lambda one: -one[1]):
        if seconds > told_s:
            yield Figure(f"{what}, s", f"{seconds:,.1f}")


def frontier(
    runs: int,
    limit_s: float,
    tell: Tell,
    *,
    sizes: Sequence[int] = (10_000, 1_000_000),
    hosts: int = 10_000,
    seconds: float = 15.0,
) -> Iterator[Figure]:
    """A database in which many URLs wait: does the cost grow with them?"""
    for size in sizes:
        with lap_folder() as home:
            full = home / "full.db"
            with serve_hosts(hosts) as served:
                first = crawl_command(our_command(), served.urls(), home)
                timed_run([*first, "--max-pages", "1"], home, limit_s)
            tell(f"frontier: queueing {size:,} URLs")
            fill(home / "crawl.db", size)
            shutil.move(home / "crawl.db", full)
            timed = [_resumed(home, full, served, seconds, limit_s, tell) for _ in range(runs)]
        name = f"{size:,} queued"
        yield Figure(f"{name}: start to first request, s", _median(one.first_s for one in timed))
        yield Figure(f"{name}: lease, p99 ms", _median(one.p99_ms for one in timed))
        yield Figure(f"{name}: slowest lease, ms", _median(one.worst_ms for one in timed))
        yield Figure(f"{name}: requests/s", _median(one.requests_per_s for one in timed))
        yield Figure(f"{name}: peak MB", _median(one.peak_mb for one in timed))


@dataclass(frozen=True, slots=True)
class Resumed:
    """A crawl that went on with a full queue for some seconds."""

    first_s: float
    p99_ms: float
    worst_ms: float
    requests_per_s: float
    peak_mb: float


def _resumed(
    home: Path, full: Path, served: Running, seconds: float, limit_s: float, tell: Tell
) -> Resumed:
    shutil.copyfile(full, home / "crawl.db")
    leases = home / "leases.json"
    begin: Command = [sys.executable, "-m", "tests.bench.leases", leases]
    command = crawl_command(begin, served.urls(), home)
    with serve_hosts(served.hosts, port=served.port) as again:
        cost = timed_run([*command, *PUBLIC, "--max-time", f"{seconds:g}"], home, limit_s)
    times = json.loads(leases.read_text())
    counts = again.counts
    found = Resumed(
        first_s=counts.first - cost.started,
        p99_ms=times["p99_ms"],
        worst_ms=times["worst_ms"],
        requests_per_s=counts.plateau(),
        peak_mb=cost.peak_bytes / 1e6,
    )
    tell(f"frontier: {counts.requests:,} requests, the first after {found.first_s:.1f} s")
    return found


def _load(
    hosts: int,
    pages: int,
    latency_ms: float,
    arguments: Sequence[str],
    limit_s: float,
    *,
    secure: bool = False,
) -> Load:
    """Crawl all pages of all hosts."""
    with lap_folder() as home:
        authority = home / "authority.pem" if secure else None
        with serve_hosts(hosts, pages=pages, latency_ms=latency_ms, authority=authority) as served:
            command = [*crawl_command(our_command(), served.urls(), home), *arguments]
            environment = {"SSL_CERT_FILE": str(authority)} if authority else {}
            cost = timed_run(command, home, limit_s, environment)
        return Load(cost, served.counts, pages_of_crawl(home))


def _repeat(name: str, runs: int, tell: Tell, once: Callable[[], Load]) -> list[Load]:
    loads = []
    for turn in range(1, runs + 1):
        loads.append(once())
        tell(f"{name} {turn}/{runs}  {_told(loads[-1])}")
    return loads


def _usual(name: str, loads: Sequence[Load], pages: int) -> Iterator[Figure]:
    """What every load tells."""
    found = median(load.pages for load in loads)
    cpu = median(1000 * load.cost.cpu_s / max(load.pages, 1) for load in loads)
    yield Figure(f"{name}: pages", f"{found:,.0f}", f"{pages:,}")
    yield Figure(f"{name}: CPU s per 1,000 pages", f"{cpu:.2f}")
    yield Figure(f"{name}: peak MB", _median(load.cost.peak_bytes / 1e6 for load in loads))


def _median(values: Iterable[float]) -> str:
    found = median(values)
    return f"{found:,.0f}" if found >= 100 else f"{found:.3g}"


def _told(load: Load) -> str:
    return (
        f"{load.pages:,} pages in {load.cost.wall_s:.1f} s, "
        f"{load.counts.peak:,} in flight, {load.counts.connections:,} connections"
    )


def timed_run(
    command: Command, home: Path, limit_s: float, environment: Mapping[str, str] | None = None
) -> Cost:
    """Run a crawl that must end well. Raises Failed."""
    log = home / "log"
    cost = take_time(command, limit_s=limit_s, log=log, folder=ROOT, environment=environment)
    if cost.exit_code is None:
        raise Failed(f"stopped after {limit_s:g} s")
    if cost.exit_code != 0:
        raise Failed(f"exit {cost.exit_code}: {last_words(log)}")
    return cost


@contextmanager
def lap_folder() -> Iterator[Path]:
    """A folder for one run, which goes with it."""
    home = Path(mkdtemp(prefix="load-", dir=workshop.folder("laps")))
    try:
        yield home
    finally:
        shutil.rmtree(home)


def revisits(_runs: int, _limit_s: float, tell: Tell) -> Iterator[Figure]:
    """A simulated year of 500 pages: the mean share that is as on the site, for as many visits."""
    for days in (3, 7, 14):
        visits = revisit.PAGES * 365 // days
        found = {}
        for name, rule in revisit.RULES.items():
            tell(f"a year of {visits:,} visits, planned by: {name}")
            found[name] = revisit.at(visits, rule)
        best = max(year.freshness for name, (year, _) in found.items() if name != "ours")
        for name, (year, setting_s) in found.items():
            what = f"{year.visits:,} visits: {name}, {setting_s / 86_400:.3f} days"
            yield Figure(what, f"{year.freshness:.4f}", f"{best:.4f}" if name == "ours" else "")


LOADS = {
    "latency": latency,
    "tls": tls,
    "frontier": frontier,
    "analysis": analysis,
    "revisit": revisits,
    "million": million,
}
