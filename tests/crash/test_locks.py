"""Others use the file too: crawlers are refused, readers and writers neither stall nor lose."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import gevent
import pytest
from gevent import subprocess

from crawler.conductor import Conductor
from crawler.config import load
from crawler.errors import StorageError
from crawler.store import writer
from crawler.store.database import WAL_LIMIT_BYTES
from crawler.store.place import wal_of
from tests.crash.trial import IN_FLIGHT, SETTINGS, Calm, Count, Trial, check_untorn, wait, whole_end
from tests.crawls import AGENT, read_seeds
from tests.patience import PATIENT_S, until

STORAGE = StorageError.exit_code
TICK_S = 0.01
STALL_S = 0.5
"""What is not left to another thread stalls the hub as long as the transaction is held, 3 s."""
SCHEDULING = "task/*/schedstat"
pytestmark = pytest.mark.timeout(600)

HOLD = """
import sqlite3, sys, time
file, statements, seconds = sys.argv[1:]
connection = sqlite3.connect(file, isolation_level=None, timeout=20)
for statement in statements.split(";"):
    connection.execute(statement).fetchall()
print("held", flush=True)
time.sleep(float(seconds))
connection.execute("COMMIT")
print("let go", flush=True)
"""
WRITES = "BEGIN IMMEDIATE"
READS = "BEGIN; SELECT count(*) FROM urls"


@contextmanager
def held(database: Path, statements: str, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """Another program holds a transaction for some seconds, or until the end of the block."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(database), statements, str(seconds)],
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout.readline() == b"held\n"
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Ticker:
    """Counts how long the hub gave nobody a turn, but for what this process waited for a core."""

    def __init__(self) -> None:
        self.longest_s = 0.0
        self._greenlet = gevent.spawn(self._tick)

    def _tick(self) -> None:
        while True:
            before, delays = time.monotonic(), _delays()
            gevent.sleep(TICK_S)
            late = time.monotonic() - before - TICK_S
            excused = sum(all_s - delays.get(name, all_s) for name, all_s in _delays().items())
            self.longest_s = max(self.longest_s, late - excused)

    def stop(self) -> None:
        """No more."""
        self._greenlet.kill()


def _delays() -> dict[str, float]:
    """So many seconds each thread of this process was ready to run while others had the cores;
    nothing where no kernel counts. All of them, as the hub waits for whoever has the interpreter.
    """
    found = {}
    for file in Path("/proc/self").glob(SCHEDULING):
        with suppress(OSError):  # it has ended
            found[file.parent.name] = int(file.read_text().split()[1]) / 1e9
    return found


@contextmanager
def crawling_here(calm: Calm, trial: Trial) -> Iterator[Conductor]:
    """The trial's crawl in this process, with two workers besides, until its end; it must not come
    before the block's."""
    chosen = {**SETTINGS, **trial.settings}
    config = load(None, [f"{key}={value}" for key, value in chosen.items()])
    seeds = read_seeds(*trial.seeds)
    conductor = Conductor(config, trial.database, seeds, agent=AGENT, workers=2)
    running = gevent.spawn(conductor.run)
    try:
        goal = calm.maze.asked + 60
        until(lambda: calm.maze.asked >= goal)
        yield conductor
        assert not running.ready(), "the crawl was over too soon"
        assert running.get(timeout=3 * PATIENT_S).state == "finished"
    finally:
        running.kill()


@pytest.mark.parametrize(
    ("fault", "statements", "seconds", "long_seconds"),
    [
        ("a foreign BEGIN IMMEDIATE", WRITES, 5, 30),
        ("a reader that does not end", READS, 3, 60),
    ],
)
def test_a_foreign_transaction_neither_stalls_the_hub_nor_loses_anything(
    calm: Calm, tmp_path: Path, count: Callable[[str], Count], long: bool,
    fault: str, statements: str, seconds: float, long_seconds: float,
) -> None:  # fmt: skip
    slowly = {"pace.own_in_flight": 1}
    trial, this = Trial(tmp_path, [calm.maze.seed], settings=slowly), count(fault)
    mark = calm.maze.asked
    this.rounds += 1
    hold = long_seconds if long else seconds
    with crawling_here(calm, trial), held(trial.database, statements, hold) as other:
        ticker = Ticker()
        assert other.stdout.readline() == b"let go\n"
        ticker.stop()
        this.stall_s = max(this.stall_s, ticker.longest_s)
    assert log_bytes(trial) < WAL_LIMIT_BYTES
    calm.judge(trial, mark, this, 0)
    assert ticker.longest_s < STALL_S


@pytest.mark.torture
def test_a_crawl_waits_for_a_foreign_writer_and_ends_after_it(calm: Calm, tmp_path: Path) -> None:
    trial, mark = Trial(tmp_path, [calm.maze.seed]), calm.maze.asked
    process = trial.start()
    until(lambda: calm.maze.asked >= mark + 60)
    with held(trial.database, WRITES, 4) as other:
        asked = calm.maze.asked
        assert other.stdout.readline() == b"let go\n"
        assert process.poll() is None
        assert calm.maze.asked <= asked + 3 * IN_FLIGHT, "it fetched what it could not store"
    assert wait(process) == 0, trial.said
    calm.judge(trial, mark, Count(1), 0)


def test_a_reader_who_outlasts_the_crawl_does_not_hold_up_its_end(
    calm: Calm, tmp_path: Path, count: Callable[[str], Count]
) -> None:
    trial, this = Trial(tmp_path, [calm.maze.seed]), count("a reader who outlasts the crawl")
    this.rounds += 1
    process, mark = trial.start(), calm.maze.asked
    until(lambda: calm.maze.asked >= mark + 60)
    with held(trial.database, READS, 600):
        assert wait(process) == 0, trial.said
        until(lambda: not trial_lock(trial).exists())
        assert whole_end(trial.database) == calm.end
    calm.judge(trial, mark, this, 0)
    assert log_bytes(trial) == 0, "who opens the file next copies the log into it"


def log_bytes(trial: Trial) -> int:
    """What the write-ahead log takes; nothing when it is not there."""
    log = wal_of(trial.database)
    return log.stat().st_size if log.exists() else 0


def trial_lock(trial: Trial) -> Path:
    """Where the crawler that writes is named."""
    return trial.database.with_name(f"{trial.database.name}.lock")


def test_a_log_that_a_reader_lets_grow_is_told_and_bounded_afterwards(
    calm: Calm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(writer, "LONG_LOG_BYTES", 1_000_000)
    trial = Trial(tmp_path, [calm.maze.seed])
    with crawling_here(calm, trial), held(trial.database, READS, 600) as other:
        until(lambda: "-wal has grown to" in caplog.text)
        other.kill()
    told = [record for record in caplog.records if "has grown" in record.message]
    assert str(trial.database) in told[0].message
    assert len(told) <= 5
    assert log_bytes(trial) == 0
    check_untorn(trial.database)


def test_a_second_crawler_is_refused_by_pid_and_the_first_goes_on(
    calm: Calm, tmp_path: Path, count: Callable[[str], Count]
) -> None:
    first, mark = Trial(tmp_path / "first", [calm.maze.seed]), calm.maze.asked
    second = Trial(tmp_path / "second", [calm.maze.seed], database=first.database)
    process = first.start()
    until(lambda: calm.maze.asked >= mark + 20)
    process.send_signal(signal.SIGSTOP)  # it is not to end before the other one has begun
    assert second.run() == STORAGE
    process.send_signal(signal.SIGCONT)
    line = second.said
    assert line.count("\n") == 1
    assert f"{first.database}: another crawler (pid {process.pid})" in line
    assert wait(process) == 0, first.said
    this = count("a second crawler")
    this.rounds += 1
    calm.judge(first, mark, this, 0)


@pytest.mark.torture
def test_the_lock_of_a_killed_crawler_binds_nobody(calm: Calm, tmp_path: Path) -> None:
    trial, mark = Trial(tmp_path, [calm.maze.seed]), calm.maze.asked
    process = trial.start()
    until(lambda: calm.maze.asked >= mark + 20)
    process.kill()
    process.wait()
    assert trial_lock(trial).exists()
    trial.finish()
    assert not trial_lock(trial).exists()
