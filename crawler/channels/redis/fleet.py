"""Which machine is given a job, and what is told of them all?

A host stays with one machine, by rendezvous hashing, unless that has much more to do than another:
its connections are there, and when machines come or go only few hosts move.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Mapping
from heapq import heappop, heappush
from typing import Final
from zlib import crc32

from crawler.channels.contract import Channel
from crawler.channels.redis.machine import Machine
from crawler.channels.redis.wire import Beat
from crawler.config import Config
from crawler.model import Job, MachineState
from crawler.policy import urls
from crawler.policy.outage import Outage
from crawler.policy.sites import Sites

SLACK: Final = 16
"""A host stays with its machine until that one has so many more jobs than another."""
WRITTEN_EVERY_S: Final = 5.0
"""How often what is known of a machine is written down."""
MOST_MACHINES: Final = 1_000
"""At once; more are not listened to."""
MOST_EXPELLED: Final = 1_000
MOST_JOINED: Final = 100_000
"""In a run; then those that are there go on, and no other one is let in. Each machine has a row in
the file, and each that is expelled a word in the session, which all read at each beat."""
OWN: Final = "own"


class Own:
    """The workers of the conductor's own machine, as one among others."""

    def __init__(self, channel: Channel) -> None:
        self.key = OWN
        self.channel = channel
        self.outage = Outage()
        self.out: dict[int, Job] = {}
        self._probe = 0

    def __repr__(self) -> str:
        return f"<Own {self.channel!r}>"

    def free(self, now: float) -> int:
        """How many more jobs it may be given."""
        left = self.channel.free
        if not self.outage.down:
            return left
        return min(left, 1) if not self._probe and self.outage.may_probe(now) else 0

    def give(self, job: Job, now: float, rest_s: float) -> None:
        """Hand it a job."""
        self.out[job.token] = job
        if self.outage.down:
            self._probe = job.token
            self.outage.probed(now)
        self.channel.send(job)

    def arrived(self, token: int) -> None:
        """A job has come back."""
        self.out.pop(token, None)
        if token == self._probe:
            self._probe = 0


class Machines:
    """All machines of a run, those that are gone included as long as something of them matters.

    own: the conductor's own workers, None where it has none. expelled: by key, and why.
    """

    def __init__(self, config: Config, own: Channel | None) -> None:
        self._config = config
        self._sites = Sites(config)
        self.own = Own(own) if own is not None else None
        self.by_key: dict[str, Machine] = {}
        self.expelled: dict[str, str] = {}
        self.gone: set[str] = set()
        self._by_id: dict[int, Machine] = {}
        self._left: deque[MachineState] = deque()
        self._written_at: dict[str, float] = {}
        self._resting: list[tuple[float, int]] = []

    def __repr__(self) -> str:
        return f"<Machines {list(self.by_key.values())!r}>"

    def __iter__(self) -> Iterator[Machine]:
        return iter(self.by_key.values())

    # What comes and goes

    def joins(self, key: str, beat: Beat) -> Machine | None:
        """A machine that was not known; None for one that may not come."""
        if beat.left or key in self.gone or len(self.by_key) >= MOST_MACHINES or key == OWN:
            return None
        if self.shut:
            return None
        machine = self.by_key[key] = Machine(key, beat, time.monotonic())
        return machine

    @property
    def shut(self) -> str:
        """Why no other machine may come any more; empty while one may."""
        if len(self.expelled) >= MOST_EXPELLED:
            return f"{len(self.expelled):,} machines were expelled"
        joined = len(self.gone) + len(self.by_key)
        return f"{joined:,} machines have come" if joined >= MOST_JOINED else ""

    def admit(self, ids: Mapping[str, int]) -> None:
        """These have their rows in the file by now, and may be given jobs."""
        for key, number in ids.items():
            machine = self.by_key.get(key)
            if machine is None:
                self._left.append(MachineState(number, key, "", 0, left="it left at once"))
            elif not machine.id:
                machine.id = number
                self._by_id[number] = machine

    def leaves(self, machine: Machine, why: str, *, clean: bool) -> list[int]:
        """One is gone; gives the tokens that may be given to others at once. Those of all others
        follow when nothing of theirs can be under way any more (`rested`)."""
        self.by_key.pop(machine.key, None)
        self.gone.add(machine.key)
        self._by_id.pop(machine.id, None)
        if machine.id:
            self._left.append(self._state(machine, time.monotonic(), why))
        at_once: list[int] = []
        for sent in machine.give_up(machine.out):
            if clean or sent.frame > machine.written:
                at_once.append(sent.job.token)
            else:
                heappush(self._resting, (sent.at + sent.rest_s, sent.job.token))
        return at_once

    def rested(self) -> list[int]:
        """Tokens of machines that are gone, whose hosts have had their rest by now."""
        now, found = time.monotonic(), []
        while self._resting and self._resting[0][0] <= now:
            found.append(heappop(self._resting)[1])
        return found

    # Out

    @property
    def free(self) -> int:
        """How many more jobs may be given out now."""
        now = time.monotonic()
        own = self.own.free(now) if self.own else 0
        return own + sum(machine.free(now) for machine in self)

    def give(self, job: Job) -> Machine | None:
        """Choose who fetches this, and note it there; None for the conductor's own workers."""
        now = time.monotonic()
        chosen = self._choose(urls.host_of(job.url).encode(), now)
        chosen.give(job, now, self._rest_s(job))
        return chosen if isinstance(chosen, Machine) else None

    def _choose(self, host: bytes, now: float) -> Machine | Own:
        able: list[Machine | Own] = [machine for machine in self if machine.free(now) > 0]
        if self.own and self.own.free(now) > 0:
            able.append(self.own)
        favourite = max(able, key=lambda one: crc32(host, crc32(one.key.encode())))
        least = min(able, key=lambda one: len(one.out))
        return least if len(favourite.out) >= len(least.out) + SLACK else favourite

    def _rest_s(self, job: Job) -> float:
        config = self._sites.config(job.url) if self._sites else self._config
        return config.fetch.total_s

    # The network of each

    def outage_of(self, worker: int) -> Outage | None:
        """What is known of the network of one; None for one that is gone."""
        if not worker:
            return self.own.outage if self.own else None
        machine = self._by_id.get(worker)
        return machine.outage if machine else None

    def _outages(self) -> list[Outage]:
        return [one.outage for one in (*self, *([self.own] if self.own else []))]

    @property
    def is_down(self) -> bool:
        """Is the network down, whoever asks?"""
        outages = self._outages()
        return bool(outages) and all(outage.down for outage in outages)

    def hopeless(self, now: float, patience_s: float) -> bool:
        """Should the run end rather than wait on?"""
        outages = self._outages()
        return bool(outages) and all(outage.hopeless(now, patience_s) for outage in outages)

    # What there is to tell

    @property
    def count(self) -> int:
        """Processes that work, here and elsewhere."""
        own = self.own.channel.workers if self.own else 0
        return own + sum(machine.beat.about.processes for machine in self if machine.id)

    @property
    def capacity(self) -> int:
        """Jobs that may be out at once."""
        own = self.own.channel.capacity if self.own else 0
        return own + sum(machine.room for machine in self)

    @property
    def loads(self) -> tuple[int, ...]:
        """Jobs that are out to each worker here, and to each machine."""
        own = self.own.channel.loads if self.own else ()
        return (*own, *(len(machine.out) for machine in self))

    def states(self) -> tuple[MachineState, ...]:
        """All that are there."""
        now = time.monotonic()
        return tuple(self._state(machine, now) for machine in self if machine.id)

    def unwritten(self) -> list[MachineState]:
        """Those of whom the file does not know enough."""
        now = time.monotonic()
        found = [self._left.popleft() for _ in range(len(self._left))]
        for machine in self:
            due = now - self._written_at.get(machine.key, -WRITTEN_EVERY_S) >= WRITTEN_EVERY_S
            if due or not machine.id:
                self._written_at[machine.key] = now
                found.append(self._state(machine, now))
        return found

    def _state(self, machine: Machine, now: float, left: str = "") -> MachineState:
        return MachineState(
            id=machine.id,
            key=machine.key,
            name=machine.beat.about.name,
            processes=machine.beat.about.processes,
            out=len(machine.out),
            room=machine.room,
            visits=machine.visits,
            bytes=machine.bytes,
            refused=machine.refused,
            beat_s=machine.silent_s,
            network=machine.outage.notice(now) or "up",
            left=left,
        )
