"""Which machines have worked for a crawl, and which may still?

A row is there before its machine is given anything, and ends when that has nothing any more: so a
run that finds one without an end knows that somebody may still be asking hosts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from crawler.model import MachineState
from crawler.store.analysis import Column, create
from crawler.store.clock import iso

WORKERS: Final[Mapping[str, Column]] = {
    "id": ("INTEGER PRIMARY KEY", "its number"),
    "run_id": ("INTEGER NOT NULL REFERENCES runs(id)", "the run that it worked for (runs.id)"),
    "key": ("TEXT NOT NULL", "by which its conductor knew it"),
    "name": ("TEXT NOT NULL", "its host and process, as it said itself"),
    "processes": ("INTEGER NOT NULL", "so many of its processes fetched"),
    "joined_at": ("TEXT NOT NULL", "when it joined, ISO-8601, UTC"),
    "beat_at": ("TEXT NOT NULL", "when it last gave a sign of life, as far as was written down"),
    "left_at": ("TEXT", "when it left; NULL while it is there, or when nobody knows"),
    "left_reason": ("TEXT", "why it left"),
    "visits": ("INTEGER NOT NULL", "visits that it has sent"),
    "bytes": ("INTEGER NOT NULL", "bytes of bodies that it has received"),
    "refused": (
        "INTEGER NOT NULL",
        "visits of it that were dropped, for nothing was out",
    ),
    "network": ("TEXT NOT NULL", "up, or since when its network was down"),
}
TABLES: Final = {"workers": WORKERS}
ROWS: Final = {"workers": "a machine that fetched for a run, over Redis or Valkey"}
"""What a row is, by table."""


class WorkingMachine(msgspec.Struct, frozen=True):
    """A row of ``workers``, of one that has not left."""

    name: str
    processes: int
    visits: int
    beat_at: str
    network: str


def at_work(connection: Any, limit: int) -> list[WorkingMachine]:
    """Those of the run that is going on, as far as anybody has written down."""
    known = "SELECT 1 FROM sqlite_master WHERE name = 'workers'"
    if connection.execute(known).fetchone() is None:  # a file that an older version wrote last
        return []
    found = connection.execute(
        """
        SELECT name, processes, visits, beat_at, network
        FROM workers
        WHERE left_at IS NULL AND run_id = (SELECT id FROM runs WHERE state = 'running')
        ORDER BY id
        LIMIT ?
        """,
        (limit,),
    )
    return [WorkingMachine(*row) for row in found.fetchall()]


def statements() -> list[str]:
    """What brings them into a file."""
    made = [create(name, columns, None) for name, columns in TABLES.items()]
    return [*made, "ALTER TABLE visits ADD COLUMN worker_id INTEGER REFERENCES workers(id)"]


def left(connection: Any) -> list[str]:
    """Keys of those that nobody has seen leave."""
    rows = connection.execute("SELECT key FROM workers WHERE left_at IS NULL").fetchall()
    return [key for (key,) in rows]


def forget_left(connection: Any, run_id: int, now: float) -> None:
    """Those of earlier runs have been waited for."""
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(
        """
        UPDATE workers
        SET left_at = ?, left_reason = 'its conductor was killed'
        WHERE left_at IS NULL AND run_id <> ?
        """,
        (iso(now), run_id),
    )
    connection.execute("COMMIT")


def keep(
    connection: Any, run_id: int, states: Iterable[MachineState], now: float
) -> dict[str, int]:
    """Write down how machines are; gives the ids of those that had no row, by their keys."""
    made: dict[str, int] = {}
    connection.execute("BEGIN IMMEDIATE")
    for state in states:
        number = state.id
        if not number:
            (number,) = connection.execute(
                """
                INSERT INTO workers (
                    run_id, key, name, processes, joined_at, beat_at, visits, bytes, refused,
                    network
                ) VALUES (?1, ?2, ?3, ?4, ?5, ?5, 0, 0, 0, 'up')
                RETURNING id
                """,
                (run_id, state.key, state.name, state.processes, iso(now)),
            ).fetchone()
            made[state.key] = number
        connection.execute(
            """
            UPDATE workers
            SET processes = max(processes, ?2), beat_at = ?3, visits = ?4, bytes = ?5,
                refused = ?6, network = ?7,
                left_at = iif(?8 = '', NULL, ?9), left_reason = nullif(?8, '')
            WHERE id = ?1
            """,
            (
                number, state.processes, iso(now - state.beat_s), state.visits, state.bytes,
                state.refused, state.network, state.left, iso(now),
            ),
        )  # fmt: skip
    connection.execute("COMMIT")
    return made
