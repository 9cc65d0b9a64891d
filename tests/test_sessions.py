"""Is a site that knows its visitors by the address crawled page by page, each once?"""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from tests.crawls import config, crawl, fates, rows
from tests.sites.server import Answer, Request, html
from tests.sites.web import Web

PAGES = 16
FORMS = (
    "/t?t={n}&sid={hex}",
    "/t?sid={hex}&t={n}",
    "/t;jsessionid={hex}?t={n}",
    "/t?t={n}&utm_a={n}",
)


def forum(web: Web, form: str) -> None:
    """Every link of every answer carries an identifier that no other answer had."""
    serial = itertools.count(1)

    def answer(_request: Request) -> Answer:
        hrefs = (form.format(n=n, hex=f"{next(serial):032x}") for n in range(PAGES))
        return Answer(body=html("topic", "".join(f'<a href="{href}">t</a>' for href in hrefs)))

    web.decide("/", answer)
    for n in range(PAGES):
        web.decide(f"/t?t={n}", answer)


@pytest.mark.parametrize("form", FORMS)
def test_each_page_is_asked_for_once(tmp_path: Path, web: Web, form: str) -> None:
    forum(web, form)
    settings = config(scope={"strip_parameters": ["utm_*"]})
    outcome = crawl(tmp_path / "forum.db", web.url("/"), settings=settings)
    assert outcome.reason == "finished"
    assert sorted(web.paths) == sorted(["/robots.txt", "/", *(f"/t?t={n}" for n in range(PAGES))])
    assert set(rows(tmp_path / "forum.db", "SELECT state, reason FROM urls")) == {("done", None)}


def test_a_redirect_or_a_sitemap_brings_no_identifier_in(tmp_path: Path, web: Web) -> None:
    web.page("/", links=["/old"])
    web.redirect("/old", "/new;jsessionid=1")
    web.page("/new")
    web.robots(f"Sitemap: {web.url('/map.xml')}\n")
    web.raw(
        "/map.xml", body=f"<urlset><url><loc>{web.url('/new?PHPSESSID=2')}</loc></url></urlset>"
    )
    crawl(tmp_path / "site.db", web.url("/"), settings=config(robots={"sitemaps": True}))
    assert sorted(web.paths) == ["/", "/map.xml", "/new", "/old", "/robots.txt"]


def test_a_site_that_insists_on_an_identifier_is_read_with_it(tmp_path: Path, web: Web) -> None:
    """It answers a page without one by a redirect to the page with one."""
    for at, path in enumerate(["/", "/a", "/b"]):
        web.redirect(path, f"{path};jsessionid={at}")
        web.page(f"{path};jsessionid={at}", links=["/a;jsessionid=x", "/b;jsessionid=y", "/"])
    crawl(tmp_path / "site.db", web.url("/"))
    with_one = [f"{path};jsessionid={at}" for at, path in enumerate(["/", "/a", "/b"])]
    assert sorted(web.paths) == sorted(["/robots.txt", "/", "/a", "/b", *with_one])
    assert set(fates(tmp_path / "site.db").values()) == {("done", None)}
