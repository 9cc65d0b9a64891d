"""How do the warnings of other rooms reach the person?

A panel owns the terminal while a crawl goes on: what others wrote there would be drawn over. Some
warnings come from the writer's thread, which has no loop, so a greenlet of the hub's says them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import gevent

from crawler.faces.progress import Face
from crawler.plain import PlainFormatter

OURS = "crawler"
"""The name of the loggers of all rooms begins so."""


class Sayings(logging.Handler):
    """Says warnings as a face does."""

    def __init__(self, face: Face) -> None:
        super().__init__(logging.WARNING)
        self.setFormatter(PlainFormatter())
        self._face = face
        self._loop = gevent.get_hub().loop
        self._waiting: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Have it said, from whatever thread."""
        self._waiting.append(self.format(record))
        self._loop.run_callback_threadsafe(gevent.spawn, self.say_all)

    def say_all(self) -> None:
        """Say what waits."""
        while self._waiting:
            for line in self._waiting.pop(0).split("\n"):
                self._face.warn(line)


@contextmanager
def told_by(face: Face) -> Iterator[None]:
    """In the block the face says what is logged; nothing is said twice, or left unsaid."""
    log, sayings = logging.getLogger(OURS), Sayings(face)
    log.addHandler(sayings)
    try:
        yield
    finally:
        log.removeHandler(sayings)
        sayings.say_all()
