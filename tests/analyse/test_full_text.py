"""Does the index hold exactly the texts of the file, whatever happens to it on the way?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from crawler.analyse import full_text
from crawler.store.database import open_for_writing, sqlite3
from tests import crawls
from tests.crawls import config, crawl, rows
from tests.sites.skip import ROOT, require_program
from tests.sites.web import Web

TABLES = (
    *("indexed_texts", "spaced_texts", "search_data", "search_idx", "search_docsize"),
    "search_config",
)
ANALYSE = """
import crawler._patch
import sys
from pathlib import Path
from crawler.analyse import full_text
from crawler.analyse.run import analyse
from crawler.config import Config
full_text.CHUNK_TEXTS = 7
analyse(Path(sys.argv[1]), Config(), lambda *_: None, processes=1)
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "search.db"


def analysed(database: Path) -> None:
    """The one pass; the killed one below goes through all."""
    with closing(open_for_writing(database)) as connection:
        full_text.index_texts(connection, lambda *_: None)


def change(database: Path, statement: str, *values: object) -> None:
    with closing(sqlite3.connect(str(database), isolation_level=None)) as connection:
        connection.execute(statement, values)


def holding(database: Path, words: str) -> list[str]:
    """The paths of pages, as they are now, that hold these words."""
    return ["/" + url.split("/", 3)[3] for url in crawls.holding(database, words)]


def check_exact(database: Path) -> None:
    """SQLite compares each word of the index with those of the texts, and the other way round."""
    with closing(sqlite3.connect(str(database), isolation_level=None)) as connection:
        connection.execute("INSERT INTO search (search, rank) VALUES ('integrity-check', 1)")
    indexed = rows(database, "SELECT id FROM search_docsize ORDER BY id")
    assert indexed == rows(database, "SELECT body_id FROM indexed_texts ORDER BY body_id")
    assert indexed == rows(database, "SELECT body_id FROM texts ORDER BY body_id")


def test_a_later_crawl_adds_what_is_new_and_indexes_nothing_twice(
    web: Web, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.page("/", links=["/same", "/changing"], body="front door")
    web.page("/same", body="the same lantern")
    web.page("/changing", body="an old harbour")
    crawl(database, web.url())
    analysed(database)
    assert holding(database, "lantern") == ["/same"]
    put_in: list[int] = []
    real = full_text._put_in
    monkeypatch.setattr(
        full_text, "_put_in", lambda to, ids: (put_in.extend(ids), real(to, ids))[1]
    )
    web.page("/changing", body="a new jetty", links=["/another"])
    web.page("/another", body="another lantern")
    crawl(database, web.url())
    analysed(database)
    assert len(put_in) == 2
    assert holding(database, "lantern") == ["/another", "/same"]
    assert (holding(database, "jetty"), holding(database, "harbour")) == (["/changing"], [])
    check_exact(database)
    analysed(database)
    assert len(put_in) == 2


def test_a_text_of_which_more_is_kept_now_is_replaced(
    web: Web, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also one in whose middle of a character it was cut, and one that is spelt otherwise."""
    web.page("/", links=["/long", "/strasse"], body="front")
    web.page("/long", body="word " * 50 + "lantern")
    web.page("/strasse", body="Straße " * 50 + "東京")
    crawl(database, web.url(), settings=config(store={"text_max_bytes": 99}))
    analysed(database)
    assert holding(database, "lantern OR 東") == []
    monkeypatch.setattr(full_text, "_begin_anew", lambda _: pytest.fail("all was thrown away"))
    crawl(database, web.url())
    analysed(database)
    assert holding(database, "lantern OR 東") == ["/long", "/strasse"]
    check_exact(database)


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM texts WHERE text LIKE '%harbour%'",
        "UPDATE texts SET text = 'what a person wrote' WHERE text LIKE '%harbour%'",
        "DROP TABLE search",
        "DELETE FROM spaced_texts",
    ],
)
def test_what_a_person_does_to_the_texts_is_followed(
    web: Web, database: Path, statement: str
) -> None:
    web.page("/", links=["/a", "/b"], body="front")
    web.page("/a", body="an old harbour")
    web.page("/b", body="Straße, 東京")
    crawl(database, web.url())
    analysed(database)
    change(database, statement)
    if "spaced" in statement:  # what it was spelt like is not known any more
        change(database, "UPDATE texts SET text = text || ' and more' WHERE text LIKE '%Straße%'")
    analysed(database)
    check_exact(database)
    assert holding(database, "harbour") == ([] if "%harbour%" in statement else ["/a"])
    assert holding(database, "strasse") == ["/b"]


def test_without_bodies_texts_and_titles_are_searched(web: Web, database: Path) -> None:
    web.page("/", title="Lights of the coast", body="front")
    crawl(database, web.url(), settings=config(store={"bodies": False}))
    analysed(database)
    assert rows(database, "SELECT body FROM bodies WHERE body IS NOT NULL") == []
    assert holding(database, "title : coast") == ["/"]
    assert holding(database, "front") == ["/"]


def test_plain_text_is_searched(web: Web, database: Path) -> None:
    web.page("/", links=["/notes.txt"])
    web.raw("/notes.txt", body=b"keeper of the lantern", headers={"Content-Type": "text/plain"})
    crawl(database, web.url())
    analysed(database)
    assert holding(database, "lantern") == ["/notes.txt"]


def test_a_table_of_a_persons_own_is_left_alone_and_told(
    web: Web, database: Path, caplog: pytest.LogCaptureFixture
) -> None:
    web.page("/", body="front")
    crawl(database, web.url())
    change(database, "CREATE TABLE search (mine TEXT)")
    analysed(database)
    assert rows(database, "SELECT * FROM search") == []
    assert "search: is your own" in caplog.text


def test_an_index_of_another_version_is_made_anew(web: Web, database: Path) -> None:
    web.page("/", body="Straße")
    crawl(database, web.url())
    analysed(database)
    change(database, "DROP TABLE search")
    change(
        database,
        "CREATE VIRTUAL TABLE search USING fts5(title, text, content='searchable', "
        "content_rowid='body_id', tokenize='unicode61')",
    )
    analysed(database)
    assert holding(database, "strasses") == ["/"]
    check_exact(database)


@pytest.mark.parametrize("place", ["before-commit", "after-commit"])
@pytest.mark.parametrize("nth", [2, 3, 4, 8])
def test_killed_at_any_moment_it_comes_to_the_same_tables(
    web: Web, tmp_path: Path, place: str, nth: int
) -> None:
    database, calm = tmp_path / "killed.db", tmp_path / "calm.db"
    web.page("/", links=[f"/{number}" for number in range(40)])
    for number in range(40):
        web.page(f"/{number}", title=f"Page {number}", body=f"word{number} Straße 東京 lantern")
    crawl(database, web.url())
    calm.write_bytes(database.read_bytes())
    command = [sys.executable, "-c", ANALYSE]
    subprocess.run([*command, str(calm)], cwd=ROOT, check=True)
    killed = os.environ | {"CRAWLER_FAILPOINT": f"{place}:{nth}"}
    ended = subprocess.run([*command, str(database)], cwd=ROOT, env=killed, check=False)
    assert ended.returncode == -signal.SIGKILL
    subprocess.run([*command, str(database)], cwd=ROOT, check=True)
    for table in TABLES:
        asked = f"SELECT * FROM {table} ORDER BY 1, 2"
        assert rows(database, asked) == rows(calm, asked), table
    check_exact(database)


def test_debians_sqlite_asks_it(web: Web, database: Path) -> None:
    shell = require_program("sqlite3", "apt-get install sqlite3")
    web.page("/", title="Lights", body="The keeper of the lantern spoke.")
    crawl(database, web.url())
    analysed(database)
    asked = """
        SELECT pages.url, snippet(search, 1, '[', ']', '...', 4)
        FROM search
        JOIN pages ON pages.body_id = search.rowid
        WHERE search MATCH 'lanterns'
        ORDER BY rank
    """
    told = subprocess.run(
        [shell, "-readonly", database, asked], capture_output=True, text=True, check=True
    )
    assert told.stdout == f"{web.url()}|...of the [lantern] spoke.\n"


def test_a_trigger_on_what_the_index_is_kept_in_is_refused(web: Web, database: Path) -> None:
    web.page("/", body="front")
    crawl(database, web.url())
    analysed(database)
    change(
        database,
        "CREATE TRIGGER evil AFTER INSERT ON search_docsize BEGIN DELETE FROM pages; END",
    )
    with pytest.raises(Exception, match='trigger "evil" on "search_docsize"'):
        open_for_writing(database)
