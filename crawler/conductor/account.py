"""What has this run done so far?"""

from __future__ import annotations

from collections import Counter, deque

from crawler.store.contract import Settled, Supplies

RATE_WINDOW_S = 10.0
LEAST_WINDOW_S = 0.5
"""A rate is of at least so much time."""


class Account:
    """The counters of a run; all that has been committed is in them.

    pages, errors, bytes, statuses: of this run. hops: of the pages, redirects that lead on, which
    the limit of pages does not count. queued: URLs that wait.
    """

    def __init__(self) -> None:
        self.pages = 0
        self.hops = 0
        self.errors = 0
        self.bytes = 0
        self.queued = 0
        self.statuses: Counter[str] = Counter()
        self._marks: deque[tuple[float, int]] = deque()

    def __repr__(self) -> str:
        return f"<Account {self.pages:,} pages, {self.errors:,} errors, {self.queued:,} queued>"

    def settled(self, settled: Settled) -> None:
        """Add what a transaction has stored."""
        self.pages += settled.pages
        self.hops += settled.hops
        self.errors += settled.errors
        self.bytes += settled.bytes
        self.statuses += settled.statuses
        self.queued = settled.queued

    def supplied(self, supplies: Supplies) -> None:
        """Take off what was settled while the queue was read."""
        self.queued -= sum(supplies.stopped.values())

    def mark(self, now: float) -> None:
        """Remember how many pages there are now, for the rate."""
        self._marks.append((now, self.pages))
        while self._marks[0][0] < now - RATE_WINDOW_S:
            self._marks.popleft()

    def rate(self, now: float) -> float:
        """Pages a second, lately."""
        if not self._marks:
            return 0.0
        then, pages = self._marks[0]
        return (self.pages - pages) / max(now - then, LEAST_WINDOW_S)
