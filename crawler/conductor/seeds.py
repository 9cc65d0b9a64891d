"""How do seeds come in, never far ahead of the writer?"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

import gevent

from crawler.policy.seeds import Seed

A_BATCH = 1000
AHEAD = 4
"""Batches that may wait for the writer."""
LOOK_S = 0.005


class SeedFeed:
    """Reads seeds into batches.

    batches: what waits for the writer, the oldest first. wake: called when there is more.
    """

    def __init__(self, seeds: Iterator[Seed], wake: Callable[[], None]) -> None:
        self.batches: deque[list[Seed]] = deque()
        self._seeds = seeds
        self._wake = wake
        self._batch: list[Seed] = []
        self._read = False
        self._stopped = False

    def __repr__(self) -> str:
        return f"<SeedFeed {len(self.batches)} batches wait>"

    @property
    def done(self) -> bool:
        """All seeds have been read, and none waits."""
        return self._read and not self.batches

    def read(self) -> None:
        """Read to the end, or until `stop`; waits while the writer is behind."""
        for seed in self._seeds:
            self._batch.append(seed)
            if self._stopped:
                return
            if len(self._batch) == A_BATCH:
                self.pass_on()
                while len(self.batches) >= AHEAD:
                    gevent.sleep(LOOK_S)
        self.pass_on()
        self._read = True
        self._wake()

    def stop(self) -> None:
        """Read no more: a list without end must not outlive the run. `done` stays as it is."""
        self._stopped = True

    def pass_on(self) -> None:
        """Let what was read so far be stored, though it fills no batch."""
        if self._batch:
            self.batches.append(self._batch)
            self._batch = []
            self._wake()
