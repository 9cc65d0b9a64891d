"""Does a crawl wait for a network that went away, and lose nothing by it?"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import gevent
import pytest

from crawler.model import Stats
from crawler.policy import outage
from tests.crawls import AGENT, check_whole, config, read_seeds, rows
from tests.fetch.nameserver import Nameserver
from tests.patience import PATIENT_S, until
from tests.sites.web import Web

from crawler.conductor import Conductor  # isort: skip

NAMES = [f"site{number}.test" for number in range(30)]
SETTINGS = {
    "scope": {"allow_private": ["127.0.0.0/8"]},
    "fetch": {"connect_s": 0.5, "total_s": 3.0, "read_s": 1.0},
    "run": {"concurrency": 6},
}
FATES = """
    SELECT url, state, reason, attempts, status, depth
    FROM urls
    ORDER BY url
"""
FAILURES = "SELECT error, count(*) FROM visits WHERE error IS NOT NULL GROUP BY error"


@pytest.fixture(autouse=True)
def short_rests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that a test can wait for."""
    monkeypatch.setattr(outage, "PROBE_S", 0.3)


def web_of_names(web: Web) -> None:
    """Three pages on every name; all are one server, which cannot tell them apart."""
    web.page("/", links=["/a", "/b"], wait_s=0.05)
    web.page("/a", wait_s=0.05)
    web.page("/b", wait_s=0.05)


def crawl_names(
    database: Path, web: Web, server: Nameserver, patch: pytest.MonkeyPatch, *, breaks: bool
) -> list[Stats]:
    """Crawls every name; where it `breaks`, the resolver dies early and comes back later."""
    patch.setattr("crawler.fetch.fetcher.asker", lambda kind: _ask(server))
    seeds = [f"http://{name}:{web.port}/" for name in NAMES]
    one = Conductor(config(**SETTINGS), database, read_seeds(*seeds), agent=AGENT)
    seen: list[Stats] = []

    def watch() -> None:
        while True:
            seen.append(one.stats())
            gevent.sleep(0.05)

    def break_it() -> None:
        while len(web.whole_log) < 12:
            gevent.sleep(0.01)
        server.silent = True
        until(lambda: any(_is_down(stats) for stats in seen))
        gevent.sleep(2)  # some probes' time
        server.silent = False

    helpers = [gevent.spawn(watch), *([gevent.spawn(break_it)] if breaks else [])]
    try:
        with gevent.Timeout(PATIENT_S):
            assert one.run().reason == "finished"
    finally:
        gevent.killall(helpers)
    return seen


def _is_down(stats: Stats) -> bool:
    """Does the crawl wait for the network?"""
    return any(name == "the network" for name, _, _ in stats.resting)


def _ask(server: Nameserver) -> Any:
    from crawler.fetch.dns import by_ares

    return by_ares(["127.0.0.1"], server.port)


def test_a_resolver_that_dies_and_comes_back_costs_no_url_a_try(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web_of_names(web)
    server = Nameserver({name: ["127.0.0.1"] for name in NAMES})
    calm, stormy = tmp_path / "calm.db", tmp_path / "stormy.db"
    with closing(server):
        crawl_names(calm, web, server, monkeypatch, breaks=False)
        web.whole_log.clear()
        seen = crawl_names(stormy, web, server, monkeypatch, breaks=True)
    assert rows(stormy, FATES) == rows(calm, FATES)
    [(error, count)] = rows(stormy, FAILURES)
    assert error == "dns_timeout"
    assert outage.TELLING <= count <= 40, "a probe now and then, not a storm"
    told = {why for stats in seen for name, _, why in stats.resting if name == "the network"}
    assert any("network down since" in why and "probing every" in why for why in told)
    assert not any("network" in why for _, _, why in seen[-1].resting)
    assert rows(stormy, "SELECT DISTINCT errors_in_row FROM hosts") == [(0,)]
    check_whole(stormy)


def test_a_single_host_that_is_down_is_no_outage(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web_of_names(web)
    zone: dict[str, Any] = {name: ["127.0.0.1"] for name in NAMES[1:]}
    zone[NAMES[0]] = "no answer at all"
    server = Nameserver(zone)
    database = tmp_path / "one.db"
    with closing(server):
        seen = crawl_names(database, web, server, monkeypatch, breaks=False)
    assert not any(name == "the network" for stats in seen for name, _, _ in stats.resting)
    failed = rows(database, "SELECT reason, count(*) FROM urls WHERE state = 'failed' "
                  "AND kind = 'page' GROUP BY reason")  # fmt: skip
    assert failed == [("dns_timeout", 1)]
    assert rows(database, FAILURES) == [("dns_timeout", 3)]
    check_whole(database)
