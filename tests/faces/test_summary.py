"""Is a run told as it ended, and can what is proposed be asked?"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from crawler.faces import summary
from crawler.faces.screen import Screen, Stream
from crawler.store import database, queries
from crawler.store.queries import Run
from tests.sites.skip import require_program

RUN = Run(
    id=3,
    state="finished",
    reason="finished",
    started_at="2026-11-23T12:00:00.000Z",
    elapsed_s=2.0,
    seeds_file="seeds.txt",
    pid=0,
    pages=8,
    errors=1,
    bytes=1000,
)


def ended(state: str, reason: str | None, pid: int = 0) -> str:
    """How a run of this state and reason is told."""
    return summary.ending(
        Run(3, state, reason, RUN.started_at, 2.0, "seeds.txt", pid, pages=8, errors=1, bytes=1)
    )


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    """A database of ours with nothing in it."""
    path = tmp_path / "empty.db"
    database.open_for_writing(path).close()
    return path


def test_every_end_of_a_run_has_its_words() -> None:
    assert summary.ending(RUN) == "Run 3 finished: nothing is left to fetch"
    again = "run the same command again to go on"
    for reason in ("max_pages", "max_time"):
        assert ended("finished", reason).endswith(again)
    assert ended("interrupted", "signal") == f"Run 3 interrupted: {again}"
    assert "only be fetched later" in ended("finished", "deferred")
    assert ended("interrupted", "deserted").endswith(f"start them, and {again}")
    assert ended("failed", "StorageError") == "Run 3 failed: StorageError"
    assert summary.ending(None) == "No run yet"


def test_a_shard_tells_that_others_have_not_taken_what_it_found(empty: Path) -> None:
    with closing(database.open_for_writing(empty)) as connection:
        connection.execute(
            "INSERT INTO runs (id, started_at, state, finish_reason, config, judging, version) "
            "VALUES (1, ?, 'finished', 'max_time', '{}', '', '')",
            (RUN.started_at,),
        )
        connection.execute("INSERT INTO outbox (peer, number, message) VALUES (2, 1, x'90')")
        told = summary.remains(summary.of_run(connection, empty))
        assert told.startswith("What was found for other shards waits in this file")
        connection.execute("DELETE FROM outbox")
        assert summary.remains(summary.of_run(connection, empty)) == "Nothing is left to fetch"


def test_a_run_whose_process_is_gone_was_killed() -> None:
    assert ended("running", None, os.getpid()).startswith("Run 3 is going on")
    with subprocess.Popen(["true"]) as process:
        process.wait()
    assert ended("running", None, process.pid).startswith("Run 3 interrupted: it was killed")


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("data/x.db", "data/x.db"),
        ("my crawl.db", "'my crawl.db'"),
        ("-x.db", "./-x.db"),
        ("it's.db", "'it'\"'\"'s.db'"),
        ("$HOME.db", "'$HOME.db'"),
    ],
)
def test_a_path_is_told_as_a_shell_reads_it(path: str, shown: str) -> None:
    assert summary.shown_path(Path(path)) == shown


def test_nothing_proposed_means_anything_to_a_shell() -> None:
    for _, statement in queries.PROPOSALS:
        assert not set(statement) & set('"$`\\!\n')


def test_an_empty_crawl_too_gets_three_proposals(empty: Path) -> None:
    with queries.reading(empty) as connection:
        told = summary.of_run(connection, empty)
    assert told.run is None
    assert len(told.proposals) == 3


def test_what_changed_is_proposed_once_there_is_something_to_compare(empty: Path) -> None:
    proposed = "SELECT change, count(*) AS pages FROM changes GROUP BY change"
    with closing(database.open_for_writing(empty)) as connection:
        add_run(connection, 1, hour=1)
        add_page(connection, 1, first_seen_hour=1)
        assert proposed not in queries.proposals(connection, 3)
        add_run(connection, 2, hour=2)
        assert proposed not in queries.proposals(connection, 3)
        add_page(connection, 2, first_seen_hour=2)
        assert queries.proposals(connection, 3)[0] == proposed
        assert connection.execute(proposed).fetchall() == [("new", 1)]


def test_a_list_that_is_cut_says_how_much_is_left_out(empty: Path) -> None:
    reasons = [f"reason_{number}" for number in range(11)]
    with closing(database.open_for_writing(empty)) as connection:
        add_run(connection, 1, hour=1, reason="deferred")
        for number, reason in enumerate(reasons):
            add_url(connection, number + 1, "failed", reason)
            connection.execute(
                "INSERT INTO seeds (run_id, line, text, url_id) VALUES (1, ?, 'seed', ?)",
                (number + 1, number + 1),
            )
            connection.execute(
                "INSERT INTO hosts (host, registered_domain, queued) VALUES (?, 'x.example', 1)",
                (f"h{number}.x.example",),
            )
    lines = shown(empty, summary.of_run)
    assert [line.split() for line in lines if "more" in line] == [
        ["and", more, "more"] for more in ("3", "6", "6", "1")
    ]


def test_a_host_that_answers_with_walls_is_named(empty: Path) -> None:
    """More than a tenth of its answers are challenges; exactly a tenth is borne."""
    with closing(database.open_for_writing(empty)) as connection:
        add_run(connection, 1, hour=1)
        for host, name in enumerate(("walled.example", "open.example"), 1):
            connection.execute(
                "INSERT INTO hosts (id, host, registered_domain) VALUES (?, ?, ?)",
                (host, name, name),
            )
            for number in range(10 * host, 10 * host + 10):
                add_page(connection, number, first_seen_hour=1)
                wall = "cloudflare" if number in (10, 11, 20) else None
                connection.execute(
                    "UPDATE pages SET host_id = ?, challenge = ? WHERE id = ?", (host, wall, number)
                )
    told = "2  of 10 answers of walled.example are challenges: its audit is not to be trusted"
    lines = [line for line in shown(empty, summary.of_run) if "challenges" in line]
    assert [line.split(maxsplit=1) for line in lines] == [["hosts", told]]


def test_done_urls_are_told_by_what_they_answered(empty: Path) -> None:
    with closing(database.open_for_writing(empty)) as connection:
        add_run(connection, 1, hour=1)
        for number, status in enumerate([200, 200, 404, 200, 301, 404], 1):
            add_url(connection, number, "done", None, status)
        for number, status in enumerate(range(500, 507), 100):
            add_url(connection, number, "done", None, status)
        add_url(connection, 50, "failed", "http_503", 503)
    told = "done: 3 x 200, 2 x 404, 1 x 301, 1 x 500, 1 x 501, 1 x 502, and 4 more"
    lines = shown(empty, summary.of_run)
    assert [line.split(maxsplit=2) for line in lines if " done: " in line] == [["URLs", "13", told]]
    assert any(line.split(maxsplit=1) == ["1", "failed: http_503"] for line in lines)


def test_what_waits_is_counted_once_and_by_its_hosts(empty: Path) -> None:
    with closing(database.open_for_writing(empty)) as connection:
        add_run(connection, 1, hour=1)
        for number in range(1, 4):
            add_url(connection, number, "queued", None)
        connection.execute(
            "INSERT INTO hosts (host, registered_domain, queued, next_fetch_at, block_reason) "
            "VALUES ('a.example', 'a.example', 2, NULL, NULL), "
            "('b.example', 'b.example', 1, '9999-01-01T00:00:00.000Z', 'crawl_delay')"
        )
    lines = shown(empty, summary.of_moment)
    assert [line.split() for line in lines if "queued" in line] == [["left", "3", "queued"]]
    assert "  2  waiting on a.example" in "\n".join(lines)
    assert re.search(r" 1  waiting on b\.example, which rests .* \(crawl_delay\)", "\n".join(lines))


def shown(path: Path, told: Callable[[database.Connection, Path], summary.Summary]) -> list[str]:
    """The lines of a summary."""
    out = path.with_name("out")
    with queries.reading(path) as connection, out.open("wb") as file:
        summary.show(told(connection, path), Screen(Stream(file.fileno())))
    return out.read_text(encoding="utf-8").splitlines()


def add_run(
    connection: database.Connection, number: int, *, hour: int, reason: str = "finished"
) -> None:
    """A finished run that took half an hour."""
    connection.execute(
        "INSERT INTO runs (id, started_at, finished_at, state, finish_reason, config, judging, "
        "version) VALUES (?, ?, ?, 'finished', ?, '{}', '{}', '0')",
        (number, at(hour), at(hour, 30), reason),
    )


def add_url(
    connection: database.Connection,
    number: int,
    state: str,
    reason: str | None,
    status: int | None = None,
) -> None:
    """A URL of this fate."""
    connection.execute(
        "INSERT INTO urls (id, url, hash, state, reason, status, depth, via, first_seen_at, "
        "run_id) VALUES (?, ?, ?, ?, ?, ?, 0, 'seed', ?, 1)",
        (number, f"http://a.example/{number}", number, state, reason, status, at(1)),
    )


def add_page(connection: database.Connection, number: int, *, first_seen_hour: int) -> None:
    """A good page, first visited by the run that began in that hour, and again by the last."""
    add_url(connection, number, "done", None, 200)
    connection.execute(
        "INSERT INTO visits (run_id, url_id, kind, method, attempt, started_at, status) "
        "VALUES (?, ?, 'page', 'GET', 1, ?, 200)",
        (first_seen_hour, number, at(first_seen_hour, 1)),
    )
    connection.execute(
        "INSERT INTO pages (id, url, depth, status, fetched_at, document_at, first_seen_at) "
        "VALUES (?, ?, 0, 200, ?, ?, ?)",
        (number, f"http://a.example/{number}", at(3), at(3), at(first_seen_hour, 1)),
    )


def at(hour: int, minute: int = 0) -> str:
    """A moment of one day."""
    return f"2026-11-23T{hour:02}:{minute:02}:00.000Z"


def test_everything_proposed_can_be_asked_with_plain_sqlite3(empty: Path) -> None:
    program = require_program("sqlite3", "apt-get install sqlite3")
    for worth, statement in queries.PROPOSALS:
        for asked in (worth, statement):
            ran = subprocess.run([program, empty, asked], capture_output=True, text=True)
            assert (ran.returncode, ran.stderr) == (0, "")


def test_every_view_has_a_question(empty: Path) -> None:
    with queries.reading(empty) as connection:
        asked = queries.views(connection)
    assert len(asked) >= 15
    assert all(view.question.endswith(".") for view in asked)


def test_a_view_that_a_person_added_can_be_asked(empty: Path) -> None:
    with closing(database.open_for_writing(empty)) as connection:
        connection.execute('CREATE VIEW "my "" view" AS SELECT 1 AS one, x\'00ff\' AS two')
    with queries.reading(empty) as connection:
        rows = queries.ask(connection, 'my " view')
        assert (rows.columns, list(rows.rows)) == (("one", "two"), [(1, b"\x00\xff")])
