"""Signals: what is in flight is finished, what is stopped goes on, nobody is blamed."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import gevent
import pytest
from gevent import subprocess

from crawler.errors import Interrupted
from tests.crash.trial import UNSETTLED, Calm, Count, Trial, children_of, kill_all, wait, workers_of
from tests.crawls import rows
from tests.patience import stretch, until
from tests.sites.skip import ROOT

INTERRUPTED = Interrupted.exit_code
pytestmark = pytest.mark.timeout(600)


def started(trial: Trial, calm: Calm, requests: int = 60) -> subprocess.Popen[bytes]:
    """The trial's crawl, after so many requests."""
    process, mark = trial.start(), calm.maze.asked
    until(lambda: calm.maze.asked >= mark + requests)
    return process


@pytest.mark.parametrize(
    ("number", "workers"),
    [
        (signal.SIGINT, 0),
        (signal.SIGTERM, 2),
        pytest.param(signal.SIGHUP, 0, marks=pytest.mark.torture),
    ],
)
def test_the_first_signal_finishes_what_is_in_flight(
    calm: Calm, tmp_path: Path, count: Callable[[str], Count], number: int, workers: int
) -> None:
    trial, this, mark = Trial(tmp_path, [calm.maze.seed], workers), count("one signal"), 0
    mark = calm.maze.asked
    process = started(trial, calm)
    os.kill(process.pid, number)
    assert wait(process) == INTERRUPTED, trial.said
    assert "Traceback" not in trial.said
    state = rows(trial.database, "SELECT state, finish_reason FROM runs")
    assert state == [("interrupted", "signal")]
    this.rounds += 1
    trial.finish()
    calm.judge(trial, mark, this, 0)


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.torture)])
def test_the_second_signal_ends_at_once(
    calm: Calm, tmp_path: Path, count: Callable[[str], Count], workers: int
) -> None:
    trial, this = Trial(tmp_path, [calm.maze.seed], workers), count("two signals")
    mark = calm.maze.asked
    process = started(trial, calm)
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGINT)
    began = time.monotonic()
    assert wait(process) == INTERRUPTED, trial.said
    assert time.monotonic() - began < 60
    assert "Traceback" not in trial.said
    this.rounds += 1
    trial.finish()
    calm.judge(trial, mark, this, UNSETTLED * max(1, workers))


def test_a_reader_who_goes_away_ends_the_crawl_without_a_traceback(
    calm: Calm, tmp_path: Path
) -> None:
    trial = Trial(tmp_path, [calm.maze.seed], settings={"run.concurrency": 2})
    mark = calm.maze.asked
    crawl = [word for word in trial.command if word != "--quiet"] + ["--json"]
    with (tmp_path / "stderr").open("wb") as errors:
        process = subprocess.Popen(crawl, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors)
        head = subprocess.Popen(["head", "-n", "1"], stdin=process.stdout, stdout=subprocess.PIPE)
        process.stdout.close()
        assert head.communicate()[0].startswith(b'{"event"')
        wait(process)
    assert "Traceback" not in trial.said
    trial.finish()
    calm.judge(trial, mark, Count(1), UNSETTLED)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_crawl_that_is_stopped_and_continued_blames_nobody(
    calm: Calm, tmp_path: Path, count: Callable[[str], Count], long: bool, workers: int
) -> None:
    """For longer than every limit: what came meanwhile is there, only nobody could look."""
    slower = stretch()
    seconds = {"fetch.read_s": 1.5, "fetch.total_s": 2, "fetch.connect_s": 1.5}
    limits = {name: slower * limit for name, limit in seconds.items()}
    trial = Trial(tmp_path, [calm.maze.seed], workers, limits)
    this, mark = count(f"SIGSTOP of all, {workers} workers"), calm.maze.asked
    process = started(trial, calm)
    for _ in range(5 if long else 1):
        everybody = [process.pid, *children_of(process)]
        for pid in everybody:
            os.kill(pid, signal.SIGSTOP)
        gevent.sleep(60 if long and not this.rounds else slower * 3)
        for pid in everybody:
            os.kill(pid, signal.SIGCONT)
        this.rounds += 1
        gevent.sleep(0.3)
    assert wait(process) == 0, trial.said
    errors = rows(trial.database, "SELECT error, count(*) FROM visits WHERE error > '' GROUP BY 1")
    assert errors == []
    calm.judge(trial, mark, this, UNSETTLED * max(1, workers))


def test_a_signal_during_the_start_is_no_bug(calm: Calm, tmp_path: Path) -> None:
    """From when the first library is loaded, before which Python alone answers signals."""
    for moment in (0.0, 0.1, 0.2, 0.3, 0.5, 0.8):
        trial = Trial(tmp_path / str(moment), [calm.maze.seed])
        process = trial.start()
        maps = Path(f"/proc/{process.pid}/maps")
        until(lambda maps=maps: "/gevent/" in maps.read_text())
        gevent.sleep(moment)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGINT)
        code = wait(process)
        assert code in (INTERRUPTED, -signal.SIGINT, 0), (moment, trial.said)
        assert "Traceback" not in trial.said


def test_workers_ignore_the_terminals_ctrl_c(calm: Calm, tmp_path: Path) -> None:
    """A terminal sends it to all; the conductor alone decides, so what is in flight is stored."""
    trial, mark = Trial(tmp_path, [calm.maze.seed], 2), calm.maze.asked
    process = started(trial, calm)
    os.killpg(process.pid, signal.SIGINT)
    assert wait(process) == INTERRUPTED, trial.said
    assert "Traceback" not in trial.said
    trial.finish()
    calm.judge(trial, mark, Count(1), 0)


def test_workers_never_open_the_file(calm: Calm, tmp_path: Path) -> None:
    """Nor inherit it: a lock of SQLite's, or a connection, would not survive that."""
    trial = Trial(tmp_path, [calm.maze.seed], 2)
    process = started(trial, calm, 20)
    workers = workers_of(process)
    assert len(workers) == 2
    opened = [name for pid in workers for name in opened_by(pid)]
    kill_all(process)
    assert opened
    assert not [name for name in opened if trial.database.name in name]


def opened_by(pid: int) -> list[str]:
    """What a process has open; a socket may be closed while one looks."""
    names = []
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            names.append(os.readlink(file))
    return names
