"""Is what pages need to look right kept, and does nothing else become of it?"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from crawler.analyse.run import analyse
from crawler.config import Config
from tests.crawls import LINKS, check_whole, config, crawl, crawl_apart, fates, rows
from tests.patience import until
from tests.sites import nginx, parts
from tests.sites.server import Answer, Request
from tests.sites.skip import require_folder
from tests.sites.web import Host, Web

OWN = {"mode": "host", "allow_private": ["127.0.0.0/8"]}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)


def fetching(**sections: dict[str, object]) -> Config:
    """Settings of a crawl that keeps what pages need."""
    scope = OWN | sections.pop("scope", {})
    assets = {"mode": "fetch"} | sections.pop("assets", {})
    return config(scope=scope, assets=assets, **sections)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


def image(host: Host, path: str, body: bytes = PNG) -> None:
    host.raw(path, headers={"Content-Type": "image/png"}, body=body + path.encode())


def styles(host: Host, path: str, text: str) -> None:
    host.raw(path, headers={"Content-Type": "text/css"}, body=text)


KEPT = """
    SELECT urls.url, bodies.body_bytes
    FROM urls
    JOIN visits ON visits.id = (SELECT max(id) FROM visits WHERE url_id = urls.id)
    JOIN bodies ON bodies.id = visits.body_id
    WHERE urls.kind = 'asset' AND bodies.body IS NOT NULL
    ORDER BY urls.url
"""


def kept(database: Path) -> set[str]:
    return {url for url, _ in rows(database, KEPT)}


def test_all_that_a_page_needs_is_kept_from_whatever_host(web: Web, database: Path) -> None:
    other = web.host("127.0.7.1")
    named = {
        "/a.png": '<img src="/a.png">',
        "/b.png": '<img srcset="/b.png 1x">',
        "/c.png": '<picture><source srcset="/c.png 2x"></picture>',
        "/d.js": '<script src="/d.js"></script>',
        "/e.ico": '<link rel="icon" href="/e.ico">',
        "/f.mp4": '<video src="/f.mp4" poster="/g.png"></video>',
        "/g.png": "",
        "/h.mp3": '<audio><source src="/h.mp3"></audio>',
        "/i.vtt": '<video><track src="/i.vtt"></video>',
        "/j.svg": '<object data="/j.svg"></object>',
        "/k.png": '<p style="background: url(/k.png)">',
        "/l.png": "<style>p { background: url('/l.png') }</style>",
        "/m.woff": "<style>@font-face { src: url(/m.woff) }</style>",
        "/n.png": '<input type="image" src="/n.png">',
        "/o.js": '<link rel="modulepreload" href="/o.js">',
        "/p.png": '<link rel="preload" as="image" imagesrcset="/p.png 1x">',
        "/q.png": '<svg><image href="/q.png"/></svg>',
        "/r.png": '<table background="/r.png"></table>',
    }
    for path in named:
        image(other, path)
    body = "".join(named.values()).replace('"/', f'"{other.url("/")}')
    body = body.replace("(/", f"({other.url('/')}").replace("'/", f"'{other.url('/')}")
    web.page("/", body=body)
    crawl(database, web.url("/"), settings=fetching())
    assert kept(database) == {other.url(path) for path in named}
    assert rows(database, "SELECT url FROM pages") == [(web.url("/"),)]
    check_whole(database)


def test_what_style_sheets_name_is_kept_as_deep_as_they_name_each_other(
    web: Web, database: Path
) -> None:
    other = web.host("127.0.7.1")
    web.page("/", head='<link rel="stylesheet" href="/css/a.css">')
    styles(web, "/css/a.css", f'@import "b.css"; @import url({other.url("/c.css")});')
    styles(web, "/css/b.css", "p { background: url(../img/b.png) }")
    styles(other, "/c.css", '@font-face { font-family: x; src: url("c.woff2") format("woff2") }')
    image(web, "/img/b.png")
    image(other, "/c.woff2")
    crawl(database, web.url("/"), settings=fetching())
    assert kept(database) == {
        web.url("/css/a.css"), web.url("/css/b.css"), web.url("/img/b.png"),
        other.url("/c.css"), other.url("/c.woff2"),
    }  # fmt: skip
    found = rows(
        database,
        """
        SELECT source.url, links.kind, target.url
        FROM links
        JOIN urls AS source ON source.id = links.source_id
        JOIN urls AS target ON target.id = links.target_id
        WHERE source.kind = 'asset'
        ORDER BY source.url, links.position
        """,
    )
    assert sorted(found) == sorted(
        [
            (web.url("/css/a.css"), "import", web.url("/css/b.css")),
            (web.url("/css/a.css"), "import", other.url("/c.css")),
            (web.url("/css/b.css"), "css", web.url("/img/b.png")),
            (other.url("/c.css"), "font", other.url("/c.woff2")),
        ]
    )
    check_whole(database)


def test_a_dead_address_in_a_style_sheet_is_a_broken_link(web: Web, database: Path) -> None:
    web.page("/", head='<link rel="stylesheet" href="/a.css">', body='<p style="fill:url(/gone2)">')
    styles(web, "/a.css", "p { background: url(gone.png) }")
    crawl(database, web.url("/"), settings=fetching())
    broken = rows(database, "SELECT page, link, kind, status FROM broken_links ORDER BY page")
    assert broken == [
        (web.url("/"), web.url("/gone2"), "css", 404),
        (web.url("/a.css"), web.url("/gone.png"), "css", 404),
    ]


def test_pages_at_the_limit_get_all_that_they_need(web: Web, database: Path) -> None:
    """From hosts that are slower than the site, too; nothing more of pages is fetched."""
    other = web.host("127.0.7.1")
    pages = [f"/{number}" for number in range(8)]
    web.page("/", links=pages)
    for page in pages:
        own = "".join(f'<img src="{other.url(f"{page}-{n}.png")}">' for n in range(10))
        web.page(page, links=[f"{page}/more"], body=own)
        for number in range(10):
            image(other, f"{page}-{number}.png")
    settings = fetching(run={"max_pages": 4, "concurrency": 4})
    outcome = crawl(database, web.url("/"), settings=settings)
    assert outcome.reason == "max_pages"
    assert rows(database, "SELECT count(*) FROM pages") == [(4,)]
    assert len(kept(database)) == 30
    assert rows(database, "SELECT DISTINCT kind FROM urls WHERE state = 'queued'") == [("page",)]
    check_whole(database)
    crawl(database, web.url("/"), settings=fetching())
    assert len(kept(database)) == 80
    check_whole(database)


# What else becomes of it: nothing


def test_a_part_of_a_page_brings_nothing_into_the_crawl(web: Web, database: Path) -> None:
    """Neither what it is, nor where it redirects, nor what it names."""
    other = web.host("127.0.7.1")
    web.page("/", body=f'<img src="/shown"><img src="{other.url("/moved")}"><script src="/s">')
    web.page("/shown", links=["/secret"], body=f'<img src="{other.url("/x.png")}">')
    web.page("/s", links=["/secret2"])
    other.redirect("/moved", other.url("/end"))
    other.page("/end", links=[other.url("/further"), web.url("/secret3")])
    crawl(database, web.url("/"), settings=fetching())
    assert web.paths == ["/robots.txt", "/", "/shown", "/s"] or set(web.paths) == {
        "/robots.txt", "/", "/shown", "/s",
    }  # fmt: skip
    assert set(other.paths) == {"/robots.txt", "/moved", "/end"}
    assert rows(database, "SELECT url FROM pages") == [(web.url("/"),)]
    assert rows(database, "SELECT url FROM urls WHERE kind = 'asset' ORDER BY url") == sorted(
        (url,) for url in (web.url("/s"), web.url("/shown"), other.url("/end"), other.url("/moved"))
    )
    assert rows(database, "SELECT key FROM scopes") == [(f"127.0.0.1:{web.port}",)]
    check_whole(database)


def test_what_a_link_leads_to_as_well_is_a_page(web: Web, database: Path) -> None:
    """Whichever is seen first; a style sheet that is a page names what it needs all the same."""
    web.page("/", links=["/later", "/both.png"], body='<img src="/both.png"><img src="/late.png">')
    web.page("/later", links=["/late.png", "/a.css"], head='<link rel="stylesheet" href="/a.css">')
    image(web, "/both.png")
    image(web, "/late.png")
    image(web, "/c.png")
    styles(web, "/a.css", "p { background: url(c.png) }")
    crawl(database, web.url("/"), settings=fetching())
    assert rows(database, "SELECT url FROM pages ORDER BY url") == [
        (web.url(path),) for path in ("/", "/a.css", "/both.png", "/late.png", "/later")
    ]
    assert kept(database) == {web.url("/c.png")}
    check_whole(database)


def test_what_is_out_of_scope_as_a_page_is_kept_as_a_part(web: Web, database: Path) -> None:
    """Whichever is seen first; and it does not become a page by that."""
    other = web.host("127.0.7.1")
    a, b = other.url("/a.png"), other.url("/b.png")
    web.page("/", links=[a, "/second"], body=f'<link rel="preload" href="{a}"><img src="{b}">')
    web.page("/second", links=[b], body=f'<img src="{a}">')
    image(other, "/a.png")
    image(other, "/b.png")
    crawl(database, web.url("/"), settings=fetching())
    assert kept(database) == {a, b}
    assert rows(database, "SELECT count(*) FROM pages") == [(2,)]


def test_each_host_is_asked_by_its_own_robots_txt(web: Web, database: Path) -> None:
    other = web.host("127.0.7.1")
    other.robots("User-agent: *\nDisallow: /no/\nSitemap: /sitemap.xml\n")
    web.page("/", body=f'<img src="{other.url("/no/a.png")}"><img src="{other.url("/b.png")}">')
    image(other, "/b.png")
    image(other, "/no/a.png")
    crawl(database, web.url("/"), settings=fetching(robots={"sitemaps": True}))
    assert set(other.paths) == {"/robots.txt", "/b.png"}
    assert fates(database)[other.url("/no/a.png")] == ("skipped", "robots")


def test_no_part_is_fetched_from_a_private_address_that_nobody_allowed(
    web: Web, database: Path
) -> None:
    other = web.host("127.0.7.1")
    web.page("/", body=f'<img src="{other.url("/a.png")}">')
    settings = fetching(scope={"allow_private": []})
    crawl(database, web.url("/"), settings=settings)
    assert other.paths == []
    assert fates(database)[other.url("/a.png")] == ("skipped", "blocked_addr")


def test_what_is_excluded_is_not_kept_and_include_is_about_pages(web: Web, database: Path) -> None:
    web.page("/", body='<img src="/ads/a.png"><img src="/b.png">')
    image(web, "/ads/a.png")
    image(web, "/b.png")
    settings = fetching(scope={"exclude": ["/ads/"], "include": ["/pages/"]})
    crawl(database, web.url("/"), settings=settings)
    assert kept(database) == {web.url("/b.png")}
    assert fates(database)[web.url("/ads/a.png")] == ("skipped", "excluded")


def test_a_part_is_asked_for_as_whatever_it_is_and_its_headers_lead_nowhere(
    web: Web, database: Path
) -> None:
    web.page("/", head='<link rel="stylesheet" href="/a.css">')
    headers = {"Content-Type": "text/css", "Link": '</secret>; rel="canonical"'}
    web.raw("/a.css", headers=headers, body="p { fill: url(b.png) }")
    image(web, "/b.png")
    crawl(database, web.url("/"), settings=fetching())
    accepted = {hit.path: hit.headers["accept"] for hit in web.log}
    assert accepted["/a.css"] == accepted["/b.png"] == "*/*"
    assert accepted["/"].startswith("text/html")
    assert "/secret" not in web.paths


def test_what_asks_not_to_be_kept_is_not_where_that_is_obeyed(web: Web, database: Path) -> None:
    web.page("/", body='<img src="/a.png"><img src="/b.png">')
    image(web, "/a.png")
    headers = {"Content-Type": "image/png", "X-Robots-Tag": "noindex"}
    web.raw("/b.png", headers=headers, body=PNG)
    crawl(database, web.url("/"), settings=fetching(store={"obey_noindex": True}))
    assert kept(database) == {web.url("/a.png")}
    assert fates(database)[web.url("/b.png")] == ("done", None)


# Limits


def test_a_long_style_sheet_is_read_in_a_process_of_its_own(web: Web, database: Path) -> None:
    web.page("/", head='<link rel="stylesheet" href="/a.css">')
    styles(web, "/a.css", "a { b: c }\n" * 30_000 + "p { fill: url(end.png) }")
    image(web, "/end.png")
    crawl(database, web.url("/"), settings=fetching())
    assert kept(database) == {web.url("/a.css"), web.url("/end.png")}


def test_style_sheets_that_name_each_other_without_end_come_to_one(
    web: Web, database: Path
) -> None:
    web.page(
        "/", head='<link rel="stylesheet" href="/0.css"><link rel=stylesheet href="/loop.css">'
    )
    for number in range(20):
        styles(
            web, f"/{number}.css", f'@import "{number + 1}.css"; p {{ fill: url({number}.png) }}'
        )
        image(web, f"/{number}.png")
    styles(web, "/loop.css", '@import "loop.css"; @import "loop2.css";')
    styles(web, "/loop2.css", '@import "loop.css";')
    crawl(database, web.url("/"), settings=fetching(assets={"max_nesting": 4}))
    numbers = range(4)
    assert kept(database) == {
        *(web.url(f"/{number}.css") for number in numbers),
        *(web.url(f"/{number}.png") for number in numbers),
        web.url("/loop.css"), web.url("/loop2.css"),
    }  # fmt: skip
    assert fates(database)[web.url("/4.css")] == ("skipped", "depth")
    check_whole(database)


def test_sheets_that_come_as_images_are_bounded_as_well(web: Web, database: Path) -> None:
    web.page("/", head="<style>p { fill: url(/x0) }</style>")

    def answer(request: Request) -> Answer:
        number = int(request.target.removeprefix("/x"))
        text = f"p {{ fill: url(/x{number + 1}) }}"
        return Answer(headers={"Content-Type": "text/css"}, body=text.encode())

    for number in range(30):
        web.decide(f"/x{number}", answer)
    crawl(database, web.url("/"), settings=fetching(assets={"max_nesting": 3}))
    assert set(web.paths) == {"/robots.txt", "/", *(f"/x{number}" for number in range(4))}


@pytest.mark.parametrize("told", [True, False], ids=["told", "not told"])
def test_of_media_past_their_cap_nothing_is_kept(told: bool, web: Web, database: Path) -> None:
    web.page("/", body='<video src="/a.mp4"></video><audio src="/b.mp3"></audio>')
    for path, size in (("/a.mp4", 50_000), ("/b.mp3", 500)):
        headers = {"Content-Type": "video/mp4"}
        body = b"x" * size
        if not told:
            headers["Transfer-Encoding"] = "chunked"
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (size, body)
        web.raw(path, headers=headers, body=body)
    crawl(database, web.url("/"), settings=fetching(assets={"max_media_bytes": 1000}))
    assert rows(database, KEPT) == [(web.url("/b.mp3"), 500)]
    assert rows(
        database, "SELECT error, truncated, body_id FROM visits WHERE status = 200 AND error <> ''"
    ) == [("too_large", "length", None)]
    assert rows(database, "SELECT * FROM broken_links") == []


# Runs


def test_a_part_is_asked_for_conditionally_and_stays_what_it_is(web: Web, database: Path) -> None:
    def sheet(request: Request) -> Answer:
        if request.headers.get("if-none-match") == '"1"':
            return Answer(304, {"ETag": '"1"'})
        headers = {"Content-Type": "text/css", "ETag": '"1"'}
        return Answer(200, headers, b"p { fill: url(a.png) }")

    web.page("/", head='<link rel="stylesheet" href="/a.css">')
    web.decide("/a.css", sheet)
    image(web, "/a.png")
    for _ in range(3):
        crawl(database, web.url("/"), settings=fetching())
    statuses = [hit.status for hit in web.log if hit.path == "/a.css"]
    assert statuses == [200, 304, 304]
    assert rows(database, "SELECT DISTINCT status FROM urls WHERE kind = 'asset'") == [(200,)]
    assert rows(database, "SELECT count(*) FROM links WHERE kind = 'css'") == [(1,)]
    assert rows(database, "SELECT count(DISTINCT body_id) FROM visits WHERE kind = 'asset'") == [
        (2,)
    ]
    check_whole(database)


def test_a_style_sheet_that_is_gone_names_nothing_more(web: Web, database: Path) -> None:
    web.page("/", head='<link rel="stylesheet" href="/a.css">')
    styles(web, "/a.css", "p { fill: url(a.png) }")
    crawl(database, web.url("/"), settings=fetching())
    assert rows(database, "SELECT count(*) FROM links WHERE kind = 'css'") == [(1,)]
    web.raw("/a.css", status=404)
    crawl(database, web.url("/"), settings=fetching())
    assert rows(database, "SELECT count(*) FROM links WHERE kind = 'css'") == [(0,)]
    web.answer("/a.css", Answer(headers={"Content-Type": "text/css"}, body=b"p{fill:url(b.png)}"))
    crawl(database, web.url("/"), settings=fetching())
    assert rows(database, "SELECT count(*) FROM links WHERE kind = 'css'") == [(1,)]
    check_whole(database)


def test_what_a_finished_crawl_only_recorded_can_be_fetched_alone(web: Web, database: Path) -> None:
    web.page("/", head='<link rel="stylesheet" href="/a.css">', links=["/b"])
    web.page("/b", body='<img src="/b.png">')
    styles(web, "/a.css", "p { fill: url(a.png) }")
    image(web, "/a.png")
    image(web, "/b.png")
    crawl(database, web.url("/"), settings=config(scope=OWN))
    assert set(web.paths) == {"/robots.txt", "/", "/b"}
    crawl(database, web.url("/"), settings=fetching(run={"new_only": True}))
    assert kept(database) == {web.url(path) for path in ("/a.css", "/a.png", "/b.png")}
    assert (web.paths.count("/"), web.paths.count("/b")) == (1, 1)
    crawl(database, web.url("/"), settings=config(scope=OWN))
    assert web.paths.count("/b.png") == 1
    check_whole(database)


@pytest.mark.parametrize(
    "settings",
    [{"scope": OWN | {"check": ["assets"]}}, {"scope": OWN, "assets": {"mode": "check"}}],
    ids=["--check assets", "--assets check"],
)
def test_checked_parts_are_asked_for_with_head_and_not_kept(
    settings: dict[str, dict[str, object]], web: Web, database: Path
) -> None:
    web.page("/", head='<link rel="stylesheet" href="/a.css">', body='<p style="fill: url(/gone)">')
    styles(web, "/a.css", "p { fill: url(a.png) }")
    crawl(database, web.url("/"), settings=config(**settings))
    assert [(hit.method, hit.path) for hit in web.log if hit.path != "/robots.txt"] == [
        ("GET", "/"), ("HEAD", "/a.css"), ("HEAD", "/gone"), ("GET", "/gone"),
    ]  # fmt: skip
    assert rows(database, "SELECT link, kind FROM broken_links") == [(web.url("/gone"), "css")]
    assert kept(database) == set()


def test_what_only_names_an_origin_or_a_protocol_is_neither_checked_nor_broken(
    web: Web, database: Path
) -> None:
    """Nobody asks a server for what preconnect, pingback and the like name."""
    hints = ("preconnect", "dns-prefetch", "pingback", "EditURI", "profile")
    head = "".join(f'<link rel="{rel}" href="{web.url(f"/hint/{rel}")}">' for rel in hints)
    web.raw("/", body=f"<head>{head}</head><img src='/gone.png' alt=''>".encode())
    crawl(database, web.url(), settings=config(scope={"check": ["assets", "external"]}))
    assert sorted(set(web.paths)) == ["/", "/gone.png", "/robots.txt"]
    broken = rows(database, "SELECT link FROM broken_links")
    assert broken == [(web.url("/gone.png"),)]


def test_by_default_parts_are_only_recorded(web: Web, database: Path) -> None:
    web.page("/", head='<link rel="stylesheet" href="/a.css">', body='<img src="/b.png">')
    crawl(database, web.url("/"), settings=config(scope=OWN))
    assert set(web.paths) == {"/robots.txt", "/"}
    assert fates(database)[web.url("/b.png")] == ("skipped", "not_followed")


def maze(web: Web, other: Host) -> None:
    """Pages and sheets that name each other over several ways, long and short."""
    for number in range(40):
        web.page(
            f"/{number}",
            links=[f"/{(number * 3 + 1) % 40}", f"/{(number * 7 + 5) % 40}"],
            head=f'<link rel="stylesheet" href="{other.url(f"/{number % 9}.css")}">',
            body=f'<img src="{other.url(f"/{number % 13}.png")}"><img src="/r{number % 5}">',
        )
    for number in range(9):
        styles(
            other, f"/{number}.css",
            f'@import "{(number * 2 + 1) % 9}.css"; p {{ fill: url({number + 20}.png) }}',
        )  # fmt: skip
        image(other, f"/{number + 20}.png")
    for number in range(13):
        image(other, f"/{number}.png")
    for number in range(5):
        web.redirect(f"/r{number}", other.url(f"/{number}.png"))


def test_the_end_does_not_depend_on_the_order(web: Web, tmp_path: Path) -> None:
    maze(web, web.host("127.0.7.1"))
    ends = []
    for number, concurrency in enumerate((1, 3, 20)):
        database = tmp_path / f"{number}.db"
        settings = fetching(run={"concurrency": concurrency}, store={"batch": 1 + 7 * number})
        crawl(database, web.url("/0"), settings=settings)
        ends.append(rows(database, "SELECT url, kind, state, depth FROM urls ORDER BY url"))
        check_whole(database)
    assert ends[0] == ends[1] == ends[2]
    assert len(ends[0]) == 58


FINDINGS = """
    SELECT findings.check_name, urls.url, findings.item, json_extract(findings.evidence, '$.kind'),
        json_extract(findings.evidence, '$.style_sheet')
    FROM findings
    JOIN urls ON urls.id = findings.url_id
    ORDER BY findings.item
"""


def test_an_audit_tells_dead_parts_on_the_page_that_needs_them_and_judges_no_part(
    web: Web, database: Path
) -> None:
    other = web.host("127.0.7.1")
    sheet = other.url("/a.css")
    web.page("/", head=f'<link rel="stylesheet" href="{sheet}">', body="<img src=/x.html alt=x>")
    web.page("/x.html", body="no title that is any good, no description, and much else")
    styles(other, "/a.css", '@import "b.css"; p { background: url(gone.png) }')
    styles(other, "/b.css", "@font-face { src: url(lost.woff) }")
    settings = fetching()
    crawl(database, web.url("/"), settings=settings)
    analyse(database, settings, lambda *_: None, processes=1)
    found = rows(database, FINDINGS)
    assert {row[1] for row in found} == {web.url("/"), web.url("/robots.txt")}
    assert [row[2:] for row in found if row[0] == "broken_assets"] == [
        (other.url("/gone.png"), "css", sheet),
        (other.url("/lost.woff"), "font", other.url("/b.css")),
    ]
    assert rows(database, "SELECT count(*) FROM facts") == [(1,)]
    assert rows(database, "SELECT count(*) FROM texts") == [(1,)]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_killed_crawl_keeps_all_parts_in_the_end(workers: int, web: Web, tmp_path: Path) -> None:
    maze(web, web.host("127.0.7.1"))
    calm, database = tmp_path / "calm.db", tmp_path / "crawl.db"
    settings = fetching(store={"batch": 5}, run={"concurrency": 4}, pace={"own_in_flight": 2})
    crawl(calm, web.url("/0"), settings=settings)
    for goal in (15, 30, 60):
        asked = len(web.whole_log) + goal
        process = crawl_apart(database, web.url("/0"), settings=settings, workers=workers)
        until(lambda: len(web.whole_log) >= asked or process.poll() is not None)  # noqa: B023  # called here
        process.kill()
        process.wait()
    crawl(database, web.url("/0"), settings=settings)
    ends = "SELECT url, kind, state, depth, status FROM urls ORDER BY url"
    assert rows(database, ends) == rows(calm, ends)
    assert rows(database, KEPT) == rows(calm, KEPT)
    assert rows(database, LINKS) == rows(calm, LINKS)
    check_whole(database)


# A real site


def test_of_the_apache_manual_all_is_kept_that_another_reader_misses(database: Path) -> None:
    """Its style sheets import each other, and lie with its images outside of the scope."""
    folder = require_folder("/usr/share/doc/apache2-doc/manual", "apt-get install apache2-doc")
    with nginx.serve_folder(folder) as served:
        start = served.url("/en/index.html")
        crawl(database, start, settings=fetching(scope={"mode": "prefix"}))
        asked = Counter(hit.path for hit in served.hits())
        pages = [url for (url,) in rows(database, "SELECT url FROM pages WHERE status = 200")]
        needed = parts.parts(pages)
    assert len(pages) > 200
    assert set(asked.values()) == {1}
    there = {url for url, status in needed.items() if status == 200}
    assert kept(database) == there
    assert served.url("/style/css/manual-loose-100pc.css") in there
    gone = {url for url, status in needed.items() if status == 404}
    told = rows(database, "SELECT DISTINCT link FROM broken_links WHERE kind <> 'a'")
    assert {url for (url,) in told} == gone
    check_whole(database)
