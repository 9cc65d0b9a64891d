"""Who decides what happens next?

The conductor owns the database and drives the loop: seeds are loaded, due jobs are leased and sent,
visits come back and free their hosts, the writer settles them, and what they found waits in turn.
Five greenlets share it: the loader, the dispatcher, the receiver, the writer, and a clock.
"""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import msgspec
from gevent.event import AsyncResult, Event
from gevent.pool import Group

from crawler import __version__, failpoints
from crawler.channels import Channel, Returned, open_channel
from crawler.config import Config
from crawler.errors import CrawlError, StorageError
from crawler.frontier.frontier import Frontier
from crawler.frontier.schedule import Lease
from crawler.model import Job, Reply, Stats, Visit
from crawler.policy import urls
from crawler.policy.outage import Outage
from crawler.policy.seeds import Seed
from crawler.store.contract import Arrival, Settled
from crawler.store.queue import supply
from crawler.store.runs import Start
from crawler.store.writer import Writer

log = logging.getLogger(__name__)

SEEDS_A_BATCH = 1000
SEEDS_AHEAD = 4
PAUSE_S = 0.005
"""How long a visit waits for company where none, or nothing else to fetch, is in sight."""
TICK_S = 0.5
BLAMELESS = Reply(error="cancelled")
"""What a host is told of a failure that was the network's."""
LEAST_WAIT_S = 0.005
"""What is due but cannot be had yet is looked for again after this."""
RATE_WINDOW_S = 10.0


class Outcome(msgspec.Struct, frozen=True):
    """How a run ended.

    state: ``finished``, ``interrupted`` or ``failed``. reason: ``finished``, ``max_pages``,
    ``max_time``, ``deferred``, ``signal``. queued: URLs left. stats: the last snapshot.
    """

    state: str
    reason: str
    queued: int
    run_id: int
    stats: Stats


class Conductor:
    """One run of a crawl on one database.

    seeds: the lines of the seeds file, read as they are needed. channel: how jobs reach workers,
    by default as configured. start: how the run begins, told when the file is open.
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
    ) -> None:
        self._config = config
        self._seeds = seeds
        self._seeds_file = seeds_file
        self._writer = Writer(database, config, agent=agent)
        self._wall = self._writer.clock.now
        self._frontier = Frontier(config, nonce=secrets.randbits(31))
        self._channel = channel or open_channel(config, workers)
        self._room = config.run.concurrency * max(1, self._channel.workers)
        self._wake_dispatcher = Event()
        self._wake_writer = Event()
        self._ended = Event()
        self._arrivals: deque[Arrival] = deque()
        self._backlog_bytes = 0
        self._oldest_arrival = 0.0
        self._seed_batch: list[Seed] = []
        self._seed_batches: deque[list[Seed]] = deque()
        self._seeds_read = False
        self._unsettled_pages = 0
        self._writing = False
        self._stop_reason: str | None = None
        self._error: BaseException | None = None
        self._outage = Outage()
        self._probe = 0
        self._phase = "loading"
        self._started = time.monotonic()
        self._pages = 0
        self._errors = 0
        self._bytes = 0
        self._queued = 0
        self._statuses: Counter[str] = Counter()
        self._marks: deque[tuple[float, int]] = deque()
        self.start: AsyncResult[Start] = AsyncResult()

    def __repr__(self) -> str:
        return f"<Conductor {self._phase}, {self._pages} pages, {self._frontier!r}>"

    # From outside

    def run(self) -> Outcome:
        """Crawl until there is nothing left to do, a limit is reached, or `stop` is called.

        Raises StorageError when the database cannot be written; what was committed stays.
        """
        greenlets = Group()
        workers = gevent.spawn(self._start_workers)  # they come up while the file is opened
        try:
            self.start.set(self._writer.open(seeds_file=self._seeds_file, version=__version__))
            self._writer.judge_again()
            self._queued = self._writer.queued()
            self._started = time.monotonic()
            self._phase = "crawling" if self._stop_reason is None else "draining"
            error = workers.get()
            if error is not None:
                raise error
            for part in (self._load, self._dispatch, self._receive, self._tick):
                greenlets.start(gevent.Greenlet(self._guarded, part))
            writing = gevent.spawn(self._guarded, self._write)
            self._ended.wait()
            self._phase = "finishing"
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
        return None

    def stop(self, reason: str = "signal") -> None:
        """Lease nothing more; what is in flight finishes within ``run.drain_s`` and is stored.

        Called again, stop at once.
        """
        if self._stop_reason is None:
            self._stop_reason = reason
            self._phase = "draining"
            gevent.spawn_later(self._config.run.drain_s, self._ended.set)
        else:
            self._ended.set()
        self._wake_dispatcher.set()

    def stats(self) -> Stats:
        """What is going on, now."""
        now = time.monotonic()
        elapsed = max(now - self._started, 1e-6)
        resting = self._frontier.resting(now, self._wall(), 5) if self._phase == "crawling" else []
        notice = self._outage.notice(now)
        if notice is not None:
            resting.insert(0, ("the network", self._outage.next_probe_in_s(now), notice))
        due = self._frontier.next_due(now, self._wall())
        return Stats(
            phase=self._phase,
            elapsed_s=elapsed,
            pages=self._pages,
            pages_per_s=self._rate(now),
            pages_per_s_average=self._pages / elapsed,
            queued=self._queued,
            in_flight=self._frontier.leased,
            storing=len(self._arrivals),
            bytes=self._bytes,
            errors=self._errors,
            statuses=tuple(self._statuses.most_common()),
            hosts_due=self._frontier.due_hosts(now),
            resting=tuple(resting),
            next_due_s=None if due is None else max(0.0, due - now),
            workers=self._channel.workers,
            max_pages=self._config.run.max_pages,
        )

    # The greenlets

    def _guarded(self, part: Callable[[], None]) -> None:
        """An error in any part ends the run; it is raised again by `run`."""
        try:
            part()
        except Exception as error:
            self._error = self._error or error
            self._ended.set()

    def _load(self) -> None:
        """Read seeds in batches, never far ahead of the writer."""
        for seed in self._seeds:
            self._seed_batch.append(seed)
            if len(self._seed_batch) == SEEDS_A_BATCH:
                self._pass_seeds_on()
                while len(self._seed_batches) >= SEEDS_AHEAD:
                    gevent.sleep(0.005)
        self._pass_seeds_on()
        self._seeds_read = True
        self._wake_writer.set()

    def _pass_seeds_on(self) -> None:
        if self._seed_batch:
            self._seed_batches.append(self._seed_batch)
            self._seed_batch = []
            self._wake_writer.set()

    def _dispatch(self) -> None:
        """Send every job that may be fetched now; sleep until the next one may."""
        while not self._ended.is_set():
            self._wake_dispatcher.clear()
            now = time.monotonic()
            self._send_due(now)
            hurry = self._frontier.starving and bool(self._arrivals)
            if hurry or self._frontier.needs_supplies(self._wall()):
                self._wake_writer.set()
            wait = self._until_next(now)
            if wait is None:
                self._ended.set()
                return
            self._wake_dispatcher.wait(wait)

    def _send_due(self, now: float) -> None:
        if self._stop_reason is not None:
            return
        while self._channel.free > 0 and self._backlog_bytes < self._config.store.backlog_bytes:
            if not self._pages_left() or self._unsettled() >= self._room:
                return
            if not self._network_allows(now):
                return
            lease = self._frontier.lease(now, self._channel.free)
            if lease is None:
                return
            if self._outage.down:
                self._probe = lease.token
                self._outage.probed(now)
            self._unsettled_pages += lease.entry.kind == "page"
            self._channel.send(_job(lease))

    def _unsettled(self) -> int:
        """Fetches that would be repeated if this process died now."""
        return self._frontier.leased + len(self._arrivals)

    def _network_allows(self, now: float) -> bool:
        """While the network is down, one probe at a time goes out."""
        return not self._outage.down or (not self._probe and self._outage.may_probe(now))

    def _pages_left(self) -> bool:
        limit = self._config.run.max_pages
        return not limit or self._pages + self._unsettled_pages < limit

    def _until_next(self, now: float) -> float | None:
        """Seconds until there may be something to do; None when the run is over."""
        if self._stop_reason is None and self._outage.hopeless(now, self._config.pace.patience_s):
            self.stop("deferred")
        if not self._quiet():
            due = self._frontier.next_due(now, self._wall())
            return TICK_S if due is None or due <= now else min(due - now, TICK_S)
        if self._stop_reason is not None:
            return None
        if not self._pages_left():
            self._stop_reason = "max_pages"
            return None
        due = self._frontier.next_due(now, self._wall())
        if due is None:
            self._stop_reason = "finished"
            return None
        if due > now + self._config.pace.patience_s:
            self._stop_reason = "deferred"
            return None
        return TICK_S if self._outage.down else min(max(due - now, LEAST_WAIT_S), TICK_S)

    def _quiet(self) -> bool:
        """Nothing is in flight, nothing is being stored or looked up."""
        stored = not (self._arrivals or self._writing or self._frontier.leased)
        if self._stop_reason is not None:
            return stored
        loaded = self._seeds_read and not self._seed_batches
        return stored and loaded and self._frontier.idle

    def _receive(self) -> None:
        """Free the host of each visit at once, and pass the visit to the writer."""
        limit = self._config.store.backlog_bytes
        for arrival in self._channel.arrivals():
            now = time.monotonic()
            if isinstance(arrival, Returned):
                self._give_back(arrival.token, now)
                continue
            blameless = self._notice(arrival, now)
            reply = BLAMELESS if blameless else arrival.reply
            lease = self._frontier.arrived(arrival.job, reply, now)
            if lease is None:
                continue
            if not self._arrivals:
                self._oldest_arrival = now
            self._arrivals.append(Arrival(arrival, lease.entry, lease.for_origin, blameless))
            self._backlog_bytes += weight(arrival)
            self._wake_dispatcher.set()
            self._wake_writer.set()
            while self._backlog_bytes > 2 * limit:
                gevent.sleep(0.01)

    def _notice(self, visit: Visit, now: float) -> bool:
        """What a visit tells of the network; whether nobody is to be blamed for its failure."""
        was_down = self._outage.down
        blameless = self._outage.observe(urls.host_of(visit.job.url), visit.reply, now)
        if visit.job.token == self._probe:
            self._probe = 0
        if self._outage.down != was_down:
            state = "answers again" if was_down else "is down: probing until it answers"
            log.warning("the network %s", state)
        return blameless

    def _give_back(self, token: int, now: float) -> None:
        if token == self._probe:
            self._probe = 0
        lease = self._frontier.give_back(token, now)
        if lease is not None:
            self._unsettled_pages -= lease.entry.kind == "page"
        self._wake_dispatcher.set()

    def _write(self) -> None:
        """The one writer: seeds, what the frontier lacks, and visits, each in its transaction."""
        while not self._ended.is_set():
            self._wake_writer.clear()
            self._writing = True
            worked = self._write_once()
            self._writing = False
            if worked:
                self._wake_dispatcher.set()
            else:
                self._wake_writer.wait(self._until_batch())

    def _write_once(self) -> bool:
        worked = False
        if self._seed_batches:
            batch = self._seed_batches[0]
            self._settle([], self._writer.load_seeds(batch))
            failpoints.reached("seeds-stored")
            self._seed_batches.popleft()
            worked = True
        needs = self._frontier.needs(self._wall())
        if needs:
            supplies = self._writer.with_queue(lambda queue: supply(queue, needs, self._wall()))
            self._frontier.supplied(supplies, time.monotonic(), self._wall())
            self._count_stopped(supplies.stopped)
            worked = True
        if self._arrivals and self._batch_is_ready():
            self._record_batch()
            worked = True
        return worked

    def _batch_is_ready(self) -> bool:
        waited = time.monotonic() - self._oldest_arrival
        store = self._config.store
        enough = min(store.batch, max(1, self._room // 2))
        if len(self._arrivals) >= enough or waited >= store.batch_s:
            return True
        starving, out = self._frontier.starving, self._frontier.leased
        if starving and not out:
            return True
        return (starving or not out) and waited >= PAUSE_S

    def _until_batch(self) -> float | None:
        if not self._arrivals:
            return None
        if self._frontier.starving or not self._frontier.leased:
            return PAUSE_S
        waited = time.monotonic() - self._oldest_arrival
        return max(self._config.store.batch_s - waited, 0.001)

    def _record_batch(self) -> None:
        size = min(len(self._arrivals), self._config.store.batch)
        batch = [self._arrivals[at] for at in range(size)]
        paces = self._frontier.paces(time.monotonic(), self._wall())
        settled = self._writer.record(batch, paces)
        for arrival in batch:
            self._arrivals.popleft()
            self._backlog_bytes -= weight(arrival.visit)
            self._unsettled_pages -= arrival.entry.kind == "page"
        self._oldest_arrival = time.monotonic()
        self._settle(batch, settled)
        if failpoints.armed:
            _die_where_asked(batch, settled)

    def _settle(self, batch: list[Arrival], settled: Settled) -> None:
        self._pages += settled.pages
        self._errors += settled.errors
        self._bytes += settled.bytes
        self._statuses += settled.statuses
        self._queued = settled.queued
        entries = [arrival.entry for arrival in batch]
        self._frontier.settle(entries, settled, time.monotonic(), self._wall())

    def _count_stopped(self, stopped: dict[str, int]) -> None:
        self._queued -= sum(stopped.values())

    def _tick(self) -> None:
        """Keep time: the rate, the run's time limit, room for hosts, seeds that trickle in."""
        limit = self._config.run.max_seconds
        while True:
            now = time.monotonic()
            self._marks.append((now, self._pages))
            while self._marks[0][0] < now - RATE_WINDOW_S:
                self._marks.popleft()
            if limit and now - self._started >= limit and self._stop_reason is None:
                self.stop("max_time")
            self._frontier.tidy(now)
            self._pass_seeds_on()
            gevent.sleep(TICK_S)

    def _rate(self, now: float) -> float:
        if not self._marks:
            return 0.0
        then, pages = self._marks[0]
        return (self._pages - pages) / max(now - then, TICK_S)

    def _finish(self) -> Outcome:
        """Store what has arrived, close the run's row, and say how it ended."""
        reason = self._stop_reason or "failed"
        error = self._error
        if not isinstance(error, StorageError):
            self._store_rest()
        state = "finished"
        if error is not None:
            state, reason = "failed", type(error).__name__
        elif reason == "signal":
            state = "interrupted"
        try:
            self._writer.finish(state=state, reason=reason)
            failpoints.reached("finished")
        except CrawlError:
            if error is None:
                raise
        if error is not None:
            raise error
        return Outcome(state, reason, self._queued, self._writer.run_id, self.stats())

    def _store_rest(self) -> None:
        self._pass_seeds_on()
        while self._seed_batches:
            self._writer.load_seeds(self._seed_batches.popleft())
        while self._arrivals:
            self._record_batch()


def _die_where_asked(batch: list[Arrival], settled: Settled) -> None:
    if settled.robots:
        failpoints.reached("robots-stored")
    if any(arrival.visit.reply.redirect is not None for arrival in batch):
        failpoints.reached("hop-stored")


def weight(visit: Visit) -> int:
    """Roughly the memory that a visit holds, in bytes."""
    document = visit.document
    return (
        1000
        + len(visit.body or b"")
        + len(visit.robots_body or b"")
        + 2 * len(document.text or "")
        + 300 * len(document.targets)
        + 100 * len(document.columns)
    )


def _job(lease: Lease) -> Job:
    entry = lease.entry
    return Job(
        token=lease.token,
        url_id=entry.id,
        url=entry.url,
        kind=entry.kind,  # type: ignore[arg-type]  # the column holds nothing else
        method="HEAD" if entry.kind == "check" and not entry.attempts else "GET",
        attempt=entry.attempts + 1,
        private_ok=lease.private_ok,
        etag=entry.etag,
        last_modified=entry.last_modified,
    )
