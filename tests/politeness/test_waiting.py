"""Are rules kept that change in mid-crawl, and is every wait seen, and cheap?"""

from __future__ import annotations

import time
from pathlib import Path

import gevent

from crawler.conductor import Conductor
from crawler.model import Stats
from tests.crawls import AGENT, check_whole, config, crawl, fates, read_seeds, rows
from tests.patience import PATIENT_S
from tests.politeness.checker import Manners, offences
from tests.sites.server import Answer, Request
from tests.sites.web import Web


def watch(conductor: Conductor, every_s: float = 0.1) -> list[Stats]:
    """Run a crawl to its end; the snapshots taken meanwhile."""
    seen: list[Stats] = []

    def look() -> None:
        while True:
            gevent.sleep(every_s)
            seen.append(conductor.stats())

    looking = gevent.spawn(look)
    try:
        with gevent.Timeout(PATIENT_S):
            conductor.run()
    finally:
        looking.kill()
    return seen


def test_rules_that_change_in_mid_crawl_are_kept_once_they_are_old(
    web: Web, tmp_path: Path
) -> None:
    age_s, gap_s, after, slack = 1.0, 0.1, 15, 5
    web.page("/", links=[f"/late/{number}" for number in range(60)] + ["/open"])
    for number in range(60):
        web.page(f"/late/{number}")
    web.page("/open")

    def rules(_request: Request) -> Answer:
        changed = len(web.paths) >= after
        body = b"User-agent: *\nDisallow: /late" if changed else b"User-agent: *\nAllow: /"
        return Answer(headers={"Content-Type": "text/plain"}, body=body)

    web.decide("/robots.txt", rules)
    settings = config(robots={"max_age_s": age_s}, pace={"own_is_public": True, "gap_s": gap_s})
    database = tmp_path / "changing.db"
    crawl(database, web.url(), settings=settings)
    asked = [hit for hit in web.log if hit.path == "/robots.txt"]
    told = next(hit for hit in asked if web.log.index(hit) >= after)
    # Pages keep their distance on the slowest machine; so many fit into the age of the rules.
    assert web.log.index(told) <= after + age_s / gap_s + slack
    assert [hit.path for hit in web.log if hit.started > told.ended and "/late" in hit.path] == []
    assert offences(web.log, {web.address: Manners(gap_s)}) == []
    found = fates(database, web.url(""))
    assert found["/open"] == ("done", None)
    late = [fate for path, fate in found.items() if path.startswith("/late")]
    assert set(late) == {("done", None), ("skipped", "robots")}
    check_whole(database)


def test_a_crawl_whose_hosts_all_rest_says_what_it_waits_for(web: Web, tmp_path: Path) -> None:
    web.answer("/", Answer(503, {"Retry-After": "2"}), Answer(body=b"<p>well again</p>"))
    conductor = Conductor(config(), tmp_path / "rest.db", read_seeds(web.url()), agent=AGENT)
    snapshots = watch(conductor)
    waiting = [one for one in snapshots if one.resting]
    assert waiting, "no snapshot shows the rest"
    for one in waiting:
        assert one.resting[0][0] == "127.0.0.1"
        assert 0 < one.resting[0][1] <= 2
        assert one.queued == 1
        assert one.next_due_s is not None
        assert one.next_due_s <= 2
    assert rows(tmp_path / "rest.db", "SELECT status FROM pages") == [(200,)]


def test_work_that_lies_too_far_ahead_ends_the_run_and_is_counted(web: Web, tmp_path: Path) -> None:
    web.page("/", links=["/busy", "/other"])
    web.raw("/busy", status=429, headers={"Retry-After": "3600"})
    web.page("/other")
    other = web.host("127.0.5.1")
    other.page("/")
    settings = config(pace={"own_is_public": True, "gap_s": 0.1}, run={"max_wait_s": 900})
    database = tmp_path / "far.db"
    outcome = crawl(database, web.url(), other.url(), settings=settings)
    assert (outcome.state, outcome.reason) == ("finished", "deferred")
    assert outcome.queued == 2
    reason, until = rows(
        database,
        "SELECT block_reason, next_fetch_at = blocked_until FROM hosts WHERE host = '127.0.0.1'",
    )[0]
    assert (reason, until) == ("retry_after: 429", 1)
    assert fates(database)[other.url()] == ("done", None)


def test_waiting_costs_next_to_nothing(web: Web, tmp_path: Path) -> None:
    web.page("/", links=["/slow"])
    web.page("/slow", wait_s=1.5)
    web.answer("/slow/2", Answer(503, {"Retry-After": "2"}), Answer(body=b"<p>here</p>"))
    web.page("/slow", links=["/slow/2"], wait_s=1.5)
    conductor = Conductor(config(), tmp_path / "slow.db", read_seeds(web.url()), agent=AGENT)
    before, began = time.process_time(), time.monotonic()
    with gevent.Timeout(PATIENT_S):
        conductor.run()
    spent, took = time.process_time() - before, time.monotonic() - began
    assert took > 3.5
    assert spent < 0.2 * took
