"""Can a report be handed over: whole, right, harmless, and small?"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape
from pathlib import Path

import pytest

from crawler.errors import StorageError, UsageError
from crawler.faces import paper, report
from crawler.store import figures, queries
from crawler.store.database import open_for_writing
from tests.browser import chromium
from tests.crawls import crawl, rows
from tests.sites.web import Web

NOW = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)


def written(database: Path) -> str:
    out = database.with_suffix(".html")
    with queries.reading(database) as connection:
        report.write(connection, out, name="site", now=NOW)
    return out.read_text(encoding="utf-8")


def test_what_a_site_says_never_acts(crawled: Path) -> None:
    written(crawled)
    with chromium() as page:
        page.open(crawled.with_suffix(".html").as_uri())
        assert page.ask("document.scripts.length") == 0
        assert page.ask("document.querySelectorAll('img, iframe, object, [onload]').length") == 0
        assert page.ask("[...document.links].every(a => /^(https?|file):/.test(a.href))")
        assert page.faults == []
        assert page.requests == [crawled.with_suffix(".html").as_uri()]


def test_every_section_shows_its_rows_and_the_sql_that_gave_them(crawled: Path) -> None:
    text = written(crawled)
    shown = {unescape(sql) for sql in re.findall(r"<pre>(.*?)</pre>", text, re.DOTALL)}
    for figure in (*figures.CHARTS, *figures.TABLES, *figures.DOUBTS):
        assert figure.shown_sql in shown
        assert figure.title in text
    assert len(shown) > len(figures.CHARTS + figures.TABLES + figures.DOUBTS), "and of each check"
    for sql in shown:
        rows(crawled, sql)
    assert "/gone-" in text
    assert "2026-11-28 12:00 UTC" in text


def test_a_long_crawl_gives_a_short_report(crawled: Path) -> None:
    connection = open_for_writing(crawled)
    connection.execute(
        """
        WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 100000)
        INSERT INTO urls (id, url, hash, state, depth, hops, first_seen_at, via, kind, run_id)
        SELECT n + 100, 'http://127.0.0.1/' || n, n, 'done', 1, 0, 'now', 'a', 'page', 1
        FROM numbers
        """
    )
    connection.execute(
        """
        INSERT INTO pages (id, url, depth, status, title, ttfb_ms, body_bytes, content_type,
            first_seen_at, visits, fetched_at)
        SELECT id, url, 1, 200, 'the same title ' || (id % 7000), id % 3000, id, 'text/html',
            'now', 1, 'now'
        FROM urls
        WHERE id > 100
        """
    )
    connection.close()
    text = written(crawled)
    assert len(text) < 5_000_000
    assert re.search(r"The first 100 of [\d,]{5,}\.", text)


def test_a_crawl_that_was_not_analysed_says_so(web: Web, tmp_path: Path) -> None:
    web.page("/", title="Alone")
    crawl(tmp_path / "site.db", web.url())
    assert "was not analysed" in written(tmp_path / "site.db")


def test_a_report_that_cannot_be_written_leaves_nothing(crawled: Path) -> None:
    with queries.reading(crawled) as connection:
        for out in (crawled.parent / "nowhere" / "a.html", crawled.parent):
            with pytest.raises(StorageError, match="cannot be written"):
                report.write(connection, out, name="site", now=NOW)
    assert not [one for one in crawled.parent.iterdir() if one.name.startswith(".")]


def test_a_pdf_is_printed_where_there_is_a_chromium(
    crawled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(crawled)
    out = crawled.with_suffix(".pdf")
    paper.print_pdf(crawled.with_suffix(".html"), out)
    assert out.read_bytes().startswith(b"%PDF-")
    monkeypatch.setenv("PATH", str(crawled.parent))
    with pytest.raises(UsageError, match="apt install chromium"):
        paper.browser()
