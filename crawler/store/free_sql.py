"""How is SQL of a person's own asked, so that it costs no more than it may?

In a process of its own: a single step of SQLite's may take minutes, where nothing in the process is
asked whether to go on, and the log of a crawl cannot be cut back while a reader stands in it. The
kernel ends this one at its deadline and bounds its memory; SQLite itself refuses all but reading.

    python -m crawler.store.free_sql FILE      # SQL on the standard input, a `Look` comes out
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from crawler.children import command_of
from crawler.errors import CrawlError
from crawler.orphans import end_with_parent
from crawler.store import queries
from crawler.store.database import (
    Connection,
    SQLiteError,
    SQLiteWarning,
    is_stop,
    refuse_all_but_reading,
)
from crawler.store.figures import shown, texts_cut
from crawler.store.looks import Look, with_end

BUDGET_S: Final = 2.0
GRACE_S: Final = 0.5
"""For a step of SQLite's that goes on behind the deadline; then the process is killed."""
START_S: Final = 8.0
"""What a new process may take to come up on a busy machine."""
MEMORY_BYTES: Final = 1024 * 1024 * 1024
MAX_ROWS: Final = 1000
MAX_BYTES: Final = 1024 * 1024
"""Of all that is shown."""
TOO_LARGE: Final = "this takes more memory than it may (1 GB)"
READ_ONLY: Final = "this dashboard only reads"


def ask_apart(path: Path, sql: str, *, budget_s: float = BUDGET_S) -> Look:
    """What a statement gives; `Look.late` or `Look.error` where it was ended or refused."""
    command = command_of("crawler.store.free_sql", str(path), str(budget_s))
    try:
        ran = subprocess.run(
            command, input=sql.encode("utf-8", "replace"), stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, check=False, timeout=START_S + budget_s + GRACE_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return Look(sql, late=True)
    except OSError as error:
        return Look(sql, error=f"no process could be started for it: {error.strerror}")
    if ran.returncode in {-signal.SIGALRM, -signal.SIGXCPU}:
        return Look(sql, late=True)
    try:
        return msgspec.msgpack.decode(ran.stdout, type=Look)
    except msgspec.DecodeError:
        return Look(sql, error=TOO_LARGE)


def ask(connection: Connection, sql: str, *, budget_s: float = BUDGET_S) -> Look:
    """One statement that only reads, bounded in time, rows and bytes."""
    refuse_all_but_reading(connection)
    with_end(connection, budget_s)
    try:
        with texts_cut(connection):
            cursor = connection.execute(sql)
            if cursor.description is None:
                return Look(sql, error="this gives no rows; only SELECT, WITH and EXPLAIN do")
            return _taken(sql, cursor)
    except MemoryError:
        return Look(sql, error=TOO_LARGE)
    except (SQLiteError, SQLiteWarning, ValueError) as error:
        return Look(sql, late=True) if is_stop(error) else Look(sql, error=_said(error))


def _taken(sql: str, cursor: Any) -> Look:
    columns = tuple(column[0] for column in cursor.description)
    rows: list[tuple[Any, ...]] = []
    size = 0
    for row in cursor:
        told = tuple(map(shown, row))
        size += sum(len(str(value)) for value in told)
        if len(rows) == MAX_ROWS or size > MAX_BYTES:
            return Look(sql, columns, rows, cut=True)
        rows.append(told)
    return Look(sql, columns, rows)


def _said(error: BaseException) -> str:
    said = str(error)
    if "not authorized" in said or "prohibited" in said:
        return READ_ONLY
    if getattr(error, "sqlite_errorname", None) in {"SQLITE_NOMEM", "SQLITE_TOOBIG"}:
        return TOO_LARGE
    return said


def _bound(budget_s: float) -> None:
    """Have the kernel end this process at its deadline, and with its parent."""
    end_with_parent(os.getppid())
    allowed = int(budget_s + GRACE_S) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, allowed))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, budget_s + GRACE_S)


def main() -> None:
    """Be that process."""
    path, budget_s = Path(sys.argv[1]), float(sys.argv[2])
    sql = sys.stdin.buffer.read().decode("utf-8", "replace")
    _bound(budget_s)
    try:
        with queries.reading(path) as connection:
            connection.execute("PRAGMA temp_store = MEMORY")  # which is bounded; the disk is not
            found = ask(connection, sql, budget_s=budget_s)
            sys.stdout.buffer.write(msgspec.msgpack.encode(found))
    except CrawlError as error:
        sys.stdout.buffer.write(msgspec.msgpack.encode(Look(sql, error=str(error))))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
