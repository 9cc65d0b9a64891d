"""How does a conductor reach its machines?

Three greenlets, each with a connection of its own, for one that waits holds up no other: one gives
the pulse and hears the beats, one reads visits, one writes jobs. Whatever cannot be done because
the engine is away is done later; nothing is forgotten meanwhile, for what is out stands here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final

import gevent
import msgspec
from gevent.event import Event

from crawler.channels.arrivals import Arrivals
from crawler.channels.contract import Channel, Returned
from crawler.channels.processes import WAITS
from crawler.channels.redis import as_option
from crawler.channels.redis.address import Address
from crawler.channels.redis.beats import Beats
from crawler.channels.redis.connection import (
    Away,
    Command,
    Engine,
    Link,
    Refused,
    advised,
    look_at,
)
from crawler.channels.redis.fleet import Machines
from crawler.channels.redis.machine import MOST_LOSSES, MOST_ROOM, Machine
from crawler.channels.redis.seat import KEPT_S, Seat
from crawler.channels.redis.soundness import Inspector, Unsound
from crawler.channels.redis.wire import (
    BEAT_S,
    FENCE_S,
    FIELD,
    KEY,
    LONGEST_NAME,
    LOST_S,
    Beat,
    checked_name,
)
from crawler.config import Config
from crawler.errors import CrawlError, UsageError
from crawler.model import Answer, Job, MachineState, Question, Visit
from crawler.policy.outage import Outage

BLOCK_MS: Final = 250
"""How long a reading waits for visits; a machine that joins is read from then on."""
FRAMES_READ: Final = 4
"""Of each machine at once."""
FRAMES_KEPT: Final = 4
AGAIN_S: Final = 0.5
"""Before the engine is asked again that was away or full."""
LEAVE_S: Final = 3.0
"""So long machines may take to say that they have left, at the end."""
MOST_PROCESSES: Final = 4096
ENDED: Final = "the crawl ended"
log = logging.getLogger(__name__)


class RedisChannel:
    """Workers on other machines, and perhaps some here.

    own: the channel of those here. fence_s, lost_s: as `FENCE_S` and `LOST_S`, the second longer.
    Raises UsageError without redis-py.
    """

    def __init__(
        self,
        config: Config,
        address: Address,
        name: str,
        own: Channel | None = None,
        *,
        fence_s: float = FENCE_S,
        lost_s: float = LOST_S,
    ) -> None:
        self._config = config
        self._name = checked_name(name)
        self._fence_s, self._lost_s = fence_s, lost_s
        self._keeping, self._reading, self._writing = (Link(address) for _ in range(3))
        self._machines = Machines(config, own)
        self._own = own
        self._inspector = Inspector(config)
        self._taken: Seat | None = None
        self._arrivals = Arrivals(FRAMES_KEPT)
        self._filled = Event()
        self._closed = False
        self._begun = False
        self._quiet = True
        self._beats = Beats(self._keeping)
        self._trouble: dict[str, str] = {}
        self._unneeded: list[Command] = []
        self._greenlets: list[gevent.Greenlet[..., object]] = []

    def __repr__(self) -> str:
        return f"<RedisChannel {self._name}, {self._machines!r}>"

    # As every channel

    @property
    def fleet(self) -> RedisChannel:
        """The machines."""
        return self

    @property
    def free(self) -> int:
        """How many more jobs may be sent now."""
        return 0 if self._quiet else self._machines.free

    @property
    def workers(self) -> int:
        """Processes that work, here and elsewhere."""
        return self._machines.count

    @property
    def capacity(self) -> int:
        """Jobs that may be out at once."""
        return self._machines.capacity

    @property
    def loads(self) -> tuple[int, ...]:
        """Jobs that are out to each worker here, and to each machine."""
        return self._machines.loads

    def look(self) -> Engine:
        """What engine there is. Raises UsageError, one line, when it cannot be had or used."""
        return look_at(self._keeping)

    @property
    def _seat(self) -> Seat:
        """The place of this conductor, once it has it."""
        assert self._taken is not None
        return self._taken

    def start(self) -> None:
        """Become the conductor of the name. Raises UsageError, one line, when that cannot be."""
        engine = self.look()
        seat = Seat(
            self._keeping, self._name, self._config, limit_bytes=engine.limit_bytes,
            fence_s=self._fence_s,
        )  # fmt: skip
        try:
            self._beats.hear(seat.keys.beats, ())  # may it? there are none yet
            seat.claim()
        except (Away, Refused) as error:
            raise UsageError(advised(error)) from None
        self._taken = seat
        if self._own is not None:
            self._own.start()
            self._begin(self._take_own)
        for part in (self._keep, self._read, self._write):
            self._begin(part)

    def send(self, job: Job) -> None:
        """Hand a job to the machine that knows its host, unless another has much less to do."""
        if self._machines.give(job) is not None:
            self._filled.set()

    def answer(self, answer: Answer) -> None:
        """Tell a worker of this machine; those of others ask nothing, for they show no pages."""
        if self._own is not None:
            self._own.answer(answer)

    def arrivals(self) -> Iterator[Visit | Returned | Question]:
        """What comes back, until the channel is closed. Raises CrawlError when another conductor
        has taken over."""
        return iter(self._arrivals)

    def close(self) -> None:
        """End all work at once; what is in flight is lost."""
        if self._closed:
            return
        self._closed = True
        gevent.killall(self._greenlets)
        if self._own is not None:
            self._own.close()
        if self._taken is not None:
            with suppress(Away, Refused):
                self._take_leave()
        for link in (self._keeping, self._reading, self._writing):
            link.close()
        self._arrivals.close()

    # What only a fleet has

    def beware(self, machines: Sequence[str]) -> None:
        """The file says that these were at work when an earlier run ended."""
        self._seat.beware(machines)

    def begin(self) -> None:
        """All is known of earlier runs: jobs are given out as soon as that is safe."""
        self._begun = True
        self._quiet = self._seat.waits

    @property
    def waits(self) -> bool:
        """May machines of an earlier run still be at work?"""
        return self._quiet

    def unwritten(self) -> list[MachineState]:
        """Machines of which the file does not know enough."""
        return self._machines.unwritten()

    def admit(self, ids: Mapping[str, int]) -> None:
        """These have their rows in the file by now, and may be given jobs."""
        self._machines.admit(ids)

    def states(self) -> tuple[MachineState, ...]:
        """All that are there."""
        return self._machines.states()

    def outage_of(self, worker: int) -> Outage | None:
        """What is known of the network of one; None for one that is gone."""
        return self._machines.outage_of(worker)

    @property
    def is_down(self) -> bool:
        """Is the network down, whoever asks?"""
        return self._machines.is_down

    def hopeless(self, now: float, patience_s: float) -> bool:
        """Should the run end rather than wait on?"""
        return self._machines.hopeless(now, patience_s)

    def notice(self) -> str | None:
        """One line for the person; None while all is well."""
        for why in self._trouble.values():
            return why
        if self._begun and self._quiet:
            return "machines of an earlier run may still be at work: waiting until they are not"
        if self._machines.shut:
            return (
                f"{self._machines.shut}, and no other is let in; stop, give workers another "
                "password, and go on"
            )
        if self._own is None and not any(machine.id for machine in self._machines):
            named = as_option(self._name)
            return f"waiting for workers: on any machine, crawler work --redis URL{named}"
        return None

    # The pulse

    def _keep(self) -> None:
        """Give the pulse, hear the beats, and find who is silent."""
        before = time.monotonic()
        while True:
            if self._attempt("keep", self._beat_once):
                now = time.monotonic()
                self._hear(min(now - before, 2 * BEAT_S))
            before = time.monotonic()
            self._hand_back(self._machines.rested())
            gevent.sleep(BEAT_S)

    def _beat_once(self) -> None:
        """One pulse. What is silent meanwhile counts only where all of this succeeds."""
        machines = list(self._machines)
        self._seat.renew(len(machines), self._machines.expelled)
        keys = self._seat.keys
        tidy: list[Command] = []
        for machine in machines:
            jobs, visits = keys.jobs(machine.key), keys.visits(machine.key)
            tidy.append(("XTRIM", jobs, "MINID", machine.beat.cursor + 1))
            tidy += [("EXPIRE", key, KEPT_S) for key in (jobs, visits)]
        tidy += self._unneeded
        self._keeping.ask_all(tidy)
        self._beats.hear(keys.beats, self._machines.by_key)
        self._unneeded.clear()
        if self._begun:
            self._quiet = self._seat.must_wait()

    def _hear(self, step_s: float) -> None:
        """Take notice of what the engine has of each machine."""
        now, heard = time.monotonic(), self._beats.heard
        for machine in list(self._machines):
            if machine.key not in heard:
                machine.missed(step_s)
            elif (beat := heard[machine.key]) is None or not _is_sound(beat):
                self._expel(machine, "a sign of life that is none")
            else:
                machine.hears(beat, step_s)
            if machine.silent_s > self._lost_s:
                self._lose(machine, f"no sign of life for {machine.silent_s:.0f} s")
            elif machine.hoards(now, WAITS * self._config.parse.max_seconds):
                self._expel(machine, "jobs that never come back")
        for key, beat in heard.items():
            is_new = key not in self._machines.by_key and KEY.fullmatch(key)
            if is_new and beat is not None and _is_sound(beat):
                self._machines.joins(key, beat)

    def _lose(self, machine: Machine, why: str, *, clean: bool = False) -> None:
        """One is gone: what it had is given to others, as soon as that is safe."""
        keys = self._seat.keys
        self._hand_back(self._machines.leaves(machine, why, clean=clean))
        self._unneeded.append(("DEL", keys.jobs(machine.key), keys.visits(machine.key)))
        self._unneeded.append(("HDEL", keys.beats, machine.key))
        log.warning("%s has left: %s", machine.beat.about.name, why)

    def _expel(self, machine: Machine, why: str) -> None:
        """One has sent what no worker sends; nothing of it is listened to any more."""
        if machine.key in self._machines.by_key:
            self._machines.expelled[machine.key] = why
            self._lose(machine, f"expelled: it sent {why}")

    def _hand_back(self, tokens: Sequence[int]) -> None:
        """These are undone. Never waits, for who takes them may be held up."""
        if tokens:
            self._arrivals.put_later([Returned(token) for token in tokens])

    # Visits

    def _read(self) -> None:
        while True:
            if not self._machines.by_key:
                gevent.sleep(BLOCK_MS / 1000)
            elif not self._attempt("read", self._read_once):
                gevent.sleep(AGAIN_S)

    def _read_once(self) -> None:
        """Take what there is. Where a beat was heard before and nothing is left to read, it can be
        said what is lost."""
        machines = list(self._machines)
        keys = {self._seat.keys.visits(machine.key): machine for machine in machines}
        beats = {machine.key: machine.beat for machine in machines if machine.fresh}
        block_s = 0.0 if beats else BLOCK_MS / 1000
        waiting = ("BLOCK", BLOCK_MS) if not beats else ()
        after = [f"{machine.cursor}-0" for machine in machines]
        command = ("XREAD", "COUNT", FRAMES_READ, *waiting, "STREAMS", *keys, *after)
        found = self._reading.ask(*command, wait_s=block_s) or []
        taken: list[Command] = []
        for key, entries in found:
            machine = keys[key.decode()]
            beats.pop(machine.key, None)
            for entry, fields in entries:
                self._take(machine, int(entry.partition(b"-")[0]), fields)
            taken.append(("XTRIM", key, "MINID", machine.cursor + 1))
        if taken:
            self._reading.ask_all(taken)
        for machine in machines:
            if machine.key in beats and machine.key in self._machines.by_key:
                self._judge(machine, beats[machine.key])

    def _judge(self, machine: Machine, beat: Beat) -> None:
        machine.fresh = machine.beat is not beat
        lost = machine.judge(beat)
        machine.give_up(lost)
        self._hand_back(lost)
        if machine.frames:
            self._filled.set()
        if beat.left:
            why = "it was stopped" if beat.clean else "it has dropped its jobs"
            self._lose(machine, why, clean=beat.clean)
        elif machine.losses > MOST_LOSSES:
            self._expel(machine, "nothing for all that it took")

    def _take(self, machine: Machine, number: int, fields: Sequence[bytes]) -> None:
        """A frame of visits; whoever takes no more of them holds this up."""
        machine.cursor = max(machine.cursor, number)
        batch: list[Visit | Returned] = []
        try:
            if len(fields) != 2:
                raise Unsound("no frame of visits")
            for visit in self._inspector.visits(fields[1]):
                sent = machine.out.get(visit.job.token)
                if sent is None:
                    machine.refused += 1
                    continue
                self._inspector.check(visit, sent.job)
                machine.arrived(visit.job.token)
                machine.visited(visit.reply.wire_bytes)
                batch.append(msgspec.structs.replace(visit, worker=machine.id))
        except Unsound as error:
            self._expel(machine, str(error))
        if batch:
            self._arrivals.put(batch)

    def _take_own(self) -> None:
        """What the workers of this machine bring."""
        assert self._own is not None
        assert self._machines.own is not None
        try:
            for arrival in self._own.arrivals():
                if isinstance(arrival, Visit):
                    self._machines.own.arrived(arrival.job.token)
                elif isinstance(arrival, Returned):
                    self._machines.own.arrived(arrival.token)
                self._arrivals.put([arrival])
        except CrawlError as error:
            self._arrivals.fail(error)

    # Jobs

    def _write(self) -> None:
        while True:
            self._filled.wait()
            self._filled.clear()
            if not self._attempt("write", self._write_once):
                gevent.sleep(AGAIN_S)
                self._filled.set()

    def _write_once(self) -> None:
        """Send all frames that the engine does not have for certain."""
        waiting: list[tuple[Machine, int]] = []
        commands: list[Command] = []
        for machine in self._machines:
            machine.gather()
            key = self._seat.keys.jobs(machine.key)
            for number, jobs in machine.frames:
                waiting.append((machine, number))
                commands.append(("XADD", key, f"{number}-0", FIELD, msgspec.msgpack.encode(jobs)))
        for (machine, number), answer in zip(waiting, self._writing.ask_all(commands), strict=True):
            # An ERR says that the number is behind the stream's: it was written before.
            if isinstance(answer, Refused) and answer.code != "ERR":
                raise answer
            while machine.frames and machine.frames[0][0] <= number:
                machine.frames.popleft()

    # All of them

    def _begin(self, part: Callable[[], None]) -> None:
        self._greenlets.append(gevent.spawn(part))

    def _attempt(self, name: str, part: Callable[[], None]) -> bool:
        """Did it succeed? Why it did not is said as long as that lasts."""
        try:
            part()
        except Away as error:
            self._trouble[name] = f"redis {error.why}; going on when it is back"
            return False
        except Refused as error:
            full = "is full (maxmemory)" if error.code == "OOM" else f"answers {error.code}"
            self._trouble[name] = f"redis {full}; going on when it is not"
            return False
        except Exception as error:  # a part that ended unheard would leave all others waiting
            self._arrivals.fail(error)
            gevent.sleep(KEPT_S)
            return False
        self._trouble.pop(name, None)
        return True

    def _take_leave(self) -> None:
        """Tell all machines to leave, and wait a little for those that have something."""
        self._seat.let_go()
        keys, until = self._seat.keys, time.monotonic() + LEAVE_S
        while any(machine.out for machine in self._machines):
            self._beats.hear(keys.beats, self._machines.by_key)
            for machine in list(self._machines):
                beat = self._beats.heard.get(machine.key)
                if beat is not None and beat.left:
                    self._machines.leaves(machine, ENDED, clean=True)
            if time.monotonic() > until:
                break
            gevent.sleep(BEAT_S / 10)
        for machine in list(self._machines):
            if not machine.out:
                self._machines.leaves(machine, ENDED, clean=True)
            self._keeping.ask("DEL", keys.jobs(machine.key), keys.visits(machine.key))


def _is_sound(beat: Beat) -> bool:
    """Is it one that a machine may send?"""
    about = beat.about
    return (
        0 < len(about.name) <= LONGEST_NAME
        and about.name.isprintable()
        and 0 < about.processes <= MOST_PROCESSES
        and len(beat.hand) <= MOST_ROOM
        and beat.room >= 0
        and 0 <= beat.cursor < 2**63
    )
