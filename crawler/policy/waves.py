"""When has a crawl of several shards come to its end?

By counting what they have sent each other and taken of each other (F. Mattern, Algorithms for
distributed termination detection, 1987, section 6): each answers a wave when it has nothing to do,
with counts of one moment. Where all of them agree, nothing is under way. The first that did
anything after its answer must have taken a message; whoever sent it had sent it before its own
answer, for else that one would be the first; so it was counted as sent and not as taken, and the
counts differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol


class Counted(Protocol):
    """Messages by the number of the other shard."""

    @property
    def sent(self) -> Mapping[int, int]:
        """The last that was written for it."""

    @property
    def taken(self) -> Mapping[int, int]:
        """The last of its that was taken."""


def is_over(answers: Mapping[int, Counted]) -> bool:
    """Is nothing under way between any two shards? answers: of all, by their numbers."""
    return all(
        answers[one].sent.get(other, 0) == answers[other].taken.get(one, 0)
        for one in answers
        for other in answers
        if one != other
    )
