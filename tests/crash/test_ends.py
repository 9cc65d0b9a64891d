"""Every crawl ends: never idle while work is due, and what is left is counted by reason."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from gevent import subprocess

from crawler.channels.local import LocalChannel
from crawler.conductor import Conductor
from crawler.errors import Interrupted
from tests.crash.trial import Calm, Count, Trial, wait
from tests.crawls import AGENT, config, read_seeds, rows
from tests.patience import PATIENT_S, until
from tests.sites.server import Answer
from tests.sites.web import Web
from tests.watchdog import never_idle

IDLE_S = 10.0
LEFT = "SELECT count(*) FROM urls WHERE state = 'queued'"


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.torture)])
def test_no_crawl_idles_while_work_is_due(
    calm: Calm, tmp_path: Path, count: Callable[[str], Count], workers: int
) -> None:
    trial, mark = Trial(tmp_path, [calm.maze.seed], workers), calm.maze.asked
    assert wait(trial.start()) == 0, trial.said
    ended = time.monotonic()
    moments = sorted(hit.started for hit in calm.maze.web.whole_log[mark:])
    pairs = zip(moments, [*moments[1:], ended], strict=True)
    longest = max(after - before for before, after in pairs)
    this = count("none")
    this.rounds += 1
    this.stall_s = max(this.stall_s, longest)
    assert longest < IDLE_S


def test_a_crawl_that_stores_nothing_while_work_is_due_is_ended_by_the_watchdog(
    web: Web, tmp_path: Path
) -> None:
    web.page("/", links=["/late"])
    web.page("/late", wait_s=30)
    trial = Trial(tmp_path, [web.url()], stall_s=1.0)
    assert trial.run() == -signal.SIGKILL
    assert "idle for 1 s with 1 URLs due" in trial.said


def test_a_crawl_that_waits_for_a_rest_to_end_is_left_alone_by_the_watchdog(
    web: Web, tmp_path: Path
) -> None:
    web.page("/", links=["/late"])
    web.answer("/late", Answer(status=503, headers={"Retry-After": "6"}), Answer())
    trial = Trial(tmp_path, [web.url()], stall_s=3.0)
    trial.finish()
    assert rows(trial.database, LEFT) == [(0,)]


def test_a_crawl_that_leases_nothing_while_work_is_due_is_ended_by_the_watchdog(
    web: Web, tmp_path: Path
) -> None:
    """A channel that never has room stands for whatever may keep a conductor from going on."""
    web.page("/")
    conductor = Conductor(
        config(), tmp_path / "crawl.db", read_seeds(web.url()), agent=AGENT, channel=Full()
    )
    with pytest.raises(AssertionError, match="idle for 1 s"), never_idle(conductor, 1.0):
        conductor.run()


class Full(LocalChannel):
    """A channel that takes no job."""

    def __init__(self) -> None:
        super().__init__(config())

    @property
    def free(self) -> int:
        """None, ever."""
        return 0


def test_finished_means_that_nothing_is_left(calm: Calm) -> None:
    assert rows(calm.database, LEFT) == [(0,)]
    assert rows(calm.database, "SELECT state, finish_reason FROM runs") == [
        ("finished", "finished")
    ]
    assert rows(calm.database, "SELECT count(*) FROM urls WHERE state = 'leased'") == [(0,)]


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


def test_a_crawl_that_is_interrupted_says_how_much_is_left(calm: Calm, tmp_path: Path) -> None:
    trial, mark = Trial(tmp_path, [calm.maze.seed]), calm.maze.asked
    process = trial.start("--json", out=subprocess.PIPE)
    until(lambda: calm.maze.asked >= mark + 40)
    process.terminate()
    last = json.loads(process.stdout.read().splitlines()[-1])
    assert wait(process) == Interrupted.exit_code, trial.said
    [(left,)] = rows(trial.database, LEFT)
    assert left > 0
    assert f": {left}" in json.dumps(last)
    assert "signal" in json.dumps(last)


def test_a_host_that_asks_for_patience_ends_the_run_and_is_counted(
    web: Web, tmp_path: Path
) -> None:
    web.page("/", links=["/later", "/now"])
    web.page("/now")
    web.raw("/later", status=503, headers={"Retry-After": "3600"})
    trial = Trial(tmp_path, [web.url()])
    began = time.monotonic()
    last = told(trial)
    assert time.monotonic() - began < PATIENT_S, "it asks for an hour"
    assert "deferred" in json.dumps(last)
    [(left,)] = rows(trial.database, LEFT)
    assert left >= 1
    assert f": {left}" in json.dumps(last)


def test_a_seed_on_a_dead_host_ends_the_run(tmp_path: Path) -> None:
    trial = Trial(tmp_path, ["http://127.0.0.1:9/"])
    code = wait(trial.start())
    assert code == 5, trial.said
    assert rows(trial.database, LEFT) == [(0,)]
