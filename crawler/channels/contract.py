"""What must every channel keep to?

Which one is opened is said in `crawler.channels`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

import msgspec

from crawler.model import Answer, Job, MachineState, Question, Visit
from crawler.policy.outage import Outage


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
    def capacity(self) -> int:
        """How many jobs may be out at once."""

    @property
    def fleet(self) -> Fleet | None:
        """The machines that work for this channel; None where only this one does."""

    @property
    def loads(self) -> tuple[int, ...]:
        """Jobs that are out to each worker."""

    def start(self) -> None:
        """Make ready to take jobs."""

    def send(self, job: Job) -> None:
        """Hand a job over. Never blocks while `free` is positive."""

    def answer(self, answer: Answer) -> None:
        """Tell whoever shows a page what it may ask for; nothing where nobody shows it any more.
        A channel that does not carry answers has no workers that ask."""

    def arrivals(self) -> Iterator[Visit | Returned | Question]:
        """What comes back, and what workers ask meanwhile, one by one, until the channel is closed.

        Whoever stops taking slows the workers down: visits that wait are bounded by bytes.
        """

    def close(self) -> None:
        """End all work at once; what is in flight is lost."""


class Fleet(Protocol):
    """Machines that come and go while a crawl goes on, each with a network of its own."""

    def beware(self, machines: Sequence[str]) -> None:
        """These, by their keys, may still be at work for an earlier run."""

    @property
    def waits(self) -> bool:
        """May machines of an earlier run still be at work? Then nothing is given out."""

    def begin(self) -> None:
        """All is known of earlier runs: jobs are given out as soon as that is safe."""

    def unwritten(self) -> list[MachineState]:
        """Machines of which the file does not know enough."""

    def admit(self, ids: Mapping[str, int]) -> None:
        """These have their rows in the file by now, and may be given jobs."""

    def states(self) -> tuple[MachineState, ...]:
        """All that are there."""

    def outage_of(self, worker: int) -> Outage | None:
        """What is known of the network of one, 0 for this machine's; None for one that is gone."""

    @property
    def is_down(self) -> bool:
        """Is the network down, whoever asks?"""

    def hopeless(self, now: float, patience_s: float) -> bool:
        """Has it been for longer than is waited for?"""

    def notice(self) -> str | None:
        """One line for the person; None while all is well."""
