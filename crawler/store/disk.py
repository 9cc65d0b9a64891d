"""Is there room on the disk to go on?

A crawl that fills the disk harms whatever else lives there, and ends in the middle of a commit. It
pauses before that, and says so.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import NamedTuple

from crawler.errors import StorageError

SHARE = 0.05
"""No more of a disk is kept free than this, however much was asked for."""
MB = 1_000_000
_log = logging.getLogger(__name__)


class Room:
    """What a crawl knows of the free room on the disk of its database.

    floor_bytes: so much stays free, or `SHARE` of the disk where that is less; 0 for no floor.
    low_since: when there was first less; None while there is enough.
    """

    def __init__(self, path: Path, floor_bytes: int) -> None:
        self._path = path
        self._floor = floor_bytes
        self._lacks = ""
        self.low_since: float | None = None

    def __repr__(self) -> str:
        return f"<Room {self._lacks or 'enough'}>"

    @property
    def low(self) -> bool:
        """Should nothing new be fetched?"""
        return self.low_since is not None

    def look(self, now: float) -> None:
        """Look again, and tell of what has changed."""
        was_low = self.low
        self._lacks = shortage(self._path, self._floor)
        if not self._lacks:
            self.low_since = None
        elif not was_low:
            self.low_since = now
        if self.low and not was_low:
            _log.warning("%s: %s", self._path, self.notice())
        if was_low and not self.low:
            _log.warning("%s: there is room again", self._path)

    def notice(self) -> str:
        """One line for the person while there is too little, else empty."""
        return f"{self._lacks}; nothing new is fetched until there is more" if self.low else ""

    def refuse_waiting_on(self, now: float, patience_s: float) -> None:
        """Raises StorageError when room has been waited for longer than that."""
        if self.low_since is not None and now - self.low_since > patience_s:
            raise StorageError(
                f"{self._path}: {self._lacks}; make room and run the same command again"
            )


class Sizes(NamedTuple):
    """Bytes of a database, of its write-ahead log, and free on its disk; 0 for what cannot be
    told."""

    database: int
    log: int
    free: int


def sizes(path: Path) -> Sizes:
    """How large a database is, and what room there is."""
    try:
        found = os.statvfs(path.parent)
        free = found.f_bavail * found.f_frsize
    except OSError:
        free = 0
    return Sizes(_size(path), _size(Path(f"{path}-wal")), free)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def shortage(path: Path, floor_bytes: int) -> str:
    """What a disk lacks, in words; empty where it lacks nothing, or does not tell."""
    try:
        found = os.statvfs(path.parent)
    except OSError:
        return ""
    free, whole = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    floor = min(floor_bytes, int(SHARE * whole))
    if free >= floor:
        return ""
    return f"{free // MB:,} MB are free on its disk, and store.min_free_bytes keeps {floor // MB:,}"
