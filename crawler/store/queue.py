"""Which URLs wait, host by host?

Lives on the writer's thread. The frontier keeps a window of each queue in memory and comes here
for more. What robots.txt forbids is settled on the way, so that a URL that comes out may be
fetched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from crawler.store.clock import epoch, iso
from crawler.store.contract import Entry, Key, Needs, Refill, Supplies, WaitingHost, WaitingOrigin
from crawler.store.database import Connection
from crawler.store.origins import Closure, Origin, Origins
from crawler.store.ruling import settings_of

Row = tuple[Any, ...]
OUT_OF_SPACE = Closure("skipped", "host_cap")
DUE_A_TRIP = 1000
"""Deferred entries that are looked up at once."""


class Queue:
    """Reads the queued URLs in their order."""

    def __init__(self, connection: Connection, origins: Origins) -> None:
        self._connection = connection
        self._origins = origins
        self._settings = settings_of(origins.config)
        self.parts_only = False

    def __repr__(self) -> str:
        return f"<Queue {self.size()} urls>"

    def size(self) -> int:
        """How many URLs wait."""
        return self._origins.queued

    def hosts(self, after_id: int, limit: int) -> list[WaitingHost]:
        """Hosts with something queued whose id is greater, in order of their ids."""
        rows = self._connection.execute(
            WAITING_HOSTS, (after_id, self.parts_only, limit)
        ).fetchall()
        return [self._waiting(*row) for row in rows]

    def host(self, host_id: int) -> WaitingHost:
        """One host. Raises KeyError when there is none."""
        row = self._connection.execute(ONE_HOST, (host_id,)).fetchone()
        if row is None:
            raise KeyError(host_id)
        return self._waiting(*row)

    def _waiting(
        self, host_id: int, name: str, domain: str, own: int, ip: str | None, delay_ms: int | None,
        at: str | None, blocked_until: str | None, block_reason: str | None, errors: int,
        penalty_ms: int | None,
    ) -> WaitingHost:  # fmt: skip
        rows = self._connection.execute(ORIGINS_OF, (self.parts_only, host_id)).fetchall()
        origins = []
        for origin_id, waiting in rows:
            origin = self._origins.origin_by_id(origin_id)
            origins.append(
                WaitingOrigin(
                    origin_id,
                    origin.name,
                    origin.known_until,
                    origin.crawl_delay_s,
                    origin.closure is not None,
                    bool(waiting),
                )
            )
        return WaitingHost(
            host_id,
            name,
            domain,
            bool(own),
            ip,
            (delay_ms or 0) / 1000,
            epoch(at) if at else 0.0,
            epoch(blocked_until) if blocked_until else 0.0,
            block_reason,
            errors,
            (penalty_ms or 0) / 1000,
            tuple(origins),
        )

    def refill(
        self, requests: Sequence[tuple[int, Key, int]], now: float
    ) -> tuple[list[Refill], Counter[str]]:
        """The next entries of several queues; what may not be fetched is settled and counted.

        requests: origin id, the key behind which to go on, and how many at most.
        """
        stopped: Counter[str] = Counter()
        refills = []
        with self._transaction(now):
            for origin_id, after, limit in requests:
                refills.append(self._refill(origin_id, after, limit, now, stopped))
        return refills, stopped

    @contextmanager
    def _transaction(self, now: float) -> Iterator[None]:
        self._origins.now = now
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._origins.flush()
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self._origins.forget()
            raise

    def _refill(
        self, origin_id: int, after: Key, limit: int, now: float, stopped: Counter[str]
    ) -> Refill:
        origin = self._origins.origin_by_id(origin_id)
        rows = self._connection.execute(
            NEXT_ENTRIES, (self._settings, origin_id, *after, iso(now), self.parts_only, limit)
        ).fetchall()
        entries = self._sift(origin, rows, stopped)
        last: Key = (rows[-1][0], rows[-1][1], rows[-1][2]) if rows else after
        return Refill(origin_id, entries, len(rows) < limit, last)

    def _sift(self, origin: Origin, rows: Sequence[Row], stopped: Counter[str]) -> list[Entry]:
        """The entries that may be fetched; the others are settled and counted."""
        entries = []
        stops: list[tuple[Closure, int]] = []
        for row in rows:
            full = OUT_OF_SPACE if self._origins.is_out_of_space(origin.host, row[3]) else None
            stop = full or self._origins.stop_reason(origin, row[3])
            if stop is None:
                entries.append(Entry._make(row))
            else:
                stops.append((stop, row[2]))
        if stops:
            self._settle(stops, stopped)
            self._origins.count(origin.host, queued=-len(stops))
        return entries

    def _settle(self, stops: Sequence[tuple[Closure, int]], stopped: Counter[str]) -> None:
        self._connection.executemany(
            "UPDATE urls SET state = ?, reason = ?, not_before = NULL WHERE id = ?",
            [(stop.state, stop.reason, url_id) for stop, url_id in stops],
        )
        stopped.update(stop.reason for stop, _ in stops)

    def due(self, now: float, limit: int) -> tuple[list[Entry], float | None, Counter[str]]:
        """Entries whose rest is over, epoch seconds of the next one (None when there is none), and
        what was settled instead, counted.

        They are ordinary queued URLs from then on.
        """
        stopped: Counter[str] = Counter()
        entries: list[Entry] = []
        with self._transaction(now):
            rows = self._connection.execute(
                DUE_ENTRIES, (self._settings, iso(now), self.parts_only, limit)
            ).fetchall()
            self._connection.executemany(
                "UPDATE urls SET not_before = NULL WHERE id = ?", [(row[2],) for row in rows]
            )
            for row in rows:
                origin = self._origins.origin_by_id(row[9])
                entries += self._sift(origin, [row], stopped)
            following = self._connection.execute(NEXT_DUE, (self.parts_only,)).fetchone()[0]
        return entries, epoch(following) if following else None, stopped


def supply(queue: Queue, needs: Needs, now: float) -> Supplies:
    """Fetch what the frontier needs; runs on the writer's thread."""
    queue.parts_only = needs.parts_only
    swept: list[WaitingHost] = []
    read_up_to = None
    if needs.after_host is not None:
        swept = queue.hosts(needs.after_host, needs.host_limit)
        read_up_to = swept[-1].id if len(swept) == needs.host_limit else -1
    refills, stopped = queue.refill(needs.refills, now) if needs.refills else ([], {})
    due: list[Entry] = []
    next_due = None
    stopped = dict(stopped)
    if needs.due:
        due, next_due, also = queue.due(now, DUE_A_TRIP)
        for reason, count in also.items():
            stopped[reason] = stopped.get(reason, 0) + count
    return Supplies(
        hosts=tuple(queue.host(host_id) for host_id in needs.hosts),
        swept=tuple(swept),
        read_up_to=read_up_to,
        refills=tuple(refills),
        due=tuple(due),
        next_due=next_due,
        asked_due=needs.due,
        stopped=stopped,
    )


def _held(validator: str) -> str:
    """Of a part of pages it is its last good visit that tells what is held."""
    return f"""
        SELECT visits.{validator}
        FROM visits
        JOIN bodies ON bodies.id = visits.body_id
        WHERE visits.url_id = urls.id
            AND urls.status = 200
            AND visits.kind = 'asset'
            AND visits.status = 200
            AND visits.error IS NULL
            AND visits.truncated IS NULL
            AND bodies.body IS NOT NULL
            AND visits.run_id NOT IN (SELECT id FROM runs WHERE via <> 'crawl')
        ORDER BY visits.id DESC
        LIMIT 1
    """


ENTRY_COLUMNS = f"""
    urls.priority, urls.depth, urls.id, urls.url, urls.hash, urls.kind, urls.attempts, urls.hops,
    urls.host_id, urls.origin_id,
    CASE WHEN urls.kind = 'asset' THEN ({_held("etag")}) ELSE pages.etag END,
    CASE WHEN urls.kind = 'asset' THEN ({_held("last_modified")}) ELSE pages.last_modified END
"""
"""Validators are those of a document that is held whole, made under the present settings."""

NEXT_ENTRIES = f"""
    SELECT {ENTRY_COLUMNS}
    FROM urls INDEXED BY urls_queue
    LEFT JOIN pages ON pages.id = urls.id AND pages.made_under = ?
    WHERE urls.state = 'queued'
        AND urls.origin_id = ?
        AND (urls.priority, urls.depth, urls.id) > (?, ?, ?)
        AND (urls.not_before IS NULL OR urls.not_before <= ?)
        AND (urls.kind = 'asset' OR NOT ?)
    ORDER BY urls.priority, urls.depth, urls.id
    LIMIT ?
"""

DUE_ENTRIES = f"""
    SELECT {ENTRY_COLUMNS}
    FROM urls INDEXED BY urls_deferred
    LEFT JOIN pages ON pages.id = urls.id AND pages.made_under = ?
    WHERE urls.state = 'queued' AND urls.not_before IS NOT NULL AND urls.not_before <= ?
        AND (urls.kind = 'asset' OR NOT ?)
    ORDER BY urls.not_before
    LIMIT ?
"""

NEXT_DUE = """
    SELECT min(not_before)
    FROM urls
    WHERE state = 'queued' AND not_before IS NOT NULL AND (kind = 'asset' OR NOT ?)
"""

ORIGINS_OF = """
    SELECT id, EXISTS (
        SELECT 1
        FROM urls INDEXED BY urls_queue
        WHERE urls.origin_id = origins.id AND urls.state = 'queued'
            AND (urls.kind = 'asset' OR NOT ?)
    )
    FROM origins
    WHERE host_id = ?
    ORDER BY id
"""

WAITING_HOSTS = """
    SELECT id, host, registered_domain, own, ip, delay_ms, next_fetch_at, blocked_until,
        block_reason, errors_in_row, penalty_ms
    FROM hosts
    WHERE queued > 0 AND id > ?
        AND (
            NOT ?
            OR EXISTS (
                SELECT 1
                FROM origins
                CROSS JOIN urls INDEXED BY urls_queue ON urls.origin_id = origins.id
                WHERE origins.host_id = hosts.id
                    AND urls.state = 'queued'
                    AND urls.kind = 'asset'
            )
        )
    ORDER BY id
    LIMIT ?
"""

ONE_HOST = """
    SELECT id, host, registered_domain, own, ip, delay_ms, next_fetch_at, blocked_until,
        block_reason, errors_in_row, penalty_ms
    FROM hosts
    WHERE id = ?
"""
