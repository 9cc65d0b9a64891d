"""Does a run fetch as much as its limits allow, and no more?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from crawler.conductor import conductor, flow
from crawler.store.contract import Arrival, Settled
from crawler.store.writer import Writer
from tests.crawls import config, crawl, rows
from tests.sites.web import Web


def test_redirects_use_up_no_pages_of_the_limit(web: Web, tmp_path: Path) -> None:
    """Whoever asks for three pages of a site whose links all redirect wants three pages."""
    web.page("/", links=[f"/old/{number}" for number in range(9)])
    for number in range(9):
        web.redirect(f"/old/{number}", f"/new/{number}")
        web.page(f"/new/{number}")
    database = tmp_path / "crawl.db"
    outcome = crawl(
        database, web.url(), settings=config(run={"max_pages": 3}, pace={"own_in_flight": 1})
    )
    assert outcome.reason == "max_pages"
    assert rows(database, "SELECT count(*) FROM pages WHERE status = 200") == [(3,)]


SPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
NO_ENTRIES = {"exclude": (r"\.xml/",)}
"""Sitemaps are read, and the pages they name not asked for."""
RECORD = Writer.record


def sitemaps(web: Web, many: int, entries: int) -> None:
    """A site whose robots.txt names so many sitemaps, all of new pages."""
    named = [f"/map{number}.xml" for number in range(many)]
    web.robots("".join(f"Sitemap: {web.url(path)}\n" for path in named))
    web.page("/")
    for path in named:
        listed = "".join(
            f"<url><loc>{web.url(f'{path}/{entry}')}</loc></url>" for entry in range(entries)
        )
        web.raw(
            path,
            headers={"Content-Type": "application/xml"},
            body=f'<urlset xmlns="{SPACE}">{listed}</urlset>',
        )


def test_what_names_very_many_addresses_is_stored_one_at_a_time(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Storing 50,000 new addresses takes seconds: what came beside them waits for one such only."""
    sizes: list[list[int]] = []

    def record(self: Writer, arrivals: Sequence[Arrival], paces: Any) -> Settled:
        sizes.append([len(arrival.visit.document.targets) for arrival in arrivals])
        return RECORD(self, arrivals, paces)

    monkeypatch.setattr(Writer, "record", record)
    monkeypatch.setattr(flow, "LARGE_TARGETS", 10)
    sitemaps(web, 30, 20)
    settings = config(robots={"sitemaps": True}, scope=NO_ENTRIES)
    crawl(tmp_path / "crawl.db", web.url(), settings=settings)
    large = [[size > 10 for size in batch] for batch in sizes]
    assert sum(map(sum, large)) == 30
    assert all(sum(batch) <= 1 for batch in large)


def test_a_run_that_was_stopped_stores_what_has_come_for_a_bounded_time(
    web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not stored by then still waits in the file, and nothing is lost."""
    monkeypatch.setattr(conductor, "REST_S", 0.0)
    monkeypatch.setattr(flow, "LARGE_TARGETS", 10)
    sitemaps(web, 30, 2_000)
    database = tmp_path / "crawl.db"
    limits = {"max_seconds": 0.5, "drain_s": 0}
    settings = config(robots={"sitemaps": True}, scope=NO_ENTRIES, run=limits)
    outcome = crawl(database, web.url(), settings=settings)
    assert outcome.reason == "max_time"
    crawl(database, web.url(), settings=config(robots={"sitemaps": True}, scope=NO_ENTRIES))
    assert rows(database, "SELECT count(DISTINCT sitemap_id) FROM sitemap_entries") == [(30,)]
