"""Which sites show whether shards lose anything, and how are shards run and disturbed?

Many hosts, each a shard's, that link to each other in every way in which a shard must tell another
of it: pages, redirects through several hosts, seeds that have moved, loops, things that are only
recorded, sitemaps, and what robots.txt forbids.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
from gevent import subprocess

from crawler.errors import CrawlError, UsageError
from crawler.exports.merge import merge
from crawler.failpoints import VARIABLE
from crawler.policy.placement import shard_of
from crawler.store.database import SQLiteError
from tests.crash.trial import check_untorn, kill_all, whole_end
from tests.crawls import config, crawl, rows
from tests.engines import Engine
from tests.patience import PATIENT_S
from tests.sites.server import Answer
from tests.sites.skip import ROOT
from tests.sites.web import Host, Web

SHARDS = 3
AWAY = "cannot be reached"
"""What one says that was started while the engine was down, or died just then."""
SETTINGS = (
    "run.concurrency=8", "pace.own_in_flight=8", "pace.retry_base_s=0.05", "store.batch=20",
    "store.batch_s=0.05",
)  # fmt: skip
NOT_SENT = ("http://127.0.0.99:9/", "mailto:somebody@example.org")


def addresses(hosts: int, shards: int) -> Iterator[str]:
    """So many, in turns of each shard: by chance one may have none of a few."""
    found = [f"127.0.{n // 200}.{1 + n % 200}" for n in range(1400, 4000)]
    of = [[one for one in found if shard_of(one, shards) == 1 + n] for n in range(shards)]
    for n in range(hosts):
        yield of[n % shards][n // shards]


class Realm:
    """The sites. hosts: of them, in turns of each shard. pages: of each host, in a chain.

    wait_s: of every answer.
    """

    def __init__(
        self, hosts: int = 9, pages: int = 6, wait_s: float = 0.0, shards: int = SHARDS
    ) -> None:
        self.web = Web()
        self.hosts = [self.web.host(address) for address in addresses(hosts, shards)]
        self.outside = self.web.host("127.0.99.1")
        self._wait_s = wait_s
        for number in range(hosts):
            self._fill(number, pages)
        self._odd_ways()

    def _at(self, number: int) -> Host:
        return self.hosts[number % len(self.hosts)]

    def _fill(self, number: int, pages: int) -> None:
        host = self._at(number)
        host.robots(
            f"User-agent: *\nDisallow: /forbidden/\nSitemap: {self._at(number + 1).url('/map')}\n"
        )
        listed = "".join(
            f"<url><loc>{one.url('/listed')}</loc></url>" for one in (host, self._at(number + 2))
        )
        head = '<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        host.raw(
            "/map", headers={"Content-Type": "application/xml"}, body=f"{head}{listed}</urlset>"
        )
        self._page(host, "/listed", [], f"Listed {number}")
        for page in range(pages):
            following = [f"/{page + 1}"] if page + 1 < pages else []
            far = [self._at(number + page + 1).url(f"/{page}"), self._at(number + 2).url("/gone")]
            ways = [*following, *far, "/forbidden/1", self.outside.url(f"/{number}"), *NOT_SENT]
            path = "/" if page == 0 else f"/{page}"
            body = f'<img src="{self._at(number + 3).url("/picture")}" alt="">'
            body += f'<a rel="nofollow" href="{self._at(number + 4).url("/shy")}">shy</a>'
            self._page(host, path, ways, f"Page {page} of {number}", body)
        self._page(host, "/after", ["/"], f"After {number}")
        host.redirect("/hop", self._at(number + 1).url("/hop2"))
        host.redirect("/hop2", self._at(number + 2).url("/after"))
        self._page(host, "/hops", [self._at(number + 1).url("/hop"), "/round"], f"Hops {number}")
        host.redirect("/round", self._at(number + 1).url("/round2"))
        host.redirect("/round2", self._at(number).url("/round"))
        self._page(host, "/2/hops", [self._at(number + 1).url("/hops")], f"Two {number}")
        if pages > 2:
            self._page(host, f"/{pages - 1}", ["/hops", "/2/hops"], f"Last of {number}")
        host.answer("/sick", Answer(status=500))

    def _page(
        self, host: Host, path: str, links: Sequence[str], title: str, body: str = ""
    ) -> None:
        host.page(path, links=list(links), title=title, body=body, wait_s=self._wait_s)

    def _odd_ways(self) -> None:
        """A site that has moved twice, each time to another host, and the pages that it has now."""
        moved = [self.web.host(f"127.0.50.{number}") for number in range(1, 7)]
        for one, to in itertools.pairwise(moved):
            one.redirect("/", to.url("/"))
            self._page(one, "/old", ["/older"], "Only of whom they have moved to")
            self._page(one, "/older", [], "Old")
        self._page(moved[-1], "/", ["/new", moved[0].url("/old"), moved[2].url("/old")], "Moved")
        self._page(moved[-1], "/new", [], "New")
        self.moved = moved

    @property
    def seeds(self) -> list[str]:
        """Where a crawl begins: some hosts, the one that has moved, and what is no address."""
        return [
            *(host.url("/") for host in self.hosts),
            self.moved[0].url("/"),
            "no address at all",
        ]

    def calm(self, folder: Path) -> dict[str, list[tuple[Any, ...]]]:
        """The end of a crawl by one conductor, left in peace."""
        crawl(folder / "calm.db", *self.seeds, settings=config(robots={"sitemaps": True}))
        return whole_end(folder / "calm.db")

    def close(self) -> None:
        """Stop answering."""
        self.web.close()


@dataclass(slots=True)
class Shards:
    """The conductors of a crawl, each a process that may be killed and is started again.

    said: what each wrote to stderr, by its number. codes: with what they ended in the end.
    """

    folder: Path
    seeds: Sequence[str]
    engine: Engine
    number: int = SHARDS
    more: Sequence[str] = ()
    running: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)
    ended: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "seeds.txt").write_text("".join(f"{line}\n" for line in self.seeds))

    def database(self, number: int) -> Path:
        """A shard's file."""
        return self.folder / f"shard{number}.db"

    @property
    def files(self) -> list[Path]:
        """All of them."""
        return [self.database(number) for number in range(1, self.number + 1)]

    def command(self, number: int) -> list[str]:
        """A shard's command, always the same."""
        words = [sys.executable, "-m", "crawler", "crawl", str(self.folder / "seeds.txt")]
        words += ["--db", str(self.database(number)), "--shard", f"{number}/{self.number}"]
        words += ["--redis", self.engine.url, "--workers", "1", "--quiet", "--no-analyse"]
        words += [part for one in SETTINGS for part in ("--set", one)]
        return [*words, *self.more]

    def start(self, number: int, failpoint: str = "") -> subprocess.Popen[bytes]:
        """Start one, or start it again. failpoint: where it kills itself."""
        with self._errors(number).open("ab") as errors:
            self.running[number] = subprocess.Popen(
                self.command(number), cwd=ROOT, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
                env=os.environ | {VARIABLE: failpoint},
            )  # fmt: skip
        return self.running[number]

    def _errors(self, number: int) -> Path:
        return self.folder / f"stderr{number}"

    def said(self, number: int) -> str:
        """What a shard wrote to stderr."""
        return self._errors(number).read_text(errors="replace")

    def start_all(self) -> None:
        """Start those that have not ended yet and do not run."""
        for number in range(1, self.number + 1):
            if number not in self.ended and number not in self.running:
                self.start(number)

    def look(self) -> bool:
        """See which have ended, and start those again that were killed; are all at their end?"""
        for number, process in list(self.running.items()):
            code = process.poll()
            if code is None:
                continue
            del self.running[number]
            away = code == UsageError.exit_code and AWAY in self.said(number).splitlines()[-1]
            assert code in (0, -signal.SIGKILL) or away, (number, code, self.said(number))
            if code == 0 or self.has_finished(number):
                self.ended.add(number)
        self.start_all()
        return len(self.ended) == self.number

    def has_finished(self, number: int) -> bool:
        """Does its file say so? The same command would begin another crawl, though this one was
        killed before it had said the last of it."""
        last = "SELECT state FROM runs ORDER BY id DESC LIMIT 1"
        with suppress(CrawlError, SQLiteError):
            return rows(self.database(number), last) == [("finished",)]
        return False

    def kill(self, number: int, *, spare_ended: bool = False) -> bool:
        """SIGKILL, whatever it is at; it is started again by `look`. spare_ended: not when its file
        says that all is over, so that others hear of it."""
        process = self.running.get(number)
        if process is None or process.poll() is not None:
            return False
        if spare_ended and self.has_finished(number):
            return False
        kill_all(process)
        return True

    def finish(self, disturb: Callable[[], object] | None = None) -> None:
        """Run them to their end, disturbed again and again until there is nothing to disturb."""
        self.start_all()
        with gevent.Timeout(2 * PATIENT_S, AssertionError(f"no end: {self!r}")):
            while not self.look():
                gevent.sleep(0.02)
                if disturb is not None:
                    disturb()

    def merged(self) -> dict[str, list[tuple[Any, ...]]]:
        """The end of all of them in one file, which is whole."""
        out = self.folder / "merged.db"
        out.unlink(missing_ok=True)
        made = merge(out, self.files, lambda *_: None)
        assert made.undelivered == made.stubs == 0
        assert made.kept_ids
        check_untorn(out)
        return whole_end(out)

    def close(self) -> None:
        """None outlives the test."""
        for process in self.running.values():
            kill_all(process)
