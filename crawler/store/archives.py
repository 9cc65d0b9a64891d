"""What do answers change that others were given?

They go the way of visits (`recorder.py`), but for this: nothing of an archive is ever asked for, so
that no link of its pages queues anything and no fate of it waits; its robots.txt rules nobody; its
validators are never sent, as nobody knows whether its server gave them to what it holds; and
what is older than what is held is history, and changes nothing of it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from crawler import __version__
from crawler.config import Config
from crawler.model import Target, Visit
from crawler.policy.agent import robots_token
from crawler.policy.pace import Fate
from crawler.store import runs
from crawler.store.contract import Arrival, Entry
from crawler.store.database import (
    Connection,
    SQLiteError,
    interruptible,
    is_stop,
    open_for_writing,
    storage_errors,
)
from crawler.store.lock import WriterLock
from crawler.store.packing import unpacked
from crawler.store.place import writable_place
from crawler.store.recorder import Recorder
from crawler.store.ruling import Before, Facts, Ruling
from crawler.store.scopes import NoKeys
from crawler.store.url_table import ORDINARY
from crawler.store.writer import close_for_readers

DEPTH: Final = 1
"""Where pages of an archive stand: behind a seed that nobody wrote. A crawl finds out how far they
are from its own."""
VIA: Final = "archive"
"""Stands in place of the kind of the link that brought an address."""
NO_MORE_TRIES: Final = 1 << 20


class Brought(NamedTuple):
    """An answer of an archive: whose address, and what came of it."""

    target: Target
    visit: Visit


class ArchiveRecorder(Recorder):
    """Turns answers of archives into rows.

    brought: how many were new. known: how many were there already. unresolved: how many say that
    nothing has changed of what is not held.
    """

    keys = NoKeys
    known = 0
    brought = 0
    unresolved = 0

    def __init__(
        self, connection: Connection, config: Config, run_id: int, agent: str, lock: WriterLock
    ) -> None:
        super().__init__(connection, config, run_id, agent)
        self._lock = lock
        self._settings = None  # its server is not asked whether this is what it holds
        self._outlinks.any_may_have_some = (
            True  # the same style sheet may come again, whatever is fetched
        )
        connection.execute(DIGESTS)

    def remember(self, digest: str, sha256: str) -> None:
        """A digest that a body has, and its SHA-256. Of bodies that are the same but for what their
        archives say of codings, the last counts. On the disk, as there may be many."""
        self._connection.execute(REMEMBER, (digest, sha256))

    def recall(self, digest: str) -> str | None:
        """The SHA-256 of the body that has this digest."""
        row = self._connection.execute(RECALL, (digest,)).fetchone()
        return None if row is None else str(row[0])

    def bring(self, answers: Sequence[Brought]) -> None:
        """Store answers; of one address each in a transaction of its own, in their order.

        Raises StorageError when the file is no longer there: nothing would be kept.
        """
        self._lock.refuse_another()
        while answers:
            part = _distinct(answers)
            self._transaction(lambda part=part: self._bring(part), time.time())  # type: ignore[misc]
            answers = answers[len(part) :]

    def body(self, sha256: str) -> bytes | None:
        """A body that is kept, by its digest as hexadecimal digits."""
        row = self._connection.execute(BODY, (sha256,)).fetchone()
        return None if row is None else unpacked(*row)

    def sha256_at(self, url_hash: int, at: str) -> str | None:
        """The digest of what an address answered at a moment."""
        row = self._connection.execute(SHA256_AT, (url_hash, at)).fetchone()
        return None if row is None else str(row[0])

    def _bring(self, answers: Sequence[Brought]) -> None:
        arrivals = [self._arrival(one) for one in answers]
        self.url_table.recall(
            number for arrival in arrivals for number in arrival.visit.document.targets.hashes
        )
        before = self._before([arrival.entry.id for arrival in arrivals])
        for arrival in arrivals:
            if self._is_known(arrival):
                self.known += 1
                continue
            held = before[arrival.entry.id]
            if arrival.visit.reply.status == 304 and not (held.is_page or self._is_held(arrival)):
                self.unresolved += 1
                continue
            self.brought += 1
            if self._is_older(arrival):
                self._add_history(arrival)
            else:
                self._record_visit(arrival, held, time.time())

    def _arrival(self, one: Brought) -> Arrival:
        """As if it had been leased: with all tries behind it, so that nothing of it waits."""
        target, visit = one
        job = visit.job
        self.url_table.recall((target.hash,))
        url_id = self.url_table.admit(target, VIA, DEPTH, fetch_kind=job.kind)
        origin = self.origins.origin(target.origin)
        entry = Entry(
            ORDINARY, DEPTH, url_id, target.url, target.hash, job.kind, NO_MORE_TRIES, 0,
            origin.host.id, origin.id, job.etag, job.last_modified,
        )  # fmt: skip
        return Arrival(visit, entry)

    def _is_known(self, arrival: Arrival) -> bool:
        """Was this very answer brought, or given to us, before?"""
        visit = arrival.visit
        sha256 = visit.body_sha256.hex() if visit.body_sha256 else None
        row = self._connection.execute(
            KNOWN, (arrival.entry.id, visit.started_at, visit.reply.status, sha256)
        ).fetchone()
        return row is not None

    def _is_held(self, arrival: Arrival) -> bool:
        """Is there a body that it may confirm? What pages need has one, and no row in ``pages``."""
        row = self._connection.execute(HELD, (arrival.entry.id,)).fetchone()
        return row is not None

    def _is_older(self, arrival: Arrival) -> bool:
        """Is it older than the last visit?"""
        row = self._connection.execute(
            LATER, (arrival.entry.id, arrival.visit.started_at)
        ).fetchone()
        return row is not None

    def _add_history(self, arrival: Arrival) -> None:
        """A visit from before the last one: what is held stays."""
        visit, entry = arrival.visit, arrival.entry
        body_id, stored = self._batch.body(visit, texts=self._config.store.texts)
        self.origins.count(self.origins.origin_by_id(entry.origin_id).host, stored_bytes=stored)
        self._batch.visit(
            visit, entry.id, error=visit.reply.error or visit.document.error, body_id=body_id
        )

    def _facts(self, arrival: Arrival, before: Before) -> Facts:
        return msgspec.structs.replace(
            super()._facts(arrival, before), linked=False, bare_seeds=False
        )

    def _settle(self, arrival: Arrival, ruling: Ruling, before: Before, now: float) -> None:
        """The fate of the URL; one that a crawl has queued waits for it all the same."""
        entry, reply = arrival.entry, arrival.visit.reply
        fate = Fate("done") if ruling.fate.state == "queued" else ruling.fate
        settled = self._batch.settled
        settled.pages += entry.kind == "page"
        settled.errors += fate.state == "failed"
        settled.bytes += reply.wire_bytes
        if before.waited:
            return
        host = self.origins.origin_by_id(entry.origin_id).host
        self.origins.count(host, pages=int(entry.kind == "page" and not before.is_page))
        kind = "page" if before.is_page else entry.kind
        self._connection.execute(SETTLE, (kind, fate.state, fate.reason, ruling.status, entry.id))


def _distinct(answers: Sequence[Brought]) -> Sequence[Brought]:
    """The first of them, as far as no address comes twice."""
    seen: set[int] = set()
    for at, one in enumerate(answers):
        if one.target.hash in seen:
            return answers[:at]
        seen.add(one.target.hash)
    return answers


@contextmanager
def importing(path: Path, config: Config, *, files: str) -> Iterator[ArchiveRecorder]:
    """A run that brings archives into a database; nobody else may write to it meanwhile.

    Raises StorageError. Left by an error or KeyboardInterrupt, all that was stored stays, and the
    run tells.
    """
    writable_place(path)
    lock = WriterLock(path)
    try:
        with storage_errors(path):
            connection = open_for_writing(path)
            # A signal that came while SQLite worked is raised in here, and ends that work.
            interruptible(connection, lambda: False)
            try:
                yield from _run(connection, config, files, lock)
            except SQLiteError as error:
                if is_stop(error):
                    raise KeyboardInterrupt from None
                raise
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                close_for_readers(connection, path, lock, ended_well=True)
    finally:
        lock.release()


def _run(
    connection: Connection, config: Config, files: str, lock: WriterLock
) -> Iterator[ArchiveRecorder]:
    start = runs.start_import(
        connection, config, files=files, version=__version__, pid=os.getpid(), now=time.time()
    )
    recorder = ArchiveRecorder(connection, config, start.run_id, robots_token(config.fetch), lock)
    state, reason = "failed", "error"
    try:
        yield recorder
        lock.refuse_another()
        state, reason = "finished", "finished"
    except KeyboardInterrupt:
        state, reason = "interrupted", "signal"
        raise
    finally:
        runs.finish(connection, start.run_id, state=state, reason=reason, now=time.time())
        if not recorder.brought:
            runs.forget_empty(connection, start.run_id)


DIGESTS = """
    CREATE TEMP TABLE IF NOT EXISTS archived (
        digest TEXT PRIMARY KEY,
        sha256 TEXT NOT NULL
    ) STRICT, WITHOUT ROWID
"""

REMEMBER = """
    INSERT INTO archived (digest, sha256)
    VALUES (?, ?)
    ON CONFLICT DO UPDATE SET sha256 = excluded.sha256
"""

RECALL = """
    SELECT sha256
    FROM archived
    WHERE digest = ?
"""

SETTLE = """
    UPDATE urls
    SET kind = ?, state = ?, reason = ?, status = ?, attempts = 1, not_before = NULL
    WHERE id = ?
"""

KNOWN = """
    SELECT 1
    FROM visits
    LEFT JOIN bodies ON bodies.id = visits.body_id
    WHERE visits.url_id = ? AND visits.started_at = ? AND visits.status IS ?
        AND bodies.sha256 IS ?
    LIMIT 1
"""

HELD = """
    SELECT 1
    FROM visits
    WHERE url_id = ? AND body_id IS NOT NULL
    LIMIT 1
"""

LATER = """
    SELECT 1
    FROM visits
    WHERE url_id = ? AND started_at > ?
    LIMIT 1
"""

BODY = """
    SELECT body, body_bytes, id
    FROM bodies
    WHERE sha256 = ? AND body IS NOT NULL
    LIMIT 1
"""

SHA256_AT = """
    SELECT bodies.sha256
    FROM urls
    JOIN visits ON visits.url_id = urls.id
    JOIN bodies ON bodies.id = visits.body_id
    WHERE urls.hash = ? AND visits.started_at = ?
    LIMIT 1
"""
