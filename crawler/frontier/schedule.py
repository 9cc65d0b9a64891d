"""Which host may be asked now?

Pure: no I/O, no clock; every moment is an argument, in seconds of a clock that never goes back.
Hosts wait in a heap by the time at which they may be asked again; within a host the URL with the
smallest key (priority, depth, id) goes first. URLs beyond a host's window wait in SQLite.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from collections.abc import Iterable
from ipaddress import ip_address
from math import inf

import msgspec

from crawler.config import PaceConfig
from crawler.model import Job, LoginStep, Reply
from crawler.policy import pace, urls, words
from crawler.policy.sites import Sites
from crawler.store.contract import FIRST_KEY, Entry, Key

SLOW_S = 10.0
"""A host that takes longer, or did not answer at all, leaves slots to those that do answer."""
RESERVE = 4
"""One slot in so many is kept for healthy hosts that will soon want it."""
UNPROVEN = "slots"
TRIED = "slots, though it was tried"
"""What hosts wait for that have yet to answer in time: never asked, or in vain."""
TURN = 64
"""Leases after which a host makes room for others that wait in the database."""
LONG_REST_S = 60.0
"""A host that rests longer need not be in memory when others want its place."""
HEAP_SLACK = 1000
BY_HAND = "stopped by hand"
NO_LIMIT = 1 << 30
OF_ADDRESS = "ip "
"""How the name of a cap per address begins; others are of domains."""
ADDRESSES_KEPT = 64
"""Of one host."""
MOVING_S = 1.0
"""A host whose addresses keep changing rests so much longer each time."""
TOKEN_BITS = 32
"""Of a token they count the leases of a run; the bits above are the run's own."""


class Windows(msgspec.Struct, frozen=True):
    """How many entries are kept in memory.

    own: of an origin of the person's own. public: of any other, as long as all of them together
    are no more than `kept`; the more hosts there are, the smaller each window, down to `least`.
    """

    own: int = 4096
    public: int = 32
    least: int = 4
    kept: int = 40_000


class OriginState(msgspec.Struct, eq=False):
    """An origin's window: the first entries of its queue.

    after: the key up to which the queue was read. complete: nothing waits behind it.
    loading: more was asked for. stale: what is being loaded was overtaken by a change.
    known_until: its robots.txt holds until then. opened_at: when that was learnt.
    asking: its robots.txt is being fetched, or its login is on its way. closed: its robots.txt
    could not be had. obey: it is kept. guarded: it needs a login. entered: that has succeeded.
    stopped: nothing more of it is fetched in this run.
    """

    id: int
    name: str
    known_until: float
    crawl_delay_s: float = 0.0
    obey: bool = True
    opened_at: float = -inf
    closed: bool = False
    asking: bool = False
    loading: bool = False
    stale: bool = False
    complete: bool = False
    guarded: bool = False
    entered: bool = False
    stopped: bool = False
    after: Key = FIRST_KEY
    window: list[Entry] = []

    def look_back(self) -> None:
        """Read the queue again from its beginning, leaving out what is held.

        An entry's own key tells not where to go on: a nearer link may have moved it meanwhile.
        """
        self.after = FIRST_KEY
        self.complete = False
        self.stale = self.loading


class Prerequisite(msgspec.Struct, order=True):
    """A fetch that a host owes first: a robots.txt, or a step of a login. due: not before."""

    due: float
    for_origin: int
    entry: Entry
    step: LoginStep | None = None


class HostState(msgspec.Struct, eq=False):
    """A host's pace.

    own: a seed named this private host. near: it is paced as the person's own, by its address.
    addresses: where it is, as far as is known; all of them count. fresh: they were found out just
    now, in dns_ms. moves: how often in a row they turned out to be others than any that were known.
    due: it may be asked from then on. freed_at: its last reply came. served: leases so far.
    response_s: recent response time. penalty_s: the gap that its 429 and 503 have brought about.
    gap_s: its present gap. limit: requests that may be in flight.
    outcomes: whether its last answers failed. parks: how often it was parked, no answer since.
    judged_at: when it was last penalised or parked; what was out then counts no further.
    blocked_until, block_reason: it asked for rest, or is parked. proven: it answers, and in time.
    tried: it was asked before, in this run.
    armed: the time under which it stands in the heap, None when it does not.
    waits_for: the cap that has to be free first. ran_prerequisite: its last lease was a
    prerequisite.
    storing: visits that have come back and are not in the database yet.
    asked_gap_s: the least gap that a person set in this run, in place of the configuration's.
    counted: slots are kept for it, as for a healthy one or for one that was never tried.
    asks: the settings of what was asked of it last.
    """

    id: int
    name: str
    domain: str
    own: bool
    due: float
    ip: str | None = None
    near: bool = False
    addresses: tuple[str, ...] = ()
    fresh: bool = False
    dns_ms: float | None = None
    moves: int = 0
    in_flight: int = 0
    storing: int = 0
    freed_at: float = -inf
    served: int = 0
    response_s: float = 0.0
    penalty_s: float = 0.0
    gap_s: float = 0.0
    limit: int = 1
    errors_in_row: int = 0
    outcomes: int = pace.NOTHING_KNOWN
    parks: int = 0
    judged_at: float = -inf
    blocked_until: float = 0.0
    block_reason: str | None = None
    proven: bool = False
    tried: bool = False
    armed: float | None = None
    waits_for: str | None = None
    ran_prerequisite: bool = False
    counted: str | None = None
    asked_gap_s: float | None = None
    asks: PaceConfig = PaceConfig()
    prerequisites: list[Prerequisite] = []
    origins: dict[int, OriginState] = {}

    def __repr__(self) -> str:
        waiting = sum(len(origin.window) for origin in self.origins.values())
        return f"<HostState {self.name} {waiting} in window, {self.in_flight} in flight>"

    def why(self, now: float) -> str:
        """Why it rests."""
        if self.block_reason is not None and self.blocked_until > now:
            return self.block_reason
        if self.penalty_s and self.penalty_s >= self.gap_s:
            return "slowed by 429 or 503"
        delay_s = max((origin.crawl_delay_s for origin in self.origins.values()), default=0.0)
        return "crawl_delay" if delay_s and delay_s >= self.gap_s else "pace"


class Lease(msgspec.Struct, frozen=True):
    """An entry that was given out.

    for_origin: of a robots fetch, whose rules are asked for; of a login, whose that is. caps: what
    it counts under. step: of a login, and of the robots.txt that it waits for, how far it is.
    addresses: the only ones that may be connected to, none to find them out; None for any.
    """

    token: int
    entry: Entry
    host_id: int
    for_origin: int
    private_ok: bool
    given_at: float = 0.0
    caps: tuple[str, ...] = ()
    addresses: tuple[str, ...] | None = None
    dns_ms: float | None = None
    step: LoginStep | None = None


class Schedule:
    """The hosts that have work, and when each may be asked."""

    def __init__(
        self, config: PaceConfig, *, windows: Windows | None = None, nonce: int = 0,
        sites: Sites | None = None,
    ) -> None:  # fmt: skip
        self._config = config
        self._sites = sites
        self._windows = windows or Windows()
        self._heap: list[tuple[float, int, HostState]] = []
        self._sequence = 0
        self._tokens = nonce << TOKEN_BITS
        self._waiting: dict[str, OrderedDict[int, HostState]] = {}
        self._roomy: set[str] = set()
        self._busy: Counter[str] = Counter()
        self._rests: list[tuple[float, str]] = []
        self._wanting: Counter[str] = Counter()
        self.hosts: dict[int, HostState] = {}
        self.origins: dict[int, tuple[HostState, OriginState]] = {}
        self.leases: dict[int, Lease] = {}
        self.held: set[int] = set()
        self.hungry: dict[int, OriginState] = {}
        self.at_doors: dict[int, OriginState] = {}
        self.touched: dict[int, HostState] = {}

    def __repr__(self) -> str:
        return f"<Schedule {len(self.hosts)} hosts, {len(self.leases)} leased>"

    # What comes in

    def add_host(self, host: HostState, now: float) -> None:
        """Take up a host with its origins."""
        host.near = urls.is_private_literal(host.ip) if host.ip else host.own
        first = next(iter(host.origins.values()), None)
        host.asks = self.pace_for(f"{first.name}/") if first else self._config
        literal = _literal(host.name)
        host.addresses = (literal,) if literal else ()
        self.hosts[host.id] = host
        for origin in host.origins.values():
            self.origins[origin.id] = (host, origin)
        self._set_pace(host)
        for origin in host.origins.values():
            self._feed(host, origin, now)
        self._arm(host)

    def pace_for(self, url: str) -> PaceConfig:
        """The settings by which the host of an address is asked for it."""
        return self._sites.config(url).pace if self._sites else self._config

    def add_origin(self, host: HostState, origin: OriginState, now: float) -> None:
        """Take up a further origin of a host that is known."""
        host.origins[origin.id] = origin
        self.origins[origin.id] = (host, origin)
        self._set_pace(host)
        self._feed(host, origin, now)
        self._arm(host)

    def remove_host(self, host: HostState) -> None:
        """Forget a host: what it has waits in SQLite."""
        del self.hosts[host.id]
        for origin in host.origins.values():
            self._empty(origin)
            del self.origins[origin.id]
            self.hungry.pop(origin.id, None)
            self.at_doors.pop(origin.id, None)
        if host.waits_for is not None:
            del self._waiting[host.waits_for][host.id]
            host.waits_for = None
        host.armed = None
        self._count_as(host, None)

    def offer(self, entry: Entry, now: float, *, due: bool = False) -> bool:
        """A URL that was queued just now; False when its origin is not known here.

        It is kept when it lies within the part of the queue that is in memory, when it goes before
        all that is there, or when it is `due` after a rest.
        """
        found = self.origins.get(entry.origin_id)
        if found is None:
            return False
        host, origin = found
        if self._is_closed(origin, now):
            return True
        inside = origin.complete or entry[:3] <= origin.after
        urgent = due or (origin.window and entry < origin.window[0])
        if entry.id not in self.held and (inside or urgent):
            self._hold(origin, entry)
            limit = 2 * self.window(host)
            if len(origin.window) > limit:
                self._trim(origin, limit // 2)
        self._feed(host, origin, now)
        self._arm(host)
        return True

    def ask_for_more(self, limit: int) -> list[tuple[int, Key, int]]:
        """Origins whose windows run low: id, the key to read on behind, and how many entries."""
        wanted = []
        for origin_id in list(self.hungry)[:limit]:
            origin = self.hungry.pop(origin_id)
            origin.loading = True
            host, _ = self.origins[origin_id]
            wanted.append((origin_id, origin.after, self.window(host)))
        return wanted

    def refill(
        self, origin_id: int, entries: Iterable[Entry], after: Key, now: float, *, complete: bool
    ) -> None:
        """The next part of an origin's queue; dropped when it was overtaken meanwhile."""
        found = self.origins.get(origin_id)
        if found is None:
            return
        host, origin = found
        origin.loading = False
        if origin.stale:
            origin.stale = False
        else:
            origin.complete = complete
            origin.after = max(origin.after, after)
            for entry in entries:
                if entry.id not in self.held:
                    self._hold(origin, entry)
        self._feed(host, origin, now)
        self._arm(host)

    def open_origin(
        self, origin_id: int, known_until: float, crawl_delay_s: float, now: float
    ) -> None:
        """The rules of an origin are known: its queue is read again by them."""
        host, origin = self.origins[origin_id]
        if origin.stopped:
            return
        origin.asking = False
        origin.closed = False
        origin.known_until = known_until
        origin.opened_at = now
        self._empty(origin)
        if origin.crawl_delay_s != crawl_delay_s:
            origin.crawl_delay_s = crawl_delay_s
            self.touched[host.id] = host
        self._set_pace(host)
        self._feed(host, origin, now)
        self._arm(host)

    def close_origin(self, origin_id: int, known_until: float) -> None:
        """An origin's robots.txt could not be had: nothing of it may be fetched."""
        host, origin = self.origins[origin_id]
        self._empty(origin)
        origin.asking = False
        origin.closed = True
        origin.complete = True
        origin.known_until = known_until
        self.hungry.pop(origin_id, None)
        self._count(host)

    def enter(self, origin_id: int, now: float) -> None:
        """The login of an origin has succeeded: what waits there may be fetched."""
        host, origin = self.origins[origin_id]
        origin.asking = False
        origin.entered = True
        self._feed(host, origin, now)
        self._arm(host)

    def hold(self, origin_id: int) -> None:
        """Whether the login of an origin still holds is being found out."""
        host, origin = self.origins[origin_id]
        origin.asking = True
        origin.entered = False
        self._count(host)

    def stop_origin(self, origin_id: int) -> None:
        """Nothing more of an origin may be fetched in this run."""
        host, origin = self.origins[origin_id]
        self._empty(origin)
        origin.asking = False
        origin.stopped = True
        origin.complete = True
        self.hungry.pop(origin_id, None)
        self.at_doors.pop(origin_id, None)
        self._count(host)

    def add_prerequisite(self, host: HostState, prerequisite: Prerequisite) -> None:
        """A robots.txt that this host is to be asked for."""
        heapq.heappush(host.prerequisites, prerequisite)
        self._arm(host)

    # What goes out

    def lease(self, now: float, free: int = NO_LIMIT) -> Lease | None:
        """The next URL that may be fetched now, or None when no host may be asked.

        free: slots that are left, this one included.
        """
        self._end_rests(now)
        while True:
            host = self._pop(now)
            if host is None:
                if not self._wake_waiting(free):
                    return None
                continue
            obstacle = self._obstacle(host, free)
            if obstacle is not None:
                host.waits_for = obstacle
                self._waiting.setdefault(obstacle, OrderedDict())[host.id] = host
                continue
            lease = self._take(host, now)
            self._arm(host)
            if lease is not None:
                return lease

    @property
    def waiting(self) -> bool:
        """Is there anything in memory to give out, now or later?"""
        return self.next_due() is not None

    def next_due(self) -> float | None:
        """When the next host may be asked; None when none has anything to give."""
        due = self._next_wake()
        room = self._next_room() if self._waiting else None
        if due is None or room is None:
            return room if due is None else due
        return min(due, room)

    def _next_room(self) -> float | None:
        """When a host that waits for a cap may have its turn, as far as time alone brings it."""
        if any(name in self._waiting and self._room(name) > 0 for name in self._roomy):
            return -inf
        return self._rests[0][0] if self._rests else None

    def _next_wake(self) -> float | None:
        while self._heap:
            wake, _, host = self._heap[0]
            if host.armed == wake and self._wake(host) == wake:
                return wake
            heapq.heappop(self._heap)
            if host.armed == wake:
                self._disarm(host)
                self._arm(host)
        return None

    def due_hosts(self, now: float) -> int:
        """How many hosts may be asked now."""
        return sum(1 for wake, _, host in self._heap if wake <= now and host.armed == wake)

    def resting(self, now: float, limit: int) -> list[tuple[HostState, float]]:
        """The hosts that have something to give, but later than all others, and when."""
        later = [item for item in self._heap if item[0] > now and item[2].armed == item[0]]
        return [(host, wake) for wake, _, host in heapq.nlargest(limit, later)]

    def tidy(self, now: float) -> None:
        """Forget hosts that have nothing to do and owe no rest."""
        for host in [host for host in self.hosts.values() if _is_idle(host, now)]:
            self.remove_host(host)
        self._shrink()

    def make_room(self, count: int, now: float) -> list[HostState]:
        """Forget up to `count` hosts so that others may have their turn; these are they.

        Those that rest long go first, then those that wait for a cap, then those that had a turn.
        """
        ranked = []
        for host in self.hosts.values():
            rank = self._rank(host, now)
            if rank is not None:
                ranked.append((rank, -host.due, host.id))
        leaving = [self.hosts[host_id] for _, _, host_id in heapq.nsmallest(count, ranked)]
        for host in leaving:
            self.remove_host(host)
        self._shrink()
        return leaving

    def leave_all(self, now: float) -> None:
        """Forget the hosts, and of those that cannot be forgotten what waits: it is read anew."""
        for host in list(self.hosts.values()):
            if self._can_leave(host):
                self.remove_host(host)
                continue
            for origin in host.origins.values():
                self._empty(origin)
                self._feed(host, origin, now)
            self._arm(host)
        self._shrink()

    def _rank(self, host: HostState, now: float) -> int | None:
        if not self._can_leave(host):
            return None
        if host.due - now > LONG_REST_S:
            return 0
        if host.waits_for is not None:
            return 1
        return 2 if host.served >= TURN else None

    def _can_leave(self, host: HostState) -> bool:
        """Nothing of it is under way, and the database knows its pace."""
        if host.in_flight or host.id in self.touched:
            return False
        asked_here = {prerequisite.for_origin for prerequisite in host.prerequisites}
        return asked_here <= host.origins.keys() and not any(
            origin.loading or (origin.asking and origin.id not in asked_here)
            for origin in host.origins.values()
        )

    def _take(self, host: HostState, now: float) -> Lease | None:
        best = self._best_origin(host, now)
        prerequisite_is_due = bool(host.prerequisites) and host.prerequisites[0].due <= now
        if prerequisite_is_due and (best is None or not host.ran_prerequisite):
            prerequisite = heapq.heappop(host.prerequisites)
            host.ran_prerequisite = True
            return self._give(
                host, prerequisite.entry, prerequisite.for_origin, now, prerequisite.step
            )
        if best is None:
            for origin in host.origins.values():
                self._feed(host, origin, now)
            return None
        entry = heapq.heappop(best.window)
        host.ran_prerequisite = False
        self._feed(host, best, now)
        return self._give(host, entry, 0, now)

    def _best_origin(self, host: HostState, now: float) -> OriginState | None:
        best: OriginState | None = None
        for origin in host.origins.values():
            if self._can_give(origin, now) and (
                best is None or origin.window[0][:3] < best.window[0][:3]
            ):
                best = origin
        return best

    def _give(
        self, host: HostState, entry: Entry, for_origin: int, now: float,
        step: LoginStep | None = None,
    ) -> Lease:  # fmt: skip
        self._tokens += 1
        host.in_flight += 1
        host.served += 1
        caps = self._caps(host)
        for name in caps:
            self._busy[name] += 1
        private_ok = host.own and urls.is_private_literal(host.name)
        lease = Lease(
            self._tokens, entry, host.id, for_origin, private_ok, now, caps,
            self._addresses(host, entry), host.dns_ms if host.fresh else None, step,
        )  # fmt: skip
        self.leases[lease.token] = lease
        return lease

    # What comes back

    def arrived(self, job: Job, reply: Reply, now: float) -> Lease | None:
        """A visit came back: its host may rest and go on. None when nothing was leased for it.

        What bears the token of a lease, but is of another URL, ends no lease. The URL stays held
        until `settled`.
        """
        lease = self._end(job)
        if lease is None:
            return None
        host = self.hosts[lease.host_id]
        if self._sites:
            host.asks = self.pace_for(lease.entry.url)
        self._free(host, lease, now)
        host.fresh, host.moves, host.tried = False, 0, True
        host.storing += 1
        self._learn(host, lease, reply, now)
        self._set_pace(host)
        self.touched[host.id] = host
        self._arm(host)
        return lease

    def give_back(self, token: int, now: float) -> Lease | None:
        """A lease that was not used: its URL waits as before. None for a stale token.

        Its host rests all the same, because the request may have been sent. The URL is read from
        the database again, where its origin's rules may have become known meanwhile.
        """
        lease = self.leases.pop(token, None)
        if lease is None:
            return None
        host = self.hosts[lease.host_id]
        self._free(host, lease, now)
        self._set_pace(host)
        self._take_back(host, lease, now)
        return lease

    def located(self, job: Job, reply: Reply, now: float) -> Lease | None:
        """A job came back undone with the addresses of its host, before anything was sent. None
        when nothing was leased for it.

        So all that is under way to an address counts there before it begins (RFC 9309 knows hosts
        alone, but a thousand of them may be one machine).
        """
        lease = self._end(job)
        if lease is None:
            return None
        host = self.hosts[lease.host_id]
        host.in_flight -= 1
        for name in lease.caps:
            self._release(name)
        # Of many requests that are out, each may come back with what the first has told already.
        has_moved = not set(reply.addresses) <= set(host.addresses)
        host.addresses = _merged(reply.addresses, host.addresses)
        host.fresh, host.dns_ms = True, reply.dns_ms
        host.near = all(map(urls.is_private_literal, reply.addresses))
        self._set_pace(host)
        if has_moved and host.moves:
            host.due = max(host.due, now + host.moves * MOVING_S)
        host.moves += has_moved
        origin = host.origins.get(lease.entry.origin_id)
        as_before = origin is not None and origin.opened_at <= lease.given_at
        if lease.for_origin or origin is None or not as_before or self._is_closed(origin, now):
            self._take_back(host, lease, now)
        else:
            heapq.heappush(origin.window, lease.entry)
            self._arm(host)
        return lease

    def _end(self, job: Job) -> Lease | None:
        """The lease that this job was given out for is over."""
        lease = self.leases.get(job.token)
        if lease is None or (lease.entry.id, lease.entry.url) != (job.url_id, job.url):
            return None
        del self.leases[job.token]
        return lease

    def _take_back(self, host: HostState, lease: Lease, now: float) -> None:
        """What was not done waits as before."""
        if lease.for_origin:
            due = 0.0 if host.fresh else now
            self.add_prerequisite(
                host, Prerequisite(due, lease.for_origin, lease.entry, lease.step)
            )
            return
        self.held.discard(lease.entry.id)
        origin = host.origins[lease.entry.origin_id]
        if not self._is_closed(origin, now):
            origin.look_back()
            self._feed(host, origin, now)
            self._arm(host)

    def settled(self, entry: Entry) -> None:
        """The fate of this entry has been committed."""
        self.held.discard(entry.id)
        host = self.hosts.get(entry.host_id)
        if host is not None and host.storing:
            host.storing -= 1
            self._count(host)

    def _free(self, host: HostState, lease: Lease, now: float) -> None:
        host.in_flight -= 1
        host.freed_at = now
        for name in lease.caps:
            if name.startswith(OF_ADDRESS):
                heapq.heappush(self._rests, (now + host.asks.gap_s, name))
            else:
                self._release(name)

    def _release(self, name: str) -> None:
        """There is room again under this cap."""
        self._busy[name] -= 1
        if not self._busy[name]:
            del self._busy[name]
        if name in self._waiting:
            self._roomy.add(name)

    def _end_rests(self, now: float) -> None:
        """Places at addresses whose rest is over are free."""
        while self._rests and self._rests[0][0] <= now:
            self._release(heapq.heappop(self._rests)[1])

    def _learn(self, host: HostState, lease: Lease, reply: Reply, now: float) -> None:
        config = self._config
        if reply.ip is not None and reply.ip != host.ip:
            host.ip = reply.ip
            host.near = urls.is_private_literal(reply.ip)
        host.response_s = pace.response_after(
            host.response_s, reply.status, reply.error, reply.total_ms
        )
        if host.blocked_until <= now:
            host.blocked_until, host.block_reason = 0.0, None
        if lease.given_at > host.judged_at:
            self._judge(host, reply, now)
        if reply.retry_after_s and reply.status in pace.PENALISED:
            rest = min(reply.retry_after_s, config.retry_after_max_s)
            self._block(host, now + rest, f"retry_after: {reply.status}")
        host.proven = reply.status is not None and host.response_s < SLOW_S

    def _judge(self, host: HostState, reply: Reply, now: float) -> None:
        """Penalties, and errors in a row, by a request that knew of the last judgement."""
        penalty_s = pace.penalty_after(reply.status, host.penalty_s, host.gap_s)
        if penalty_s > host.penalty_s:
            host.judged_at = now
        host.penalty_s = penalty_s
        if reply.status is not None:
            if host.parks:
                host.parks, host.outcomes = 0, pace.NOTHING_KNOWN
            host.errors_in_row = 0
            host.outcomes = pace.outcomes_after(self._config, host.outcomes, failed=False)
        elif words.of(reply.error).fault == "site":
            host.errors_in_row += 1
            host.outcomes = pace.outcomes_after(self._config, host.outcomes, failed=True)
            if pace.is_failing(self._config, host.outcomes):
                rest = pace.park_s(self._config, host.parks, own=host.near)
                host.parks += 1
                host.judged_at = now
                self._block(host, now + rest, f"parked: {reply.error}")

    def block(self, name: str, now: float, seconds: float) -> bool:
        """Ask a host nothing for so long; 0 ends its rest. False where it is not in memory."""
        host = self._named(name)
        if host is None:
            return False
        if seconds:
            self._block(host, now + seconds, BY_HAND)
        else:
            host.blocked_until, host.block_reason, host.parks = 0.0, None, 0
            host.due = min(host.due, max(now, host.freed_at + host.gap_s))
        self._change_pace(host)
        return True

    def set_gap(self, name: str, now: float, gap_s: float) -> float | None:
        """Set the least gap of a host; gives the gap that it has then, None where it is not in
        memory."""
        host = self._named(name)
        if host is None:
            return None
        host.asked_gap_s = gap_s
        if host.blocked_until <= now:
            host.due = now
        self._change_pace(host)
        return host.gap_s

    def rests(self, name: str, now: float) -> bool:
        """Has a host asked to be left alone, or is it parked?"""
        host = self._named(name)
        return host is not None and host.blocked_until > now

    def is_near(self, name: str) -> bool:
        """Is a host, as far as it is in memory, paced as the person's own?"""
        host = self._named(name)
        return host is not None and host.near

    def rest_longer(self, name: str, now: float, seconds: float) -> None:
        """More was asked of a host than what was leased: it rests so much longer."""
        host = self._named(name)
        if host is not None and seconds > 0:
            host.due = max(host.due, now) + seconds
            self._change_pace(host)

    def _named(self, name: str) -> HostState | None:
        return next((host for host in self.hosts.values() if host.name == name), None)

    def _change_pace(self, host: HostState) -> None:
        self._set_pace(host)
        host.armed = None
        self._arm(host)
        self.touched[host.id] = host

    def _block(self, host: HostState, until: float, reason: str) -> None:
        if until > host.blocked_until:
            host.blocked_until, host.block_reason = until, reason

    def _set_pace(self, host: HostState) -> None:
        """Bring gap and limit in line with what is known; a rest is only ever prolonged."""
        config = host.asks
        if host.asked_gap_s is not None:
            asked = host.asked_gap_s
            config = msgspec.structs.replace(config, gap_s=asked, own_gap_s=asked)
        delays = [origin.crawl_delay_s for origin in host.origins.values()]
        host.gap_s = pace.gap_s(
            config,
            own=host.near,
            crawl_delay_s=max(delays, default=0.0),
            response_s=host.response_s,
            penalty_s=host.penalty_s,
        )
        host.limit = pace.in_flight_limit(config, own=host.near, gap_s=host.gap_s)
        if host.parks:
            host.limit = 1
        host.due = max(host.due, host.freed_at + host.gap_s, host.blocked_until)

    # Caps per address and per registered domain, of public hosts only; and slots kept free

    def _is_capped(self, host: HostState) -> bool:
        return self._config.own_is_public or not host.near

    def _caps(self, host: HostState) -> tuple[str, ...]:
        if not self._is_capped(host):
            return ()
        addresses = dict.fromkeys(map(_plain, host.addresses))
        return (f"domain {host.domain}", *(OF_ADDRESS + address for address in addresses))

    def _addresses(self, host: HostState, entry: Entry) -> tuple[str, ...] | None:
        """Those that a job may connect to. After a failure they are found out anew."""
        if host.own and not self._config.own_is_public:
            return None
        found_anew = host.fresh or not entry.attempts or _literal(host.name)
        return host.addresses if found_anew else ()

    def _room(self, name: str) -> int:
        limit = self._config.per_ip if name.startswith(OF_ADDRESS) else self._config.per_domain
        return limit - self._busy[name]

    def _obstacle(self, host: HostState, free: int) -> str | None:
        slots = TRIED if host.tried else UNPROVEN
        if not host.proven and free <= self._reserve(free, slots):
            return slots
        for name in self._caps(host):
            if self._room(name) <= 0:
                return name
        return None

    def _reserve(self, free: int, slots: str) -> int:
        """Slots that healthy hosts will want again soon, at most one in `RESERVE`; hosts that were
        tried leave as many to those that never were."""
        most = (len(self.leases) + free) // RESERVE
        kept = min(most, self._wanting["healthy"])
        return kept + min(most, self._wanting["untried"]) if slots == TRIED else kept

    def _wake_waiting(self, free: int) -> bool:
        """Put hosts back into the heap for which a cap has room again; False when none has.

        A host that finds another cap reached waits for that one instead, so this ends.
        """
        woken = sum(
            self._wake_some(slots, free - self._reserve(free, slots)) for slots in (UNPROVEN, TRIED)
        )
        for name in list(self._roomy):
            woken += self._wake_some(name, self._room(name))
            if name not in self._waiting or self._room(name) <= 0:
                self._roomy.discard(name)
        return woken > 0

    def _wake_some(self, name: str, count: int) -> int:
        queue = self._waiting.get(name)
        woken = 0
        while queue and woken < count:
            _, host = queue.popitem(last=False)
            host.waits_for = None
            self._arm(host)
            woken += 1
        if not queue:
            self._waiting.pop(name, None)
        return woken

    # The heap and the windows

    def _is_closed(self, origin: OriginState, now: float) -> bool:
        return origin.stopped or (origin.obey and origin.closed and origin.known_until > now)

    def _can_give(self, origin: OriginState, now: float) -> bool:
        if not origin.window or (origin.guarded and not origin.entered):
            return False
        return not origin.obey or (origin.known_until > now and not origin.closed)

    def _pop(self, now: float) -> HostState | None:
        """The host that has been due longest, out of the heap."""
        while self._heap and self._heap[0][0] <= now:
            wake, _, host = heapq.heappop(self._heap)
            if host.armed != wake:
                continue
            self._disarm(host)
            due = self._wake(host)
            if due is None:
                continue
            if due <= now:
                return host
            self._arm(host)
        return None

    def _arm(self, host: HostState) -> None:
        """Put a host into the heap under the time at which it can give something."""
        wake = self._wake(host)
        if wake is None or host.waits_for is not None:
            self._count(host)
            return
        if host.armed is not None and host.armed <= wake:
            return
        host.armed = wake
        self._sequence += 1
        # A host whose addresses were just found out goes before those that are still unknown.
        place = -self._sequence if host.fresh else self._sequence
        heapq.heappush(self._heap, (wake, place, host))
        self._count(host)

    def _disarm(self, host: HostState) -> None:
        host.armed = None
        self._count(host)

    def _count(self, host: HostState) -> None:
        counted = None
        if host.block_reason is None:
            if host.proven:
                counted = "healthy" if host.armed is not None or _has_work(host) else None
            elif host.armed is not None and not host.tried:
                counted = "untried"
        self._count_as(host, counted)

    def _count_as(self, host: HostState, counted: str | None) -> None:
        if counted != host.counted:
            if host.counted is not None:
                self._wanting[host.counted] -= 1
            if counted is not None:
                self._wanting[counted] += 1
            host.counted = counted

    def _wake(self, host: HostState) -> float | None:
        if host.in_flight >= host.limit:
            return None
        for origin in host.origins.values():
            if origin.window and not (origin.asking or origin.closed):
                return host.due
        if host.prerequisites:
            return max(host.due, host.prerequisites[0].due)
        return None

    def _shrink(self) -> None:
        """Drop what stands in the heap no more, where that is most of it."""
        if len(self._heap) > 2 * len(self.hosts) + HEAP_SLACK:
            self._heap = [item for item in self._heap if item[2].armed == item[0]]
            heapq.heapify(self._heap)

    def _feed(self, host: HostState, origin: OriginState, now: float) -> None:
        """Ask for what an origin lacks: its rules, or more of its queue."""
        if self._is_closed(origin, now):
            return
        if origin.obey and origin.known_until <= now:
            if not origin.asking and (origin.window or not origin.complete):
                self._ask_for_robots(host, origin)
            return
        if origin.guarded and not origin.entered:
            if not origin.asking and (origin.window or not origin.complete):
                origin.asking = True
                self.at_doors[origin.id] = origin
            return
        low = len(origin.window) < self.window(host) // 2
        if low and not origin.complete and not origin.loading:
            self.hungry[origin.id] = origin

    def _ask_for_robots(self, host: HostState, origin: OriginState) -> None:
        origin.asking = True
        heapq.heappush(
            host.prerequisites,
            Prerequisite(0.0, origin.id, robots_entry(origin.name, host.id, origin.id)),
        )

    def window(self, host: HostState) -> int:
        """How many entries of one origin are kept in memory."""
        if host.near and not self._config.own_is_public:
            return self._windows.own
        share = self._windows.kept // max(1, len(self.hosts))
        return max(self._windows.least, min(self._windows.public, share))

    def _hold(self, origin: OriginState, entry: Entry) -> None:
        heapq.heappush(origin.window, entry)
        self.held.add(entry.id)

    def _trim(self, origin: OriginState, keep: int) -> None:
        """Leave to SQLite what lies furthest back."""
        entries = sorted(origin.window)
        for entry in entries[keep:]:
            self.held.discard(entry.id)
        origin.window = entries[:keep]
        origin.look_back()

    def _empty(self, origin: OriginState) -> None:
        for entry in origin.window:
            self.held.discard(entry.id)
        origin.window = []
        origin.look_back()


def _has_work(host: HostState) -> bool:
    """Something of it is under way, or waits in the database: it will soon want a slot."""
    return bool(host.in_flight or host.storing) or any(
        origin.asking or not origin.complete for origin in host.origins.values()
    )


def _literal(name: str) -> str | None:
    """The address that a host's name is, in the form in which addresses are told."""
    if not urls.is_ip(name):
        return None
    return str(ip_address(name.removeprefix("[").removesuffix("]")))


def _plain(address: str) -> str:
    """One name for an IPv4 address, however it is written (RFC 4291, section 2.5.5.2)."""
    return address.removeprefix("::ffff:") if "." in address else address


def _merged(found: tuple[str, ...], known: tuple[str, ...]) -> tuple[str, ...]:
    """Workers may be told different addresses of one name: what any was told just now counts."""
    return tuple(dict.fromkeys((*found, *known)))[: max(ADDRESSES_KEPT, len(found))]


def _is_idle(host: HostState, now: float) -> bool:
    if host.in_flight or host.prerequisites or host.due > now:
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
