"""What may stand in a file besides what the crawler made?"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import gevent
import pytest

from crawler.errors import Interrupted, StorageError
from crawler.store import database as databases
from crawler.store import writer as writers
from crawler.store.database import open_for_reading, open_for_writing, sqlite3
from crawler.store.writer import Writer
from tests.crawls import AGENT, config, crawl, rows
from tests.patience import PATIENT_S
from tests.sites.web import Web
from tests.store.test_views import FIRST_VERSION

ENDLESS = "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT max(n) FROM t"
REMADE = "ALTER TABLE {0} RENAME TO old_{0}"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A file that a crawl has made."""
    path = tmp_path / "crawl.db"
    open_for_writing(path).close()
    return path


def change(database: Path, *statements: str) -> None:
    with closing(sqlite3.connect(str(database), isolation_level=None)) as connection:
        connection.execute("PRAGMA legacy_alter_table = ON")
        for statement in statements:
            connection.execute(statement)


ON_OURS = {
    "a trigger": (
        "CREATE TRIGGER evil AFTER INSERT ON visits BEGIN DELETE FROM pages; END",
        'a trigger "evil" on "visits"',
    ),
    "a trigger in other letters": (
        "CREATE TRIGGER Evil BEFORE UPDATE ON URLS BEGIN SELECT 1; END",
        'a trigger "Evil" on "URLS"',
    ),
    "an endless trigger": (
        f"CREATE TRIGGER evil AFTER INSERT ON runs BEGIN {ENDLESS}; END",
        'a trigger "evil" on "runs"',
    ),
    "a trigger on what only the crawler knows": (
        "CREATE TRIGGER evil AFTER INSERT ON _sqlite_migrations BEGIN SELECT 1; END",
        'a trigger "evil"',
    ),
    "a trigger on a view of ours": (
        "CREATE TRIGGER evil INSTEAD OF DELETE ON changes BEGIN SELECT 1; END",
        'a trigger "evil" on "changes"',
    ),
    "a generated column": (
        "ALTER TABLE urls ADD COLUMN x TEXT GENERATED ALWAYS AS (hex(zeroblob(1000))) VIRTUAL",
        'an expression in the table "urls"',
    ),
    "a generated column without the words": (
        "ALTER TABLE urls ADD COLUMN x TEXT AS(upper(url))",
        'an expression in the table "urls"',
    ),
    "an index that computes": (
        "CREATE INDEX evil ON visits(hex(zeroblob(1000) || url_id))",
        'an index "evil" with a function on "visits"',
    ),
    "an index with a function in quotes": (
        'CREATE INDEX evil ON "visits" (id) WHERE "hex" (zeroblob(9)) = 1',
        'an index "evil" with a function on "visits"',
    ),
    "a check": (
        "ALTER TABLE pages ADD COLUMN x TEXT CHECK (length(url) < 3)",
        'an expression in the table "pages"',
    ),
}


@pytest.mark.parametrize("name", ON_OURS)
def test_what_acts_on_our_tables_is_refused_by_name(web: Web, database: Path, name: str) -> None:
    statement, told = ON_OURS[name]
    change(database, statement)
    before = database.read_bytes()
    with pytest.raises(StorageError, match="is not the crawler's") as refused:
        crawl(database, web.url())
    assert told in str(refused.value)
    assert str(refused.value).count("\n") == 0
    assert (web.paths, database.read_bytes()) == ([], before)


UNDER_A_NAME_OF_OURS = {
    "an endless view": f"CREATE VIEW {{}} AS {ENDLESS}",
    "a view that lies": "CREATE VIEW {} AS SELECT 'nothing is wrong' AS url",
    "a table": "CREATE TABLE {} (url TEXT)",
    "a virtual table": "CREATE VIRTUAL TABLE {} USING fts5(url)",
    "a view in other letters": "CREATE VIEW [{}] AS SELECT 1 AS Url",
}


@pytest.mark.parametrize("name", ["good_pages", "changes", "current_links", "Broken_Links"])
@pytest.mark.parametrize("kind", UNDER_A_NAME_OF_OURS)
def test_what_bears_the_name_of_a_view_of_ours_is_never_asked(
    database: Path, name: str, kind: str
) -> None:
    """It may be a person's own, and stays; what we ask goes to our own."""
    with closing(open_for_reading(database)) as connection:
        asked = connection.execute(f"SELECT * FROM {name}")
        columns = [column[0] for column in asked.description]
    statement = UNDER_A_NAME_OF_OURS[kind].format(name)
    change(
        database,
        f"DROP VIEW {name}",
        f"DELETE FROM _crawler_views WHERE lower(name) = lower('{name}')",
        statement,
    )
    for opened in (open_for_writing, open_for_reading):
        with closing(opened(database)) as connection:
            asked = connection.execute(f"SELECT * FROM {name}")
            assert [column[0] for column in asked.description] == columns
            assert asked.fetchall() == []
            with pytest.raises(sqlite3.OperationalError):
                open_for_reading(database).execute("CREATE TEMP TABLE x (y)")
    with closing(sqlite3.connect(str(database))) as connection:
        found = connection.execute("SELECT sql FROM sqlite_master WHERE sql = ?", (statement,))
        assert len(found.fetchall()) == 1


IN_PLACE = {
    "a view": ("CREATE VIEW urls AS SELECT * FROM old_urls", 'a view in place of the table "urls"'),
    "an endless view": (f"CREATE VIEW urls AS {ENDLESS}", 'a view in place of the table "urls"'),
    "a virtual table": (
        "CREATE VIRTUAL TABLE urls USING fts5(url)",
        'a virtual table in place of the table "urls"',
    ),
    "a virtual table in other letters": (
        "create  virtual table URLS using fts5(url)",
        'a virtual table in place of the table "URLS"',
    ),
}


@pytest.mark.parametrize("name", IN_PLACE)
@pytest.mark.parametrize("opened", [open_for_writing, open_for_reading])
def test_what_stands_in_place_of_our_tables_is_refused_by_name(
    database: Path, name: str, opened: Callable[[Path], object]
) -> None:
    statement, told = IN_PLACE[name]
    change(database, "ALTER TABLE urls RENAME TO old_urls", statement)
    with pytest.raises(StorageError, match=r"not the crawler's|another program's") as refused:
        opened(database)
    assert told in str(refused.value) or "another program's" in str(refused.value)


OWN = {
    "a table": "CREATE TABLE notes (url TEXT, note TEXT CHECK (length(note) > 0))",
    "a view of our tables": "CREATE VIEW mine AS SELECT url FROM pages WHERE status = 200",
    "an index on our table": "CREATE INDEX mine ON pages(title)",
    "a partial index": "CREATE INDEX mine ON pages (title, url) WHERE (id > 9) AND (status IN (1))",
    "a column in our table": "ALTER TABLE pages ADD COLUMN note TEXT DEFAULT 'as it is'",
    "a virtual table": "CREATE VIRTUAL TABLE mine USING fts5(words)",
}


@pytest.mark.parametrize("name", OWN)
def test_what_a_person_keeps_beside_our_tables_is_welcome(
    web: Web, database: Path, name: str
) -> None:
    web.page("/")
    change(database, OWN[name])
    before = rows(database, "SELECT sql FROM sqlite_master WHERE name IN ('notes', 'mine')")
    crawl(database, web.url())
    after = rows(database, "SELECT sql FROM sqlite_master WHERE name IN ('notes', 'mine')")
    assert (after, len(web.paths)) == (before, 2)


def test_a_trigger_on_a_persons_own_table_is_welcome(web: Web, database: Path) -> None:
    web.page("/")
    change(
        database,
        "CREATE TABLE notes (note TEXT)",
        "CREATE TRIGGER mine AFTER INSERT ON notes BEGIN SELECT 1; END",
    )
    crawl(database, web.url())
    assert rows(database, "SELECT name FROM sqlite_master WHERE type = 'trigger'") == [("mine",)]


def test_a_file_of_version_0_1_0_has_nothing_foreign(tmp_path: Path) -> None:
    database = tmp_path / "first.db"
    with closing(sqlite3.connect(str(database))) as connection:
        connection.executescript(FIRST_VERSION.read_text())
    open_for_reading(database).close()
    open_for_writing(database).close()
    open_for_writing(database).close()


def test_a_schema_is_not_trusted(database: Path) -> None:
    for opened in (open_for_writing, open_for_reading):
        with closing(opened(database)) as connection:
            assert connection.execute("PRAGMA trusted_schema").fetchone() == (0,)


# Stops


def test_a_second_stop_ends_what_sqlite_is_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "HURRY_S", 0.1)
    writer = Writer(tmp_path / "crawl.db", config(), agent=AGENT)
    writer.open(seeds_file="", version="test")
    working = gevent.spawn(
        writer._on_thread, lambda: writer._connection.execute(ENDLESS).fetchall()
    )
    gevent.sleep(0.05)
    assert not working.ready()
    writer.hurry()
    with pytest.raises(Interrupted), gevent.Timeout(PATIENT_S):
        working.get()
    writer.finish(state="interrupted", reason="signal")
    writer.close()
    assert rows(tmp_path / "crawl.db", "SELECT state FROM runs") == [("interrupted",)]


def test_a_lock_that_is_waited_for_is_told(
    database: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(databases, "BUSY_TOLD_S", 0.1)
    monkeypatch.setattr(databases, "BUSY_S", 0.5)
    change(database, "PRAGMA journal_mode = DELETE")
    with closing(sqlite3.connect(str(database), isolation_level=None)) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM urls").fetchall()
        began = time.monotonic()
        with pytest.raises(StorageError, match="another program holds a lock"):
            open_for_writing(database)
    assert time.monotonic() - began >= 0.5
    assert [record.message for record in caplog.records] == [
        f"{database}: another program holds a lock on the file; waiting for it, 0 s at most"
    ]
