"""Which SQLite is used, whose file is this, and who may write to it?

The only module that imports SQLite. pysqlite3 brings its own, newer library (Debian 12's 3.40.1 has
the WAL-reset bug, mended in 3.51.3); sqlite-utils picks the same one by itself, and two libraries
in one process on one file lose data.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pysqlite3.dbapi2 as sqlite3
from gevent import monkey

from crawler.errors import StorageError
from crawler.store import columns, foreign, lock, new_file, place, views
from crawler.store.place import beside, in_uri, wal_of
from crawler.store.schema import APPLICATION_ID, migrations

Connection = Any
"""A connection of `sqlite3` above (pysqlite3 has no types)."""

LIBRARY_VERSION: str = sqlite3.sqlite_version
DatabaseError: type[Exception] = sqlite3.DatabaseError
SQLiteError: type[Exception] = sqlite3.Error
SQLiteWarning: type[Exception] = sqlite3.Warning
UNFIT: tuple[type[Exception], ...] = (sqlite3.IntegrityError, sqlite3.DataError)
"""Errors of a value that the tables do not take, which no disk or lock is to blame for."""
BUSY_S = 60.0
BUSY_TOLD_S = 2.0
"""So long a lock of another program is waited for, and so long in silence."""
BUSY_STEP_S = 0.05
OPCODES_BETWEEN_LOOKS = 20_000
"""About a millisecond of SQLite's work."""
WAL_LIMIT_BYTES = 64 * 1024 * 1024
"""The WAL is cut back to this size at a checkpoint."""

_log = logging.getLogger(__name__)
_sleep = monkey.get_original("time", "sleep")
"""Of a thread, not of a greenlet: the writer's has no hub."""

# pysqlite3 asks a value that is no int, float, str or bytes in three ways whether it wants to be
# something else, which costs 0.7 us each time; one that has an adapter is not asked.
_PLAIN = {None: None, False: 0, True: 1}
sqlite3.register_adapter(type(None), _PLAIN.get)
sqlite3.register_adapter(bool, _PLAIN.get)


class _Patience:
    """Waits for a lock that another program holds, and tells of it. SQLite calls it again and
    again, with how often it has."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._since = self._told = 0.0

    def __call__(self, calls: int) -> bool:
        now = time.monotonic()
        if calls == 0:
            self._since, self._told = now, now + BUSY_TOLD_S
        if now >= self._told:
            self._told = now + BUSY_S
            _log.warning(
                "%s: another program holds a lock on the file; waiting for it, %d s at most",
                self._path,
                BUSY_S,
            )
        _sleep(BUSY_STEP_S)
        return now < self._since + BUSY_S


def open_for_writing(path: Path) -> Connection:
    """Open or create a crawl's database and bring its schema up to date.

    Raises StorageError: not a database, another program's, of a newer crawler, or not writable.
    """
    _refuse_second_library(path)
    place.refuse_unfit(path)
    existing = path.exists() and path.stat().st_size > 0
    if existing:
        place.refuse_foreign(path)
        place.refuse_log_of_another(path)
    log_is_gone = existing and not wal_of(path).exists()
    # SQLite removes its index with the log; a person who removes one forgets the other.
    was_removed = log_is_gone and beside(path, "-shm").exists()
    with storage_errors(path):
        connection = sqlite3.connect(
            str(path), isolation_level=None, check_same_thread=False, cached_statements=256
        )
        connection.set_busy_handler(_Patience(path))
        connection.execute("PRAGMA trusted_schema = OFF")
        try:
            if log_is_gone and _was_cut_short(connection):
                _refuse_torn(connection, path, was_removed=was_removed)
            if existing:
                _refuse_unknown(connection, path)
                foreign.refuse_acting(connection, path, writing=True)
            _prepare(connection, path, existing=existing)
            views.shade(connection)
        except BaseException:
            connection.close()
            raise
    return connection


def scratch() -> Connection:
    """A database of nobody's, for what is too much for memory and is gone when it is closed.

    One without a name would be in memory (see `scratch.py`); this one loses its name when SQLite
    has written its first page, and never asks for it by that again.
    """
    descriptor, name = tempfile.mkstemp(prefix="crawler-")
    os.close(descriptor)
    try:
        connection = sqlite3.connect(f"file:{in_uri(Path(name))}", uri=True, isolation_level=None)
        for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -20480"):
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("CREATE TABLE begun (begun INTEGER)")
    finally:
        Path(name).unlink()
    return connection


def open_for_reading(path: Path) -> Connection:
    """Open a crawl's database without ever writing to it; it may be written at the same time.

    Raises StorageError when there is no such file or it is not a crawl's.
    """
    place.refuse_no_name(path)
    _refuse_second_library(path)
    place.refuse_unfit(path)
    if not path.exists():
        raise StorageError(f"{path}: no such database; make one with: crawler crawl SEEDS --db ...")
    place.refuse_foreign(path)
    place.refuse_log_of_another(path)
    with storage_errors(path):
        # Not mode=ro where it can be helped: such a reader leaves the -wal and -shm files behind
        # that it had to make, since it may not remove them.
        writable = os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
        uri = f"file:{in_uri(path)}?mode={'rw' if writable else 'ro'}"
        connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        _refuse_unknown(connection, path)
        foreign.refuse_acting(connection, path, writing=False)
        if not migrations.pending(connection):  # those of an older file may look otherwise
            connection.execute("PRAGMA query_only = OFF")
            views.shade(connection)
            connection.execute("PRAGMA query_only = ON")
    return connection


def _prepare(connection: Connection, path: Path, *, existing: bool) -> None:
    """Set the pragmas and apply what is missing of the schema, after a backup of an older file."""
    if existing and migrations.pending(connection):
        _back_up(connection, path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_LIMIT_BYTES}")
    connection.execute("PRAGMA cache_size = -20480")
    connection.execute("PRAGMA wal_autocheckpoint = 4000")
    # A person's own view of a table is no reason not to replace that table.
    connection.execute("PRAGMA legacy_alter_table = ON")
    # One transaction: a file is of one version, and a disk is waited for once. There is always
    # something to write, so that a read-only place is found out before any request is made.
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    _bring_up_to_date(connection, path)
    views.refresh(connection)
    columns.refresh(connection)
    had_statistics = _forget_statistics(connection)
    connection.execute(f"PRAGMA user_version = {len(migrations.applied(connection))}")
    connection.execute("COMMIT")
    if had_statistics:
        connection.execute("PRAGMA writable_schema = RESET")  # reads the schema anew


def _bring_up_to_date(connection: Connection, path: Path) -> None:
    if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None:
        new_file.begin(connection)
    if migrations.pending(connection):
        from crawler.store.library import Database  # see `Steps`

        _refuse_second_library(path)
        migrations.apply(Database(connection, execute_plugins=False))


def _forget_statistics(connection: Connection) -> bool:
    """Statistics of a time when the tables were small make SQLite scan them when they are large.

    They are gathered anew for readers when the file is closed.
    """
    has_some = "SELECT 1 FROM sqlite_master WHERE name = 'sqlite_stat1'"
    if connection.execute(has_some).fetchone() is None:
        return False
    connection.execute("DELETE FROM sqlite_stat1")
    return True


def _back_up(connection: Connection, path: Path) -> None:
    """Copy the file, once; the copy bears its name only when all of it is on the disk."""
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    copy = beside(path, f".schema-{version}.bak")
    with contextlib.suppress(FileNotFoundError):
        lock.refuse_link(copy)
        return
    part = beside(copy, ".part")
    part.unlink(missing_ok=True)
    descriptor = lock.make_new(part, path.stat().st_mode & 0o666)
    try:
        connection.execute("VACUUM INTO ?", (str(part),))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    part.replace(copy)


def interruptible(connection: Connection, stops: Callable[[], bool]) -> None:
    """Let what a connection does end when `stops` says so, or raises: the error is `is_stop`."""
    connection.set_progress_handler(stops, OPCODES_BETWEEN_LOOKS)


READS = frozenset(
    {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
)
BEYOND = frozenset({"load_extension", "fts3_tokenizer", "writefile", "readfile", "edit"})
"""Functions that reach beyond the file."""
FORBIDDEN = BEYOND | {"zeroblob", "randomblob", "printf", "format"}
"""Those, and functions that make as many bytes as they are told."""


def refuse_all_but_reading(
    connection: Connection, forbidden: frozenset[str] = FORBIDDEN
) -> Sequence[int]:
    """Nothing but reading of this one file (https://sqlite.org/c3ref/set_authorizer.html).

    Gives the actions that were refused, one after the other.
    """
    refused: list[int] = []

    def judge(action: int, first: str | None, second: str | None, *_: object) -> int:
        allowed = action in READS and (second or "").lower() not in forbidden
        # a full-text index asks by itself whether somebody has written meanwhile
        allowed = allowed or (action, first, second) == (
            sqlite3.SQLITE_PRAGMA,
            "data_version",
            None,
        )
        if not allowed:
            refused.append(action)
        return int(sqlite3.SQLITE_OK if allowed else sqlite3.SQLITE_DENY)

    connection.set_authorizer(judge)
    return refused


def is_refused(error: BaseException) -> bool:
    """Was a statement refused by a judge of what it does?"""
    return any(word in str(error) for word in ("not authorized", "prohibited"))


@contextlib.contextmanager
def only_reading(connection: Connection) -> Iterator[None]:
    """What is asked for in this block may only read; it is judged when it is asked for."""
    refused = refuse_all_but_reading(connection, BEYOND)
    try:
        yield
    except sqlite3.Error as error:
        if is_refused(error) and not refused:
            raise KeyboardInterrupt from None  # a signal came while it was judged
        raise
    finally:
        connection.set_authorizer(None)


def is_stop(error: BaseException) -> bool:
    """Was a statement ended by `interruptible`?"""
    return getattr(error, "sqlite_errorname", None) == "SQLITE_INTERRUPT"


EXPORT = "export"
"""The table that tells of a file which is a part of another what was left out."""
LAST_RUN = "last_run"
"""What it calls the last run that came along."""


def make_beside(path: Path, source: Path) -> Connection:
    """A new database in an empty file, and as ``src`` one that is read, and that somebody else
    holds open: what is beside it is there, and is theirs to take away.

    Nothing is kept up for a crash: until the file is whole, it has another name.
    """
    made = sqlite3.connect(f"file:{in_uri(path)}", uri=True, isolation_level=None)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "trusted_schema = OFF"):
        made.execute(f"PRAGMA {pragma}")
    made.execute("ATTACH ? AS src", (f"file:{in_uri(source)}?mode=ro",))
    [version] = made.execute("PRAGMA src.user_version").fetchone()
    made.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    made.execute(f"PRAGMA user_version = {version}")
    made.execute("PRAGMA legacy_alter_table = ON")
    return made


def make_empty(path: Path) -> Connection:
    """A new database without rows in an empty file, for which nothing is kept up for a crash: until
    it is whole, it has another name."""
    made = sqlite3.connect(f"file:{in_uri(path)}", uri=True, isolation_level=None)
    for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -200000"):
        made.execute(f"PRAGMA {pragma}")
    made.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    made.execute("PRAGMA legacy_alter_table = ON")
    _bring_up_to_date(made, path)
    views.refresh(made)
    columns.refresh(made)
    made.execute(f"PRAGMA user_version = {len(migrations.applied(made))}")
    return made


@contextlib.contextmanager
def attached(connection: Connection, source: Path) -> Iterator[None]:
    """As ``src``, a database that is only read, and that somebody else holds open."""
    connection.execute("ATTACH ? AS src", (f"file:{in_uri(source)}?mode=ro",))
    try:
        yield
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        connection.execute("DETACH src")


def is_up_to_date(connection: Connection) -> bool:
    """Has a file all that this version has?"""
    return not migrations.pending(connection)


def is_export(path: Path) -> bool:
    """Is it a database as an export made it, so that another may replace it? One that a crawl has
    gone on with is not."""
    try:
        with contextlib.closing(sqlite3.connect(f"file:{in_uri(path)}?mode=ro", uri=True)) as made:
            [ours] = made.execute("PRAGMA application_id").fetchone()
            told = made.execute(
                f"SELECT 1 FROM {EXPORT} "
                "WHERE what = ? AND value = (SELECT coalesce(max(id), 0) FROM runs)",
                (LAST_RUN,),
            ).fetchone()
    except sqlite3.Error:
        return False
    return ours == APPLICATION_ID and told is not None


def _refuse_second_library(path: Path) -> None:
    """sqlite-utils is asked which library it has taken, where it is loaded."""
    utils = sys.modules.get("sqlite_utils.utils")
    other = LIBRARY_VERSION if utils is None else vars(utils)["sqlite3"].sqlite_version
    if other != LIBRARY_VERSION:
        raise StorageError(
            f"{path}: sqlite-utils uses SQLite {other} and this crawler {LIBRARY_VERSION}: "
            "two libraries on one file lose data; reinstall pysqlite3"
        )


def _was_cut_short(connection: Connection) -> bool:
    """Did the last run never end? Then it left a log beside the file."""
    try:
        row = connection.execute("SELECT state FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    except sqlite3.OperationalError:
        return False  # no such table
    except sqlite3.DatabaseError:
        return True
    return row is not None and row[0] == "running"


def _refuse_torn(connection: Connection, path: Path, *, was_removed: bool) -> None:
    """Without the log of a run that was killed the file may be torn."""
    if path.stat().st_nlink > 1:
        raise StorageError(
            f"{path}: has another name (a hard link), and the last run under that one was killed; "
            "go on with it under that name"
        )
    try:
        found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    except sqlite3.DatabaseError as error:
        found = str(error)
    if found != "ok":
        raise StorageError(
            f"{path}: is damaged, its -wal file is gone ({found}); restore both from a copy"
        )
    if was_removed:
        _log.warning("%s: its -wal file is gone; what was stored last will be fetched again", path)


def _refuse_unknown(connection: Connection, path: Path) -> None:
    """Refuse a database that is not a crawl's, or one of a newer crawler."""
    tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    if not tables:
        return
    if not {"_sqlite_migrations", "urls"} <= tables:
        if connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID:
            return  # ours: its making was cut short
        raise StorageError(f"{path}: is another program's database; name another file with --db")
    newer = sorted(migrations.applied(connection) - migrations.names)
    if newer:
        raise StorageError(f"{path}: was written by a newer crawler ({newer[0]}); update crawler")


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Tell SQLite's errors as one line that names the file and what it lacks."""
    try:
        yield
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {_remedy(error)}") from error
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror or error}") from error


@contextlib.contextmanager
def refusing_older(connection: Connection, path: Path) -> Iterator[None]:
    """Raises StorageError where a file lacks a name that one of this version has."""
    try:
        yield
    except sqlite3.Error as error:
        if "no such " in str(error):
            refuse_older(connection, path)
        raise


def refuse_older(connection: Connection, path: Path) -> None:
    """Raises StorageError for a file that is not up to date."""
    if migrations.pending(connection):
        raise StorageError(
            f"{path}: is an older crawler's, and lacks what this reads; crawler analyse --db {path}"
            " brings it up to date"
        ) from None


REMEDIES = {
    "SQLITE_FULL": "the disk is full; make room and run the same command again",
    "SQLITE_READONLY": "the file or its folder is read-only",
    "SQLITE_CANTOPEN": "cannot be opened; does the folder exist, and may you write there?",
    "SQLITE_IOERR": "the disk gave an I/O error; run the same command again when it is well",
    "SQLITE_CORRUPT": "the file is damaged; restore a copy",
    "SQLITE_NOTADB": "is not an SQLite database; name another file with --db",
    "SQLITE_BUSY": "another program holds a lock on the file",
}


def _remedy(error: Exception) -> str:
    name = str(getattr(error, "sqlite_errorname", ""))
    for prefix, remedy in REMEDIES.items():
        if name.startswith(prefix):
            return f"{remedy} ({error})"
    return str(error)
