"""Who takes part, how is each started, and how many pages did it fetch?

Each does the same work its own way: every page of the site once, robots.txt obeyed, no delay. What
it keeps differs and stands in the table.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crawler.store.database import open_for_reading
from tests.bench.workshop import Tell, node_packages, program, python_environment

PEERS = Path(__file__).parent / "peers"
SCRAPY = "scrapy==2.19.0"
CRAWLEE = "crawlee[parsel]==1.11.0"
SPIDER = ("@spider-rs/spider-rs@0.0.157", "@spider-rs/spider-rs-linux-x64-gnu@0.0.157")
AT_ONCE = 32

Command = Sequence[str | Path]


@dataclass(frozen=True, slots=True)
class Contestant:
    """A crawler.

    keeps: what is left of a page. ready: makes it ready and gives its command before the start URL
    and the folder to write to are known; raises Absent. finish: the whole command.
    pages: how many pages it says it has fetched, counted in its folder. kept: what to weigh there.
    fine: exit codes of a crawl that went well.
    """

    name: str
    keeps: str
    ready: Callable[[Tell], Command]
    finish: Callable[[Command, str, Path], Command]
    pages: Callable[[Path], int]
    kept: str | None
    fine: frozenset[int] = frozenset({0})


def our_command() -> list[str]:
    """How this crawler is started, whatever comes behind; from the root of the repository."""
    return [sys.executable, "-m", "crawler"]


def crawl_command(begin: Command, start: str | Sequence[str], folder: Path) -> Command:
    """A crawl from one or more start URLs into ``crawl.db`` of a folder: all defaults on, but for
    the analysis, which comes when nothing is left to fetch and is measured by itself."""
    seeds = folder / "seeds.txt"
    starts = [start] if isinstance(start, str) else start
    seeds.write_text("".join(f"{one}\n" for one in starts))
    return [*begin, "crawl", seeds, "--db", folder / "crawl.db", "--quiet", "--no-analyse"]


def pages_of_crawl(folder: Path) -> int:
    """Pages of HTML in the database."""
    connection = open_for_reading(folder / "crawl.db")
    try:
        row = connection.execute(
            "SELECT count(*) FROM pages WHERE status = 200 AND content_type = 'text/html'"
        ).fetchone()
    finally:
        connection.close()
    return int(row[0])


def _pages_of_scrapy(folder: Path) -> int:
    with (folder / "pages.jsonl").open(encoding="utf-8") as lines:
        return len({json.loads(line)["url"] for line in lines})


def _pages_of_list(folder: Path) -> int:
    urls = (folder / "pages.txt").read_text(encoding="utf-8").split()
    return len({url.partition("#")[0] for url in urls})


def _pages_of_wget(folder: Path) -> int:
    return sum(1 for _ in (folder / "files").rglob("*.html"))


def _spider(tell: Tell) -> Command:
    node = program("node", "apt-get install nodejs")
    return [node, PEERS / "spider_peer.mjs", node_packages("spider", SPIDER, tell)]


def _wget(tell: Tell) -> Command:
    wget = program("wget2", "apt-get install wget2")
    return [wget, "--quiet", "--recursive", "--level=inf", f"--max-threads={AT_ONCE}"]


OURS = Contestant(
    "crawler",
    "bodies, links, facts, text",
    lambda tell: our_command(),
    crawl_command,
    pages_of_crawl,
    "crawl.db*",
)

CONTESTANTS = (
    OURS,
    Contestant(
        "wget2",
        "files",
        _wget,
        lambda begin, start, folder: [*begin, "-P", folder / "files", start],
        _pages_of_wget,
        "files",
        fine=frozenset({0, 8}),  # 8: some page was a 404
    ),
    Contestant(
        f"spider-rs {SPIDER[0].rpartition('@')[2]}",
        "URLs, in memory",
        _spider,
        lambda begin, start, folder: [*begin, start, folder / "pages.txt"],
        _pages_of_list,
        None,
    ),
    Contestant(
        f"crawlee {CRAWLEE.rpartition('==')[2]}",
        "URLs, in memory",
        lambda tell: [python_environment("crawlee", CRAWLEE, tell), PEERS / "crawlee_peer.py"],
        lambda begin, start, folder: [*begin, start, folder / "pages.txt"],
        _pages_of_list,
        None,
    ),
    Contestant(
        f"scrapy {SCRAPY.rpartition('==')[2]}",
        "URL, title, link count",
        lambda tell: [python_environment("scrapy", SCRAPY, tell), PEERS / "scrapy_peer.py"],
        lambda begin, start, folder: [*begin, start, folder / "pages.jsonl"],
        _pages_of_scrapy,
        "pages.jsonl",
    ),
)
