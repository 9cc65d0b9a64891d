"""Answers and redirects that are wrong, and some that only look so."""

from __future__ import annotations

import socket

from tests.analyse.site import Site
from tests.crawls import config
from tests.sites.server import Answer, Request

NOT_JUDGED = {
    "http1_only": "that takes a request of its own, which is never made",
    "validators_that_lie": "there is no earlier run to compare with",
}
MOST_BYTES = 3 * 1024 * 1024
SETTINGS = config(
    scope={"check": ["assets", "external"], "allow_private": ["127.0.6.0/24"]},
    robots={"sitemaps": True},
    pace={"tries": 1},
    fetch={"max_body_bytes": MOST_BYTES},
    parse={"max_seconds": 30},
)
ALTER = (
    "UPDATE visits SET started_at = '2026-01-01T00:00:' || printf('%02d', id % 60) || '.000Z',"
    " ttfb_ms = 30, total_ms = 1",
    """
    UPDATE visits
    SET ttfb_ms = CASE WHEN url LIKE '%/busy/%' THEN 61.0 WHEN url LIKE '%/quite/%' THEN 60.0
            ELSE 30.0 END,
        total_ms = 100.0,
        started_at = CASE
            WHEN url LIKE '%/alone/%' THEN '2026-01-02T00:00:' || substr(url, -2) || '.000Z'
            ELSE '2026-01-03T00:00:00.000Z'
        END
    FROM urls
    WHERE urls.id = visits.url_id AND url LIKE '%/load/%'
    """,
    "UPDATE pages SET ttfb_ms = 30",
    "UPDATE pages SET ttfb_ms = 801 WHERE url LIKE '%/slow/801'",
    "UPDATE pages SET ttfb_ms = 800 WHERE url LIKE '%/slow/800'",
    "UPDATE pages SET ttfb_ms = 5000 WHERE url LIKE '%/slow/404'",
    """
    UPDATE visits
    SET truncated = CASE WHEN url LIKE '%/cut/short' THEN 'disconnect' ELSE 'links' END
    FROM urls
    WHERE urls.id = visits.url_id AND url LIKE '%/cut/%'
    """,
)
"""Times that an answer took, and a connection that broke off."""
GOOD = {"ETag": '"1"', "Content-Encoding": "gzip"}
KEPT = {"Cache-Control": "public, max-age=86400", "ETag": '"1"'}


def _front(site: Site, path: str, *checks: str) -> None:
    """What is found on the front page, of its link to this path."""
    target = site.called + path if site.called else site.url(path)
    site.found |= {(check, "/", target) for check in checks}


def _redirect(
    site: Site, path: str, target: str, *planted: str, status: int = 301, **more: list[str]
) -> None:
    """A redirect that the front page leads to."""
    site.answer(path, Answer(status, {"Location": target}), planted=planted, **more)
    _front(site, path, "links_to_redirects")


def plant_statuses(site: Site) -> None:
    """Answers that are none, errors, and walls."""
    site.headers = GOOD
    site.page("/gone", status=404, planted=["client_errors"])
    _front(site, "/gone", "broken_links")
    site.page("/forbidden", status=403, planted=["client_errors"])
    _front(site, "/forbidden", "broken_links")
    site.page("/in-sitemap", status=410, linked=False, planted=["client_errors"])
    site.page("/unlinked", status=404, linked=False, spared=["client_errors"])
    site.page("/whose-canonical-is-gone", canonical="/unlinked", spared=["broken_links"])
    site.page("/carrier", body="<a href='/gone'>one</a> <a href='/gone#x'>two</a>",
              planted=[("broken_links", site.url("/gone"))])  # fmt: skip
    site.page("/gone-with-links", status=404, body="<a href='/gone'>home</a>",
              planted=["client_errors"], spared=["broken_links"])  # fmt: skip
    _front(site, "/gone-with-links", "broken_links")
    for status in (500, 503):
        site.page(f"/failing/{status}", status=status, planted=["server_errors"])
        _front(site, f"/failing/{status}", "broken_links")
    site.page("/busy", status=429, planted=["access_challenged"],
              spared=["client_errors", "broken_links"])  # fmt: skip
    for status in (403, 503):
        site.page(f"/wall/{status}", status=status, headers={"cf-mitigated": "challenge"},
                  planted=["access_challenged"],
                  spared=["client_errors", "server_errors", "broken_links"])  # fmt: skip
    site.page("/about-walls", title="Just a moment, and how to read it: about captchas",
              spared=["access_challenged"])  # fmt: skip
    site.host.decide("/hangs-up", _hang_up)
    site.page("/calls", body="<a href='/hangs-up'>call</a>",
              planted=[("broken_links", site.url("/hangs-up"))])  # fmt: skip
    site.found.add(("no_answer", "/hangs-up", ""))
    site.spared.add(("no_answer", "/gone"))
    sitemap = f"<urlset><url><loc>{site.url('/in-sitemap')}</loc></url></urlset>"
    site.host.raw("/map.xml", headers={"Content-Type": "application/xml"}, body=sitemap)
    site.host.robots(f"User-agent: *\nAllow: /\nSitemap: {site.url('/map.xml')}\n")


def _hang_up(_request: Request) -> Answer:
    raise ConnectionError


def plant_redirects(site: Site) -> None:
    """Chains, loops and bad ends."""
    site.headers = GOOD
    site.page("/good", spared=["redirect_chains", "redirects_temporary"])
    _redirect(site, "/one", "/good", spared=[
        *("redirect_chains", "redirect_chains_long", "redirect_loops", "redirects_to_errors"),
        *("redirects_to_nonindexable", "redirects_temporary", "redirects_to_home"),
    ])  # fmt: skip
    _redirect(site, "/two", "/one", "redirect_chains", spared=["redirect_chains_long"])
    site.page("/refers", body="<a href='/two'>a chain</a>",
              planted=[("links_to_redirects", site.url("/two"))])  # fmt: skip
    site.page("/refers-well", body="<a href='/good'>no chain</a>", spared=["links_to_redirects"])
    _redirect(site, "/long/5", "/long/4", "redirect_chains", "redirect_chains_long")
    for hop in range(1, 5):
        target = f"/long/{hop - 1}" if hop > 1 else "/good"
        site.answer(f"/long/{hop}", Answer(301, {"Location": target}), linked=False,
                    spared=["redirect_chains"])  # fmt: skip
    _redirect(site, "/round/a", "/round/b", "redirect_loops", spared=["redirect_chains"])
    site.answer("/round/b", Answer(301, {"Location": "/round/a"}), linked=False)
    _redirect(site, "/self", "/self", "redirect_loops")
    _redirect(site, "/into-loop", "/round/a", "redirect_loops")
    for path in ("/round/a", "/self", "/into-loop"):
        _front(site, path, "broken_links")
    _redirect(site, "/to-gone", "/gone", "redirects_to_errors")
    _front(site, "/to-gone", "broken_links")
    site.page("/gone", status=404, linked=False, spared=["client_errors"])
    _redirect(site, "/to-wall", "/wall", spared=["redirects_to_errors"])
    site.page("/wall", status=403, headers={"cf-mitigated": "challenge"}, linked=False,
              planted=["access_challenged"])  # fmt: skip
    _redirect(site, "/to-noindex", "/noindex", "redirects_to_nonindexable")
    site.page("/noindex", robots="noindex", linked=False)
    _redirect(site, "/to-variant", "/variant", "redirects_to_nonindexable")
    site.page("/variant", canonical="/good", linked=False)
    for status in (302, 303, 307):
        _redirect(site, f"/temporary/{status}", "/good", "redirects_temporary", status=status)
    _redirect(site, "/for-good", "/good", status=308, spared=["redirects_temporary"])
    site.page("/refresh", head="<meta http-equiv=refresh content='5; url=/good'>",
              planted=[("redirects_meta_refresh", site.url("/good"))],
              spared=["redirects_refresh_header"])  # fmt: skip
    site.page("/reload", head="<meta http-equiv=refresh content='300'>",
              spared=["redirects_meta_refresh"])  # fmt: skip
    site.page("/header", headers={"Refresh": "5; url=/good"},
              planted=["redirects_refresh_header"], spared=["redirects_meta_refresh"])  # fmt: skip
    _redirect(site, "/linked-in-map", "/good", spared=["redirected_unlinked"])
    site.answer("/only-in-map", Answer(301, {"Location": "/good"}), linked=False,
                planted=["redirected_unlinked"])  # fmt: skip
    named = "".join(f"<url><loc>{site.url(path)}</loc></url>"
                    for path in ("/only-in-map", "/linked-in-map"))  # fmt: skip
    site.host.raw("/map.xml", headers={"Content-Type": "application/xml"},
                  body=f"<urlset>{named}</urlset>")  # fmt: skip
    site.host.robots(f"User-agent: *\nAllow: /\nSitemap: {site.url('/map.xml')}\n")


def plant_home(site: Site) -> None:
    """One of ten redirects leads home, or two do that may."""
    site.headers = GOOD
    site.page("/good")
    for number in range(8):
        _redirect(site, f"/moved/{number}", "/good", spared=["redirects_to_home"])
    _redirect(site, "/index.html", "/", spared=["redirects_to_home"])
    _redirect(site, "/old-product", "/", "redirects_to_home")


def plant_bare(site: Site) -> None:
    """http://harbour.example, from which two ways lead on."""
    site.headers, site.called = GOOD, "http://harbour.example"
    secure, www = (site.web.host(f"127.0.5.{number}") for number in (5, 6))
    _redirect(site, "/step", secure.url("/step"), "redirects_scheme_and_host", "redirect_chains")
    _redirect(site, "/at-once", www.url("/target"), spared=["redirects_scheme_and_host"])


def plant_secure(site: Site) -> None:
    """https://harbour.example, which leads to www."""
    site.headers, site.called = GOOD, "https://harbour.example"
    site.answer("/step", Answer(301, {"Location": site.web.host("127.0.5.6").url("/target")}),
                linked=False, spared=["redirects_https_to_http"])  # fmt: skip


def plant_www(site: Site) -> None:
    """https://www.harbour.example, from which one way leads back to http."""
    site.headers, site.called = GOOD, "https://www.harbour.example"
    site.page("/target")
    _redirect(site, "/down", site.web.host("127.0.5.4").url("/"), "redirects_https_to_http",
              "redirects_to_home")  # fmt: skip


def plant_external(site: Site) -> None:
    """Links that leave."""
    site.headers = GOOD
    other = site.web.host("127.0.6.1")
    other.page("/fine")
    other.redirect("/moved", "/fine", status=301)
    other.redirect("/for-now", "/fine", status=302)
    other.redirect("/to-gone", "/gone", status=302)
    for status in (403, 429, 500):
        other.raw(f"/{status}", status=status)
    bad = {
        "broken_external_links": ("/gone", "/500", "/to-gone"),
        "external_forbidden": ("/403",),
        "external_redirects": ("/moved",),
    }
    for check, paths in bad.items():
        for path in paths:
            site.page(f"/leaves{path}", body=f"<a href='{other.url(path)}'>leave</a>",
                      planted=[(check, other.url(path))],
                      spared=set(bad) - {check} | {"broken_links"})  # fmt: skip
    dead = _dead_url(site)
    site.page("/leaves/for-the-dead", body=f"<a href='{dead}'>x</a>",
              planted=[("broken_external_links", dead)])  # fmt: skip
    for path in ("/429", "/for-now", "/fine"):
        site.page(f"/leaves{path}", body=f"<a href='{other.url(path)}'>leave</a>",
                  spared=[*bad, "links_to_redirects"])  # fmt: skip


def _dead_url(site: Site) -> str:
    """Where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.6.1", 0))
        port = taken.getsockname()[1]
    return f"http://127.0.6.1:{port}/nobody"


def _asset(
    site: Site, path: str, kind: str, size: int = 100, status: int = 200, **headers: str
) -> None:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    site.host.raw(path, status=status, body=b"x" * size,
                  headers={"Content-Type": kind, **KEPT, **named})  # fmt: skip


def plant_assets(site: Site) -> None:
    """Images, scripts and style sheets."""
    site.headers = GOOD
    _asset(site, "/fine.css", "text/css")
    _asset(site, "/fine.png", "image/png", 100_000)
    site.page("/fine", head="<link rel=stylesheet href=/fine.css>",
              body="<img src=/fine.png alt=x>",
              spared=["broken_assets", "redirected_assets"])  # fmt: skip
    site.page("/broken", body="<img src=/no.png alt=x><script src=/no.js></script>",
              planted=[("broken_assets", site.url("/no.png")),
                       ("broken_assets", site.url("/no.js"))])  # fmt: skip
    site.host.redirect("/moved.css", "/fine.css", status=301)
    site.page("/moved", head="<link rel=stylesheet href=/moved.css>",
              planted=[("redirected_assets", site.url("/moved.css"))],
              spared=["broken_assets", "links_to_redirects"])  # fmt: skip
    _asset(site, "/large.png", "image/png", 100_001)
    _asset(site, "/large.js", "text/javascript", 2 * 1024 * 1024 + 1, Content_Encoding="br")
    _asset(site, "/plain.js", "text/javascript", 1024)
    _asset(site, "/small.js", "text/javascript", 1023)
    _asset(site, "/brief.css", "text/css", Cache_Control="max-age=86399, public")
    _asset(site, "/silent.css", "text/css", Cache_Control="public")
    _asset(site, "/fresh.css", "text/css", Cache_Control="no-cache")
    site.page(
        "/uses-all",
        body="<img src=/large.png alt=x>"
        + "".join(f"<script src=/{name}.js></script>" for name in ("large", "plain", "small"))
        + "".join(f"<link rel=stylesheet href=/{name}.css>" for name in
                  ("brief", "silent", "fresh")),
    )  # fmt: skip
    site.found |= {
        ("asset_too_large", "/large.png", ""), ("asset_too_large", "/large.js", ""),
        ("uncompressed_text", "/plain.js", ""),
        ("short_cache_assets", "/brief.css", ""), ("short_cache_assets", "/silent.css", ""),
    }  # fmt: skip
    site.spared |= {
        ("asset_too_large", "/fine.png"), ("uncompressed_text", "/small.js"),
        ("short_cache_assets", "/fine.css"), ("short_cache_assets", "/fresh.css"),
    }  # fmt: skip


def plant_delivery(site: Site) -> None:
    """Slow, large, unpacked, unlabelled."""
    site.headers = GOOD
    site.page("/slow/801", planted=["slow_pages"])
    site.page("/slow/800", spared=["slow_pages"])
    site.page("/slow/404", status=404, planted=["client_errors"], spared=["slow_pages"])
    _front(site, "/slow/404", "broken_links")
    site.page("/large/over", html=_sized(2 * 1024 * 1024 + 1), planted=["html_too_large"])
    site.page("/large/just", html=_sized(2 * 1024 * 1024), spared=["html_too_large"])
    site.page("/large/cut", html=_sized(MOST_BYTES + 1), headers={"Content-Encoding": "identity"},
              planted=["html_too_large", "truncated_answers", "uncompressed_text"])  # fmt: skip
    site.page("/cut/short", planted=["truncated_answers"])
    site.page("/cut/links", spared=["truncated_answers"])
    site.page("/plain", headers={"Content-Encoding": "identity"}, planted=["uncompressed_text"])
    site.page("/plain-but-short", html="<!doctype html><title>Short</title><p>Little to pack.",
              headers={"Content-Encoding": "identity"}, spared=["uncompressed_text"])  # fmt: skip
    site.headers = {"Content-Encoding": "gzip"}
    site.page("/no-validators", planted=["no_validators"])
    site.page("/dated", headers={"Last-Modified": "Thu, 01 Jan 2026 00:00:00 GMT"},
              spared=["no_validators"])  # fmt: skip
    site.headers = GOOD
    png = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
    site.answer("/is-png", Answer(200, {"Content-Type": "text/html", **KEPT}, png),
                planted=["content_type_wrong"])  # fmt: skip
    site.page("/nonsense", headers={"Content-Type": "html"}, planted=["content_type_wrong"])
    page = b"<!-- a page --><!doctype html><html><title>A page</title>"
    for path, kind, body in (
        ("/is-html", "text/plain", page),
        ("/no-picture", "image/png", page),
        ("/is-pdf", "image/jpeg", b"%PDF-1.7 and so on"),
        ("/unlabelled", "", b"Some text"),
    ):
        site.answer(path, Answer(200, {"Content-Type": kind, **KEPT}, body),
                    planted=["content_type_wrong"])  # fmt: skip
    for path, kind, body in (
        ("/is-text", "text/plain", b"Write <html> first, then <body>"),
        ("/jpg", "image/jpg", b"\xff\xd8\xff\xe0 and so on"),
        ("/to-store", "application/octet-stream", b"%PDF-1.7 and so on"),
        ("/docx", "application/vnd.openxmlformats-officedocument", b"PK\3\4 and so on"),
    ):
        site.answer(path, Answer(200, {"Content-Type": kind, **KEPT}, body),
                    spared=["content_type_wrong"])  # fmt: skip
    site.page("/upper", headers={"Content-Type": "Text/HTML;charset=utf-8"},
              spared=["content_type_wrong"])  # fmt: skip


def _sized(size: int) -> str:
    start = "<!doctype html><html lang=en><head><title>A page of a given size</title></head><body>"
    words = "harbour light keeper tide anchor signal "
    return (start + words * (size // len(words)))[:size]


def plant_load(site: Site) -> None:
    """A host that is slow when much is asked of it at once."""
    _load(site, "busy")
    site.front["planted"] = ["slow_under_load"]


def plant_quiet_load(site: Site) -> None:
    """A host that is twice as slow then, but no more."""
    _load(site, "quite")
    site.front["spared"] = ["slow_under_load"]


def _load(site: Site, name: str) -> None:
    site.headers = GOOD
    for number in range(10, 32):
        site.page(f"/load/{name}/{number}")
        site.page(f"/load/alone/{number}")
