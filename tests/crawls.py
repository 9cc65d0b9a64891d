"""How does a test crawl, and how does it read what was found?

`crawl` runs in this process; `crawl_apart` starts the same in a process of its own, which a test
may stop or kill:

    python -m tests.crawls DATABASE CONFIG WORKERS SEED...
"""

from __future__ import annotations

import crawler._patch  # isort: skip  # noqa: F401  # must come before every other import

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import gevent
import msgspec
from gevent import subprocess

from crawler.channels import Channel
from crawler.conductor import Outcome
from crawler.config import Config
from crawler.crawl import Crawl, Plan
from crawler.policy.seeds import Seed, read_line
from crawler.store.database import open_for_reading, open_for_writing
from tests.patience import PATIENT_S
from tests.sites.skip import ROOT
from tests.watchdog import never_idle

AGENT = "crawler/test"

URLS = "SELECT url, state, reason, depth FROM urls ORDER BY url"
PAGES = "SELECT url, status, title, text_hash FROM pages ORDER BY url"
LINKS = """
    SELECT source.url, links.position, target.url, links.kind, links.anchor, links.rel,
        links.nofollow, links.fragment, links.region
    FROM links
    JOIN urls AS source ON source.id = links.source_id
    JOIN urls AS target ON target.id = links.target_id
    ORDER BY source.url, links.position
"""


def config(**sections: Mapping[str, object]) -> Config:
    """The defaults, but for what a test says, with short rests, and sitemaps left out."""
    given = {name: dict(section) for name, section in sections.items()}
    given["pace"] = {"retry_base_s": 0.02} | given.get("pace", {})
    given["robots"] = {"sitemaps": False} | given.get("robots", {})
    return msgspec.convert(given, Config)


def read_seeds(*lines: str) -> Iterator[Seed]:
    """The seeds of these lines."""
    for number, line in enumerate(lines, 1):
        seed = read_line(number, line)
        if seed is not None:
            yield seed


def crawl(
    database: Path,
    *seeds: str,
    settings: Config | None = None,
    workers: int = 0,
    channel: Channel | None = None,
) -> Outcome:
    """Crawl to the end, in this process."""
    running = Crawl(plan(database, *seeds, settings=settings, workers=workers), channel=channel)
    with gevent.Timeout(PATIENT_S), never_idle(running):
        return running.run().outcome


def plan(database: Path, *seeds: str, settings: Config | None = None, workers: int = 0) -> Plan:
    """What is to be crawled, with so many worker processes whatever the settings say."""
    chosen = settings or config()
    run = msgspec.structs.replace(chosen.run, workers=workers)
    return Plan(msgspec.structs.replace(chosen, run=run), database, read_seeds(*seeds))


def crawl_apart(
    database: Path, *seeds: str, settings: Config | None = None, workers: int = 0
) -> subprocess.Popen:
    """Start to crawl in a process of its own, which prints how the run ended."""
    options = msgspec.json.encode(settings or config()).decode()
    command = [sys.executable, "-m", "tests.crawls", str(database), options, str(workers), *seeds]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=False
    )


def rows(database: Path, sql: str, *values: object) -> list[tuple[Any, ...]]:
    """What a query gives."""
    with closing(open_for_reading(database)) as connection:
        return list(connection.execute(sql, values).fetchall())


def holding(database: Path, words: str) -> list[str]:
    """The URLs of pages, as they are now, whose text holds these words."""
    asked = """
        SELECT pages.url
        FROM search
        JOIN pages ON pages.body_id = search.rowid
        WHERE search MATCH ?
        ORDER BY pages.url
    """
    return [url for (url,) in rows(database, asked, words)]


@contextmanager
def as_duckdb_sees(database: Path) -> Iterator[Any]:
    """A connection of DuckDB in which the tables and views of a file are the only ones."""
    import duckdb  # few tests need it
    import duckdb_extension_sqlite_scanner as scanner

    [extension] = Path(scanner.__file__).parent.rglob("sqlite_scanner.duckdb_extension")
    with duckdb.connect() as connection:
        connection.execute(f"LOAD '{extension}'")
        connection.execute(f"ATTACH '{database}' AS crawl (TYPE sqlite)")
        connection.execute("USE crawl")
        yield connection


def ends(database: Path) -> tuple[list[tuple[Any, ...]], ...]:
    """What does not depend on the order in which pages came: the URLs, the pages, the links."""
    return rows(database, URLS), rows(database, PAGES), rows(database, LINKS)


def fates(database: Path, web_url: str = "") -> dict[str, tuple[str, str | None]]:
    """State and reason of every URL that is no robots.txt, without `web_url` before its path."""
    found = rows(database, "SELECT url, state, reason FROM urls WHERE kind <> 'robots'")
    return {url.removeprefix(web_url): (state, reason) for url, state, reason in found}


def let_a_day_pass(database: Path) -> None:
    """What is known of every robots.txt is so old that it is asked for again."""
    with closing(open_for_writing(database)) as connection:
        connection.execute(
            "UPDATE origins SET robots_fetched_at = '2026-01-01T00:00:00.000Z' "
            "WHERE robots_fetched_at IS NOT NULL"
        )


def check_whole(database: Path) -> None:
    """The file is sound: SQLite says so, no row points nowhere, and every URL has a fate."""
    assert rows(database, "PRAGMA integrity_check") == [("ok",)]
    assert rows(database, "PRAGMA foreign_key_check") == []
    assert rows(database, UNREASONED) == []
    assert rows(database, MISCOUNTED) == []


UNREASONED = """
    SELECT url, state, reason
    FROM urls
    WHERE (state IN ('failed', 'skipped')) <> (reason IS NOT NULL)
        AND state <> 'queued'
"""

MISCOUNTED = """
    SELECT hosts.host, hosts.queued, count(urls.id)
    FROM hosts
    LEFT JOIN urls ON urls.host_id = hosts.id AND urls.state = 'queued'
    GROUP BY hosts.id
    HAVING hosts.queued <> count(urls.id)
"""


def main(given: list[str]) -> None:
    """Crawl as told; SIGTERM and SIGINT stop it as Ctrl-C does."""
    database, options, workers, *seeds = given
    settings = msgspec.json.decode(options, type=Config)
    running = Crawl(plan(Path(database), *seeds, settings=settings, workers=int(workers)))
    gevent.signal_handler(signal.SIGTERM, running.stop)
    gevent.signal_handler(signal.SIGINT, running.stop)
    outcome = running.run().outcome
    peak = Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
    print(outcome.state, outcome.reason, outcome.queued, outcome.stats.pages, peak, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
