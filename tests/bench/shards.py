"""What do many shards cost, and do they come to an end?

    python -m tests.bench.shards ENGINE_PORT FOLDER SHARDS SITES PAGES

All shards run in this process, with the crawler's own conductors, files and exchange over a real
engine; only the web is made up: a channel answers each job at once with a page whose links are
worked out from its address. So what is measured is all that a shard does but for fetching. Prints
figures as JSON.
"""

from __future__ import annotations

import crawler._patch  # isort: skip  # noqa: F401  # must come before every other import

import hashlib
import json
import resource
import sys
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gevent
import msgspec
from gevent.event import Event
from gevent.pool import Group

from crawler.channels import Returned
from crawler.channels.redis.address import Address
from crawler.channels.redis.connection import Link
from crawler.channels.redis.exchange import Exchange
from crawler.config import Config
from crawler.crawl import Crawl, Plan
from crawler.exports.merge import merge
from crawler.model import Answer, Distinct, Document, Job, LinkColumns, Question, Reply, Visit
from crawler.model import Link as PageLink
from crawler.policy import urls
from crawler.policy.seeds import read_line
from crawler.store.clock import iso
from crawler.store.database import open_for_reading
from crawler.store.shards import Which

LIMIT_S = 900
OWN_LINKS, FAR_LINKS = 6, 4
A_PAGE = b"<p>A page that is made up, of which every word is like those of all others.</p>\n" * 40
BODY = zlib.compress(A_PAGE)


class MadeUpWeb:
    """A channel whose web is sites of so many pages, each linking to its own site and to others."""

    workers = 0
    fleet = None
    capacity = 64

    def __init__(self, sites: int, pages: int) -> None:
        self._sites, self._pages = sites, pages
        self._jobs: list[Job] = []
        self._there = Event()
        self._closed = False

    def __repr__(self) -> str:
        return f"<MadeUpWeb of {self._sites} sites, {len(self._jobs)} jobs>"

    @property
    def free(self) -> int:
        """How many more jobs may be sent now."""
        return self.capacity - len(self._jobs)

    @property
    def loads(self) -> tuple[int, ...]:
        """Jobs that are out."""
        return (len(self._jobs),)

    def start(self) -> None:
        """Nothing to make ready."""

    def send(self, job: Job) -> None:
        """Take a job."""
        self._jobs.append(job)
        self._there.set()

    def answer(self, answer: Answer) -> None:
        """Nobody asks."""

    def arrivals(self) -> Iterator[Visit | Returned | Question]:
        """A visit for each job."""
        while not self._closed:
            self._there.wait(0.2)
            self._there.clear()
            jobs, self._jobs = self._jobs, []
            yield from map(self._visit, jobs)

    def close(self) -> None:
        """No more."""
        self._closed = True
        self._there.set()

    def _visit(self, job: Job) -> Visit:
        site, page = _place(job.url)
        at = iso(time.time())
        here = f"10.{site >> 16 & 255}.{site >> 8 & 255}.{site & 255}"
        if job.addresses is not None and here not in job.addresses:
            return Visit(job, Reply(addresses=(here,)), Document(), at)
        if job.kind != "page":
            return Visit(job, Reply(404, ip=here, total_ms=1.0), Document(), at)
        targets = [urls.resolve(one)[0] for one in dict.fromkeys(self._links(site, page))]
        document = Document(
            content_type="text/html", charset="utf-8", title=f"Page {page} of {site}",
            text_hash=hash(job.url) & (1 << 62) - 1, word_count=600,
            targets=Distinct.of(targets),
            columns=LinkColumns.of(PageLink(n, "a", anchor="a link") for n in range(len(targets))),
        )  # fmt: skip
        digest = hashlib.sha256(job.url.encode()).digest()
        return Visit(
            job, Reply(200, ip=here, total_ms=1.0), document, at, body_sha256=digest,
            body_bytes=len(A_PAGE), body=BODY,
        )  # fmt: skip

    def _links(self, site: int, page: int) -> Iterator[str]:
        yield _url(site, (page + 1) % self._pages)
        chance = int.from_bytes(hashlib.blake2b(f"{site} {page}".encode(), digest_size=8).digest())
        for step in range(OWN_LINKS - 1):
            yield _url(site, (chance >> 3 * step) % self._pages)
        for step in range(FAR_LINKS):
            yield _url((chance >> 5 * step) % self._sites, (chance >> 7 * step) % self._pages)


def _url(site: int, page: int) -> str:
    return f"http://site{site}.example/{page}"


def _place(url: str) -> tuple[int, int]:
    host, _, path = url.removeprefix("http://site").partition(".example/")
    return int(host), int(path) if path.isdigit() else 0


def settings() -> Config:
    """Politeness without waiting: nobody is asked anything."""
    given = {
        "pace": {"gap_s": 0, "response_factor": 0, "per_ip": 64, "per_domain": 64},
        "robots": {"sitemaps": False},
        "audit": {"analyse": False},
    }
    return msgspec.convert(given, Config)


def run(port: int, folder: Path, shards: int, sites: int, pages: int) -> dict[str, Any]:
    """Crawl it with so many shards, merge them, and tell what it took."""
    config = settings()
    seeds = [read_line(n, _url(n, 0)) for n in range(1, sites)]
    running = Group()
    crawls = []
    begun, spent = time.monotonic(), time.process_time()
    for number in range(1, shards + 1):
        which = Which(number, shards) if shards > 1 else None
        own = iter([seed for seed in seeds if seed][number - 1 :: shards])
        plan = Plan(config, folder / f"{number}.db", own, "made up", which)
        exchange = Exchange(Address("127.0.0.1", port), "bench", "") if which else None
        crawls.append(Crawl(plan, channel=MadeUpWeb(sites, pages), exchange=exchange))
    with gevent.Timeout(LIMIT_S):
        for one in crawls:
            running.start(gevent.Greenlet(one.run))
        running.join(raise_error=True)
    wall, cpu = time.monotonic() - begun, time.process_time() - spent
    files = [folder / f"{number}.db" for number in range(1, shards + 1)]
    return {
        "wall_s": wall, "cpu_s": cpu, **_counted(files), **_engine(port), **_merged(folder, files),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
        "file_bytes": sum(file.stat().st_size for file in files),
    }  # fmt: skip


def _counted(files: Sequence[Path]) -> dict[str, int]:
    counts = {"pages": 0, "urls": 0, "messages": 0, "links": 0}
    for file in files:
        connection = open_for_reading(file)
        found = connection.execute(COUNTS).fetchone()
        connection.close()
        counts = {name: counts[name] + more for name, more in zip(counts, found, strict=True)}
    return counts


def _engine(port: int) -> dict[str, int]:
    link = Link(Address("127.0.0.1", port))
    told = {
        name: value
        for part in ("memory", "stats", "cpu")
        for line in link.ask("INFO", part).decode().splitlines()
        for name, mark, value in [line.partition(":")]
        if mark
    }
    link.close()
    return {
        "engine_peak": int(told["used_memory_peak"]),
        "engine_in": int(told["total_net_input_bytes"]),
        "engine_out": int(told["total_net_output_bytes"]),
        "engine_cpu_ms": round(1000 * (float(told["used_cpu_user"]) + float(told["used_cpu_sys"]))),
    }


def _merged(folder: Path, files: Sequence[Path]) -> dict[str, float]:
    if len(files) < 2:
        return {"merge_s": 0.0, "merge_cpu_s": 0.0, "merged_pages": 0}
    begun, spent = time.monotonic(), time.process_time()
    made = merge(folder / "merged.db", files, lambda *_: None)
    return {
        "merge_s": time.monotonic() - begun,
        "merge_cpu_s": time.process_time() - spent,
        "merged_pages": made.pages,
    }


COUNTS = """
    SELECT
        (SELECT count(*) FROM pages),
        (SELECT count(*) FROM urls WHERE reason IS NOT 'other_shard'),
        (SELECT coalesce(sum(sent), 0) FROM peers),
        (SELECT count(*) FROM links)
"""


if __name__ == "__main__":
    port, folder, *numbers = sys.argv[1:]
    print(json.dumps(run(int(port), Path(folder), *map(int, numbers))))
