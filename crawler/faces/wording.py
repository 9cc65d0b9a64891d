"""How does a number, a time or a stranger's text read?"""

from __future__ import annotations

from collections.abc import Sequence

from crawler.plain import count, plain, plain_lines

__all__ = ["count", "first", "more", "plain", "plain_lines", "rate", "size", "span"]

WORTH_TELLING_S = 1.0
"""A shorter rest is over before it has been read."""
UNITS = ("B", "kB", "MB", "GB", "TB")


def first(parts: Sequence[str], limit: int) -> list[str]:
    """The first parts, and ``and 3 more`` where some are left out."""
    return [*parts[:limit], *more(len(parts) - limit)]


def more(count: int) -> list[str]:
    """``and 3 more``; nothing where nothing is left out."""
    return [f"and {count:,} more"] if count > 0 else []


def size(size_bytes: float) -> str:
    """``310.6 kB``; a kB is 1,000 bytes."""
    at = 0
    while size_bytes >= 999.95 and at < len(UNITS) - 1:
        size_bytes /= 1000
        at += 1
    return f"{size_bytes:.1f} {UNITS[at]}" if at else f"{size_bytes:.0f} B"


def span(seconds: float) -> str:
    """``0.4 s``, ``42 s``, ``3 min 20 s``, ``2 h 5 min``, ``4 d 3 h``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(seconds / 3600)
    return f"{hours // 24} d {hours % 24} h"


def rate(per_s: float) -> str:
    """``0.3/s``, ``60/s``."""
    return f"{per_s:.1f}/s" if per_s < 10 else f"{per_s:,.0f}/s"
