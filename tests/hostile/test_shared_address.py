"""Is an address that many hosts share asked as gently as one host, from the first moment on?"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from crawler.fetch.dns import by_ares
from tests.crawls import check_whole, config, crawl, rows
from tests.fetch.nameserver import Nameserver
from tests.sites.server import Hit
from tests.sites.web import Web

DOMAINS = [f"domain{number}.test" for number in range(120)]
PER_IP, GAP_S = 4, 0.1
SETTINGS = config(
    scope={"allow_private": ["127.0.0.0/8"]},
    pace={"own_is_public": True, "gap_s": GAP_S, "per_ip": PER_IP, "response_factor": 0},
)


def most_at_once(log: list[Hit]) -> int:
    """Requests that the server had in hand at the same time, at most."""
    changes = sorted([(hit.started, 1) for hit in log] + [(hit.ended, -1) for hit in log])
    running, most = 0, 0
    for _, change in changes:
        running += change
        most = max(most, running)
    return most


@pytest.mark.parametrize("workers", [0, 2])
def test_seeds_of_many_domains_on_one_address_stay_within_its_cap(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    web.page("/", wait_s=0.05)
    with closing(Nameserver({name: ["127.0.0.1"] for name in DOMAINS})) as names:
        ask = partial(by_ares, ["127.0.0.1"], names.port)
        monkeypatch.setattr("crawler.fetch.fetcher.asker", lambda kind: ask())
        for name, value in names.environment().items():  # of the workers' processes
            monkeypatch.setenv(name, value)
        seeds = [f"http://{name}:{web.port}/" for name in DOMAINS]
        outcome = crawl(tmp_path / "crawl.db", *seeds, settings=SETTINGS, workers=workers)
    assert outcome.reason == "finished"
    assert most_at_once(web.whole_log) <= PER_IP
    took = max(hit.ended for hit in web.whole_log) - min(hit.started for hit in web.whole_log)
    assert len(web.whole_log) <= PER_IP * (took / GAP_S + 1)
    assert rows(tmp_path / "crawl.db", "SELECT count(*) FROM pages WHERE status = 200") == [(120,)]
    check_whole(tmp_path / "crawl.db")
