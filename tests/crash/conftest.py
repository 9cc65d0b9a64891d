"""The sites of these tests, how many rounds they go, and the table at their end."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterator
from random import Random

import pytest

from tests.crash.maze import Maze
from tests.crash.trial import Calm, Count
from tests.sites.generated import GeneratedSite

TORTURE = "CRAWLER_TORTURE"
SEED = "CRAWLER_TORTURE_SEED"
counts: dict[str, Count] = {}


@pytest.fixture
def long() -> bool:
    """Is this `make torture`?"""
    return os.environ.get(TORTURE) == "1"


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> Random:
    """Chance that can be had again: the seed is printed, and taken from the environment."""
    seed = os.environ.get(SEED) or str(random.SystemRandom().randrange(10**9))
    print(f"{SEED}={seed}")
    return Random(f"{seed} {request.node.name}")


@pytest.fixture
def count(request: pytest.FixtureRequest) -> Callable[[str], Count]:
    """A line of the table, by the fault's name."""
    return lambda fault: counts.setdefault(fault, Count())


@pytest.fixture(scope="session")
def maze() -> Iterator[Maze]:
    """A site that takes a crawl a few seconds."""
    served = Maze(GeneratedSite(pages=500, latency_ms=8, jitter_ms=25, seed=3))
    yield served
    served.close()


@pytest.fixture(scope="session")
def calm(maze: Maze, tmp_path_factory: pytest.TempPathFactory) -> Calm:
    """Its crawl without any disturbance."""
    return Calm.of(maze, tmp_path_factory.mktemp("calm"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What each fault did."""
    if not counts:
        return
    terminalreporter.section("nothing lost")
    head = ("fault", "rounds", "lost", "doubled", "refetched", "longest stall")
    terminalreporter.write_line("{:44} {:>7} {:>5} {:>8} {:>10} {:>14}".format(*head))
    for fault, one in counts.items():
        stall = f"{1000 * one.stall_s:.0f} ms" if one.stall_s else "-"
        terminalreporter.write_line(
            f"{fault:44} {one.rounds:7} {one.lost:5} {one.doubled:8} {one.refetched:10} {stall:>14}"
        )
