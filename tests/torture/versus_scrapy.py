"""What is left of the same site when two crawlers are killed five times and run again?

    python -m tests.torture.versus_scrapy

Scrapy runs with JOBDIR, in an environment of its own; this crawler just runs. Both get SIGKILL at
the same numbers of requests that the site has seen, and then the same command until it ends.
Scrapy's documentation promises to go on only after a clean stop: a kill is more than it claims.
"""

from __future__ import annotations

import crawler._patch  # isort: skip  # noqa: F401  # must come before every other import

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from gevent import subprocess

from crawler.store.database import open_for_reading
from tests.bench.contestants import SCRAPY
from tests.bench.workshop import Absent, python_environment
from tests.crash.trial import kill_all, wait
from tests.patience import until
from tests.sites.generated import GeneratedSite, Served, serve_apart
from tests.sites.skip import ROOT

SITE = GeneratedSite(pages=3001, links_per_page=10, seed=7, latency_ms=5)
KILLED_AT = (300, 800, 1300, 1800, 2300)
HERE = Path(__file__).parent
PATIENT_S = 300


@dataclass(frozen=True, slots=True)
class Contestant:
    """A crawler: its command, always the same, and the URLs of the rows that it left."""

    name: str
    command: Sequence[str | Path]
    rows: Callable[[], list[str]]


@dataclass(frozen=True, slots=True)
class Result:
    """What became of it. refetched: requests for pages that had been asked for before."""

    name: str
    rows: int
    lost: int
    doubled: int
    refetched: int
    code: int


def ours(folder: Path, served: Served) -> Contestant:
    """This crawler."""
    seeds, database = folder / "seeds.txt", folder / "crawl.db"
    seeds.write_text(served.url() + "\n")
    command = [sys.executable, "-m", "crawler", "crawl", seeds, "--db", database, "--quiet"]
    command += ["--concurrency", "32", "--workers", "1", "--set", "robots.sitemaps=false"]

    def rows() -> list[str]:
        with closing(open_for_reading(database)) as connection:
            return [url for (url,) in connection.execute("SELECT url FROM pages")]

    return Contestant("crawler", command, rows)


def scrapy(folder: Path, served: Served) -> Contestant:
    """Scrapy, as its documentation says for crawls that go on."""
    python, pages = python_environment("scrapy", SCRAPY, print), folder / "pages.jsonl"
    command = [python, "-m", "scrapy", "runspider", HERE / "scrapy_spider.py"]
    command += ["-a", f"start={served.url()}", "-s", f"JOBDIR={folder / 'job'}", "-o", pages]

    def rows() -> list[str]:
        return [url for line in pages.read_bytes().splitlines() if (url := _url(line))]

    return Contestant(SCRAPY.replace("==", " ") + ", JOBDIR", command, rows)


def _url(line: bytes) -> str | None:
    """The URL of a line; None of one that was cut off."""
    try:
        url: str = json.loads(line)["url"]
    except (ValueError, KeyError):
        return None
    return url


def trial(make: Callable[[Path, Served], Contestant]) -> Result:
    """Kill it five times, let it end, and count."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        with serve_apart(SITE, log=folder / "access.log", sync=True) as served:
            one = make(folder, served)
            for requests in KILLED_AT:
                process = _start(one)
                until(
                    lambda process=process, requests=requests: (
                        len(served.hits()) >= requests or process.poll() is not None
                    ),
                    PATIENT_S,
                )
                kill_all(process)
            code = wait(_start(one), PATIENT_S)
            found = Counter(one.rows())
            asked = Counter(hit.path for hit in served.hits() if hit.path != "/robots.txt")
            wanted = {served.url(path) for path in SITE.paths()}
    return Result(
        one.name,
        sum(found.values()),
        len(wanted - set(found)),
        sum(many - 1 for many in found.values()),
        sum(many - 1 for many in asked.values()),
        code,
    )


def _start(one: Contestant) -> subprocess.Popen[bytes]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    quiet = subprocess.DEVNULL
    return subprocess.Popen(
        list(map(str, one.command)), cwd=ROOT, env=environment, stdin=quiet, stderr=quiet
    )


def main() -> None:
    """Print the table."""
    print(f"{SITE.pages:,} pages, SIGKILL after {', '.join(map(str, KILLED_AT))} requests, then on")
    head = ("", "rows at end", "lost", "doubled", "refetched", "exit code")
    print("{:24} {:>11} {:>6} {:>8} {:>10} {:>10}".format(*head))
    for make in (ours, scrapy):
        try:
            one = trial(make)
        except Absent as reason:
            print(f"{make.__name__:24} {reason}")
            continue
        print(
            f"{one.name:24} {one.rows:11,} {one.lost:6,} {one.doubled:8,} {one.refetched:10,} "
            f"{one.code:10}"
        )


if __name__ == "__main__":
    main()
