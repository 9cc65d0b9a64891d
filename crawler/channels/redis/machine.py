"""What does a conductor know of one machine: what is out to it, what has come, is it alive?

Pure: time comes in as an argument, in seconds of a clock that never goes back.

Whatever the engine loses, one rule finds: a job of a frame that the machine has taken (or passed
over), which it has no longer, and whose visit has not come though all that it had sent before was
read, is undone. A frame that nobody can read any more is passed over as soon as another comes
behind it, so where none does an empty one is sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from math import inf
from typing import Final

import msgspec

from crawler.channels.outbox import FRAME_BYTES, FRAME_ITEMS
from crawler.channels.redis.wire import Beat
from crawler.model import Job
from crawler.policy.outage import Outage

NUDGE_BEATS: Final = 2
"""After so many beats in which nothing more of what was sent was taken, an empty frame is sent."""
HOARD_S: Final = 120.0
"""So much longer than its fetch and its parse may take a job may be at a machine."""
MOST_LOSSES: Final = 20
"""Beats in a row that show that something was lost, and no visit between: what an engine loses
again and again at such a pace is lost by whoever takes it."""
MOST_ROOM: Final = 100_000


class Sent(msgspec.Struct):
    """A job that is out. frame: in which it went; infinite while it waits to be sent. at: when it
    was given. rest_s: how long a fetch of it may take."""

    job: Job
    at: float
    rest_s: float
    frame: float = inf


class Machine:
    """One machine, from its first beat to its end.

    key: by which its streams are named. id: of its row in the file, 0 while it has none.
    beat: the last one. cursor: of its visits, as far as they were taken. written: frames of jobs
    that were made; frames: of these, those that the engine may not have yet. losses: see
    `MOST_LOSSES`.
    """

    def __init__(self, key: str, beat: Beat, now: float) -> None:
        self.key = key
        self.id = 0
        self.beat = beat
        self.joined_at = now
        self.out: dict[int, Sent] = {}
        self.outage = Outage()
        self.probe = 0
        self.cursor = 0
        self.written = 0
        self.frames: deque[tuple[int, list[Job]]] = deque()
        self.silent_s = 0.0
        self.visits = 0
        self.bytes = 0
        self.refused = 0
        self.losses = 0
        self.fresh = False
        self._waiting: deque[Sent] = deque()
        self._idle_beats = 0
        self._cursor_before = 0

    def __repr__(self) -> str:
        return f"<Machine {self.beat.about.name}, {len(self.out)} jobs out>"

    @property
    def room(self) -> int:
        """Jobs that it may have."""
        return min(max(self.beat.room, 0), MOST_ROOM) if self.id else 0

    def free(self, now: float) -> int:
        """How many more it may be given; of a machine whose network is down a probe at a time."""
        left = max(0, self.room - len(self.out))
        if not self.outage.down:
            return left
        return min(left, 1) if not self.probe and self.outage.may_probe(now) else 0

    # Out

    def give(self, job: Job, now: float, rest_s: float) -> None:
        """Note a job that it is to be sent."""
        sent = Sent(job, now, rest_s)
        self.out[job.token] = sent
        self._waiting.append(sent)
        if self.outage.down:
            self.probe = job.token
            self.outage.probed(now)

    def gather(self) -> None:
        """Put what waits into frames."""
        while self._waiting:
            batch: list[Sent] = []
            weight = 0
            while self._waiting and len(batch) < FRAME_ITEMS and weight < FRAME_BYTES:
                batch.append(self._waiting.popleft())
                weight += 200 + len(batch[-1].job.url) + len(batch[-1].job.cookies)
            self.written += 1
            for sent in batch:
                sent.frame = self.written
            self.frames.append((self.written, [sent.job for sent in batch]))

    def nudge(self) -> None:
        """Send a frame without jobs."""
        self.written += 1
        self.frames.append((self.written, []))

    # Back

    def arrived(self, token: int) -> Sent | None:
        """A visit has come; None for one of no job that is out."""
        sent = self.out.pop(token, None)
        if sent is not None and token == self.probe:
            self.probe = 0
        return sent

    def visited(self, wire_bytes: int) -> None:
        """It has sent a visit that is sound."""
        self.visits += 1
        self.bytes += wire_bytes
        self.losses = 0

    def hears(self, beat: Beat, step_s: float) -> None:
        """The engine was read: this is the last that it has of this machine. step_s: since the last
        time, as far as it counts."""
        if beat.number > self.beat.number:
            self.beat = beat
            self.fresh = True
            self.silent_s = 0.0
        else:
            self.silent_s += step_s

    def missed(self, step_s: float) -> None:
        """The engine was read, and has nothing of this machine."""
        self.silent_s += step_s

    def judge(self, beat: Beat) -> list[int]:
        """Tokens that are undone, by a beat that was heard before all visits were read that the
        engine has."""
        hand = set(beat.hand)
        lost = [
            token
            for token, sent in self.out.items()
            if sent.frame <= beat.cursor and token not in hand
        ]
        self.losses += bool(lost)
        stands = beat.cursor == self._cursor_before and beat.cursor < self.written
        self._cursor_before = beat.cursor
        self._idle_beats = self._idle_beats + 1 if stands and not self.frames else 0
        if self._idle_beats >= NUDGE_BEATS:
            self._idle_beats = 0
            self.nudge()
        return lost

    def hoards(self, now: float, parse_s: float) -> bool:
        """Has it had a job for much longer than any takes?"""
        if not self.out or self.frames:
            return False
        first = next(iter(self.out.values()))  # they were given in this order
        has_it = first.job.token in self.beat.hand
        return has_it and now - first.at > first.rest_s + parse_s + HOARD_S

    def give_up(self, tokens: Iterable[int]) -> list[Sent]:
        """These are no longer out to it."""
        return [sent for token in list(tokens) if (sent := self.arrived(token)) is not None]
