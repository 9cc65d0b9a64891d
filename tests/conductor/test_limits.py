"""Does a run fetch as much as its limits allow, and no more?"""

from __future__ import annotations

from pathlib import Path

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
