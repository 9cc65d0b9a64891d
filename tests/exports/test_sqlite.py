"""Is a smaller file a crawl's file, sound, and asked as the one that it was made of?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crawler.analyse.run import analyse
from crawler.config import Config, load
from crawler.errors import UsageError
from crawler.exports.run import UsageError as Refused
from crawler.store.database import open_for_writing
from tests.crawls import check_whole, config, crawl, holding, rows
from tests.exports.taking import remarks, take
from tests.sites.web import Web
from tests.terminal import Terminal

TABLES = """
    SELECT name
    FROM sqlite_master
    WHERE type = 'table'
        AND name NOT LIKE 'sqlite%'
        AND name NOT LIKE 'search%'
        AND name <> 'export'
    ORDER BY name
"""


@pytest.fixture(scope="module")
def two_hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two sites that link to each other, one with a page that waits, crawled and analysed."""
    database = tmp_path_factory.mktemp("two") / "two.db"
    web = Web()
    other = web.host("127.0.7.1")
    web.page("/", links=["/a", other.url("/")], title="Here", body="a lantern")
    web.page("/a", links=["/gone"], title="Alone")
    other.page("/", links=[web.url("/a"), "/b"], title="There", body="a harbour")
    other.page("/b", title="Below")
    crawl(database, web.url(), other.url(), settings=config(robots={"sitemaps": True}))
    analyse(database, Config(), lambda *_: None, processes=1)
    yield database
    web.close()


def tables(database: Path) -> dict[str, list[tuple[object, ...]]]:
    return {
        name: sorted(rows(database, f'SELECT * FROM "{name}"'), key=repr)
        for (name,) in rows(database, TABLES)
    }


def test_without_a_wish_all_is_taken(crawled: Path, tmp_path: Path) -> None:
    made = take(crawled, tmp_path / "x.sqlite", "sqlite")
    assert tables(made) == tables(crawled)
    check_whole(made)
    named = (
        "SELECT type, name, sql FROM sqlite_master WHERE type IN ('view', 'index') ORDER BY name"
    )
    assert {row for row in rows(made, named) if row[2]} == {
        row for row in rows(crawled, named) if row[2]
    }
    assert holding(made, "keeper") == holding(crawled, "keeper") != []


def test_cookies_stay_behind(tmp_path: Path, web: Web) -> None:
    database = tmp_path / "crawl.db"
    web.raw("/", headers={"Set-Cookie": "session=lets-its-bearer-in"})
    said = ['scope.allow_private=["127.0.0.0/8"]', f'site."{web.address}".cookies=true']
    crawl(database, web.url(), settings=load(None, said))
    assert rows(database, "SELECT value FROM cookies") == [("lets-its-bearer-in",)]
    asked: tuple[dict[str, Any], ...] = ({}, {"host": (web.address,)}, {"run": 1})
    for number, options in enumerate(asked):
        made = take(database, tmp_path / f"{number}.sqlite", "sqlite", **options)
        assert rows(made, "SELECT count(*) FROM cookies") == [(0,)]
        assert b"lets-its-bearer-in" not in made.read_bytes()
        check_whole(made)


def test_without_bodies_the_texts_and_facts_stay(crawled: Path, tmp_path: Path) -> None:
    made = take(crawled, tmp_path / "x.sqlite", "sqlite", without_bodies=True)
    assert rows(made, "SELECT count(*) FROM bodies WHERE body IS NOT NULL") == [(0,)]
    before, after = tables(crawled), tables(made)
    assert [one[:3] for one in after.pop("bodies")] == [one[:3] for one in before.pop("bodies")]
    assert after == before
    assert made.stat().st_size < take(crawled, tmp_path / "whole", "sqlite").stat().st_size
    assert rows(made, "SELECT * FROM export") == [("last_run", "2"), ("bodies", "left out")]


def test_of_one_host_come_its_pages_and_what_they_link_to(two_hosts: Path, tmp_path: Path) -> None:
    made = take(two_hosts, tmp_path / "x.sqlite", "sqlite", host=("127.0.7.1",))
    check_whole(made)
    of_host = "WHERE host_id = (SELECT id FROM hosts WHERE host = '127.0.7.1')"
    for table in ("pages", "urls"):
        sql = f"SELECT id, url FROM {table} {of_host} ORDER BY id"
        assert rows(made, sql) == rows(two_hosts, sql) != []
    assert {url.rpartition("/")[2] for (url,) in rows(made, "SELECT url FROM pages")} == {"", "b"}
    linked = "SELECT urls.url FROM links JOIN urls ON urls.id = target_id ORDER BY 1"
    assert len(rows(made, linked)) == 2
    assert rows(made, "SELECT count(*) FROM texts") == [(2,)]
    assert (holding(made, "harbour") != [], holding(made, "lantern")) == (True, [])


def test_a_host_that_is_not_there_is_told(two_hosts: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no URL of example"):
        take(two_hosts, tmp_path / "x.sqlite", "sqlite", host=("example.org",))
    assert list(tmp_path.iterdir()) == []


def test_of_one_run_come_its_visits_and_pages_as_it_left_them(
    crawled: Path, tmp_path: Path
) -> None:
    for run in (1, 2):
        made = tmp_path / f"{run}.sqlite"
        told = remarks(crawled, made, "sqlite", run=run)
        check_whole(made)
        visits = f"SELECT id, url_id, status FROM visits WHERE run_id = {run} ORDER BY id"
        assert rows(made, "SELECT id, url_id, status FROM visits ORDER BY id") == rows(
            crawled, visits
        )
        for asked in (
            "SELECT url, status, error FROM {} ORDER BY url",
            "SELECT url, title, body_id FROM {} AND status = 200 ORDER BY url",
        ):
            assert rows(made, asked.format("pages WHERE 1")) == rows(
                crawled, asked.format(f"page_versions WHERE run_id = {run}")
            )
        assert rows(made, "SELECT max(id) FROM runs") == [(run,)]
        assert rows(made, "SELECT count(*) FROM findings") == [(0,)]
        assert ("later runs" in "".join(told)) is (run == 1)
        analyse(made, Config(), lambda *_: None, processes=1)
        assert rows(made, "SELECT count(*) FROM runs_checks") != [(0,)]


def test_our_own_commands_open_it(crawler: Terminal, crawled: Path) -> None:
    made = take(crawled, crawler.folder / "x.sqlite", "sqlite", without_bodies=True)
    for words in (["status"], ["query", "broken_links"], ["audit"], ["search", "keeper"],
                  ["changes"], ["export", "csv"]):  # fmt: skip
        of_part, of_whole = (crawler(*words, "--db", str(one)) for one in (made, crawled))
        assert of_part.code == of_whole.code == 0
        if words != ["status"]:
            assert of_part.out == of_whole.out


def test_an_export_replaces_an_export_and_no_crawl(crawled: Path, tmp_path: Path) -> None:
    made = take(crawled, tmp_path / "x.sqlite", "sqlite")
    take(crawled, made, "sqlite", without_bodies=True)
    assert rows(made, "SELECT count(*) FROM export") == [(2,)]
    crawl_of_mine = tmp_path / "mine.db"
    crawl_of_mine.write_bytes(crawled.read_bytes())
    with pytest.raises(Refused, match="is a database"):
        take(crawled, crawl_of_mine, "sqlite")


def test_an_export_replaces_no_export_that_a_crawl_went_on_with(
    two_hosts: Path, tmp_path: Path
) -> None:
    made = take(two_hosts, tmp_path / "x.sqlite", "sqlite")
    web = Web()
    web.page("/", title="Found since")
    crawl(made, web.url())
    web.close()
    with pytest.raises(Refused, match="is a database"):
        take(two_hosts, made, "sqlite")
    assert rows(made, "SELECT title FROM pages WHERE title = 'Found since'") == [("Found since",)]


def test_of_a_smaller_file_a_smaller_one_is_made(crawled: Path, tmp_path: Path) -> None:
    first = take(crawled, tmp_path / "x.sqlite", "sqlite", without_bodies=True)
    second = take(first, tmp_path / "y.sqlite", "sqlite", run=1, without_bodies=True)
    assert rows(second, "SELECT * FROM export ORDER BY what") == [
        ("bodies", "left out"),
        ("last_run", "1"),
        ("run", "1"),
    ]
    assert take(crawled, second, "sqlite") == second


def test_what_a_person_keeps_beside_our_tables_comes_along(crawled: Path, tmp_path: Path) -> None:
    database = tmp_path / "own.db"
    database.write_bytes(crawled.read_bytes())
    with closing(open_for_writing(database)) as connection:
        connection.execute(
            "CREATE TABLE notes (url_id INTEGER, note, long AS (note || '!') STORED)"
        )
        connection.execute("INSERT INTO notes (url_id, note) VALUES (1, 'mine'), (NULL, x'00')")
        connection.execute('CREATE VIEW "my view" AS SELECT note FROM notes')
        connection.execute("CREATE VIRTUAL TABLE found USING fts5(note)")
        connection.execute("ALTER TABLE pages ADD COLUMN mark TEXT DEFAULT 'none'")
    told = remarks(database, tmp_path / "x.sqlite", "sqlite")
    made = tmp_path / "x.sqlite"
    assert told == ("found: a virtual table of your own, stays behind",)
    for sql in ("SELECT * FROM notes", 'SELECT * FROM "my view"', "SELECT id, mark FROM pages"):
        assert rows(made, sql) == rows(database, sql) != []
