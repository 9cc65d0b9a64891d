"""Is this file ours, and is it whole? What is not is refused in one line and left as it is."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from crawler.errors import StorageError
from crawler.failpoints import VARIABLE
from crawler.store.place import wal_of
from tests.crash.trial import UNSETTLED, Calm, Count, Trial
from tests.sites.skip import ROOT

STORAGE = StorageError.exit_code
pytestmark = pytest.mark.timeout(600)


def refuse(trial: Trial, calm: Calm, *parts: str) -> None:
    """Refused in one line, before any request, and the file is as it was."""
    before, mark = trial.database.read_bytes(), calm.maze.asked_by_the_dead
    assert trial.run() == STORAGE, trial.said
    assert trial.said.count("\n") == 1, trial.said
    for part in (str(trial.database), *parts):
        assert part in trial.said
    assert trial.database.read_bytes() == before
    assert calm.maze.asked == mark


def test_what_is_no_database_is_refused(calm: Calm, tmp_path: Path) -> None:
    trial = Trial(tmp_path, [calm.maze.seed])
    trial.database.write_bytes(b"Dear diary,\n" * 1000)
    refuse(trial, calm, "not an SQLite database")


def test_another_programs_database_is_refused(calm: Calm, tmp_path: Path) -> None:
    trial = Trial(tmp_path, [calm.maze.seed])
    with closing(sqlite3.connect(trial.database)) as connection:
        connection.execute("CREATE TABLE urls (id INTEGER PRIMARY KEY, url TEXT)")
    refuse(trial, calm, "another program's database")


def test_a_newer_crawlers_database_is_refused(calm: Calm, tmp_path: Path) -> None:
    trial = Trial(tmp_path, [calm.maze.seed])
    assert trial.run("--max-pages", "3") == 0
    with closing(sqlite3.connect(trial.database)) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
            "VALUES ('crawler', 'from_the_future', '2099-01-01')"
        )
        connection.commit()
    refuse(trial, calm, "newer crawler", "from_the_future")


def test_a_log_that_was_removed_is_told_when_the_file_is_sound(calm: Calm, tmp_path: Path) -> None:
    trial, mark = Trial(tmp_path, [calm.maze.seed]), calm.maze.asked
    assert trial.run(environment={VARIABLE: "after-commit:15"}) == -9
    _settle_into_the_file(trial)
    wal_of(trial.database).unlink()
    trial.finish()
    assert "-wal file is gone" in trial.said
    calm.judge(trial, mark, Count(1), UNSETTLED)


def _settle_into_the_file(trial: Trial) -> None:
    """Another program copies the log into the file and leaves it there, as it may."""
    script = (
        "import sqlite3, os, sys; c = sqlite3.connect(sys.argv[1]); "
        "c.execute('PRAGMA wal_checkpoint(FULL)').fetchall(); os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", script, str(trial.database)], check=True)


def test_a_file_torn_because_its_log_was_removed_is_refused(calm: Calm, tmp_path: Path) -> None:
    trial = Trial(tmp_path, [calm.maze.seed])
    assert trial.run(environment={VARIABLE: "after-commit:10"}) == -9
    _settle_into_the_file(trial)
    assert trial.run(environment={VARIABLE: "checkpoint:10"}) < 0
    wal_of(trial.database).unlink()
    mark = calm.maze.asked_by_the_dead
    assert trial.run() == STORAGE, trial.said
    assert "is damaged, its -wal file is gone" in trial.said
    assert trial.said.count("\n") == 1
    assert calm.maze.asked == mark


def test_a_second_sqlite_library_is_refused(calm: Calm, tmp_path: Path) -> None:
    trial, mark = Trial(tmp_path, [calm.maze.seed]), calm.maze.asked
    script = (
        "import crawler._patch, sqlite3, sqlite_utils.utils; "
        "sqlite_utils.utils.sqlite3 = sqlite3; "
        "import sys; sys.argv[0] = 'crawler'; from crawler.__main__ import main; main()"
    )
    command = [sys.executable, "-c", script, *trial.command[3:]]
    process = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    assert process.returncode == STORAGE, process.stderr
    assert process.stderr.count("\n") == 1
    assert "two libraries on one file lose data" in process.stderr
    assert calm.maze.asked == mark
