"""How is a moment written in the database?"""

from __future__ import annotations

from datetime import UTC, datetime


def iso(epoch_s: float) -> str:
    """ISO-8601 UTC text with milliseconds: ``2026-11-23T15:52:28.123Z``."""
    moment = datetime.fromtimestamp(epoch_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch(text: str) -> float:
    """The opposite of `iso`, in seconds."""
    return datetime.fromisoformat(text).timestamp()
