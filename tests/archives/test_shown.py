"""Is what a browser has shown, and what it asked for, taken along as it was?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import pytest

from crawler.analyse.run import analyse
from crawler.config import Config
from tests.archives.test_warc import Record, answers, read
from tests.browser import chromium
from tests.crawls import crawl, rows
from tests.sites.shells import SETTINGS, SHELL, publish, require_browser
from tests.sites.web import Web
from tests.terminal import Terminal


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A site of shells, crawled with a browser; to be read, never written."""
    require_browser()
    database = tmp_path_factory.mktemp("shown") / "site.db"
    web = Web()
    publish(web)
    crawl(database, web.url(), settings=SETTINGS)
    analyse(database, Config(), lambda *_: None, processes=1)
    yield database
    web.close()


def exported(shown: Path, folder: Path, form: str, name: str, *more: str) -> tuple[Path, str]:
    ran = Terminal(folder)("export", form, "--db", str(shown), "--out", name, *more)
    assert ran.code == 0, ran.err
    return folder / name, ran.out + ran.err


def kinds(found: list[Record]) -> list[str | None]:
    return [one["X-Crawler-Kind"] for one in found]


def test_what_pages_asked_for_is_in_an_archive_as_it_was_answered(
    shown: Path, tmp_path: Path
) -> None:
    archive, told = exported(shown, tmp_path, "warc", "site.warc.gz")
    records = list(read(archive))
    [page] = answers(records, "/lamp")
    assert page.payload == SHELL.encode()
    wanted = rows(
        shown,
        """
        SELECT sum(urls.url LIKE '%/app.js' AND NOT cached), sum(urls.url LIKE '%.json'),
            sum(cached)
        FROM requests
        JOIN urls ON urls.id = requests.target_id
        """,
    )
    [(scripts, missing, cached)] = wanted
    script = answers(records, "/app.js")
    assert len(script) == scripts
    assert b"The lamp room" in script[0].payload
    assert script[0].http.get_header("content-type") == "text/javascript"
    assert kinds(script) == ["asset"] * scripts
    assert [one.http.get_statuscode() for one in answers(records, "/missing.json")] == (
        ["404"] * missing
    )
    assert ("of what a browser asked for" in told) == bool(cached)
    assert "as a browser showed them" in records[0].payload.decode()


def test_what_a_page_asked_for_stands_behind_it(shown: Path, tmp_path: Path) -> None:
    archive, _ = exported(shown, tmp_path, "warc", "site.warc.gz")
    paths = [one.path for one in read(archive) if one.type in ("response", "revisit")]
    assert paths.index("/app.js") == paths.index("/lamp") + 1


def test_an_archive_of_it_is_read_back(shown: Path, tmp_path: Path) -> None:
    archive, _ = exported(shown, tmp_path, "warc", "site.warc.gz")
    ran = Terminal(tmp_path)("import", str(archive), "--db", "back.db")
    assert ran.code == 0, ran.err
    back = dict(rows(tmp_path / "back.db", "SELECT url, kind FROM urls WHERE status = 200"))
    assert sorted(back.values()) == ["asset", *["page"] * 4]


def test_texts_beside_an_archive_are_what_a_visitor_reads(shown: Path, tmp_path: Path) -> None:
    package, _ = exported(shown, tmp_path, "wacz", "site.wacz")
    with ZipFile(package) as files:
        lines = files.read("pages/pages.jsonl").decode().splitlines()[1:]
    texts = {page["title"]: page["text"] for page in map(json.loads, lines)}
    assert "word59" in texts["The lamp room /lamp"]


def test_a_mirror_shows_what_was_shown_and_runs_nothing_again(shown: Path, tmp_path: Path) -> None:
    exported(shown, tmp_path, "mirror", "mirror")
    [lamp] = (tmp_path / "mirror").rglob("lamp*")
    with chromium() as browser:
        browser.open(lamp.as_uri())
        assert browser.ask("document.querySelector('h1').innerText") == "The lamp room"
        assert browser.ask("document.title") == "The lamp room /lamp"
        assert browser.ask("document.querySelector('a').protocol") == "file:"
        assert browser.faults == []
        assert browser.requests == [lamp.as_uri()]


def test_markdown_says_what_a_visitor_reads(shown: Path, tmp_path: Path) -> None:
    exported(shown, tmp_path, "markdown", "texts")
    [lamp] = (tmp_path / "texts").rglob("lamp*")
    assert "# The lamp room" in lamp.read_text(encoding="utf-8")


def test_what_a_visitor_reads_is_found_and_read_as_facts(shown: Path, tmp_path: Path) -> None:
    found = Terminal(tmp_path)("search", "lamp room", "--db", str(shown))
    assert found.out.count("/lamp") >= 1
    facts = rows(
        shown,
        """
        SELECT facts.h1s, facts.title, sent.h1s, sent.title
        FROM pages
        JOIN facts ON facts.body_id = pages.body_id
        JOIN visits ON visits.url_id = pages.id
        JOIN facts AS sent ON sent.body_id = visits.body_id
        WHERE pages.url LIKE '%/lamp'
        """,
    )
    assert facts == [(1, "The lamp room /lamp", 0, "Loading")]
