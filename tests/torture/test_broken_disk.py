"""The disk fails, or the process dies, at any write or sync: what was stored stays."""

from __future__ import annotations

import errno
import signal
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from random import Random

import pytest
import sqlite_utils
from gevent import subprocess

from crawler.errors import StorageError
from crawler.failpoints import VARIABLE
from crawler.store.database import sqlite3
from crawler.store.schema import APPLICATION_ID, migrations
from tests.crash.trial import UNSETTLED, Calm, Count, Trial, Watch, check_untorn
from tests.crawls import rows
from tests.sites.skip import require_program

CRAWLS = 3
ROUNDS = 12
KILLS = 25
KILLED = -signal.SIGKILL
EVERY = 4
"""Writes between two kills, of those that a new schema takes."""
DEATH = 0
"""Stands in place of an error number."""
WAL_HEADER_BYTES = 32
WAL_FRAME_BYTES = 24 + 4096
SOURCE = Path(__file__).with_name("broken_disk.c")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands between SQLite and the kernel."""
    compiler = require_program("cc", "apt-get install gcc")
    made = tmp_path_factory.mktemp("broken") / "broken.so"
    command = [str(compiler), "-shared", "-fPIC", "-O1", "-o", str(made), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return made


def breaks(library: Path, at: int, how: int) -> dict[str, str]:
    """The environment in which a call fails."""
    return {"LD_PRELOAD": str(library), "BROKEN_AT": str(at), "BROKEN_HOW": str(how)}


@pytest.mark.parametrize("how", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
def test_a_disk_that_fails_at_any_write_loses_nothing(
    calm: Calm, tmp_path: Path, library: Path, chance: Random, count: Callable[[str], Count],
    how: int,
) -> None:  # fmt: skip
    this = count(f"{errno.errorcode[how]} at a write")
    for crawl in range(CRAWLS):
        failures = [breaks(library, any_write(chance), how) for _ in range(ROUNDS)]
        for lasting in failures[1::2]:
            lasting["BROKEN_FOR_GOOD"] = "1"
        trial = Trial(tmp_path / str(crawl), [calm.maze.seed])
        crawl_on_a_broken_disk(trial, calm, failures, this, is_refused)


def test_a_kill_at_any_write_loses_nothing(
    calm: Calm, tmp_path: Path, library: Path, chance: Random, count: Callable[[str], Count]
) -> None:
    """Half of a page may be in the file or its log then, and of a checkpoint some pages."""
    this = count("kill -9 at a write")
    for crawl in range(2):
        deaths = [breaks(library, any_write(chance), DEATH) for _ in range(KILLS)]
        trial = Trial(tmp_path / str(crawl), [calm.maze.seed])
        crawl_on_a_broken_disk(trial, calm, deaths, this, is_killed)


def any_write(chance: Random) -> int:
    """Its number; early ones are likelier."""
    return int(2 ** chance.uniform(0, 10))


def is_refused(trial: Trial, code: int) -> None:
    """In one line that names the file."""
    assert code == StorageError.exit_code, trial.said
    assert trial.said.count("\n") == 1, trial.said
    assert str(trial.database) in trial.said


def is_killed(trial: Trial, code: int) -> None:
    """And said nothing."""
    assert (code, trial.said) == (KILLED, "")


def crawl_on_a_broken_disk(
    trial: Trial,
    calm: Calm,
    failures: list[dict[str, str]],
    this: Count,
    ended: Callable[[Trial, int], None],
) -> None:
    """Again and again, each time with another failure, then once without."""
    mine, mark, watch = Count(), calm.maze.asked, Watch(calm.maze)
    for environment in failures:
        code = trial.run(environment=environment)
        if code == 0:
            break  # a checkpoint failed, and the next one did not
        ended(trial, code)
        this.rounds += 1
        mine.rounds += 1
        watch.note(trial)
    else:
        trial.finish()
    calm.judge(trial, mark, mine, UNSETTLED)
    this.refetched += mine.refetched
    assert watch.again() == set()


def test_a_kill_while_the_log_is_recovered_loses_nothing(
    calm: Calm, tmp_path: Path, library: Path, chance: Random, count: Callable[[str], Count]
) -> None:
    trial, this, mark = Trial(tmp_path, [calm.maze.seed]), count("kill -9 in recovery"), 0
    mark = calm.maze.asked
    assert trial.run(environment={VARIABLE: "after-commit:20"}) == KILLED
    kept, asked = trial.settled(), calm.maze.asked_by_the_dead
    log = Path(f"{trial.database}-wal")
    for _ in range(KILLS):
        frames = (log.stat().st_size - WAL_HEADER_BYTES) // WAL_FRAME_BYTES
        assert frames > 50
        died = in_recovery(library, chance.randint(1, frames))
        assert trial.run(environment=died) == KILLED, trial.said
        this.rounds += 1
        assert trial.settled() == kept
    assert calm.maze.asked == asked, "it came past the recovery"
    check_untorn(tmp_path / "copy.db")
    trial.finish()
    calm.judge(trial, mark, this, 1)


def in_recovery(library: Path, read: int) -> Mapping[str, str]:
    """Death at a read of the log; recovery reads each frame once, before all else."""
    return {**breaks(library, read, DEATH), "BROKEN_READS": "1"}


def test_a_kill_while_an_older_file_is_brought_up_to_date_leaves_it_and_its_backup_whole(
    calm: Calm, tmp_path: Path, library: Path, count: Callable[[str], Count]
) -> None:
    """At each of its writes: those of the backup come first, then those of the new schema."""
    this, died = count("kill -9 while a schema is renewed"), True
    while died:
        trial = Trial(tmp_path / str(this.rounds), [calm.maze.seed])
        make_older(trial.database)
        at = breaks(library, 1 + EVERY * this.rounds, DEATH)
        mark = calm.maze.asked
        code = trial.run("--max-pages", "1", environment=at)
        died = code == KILLED and calm.maze.asked == mark
        this.rounds += died
        assert trial.run("--max-pages", "1") == 0, trial.said
        check_untorn(trial.database)
        backup = trial.database.with_name(f"{trial.database.name}.schema-1.bak")
        for file in (trial.database, backup):
            assert rows(file, "PRAGMA integrity_check") == [("ok",)], this.rounds
            assert ("example.org",) in rows(file, "SELECT key FROM scopes"), this.rounds
    assert this.rounds > 10


def make_older(database: Path) -> None:
    """A file of the first schema, which had no views."""
    with closing(sqlite3.connect(str(database), isolation_level=None)) as connection:
        older = sqlite_utils.Database(connection, execute_plugins=False)
        migrations.apply(older, stop_before="first_views")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO scopes (key) VALUES ('example.org')")
