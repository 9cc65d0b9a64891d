"""How do leases, visits and rows pass between the frontier and the store?

Every step of a crawl but the waiting: what may be leased, what an arrival frees, what is recorded
together and when. No greenlets, no thread and no clock of its own, so that a test drives the very
steps that a crawl takes.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

from crawler import failpoints
from crawler.channels import Fleet
from crawler.conductor.account import Account
from crawler.conductor.ending import Parts
from crawler.conductor.visitor import Visitor
from crawler.config import Config
from crawler.frontier.frontier import Frontier
from crawler.frontier.schedule import Lease
from crawler.model import Job, Reply, Visit
from crawler.policy import requisites, urls
from crawler.policy.cookies import Cookie
from crawler.policy.outage import PROBE_S, Outage
from crawler.policy.seeds import Seed
from crawler.policy.sites import NamedOrigins, Sites
from crawler.store.contract import Arrival, HostPace, Needs, Settled, Supplies

if TYPE_CHECKING:
    from crawler.store.mail import Message

log = logging.getLogger(__name__)

PAUSE_S = 0.005
"""How long a visit waits for company where none, or nothing else to fetch, is in sight."""
LARGE_TARGETS = 5_000
"""A visit that names more is stored behind others: 50,000 new addresses take a second or two."""
BLAMELESS = Reply(error="cancelled")
"""What a host is told of a failure that was the network's."""


class Moment(NamedTuple):
    """now: seconds of a clock that never goes back. wall: epoch seconds."""

    now: float
    wall: float


Clock = Callable[[], Moment]


class Store(Protocol):
    """Who writes: a thread of its own in a crawl. Each call waits until its change is committed."""

    def load_seeds(self, seeds: Sequence[Seed]) -> Settled:
        """Store lines of the seeds file."""

    def seeds_read(self) -> Settled:
        """All seeds have been stored."""

    def record(self, arrivals: Sequence[Arrival], paces: Sequence[HostPace]) -> Settled:
        """Store visits and what follows from them."""

    def keep_cookies(self, jar: Iterable[Cookie]) -> None:
        """Keep these for later runs, and no others."""

    def supply(self, needs: Needs) -> Supplies:
        """Read what the frontier needs."""

    def take(self, messages: Sequence[Message]) -> Settled:
        """Store what other shards have found."""


class Flow:
    """What is on its way in a run.

    room: fetches that may be out at once; as many again may wait for the writer. fleet: machines,
    each with a network of its own, where there may be some.
    """

    def __init__(
        self, config: Config, frontier: Frontier, store: Store, clock: Clock, *, room: int,
        fleet: Fleet | None = None,
    ) -> None:  # fmt: skip
        self.frontier = frontier
        self.account = Account()
        self.outage = Outage()
        self._config = config
        self._store = store
        self._clock = clock
        self.room = room
        self._fleet = fleet
        self._arrivals: deque[Arrival] = deque()
        self._large: deque[Arrival] = deque()
        self._backlog_bytes = 0
        self._oldest_arrival = 0.0
        self._unsettled_pages = 0
        self._probe = 0
        self._scope_is_known = False
        sites = Sites(config)
        self._named = NamedOrigins(sites)
        self.visitor = Visitor(config, sites, clock().wall)
        self._keeps_parts = requisites.mode(config) == "fetch"

    def __repr__(self) -> str:
        return f"<Flow {self.waiting} to store, {self.frontier!r}>"

    # Out

    def lease(self, free: int) -> Lease | None:
        """The next job to send, or None when none may be sent now; `free` slots are left."""
        now = self._clock().now
        may_lease = self.pages_left or self.frontier.parts_only
        if self._is_full or not may_lease or not self._network_allows(now):
            return None
        lease = self.frontier.lease(now, free)
        if lease is None:
            return None
        if self.outage.down and self._fleet is None:
            self._probe = lease.token
            self.outage.probed(now)
        self._unsettled_pages += lease.entry.kind == "page"
        return lease

    @property
    def _is_full(self) -> bool:
        """As many are out as may be, or so much waits for the writer that it is behind.

        A kill costs what is out and what waits. Each has its own bound: were what waits counted as
        out, hosts that answer late would pace the crawl by the writer's commits.
        """
        room, waits = self.room, self._backlog_bytes >= self._config.store.backlog_bytes
        return waits or self.frontier.leased >= room or self.waiting >= room

    @property
    def pages_left(self) -> bool:
        """The limit of pages lets more be leased."""
        limit = self._config.run.max_pages
        counted = self.account.pages - self.account.hops + self._unsettled_pages
        return not limit or counted < limit

    @property
    def parts(self) -> Parts:
        """What becomes of parts of pages at the limit of pages."""
        if not self._keeps_parts:
            return "none"
        return "only" if self.frontier.parts_only else "wanted"

    def _network_allows(self, now: float) -> bool:
        """While the network is down, one probe at a time goes out."""
        if self._fleet is not None:  # who has no network has no free slots
            return True
        return not self.outage.down or (not self._probe and self.outage.may_probe(now))

    def job(self, lease: Lease) -> Job:
        """What a worker is told of a lease."""
        job = job_of(lease)
        if job.url in self._named:
            job = msgspec.structs.replace(job, named=True)
        return self.visitor.equip(job, self._clock().wall) if self.visitor.has_cookies else job

    # Back

    @property
    def waiting(self) -> int:
        """Visits that wait to be stored."""
        return len(self._arrivals) + len(self._large)

    @property
    def is_flooded(self) -> bool:
        """So much waits to be stored that nothing more should be taken."""
        return self._backlog_bytes > 2 * self._config.store.backlog_bytes

    def arrived(self, visit: Visit) -> bool:
        """Free the host of a visit at once, and keep the visit to be stored; False for one that
        nothing was leased for."""
        now, wall = self._clock()
        blameless = self._notice(visit, now)
        reply = BLAMELESS if blameless else visit.reply
        lease = self.frontier.arrived(visit.job, reply, now)
        if lease is None:
            return False
        new_cookies = False
        if self.visitor.has_secrets:
            visit, new_cookies = self.visitor.takes(visit, wall)
        if not self.waiting:
            self._oldest_arrival = now
        queue = self._large if len(visit.document.targets) > LARGE_TARGETS else self._arrivals
        queue.append(Arrival(visit, lease.entry, lease.for_origin, blameless, new_cookies))
        self._backlog_bytes += weight(visit)
        return True

    def _notice(self, visit: Visit, now: float) -> bool:
        """What a visit tells of the network; whether nobody is to be blamed for its failure."""
        outage = self._outage_of(visit)
        was_down = outage.down
        blameless = outage.observe(urls.host_of(visit.job.url), visit.reply, now)
        if visit.job.token == self._probe:
            self._probe = 0
        if outage.down != was_down:
            state = "answers again" if was_down else "is down: probing until it answers"
            whose = f" of machine {visit.worker}" if visit.worker else ""
            log.warning("the network%s %s", whose, state)
        return blameless

    def _outage_of(self, visit: Visit) -> Outage:
        """What is known of the network by which it came."""
        found = self._fleet.outage_of(visit.worker) if self._fleet else None
        return found or self.outage

    @property
    def is_down(self) -> bool:
        """Is the network down, wherever it is asked from?"""
        return self._fleet.is_down if self._fleet else self.outage.down

    def is_hopeless(self, now: float) -> bool:
        """Has it been for longer than is waited for?"""
        patience_s = self._config.run.max_wait_s
        return (self._fleet or self.outage).hopeless(now, patience_s)

    def outage_notice(self, now: float) -> tuple[str, float, str] | None:
        """One line for the person, and when the next probe is due; None while the network works."""
        outage = self.outage
        if self._fleet is not None:
            outage = self._fleet.outage_of(0) or self.outage
        notice = outage.notice(now)
        return None if notice is None else ("the network", outage.next_probe_in_s(now), notice)

    def give_back(self, token: int) -> None:
        """A job came back undone."""
        if token == self._probe:
            self._probe = 0
        self._undone(self.frontier.give_back(token, self._clock().now))

    def located(self, visit: Visit) -> None:
        """A job came back before anything was sent, with the addresses of its host."""
        now = self._clock().now
        self._notice(visit, now)
        outage = self._outage_of(visit)
        if outage.down:
            outage.probed(now - PROBE_S)  # this one has yet to be sent
        self._undone(self.frontier.located(visit.job, visit.reply, now))

    def _undone(self, lease: Lease | None) -> None:
        if lease is not None:
            self._unsettled_pages -= lease.entry.kind == "page"

    # Into the store, and out of it

    def load(self, seeds: Sequence[Seed]) -> None:
        """Store seeds; what they name waits."""
        self._named.add(seed.target.origin for seed in seeds)
        self._settle([], self._store.load_seeds(seeds))

    def close_scope(self) -> None:
        """All seeds are stored, and so the scope is known."""
        if not self._scope_is_known:
            self._scope_is_known = True
            self._settle([], self._store.seeds_read())

    def take(self, messages: Sequence[Message]) -> None:
        """Store what other shards have found for this one."""
        self._settle([], self._store.take(messages))

    def supply(self) -> bool:
        """Bring in what the frontier lacks; False when it lacks nothing."""
        needs = self.frontier.needs(self._clock().wall)
        if not needs:
            return False
        supplies = self._store.supply(needs)
        self.frontier.supplied(supplies, *self._clock())
        self.account.supplied(supplies)
        return True

    def record(self) -> None:
        """Store a batch of what has come back, and let go of its URLs.

        At most one that names very many URLs is stored at a time, so that those of others need not
        wait for seconds.
        """
        size = min(len(self._arrivals), self._config.store.batch)
        batch = [self._arrivals[at] for at in range(size)]
        batch += [self._large[0]] if self._large else []
        settled = self._store.record(batch, self.frontier.paces(*self._clock()))
        for place, arrival in enumerate(batch):
            (self._arrivals if place < size else self._large).popleft()
            self._backlog_bytes -= weight(arrival.visit)
            self._unsettled_pages -= arrival.entry.kind == "page"
        self._oldest_arrival = self._clock().now
        self._settle(batch, settled)
        if self.visitor.jar.changed:
            self.visitor.jar.changed = False
            self._store.keep_cookies(self.visitor.jar)
        if failpoints.armed:
            _die_where_asked(batch, settled)

    def _settle(self, batch: list[Arrival], settled: Settled) -> None:
        self.account.settled(settled)
        entries = [arrival.entry for arrival in batch]
        self.frontier.settle(entries, settled, *self._clock())

    @property
    def batch_is_ready(self) -> bool:
        """Enough has come back, or has waited long enough, or nothing else can be done."""
        if not self.waiting:
            return False
        waited = self._clock().now - self._oldest_arrival
        store = self._config.store
        enough = min(store.batch, max(1, self.room // 2))
        if self.waiting >= enough or waited >= store.batch_s:
            return True
        starving, out = self.frontier.starving, self.frontier.leased
        if starving and not out:
            return True
        return (starving or not out) and waited >= PAUSE_S

    @property
    def until_batch(self) -> float | None:
        """Seconds until a batch may be ready; None when nothing has come back."""
        if not self.waiting:
            return None
        if self.frontier.starving or not self.frontier.leased:
            return PAUSE_S
        waited = self._clock().now - self._oldest_arrival
        return max(self._config.store.batch_s - waited, 0.001)


def job_of(lease: Lease) -> Job:
    """What a worker is told of a lease."""
    entry = lease.entry
    return Job(
        token=lease.token,
        url_id=entry.id,
        url=entry.url,
        kind=entry.kind,  # type: ignore[arg-type]  # the column holds nothing else
        method=_method(lease),
        attempt=entry.attempts + 1,
        private_ok=lease.private_ok,
        etag=entry.etag,
        last_modified=entry.last_modified,
        addresses=lease.addresses,
        dns_ms=lease.dns_ms,
        login=lease.step,
    )


def _method(lease: Lease) -> str:
    entry, step = lease.entry, lease.step
    if entry.kind == "login" and step is not None and step.form is not None:
        return "POST"
    return "HEAD" if entry.kind == "check" and not entry.attempts else "GET"


def weight(visit: Visit) -> int:
    """Roughly the memory that a visit holds, in bytes."""
    document = visit.document
    return (
        1000
        + len(visit.body or b"")
        + len(visit.robots_body or b"")
        + len(visit.robots_rules or b"")
        + 2 * len(document.text or "")
        + len(document.facts or b"")
        + 300 * len(document.targets)
        + 100 * len(document.columns)
        + (visit.rendering.weight if visit.rendering is not None else 0)
    )


def _die_where_asked(batch: list[Arrival], settled: Settled) -> None:
    if settled.robots:
        failpoints.reached("robots-stored")
    if any(arrival.visit.reply.redirect is not None for arrival in batch):
        failpoints.reached("hop-stored")
