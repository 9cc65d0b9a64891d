"""Addresses that are written badly, and some that only look so."""

from __future__ import annotations

from collections.abc import Iterable

from tests.analyse.site import Planted, Site
from tests.crawls import config

NOT_JUDGED: dict[str, str] = {}
SETTINGS = config(audit={"limits": ["parameter_explosion.urls=20"]})
SAME = "<!doctype html><html lang=en><title>One text, two ways</title><p>The very same text."


def _query(
    site: Site, path: str, *planted: Planted, spared: Iterable[str] = (), html: str | None = None
) -> None:
    """A page whose address has a query."""
    site.page(path, html=html, planted=["url_parameters", *planted], spared=spared)


def plant_paths(site: Site) -> None:
    """Paths."""
    site.page("/plain-path/of.good-words~x/1", spared=[
        *("url_non_ascii", "url_uppercase", "url_underscores", "url_spaces"),
        *("url_double_slashes", "url_repeated_segments", "url_parameters", "url_too_long"),
    ])  # fmt: skip
    site.page("/k%C3%BCste", planted=["url_non_ascii"], spared=["url_uppercase"])
    site.page("/half%2Flife", spared=["url_non_ascii", "url_uppercase"])
    site.page("/%2Fa", spared=["url_uppercase"])
    site.page("/Harbour", planted=["url_uppercase"])
    site.page("/half%2FTruth", planted=["url_uppercase"])
    site.page("/light_house", planted=["url_underscores"])
    _query(site, "/lights?of_old=1", spared=["url_underscores", "url_uppercase"])
    _query(site, "/lights?Of=%C3%BC", spared=["url_uppercase", "url_non_ascii"])
    site.page("/old%20tales", planted=["url_spaces"])
    site.page("/old+tales", planted=["url_spaces"])
    _query(site, "/tales?of=old+times%20and//new", spared=["url_spaces", "url_double_slashes"])
    site.page("/a//b", planted=["url_double_slashes"])
    site.page("/x/y/x/z/x", planted=["url_repeated_segments"])
    site.page("/x/y/x/z", spared=["url_repeated_segments"])
    rest = 115 - len(site.url("/"))
    site.page("/" + "l" * rest, spared=["url_too_long"])
    site.page("/" + "l" * (rest + 1), planted=["url_too_long"])


def plant_queries(site: Site) -> None:
    """Queries."""
    _query(site, "/empty?a=&b=", "url_empty_parameters")
    _query(site, "/not-empty?a=Zm8=&flag", spared=["url_empty_parameters"])
    _query(site, "/twice?a=1&b=2&a=3", "url_duplicate_parameters")
    _query(site, "/lists?a[]=1&a[]=2", spared=["url_duplicate_parameters"])
    _query(site, "/like?a=1&aa=1", spared=["url_duplicate_parameters"])
    _query(site, "/campaign?utm_source=letter", "url_tracking_parameters")
    _query(site, "/campaign?x=1&gclid=ab", "url_tracking_parameters")
    _query(site, "/campaign?about=utm_source", spared=["url_tracking_parameters"])
    site.page("/unlinked?utm_source=letter", linked=False, planted=["url_parameters"],
              spared=["url_tracking_parameters"])  # fmt: skip
    site.page("/names-unlinked", head="<link rel=next href='/unlinked?utm_source=letter'>")
    site.page("/of-java", body="<a href='/plain;jsessionid=1A2B3C'>plain</a>",
              planted=["url_session_ids"])  # fmt: skip
    site.page("/of-php", body="<a href='/plain?PHPSESSID=abc12'>plain</a>",
              planted=["url_session_ids"])  # fmt: skip
    site.page("/plain", spared=["url_session_ids"])
    _query(site, "/room?sid=a1b2", "url_session_ids")
    _query(site, "/seminar?sid=12", spared=["url_session_ids"])
    _query(site, "/who?aside=x", spared=["url_session_ids"])
    site.page("/search", planted=["url_internal_search"])
    site.page("/search/lamps", planted=["url_internal_search"])
    _query(site, "/find?lang=en&q=lamp", "url_internal_search")
    _query(site, "/?s=lamp", "url_internal_search")
    site.page("/research", spared=["url_internal_search"])
    _query(site, "/list?seq=1", spared=["url_internal_search"])
    site.page("/find?q=oil", robots="noindex", planted=["url_parameters"],
              spared=["url_internal_search"])  # fmt: skip


def plant_variants(site: Site) -> None:
    """Addresses that stand for the same."""
    for path in ("/order?a=1&b=2", "/order?b=2&a=1"):
        _query(site, path, "variants_parameter_order", html=SAME)
    for path in ("/other-text?a=1&b=2", "/other-text?b=2&a=1"):
        _query(site, path, spared=["variants_parameter_order"])
    _query(site, "/order?a=2&b=1", spared=["variants_parameter_order"], html=SAME)
    for path in ("/slash", "/slash/"):
        site.page(path, planted=["variants_trailing_slash"])
    site.page("/slash-canonical", spared=["variants_trailing_slash"])
    site.page("/slash-canonical/", canonical="/slash-canonical",
              spared=["variants_trailing_slash"])  # fmt: skip
    site.page("/slash-moved/", spared=["variants_trailing_slash"])
    site.host.redirect("/slash-moved", "/slash-moved/", status=301)
    for path in ("/case/Lamp", "/case/lamp"):
        upper = ["url_uppercase"] if "L" in path else []
        site.page(path, planted=["variants_case", *upper])
    site.page("/case/lamps", spared=["variants_case"])
    for path in ("/folder/", "/folder/index.html"):
        site.page(path, planted=["variants_index_file"])
    site.page("/alone/index.php", spared=["variants_index_file"])
    site.page("/of/", spared=["variants_index_file"])
    site.page("/of/index-of-lamps.html", spared=["variants_index_file"])


def plant_explosion(site: Site) -> None:
    """A filter that changes nothing, and one that does."""
    for number in range(20):
        _query(site, f"/lamps/7?sort={number}&by=x", html=SAME, spared=["variants_parameter_order"])
        _query(site, f"/oils/7?sort={number}", spared=["parameter_explosion"])
    template = f"{site.url('/lamps/*')}?by&sort"
    site.found.add(("parameter_explosion", "/lamps/7?sort=0&by=x", template))


def plant_fragments(site: Site) -> None:
    """Places on pages."""
    site.page("/places", body="<h3 id=there>There</h3><a name='old'></a><p id='k&uuml;che'>x</p>")
    missing = site.url("/places") + "#missing"
    site.page("/to-missing", body="<a href='/places#missing'>x</a>",
              planted=[("broken_fragments", missing)])  # fmt: skip
    for number, fragment in enumerate(("there", "old", "k%C3%BCche", "top", "!/route", "")):
        site.page(f"/to-there/{number}", body=f"<a href='/places#{fragment}'>x</a>",
                  spared=["broken_fragments"])  # fmt: skip


def plant_http(site: Site) -> None:
    """http://pier.example, which stays there."""
    site.called = "http://pier.example"
    site.front["planted"] = ["variants_www_or_scheme"]


def plant_https(site: Site) -> None:
    """https://pier.example, the same site."""
    site.called = "https://pier.example"
    site.front["planted"] = ["variants_www_or_scheme"]


def plant_moved(site: Site) -> None:
    """http://quay.example, which leads to www."""
    site.called = "http://quay.example"
    www = site.web.host("127.0.5.9").url("/")
    site.front = {"status": 301, "headers": {"Location": www},
                  "spared": ["variants_www_or_scheme"]}  # fmt: skip


def plant_www(site: Site) -> None:
    """http://www.quay.example."""
    site.called = "http://www.quay.example"
    site.front["spared"] = ["variants_www_or_scheme"]
