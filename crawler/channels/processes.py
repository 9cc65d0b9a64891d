"""How do jobs reach workers in processes of their own?

One child per core, over a socketpair. A page that burns seconds in the parser, or kills it, costs
one child and blames one job: a cell of shared memory tells which job is being parsed. All others
that were out come back as `Returned`, their tries unchanged.
"""

from __future__ import annotations

import contextlib
import socket
import time
from collections import deque
from collections.abc import Iterator
from zlib import crc32

import gevent
import msgspec
from gevent.event import Event

from crawler.channels.arrivals import Arrivals
from crawler.channels.contract import Returned
from crawler.channels.forks import ForkServer
from crawler.channels.frames import Cell, Frames, is_list
from crawler.config import Config
from crawler.cpu_time import worked_s as worked_s_of
from crawler.errors import CrawlError
from crawler.model import Answer, Document, Job, Question, Reply, Visit
from crawler.policy import urls
from crawler.store.clock import iso

WATCH_S = 0.25
WAITS = 10
"""So many times `parse.max_seconds` a parse may take by the clock on the wall, where the machine
has other things to do; else the time counts for which the worker worked."""
DEAF_S = 60.0
"""A worker that gives no sign of life for so long, and is not parsing, is replaced."""
FRAMES_KEPT = 4
SOCKET_BYTES = 1024 * 1024
DEATHS = 20
DEATHS_WITHIN_S = 10.0
FAVOUR = 16
"""A host stays with its worker until that one has so many more jobs than another."""
CLOSE_S = 2.0


class _Child:
    """One process, its socket, its cell, and the jobs that are out to it."""

    def __init__(self, config: Config, number: int, forks: ForkServer) -> None:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
        self.number = number
        self.frames = Frames(ours)
        self.cell = Cell.create()
        self.out: dict[int, Job] = {}
        self.outbox: deque[Job] = deque()
        self.answers: deque[Answer] = deque()
        self.filled = Event()
        self.stalled_s = 0.0
        self.worked_s = 0.0
        self.worked_before_s = 0.0
        self.seen: tuple[int, float] = (0, 0.0)
        self.condemned = False
        self.process = forks.fork(theirs.fileno(), self.cell.descriptor)
        theirs.close()
        with contextlib.suppress(OSError):  # one that died at once is noticed by its reader
            self.frames.write(config)

    def __repr__(self) -> str:
        return f"<worker {self.number} pid {self.process.pid}, {len(self.out)} jobs out>"

    def end(self) -> None:
        """Close the socket and make sure that the process is gone."""
        self.frames.link.close()
        try:
            self.process.wait(CLOSE_S)
        except TimeoutError:
            self.process.kill()
            self.process.wait()
        self.cell.close()


class ProcessChannel:
    """Workers in processes of their own, forked and watched from here."""

    fleet = None

    def __init__(self, config: Config, workers: int) -> None:
        self._config = config
        self.workers = workers
        self._forks = ForkServer()
        self._children: list[_Child] = []
        self._arrivals = Arrivals(FRAMES_KEPT)
        self._deaths: deque[float] = deque()
        self._closed = False
        self._until = 0.0
        self._decode = msgspec.msgpack.Decoder(list[Visit]).decode
        self._question = msgspec.msgpack.Decoder(Question).decode
        self._greenlets: list[gevent.Greenlet[..., object]] = []

    def __repr__(self) -> str:
        return f"<ProcessChannel {self._children!r}>"

    @property
    def free(self) -> int:
        """How many more jobs may be sent now."""
        limit = self._config.run.concurrency
        return sum(max(0, limit - len(child.out)) for child in self._lively())

    @property
    def capacity(self) -> int:
        """How many jobs may be out at once."""
        return self._config.run.concurrency * self.workers

    @property
    def loads(self) -> tuple[int, ...]:
        """Jobs that are out to each worker."""
        return tuple(len(child.out) for child in self._children)

    def start(self) -> None:
        """Fork the workers."""
        self._children = [self._spawn(number) for number in range(self.workers)]
        self._greenlets.append(gevent.spawn(self._watch))

    def send(self, job: Job) -> None:
        """Hand a job to the worker that knows its host, unless another has much less to do."""
        child = self._choose(job)
        child.out[job.token] = job
        child.outbox.append(job)
        child.filled.set()

    def let_start(self, until: float) -> None:
        """No fetch begins from this moment of `boot_time` on, until a later one is set."""
        self._until = until
        for child in self._children:
            child.cell.let_start(until)

    def answer(self, answer: Answer) -> None:
        """Tell the worker that has the page."""
        for child in self._children:
            if answer.token in child.out:
                child.answers.append(answer)
                child.filled.set()

    def arrivals(self) -> Iterator[Visit | Returned | Question]:
        """What comes back, until the channel is closed. Raises CrawlError when workers keep
        dying as soon as they start."""
        return iter(self._arrivals)

    def close(self) -> None:
        """End all workers; what is in flight is lost."""
        if self._closed:
            return
        self._closed = True
        gevent.killall(self._greenlets, block=False)
        gevent.joinall([gevent.spawn(child.end) for child in self._children])
        self._forks.end()
        self._arrivals.close()

    def _choose(self, job: Job) -> _Child:
        lively = self._lively()
        least = min(lively, key=lambda child: len(child.out))
        favourite = self._children[crc32(urls.host_of(job.url).encode()) % self.workers]
        if favourite not in lively or len(favourite.out) >= len(least.out) + FAVOUR:
            return least
        return favourite

    def _lively(self) -> list[_Child]:
        """The workers that are not held up by one page; all, when all are."""
        lively = [child for child in self._children if child.stalled_s < WATCH_S]
        return lively or self._children

    def _spawn(self, number: int) -> _Child:
        child = _Child(self._config, number, self._forks)
        child.cell.let_start(self._until)
        self._greenlets.append(gevent.spawn(self._send_jobs, child))
        self._greenlets.append(gevent.spawn(self._read_visits, child))
        return child

    def _send_jobs(self, child: _Child) -> None:
        while True:
            child.filled.wait()
            child.filled.clear()
            jobs = list(child.outbox)
            child.outbox.clear()
            try:
                while child.answers:
                    child.frames.write(child.answers.popleft())
                if not jobs:
                    continue
                child.frames.write(jobs)
            except OSError:
                return

    def _read_visits(self, child: _Child) -> None:
        """Pass on what the child sends; when it is gone, account for what was out."""
        while (frame := child.frames.read()) is not None:
            if not is_list(frame):
                self._arrivals.put([self._question(frame)])
                continue
            visits = self._decode(frame)
            for visit in visits:
                child.out.pop(visit.job.token, None)
            self._arrivals.put(visits)
        if not self._closed:
            self._replace(child)

    def _replace(self, child: _Child) -> None:
        beat, parsing, _ = child.cell.read()
        child.process.kill()
        # Jobs may still be sent to the old one while the new one starts, so it is emptied last.
        self._children[child.number] = self._spawn(child.number)
        child.end()
        child.filled.set()
        lost: list[Visit | Returned] = []
        for token, job in child.out.items():
            lost.append(_blame(child, job) if token == parsing else Returned(token))
        child.out.clear()
        if lost:
            self._arrivals.put(lost)
        if not beat:
            self._count_death(child)

    def _count_death(self, child: _Child) -> None:
        now = time.monotonic()
        self._deaths.append(now)
        while self._deaths[0] < now - DEATHS_WITHIN_S:
            self._deaths.popleft()
        if len(self._deaths) >= DEATHS:
            status = child.process.returncode
            self._arrivals.fail(
                CrawlError(f"workers end as soon as they start (exit status {status})")
            )

    def _watch(self) -> None:
        """Find workers that stall. What counts is time during which this process ran too, so that
        stopping everything for a while condemns nobody."""
        before = time.monotonic()
        while True:
            gevent.sleep(WATCH_S)
            now = time.monotonic()
            step = min(now - before, 2 * WATCH_S)
            before = now
            for child in self._children:
                self._look_at(child, step)

    def _look_at(self, child: _Child, step: float) -> None:
        beat, token, since = child.cell.read()
        sign = (token, since if token else beat)
        is_same = sign == child.seen
        child.stalled_s = child.stalled_s + step if is_same else 0.0
        child.seen = sign
        worked_s = worked_s_of(child.process.pid) if token else 0.0
        if not is_same:
            child.worked_before_s = worked_s
        child.worked_s = worked_s - child.worked_before_s
        limit = self._config.parse.max_seconds
        too_long = (
            child.worked_s > limit or child.stalled_s > WAITS * limit
            if token
            else child.stalled_s > DEAF_S
        )
        if too_long and beat and not child.condemned:
            child.condemned = True
            child.process.kill()


def _blame(child: _Child, job: Job) -> Visit:
    """The visit of a job whose parsing stalled its worker, or took it along."""
    error = "parse_timeout" if child.condemned else "worker_lost"
    detail = (
        f"parsing took over {child.worked_s:.0f} s of work in {child.stalled_s:.0f} s"
        if child.condemned
        else f"the worker died while parsing (exit status {child.process.returncode})"
    )
    return Visit(job, Reply(error=error, error_detail=detail), Document(), iso(time.time()))
