"""Can a site make the crawl endless by naming itself, or by queries of one path?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.crawls import check_whole, config, crawl, ends, fates, rows
from tests.sites.server import Answer, Request, html
from tests.sites.web import Web


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


def renaming(web: Web, path: str, rel: str, links: tuple[str, ...] = ()) -> None:
    """A page that names itself by one more letter each time, and answers to every such name."""
    anchors = "".join(f'<a href="{link}">{link}</a>' for link in links)
    for number in range(30):
        name, following = (f"{path}{'x' * size}" for size in (number, number + 1))
        head = f'<link rel="{rel}" href="{following}">'.encode()
        page = html(name, anchors).replace(b"</head>", head + b"</head>", 1)
        web.answer(name, Answer(body=page))


@pytest.mark.parametrize("rel", ["canonical", "alternate"])
def test_a_page_that_always_names_itself_anew_costs_two_requests(
    web: Web, database: Path, rel: str
) -> None:
    web.page("/", links=["/a", "/b"])
    renaming(web, "/a", rel, links=("/b",))
    web.page("/b")
    crawl(database, web.url())
    assert sorted(web.paths) == ["/", "/a", "/ax", "/b", "/robots.txt"]
    assert fates(database, web.url(""))["/axx"] == ("skipped", "not_followed")
    assert rows(database, "SELECT kind, count(*) FROM links WHERE kind = ? GROUP BY 1", rel) == [
        (rel, 2)
    ], "it is kept what kind of link it was"
    check_whole(database)


def test_nor_does_a_redirect_on_the_way_lead_to_more(web: Web, database: Path) -> None:
    web.page("/")
    for number in range(20):
        head = f'<link rel="canonical" href="/to/{number + 1}">'
        web.page("/" if not number else f"/{number}", head=head)
        web.redirect(f"/to/{number + 1}", f"/{number + 1}")
    crawl(database, web.url())
    assert sorted(web.paths) == ["/", "/1", "/robots.txt", "/to/1"]


@pytest.mark.parametrize("order", ["linked first", "named first"])
def test_what_pages_link_to_as_well_leads_on_whichever_came_first(
    web: Web, database: Path, order: str
) -> None:
    early, late = ("/hub", "/a") if order == "linked first" else ("/a", "/hub")
    web.page("/", links=[early, late])
    web.page("/a", head='<link rel="canonical" href="/b">')
    web.page("/b", head='<link rel="canonical" href="/c">')
    web.page("/c", head='<link rel="canonical" href="/d">')
    if order == "named first":
        web.page("/hub", links=["/later"])
        web.page("/later", links=["/b"])
    else:
        web.page("/hub", links=["/b"])
    crawl(database, web.url(), settings=config(pace={"own_in_flight": 1}))
    found = fates(database, web.url(""))
    assert (found["/b"], found["/c"]) == (("done", None), ("done", None))
    assert found["/d"] == ("skipped", "not_followed")
    check_whole(database)


def test_what_was_only_named_is_judged_alike_in_the_next_run(web: Web, database: Path) -> None:
    renaming(web, "/", "canonical")
    crawl(database, web.url())
    before = ends(database)
    crawl(database, web.url(), settings=config(scope={"max_depth": 40}))
    assert ends(database) == before


def calendar(web: Web, days: int) -> None:
    """A path with a link to its next query, and to so many paths with one query each."""

    def answer(request: Request) -> Answer:
        day = int(request.target.partition("=")[2] or 0)
        return Answer(body=html(f"day {day}", f'<a href="/day?on={day + 1}">next</a>'))

    web.page("/", links=["/day?on=0"])
    for day in range(days):
        web.decide(f"/day?on={day}", answer)


def test_a_new_run_does_not_begin_to_count_anew(web: Web, database: Path) -> None:
    calendar(web, 30)
    limited = {"scope": {"max_queries_per_path": 6}}
    for _ in range(4):
        crawl(database, web.url(), settings=config(**limited, run={"max_pages": 3}))
    crawl(database, web.url(), settings=config(**limited))
    asked = {path for path in web.paths if path.startswith("/day")}
    assert len(asked) == 6
    assert rows(database, "SELECT queries FROM query_paths") == [(6,)]
    check_whole(database)


def test_a_higher_limit_goes_on_where_the_lower_one_stopped(web: Web, database: Path) -> None:
    calendar(web, 30)
    for limit in (4, 9):
        crawl(database, web.url(), settings=config(scope={"max_queries_per_path": limit}))
        assert len({path for path in web.paths if path.startswith("/day")}) == limit
    check_whole(database)


def test_what_is_stored_of_a_host_has_a_limit(web: Web, database: Path) -> None:
    """A compressed body is small, its text is not."""
    pages = [f"/{number}" for number in range(30)]
    web.page("/", links=pages)
    for path in pages:
        web.page(path, body=f"<p>{path} " + "many words " * 900)
    limited = config(scope={"max_bytes_per_host": 50_000}, pace={"own_in_flight": 1})
    crawl(database, web.url(), settings=limited)
    [(stored,)] = rows(database, "SELECT stored_bytes FROM hosts")
    assert 50_000 <= stored < 80_000  # what was out has a row each
    [(texts,)] = rows(database, "SELECT sum(length(text)) FROM texts")
    assert texts < 70_000
    held = "SELECT count(*) FROM pages WHERE partial IS NULL AND depth = 1"
    [(whole,)] = rows(database, held)
    assert 3 <= whole <= 6
    later = """
        SELECT coalesce(urls.reason, pages.partial), count(*)
        FROM urls
        LEFT JOIN pages ON pages.id = urls.id
        WHERE urls.depth = 1 AND (pages.id IS NULL OR pages.partial IS NOT NULL)
        GROUP BY 1
    """
    assert rows(database, later) == [("host_cap", 30 - whole)]
    check_whole(database)


def test_a_raised_limit_of_space_takes_up_what_was_left(web: Web, database: Path) -> None:
    pages = [f"/{number}" for number in range(6)]
    web.page("/", links=pages)
    for path in pages:
        web.page(path, body=f"<p>{path} " + "many words " * 900)
    crawl(database, web.url(), settings=config(scope={"max_bytes_per_host": 100}))
    crawl(database, web.url())
    whole = "SELECT count(*) FROM pages WHERE partial IS NULL AND body_id IS NOT NULL"
    assert rows(database, whole) == [(7,)]
    check_whole(database)


@pytest.mark.parametrize(
    ("what", "element"),
    [
        ("addresses", '<a href="/{at}/{long}">x</a>'),
        ("addresses of others", '<img src="http://else.invalid/{at}/{long}">'),
        ("anchors", '<a href="/">{long}</a>'),
        ("relations", '<a href="/" rel="{long}">x</a>'),
    ],
)
def test_what_links_say_counts_by_its_length(
    web: Web, database: Path, what: str, element: str
) -> None:
    """Each case makes a file of some megabytes out of pages that pack to a few kilobytes."""
    pages = [f"/{number}" for number in range(40)]
    web.page("/", links=pages)
    for path in pages:
        said = (element.format(at=f"{path}/{at}", long="x" * 995) for at in range(400))
        web.page(path, body="".join(said))
    limited = config(scope={"max_bytes_per_host": 2_000_000}, pace={"own_in_flight": 1})
    crawl(database, web.url(), settings=limited)
    [(stored,)] = rows(database, "SELECT max(stored_bytes) FROM hosts")
    assert 2_000_000 <= stored < 4_500_000, what
    [(size,)] = rows(
        database, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    )
    assert size / 2 < stored < size * 1.2, what
    [(held,)] = rows(database, "SELECT count(*) FROM pages WHERE partial = 'host_cap'")
    assert held < len(pages)
