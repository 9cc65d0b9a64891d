"""How is a crawl run, from its plan to what it came to, whoever asks for it?

What the command line, tests and other programs call. Nothing here knows of a terminal: a face is
given where somebody watches.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import gevent
import msgspec

from crawler.channels import Channel
from crawler.conductor import Conductor, Outcome
from crawler.config import Config
from crawler.errors import CrawlError, NoSeedFetched
from crawler.faces import progress
from crawler.faces.progress import Face
from crawler.model import Stats
from crawler.policy.agent import robots_token
from crawler.policy.seeds import Seed
from crawler.store import queries
from crawler.store.queries import SeedCount
from crawler.store.runs import Start

BEGUN = {
    "new": "a new crawl",
    "resumed": "going on where the last run stopped",
    "revisit": "the last run was finished; everything in scope is visited again "
    "(--new-only visits nothing twice)",
    "retry": "only what failed is tried again",
    "new_only": "only what no run has visited yet",
}
"""How a run began, in words."""


class Plan(msgspec.Struct, frozen=True):
    """What is to be crawled, into which database, by which rules; seeds_file: its name."""

    config: Config
    path: Path
    seeds: Iterator[Seed]
    seeds_file: str = ""


class Ended(msgspec.Struct, frozen=True):
    """What a crawl came to: how the run ended, and what became of its seeds."""

    outcome: Outcome
    seeds: SeedCount


class Crawl:
    """One run of a plan.

    face: shows how it goes on; nobody watches without one. channel: how jobs reach workers, by
    default as the plan's configuration says.
    """

    def __init__(
        self, plan: Plan, *, face: Face | None = None, channel: Channel | None = None
    ) -> None:
        self._plan = plan
        self._face = face
        self._conductor = Conductor(
            plan.config,
            plan.path,
            plan.seeds,
            agent=robots_token(plan.config.fetch),
            seeds_file=plan.seeds_file,
            channel=channel,
            workers=worker_processes(plan.config),
        )

    def __repr__(self) -> str:
        return f"<Crawl {self._plan.path}, {self._conductor!r}>"

    def run(self) -> Ended:
        """Run to the end. Raises StorageError when the database cannot be written."""
        watching = gevent.spawn(self._watch)
        try:
            outcome = self._conductor.run()
        finally:
            watching.kill()
            if self._face is not None:
                self._face.close()
        with queries.reading(self._plan.path) as connection:
            return Ended(outcome, queries.seed_count(connection, outcome.run_id))

    def stop(self) -> None:
        """Finish what is in flight, and end; called again, end at once. Nothing is lost."""
        self._conductor.stop()

    def stats(self) -> Stats:
        """What is going on, now."""
        return self._conductor.stats()

    def start(self) -> Start:
        """How the run began; waits until it has."""
        start = self._conductor.start.get()
        assert start is not None
        return start

    def _watch(self) -> None:
        start = self.start()
        if self._face is None:
            return
        self._face.say(f"{self._plan.path}: {BEGUN[start.mode]}")
        try:
            progress.watch(self.stats, self._face, gevent.sleep)
        except OSError:
            self.stop()


def worker_processes(config: Config) -> int:
    """How many processes: as configured, or one per core that this process may use."""
    return config.run.workers if config.run.workers >= 0 else len(os.sched_getaffinity(0))


def complaint(ended: Ended) -> CrawlError | None:
    """What was wrong with a crawl that came to its end; its exit code tells scripts."""
    if ended.seeds.in_vain:
        return NoSeedFetched(f"no seed could be fetched, out of {ended.seeds.seeds:,}")
    return None
