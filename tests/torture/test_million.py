"""A million URLs wait: kills and full disks lose none of them, whenever they come.

The queue is written straight into the file, as the bench does. What a page of the site links to is
known, so that the file must hold exactly the million and what the fetched pages link to.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import gevent
import pytest
from gevent import subprocess

from crawler.errors import StorageError
from tests.bench.filling import fill
from tests.crash.disk import mount, says_in_one_line, small_disk
from tests.crash.trial import UNSETTLED, Count, Trial, check_untorn, kill_all, wait
from tests.crawls import rows
from tests.patience import until
from tests.sites.generated import GeneratedSite, Served, serve_apart

pytestmark = pytest.mark.timeout(1200)
SIZE = 1_000_000
SITE = GeneratedSite(pages=1_100_000, seed=4, latency_ms=5, jitter_ms=10)
"""Somewhat larger than the queue, so that pages link to what is new too."""
ADDRESSES = ("127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4")
ROUNDS = 50
LOOK_EVERY = 10
MUST_START_S = 10
"""Many times what a start with a million URLs takes."""
ROBOTS = "/robots.txt"
ALL = "SELECT url FROM urls"
FETCHED = "SELECT url FROM urls WHERE state = 'done' AND kind = 'page'"
TALLIES = "SELECT count(*), count(DISTINCT url), count(DISTINCT hash) FROM urls"
LINKS = """
    SELECT source.url, links.position, target.url
    FROM links
    JOIN urls AS source ON source.id = links.source_id
    JOIN urls AS target ON target.id = links.target_id
"""


@dataclass(frozen=True, slots=True)
class Queue:
    """A site, and the file of a crawl of it in which a million URLs wait."""

    served: Served
    full: Path

    @property
    def seeds(self) -> list[str]:
        """What was crawled before the queue was filled: of each host a path that is not there."""
        return [self.served.url("/start", address) for address in self.served.addresses]

    def trial(self, folder: Path, workers: int = 2, **how: Any) -> Trial:
        """A crawl that goes on with a copy of the file."""
        trial = Trial(folder, self.seeds, workers, **how)
        shutil.copyfile(self.full, trial.database)
        return trial

    def asked(self, mark: int = 0) -> list[str]:
        """The URLs that were asked for after so many requests."""
        hits = self.served.hits()[mark:]
        return [self.served.url(hit.path, hit.address) for hit in hits if hit.path != ROBOTS]

    def must_hold(self, fetched: set[str]) -> set[str]:
        """All URLs of the file when these were fetched: no fewer, no others."""
        served, size = self.served, SIZE // len(ADDRESSES)
        held = {served.url(f"/p/{at}.html", one) for one in ADDRESSES for at in range(size)}
        held.update(self.seeds, (served.url(ROBOTS, one) for one in ADDRESSES))
        for url in fetched:
            held.update(target for _, target in self.links(url))
        return held

    def links(self, url: str) -> list[tuple[int, str]]:
        """Position and target of each link of a page; none of what is not there."""
        host, _, path = url.removeprefix("http://").partition("/")
        number = SITE.number(f"/{path}")
        known = [] if number is None else SITE.links(number)
        return [(one.position, f"http://{host}{one.target}") for one in known]


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queue]:
    """The site is served apart, for this process must count while it is crawled."""
    folder = tmp_path_factory.mktemp("million")
    with serve_apart(SITE, addresses=ADDRESSES, log=folder / "access.log") as served:
        made = Queue(served, folder / "full" / "crawl.db")
        first = Trial(folder / "full", made.seeds)
        first.finish()
        fill(first.database, SIZE)
        yield made


@dataclass(slots=True)
class Ledger:
    """What was asked of the site since a trial began, and what was settled at each kill."""

    queue: Queue
    mark: int
    settled: list[tuple[int, set[str]]]

    @classmethod
    def begin(cls, queue: Queue) -> Ledger:
        """From now on."""
        return cls(queue, len(queue.served.hits()), [])

    def note(self, trial: Trial) -> None:
        """The crawl was ended just now."""
        self.settled.append((len(self.queue.served.hits()), trial.settled()))

    def judge(self, trial: Trial, count: Count, at_most_again: int) -> None:
        """All URLs are there once, with their fates, pages and links; few were fetched again."""
        database, queue = trial.database, self.queue
        check_untorn(database)
        [(many, urls, hashes)] = rows(database, TALLIES)
        count.doubled += 2 * many - urls - hashes
        fetched = {url for (url,) in rows(database, FETCHED)}
        held, must = {url for (url,) in rows(database, ALL)}, queue.must_hold(fetched)
        count.lost += len(must - held)
        assert (many, urls, hashes) == (len(must),) * 3
        assert held == must
        assert _links(database) == {url: known for url in fetched if (known := queue.links(url))}
        asked = Counter(queue.asked(self.mark))
        assert fetched <= set(asked) | set(queue.seeds), "a page that nobody asked for"
        again = asked.total() - len(asked)
        count.refetched += again
        assert again <= at_most_again
        for mark, known in self.settled:
            assert known.isdisjoint(queue.asked(mark)), "settled, and asked for again"


def _links(database: Path) -> Mapping[str, list[tuple[int, str]]]:
    found: dict[str, list[tuple[int, str]]] = {}
    for source, position, target in rows(database, LINKS):
        found.setdefault(source, []).append((position, target))
    return {source: sorted(links) for source, links in found.items()}


def let_run(process: subprocess.Popen[bytes], queue: Queue, chance: Random) -> None:
    """A moment by the clock, which may fall into the start, or by what was asked for."""
    if chance.random() < 0.5:
        gevent.sleep(chance.uniform(0.05, 1.2))
        return
    goal = _answered(queue) + chance.randint(1, 400)
    until(lambda: _answered(queue) >= goal, MUST_START_S + 20)
    assert process.poll() is None


def _answered(queue: Queue) -> int:
    """Bytes would do; lines of the log, cheaper than reading them."""
    assert queue.served.log is not None
    with queue.served.log.open("rb") as log:
        return sum(1 for _ in log)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_kill_at_any_moment_loses_none_of_a_million(
    queue: Queue, tmp_path: Path, chance: Random, count: Callable[[str], Count], workers: int
) -> None:
    trial, ledger = queue.trial(tmp_path, workers), Ledger.begin(queue)
    this = count(f"kill -9, a million queued, {workers} workers")
    for number in range(ROUNDS):
        process = trial.start()
        let_run(process, queue, chance)
        kill_all(process)
        this.rounds += 1
        ledger.note(trial)
        if number % LOOK_EVERY == 0:
            check_untorn(tmp_path / "copy.db")
    last = told(trial, "--max-pages", "1000")
    [(left,)] = rows(trial.database, "SELECT count(*) FROM urls WHERE state = 'queued'")
    assert left > SIZE // 2
    assert f": {left}" in json.dumps(last), "what is left is told"
    ledger.judge(trial, this, ROUNDS * UNSETTLED * max(1, workers))


def told(trial: Trial, *more: str) -> dict[str, object]:
    """The last line of --json, at a good end."""
    process = trial.start(*more, "--json", out=subprocess.PIPE)
    lines = process.stdout.read().splitlines()
    assert wait(process) == 0, trial.said
    last: dict[str, object] = json.loads(lines[-1])
    return last


def test_a_kill_while_a_million_are_judged_anew_loses_none(
    queue: Queue, tmp_path: Path, chance: Random, count: Callable[[str], Count]
) -> None:
    before, ledger = queue.trial(tmp_path), Ledger.begin(queue)
    assert before.run("--max-pages", "200") == 0, before.said
    rules = {"scope.exclude": r'["/p/\\d*7\\.html"]'}
    trial = Trial(tmp_path, queue.seeds, 2, rules)
    this = count("kill -9, a million judged anew")
    for latest_s in (2.0, 8.0, 15.0):
        process = trial.start()
        gevent.sleep(chance.uniform(0.7, latest_s))
        kill_all(process)
        this.rounds += 1
        ledger.note(trial)
    assert trial.run("--max-pages", "50") == 0, trial.said
    ledger.judge(trial, this, this.rounds * UNSETTLED)
    wrong = """
        SELECT url, state, reason
        FROM urls
        WHERE state <> 'done' AND kind = 'page'
            AND (url LIKE '%7.html') <> (state = 'skipped' AND reason = 'excluded')
    """
    assert rows(trial.database, wrong) == []


def test_a_disk_that_fills_while_a_million_wait_loses_none(
    queue: Queue, tmp_path: Path, count: Callable[[str], Count]
) -> None:
    """First in mid-crawl, then again as it goes on, with a kill between; then there is room."""
    room = queue.full.stat().st_size // 1_000_000 + 25
    with small_disk(tmp_path / "disk", f"{room}m") as disk:
        trial = queue.trial(tmp_path / "trial", database=disk / "crawl.db")
        this, ledger = count("disk full, a million queued"), Ledger.begin(queue)
        assert trial.run() == StorageError.exit_code
        says_in_one_line(trial, "disk is full")
        ledger.note(trial)
        process = trial.start()
        gevent.sleep(0.6)
        kill_all(process)
        ledger.note(trial)
        assert trial.run() == StorageError.exit_code, "still full"
        says_in_one_line(trial)
        ledger.note(trial)
        this.rounds += 3
        assert mount("-o", f"remount,size={room + 400}m", str(disk)) == 0
        assert trial.run("--max-pages", "500") == 0, trial.said
        ledger.judge(trial, this, 3 * UNSETTLED)
