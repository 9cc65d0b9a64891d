"""Does every fact stand in its column?"""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.model import Document, Job, LinkColumns, Reply, SitemapEntry, Target, Visit
from crawler.policy.pace import Fate
from crawler.policy.seeds import read_line
from crawler.store import rows
from crawler.store.contract import Entry
from crawler.store.database import open_for_writing
from crawler.store.ruling import Ruling

ENTRY = Entry(1, 2, 3, "http://a.test/", 4, "page", 0, 0, 5, 6)
REPLY = Reply(200, ip="192.0.2.1", headers=(("ETag", '"e"'), ("Last-Modified", "then")))
DOCUMENT = Document(content_type="text/html", charset="utf-8", title="T", text_hash=7)
JOB = Job(1, 3, "http://a.test/", attempt=2)
VISIT = Visit(JOB, REPLY, DOCUMENT, "2026-01-01T00:00:00.000Z", body_bytes=8)
TARGET = Target("http://a.test/b", 11, "http://a.test")
RULING = Ruling(Fate("done"), is_good=True, made_under=9)
SEED = read_line(1, "a.test")

STATEMENTS = {
    "seeds": (
        rows.SEEDS,
        """
        INSERT INTO seeds ( run_id, line, text, url_id, scheme_assumed, error )
        VALUES (...)
        """,
    ),
    "sitemap_entries": (
        rows.SITEMAP_ENTRIES,
        """
        INSERT INTO sitemap_entries ( sitemap_id, url_id, lastmod, priority, changefreq )
        VALUES (...)
        ON CONFLICT DO NOTHING
        """,
    ),
    "urls": (
        rows.URLS,
        """
        INSERT INTO urls ( id, url, hash, host_id, origin_id, kind, state, reason, depth, hops,
        priority, via, found_on_id, first_seen_at, run_id )
        VALUES (...)
        """,
    ),
    "visits": (
        rows.VISITS,
        """
        INSERT INTO visits ( run_id, url_id, kind, method, attempt, started_at, status, error,
        error_detail, note, ip, http_version, dns_ms, connect_ms, tls_ms, tls_version, tls_cipher,
        tls_weak, certificate_until, ttfb_ms, total_ms, wire_bytes, body_bytes, truncated,
        challenge, content_type, charset, etag, last_modified, headers, redirect_to_id,
        not_modified, body_id, title, text_hash, canonical, changed,
        worker_id )
        VALUES (...)
        """,
    ),
    "pages": (
        rows.PAGES,
        """
        INSERT INTO pages ( id, url, host_id, depth, status, error, content_type, title,
        description, h1, lang, canonical, meta_robots, word_count, text_hash, body_bytes, ttfb_ms,
        fetched_at, document_at, first_seen_at, changed_at, etag, last_modified, body_id, outlinks,
        document_status, partial, made_under, challenge, rendered )
        VALUES (...)
        ON CONFLICT (id) DO UPDATE SET depth = excluded.depth, status = excluded.status,
        error = excluded.error, content_type = excluded.content_type, title = excluded.title,
        description = excluded.description, h1 = excluded.h1, lang = excluded.lang,
        canonical = excluded.canonical, meta_robots = excluded.meta_robots,
        word_count = excluded.word_count, text_hash = excluded.text_hash,
        body_bytes = excluded.body_bytes, ttfb_ms = excluded.ttfb_ms,
        fetched_at = excluded.fetched_at, document_at = excluded.document_at,
        changed_at = excluded.changed_at, etag = excluded.etag,
        last_modified = excluded.last_modified, body_id = excluded.body_id,
        outlinks = excluded.outlinks, document_status = excluded.document_status,
        partial = excluded.partial, made_under = excluded.made_under,
        challenge = excluded.challenge, rendered = excluded.rendered, visits = visits + 1
        """,
    ),
}
"""What each table is told, white space folded: a change of it must be meant."""

ROWS = {
    "seeds": ((1, SEED, 9, True), {"run_id": 1, "line": 1, "text": "a.test", "url_id": 9}),
    "sitemap_entries": (
        (3, 9, SitemapEntry(0, lastmod="2026", priority=0.5, changefreq="daily")),
        {"sitemap_id": 3, "url_id": 9, "lastmod": "2026", "priority": 0.5, "changefreq": "daily"},
    ),
    "urls": (
        (9, TARGET, 5, 6, "page", "queued", None, 1, 0, 1, "a", 3, "now", 1),
        {"id": 9, "url": TARGET.url, "hash": 11, "host_id": 5, "via": "a", "first_seen_at": "now"},
    ),
    "visits": (
        (1, 3, VISIT, REPLY, DOCUMENT, JOB, "timeout", 9, "{}", False, 2, True),
        {
            "run_id": 1, "url_id": 3, "attempt": 2, "status": 200, "error": "timeout",
            "etag": '"e"', "redirect_to_id": 9, "headers": "{}", "body_id": 2, "title": "T",
            "text_hash": 7, "body_bytes": 8, "truncated": None,
        },
    ),
    "pages": (
        (ENTRY, VISIT, REPLY, DOCUMENT, RULING, 2, "then", "later", 2, 5, True),
        {
            "id": 3, "url": "http://a.test/", "host_id": 5, "depth": 2, "status": 200,
            "title": "T", "document_at": "then", "changed_at": "later", "body_id": 2,
            "outlinks": 5, "rendered": 1, "document_status": 200, "made_under": 9, "error": None,
            "last_modified": "then", "fetched_at": "2026-01-01T00:00:00.000Z",
        },
    ),
}  # fmt: skip


def columns(table: rows.Table) -> list[str]:
    """The columns that a statement names."""
    return [name.strip() for name in table.insert.split("(")[1].split(")")[0].split(",")]


@pytest.mark.parametrize("name", STATEMENTS)
def test_the_statement_is_the_one_that_is_written_here(name: str) -> None:
    table, statement = STATEMENTS[name]
    places = ", ".join("?" * len(columns(table)))
    assert table.insert.split() == statement.replace("...", places).split()


@pytest.mark.parametrize("name", ROWS)
def test_a_row_has_each_fact_in_its_column(name: str) -> None:
    table, _ = STATEMENTS[name]
    facts, expected = ROWS[name]
    row = dict(zip(columns(table), table.row(*facts), strict=True))
    assert {column: row[column] for column in expected} == expected


@pytest.mark.parametrize("name", ROWS)
def test_a_new_file_takes_the_row(tmp_path: Path, name: str) -> None:
    table, _ = STATEMENTS[name]
    facts, _ = ROWS[name]
    connection = open_for_writing(tmp_path / "crawl.db")
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute(table.insert, table.row(*facts))
    assert connection.execute(f"SELECT count(*) FROM {name}").fetchone() == (1,)
    connection.close()


def test_links_are_told_of_the_columns_that_have_something() -> None:
    statement = rows.insert_links(("anchor", "rel"))
    expected = """
        INSERT INTO links (source_id, position, target_id, kind, anchor, rel)
        VALUES (?, ?, ?, ?, ?, ?)
    """
    assert statement.split() == expected.split()
    assert set(rows.OPTIONAL_IN_LINKS.values()) < set(LinkColumns.__struct_fields__)


def test_when_a_certificate_ends_is_stored_as_a_time() -> None:
    reply = Reply(200, certificate_until=1_935_990_489)
    row = rows.VISITS.row(1, 3, VISIT, reply, DOCUMENT, JOB, None, None, "{}", False, 2, True)
    assert "2031-05-08T07:08:09.000Z" in row
