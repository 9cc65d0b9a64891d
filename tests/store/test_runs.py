"""What does the same command do on a file that has a crawl in it?"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from crawler.policy.seeds import read_line
from crawler.store import queries
from crawler.store.database import sqlite3
from crawler.store.writer import Writer
from tests.crawls import check_whole, config, crawl, fates, rows
from tests.patience import stretch
from tests.sites.server import NOT_FOUND, Answer, Request, html
from tests.sites.web import Web

RUNS = "SELECT state, finish_reason, pages FROM runs ORDER BY id"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


def versioned(web: Web, path: str, *, etag: str, title: str, links: tuple[str, ...] = ()) -> None:
    """A page with an ETag, that answers 304 to whoever has it already."""
    anchors = "".join(f'<a href="{link}">{link}</a>' for link in links)

    def answer(request: Request) -> Answer:
        if request.headers.get("if-none-match") == etag:
            return Answer(304, {"ETag": etag})
        return Answer(200, {"ETag": etag}, html(title, anchors))

    web.decide(path, answer)


# Revisits


def test_a_finished_crawl_is_visited_again_by_the_same_command(web: Web, database: Path) -> None:
    web.page("/", links=["/a"])
    web.page("/a")
    crawl(database, web.url())
    crawl(database, web.url())
    assert sorted(web.paths) == ["/", "/", "/a", "/a", "/robots.txt"]
    assert rows(database, RUNS) == [("finished", "finished", 2)] * 2
    assert rows(database, "SELECT visits FROM pages") == [(2,), (2,)]
    check_whole(database)


def test_what_did_not_change_keeps_its_document(web: Web, database: Path) -> None:
    versioned(web, "/", etag='"1"', title="Home", links=("/a", "/b"))
    versioned(web, "/a", etag='"1"', title="A")
    versioned(web, "/b", etag='"1"', title="B")
    crawl(database, web.url())
    facts = "SELECT url, status, title, text_hash, document_at, changed_at, body_id FROM pages"
    links = "SELECT * FROM links"
    before = rows(database, facts), rows(database, links)
    versioned(web, "/b", etag='"2"', title="B changed")
    crawl(database, web.url())
    assert [hit.status for hit in web.log if hit.path == "/"] == [200, 304]
    visits = rows(
        database,
        "SELECT url, visits.status, not_modified FROM visits JOIN urls ON urls.id = url_id "
        "WHERE visits.kind = 'page' AND visits.run_id = 2 ORDER BY url",
    )
    assert visits == [
        (web.url("/"), 304, 1),
        (web.url("/a"), 304, 1),
        (web.url("/b"), 200, 0),
    ]
    after = rows(database, facts)
    assert after[:2] == before[0][:2]
    assert after[2][2] == "B changed"
    assert after[2][5] > before[0][2][5]
    assert rows(database, links) == before[1]
    assert rows(database, "SELECT headers FROM visits WHERE not_modified") == [(None,)] * 2
    assert rows(database, "SELECT DISTINCT status FROM urls WHERE kind = 'page'") == [(200,)]
    check_whole(database)


def test_a_page_that_stays_the_same_does_not_count_as_changed(web: Web, database: Path) -> None:
    web.page("/", title="always the same")
    crawl(database, web.url())
    before = rows(database, "SELECT changed_at FROM pages")
    crawl(database, web.url())
    assert rows(database, "SELECT changed_at FROM pages") == before
    assert rows(database, "SELECT count(*) FROM bodies") == [(1,)]


def test_links_of_a_new_version_replace_the_old_ones(web: Web, database: Path) -> None:
    web.page("/", links=["/a", "/b"])
    for path in ("/a", "/b", "/c"):
        web.page(path)
    crawl(database, web.url())
    web.page("/", links=["/c"])
    crawl(database, web.url())
    found = rows(database, "SELECT url FROM links JOIN urls ON urls.id = target_id")
    assert found == [(web.url("/c"),)]
    assert fates(database, web.url(""))["/c"] == ("done", None)
    check_whole(database)


@pytest.mark.parametrize(
    ("answer", "status", "state"),
    [
        (Answer(status=500), 500, ("failed", "http_500")),
        (NOT_FOUND, 404, ("done", None)),
        (Answer(302, {"Location": "/elsewhere"}), 302, ("done", None)),
    ],
)
def test_a_failed_revisit_keeps_the_document_and_its_links_where_it_may_still_be_there(
    web: Web, database: Path, answer: Answer, status: int, state: tuple[str, str | None]
) -> None:
    web.page("/", links=["/a"])
    web.page("/a", links=["/b"], title="A")
    web.page("/b")
    crawl(database, web.url())
    facts = "SELECT title, text_hash, document_at, body_id FROM pages WHERE url = ?"
    before = rows(database, facts, web.url("/a"))
    web.answer("/a", answer)
    crawl(database, web.url(), settings=config(pace={"own_gap_s": 0}))
    assert rows(database, facts, web.url("/a")) == before
    assert rows(database, "SELECT status, visits > 1 FROM pages WHERE url = ?", web.url("/a")) == [
        (status, 1)
    ]
    assert fates(database, web.url(""))["/a"] == state
    kept = rows(database, "SELECT url FROM links JOIN urls ON urls.id = target_id ORDER BY url")
    still_there = status >= 500
    assert kept == [(web.url("/a"),)] + [(web.url("/b"),)] * still_there
    check_whole(database)


def test_a_revisit_without_an_answer_keeps_the_document_and_tells_the_error(
    web: Web, database: Path
) -> None:
    web.page("/", title="Home")
    crawl(database, web.url())
    web.close()
    settings = config(robots={"max_age_s": 0.001})
    crawl(database, web.url(), settings=settings)
    assert fates(database) == {web.url(): ("failed", "connect_refused")}
    assert rows(database, "SELECT title FROM pages") == [("Home",)]
    check_whole(database)


@pytest.mark.parametrize(
    "first",
    [
        {"store": {"bodies": False}},
        {"store": {"texts": False}},
        {"store": {"text_max_bytes": 10}},
        {"parse": {"max_links": 1}},
        {"fetch": {"max_body_bytes": 200}},
    ],
)
def test_what_the_last_run_was_not_to_keep_is_asked_for_again(
    web: Web, database: Path, first: dict[str, dict[str, object]]
) -> None:
    versioned(web, "/", etag='"1"', title="A page of some words", links=("/a", "/b", "/c"))
    crawl(database, web.url(), settings=config(**first, scope={"mode": "page"}))
    crawl(database, web.url(), settings=config(scope={"mode": "page"}))
    assert [hit.status for hit in web.log if hit.path == "/"] == [200, 200]
    held = """
        SELECT status, partial, outlinks, body IS NOT NULL, text LIKE '%/c%'
        FROM pages
        JOIN bodies ON bodies.id = pages.body_id
        JOIN texts ON texts.body_id = bodies.id
    """
    assert rows(database, held) == [(200, None, 3, 1, 1)]
    crawl(database, web.url(), settings=config(scope={"mode": "page"}))
    assert [hit.status for hit in web.log if hit.path == "/"] == [200, 200, 304]
    check_whole(database)


@pytest.mark.parametrize("status", [404, 301])
def test_the_validator_of_what_is_no_document_is_not_sent(
    web: Web, database: Path, status: int
) -> None:
    headers = {"ETag": '"1"', "Location": "/new"}
    web.page("/new")
    web.decide("/", lambda request: Answer(status, headers))
    crawl(database, web.url())
    crawl(database, web.url())
    asked = [hit.headers.get("if-none-match") for hit in web.log if hit.path == "/"]
    assert asked == [None, None]


def test_the_same_bytes_are_another_body_in_another_charset(web: Web, database: Path) -> None:
    """0xD6 is a letter in windows-1251, another one in windows-1252, and none in UTF-8."""
    for charset in ("windows-1251", "windows-1252"):
        headers = {"Content-Type": f"text/html; charset={charset}"}
        web.raw(f"/{charset}", headers=headers, body=b"<title>\xd6</title>\xd6")
    web.page("/", links=["/windows-1251", "/windows-1252"])
    crawl(database, web.url())
    found = rows(
        database,
        """
        SELECT pages.title, texts.text, bodies.charset
        FROM pages
        JOIN bodies ON bodies.id = pages.body_id
        JOIN texts ON texts.body_id = bodies.id
        WHERE pages.depth = 1
        ORDER BY bodies.charset
        """,
    )
    assert found == [("Ц", "Ц", "windows-1251"), ("Ö", "Ö", "windows-1252")]
    assert rows(database, "SELECT count(DISTINCT sha256) FROM bodies") == [(2,)]


def test_the_same_bytes_are_another_body_as_another_type(web: Web, database: Path) -> None:
    """Of a page tags and character references are markup, of a text they are what is written."""
    for kind in ("html", "plain"):
        web.raw(f"/{kind}", headers={"Content-Type": f"text/{kind}"}, body=b"<p>one &amp; two</p>")
    web.page("/", links=["/html", "/plain"])
    crawl(database, web.url())
    found = rows(
        database,
        """
        SELECT pages.url, texts.text, bodies.sha256
        FROM pages
        JOIN bodies ON bodies.id = pages.body_id
        JOIN texts ON texts.body_id = bodies.id
        WHERE pages.depth = 1
        ORDER BY pages.id
        """,
    )
    assert [text for _, text, _ in found] == ["one & two", "<p>one &amp; two</p>"]
    assert len({digest for *_, digest in found}) == 1


def test_only_failures_are_fetched_when_asked(web: Web, database: Path) -> None:
    web.page("/", links=["/a", "/bad", "/gone"])
    web.page("/a")
    web.answer("/bad", *[Answer(status=502)] * 3, Answer(body=html("well again", "")))
    crawl(database, web.url())
    assert fates(database, web.url(""))["/bad"] == ("failed", "http_502")
    before = len(web.paths)
    crawl(database, web.url(), settings=config(run={"retry_failed": True}))
    assert [path for path in web.paths[before:] if path != "/robots.txt"] == ["/bad"]
    assert fates(database, web.url(""))["/bad"] == ("done", None)
    check_whole(database)


# Limits of a run


@pytest.mark.parametrize("how", [{}, {"retry_failed": True}, {"due": True}])
def test_a_host_that_asked_for_rest_has_it_from_the_next_run_too(
    web: Web, database: Path, how: dict[str, bool]
) -> None:
    web.page("/", links=["/a"])
    web.raw("/a", status=503, headers={"Retry-After": "3000"})
    once = {"tries": 1}
    crawl(database, web.url(), settings=config(pace=once))
    with closing(sqlite3.connect(str(database), isolation_level=None)) as connection:
        connection.execute("UPDATE visits SET started_at = '2026-01-01T00:00:00.000Z'")
        connection.execute("UPDATE pages SET fetched_at = '2026-01-01T00:00:00.000Z'")
    asked = len(web.log)
    outcome = crawl(database, web.url(), settings=config(pace=once, run=how | {"max_wait_s": 1}))
    assert (outcome.reason, len(web.log)) == ("deferred", asked)
    assert fates(database, web.url(""))["/a"][0] == "queued"
    check_whole(database)


def test_the_limit_on_pages_is_exact_and_the_next_run_goes_on(web: Web, database: Path) -> None:
    web.page("/", links=[f"/{number}" for number in range(50)])
    for number in range(50):
        web.page(f"/{number}")
    limited = config(run={"max_pages": 20})
    for run, fetched in ((1, 20), (2, 40)):
        outcome = crawl(database, web.url(), settings=limited)
        assert (outcome.state, outcome.reason) == ("finished", "max_pages")
        assert outcome.queued == 51 - fetched
        assert rows(database, "SELECT count(*) FROM pages") == [(fetched,)]
        assert rows(database, "SELECT finish_reason, pages FROM runs WHERE id = ?", run) == [
            ("max_pages", 20)
        ]
    states = rows(database, "SELECT state, count(*) FROM urls WHERE kind = 'page' GROUP BY 1")
    assert states == [("done", 40), ("queued", 11)]
    assert crawl(database, web.url(), settings=limited).reason == "finished"
    assert sorted(web.paths) == sorted(["/robots.txt", "/", *(f"/{n}" for n in range(50))])
    check_whole(database)


def test_failures_count_as_pages_of_the_run(web: Web, database: Path) -> None:
    web.page("/", links=["/gone/1", "/gone/2", "/gone/3"])
    outcome = crawl(database, web.url(), settings=config(run={"max_pages": 2}))
    assert (outcome.reason, outcome.queued) == ("max_pages", 2)


def test_the_limit_on_time_leaves_the_rest_queued(web: Web, database: Path) -> None:
    slower = stretch()
    web.page("/", links=[f"/{number}" for number in range(10)])
    for number in range(10):
        web.page(f"/{number}", wait_s=slower * 0.15)
    limit = {"max_seconds": slower * 0.6, "drain_s": slower * 5}
    settings = config(run=limit, pace={"own_in_flight": 1})
    outcome = crawl(database, web.url(), settings=settings)
    assert (outcome.state, outcome.reason) == ("finished", "max_time")
    assert 0 < outcome.queued < 10
    assert crawl(database, web.url()).reason == "finished"
    assert len(web.paths) == 12
    check_whole(database)


def test_work_far_ahead_ends_the_run_and_is_counted(web: Web, database: Path) -> None:
    web.page("/", links=["/later"])
    web.raw("/later", status=503, headers={"Retry-After": "1200"})
    outcome = crawl(database, web.url())
    assert (outcome.state, outcome.reason, outcome.queued) == ("finished", "deferred", 1)
    assert rows(database, "SELECT count(*) FROM urls WHERE not_before IS NOT NULL") == [(1,)]
    check_whole(database)


# Other rules, other seeds


def test_a_changed_depth_judges_again_what_was_too_deep(web: Web, database: Path) -> None:
    for number in range(6):
        web.page(f"/{number}", links=[f"/{number + 1}"])
    crawl(database, web.url("/0"), settings=config(scope={"max_depth": 1}))
    assert fates(database, web.url("")) == {
        "/0": ("done", None),
        "/1": ("done", None),
        "/2": ("skipped", "depth"),
    }
    crawl(database, web.url("/0"), settings=config(scope={"max_depth": 3}))
    assert fates(database, web.url("")) == {
        "/0": ("done", None),
        "/1": ("done", None),
        "/2": ("done", None),
        "/3": ("done", None),
        "/4": ("skipped", "depth"),
    }
    check_whole(database)


def test_changed_patterns_judge_again(web: Web, database: Path) -> None:
    web.page("/", links=["/news/1", "/shop/1", "/other"])
    for path in ("/news/1", "/shop/1", "/other"):
        web.page(path)
    crawl(database, web.url(), settings=config(scope={"exclude": ["/shop/"], "include": ["news"]}))
    assert fates(database, web.url("")) == {
        "/": ("done", None),
        "/news/1": ("done", None),
        "/other": ("skipped", "excluded"),
        "/shop/1": ("skipped", "excluded"),
    }
    crawl(database, web.url(), settings=config(scope={"exclude": ["/news/"]}))
    found = fates(database, web.url(""))
    assert found["/shop/1"] == found["/other"] == ("done", None)
    check_whole(database)


def test_queued_urls_are_judged_again_too(web: Web, database: Path) -> None:
    web.page("/", links=["/a", "/b"])
    crawl(database, web.url(), settings=config(run={"max_pages": 1}))
    crawl(database, web.url(), settings=config(scope={"exclude": ["/b"]}))
    assert fates(database, web.url(""))["/b"] == ("skipped", "excluded")
    assert "/b" not in web.paths
    check_whole(database)


def test_following_nofollow_links_later_fetches_what_they_led_to(web: Web, database: Path) -> None:
    web.page("/", body='<a rel="nofollow" href="/shy">x</a><img src="/picture">')
    web.page("/shy")
    crawl(database, web.url())
    assert fates(database, web.url(""))["/shy"] == ("skipped", "nofollow")
    crawl(database, web.url(), settings=config(scope={"follow_nofollow": True}))
    assert fates(database, web.url("")) == {
        "/": ("done", None),
        "/picture": ("skipped", "not_followed"),
        "/shy": ("done", None),
    }
    check_whole(database)


def test_a_wider_scope_fetches_what_was_outside(web: Web, database: Path) -> None:
    web.page("/docs/", links=["/docs/a", "/blog/"])
    web.page("/docs/a")
    web.page("/blog/")
    crawl(database, web.url("/docs/"), settings=config(scope={"mode": "prefix"}))
    assert fates(database, web.url(""))["/blog/"] == ("skipped", "scope")
    crawl(database, web.url("/docs/"), settings=config(scope={"mode": "host"}))
    assert fates(database, web.url(""))["/blog/"] == ("done", None)
    check_whole(database)


def test_new_seeds_join_and_bring_their_host_into_scope(web: Web, database: Path) -> None:
    other = web.host("127.0.9.1")
    web.page("/", links=[other.url("/linked")])
    other.page("/", links=[])
    other.page("/linked")
    crawl(database, web.url())
    assert fates(database)[other.url("/linked")] == ("skipped", "scope")
    crawl(database, web.url(), other.url())
    assert sorted(other.paths) == ["/", "/linked", "/robots.txt"]
    check_whole(database)


def test_a_seed_on_a_later_line_brings_in_what_an_earlier_page_linked_to(
    web: Web, database: Path
) -> None:
    other = web.host("127.0.9.1")
    web.page("/", links=[other.url("/linked")])
    other.page("/linked")
    lines = [web.url(), *(web.url(f"/{number}") for number in range(1500)), other.url("/")]
    crawl(database, *lines)
    assert fates(database)[other.url("/linked")] == ("done", None)
    assert rows(database, "SELECT count(*) FROM seeds") == [(len(lines),)]


def test_a_host_that_is_full_leaves_the_rest_skipped(web: Web, database: Path) -> None:
    web.page("/", links=[f"/{number}" for number in range(10)])
    crawl(database, web.url(), settings=config(scope={"max_pages_per_host": 4}))
    counts = rows(database, "SELECT reason, count(*) FROM urls WHERE kind = 'page' GROUP BY 1")
    assert counts == [(None, 4), ("host_cap", 7)]
    crawl(database, web.url(), settings=config(scope={"max_pages_per_host": 8}))
    counts = rows(database, "SELECT reason, count(*) FROM urls WHERE kind = 'page' GROUP BY 1")
    assert counts == [(None, 8), ("host_cap", 3)]
    check_whole(database)


def test_a_host_that_is_full_is_full_in_later_runs_too(web: Web, database: Path) -> None:
    web.page("/", links=[f"/{number}" for number in range(10)])
    for _ in range(3):
        crawl(database, web.url(), settings=config(scope={"max_pages_per_host": 4}))
    visited = rows(database, "SELECT count(*) FROM visits WHERE kind = 'page' GROUP BY run_id")
    assert visited == [(4,), (4,), (4,)]
    check_whole(database)


def test_a_bad_line_is_kept_with_its_reason(web: Web, database: Path) -> None:
    web.page("/")
    crawl(database, web.url(), "http://[", "ftp://a.test/x", web.url())
    found = rows(
        database, "SELECT line, url_id IS NOT NULL, error IS NULL FROM seeds ORDER BY line"
    )
    assert [(line, good) for line, _, good in found] == [(1, 1), (2, 0), (3, 0), (4, 1)]
    assert rows(database, "SELECT count(*) FROM pages") == [(1,)]
    check_whole(database)


def test_an_ordinary_sitemap_brings_pages_that_nothing_links_to(web: Web, database: Path) -> None:
    web.page("/")
    web.page("/orphan")
    web.raw(
        "/sitemap.xml",
        headers={"Content-Type": "application/xml"},
        body='<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9">'
        f"<url><loc>{web.url('/orphan')}</loc><lastmod>2026-01-02</lastmod></url></urlset>",
    )
    crawl(database, web.url(), settings=config(robots={"sitemaps": True}))
    orphans = rows(database, "SELECT url, sitemap FROM orphan_pages")
    assert orphans == [(web.url("/orphan"), web.url("/sitemap.xml"))]
    check_whole(database)


@pytest.mark.parametrize(
    ("caps", "queued"),
    [
        ({"max_hosts_per_domain": 2}, ["http://h1.wild.test/", "http://h2.wild.test/"]),
        ({"max_pages_per_domain": 3}, [f"http://h{number}.wild.test/" for number in (1, 2, 3)]),
    ],
)
def test_a_domain_of_endless_hosts_is_cut_off(
    database: Path, caps: dict[str, int], queued: list[str]
) -> None:
    lines = [f"http://h{number}.wild.test/" for number in range(1, 6)]
    seeds = [seed for at, line in enumerate(lines, 1) if (seed := read_line(at, line))]
    writer = Writer(database, config(scope=caps), agent="crawler/1.0")
    writer.open(seeds_file="", version="1")
    writer.load_seeds(seeds)
    writer.close()
    assert rows(database, "SELECT url FROM urls WHERE state = 'queued' ORDER BY id") == [
        (url,) for url in queued
    ]
    assert rows(database, "SELECT DISTINCT reason FROM urls WHERE state = 'skipped'") == [
        ("domain_cap",)
    ]


def test_one_path_with_endless_queries_is_a_trap(web: Web, database: Path) -> None:
    web.page("/", links=[f"/day?on={number}" for number in range(10)])
    crawl(database, web.url(), settings=config(scope={"max_queries_per_path": 4}))
    counts = rows(database, "SELECT reason, count(*) FROM urls WHERE kind = 'page' GROUP BY 1")
    assert counts == [(None, 5), ("trap", 6)]
    check_whole(database)


def test_the_queries_of_a_path_are_counted_over_all_runs(web: Web, database: Path) -> None:
    settings = config(scope={"max_queries_per_path": 20})
    for run in range(3):
        web.page("/", links=[f"/day?on={run}-{number}" for number in range(10)])
        crawl(database, web.url(), settings=settings)
    counts = rows(database, "SELECT reason, count(*) FROM urls WHERE url LIKE '%?%' GROUP BY 1")
    assert counts == [(None, 20), ("trap", 10)]
    assert rows(database, "SELECT queries FROM query_paths") == [(20,)]
    check_whole(database)


def test_a_judging_anew_counts_the_queries_of_a_path_once(web: Web, database: Path) -> None:
    web.page("/", links=[f"/day?on={number}" for number in range(10)])
    for depth in (3, 4, 5, 6):
        crawl(database, web.url(), settings=config(
            scope={"max_queries_per_path": 12, "max_depth": depth}
        ))  # fmt: skip
    assert rows(database, "SELECT count(*) FROM urls WHERE reason = 'trap'") == [(0,)]


def test_images_that_were_only_recorded_are_checked_when_that_is_asked_for(
    web: Web, database: Path
) -> None:
    web.page("/", body="<img src=/there.png><img src=/gone.png>")
    web.raw("/there.png", headers={"Content-Type": "image/png"}, body=b"png")
    crawl(database, web.url())
    assert fates(database)[web.url("/gone.png")] == ("skipped", "not_followed")
    crawl(database, web.url(), settings=config(scope={"check": ["assets"]}))
    assert fates(database)[web.url("/there.png")] == ("done", None)
    assert rows(database, "SELECT link, status FROM broken_links") == [(web.url("/gone.png"), 404)]
    check_whole(database)


def test_a_revisit_tells_what_is_new_changed_and_gone(web: Web, database: Path) -> None:
    web.page("/", links=["/same", "/edited", "/removed"])
    for path in ("/same", "/edited", "/removed"):
        web.page(path)
    crawl(database, web.url())
    assert rows(database, "SELECT * FROM changes") == []
    web.page("/edited", body="new words", links=["/added"])
    web.page("/added")
    web.raw("/removed", status=404)
    crawl(database, web.url())
    assert rows(database, "SELECT url, change FROM changes ORDER BY url") == [
        (web.url("/added"), "new"),
        (web.url("/edited"), "changed"),
        (web.url("/removed"), "gone"),
    ]


def test_a_link_that_a_redirect_leads_into_the_void_is_broken(web: Web, database: Path) -> None:
    web.page("/", links=["/moved", "/ring"])
    web.redirect("/moved", "/moved-again")
    web.redirect("/moved-again", "/gone")
    web.redirect("/ring", "/ring")
    crawl(database, web.url())
    found = rows(database, "SELECT link, status, reason, redirected_to FROM broken_links")
    assert sorted(found, key=str) == [
        (web.url("/moved"), 404, None, web.url("/gone")),
        (web.url("/ring"), 302, "redirect_loop", None),
    ]


def test_a_check_whose_head_is_refused_asks_again_with_get(web: Web, database: Path) -> None:
    def no_head(request: Request) -> Answer:
        return Answer(405) if request.method == "HEAD" else Answer(200, body=b"picture")

    web.page("/", body="<img src=/picky.png><img src=/gone.png>")
    web.decide("/picky.png", no_head)
    crawl(database, web.url(), settings=config(scope={"check": ["assets"]}))
    assert rows(
        database,
        """
        SELECT url, method, visits.status, visits.body_bytes
        FROM visits
        JOIN urls ON urls.id = visits.url_id
        WHERE visits.kind = 'check'
        ORDER BY url, visits.id
        """,
    ) == [
        (web.url("/gone.png"), "HEAD", 404, 0),
        (web.url("/gone.png"), "GET", 404, 0),
        (web.url("/picky.png"), "HEAD", 405, 0),
        (web.url("/picky.png"), "GET", 200, 0),
    ]
    assert fates(database)[web.url("/picky.png")] == ("done", None)
    assert rows(database, "SELECT link, status FROM broken_links") == [(web.url("/gone.png"), 404)]
    check_whole(database)


@pytest.mark.parametrize(("obeyed", "title"), [(True, None), (False, "Secret")])
def test_a_page_that_asks_not_to_be_indexed_is_not_kept_where_that_is_obeyed(
    web: Web, database: Path, obeyed: bool, title: str | None
) -> None:
    web.page("/", title="Secret", head='<meta name=robots content="NoIndex">', links=["/beyond"])
    web.page("/beyond")
    crawl(database, web.url(), settings=config(store={"obey_noindex": obeyed}))
    found = "SELECT title, meta_robots, body_id IS NULL FROM pages WHERE depth = 0"
    assert rows(database, found) == [(title, "noindex", int(obeyed))]
    assert fates(database)[web.url("/beyond")] == ("done", None)
    check_whole(database)


def test_a_name_with_and_without_its_final_dot_is_one_host(database: Path) -> None:
    lines = ["http://example.test/", "http://example.test./"]
    seeds = [seed for at, line in enumerate(lines, 1) if (seed := read_line(at, line))]
    writer = Writer(database, config(), agent="crawler/1.0")
    writer.open(seeds_file="", version="1")
    writer.load_seeds(seeds)
    writer.close()
    assert rows(database, "SELECT host, queued FROM hosts") == [("example.test", 2)]


def test_links_are_indexed_by_target_when_a_run_ends(web: Web, database: Path) -> None:
    """While it goes on nothing needs that index, and to keep it up costs as much as the links."""
    web.page("/", links=["/a"])
    web.page("/a", links=["/"])
    writer = Writer(database, config(), agent="test")
    writer.open(seeds_file="", version="0")
    assert "links_target_id" not in indexes(database)
    writer.close()
    assert "links_target_id" not in indexes(database), "it has not ended, it broke off"
    for settings in (config(run={"max_pages": 1}), config(), config()):
        crawl(database, web.url(), settings=settings)
        assert "links_target_id" in indexes(database)
        check_whole(database)
    assert rows(database, "SELECT count(*) FROM links") == [(2,)]


def indexes(database: Path) -> set[str]:
    """Names of the indexes in a file."""
    return {row[0] for row in rows(database, "SELECT name FROM sqlite_master WHERE type = 'index'")}


ODD_MOMENTS = [
    "soon",
    "",
    "2026-99-99T99:99:99.999Z",
    "9999-12-31",
    "1e9",
    "\u0662\u0660\u0662\u0666",
]


def test_rules_that_a_clock_ahead_has_dated_are_asked_for_anew(web: Web, database: Path) -> None:
    """Or they would hold until that moment comes, however old they are then."""
    web.robots("User-agent: *\nAllow: /\n")
    web.page("/", links=["/private"])
    web.page("/private")
    crawl(database, web.url())
    web.robots("User-agent: *\nDisallow: /private\n")
    with closing(sqlite3.connect(str(database), isolation_level=None)) as connection:
        connection.execute("UPDATE origins SET robots_fetched_at = '2126-11-30T00:00:00.000Z'")
    crawl(database, web.url())
    assert web.paths.count("/robots.txt") == 2
    assert web.paths.count("/private") == 1
    assert fates(database, web.url(""))["/private"] == ("skipped", "robots")


@pytest.mark.parametrize("moment", ODD_MOMENTS)
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("hosts", "blocked_until"),
        ("hosts", "next_fetch_at"),
        ("urls", "not_before"),
        ("origins", "robots_fetched_at"),
    ],
)
def test_what_somebody_wrote_that_is_no_moment_holds_up_nothing(
    web: Web, database: Path, table: str, column: str, moment: str
) -> None:
    web.page("/", links=["/a"])
    web.page("/a")
    crawl(database, web.url(), settings=config(run={"max_pages": 1}))
    with closing(sqlite3.connect(str(database), isolation_level=None)) as connection:
        connection.execute(f"UPDATE {table} SET {column} = ?", (moment,))
    with queries.reading(database) as connection:
        queries.left(connection)
        queries.waiting_hosts(connection, 5)
    crawl(database, web.url())
    assert fates(database, web.url(""))["/a"] == ("done", None)
    check_whole(database)
