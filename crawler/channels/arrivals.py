"""What has come back to a channel, and has not been taken yet?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import gevent
from gevent.queue import Queue

from crawler.channels.contract import Returned
from crawler.model import Question, Visit


class Arrivals:
    """Batches, in the order in which they came, and what ends them: an error, or the channel's end.

    most: batches that may wait; whoever brings more has to wait.
    """

    def __init__(self, most: int) -> None:
        self._batches: Queue[Sequence[Visit | Returned | Question] | Exception] = Queue(most)

    def __len__(self) -> int:
        """Batches that wait."""
        return self._batches.qsize()

    def __iter__(self) -> Iterator[Visit | Returned | Question]:
        """One by one, until the channel is closed. Raises the error that ended it."""
        while True:
            batch = self._batches.get()
            if isinstance(batch, Exception):
                raise batch
            if not batch:
                return
            yield from batch

    def put(self, batch: Sequence[Visit | Returned | Question]) -> None:
        """These have come, one at least."""
        self._batches.put(batch)

    def put_later(self, batch: Sequence[Visit | Returned | Question]) -> None:
        """The same, without ever waiting."""
        gevent.spawn(self._batches.put, batch)

    def fail(self, error: Exception) -> None:
        """Nothing more will come."""
        self._batches.put(error)

    def close(self) -> None:
        """Whoever takes what has come is done behind it. Never waits."""
        self.put_later([])
