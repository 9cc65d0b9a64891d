"""How is a list of counts drawn?

As SVG that stands in the page: it needs no script and no style of its own, scales, prints, and is
read out by its description. Texts are escaped here.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any, Final

from crawler.plain import plain

WIDTH: Final = 640
_ROW: Final = 26
_LABELS: Final = 190
_VALUES: Final = 90
MAX_BARS: Final = 12
"""Of one chart; the rest is one bar."""


def bars(title: str, rows: Sequence[tuple[Any, ...]]) -> str:
    """Horizontal bars: a label and a count a row, the largest as wide as there is room."""
    counts = [(plain(str(row[0])), float(row[1] or 0)) for row in rows]
    if len(counts) > MAX_BARS:
        rest = counts[MAX_BARS - 1 :]
        counts = [*counts[: MAX_BARS - 1], (f"{len(rest)} more", sum(count for _, count in rest))]
    most = max((count for _, count in counts), default=0.0) or 1.0
    height = _ROW * max(1, len(counts))
    told = escape(title + ": " + ", ".join(f"{label} {count:,.0f}" for label, count in counts))
    drawn = "".join(_bar(place, label, count, most) for place, (label, count) in enumerate(counts))
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{told}">'
        f"{drawn}</svg>"
    )


def _bar(place: int, label: str, count: float, most: float) -> str:
    y = place * _ROW
    width = max(1.0, (WIDTH - _LABELS - _VALUES) * count / most) if count else 0.0
    middle = y + _ROW * 0.65
    short = label if len(label) <= 28 else label[:27] + "…"
    return (
        f'<text class="label" x="{_LABELS - 8}" y="{middle:.1f}" text-anchor="end">'
        f"{escape(short)}</text>"
        f'<rect class="bar" x="{_LABELS}" y="{y + 4}" width="{width:.1f}" height="{_ROW - 8}" '
        f'rx="2"></rect>'
        f'<text class="value" x="{_LABELS + width + 6:.1f}" y="{middle:.1f}">{count:,.0f}</text>'
    )
