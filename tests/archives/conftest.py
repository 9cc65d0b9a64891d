"""A crawl whose answers are hard to keep, and what archives are made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.archives.site import MAX_BODY, publish
from tests.crawls import config, crawl, let_a_day_pass
from tests.sites.web import Web
from tests.terminal import Terminal


@pytest.fixture(scope="session")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A site whose answers are awkward, crawled twice; to be read, never written."""
    database = tmp_path_factory.mktemp("crawled") / "site.db"
    web = Web()
    publish(web)
    settings = config(
        robots={"sitemaps": True}, fetch={"max_body_bytes": MAX_BODY}, pace={"tries": 1}
    )
    crawl(database, web.url(), settings=settings)
    let_a_day_pass(database)
    web.page("/deep", title="Deep", body="<p id='part'>At the bottom, and changed</p>")
    crawl(database, web.url(), settings=settings)
    yield database
    web.close()


@pytest.fixture
def crawler(tmp_path: Path) -> Terminal:
    """The command, in an empty folder."""
    return Terminal(tmp_path)
