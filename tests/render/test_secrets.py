"""Does nobody get by a shown page what a person has entrusted to one site?"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from crawler.config import Config, load
from crawler.fetch.fetcher import Fetcher
from crawler.model import Grant, Job, Reply
from crawler.policy import urls
from crawler.policy.sites import Sites
from crawler.render.cache import Cache
from crawler.render.needs import Needs
from tests.sites.web import Web

SECRET = "Basic YW5uOnMzY3JldA=="
STRANGER = "http://stranger.example/"


class Asks:
    """Lets everything be asked for, behind the robots.txt of an origin."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def ask(self, token: int, url: str, kind: str, addresses: tuple[str, ...] = ()) -> object:
        origin = urls.resolve(url, rules=urls.UNLIMITED)[0].origin
        is_known = origin in self._known
        self._known.add(origin)
        return Grant(token, 0, robots_first=not is_known)

    def tell(self, question: object) -> None:
        return None


class Pages:
    """Pages that a worker shows one after the other, of a crawl with a password for one site."""

    def __init__(self, folder: Path, web: Web) -> None:
        written = folder / "sites.toml"
        written.write_text(
            f'[site."{web.url("")}"]\nbasic = {{ user = "ann", password = "s3cret" }}\n'
        )
        self.config: Config = load(written, [])
        self._cache = Cache()
        self._fetcher = Fetcher(
            self.config.fetch, allow_private=("127.0.0.0/8",), sites=Sites(self.config)
        )

    def page(self, url: str, *, is_private: bool = False) -> Needs:
        """What a page may ask for."""

        def fetch(job: Job, more: Mapping[str, str]) -> Reply:
            return self._fetcher.fetch(job, more=more)

        job = Job(1, 1, url, named=True, cookies="sid=1")
        return Needs(job, self.config, fetch, Asks(), self._cache, is_private=is_private)


def script(url: str) -> dict[str, Any]:
    """A request for a script, or whatever else."""
    return {"url": url, "method": "GET", "headers": {}}


@pytest.fixture
def pages(tmp_path: Path, web: Web) -> Pages:
    web.raw("/secret.js", headers={"Content-Type": "text/javascript"}, body="let secret")
    web.raw("/frame", headers={"Content-Type": "text/html"}, body="<p>framed")
    return Pages(tmp_path, web)


def sent(web: Web, path: str) -> list[str | None]:
    """The passwords that came with the requests for a path."""
    return [hit.headers.get("authorization") for hit in web.log if hit.path == path]


def test_a_page_of_another_site_is_not_answered_what_a_password_opens(
    pages: Pages, web: Web
) -> None:
    assert pages.page(STRANGER).serve(script(web.url("/secret.js")), "Script", 0).status == 200
    assert sent(web, "/secret.js") == [None]
    assert sent(web, "/robots.txt") == [SECRET]


def test_a_page_of_another_site_is_not_given_what_the_site_itself_was_answered(
    pages: Pages, web: Web
) -> None:
    pages.page(web.url("/")).serve(script(web.url("/secret.js")), "Script", 0)
    pages.page(web.url("/b")).serve(script(web.url("/secret.js")), "Script", 0)
    assert sent(web, "/secret.js") == [SECRET]
    pages.page(STRANGER).serve(script(web.url("/secret.js")), "Script", 0)
    assert sent(web, "/secret.js") == [SECRET, None]


def test_what_is_on_a_private_address_is_given_to_no_page_from_elsewhere(
    pages: Pages, web: Web
) -> None:
    for is_private in (True, True, False):
        page = pages.page(STRANGER, is_private=is_private)
        page.serve(script(web.url("/secret.js")), "Script", 0)
    assert len(sent(web, "/secret.js")) == 2


def test_a_frame_that_was_another_sites_gets_nothing_of_the_pages_own(
    pages: Pages, web: Web
) -> None:
    page = pages.page(web.url("/"))
    page.serve(script(web.url("/frame")), "Document", 1, "own")
    page.serve(script(web.url("/secret.js")), "Script", 1, "own")
    assert sent(web, "/secret.js") == [SECRET]
    page.serve(script("http://127.0.0.1:1/frame"), "Document", 1, "other")
    page.serve(script(web.url("/frame")), "Document", 1, "other")
    page.serve(script(web.url("/secret.js")), "Script", 1, "other")
    assert sent(web, "/secret.js") == [SECRET, None]


@pytest.mark.parametrize(
    "path", ["/delete?id=1&x=/robots.txt", "/delete/robots.txt", "/robots.txt?delete=1"]
)
def test_a_robots_txt_that_redirects_asks_another_host_for_its_own_alone(
    pages: Pages, web: Web, path: str
) -> None:
    other, victim = web.host("127.0.7.1"), web.host("127.0.7.2")
    other.redirect("/robots.txt", victim.url(path))
    pages.page(STRANGER).serve(script(other.url("/a.js")), "Script", 0)
    assert "/robots.txt" in other.paths
    assert victim.paths == []
