"""Is robots.txt obeyed by the name that the user agent gives, or that is set?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crawls import config, crawl, fates
from tests.sites.web import Web

RULES = """
User-agent: mozilla
Disallow: /for-browsers
User-agent: NewsBot
Disallow: /for-news
User-agent: *
Disallow: /for-all
"""
PATHS = ["/for-browsers", "/for-news", "/for-all"]


@pytest.mark.parametrize(
    ("fetch", "forbidden"),
    [
        ({"user_agent": "Mozilla/5.0 (compatible; NewsBot/1.0)"}, "/for-news"),
        ({"user_agent": "Mozilla/5.0", "robots_token": "newsbot"}, "/for-news"),
        ({"user_agent": "Mozilla/5.0"}, "/for-browsers"),
        ({}, "/for-all"),
    ],
)
def test_robots_txt_is_read_by_that_name(
    tmp_path: Path, web: Web, fetch: dict[str, object], forbidden: str
) -> None:
    web.robots(RULES)
    web.page("/", links=PATHS)
    for path in PATHS:
        web.page(path)
    crawl(tmp_path / "a.db", web.url("/"), settings=config(fetch=fetch))
    found = fates(tmp_path / "a.db", web.url(""))
    assert found.keys() == {"/", *PATHS}
    assert {path for path, fate in found.items() if fate == ("skipped", "robots")} == {forbidden}
