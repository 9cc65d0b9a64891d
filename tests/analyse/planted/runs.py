"""Crawls that do not see all, and hosts that do not show it.

What changes between runs is planted in `tests/analyse/test_runs.py`.
"""

from __future__ import annotations

from tests.analyse.site import Site
from tests.crawls import config

_NO_CRAWL = "there is no earlier run that came to its end"
_NO_AUDIT = "no earlier run was audited"
NOT_JUDGED = {
    **dict.fromkeys(
        (
            *("pages_new", "pages_gone", "status_changed", "facts_changed", "text_changed"),
            *("words_changed", "outlinks_changed", "schema_types_changed"),
        ),
        _NO_CRAWL,
    ),
    **dict.fromkeys(("broken_links_new", "checks_fixed"), _NO_AUDIT),
    "depth_changed": "no earlier run that came to its end was audited",
}
MOST_PAGES, MOST_LINKS = 20, 50
SETTINGS = config(
    scope={"max_pages_per_host": MOST_PAGES}, parse={"max_links": MOST_LINKS}, pace={"tries": 1}
)


def plant_reasons(site: Site) -> None:
    """A host with links that are not followed."""
    site.host.robots("User-agent: *\nDisallow: /forbidden\n")
    site.page(
        "/leading",
        body='<a href="/forbidden/a">A</a> <a href="/forbidden/b">B</a> <a href="/own">C</a>'
        ' <a href="http://127.0.9.9/">D</a>',
        planted=[("urls_unexplained", "robots"), ("urls_unexplained", "scope")],
    )
    site.page("/own", body='<a href="http://127.0.9.9/2">E</a>', spared=["urls_unexplained"])


def plant_limits(site: Site) -> None:
    """A host with more pages than are fetched of one, which is told on the page that leads there
    and for the whole host."""
    for number in range(MOST_PAGES):
        site.page(f"/page/{number}")
    site.front = {"planted": ["crawl_incomplete", ("urls_unexplained", "host_cap")]}


def plant_whole(site: Site) -> None:
    """A host with as many pages as are fetched of one; and pages with as many links as are kept."""
    for number in range(MOST_PAGES - 3):
        site.page(f"/page/{number}")
    link = '<a href="/page/1">One</a>'
    site.page("/links/50", canonical=None, body=link * MOST_LINKS, spared=["facts_truncated"])
    site.page(
        "/links/51", canonical=None, body=link * (MOST_LINKS + 1), planted=["facts_truncated"]
    )
    site.front = {"spared": ["crawl_incomplete", "urls_unexplained", "crawl_blocked"]}


def plant_wall(site: Site) -> None:
    """A host of which more than a tenth answers 403."""
    for number in range(7):
        site.page(f"/page/{number}")
    site.page("/secret", status=403)
    site.front = {"planted": ["crawl_blocked"]}


def plant_fence(site: Site) -> None:
    """A host of which a tenth answers 403, and more 404."""
    for number in range(7):
        site.page(f"/page/{number}")
    site.page("/gone", status=404)
    site.page("/secret", status=403)
    site.front = {"spared": ["crawl_blocked"]}
