"""Which moment does a person mean by a date?"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

from crawler.errors import UsageError

HOW: Final = "write it as 2026-11-30 or 2026-11-30T15:00"
MAX_SHOWN: Final = 60
TOO: Final = "a time of a day may be named, too: 2026-11-30T15:00"


def moment(option: str, text: str, *, later: bool = False) -> str:
    """The moment (ISO-8601, in UTC) at which a date or a time begins, of no time zone in UTC;
    later: that at which a whole day has ended. Raises UsageError, which names the option.

    Years go from 1 to 9999 here and in the database, so that moments are compared as texts.
    """
    try:
        named = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{option} {_short(text)}: is no date; {HOW}") from None
    try:
        if later and _is_day(text):
            named += timedelta(days=1)
        at = named.astimezone(UTC) if named.tzinfo else named.replace(tzinfo=UTC)
    except OverflowError:
        raise UsageError(f"{option} {_short(text)}: is beyond the years 1 to 9999; {HOW}") from None
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."
