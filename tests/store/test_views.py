"""Does every file answer the questions of this version, whatever reads it?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest
from gevent import subprocess

from crawler.store import columns, views
from crawler.store.database import open_for_writing, sqlite3
from tests.crawls import as_duckdb_sees, crawl, rows
from tests.sites.skip import require_program
from tests.sites.web import Web

FIRST_VERSION = Path(__file__).with_name("version_0_1_0.sql")
"""A crawl by version 0.1.0, as `sqlite3 .dump` tells it."""
VIEWS_OF = "SELECT name, sql FROM sqlite_master WHERE type = 'view' ORDER BY name"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


@pytest.fixture
def first_version(database: Path) -> Path:
    """A file that version 0.1.0 wrote."""
    with closing(sqlite3.connect(str(database))) as connection:
        connection.executescript(FIRST_VERSION.read_text())
    return database


def change(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(str(database), isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def open_once(database: Path) -> None:
    open_for_writing(database).close()


# Views reach every file


def test_a_file_of_version_0_1_0_has_every_view_after_it_is_opened(first_version: Path) -> None:
    assert len(rows(first_version, VIEWS_OF)) == 16
    open_once(first_version)
    assert {name for name, _ in rows(first_version, VIEWS_OF)} == views.VIEWS.keys()
    for name in views.VIEWS:
        rows(first_version, f"SELECT * FROM {name}")
    found = rows(first_version, "SELECT link, status, certain FROM broken_links")
    assert found == [("http://127.0.0.1:8765/gone", 404, 1)]
    assert rows(first_version, "PRAGMA integrity_check") == [("ok",)]


def test_what_the_last_document_of_an_older_file_said_is_no_change(first_version: Path) -> None:
    """Its visits did not keep the canonical; the pages did."""
    open_once(first_version)
    seen = "SELECT canonical FROM visits WHERE title = 'A'"
    assert rows(first_version, seen) == [("http://127.0.0.1:8765/a",)]


def test_a_new_file_and_an_older_one_end_with_the_same_schema(
    first_version: Path, tmp_path: Path
) -> None:
    fresh = tmp_path / "fresh.db"
    open_once(fresh)
    open_once(first_version)
    for table in ("visits", "pages", "_crawler_views"):
        columns = f"SELECT name, type, \"notnull\" FROM pragma_table_info('{table}')"
        assert rows(first_version, columns) == rows(fresh, columns)
    assert rows(first_version, VIEWS_OF) == rows(fresh, VIEWS_OF)


@pytest.mark.parametrize(
    "statements",
    [
        ("DROP VIEW broken_links", "CREATE VIEW broken_links AS SELECT 1 AS x"),
        ("DROP VIEW broken_links",),
        ("CREATE VIEW retired AS SELECT 1", "INSERT INTO _crawler_views VALUES ('retired')"),
    ],
    ids=["another version's", "missing", "one that there is no more"],
)
def test_views_that_differ_are_made_anew(database: Path, statements: tuple[str, ...]) -> None:
    open_once(database)
    before = rows(database, VIEWS_OF)
    change(database, *statements)
    open_once(database)
    assert rows(database, VIEWS_OF) == before


def test_views_that_are_the_same_are_left_alone(database: Path) -> None:
    open_once(database)
    before = rows(database, "PRAGMA schema_version")
    open_once(database)
    assert rows(database, "PRAGMA schema_version") == before


def test_a_persons_own_views_stay_beside_ours(first_version: Path) -> None:
    mine = "CREATE VIEW my_pages AS SELECT url FROM broken_links JOIN pages ON url = page"
    change(first_version, mine)
    open_once(first_version)
    open_once(first_version)
    assert ("my_pages", mine) in rows(first_version, VIEWS_OF)
    assert rows(first_version, "SELECT * FROM my_pages") == [("http://127.0.0.1:8765/",)]


@pytest.mark.parametrize("table", ["bodies", "pages", "visits", "urls", "links", "texts"])
def test_a_persons_own_view_of_a_table_outlives_its_migrations(
    first_version: Path, table: str
) -> None:
    change(first_version, f"CREATE VIEW mine AS SELECT count(*) AS rows FROM {table}")
    before = rows(first_version, "SELECT * FROM mine")
    open_once(first_version)
    assert rows(first_version, "SELECT * FROM mine") == before


@pytest.mark.parametrize("kind", ["VIEW touched AS SELECT 7 AS x", "TABLE touched (x)"])
def test_what_bears_the_name_of_a_newer_view_of_ours_stays_and_is_told(
    first_version: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    change(first_version, f"CREATE {kind}")
    open_once(first_version)
    assert rows(first_version, "SELECT sql FROM sqlite_master WHERE name = 'touched'") == [
        (f"CREATE {kind}",)
    ]
    assert "touched: is your own" in caplog.text
    assert rows(first_version, "SELECT * FROM changes") == []


# Whatever reads them


@pytest.fixture
def crawled(web: Web, database: Path) -> Path:
    """Two runs over a site that has something to say to most questions."""
    web.page("/", links=["/gone", "/old", "/a", "/b"], body='<img src="/x.png">')
    web.redirect("/old", "/gone")
    for path in ("/a", "/b"):
        web.page(path, title="twice", body='<link rel="canonical" href="/">same words')
    crawl(database, web.url())
    web.raw("/b", status=410)
    web.page("/a", title="anew", body="other words", links=["http://elsewhere.test/"])
    crawl(database, web.url())
    return database


def test_every_view_opens_in_plain_sqlite3(crawled: Path) -> None:
    program = require_program("sqlite3", "apt-get install sqlite3")
    for name in views.VIEWS:
        with_it = [str(program), "-readonly", str(crawled), f"SELECT count(*) FROM {name}"]
        answer = subprocess.run(with_it, capture_output=True, check=True)
        assert answer.stderr == b"", name
        assert int(answer.stdout) == rows(crawled, f"SELECT count(*) FROM {name}")[0][0]


@pytest.fixture
def duck(crawled: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The file as DuckDB sees it."""
    with as_duckdb_sees(crawled) as connection:
        yield connection


def test_duckdb_lists_every_table_and_view(duck: duckdb.DuckDBPyConnection) -> None:
    listed = {name for (name,) in duck.execute("SHOW TABLES").fetchall()}
    assert views.VIEWS.keys() | {"pages", "links", "runs"} <= listed


def test_duckdb_reads_the_same_from_every_view(
    duck: duckdb.DuckDBPyConnection, crawled: Path
) -> None:
    for name in views.VIEWS:
        asked = f"SELECT * FROM {name}"
        found, wanted = duck.execute(asked).fetchall(), rows(crawled, asked)
        assert sorted(map(repr, found)) == sorted(map(repr, wanted)), name
        assert duck.execute(f"SELECT count(*) FROM {name}").fetchall() == [(len(wanted),)], name


def test_an_older_file_is_brought_up_to_date_wholly_or_not_at_all(
    first_version: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_short(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(columns, "refresh", cut_short)
    schema = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    before = rows(first_version, schema)
    with pytest.raises(KeyboardInterrupt):
        open_for_writing(first_version)
    assert rows(first_version, schema) == before
    monkeypatch.undo()
    open_once(first_version)
    assert {name for name, _ in rows(first_version, VIEWS_OF)} == views.VIEWS.keys()
