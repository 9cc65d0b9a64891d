"""Is a run told as it ended, and can what is proposed be asked?"""

from __future__ import annotations

import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from crawler.store import database, queries
from crawler.store.queries import Run
from crawler.views import summary
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
    assert ended("failed", "StorageError") == "Run 3 failed: StorageError"
    assert summary.ending(None) == "No run yet"


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
