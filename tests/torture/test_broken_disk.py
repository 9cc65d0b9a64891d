"""The disk fails at any write or sync, once or for good: exit 3, and what was stored stays."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from gevent import subprocess

from crawler.errors import StorageError
from tests.crash.trial import IN_FLIGHT, Calm, Count, Trial, Watch
from tests.sites.skip import require_program

CRAWLS = 3
ROUNDS = 12
SOURCE = Path(__file__).with_name("broken_disk.c")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stands between SQLite and the kernel."""
    compiler = require_program("cc", "apt-get install gcc")
    made = tmp_path_factory.mktemp("broken") / "broken.so"
    command = [str(compiler), "-shared", "-fPIC", "-O1", "-o", str(made), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True)
    return made


@pytest.mark.parametrize("how", [errno.ENOSPC, errno.EIO], ids=["full", "broken"])
def test_a_disk_that_fails_at_any_write_loses_nothing(
    calm: Calm, tmp_path: Path, library: Path, chance: Random, count: Callable[[str], Count],
    how: int,
) -> None:  # fmt: skip
    this = count(f"{errno.errorcode[how]} at a write")
    for crawl in range(CRAWLS):
        trial = Trial(tmp_path / str(crawl), [calm.maze.seed])
        crawl_on_a_broken_disk(trial, calm, library, chance, this, how)


def crawl_on_a_broken_disk(
    trial: Trial, calm: Calm, library: Path, chance: Random, this: Count, how: int
) -> None:
    """Again and again, each time with another failure, then once without."""
    mine, mark, watch = Count(), calm.maze.asked, Watch(calm.maze)
    for number in range(ROUNDS):
        environment = {
            "LD_PRELOAD": str(library),
            "BROKEN_AT": str(int(2 ** chance.uniform(0, 10))),
            "BROKEN_HOW": str(how),
        }
        if number % 2:
            environment["BROKEN_FOR_GOOD"] = "1"
        code = trial.run(environment=environment)
        if code == 0:
            break  # a checkpoint failed, and the next one did not
        assert code == StorageError.exit_code, (environment, trial.said)
        assert trial.said.count("\n") == 1, trial.said
        assert str(trial.database) in trial.said
        this.rounds += 1
        mine.rounds += 1
        watch.note(trial)
    else:
        trial.finish()
    calm.judge(trial, mark, mine, IN_FLIGHT)
    this.refetched += mine.refetched
    assert watch.again() == set()
