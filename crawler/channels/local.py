"""How does a worker in the conductor's own process get its jobs?"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from gevent.event import Event
from gevent.queue import Empty, Queue

from crawler.channels.contract import Returned
from crawler.config import Config
from crawler.model import Answer, Job, Question, Visit
from crawler.worker import Worker

ARRIVALS_KEPT = 64
LOOK_UP_S = 0.5
"""How long an empty channel waits before it looks whether it was closed."""


class LocalChannel:
    """One worker, in this process. A parse that hangs cannot be ended here."""

    workers = 0
    fleet = None

    def __init__(self, config: Config) -> None:
        self._concurrency = config.run.concurrency
        self._out = 0
        self._arrivals: Queue[Visit | Question] = Queue(maxsize=ARRIVALS_KEPT)
        self._closed = Event()
        self._worker = Worker(config, self._arrivals.put, say=self._arrivals.put)

    def __repr__(self) -> str:
        return f"<LocalChannel {self._out} jobs out, {self._worker!r}>"

    @property
    def free(self) -> int:
        """How many more jobs may be sent now."""
        return self._concurrency - self._out

    @property
    def capacity(self) -> int:
        """How many jobs may be out at once."""
        return self._concurrency

    @property
    def loads(self) -> tuple[int, ...]:
        """Jobs that are out to the one worker."""
        return (self._out,)

    def start(self) -> None:
        """Nothing to make ready."""

    def send(self, job: Job) -> None:
        """Hand a job to the worker's queue."""
        self._out += 1
        self._worker.put(job)

    def answer(self, answer: Answer) -> None:
        """Tell the worker."""
        self._worker.answered(answer)

    def arrivals(self) -> Iterator[Visit | Returned | Question]:
        """Visits as they come, until the channel is closed."""
        while not self._closed.is_set():
            with contextlib.suppress(Empty):
                arrival = self._arrivals.get(timeout=LOOK_UP_S)
                self._out -= isinstance(arrival, Visit)
                yield arrival

    def close(self) -> None:
        """Stop the worker; what is in flight is lost."""
        self._closed.set()
        self._worker.close()
