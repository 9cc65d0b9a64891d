"""Is it told when a page cannot be indexed any more?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.analyse.run import analyse
from crawler.config import Config
from tests.analyse.site import Site
from tests.crawls import config, crawl, let_a_day_pass, rows
from tests.sites.server import Answer
from tests.sites.web import Web

BECAME = """
    SELECT json_extract(findings.evidence, '$.reason')
    FROM findings
    JOIN urls ON urls.id = findings.url_id
    WHERE check_name = 'became_nonindexable' AND urls.url LIKE '%/page'
"""


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ({}, {"robots": "noindex"}, "noindex"),
        ({}, {"headers": {"X-Robots-Tag": "none"}}, "noindex"),
        ({}, {"canonical": "/other"}, "canonical"),
        ({}, {"status": 410}, "status"),
        ({}, {"status": 301, "headers": {"Location": "/other"}}, "redirect"),
        ({}, {"title": "It is only called otherwise"}, None),
        ({}, {"status": 503}, None),
        ({}, {"status": 403, "headers": {"cf-mitigated": "challenge"}}, None),
        ({"robots": "noindex"}, {"robots": "noindex, nofollow"}, None),
        ({"headers": {"X-Robots-Tag": "noindex"}}, {"robots": "noindex"}, None),
        ({"canonical": "/other"}, {"robots": "noindex"}, None),
        ({"status": 404}, {"robots": "noindex"}, None),
        ({"robots": "noindex"}, {}, None),
    ],
)
def test_a_page_that_cannot_be_indexed_any_more_is_told(
    web: Web, tmp_path: Path, before: dict[str, str], after: dict[str, str], reason: str | None
) -> None:
    site = Site(web.host("127.0.6.1"))
    for told in (before, after):
        site.page("/page", **told)
        site.finish()
        crawl(tmp_path / "a.db", site.url(), settings=config(pace={"tries": 1}))
    analyse(tmp_path / "a.db", Config(), lambda *_: None, processes=1)
    assert rows(tmp_path / "a.db", BECAME) == ([(reason,)] if reason else [])


def test_a_page_that_robots_txt_forbids_by_now_is_told(web: Web, tmp_path: Path) -> None:
    site = Site(web.host("127.0.6.1"))
    site.page("/page")
    site.finish()
    for rules in ("", "User-agent: *\nDisallow: /page\n"):
        site.host.robots(rules)
        crawl(tmp_path / "a.db", site.url())
        let_a_day_pass(tmp_path / "a.db")
    analyse(tmp_path / "a.db", Config(), lambda *_: None, processes=1)
    assert rows(tmp_path / "a.db", BECAME) == [("robots",)]


def test_a_wall_in_place_of_a_page_tells_nothing_of_the_page(web: Web, tmp_path: Path) -> None:
    site = Site(web.host("127.0.6.1"))
    site.answer("/page", Answer(200, {"cf-mitigated": "challenge"}, b"<p>Checking</p>"))
    site.finish()
    crawl(tmp_path / "a.db", site.url())
    analyse(tmp_path / "a.db", Config(), lambda *_: None, processes=1)
    sql = "SELECT indexability_reason FROM pages WHERE url LIKE '%/page'"
    assert rows(tmp_path / "a.db", sql) == [("challenge",)]
