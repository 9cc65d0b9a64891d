"""Are an ETag and a Last-Modified believed that say otherwise than their page?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.analyse.run import analyse
from crawler.config import Config
from tests.analyse.site import Site
from tests.crawls import crawl, rows
from tests.sites.web import Web

LIARS = """
    SELECT urls.url
    FROM findings
    JOIN urls ON urls.id = findings.url_id
    WHERE check_name = 'validators_that_lie'
"""
OLD, NEW = "The page as it was before", "The page as it became since"
DATED = {"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
NEXT_DAY = {"Last-Modified": "Fri, 02 Jan 2026 00:00:00 GMT"}


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


@pytest.mark.parametrize(
    ("before", "after", "lies"),
    [
        # RFC 9110, section 8.8.3: an ETag differs when the document does
        ((OLD, {"ETag": '"a"'}), (NEW, {"ETag": '"a"'}), True),
        ((OLD, {"ETag": '"a"'}), (NEW, {"ETag": '"b"'}), False),
        ((OLD, {"ETag": '"a"'}), (OLD, {"ETag": '"b"'}), True),
        ((OLD, {"ETag": '"a"'}), (OLD, {"ETag": '"a"'}), False),
        # 8.8.1: a weak one may stay while the text does, but not when that changes
        ((OLD, {"ETag": 'W/"a"'}), (NEW, {"ETag": 'W/"a"'}), True),
        # 8.8.2: a date of modification that stayed as it was
        ((OLD, DATED), (NEW, DATED), True),
        ((OLD, DATED), (NEW, NEXT_DAY), False),
        ((OLD, {}), (NEW, {}), False),
    ],
)
def test_validators_that_lie_are_told(
    web: Web,
    tmp_path: Path,
    before: tuple[str, dict[str, str]],
    after: tuple[str, dict[str, str]],
    lies: bool,
) -> None:
    site = Site(web.host("127.0.6.1"))
    site.finish()
    for title, headers in (before, after):
        site.page("/page", html=f"<title>{title}</title><p>{title}</p>", headers=headers)
        site.finish()
        crawl(tmp_path / "a.db", site.url(), site.url("/page"))
    analyse(tmp_path / "a.db", Config(), lambda *_: None, processes=1)
    found = {url for (url,) in rows(tmp_path / "a.db", LIARS)}
    assert (site.url("/page") in found) == lies
