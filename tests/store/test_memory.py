"""Does memory stay the same, however much was fetched and however much waits?"""

from __future__ import annotations

from pathlib import Path

from crawler.store.database import open_for_writing
from tests.crawls import config, crawl, crawl_apart, rows
from tests.patience import PATIENT_S
from tests.sites import generated
from tests.sites.generated import GeneratedSite

WAITING = 300_000
CACHE_MIB = 20
"""What SQLite keeps of a file (``PRAGMA cache_size``): a small one does not fill it, a larger may.
URLs that wait would take more, were they held."""

PRELOAD = """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {many})
    INSERT INTO urls (url, hash, host_id, origin_id, state, depth, via, first_seen_at, run_id)
    SELECT origins.origin || '/waits/' || n, n, hosts.id, origins.id, 'queued', 40, 'a', '', 1
    FROM numbers, hosts
    JOIN origins ON origins.host_id = hosts.id
    WHERE hosts.id = 1
"""


def peak_mib(database: Path, url: str, max_pages: int) -> float:
    settings = config(run={"max_pages": max_pages})
    process = crawl_apart(database, url, settings=settings)
    output, _ = process.communicate(timeout=PATIENT_S)
    words = output.split()
    assert int(words[3]) == max_pages
    return int(words[4]) / 1024


def test_ten_thousand_pages_fit_in_150_mib(tmp_path: Path) -> None:
    site = GeneratedSite(pages=10_000, links_per_page=10, page_bytes=8_000)
    with generated.serve_apart(site) as served:
        assert peak_mib(tmp_path / "crawl.db", served.url(), site.pages) < 150
    assert rows(tmp_path / "crawl.db", "SELECT count(*) FROM pages") == [(site.pages,)]


def test_memory_does_not_grow_with_what_waits(tmp_path: Path) -> None:
    site = GeneratedSite(pages=2_000, links_per_page=10)
    with generated.serve_apart(site) as served:
        peaks = []
        for waiting in (0, WAITING):
            database = tmp_path / f"{waiting}.db"
            crawl(database, served.url(), settings=config(run={"max_pages": 1}))
            if waiting:
                preload(database, waiting)
            peaks.append(peak_mib(database, served.url(), site.pages - 1))
            [(left,)] = rows(database, "SELECT count(*) FROM urls WHERE state = 'queued'")
            assert left >= waiting - site.pages
    assert peaks[1] - peaks[0] < CACHE_MIB


def preload(database: Path, many: int) -> None:
    """Queue so many URLs more, far from every seed."""
    connection = open_for_writing(database)
    connection.execute(PRELOAD.format(many=many))
    connection.execute("UPDATE hosts SET queued = queued + ? WHERE id = 1", (many,))
    connection.close()
