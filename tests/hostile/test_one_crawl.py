"""Does one crawl through all of the hostile web end as its table says, and hurt no good host?"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
import pytest

from crawler.config import Config
from tests.crawls import check_whole, config, crawl_apart, rows
from tests.fetch import certificates
from tests.fetch.nameserver import Nameserver
from tests.hostile.origins import Origin, Party, Row
from tests.hostile.table import CAP, all_origins
from tests.patience import stretch
from tests.sites.web import Host, Web

pytestmark = [
    pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1 is deprecated"),
    pytest.mark.timeout(1200),
]

GOOD_PAGES = 500
GOOD_WAIT_S = 0.08
WHOLE_S = 110
MOST_BYTES = 400 * 1024 * 1024
PAGE = os.sysconf("SC_PAGE_SIZE")

LIMITS = {"connect_s": 2, "read_s": 1, "total_s": 6}
FIRST_S = 5


def settings(slower: float) -> Config:
    """The limits of time hold where nobody else works; elsewhere they are `slower`."""
    limits = {name: slower * limit for name, limit in LIMITS.items()}
    return config(
        scope={"allow_private": ["127.1.0.0/16", "127.2.0.0/16"]},
        robots={"first_s": slower * FIRST_S},
        fetch={**limits, "max_body_bytes": CAP},
        run={"bodies_in_flight_bytes": 32 * 1024 * 1024},
        pace={"retry_base_s": 0.05, "retry_after_max_s": 0.2, "gap_s": 0.02, "own_in_flight": 8},
    )


FATES = """
    SELECT urls.url, urls.state, urls.reason, urls.attempts, visits.status, visits.error,
        visits.truncated
    FROM urls
    LEFT JOIN visits ON visits.id = (
        SELECT max(id) FROM visits WHERE url_id = urls.id AND kind = 'page'
    )
    WHERE urls.kind <> 'robots'
"""
VISITS = "SELECT error, truncated, count(*) FROM visits GROUP BY error, truncated"


@dataclass(frozen=True)
class Crawled:
    """A crawl that has ended.

    peak_bytes: memory of all its processes, at its highest. good_at_once: how many requests the
    good host was answering at a time, from its first to its last; a machine with other things to
    do stretches the answers as it stretches the crawl. slower: than where nobody else works, as
    `stretch` says.
    """

    database: Path
    told: list[str]
    peak_bytes: int
    good_at_once: float
    slower: float


def stand_good_host(web: Web) -> Host:
    """500 pages, each a click or two from the last; every answer takes a moment."""
    good = web.host("127.1.0.1")
    for number in range(GOOD_PAGES):
        links = [
            f"/{n}" for n in (3 * number + 1, 3 * number + 2, 3 * number + 3) if n < GOOD_PAGES
        ]
        good.page(f"/{number}" if number else "/", links=links, wait_s=GOOD_WAIT_S)
    return good


def crawl_and_watch(database: Path, seeds: list[str], good: Host, workers: int) -> Crawled:
    """Crawls in processes of its own and watches their memory."""
    web_log = good._whole_log
    web_log.clear()
    slower = stretch()
    process = crawl_apart(database, *seeds, settings=settings(slower), workers=workers)
    watcher = gevent.spawn(_peak, process.pid)
    try:
        with gevent.Timeout(slower * WHOLE_S):
            told, _ = process.communicate()
    finally:
        process.kill()
        watcher.kill(block=False)
    hits = good.log
    good_s = max(hit.ended for hit in hits) - min(hit.started for hit in hits)
    at_once = sum(hit.ended - hit.started for hit in hits) / good_s
    peak = _PEAKS.pop(process.pid, 0)
    return Crawled(database, told.decode().split(), peak, at_once, max(slower, stretch()))


_PEAKS: dict[int, int] = {}


def _peak(pid: int) -> None:
    while True:
        _PEAKS[pid] = max(_PEAKS.get(pid, 0), sum(map(_resident, _family(pid))))
        gevent.sleep(0.1)


def _family(pid: int) -> list[int]:
    """A process and all below it; by what the kernel lists, which costs little."""
    try:
        lists = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return [pid]
    children = [int(child) for text in lists for child in text.split()]
    return [pid, *(below for child in children for below in _family(child))]


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def party(folder: Path) -> Iterator[Party]:
    made = Party(all_origins(folder))
    with closing(made):
        yield made


@pytest.fixture(scope="module")
def good_host() -> Iterator[Host]:
    web = Web()
    with closing(web):
        yield stand_good_host(web)


@pytest.fixture(scope="module")
def alone(good_host: Host, folder: Path) -> Crawled:
    """The good host without the others."""
    return crawl_and_watch(folder / "alone.db", [good_host.url()], good_host, 2)


@pytest.fixture(scope="module", params=[0, 2], ids=["local", "processes"])
def crawled(
    request: pytest.FixtureRequest, party: Party, good_host: Host, folder: Path
) -> Iterator[Crawled]:
    names = Nameserver(party.zone)
    believed = folder / "ca.pem"
    nul = (folder / "nul.pem").read_bytes()
    believed.write_bytes(certificates.CA.cert_pem.bytes() + nul)
    with pytest.MonkeyPatch.context() as patch, closing(names):
        for name, value in names.environment().items():
            patch.setenv(name, value)
        patch.setenv("SSL_CERT_FILE", os.fspath(believed))
        seeds = [*party.seeds(), good_host.url()]
        database = folder / f"{request.param}.db"
        yield crawl_and_watch(database, seeds, good_host, request.param)


def test_every_case_ends_as_the_table_says(crawled: Crawled, party: Party) -> None:
    found = {url: tuple(rest) for url, *rest in rows(crawled.database, FATES)}
    wrong = {}
    for origin in party.origins:
        for row in origin.rows:
            url = party.url(origin, row.path)
            ours = found.get(url) or _cut(found, url)
            if ours != _expected(row):
                wrong[f"{origin.number} {origin.rule} {url:.80}"] = (ours, _expected(row))
    assert not wrong, "\n".join(f"{case}: {pair[0]}, not {pair[1]}" for case, pair in wrong.items())
    assert crawled.told[:3] == ["finished", "finished", "0"]
    check_whole(crawled.database)


def _expected(row: Row) -> tuple[Any, ...]:
    return (row.state, row.reason, row.attempts, row.status, row.error, row.truncated)


def _cut(found: dict[str, tuple[Any, ...]], url: str) -> tuple[Any, ...] | None:
    """Of an address that is too long, only its beginning is kept."""
    return next((fate for known, fate in found.items() if known.startswith(url)), None)


def test_there_are_as_many_visits_of_each_kind_as_the_table_says(
    crawled: Crawled, party: Party
) -> None:
    expected: Counter[tuple[str | None, str | None]] = Counter({(None, None): GOOD_PAGES + 1})
    for origin in party.origins:
        expected += _visits(origin)
    found = {(error, truncated): n for error, truncated, n in rows(crawled.database, VISITS)}
    assert found == dict(expected)


def _visits(origin: Origin) -> Counter[tuple[str | None, str | None]]:
    counted: Counter[tuple[str | None, str | None]] = Counter()
    for error, number in origin.robots:
        counted[error, None] += number
    for row in origin.rows:
        counted[row.error, row.truncated] += row.attempts
    return counted


def test_a_good_host_is_fetched_whole(crawled: Crawled, good_host: Host) -> None:
    root = good_host.url("")
    sql = "SELECT count(*) FROM pages WHERE url LIKE ? || '/%' AND status = 200 AND error IS NULL"
    assert rows(crawled.database, sql, root) == [(GOOD_PAGES,)]


def test_a_good_host_is_fetched_at_least_half_as_fast_as_alone(
    crawled: Crawled, alone: Crawled
) -> None:
    if max(crawled.slower, alone.slower) > 1.0:
        pytest.skip("others work on this machine, so what takes long here tells nothing")
    assert crawled.good_at_once >= alone.good_at_once / 2


def test_memory_stays_flat(crawled: Crawled) -> None:
    assert crawled.peak_bytes < MOST_BYTES


def test_no_packet_reached_an_address_that_is_refused(crawled: Crawled, party: Party) -> None:
    assert party.forbidden.connections == 0


def test_the_last_of_two_content_types_counts(crawled: Crawled) -> None:
    """Case 67."""
    sql = "SELECT content_type FROM pages WHERE url LIKE 'http://c67-%'"
    assert rows(crawled.database, sql) == [("text/html",)]


def test_a_trailing_dot_makes_no_other_domain(crawled: Crawled) -> None:
    """Case 13: what is capped for a domain is capped for both spellings together."""
    sql = "SELECT count(DISTINCT registered_domain) FROM hosts WHERE host LIKE 'c13-%'"
    assert rows(crawled.database, sql) == [(1,)]


def test_facts_of_a_refused_certificate_are_told(crawled: Crawled) -> None:
    """Cases 24 and 25."""
    sql = """
        SELECT visits.error_detail
        FROM visits
        JOIN urls ON urls.id = visits.url_id
        WHERE urls.url LIKE ?
    """
    [(expired,)] = rows(crawled.database, sql, "https://c24-%")
    assert "expired" in expired
    assert "names: c24-" in expired
    assert "Jan  2 00:00:00 2020" in expired
    [(other,)] = rows(crawled.database, sql, "https://c25-%")
    assert "names: other.test" in other


COLUMNS = """
    SELECT tables.name, columns.name
    FROM sqlite_master AS tables
    JOIN pragma_table_info(tables.name) AS columns
    WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%'
        AND columns.type = 'TEXT'
"""


def test_no_row_holds_a_raw_control_character(crawled: Crawled) -> None:
    """Cases 63 and 66: none of C0 and C1. The text of a page may have line ends and tabs."""
    controls = [*range(1, 32), *range(127, 160)]
    found = []
    for table, column in rows(crawled.database, COLUMNS):
        kept = (9, 10, 13) if column == "text" or column == "config" else ()
        pattern = "*[" + "".join(chr(code) for code in controls if code not in kept) + "]*"
        sql = f'SELECT count(*) FROM "{table}" WHERE "{column}" GLOB ?'
        if rows(crawled.database, sql, pattern) != [(0,)]:
            found.append((table, column))
    assert found == []
