"""What must every channel keep to?

Which one is opened is said in `crawler.channels`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec

from crawler.model import Job, Visit


class Returned(msgspec.Struct, frozen=True):
    """A job that came back undone through no fault of its own: lease it again, tries unchanged."""

    token: int


class Channel(Protocol):
    """Carries jobs out and visits back.

    Whatever is sent comes back once, as a `Visit` or as `Returned`, unless the channel is closed.
    """

    @property
    def free(self) -> int:
        """How many more jobs may be sent now."""

    @property
    def workers(self) -> int:
        """Processes that work; 0 when the work is done in the conductor's own."""

    @property
    def loads(self) -> tuple[int, ...]:
        """Jobs that are out to each worker."""

    def start(self) -> None:
        """Make ready to take jobs."""

    def send(self, job: Job) -> None:
        """Hand a job over. Never blocks while `free` is positive."""

    def arrivals(self) -> Iterator[Visit | Returned]:
        """What comes back, one by one, until the channel is closed.

        Whoever stops taking slows the workers down: visits that wait are bounded by bytes.
        """

    def close(self) -> None:
        """End all work at once; what is in flight is lost."""
