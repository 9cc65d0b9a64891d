"""SIGKILL at any moment: the same command goes on, and the end is that of a calm crawl."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random

import gevent
import pytest
from gevent import subprocess

from crawler.failpoints import VARIABLE
from tests.crash.trial import (
    IN_FLIGHT,
    UNSETTLED,
    Calm,
    Count,
    Trial,
    Watch,
    children_of,
    kill,
    kill_all,
    wait,
    whole_end,
    workers_of,
)
from tests.crawls import rows
from tests.patience import until

KILLED = -signal.SIGKILL
KILLED_BY = {KILLED, -signal.SIGXFSZ}
pytestmark = pytest.mark.timeout(600)


def unsettled(workers: int) -> int:
    """Fetches that a crawl may have under way, or waiting to be stored."""
    return UNSETTLED * max(1, workers)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_crawl_killed_at_any_moment_comes_to_the_same_end(
    calm: Calm, tmp_path: Path, chance: Random, count: Callable[[str], Count], long: bool,
    workers: int,
) -> None:  # fmt: skip
    trial, watch = Trial(tmp_path, [calm.maze.seed], workers, analyse=True), Watch(calm.maze)
    this, mark = count(f"kill -9 of all, {workers} workers"), calm.maze.asked
    for _ in range(50 if long else 5):
        process = trial.start()
        _let_run(process, calm, chance)
        if process.poll() is not None or trial.has_finished():
            wait(process)
            break
        kill_all(process)
        this.rounds += 1
        watch.note(trial)
    trial.go_on()
    calm.judge(trial, mark, this, unsettled(workers))
    assert watch.again() == set()


def _let_run(process: subprocess.Popen[bytes], calm: Calm, chance: Random) -> None:
    """A moment by the clock, which may fall into the start, or by what was asked for."""
    if chance.random() < 0.5:
        gevent.sleep(chance.uniform(0.05, 1.2))
        return
    _let_ask(process, calm, chance.randint(1, 120))


def _let_ask(process: subprocess.Popen[bytes], calm: Calm, requests: int) -> None:
    """Until it has made so many requests, or has ended."""
    goal = calm.maze.asked + requests
    until(lambda: calm.maze.asked >= goal or process.poll() is not None)


def test_a_crawl_whose_conductor_alone_is_killed_leaves_no_worker_and_goes_on(
    calm: Calm, tmp_path: Path, chance: Random, count: Callable[[str], Count], long: bool
) -> None:
    trial, watch = Trial(tmp_path, [calm.maze.seed], 2), Watch(calm.maze)
    this, mark = count("kill -9 of the conductor"), calm.maze.asked
    for _ in range(50 if long else 3):
        process, goal = trial.start(), calm.maze.asked + chance.randint(10, 120)
        until(
            lambda process=process, goal=goal: calm.maze.asked >= goal or process.poll() is not None
        )
        children = children_of(process)
        if process.poll() is not None or trial.has_finished():
            wait(process)
            break
        kill(process.pid)
        wait(process)
        until(lambda children=children: not any(map(_is_running, children)))
        this.rounds += 1
        watch.note(trial)
    trial.go_on()
    calm.judge(trial, mark, this, unsettled(2))
    assert watch.again() == set()


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_crawl_whose_workers_are_killed_comes_to_the_same_end_by_itself(
    calm: Calm, tmp_path: Path, chance: Random, count: Callable[[str], Count], long: bool
) -> None:
    trial = Trial(tmp_path, [calm.maze.seed], 2, {"pace.tries": 20})
    this, mark = count("kill -9 of workers"), calm.maze.asked
    process = trial.start()
    for _ in range(50 if long else 6):
        _let_ask(process, calm, chance.randint(5, 60 if long else 40))
        workers = workers_of(process)
        if process.poll() is not None or not workers:
            break
        kill(chance.choice(workers))
        this.rounds += 1
        gevent.sleep(chance.uniform(0, 0.6 if long else 0.3))
    assert wait(process) == 0, trial.said
    calm.judge(trial, mark, this, IN_FLIGHT)


FAILPOINTS = [
    ("opened", 1),
    ("run-begun", 1),
    ("seeds-stored", 1),
    ("robots-stored", 1),
    ("before-commit", 1),
    ("before-commit", 4),
    ("after-commit", 2),
    ("after-commit", 5),
    ("hop-stored", 1),
    ("hop-stored", 2),
    ("checkpoint", 2),
    ("checkpoint", 5),
    ("ending", 1),
]


def test_a_crawl_killed_at_its_weakest_moments_comes_to_the_same_end(
    calm: Calm, tmp_path: Path, count: Callable[[str], Count], long: bool
) -> None:
    trial, watch = Trial(tmp_path, [calm.maze.seed]), Watch(calm.maze)
    mark = calm.maze.asked
    whole = Count()
    again = [point for point in FAILPOINTS if point[0] != "robots-stored"] * 2
    for name, nth in FAILPOINTS + (again if long else []):
        code = trial.run(environment={VARIABLE: f"{name}:{nth}"})
        assert code in KILLED_BY, (name, code, trial.said)
        this = count(f"kill -9 at {name}")
        this.rounds += 1
        whole.rounds += 1
        watch.note(trial)
    trial.finish()
    calm.judge(trial, mark, whole, UNSETTLED)
    assert watch.again() == set()


def test_a_kill_between_two_batches_of_seeds_loses_no_seed(
    calm: Calm, tmp_path: Path, count: Callable[[str], Count]
) -> None:
    site = calm.maze.site
    seeds = [calm.maze.web.url(path) for path in site.paths()] * (1 + 2500 // site.pages)
    trial = Trial(tmp_path, seeds, settings={"scope.mode": "page"})
    this, mark = count("kill -9 between seeds"), calm.maze.asked
    for nth in (1, 2):
        assert trial.run(environment={VARIABLE: f"seeds-stored:{nth}"}) == KILLED, trial.said
        this.rounds += 1
    trial.finish()
    done = rows(trial.database, "SELECT url FROM urls WHERE state = 'done' AND kind = 'page'")
    this.lost += len(set(seeds) - {url for (url,) in done})
    asked = calm.maze.asked - mark
    this.refetched += asked - len(done) - 1
    assert {url for (url,) in done} == set(seeds)
    assert asked <= len(done) + 1 + this.rounds * UNSETTLED


def test_a_kill_while_verdicts_are_judged_anew_leaves_none_by_the_old_rules(
    calm: Calm, tmp_path: Path, count: Callable[[str], Count]
) -> None:
    narrow = Trial(tmp_path, [calm.maze.seed], settings={"scope.max_depth": 2})
    narrow.finish()
    mark, this = calm.maze.asked, count("kill -9 at judging")
    wide = Trial(tmp_path, [calm.maze.seed])
    for point in ("run-begun", "judging", "after-commit"):
        assert wide.run(environment={VARIABLE: point}) == KILLED, (point, wide.said)
        this.rounds += 1
    wide.finish()
    assert calm.maze.asked > mark
    for name in ("urls", "pages", "links"):
        assert whole_end(wide.database)[name] == calm.end[name], name


def test_rules_that_were_changed_back_after_a_kill_hold_everywhere(
    calm: Calm, tmp_path: Path
) -> None:
    wide = Trial(tmp_path, [calm.maze.seed])
    wide.finish()
    narrow = Trial(tmp_path, [calm.maze.seed], settings={"scope.exclude": '["/p/"]'})
    assert narrow.run(environment={VARIABLE: "after-commit"}) == KILLED, narrow.said
    wide.finish()
    assert whole_end(wide.database)["urls"] == calm.end["urls"]


def test_a_kill_after_the_end_has_lost_nothing(
    calm: Calm, tmp_path: Path, count: Callable[[str], Count]
) -> None:
    trial, this, mark = Trial(tmp_path, [calm.maze.seed]), count("kill -9 at finished"), 0
    mark = calm.maze.asked
    assert trial.run(environment={VARIABLE: "finished"}) == KILLED, trial.said
    this.rounds += 1
    calm.judge(trial, mark, this, 0)
    assert rows(trial.database, "SELECT state FROM runs") == [("finished",)]


def test_a_failpoint_that_nobody_knows_is_refused() -> None:
    command = [sys.executable, "-c", "import crawler.failpoints"]
    environment = {**os.environ, VARIABLE: "nowhere"}
    process = subprocess.run(command, env=environment, stderr=subprocess.PIPE, check=False)
    assert process.returncode == 1
    assert b"no failpoint 'nowhere'" in process.stderr
