"""Are 200 hosts asked politely, all at once, and does none of them hold up another?"""

from __future__ import annotations

from pathlib import Path
from statistics import median

import gevent
import pytest

from crawler.config import Config
from tests.crawls import check_whole, config, crawl_apart, rows
from tests.politeness.checker import offences
from tests.politeness.town import GAP_S, NUMBERS, Town, town
from tests.sites.server import Hit

LONGEST_S = 90
PUBLIC = config(
    pace={"own_is_public": True, "gap_s": GAP_S, "retry_base_s": 0.3},
    fetch={"read_s": 1.0, "connect_s": 2.0, "verify_tls": False},
)


def crawl(database: Path, built: Town, settings: Config = PUBLIC) -> str:
    """Crawl a town from a process of its own; how the run ended."""
    running = crawl_apart(database, *built.seeds(), settings=settings, workers=1)
    try:
        with gevent.Timeout(LONGEST_S):
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
def alone(tmp_path_factory: pytest.TempPathFactory) -> float:
    """The time of the healthy houses when there are no others."""
    with town(healthy=NUMBERS["healthy"]) as built:
        crawl(tmp_path_factory.mktemp("alone") / "alone.db", built)
        return median(spans(built.log, built))


@pytest.mark.timeout(200)
def test_two_hundred_hosts_are_asked_politely_and_none_holds_up_another(
    tmp_path: Path, alone: float
) -> None:
    database = tmp_path / "town.db"
    with town(**NUMBERS) as built:
        assert len(built.houses) == 200
        outcome = crawl(database, built)
        log = list(built.log)
        assert offences(log, built.manners) == []
        assert outcome.startswith("finished finished 0 ")
        check_whole(database)
        fetched = set(rows(database, "SELECT url FROM pages WHERE status = 200"))
        expected = {
            (house.host.url(path),) for house in built.houses.values() for path in house.pages
        }
        assert fetched == expected
        fates = {
            url: (state, reason)
            for url, state, reason in rows(database, "SELECT url, state, reason FROM urls")
        }
        for house in built.houses.values():
            for path, fate in house.fates.items():
                assert fates[house.host.url(path)] == fate
        once = [hit for hit in log if hit.status == 200 and "robots" not in hit.path]
        pages = [hit for hit in once if hit.path != "/rules.txt"]
        assert len(pages) == len({(hit.address, hit.path) for hit in pages})
        together = median(spans(log, built))
    assert together <= 1.1 * alone
