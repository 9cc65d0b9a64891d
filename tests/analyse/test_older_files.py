"""Does an audit of a file of an earlier version find what a new crawl of its site finds?

The file is a crawl by version 0.1.0. Its site is served again from what the file itself holds, and
crawled by this version.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crawler.analyse.run import analyse
from crawler.config import Config
from crawler.store.database import sqlite3
from tests.crawls import crawl, rows
from tests.sites.web import Web
from tests.store.test_views import FIRST_VERSION

ORIGIN = "http://127.0.0.1:8765"
ANSWERS = """
    SELECT urls.url, visits.status, visits.headers, bodies.body, origins.robots_body
    FROM visits
    JOIN urls ON urls.id = visits.url_id
    LEFT JOIN bodies ON bodies.id = visits.body_id
    LEFT JOIN origins ON visits.kind = 'robots'
"""
FOUND = """
    SELECT check_name, urls.url, item
    FROM findings
    JOIN urls ON urls.id = findings.url_id
"""
JUDGED = "SELECT check_name, judged, reason FROM runs_checks"
OF_THE_SERVER = {"date", "connection", "content-length", "transfer-encoding"}
Found = set[tuple[str, str, str]]


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A file that version 0.1.0 wrote, analysed by this version, and never crawled again."""
    database = tmp_path / "older.db"
    with closing(sqlite3.connect(str(database))) as connection:
        connection.executescript(FIRST_VERSION.read_text())
    analyse(database, Config(), lambda *_: None, processes=1)
    return database


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


def serve_again(web: Web, older: Path) -> None:
    """What the file says that its site answered."""
    for url, status, headers, body, robots in rows(older, ANSWERS):
        said = json.loads(headers)
        kept = {name: said[name] for name in said if name.lower() not in OF_THE_SERVER}
        content = robots if body is None else zlib.decompress(body)
        moved = (content or b"").replace(ORIGIN.encode(), web.url("").encode())
        web.raw(url.removeprefix(ORIGIN), status=status, headers=kept, body=moved)


def found(database: Path, origin: str) -> Found:
    """Findings, with paths in place of addresses."""
    return {
        (check, url.removeprefix(origin), item.replace(origin, ""))
        for check, url, item in rows(database, FOUND)
    }


def test_an_audit_of_a_file_of_0_1_0_finds_what_a_new_crawl_finds(
    older: Path, web: Web, tmp_path: Path
) -> None:
    serve_again(web, older)
    fresh = tmp_path / "fresh.db"
    crawl(fresh, web.url())
    analyse(fresh, Config(), lambda *_: None, processes=1)
    in_older = found(older, ORIGIN)
    assert {("broken_links", "/", "/gone"), ("h1_missing", "/a", "")} <= in_older
    assert in_older == found(fresh, web.url("").rstrip("/"))
    assert sorted(rows(older, JUDGED)) == sorted(rows(fresh, JUDGED))


def test_what_the_crawl_of_0_1_0_stored_is_left_as_it_was(older: Path, tmp_path: Path) -> None:
    untouched = tmp_path / "untouched.db"
    with closing(sqlite3.connect(str(untouched))) as connection:
        connection.executescript(FIRST_VERSION.read_text())
    for table, columns in (
        ("urls", "id, url, state, reason, status, depth"),
        ("links", "source_id, position, target_id, kind, anchor, region"),
        ("visits", "id, url_id, status, headers, body_id"),
        ("pages", "id, url, status, title, h1, canonical, text_hash"),
    ):
        asked = f"SELECT {columns} FROM {table}"
        assert rows(older, asked) == rows(untouched, asked)
