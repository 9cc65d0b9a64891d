"""Is every page planned by what its visits saw, and does a run keep to the plan?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from crawler.analyse.run import analyse
from crawler.policy.revisit import DAY_S, Access, interval_s, rate_per_s
from crawler.store import plan
from crawler.store.clock import epoch, iso
from crawler.store.database import Connection, open_for_writing
from tests.crawls import config, crawl, rows
from tests.patience import PATIENT_S
from tests.sites.skip import ROOT
from tests.sites.web import Web
from tests.store.page_states import (
    BROKEN,
    GONE,
    MOVED,
    MOVED_ON,
    SILENT,
    THERE,
    UNCHANGED,
    WALL,
    Seen,
    page,
)
from tests.store.test_changes import URLS, record

START = epoch("2026-01-01T00:00:00.000Z")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with closing(open_for_writing(tmp_path / "crawl.db")) as opened:
        yield opened


def planned(connection: Connection, days: dict[float, Seen], often_s: float = DAY_S) -> Any:
    """The plan of a page that was seen like this on these days."""
    record(connection, list(days.values()))
    for run, day in enumerate(days, 1):
        moment = iso(START + day * DAY_S)
        connection.execute("UPDATE visits SET started_at = ? WHERE run_id = ?", (moment, run))
    connection.execute("DELETE FROM pages")
    connection.execute(
        "INSERT INTO pages (id, url, depth, fetched_at, first_seen_at, visits) "
        "VALUES (1, ?, 0, ?, ?, ?)",
        (URLS[1], moment, moment, len(days)),
    )
    assert plan.update(connection, often_s=often_s) == 1
    assert plan.update(connection, often_s=often_s) == 0, "planned already"
    return connection.execute(
        "SELECT accesses, changes, interval_s, changes_per_day, due_at FROM revisits"
    ).fetchone()


B, C = page("B"), page("C")
HISTORIES: list[tuple[str, dict[float, Seen], list[tuple[float, bool]]]] = [
    # what was seen on which day; days between two visits that tell something, and did it change
    ("once", {0: THERE}, []),
    ("confirmed", {0: THERE, 2: UNCHANGED, 5: UNCHANGED}, [(2, False), (3, False)]),
    ("sent again", {0: THERE, 2: THERE}, [(2, False)]),
    ("title", {0: THERE, 2: B, 3: UNCHANGED}, [(2, True), (1, False)]),
    ("text", {0: THERE, 4: page(text=2)}, [(4, True)]),
    ("canonical", {0: THERE, 4: page(canonical="x")}, [(4, True)]),
    ("bytes that nobody reads", {0: THERE, 4: page(body=2)}, [(4, False)]),
    ("an outage tells nothing", {0: THERE, 1: BROKEN, 2: SILENT, 3: WALL, 4: THERE}, [(4, False)]),
    ("changed behind an outage", {0: THERE, 1: BROKEN, 4: B}, [(4, True)]),
    ("gone", {0: THERE, 1: GONE, 3: GONE}, [(1, True), (2, False)]),
    ("moved, and on", {0: THERE, 1: MOVED, 2: MOVED_ON, 3: MOVED_ON}, [
        (1, True), (1, True), (1, False),
    ]),
    ("back again", {0: THERE, 1: GONE, 2: THERE}, [(1, True), (1, True)]),
    ("never there", {0: SILENT, 1: SILENT}, []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("days", "accesses"), [case[1:] for case in HISTORIES], ids=[case[0] for case in HISTORIES]
)
def test_a_page_is_planned_by_the_visits_that_tell_something(
    connection: Connection, days: dict[float, Seen], accesses: list[tuple[float, bool]]
) -> None:
    count, changes, interval, per_day, due_at = planned(connection, days)
    assert (count, changes) == (len(accesses), sum(changed for _, changed in accesses))
    rate = rate_per_s([Access(length * DAY_S, changed) for length, changed in accesses])
    assert per_day == pytest.approx(rate * DAY_S)
    assert interval == round(interval_s(rate, often_s=DAY_S))
    last = START + max(days) * DAY_S
    wait = interval if days[max(days)] not in (BROKEN, SILENT, WALL) else min(interval, DAY_S)
    assert epoch(due_at) == pytest.approx(last + wait, abs=1)


def test_a_page_out_of_reach_is_tried_again_after_a_day(connection: Connection) -> None:
    *_, interval, _, due_at = planned(connection, {0: THERE, 30: UNCHANGED, 60: SILENT})
    assert interval > DAY_S
    assert due_at == iso(START + 61 * DAY_S)


def test_only_the_last_visits_count(connection: Connection) -> None:
    early = {float(day): (THERE, B)[day % 2] for day in range(30)}
    late = {float(day): UNCHANGED for day in range(30, 51)}
    count, changes, *_ = planned(connection, early | late)
    assert (count, changes) == (20, 0)


def test_another_setting_plans_anew(connection: Connection) -> None:
    planned(connection, {0: THERE})
    assert plan.update(connection, often_s=60) == 1
    assert connection.execute("SELECT often_s FROM revisits").fetchall() == [(60,)]


# crawler crawl --due


DUE = config(run={"due": True}, robots={"obey": False})
USUAL = config(robots={"obey": False})


def visited(database: Path, run: int) -> list[str]:
    sql = "SELECT url FROM visits JOIN urls ON urls.id = url_id WHERE visits.run_id = ? ORDER BY 1"
    return [url for (url,) in rows(database, sql, run)]


@pytest.fixture
def three(web: Web, tmp_path: Path) -> Path:
    """A site of three pages, crawled once."""
    web.page("/", links=["/a", "/b"])
    web.page("/a")
    web.page("/b")
    crawl(tmp_path / "crawl.db", web.url(), settings=USUAL)
    return tmp_path / "crawl.db"


def wind_back(database: Path, path: str, days: float) -> None:
    """As if a page had been visited so long ago."""
    with closing(open_for_writing(database)) as connection:
        [(url_id, at)] = connection.execute(
            "SELECT id, fetched_at FROM pages WHERE url LIKE ?", (f"%{path}",)
        )
        then = iso(epoch(at) - days * DAY_S)
        connection.execute("UPDATE pages SET fetched_at = ? WHERE id = ?", (then, url_id))
        connection.execute("UPDATE visits SET started_at = ? WHERE url_id = ?", (then, url_id))


def test_nothing_is_visited_that_is_not_due(web: Web, three: Path) -> None:
    outcome = crawl(three, web.url(), settings=DUE)
    assert (outcome.state, outcome.reason) == ("finished", "finished")
    assert visited(three, 2) == []


def test_what_is_due_is_visited_and_what_it_brings(web: Web, three: Path) -> None:
    wind_back(three, "/a", 100)
    web.page("/a", links=["/new"])
    crawl(three, web.url(), settings=DUE)
    assert visited(three, 2) == [web.url("/a"), web.url("/new")]
    crawl(three, web.url(), settings=DUE)
    assert visited(three, 3) == []


def test_what_was_visited_by_a_clock_ahead_is_due(web: Web, three: Path) -> None:
    """Or it would not be visited before that moment has come, and an interval has passed."""
    wind_back(three, "/a", -365)
    crawl(three, web.url(), settings=DUE)
    assert visited(three, 2) == [web.url("/a")]
    crawl(three, web.url(), settings=DUE)
    assert visited(three, 3) == []


@pytest.mark.parametrize(("days", "times"), [(0, 1), (2, 2), (-365, 2)])
def test_what_pages_are_made_of_is_due_as_often_as_a_page_can_be(
    web: Web, tmp_path: Path, days: float, times: int
) -> None:
    web.page("/", body='<img src="/i.png">')
    web.raw("/i.png", headers={"Content-Type": "image/png"}, body=b"\x89PNG")
    file, fetched = tmp_path / "crawl.db", config(assets={"mode": "fetch"}, robots={"obey": False})
    crawl(file, web.url(), settings=fetched)
    with closing(open_for_writing(file)) as connection:
        [(at,)] = connection.execute("SELECT started_at FROM visits WHERE kind = 'asset'")
        then = iso(epoch(at) - days * DAY_S)
        connection.execute("UPDATE visits SET started_at = ? WHERE kind = 'asset'", (then,))
    crawl(file, web.url(), settings=msgspec.structs.replace(fetched, run=DUE.run))
    assert web.paths.count("/i.png") == times


def test_a_new_seed_is_due(web: Web, three: Path) -> None:
    web.page("/seed")
    crawl(three, web.url(), web.url("/seed"), settings=DUE)
    assert visited(three, 2) == [web.url("/seed")]


def test_a_run_without_it_visits_all(web: Web, three: Path) -> None:
    crawl(three, web.url(), settings=USUAL)
    assert len(visited(three, 2)) == 3


# crawler plan


def ask(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "crawler", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENT_S, check=False,
    )  # fmt: skip


def test_the_plan_can_be_read(web: Web, three: Path) -> None:
    wind_back(three, "/b", 5)
    told = ask("analyse", "--db", str(three), "--quiet")
    assert told.returncode == 0, told.stderr
    told = ask("plan", "--db", str(three), "--json")
    first, *others = map(json.loads, told.stdout.splitlines())
    assert first["url"] == web.url("/b")
    assert {first["why"], *(one["why"] for one in others)} == {"visited once"}
    assert [one["due_at"] for one in others] == sorted(one["due_at"] for one in others)
    table = ask("plan", "--db", str(three), "--csv").stdout.splitlines()
    assert table[0].startswith("due_at,url,why,interval_days")
    assert len(table) == 4


def test_a_plan_that_is_older_than_the_last_run_says_so(web: Web, three: Path) -> None:
    older = f"older than the last run; make it anew with: crawler analyse --db {three}"
    assert older in ask("plan", "--db", str(three)).stderr, "it was never planned"
    analyse(three, USUAL, lambda *_: None, processes=1)
    assert "older" not in ask("plan", "--db", str(three)).stderr
    crawl(three, web.url(), settings=USUAL)
    assert older in ask("plan", "--db", str(three)).stderr
    analyse(three, USUAL, lambda *_: None, processes=1)
    assert "older" not in ask("plan", "--db", str(three)).stderr
