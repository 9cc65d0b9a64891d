"""Which visits share a frame on their way to the conductor?"""

from __future__ import annotations

from collections import deque
from typing import Final

from crawler.model import Visit

GATHER_S: Final = 0.002
"""Visits that come within this time share a frame."""
FRAME_ITEMS: Final = 64
FRAME_BYTES: Final = 256 * 1024
"""A frame is closed when it weighs so much; one visit may weigh more."""


def weight_of(visit: Visit) -> int:
    """Roughly how many bytes a visit takes on its way."""
    return (
        len(visit.body or b"")
        + len(visit.robots_body or b"")
        + len(visit.robots_rules or b"")
        + len(visit.document.text or "")
        + len(visit.document.facts or b"")
        + 200 * len(visit.document.columns)
        + (visit.rendering.weight if visit.rendering is not None else 0)
    )


class Outbox:
    """Visits that wait to be sent.

    bytes: what these weigh, and those that have been taken and are not sent yet.
    """

    def __init__(self) -> None:
        self._waiting: deque[tuple[Visit, int]] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def append(self, visit: Visit) -> None:
        """One more waits."""
        weight = weight_of(visit)
        self._waiting.append((visit, weight))
        self.bytes += weight

    def next_frame(self) -> tuple[list[Visit], int]:
        """Take the visits of one frame; they, and what they weigh until they are `sent`."""
        frame: list[Visit] = []
        weight = 0
        while self._waiting and len(frame) < FRAME_ITEMS and weight < FRAME_BYTES:
            visit, its_weight = self._waiting.popleft()
            frame.append(visit)
            weight += its_weight
        return frame, weight

    def sent(self, weight: int) -> None:
        """So much of what was taken is on its way."""
        self.bytes -= weight
