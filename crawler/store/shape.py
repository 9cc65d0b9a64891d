"""Are the tables of a file those that the crawler makes?

A file that somebody prepared may have a table of our name whose columns hold anything: an id that
is a text, or none. What is read of such a one would be taken for what it is not.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from crawler.errors import StorageError
from crawler.store.database import Connection


def refuse_other(connection: Connection, path: Path, tables: Iterable[str]) -> None:
    """Raises StorageError where one of these is otherwise in ``src``, which is `path`, than in
    ``main``. Columns that a person has added are welcome."""
    for table in tables:
        ours, theirs = (_shape(connection, schema, table) for schema in ("main", "src"))
        if not ours <= theirs:
            what = "is not as the crawler makes it" if theirs else "is missing"
            raise StorageError(f"{path}: its table {table} {what}; go on with a copy that is whole")


def _shape(connection: Connection, schema: str, table: str) -> set[tuple[object, ...]]:
    """Columns with their types and places in the key, and whether that is the row's own number,
    which nothing but an integer can be (https://sqlite.org/lang_createtable.html#rowid).

    Not by pragma_table_list, which compiles all views first, each time: a minute for two files.
    """
    columns = set(connection.execute(COLUMNS, (table, schema)).fetchall())
    return columns | set(connection.execute(KEYS, (table, schema)).fetchall()) if columns else set()


COLUMNS = """
    SELECT name, type, pk
    FROM pragma_table_xinfo(?, ?)
    WHERE hidden = 0
"""
KEYS = """
    SELECT count(*)
    FROM pragma_index_list(?, ?)
    WHERE origin = 'pk'
"""
