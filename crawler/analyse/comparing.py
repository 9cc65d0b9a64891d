"""What differs between the newest run and the one before it, so that it need not be looked for?

Kept in ``run_differences`` as long as runs are compared as they were then. The visits of a run that
has ended never change, and a crawl that goes on is another run.
"""

from __future__ import annotations

from typing import Final

from crawler import failpoints
from crawler.store import kept_changes
from crawler.store.changes import COMPARED, LAST_PAIR
from crawler.store.database import Connection

_IS_KNOWN: Final = f"SELECT {kept_changes.IS_KNOWN.format(older=':older', newer=':newer')}"
_FORGET: Final = "DELETE FROM {table} WHERE from_run = :older AND to_run = :newer"
_COLUMNS: Final = ", ".join(kept_changes.RUN_DIFFERENCES)
_KEEP: Final = f"""
    INSERT INTO run_differences ({_COLUMNS})
    {COMPARED}
    SELECT {_COLUMNS}
    FROM judged
    WHERE change IS NOT NULL
"""
_NOTE: Final = f"""
    INSERT INTO compared_runs (from_run, to_run, version)
    VALUES (:older, :newer, {kept_changes.VERSION})
"""


def compare_last_runs(connection: Connection) -> None:
    """Keep what differs, unless it is kept already."""
    row = connection.execute(LAST_PAIR).fetchone()
    if row is None:
        return
    pair = dict(zip(("older", "newer"), row, strict=True))
    if connection.execute(_IS_KNOWN, pair).fetchone()[0]:
        return
    connection.execute("BEGIN IMMEDIATE")
    for table in kept_changes.TABLES:
        connection.execute(_FORGET.format(table=table), pair)
    connection.execute(_KEEP, pair)
    connection.execute(_NOTE, pair)
    failpoints.reached("before-commit")
    connection.execute("COMMIT")
    failpoints.reached("after-commit")
