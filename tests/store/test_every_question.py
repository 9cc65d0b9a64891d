"""Does every question have the answer that it was made to have, in whatever reads the file?

A crawl is written row by row, so that each answer is known before it is asked for. It is asked in
the program `sqlite3` of a distribution, in the SQLite that the crawler brings, and in DuckDB.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from gevent import subprocess

from crawler.store.database import open_for_writing
from crawler.store.views import VIEWS
from tests.crawls import as_duckdb_sees, rows
from tests.sites.skip import require_program
from tests.store.test_questions import MOMENT, Site
from tests.test_readme import ANSWERS as README_ANSWERS

LATER = "2026-02-01T00:00:00.000Z"
HTML = "text/html"
Rows = list[tuple[Any, ...]]
Ask = Callable[[str], Rows]


def write(site: Site) -> None:
    """Pages of every kind; their numbers are in the order in which they stand here."""
    site.url("/", title="Home", text_hash=1)
    site.url("/gone", status=404)
    site.url("/old", status=301, leads_to=2)
    site.url("/older", status=301, leads_to=3)
    site.url("/a", title="Twice", text_hash=7)
    site.url("/b", title="Twice", text_hash=7)
    site.url("/canonical", title="Elsewhere", canonical="/a")
    site.url("/listed", title="Listed")
    site.url("/map.xml", kind="sitemap")
    site.url("/forbidden", state="skipped", reason="robots", status=None)
    site.url("/waits", state="queued", status=None)
    site.url("http://b.test/", state="skipped", reason="scope", status=None)
    site.url("/x.png", state="skipped", reason="not_followed", status=None)
    site.url("/a.css", kind="asset")
    site.links("/", "/gone", "/older", "/a", "/b", "/canonical", "http://b.test/", "/forbidden")
    site.links("/", "/x.png", kind="img")
    site.links("/a", "http://b.test/", "/")
    site.links("/canonical", "/a", kind="canonical")
    site._insert("sitemap_entries", sitemap_id=9, url_id=8)
    _tell_hosts(site)
    _tell_pages(site)
    _tell_parts(site)
    _tell_second_run(site)
    _tell_analysis(site)
    _tell_rendering(site)


def _tell_hosts(site: Site) -> None:
    ask = site.connection.execute
    site._insert("hosts", id=2, host="b.test", registered_domain="b.test")
    ask("UPDATE urls SET host_id = 2 WHERE id = 12")
    ask(
        "UPDATE hosts SET queued = 1, pages = 9, blocked_until = ?, block_reason = 'http_503'"
        " WHERE id = 1",
        (LATER,),
    )
    site._insert("seeds", run_id=1, line=1, text="/", url_id=1)


def _tell_pages(site: Site) -> None:
    ask = site.connection.execute
    ask("DELETE FROM pages WHERE id > 8")
    ask("DELETE FROM visits WHERE url_id > 8")
    ask("UPDATE pages SET content_type = ?, description = 'Of ' || id, h1 = 'H'", (HTML,))
    ask("UPDATE pages SET ttfb_ms = 10.0, body_bytes = 100, body_id = id, depth = id > 1")
    ask("UPDATE pages SET description = 'The same' WHERE id IN (5, 6)")
    ask("UPDATE pages SET ttfb_ms = 800.0 WHERE id = 5")
    ask("UPDATE pages SET ttfb_ms = 800.1, h1 = NULL WHERE id = 6")
    ask("UPDATE pages SET body_bytes = 5000 WHERE id = 7")
    ask("UPDATE pages SET body_bytes = NULL, body_id = NULL WHERE status <> 200")
    ask("UPDATE visits SET title = pages.title FROM pages WHERE pages.id = visits.url_id")


def _tell_parts(site: Site) -> None:
    """What was last kept of it, not what was answered last."""
    for status, body_id in ((200, 7), (200, 8), (304, None), (503, 1)):
        site._insert(
            "visits", run_id=1, url_id=14, kind="asset", method="GET", attempt=1,
            started_at=MOMENT, status=status, body_id=body_id, content_type="text/css",
            body_bytes=70 + (body_id or 0),
        )  # fmt: skip


def _tell_second_run(site: Site) -> None:
    """/ has another title, /listed is there with the same one and other bytes, /b is gone."""
    site._insert(
        "runs", id=2, started_at=LATER, state="finished", finish_reason="finished", config="",
        judging="", version="",
    )  # fmt: skip
    site.connection.execute("UPDATE runs SET finish_reason = 'finished'")
    site.connection.execute("UPDATE visits SET body_id = 1 WHERE url_id = 8")
    for url_id, status, title, body_id in (
        (1, 200, "Home, anew", 1), (6, 410, None, None), (8, 200, "Listed", 8),
    ):  # fmt: skip
        site._insert(
            "visits", run_id=2, url_id=url_id, kind="page", method="GET", attempt=1,
            started_at=LATER, status=status, title=title, body_id=body_id,
        )  # fmt: skip
    site._insert("seeds", run_id=2, line=1, text="/", url_id=1)


def _tell_analysis(site: Site) -> None:
    ask = site.connection.execute
    for body_id in (1, 5, 6, 7, 8):
        site._insert("bodies", id=body_id, sha256=str(body_id), body_bytes=100, content_type=HTML)
        site._insert("facts", body_id=body_id, version=1, scripts=1, main_words=60, anchors=9)
    site._insert("texts", body_id=5, text="a lantern")
    site._insert("indexed_texts", body_id=5, title="Twice", text_bytes=9)
    ask("UPDATE facts SET main_words = 3, anchors = 0 WHERE body_id = 8")
    site._insert("near_duplicates", body_id=5, leader_id=5, similarity=1.0)
    site._insert("near_duplicates", body_id=7, leader_id=5, similarity=0.93)
    ask("UPDATE pages SET indexable = status = 200 AND id <> 7")
    ask("UPDATE pages SET indexability_reason = 'status' WHERE id = 2")
    ask("UPDATE pages SET indexability_reason = 'redirect' WHERE id IN (3, 4)")
    ask("UPDATE pages SET indexability_reason = 'canonical' WHERE id = 7")
    ask("UPDATE pages SET inlinks = 1, followed_inlinks = 1, clicks = 1, link_score = 9.5")
    ask("UPDATE pages SET link_score = 100.0, clicks = 0 WHERE id = 1")
    ask("UPDATE pages SET inlinks = 0 WHERE id IN (3, 8)")
    site._insert(
        "checks", name="title_duplicate", position=1, group_name="titles", severity="warning",
        definition="", limits="{}", needs="",
    )  # fmt: skip
    site._insert("runs_checks", run_id=2, check_name="title_duplicate", judged=1)
    for url_id, since, fixed in ((1, 1, None), (5, 2, None), (6, 1, 2)):
        site._insert(
            "findings", check_name="title_duplicate", url_id=url_id, evidence="{}",
            first_run_id=1, since_run_id=since, last_run_id=2, fixed_run_id=fixed,
        )  # fmt: skip
    for url_id, accesses, changes, days in ((5, 4, 2, 2), (2, 0, 0, 7)):
        site._insert(
            "revisits", url_id=url_id, visited_at=MOMENT, accesses=accesses, changes=changes,
            changes_per_day=0.5, interval_s=days * 86_400, due_at=LATER, often_s=3600.0,
        )  # fmt: skip


def _tell_rendering(site: Site) -> None:
    """/a was shown and asked for three things, of which it got one; /b left for another page."""
    ask = site.connection.execute
    last = "SELECT min(id) FROM visits WHERE url_id = ?"
    (shown,), (left,) = (ask(last, (url_id,)).fetchone() for url_id in (5, 6))
    ask("UPDATE pages SET rendered = 1, word_count = 40 WHERE id = 5")
    ask("UPDATE links SET via = iif(position = 0, 'source', 'rendered') WHERE source_id = 5")
    site._insert(
        "renders", visit_id=shown, body_bytes=90, raw_title="Loading", raw_description="The same",
        raw_h1="H", raw_word_count=1, raw_text_hash=3, raw_links=1,
    )  # fmt: skip
    site._insert("renders", visit_id=left, error="render_left", body_bytes=0, raw_links=0)
    answers = ((200, None), (404, None), (None, "timeout"))
    for position, (status, reason) in enumerate(answers):
        site._insert(
            "requests", visit_id=shown, position=position, target_id=14, type="Script",
            method="GET", started_at=MOMENT, status=status, reason=reason, cached=0, wire_bytes=0,
            body_bytes=70 if status == 200 else 0,
        )  # fmt: skip
    site._insert("console", visit_id=shown, position=0, level="error", text="no oil")
    site._insert(
        "screenshots", visit_id=shown, media_type="image/jpeg", width=1, height=1, image=b"\xff"
    )


ANSWERS: dict[str, tuple[str, Rows]] = {
    "assets": ("url, state, status, content_type, body_bytes, body_id", [
        ("/a.css", "done", 200, "text/css", 78, 8),
    ]),
    "audit_findings": ("url, state, severity", [
        ("/", "open", "warning"), ("/a", "new", "warning"), ("/b", "fixed", "warning"),
    ]),
    "best_linked_pages": ("url, link_score, clicks", [
        ("/", 100.0, 0), ("/a", 9.5, 1), ("/b", 9.5, 1), ("/canonical", 9.5, 1),
        ("/gone", 9.5, 1), ("/older", 9.5, 1),
    ]),
    "broken_links": ("page, link, status, redirected_to, certain", [
        ("/", "/gone", 404, None, 1), ("/", "/older", 404, "/gone", 1),
    ]),
    "canonical_mismatches": ("url, canonical, canonical_status", [("/canonical", "/a", 200)]),
    "changes": ("change, url, what, before", [
        ("changed", "/", "title", "Home"), ("gone", "/b", "status", "200"),
    ]),
    "changes_between_runs": ("from_run, to_run, change, url", [
        (1, 2, "changed", "/"), (1, 2, "gone", "/b"),
    ]),
    "crawl_summary": ("state, reason, status, urls", [
        ("done", None, 200, 6), ("done", None, 301, 2), ("done", None, 404, 1),
        ("queued", None, None, 1), ("skipped", "not_followed", None, 1),
        ("skipped", "robots", None, 1), ("skipped", "scope", None, 1),
    ]),
    "current_links": ("page, position, target_id", [
        ("/", 0, 2), ("/", 1, 4), ("/", 2, 5), ("/", 3, 6), ("/", 4, 7), ("/", 5, 12),
        ("/", 6, 10), ("/", 7, 13), ("/a", 0, 12), ("/a", 1, 1), ("/canonical", 0, 5),
    ]),
    "depth_histogram": ("depth, pages, errors", [(0, 1, 0), (1, 7, 1)]),
    "differences": ("from_run, to_run, change, url", [
        (1, 2, "changed", "/"), (1, 2, "gone", "/b"), (1, 2, "touched", "/listed"),
    ]),
    "duplicate_descriptions": ("description, pages, example", [("The same", 2, "/a")]),
    "duplicate_pages": ("text_hash, pages, example", [(7, 2, "/a")]),
    "duplicate_titles": ("title, pages, example", [("Twice", 2, "/a")]),
    "external_domains": ("domain, links, pages", [("b.test", 2, 2)]),
    "followed_links": ("source_id, target_id", [
        (1, 2), (1, 4), (1, 5), (1, 6), (1, 7), (1, 10), (1, 12), (5, 1), (5, 12),
    ]),
    "good_pages": ("url", [("/",), ("/a",), ("/b",), ("/canonical",), ("/listed",)]),
    "heavy_pages": ("url, body_bytes", [
        ("/", 100), ("/a", 100), ("/b", 100), ("/canonical", 5000), ("/listed", 100),
    ]),
    "host_summary": ("host, queued, fetched, ok, http_errors, block_reason", [
        ("a.test", 1, 8, 5, 1, "http_503"),
    ]),
    "images_without_alt": ("page, image", [("/", "/x.png")]),
    "indexable_pages": ("url", [("/",), ("/a",), ("/b",), ("/listed",)]),
    "likely_javascript": ("url, scripts, words", [("/listed", 1, 3)]),
    "missing_metadata": ("url, no_title, no_description, no_h1", [("/b", 0, 0, 1)]),
    "near_duplicate_pages": ("url, like_url, similarity", [("/canonical", "/a", 0.93)]),
    "not_indexable_pages": ("url, reason, why", [
        ("/canonical", "canonical", "/a"), ("/gone", "status", "404"),
        ("/old", "redirect", "/gone"), ("/older", "redirect", "/old"),
    ]),
    "orphan_pages": ("url, sitemap", [("/listed", "/map.xml")]),
    "page_renders": (
        "url, rendered, error, requests, failed_requests, request_bytes, console_lines, "
        "screenshots",
        [("/a", 1, None, 3, 2, 70, 1, 1), ("/b", 0, "render_left", 0, 0, 0, 0, 0)],
    ),
    "page_versions": ("url, run_id, status, title", [
        ("/", 1, 200, "Home"), ("/gone", 1, 404, None), ("/old", 1, 301, None),
        ("/older", 1, 301, None), ("/a", 1, 200, "Twice"), ("/b", 1, 200, "Twice"),
        ("/canonical", 1, 200, "Elsewhere"), ("/listed", 1, 200, "Listed"),
        ("/", 2, 200, "Home, anew"), ("/b", 2, 410, "Twice"), ("/listed", 2, 200, "Listed"),
    ]),
    "redirect_chains": ("start, hop, url, redirects_to, target_status", [
        ("/old", 1, "/old", "/gone", 404),
        ("/older", 1, "/older", "/old", 301), ("/older", 2, "/old", "/gone", 404),
    ]),
    "rendered_differences": ("url, what, sent, shown", [
        ("/a", "title", "Loading", "Twice"), ("/a", "words", "1", "40"),
        ("/a", "links", "1", "1"),
    ]),
    "revisit_plan": ("url, due_at, why, interval_days", [
        ("/a", LATER, "changed at 2 of 4 visits", 2.0),
        ("/gone", LATER, "visited once", 7.0),
    ]),
    "searchable": ("body_id, title, text", [(5, "Twice", "a lantern")]),
    "seed_summary": ("line, text, state, status", [(1, "/", "done", 200)]),
    "skipped_urls": ("url, reason", [
        ("/forbidden", "robots"), ("/x.png", "not_followed"), ("http://b.test/", "scope"),
    ]),
    "slow_pages": ("url, ttfb_ms", [("/b", 800.1)]),
    "touched": ("url", [("/listed",)]),
    "waiting_hosts": ("host, queued, block_reason", [("a.test", 1, "http_503")]),
    "waiting_urls": ("url, host, blocked_until, block_reason", [
        ("/waits", "a.test", LATER, "http_503"),
    ]),
}  # fmt: skip
"""By view: what is asked of it, and all that it answers, in no order."""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("questions") / "crawl.db"
    with closing(open_for_writing(path)) as connection:
        write(Site(connection))
    return path


@pytest.fixture(scope="module", params=["sqlite3", "pysqlite3", "DuckDB"])
def ask(request: pytest.FixtureRequest, database: Path) -> Iterator[Ask]:
    """What answers."""
    if request.param == "DuckDB":
        with as_duckdb_sees(database) as duck:
            yield lambda sql: duck.execute(sql).fetchall()
    elif request.param == "sqlite3":
        program = require_program("sqlite3", "apt-get install sqlite3")
        yield lambda sql: _asked(str(program), database, sql)
    else:
        yield lambda sql: rows(database, sql)


def _asked(program: str, database: Path, sql: str) -> Rows:
    command = [program, "-readonly", "-json", str(database), sql]
    answer = subprocess.run(command, capture_output=True, check=True)
    assert answer.stderr == b""
    return [tuple(row.values()) for row in json.loads(answer.stdout or b"[]")]


def test_every_view_is_asked() -> None:
    assert ANSWERS.keys() == VIEWS.keys()


@pytest.mark.parametrize("view", sorted(ANSWERS))
def test_a_question_has_its_answer_in_every_reader(view: str, ask: Ask) -> None:
    columns, answer = ANSWERS[view]
    assert sorted(ask(f"SELECT {columns} FROM {view}"), key=repr) == sorted(answer, key=repr)


ORDERED = {
    "heavy_pages": ("url", "/canonical"),
    "best_linked_pages": ("url", "/"),
    "depth_histogram": ("depth", 0),
    "crawl_summary": ("urls", 6),
}
"""Views that are rankings: what stands first."""


@pytest.mark.parametrize("view", sorted(ORDERED))
def test_a_ranking_begins_with_the_first_in_every_reader(view: str, ask: Ask) -> None:
    column, first = ORDERED[view]
    assert ask(f"SELECT {column} FROM {view} LIMIT 1") == [(first,)]


OF_WORDS = [question for question in README_ANSWERS if " MATCH " in question]
"""Full-text search, which is SQLite's own; `test_search` asks these."""


@pytest.mark.parametrize("question", [one for one in README_ANSWERS if one not in OF_WORDS])
def test_what_readme_asks_is_answered_alike_in_every_reader(
    question: str, ask: Ask, database: Path
) -> None:
    assert sorted(map(repr, ask(question))) == sorted(map(repr, rows(database, question)))
