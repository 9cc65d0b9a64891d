"""Sitemaps that list what they should not, and some that only seem to."""

from __future__ import annotations

import gzip
from collections.abc import Iterable

from tests.analyse.site import Planted, Site
from tests.crawls import config
from tests.sites.server import Answer

NOT_JUDGED = {"sitemap_lastmod_lies": "there is no earlier run to compare with"}
SETTINGS = config(robots={"sitemaps": True}, pace={"tries": 1})
SPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
CROSS = "127.0.5.2"
MIB = 1024 * 1024
OF_ENTRIES = (
    *("sitemap_has_errors", "sitemap_has_redirects", "sitemap_has_noindex", "sitemap_has_http"),
    *("sitemap_has_canonicalised", "sitemap_has_blocked", "sitemap_other_host"),
    *("sitemap_duplicates", "sitemap_lastmod_invalid", "sitemap_lastmod_same"),
)
OF_FILES = (
    *("sitemap_malformed", "sitemap_bad_status", "sitemap_too_many", "sitemap_too_large"),
    *("sitemap_nested_index", "sitemap_missing"),
)


def xml(entries: Iterable[str | tuple[str, str]], *, index: bool = False) -> str:
    """A sitemap of these addresses, some with a date."""
    root, name = ("sitemapindex", "sitemap") if index else ("urlset", "url")
    pairs = [(one, "") if isinstance(one, str) else one for one in entries]
    listed = "".join(
        f"<{name}><loc>{url}</loc>{date and f'<lastmod>{date}</lastmod>'}</{name}>"
        for url, date in pairs
    )
    return f'<?xml version="1.0"?>\n<{root} xmlns="{SPACE}">{listed}</{root}>\n'


def _map(site: Site, path: str, text: str | bytes, *planted: Planted, status: int = 200,
         spared: Iterable[str] = (*OF_ENTRIES, *OF_FILES)) -> None:  # fmt: skip
    named = {one if isinstance(one, str) else one[0] for one in planted}
    body = text.encode() if isinstance(text, str) else text
    answer = Answer(status, {"Content-Type": "application/xml"}, body)
    site.answer(path, answer, linked=False, planted=planted, spared=set(spared) - named)


def plant(site: Site) -> None:
    """A host with many sitemaps."""
    site.front = {"spared": ["sitemap_missing", "not_in_sitemap"]}
    maps = [*_of_entries(site), *_of_dates(site), *_of_files(site)]
    lines = "".join(f"Sitemap: {site.url(path)}\n" for path in maps)
    site.host.robots(f"User-agent: *\nDisallow: /blocked\n{lines}")


def plant_cross(site: Site) -> None:
    """Another host, whose robots.txt says that its sitemap stands on the first."""
    assert site.web is not None
    other = site.web.host("127.0.5.1").url("/cross.xml")
    site.host.robots(f"User-agent: *\nAllow: /\nSitemap: {other}\n")
    site.page("/cross-page", spared=["not_in_sitemap"])
    site.front = {"spared": ["sitemap_missing", "not_in_sitemap"]}


def plant_none(site: Site) -> None:
    """No robots.txt, no sitemap: what is in none of them is no fault then."""
    site.front = {"planted": ["sitemap_missing"], "spared": ["not_in_sitemap"]}
    site.spared |= {("sitemap_bad_status", "/sitemap.xml")}


def plant_usual(site: Site) -> None:
    """No robots.txt, but a sitemap at the usual place."""
    site.front = {"spared": ["sitemap_missing"]}
    _map(site, "/sitemap.xml", xml([site.url("/")]))


def plant_page_in_place(site: Site) -> None:
    """A server that answers everything with a page: nobody said that there was a sitemap."""
    site.page("/sitemap.xml", linked=False, spared=["sitemap_malformed"])


def plant_linked(site: Site) -> None:
    """A page links to the sitemap, which is read as one all the same, and is no page to list."""
    site.front = {"spared": ["sitemap_missing", "not_in_sitemap"]}
    gone = site.url("/gone")
    site.page("/leads-there", body='<a href="/sitemap.xml">Sitemap</a>', planted=["not_in_sitemap"])
    site.page("/orphan", linked=False, planted=["orphan_pages"])
    site.page("/gone", status=404)
    _map(site, "/sitemap.xml", xml([site.url("/"), site.url("/orphan"), gone]),
         ("sitemap_has_errors", gone),
         spared=(*OF_ENTRIES, *OF_FILES, "not_in_sitemap", "orphan_pages"))  # fmt: skip


def plant_linked_and_gone(site: Site) -> None:
    """A page links to a sitemap that nobody names, and that is not there."""
    site.front = {"planted": ["sitemap_missing"]}
    site.page("/leads-there", body='<a href="/sitemap.xml">Sitemap</a>')
    site.spared |= {("sitemap_bad_status", "/sitemap.xml")}


def plant_linked_and_named(site: Site) -> None:
    """A page links to a sitemap that is named, and not there."""
    site.page("/leads-there", body='<a href="/named.xml">Sitemap</a>')
    site.host.robots(f"Sitemap: {site.url('/named.xml')}\n")
    site.found |= {("sitemap_bad_status", "/named.xml", "")}


def plant_secure(site: Site) -> None:
    """A host of https."""
    site.called = "https://lights.example"
    site.host.robots(f"Sitemap: {site.url('/map.xml')}\n")
    old = "http://lights.example/old"
    _map(site, "/map.xml", xml([site.url("/"), old]), ("sitemap_has_http", old),
         ("sitemap_other_host", old), spared=())  # fmt: skip


def _of_entries(site: Site) -> list[str]:
    good = [f"/good/{number}" for number in range(3)]
    for path in good:
        site.page(path, spared=["not_in_sitemap", "orphan_pages"])
    site.page("/gone", status=404)
    site.host.redirect("/moved", "/good/0", status=301)
    site.page("/noindex", robots="noindex")
    site.page("/elsewhere", canonical=site.url("/good/0"))
    site.page("/orphan", linked=False, planted=["orphan_pages"])
    site.page("/unlisted", planted=["not_in_sitemap"])
    site.page("/unlisted/noindex", robots="noindex", spared=["not_in_sitemap"])
    site.page("/unlisted/gone", status=404, spared=["not_in_sitemap"])
    faults = {
        "sitemap_has_errors": site.url("/gone"),
        "sitemap_has_redirects": site.url("/moved"),
        "sitemap_has_noindex": site.url("/noindex"),
        "sitemap_has_canonicalised": site.url("/elsewhere"),
        "sitemap_has_blocked": site.url("/blocked"),
        "sitemap_other_host": "http://other.example/their",
    }
    twice = site.url("/good/1")
    listed = ["/", *good, "/orphan"]
    _map(site, "/main.xml", xml([*map(site.url, listed), *faults.values()]),
         *faults.items(), ("sitemap_duplicates", twice))  # fmt: skip
    _map(site, "/second.xml", xml([twice]), ("sitemap_duplicates", twice))
    _map(site, "/once.xml", xml([site.url("/listed/once")] * 2))
    site.page("/listed/once")
    assert site.web is not None
    cross = site.web.host(CROSS)
    _map(site, "/cross.xml", xml([cross.url("/"), cross.url("/cross-page")]))
    return ["/main.xml", "/second.xml", "/once.xml", "/cross.xml"]


def _of_dates(site: Site) -> list[str]:
    wrong = ("yesterday", "2999-01-01", "2025-02-31", "01/02/2025", "2025-1-2", "2025-01-02 10:00")
    right = ("2025", "2025-06", "2025-06-07", "2025-06-07T10:00Z", "2025-06-07T10:00:00.5+02:00",
             "2025-06-07T10:00:00Z")  # fmt: skip
    dates = {f"/date/wrong-{number}": date for number, date in enumerate(wrong)}
    dates |= {f"/date/right-{number}": date for number, date in enumerate(right)}
    for path in dates:
        site.page(path)
    _map(site, "/dates.xml", xml((site.url(path), date) for path, date in dates.items()),
         *(("sitemap_lastmod_invalid", site.url(path)) for path in dates if "wrong" in path),
    )  # fmt: skip
    days = {"same": 2, "days": 3}
    for name, count in days.items():
        paths = [f"/{name}/{number}" for number in range(20)]
        for path in paths:
            site.page(path)
        dated = [(site.url(path), f"2025-03-0{1 + at % count}") for at, path in enumerate(paths)]
        planted = ["sitemap_lastmod_same"] if name == "same" else []
        _map(site, f"/{name}.xml", xml(dated), *planted)
    few = [f"/few/{number}" for number in range(19)]
    for path in few:
        site.page(path)
    _map(site, "/few.xml", xml((site.url(path), "2025-03-01") for path in few))
    feed = (
        f"<rss version='2.0'><channel><item><link>{site.url('/in-feed')}</link>"
        "<pubDate>Tue, 10 Jun 2025 04:00:00 GMT</pubDate></item></channel></rss>"
    )
    site.page("/in-feed", spared=["not_in_sitemap"])
    _map(site, "/feed.xml", feed)
    return ["/dates.xml", "/same.xml", "/days.xml", "/few.xml", "/feed.xml"]


def _of_files(site: Site) -> list[str]:
    many = site.url("/many")
    site.page("/many")
    broken = xml([site.url("/in-broken")]).replace("</urlset>", "")
    site.page("/in-broken")
    page = "<!doctype html><html><head><title>Sitemap</title></head><body><p>No</p></body></html>"
    space = xml([site.url("/in-space")]).replace("sitemaps.org", "example.org")
    site.page("/in-space")
    large = xml([]).replace("</urlset>", " " * (50 * MIB) + "</urlset>").encode()
    site.page("/in-text")
    site.page("/in-packed")
    _map(site, "/gone.xml", "", "sitemap_bad_status", status=404)
    _map(site, "/broken.xml", broken, "sitemap_malformed")
    _map(site, "/empty.xml", "", "sitemap_malformed")
    _map(site, "/page.xml", page, "sitemap_malformed")
    _map(site, "/space.xml", space, "sitemap_malformed")
    _map(site, "/text.txt", f"{site.url('/in-text')}\n")
    _map(site, "/packed.xml.gz", gzip.compress(xml([site.url("/in-packed")]).encode()))
    _map(site, "/many.xml", xml([many] * 50_001), "sitemap_too_many",
         ("sitemap_duplicates", many))  # fmt: skip
    _map(site, "/not-many.xml", xml([many] * 50_000), ("sitemap_duplicates", many))
    _map(site, "/large.xml.gz", gzip.compress(large, 1), "sitemap_too_large")
    inner = site.url("/inner.xml")
    _map(site, "/outer.xml", xml([inner], index=True), ("sitemap_nested_index", inner))
    _map(site, "/inner.xml", xml([site.url("/leaf.xml")], index=True))
    _map(site, "/leaf.xml", xml([site.url("/in-leaf")]))
    site.page("/in-leaf")
    return [
        *("/gone.xml", "/broken.xml", "/empty.xml", "/page.xml", "/space.xml", "/text.txt"),
        *("/packed.xml.gz", "/many.xml", "/not-many.xml", "/large.xml.gz", "/outer.xml"),
    ]
