"""How does a test take something along?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crawler.exports import formats, run

NOW = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)


def take(database: Path, out: Path, name: str, **options: Any) -> Path:
    """Export with these options, and give the place."""
    remarks(database, out, name, **options)
    return out


def remarks(database: Path, out: Path, name: str, **options: Any) -> tuple[str, ...]:
    """Export with these options, and give what is to be known of it."""
    unset = {one.key: () if one.many else None for one in formats.OPTIONS}
    assert options.keys() <= unset.keys()
    made = run.export(
        run.find(name),
        [database],
        out,
        options=unset | options,
        now=NOW,
        progress=lambda _done, _whole: None,
    )
    return made.remarks
