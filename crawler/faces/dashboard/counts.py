"""What is counted over a whole crawl, and how long may a page wait for it?

On a million pages a count takes seconds. So counts are made beside the pages: one that is known is
shown, however old, while a newer one is made; for the first a page waits a moment and then says
that it is being counted.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
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
THREADS: Final = 2

Ask = Callable[[Connection], Any]


class _Kept(msgspec.Struct, frozen=True):
    value: Any
    until: float


class Counts:
    """Counts of a file by name. asks: how each is made."""

    def __init__(self, path: Path, asks: Mapping[str, Ask]) -> None:
        self._path = path
        self._asks = asks
        self._threads = ThreadPool(THREADS)
        self._kept: dict[str, _Kept] = {}
        self._jobs: dict[str, Any] = {}

    def __repr__(self) -> str:
        return f"<Counts {len(self._kept)} known, {len(self._jobs)} being made>"

    def known(self, names: Iterable[str]) -> dict[str, Any]:
        """What is known, after a moment; None for what is still being counted for the first time.

        Raises what a count raised.
        """
        wanted = list(names)
        now = time.monotonic()
        for name in wanted:
            kept = self._kept.get(name)
            if name not in self._jobs and (kept is None or kept.until < now):
                self._jobs[name] = self._threads.spawn(self._make, self._asks[name])
        new = [self._jobs[name] for name in wanted if name in self._jobs and name not in self._kept]
        gevent.wait(new, timeout=WAIT_S)
        for name in [name for name, job in self._jobs.items() if job.ready()]:
            self._kept[name] = self._jobs.pop(name).get()
        return {name: self._kept[name].value if name in self._kept else None for name in wanted}

    def _make(self, ask: Ask) -> _Kept:
        begun = time.monotonic()
        with queries.reading(self._path) as connection:
            value = ask(connection)
        ended = time.monotonic()
        return _Kept(value, ended + max(KEPT_S, SHARE * (ended - begun)))
