"""Which sites do these tests crawl, how many rounds do they go, and what did it come to?"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from random import Random

import pytest

from tests.crash.maze import Maze
from tests.crash.trial import IS_LONG, Calm, Count
from tests.sites.generated import GeneratedSite

SEED = "CRAWLER_TORTURE_SEED"
seed = os.environ.get(SEED) or str(random.SystemRandom().randrange(10**9))
counts: dict[str, Count] = {}


@pytest.fixture
def long() -> bool:
    """Is this `make torture`?"""
    return IS_LONG


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> Random:
    """Chance that can be had again: the seed is printed, and taken from the environment."""
    print(f"{SEED}={seed}")
    return Random(f"{seed} {request.node.name}")


@pytest.fixture
def count() -> Callable[[str], Count]:
    """A line of the table, by the fault's name."""
    return lambda fault: counts.setdefault(fault, Count())


@pytest.fixture(scope="session")
def maze() -> Iterator[Maze]:
    """A site that takes a crawl a second or two, or half a minute."""
    size = {"pages": 4000, "jitter_ms": 25} if IS_LONG else {"pages": 300, "jitter_ms": 10}
    served = Maze(GeneratedSite(latency_ms=8, seed=3, **size))
    yield served
    served.close()


@pytest.fixture(autouse=True)
def alone(maze: Maze) -> None:
    """What an earlier test killed is answered, and so counted, before this one begins to count."""
    assert maze.asked_by_the_dead >= 0


@pytest.fixture(scope="session")
def calm(maze: Maze, tmp_path_factory: pytest.TempPathFactory) -> Calm:
    """Its crawl without any disturbance."""
    return Calm.of(maze, tmp_path_factory.mktemp("calm"))


def show(terminal: pytest.TerminalReporter) -> None:
    """What each fault did, and how to have the same chance again; once."""
    if not counts:
        return
    lost = sum(one.lost for one in counts.values()) or "nothing"
    terminal.section(f"{lost} lost ({SEED}={seed})")
    head = ("fault", "rounds", "lost", "doubled", "refetched", "longest stall")
    terminal.write_line("{:44} {:>7} {:>5} {:>8} {:>10} {:>14}".format(*head))
    for fault, one in counts.items():
        stall = f"{1000 * one.stall_s:.0f} ms" if one.stall_s else "-"
        terminal.write_line(
            f"{fault:44} {one.rounds:7} {one.lost:5} {one.doubled:8} {one.refetched:10} {stall:>14}"
        )
    counts.clear()
