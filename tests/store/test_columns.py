"""Does every column say what it means, to people, to programs, and in the file itself?"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from gevent import subprocess

from crawler.analyse.checks import CHECKS
from crawler.faces import schema
from crawler.store import columns, foreign, queries
from crawler.store.database import Connection, open_for_writing, sqlite3
from tests.crawls import crawl, rows
from tests.sites.skip import require_program
from tests.sites.web import Web

TABLES = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "crawl.db"
    open_for_writing(path).close()
    return path


@pytest.fixture
def connection(database: Path) -> Iterator[Connection]:
    with queries.reading(database) as opened:
        yield opened


def test_every_column_of_every_table_has_a_meaning_and_none_else(database: Path) -> None:
    there = {
        (table, column)
        for (table,) in rows(database, TABLES)
        if table not in foreign.INTERNAL
        for (column,) in rows(database, "SELECT name FROM pragma_table_info(?)", table)
    }
    told = {(table, column) for table, column, *_ in columns.rows()}
    assert told == there


def test_what_is_printed_has_no_marks_of_our_own_sources(connection: Connection) -> None:
    said = [meaning for *_, meaning, _ in columns.rows()]
    said += [about.row for about in columns.HELP.values()]
    said += [view.question for view in queries.views(connection)]
    said += [check.definition for check in CHECKS.values()]
    assert [words for words in said if "``" in words] == []


def test_the_file_has_the_dictionary(database: Path) -> None:
    told = rows(database, 'SELECT "table", "column", meaning, unit FROM columns_help')
    assert told == list(columns.rows())
    assert ("pages", "ttfb_ms", "from the request to the first byte", "ms") in told


def test_a_dictionary_of_another_version_is_replaced(database: Path) -> None:
    with closing(sqlite3.connect(str(database), isolation_level=None)) as other:
        other.execute("UPDATE columns_help SET meaning = 'something else'")
        other.execute("INSERT INTO columns_help VALUES ('gone', 'gone', 'gone', NULL)")
    open_for_writing(database).close()
    assert rows(database, "SELECT * FROM columns_help") == list(columns.rows())


@pytest.mark.parametrize("column", ["inlinks", "link_score"])
def test_what_nothing_has_filled_yet_says_so(column: str) -> None:
    said = {(table, name): meaning for table, name, meaning, _ in columns.rows()}
    assert "NULL until then" in said["pages", column]


def test_the_tables_themselves_carry_comments(database: Path) -> None:
    [(sql,)] = rows(database, "SELECT sql FROM sqlite_master WHERE name = 'urls'")
    assert "-- a row: a URL ever seen, and what became of it" in sql
    assert re.search(r"-- clicks from the nearest seed \(clicks\)\n +depth INTEGER", sql)


def test_schema_tells_every_column_and_view(connection: Connection) -> None:
    tables, views = queries.tables(connection), queries.views(connection)
    told = "\n".join(schema.lines(tables, views, "data/x.db"))
    assert "pages: a URL fetched as a page, as of its last visit: what people query" in told
    assert re.search(r"^  ttfb_ms +REAL +from the request to the first byte \(ms\)$", told, re.M)
    assert re.search(r"^  broken_links +Links that lead nowhere", told, re.M)
    assert max(map(len, told.splitlines())) <= schema.WIDTH


def snippet(language: str, path: Path) -> str:
    """What is told of unpacking a body with this language."""
    text = schema.UNPACKING.format(path=str(path))
    [part] = [part for part in text.split("\n\n") if part.startswith(language)]
    return "\n".join(line[10:] for line in part.splitlines())


@pytest.fixture
def crawled(web: Web, tmp_path: Path) -> tuple[Path, bytes]:
    """A crawl of one page, and that page."""
    database = tmp_path / "one.db"
    web.page("/", body="words " * 500)
    crawl(database, web.url())
    [(packed,)] = rows(database, "SELECT body FROM bodies WHERE id = 1")
    return database, zlib.decompress(packed)


def test_a_body_is_unpacked_in_python_as_told(crawled: tuple[Path, bytes]) -> None:
    known: dict[str, bytes] = {}
    exec(snippet("Python", crawled[0]), known)
    assert known["body"] == crawled[1]


def test_a_body_is_unpacked_in_the_shell_as_told(crawled: tuple[Path, bytes]) -> None:
    program = require_program("sqlite3", "apt-get install sqlite3")
    asked = [str(program), str(crawled[0]), snippet("sqlite3", crawled[0])]
    answer = subprocess.run(asked, capture_output=True, check=True)
    assert answer.stdout == crawled[1] + b"\n"


def test_a_body_is_unpacked_in_r_as_told(crawled: tuple[Path, bytes]) -> None:
    program = require_program("Rscript", "apt-get install r-cran-rsqlite")
    script = snippet("R ", crawled[0]) + "\ncat(rawToChar(body))"
    answer = subprocess.run([str(program), "-e", script], capture_output=True, check=True)
    assert answer.stdout == crawled[1]
