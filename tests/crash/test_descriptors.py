"""File descriptors run out: the crawl goes slower, no site is blamed, and all come back."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.trial import Calm, Count, Trial
from tests.crawls import config, crawl, rows
from tests.patience import until

pytestmark = pytest.mark.timeout(600)
GREEDY = {"run.concurrency": 100, "pace.own_in_flight": 100}


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.torture)])
def test_too_few_descriptors_slow_the_crawl_and_blame_nobody(
    calm: Calm, tmp_path: Path, count: Callable[[str], Count], workers: int
) -> None:
    trial = Trial(tmp_path, [calm.maze.seed], workers, GREEDY)
    this, mark = count("64 descriptors, 100 fetches"), calm.maze.asked
    limit = (64, 64)
    code = trial.run(before=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, limit))
    assert code == 0, trial.said
    assert "Traceback" not in trial.said
    this.rounds += 1
    errors = rows(trial.database, "SELECT error, count(*) FROM visits WHERE error > '' GROUP BY 1")
    assert errors == []
    calm.judge(trial, mark, this, 0)


def test_all_descriptors_come_back(calm: Calm, tmp_path: Path) -> None:
    crawl(tmp_path / "first.db", calm.maze.seed)
    before = len(os.listdir("/proc/self/fd"))
    crawl(tmp_path / "second.db", calm.maze.seed, settings=config(run={"concurrency": 100}))
    crawl(tmp_path / "third.db", calm.maze.seed, workers=2)
    # The site lets its own ends of connections go when it comes to it.
    until(lambda: len(os.listdir("/proc/self/fd")) <= before + 4)
