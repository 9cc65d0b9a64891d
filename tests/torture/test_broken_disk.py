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

ROUNDS = 24
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
    trial, watch = Trial(tmp_path, [calm.maze.seed]), Watch(calm.maze)
    this, mark = count(f"{errno.errorcode[how]} at a write"), calm.maze.asked
    for number in range(ROUNDS):
        environment = {
            "LD_PRELOAD": str(library),
            "BROKEN_AT": str(int(2 ** chance.uniform(0, 11))),
            "BROKEN_HOW": str(how),
        }
        if number % 2:
            environment["BROKEN_FOR_GOOD"] = "1"
        code = trial.run(environment=environment)
        if code == 0:
            break
        assert code == StorageError.exit_code, (environment, trial.said)
        assert trial.said.count("\n") == 1, trial.said
        assert str(trial.database) in trial.said
        this.rounds += 1
        watch.note(trial)
    else:
        trial.finish()
    calm.judge(trial, mark, this, IN_FLIGHT)
    assert watch.again() == set()
