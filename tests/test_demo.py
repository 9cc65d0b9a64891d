"""Does the demo have the faults that it promises?"""

from __future__ import annotations

from urllib.parse import urljoin

from crawler import demo
from tests.sites import walk


def test_the_demo_is_the_same_every_time() -> None:
    assert demo.build() == demo.build()
    assert demo.build(1) != demo.build(2)


def test_every_page_but_the_forgotten_one_can_be_reached_and_only_the_broken_links_break() -> None:
    with demo.serve() as base:
        found = walk.walk(base)
    site = demo.build()
    html = {
        urljoin(base, page.path)
        for page in site.pages.values()
        if page.status == 200 and page.content_type.startswith("text/html")
    }
    assert html - found.pages == {urljoin(base, "/keepers/forgotten")}
    assert found.pages <= html
    promised = {(urljoin(base, page), href) for page, href, _ in demo.BROKEN if href != "/tickets"}
    copies = {(f"{page}?print=1", href) for page, href in promised}
    assert promised <= {(one.source, one.href) for one in found.broken()} <= promised | copies
    assert len(found.pages) >= 200


def test_its_redirects_lead_where_they_say() -> None:
    with demo.serve() as base:
        found = walk.walk(base)
    assert found.redirects == {
        urljoin(base, path): urljoin(base, target) for path, target in demo.MOVED.items()
    }
    assert found.statuses[urljoin(base, "/shop/ferry-ticket")] == 404


def test_the_sitemap_names_the_page_that_nothing_links_to() -> None:
    pages = demo.build().pages
    assert f"<loc>{demo.BASE}/keepers/forgotten</loc>" in pages["/sitemap.xml"].body
    assert not any('href="/keepers/forgotten"' in page.body for page in pages.values())
