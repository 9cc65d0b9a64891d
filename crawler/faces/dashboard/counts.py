"""What is counted over a whole crawl, and how long may a page wait for it?

On a million pages a count takes seconds. So counts are made beside the pages: one that is known is
shown, however old, while a newer one is made; for the first a page waits a moment and then says
that it is being counted. The same goes for a list whose rows have to be looked for everywhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import gevent
import msgspec
from gevent.threadpool import ThreadPool

from crawler.store import queries
from crawler.store.database import Connection

WAIT_S: Final = 0.12
KEPT_S: Final = 5.0
SHARE: Final = 20
"""A count is made anew after so many times as long as it took, but not before `KEPT_S`."""
THREADS: Final = 3
MOST: Final = 200
"""Counts that are kept."""
MOST_JOBS: Final = 30
"""Counts that are being made, or wait for it; what is asked beyond them is not begun yet."""

Ask = Callable[[Connection], Any]
"""How something is counted; two that are equal count the same."""


class _Kept(msgspec.Struct, frozen=True):
    value: Any
    until: float


class Counts:
    """Counts of a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._threads = ThreadPool(THREADS)
        self._kept: dict[Ask, _Kept] = {}
        self._jobs: dict[Ask, Any] = {}

    def __repr__(self) -> str:
        return f"<Counts {len(self._kept)} known, {len(self._jobs)} being made>"

    def known(self, asks: Mapping[str, Ask]) -> dict[str, Any]:
        """What is known, by the same names, after a moment; None for what is still being counted
        for the first time. Raises what a count raised."""
        now = time.monotonic()
        for ask in asks.values():
            kept = self._kept.get(ask)
            is_due = ask not in self._jobs and (kept is None or kept.until < now)
            if is_due and len(self._jobs) < MOST_JOBS:
                # A greenlet, since a pool whose threads are all at work makes its caller wait.
                self._jobs[ask] = gevent.spawn(self._threads.apply, self._make, (ask,))
        new = [
            job for ask, job in self._jobs.items() if ask in asks.values() and ask not in self._kept
        ]
        gevent.wait(new, timeout=WAIT_S)
        for ask in [ask for ask, job in self._jobs.items() if job.ready()]:
            self._kept.pop(ask, None)
            self._kept[ask] = self._jobs.pop(ask).get()
        while len(self._kept) > MOST:
            self._kept.pop(next(iter(self._kept)))
        return {
            name: self._kept[ask].value if ask in self._kept else None for name, ask in asks.items()
        }

    def _make(self, ask: Ask) -> _Kept:
        begun = time.monotonic()
        with queries.reading(self._path) as connection:
            value = ask(connection)
        ended = time.monotonic()
        return _Kept(value, ended + max(KEPT_S, SHARE * (ended - begun)))
