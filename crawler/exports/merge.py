"""How do several crawls, or the shards of one, become one file that is asked as any other?

Nothing of OUT is there before all of it is. Each source is held open, and no crawl may write to it
meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from crawler import whole
from crawler.errors import StorageError, UsageError
from crawler.exports.format import Progress
from crawler.store import shards
from crawler.store.database import Connection, is_up_to_date
from crawler.store.lock import WriterLock
from crawler.store.merging import Merged
from crawler.store.merging import merge as fill
from crawler.store.queries import reading
from crawler.store.shards import Which


def merge(out: Path, paths: Sequence[Path], progress: Progress) -> Merged:
    """Make one file of these. Raises UsageError and StorageError, one line each, and
    KeyboardInterrupt after a signal; then nothing is there."""
    _refuse_names(out, paths)
    with ExitStack() as held:
        opened = [(path, held.enter_context(reading(path))) for path in paths]
        for path in paths:
            _hold(path, held)
        for path, connection in opened:
            _refuse_version(path, connection)
        _refuse_shards([(path, shards.which(connection)) for path, connection in opened])
        _refuse_strangers(opened)
        with whole.file(out) as place:
            return fill(place, paths, progress)


def _refuse_names(out: Path, paths: Sequence[Path]) -> None:
    if len(paths) < 2:
        raise UsageError("merge: name two files or more behind the one that is to be made")
    if os.path.lexists(out):
        raise UsageError(f"{out}: is there; name a file that is not, or remove it")
    if not out.parent.is_dir():
        raise UsageError(f"{out}: there is no folder {out.parent}; make it with mkdir -p")
    seen: dict[tuple[int, int], Path] = {}
    for path in paths:
        try:
            found = path.stat()
        except OSError:
            continue  # whoever opens it says what is wrong
        other = seen.get((found.st_dev, found.st_ino))
        if other is not None:
            also = "" if other == path else f", also as {other}"
            raise UsageError(f"{path}: is named twice{also}; name each crawl once")
        seen[found.st_dev, found.st_ino] = path


def _hold(path: Path, held: ExitStack) -> None:
    """No crawl may write to it. Where no file can be made beside it, none does."""
    if not os.access(path.parent, os.W_OK):
        return
    try:
        lock = WriterLock(path)
    except StorageError:
        raise StorageError(
            f"{path}: a crawl is writing to it; wait until it has ended, or stop it"
        ) from None
    held.callback(lock.release)


def _refuse_version(path: Path, connection: Connection) -> None:
    if not is_up_to_date(connection):
        raise StorageError(
            f"{path}: is an older crawler's; crawler analyse --db {path} brings it up to date"
        )


def _refuse_shards(found: Sequence[tuple[Path, Which | None]]) -> None:
    """Of one crawl each shard is there once."""
    by_number: dict[int, Path] = {}
    of = 0
    for path, which in found:
        if which is None:
            continue
        other = by_number.setdefault(which.number, path)
        if other is not path:
            raise UsageError(f"{path}: is shard {which.number}, as {other} is; name one of them")
        if of not in (0, which.shards):
            raise UsageError(f"{path}: is {which}, and others are shards of {of}; merge one crawl")
        of = which.shards


def _refuse_strangers(opened: Sequence[tuple[Path, Connection]]) -> None:
    """What shards found for each other is in the files that they have met, and in no others."""
    there = {which.number: (path, which) for path, file in opened if (which := shards.which(file))}
    for path, file in opened:
        for number, nonce in shards.met(file).items():
            other, which = there.get(number, (path, None))
            if which is not None and which.nonce != nonce:
                raise UsageError(
                    f"{other}: is {which} of another crawl than {path}; merge those of one crawl"
                )
