"""What may be fetched now?

The schedule of hosts is in memory, the truth is in SQLite. A job that comes out of `lease` may be
fetched at once: robots.txt, pace and caps have been kept.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

from crawler.config import Config
from crawler.frontier.schedule import (
    Errand,
    HostState,
    Lease,
    OriginState,
    Schedule,
    robots_entry,
)
from crawler.model import Reply
from crawler.store.archive import HostPace, RobotsOutcome, Settled
from crawler.store.catalogue import Entry
from crawler.store.clock import iso
from crawler.store.queue import Key, Queue, Refill, WaitingHost, WaitingOrigin

__all__ = ["Frontier", "Lease", "Needs", "Supplies", "supply"]

HOSTS_KEPT = 20_000
HOSTS_A_TRIP = 500
REFILLS_A_TRIP = 200
DUE_A_TRIP = 1000


@dataclass(frozen=True, slots=True)
class Needs:
    """What the frontier wants from the store.

    hosts: ids of hosts to look up. after_host: go on reading waiting hosts behind this id, or None.
    refills: origin, key to go on behind, how many. due: look for URLs whose rest is over.
    """

    hosts: tuple[int, ...]
    after_host: int | None
    refills: tuple[tuple[int, Key, int], ...]
    due: bool

    def __bool__(self) -> bool:
        return bool(self.hosts or self.refills or self.due) or self.after_host is not None


@dataclass(frozen=True, slots=True)
class Supplies:
    """The answer to `Needs`. next_due: epoch seconds of the next rest that ends."""

    hosts: tuple[WaitingHost, ...]
    read_up_to: int | None
    refills: tuple[Refill, ...]
    due: tuple[Entry, ...]
    next_due: float | None
    asked_due: bool
    stopped: dict[str, int]


def supply(queue: Queue, needs: Needs, now: float) -> Supplies:
    """Fetch what the frontier needs; runs on the writer's thread."""
    hosts = [queue.host(host_id) for host_id in needs.hosts]
    read_up_to = None
    if needs.after_host is not None:
        more = queue.hosts(needs.after_host, HOSTS_A_TRIP)
        read_up_to = more[-1].id if len(more) == HOSTS_A_TRIP else -1
        hosts += more
    refills, stopped = queue.refill(needs.refills, now) if needs.refills else ([], {})
    due: list[Entry] = []
    next_due = None
    if needs.due:
        due, next_due = queue.due(now, DUE_A_TRIP)
    return Supplies(
        tuple(hosts), read_up_to, tuple(refills), tuple(due), next_due, needs.due, dict(stopped)
    )


class Frontier:
    """The URLs of a crawl that wait, and when each may be fetched.

    Moments called `now` are seconds of the monotonic clock; `wall` is epoch seconds and serves
    only to read and write the times that stand in the database.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._schedule = Schedule(config.pace, obey_robots=config.robots.obey)
        self._wanted: set[int] = set()
        self._errands: dict[int, list[Errand]] = {}
        self._after_host: int | None = 0
        self._supplying = False
        self._next_deferred: float | None = 0.0

    def __repr__(self) -> str:
        schedule = self._schedule
        return (
            f"<Frontier {len(schedule.held):,} in memory, {len(schedule.leases):,} leased, "
            f"{len(schedule.hosts):,} hosts>"
        )

    # Out

    def lease(self, now: float) -> Lease | None:
        """The next job that may be fetched now, None when none may."""
        return self._schedule.lease(now)

    @property
    def leased(self) -> int:
        """Jobs that are out."""
        return len(self._schedule.leases)

    def entries_leased(self) -> list[Lease]:
        """The jobs that are out."""
        return list(self._schedule.leases.values())

    def next_due(self, now: float, wall: float) -> float | None:
        """When something may be fetched at the earliest; None when nothing waits at all."""
        moments = [self._schedule.next_due()]
        if self._next_deferred is not None:
            moments.append(now + self._next_deferred - wall)
        known = [moment for moment in moments if moment is not None]
        return min(known) if known else None

    def due_hosts(self, now: float) -> int:
        """Hosts that could be asked now."""
        return self._schedule.due_hosts(now)

    def resting(self, now: float, limit: int) -> list[tuple[str, float, str]]:
        """The hosts that rest longest: name, seconds, why."""
        found = [
            (host.name, host.due - now, host.block_reason or "pace")
            for host in self._schedule.hosts.values()
            if host.due > now and (host.errands or any(o.window for o in host.origins.values()))
        ]
        return heapq.nlargest(limit, found, key=lambda item: item[1])

    # Back

    def arrived(self, token: int, reply: Reply, now: float) -> Lease | None:
        """A visit came back; its host is free again. None for a stale token."""
        return self._schedule.arrived(token, reply, now)

    def give_back(self, token: int, now: float) -> Lease | None:
        """A job that was not done waits again, its tries unchanged. None for a stale token."""
        return self._schedule.give_back(token, now)

    def settle(self, entries: Sequence[Entry], settled: Settled, now: float, wall: float) -> None:
        """A batch has been committed: these entries have their fate, new ones wait."""
        for entry in entries:
            self._schedule.settled(entry)
        for outcome in settled.robots:
            self._learn(outcome, now, wall)
        for entry in settled.fresh:
            if not self._schedule.offer(entry, now):
                self._want(entry, now)
        if settled.retry_at is not None:
            self._defer(settled.retry_at)

    def _want(self, entry: Entry, now: float) -> None:
        """A URL of a host or origin that is not in memory."""
        if len(self._schedule.hosts) < HOSTS_KEPT or entry.host_id in self._schedule.hosts:
            self._wanted.add(entry.host_id)
        elif self._after_host is None:
            self._after_host = 0

    def _defer(self, at: float) -> None:
        self._next_deferred = at if self._next_deferred is None else min(at, self._next_deferred)

    def _learn(self, outcome: RobotsOutcome, now: float, wall: float) -> None:
        """What a robots.txt said reaches the schedule."""
        schedule = self._schedule
        if outcome.origin_id not in schedule.origins:
            return
        _, origin = schedule.origins[outcome.origin_id]
        if outcome.known_until:
            until = self._monotonic(outcome.known_until, now, wall)
            if outcome.open:
                schedule.open_origin(origin.id, until, outcome.crawl_delay_s, now)
            else:
                schedule.close_origin(origin.id, until)
            return
        job = outcome.asked
        if outcome.next_url is not None:
            entry = robots_entry(
                origin.name, outcome.next_host_id, outcome.next_origin_id,
                url=outcome.next_url, hops=job.hops + 1,
            )  # fmt: skip
            self._send_errand(Errand(now, origin.id, entry))
        else:
            entry = job._replace(attempts=job.attempts + 1)
            self._send_errand(Errand(now + (outcome.retry_in_s or 0.0), origin.id, entry))

    def _send_errand(self, errand: Errand) -> None:
        """An errand goes to the host that is to be asked, whoever's rules it brings."""
        host = self._schedule.hosts.get(errand.entry.host_id)
        if host is not None:
            self._schedule.add_errand(host, errand)
        else:
            self._errands.setdefault(errand.entry.host_id, []).append(errand)
            self._wanted.add(errand.entry.host_id)

    # Supplies

    @property
    def needs_supplies(self) -> bool:
        """Is there something to ask the store for?"""
        return bool(self._schedule.hungry or self._wanted) or self._after_host is not None

    def needs(self, wall: float) -> Needs:
        """What to ask the store for now; falsy when nothing is lacking."""
        if self._supplying:
            return NOTHING
        hungry = self._schedule.hungry
        refills = []
        for origin_id in list(hungry)[:REFILLS_A_TRIP]:
            origin = hungry.pop(origin_id)
            origin.loading = True
            host, _ = self._schedule.origins[origin_id]
            refills.append((origin_id, origin.after, self._schedule.window(host)))
        hosts = tuple(list(self._wanted)[:HOSTS_A_TRIP])
        due = self._next_deferred is not None and self._next_deferred <= wall
        room = len(self._schedule.hosts) < HOSTS_KEPT
        needs = Needs(hosts, self._after_host if room else None, tuple(refills), due)
        self._supplying = bool(needs)
        return needs

    def supplied(self, supplies: Supplies, now: float, wall: float) -> None:
        """Take what the store gave."""
        self._supplying = False
        for waiting in supplies.hosts:
            self._wanted.discard(waiting.id)
            self._take_up(waiting, now, wall)
        if supplies.read_up_to is not None:
            self._after_host = None if supplies.read_up_to < 0 else supplies.read_up_to
        for refill in supplies.refills:
            self._schedule.refill(
                refill.origin_id, refill.entries, refill.after, now, complete=refill.complete
            )
        if supplies.asked_due:
            self._next_deferred = supplies.next_due
        for entry in supplies.due:
            if not self._schedule.offer(entry, now, due=True):
                self._want(entry, now)

    def _take_up(self, waiting: WaitingHost, now: float, wall: float) -> None:
        """A host from the database, or origins of it that are new here."""
        host = self._schedule.hosts.get(waiting.id)
        origins = [self._origin_state(origin, now, wall) for origin in waiting.origins]
        if host is not None:
            for origin in origins:
                if origin.id not in host.origins:
                    self._schedule.add_origin(host, origin, now)
            return
        rest = min(max(0.0, waiting.next_fetch_at - wall), self._config.pace.retry_after_max_s)
        host = HostState(
            waiting.id, waiting.name, waiting.domain, waiting.own, now + rest, waiting.ip,
            errors_in_row=waiting.errors_in_row,
            origins={origin.id: origin for origin in origins},
        )  # fmt: skip
        self._schedule.add_host(host, now)
        for errand in self._errands.pop(host.id, ()):
            self._schedule.add_errand(host, errand)

    def _origin_state(self, waiting: WaitingOrigin, now: float, wall: float) -> OriginState:
        until = self._monotonic(waiting.known_until, now, wall)
        closed = waiting.closed and until > now
        return OriginState(waiting.id, waiting.name, until, waiting.crawl_delay_s, closed)

    def _monotonic(self, epoch_s: float, now: float, wall: float) -> float:
        """A stored moment on the clock that never goes back, however the wall clock was set."""
        ahead = min(epoch_s - wall, self._config.robots.max_age_s)
        return now + ahead if epoch_s else -1.0

    # What there is to tell

    def paces(self, now: float, wall: float) -> list[HostPace]:
        """The hosts whose pace changed since the last call, for the database."""
        touched = self._schedule.touched
        rows = [self._pace(host, now, wall) for host in touched.values()]
        touched.clear()
        return rows

    def _pace(self, host: HostState, now: float, wall: float) -> HostPace:
        rest = max(0.0, host.due - now)
        blocked = host.blocked_until > now
        return HostPace(
            host.id,
            host.own,
            host.ip,
            round(1000 * self._schedule.gap(host)),
            iso(wall + rest) if rest > 0 else None,
            iso(wall + host.blocked_until - now) if blocked else None,
            host.block_reason if blocked else None,
            host.errors_in_row,
        )

    @property
    def starving(self) -> bool:
        """Nothing in memory can be given out: what is being stored may bring more."""
        return not self._schedule.waiting

    def tidy(self, now: float) -> None:
        """Make room for hosts that wait in the database."""
        if len(self._schedule.hosts) > HOSTS_KEPT // 2:
            self._schedule.tidy(now)

    @property
    def idle(self) -> bool:
        """Nothing is out, nothing is being looked up, and the next thing to do has its time."""
        return (
            not (self._schedule.leases or self._supplying or self._wanted or self._schedule.hungry)
            and self._after_host is None
        )


NOTHING = Needs((), None, (), due=False)
