"""What is known of a crawl at this moment, and who is told of it?"""

from __future__ import annotations

import itertools
import json
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

import gevent
from gevent.event import AsyncResult, Event

from crawler.faces.dashboard.feed import lines

KEPT: Final = 300
"""Snapshots that are kept for the curve of rates: five minutes."""
ANSWER_S: Final = 10.0
BEAT_S: Final = 15.0
"""How often a stream without news says that it is there."""
MAX_CLIENTS: Final = 32
FAREWELL_S: Final = 0.5
"""For those who watch to hear that the crawl has ended."""


class Live:
    """Snapshots as they come, and commands as they go; nothing where no crawl is attached.

    link: the socket to the conductor, or None.
    """

    def __init__(self, link: Any = None) -> None:
        self._link = link
        self._numbers = itertools.count(1)
        self._answers: dict[int, AsyncResult[str]] = {}
        self._news = Event()
        self._count = 0
        self.clients = 0
        self.stats: dict[str, Any] | None = None
        self.rates: deque[float] = deque(maxlen=KEPT)
        self.attached = link is not None

    def __repr__(self) -> str:
        return f"<Live {'attached' if self.attached else 'alone'}, {self.clients} clients>"

    def tell(self, **said: Any) -> None:
        """Say something to the conductor."""
        if self._link is not None:
            self._link.sendall(json.dumps(said).encode() + b"\n")

    def listen(self) -> None:
        """Take what the conductor says, until it is gone."""
        try:
            for told in lines(self._link):
                if "stats" in told:
                    self.stats = told["stats"]
                    self.rates.append(self.stats["pages_per_s"])
                    self._wake()
                elif told.get("answer") in self._answers:
                    self._answers.pop(told["answer"]).set(str(told.get("said", "")))
        except (OSError, ValueError):
            pass
        self.attached = False
        self._wake()
        end = time.monotonic() + FAREWELL_S
        while self.clients and time.monotonic() < end:
            gevent.sleep(0.01)

    def _wake(self) -> None:
        self._count += 1
        self._news.set()
        self._news = Event()

    def command(self, **asked: Any) -> str:
        """Have the conductor do something; what it says of it."""
        if not self.attached:
            return "no crawl is running on this file"
        number = next(self._numbers)
        answer = self._answers[number] = AsyncResult()
        try:
            self.tell(number=number, **asked)
            return str(answer.get(timeout=ANSWER_S))
        except (OSError, gevent.Timeout):
            self._answers.pop(number, None)
            return "the crawl did not answer"

    def stream(self) -> Iterator[bytes]:
        """Server-sent events (https://html.spec.whatwg.org/#server-sent-events): each snapshot."""
        self.clients += 1
        seen = -1
        try:
            while True:
                news = self._news
                if seen != self._count and self.stats is not None and self.attached:
                    seen = self._count
                    told = {"stats": self.stats, "rates": [*self.rates], "live": self.attached}
                    yield b"data: " + json.dumps(told).encode() + b"\n\n"
                elif not self.attached:
                    told = {"live": False, "ended": self._link is not None}
                    yield b"event: over\ndata: " + json.dumps(told).encode() + b"\n\n"
                    return
                if not news.wait(BEAT_S):
                    yield b": still here\n\n"
        finally:
            self.clients -= 1
