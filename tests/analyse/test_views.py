"""Do the views of the analysis answer what they are named for?"""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.analyse.run import analyse
from crawler.config import Config
from tests.analyse.site import Site
from tests.crawls import crawl, rows
from tests.sites.web import Web

TEXT = " ".join(
    f"word{number} is said here" for number in range(3000)
)  # beside what else stands there
SHELL = "<!doctype html><html lang=en><title>App</title><body><div id=root></div>{}"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with pages that must not be indexed, that are alike, that scripts make."""
    path = tmp_path_factory.mktemp("views") / "views.db"
    web = Web()
    site = Site(web.host("127.0.6.5"))
    site.page("/noindex", robots="noindex, follow")
    site.page("/elsewhere", canonical=site.url("/noindex"))
    site.page("/gone", status=410)
    site.page("/one", body=f"<p>{TEXT} at one end</p>")
    site.page("/other", body=f"<p>{TEXT} at other end</p>")
    site.page("/app", html=SHELL.format("<script src=/app.js></script>"))
    site.page("/plain", html=SHELL.format(""))
    site.page("/shop", body=f"<script src=/app.js></script><p>{TEXT[:900]} unlike</p>")
    site.finish()
    crawl(path, site.url())
    analyse(path, Config(), lambda *_: None, processes=1)
    web.close()
    return path


def test_what_may_not_be_indexed_is_told_with_why(database: Path) -> None:
    found = rows(database, "SELECT url, reason, why FROM not_indexable_pages ORDER BY url")
    assert [(url.rpartition("/")[2], reason, why) for url, reason, why in found] == [
        ("elsewhere", "canonical", next(url for url, *_ in found if url.endswith("/noindex"))),
        ("gone", "status", "410"),
        ("noindex", "noindex", "noindex, follow"),
    ]


def test_pages_that_say_almost_the_same_are_told_with_the_first(database: Path) -> None:
    found = rows(database, "SELECT url, like_url, similarity FROM near_duplicate_pages")
    ends = [{url.rpartition("/")[2], like.rpartition("/")[2]} for url, like, _ in found]
    assert ends == [{"one", "other"}]
    assert all(0.9 <= similarity < 1 for *_, similarity in found)


def test_pages_that_scripts_make_are_told(database: Path) -> None:
    """Neither one with as little text and no script, nor one with a script and text."""
    found = rows(database, "SELECT url, scripts, anchors FROM likely_javascript")
    assert [(url.rpartition("/")[2], *others) for url, *others in found] == [("app", 1, 0)]
