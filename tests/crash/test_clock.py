"""The wall clock is set, by a day, forward or back: the crawl notices nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import gevent
import pytest

from crawler.conductor import Conductor
from crawler.config import load
from crawler.store.clock import epoch, iso
from crawler.store.database import open_for_writing
from tests.crash.trial import SETTINGS, Calm, Count, Trial
from tests.crawls import AGENT, read_seeds, rows
from tests.patience import PATIENT_S, until

DAY_S = 86_400.0
pytestmark = pytest.mark.timeout(600)


@pytest.mark.parametrize(
    "step_s",
    [
        pytest.param(DAY_S, id="forward", marks=pytest.mark.torture),
        pytest.param(-DAY_S, id="back"),
    ],
)
def test_a_clock_that_is_set_in_mid_crawl_changes_nothing(
    calm: Calm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: Callable[[str], Count],
    step_s: float,
) -> None:  # fmt: skip
    true_time, mark = time.time, calm.maze.asked
    trial, this = Trial(tmp_path, [calm.maze.seed]), count("the clock is set by a day")
    this.rounds += 1
    # With rests between the tries, so that some are owed when the clock is set.
    chosen = {**SETTINGS, "pace.retry_base_s": 0.5}
    config = load(None, [f"{key}={value}" for key, value in chosen.items()])
    conductor = Conductor(config, trial.database, read_seeds(*trial.seeds), agent=AGENT, workers=0)
    running = gevent.spawn(conductor.run)
    try:
        until(lambda: calm.maze.asked >= mark + calm.asked // 3)
        monkeypatch.setattr(time, "time", lambda: true_time() + step_s)
        began = time.monotonic()
        outcome = running.get(timeout=PATIENT_S)
    finally:
        running.kill()
    assert (outcome.state, outcome.reason) == ("finished", "finished")
    assert time.monotonic() - began < PATIENT_S, "it is a day"
    calm.judge(trial, mark, this, 0)


def test_rests_stored_by_a_clock_that_was_ahead_bind_nobody_for_longer_than_any_rest(
    calm: Calm, tmp_path: Path
) -> None:
    trial, mark = Trial(tmp_path, [calm.maze.seed], settings={"pace.retry_after_max_s": 1}), 0
    mark = calm.maze.asked
    assert trial.run("--max-pages", "50") == 0
    ahead = iso(time.time() + 365 * DAY_S)
    with closing(open_for_writing(trial.database)) as connection:
        connection.execute("UPDATE urls SET not_before = ? WHERE state = 'queued'", (ahead,))
    trial.finish()
    calm.judge(trial, mark, Count(1), 0)


def test_rests_of_hosts_stored_by_a_clock_that_was_ahead_are_cut_in_the_file(
    calm: Calm, tmp_path: Path
) -> None:
    """Or they would be cut anew at each run, and never end."""
    trial = Trial(tmp_path, [calm.maze.seed])
    assert trial.run("--max-pages", "50") == 0
    ahead = iso(time.time() + 365 * DAY_S)
    with closing(open_for_writing(trial.database)) as connection:
        connection.execute("UPDATE hosts SET next_fetch_at = ?, blocked_until = ?", (ahead, ahead))
    assert trial.run() == 0
    [(rest, block)] = rows(trial.database, "SELECT next_fetch_at, blocked_until FROM hosts")
    for end in (rest, block):
        assert end is None or epoch(end) < time.time() + 3700
