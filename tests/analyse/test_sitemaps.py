"""Is it told that a sitemap says of a page that it changed when it did not?"""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from crawler.analyse.run import analyse
from crawler.config import Config
from crawler.store.clock import iso
from tests.analyse.planted.sitemaps import xml
from tests.analyse.test_checks import told
from tests.crawls import config, crawl, rows
from tests.sites.web import Web

FOUND = """
    SELECT urls.url, findings.item
    FROM findings
    JOIN urls ON urls.id = findings.url_id
    WHERE check_name = 'sitemap_lastmod_lies' AND fixed_run_id IS NULL
"""


def crawled(web: Web, database: Path, lastmod: str, text: str) -> list[tuple[str, str]]:
    """What is found in one more run, with the page as it is now and this date for it."""
    web.page("/", body=text)
    web.raw("/sitemap.xml", body=xml([(web.url("/"), lastmod)]))
    crawl(database, web.url("/"), settings=config(robots={"sitemaps": True}))
    analyse(database, Config(), told, processes=1)
    return rows(database, FOUND)


@pytest.mark.parametrize(
    ("text", "is_lie"), [("as it was", True), ("as it was not", False)], ids=["same", "changed"]
)
def test_a_date_behind_the_last_change_that_was_seen_is_a_lie(
    web: Web, tmp_path: Path, text: str, is_lie: bool
) -> None:
    assert crawled(web, tmp_path / "a.db", "2020-01-01", "as it was") == []
    found = crawled(web, tmp_path / "a.db", iso(time.time()), text)
    assert found == [(web.url("/sitemap.xml"), web.url("/"))] * is_lie


def test_a_date_before_all_that_was_seen_may_be_true(web: Web, tmp_path: Path) -> None:
    for _ in range(2):
        assert crawled(web, tmp_path / "a.db", "2020-01-01", "as it was") == []
