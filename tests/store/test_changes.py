"""What is said to have changed, been there only in part, gone or come back?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from crawler.analyse.comparing import compare_last_runs
from crawler.errors import UsageError
from crawler.store import history
from crawler.store.database import Connection, open_for_writing
from tests.crawls import config, crawl, rows
from tests.sites.server import Answer
from tests.sites.web import Web
from tests.store.page_states import (
    BROKEN,
    BUSY,
    CUT,
    ELSEWHERE,
    FORBIDDEN,
    FURTHER,
    GONE,
    GONE_FOR_GOOD,
    MOVED,
    MOVED_ON,
    PAGE,
    SILENT,
    THERE,
    TOO_LARGE,
    UNCHANGED,
    WALL,
    WALL_OF_200,
    Seen,
    State,
    difference,
    page,
    step,
)

URLS = {PAGE: "http://a.test/", ELSEWHERE: "http://a.test/b", FURTHER: "http://a.test/c"}
MOMENT = "2026-01-01T00:00:00.000Z"


History = Sequence[Seen | None]
"""By run what was seen; None where it did not visit the page."""


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    with closing(open_for_writing(tmp_path / "crawl.db")) as opened:
        yield opened


def record(connection: Connection, history: History) -> None:
    """Make a file of this history."""
    connection.execute("BEGIN")
    for table in ("run_differences", "compared_runs", "visits", "bodies", "urls", "runs"):
        connection.execute(f"DELETE FROM {table}")
    connection.executemany(
        "INSERT INTO runs (id, started_at, state, finish_reason, config, judging, version) "
        "VALUES (?, ?, 'finished', 'finished', '{}', '{}', '0')",
        [(run, MOMENT) for run in range(1, len(history) + 1)],
    )
    connection.executemany(
        "INSERT INTO urls (id, url, hash, state, depth, via, first_seen_at, run_id) "
        "VALUES (?, ?, ?, 'done', 0, 'seed', ?, 1)",
        [(number, url, number, MOMENT) for number, url in URLS.items()],
    )
    connection.executemany(
        "INSERT INTO visits (run_id, url_id, kind, method, attempt, started_at, status, error, "
        "title, text_hash, canonical, body_id, redirect_to_id, truncated, not_modified, challenge) "
        "VALUES (?, ?, 'page', 'GET', 1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(run, PAGE, MOMENT, *seen) for run, seen in enumerate(history, 1) if seen is not None],
    )
    connection.execute("COMMIT")


def told(connection: Connection, view: str = "changes") -> list[tuple[Any, ...]]:
    """Change, what and the value before."""
    return list(connection.execute(f"SELECT change, what, before FROM {view}").fetchall())


CASES = [
    # Reports 38: title, text, status and canonical make a change; bytes alone do not.
    ("nothing", [THERE, THERE], []),
    ("its title", [THERE, page("B")], [("changed", "title", "A")]),
    ("its text", [THERE, page(text=2)], [("changed", "text", None)]),
    ("its canonical", [page(canonical="x"), THERE], [("changed", "canonical", "x")]),
    ("all of it", [THERE, page("B", 2, "x", 2)], [("changed", "title, text, canonical", "A")]),
    ("bytes alone", [THERE, page(body=2)], []),
    ("whether it may be seen", [THERE, FORBIDDEN], [("changed", "status", "200")]),
    # 39: unreachable for errors, 429 and 5xx; gone for 404 and 410; moved; returned after either.
    ("silence", [THERE, SILENT], [("unreachable", "status", "200")]),
    ("an error of the server", [THERE, BROKEN], [("unreachable", "status", "200")]),
    ("too many requests", [THERE, BUSY], [("unreachable", "status", "200")]),
    ("404", [THERE, GONE], [("gone", "status", "200")]),
    ("410", [THERE, GONE_FOR_GOOD], [("gone", "status", "200")]),
    ("a wall", [THERE, WALL], [("unreachable", "status", "200")]),
    ("a wall that calls itself good", [THERE, WALL_OF_200], [("unreachable", None, None)]),
    ("a redirect", [THERE, MOVED], [("moved", "status", "200")]),
    ("back after silence", [SILENT, THERE], [("returned", "status, title, text", None)]),
    ("back after an outage", [THERE, BROKEN, THERE], [("returned", "status", "503")]),
    ("back, and another", [THERE, GONE, page("B")], [("returned", "status, title", "404")]),
    # 40: only what differs between the two runs.
    ("gone twice", [THERE, GONE, GONE], []),
    ("silent twice", [THERE, SILENT, BROKEN], []),
    ("moved twice", [THERE, MOVED, MOVED], []),
    ("moved on", [THERE, MOVED, MOVED_ON], [("moved", "redirect", URLS[ELSEWHERE])]),
    ("an outage that ends in 404", [THERE, SILENT, GONE], [("gone", "status", None)]),
    # 17: a 304 says what the document it stands for said.
    ("304", [THERE, UNCHANGED], []),
    ("304 after an outage", [THERE, BROKEN, UNCHANGED], [("returned", "status", "503")]),
    ("new after 304", [THERE, UNCHANGED, page("B")], [("changed", "title", "A")]),
    # What was not whole says nothing of the text; what is too large is there all the same.
    ("cut by the network", [THERE, CUT], []),
    ("whole again", [CUT, THERE], []),
    ("too large", [THERE, TOO_LARGE], []),
    # What a run did not visit is as it was.
    ("not visited", [THERE, None], []),
    ("visited two runs later", [THERE, None, page("B")], [("changed", "title", "A")]),
    ("new", [None, THERE], [("new", None, None)]),
    ("new, and not there", [None, GONE], []),
]


@pytest.mark.parametrize(
    ("history", "wanted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_what_a_run_found_is_told_by_name(
    connection: Connection, history: History, wanted: list[tuple[Any, ...]]
) -> None:
    record(connection, history)
    assert told(connection) == wanted


def test_bytes_alone_are_touched_in_a_view_of_their_own(connection: Connection) -> None:
    record(connection, [THERE, page(body=2)])
    assert told(connection, "touched") == [("touched", None, None)]
    record(connection, [THERE, page("B", body=2)])
    assert told(connection, "touched") == []


ANSWERS = (
    *(page(*parts) for parts in itertools.product("AB", (1, 2), (None, "x"), (1, 2))),
    *(GONE, GONE_FOR_GOOD, FORBIDDEN, BUSY, BROKEN, SILENT, MOVED, MOVED_ON, UNCHANGED, None),
)


@settings(max_examples=150)
@given(history=some.lists(some.sampled_from(ANSWERS), min_size=2, max_size=6))
def test_any_two_runs_compare_as_the_model_does(
    shared: Connection, history: list[Seen | None]
) -> None:
    states: list[State | None] = [None]
    for at, seen in enumerate(history):
        if seen is UNCHANGED and (states[-1] is None or states[-1].document is None):
            history[at] = seen = None
        states.append(step(states[-1], seen))
    record(shared, history)
    wanted = {
        (older, newer): difference(states[older], states[newer])
        for older, newer in itertools.combinations(range(1, len(states)), 2)
    }
    found = shared.execute("SELECT from_run, to_run, change FROM differences").fetchall()
    assert {(older, newer): change for older, newer, change in found} == {
        pair: change for pair, change in wanted.items() if change is not None
    }
    assert len(found) == len({row[:2] for row in found})
    looked_for = everything(shared)
    compare_last_runs(shared)
    assert shared.execute("SELECT count(*) FROM compared_runs").fetchone() == (1,)
    assert everything(shared) == looked_for


def everything(connection: Connection) -> dict[str, list[tuple[Any, ...]]]:
    """All that the views of changes tell."""
    return {
        view: sorted(connection.execute(f"SELECT * FROM {view}").fetchall(), key=repr)
        for view in ("differences", "changes_between_runs", "changes", "touched")
    }


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    file = tmp_path_factory.mktemp("changes") / "crawl.db"
    with closing(open_for_writing(file)) as opened:
        opened.execute("PRAGMA synchronous = OFF")
        yield opened


# Through a crawl


def test_a_hidden_token_in_every_page_changes_none(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "crawl.db"
    tokens = itertools.count()

    def answer(_: object) -> Answer:
        token = f'<input type=hidden value="{next(tokens)}">'
        body = f"<title>A</title><p>the same words{token}".encode()
        return Answer(200, {"Content-Type": "text/html"}, body)

    web.decide("/", answer)
    for _ in range(2):
        crawl(database, web.url())
    assert rows(database, "SELECT url FROM changes") == []
    assert rows(database, "SELECT url FROM touched") == [(web.url("/"),)]


def test_a_site_that_is_down_is_not_gone(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "crawl.db"
    web.page("/", links=["/a"])
    web.page("/a")
    quick = config(robots={"obey": False})
    crawl(database, web.url(), settings=quick)
    for path in ("/", "/a"):
        web.raw(path, status=503)
    crawl(database, web.url(), settings=quick)
    assert rows(database, "SELECT change, count(*) FROM changes GROUP BY change") == [
        ("unreachable", 2)
    ]


# Which runs are compared


@pytest.fixture
def three(connection: Connection) -> Connection:
    """Runs that began on the first of three months; the second did not come to its end."""
    record(connection, [THERE, page("B"), GONE])
    for run in (1, 2, 3):
        connection.execute(
            "UPDATE runs SET started_at = ? WHERE id = ?", (f"2026-0{run}-01T12:00:00.000Z", run)
        )
    connection.execute("UPDATE runs SET finish_reason = 'signal' WHERE id = 2")
    return connection


@pytest.mark.parametrize(
    ("asked", "compared"),
    [
        ({}, (1, 3)),
        ({"older": 2}, (2, 3)),
        ({"older": 1, "newer": 2}, (1, 2)),
        ({"newer": 2}, (1, 2)),
        ({"since": "2026-02-01"}, (1, 3)),
        ({"since": "2026-02-02"}, (2, 3)),
        ({"since": "2026-02-01T13:00:00+02:00"}, (1, 3)),
        ({"since": "2026-02-01T15:00:00+02:00"}, (2, 3)),
        ({"since": "2026-02-15", "newer": 3}, (2, 3)),
    ],
)
def test_runs_are_chosen_by_number_or_date(
    three: Connection, asked: dict[str, Any], compared: tuple[int, int]
) -> None:
    assert history.pair(three, **asked) == history.Pair(*compared)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"older": 4}, "no run 4 (there are 1 to 3)"),
        ({"older": 3}, "run 3 is not before run 3"),
        ({"older": 3, "newer": 1}, "run 3 is not before run 1"),
        ({"since": "yesterday"}, "--since yesterday: is no date; write it as 2026-11-30"),
        ({"since": "2026-01-01"}, "no run began before then (the first began 2026-01-01T12:00"),
        ({"since": "2026-01-01"}, "; a time of a day may be named, too: 2026-11-30T15:00"),
        ({"since": "2026-04-01"}, "run 3 is not before run 3"),
    ],
)
def test_runs_that_cannot_be_compared_are_refused(
    three: Connection, asked: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError) as refused:
        history.pair(three, **asked)
    assert told in str(refused.value)


def test_a_first_run_has_nothing_to_be_compared_with(connection: Connection) -> None:
    assert history.pair(connection) is None
    record(connection, [THERE])
    assert history.pair(connection) is None


def test_what_is_told_of_two_runs_is_what_their_view_says(three: Connection) -> None:
    told = history.changes(three, history.Pair(1, 2))
    assert told.columns[:4] == ("change", "url", "what", "before")
    assert [row[:4] for row in told.rows] == [("changed", URLS[PAGE], "title", "A")]


# What an analysis keeps


def test_what_an_analysis_found_to_differ_is_not_looked_for_again(connection: Connection) -> None:
    """Its visits are changed behind its back, which no crawler does."""
    record(connection, [THERE, page("B")])
    compare_last_runs(connection)
    connection.execute("UPDATE visits SET changed = 0")
    for view in ("changes", "differences"):
        assert told(connection, view) == [("changed", "title", "A")]
    pair = history.Pair(1, 2)
    assert [row[0] for row in history.changes(connection, pair).rows] == ["changed"]


def test_what_was_compared_in_another_way_is_compared_anew(connection: Connection) -> None:
    record(connection, [THERE, page("B")])
    compare_last_runs(connection)
    connection.execute("UPDATE compared_runs SET version = 0")
    connection.execute("UPDATE run_differences SET change = 'gone'")
    assert told(connection) == [("changed", "title", "A")]
    compare_last_runs(connection)
    assert connection.execute("SELECT change FROM run_differences").fetchall() == [("changed",)]


def test_runs_without_one_before_them_are_not_compared(connection: Connection) -> None:
    record(connection, [THERE])
    compare_last_runs(connection)
    assert connection.execute("SELECT count(*) FROM compared_runs").fetchone() == (0,)


PAGES_OF_MANY = 40


@pytest.fixture
def many(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> Connection:
    """Two runs between which 40 pages changed and every tenth is gone; 30 count as many."""
    record(connection, [None, None])
    monkeypatch.setattr(history, "MOST_SORTED", 30)
    for number in range(10, 10 + PAGES_OF_MANY):
        connection.execute(
            "INSERT INTO urls (id, url, hash, state, depth, via, first_seen_at, run_id) "
            "VALUES (?, ?, ?, 'done', 0, 'seed', ?, 1)",
            (number, f"http://a.test/{number * 7 % PAGES_OF_MANY:02}", number, MOMENT),
        )
        for run in (1, 2):
            seen = GONE if run == 2 and number % 10 == 0 else page("AB"[run - 1])
            connection.execute(
                "INSERT INTO visits (run_id, url_id, kind, method, attempt, started_at, status, "
                "error, title, text_hash, canonical, body_id, redirect_to_id, truncated, "
                "not_modified, challenge) VALUES (?, ?, 'page', 'GET', 1, ?, ?, ?, ?, ?, ?, ?, ?, "
                "?, ?, ?)",
                (run, number, MOMENT, *seen),
            )
    return connection


def changes_of(connection: Connection) -> list[tuple[str, str]]:
    return [row[:2] for row in history.changes(connection, history.Pair(1, 2)).rows]


@pytest.mark.parametrize("analysed", [False, True])
def test_few_changes_come_by_address_the_pages_that_are_gone_first(
    many: Connection, analysed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "MOST_SORTED", PAGES_OF_MANY)
    if analysed:
        compare_last_runs(many)
    found = changes_of(many)
    assert not history.are_many(many, history.Pair(1, 2))
    assert found == sorted(found, key=lambda row: (row[0] == "changed", row))
    assert len(found) == PAGES_OF_MANY


@pytest.mark.parametrize("analysed", [False, True])
def test_many_changes_come_as_they_were_found_and_all_of_them(
    many: Connection, analysed: bool
) -> None:
    everything = sorted(changes_of(many))
    if analysed:
        compare_last_runs(many)
    assert history.are_many(many, history.Pair(1, 2))
    found = changes_of(many)
    assert sorted(found) == everything
    assert len(found) == PAGES_OF_MANY
    if analysed:
        assert [change for change, _ in found[:5]] == ["gone"] * 4 + ["changed"]
