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
from tests.crash.disk import small_disk
from tests.crawls import crawl, rows
from tests.sites.web import Web
from tests.terminal import Terminal

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


def test_a_pdf_for_which_there_is_no_room_leaves_the_one_before(
    crawled: Path, tmp_path: Path
) -> None:
    written(crawled)
    with small_disk(tmp_path / "small", "64k") as place:
        (place / "a.pdf").write_text("as it was")
        with pytest.raises(StorageError, match="No space left"):
            paper.print_pdf(crawled.with_suffix(".html"), place / "a.pdf")
        assert [one.read_text() for one in place.iterdir()] == ["as it was"]


def test_a_pdf_of_ours_is_known_by_its_title(crawled: Path, tmp_path: Path) -> None:
    for name in ("site", "na\u00efve (1)"):
        out = tmp_path / f"{name}.html"
        with queries.reading(crawled) as connection:
            report.write(connection, out, name=name, now=NOW)
        paper.print_pdf(out, out.with_suffix(".pdf"))
        assert report.is_ours(out.with_suffix(".pdf"))


def test_what_is_no_report_stays(crawled: Path, tmp_path: Path) -> None:
    run = Terminal(tmp_path)
    other, pdf = tmp_path / "other.db", tmp_path / "a.pdf"
    other.write_bytes(crawled.read_bytes())
    pdf.write_text("of somebody")
    for words, why in (
        (("--out", "other.db"), "other.db: is a database"),
        (("--out", "a.html", "--pdf"), "a.pdf: is there, and no report of ours"),
    ):
        ran = run("report", "--db", str(crawled), *words)
        assert (ran.code, why in ran.err) == (2, True), ran.err
    assert other.read_bytes() == crawled.read_bytes()
    assert pdf.read_text() == "of somebody"
    assert not (tmp_path / "a.html").exists()
