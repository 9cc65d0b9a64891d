"""How is a moment written in the database?"""

from __future__ import annotations

import time
from datetime import UTC, datetime

BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""The clock that never jumps, and counts while the machine sleeps too."""


class Clock:
    """Epoch seconds that never jump: the wall clock's when it was made, and what passed since."""

    def __init__(self) -> None:
        self._ahead = time.time() - time.clock_gettime(BOOT)

    def __repr__(self) -> str:
        return f"<Clock {iso(self.now())}>"

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._ahead + time.clock_gettime(BOOT)


FIRST_S = -62_135_596_800.0
LAST_S = 253_402_300_799.0
"""The years 1 to 9999: other moments have no text. An archive may say anything."""


def iso(epoch_s: float) -> str:
    """ISO-8601 UTC text with milliseconds: ``2026-11-23T15:52:28.123Z``; of a moment that has no
    text the nearest that has one."""
    moment = datetime.fromtimestamp(min(max(epoch_s, FIRST_S), LAST_S), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch(text: str) -> float:
    """The opposite of `iso`, in seconds; 0.0, long ago, for a text that is no moment."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return 0.0
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
