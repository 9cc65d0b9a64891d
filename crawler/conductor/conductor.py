"""Which greenlets run a crawl?

The conductor owns the database and drives the loop: seeds are loaded, due jobs are leased and sent,
visits come back and free their hosts, the writer settles them, and what they found waits in turn.
Five greenlets share it: the loader, the dispatcher, the receiver, the writer, and a clock.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import gevent
import msgspec
from gevent.event import AsyncResult, Event
from gevent.pool import Group

from crawler import __version__, failpoints
from crawler.channels import Channel, Returned, open_channel
from crawler.conductor.course import Course
from crawler.conductor.ending import TICK_S, Facts, decide
from crawler.conductor.flow import Flow, Moment
from crawler.conductor.seeds import SeedFeed
from crawler.config import Config
from crawler.errors import CrawlError, StorageError, UsageError
from crawler.frontier.frontier import Frontier
from crawler.model import Stats, Visit
from crawler.policy import rendering
from crawler.policy.seeds import Seed
from crawler.store import disk
from crawler.store.disk import Room
from crawler.store.runs import Start
from crawler.store.shards import Which
from crawler.store.writer import Writer

if TYPE_CHECKING:
    from crawler.conductor.others import Exchange, Others
    from crawler.conductor.permits import Permits

REST_S = 10.0
"""So long what has come back is stored when a run was stopped and all has been waited for."""
ALONE_S = 16.0
"""So long a run without machines waits for those of one that was killed: by then they have dropped
what they had (`channels.redis.wire.FENCE_S`)."""
log = logging.getLogger(__name__)


class Outcome(msgspec.Struct, frozen=True):
    """How a run ended.

    state: ``finished``, ``interrupted`` or ``failed``. reason: ``finished``, ``max_pages``,
    ``max_time``, ``deferred``, ``signal``, ``login_failed``, ``logged_out``, ``deserted`` (by
    other shards). queued: URLs left. stats: the last snapshot.
    """

    state: str
    reason: str
    queued: int
    run_id: int
    stats: Stats


class Conductor:
    """One run of a crawl on one database.

    seeds: the lines of the seeds file, read as they are needed. channel: how jobs reach workers,
    by default as configured. which, exchange: the shard that this is, and how it reaches the
    others. start: how the run begins, told when the file is open.
    """

    def __init__(
        self,
        config: Config,
        database: Path,
        seeds: Iterator[Seed],
        *,
        agent: str,
        seeds_file: str = "",
        channel: Channel | None = None,
        workers: int = 0,
        which: Which | None = None,
        exchange: Exchange | None = None,
    ) -> None:
        self._config = config
        self._database = database
        self._seeds_file = seeds_file
        self._writer = Writer(database, config, agent=agent, which=which)
        self._channel = channel or open_channel(config, workers)
        self._room = Room(database, config.store.min_free_bytes)
        self._flow = Flow(
            config,
            Frontier(config, nonce=secrets.randbits(31)),
            self._writer,
            self._clock,
            room=self._channel.capacity,
            fleet=self._channel.fleet,
        )
        self._permits = self._permits_of(config)
        self._others = self._others_of(exchange)
        self._wake_dispatcher = Event()
        self._wake_writer = Event()
        self._ended = Event()
        self._feed = SeedFeed(seeds, self._wake_writer.set)
        self._writing = False
        self._left_behind = False
        self._course = Course(self._clock().now)
        self.start: AsyncResult[Start] = AsyncResult()

    def __repr__(self) -> str:
        return f"<Conductor {self._course.phase}, {self._flow.account!r}, {self._flow.frontier!r}>"

    def _permits_of(self, config: Config) -> Permits | None:
        """What pages that are shown may ask for, where any are."""
        if not rendering.is_asked(config):
            return None
        from crawler.conductor.permits import Permits  # few crawls ask for it

        return Permits(config, self._flow.frontier, self._writer.rules_of, time.monotonic)

    def _others_of(self, exchange: Exchange | None) -> Others | None:
        """What goes between this shard and the others, where there are any."""
        if exchange is None:
            return None
        from crawler.conductor.others import Others  # few crawls have shards

        return Others(exchange, self._writer, self._flow, self._rests, self._wake)

    def _clock(self) -> Moment:
        """The one place where a run reads the time."""
        return Moment(time.monotonic(), self._writer.clock.now())

    # From outside

    def run(self) -> Outcome:
        """Crawl until there is nothing left to do, a limit is reached, or `stop` is called.

        Raises StorageError when the database cannot be written; what was committed stays.
        """
        greenlets = Group()
        workers = gevent.spawn(self._start_workers)  # they come up while the file is opened
        try:
            self.start.set(self._writer.open(seeds_file=self._seeds_file, version=__version__))
            if self._flow.visitor.has_cookies:
                self._flow.visitor.remember(self._writer.cookies(), self._clock().wall)
            self._writer.judge_again()
            self._flow.account.queued = self._writer.queued()
            self._course.begin(self._clock().now)
            error = workers.get()
            if error is not None:
                raise error
            self._begin_with_fleet()
            others = (self._others.run,) if self._others is not None else ()
            for part in (self._feed.read, self._dispatch, self._receive, self._tick, *others):
                greenlets.start(gevent.Greenlet(self._guarded, part))
            writing = gevent.spawn(self._guarded, self._write)
            self._ended.wait()
            self._course.phase = "finishing"
            self._channel.close()
            greenlets.kill()
            # Never killed: what it commits now must not be stored a second time.
            self._wake_writer.set()
            writing.join()
            return self._finish()
        finally:
            workers.join()
            greenlets.kill()
            self._channel.close()
            self._writer.close()

    def _start_workers(self) -> CrawlError | None:
        """An error is a value: gevent prints the traceback of one that ends a greenlet."""
        try:
            self._channel.start()
        except CrawlError as error:
            return error
        except OSError as error:
            return UsageError(
                f"no worker can be started: {error.strerror}; "
                "if files are short, allow more (ulimit -n 256)"
            )
        return None

    def _begin_with_fleet(self) -> None:
        """Machines that an earlier run has left may still be asking hosts."""
        left, fleet = self._writer.machines_left(), self._channel.fleet
        self._left_behind = bool(left)
        if fleet is not None:
            fleet.beware(left)
            fleet.begin()
        elif left:
            log.warning("machines of the last run may still be at work: waiting %d s", ALONE_S)
            self._ended.wait(ALONE_S)
            self._forget_left()

    def _forget_left(self) -> None:
        self._left_behind = False
        self._writer.forget_machines_left()

    def stop(self, reason: str = "signal") -> None:
        """Lease nothing more; what is in flight finishes within ``run.drain_s`` and is stored.

        Called again, stop at once.
        """
        now = self._clock().now
        if self._course.stop(reason, now, self._config.run.drain_s):
            self._feed.stop()
        else:
            self._writer.hurry()
            self._ended.set()
        self._wake_dispatcher.set()

    def pause(self) -> None:
        """Lease nothing more until `resume`; what is in flight finishes and is stored."""
        self._course.is_paused = True

    def resume(self) -> None:
        """Go on after `pause`."""
        self._course.is_paused = False
        self._wake_dispatcher.set()

    def block(self, host: str, seconds: float) -> bool:
        """Ask a host nothing for so long; 0 ends that. False where no such host is in memory."""
        known = self._flow.frontier.block(host, self._clock().now, seconds)
        self._wake_dispatcher.set()
        return known

    def set_gap(self, host: str, gap_s: float) -> float | None:
        """Let a host rest so long between two requests; gives the gap that it has then (never less
        than its Crawl-delay or what its answers ask for), None where no such host is in memory."""
        gap = self._flow.frontier.set_gap(host, self._clock().now, gap_s)
        self._wake_dispatcher.set()
        return gap

    def stats(self) -> Stats:
        """What is going on, now."""
        now, wall = self._clock()
        flow, frontier, account = self._flow, self._flow.frontier, self._flow.account
        course = self._course
        elapsed = max(now - course.started, 1e-6)
        resting = frontier.resting(now, wall, 5) if course.phase == "crawling" else []
        notice = flow.outage_notice(now)
        if notice is not None:
            resting.insert(0, notice)
        if self._room.low:
            resting.insert(0, ("the disk", TICK_S, self._room.notice()))
        fleet = self._channel.fleet
        if fleet is not None and (told := fleet.notice()) and course.phase != "finishing":
            resting.insert(0, ("the machines", TICK_S, told))
        if self._others is not None and (waits := self._others.exchange.notice()):
            resting.insert(0, ("the other shards", TICK_S, waits))
        due = frontier.next_due(now, wall)
        sizes = disk.sizes(self._database)
        return Stats(
            phase=course.shown,
            elapsed_s=elapsed,
            pages=account.pages,
            pages_per_s=account.rate(now),
            pages_per_s_average=account.pages / elapsed,
            queued=account.queued,
            in_flight=frontier.leased,
            storing=flow.waiting,
            bytes=account.bytes,
            errors=account.errors,
            statuses=tuple(account.statuses.most_common()),
            hosts_due=frontier.due_hosts(now),
            resting=tuple(resting),
            next_due_s=None if due is None else max(0.0, due - now),
            workers=self._channel.workers,
            max_pages=self._config.run.max_pages,
            loads=self._channel.loads,
            database_bytes=sizes.database,
            log_bytes=sizes.log,
            disk_free_bytes=sizes.free,
            machines=fleet.states() if fleet is not None else (),
        )

    # The greenlets

    def _guarded(self, part: Callable[[], None]) -> None:
        """An error in any part ends the run; it is raised again by `run`."""
        try:
            part()
        except Exception as error:
            self._course.fail(error)
            self._ended.set()

    def _dispatch(self) -> None:
        """Send every job that may be fetched now; sleep until the next one may."""
        frontier = self._flow.frontier
        while not self._ended.is_set():
            self._wake_dispatcher.clear()
            self._send_due()
            hurry = frontier.starving and bool(self._flow.waiting)
            if hurry or frontier.needs_supplies(self._clock().wall):
                self._wake_writer.set()
            decision = decide(self._facts(), self._config.run)
            if decision.act == "stop":
                self.stop(decision.reason)
            elif decision.act == "parts":
                self._flow.frontier.leave_pages(self._clock().now)
            elif decision.act == "end":
                self._course.stopped_by = decision.reason
                self._ended.set()
            else:
                self._wake_dispatcher.wait(decision.wait_s)

    def _send_due(self) -> None:
        if self._room.low or self._course.is_paused:
            return
        while self._course.stopped_by is None and (free := self._channel.free) > 0:
            lease = self._flow.lease(free)
            if lease is None:
                return
            self._channel.send(self._flow.job(lease))

    def _facts(self) -> Facts:
        now, wall = self._clock()
        flow, frontier = self._flow, self._flow.frontier
        others = self._others.exchange if self._others is not None else None
        return Facts(
            now,
            elapsed_s=now - self._course.started,
            stopping=self._course.stopped_by,
            drain_until=self._course.drain_until,
            stored=not (flow.waiting or self._writing or frontier.leased),
            loaded=self._feed.done and frontier.idle,
            pages_left=flow.pages_left,
            parts=flow.parts,
            due=frontier.next_due(now, wall),
            stopped=frontier.stopped,
            down=flow.is_down or self._room.low,
            hopeless=flow.is_hopeless(now),
            others=others is not None and not others.is_over,
            deserted=others is not None and others.away_s() > self._config.run.max_wait_s,
        )

    def _rests(self) -> bool:
        """Is there nothing to do, unless other shards send something?"""
        return decide(self._facts(), self._config.run).act == "rest"

    def _wake(self) -> None:
        self._wake_writer.set()
        self._wake_dispatcher.set()

    def _receive(self) -> None:
        """Free the host of each visit at once, and pass the visit to the writer."""
        for arrival in self._channel.arrivals():
            if isinstance(arrival, Returned):
                self._flow.give_back(arrival.token)
                if self._permits is not None:
                    self._permits.over(arrival.token, "")
                self._wake_dispatcher.set()
                continue
            if not isinstance(arrival, Visit):
                if self._permits is not None:
                    self._permits.hear(arrival, self._channel.answer)
                continue
            if arrival.reply.addresses:
                self._flow.located(arrival)
                self._wake_dispatcher.set()
                continue
            if not self._flow.arrived(arrival):
                continue
            if self._permits is not None:
                self._permits.over(arrival.job.token, arrival.job.url)
            self._wake_dispatcher.set()
            self._wake_writer.set()
            while self._flow.is_flooded:
                gevent.sleep(0.01)

    def _write(self) -> None:
        """The one writer: seeds, what the frontier lacks, and visits, each in its transaction."""
        while not self._ended.is_set():
            self._wake_writer.clear()
            self._writing = True
            worked = self._write_once()
            self._writing = False
            if worked:
                self._wake_dispatcher.set()
                if self._others is not None:
                    self._others.exchange.wrote()
            else:
                self._wake_writer.wait(self._flow.until_batch)

    def _write_once(self) -> bool:
        worked = self._keep_machines()
        if self._feed.batches:
            self._flow.load(self._feed.batches[0])
            failpoints.reached("seeds-stored")
            self._feed.batches.popleft()
            worked = True
        if self._feed.done:
            self._flow.close_scope()
        if self._others is not None:
            worked = self._others.write() or worked
        worked = self._flow.supply() or worked
        if self._flow.batch_is_ready:
            self._flow.record()
            worked = True
        return worked

    def _keep_machines(self) -> bool:
        """Write down which machines there are; one is given jobs when its row is there."""
        fleet = self._channel.fleet
        if fleet is not None and self._left_behind and not fleet.waits:
            self._forget_left()
        told = fleet.unwritten() if fleet is not None else []
        if fleet is None or not told:
            return False
        fleet.admit(self._writer.keep_machines(told))
        self._flow.room = self._channel.capacity
        self._wake_dispatcher.set()
        return True

    def _tick(self) -> None:
        """Keep time: the rate, room for hosts, the file and its disk, seeds that trickle in."""
        while True:
            now = self._clock().now
            self._flow.account.mark(now)
            if self._channel.fleet is not None:
                self._flow.room = self._channel.capacity
                self._wake_writer.set()
            self._flow.frontier.tidy(now)
            self._feed.pass_on()
            self._writer.refuse_another_file()
            self._room.look(now)
            self._room.refuse_waiting_on(now, self._config.run.max_wait_s)
            gevent.sleep(TICK_S)

    # The end

    def _finish(self) -> Outcome:
        """Store what has arrived, close the run's row, and say how it ended."""
        reason = self._course.stopped_by or "failed"
        error = self._course.error
        if not isinstance(error, StorageError):
            self._store_rest()
            self._keep_machines()
        state = "finished"
        if error is not None:
            state, reason = "failed", type(error).__name__
        elif reason in ("signal", "deserted"):
            state = "interrupted"
        failpoints.reached("ending")
        try:
            self._writer.finish(state=state, reason=reason)
            failpoints.reached("finished")
        except CrawlError:
            if error is None:
                raise
        if error is not None:
            raise error
        if state == "finished" and self._others is not None and self._others.exchange.is_over:
            self._others.part()
        stats = self.stats()
        return Outcome(state, reason, stats.queued, self._writer.run_id, stats)

    def _store_rest(self) -> None:
        self._feed.pass_on()
        while self._feed.batches:
            self._flow.load(self._feed.batches.popleft())
        course = self._course
        until = max(self._clock().now, course.drain_until) + REST_S if course.was_stopped else inf
        while self._flow.waiting and self._clock().now < until:
            self._flow.record()
        if self._flow.waiting:
            log.warning("%d answers came too late; they are fetched again", self._flow.waiting)
