"""Does a crawl cover what its seeds mean: in this run, after a move, and in the next?"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crawler.store import queries, seed_ends
from crawler.store.scopes import Scopes
from tests.crawls import check_whole, config, crawl, fates, let_a_day_pass, rows
from tests.sites.server import Answer, Request
from tests.sites.web import Web

SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"
NEAR = {"allow_private": ["127.0.0.0/8"]}
XML = {"Content-Type": "application/xml"}


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


def bare(url: str) -> str:
    """An address as people write it."""
    return url.removeprefix("http://")


def sitemap(*places: str) -> str:
    return (
        f'<urlset xmlns="{SITEMAP}">'
        + "".join(f"<url><loc>{place}</loc></url>" for place in places)
        + "</urlset>"
    )


def sitemap_index(*places: str) -> str:
    return (
        f'<sitemapindex xmlns="{SITEMAP}">'
        + "".join(f"<sitemap><loc>{place}</loc></sitemap>" for place in places)
        + "</sitemapindex>"
    )


def count_of_seeds(database: Path) -> seed_ends.SeedCount:
    with closing(queries.open_for_reading(database)) as connection:
        last = queries.last_run(connection)
        assert last is not None
        return seed_ends.count(connection, last.id)


def ends_of_seeds(database: Path) -> list[seed_ends.SeedEnd]:
    """What is told of seeds at the end of the last run."""
    with closing(queries.open_for_reading(database)) as connection:
        last = queries.last_run(connection)
        assert last is not None
        return seed_ends.worth_telling(connection, last.id, 9)[0]


# Seeds without a scheme


@pytest.mark.parametrize("obey", [True, False])
def test_https_that_is_not_there_is_no_error(web: Web, database: Path, obey: bool) -> None:
    web.page("/", links=["/a"])
    web.page("/a")
    outcome = crawl(database, bare(web.url()), settings=config(robots={"obey": obey}))
    secure = f"https://{bare(web.url())}"
    assert fates(database)[secure] == ("skipped", "no_https")
    assert outcome.stats.errors == 0
    assert rows(database, "SELECT errors FROM runs") == [(0,)]
    assert rows(database, "SELECT url, state, title FROM seed_summary") == [
        (web.url(), "done", rows(database, "SELECT title FROM pages WHERE depth = 0")[0][0])
    ]
    check_whole(database)


def test_going_on_remembers_that_a_seed_has_no_https(web: Web, database: Path) -> None:
    web.page("/", links=[f"/{number}" for number in range(8)])
    for number in range(8):
        web.page(f"/{number}")
    for _ in range(3):
        outcome = crawl(database, bare(web.url()), settings=config(run={"max_pages": 3}))
        assert not count_of_seeds(database).in_vain
        assert rows(database, "SELECT DISTINCT url FROM seed_summary") == [(web.url(),)]
        assert outcome.stats.errors == 0
    assert rows(database, "SELECT count(*) FROM pages") == [(9,)]
    check_whole(database)


# Seeds that come and go


def test_what_only_a_removed_seed_brought_in_falls_out_and_comes_back(
    web: Web, database: Path
) -> None:
    other = web.host("127.0.9.1")
    web.page("/", links=["/a", other.url("/linked")])
    web.page("/a")
    other.page("/", links=["/b"])
    for path in ("/b", "/linked"):
        other.page(path)
    crawl(database, web.url(), other.url())
    seen = len(other.paths)
    crawl(database, web.url())
    assert other.paths[seen:] == []
    gone = {url: fate for url, fate in fates(database).items() if url.startswith(other.url(""))}
    assert set(gone.values()) == {("skipped", "scope")}
    assert rows(database, "SELECT count(*) FROM pages") == [(5,)], "what was found is kept"
    check_whole(database)
    crawl(database, web.url(), other.url())
    assert sorted({*other.paths[seen:]} - {"/robots.txt"}) == ["/", "/b", "/linked"]
    assert set(fates(database).values()) == {("done", None)}
    check_whole(database)


def test_an_interrupted_crawl_drops_the_rest_of_a_removed_seed(web: Web, database: Path) -> None:
    other = web.host("127.0.9.1")
    web.page("/")
    other.page("/", links=[f"/{number}" for number in range(9)])
    crawl(database, other.url(), settings=config(run={"max_pages": 1}))
    crawl(database, web.url())
    assert other.paths == ["/robots.txt", "/"]
    assert rows(database, "SELECT DISTINCT state FROM urls WHERE depth = 1") == [("skipped",)]
    check_whole(database)


@pytest.mark.parametrize("mode", ["page", "prefix"])
def test_what_was_out_of_scope_is_judged_once_however_many_seeds_join(
    web: Web, database: Path, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    first, *more = [web.url(f"/{number}/") for number in range(9)]
    web.page("/0/", links=[f"/out/{number}" for number in range(20)])
    settings = config(scope={"mode": mode})
    crawl(database, first, settings=settings)
    judged: list[str] = []
    readmit = Scopes._readmit

    def noting(scopes: Scopes, *row: Any) -> None:
        judged.append(row[1])
        readmit(scopes, *row)

    monkeypatch.setattr(Scopes, "_readmit", noting)
    crawl(database, first, *more, web.url("/out/3"), settings=settings)
    assert len(judged) <= 20
    gone_in = {"page": {"/out/3"}, "prefix": {f"/out/{number}" for number in range(20)}}[mode]
    skipped = {url for url, fate in fates(database, web.url("")).items() if fate[1] == "scope"}
    assert skipped == {f"/out/{number}" for number in range(20)} - gone_in
    check_whole(database)


@pytest.mark.parametrize("pages", [0, 1])
def test_where_a_seed_moved_stays_in_scope_as_long_as_the_seed(
    web: Web, database: Path, pages: int
) -> None:
    new = web.host("127.0.9.1")
    web.redirect("/", new.url("/"))
    new.page("/", links=["/a", "/b"])
    for path in ("/a", "/b"):
        new.page(path)
    crawl(database, web.url(), settings=config(run={"max_pages": pages and 2}, scope=NEAR))
    crawl(database, web.url(), settings=config(scope=NEAR))
    assert {fates(database)[new.url(path)] for path in ("/", "/a", "/b")} == {("done", None)}
    web.page("/other/")
    crawl(database, web.url("/other/"), settings=config(scope=NEAR))
    assert {fates(database)[new.url(path)] for path in ("/a", "/b")} == {("skipped", "scope")}
    check_whole(database)


# Seeds that have moved


def test_a_front_page_moves_with_its_site(web: Web, database: Path) -> None:
    new = web.host("127.0.9.1")
    web.redirect("/", "/start")
    web.redirect("/start", new.url("/home/"))
    new.page("/home/", links=["/a"])
    new.page("/a")
    crawl(database, web.url(), settings=config(scope=NEAR))
    assert fates(database)[new.url("/a")] == ("done", None)
    check_whole(database)


REFRESHES = [
    ("", "0; url={}"),
    ("", "5;URL='{}'"),
    ("header", "0;url={}"),
]


@pytest.mark.parametrize("tag", ["", '"1"'])
@pytest.mark.parametrize(("where", "content"), REFRESHES)
def test_a_front_page_that_leads_on_by_itself_moves_with_its_site(
    web: Web, database: Path, where: str, content: str, tag: str
) -> None:
    """An instant refresh is the redirect of those who have no other."""
    new = web.host("127.0.9.1")
    said = content.format(new.url("/"))
    head = "" if where else f'<meta http-equiv="refresh" content="{said}">'
    headers = {"Refresh": said} if where else {}

    def answer(request: Request) -> Answer:
        if tag and request.headers.get("if-none-match") == tag:
            return Answer(304, {"ETag": tag})
        body = f"<title>Moved</title>{head}<p>We have moved</p>".encode()
        return Answer(headers=headers | ({"ETag": tag} if tag else {}), body=body)

    web.decide("/", answer)
    new.redirect("/", "/home/")
    new.page("/home/", links=["/a"])
    new.page("/a")
    for _ in range(3):
        crawl(database, web.url(), settings=config(scope=NEAR))
        assert {fates(database)[new.url(path)] for path in ("/", "/home/", "/a")} == {
            ("done", None)
        }
        assert rows(database, "SELECT redirects_to FROM seed_summary") == [(new.url("/"),)]
        assert new.paths.count("/a") == new.paths.count("/")
    ends = ends_of_seeds(database)
    assert [(end.end, end.hops, end.moved, end.why) for end in ends] == [
        (new.url("/home/"), 2, True, None)
    ]
    web.page("/other/")
    crawl(database, web.url("/other/"), settings=config(scope=NEAR))
    assert fates(database)[new.url("/a")] == ("skipped", "scope")
    check_whole(database)


@pytest.mark.parametrize(
    ("seed", "content", "reached"),
    [
        ("/", "1800; url={}", []),  # that is the end of a session
        ("/", "11; url={}", []),
        ("/", "0; url=/here", []),
        ("/", "0", []),
        ("/deep.html", "0; url={}", ["/"]),  # the page it leads to alone
    ],
)
def test_no_other_refresh_takes_a_site_along(
    web: Web, database: Path, seed: str, content: str, reached: list[str]
) -> None:
    new = web.host("127.0.9.1")
    said = content.format(new.url("/"))
    web.page(seed, head=f'<meta http-equiv="refresh" content="{said}">')
    web.page("/here")
    new.page("/", links=["/a"])
    crawl(database, web.url(seed), settings=config(scope=NEAR))
    assert [path for path in new.paths if path != "/robots.txt"] == reached
    check_whole(database)


def test_where_a_seed_moved_is_remembered_while_it_is_out_of_reach(
    web: Web, database: Path
) -> None:
    new = web.host("127.0.9.1")
    old = web.host("127.0.9.2")
    old.redirect("/", new.url("/"))
    new.page("/", links=["/a"])
    new.page("/a")
    crawl(database, old.url(), settings=config(scope=NEAR))
    old.answer("/", Answer(503))
    for times in (2, 3):
        crawl(database, old.url(), settings=config(scope=NEAR, pace={"tries": 1}))
        assert new.paths.count("/a") == times
    let_a_day_pass(database)
    web.shut(old)
    for times in (4, 5):
        crawl(database, old.url(), settings=config(scope=NEAR, pace={"tries": 1}))
        assert new.paths.count("/a") == times


def test_a_deeper_seed_brings_the_page_it_moved_to_alone(web: Web, database: Path) -> None:
    new = web.host("127.0.9.1")
    web.redirect("/paper.html", new.url("/archive/paper.html"))
    new.page("/archive/paper.html", links=["/", "/archive/other.html"])
    crawl(database, web.url("/paper.html"), settings=config(scope=NEAR))
    assert fates(database) == {
        web.url("/paper.html"): ("done", None),
        new.url("/archive/paper.html"): ("done", None),
        new.url("/"): ("skipped", "scope"),
        new.url("/archive/other.html"): ("skipped", "scope"),
    }
    check_whole(database)


@pytest.mark.parametrize(
    "scope",
    [{"mode": "prefix"}, {"include": ["/docs/old"]}, {"exclude": ["/new"]}, {"mode": "page"}],
)
def test_page_filters_do_not_hit_where_a_seed_has_moved(
    web: Web, database: Path, scope: dict[str, object]
) -> None:
    web.redirect("/docs/old", "/new/docs")
    web.page("/new/docs", title="Moved")
    crawl(database, web.url("/docs/old"), settings=config(scope=scope))
    assert rows(database, "SELECT title FROM pages WHERE title IS NOT NULL") == [("Moved",)]


# Sitemaps are no pages


@pytest.mark.parametrize(
    "scope",
    [{"mode": "prefix"}, {"include": ["/docs/"]}, {"exclude": [r"\.xml$"]}, {}],
)
def test_page_filters_do_not_hit_sitemaps(
    web: Web, database: Path, scope: dict[str, object]
) -> None:
    web.page("/docs/", links=[])
    web.page("/docs/deep")
    web.raw("/robots.txt", body=f"Sitemap: {web.url('/maps/index.xml')}\n")
    web.raw("/maps/index.xml", headers=XML, body=sitemap_index(web.url("/maps/one.xml")))
    web.raw("/maps/one.xml", headers=XML, body=sitemap(web.url("/docs/deep")))
    settings = config(scope=scope, robots={"sitemaps": True})
    crawl(database, web.url("/docs/"), settings=settings)
    assert fates(database)[web.url("/docs/deep")] == ("done", None)
    check_whole(database)


def test_a_sitemap_that_robots_names_may_lie_elsewhere_but_its_entries_may_not(
    web: Web, database: Path
) -> None:
    """https://www.sitemaps.org/protocol.html#sitemaps_cross_submits"""
    other = web.host("127.0.9.1")
    web.page("/")
    web.page("/deep")
    web.raw("/robots.txt", body=f"Sitemap: {other.url('/map.xml')}\n")
    entries = sitemap(web.url("/deep"), other.url("/page"))
    other.raw("/map.xml", headers=XML, body=entries)
    other.raw("/robots.txt", body=f"Sitemap: {other.url('/own.xml')}\n")
    crawl(database, web.url(), settings=config(robots={"sitemaps": True}, scope=NEAR))
    found = fates(database)
    assert found[web.url("/deep")] == ("done", None)
    assert found[other.url("/page")] == ("skipped", "scope")
    assert "/own.xml" not in other.paths, "nobody asked for that host"
    check_whole(database)


# Only what is new


def test_new_only_visits_nothing_a_second_time(web: Web, database: Path) -> None:
    other = web.host("127.0.9.1")
    web.page("/", links=["/a", "/missing"])
    web.page("/a")
    other.page("/")
    crawl(database, web.url())
    seen = len(web.paths)
    crawl(database, web.url(), other.url(), settings=config(run={"new_only": True}))
    assert web.paths[seen:] == []
    assert [path for path in other.paths if path != "/robots.txt"] == ["/"]
    check_whole(database)


def test_a_raised_limit_takes_up_what_it_had_left(web: Web, database: Path) -> None:
    web.page("/", links=[f"/{number}" for number in range(6)])
    for number in range(6):
        web.page(f"/{number}")
    crawl(database, web.url(), settings=config(scope={"max_pages_per_host": 3}))
    seen = len(web.paths)
    more = config(scope={"max_pages_per_host": 100}, run={"new_only": True})
    crawl(database, web.url(), settings=more)
    assert len([path for path in web.paths[seen:] if path != "/robots.txt"]) == 4
    assert rows(database, "SELECT count(*) FROM pages") == [(7,)]
    check_whole(database)


# Sitemaps of a robots.txt that was read before they were asked for


@pytest.mark.parametrize(
    "before",
    [{"robots": {"sitemaps": False}}, {"robots": {"sitemaps": True}, "scope": {"mode": "page"}}],
)
def test_sitemaps_that_the_last_run_left_out_are_read_by_the_next(
    web: Web, database: Path, before: dict[str, dict[str, object]]
) -> None:
    web.page("/", links=["/a"])
    web.page("/a")
    web.page("/orphan")
    web.robots(f"Sitemap: {web.url('/map.xml')}")
    web.raw("/map.xml", headers=XML, body=sitemap(web.url("/orphan")))
    crawl(database, web.url(), settings=config(**before))
    assert web.url("/orphan") not in fates(database)
    crawl(database, web.url(), settings=config(robots={"sitemaps": True}))
    assert fates(database)[web.url("/orphan")] == ("done", None)
    check_whole(database)


def test_sitemaps_of_a_host_that_was_only_looked_at_are_read_once_it_is_a_seed(
    web: Web, database: Path
) -> None:
    other = web.host("127.0.0.2")
    web.page("/", links=[other.url("/a")])
    other.page("/a")
    other.page("/orphan")
    other.robots(f"Sitemap: {other.url('/map.xml')}")
    other.raw("/map.xml", headers=XML, body=sitemap(other.url("/orphan")))
    settings = config(robots={"sitemaps": True}, scope=NEAR | {"check": ["external"]})
    crawl(database, web.url(), settings=settings)
    assert sorted(hit.path for hit in other.log) == ["/a", "/robots.txt"]
    crawl(database, web.url(), other.url("/a"), settings=settings)
    assert fates(database)[other.url("/orphan")] == ("done", None)
    check_whole(database)
