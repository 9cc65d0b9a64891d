"""How do the facts of a body get into the file?

Whoever has read it, the analysis or a worker: the rows are the same. A worker's travel packed
within the document; they are unpacked where they are written.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from crawler import failpoints
from crawler.store import analysis
from crawler.store.database import Connection

Row = tuple[object, ...]


class BodyFacts(msgspec.Struct):
    """What is read of one body.

    values: of the table ``facts`` by column, None where the body is no page. headings, meta_tags,
    link_facts, structured_data: rows of these tables without their body_id. form: the row of
    ``body_forms`` without body_id and version, None where nobody asks for it.
    """

    values: dict[str, object] | None = None
    headings: list[Row] = []
    meta_tags: list[Row] = []
    link_facts: list[Row] = []
    structured_data: list[Row] = []
    form: Row | None = None


class Known(msgspec.Struct, frozen=True, array_like=True):
    """What a body says, or why nothing was read: timeout, lost, or the name of a Python error."""

    body_id: int
    facts: BodyFacts
    error: str | None = None


class Unkept(msgspec.Struct, frozen=True, array_like=True):
    """What was read of a body that is not kept. version: of the reading."""

    version: int
    facts: BodyFacts
    error: str | None = None


_PARTS: Final = ("headings", "meta_tags", "link_facts", "structured_data")
_COLUMNS: Final = tuple(analysis.FACTS)
_unkept: Final = msgspec.msgpack.Decoder(Unkept)
pack: Final = msgspec.msgpack.encode
_NO_FORM: Final[Row] = (None, None, None, 0, 0, 0)


def unread(*, is_page: bool, is_sitemap: bool) -> BodyFacts:
    """What is stored of a body that could not be read, so that nobody tries again."""
    return BodyFacts({} if is_page else None, form=_NO_FORM if is_sitemap or not is_page else None)


def replace(
    connection: Connection, answers: Sequence[Known], version: int = analysis.VERSION
) -> None:
    """Replace what is known of these bodies; the transaction is the caller's."""
    pages = [read for read in answers if read.facts.values is not None]
    for table in _PARTS:
        connection.executemany(
            f"DELETE FROM {table} WHERE body_id = ?", [(read.body_id,) for read in pages]
        )
        rows = [(read.body_id, *row) for read in pages for row in getattr(read.facts, table)]
        places = ", ".join("?" * len(analysis.TABLES[table]))
        connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
    places = ", ".join("?" * len(_COLUMNS))
    connection.executemany(
        f"INSERT OR REPLACE INTO facts ({', '.join(_COLUMNS)}) VALUES ({places})",
        [_row(read, version) for read in pages],
    )
    places = ", ".join("?" * len(analysis.BODY_FORMS))
    connection.executemany(
        f"INSERT OR REPLACE INTO body_forms VALUES ({places})",
        [
            (read.body_id, version, *read.facts.form)
            for read in answers
            if read.facts.form is not None
        ],
    )


def commit(connection: Connection, answers: Sequence[Known]) -> None:
    """The same in a transaction of its own."""
    connection.execute("BEGIN IMMEDIATE")
    replace(connection, answers)
    failpoints.reached("before-commit")
    connection.execute("COMMIT")
    failpoints.reached("after-commit")


def keep_packed(connection: Connection, packed: Iterable[tuple[int, bytes]]) -> None:
    """Write what workers have read: body_id, and an `Unkept` as msgpack. A body that has been read
    is left alone."""
    for body_id, frame in dict(packed).items():
        unkept = _unkept.decode(frame)
        known = connection.execute(_VERSIONS, (body_id,)).fetchone()
        facts = unkept.facts
        if facts.values is not None and (known[0] or 0) >= unkept.version:
            facts.values = None
        if facts.form is not None and (known[1] or 0) >= unkept.version:
            facts.form = None
        replace(connection, [Known(body_id, facts, unkept.error)], unkept.version)


_VERSIONS: Final = """
    SELECT
        (SELECT version FROM facts WHERE body_id = ?1),
        (SELECT version FROM body_forms WHERE body_id = ?1)
"""


def _row(read: Known, version: int) -> Row:
    values = {
        **(read.facts.values or {}), "body_id": read.body_id, "version": version,
        "error": read.error,
    }  # fmt: skip
    return tuple(values.get(name) for name in _COLUMNS)
