"""On which thread does the database live?"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from gevent.threadpool import ThreadPool

from crawler import failpoints
from crawler.config import Config
from crawler.errors import Interrupted
from crawler.model import MachineState
from crawler.policy import logins
from crawler.policy.cookies import Cookie
from crawler.policy.seeds import Seed
from crawler.store import cookies, machines, runs, shards
from crawler.store.clock import Clock
from crawler.store.contract import Arrival, HostPace, KnownRules, Needs, Settled, Supplies
from crawler.store.database import (
    Connection,
    SQLiteError,
    interruptible,
    is_stop,
    open_for_writing,
    storage_errors,
)
from crawler.store.lock import WriterLock
from crawler.store.place import wal_of, writable_place
from crawler.store.queue import Queue, supply
from crawler.store.recorder import Recorder
from crawler.store.runs import Start
from crawler.store.schema import LINKS_BY_TARGET
from crawler.store.shards import Which

if TYPE_CHECKING:
    from crawler.store.mail import Message

Result = TypeVar("Result")
HURRY_S = 5.0
CLOSING_MS = 1000
"""So long each step of closing waits for others who use the file: an end is not held up by them."""
CHECKPOINT = "PRAGMA wal_checkpoint(TRUNCATE)"
FOR_READERS = (LINKS_BY_TARGET, CHECKPOINT, "PRAGMA optimize", CHECKPOINT)
"""What is done when a run has ended well. The log is emptied before and after whatever may fill the
disk, or there would be no room to empty it."""
LEAVE_LOG = "PRAGMA journal_mode = DELETE"
"""So that the file can be read where nothing may be written."""
LONG_LOG_BYTES = 256 * 1024 * 1024
_log = logging.getLogger(__name__)


class Writer:
    """The one connection that writes, on the one thread that uses it.

    Every method waits, cooperatively, until its change is committed. Raises StorageError when the
    disk or the file does not let it.
    """

    def __init__(
        self, path: Path, config: Config, *, agent: str, which: Which | None = None
    ) -> None:
        self.path = path
        self.clock = Clock()
        self._config = config
        self._agent = agent
        self.which = which
        self._pool = ThreadPool(1)
        self._lock: WriterLock | None = None
        self._connection: Connection = None
        self._recorder: Recorder
        self._queue: Queue
        self.run_id = 0
        self._log_told_bytes = LONG_LOG_BYTES
        self._ended_well = False
        self._stop_at = math.inf

    def __repr__(self) -> str:
        return f"<Writer {self.path} run {self.run_id}>"

    def open(self, *, seeds_file: str, version: str) -> Start:
        """Lock and open the file, and begin a run."""
        return self._on_thread(lambda: self._open(seeds_file, version))

    def _open(self, seeds_file: str, version: str) -> Start:
        writable_place(self.path)
        keeps_cookies = any(site.cookies for site in self._config.site.values())
        self._lock = WriterLock(self.path, private=keeps_cookies)
        try:
            self._connection = open_for_writing(self.path)
            interruptible(self._connection, lambda: time.monotonic() > self._stop_at)
            failpoints.reached("opened")
            shards.settle(self._connection, self.which, self.path)
            start = runs.start(
                self._connection, self._config, seeds_file=seeds_file, version=version,
                pid=os.getpid(), now=self.clock.now(),
            )  # fmt: skip
            self.which = shards.which(self._connection)
        except BaseException:
            self._lock.release()
            self._lock = None
            raise
        failpoints.reached("run-begun")
        self.run_id = start.run_id
        self._recorder = Recorder(
            self._connection, self._config, start.run_id, self._agent, self.which
        )
        self._queue = Queue(self._connection, self._recorder.origins)
        return start

    def judge_again(self) -> int:
        """Look again at every verdict, if the rules changed since the last run."""
        return self._on_thread(self._judge_again)

    def _judge_again(self) -> int:
        if not runs.judging_changed(self._connection, self._config, self.run_id):
            return 0
        return runs.judge_again(
            self._connection, self._config, self._recorder, self.run_id, self.clock.now()
        )

    def load_seeds(self, seeds: Sequence[Seed]) -> Settled:
        """Store lines of the seeds file."""
        return self._on_thread(lambda: self._recorder.load_seeds(seeds, self.clock.now()))

    def seeds_read(self) -> Settled:
        """All seeds have been stored."""
        return self._on_thread(lambda: self._recorder.seeds_read(self.clock.now()))

    def record(self, arrivals: Sequence[Arrival], paces: Sequence[HostPace]) -> Settled:
        """Store visits and what follows from them, in one transaction."""
        return self._on_thread(lambda: self._record(arrivals, paces))

    def _record(self, arrivals: Sequence[Arrival], paces: Sequence[HostPace]) -> Settled:
        settled = self._recorder.record(arrivals, paces, self.clock.now())
        if failpoints.growth_forbidden("checkpoint", self.path):
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._watch_log()
        return settled

    def _watch_log(self) -> None:
        """Tell of a write-ahead log that cannot be copied into the file, at each doubling."""
        try:
            size = wal_of(self.path).stat().st_size
        except OSError:
            return
        if size > self._log_told_bytes:
            self._log_told_bytes = 2 * size
            _log.warning(
                "%s-wal has grown to %d MB: another program reads the file and does not end; "
                "nothing is lost, but the disk may fill up",
                self.path,
                size // 1_000_000,
            )

    def cookies(self) -> list[Cookie]:
        """Those that earlier runs kept."""
        return self._on_thread(lambda: cookies.kept(self._connection))

    def keep_cookies(self, jar: Iterable[Cookie]) -> None:
        """Keep these for later runs, and no others."""
        kept = list(jar)
        self._on_thread(lambda: cookies.keep(self._connection, kept))

    def machines_left(self) -> list[str]:
        """Keys of machines that an earlier run may have left at work."""
        return self._on_thread(lambda: machines.left(self._connection))

    def forget_machines_left(self) -> None:
        """They have been waited for."""
        self._on_thread(
            lambda: machines.forget_left(self._connection, self.run_id, self.clock.now())
        )

    def keep_machines(self, states: Iterable[MachineState]) -> dict[str, int]:
        """Write down how machines are; gives the ids of those that had no row, by their keys."""
        return self._on_thread(
            lambda: machines.keep(self._connection, self.run_id, states, self.clock.now())
        )

    def take(self, messages: Sequence[Message]) -> Settled:
        """Take what other shards have found for this one, and move their marks."""
        return self._on_thread(lambda: self._recorder.take(messages, self.clock.now()))

    def with_file(self, work: Callable[[Connection], Result]) -> Result:
        """What only some crawls ask of their files, or change in them."""
        return self._on_thread(lambda: work(self._connection))

    def supply(self, needs: Needs) -> Supplies:
        """Read what the frontier needs; what may not be fetched is settled on the way."""
        return self._on_thread(lambda: self._supply(needs))

    def _supply(self, needs: Needs) -> Supplies:
        now = self.clock.now()
        supplies = supply(self._queue, needs, now)
        if not needs.logins:
            return supplies
        before = self._recorder.origins.queued
        begun = self._recorder.begin_logins(needs.logins, now)
        stopped = dict(supplies.stopped) | {logins.FAILED: before - begun.queued}
        return msgspec.structs.replace(supplies, logins=tuple(begun.logins), stopped=stopped)

    def rules_of(self, origin: str) -> KnownRules:
        """What is known of the robots.txt of an origin (``https://example.org``)."""
        origins = self._recorder.origins
        return self._on_thread(lambda: origins.told(origin, self.clock.now()))

    def queued(self) -> int:
        """URLs that wait."""
        return self._recorder.origins.queued

    def refuse_another_file(self) -> None:
        """Raises StorageError when the file was removed or replaced: nothing more would be kept."""
        if self._lock is not None:
            self._lock.refuse_another()

    def finish(self, *, state: str, reason: str) -> None:
        """Close the run's row."""
        now = self.clock.now()
        self._on_thread(
            lambda: runs.finish(self._connection, self.run_id, state=state, reason=reason, now=now)
        )
        self._ended_well = state != "failed"

    def hurry(self) -> None:
        """Whatever the database is at ends within `HURRY_S`; what is not stored is undone."""
        self._stop_at = time.monotonic() + HURRY_S

    def close(self) -> None:
        """Bring the WAL into the file, close it, and let go of the lock."""
        try:
            if self._connection is not None:
                self._on_thread(self._close)
        finally:
            if self._lock is not None:
                self._lock.release()
                self._lock = None
            self._pool.kill()

    def _close(self) -> None:
        """All is committed: what others' locks or the disk forbid here, the next run does."""
        connection, self._connection = self._connection, None
        close_for_readers(connection, self.path, self._lock, ended_well=self._ended_well)

    def _on_thread(self, change: Callable[[], Result]) -> Result:
        with storage_errors(self.path):
            outcome: Result | _Caught = self._pool.apply(_catching, (change,))
            if isinstance(outcome, _Caught):
                if is_stop(outcome.error):
                    raise Interrupted(f"{self.path}: stopped while SQLite was at work")
                raise outcome.error
            return outcome


def close_for_readers(
    connection: Connection, path: Path, lock: WriterLock | None, *, ended_well: bool
) -> None:
    """Close it so that it can be read anywhere; what others' locks or the disk forbid is left.

    A file that has no longer the name by which it was opened keeps its log: SQLite would remove
    one by that name, and it is another file's by now.
    """
    connection.execute(f"PRAGMA busy_timeout = {CLOSING_MS}")
    steps = CHECKPOINT, *(FOR_READERS if ended_well else ()), LEAVE_LOG
    if lock is not None and lock.is_astray:
        steps = (CHECKPOINT,)
    for step in steps:
        try:
            connection.execute(step)
        except SQLiteError as error:
            _log.debug("%s: %s: %s", path, step, error)
            if step == LINKS_BY_TARGET:
                _log.warning(
                    "%s: links have no index by target (%s): some views take longer until "
                    "the next run makes it",
                    path,
                    error,
                )
    connection.close()


class _Caught(msgspec.Struct, frozen=True):
    """An error as a value: a thread pool prints the traceback of every one that it lets through."""

    error: BaseException


def _catching(change: Callable[[], Result]) -> Result | _Caught:
    try:
        return change()
    except BaseException as error:
        return _Caught(error)
