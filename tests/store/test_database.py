"""Whose file is it, who may read it, and what may a row hold?"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from pathlib import Path

import gevent
import pytest
import sqlite_utils
from gevent import subprocess

from crawler.conductor import Conductor
from crawler.errors import StorageError
from crawler.model import Distinct, Document, Job, Link, LinkColumns, Reply, Target, Visit
from crawler.policy import urls
from crawler.store import queue, recorder, redirects, scopes, shorter_ways, url_table
from crawler.store.contract import Arrival
from crawler.store.database import (
    SQLiteError,
    open_for_reading,
    open_for_writing,
    sqlite3,
)
from crawler.store.lock import WriterLock
from crawler.store.schema import APPLICATION_ID, migrations
from crawler.store.writer import Writer
from tests.crawls import AGENT, check_whole, config, crawl, read_seeds, rows
from tests.patience import PATIENT_S, until
from tests.sites.skip import require_program
from tests.sites.web import Held, Web


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


# Files that are not ours


def foreign(path: Path, statements: str) -> bytes:
    sqlite3 = require_program("sqlite3", "apt-get install sqlite3")
    subprocess.run([str(sqlite3), str(path), statements], check=True)
    return path.read_bytes()


@pytest.mark.parametrize(
    ("statements", "told"),
    [
        ("CREATE TABLE urls (id)", "another program's database"),
        ("PRAGMA application_id = 7; CREATE TABLE t (id)", "another program's database"),
    ],
)
def test_another_programs_database_is_refused_untouched(
    database: Path, statements: str, told: str
) -> None:
    before = foreign(database, statements)
    with pytest.raises(StorageError, match=told):
        open_for_writing(database)
    with pytest.raises(StorageError, match=told):
        open_for_reading(database)
    assert database.read_bytes() == before
    assert sorted(os.listdir(database.parent)) == [database.name]


def test_what_is_no_database_is_refused_untouched(database: Path) -> None:
    database.write_bytes(b"a letter to my aunt")
    with pytest.raises(StorageError, match=r"crawl\.db: is not an SQLite database"):
        crawl(database, "http://127.0.0.1:1/")
    assert database.read_bytes() == b"a letter to my aunt"


def test_a_newer_crawlers_database_is_refused(web: Web, database: Path) -> None:
    web.page("/")
    crawl(database, web.url())
    foreign(
        database,
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) "
        "VALUES ('crawler', 'of_next_year', 'x')",
    )
    asked = len(web.paths)
    with pytest.raises(StorageError, match="newer crawler"):
        crawl(database, web.url())
    assert len(web.paths) == asked


def test_a_database_that_is_not_there_cannot_be_read(database: Path) -> None:
    with pytest.raises(StorageError, match="no such database"):
        open_for_reading(database)
    assert not database.exists()


def test_a_second_crawler_on_one_file_is_refused(web: Web, database: Path) -> None:
    web.page("/")
    lock = WriterLock(database)
    with pytest.raises(StorageError, match=rf"another crawler \(pid {os.getpid()}\)"):
        crawl(database, web.url())
    assert web.paths == []
    lock.release()
    crawl(database, web.url())
    assert web.paths == ["/robots.txt", "/"]


def test_errors_of_storage_end_with_exit_code_3() -> None:
    assert StorageError.exit_code == 3


# Others may read


COUNT_PAGES = "SELECT count(*) FROM pages"


def test_plain_tools_read_while_the_crawl_writes(web: Web, database: Path) -> None:
    """Each time that somebody looks there is more, as far as pages are given out."""
    sqlite3 = require_program("sqlite3", "apt-get install sqlite3")
    parts = 4
    held: list[Held] = []
    for part in range(parts):
        links = [f"/{part}/{number}" for number in range(50)]
        for path in links:
            web.page(path)
        held.append(web.held(f"/{part}" if part else "/", links=[*links, f"/{part + 1}"]))
    conductor = Conductor(config(), database, read_seeds(web.url()), agent=AGENT)
    crawling = gevent.spawn(conductor.run)

    def pages() -> int:
        # The file is locked for a moment when the crawl closes it and leaves WAL mode.
        command = [str(sqlite3), "-readonly", "-cmd", ".timeout 5000", str(database), COUNT_PAGES]
        return int(subprocess.run(command, capture_output=True, check=True).stdout)

    for part, front in enumerate(held):
        front.asked.wait(PATIENT_S)
        until(lambda least=51 * part: pages() == least)
        front.let_go()
    assert crawling.get(timeout=PATIENT_S).reason == "finished"
    utils = [sys.executable, "-m", "sqlite_utils", "query", str(database)]
    answer = subprocess.run(
        [*utils, "SELECT count(*) AS n FROM pages"], capture_output=True, check=True
    )
    assert json.loads(answer.stdout) == [{"n": 51 * parts + 1}]


def test_a_stored_body_opens_in_the_sqlite_shell(web: Web, database: Path, tmp_path: Path) -> None:
    sqlite3 = require_program("sqlite3", "apt-get install sqlite3")
    web.page("/", body="x" * 5000)
    crawl(database, web.url())
    copy = tmp_path / "copy.db"
    shutil.copy(database, copy)
    answer = subprocess.run(
        [str(sqlite3), str(copy), "SELECT sqlar_uncompress(body, body_bytes) FROM bodies"],
        capture_output=True,
        check=True,
    )
    assert b"x" * 5000 in answer.stdout


def test_the_file_says_what_it_is(web: Web, database: Path) -> None:
    web.page("/")
    crawl(database, web.url())
    assert os.listdir(database.parent) == [database.name]
    assert rows(database, "PRAGMA application_id") == [(APPLICATION_ID,)]
    # A file in WAL mode cannot be read where nothing may be written.
    assert rows(database, "PRAGMA journal_mode") == [("delete",)]


HOT = {
    "what is known of urls": (url_table.LOOK_UP_SQL, url_table.LOOK_UP, "urls_hash"),
    "next entries": (queue.NEXT_ENTRIES, 8, "urls_queue"),
    "due entries": (queue.DUE_ENTRIES, 4, "urls_deferred"),
    "next due": (queue.NEXT_DUE, 1, "urls_deferred"),
    "links of a page": (shorter_ways.LINKS_OF, 1, "PRIMARY KEY"),
    "last redirect": (shorter_ways.LAST_REDIRECT, 1, "visits_url_id"),
    "bare seeds": (scopes.BARE_SEEDS, 2, "urls_queue"),
    "named seeds": (scopes.NAMED, 2, "seeds_url_id"),
    "keys below": (scopes.BEGINNING_SO, 2, "PRIMARY KEY"),
    "next hop": (redirects.NEXT_HOP, 1, "visits_url_id"),
    "old page": (recorder.BEFORE, recorder.LOOK_UP, "INTEGER PRIMARY KEY"),
}


@pytest.mark.parametrize("name", HOT)
def test_no_hot_read_scans_a_table(web: Web, database: Path, name: str) -> None:
    """Not even when the last run left statistics of a time when the tables were small."""
    sql, values, index = HOT[name]
    web.page("/", links=["/a"])
    crawl(database, web.url(), settings=config(run={"max_pages": 1}))
    foreign(database, "ANALYZE")
    connection = open_for_writing(database)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {sql}", [1] * values).fetchall()
    connection.close()
    steps = [step[3] for step in plan]
    assert any(index in step for step in steps), steps
    assert not [
        step for step in steps if re.match(r"SCAN (urls|pages|links|visits)(?! USING)", step)
    ]


# What a row may hold


POISON = {
    "a lone surrogate in the title": Document(title="a\ud800b"),
    "a number beyond 63 bits": Document(text_hash=2**63),
    "a word where a number belongs": Document(word_count="many"),  # type: ignore[arg-type]
    "a surrogate in an anchor": Document(
        targets=Distinct.of([Target("http://a.test/x", 5, "http://a.test")]),
        columns=LinkColumns.of([Link(0, "a", "\udfff")]),
    ),
    "a link to a target that is not there": Document(columns=LinkColumns.of([Link(3, "a")])),
}


@pytest.mark.parametrize("name", POISON)
def test_a_visit_that_cannot_be_stored_spoils_no_other(database: Path, name: str) -> None:
    writer = Writer(database, config(robots={"obey": False}), agent=AGENT)
    writer.open(seeds_file="", version="test")
    seeds = [f"http://a.test/{number}" for number in range(5)]
    entries = writer.load_seeds(list(read_seeds(*seeds))).fresh
    documents = [Document(title=f"title {number}") for number in range(5)]
    documents[2] = POISON[name]
    moment = "2026-01-01T00:00:00.000Z"
    arrivals = [
        Arrival(Visit(Job(1, entry.id, entry.url), Reply(status=200), document, moment), entry)
        for entry, document in zip(entries, documents, strict=True)
    ]
    settled = writer.record(arrivals, ())
    writer.finish(state="finished", reason="finished")
    writer.close()
    assert (settled.pages, settled.queued) == (5, 0)
    found = rows(database, "SELECT title, error FROM pages ORDER BY id")
    good = [(f"title {number}", None) for number in range(5)]
    assert found == [*good[:2], (None, "decode_error"), *good[3:]]
    assert rows(database, "SELECT count(*) FROM visits") == [(5,)]
    check_whole(database)


def test_a_url_of_any_bytes_is_stored(web: Web, database: Path) -> None:
    web.page("/", links=["/\u00e4", "/%00", "/%ff", "/\U0001f600", "/a\ttab", "/" + "x" * 5000])
    crawl(database, web.url())
    assert rows(database, "SELECT max(length(url)) FROM urls WHERE state = 'done'")[0][0] < 2083
    assert rows(database, "SELECT reason FROM urls WHERE length(url) > 1000") == [("url_too_long",)]
    check_whole(database)


def test_ids_are_numbers_that_every_program_keeps(web: Web, database: Path) -> None:
    web.page("/", links=["/a", "/b"])
    crawl(database, web.url())
    assert rows(database, "SELECT count(*) = max(id) FROM urls") == [(1,)]
    [(number,)] = rows(database, "SELECT hash FROM urls WHERE url = ?", web.url("/a"))
    assert number == urls.identity(web.url("/a")) < 2**63


def test_times_are_iso_8601_in_utc(web: Web, database: Path) -> None:
    web.page("/")
    crawl(database, web.url())
    [(text,)] = rows(database, "SELECT fetched_at FROM pages")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert abs(time.mktime(time.strptime(text[:19], "%Y-%m-%dT%H:%M:%S")) - time.time()) < 86_400


def test_a_reader_leaves_nothing_behind_and_cannot_write(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "crawl.db"
    web.page("/")
    crawl(database, web.url())
    connection = open_for_reading(database)
    with pytest.raises(SQLiteError, match="readonly"):
        connection.execute("DELETE FROM urls")
    connection.close()
    assert [file.name for file in tmp_path.iterdir()] == ["crawl.db"]


def of_first_schema(database: Path) -> None:
    connection = sqlite3.connect(str(database), isolation_level=None)
    migrations.apply(
        sqlite_utils.Database(connection, execute_plugins=False), stop_before="first_views"
    )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute("PRAGMA user_version = 1")
    connection.execute("INSERT INTO scopes (key) VALUES ('example.org')")
    connection.close()


def test_a_backup_that_was_cut_short_is_made_anew(database: Path) -> None:
    of_first_schema(database)
    backup = database.with_name(f"{database.name}.schema-1.bak")
    part = backup.with_name(f"{backup.name}.part")
    part.write_bytes(b"SQLite")
    open_for_writing(database).close()
    assert rows(backup, "SELECT key FROM scopes") == [("example.org",)]
    assert not part.exists()


def test_an_older_schema_is_brought_up_to_date_after_a_backup(database: Path) -> None:
    of_first_schema(database)
    open_for_writing(database).close()
    assert rows(database, "SELECT key FROM scopes") == [("example.org",)]
    assert rows(database, "SELECT * FROM broken_links") == []
    backup = database.with_name(f"{database.name}.schema-1.bak")
    assert rows(backup, "SELECT key FROM scopes") == [("example.org",)]
    assert rows(backup, "SELECT count(*) FROM sqlite_master WHERE type = 'view'") == [(0,)]


def test_nothing_heavy_is_loaded_on_the_way_to_the_first_request() -> None:
    """What analyses, exports and fetches is loaded by those that do, and so is what asks for other
    machines, shards, files and logins."""
    loaded = "import crawler._patch, crawler.cli, sys; crawler.cli.cli.load('crawl')"
    conducts = "import crawler.conductor.conductor; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", f"{loaded}; {conducts}"], capture_output=True, check=True
    )
    heavy = {b"numpy", b"pandas", b"rensa", b"re2", b"py3langid", b"sqlite_utils", b"rich.console"}
    heavy |= {b"requests", b"lxml", b"zipfile", b"redis", b"pyarrow", b"xlsxwriter", b"fastwarc"}
    found = modules.stdout.split()
    assert heavy & set(found) == set()
    rare = ("channels.redis.", "cli.sharding", "cli.reaching", "cli.machines", "cli.merging")
    rare += ("cli.exporting", "exports", "analyse", "imports", "render.", "conductor.others")
    rare += ("conductor.permits", "store.mail", "store.sharded", "store.merging", "store.logins")
    rare += ("policy.placement", "config.login")
    begins = tuple(f"crawler.{name}".encode() for name in rare)
    assert [name for name in found if name.startswith(begins)] == []
