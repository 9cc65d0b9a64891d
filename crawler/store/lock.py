"""Who may write to this file, and is it a file at all?

A crawler holds two locks. ``FILE.lock``, beside the file that all links lead to, names its process.
The database itself carries a lock far behind its end, for it may have other names (hard links). A
lock of its own on an open file: closing other descriptors does not drop it, and SQLite's locks are
on other bytes. Closing any descriptor of the file drops SQLite's, so that ours is closed last, and
the file's head is read through it while it is held.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
import struct
from pathlib import Path

from crawler.errors import StorageError

LOCK_BYTE = 2**62
"""SQLite locks bytes at 2^30 (https://www.sqlite.org/fileformat.html, section 1.6)."""
_PID = re.compile(rb"[0-9]{0,10}\n?", re.ASCII)
_held: dict[tuple[int, int], int] = {}
"""Databases that this process writes to, by device and inode: a descriptor of each."""


def place_of(path: Path) -> Path:
    """The file that a path leads to, whatever links stand between. Raises StorageError."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        raise StorageError(f"{path}: is a link that leads back to itself") from None


def refuse_no_file(path: Path) -> None:
    """Raises StorageError for what is there and is no regular file: opening it might never end."""
    try:
        kind = path.stat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise StorageError(f"{path}: cannot be opened: {error.strerror}") from None
    if stat.S_ISDIR(kind):
        raise StorageError(f"{path}: is a folder, not a database; name a file with --db")
    if not stat.S_ISREG(kind):
        raise StorageError(f"{path}: is not a regular file; name another file with --db")


def refuse_links_beside(path: Path) -> None:
    """SQLite writes into these; one that is a link, or another file's name, leads elsewhere."""
    place = place_of(path)
    for suffix in ("-wal", "-shm", "-journal"):
        beside = place.with_name(f"{place.name}{suffix}")
        with contextlib.suppress(FileNotFoundError):
            refuse_link(beside)


def refuse_link(path: Path) -> None:
    """Raises StorageError when a path is no regular file of one name; FileNotFoundError too."""
    _refuse_odd(path, path.lstat())


def _refuse_odd(path: Path, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(found.st_mode) else "not a regular file"
        raise StorageError(f"{path}: is {kind}; remove it, nothing is written through it")
    if found.st_nlink > 1:
        raise StorageError(f"{path}: is also another file's name (a hard link); remove it")


def make_new(path: Path, mode: int) -> int:
    """Make a file that is not there, for writing; a descriptor of it. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(path, flags, mode)


def head_of(path: Path, size: int) -> bytes:
    """The first bytes of a file, without disturbing the locks of this process on it."""
    found = path.stat()
    descriptor = _held.get((found.st_dev, found.st_ino))
    if descriptor is not None:
        return os.pread(descriptor, size, 0)
    with path.open("rb") as file:
        return file.read(size)


class WriterLock:
    """One crawler a file, whatever name leads to it; dies with the process.

    private: a file that is made is for its owner alone, and so is what SQLite keeps beside it.

    Raises StorageError naming the process that holds it, or what stands in its place.
    """

    def __init__(self, path: Path, *, private: bool = False) -> None:
        self._path = path
        self._mode = 0o600 if private else 0o644
        self._place = place_of(path)
        self._named = self._place.with_name(f"{self._place.name}.lock")
        self._made = False
        self._file = self._take_named()
        try:
            self._database, self._key = self._take_database()
        except BaseException:
            self._let_go_of_named()
            raise

    def __repr__(self) -> str:
        return f"<WriterLock {self._named}>"

    def _take_named(self) -> int:
        for _ in range(10):
            descriptor = self._open_named()
            try:
                self._claim_named(descriptor)
                # Its former holder may have removed it just before.
                if _leads_to(self._named, descriptor):
                    os.ftruncate(descriptor, 0)
                    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
                    return descriptor
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)
        raise StorageError(f"{self._named}: cannot be locked")

    def _open_named(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            return os.open(self._named, flags, 0o644)
        except OSError as error:
            if error.errno == errno.ELOOP or self._named.is_dir():
                refuse_link(self._named)
            raise StorageError(
                f"{self._path}: no file can be made beside it ({error.strerror}); "
                "name another place with --db"
            ) from None

    def _claim_named(self, descriptor: int) -> None:
        _refuse_odd(self._named, os.fstat(descriptor))
        said = os.pread(descriptor, 32, 0)
        if not _PID.fullmatch(said):
            raise StorageError(f"{self._named}: is not a crawler's lock; move it out of the way")
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise self._taken(said.decode().strip()) from None

    def _taken(self, holder: str) -> StorageError:
        return StorageError(
            f"{self._path}: another crawler (pid {holder or 'unknown'}) is writing to it; "
            "wait until it has finished, or name another file with --db"
        )

    def _take_database(self) -> tuple[int | None, tuple[int, int]]:
        """Lock the file itself, which is made where there is none; SQLite says what forbids it."""
        try:
            descriptor = self._open_database()
        except OSError:
            return None, (0, 0)
        try:
            _lock_byte(descriptor)
        except OSError as error:
            os.close(descriptor)
            if error.errno in (errno.EAGAIN, errno.EACCES):
                raise self._taken("") from None
            return None, (0, 0)  # a file system without such locks
        found = os.fstat(descriptor)
        key = found.st_dev, found.st_ino
        _held[key] = descriptor
        return descriptor, key

    def _open_database(self) -> int:
        flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            return os.open(self._place, flags)
        except FileNotFoundError:
            descriptor = os.open(self._place, flags | os.O_CREAT | os.O_EXCL, self._mode)
            self._made = True
            return descriptor

    @property
    def is_astray(self) -> bool:
        """Whether the name no longer leads to the file that is locked."""
        return self._database is not None and not _leads_to(self._place, self._database)

    def refuse_another(self) -> None:
        """Raises StorageError when it is astray: what is written to it, nobody will find."""
        if self.is_astray:
            raise StorageError(
                f"{self._path}: was removed, moved or replaced while it was in use; "
                "put it back, or run the same command again to begin anew"
            )

    def release(self) -> None:
        """Let go, and remove ``FILE.lock``, and the database where this made it and it is empty."""
        if self._database is not None:
            _held.pop(self._key, None)
            empty = os.fstat(self._database).st_size == 0
            if self._made and empty and _leads_to(self._place, self._database):
                with contextlib.suppress(OSError):
                    os.unlink(self._place)
            os.close(self._database)
        self._let_go_of_named()

    def _let_go_of_named(self) -> None:
        if _leads_to(self._named, self._file):
            with contextlib.suppress(OSError):
                os.unlink(self._named)
        os.close(self._file)


def _leads_to(path: Path, descriptor: int) -> bool:
    """Whether this name is that of the open file."""
    try:
        return os.path.samestat(os.lstat(path), os.fstat(descriptor))
    except OSError:
        return False


def _lock_byte(descriptor: int) -> None:
    """Lock one byte for as long as the file is open. Raises OSError (EAGAIN: another has it)."""
    command = getattr(fcntl, "F_OFD_SETLK", None)
    if command is None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return
    # struct flock of Linux: type, whence, start, length, and a process that must be 0 (fcntl(2))
    fcntl.fcntl(
        descriptor,
        command,
        struct.pack("@hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, LOCK_BYTE, 1, 0),
    )
