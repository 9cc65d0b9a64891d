"""Are 200 hosts asked politely, all at once, and does none of them hold up another?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import gevent
import pytest

from crawler.config import Config
from tests.crawls import check_whole, config, crawl_apart, rows
from tests.patience import stretch
from tests.politeness.checker import offences
from tests.politeness.town import GAP_S, NUMBERS, Town, town
from tests.sites.server import Hit

pytestmark = pytest.mark.timeout(1200)
LONGEST_S = 90


@dataclass(frozen=True)
class Crawled:
    """A town that was crawled. slower: than where nobody else works, as `stretch` says."""

    town: Town
    database: Path
    outcome: str
    slower: float


def public(slower: float) -> Config:
    """As hosts of strangers are crawled."""
    return config(
        pace={"own_is_public": True, "gap_s": GAP_S, "retry_base_s": 0.3},
        fetch={"read_s": slower * 1.0, "connect_s": slower * 2.0, "verify_tls": False},
        robots={"first_s": slower * 5.0},
    )


def crawl(database: Path, built: Town, slower: float) -> str:
    """Crawl a town from a process of its own; how the run ended."""
    running = crawl_apart(database, *built.seeds(), settings=public(slower), workers=1)
    try:
        with gevent.Timeout(slower * LONGEST_S):
            output, _ = running.communicate()
    finally:
        running.kill()
    return str(output.decode())


def spans(log: list[Hit], built: Town) -> list[float]:
    """Of each healthy house, the time from the crawl's first request to the house's last page."""
    began = min(hit.started for hit in log)
    ends = {hit.address: hit.ended for hit in sorted(log, key=lambda hit: hit.ended)}
    return [ends[address] - began for address, house in built.houses.items() if house.healthy]


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Crawled]:
    """The town, after a crawl of it."""
    slower, database = stretch(), tmp_path_factory.mktemp("town") / "town.db"
    with town(**NUMBERS) as built:
        outcome = crawl(database, built, slower)
        yield Crawled(built, database, outcome, max(slower, stretch()))


def test_two_hundred_hosts_are_asked_politely(crawled: Crawled) -> None:
    built, database = crawled.town, crawled.database
    log = list(built.log)
    assert len(built.houses) == 200
    assert offences(log, built.manners) == []
    assert crawled.outcome.startswith("finished finished 0 ")
    check_whole(database)
    fetched = set(rows(database, "SELECT url FROM pages WHERE status = 200"))
    houses = built.houses.values()
    assert fetched == {(house.host.url(path),) for house in houses for path in house.pages}
    fates = {
        url: (state, reason)
        for url, state, reason in rows(database, "SELECT url, state, reason FROM urls")
    }
    for house in houses:
        for path, fate in house.fates.items():
            assert fates[house.host.url(path)] == fate
    once = [hit for hit in log if hit.status == 200 and "robots" not in hit.path]
    pages = [hit for hit in once if hit.path != "/rules.txt"]
    assert len(pages) == len({(hit.address, hit.path) for hit in pages})


def test_no_house_holds_up_another(crawled: Crawled, tmp_path: Path) -> None:
    with town(healthy=NUMBERS["healthy"]) as built:
        crawl(tmp_path / "alone.db", built, 1.0)
        alone = median(spans(built.log, built))
    if max(crawled.slower, stretch()) > 1.0:
        pytest.skip("others work on this machine, so what takes long here tells nothing")
    assert median(spans(crawled.town.log, crawled.town)) <= 1.1 * alone
