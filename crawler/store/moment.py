"""What did a crawl hold at one moment, also while it goes on?

One read transaction: whatever is asked in it is of the moment at which it began. People's own SQL
is asked here, too, and only reads (`only_reading`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import msgspec

from crawler.errors import UsageError
from crawler.store import columns
from crawler.store.database import (
    Connection,
    SQLiteError,
    SQLiteWarning,
    is_refused,
    is_stop,
    only_reading,
    refuse_older,
    refusing_older,
)
from crawler.store.queries import Rows, blaming, reading
from crawler.store.views import VIEWS

RUN_COLUMN: Final = "run_id"
PAGES: Final = "pages"
PAGES_OF_RUNS: Final = "page_versions"
"""Each page as each run left it."""
_NO_COLUMN = re.compile(r"no such column: (?:\w+\.)?\"?([^\"\n]+?)\"?(?: - should .*)?$")
_AGAIN = re.compile(r"(.+):\d+")
"""A name that stands twice in what is selected from is told so by SQLite."""
_WRITES = re.compile(
    r"(?:alter|analyze|attach|begin|commit|create|delete|detach|drop|insert|pragma|reindex|replace"
    r"|rollback|update|vacuum)\b",
    re.IGNORECASE,
)
_NO_TABLE = re.compile(r"no such table: (?:\w+\.)?(.+)$")


class Choice(msgspec.Struct, frozen=True):
    """Which rows are asked for: of a table, a query or SQL (at most one of them).

    where: a condition on its columns. run: only what belongs to this run.
    """

    table: str | None = None
    query: str | None = None
    sql: str | None = None
    where: str | None = None
    run: int | None = None


class Selection(msgspec.Struct, frozen=True):
    """A SELECT that was tried. name: of the table or query; empty for a person's SQL.

    types: of the columns as they were declared; empty where nothing was.
    """

    name: str
    sql: str
    values: Mapping[str, Any]
    columns: tuple[str, ...]
    types: tuple[str, ...]


class Moment:
    """A crawl as it was at one moment. connection: may be asked anything, and reads."""

    def __init__(self, connection: Connection, path: Path) -> None:
        self.connection = connection
        self.path = path

    def __repr__(self) -> str:
        return f"<Moment of {self.path}>"

    def select(self, choice: Choice, *, default: str = PAGES) -> Selection:
        """The rows of a choice. Raises UsageError that names what is wrong, and the nearest that
        is right."""
        named = [one for one in (choice.table, choice.query, choice.sql) if one is not None]
        if len(named) > 1:
            raise UsageError("--table, --query and --sql each say which rows; give one of them")
        if choice.sql is not None:
            return self._of_sql(choice.sql, choice)
        return self._of_name(self._known(choice, default), choice)

    def subquery(self, name: str, where: str | None) -> str:
        """A table or view under a person's condition, in brackets, to be read from.

        Raises UsageError.
        """
        if where is None:
            return quoted(name)
        return f"({self._of_name(name, Choice(where=where)).sql})"

    def rows(self, selection: Selection) -> Rows:
        """The rows, read as they are asked for."""
        with only_reading(self.connection):
            cursor = self.connection.execute(selection.sql, selection.values)
        return Rows(selection.columns, iter(cursor))

    def over(self, selection: Selection, asked: str) -> list[tuple[Any, ...]]:
        """What is asked of all rows of a selection, by the names of its columns."""
        names = ", ".join(map(quoted, selection.columns))
        sql = f"WITH chosen({names}) AS (\n{selection.sql}\n)\nSELECT {asked}\nFROM chosen"
        with only_reading(self.connection):
            return list(self.connection.execute(sql, selection.values))

    def forget(self) -> None:
        """Give back the memory that pages of the file are kept in, where many files are open."""
        self.connection.execute("PRAGMA shrink_memory")

    def refuse_unknown_run(self, run: int | None) -> None:
        """Raises UsageError for a run that there is not."""
        known = self.connection.execute("SELECT 1 FROM runs WHERE id = ?", (run,))
        if run is None or known.fetchone():
            return
        [last] = self.connection.execute("SELECT max(id) FROM runs").fetchone()
        there = f"there are 1 to {last}" if last else "there is none yet"
        raise UsageError(f"{self.path}: no run {run} ({there})")

    def names(self) -> list[str]:
        """Every table and view that has rows for people."""
        listed = self.connection.execute(
            """
            SELECT name
            FROM pragma_table_list
            WHERE schema = 'main' AND type IN ('table', 'view', 'virtual')
                AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
                AND name NOT LIKE '\\_%' ESCAPE '\\'
            ORDER BY name
            """
        )
        return [name for (name,) in listed]

    def _known(self, choice: Choice, default: str) -> str:
        kind = "table" if choice.query is None else "query"
        name = choice.table or choice.query or default
        names = self.names()
        if name == PAGES and choice.run is not None:
            name = PAGES_OF_RUNS
        if name not in names:
            if name in VIEWS or name in columns.HELP:
                refuse_older(self.connection, self.path)
            hint = _nearest(name, names) or f"there are: {', '.join(names)}"
            raise UsageError(f'no {kind} "{name}" ({hint.rstrip()})')
        return name

    def _of_name(self, name: str, choice: Choice) -> Selection:
        try:
            listed = self.connection.execute(
                "SELECT name, type FROM pragma_table_info(?)", (name,)
            ).fetchall()
        except SQLiteError as error:  # a view of a person's, of tables that are gone
            if is_stop(error):
                raise
            raise UsageError(f'"{name}" has no answer: {error}') from None
        there = [column for column, _ in listed]
        self.refuse_unknown_run(choice.run)
        if choice.run is not None and RUN_COLUMN not in there:
            raise UsageError(f"--run: {name} has no column {RUN_COLUMN}, so it is of no run")
        sql = f"SELECT *\nFROM {quoted(name)}"
        return self._tried(name, sql, choice, there, dict(listed))

    def _of_sql(self, sql: str, choice: Choice) -> Selection:
        self.connection.text_factory = _text  # bytes that SQL calls a text may be none
        plain = sql.strip().rstrip(";").rstrip()
        if _WRITES.match(plain):
            raise UsageError("--sql: only reading is allowed; give one SELECT")
        self.refuse_unknown_run(choice.run)
        there = _columns(self._prepared("--sql", plain, {}, ()))
        if choice.run is not None and RUN_COLUMN not in there:
            raise UsageError(f"--run: what --sql gives has no column {RUN_COLUMN}")
        if choice.run is not None or choice.where is not None:
            plain = f"SELECT *\nFROM (\n{plain}\n)"
        return self._tried("", plain, choice, there, {})

    def _tried(
        self,
        name: str,
        sql: str,
        choice: Choice,
        there: Sequence[str],
        types: Mapping[str, str],
    ) -> Selection:
        """What a person wrote ends on a line of its own: it may end with a comment."""
        conditions = [
            *([f"{RUN_COLUMN} = :run"] if choice.run is not None else []),
            *([f"(\n{choice.where}\n)"] if choice.where is not None else []),
        ]
        if conditions:
            sql += "\nWHERE " + " AND ".join(conditions)
        values = {} if choice.run is None else {"run": choice.run}
        found = _columns(self._prepared("--where", sql, values, there))
        return Selection(name, sql, values, found, tuple(types.get(one, "") for one in found))

    def _prepared(
        self, option: str, sql: str, values: Mapping[str, Any], there: Sequence[str]
    ) -> Any:
        """A cursor of a statement that gives rows, of which none is read."""
        try:
            with only_reading(self.connection):
                return self.connection.execute(f"SELECT * FROM (\n{sql}\n) LIMIT 0", values)
        except (SQLiteError, SQLiteWarning, ValueError) as error:
            if is_stop(error):
                raise
            raise UsageError(f"{option}: {self._told(error, there)}") from None

    def _told(self, error: Exception, there: Sequence[str]) -> str:
        """What SQLite said of a person's SQL, with the nearest name that there is."""
        said = str(error)
        if is_refused(error):
            return "only reading is allowed, one SELECT of this file"
        if "one statement at a time" in said:
            return "is more than one statement; give one SELECT"
        if "binding" in said.lower():
            return "has a ? or a :name in it, for which there is no value; write the value itself"
        if found := _NO_TABLE.search(said):
            return f'no table "{found[1]}"{_hint(found[1], self.names())}'
        if found := _NO_COLUMN.search(said):
            return f'no column "{found[1]}"{_hint(found[1], there or self._all_columns())}'
        return said.split("\n", 1)[0]  # what follows is what it was put into

    def _all_columns(self) -> list[str]:
        found = self.connection.execute(
            """
            SELECT DISTINCT columns.name
            FROM pragma_table_list AS tables, pragma_table_info(tables.name) AS columns
            WHERE tables.schema = 'main'
            """
        )
        return [name for (name,) in found]


@contextmanager
def sql_of(choice: Choice) -> Iterator[None]:
    """What goes wrong in some row only, as in a JSON that is none, is a person's SQL, where there
    is some. Raises UsageError."""
    try:
        yield
    except SQLiteError as error:
        of_statement = getattr(error, "sqlite_errorname", "") == "SQLITE_ERROR"
        given = [name for name in ("where", "sql") if getattr(choice, name) is not None]
        if not of_statement or not given:
            raise
        raise UsageError(f"{' or '.join(f'--{name}' for name in given)}: {error}") from None


@contextmanager
def asking(asked: Moment, choice: Choice) -> Iterator[None]:
    """What goes wrong with these rows is told of this file, or of a person's SQL.

    Raises StorageError, UsageError and KeyboardInterrupt.
    """
    with (
        blaming(asked.connection, asked.path),
        sql_of(choice),
        refusing_older(asked.connection, asked.path),
    ):
        yield


@contextmanager
def moment(path: Path) -> Iterator[Moment]:
    """A moment of a crawl, which lasts as long as the block.

    Raises StorageError, and KeyboardInterrupt for a signal that came while SQLite was at work.
    """
    with reading(path) as connection:
        connection.execute("BEGIN")
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()  # the moment is now
        yield Moment(connection, path)


def _columns(cursor: Any) -> tuple[str, ...]:
    """The names of what a statement gives, each once: the second ``url`` is ``url_2``."""
    found: list[str] = []
    for name, *_ in cursor.description:
        again = _AGAIN.fullmatch(name)
        name = again[1] if again is not None and again[1] in found else name
        number, unique = 1, name
        while unique in found:
            number += 1
            unique = f"{name}_{number}"
        found.append(unique)
    return tuple(found)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def quoted(name: str) -> str:
    """A name as SQL has it."""
    return '"' + name.replace('"', '""') + '"'


def _nearest(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, 1)
    return f'did you mean "{near[0]}"? ' if near else ""


def _hint(name: str, known: Sequence[str]) -> str:
    nearest = _nearest(name, known)
    return f" ({nearest.rstrip()})" if nearest else ""
