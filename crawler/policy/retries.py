"""Which statuses are failures, and how often is each tried again?

What follows from errors of the network stands in `crawler.policy.words`, the rests between two
tries in `crawler.policy.pace`.
"""

from __future__ import annotations

from typing import Final

TRANSIENT: Final = frozenset({408, 425, 429})
"""Statuses below 500 that pass by themselves (RFC 9110, 15.5.9; RFC 8470, 5.2; RFC 6585, 4)."""
PERMANENT: Final = frozenset({501, 505, 506, 510, 511})
"""Statuses from 500 on that say what a server cannot do, and will not be able to in a minute."""
OVERLOADED: Final = frozenset({429, 503, 504, 524, 529, 598})
"""Statuses of which a longer first rest is likelier to help."""


def is_failure(status: int) -> bool:
    """Does this status leave its URL ``failed``? Every other is an answer."""
    return status in TRANSIENT or 500 <= status <= 599


def of_status(status: int) -> tuple[int, float]:
    """Fetches at most, and the first rest between two as a multiple of ``pace.retry_base_s``."""
    if not is_failure(status) or status in PERMANENT:
        return 1, 0.0
    return 3, 2.0 if status in OVERLOADED else 1.0
