"""Is nothing lost, and no host asked two things at once, whatever breaks?

The longer of these are in tests/torture.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import gevent
import pytest

from tests.channels.redis.storm import HOSTS, Storm, storm
from tests.crawls import rows
from tests.patience import until


def a_machine_is_killed(storm: Storm) -> None:
    storm.wait(60)
    storm.machines[0].end()


def the_engine_is_emptied_again_and_again(storm: Storm) -> None:
    for number in range(4):
        storm.wait(40 + 40 * number)
        storm.engine.ask("FLUSHALL")


def the_engine_is_killed_and_comes_back_empty(storm: Storm) -> None:
    storm.wait(60)
    storm.engine.kill()
    gevent.sleep(1.5)
    storm.engine.start()


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        (a_machine_is_killed, 1),
        (the_engine_is_emptied_again_and_again, 4),
        (the_engine_is_killed_and_comes_back_empty, 1),
    ],
)
def test_nothing_is_lost(tmp_path: Path, fault: Callable[[Storm], None], times: int) -> None:
    with storm(tmp_path, "redis") as made:
        made.run(fault)
        made.check(most_repeats=times * HOSTS)


def test_a_machine_that_is_told_to_end_repeats_nothing(tmp_path: Path) -> None:
    with storm(tmp_path, "valkey", machines=1, latency_ms=200) as made:

        def fault(storm: Storm) -> None:
            storm.wait(40)
            storm.join()
            assert storm.machines[0].end(signal.SIGTERM) == 0

        made.run(fault)
        made.check(most_repeats=0)
        told = rows(made.database, "SELECT left_reason, visits > 0 FROM workers ORDER BY left_at")
        assert told == [("it was stopped", 1), ("the crawl ended", 1)]
        assert rows(made.database, "SELECT count(*) FROM visits WHERE worker_id IS NULL") == [(0,)]


def test_machines_join_while_a_crawl_waits_for_them(tmp_path: Path) -> None:
    with storm(tmp_path, "redis", machines=0) as made:

        def arrival(storm: Storm) -> None:
            waits = "waiting for workers: on any machine, crawler work --redis URL --name tests"
            until(lambda: storm.channel.notice() == waits)
            storm.join()
            storm.wait(40)
            storm.crawl.command({"command": "pause"})
            storm.join(workers=2)
            until(lambda: len(storm.channel.states()) == 2)
            storm.crawl.command({"command": "resume"})

        made.run(arrival)
        made.check(most_repeats=0)
        shared = rows(made.database, "SELECT processes, visits > 0 FROM workers ORDER BY id")
        assert shared == [(1, 1), (2, 1)]
