"""Which bodies have no facts yet, and how do they get them?

Facts are kept by body with the version of their reading: an unchanged body is read once, however
many runs or checks there are. A chunk of bodies is a transaction; whoever comes after a kill goes
on with what has no facts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from crawler import failpoints
from crawler.analyse.bodies import in_chunks
from crawler.analyse.readers import Packed, Read, read_all
from crawler.parse.facts import VERSION, PageFacts, read_facts
from crawler.store import analysis
from crawler.store.database import Connection

_PARTS: Final = ("headings", "meta_tags", "link_facts", "structured_data")
_MISSING: Final = """
    SELECT bodies.id, bodies.charset, length(bodies.body), bodies.id, ''
    FROM bodies
    LEFT JOIN facts ON facts.body_id = bodies.id
    WHERE bodies.body IS NOT NULL
        AND bodies.content_type IN ('text/html', 'application/xhtml+xml')
        AND coalesce(facts.version, 0) < ?
    ORDER BY bodies.id
"""
_COLUMNS: Final = tuple(analysis.FACTS)

Progress = Callable[[str, int, int], None]
"""Called with a pass's name, how much is done, and how much there is."""


def gather_facts(
    connection: Connection, progress: Progress, *, processes: int, max_links: int
) -> int:
    """Read every body that has no facts of this version; returns how many there were."""
    analysis.complete(connection)
    missing = connection.execute(_MISSING, (VERSION,)).fetchall()
    chunks = in_chunks(connection, missing)

    def look(body: bytes, packed: Packed) -> PageFacts:
        return read_facts(body, packed.charset, max_links=max_links)

    done = 0
    for answers in read_all(chunks, look, PageFacts, processes=max(1, processes)):
        _store(connection, answers)
        done += len(answers)
        progress("facts", done, len(missing))
    return done


def _store(connection: Connection, answers: list[Read[PageFacts]]) -> None:
    """Replace what was known of these bodies, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    for table in _PARTS:
        connection.executemany(
            f"DELETE FROM {table} WHERE body_id = ?", [(read.number,) for read in answers]
        )
        rows = [(read.number, *row) for read in answers for row in _rows(read, table)]
        places = ", ".join("?" * len(analysis.TABLES[table]))
        connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
    places = ", ".join("?" * len(_COLUMNS))
    connection.executemany(
        f"INSERT OR REPLACE INTO facts ({', '.join(_COLUMNS)}) VALUES ({places})",
        [_row(read) for read in answers],
    )
    failpoints.reached("before-commit")
    connection.execute("COMMIT")
    failpoints.reached("after-commit")


def _rows(read: Read[PageFacts], table: str) -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = getattr(read.found or PageFacts(), table)
    return rows


def _row(read: Read[PageFacts]) -> tuple[object, ...]:
    found = {} if read.found is None else read.found.values
    values = {**found, "body_id": read.number, "version": VERSION, "error": read.error}
    return tuple(values.get(name) for name in _COLUMNS)
