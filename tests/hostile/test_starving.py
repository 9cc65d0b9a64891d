"""Does a good host at the end of a long list have its turn, though those before never answer?"""

from __future__ import annotations

from pathlib import Path

import gevent

from crawler.crawl import Crawl
from tests.crawls import config, plan, rows
from tests.patience import PATIENT_S, until
from tests.sites.web import Web

TARPITS = 200
SLOTS = 20


def test_hosts_that_never_answer_keep_no_good_one_waiting(web: Web, tmp_path: Path) -> None:
    """At the time of an ordinary fetch, ten rounds of tarpits would take 600 s."""
    seeds = []
    for number in range(TARPITS):
        tarpit = web.host(f"127.9.0.{number + 1}")
        tarpit.raw("/robots.txt", wait_s=3600)
        seeds.append(tarpit.url())
    web.page("/", links=["/a"])
    web.page("/a")
    settings = config(robots={"first_s": 0.5}, run={"concurrency": SLOTS, "drain_s": 0})
    running = Crawl(plan(tmp_path / "crawl.db", *seeds, web.url(), settings=settings))
    crawling = gevent.spawn(running.run)
    until(lambda: running.stats().pages == 2)
    running.stop()
    assert crawling.get(timeout=PATIENT_S).outcome.state == "interrupted"
    assert rows(tmp_path / "crawl.db", "SELECT status FROM pages") == [(200,), (200,)]
