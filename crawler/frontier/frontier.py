"""What may be fetched now?

The schedule of hosts is in memory, the truth is in SQLite. A job that comes out of `lease` may be
fetched at once: robots.txt, pace and caps have been kept.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

import msgspec

from crawler.config import Config
from crawler.frontier.host_rows import HostRows
from crawler.frontier.schedule import (
    LONG_REST_S,
    NO_LIMIT,
    Lease,
    OriginState,
    Prerequisite,
    Schedule,
    Windows,
    robots_entry,
)
from crawler.model import Job, LoginStep, Reply
from crawler.policy import logins
from crawler.policy.sites import Sites
from crawler.store.contract import (
    Entry,
    HostPace,
    LoginOutcome,
    Needs,
    RobotsOutcome,
    Settled,
    Supplies,
    WaitingHost,
    WaitingOrigin,
)

HOSTS_KEPT = 20_000
HOSTS_A_TRIP = 500
REFILLS_A_TRIP = 200
RETRIES_SHOWN = 1000
STOPS = {"failed": logins.FAILED, "over": logins.OVER}
AS_IT_IS = LoginStep("")
"""Of what only looks as if nobody were logged in."""
PART = "asset"
"""The kind of what pages are made of."""


class Frontier:
    """The URLs of a crawl that wait, and when each may be fetched.

    Moments called `now` are seconds of the monotonic clock; `wall` is epoch seconds and serves
    only to read and write the times that stand in the database.

    `nonce` (31 bits) tells the leases of this run from those of any other.

    At most `hosts_kept` hosts are in memory. All others wait in the database, and sweeps through it
    in the order of ids bring them in as there is room, so that each has its turn.
    """

    def __init__(
        self, config: Config, *, nonce: int = 0, hosts_kept: int = HOSTS_KEPT,
        windows: Windows | None = None,
    ) -> None:  # fmt: skip
        self._hosts_kept = hosts_kept
        sites = Sites(config)
        self._rows = HostRows(config, sites)
        self._schedule = Schedule(config.pace, windows=windows, nonce=nonce, sites=sites or None)
        self._wanted: set[int] = set()
        self._prerequisites: dict[int, list[Prerequisite]] = {}
        self._after_host: int | None = 0
        self._first_sweep = True
        self._outside: float | None = None
        self._supplying = False
        self._next_deferred: float | None = 0.0
        self._retries: dict[str, float] = {}
        self.parts_only = False
        self._entered: set[int] = set()
        self._stopped: dict[int, str] = {}
        self._suspects: dict[int, set[int]] = {}
        self._cleared: set[int] = set()

    def __repr__(self) -> str:
        schedule = self._schedule
        return (
            f"<Frontier {len(schedule.held):,} in memory, {len(schedule.leases):,} leased, "
            f"{len(schedule.hosts):,} hosts>"
        )

    # Out

    def lease(self, now: float, free: int = NO_LIMIT) -> Lease | None:
        """The next job that may be fetched now, None when none may; `free` slots are left."""
        lease = self._schedule.lease(now, free)
        if self._cleared and lease is not None and lease.entry.id in self._cleared:
            return msgspec.structs.replace(lease, step=AS_IT_IS)
        return lease

    @property
    def leased(self) -> int:
        """Jobs that are out."""
        return len(self._schedule.leases)

    def entries_leased(self) -> list[Lease]:
        """The jobs that are out."""
        return list(self._schedule.leases.values())

    def next_due(self, now: float, wall: float) -> float | None:
        """When something may be fetched at the earliest; None when nothing waits at all."""
        moments = [self._schedule.next_due(), self._outside]
        if self._next_deferred is not None:
            moments.append(now + self._next_deferred - wall)
        if self._after_host is not None:
            moments.append(now)
        known = [moment for moment in moments if moment is not None]
        return min(known) if known else None

    def due_hosts(self, now: float) -> int:
        """Hosts that could be asked now."""
        return self._schedule.due_hosts(now)

    def resting(self, now: float, wall: float, limit: int) -> list[tuple[str, float, str]]:
        """What rests longest: host, seconds, why."""
        found = {name: (at - wall, "retry") for name, at in self._retries.items() if at > wall}
        for host, wake in self._schedule.resting(now, limit):
            found[host.name] = (wake - now, host.why(now) if wake <= host.due else "retry")
        longest = heapq.nlargest(limit, found.items(), key=lambda item: item[1][0])
        return [(name, seconds, why) for name, (seconds, why) in longest]

    # Back

    def arrived(self, job: Job, reply: Reply, now: float) -> Lease | None:
        """A visit came back; its host is free again. None for one that nothing was leased for."""
        return self._schedule.arrived(job, reply, now)

    def located(self, job: Job, reply: Reply, now: float) -> Lease | None:
        """A job came back undone: its host is at other addresses. None for a stale one."""
        return self._schedule.located(job, reply, now)

    def give_back(self, token: int, now: float) -> Lease | None:
        """A job that was not done waits again, its tries unchanged. None for a stale token."""
        return self._schedule.give_back(token, now)

    def settle(self, entries: Sequence[Entry], settled: Settled, now: float, wall: float) -> None:
        """A batch has been committed: these entries have their fate, new ones wait."""
        for entry in entries:
            self._schedule.settled(entry)
        for outcome in settled.robots:
            self._learn(outcome, now, wall)
        for step in settled.logins:
            self._log_in(step, now)
        for entry in settled.fresh:
            self._offer(entry, now)
        for name, at in settled.retries.items():
            self._defer(name, at, wall)

    def leave_pages(self, now: float) -> None:
        """From now on only what pages are made of comes out; all else waits in the database.

        Call it when nothing is out, and all that came back is stored: hosts are taken up anew, with
        the pace that is written there.
        """
        self.parts_only = True
        self._schedule.leave_all(now)
        self._wanted.clear()
        self._prerequisites.clear()
        self._after_host, self._outside, self._next_deferred = 0, None, 0.0

    def _offer(self, entry: Entry, now: float, *, due: bool = False) -> None:
        """A URL waits."""
        if self.parts_only and entry.kind != PART:
            return
        if not self._schedule.offer(entry, now, due=due):
            self._want(entry, now)

    def _want(self, entry: Entry, now: float) -> None:
        """A URL of a host or origin that is not in memory."""
        if self._room > 0 or entry.host_id in self._schedule.hosts:
            self._wanted.add(entry.host_id)
        else:
            self._leave_outside(now)

    def _defer(self, name: str, at: float, wall: float) -> None:
        """URLs of this host wait in the database for another try."""
        self._next_deferred = at if self._next_deferred is None else min(at, self._next_deferred)
        if len(self._retries) >= RETRIES_SHOWN:
            self._retries = {host: end for host, end in self._retries.items() if end > wall}
        if len(self._retries) < RETRIES_SHOWN:
            self._retries[name] = at

    def _learn(self, outcome: RobotsOutcome, now: float, wall: float) -> None:
        """What a robots.txt said reaches the schedule."""
        schedule = self._schedule
        if outcome.origin_id not in schedule.origins:
            return
        _, origin = schedule.origins[outcome.origin_id]
        if outcome.known_until:
            until = self._rows.monotonic(outcome.known_until, now, wall)
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
            self._send_prerequisite(Prerequisite(now, origin.id, entry))
        else:
            entry = job._replace(attempts=job.attempts + 1)
            self._send_prerequisite(
                Prerequisite(now + (outcome.retry_in_s or 0.0), origin.id, entry)
            )

    def _log_in(self, outcome: LoginOutcome, now: float) -> None:
        """A login goes on, or has come to its end."""
        origin_id = outcome.origin_id
        known = origin_id in self._schedule.origins
        match outcome.state:
            case "failed" | "over":
                self._stop(origin_id, STOPS[outcome.state])
            case "doubt":
                self._suspects.setdefault(origin_id, set()).add(outcome.url_id)
                self._entered.discard(origin_id)
                if known:
                    self._schedule.hold(origin_id)
            case "in":
                self._cleared |= self._suspects.pop(origin_id, set())
                self._entered.add(origin_id)
                if known:
                    self._schedule.enter(origin_id, now)
            case _ if outcome.entry is not None:
                self._send_prerequisite(
                    Prerequisite(now + outcome.rest_s, origin_id, outcome.entry, outcome.step)
                )

    def _stop(self, origin_id: int, why: str) -> None:
        self._stopped[origin_id] = why
        if origin_id in self._schedule.origins:
            self._schedule.stop_origin(origin_id)

    @property
    def stopped(self) -> str | None:
        """Why an origin was left before all of it was fetched (see `policy.logins`), or None."""
        return max(self._stopped.values(), default=None)

    def _send_prerequisite(self, prerequisite: Prerequisite) -> None:
        """A prerequisite goes to the host that is to be asked, whoever's rules it brings."""
        host = self._schedule.hosts.get(prerequisite.entry.host_id)
        if host is not None:
            self._schedule.add_prerequisite(host, prerequisite)
        else:
            self._prerequisites.setdefault(prerequisite.entry.host_id, []).append(prerequisite)
            self._wanted.add(prerequisite.entry.host_id)

    # Supplies

    def needs_supplies(self, wall: float) -> bool:
        """Is there something to ask the store for?"""
        if self._supplying:
            return False
        sweeping = self._after_host is not None and self._room > 0
        schedule = self._schedule
        lacking = schedule.hungry or schedule.at_doors or self._wanted
        return bool(lacking) or sweeping or self._is_due(wall)

    def needs(self, wall: float) -> Needs:
        """What to ask the store for now; falsy when nothing is lacking."""
        if self._supplying:
            return NOTHING
        needs = Needs(
            hosts=tuple(list(self._wanted)[:HOSTS_A_TRIP]),
            after_host=self._after_host if self._room > 0 else None,
            host_limit=min(self._room, HOSTS_A_TRIP),
            refills=tuple(self._schedule.ask_for_more(REFILLS_A_TRIP)),
            due=self._is_due(wall),
            parts_only=self.parts_only,
            logins=tuple(self._schedule.at_doors),
        )
        self._schedule.at_doors.clear()
        self._supplying = bool(needs)
        return needs

    def _is_due(self, wall: float) -> bool:
        return self._next_deferred is not None and self._next_deferred <= wall

    def supplied(self, supplies: Supplies, now: float, wall: float) -> None:
        """Take what the store gave."""
        self._supplying = False
        for waiting in supplies.hosts:
            self._wanted.discard(waiting.id)
            self._take_up(waiting, now, wall)
        if supplies.read_up_to is not None:
            self._sweep(supplies.swept, supplies.read_up_to, now, wall)
        for refill in supplies.refills:
            self._schedule.refill(
                refill.origin_id, refill.entries, refill.after, now, complete=refill.complete
            )
        if supplies.asked_due:
            self._next_deferred = supplies.next_due
            self._retries = {name: at for name, at in self._retries.items() if at > wall}
        for entry in supplies.due:
            self._offer(entry, now, due=True)
        for step in supplies.logins:
            self._log_in(step, now)

    def _sweep(
        self, hosts: Sequence[WaitingHost], read_up_to: int, now: float, wall: float
    ) -> None:
        for waiting in hosts:
            rest = self._rows.rest(waiting, wall)
            if rest > LONG_REST_S and self._crowded and waiting.id not in self._schedule.hosts:
                self._leave_outside(now + rest)
            else:
                self._take_up(waiting, now, wall)
        self._after_host = read_up_to
        if read_up_to < 0:
            self._after_host = None
            self._first_sweep = False

    def _leave_outside(self, due: float) -> None:
        """A host stays in the database; it may be asked from `due` on."""
        self._outside = due if self._outside is None else min(due, self._outside)

    def _take_up(self, waiting: WaitingHost, now: float, wall: float) -> None:
        """A host from the database, or origins of it that are new here."""
        host = self._schedule.hosts.get(waiting.id)
        origins = [self._origin(origin, now, wall) for origin in waiting.origins]
        if host is not None:
            host.own = host.own or waiting.own
            for origin in origins:
                if origin.id not in host.origins:
                    self._schedule.add_origin(host, origin, now)
            return
        # A run that was killed could not write down whom it had asked last.
        host = self._rows.host(waiting, origins, now, wall, all_rest=self._first_sweep)
        prerequisites = self._prerequisites.pop(host.id, [])
        for prerequisite in prerequisites:
            if prerequisite.for_origin in host.origins:
                host.origins[prerequisite.for_origin].asking = True
        self._schedule.add_host(host, now)
        for prerequisite in prerequisites:
            self._schedule.add_prerequisite(host, prerequisite)

    def _origin(self, waiting: WaitingOrigin, now: float, wall: float) -> OriginState:
        """An origin from the database, as far as it has come in this run."""
        stopped = waiting.id in self._stopped
        entered = waiting.id in self._entered
        return self._rows.origin(waiting, now, wall, entered=entered, stopped=stopped)

    # What a person commands

    def block(self, host: str, now: float, seconds: float) -> bool:
        """Ask a host nothing for so long; 0 ends what a person or an error had brought about."""
        return self._schedule.block(host, now, seconds)

    def set_gap(self, host: str, now: float, gap_s: float) -> float | None:
        """The gap that a host has from now on; see `Schedule.set_gap`."""
        return self._schedule.set_gap(host, now, gap_s)

    # What pages that are shown ask of hosts

    def rests(self, host: str, now: float) -> bool:
        """Has a host asked to be left alone, or is it parked?"""
        return self._schedule.rests(host, now)

    def is_near(self, host: str) -> bool:
        """Is a host paced as the person's own?"""
        return self._schedule.is_near(host)

    def rest_longer(self, host: str, now: float, seconds: float) -> None:
        """Ask a host so much later again."""
        self._schedule.rest_longer(host, now, seconds)

    # What there is to tell

    def paces(self, now: float, wall: float) -> list[HostPace]:
        """The hosts whose pace changed since the last call, for the database."""
        touched = self._schedule.touched
        rows = [self._rows.row(host, now, wall) for host in touched.values()]
        touched.clear()
        return rows

    @property
    def starving(self) -> bool:
        """Nothing in memory can be given out: what is being stored may bring more."""
        return not self._schedule.waiting

    def tidy(self, now: float) -> None:
        """Let hosts that wait in the database have their turn; call it now and then."""
        if self._crowded:
            self._schedule.tidy(now)
        looking = self._outside is not None and self._outside <= now
        if (looking or self._after_host is not None) and self._room < HOSTS_A_TRIP:
            self._make_room(now)
        if looking and self._after_host is None and self._room > 0:
            self._outside = None
            self._after_host = 0

    def _make_room(self, now: float) -> None:
        count = min(HOSTS_A_TRIP, self._hosts_kept) - self._room
        for host in self._schedule.make_room(count, now):
            self._leave_outside(max(host.due, now))
            kept = [
                prerequisite
                for prerequisite in host.prerequisites
                if _is_worth_keeping(prerequisite)
            ]
            if kept:
                self._prerequisites[host.id] = kept

    @property
    def _room(self) -> int:
        """Hosts that may still be taken up."""
        return self._hosts_kept - len(self._schedule.hosts) - len(self._wanted)

    @property
    def _crowded(self) -> bool:
        return len(self._schedule.hosts) > self._hosts_kept // 2

    @property
    def idle(self) -> bool:
        """Nothing is out, nothing is being looked up, and the next thing to do has its time."""
        return (
            not (self._schedule.leases or self._supplying or self._wanted or self._schedule.hungry)
            and not self._schedule.at_doors
            and self._after_host is None
        )


def _is_worth_keeping(prerequisite: Prerequisite) -> bool:
    """A first question for a host's own rules is asked anew when the host is taken up again."""
    entry = prerequisite.entry
    return bool(entry.attempts or entry.hops)


NOTHING = Needs((), None, 0, (), due=False)
