"""Where may a crawl's file stand, and what may stand there already?

All that is asked of a path before SQLite touches it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from crawler.errors import StorageError, UsageError
from crawler.store import lock, rollback
from crawler.store.schema import APPLICATION_ID
from crawler.whole import MAGIC

ROLLS_BACK: Final = 1
"""What byte 18 of a file says whose pages are not in a write-ahead log
(https://www.sqlite.org/fileformat.html, section 1.3.3)."""

DATA = Path("data")
"""Where databases land whose place nobody named; it is made where there is none."""


def wal_of(path: Path) -> Path:
    """The write-ahead log of a database."""
    return beside(path, "-wal")


def beside(path: Path, suffix: str) -> Path:
    """A file that belongs to a database: it stands beside the file that all links lead to."""
    place = lock.place_of(path)
    return place.with_name(f"{place.name}{suffix}")


def refuse_no_name(path: Path) -> None:
    """Raises UsageError for what SQLite takes for a name of something else than a file."""
    if str(path) == ":memory:" or str(path).lower().startswith("file:"):
        raise UsageError(f"--db {path}: is no name of a file; a crawl is kept in a file")


def writable_place(path: Path) -> None:
    """Raises StorageError when no file can be made there."""
    refuse_no_name(path)
    lock.refuse_no_file(path)
    try:
        if path.parent == DATA:
            path.parent.mkdir(exist_ok=True)
        is_folder = path.parent.is_dir()
    except OSError as error:
        raise StorageError(
            f"{path}: its folder cannot be made ({error.strerror}); name another place with --db"
        ) from None
    if not is_folder:
        raise StorageError(
            f"{path}: there is no folder {path.parent}; make it with mkdir -p, or name another "
            "place with --db"
        )
    if not os.access(lock.place_of(path).parent, os.W_OK):
        raise StorageError(f"{path}: its folder is read-only for you; name another place with --db")


def refuse_unfit(path: Path) -> None:
    """Refuse what is no regular file, and links where SQLite would write beside it."""
    lock.refuse_no_file(path)
    lock.refuse_links_beside(path)


def refuse_foreign(path: Path) -> None:
    """Refuse what is not an SQLite file before SQLite touches it."""
    try:
        head = lock.head_of(path, 72)
    except OSError as error:
        raise StorageError(f"{path}: cannot be read: {error.strerror}") from None
    if not head:
        raise StorageError(f"{path}: is empty; no crawl has been stored in it yet")
    if not head.startswith(MAGIC):
        raise StorageError(f"{path}: is not an SQLite database; name another file with --db")
    if int.from_bytes(head[68:72], "big") not in (0, APPLICATION_ID):
        raise StorageError(f"{path}: is another program's database; name another file with --db")


def refuse_log_of_another(path: Path) -> None:
    """Refuse a log that is not this file's: a copy was put where somebody had been killed.

    SQLite asks nothing: it writes whatever log stands there into the file, a reader too. A file
    says that it has a write-ahead log before there is one, and that it has none when that is gone.
    What a rollback journal says of a file, `rollback` knows. A log that stays as it was while a
    file is read that says something else is of another one.

    Raises StorageError.
    """
    for log, is_of in ((wal_of(path), _has_a_log), (beside(path, "-journal"), _may_roll_back)):
        before = _as_it_is(log)
        while before is not None:
            its_own = is_of(path, log)
            after = _as_it_is(log)
            if its_own:
                break
            if before == after:
                raise StorageError(
                    f"{path}: beside it stands {log.name}, the log of another file, which SQLite "
                    "would write into this one; put back the file it is of, or remove that log"
                )
            before = after


def _has_a_log(path: Path, _: Path) -> bool:
    return lock.head_of(path, 19)[18:] != bytes([ROLLS_BACK])


def _may_roll_back(path: Path, journal: Path) -> bool:
    """So it may where nobody can tell: SQLite will say what forbids it."""
    try:
        head = lock.head_of(path, rollback.HEAD_BYTES)
        return rollback.is_of(journal, head, path.stat().st_size)
    except OSError:
        return True


def _as_it_is(log: Path) -> tuple[int, ...] | None:
    """By what it is known whether it is still the same; None where nothing is in it."""
    try:
        found = log.stat()
    except FileNotFoundError:
        return None
    key = found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
    return key if found.st_size else None


def in_uri(path: Path) -> str:
    """A path as it stands in a URI of SQLite's."""
    return str(path.absolute()).replace("%", "%25").replace("?", "%3f").replace("#", "%23")
