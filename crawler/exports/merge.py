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
from crawler.exports.several import refuse_shards, refuse_twice
from crawler.store.database import Connection, is_up_to_date
from crawler.store.lock import WriterLock
from crawler.store.merging import Merged
from crawler.store.merging import merge as fill
from crawler.store.queries import reading


def merge(out: Path, paths: Sequence[Path], progress: Progress) -> Merged:
    """Make one file of these. Raises UsageError and StorageError, one line each, and
    KeyboardInterrupt after a signal; then nothing is there."""
    _refuse_names(out, paths)
    with ExitStack() as held:
        opened = [(path, held.enter_context(reading(path))) for path in paths]
        locks = [_hold(path, held) for path in paths]
        for path, connection in opened:
            _refuse_version(path, connection)
        refuse_shards(opened)
        with whole.file(out) as place:
            made = fill(place, paths, progress)
            for lock in filter(None, locks):
                lock.refuse_another()
            _let_in_no_others(place, paths)
            _refuse_names(out, paths)  # somebody may have made it meanwhile
            return made


def _refuse_names(out: Path, paths: Sequence[Path]) -> None:
    if len(paths) < 2:
        raise UsageError("merge: name two files or more behind the one that is to be made")
    if os.path.lexists(out):
        raise UsageError(f"{out}: is there; name a file that is not, or remove it")
    if not out.parent.is_dir():
        raise UsageError(f"{out}: there is no folder {out.parent}; make it with mkdir -p")
    refuse_twice(paths)


def _hold(path: Path, held: ExitStack) -> WriterLock | None:
    """No crawl may write to it. Where no file can be made beside it, none does."""
    if not os.access(path.parent, os.W_OK):
        return None
    try:
        lock = WriterLock(path)
    except StorageError:
        raise StorageError(
            f"{path}: a crawl is writing to it; wait until it has ended, or stop it"
        ) from None
    held.callback(lock.release)
    return lock


def _refuse_version(path: Path, connection: Connection) -> None:
    if not is_up_to_date(connection):
        raise StorageError(
            f"{path}: is an older crawler's; crawler analyse --db {path} brings it up to date"
        )


def _let_in_no_others(place: Path, paths: Sequence[Path]) -> None:
    """Whoever may not read one of these may not read it there: cookies come along."""
    mode = place.stat().st_mode
    for path in paths:
        mode &= path.stat().st_mode
    place.chmod(mode & 0o777)
