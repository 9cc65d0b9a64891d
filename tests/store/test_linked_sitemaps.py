"""Is a sitemap read as one though a page links to it?"""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from crawler.config import Config
from tests.crawls import check_whole, config, crawl, rows
from tests.sites.server import Answer
from tests.sites.web import Web

SPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
ASKED = config(robots={"sitemaps": True})
KINDS = "SELECT kind FROM urls WHERE url LIKE '%.xml%' ORDER BY url"
LISTED = """
    SELECT sitemap.url, entry.url, lastmod, entry.depth
    FROM sitemap_entries
    JOIN urls AS sitemap ON sitemap.id = sitemap_id
    JOIN urls AS entry ON entry.id = url_id
    ORDER BY 1, 2
"""
ORPHANS = "SELECT url, sitemap FROM orphan_pages"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


def sitemap(*places: str, label: str = "application/xml", packed: bool = False) -> Answer:
    urls = "".join(f"<url><loc>{one}</loc><lastmod>2026-01-02</lastmod></url>" for one in places)
    body = f'<?xml version="1.0"?><urlset xmlns="{SPACE}">{urls}</urlset>'.encode()
    return Answer(200, {"Content-Type": label}, gzip.compress(body) if packed else body)


def index(*places: str) -> Answer:
    maps = "".join(f"<sitemap><loc>{one}</loc></sitemap>" for one in places)
    body = f'<sitemapindex xmlns="{SPACE}">{maps}</sitemapindex>'
    return Answer(200, {"Content-Type": "text/xml"}, body.encode())


def site(web: Web, *paths: str) -> None:
    """A front page that leads to these, and a page to which nothing leads."""
    web.page("/", links=["/a", *paths])
    web.page("/a", links=["/b"])
    web.page("/b")
    web.page("/orphan")


@pytest.mark.parametrize(
    ("path", "named", "sent"),
    [
        ("/maps/all.xml", False, {}),
        ("/maps/all.xml", True, {}),
        ("/sitemap.xml", False, {}),
        ("/sitemap.xml", True, {}),
        ("/all.xml", False, {"label": "text/html"}),
        ("/all.xml", False, {"label": "text/plain"}),
        ("/all.xml.gz", False, {"label": "application/gzip", "packed": True}),
    ],
)
def test_what_a_linked_sitemap_lists_is_known_as_listed(
    web: Web, database: Path, path: str, named: bool, sent: dict[str, object]
) -> None:
    site(web, path)
    web.answer(path, sitemap(web.url("/b"), web.url("/orphan"), **sent))  # type: ignore[arg-type]
    web.robots(f"Sitemap: {web.url(path)}\n" if named else "User-agent: *\nDisallow:\n")
    crawl(database, web.url(), settings=ASKED)
    assert rows(database, LISTED) == [
        (web.url(path), web.url("/b"), "2026-01-02", 1),
        (web.url(path), web.url("/orphan"), "2026-01-02", 1),
    ]
    assert rows(database, ORPHANS) == [(web.url("/orphan"), web.url(path))]
    assert rows(database, "SELECT count(*) FROM pages WHERE url = ?", web.url(path)) == [(1,)]
    check_whole(database)


def test_the_sitemaps_of_a_linked_index_are_no_pages(web: Web, database: Path) -> None:
    site(web, "/maps.xml")
    web.answer("/maps.xml", index(web.url("/one.xml")))
    web.answer("/one.xml", sitemap(web.url("/orphan")))
    settings = config(robots={"sitemaps": True}, scope={"exclude": ["one"]})
    crawl(database, web.url(), settings=settings)
    assert rows(database, KINDS) == [("page",), ("sitemap",), ("sitemap",)]
    assert rows(database, ORPHANS) == [(web.url("/orphan"), web.url("/one.xml"))]
    check_whole(database)


@pytest.mark.parametrize(
    "settings", [config(), config(robots={"sitemaps": True}, scope={"mode": "page"})]
)
def test_where_no_sitemaps_are_asked_for_it_is_a_page_with_links(
    web: Web, database: Path, settings: Config
) -> None:
    web.answer("/maps.xml", index(web.url("/one.xml")))
    web.answer("/one.xml", sitemap(web.url("/orphan")))
    web.page("/orphan")
    crawl(database, web.url("/maps.xml"), settings=settings)
    assert rows(database, LISTED) == []
    assert set(rows(database, "SELECT kind FROM urls WHERE url LIKE '%.xml'")) == {("page",)}
    links = "SELECT DISTINCT page, kind FROM current_links"
    assert (web.url("/maps.xml"), "sitemap") in rows(database, links)
    check_whole(database)


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize(
    ("later", "listed"),
    [
        (sitemap("/b"), ["/b"]),
        (sitemap(), []),
        (Answer(200, {"Content-Type": "text/html"}, b"<title>No more</title>"), []),
        (Answer(404), []),
        (Answer(301, {"Location": "/b"}), []),
        (Answer(503), ["/orphan"]),
    ],
    ids=["another", "empty", "a page", "gone", "moved", "busy"],
)
def test_a_sitemap_lists_what_it_listed_last(
    web: Web, database: Path, linked: bool, later: Answer, listed: list[str]
) -> None:
    site(web, *(["/map.xml"] if linked else []))
    web.robots(f"Sitemap: {web.url('/map.xml')}\n")
    web.answer("/map.xml", sitemap(web.url("/orphan")))
    crawl(database, web.url(), settings=ASKED)
    here = later.body.replace(b"<loc>/", f"<loc>{web.url('/')}".encode())
    web.answer("/map.xml", Answer(later.status, later.headers, here))
    crawl(database, web.url(), settings=ASKED)
    found = rows(database, "SELECT url FROM urls JOIN sitemap_entries ON url_id = urls.id")
    assert found == [(web.url(path),) for path in listed]
    check_whole(database)
