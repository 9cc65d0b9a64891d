"""Does the whole line, from seeds to the database, find what is there?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from socket import socket

import pytest

from tests.crawls import check_whole, config, crawl, ends, fates, let_a_day_pass, rows
from tests.sites import nginx, walk
from tests.sites.server import Answer, Request
from tests.sites.skip import require_folder
from tests.sites.web import Web

POSTGRESQL = ("/usr/share/doc/postgresql-doc-15/html", "apt-get install postgresql-doc-15")
SQLITE = ("/usr/share/doc/sqlite3", "apt-get install sqlite3-doc")

ANCHORS = """
    SELECT source.url, target.url, links.anchor
    FROM links
    JOIN urls AS source ON source.id = links.source_id
    JOIN urls AS target ON target.id = links.target_id
    WHERE links.kind = 'a'
    ORDER BY source.url, links.position
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


# Real sites, against a reader that knows nothing of the crawler


def test_the_postgresql_manual_is_fetched_whole_and_each_page_once(database: Path) -> None:
    folder = require_folder(*POSTGRESQL)
    with nginx.serve_folder(folder) as served:
        outcome = crawl(database, served.url("/index.html"))
        asked = Counter(hit.path for hit in served.hits())
        found = walk.walk(served.url("/index.html"))
    assert outcome.reason == "finished"
    assert set(asked.values()) == {1}
    assert {served.url(path) for path in asked} - {served.url("/robots.txt")} == found.pages
    assert {url for (url,) in rows(database, "SELECT url FROM pages")} == found.pages
    assert rows(database, "SELECT count(*) FROM urls WHERE state = 'failed'") == [(0,)]
    anchors = rows(database, ANCHORS)
    assert len(anchors) == 25_194
    assert _agree(anchors, found)
    check_whole(database)


@pytest.fixture(scope="module")
def sqlite_manual() -> Iterator[tuple[nginx.Nginx, walk.Found]]:
    """The manual of SQLite, and what a walk finds in it."""
    with nginx.serve_folder(require_folder(*SQLITE)) as served:
        yield served, walk.walk(served.url("/index.html"))


def test_every_broken_link_of_the_sqlite_manual_is_told(
    sqlite_manual: tuple[nginx.Nginx, walk.Found], database: Path
) -> None:
    served, found = sqlite_manual
    settings = config(parse={"max_links": 20_000})
    crawl(database, served.url("/index.html"), settings=settings)
    told = rows(
        database, "SELECT page, link, anchor FROM broken_links WHERE kind = 'a' AND status = 404"
    )
    broken = Counter((one.source, one.target, one.text) for one in found.broken())
    assert len(told) > 1000
    assert Counter(told) == broken
    assert {url for (url,) in rows(database, "SELECT url FROM pages")} == set(found.statuses)
    check_whole(database)


def test_a_page_with_more_links_than_the_limit_says_so(
    sqlite_manual: tuple[nginx.Nginx, walk.Found], database: Path
) -> None:
    _, found = sqlite_manual
    settings = config(scope={"mode": "page"})
    anchors = Counter(one.source for one in found.anchors)
    longest, count = anchors.most_common(1)[0]
    assert count > settings.parse.max_links
    crawl(database, longest, settings=settings)
    assert rows(database, "SELECT truncated FROM visits WHERE kind = 'page'") == [("links",)]
    assert rows(database, "SELECT count(*) FROM links") == [(settings.parse.max_links,)]


def _agree(anchors: list[tuple[str, str, str]], found: walk.Found) -> bool:
    """The same anchors in the same order, occurrence for occurrence.

    The walk knows no text of an anchor that holds only an image, or another anchor.
    """
    walked = sorted(found.anchors, key=lambda one: (one.source, one.ordinal))
    assert [(source, target) for source, target, _ in anchors] == [
        (one.source, one.target or one.href) for one in walked
    ]
    texts = [(anchor, one.text) for (_, _, anchor), one in zip(anchors, walked, strict=True)]
    return [ours for ours, theirs in texts if theirs] == [theirs for _, theirs in texts if theirs]


# Redirects: every hop is a URL of its own


HOPS = """
    SELECT url, kind, visits.status, visits.error
    FROM visits
    JOIN urls ON urls.id = visits.url_id
    WHERE visits.kind = 'page'
    ORDER BY visits.id
"""


def hops(database: Path, web: Web) -> list[tuple[str, int | None, str | None]]:
    """Path, status and error of every visit to a page, in order."""
    found = rows(database, HOPS.replace("kind, visits.status", "visits.status"))
    return [(url.removeprefix(web.url("")), status, error) for url, status, error in found]


def test_a_redirect_is_followed_hop_by_hop(web: Web, database: Path) -> None:
    web.redirect("/", "/a")
    web.redirect("/a", "/b#part", status=308)
    web.page("/b")
    crawl(database, web.url())
    assert web.paths == ["/robots.txt", "/", "/a", "/b"]
    assert hops(database, web) == [("/", 302, None), ("/a", 308, None), ("/b", 200, None)]
    found = rows(database, "SELECT url, depth, hops FROM urls WHERE kind = 'page' ORDER BY id")
    assert found == [(web.url("/"), 0, 0), (web.url("/a"), 0, 1), (web.url("/b"), 0, 2)]
    assert rows(database, "SELECT hop, url, redirects_to FROM redirect_chains ORDER BY hop") == [
        (1, web.url("/"), web.url("/a")),
        (2, web.url("/a"), web.url("/b")),
    ]
    check_whole(database)


def test_a_redirect_to_itself_is_a_loop(web: Web, database: Path) -> None:
    web.redirect("/", "/#again")
    crawl(database, web.url())
    assert web.paths == ["/robots.txt", "/"]
    assert fates(database, web.url("")) == {"/": ("failed", "redirect_loop")}


def test_a_redirect_back_into_its_chain_is_a_loop(web: Web, database: Path) -> None:
    web.redirect("/", "/a")
    web.redirect("/a", "/b")
    web.redirect("/b", "/a")
    crawl(database, web.url())
    assert web.paths == ["/robots.txt", "/", "/a", "/b"]
    assert hops(database, web)[-1] == ("/b", 302, "redirect_loop")


def test_a_redirect_to_a_page_that_is_known_is_no_loop(web: Web, database: Path) -> None:
    web.page("/", links=["/old", "/new"])
    web.redirect("/old", "/new")
    web.page("/new", links=["/old"])
    crawl(database, web.url())
    assert set(fates(database).values()) == {("done", None)}
    assert sorted(web.paths) == ["/", "/new", "/old", "/robots.txt"]


def test_too_many_redirects_end_a_chain(web: Web, database: Path) -> None:
    for number in range(6):
        web.redirect(f"/{number}", f"/{number + 1}")
    crawl(database, web.url("/0"), settings=config(fetch={"max_redirects": 3}))
    assert web.paths == ["/robots.txt", "/0", "/1", "/2", "/3"]
    assert hops(database, web)[-1] == ("/3", 302, "too_many_redirects")
    assert fates(database, web.url(""))["/3"] == ("failed", "too_many_redirects")


def test_the_target_of_a_redirect_obeys_its_own_robots(web: Web, database: Path) -> None:
    other = web.host("127.0.9.1")
    other.robots("User-agent: *\nDisallow: /private\n")
    other.page("/private")
    web.redirect("/", other.url("/private"))
    crawl(database, web.url(), settings=config(scope={"allow_private": ["127.0.0.0/8"]}))
    assert other.paths == ["/robots.txt"]
    assert fates(database)[other.url("/private")] == ("skipped", "robots")


def test_the_target_of_a_seeds_redirect_joins_the_scope(web: Web, database: Path) -> None:
    other, third = web.host("127.0.9.1"), web.host("127.0.9.2")
    web.redirect("/", other.url("/home"))
    other.page("/home", links=["/more", third.url()])
    other.page("/more")
    crawl(database, web.url(), settings=config(scope={"allow_private": ["127.0.0.0/8"]}))
    assert other.paths == ["/robots.txt", "/home", "/more"]
    assert fates(database)[third.url()] == ("skipped", "scope")


def test_what_was_out_of_scope_before_a_seed_redirected_there_is_fetched(
    web: Web, database: Path
) -> None:
    other, moved = web.host("127.0.9.1"), web.host("127.0.9.2")
    web.page("/", links=[other.url("/seen-first")])
    moved.answer("/", Answer(302, {"Location": other.url("/home")}, wait_s=0.6))
    other.page("/home")
    other.page("/seen-first")
    settings = config(scope={"allow_private": ["127.0.0.0/8"]})
    crawl(database, web.url(), moved.url(), settings=settings)
    assert sorted(other.paths) == ["/home", "/robots.txt", "/seen-first"]
    check_whole(database)


def test_the_redirect_of_a_seed_gives_no_leave_to_ask_private_addresses(
    web: Web, database: Path
) -> None:
    other = web.host("127.0.9.1")
    other.page("/")
    web.redirect("/", other.url())
    crawl(database, web.url())
    assert other.paths == []
    assert fates(database)[other.url()] == ("skipped", "blocked_addr")


def test_a_redirect_out_of_scope_is_not_fetched(web: Web, database: Path) -> None:
    other = web.host("127.0.9.1")
    web.page("/", links=["/away"])
    web.redirect("/away", other.url("/x"))
    crawl(database, web.url(), settings=config(scope={"allow_private": ["127.0.0.0/8"]}))
    assert other.paths == []
    assert fates(database)[other.url("/x")] == ("skipped", "scope")


def test_an_address_without_a_scheme_is_tried_over_http_where_https_cannot_connect(
    web: Web, database: Path
) -> None:
    web.page("/", links=["/a"])
    web.page("/a")
    # A server that knows no TLS may wait for ever for the end of the first line.
    crawl(database, f"127.0.0.1:{web.port}", settings=config(fetch={"read_s": 0.5}))
    assert web.paths[-3:] == ["/robots.txt", "/", "/a"]
    found = rows(database, "SELECT seeds.text, urls.url, urls.state FROM seeds "
                 "JOIN urls ON urls.id = url_id")  # fmt: skip
    assert found == [(f"127.0.0.1:{web.port}", web.url(), "done")]


def test_an_address_with_a_scheme_is_never_tried_over_another(database: Path) -> None:
    secure = f"https://127.0.0.1:{_unused_port()}/"
    crawl(database, secure)
    assert fates(database) == {secure: ("failed", "connect_refused")}


# robots.txt decides first


def test_what_robots_forbids_is_skipped_and_never_asked_for(web: Web, database: Path) -> None:
    web.robots("User-agent: *\nDisallow: /private\nAllow: /private/but\n")
    web.page("/", links=["/private/x", "/private/but", "/public"])
    web.page("/private/but", links=["/private/y"])
    crawl(database, web.url())
    assert web.paths[0] == "/robots.txt"
    assert sorted(web.paths[1:]) == ["/", "/private/but", "/public"]
    assert fates(database, web.url("")) == {
        "/": ("done", None),
        "/private/but": ("done", None),
        "/private/x": ("skipped", "robots"),
        "/private/y": ("skipped", "robots"),
        "/public": ("done", None),
    }
    body = rows(database, "SELECT robots_status, robots_body FROM origins")
    assert body == [(200, b"User-agent: *\nDisallow: /private\nAllow: /private/but\n")]
    check_whole(database)


def test_a_person_may_choose_to_ignore_robots(web: Web, database: Path) -> None:
    web.robots("User-agent: *\nDisallow: /\n")
    web.page("/")
    crawl(database, web.url(), settings=config(robots={"obey": False}))
    assert web.paths == ["/"]


def test_a_server_error_for_robots_forbids_everything(web: Web, database: Path) -> None:
    web.raw("/robots.txt", status=503)
    web.page("/")
    crawl(database, web.url())
    assert set(web.paths) == {"/robots.txt"}
    assert fates(database) == {web.url(): ("skipped", "robots_unreachable")}
    visits = rows(database, "SELECT kind, attempt, status, error FROM visits ORDER BY id")
    assert visits == [("robots", 1, 503, None), ("robots", 2, 503, None), ("robots", 3, 503, None)]
    check_whole(database)


@pytest.mark.parametrize("status", [206, 304])
def test_a_robots_that_does_not_say_all_opens_nothing(
    web: Web, database: Path, status: int
) -> None:
    """Nobody asked for a part of it, or whether it was modified."""
    web.page("/", links=["/private"])
    web.page("/private")
    web.robots("User-agent: *\nDisallow: /private\n")
    crawl(database, web.url())
    let_a_day_pass(database)
    web.raw("/robots.txt", status=status, body="User-agent: *\n")
    crawl(database, web.url())
    assert web.paths == ["/robots.txt", "/", "/robots.txt"]
    assert fates(database, web.url(""))["/"] == ("skipped", "robots_unreachable")
    assert rows(database, "SELECT robots_error FROM origins") == [(f"http_{status}",)]
    web.robots("User-agent: *\nDisallow: /private\n")
    crawl(database, web.url())
    assert web.paths[3:] == ["/robots.txt", "/"]


def test_a_host_that_cannot_be_reached_fails_with_that_error(database: Path) -> None:
    port = _unused_port()
    seed = f"http://127.0.0.1:{port}/"
    crawl(database, seed, seed + "a")
    assert fates(database) == {
        seed: ("failed", "connect_refused"),
        seed + "a": ("failed", "connect_refused"),
    }
    assert rows(database, "SELECT DISTINCT kind FROM visits") == [("robots",)]
    check_whole(database)


def test_a_missing_robots_allows_everything(web: Web, database: Path) -> None:
    web.page("/")
    crawl(database, web.url())
    assert web.paths == ["/robots.txt", "/"]


def test_the_rules_of_a_redirected_robots_belong_to_the_first_origin(
    web: Web, database: Path
) -> None:
    other = web.host("127.0.9.1")
    web.redirect("/robots.txt", other.url("/robots.txt"))
    other.raw(
        "/robots.txt", body="User-agent: *\nDisallow: /no\n", headers={"Content-Type": "text/plain"}
    )
    web.page("/", links=["/no", "/yes"])
    web.page("/yes")
    crawl(database, web.url(), settings=config(scope={"allow_private": ["127.0.0.0/8"]}))
    assert sorted(web.paths) == ["/", "/robots.txt", "/yes"]
    assert "/robots.txt" in other.paths
    assert fates(database)[web.url("/no")] == ("skipped", "robots")
    check_whole(database)


def test_a_robots_that_redirects_for_ever_is_as_if_there_were_none(
    web: Web, database: Path
) -> None:
    web.redirect("/robots.txt", "/robots.txt")
    web.page("/")
    crawl(database, web.url())
    assert web.paths == ["/robots.txt"] * 6 + ["/"]
    check_whole(database)


def test_a_chain_of_robots_ends_after_five_hops_and_every_url_of_it_has_a_fate(
    web: Web, database: Path
) -> None:
    """RFC 9309, section 2.3.1.2: at least five consecutive redirects."""
    web.redirect("/robots.txt", "/r1")
    for number in range(1, 9):
        web.redirect(f"/r{number}", f"/r{number + 1}")
    web.page("/")
    crawl(database, web.url())
    assert web.paths == ["/robots.txt", "/r1", "/r2", "/r3", "/r4", "/r5", "/"]
    [(fate,)] = rows(database, "SELECT state FROM urls WHERE url = ?", web.url("/r6"))
    assert fate == "skipped"
    check_whole(database)


def _unused_port() -> int:
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


# The end does not depend on the order in which pages came


def tangled(web: Web, chance: Random) -> None:
    """A site where ways cross: late short cuts, chains, loops, things forbidden and far away."""
    waits: dict[str, Answer] = {}

    def page(path: str, *links: str, more: str = "") -> None:
        web.page(path, links=links, body=more, title=f"title of {path}")
        slow(path)

    def redirect(path: str, target: str) -> None:
        web.redirect(path, target)
        slow(path)

    def slow(path: str) -> None:
        answer = web.reply(Request("GET", path, "", web.address, {}))
        wait_s = chance.choice((0.0, 0.0, 0.01, 0.05, 0.12)) * chance.random()
        waits[path] = Answer(answer.status, answer.headers, answer.body, wait_s)
        web.decide(path, lambda request: waits[request.target])

    web.robots("User-agent: *\nDisallow: /forbidden/\n")
    far = "http://127.0.99.9:8099/"
    home = ["/chain/0", "/long/0", "/loop/a", "/ring/2", "/near", "/mixed/1", "/forbidden/seed"]
    page("/", *home, far, "mailto:a@b.test", more='<img src="/img-only"><img src="/img-and-a">')
    # A long way to /deep/N and a short cut to its middle, which is found by a slow page.
    for number in range(12):
        shy = f'<img src="/image/{number}"><a rel="nofollow" href="/shy/{number}">x</a>'
        on = (f"/deep/{number + 1}", f"/leaf/{number}", f"{far}{number}")
        page(f"/deep/{number}", *on, more=shy)
        page(f"/leaf/{number}", "/", f"/gone/{number}")
        page(f"/image/{number}")
    page("/mixed/1", "/mixed/2", "/deep/0", more='<a rel="nofollow" href="/shy/3">x</a>')
    page("/mixed/2", "/mixed/3", "/img-and-a", "/forbidden/x", "/shy/7")
    page("/mixed/3", "/mixed/4", "/deep/5", more='<img src="/deep/9">')
    page("/near", "/deep/2", "/deep/4", "/chain/3", "/long/5", "/shy/1")
    for number in (1, 3, 7):
        page(f"/shy/{number}", f"/shy/{number}/below", "/deep/6")
    page("/img-and-a", "/img-only-below")
    page("/img-only", "/never")
    # Chains, entered at both ends; one that is too long from its start, but not from its middle.
    for number in range(5):
        redirect(f"/chain/{number}", f"/chain/{number + 1}")
    page("/chain/5", "/after-chain")
    page("/after-chain", "/deep/8")
    for number in range(8):
        redirect(f"/long/{number}", f"/long/{number + 1}")
    page("/long/8", "/after-long")
    page("/after-long")
    # Loops: entered at one place, and at several.
    redirect("/loop/a", "/loop/b")
    redirect("/loop/b", "/loop/c")
    redirect("/loop/c", "/loop/a")
    for number in range(4):
        redirect(f"/ring/{number}", f"/ring/{(number + 1) % 4}")
    page("/deep/3", "/ring/0", "/ring/3", "/deep/4")


def test_the_end_does_not_depend_on_the_order_of_answers(web: Web, tmp_path: Path) -> None:
    settings = config(scope={"max_depth": 4}, fetch={"max_redirects": 4})
    first = None
    for seed in range(5):
        tangled(web, Random(seed))
        database = tmp_path / f"{seed}.db"
        web.whole_log.clear()
        crawl(database, web.url(), settings=settings)
        check_whole(database)
        found = ends(database)
        first = first or found
        for ours, theirs in zip(found, first, strict=True):
            assert ours == theirs, f"order {seed}"
