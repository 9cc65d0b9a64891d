"""How does a file or a folder come to be there whole, or not at all?

It is made under another name beside its place, and renamed when it is whole. Whoever is killed
leaves the other name at most, which the next one to write there removes: a lock tells whether
somebody still writes to it.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from crawler.errors import StorageError

NAME_BYTES: Final = 200
"""Of a name that another is made of; 255 bytes are the most that a file system takes."""
PART: Final = ".crawler-part"
BESIDE: Final = ("-wal", "-shm", "-journal")
"""What SQLite keeps beside a database, and takes away with it."""
LOGS: Final = ("-wal", "-journal")
"""Of these, what it brings a database up to date by."""
MAGIC: Final = b"SQLite format 3\x00"


@contextmanager
def file(path: Path) -> Iterator[Path]:
    """An empty file to fill, which becomes `path` when the block ends well.

    Raises StorageError where it cannot be written; what the block raises otherwise passes.
    """
    with _made(path) as (place, part):
        descriptor = os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                os.fchmod(descriptor, place.stat().st_mode & 0o777)
            yield part
            os.fsync(descriptor)
            _refuse_what_a_database_left(path, place)
            part.replace(place)
        finally:
            os.close(descriptor)


@contextmanager
def folder(path: Path) -> Iterator[Path]:
    """An empty folder to fill, which becomes `path` when the block ends well.

    One that is there is replaced: whether that may be, the caller has judged. Who may not enter it
    may not enter the new one, also while that is made. Raises StorageError.
    """
    with _made(path) as (place, part):
        part.mkdir()
        descriptor = os.open(part, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                os.fchmod(descriptor, stat.S_IMODE(place.stat().st_mode) | stat.S_IRWXU)
            yield part
            _take_the_place(part, place)
        finally:
            os.close(descriptor)


@contextmanager
def scratch(part: Path) -> Iterator[Path]:
    """A folder for what is only needed until a file is made, beside it: there is as much room, and
    it goes the same way after a kill. part: what `file` gave."""
    place = _beside(part, "work")
    place.mkdir(0o700)
    descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield place
    finally:
        os.close(descriptor)
        _remove(place)


def is_database(path: Path) -> bool:
    """Is a database of SQLite's there?"""
    try:
        with path.open("rb") as there:
            return there.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


@contextmanager
def _made(path: Path) -> Iterator[tuple[Path, Path]]:
    """Where it will be (behind all links), and where it is made."""
    place = Path(os.path.realpath(path))
    name = place.name.encode()[:NAME_BYTES].decode(errors="ignore")
    part = place.with_name(f".{name}.{os.getpid()}{PART}")
    try:
        _refuse_what_is_no_file(path, place)
        _refuse_what_is_beside_a_database(path, place)
        _refuse_what_a_database_left(path, place)
        _remove_leftovers(place.parent, name)
        try:
            yield place, part
        finally:
            _remove(part)
    except OSError as error:
        told = error.strerror or str(error)
        raise StorageError(f"{path}: cannot be written: {told}") from None


def _refuse_what_is_no_file(path: Path, place: Path) -> None:
    with suppress(FileNotFoundError):
        mode = place.stat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            raise StorageError(f"{path}: is no file, but a device or a pipe; name another place")


def _refuse_what_is_beside_a_database(path: Path, place: Path) -> None:
    for suffix in BESIDE:
        base = place.with_name(place.name.removesuffix(suffix) or place.name)
        if base != place and base.is_file() and is_database(base):
            raise StorageError(
                f"{path}: SQLite would take it for its own, of {base.name}; name another file"
            )


def _refuse_what_a_database_left(path: Path, place: Path) -> None:
    """The log of one that was removed, or that is written to: SQLite would write it into whatever
    stands there next."""
    for suffix in LOGS:
        if os.path.lexists(f"{place}{suffix}"):
            raise StorageError(
                f"{path}: beside it stands {place.name}{suffix}, of a database that was there or "
                "is in use; name another file, or remove that one"
            )


def _take_the_place(part: Path, place: Path) -> None:
    before = _beside(part, "before")
    with suppress(FileNotFoundError):
        place.rename(before)
    part.rename(place)
    _remove(before)


def _beside(part: Path, what: str) -> Path:
    return part.with_name(f"{part.name.removesuffix(PART)}.{what}{PART}")


def _remove_leftovers(folder: Path, name: str) -> None:
    """Remove what was being written by somebody who was killed."""
    left = re.compile(rf"\.{re.escape(name)}\.\d+(?:\.before|\.work)?{re.escape(PART)}")
    for one in folder.iterdir():
        if left.fullmatch(one.name) and not one.is_symlink():
            with suppress(OSError):
                descriptor = os.open(one, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _remove(one)
                finally:
                    os.close(descriptor)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)
