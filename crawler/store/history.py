"""What became of pages, run by run?

The reads behind ``crawler changes``, ``log`` and ``diff``. They look at the visits of few pages,
and take no longer where a crawl has a million.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from crawler.errors import UsageError
from crawler.store.changes import BETWEEN
from crawler.store.clock import iso
from crawler.store.database import Connection
from crawler.store.queries import Rows


class Pair(msgspec.Struct, frozen=True):
    """Two runs that are compared."""

    older: int
    newer: int


def pair(
    connection: Connection,
    *,
    since: str | None = None,
    older: int | None = None,
    newer: int | None = None,
) -> Pair | None:
    """The runs to compare: those named, the last before a date and the newest, or the last two
    crawls; None where there is no run before. Raises UsageError for what there is not."""
    begun = dict(connection.execute("SELECT id, started_at FROM runs ORDER BY id").fetchall())
    for run in (older, newer):
        if run is not None and run not in begun:
            known = f"there are 1 to {max(begun)}" if begun else "there is none yet"
            raise UsageError(f"no run {run} ({known})")
    last = newer or max(begun, default=0)
    if since is not None:
        older = _last_before(begun, since)
    elif older is None:
        [older] = connection.execute(LAST_FINISHED_BEFORE, (last,)).fetchone()
    if older is None:
        return None
    if older >= last:
        raise UsageError(f"run {older} is not before run {last}")
    return Pair(older, last)


def _last_before(begun: Mapping[int, str], since: str) -> int:
    try:
        moment = datetime.fromisoformat(since)
    except ValueError:
        raise UsageError(f"--since {since}: is no date; write it as 2026-11-30") from None
    at = iso((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
    before = [run for run, started_at in begun.items() if started_at < at]
    if not before:
        first = f"the first began {min(begun.values())}" if begun else "there is none yet"
        raise UsageError(f"--since {since}: no run began before then ({first})")
    return max(before)


LAST_FINISHED_BEFORE = """
    SELECT max(id)
    FROM runs
    WHERE finish_reason = 'finished' AND id < ?
"""


def changes(connection: Connection, compared: Pair) -> Rows:
    """What differs between two runs, the pages that are gone first."""
    cursor = connection.execute(_between(connection), msgspec.structs.asdict(compared))
    return _rows(cursor)


BETWEEN_BY_VIEW = """
    SELECT change, url, what, before, status, error, title, moved_to
    FROM changes_between_runs
    WHERE from_run = :older AND to_run = :newer
    ORDER BY change = 'changed', change, url
"""


def _between(connection: Connection) -> str:
    """Files that this version has not written to yet answer by the views that they have."""
    there = connection.execute(
        "SELECT 1 FROM pragma_table_info('visits') WHERE name = 'changed'"
    ).fetchone()
    return BETWEEN if there else BETWEEN_BY_VIEW


def _rows(cursor: Any) -> Rows:
    return Rows(tuple(column[0] for column in cursor.description), iter(cursor))
