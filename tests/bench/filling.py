"""How does a database come to hold millions of URLs that wait?

They are written straight into the tables, spread over the hosts that are there, as if pages had
linked to them: crawling until there are ten million would take a day.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from crawler.policy.urls import identity
from crawler.store.database import open_for_writing

Origin = tuple[int, int, str]
"""Its id, its host's id, its name."""


def fill(database: Path, size: int) -> None:
    """Queue URLs, evenly over all origins, until `size` of them wait."""
    connection = open_for_writing(database)
    try:
        connection.execute("BEGIN IMMEDIATE")
        waiting = connection.execute(COUNT_QUEUED).fetchone()[0]
        origins = connection.execute(ORIGINS).fetchall()
        last = connection.execute("SELECT max(id) FROM urls").fetchone()[0]
        number = max(size - waiting, 0)
        connection.executemany(INSERT, _rows(origins, last, number))
        connection.executemany(ADD_QUEUED, _shares(origins, number))
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def _rows(origins: Sequence[Origin], last: int, number: int) -> Iterator[tuple[object, ...]]:
    for at in range(number):
        origin_id, host_id, origin = origins[at % len(origins)]
        url = f"{origin}/p/{at // len(origins)}.html"
        yield last + 1 + at, url, identity(url), host_id, origin_id


def _shares(origins: Sequence[Origin], number: int) -> Iterator[tuple[int, int]]:
    """How many URLs each origin's host was given."""
    each, more = divmod(number, len(origins))
    for at, (_, host_id, _) in enumerate(origins):
        yield each + (at < more), host_id


COUNT_QUEUED = "SELECT count(*) FROM urls WHERE state = 'queued'"

ORIGINS = "SELECT id, host_id, origin FROM origins ORDER BY id"

INSERT = """
    INSERT INTO urls (
        id, url, hash, host_id, origin_id, state, depth, via, first_seen_at, run_id
    ) VALUES (?, ?, ?, ?, ?, 'queued', 1, 'a', '2026-01-01T00:00:00.000Z', 1)
"""

ADD_QUEUED = "UPDATE hosts SET queued = queued + ? WHERE id = ?"
