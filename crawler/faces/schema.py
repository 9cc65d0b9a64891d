"""How is the database explained to who wants to query it?"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from crawler.faces import wording
from crawler.store.queries import Column, Described, View

WIDTH = 100
UNPACKING = """\
A body is a zlib stream. The first one, unpacked:

sqlite3   SELECT sqlar_uncompress(body, body_bytes) FROM bodies WHERE id = 1;

Python    import sqlite3, zlib
          connection = sqlite3.connect({path!r})
          [packed] = connection.execute("SELECT body FROM bodies WHERE id = 1").fetchone()
          body = zlib.decompress(packed)

R         connection <- DBI::dbConnect(RSQLite::SQLite(), "{path}")
          packed <- DBI::dbGetQuery(connection, "SELECT body FROM bodies WHERE id = 1")$body[[1]]
          body <- memDecompress(packed, type = "gzip")

DuckDB    ATTACH '{path}' AS crawl (TYPE sqlite);
          Count the rows of links by a column, count(source_id): it knows no count(*) of tables
          without row ids."""


def lines(tables: Iterable[Described], views: Sequence[View], path: str) -> Iterator[str]:
    """Each table with its columns, the views, and how to unpack a body."""
    for table in tables:
        yield f"{table.name}: {table.row}"
        yield from _columns(table.columns)
        yield ""
    yield "Views, each the answer to a question:"
    widest = max((len(view.name) for view in views), default=0)
    for view in views:
        yield from _row(f"  {wording.plain(view.name):{widest}}", wording.plain(view.question))
    yield ""
    yield from UNPACKING.format(path=wording.plain(path)).splitlines()


def _columns(columns: Sequence[Column]) -> Iterator[str]:
    names = max((len(column.name) for column in columns), default=0)
    kinds = max((len(column.type) for column in columns), default=0)
    for column in columns:
        unit = f" ({column.unit})" if column.unit else ""
        head = f"  {wording.plain(column.name):{names}}  {wording.plain(column.type):{kinds}}"
        yield from _row(head, f"{column.meaning}{unit}")


def _row(head: str, told: str) -> list[str]:
    """A line, and its rest below what is told."""
    told_at = len(head) + 2
    return textwrap.wrap(
        told,
        WIDTH,
        initial_indent=f"{head}  ",
        subsequent_indent=" " * told_at,
        break_long_words=False,
    ) or [head.rstrip()]
