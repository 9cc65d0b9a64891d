"""Every crawl ends: never idle while work is due, and what is left is counted by reason."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from gevent import subprocess

from tests.crash.trial import Calm, Trial, wait
from tests.crawls import rows
from tests.sites.web import Web

pytestmark = pytest.mark.timeout(120)
IDLE_S = 3.0
LEFT = "SELECT count(*) FROM urls WHERE state = 'queued'"


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.torture)])
def test_no_crawl_idles_while_work_is_due(calm: Calm, tmp_path: Path, workers: int) -> None:
    trial, mark = Trial(tmp_path, [calm.maze.seed], workers), calm.maze.asked
    assert wait(trial.start()) == 0, trial.said
    ended = time.monotonic()
    moments = sorted(hit.started for hit in calm.maze.web.whole_log[mark:])
    pairs = zip(moments, [*moments[1:], ended], strict=True)
    assert max(after - before for before, after in pairs) < IDLE_S


def test_finished_means_that_nothing_is_left(calm: Calm, tmp_path: Path) -> None:
    trial = Trial(tmp_path, [calm.maze.seed])
    trial.finish()
    assert rows(trial.database, LEFT) == [(0,)]
    assert rows(trial.database, "SELECT state, finish_reason FROM runs") == [
        ("finished", "finished")
    ]
    assert rows(trial.database, "SELECT count(*) FROM urls WHERE state = 'leased'") == [(0,)]


def told(trial: Trial, *more: str) -> dict[str, object]:
    """The last line of --json."""
    process = trial.start(*more, "--json", out=subprocess.PIPE)
    lines = process.stdout.read().splitlines()
    assert wait(process) == 0, trial.said
    last: dict[str, object] = json.loads(lines[-1])
    return last


def test_a_crawl_with_a_limit_says_how_much_is_left(calm: Calm, tmp_path: Path) -> None:
    trial = Trial(tmp_path, [calm.maze.seed])
    last = told(trial, "--max-pages", "40")
    [(left,)] = rows(trial.database, LEFT)
    assert left > 0
    assert "max_pages" in json.dumps(last)
    assert str(left) in json.dumps(last)


def test_a_host_that_asks_for_patience_ends_the_run_and_is_counted(
    web: Web, tmp_path: Path
) -> None:
    web.page("/", links=["/later", "/now"])
    web.page("/now")
    web.raw("/later", status=503, headers={"Retry-After": "3600"})
    trial = Trial(tmp_path, [web.url()])
    began = time.monotonic()
    last = told(trial)
    assert time.monotonic() - began < 20
    assert "deferred" in json.dumps(last)
    [(left,)] = rows(trial.database, LEFT)
    assert left >= 1
    assert f": {left}" in json.dumps(last)


def test_a_seed_on_a_dead_host_ends_the_run(tmp_path: Path) -> None:
    trial = Trial(tmp_path, ["http://127.0.0.1:9/"])
    code = wait(trial.start(), 30)
    assert code == 5, trial.said
    assert rows(trial.database, LEFT) == [(0,)]
