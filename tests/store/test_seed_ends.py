"""Is it told of each seed what it became?"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from crawler.store import seed_ends
from crawler.store.database import open_for_reading, open_for_writing
from crawler.store.seed_ends import SeedCount, SeedEnd
from tests.crawls import config, crawl
from tests.sites.web import Web


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


def told(database: Path, limit: int = 100) -> dict[int, SeedEnd]:
    """What is worth telling of the seeds of the last run, by line."""
    with closing(open_for_reading(database)) as connection:
        [(run,)] = connection.execute("SELECT max(id) FROM runs").fetchall()
        seeds, _ = seed_ends.worth_telling(connection, run, limit)
    return {seed.line: seed for seed in seeds}


def counted(database: Path) -> SeedCount:
    with closing(open_for_reading(database)) as connection:
        [(run,)] = connection.execute("SELECT max(id) FROM runs").fetchall()
        return seed_ends.count(connection, run)


def test_a_seed_stands_for_what_its_redirects_lead_to(web: Web, database: Path) -> None:
    web.page("/good")
    web.redirect("/to-good", "/good")
    web.redirect("/to-gone", "/hop")
    web.redirect("/hop", "/gone")
    seeds = [web.url(path) for path in ("/good", "/to-good", "/to-gone", "/gone")]
    crawl(database, *seeds)
    ends = {line: (seed.end, seed.hops, seed.why) for line, seed in told(database).items()}
    gone = web.url("/gone")
    assert ends == {3: (gone, 2, "HTTP 404"), 4: (gone, 0, "HTTP 404")}
    assert counted(database) == SeedCount(seeds=4, held=2, waiting=0)


def test_redirects_without_end_are_told_and_end(web: Web, database: Path) -> None:
    web.redirect("/ring", "/around")
    web.redirect("/around", "/ring")
    crawl(database, web.url("/ring"))
    assert told(database)[1].why == "redirect_loop"
    assert counted(database).in_vain


def test_what_moved_to_another_host_is_told_last(web: Web, database: Path) -> None:
    other = web.host("127.0.5.1")
    other.page("/")
    web.redirect("/", other.url("/"))
    crawl(database, web.url("/"), "not an address", other.url("/"))
    ends = told(database)
    assert list(ends) == [2, 1]
    assert (ends[1].moved, ends[1].why, ends[1].end) == (True, None, other.url("/"))
    assert list(told(database, limit=1)) == [2]


@pytest.mark.parametrize(
    ("own", "end", "moved"),
    [
        ("a.example", "www.a.example", False),
        ("www.a.example", "a.example", False),
        ("news.a.example", "a.example", True),
        ("a.example", "b.example", True),
        ("a.example", "a.example", False),
    ],
)
def test_www_alone_is_no_move(database: Path, own: str, end: str, moved: bool) -> None:
    with closing(open_for_writing(database)) as connection:
        connection.executescript(
            "INSERT INTO runs (id, started_at, state, config, judging, version) "
            "VALUES (1, '', 'finished', '{}', '', '0');"
        )
        for number, host in enumerate(dict.fromkeys((own, end)), 1):
            connection.execute(
                "INSERT INTO hosts (id, host, registered_domain) VALUES (?, ?, 'a')", (number, host)
            )
            connection.execute(
                "INSERT INTO urls (id, url, hash, host_id, state, status, depth, via, "
                "first_seen_at, run_id) VALUES (?1, ?2, ?1, ?1, 'done', 200, 0, 'seed', '', 1)",
                (number, f"http://{host}/"),
            )
        connection.execute("INSERT INTO seeds (run_id, line, text, url_id) VALUES (1, 1, 'x', 1)")
        if own != end:
            connection.execute(
                "INSERT INTO visits (run_id, url_id, kind, method, attempt, started_at, status, "
                "redirect_to_id) VALUES (1, 1, 'page', 'GET', 1, '', 301, 2)"
            )
    assert [seed.moved for seed in told(database).values()] == ([True] if moved else [])


def test_a_page_that_is_held_counts_though_its_site_is_down_now(web: Web, database: Path) -> None:
    web.page("/")
    crawl(database, web.url("/"))
    web.raw("/", status=503)
    crawl(database, web.url("/"), settings=config(pace={"tries": 1}))
    assert told(database)[1].why == "http_503"
    assert not counted(database).in_vain


def test_a_seed_that_waits_is_not_in_vain(web: Web, database: Path) -> None:
    web.page("/", links=["/a"])
    web.raw("/", status=503, headers={"Retry-After": "7200"})
    crawl(database, web.url("/"))
    assert counted(database) == SeedCount(seeds=1, held=0, waiting=1)
    assert not counted(database).in_vain
