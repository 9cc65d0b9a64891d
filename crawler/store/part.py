"""How is a smaller file made of a crawl, which is a crawl's file itself?

Its tables are made as they were made here, and get the rows that are asked for: of some hosts, of
one run, without bodies. Rows point nowhere but into the file: what a page links to comes along as
an address, and its host with it. Foreign keys, which every table declares, say which rows belong to
what. One transaction reads all of it, so that it is of one moment.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from crawler.errors import UsageError
from crawler.store import search_index
from crawler.store.database import (
    EXPORT,
    LAST_RUN,
    Connection,
    SQLiteError,
    interruptible,
    is_stop,
    make_beside,
    storage_errors,
)
from crawler.store.moment import quoted

WIDE: Final = frozenset(
    {
        *(("links", "target_id"), ("sitemap_entries", "url_id"), ("urls", "found_on_id")),
        *(("visits", "redirect_to_id"), ("pages", "canonical_id"), ("urls", "id")),
        ("requests", "target_id"),
    }
)
"""Columns that may point to an address that only came along."""
CLEARED: Final = frozenset(
    {
        *(("urls", "found_on_id"), ("pages", "canonical_id"), ("visits", "redirect_to_id")),
        *(("pages", "body_id"), ("renders", "body_id"), ("requests", "body_id")),
    }
)
"""Columns that are emptied where what they point to stays behind; else the row stays, too."""
OF_LATER: Final = frozenset({"findings", "runs_checks", "compared_runs", "run_differences"})
"""What an analysis knows of the last run, and of no other."""
PRIVATE: Final = "cookies"
"""A table that stays behind: whoever has its rows may be let in where the crawl was."""
OF_WRITING: Final = ("SQLITE_FULL", "SQLITE_IOERR")
"""How errors are named that are of the file that is made; others are of the one that is read."""
INDEXES_LATER: Final = ("index", "view", "trigger")
"""In this order, when the rows are there."""
_SETS: Final = (
    """
    CREATE TEMP TABLE core (id INTEGER PRIMARY KEY)
    """,
    """
    INSERT INTO temp.core
    SELECT id
    FROM src.urls
    WHERE (:hosts = 0 OR host_id IN (
            SELECT hosts.id
            FROM src.hosts
            JOIN temp.wanted ON hosts.host = wanted.host
                OR substr(hosts.host, -length(wanted.host) - 1) = '.' || wanted.host
        ))
        AND (:run IS NULL OR id IN (SELECT url_id FROM src.visits WHERE run_id = :run))
    """,
    """
    CREATE TEMP TABLE kept (id INTEGER PRIMARY KEY)
    """,
    """
    INSERT INTO temp.kept
    SELECT id
    FROM src.urls
    WHERE (:run IS NULL OR run_id <= :run)
        AND id IN (
            SELECT id FROM temp.core
            UNION
            SELECT target_id FROM src.links WHERE source_id IN temp.core
            UNION
            SELECT redirect_to_id FROM src.visits WHERE url_id IN temp.core
            UNION
            SELECT url_id FROM src.sitemap_entries WHERE sitemap_id IN temp.core
            UNION
            SELECT requests.target_id
            FROM requests
            JOIN src.visits ON visits.id = requests.visit_id
            WHERE visits.url_id IN temp.core
        )
    """,
    """
    CREATE TEMP TABLE part_visits (id INTEGER PRIMARY KEY)
    """,
    """
    INSERT INTO temp.part_visits
    SELECT id
    FROM src.visits
    WHERE url_id IN temp.core AND (:run IS NULL OR run_id = :run)
    """,
    """
    CREATE TEMP TABLE part_bodies (id INTEGER PRIMARY KEY)
    """,
    """
    INSERT INTO temp.part_bodies
    SELECT body_id
    FROM src.visits
    WHERE body_id IS NOT NULL
        AND url_id IN temp.core
        AND (:run IS NULL OR run_id = :run)
    UNION
    SELECT body_id
    FROM renders
    WHERE body_id IS NOT NULL AND visit_id IN temp.part_visits
    UNION
    SELECT body_id
    FROM requests
    WHERE body_id IS NOT NULL AND visit_id IN temp.part_visits
    UNION
    SELECT body_id
    FROM {documents}
    """,
    """
    CREATE TEMP TABLE part_hosts AS
    SELECT DISTINCT host_id AS id FROM src.urls WHERE id IN temp.kept
    """,
    """
    CREATE TEMP TABLE part_origins AS
    SELECT DISTINCT origin_id AS id FROM src.urls WHERE id IN temp.kept
    """,
)
_OLDER: Final = {
    "renders": "CREATE TEMP TABLE renders (visit_id INTEGER, body_id INTEGER)",
    "requests": "CREATE TEMP TABLE requests (visit_id INTEGER, target_id INTEGER, body_id INTEGER)",
}
"""What stands for tables that an older file does not have."""
_QUEUED: Final = """
    UPDATE hosts
    SET queued = (SELECT count(*) FROM urls WHERE urls.host_id = hosts.id AND state = 'queued')
"""
SETS: Final = {
    "bodies": "IN temp.part_bodies",
    "hosts": "IN temp.part_hosts",
    "origins": "IN temp.part_origins",
    "visits": "IN temp.part_visits",
}
"""Which rows are taken of what others point to."""
ITSELF: Final = frozenset({"urls", "runs", *SETS})
"""What others point to."""
OF_RUN: Final = frozenset({("visits", "run_id"), ("seeds", "run_id")})
"""What is of the one run alone; of runs all up to it stay, since URLs were first seen in them."""
_MADE: Final = """
    SELECT type, name, sql
    FROM src.sqlite_master
    WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
    ORDER BY rowid
"""
_AS_OF_RUN: Final = (
    """
    CREATE TEMP TABLE later AS
    SELECT DISTINCT url_id AS id
    FROM src.visits
    WHERE run_id > :run AND kind = 'page' AND url_id IN temp.core
    """,
    """
    DELETE FROM links
    WHERE source_id IN (
        SELECT was.url_id
        FROM src.page_versions AS was
        JOIN pages ON pages.id = was.url_id
        WHERE was.run_id = :run
            AND was.url_id IN (SELECT id FROM temp.later)
            AND was.body_id IS NOT pages.body_id
    )
    """,
    """
    UPDATE pages
    SET status = was.status, error = was.error, title = was.title, h1 = was.h1,
        canonical = was.canonical, description = was.description, meta_robots = was.robots,
        lang = was.lang, text_hash = was.text_hash, body_bytes = was.body_bytes,
        fetched_at = was.visited_at, document_at = was.document_at, body_id = was.body_id,
        changed_at = was.document_at, inlinks = NULL, outlinks = NULL, link_score = NULL
    FROM src.page_versions AS was
    WHERE was.run_id = :run
        AND was.url_id = pages.id
        AND pages.id IN (SELECT id FROM temp.later)
    """,
    """
    UPDATE urls
    SET state = CASE WHEN was.error IS NULL THEN 'done' ELSE 'failed' END,
        reason = was.error, status = was.status
    FROM src.page_versions AS was
    WHERE was.run_id = :run
        AND was.url_id = urls.id
        AND urls.id IN (SELECT id FROM temp.later)
    """,
)
"""What later runs found is taken back, as far as visits and bodies tell."""


class Part(msgspec.Struct, frozen=True):
    """What is taken. hosts: with those below them; none for all. run: only that one."""

    hosts: tuple[str, ...] = ()
    run: int | None = None
    bodies: bool = True


class Copied(msgspec.Struct, frozen=True):
    """What came of it. skipped: tables of other kinds that stayed behind. later: pages that later
    runs have visited."""

    pages: int
    skipped: tuple[str, ...]
    later: int


def copy(
    source: Path, out: Path, part: Part, told: Callable[[int, int], object], *, named: Path
) -> Copied:
    """Fill an empty file with a part of a crawl. told: tables that are done, of how many. named:
    what the file will be called.

    Raises StorageError, KeyboardInterrupt, and UsageError for hosts of which nothing is known.
    """
    with storage_errors(named):
        connection = make_beside(out, source)
        interruptible(connection, lambda: False)  # a signal is raised in here
        try:
            connection.execute("BEGIN")
            copied = _copy(connection, part, told)
            connection.execute("COMMIT")
            connection.execute("PRAGMA main.optimize = 0x10002")
            return copied
        except SQLiteError as error:
            if is_stop(error):
                raise KeyboardInterrupt from None
            if not str(getattr(error, "sqlite_errorname", "")).startswith(OF_WRITING):
                with storage_errors(source):
                    raise
            raise
        finally:
            connection.close()


def _copy(connection: Connection, part: Part, told: Callable[[int, int], object]) -> Copied:
    made = connection.execute(_MADE).fetchall()
    virtual = [name for kind, name, sql in made if kind == "table" and _is_virtual(sql)]
    tables = [
        (name, sql)
        for kind, name, sql in made
        if kind == "table" and not any(_belongs(name, to) for to in virtual)
    ]
    there = {name for name, _ in tables}
    for name, sql in _OLDER.items():
        if name not in there:
            connection.execute(sql)
    _choose(connection, part)
    for _, sql in tables:
        connection.execute(sql)
    for done, (name, _) in enumerate(tables):
        told(done, len(tables))
        if name != PRIVATE and (part.run is None or name not in OF_LATER):
            _fill(connection, name, part)
    later = _mend(connection, part)
    for wanted in INDEXES_LATER:
        for kind, _, sql in made:
            if kind == wanted:
                connection.execute(sql)
    if search_index.NAME in virtual:
        connection.execute(search_index.INDEX)
        connection.execute(search_index.RANK)
        connection.execute(search_index.REBUILD)
    _tell(connection, part)
    (pages,) = connection.execute("SELECT count(*) FROM main.pages").fetchone()
    return Copied(pages, tuple(one for one in virtual if one != search_index.NAME), later)


def _is_virtual(sql: str) -> bool:
    return sql.lower().split()[:2] == ["create", "virtual"]


def _belongs(name: str, virtual: str) -> bool:
    """Is it a virtual table, or one of those in which it keeps what it knows?"""
    return name == virtual or name.startswith(f"{virtual}_")


def _choose(connection: Connection, part: Part) -> None:
    """Which rows of the tables that others point to are taken. Raises UsageError."""
    connection.execute("CREATE TEMP TABLE wanted (host TEXT PRIMARY KEY)")
    hosts = [(host.lower().rstrip("."),) for host in part.hosts]
    connection.executemany("INSERT OR IGNORE INTO temp.wanted VALUES (?)", hosts)
    documents = (
        "src.pages WHERE id IN temp.core AND body_id IS NOT NULL"
        if part.run is None
        else "src.page_versions WHERE run_id = :run AND url_id IN temp.core AND body_id IS NOT NULL"
    )
    values = {"hosts": len(hosts), "run": part.run}
    for sql in _SETS:
        connection.execute(sql.format(documents=documents), values)
    if hosts and not connection.execute("SELECT 1 FROM temp.core").fetchone():
        raise UsageError(f"--host: no URL of {', '.join(part.hosts)} is in this crawl")


def _fill(connection: Connection, table: str, part: Part) -> None:
    """Copy the rows of a table that belong to what was chosen."""
    name = quoted(table)
    columns = [
        column
        for (column,) in connection.execute(
            "SELECT name FROM pragma_table_xinfo(?, 'src') WHERE hidden = 0", (table,)
        )
    ]
    sets = {
        column: found
        for column, parent in connection.execute(
            'SELECT "from", "table" FROM pragma_foreign_key_list(?, \'src\')', (table,)
        )
        if (found := _set(table, column, parent, part)) is not None
    }
    if (itself := _set(table, "id", table, part)) is not None and table in ITSELF:
        sets["id"] = itself
    given = ", ".join(_given(table, one, sets, part) for one in columns)
    kept = [
        f"({quoted(one)} IS NULL OR {quoted(one)} {which})"
        for one, which in sets.items()
        if (table, one) not in CLEARED
    ]
    listed = ", ".join(map(quoted, columns))
    connection.execute(
        f"INSERT INTO main.{name} ({listed}) SELECT {given} FROM src.{name} "
        f"WHERE {' AND '.join(kept) or '1'}",
        {"run": part.run} if ":run" in "".join(kept) + given else {},
    )


def _set(table: str, column: str, parent: str, part: Part) -> str | None:
    """Which rows of a parent are taken, as the end of a condition; None for all."""
    if parent == "runs":
        if part.run is None:
            return None
        return "= :run" if (table, column) in OF_RUN else "<= :run"
    if part.run is None and not part.hosts:
        return None
    if parent in {"urls", "pages"}:
        return "IN temp.kept" if (table, column) in WIDE else "IN temp.core"
    return SETS.get(parent)


def _given(table: str, column: str, sets: Mapping[str, str], part: Part) -> str:
    """What is put in a column."""
    name = quoted(column)
    if table == "bodies" and column == "body" and not part.bodies:
        return "NULL"
    if (table, column) in CLEARED and column in sets:
        return f"CASE WHEN {name} {sets[column]} THEN {name} END"
    return name


def _mend(connection: Connection, part: Part) -> int:
    """Let what counts rows count those that are here; how many pages later runs have visited."""
    connection.execute(_QUEUED)
    if part.run is None:
        return 0
    for sql in _AS_OF_RUN:
        connection.execute(sql, {"run": part.run} if ":run" in sql else {})
    (later,) = connection.execute("SELECT count(*) FROM temp.later").fetchone()
    return int(later)


def _tell(connection: Connection, part: Part) -> None:
    """What this file is a part of, for whoever opens it, and up to which run."""
    connection.execute(
        f"CREATE TABLE IF NOT EXISTS main.{EXPORT} (what TEXT NOT NULL, value TEXT NOT NULL) STRICT"
    )
    connection.execute(f"DELETE FROM main.{EXPORT} WHERE what = ?", (LAST_RUN,))
    [last] = connection.execute("SELECT coalesce(max(id), 0) FROM main.runs").fetchone()
    rows = [
        (LAST_RUN, str(last)),
        *(("host", host) for host in part.hosts),
        *([("run", str(part.run))] if part.run is not None else []),
        *([("bodies", "left out")] if not part.bodies else []),
    ]
    connection.executemany(f"DELETE FROM main.{EXPORT} WHERE (what, value) = (?, ?)", rows)
    connection.executemany(f"INSERT INTO main.{EXPORT} VALUES (?, ?)", rows)
