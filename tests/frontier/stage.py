"""What does a frontier do, with a real database behind it and a clock that only the test moves?

stage = Stage(folder)
stage.seed("http://a.example/")
robots = stage.lease()
stage.answer(robots, status=404)
stage.commit()
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from crawler.conductor.flow import Flow, Moment, job_of
from crawler.config import Config
from crawler.frontier.frontier import Frontier
from crawler.frontier.schedule import Lease, Windows
from crawler.model import Distinct, Document, Link, LinkColumns, Reply, Visit
from crawler.policy import urls
from crawler.policy.seeds import Seed, read_line
from crawler.store import runs
from crawler.store.clock import iso
from crawler.store.contract import Arrival, HostPace, Needs, Settled, Supplies
from crawler.store.database import open_for_writing
from crawler.store.queue import Queue, supply
from crawler.store.recorder import Recorder

AGENT = "crawler/test"
EPOCH = 1_800_000_000.0
ROUNDS = 1000
ROOM = 1 << 20
TICK_S = 0.05


def settings(**sections: dict[str, object]) -> Config:
    """The defaults, but for what a test says; sitemaps are left out."""
    sections["robots"] = {"sitemaps": False} | sections.get("robots", {})
    return msgspec.convert(sections, Config)


class Stage:
    """A run of a crawl without network: the test says what every request came to.

    now: seconds of the monotonic clock. The wall clock goes along with it. at: where hosts are.
    """

    def __init__(
        self,
        folder: Path,
        config: Config | None = None,
        *,
        hosts_kept: int = 1000,
        windows: Windows | None = None,
        now: float = 1000.0,
        epoch: float = EPOCH,
        nonce: int = 0,
        room: int = ROOM,
    ) -> None:
        self.config = config or settings()
        self.now = now
        self.at: dict[str, tuple[str, ...]] = {}
        self._epoch = epoch
        self.database = open_for_writing(folder / "crawl.db")
        self.database.execute("PRAGMA synchronous = OFF")
        run = runs.start(
            self.database, self.config, seeds_file="", version="0", pid=os.getpid(), now=self.wall
        )
        self.recorder = Recorder(self.database, self.config, run.run_id, AGENT)
        self.queue = Queue(self.database, self.recorder.origins)
        self.frontier = Frontier(self.config, nonce=nonce, hosts_kept=hosts_kept, windows=windows)
        self.flow = Flow(self.config, self.frontier, self, self._moment, room=room)

    @property
    def wall(self) -> float:
        """Epoch seconds."""
        return self._epoch + self.now

    def _moment(self) -> Moment:
        return Moment(self.now, self.wall)

    # The store of the flow, without a thread

    def load_seeds(self, seeds: Sequence[Seed]) -> Settled:
        """Store seeds."""
        return self.recorder.load_seeds(seeds, self.wall)

    def seeds_read(self) -> Settled:
        """All seeds are stored."""
        return self.recorder.seeds_read(self.wall)

    def record(self, arrivals: Sequence[Arrival], paces: Sequence[HostPace]) -> Settled:
        """Store visits."""
        return self.recorder.record(arrivals, paces, self.wall)

    def supply(self, needs: Needs) -> Supplies:
        """Read what the frontier needs."""
        return supply(self.queue, needs, self.wall)

    # What a test does

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()

    def sleep(self, seconds: float) -> None:
        """Time passes."""
        self.now += seconds

    def seed(self, *addresses: str) -> None:
        """Store seeds, and bring in what the frontier lacks."""
        lines = [read_line(number, line) for number, line in enumerate(addresses, 1)]
        self.flow.load([line for line in lines if line])
        self.refill()

    def lease(self, free: int = 1 << 20) -> Lease | None:
        """What may be sent now; where only the addresses of a host are asked for, they are told."""
        for _ in range(ROUNDS):
            lease = self.flow.lease(free)
            if lease is None or lease.addresses != ():
                return lease
            reply = Reply(addresses=self.addresses_of(urls.host_of(lease.entry.url)))
            self.flow.located(Visit(job_of(lease), reply, document(()), iso(self.wall)))
        raise AssertionError("nothing comes out but questions for addresses")

    def addresses_of(self, host: str) -> tuple[str, ...]:
        """Where a host is: as `at` says, or at a public address of its own."""
        number = len(self.at) + 1
        return self.at.setdefault(host, (f"93.184.{number >> 8}.{number & 255}",))

    def lease_all(self, free: int = 1 << 20) -> list[Lease]:
        """All that may be fetched now."""
        leases = []
        for left in range(free, 0, -1):
            lease = self.lease(left)
            if lease is None:
                break
            leases.append(lease)
        return leases

    def reply(
        self, lease: Lease, reply: Reply, *, links: Sequence[str] = (), body: str = ""
    ) -> None:
        """What the network said to a lease; it is stored by the next `commit`."""
        visit = Visit(
            job_of(lease), reply, document(links), iso(self.wall),
            robots_body=body.encode() if lease.entry.kind == "robots" else None,
        )  # fmt: skip
        self.flow.arrived(visit)

    def answer(
        self,
        lease: Lease,
        *,
        status: int = 200,
        links: Sequence[str] = (),
        body: str = "",
        location: str | None = None,
        retry_after_s: float | None = None,
        total_ms: float = 1.0,
        ip: str | None = None,
    ) -> None:
        """An HTTP answer."""
        redirect = urls.resolve(location, lease.entry.url)[0] if location else None
        reply = Reply(
            status, ip=ip, total_ms=total_ms, redirect=redirect, retry_after_s=retry_after_s
        )
        self.reply(lease, reply, links=links, body=body)

    def fail(self, lease: Lease, error: str, *, total_ms: float = 1.0) -> None:
        """No answer."""
        self.reply(lease, Reply(error=error, total_ms=total_ms))

    def commit(self) -> None:
        """Store what has arrived, and bring in what the frontier lacks."""
        while self.flow.waiting:
            self.flow.record()
        self.refill()

    def refill(self) -> None:
        """Bring in what the frontier lacks until it lacks nothing, or can take no more."""
        for _ in range(ROUNDS):
            if not self.flow.supply():
                return
        raise AssertionError("the frontier never has enough")

    def open_hosts(self, *addresses: str, body: str = "") -> None:
        """Seed these, and answer their robots.txt at once."""
        self.seed(*addresses)
        for lease in self.lease_all():
            assert lease.entry.kind == "robots"
            self.answer(lease, status=200 if body else 404, body=body)
        self.commit()

    def wait(self) -> float:
        """Let time pass until something is due, at least a moment; how long that was."""
        due = self.frontier.next_due(self.now, self.wall)
        assert due is not None, "nothing waits"
        passed = due - self.now if due > self.now else TICK_S
        self.now += passed
        self.frontier.tidy(self.now)
        self.refill()
        return passed

    def next(self) -> tuple[Lease, float]:
        """The next lease, and how long it took until it was due."""
        waited = 0.0
        for _ in range(ROUNDS):
            lease = self.lease()
            if lease is not None:
                return lease, waited
            waited += self.wait()
        raise AssertionError("nothing comes out, though something is due")

    def rows(self, sql: str, *values: object) -> list[tuple[object, ...]]:
        """What a query gives."""
        rows: list[tuple[object, ...]] = self.database.execute(sql, values).fetchall()
        return rows

    def state(self, url: str) -> tuple[object, ...]:
        """State and reason of a URL."""
        return self.rows("SELECT state, reason FROM urls WHERE url = ?", url)[0]

    def queued(self) -> int:
        """URLs that wait, counted in the database."""
        return int(str(self.rows("SELECT count(*) FROM urls WHERE state = 'queued'")[0][0]))


def document(links: Iterable[str]) -> Document:
    """A page with these absolute links."""
    targets = tuple(urls.resolve(link)[0] for link in dict.fromkeys(links))
    return Document(
        content_type="text/html",
        targets=Distinct.of(targets),
        columns=LinkColumns.of(Link(number, "a") for number in range(len(targets))),
    )
