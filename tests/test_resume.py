"""Does a crawl go on where it stopped, however it was stopped?"""

from __future__ import annotations

import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import gevent
import pytest
from gevent import subprocess

from crawler.conductor import Conductor
from crawler.config import Config
from tests.crawls import AGENT, check_whole, config, crawl, crawl_apart, ends, read_seeds, rows
from tests.patience import PATIENT_S, until
from tests.sites import generated
from tests.sites.generated import GeneratedSite, Served
from tests.sites.skip import ROOT
from tests.sites.web import Web

SITE = GeneratedSite(pages=900, links_per_page=8, latency_ms=60)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    log = tmp_path_factory.mktemp("site") / "access.jsonl"
    with generated.serve_apart(SITE, log=log) as site:
        yield site


@pytest.fixture(scope="module")
def calm(served: Served, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an uninterrupted crawl finds."""
    database = tmp_path_factory.mktemp("calm") / "calm.db"
    crawl(database, served.url())
    assert rows(database, "SELECT count(*) FROM pages") == [(SITE.pages,)]
    return database


def answered(site: Served) -> int:
    return sum(1 for _ in site.log.open("rb")) if site.log else 0


def stop_when(
    process: subprocess.Popen, site: Served, pages: int, number: signal.Signals
) -> tuple[int, bytes]:
    """Send a signal once the site has answered so many more requests; exit code and output."""
    goal = answered(site) + pages
    until(lambda: answered(site) >= goal or process.poll() is not None)
    process.send_signal(number)
    output, _ = process.communicate(timeout=PATIENT_S)
    return process.returncode, output


@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_crawl_ends_like_a_calm_one(
    served: Served, calm: Path, tmp_path: Path, workers: int
) -> None:
    database, chance = tmp_path / "killed.db", Random(workers)
    settings = config(run={"concurrency": 64})
    already, kills = answered(served), 5
    for _ in range(kills):
        process = crawl_apart(database, served.url(), settings=settings, workers=workers)
        code, _ = stop_when(process, served, chance.randrange(1, 150), signal.SIGKILL)
        assert code == -signal.SIGKILL
    outcome = crawl(database, served.url(), settings=settings)
    assert outcome.reason == "finished"
    assert ends(database) == ends(calm)
    hits = Counter(hit.path for hit in served.hits()[already:])
    assert set(hits) - {"/robots.txt"} == set(SITE.paths())
    unsettled = 2 * settings.run.concurrency * max(1, workers)  # out, or waiting to be stored
    assert hits.total() <= SITE.pages + 1 + kills * unsettled
    check_whole(database)


def test_a_stopped_crawl_ends_like_a_calm_one(served: Served, calm: Path, tmp_path: Path) -> None:
    database, already = tmp_path / "stopped.db", answered(served)
    for workers in (0, 2):
        process = crawl_apart(database, served.url(), workers=workers)
        code, output = stop_when(process, served, 120, signal.SIGTERM)
        assert (code, output.split()[:2]) == (0, [b"interrupted", b"signal"])
    assert crawl(database, served.url()).reason == "finished"
    assert ends(database) == ends(calm)
    asked = Counter(hit.path for hit in served.hits()[already:])
    assert set(asked.values()) == {1}, "what was in flight was finished and stored"
    states = rows(database, "SELECT state, finish_reason FROM runs ORDER BY id")
    assert states == [("interrupted", "signal"), ("interrupted", "signal"), ("finished",) * 2]


def test_a_second_signal_stops_at_once_and_nothing_is_stored_twice(
    web: Web, tmp_path: Path
) -> None:
    database = tmp_path / "crawl.db"
    web.page("/", links=[f"/{number}" for number in range(300)])
    for number in range(300):
        web.page(f"/{number}", wait_s=60 if number == 299 else 0.002 * (number % 50))
    conductor = conduct(database, web)
    crawling = gevent.spawn(conductor.run)
    until(lambda: len(web.paths) > 150)
    conductor.stop()
    conductor.stop()
    outcome = crawling.get(timeout=PATIENT_S)
    assert (outcome.state, outcome.reason) == ("interrupted", "signal")
    twice = "SELECT url_id FROM visits GROUP BY url_id HAVING count(*) > 1"
    assert rows(database, twice) == []
    web.page("/299")
    assert crawl(database, web.url()).reason == "finished"
    assert rows(database, "SELECT count(*) FROM pages") == [(301,)]
    assert rows(database, twice) == []
    check_whole(database)


def test_the_first_signal_waits_only_so_long_for_what_is_in_flight(
    web: Web, tmp_path: Path
) -> None:
    web.page("/", links=["/slow"])
    slow = web.held("/slow")
    conductor = conduct(tmp_path / "crawl.db", web, config(run={"drain_s": 0.2}))
    crawling = gevent.spawn(conductor.run)
    assert slow.asked.wait(PATIENT_S)
    conductor.stop()
    assert crawling.get(timeout=PATIENT_S).state == "interrupted"
    assert rows(tmp_path / "crawl.db", "SELECT url, state FROM urls WHERE depth = 1") == [
        (web.url("/slow"), "queued")
    ]


def test_a_run_that_was_killed_is_told_apart(served: Served, tmp_path: Path) -> None:
    database = tmp_path / "crawl.db"
    process = crawl_apart(database, served.url())
    stop_when(process, served, 50, signal.SIGKILL)
    crawl(database, served.url(), settings=config(run={"max_pages": 1}))
    states = rows(database, "SELECT state, finish_reason FROM runs ORDER BY id")
    assert states == [("interrupted", "killed"), ("finished", "max_pages")]


def conduct(database: Path, web: Web, settings: Config | None = None) -> Conductor:
    return Conductor(settings or config(), database, read_seeds(web.url()), agent=AGENT)


def test_the_same_command_goes_on_after_a_signal(
    served: Served, calm: Path, tmp_path: Path
) -> None:
    seeds, database = tmp_path / "seeds.txt", tmp_path / "crawl.db"
    seeds.write_text(served.url() + "\n")
    command = [sys.executable, "-m", "crawler", "crawl", str(seeds), "--db", str(database)]
    command += ["--workers", "1", "--quiet", "--no-analyse", "--set", "robots.sitemaps=false"]
    codes = []
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL, None):
        process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL)
        if number is None:
            process.wait(timeout=PATIENT_S)
        else:
            stop_when(process, served, 100, number)
        codes.append(process.returncode)
    assert codes == [130, 130, -signal.SIGKILL, 0]
    assert ends(database) == ends(calm)
    check_whole(database)
