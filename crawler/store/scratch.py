"""Where does what is only wanted for a moment go, when it is too much for memory?

SQLite keeps temporary tables and what it sorts in memory here (pysqlite3 is built with
``SQLITE_TEMP_STORE=3``, which no pragma undoes), so that what a site makes long must not get there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from crawler.store import lock
from crawler.store.database import Connection, SQLiteError
from crawler.store.place import beside

NAME: Final = "scratch"
"""Of the schema that tables are made in."""
_PRAGMAS: Final = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -4096")


@contextmanager
def scratch(connection: Connection, path: Path) -> Iterator[None]:
    """A schema ``scratch`` whose tables stand in a file beside the database.

    The file has no name by the time it is written to, so that a kill leaves nothing behind.
    """
    place = beside(path, "-scratch")
    place.unlink(missing_ok=True)
    os.close(lock.make_new(place, 0o600))
    try:
        connection.execute(f"ATTACH ? AS {NAME}", (str(place),))
        for pragma in _PRAGMAS:
            connection.execute(f"PRAGMA {NAME}.{pragma}")
        # Its first page is written, after which SQLite never asks for it by its name again.
        connection.execute(f"CREATE TABLE {NAME}.begun (begun INTEGER)")
    finally:
        place.unlink(missing_ok=True)
    try:
        yield
    finally:
        with suppress(SQLiteError):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            connection.execute(f"DETACH {NAME}")
