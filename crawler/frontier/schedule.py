"""Which host may be asked now?

Pure: no I/O, no clock; every moment is an argument, in seconds of a clock that never goes back.
Hosts wait in a heap by the time at which they may be asked again; within a host the URL with the
smallest key (priority, depth, id) goes first. URLs beyond a host's window wait in SQLite.
"""

from __future__ import annotations

import heapq
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from crawler.config import PaceConfig
from crawler.model import Reply
from crawler.policy import pace, urls
from crawler.store.catalogue import Entry
from crawler.store.queue import FIRST_KEY, Key

OWN_WINDOW = 4096
PUBLIC_WINDOW = 32
RESPONSE_MEMORY = 0.7
"""Weight of the past in a host's recent response time."""


@dataclass(slots=True, eq=False)
class OriginState:
    """An origin's window: the first entries of its queue.

    after: the key up to which the queue was read. complete: nothing waits behind it.
    loading: more was asked for. known_until: its robots.txt holds until then.
    asking: its robots.txt is being fetched. closed: it could not be had.
    """

    id: int
    name: str
    known_until: float
    crawl_delay_s: float = 0.0
    closed: bool = False
    asking: bool = False
    loading: bool = False
    complete: bool = False
    after: Key = FIRST_KEY
    window: list[Entry] = field(default_factory=list)


@dataclass(order=True, slots=True)
class Errand:
    """A fetch that a host owes first: a robots.txt. due: not before."""

    due: float
    for_origin: int
    entry: Entry = field(compare=False)


@dataclass(slots=True, eq=False)
class HostState:
    """A host's pace.

    due: it may be asked from then on. response_s: recent response time. penalty_s: what its 429
    and 503 have added to the gap. blocked_until, block_reason: it asked for rest, or is parked.
    armed: the time under which it stands in the heap, None when it does not.
    """

    id: int
    name: str
    domain: str
    own: bool
    due: float
    ip: str | None = None
    in_flight: int = 0
    response_s: float = 0.0
    penalty_s: float = 0.0
    errors_in_row: int = 0
    blocked_until: float = 0.0
    block_reason: str | None = None
    armed: float | None = None
    errands: list[Errand] = field(default_factory=list)
    origins: dict[int, OriginState] = field(default_factory=dict)

    def __repr__(self) -> str:
        waiting = sum(len(origin.window) for origin in self.origins.values())
        return f"<HostState {self.name} {waiting} in window, {self.in_flight} in flight>"


@dataclass(frozen=True, slots=True)
class Lease:
    """An entry that was given out. for_origin: of a robots fetch, whose rules are asked for."""

    token: int
    entry: Entry
    host_id: int
    for_origin: int
    private_ok: bool


class Schedule:
    """The hosts that have work, and when each may be asked."""

    def __init__(self, config: PaceConfig, *, obey_robots: bool = True) -> None:
        self._config = config
        self._obey = obey_robots
        self._heap: list[tuple[float, int, HostState]] = []
        self._sequence = 0
        self._tokens = 0
        self._capped: dict[str, deque[HostState]] = {}
        self._busy: Counter[str] = Counter()
        self.hosts: dict[int, HostState] = {}
        self.origins: dict[int, tuple[HostState, OriginState]] = {}
        self.leases: dict[int, Lease] = {}
        self.held: set[int] = set()
        self.hungry: dict[int, OriginState] = {}
        self.touched: dict[int, HostState] = {}

    def __repr__(self) -> str:
        return f"<Schedule {len(self.hosts)} hosts, {len(self.leases)} leased>"

    # What comes in

    def add_host(self, host: HostState, now: float) -> None:
        """Take up a host with its origins."""
        self.hosts[host.id] = host
        for origin in host.origins.values():
            self.origins[origin.id] = (host, origin)
            self._feed(host, origin, now)
        self._arm(host)

    def add_origin(self, host: HostState, origin: OriginState, now: float) -> None:
        """Take up a further origin of a host that is known."""
        host.origins[origin.id] = origin
        self.origins[origin.id] = (host, origin)
        self._feed(host, origin, now)
        self._arm(host)

    def remove_host(self, host: HostState) -> None:
        """Forget a host that has nothing to do."""
        del self.hosts[host.id]
        for origin_id in host.origins:
            del self.origins[origin_id]
            self.hungry.pop(origin_id, None)

    def offer(self, entry: Entry, now: float, *, due: bool = False) -> bool:
        """A URL that was queued just now; False when its origin is not known here.

        It is kept when it lies within the part of the queue that is in memory, or when it is `due`
        after a rest.
        """
        found = self.origins.get(entry.origin_id)
        if found is None:
            return False
        host, origin = found
        if entry.id in self.held:
            return True
        inside = origin.complete or entry[:3] <= origin.after
        if inside or due:
            heapq.heappush(origin.window, entry)
            self.held.add(entry.id)
            limit = 2 * self.window(host)
            if len(origin.window) > limit:
                self._trim(origin, limit // 2)
            self._feed(host, origin, now)
            self._arm(host)
        return True

    def refill(
        self, origin_id: int, entries: Iterable[Entry], after: Key, now: float, *, complete: bool
    ) -> None:
        """The next part of an origin's queue."""
        found = self.origins.get(origin_id)
        if found is None:
            return
        host, origin = found
        origin.loading = False
        origin.complete = complete
        origin.after = max(origin.after, after)
        for entry in entries:
            if entry.id not in self.held:
                heapq.heappush(origin.window, entry)
                self.held.add(entry.id)
        self._feed(host, origin, now)
        self._arm(host)

    def open_origin(
        self, origin_id: int, known_until: float, crawl_delay_s: float, now: float
    ) -> None:
        """The rules of an origin are known: its queue is read again by them."""
        host, origin = self.origins[origin_id]
        origin.asking = False
        origin.closed = False
        origin.known_until = known_until
        origin.crawl_delay_s = crawl_delay_s
        self._empty(origin)
        self._feed(host, origin, now)
        self._arm(host)

    def close_origin(self, origin_id: int, known_until: float) -> None:
        """An origin's robots.txt could not be had: nothing of it may be fetched."""
        _, origin = self.origins[origin_id]
        self._empty(origin)
        origin.asking = False
        origin.closed = True
        origin.complete = True
        origin.known_until = known_until
        self.hungry.pop(origin_id, None)

    def add_errand(self, host: HostState, errand: Errand) -> None:
        """A robots.txt that this host is to be asked for."""
        heapq.heappush(host.errands, errand)
        self._arm(host)

    # What goes out

    def lease(self, now: float) -> Lease | None:
        """The next URL that may be fetched now, or None when no host may be asked."""
        while self._heap and self._heap[0][0] <= now:
            wake, _, host = heapq.heappop(self._heap)
            if host.armed != wake:
                continue
            host.armed = None
            cap = self._cap_reached(host)
            if cap is not None:
                self._capped.setdefault(cap, deque()).append(host)
                continue
            lease = self._take(host, now)
            self._arm(host)
            if lease is not None:
                return lease
        return None

    @property
    def waiting(self) -> bool:
        """Is there anything in memory to give out, now or later?"""
        return self.next_due() is not None

    def tidy(self, now: float) -> None:
        """Forget hosts that have nothing to do and owe no rest."""
        idle = [host for host in self.hosts.values() if _is_idle(host, now)]
        for host in idle:
            self.remove_host(host)

    def next_due(self) -> float | None:
        """When the next host may be asked; None when none has anything to give."""
        while self._heap and self._heap[0][2].armed != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def due_hosts(self, now: float) -> int:
        """How many hosts may be asked now."""
        return sum(1 for wake, _, host in self._heap if wake <= now and host.armed == wake)

    def _take(self, host: HostState, now: float) -> Lease | None:
        if host.errands and host.errands[0].due <= now:
            errand = heapq.heappop(host.errands)
            return self._give(host, errand.entry, errand.for_origin)
        best: OriginState | None = None
        for origin in host.origins.values():
            if self._can_give(origin, now) and (
                best is None or origin.window[0][:3] < best.window[0][:3]
            ):
                best = origin
        if best is None:
            for origin in host.origins.values():
                self._feed(host, origin, now)
            return None
        entry = heapq.heappop(best.window)
        self._feed(host, best, now)
        return self._give(host, entry, 0)

    def _give(self, host: HostState, entry: Entry, for_origin: int) -> Lease:
        self._tokens += 1
        host.in_flight += 1
        for name in self._caps(host):
            self._busy[name] += 1
        private_ok = host.own and urls.is_private_literal(host.name)
        lease = Lease(self._tokens, entry, host.id, for_origin, private_ok)
        self.leases[lease.token] = lease
        return lease

    # What comes back

    def arrived(self, token: int, reply: Reply, now: float) -> Lease | None:
        """A visit came back: its host may rest and go on. None for a stale token.

        The URL stays held until `settled`.
        """
        lease = self.leases.pop(token, None)
        if lease is None:
            return None
        host = self.hosts[lease.host_id]
        self._free(host)
        self._learn(host, reply, now)
        host.due = max(now + self.gap(host), host.blocked_until)
        self.touched[host.id] = host
        self._arm(host)
        return lease

    def give_back(self, token: int, now: float) -> Lease | None:
        """A lease that was not used: its URL waits as before. None for a stale token."""
        lease = self.leases.pop(token, None)
        if lease is None:
            return None
        host = self.hosts[lease.host_id]
        self._free(host)
        if lease.for_origin:
            self.add_errand(host, Errand(now, lease.for_origin, lease.entry))
        else:
            self.held.discard(lease.entry.id)
            self.offer(lease.entry, now, due=True)
        self._arm(host)
        return lease

    def settled(self, entry: Entry) -> None:
        """The fate of this entry has been committed."""
        self.held.discard(entry.id)

    def gap(self, host: HostState) -> float:
        """The rest of this host after a reply."""
        delays = [origin.crawl_delay_s for origin in host.origins.values()]
        return pace.gap_s(
            self._config,
            own=host.own,
            crawl_delay_s=max(delays, default=0.0),
            response_s=host.response_s,
            penalty_s=host.penalty_s,
        )

    def _free(self, host: HostState) -> None:
        host.in_flight -= 1
        for name in self._caps(host):
            self._busy[name] -= 1
            waiting = self._capped.get(name)
            while waiting:
                self._arm(waiting.popleft())
                break
            if not waiting:
                self._capped.pop(name, None)
            if not self._busy[name]:
                del self._busy[name]

    def _learn(self, host: HostState, reply: Reply, now: float) -> None:
        config = self._config
        if reply.ip is not None and reply.ip != host.ip:
            self._move(host, reply.ip)
        if reply.total_ms is not None and reply.status is not None:
            past = host.response_s or reply.total_ms / 1000
            host.response_s = RESPONSE_MEMORY * past + (1 - RESPONSE_MEMORY) * reply.total_ms / 1000
        host.penalty_s = pace.penalty_after(reply.status, host.penalty_s, config)
        if host.blocked_until <= now:
            host.blocked_until, host.block_reason = 0.0, None
        if reply.status is None and reply.error not in pace.BLAMELESS:
            host.errors_in_row += 1
            if host.errors_in_row % config.park_after == 0:
                self._block(host, now + config.park_s, f"parked: {reply.error}")
        else:
            host.errors_in_row = 0
        if reply.retry_after_s and reply.status in pace.PENALISED:
            rest = min(reply.retry_after_s, config.retry_after_max_s)
            self._block(host, now + rest, f"retry_after: {reply.status}")

    def _block(self, host: HostState, until: float, reason: str) -> None:
        if until > host.blocked_until:
            host.blocked_until, host.block_reason = until, reason

    def _move(self, host: HostState, ip: str) -> None:
        """The host answers from another address; what is in flight is counted there from now on."""
        for name in self._caps(host):
            self._busy[name] -= host.in_flight
        host.ip = ip
        host.own = host.own or urls.is_private_literal(ip)
        for name in self._caps(host):
            self._busy[name] += host.in_flight

    # Caps per address and per registered domain, of public hosts only

    def _caps(self, host: HostState) -> tuple[str, ...]:
        if host.own and not self._config.own_is_public:
            return ()
        names = (f"domain {host.domain}",)
        return (*names, f"ip {host.ip}") if host.ip else names

    def _cap_reached(self, host: HostState) -> str | None:
        for name in self._caps(host):
            limit = self._config.per_ip if name.startswith("ip ") else self._config.per_domain
            if self._busy[name] >= limit:
                return name
        return None

    # The heap and the windows

    def _can_give(self, origin: OriginState, now: float) -> bool:
        return bool(origin.window) and (not self._obey or origin.known_until > now)

    def _arm(self, host: HostState) -> None:
        """Put a host into the heap under the time at which it can give something."""
        wake = self._wake(host)
        if wake is None or (host.armed is not None and host.armed <= wake):
            return
        host.armed = wake
        self._sequence += 1
        heapq.heappush(self._heap, (wake, self._sequence, host))

    def _wake(self, host: HostState) -> float | None:
        if host.in_flight >= pace.in_flight_limit(self._config, own=host.own):
            return None
        if any(origin.window and not origin.asking for origin in host.origins.values()):
            return host.due
        if host.errands:
            return max(host.due, host.errands[0].due)
        return None

    def _feed(self, host: HostState, origin: OriginState, now: float) -> None:
        """Ask for what an origin lacks: its rules, or more of its queue."""
        if origin.closed and origin.known_until > now:
            return
        if self._obey and origin.known_until <= now:
            if not origin.asking and (origin.window or not origin.complete):
                self._ask_for_robots(host, origin)
            return
        low = len(origin.window) < self.window(host) // 2
        if low and not origin.complete and not origin.loading:
            self.hungry[origin.id] = origin

    def _ask_for_robots(self, host: HostState, origin: OriginState) -> None:
        origin.asking = True
        heapq.heappush(
            host.errands, Errand(0.0, origin.id, robots_entry(origin.name, host.id, origin.id))
        )

    def window(self, host: HostState) -> int:
        """How many entries of one origin are kept in memory."""
        return OWN_WINDOW if host.own and not self._config.own_is_public else PUBLIC_WINDOW

    def _trim(self, origin: OriginState, keep: int) -> None:
        """Leave to SQLite what lies furthest back."""
        entries = sorted(origin.window)
        for entry in entries[keep:]:
            self.held.discard(entry.id)
        origin.window = entries[:keep]
        origin.after = origin.window[-1][:3]
        origin.complete = False

    def _empty(self, origin: OriginState) -> None:
        for entry in origin.window:
            self.held.discard(entry.id)
        origin.window = []
        origin.after = FIRST_KEY
        origin.complete = False


def _is_idle(host: HostState, now: float) -> bool:
    if host.in_flight or host.errands or host.due > now:
        return False
    return all(
        origin.complete and not (origin.window or origin.loading or origin.asking)
        for origin in host.origins.values()
    )


def robots_entry(
    origin: str, host_id: int, origin_id: int, *, url: str | None = None, attempts: int = 0,
    hops: int = 0,
) -> Entry:  # fmt: skip
    """What is leased for a robots.txt; `url` where a redirect led."""
    address = url or f"{origin}/robots.txt"
    number = urls.identity(address)
    return Entry(-1, 0, 0, address, number, "robots", attempts, hops, host_id, origin_id)
