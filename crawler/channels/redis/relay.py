"""What does a machine do that fetches for a crawl elsewhere?

It is a relay around worker processes of its own: it reads jobs, hands them on, and writes what
comes back. It may go on for a time only: each beat that is answered by a new pulse of the conductor
makes that `FENCE_S` from when it was sent. When it ends everything is dropped, for then the
conductor gives it to others; children refuse to begin anything from that moment on even where this
process stands still.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections import deque
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

import gevent
import msgspec
from gevent.event import AsyncResult, Event

from crawler.channels.contract import Returned
from crawler.channels.frames import boot_time
from crawler.channels.outbox import FRAME_BYTES, FRAME_ITEMS, GATHER_S, Outbox
from crawler.channels.processes import ProcessChannel
from crawler.channels.redis import as_option
from crawler.channels.redis.address import Address
from crawler.channels.redis.connection import Away, Link, Refused, advised
from crawler.channels.redis.wire import (
    BEAT_S,
    FIELD,
    About,
    Beat,
    Keys,
    Session,
    session_key,
    wire,
)
from crawler.config import Config
from crawler.errors import UsageError
from crawler.model import Job, Visit

BLOCK_MS: Final = 1000
AGAIN_S: Final = 0.2
OUTBOX_BYTES: Final = 4 * FRAME_BYTES
End = Literal["ended", "lost", "stopped"]
"""Why a shift ended: the crawl has; its lease has; somebody wants this machine to stop."""
Say = Callable[[str], None]


class Agent:
    """A machine that works for whatever crawl of a name there is.

    adapt: makes of what the conductor asks for what holds here. say: tells people a line.
    """

    def __init__(
        self, address: Address, name: str, adapt: Callable[[Config], Config], say: Say
    ) -> None:
        self._address = address
        self._name = name
        self._adapt = adapt
        self._say = say
        self._link = Link(address)
        self._shift: Shift | None = None
        self._stopped = Event()

    def __repr__(self) -> str:
        return f"<Agent for {self._name}, {self._shift!r}>"

    def run(self, *, once: bool = False) -> None:
        """Work until `stop` is called. once: for one crawl, until it has ended.

        Raises UsageError where the versions differ, or the engine cannot be reached at first.
        """
        try:
            self._link.ask("GET", session_key(self._name))
        except (Away, Refused) as error:
            raise UsageError(advised(error)) from None
        waiting = ""
        while not self._stopped.is_set():
            try:
                session, waiting = self._look(waiting)
                end = self._work(session) if session else None
            except Away as error:
                waiting = self._tell(waiting, f"{error}; waiting until it is back")
                end = None
            if end == "ended" and once:
                return
            if end is None:
                self._stopped.wait(BEAT_S)

    def stop(self) -> None:
        """Take no more jobs, and end when those that are here are done; again: at once."""
        if self._stopped.is_set() and self._shift is not None:
            self._shift.end("stopped")
        self._stopped.set()
        if self._shift is not None:
            self._shift.drain()

    def _look(self, waiting: str) -> tuple[Session | None, str]:
        """The session of the crawl that there is, and what was said while there is none."""
        raw = self._link.ask("GET", session_key(self._name))
        session = None if raw is None else _session(raw)
        if session is not None and session.wire != wire():
            raise UsageError(
                f"--name {self._name}: its conductor speaks version {session.version[:40]!r} and "
                "this is another; install the same on both"
            )
        if session is None or not session.is_open:
            line = f"Waiting for a crawl: crawler crawl SEEDS --redis URL{as_option(self._name)}"
            return None, self._tell(waiting, line)
        return session, ""

    def _tell(self, said: str, line: str) -> str:
        if line != said:
            self._say(line)
        return line

    def _work(self, session: Session) -> End | None:
        keys = Keys(self._name, session.run)
        raw = self._link.ask("GET", keys.config)
        if raw is None:
            return None
        config = self._adapt(msgspec.msgpack.decode(raw, type=Config))
        self._shift = Shift(self._address, keys, session, config)
        self._say(f"At work for {session.holder}, with {config.run.workers} processes")
        try:
            end = self._shift.work()
        finally:
            self._shift.close()
        told = {
            "ended": f"The crawl has ended: {self._shift.done:,} visits were sent",
            "lost": "Its conductor could not be reached: all jobs were dropped; joining anew",
            "stopped": f"Stopped: {self._shift.done:,} visits were sent",
        }
        self._say(told[end])
        self._shift = None
        return end


class Links(NamedTuple):
    """Connections of a machine: none waits for what another one does."""

    beating: Link
    reading: Link
    writing: Link


class Shift:
    """One machine's part of one run, under one key.

    done: visits that were sent.
    """

    def __init__(self, address: Address, keys: Keys, session: Session, config: Config) -> None:
        self.key = secrets.token_hex(8)
        self.done = 0
        self._keys = keys
        self._config = config
        self._session = session
        self._pulse = session.pulse
        self._links = Links(*(Link(address) for _ in Links._fields))
        self._channel = ProcessChannel(config, config.run.workers)
        self._hand: dict[int, Job] = {}
        self._cursor = 0
        self._beats = 0
        self._written = 0
        self._unread: deque[tuple[int, int]] = deque()
        self._until = boot_time() + session.fence_s
        self._outbox = Outbox()
        self._filled = Event()
        self._taken = Event()
        self._draining = False
        self._ended: AsyncResult[End | Exception] = AsyncResult()
        host = socket.gethostname()[:60]
        self._about = About(f"{host}, process {os.getpid()}", config.run.workers)

    def __repr__(self) -> str:
        return f"<Shift {self.key}, {len(self._hand)} jobs, {self.done} done>"

    def work(self) -> End:
        """Until the run ends, or the lease, or `drain` has been called and all is done."""
        self._channel.let_start(self._until)
        self._channel.start()
        parts = (self._beat, self._fence, self._read, self._collect, self._write)
        greenlets = [gevent.spawn(self._guarded, part) for part in parts]
        try:
            end = self._ended.get()
        finally:
            gevent.killall(greenlets)
            self._channel.close()
        self._sign_off(clean=not self._hand)
        if isinstance(end, Exception):
            raise end
        assert end is not None
        return end

    def drain(self) -> None:
        """Take no more jobs."""
        self._draining = True

    def end(self, why: End | Exception) -> None:
        """End at once."""
        if not self._ended.ready():
            self._ended.set(why)

    def close(self) -> None:
        """Let the connections go."""
        for link in self._links:
            link.close()

    def _guarded(self, part: Callable[[], None]) -> None:
        """An error of our workers ends the shift; an engine that is away only keeps it waiting."""
        while True:
            try:
                part()
                return
            except Away:
                gevent.sleep(AGAIN_S)
            except Refused as error:
                if error.code == "NOPERM":
                    self.end(UsageError(advised(error)))
                    return
                gevent.sleep(AGAIN_S)
            except Exception as error:  # a part that ended unheard would leave all others waiting
                self.end(error)
                return

    # The lease

    def _beat(self) -> None:
        while True:
            began = boot_time()
            self._beat_once(began)
            if self._draining and not self._hand:
                self.end("stopped")
            gevent.sleep(max(0.0, BEAT_S - (boot_time() - began)))

    def _beat_once(self, began: float) -> None:
        """What was acknowledged, and whether the conductor is there. A full engine refuses to take
        the beat, but tells the pulse."""
        key = session_key(self._keys.name)
        try:
            beat = msgspec.msgpack.encode(self._sign())
            _, raw = self._links.beating.together(
                ("HSET", self._keys.beats, self.key, beat), ("GET", key)
            )
        except Refused as error:
            if error.code not in ("OOM", "EXECABORT"):
                raise
            raw = self._links.beating.ask("GET", key)
        session = None if raw is None else _session(raw)
        if session is None:  # the engine was emptied, and the conductor will say it again
            return
        if session.run != self._keys.run or not session.is_open:
            self.end("ended")
            return
        if self.key in session.expelled:
            why = session.expelled[self.key]
            self.end(UsageError(f"the conductor has expelled this machine: it sent {why}"))
            return
        self._session = session
        if session.pulse > self._pulse:
            self._pulse = session.pulse
            self._until = began + session.fence_s
            self._channel.let_start(self._until)

    def _sign(self, *, left: bool = False, clean: bool = True) -> Beat:
        self._beats += 1
        room = 0 if self._draining else self._channel.capacity
        return Beat(self._beats, self._about, self._cursor, list(self._hand), room, left, clean)

    def _fence(self) -> None:
        while (left := self._until - boot_time()) > 0:
            gevent.sleep(min(left, BEAT_S))
        self.end("lost")

    def _sign_off(self, *, clean: bool) -> None:
        """Say that nothing of this machine goes on. Where that cannot be said, silence does."""
        beat = msgspec.msgpack.encode(self._sign(left=True, clean=clean))
        try:
            self._links.beating.ask("HSET", self._keys.beats, self.key, beat)
        except (Away, Refused):
            return

    # Jobs

    def _read(self) -> None:
        """Hand on what comes, in the order of its numbers."""
        key = self._keys.jobs(self.key)
        decode = msgspec.msgpack.Decoder(list[Job]).decode
        command = ("XREAD", "COUNT", FRAME_ITEMS, "BLOCK", BLOCK_MS, "STREAMS", key)
        while not self._draining:
            found = self._links.reading.ask(*command, f"{self._cursor}-0", wait_s=BLOCK_MS / 1000)
            if self._draining:
                return
            for entry, fields in found[0][1] if found else ():
                jobs = decode(fields[1])
                self._hand.update((job.token, job) for job in jobs)
                self._cursor = int(entry.partition(b"-")[0])
                for job in jobs:
                    self._channel.send(job)

    # Visits

    def _collect(self) -> None:
        """Take what our workers bring, as long as there is room for it."""
        for arrival in self._channel.arrivals():
            if isinstance(arrival, Returned):
                self._channel.send(self._hand[arrival.token])
                continue
            if not isinstance(arrival, Visit):
                continue  # nobody here shows pages, so nobody asks
            self._outbox.append(arrival)
            self._filled.set()
            while self._outbox.bytes >= OUTBOX_BYTES:
                self._taken.clear()
                self._taken.wait()

    def _write(self) -> None:
        """Send frames of visits. Only what the engine has taken for certain leaves the hand."""
        while True:
            self._filled.wait()
            gevent.sleep(GATHER_S)
            self._filled.clear()
            while self._outbox:
                frame, weight = self._outbox.next_frame()
                self._outbox.sent(weight)
                packed = msgspec.msgpack.encode(frame)
                self._written += 1
                self._wait_for_room(len(packed))
                self._send(packed)
                self._unread.append((self._written, len(packed)))
                for visit in frame:
                    self._hand.pop(visit.job.token, None)
                self.done += len(frame)
                self._taken.set()

    def _send(self, packed: bytes) -> None:
        key = self._keys.visits(self.key)
        command = ("XADD", key, f"{self._written}-0", FIELD, packed)
        while True:
            try:
                self._links.writing.ask(*command)
                return
            except Refused as error:
                if error.code == "ERR":  # it was taken the last time
                    return
            except Away:
                pass
            gevent.sleep(AGAIN_S)

    def _wait_for_room(self, size: int) -> None:
        """The conductor must have taken enough of what was sent before."""
        while self._unread and self._on_the_way() + size > self._session.window_bytes:
            try:
                left = self._links.writing.ask("XLEN", self._keys.visits(self.key))
                while len(self._unread) > left:
                    self._unread.popleft()
                if self._on_the_way() + size <= self._session.window_bytes:
                    return
            except (Away, Refused):
                pass
            gevent.sleep(0.02)

    def _on_the_way(self) -> int:
        return sum(size for _, size in self._unread)


def _session(raw: bytes) -> Session:
    """What the conductor says of its run; of one that speaks otherwise that it does."""
    try:
        return msgspec.msgpack.decode(raw, type=Session)
    except (msgspec.DecodeError, ValueError):
        return Session("", 0, "another", 0, "another version of the crawler")
