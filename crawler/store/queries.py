"""What do the program's own faces ask of a crawl?

Every read has a name. They take a connection of `reading`, which never writes, so that a crawl may
be asked while it runs; what they give is frozen.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from crawler.config.place import place_of
from crawler.errors import UsageError
from crawler.store import columns
from crawler.store.clock import epoch, iso
from crawler.store.database import (
    Connection,
    SQLiteError,
    interruptible,
    is_stop,
    open_for_reading,
    refusing_older,
    storage_errors,
)
from crawler.store.views import COUNTED

Row = TypeVar("Row")


class First(msgspec.Struct, Generic[Row], frozen=True):
    """The first rows of a list, and how many the whole list has."""

    rows: Sequence[Row] = ()
    total: int = 0

    @property
    def more(self) -> int:
        """How many rows are left out."""
        return self.total - len(self.rows)


class Run(msgspec.Struct, frozen=True):
    """One run: a row of ``runs``. elapsed_s: until its end, or until now."""

    id: int
    state: str
    reason: str | None
    started_at: str
    elapsed_s: float
    seeds_file: str
    pid: int
    pages: int
    errors: int
    bytes: int


class FateCount(msgspec.Struct, frozen=True):
    """How many URLs share a state and a reason. statuses: of those done, each with its URLs."""

    state: str
    reason: str | None
    urls: int
    statuses: tuple[tuple[int, int], ...] = ()


class Problem(msgspec.Struct, frozen=True):
    """What went wrong (an error or ``HTTP 404``), for how many URLs, and one of them."""

    what: str
    urls: int
    example: str


class WalledHost(msgspec.Struct, frozen=True):
    """A host that answers a crawler with walls: how many of so many answers are challenges."""

    host: str
    challenges: int
    answers: int


class BrokenLogin(msgspec.Struct, frozen=True):
    """A site whose login came to nothing. state: ``failed``, ``over``, ``unused``. detail: why, in
    words."""

    origin: str
    state: str
    detail: str


class Left(msgspec.Struct, frozen=True):
    """URLs that wait: all, those that rest beyond now, and seconds until the first of these.

    messages: of a shard, to others that have not taken them.
    """

    queued: int
    resting: int
    next_s: float | None
    messages: int = 0


class RestingHost(msgspec.Struct, frozen=True):
    """A host with URLs that wait: how many, and for how many seconds it still rests, and why."""

    host: str
    queued: int
    rest_s: float
    why: str | None


class View(msgspec.Struct, frozen=True):
    """A question that the database answers by name."""

    name: str
    question: str


class Column(msgspec.Struct, frozen=True):
    """A column: its name and type, what stands there, in which unit (None where there is none)."""

    name: str
    type: str
    meaning: str
    unit: str | None


class Described(msgspec.Struct, frozen=True):
    """A table: what a row of it is, and its columns."""

    name: str
    row: str
    columns: tuple[Column, ...]


class Rows(msgspec.Struct, frozen=True):
    """What a view gives, read as it is asked for."""

    columns: tuple[str, ...]
    rows: Iterator[tuple[Any, ...]]


@contextmanager
def reading(path: Path) -> Iterator[Connection]:
    """A connection to ask with. Raises StorageError for whatever SQLite cannot do.

    What goes wrong where the answers are written to is none of the database's fault, and passes.
    """
    connection = open_for_reading(path)
    # A signal that came while SQLite worked is raised in here, and ends that work.
    interruptible(connection, lambda: False)
    try:
        with blaming(connection, path):
            yield connection
    finally:
        connection.close()


@contextmanager
def blaming(connection: Connection, path: Path) -> Iterator[None]:
    """Whatever SQLite cannot do is told of this file, also where others are held open, too.

    Raises StorageError, and KeyboardInterrupt for a signal that came while SQLite was at work.
    """
    try:
        with refusing_older(connection, path):
            yield
    except SQLiteError as error:
        if is_stop(error):
            raise KeyboardInterrupt from None
        with storage_errors(path):
            raise error


def newest(folder: Path) -> Path:
    """The database in a folder that was written last. Raises UsageError when there is none."""
    found = [path for path in folder.glob("*.db") if path.is_file()]
    if not found:
        raise UsageError(f"no database in {folder}/; name one with --db")
    return max(found, key=lambda path: path.stat().st_mtime)


def last_run(connection: Connection) -> Run | None:
    """The run that began last; None when there was none yet."""
    row = connection.execute(
        """
        SELECT id, state, finish_reason, started_at, finished_at, coalesce(seeds_file, ''),
            coalesce(pid, 0), pages, errors, bytes
        FROM runs
        ORDER BY id DESC
        LIMIT 1
        """
    ).fetchone()
    if row is None:
        return None
    number, state, reason, started_at, finished_at, *rest = row
    until = time.time() if finished_at is None else epoch(finished_at)
    return Run(number, state, reason, started_at, max(0.0, until - epoch(started_at)), *rest)


def seeds_files(connection: Connection) -> list[str]:
    """Where the seeds of all runs so far came from, as it was written."""
    rows = connection.execute(
        """
        SELECT DISTINCT seeds_file
        FROM runs
        WHERE seeds_file IS NOT NULL
        ORDER BY id
        """
    ).fetchall()
    return [str(row[0]) for row in rows]


def has_seed(connection: Connection, hashes: Iterable[int]) -> bool:
    """Was any of these URLs a seed of any run?"""
    return any(
        connection.execute(
            """
            SELECT 1
            FROM urls
            JOIN seeds ON seeds.url_id = urls.id
            WHERE urls.hash = ?
            LIMIT 1
            """,
            (number,),
        ).fetchone()
        for number in hashes
    )


def first_seed(connection: Connection) -> str | None:
    """The seed that a database began with."""
    row = connection.execute(
        """
        SELECT text
        FROM seeds
        ORDER BY id
        LIMIT 1
        """
    ).fetchone()
    return None if row is None else str(row[0])


def fates(connection: Connection, limit: int) -> First[FateCount]:
    """URLs that no longer wait by state and reason, the most frequent first."""
    rows = connection.execute(
        f"""
        SELECT state, reason, status, count(*) AS urls
        FROM urls
        WHERE state <> 'queued' AND {COUNTED}
        GROUP BY state, reason, status
        ORDER BY urls DESC, status
        """
    )
    found: dict[tuple[str, str | None], FateCount] = {}
    for state, reason, status, urls in rows:
        fate = found.get((state, reason), FateCount(state, reason, 0))
        statuses = fate.statuses if state != "done" else (*fate.statuses, (status, urls))
        found[state, reason] = msgspec.structs.replace(
            fate, urls=fate.urls + urls, statuses=statuses
        )
    return _first(sorted(found.values(), key=lambda fate: -fate.urls), limit)


def _first(rows: Iterable[Row], limit: int) -> First[Row]:
    known = tuple(rows)
    return First(known[:limit], len(known))


def problems(connection: Connection, limit: int) -> First[Problem]:
    """What went wrong, the most frequent first."""
    rows = connection.execute(
        f"""
        SELECT coalesce(reason, 'HTTP ' || status) AS what, count(*) AS urls, min(url)
        FROM urls
        WHERE {COUNTED}
            AND (state = 'failed' OR (state = 'done' AND status >= 400))
        GROUP BY what
        ORDER BY urls DESC, what
        """
    )
    return _first((Problem(*row) for row in rows), limit)


def walled_hosts(connection: Connection, limit: int) -> First[WalledHost]:
    """Hosts of whose answers more than a tenth are challenges, those with the most first."""
    rows = connection.execute(
        """
        SELECT hosts.host, count(pages.challenge) AS challenges, count(*)
        FROM pages
        JOIN hosts ON hosts.id = pages.host_id
        WHERE pages.status IS NOT NULL
        GROUP BY hosts.id
        HAVING count(pages.challenge) * 10 > count(*)
        ORDER BY challenges DESC, hosts.host
        """
    )
    return _first((WalledHost(*row) for row in rows), limit)


def broken_logins(connection: Connection, limit: int) -> First[BrokenLogin]:
    """Sites whose logins failed in the last run, held no longer, or were never needed."""
    rows = connection.execute(
        """
        SELECT origin, login_state, login_detail
        FROM origins
        WHERE login_state IS NOT NULL
        ORDER BY origin
        """
    ).fetchall()
    begun = {row[0] for row in rows}
    broken = [BrokenLogin(*row) for row in rows if row[1] in ("failed", "over")]
    named = (place_of(name).origin for (name,) in connection.execute(WITH_LOGINS))
    idle = [BrokenLogin(name, "unused", UNUSED) for name in named if name not in begun]
    return _first(iter((*broken, *idle)), limit)


UNUSED = "nothing of it had to be asked for; is its name as in the addresses (www., https)?"
WITH_LOGINS = """
    SELECT site.key
    FROM json_each(
        (SELECT json_extract(config, '$.site') FROM runs ORDER BY id DESC LIMIT 1)
    ) AS site
    WHERE json_extract(site.value, '$.login') IS NOT NULL
    ORDER BY site.key
"""


def shells(connection: Connection) -> int:
    """How many pages show next to nothing without their scripts, as far as was analysed."""
    return int(connection.execute("SELECT count(*) FROM likely_javascript").fetchone()[0])


def left(connection: Connection) -> Left:
    """What waits, and how much of it may not be fetched yet."""
    now = time.time()
    queued, resting, next_at = connection.execute(
        """
        SELECT count(*), count(iif(not_before > :now, 1, NULL)),
            min(iif(not_before > :now, not_before, NULL))
        FROM urls
        WHERE state = 'queued'
        """,
        {"now": iso(now)},
    ).fetchone()
    next_s = None if next_at is None else epoch(next_at) - now
    return Left(queued, resting, next_s, _messages(connection))


def _messages(connection: Connection) -> int:
    """None in the file of an older crawler."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'outbox'").fetchone():
        return 0
    [count] = connection.execute("SELECT count(*) FROM outbox").fetchone()
    return int(count)


def waiting_hosts(connection: Connection, limit: int) -> First[RestingHost]:
    """Hosts with URLs that wait, those with the most first."""
    now = time.time()
    rows = connection.execute(
        """
        SELECT count(*) OVER (), host, queued,
            max(coalesce(next_fetch_at, ''), coalesce(blocked_until, '')), block_reason
        FROM hosts
        WHERE queued > 0
        ORDER BY queued DESC, host
        LIMIT ?
        """,
        (limit,),
    ).fetchall()
    hosts = [
        RestingHost(host, queued, max(0.0, epoch(until) - now) if until else 0.0, why)
        for _, host, queued, until, why in rows
    ]
    return First(hosts, rows[0][0] if rows else 0)


def views(connection: Connection) -> list[View]:
    """Every question that the database answers by name, also those that people added."""
    rows = connection.execute(
        """
        SELECT name, sql
        FROM sqlite_master
        WHERE type = 'view'
        ORDER BY name
        """
    )
    return [View(name, _first_comment(sql)) for name, sql in rows]


def tables(connection: Connection) -> list[Described]:
    """Every table of ours with what its columns mean; a person's own columns mean nothing to us."""
    said = {(table, column): (meaning, unit) for table, column, meaning, unit in columns.rows()}
    found = []
    for table, about in columns.HELP.items():
        listed = connection.execute("SELECT name, type FROM pragma_table_info(?)", (table,))
        described = tuple(
            Column(name, kind, *said.get((table, name), ("", None))) for name, kind in listed
        )
        if described:
            found.append(Described(table, about.row, described))
    return found


def _first_comment(sql: str) -> str:
    _, dashes, rest = sql.partition("--")
    return rest.partition("\n")[0].strip() if dashes else ""


def ask(connection: Connection, name: str) -> Rows:
    """All rows of a view or table. Raises UsageError for an unknown one, with the nearest that
    exists."""
    known = [view.name for view in views(connection)]
    if name not in known and name not in columns.HELP:
        near = get_close_matches(name, [*known, *columns.HELP], 1)
        hint = f'did you mean "{near[0]}"? ' if near else ""
        raise UsageError(f'no view "{name}" ({hint}there are: {", ".join(known)})')
    quoted = name.replace('"', '""')
    cursor = connection.execute(f'SELECT * FROM "{quoted}"')
    return Rows(tuple(column[0] for column in cursor.description), iter(cursor))


PROPOSALS = (
    (
        # The count comes first, and spares a first crawl the look at every visit.
        "SELECT 1 WHERE (SELECT count(*) FROM runs WHERE state = 'finished') > 1 "
        "AND EXISTS (SELECT 1 FROM changes)",
        "SELECT change, count(*) AS pages FROM changes GROUP BY change",
    ),
    (
        "SELECT 1 FROM broken_links",
        "SELECT link, status, count(*) AS links, min(page) AS page FROM broken_links "
        "GROUP BY link ORDER BY links DESC LIMIT 20",
    ),
    (
        "SELECT 1 FROM seed_summary WHERE state IN ('failed', 'skipped', 'refused')",
        "SELECT line, text, state, reason FROM seed_summary WHERE state <> 'done'",
    ),
    (
        "SELECT 1 FROM urls WHERE state = 'failed'",
        "SELECT url, reason FROM urls WHERE state = 'failed' LIMIT 20",
    ),
    (
        "SELECT 1 FROM duplicate_titles",
        "SELECT title, pages, example FROM duplicate_titles LIMIT 20",
    ),
    (
        "SELECT 1 FROM urls WHERE state = 'skipped'",
        "SELECT reason, count(*) AS urls FROM skipped_urls GROUP BY reason",
    ),
    (
        "SELECT 1 FROM slow_pages",
        "SELECT url, ttfb_ms FROM slow_pages LIMIT 20",
    ),
    ("SELECT 1", "SELECT * FROM crawl_summary"),
    ("SELECT 1", "SELECT line, text, state, reason FROM seed_summary"),
    ("SELECT 1", "SELECT url, status, title FROM pages LIMIT 20"),
)
"""What is worth asking, the most telling first: when it has an answer, and how it is asked.

None has a character that a shell reads within double quotes.
"""


def proposals(connection: Connection, count: int) -> list[str]:
    """So many SQL statements that have something to say of this crawl."""
    found = []
    for worth, statement in PROPOSALS:
        if connection.execute(f"SELECT EXISTS ({worth})").fetchone()[0]:
            found.append(statement)
        if len(found) == count:
            break
    return found
