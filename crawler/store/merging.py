"""How do several crawls become one file?

What is one and the same in two of them (a host, an origin, a URL, a body) becomes one row, known by
its name; the rest comes along, its references led to those rows. Foreign keys, which every table
declares, say which columns refer to what. One source after the other is read, table by table, so
that memory does not grow with them, and SQLite's limit of attached files is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from crawler.errors import StorageError
from crawler.store import analysis, redirects, shape
from crawler.store.database import (
    Connection,
    SQLiteError,
    attached,
    interruptible,
    is_stop,
    make_empty,
    storage_errors,
)
from crawler.store.moment import quoted
from crawler.store.origins import COUNT_HOSTS
from crawler.store.part import OF_WRITING
from crawler.store.precedence import (
    BETTER,
    CONTEST,
    FILL_BODY,
    JOIN_RUNS,
    KEPT_OF_URLS,
    LOST,
    LOST_UNDER_ITS_ID,
    NEAREST,
    OWNED,
    SAME,
)
from crawler.store.schema import LINKS_BY_TARGET
from crawler.store.shards import OTHER_SHARD

MOST_ID: Final = 1 << 53
READ: Final = ("runs", "outbox")
"""What else is read of each."""
NOT_TAKEN: Final = frozenset(
    {
        *("_sqlite_migrations", "_crawler_views", "columns_help", "runs", *SAME),
        *("shard", "peers", "outbox", "shard_chains", "shard_passed"),
        # what an analysis makes anew
        *("near_duplicates", "missing_fragments", "checks", "findings", "runs_checks"),
        *("extracts", "extract_pages", "extract_rules", "run_pages", "indexed_texts"),
        *("spaced_texts", "revisits", "compared_runs", "run_differences"),
    }
)
_STUB: Final = f"(state = 'skipped' AND reason = '{OTHER_SHARD}')"


class Source(msgspec.Struct):
    """A crawl that is merged. shift: by table, what is added to its ids."""

    path: Path
    runs: list[int]
    shift: dict[str, int] = {}


class Merged(msgspec.Struct, frozen=True):
    """What came of it. kept_ids: no id of a URL is another. same: URLs that several had.

    stubs: URLs that belong to a shard that was not among the files. undelivered: messages of shards
    that others have not taken.
    """

    pages: int
    urls: int
    kept_ids: bool
    same: int
    stubs: int
    undelivered: int


def merge(out: Path, paths: Sequence[Path], told: Callable[[int, int], object]) -> Merged:
    """Fill an empty file with these crawls. told: steps that are done, of how many.

    Raises StorageError and KeyboardInterrupt.
    """
    with storage_errors(out.parent):
        connection = make_empty(out)
        interruptible(connection, lambda: False)  # a signal is raised in here
        try:
            return _Merger(connection, paths, told).run()
        except SQLiteError as error:
            if is_stop(error):
                raise KeyboardInterrupt from None
            raise
        finally:
            connection.close()


class _Merger:
    """One merging."""

    def __init__(
        self, connection: Connection, paths: Sequence[Path], told: Callable[[int, int], object]
    ) -> None:
        self._connection = connection
        self._paths = paths
        self._told = told
        self._sources: list[Source] = []
        self._tables: list[str] = []
        self._numbers: dict[str, str] = {}
        self._done = self._steps = 0
        self._same = 0
        self._undelivered = 0

    def run(self) -> Merged:
        """All of it, in one go: the file has another name until it is whole."""
        tables = self._connection.execute(TABLES).fetchall()
        self._tables = [name for (name,) in tables if name not in NOT_TAKEN]
        numbered = ((name, self._number_of(name)) for name in (*SAME, *self._tables))
        self._numbers = {name: column for name, column in numbered if column}
        self._sources = self._looked_at()
        self._steps = len(self._sources) * (len(SAME) + len(self._tables)) + 2
        indexes = self._drop_indexes()
        for table in TEMPORARY:
            self._connection.execute(table)
        for source in self._sources:
            with self._of(source):
                self._identities(source)
        for source in self._sources:
            with self._of(source):
                self._take(source)
        for sql in (*indexes, LINKS_BY_TARGET):
            self._connection.execute(sql)
        self._step()
        self._mend()
        self._connection.execute("PRAGMA main.optimize = 0x10002")
        return self._came_of()

    def _step(self) -> None:
        self._done += 1
        self._told(self._done, self._steps)

    @contextmanager
    def _of(self, source: Source) -> Iterator[None]:
        """One source as ``src``, and one transaction, so that what it is asked is of one moment."""
        with _blaming(source.path), attached(self._connection, source.path):
            self._connection.execute("BEGIN")
            runs = [(old, self._run_of(source, old)) for old in source.runs]
            self._connection.executemany("INSERT INTO temp.runs_now VALUES (?, ?)", runs)
            yield
            for table in ("lost", "runs_now", *(f"same_{name}" for name in SAME)):
                self._connection.execute(f"DELETE FROM temp.{table}")
            self._connection.execute("COMMIT")

    def _drop_indexes(self) -> list[str]:
        """Those that only readers need; they are made when the rows are there."""
        found = self._connection.execute(INDEXES).fetchall()
        for name, _ in found:
            self._connection.execute(f"DROP INDEX {quoted(name)}")
        return [sql for _, sql in found]

    # Which ids

    def _looked_at(self) -> list[Source]:
        """The sources, the earliest crawl first, with what becomes of their ids."""
        found = []
        for number, path in enumerate(self._paths):
            with _blaming(path), attached(self._connection, path):
                shape.refuse_other(self._connection, path, (*READ, *SAME, *self._tables))
                runs = [one for (one,) in self._connection.execute(RUNS_OF).fetchall()]
                [(last,)] = self._connection.execute(LAST_RUN).fetchall()
                ranges = {name: self._range(name) for name in self._numbers}
                [(waiting,)] = self._connection.execute(UNDELIVERED).fetchall()
                self._undelivered += waiting
            found.append((last or "", number, Source(path, runs), ranges))
        found.sort(key=lambda one: one[:2])
        for table in self._numbers:
            spans = [(source, ranges[table]) for _, _, source, ranges in found]
            _shift(table, spans)
        return [source for _, _, source, _ in found]

    def _range(self, table: str) -> tuple[int, int]:
        column = self._numbers[table]
        if column not in self._columns(table):
            return (0, 0)
        low, high = self._connection.execute(
            f"SELECT min({column}), max({column}) FROM src.{quoted(table)}"
        ).fetchone()
        return (low or 0, high or 0)

    def _number_of(self, table: str) -> str | None:
        """The column that numbers the rows of a table, where it refers to no other table."""
        keys = self._connection.execute(NUMBER, (table,)).fetchall()
        refers = dict(self._connection.execute(REFERENCES, (table,)).fetchall())
        if len(keys) != 1:
            return None
        [(name, kind)] = keys
        return name if kind == "INTEGER" and name not in refers else None

    # What is the same

    def _identities(self, source: Source) -> None:
        """Hosts, origins and URLs, but for URLs whose fate is in another file."""
        for table in ("hosts", "origins"):
            self._note_same(table, source)
            self._insert(table, source, f"id NOT IN (SELECT old FROM temp.same_{table})")
            self._connection.execute(BETTER[table])
            self._step()
        self._note_same("urls", source, f"NOT {_STUB}")
        self._same += self._connection.execute("SELECT count(*) FROM temp.same_urls").fetchone()[0]
        known = f"id NOT IN (SELECT old FROM temp.same_urls) AND NOT {_STUB}"
        self._insert("urls", source, known)
        number = self._sources.index(source)
        self._connection.execute(CONTEST, {"source": number})
        self._connection.execute(self._replace_urls(source), {"source": number})
        self._connection.execute(NEAREST)
        self._step()

    def _note_same(self, table: str, source: Source, where: str = "1") -> None:
        """Which of its rows are there already, under which id."""
        keys = " AND ".join(f"main.{table}.{key} = was.{key}" for key in SAME[table])
        self._connection.execute(
            f"""
            INSERT OR REPLACE INTO temp.same_{table} (old, new)
            SELECT was.id, main.{table}.id
            FROM (SELECT * FROM src.{table} WHERE {where}) AS was
            CROSS JOIN main.{table} ON {keys}
            """
        )

    def _replace_urls(self, source: Source) -> str:
        """What is known better here than in an earlier file."""
        columns = [one for one in self._columns("urls") if one not in KEPT_OF_URLS]
        given = self._given("urls", source, "was")
        sets = ", ".join(f"{quoted(one)} = {given[one]}" for one in columns)
        return f"""
            UPDATE main.urls
            SET {sets}
            FROM src.urls AS was
            JOIN temp.same_urls ON temp.same_urls.old = was.id
            JOIN temp.contested ON temp.contested.id = temp.same_urls.new
            WHERE main.urls.id = temp.same_urls.new AND temp.contested.winner = :source
        """

    # The rest

    def _take(self, source: Source) -> None:
        """All else of a source, when the URLs of all of them are known."""
        for table in ("hosts", "origins", "urls"):
            if table == "urls":
                self._insert(
                    "urls", source, f"{_STUB} AND hash NOT IN (SELECT hash FROM main.urls)"
                )
            self._note_moved(table, source)
        values = {"source": self._sources.index(source), "shift": source.shift["urls"]}
        for sql in (LOST, LOST_UNDER_ITS_ID, FOUND_ON):
            self._connection.execute(
                sql, values if ":source" in sql else {"shift": values["shift"]}
            )
        self._connection.execute(CROSSING, {"shift": source.shift["urls"]})
        self._take_bodies(source)
        self._take_runs(source)
        for table in self._tables:
            owner = OWNED.get(table)
            kept = f"{owner} NOT IN (SELECT old FROM temp.lost)" if owner else "1"
            self._insert(table, source, kept, ignoring=True)
            self._step()

    def _note_moved(self, table: str, source: Source) -> None:
        """Which of its rows have another id now than it alone would have given them."""
        self._connection.execute(f"DELETE FROM temp.same_{table}")
        keys = " AND ".join(f"main.{table}.{key} = was.{key}" for key in SAME[table])
        self._connection.execute(
            f"""
            INSERT INTO temp.same_{table} (old, new)
            SELECT was.id, main.{table}.id
            FROM src.{table} AS was
            CROSS JOIN main.{table} ON {keys}
            WHERE main.{table}.id <> was.id + {source.shift[table]}
            """
        )

    def _take_bodies(self, source: Source) -> None:
        self._insert("bodies", source, "1", known=FILL_BODY)
        self._note_moved("bodies", source)
        self._step()

    def _take_runs(self, source: Source) -> None:
        """The last runs are those of one crawl, and so are those before them."""
        for old in source.runs:
            self._insert("runs", source, f"id = {old}", known=JOIN_RUNS)

    def _run_of(self, source: Source, run: int) -> int:
        longest = max(len(one.runs) for one in self._sources)
        return longest - len(source.runs) + source.runs.index(run) + 1

    def _insert(
        self, table: str, source: Source, where: str, *, known: str = "", ignoring: bool = False
    ) -> None:
        columns = self._columns(table)
        if not columns:
            return  # an older crawler's, or a person's own
        given = self._given(table, source, "was")
        self._connection.execute(
            f"""
            INSERT {"OR IGNORE " if ignoring else ""}INTO main.{quoted(table)}
                ({", ".join(map(quoted, columns))})
            SELECT {", ".join(given[one] for one in columns)}
            FROM src.{quoted(table)} AS was
            WHERE {where}
            {known}
            """
        )

    def _columns(self, table: str) -> list[str]:
        """Those that both files have."""
        ours, theirs = (
            [name for (name,) in self._connection.execute(COLUMNS, (table, schema)).fetchall()]
            for schema in ("main", "src")
        )
        return [name for name in ours if name in theirs and (table, name) not in MADE_LATER]

    def _given(self, table: str, source: Source, was: str) -> Mapping[str, str]:
        """What is put in each column: references lead to the rows that are there now."""
        refers = dict(self._connection.execute(REFERENCES, (table,)).fetchall())
        if table in self._numbers:
            refers[self._numbers[table]] = table
        elif table == "runs":
            refers["id"] = "runs"
        given = {}
        for column in self._columns(table):
            name, parent = f"{was}.{quoted(column)}", refers.get(column)
            given[column] = (
                name if parent is None else self._led(name, parent, source, column, table)
            )
        return given

    def _led(self, name: str, parent: str, source: Source, column: str, inserted: str) -> str:
        """The id of the row that a reference of a source means."""
        table = "urls" if parent == "pages" else parent
        if table == "runs":
            return f"(SELECT new FROM temp.runs_now WHERE old = {name})"
        shifted = f"{name} + {source.shift[table]}" if source.shift.get(table) else name
        if table not in SAME or (column == "id" and inserted == parent):
            return shifted
        return f"coalesce((SELECT new FROM temp.same_{table} WHERE old = {name}), {shifted})"

    # What counts and relates rows of several

    def _mend(self) -> None:
        connection = self._connection
        connection.execute("BEGIN")
        for sql in MENDING:
            connection.execute(sql)
        crossing = [one for (one,) in connection.execute("SELECT id FROM temp.crossing")]
        for loop in redirects.loops_through(connection, crossing):
            redirects.settle_loop(connection, loop)
        connection.execute("COMMIT")
        self._step()

    def _came_of(self) -> Merged:
        [(pages, urls, stubs)] = self._connection.execute(COUNTS).fetchall()
        kept = not any(source.shift["urls"] for source in self._sources)
        return Merged(pages, urls, kept, self._same, stubs, self._undelivered)


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    """What goes wrong is of the file that is read, but for what a disk does to the one that is
    made."""
    try:
        yield
    except SQLiteError as error:
        name = str(getattr(error, "sqlite_errorname", ""))
        if not is_stop(error) and not name.startswith(OF_WRITING):
            with storage_errors(path):
                raise
        raise


def _shift(table: str, spans: Sequence[tuple[Source, tuple[int, int]]]) -> None:
    """What is added to the ids of each source: nothing where all of them are apart."""
    filled = sorted(span for _, span in spans if span[1])
    apart = all(one[1] < other[0] for one, other in pairwise(filled))
    last = 0
    for source, (low, high) in spans:
        source.shift[table] = 0 if apart or not high else last + 1 - low
        last = max(last, high + source.shift[table])
    if last >= MOST_ID:
        raise StorageError(f"{spans[-1][0].path}: no ids are left for its {table}; merge fewer")


MADE_LATER: Final = frozenset(
    ("pages", name) for name in (*analysis.PAGES, "inlinks", "link_score")
)
"""Columns that an analysis of the whole fills."""

TABLES = """
    SELECT name
    FROM main.sqlite_master
    WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
    ORDER BY name IN ('pages', 'visits') DESC, rowid
"""
INDEXES = """
    SELECT name, sql
    FROM main.sqlite_master
    WHERE type = 'index' AND sql IS NOT NULL AND sql NOT LIKE 'CREATE UNIQUE%'
"""
NUMBER = """
    SELECT name, type
    FROM pragma_table_info(?, 'main')
    WHERE pk > 0
"""
COLUMNS = """
    SELECT name
    FROM pragma_table_xinfo(?, ?)
    WHERE hidden = 0
"""
REFERENCES = """
    SELECT "from", "table"
    FROM pragma_foreign_key_list(?, 'main')
"""
RUNS_OF = """
    SELECT id
    FROM src.runs
    ORDER BY id
"""
LAST_RUN = """
    SELECT max(started_at)
    FROM src.runs
"""
UNDELIVERED = """
    SELECT count(*)
    FROM src.outbox
"""
TEMPORARY = (
    *(f"CREATE TEMP TABLE same_{name} (old INTEGER PRIMARY KEY, new INTEGER)" for name in SAME),
    "CREATE TEMP TABLE lost (old INTEGER PRIMARY KEY)",
    "CREATE TEMP TABLE contested (id INTEGER PRIMARY KEY, winner INTEGER)",
    "CREATE TEMP TABLE crossing (id INTEGER PRIMARY KEY)",
    "CREATE TEMP TABLE runs_now (old INTEGER PRIMARY KEY, new INTEGER)",
)
"""same: ids of rows that another file has, too. lost: URLs of which another file knows better."""

FOUND_ON = """
    UPDATE main.urls
    SET found_on_id = temp.same_urls.new
    FROM src.urls AS was
    JOIN temp.same_urls ON temp.same_urls.old = was.found_on_id
    WHERE main.urls.id = was.id + :shift AND main.urls.hash = was.hash
"""
CROSSING = """
    INSERT OR IGNORE INTO temp.crossing (id)
    SELECT coalesce(
        (SELECT new FROM temp.same_urls WHERE old = visits.url_id), visits.url_id + :shift
    )
    FROM src.visits
    WHERE redirect_to_id IN (SELECT old FROM temp.same_urls)
"""
MENDING = (
    """
    UPDATE pages
    SET depth = (SELECT depth FROM urls WHERE urls.id = pages.id)
    WHERE id IN (SELECT id FROM temp.contested)
    """,
    """
    UPDATE runs
    SET state = 'interrupted', finish_reason = coalesce(finish_reason, 'killed')
    WHERE state = 'running'
    """,
    """
    UPDATE hosts
    SET queued = 0, pages = 0
    """,
    COUNT_HOSTS,
)
COUNTS = f"""
    SELECT
        (SELECT count(*) FROM pages),
        (SELECT count(*) FROM urls),
        (SELECT count(*) FROM urls WHERE {_STUB})
"""
