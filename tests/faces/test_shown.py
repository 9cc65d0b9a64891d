"""Is a page that a browser has shown told of beside what was sent, and does it never act?"""

from __future__ import annotations

import base64
import http.client
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from crawler.analyse.run import analyse
from crawler.config import Config
from crawler.faces import report
from crawler.store import queries
from crawler.store.database import open_for_writing
from tests.browser import chromium
from tests.crawls import crawl, rows
from tests.faces.test_dashboard import PATIENT_S, ask, served
from tests.sites.shells import NASTY, SCRIPT, SETTINGS, publish, require_browser
from tests.sites.web import Web
from tests.terminal import Terminal


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Web]]:
    """A site of one page without scripts and three shells, crawled with a browser."""
    require_browser()
    database = tmp_path_factory.mktemp("shown") / "crawl.db"
    web = Web()
    publish(web)
    crawl(database, web.url(), settings=SETTINGS)
    analyse(database, Config(), lambda *_: None, processes=1)
    yield database, web
    web.close()


def number_of(database: Path, url: str) -> int:
    [(number,)] = rows(database, "SELECT id FROM urls WHERE url = ?", url)
    return int(number)


def picture(address: str, path: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=PATIENT_S)
    with closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, dict(answer.headers), answer.read()


def test_a_pages_page_tells_what_was_sent_beside_what_is_shown(shown: tuple[Path, Web]) -> None:
    database, web = shown
    lamp = number_of(database, web.url("/lamp"))
    with served(database) as address, chromium() as page:
        page.open(f"{address}/pages/{lamp}")
        cells = "[...document.querySelectorAll('tr.differs')].map(row => row.innerText)"
        told = {line.split("\t")[0].split()[0]: line for line in page.ask(cells)}
        assert told.keys() == {"title", "h1", "word", "links"}
        assert "Loading\tThe lamp room /lamp" in told["title"]
        text = page.ask("document.body.innerText")
        for one in ("/missing.json", "404", NASTY, "Failed to load resource", "rendered"):
            assert one in text, one
        assert page.ask("document.querySelector('img.picture').decode().then(() => true)")
        assert page.ask("document.querySelectorAll('img, iframe, [onload]').length") == 1
        assert page.ask("document.scripts.length") == 1
        assert page.faults == []
        assert {url.split("/")[2] for url in page.requests} == {address.split("/")[2]}


def test_the_list_of_pages_says_which_were_shown(shown: tuple[Path, Web], crawled: Path) -> None:
    database, _ = shown
    with served(database) as address:
        text = ask(address, "/pages")[2]
        assert text.count(">yes<") == 3
        assert "rendered</th>" in text
    with served(crawled) as address:
        assert "rendered</th>" not in ask(address, "/pages")[2]


def test_a_picture_is_served_as_one_and_nothing_else_is(shown: tuple[Path, Web]) -> None:
    database, web = shown
    lamp, plain = (number_of(database, web.url(path)) for path in ("/lamp", "/"))
    with served(database) as address:
        status, headers, image = picture(address, f"/screenshots/{lamp}")
        assert (status, headers["Content-Type"]) == (200, "image/jpeg")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert image.startswith(b"\xff\xd8")
        for path in (plain, 0, "x", "1/2", "9" * 40, ""):
            assert picture(address, f"/screenshots/{path}")[0] == 404, path


def test_what_only_says_that_it_is_a_picture_is_none(
    shown: tuple[Path, Web], tmp_path: Path
) -> None:
    database, web = shown
    copy = tmp_path / "copy.db"
    copy.write_bytes(database.read_bytes())
    with closing(open_for_writing(copy)) as connection:
        connection.execute("UPDATE screenshots SET media_type = 'text/html', image = x'3c623e'")
    with served(copy) as address:
        path = f"/screenshots/{number_of(copy, web.url('/lamp'))}"
        assert picture(address, path)[0] == 404


def test_a_report_shows_counts_differences_and_a_few_pictures(
    shown: tuple[Path, Web], tmp_path: Path
) -> None:
    database, web = shown
    out = tmp_path / "report.html"
    with queries.reading(database) as connection:
        report.write(connection, out, name="site", now=datetime(2026, 11, 29, tzinfo=UTC))
    assert out.stat().st_size < 5_000_000
    with chromium() as page:
        page.open(out.as_uri())
        text = page.ask("document.querySelector('#rendered').innerText")
        assert "shown\t3\t" in text
        assert web.url("/lamp") in page.ask("document.querySelector('#differences').innerText")
        all_decoded = "Promise.all([...document.images].map(one => one.decode())).then(() => true)"
        assert page.ask(all_decoded)
        assert page.ask("document.images.length") == 3
        assert page.faults == []


def test_pictures_take_few_bytes_of_a_report(shown: tuple[Path, Web], tmp_path: Path) -> None:
    database, _ = shown
    copy = tmp_path / "copy.db"
    copy.write_bytes(database.read_bytes())
    with closing(open_for_writing(copy)) as connection:
        connection.execute("UPDATE screenshots SET image = zeroblob(?)", (report.PICTURE_BYTES,))
        first = "(SELECT min(visit_id) FROM screenshots)"
        connection.execute(f"UPDATE screenshots SET image = zeroblob(99) WHERE visit_id = {first}")
    with queries.reading(copy) as connection:
        text = report.render(connection, name="site", now=datetime(2026, 11, 29, tzinfo=UTC))
    found = re.findall(r"data:image/jpeg;base64,([^\"]*)", text)
    assert [len(base64.b64decode(one)) for one in found] == [99]


def test_a_diff_is_of_what_was_shown_though_the_same_was_sent(web: Web, tmp_path: Path) -> None:
    require_browser()
    publish(web)
    database = tmp_path / "crawl.db"
    for said in ("The lamp room", "The oil room"):
        script = {"Content-Type": "text/javascript"}
        web.raw("/app.js", headers=script, body=SCRIPT.replace("The lamp room", said))
        crawl(database, web.url(), settings=SETTINGS)
    told = Terminal(tmp_path)("diff", web.url("/lamp"), "--db", str(database))
    assert told.code == 0, told.err
    assert "The oil room /lamp" in told.out
    assert "[-lamp-] {+oil+}" in told.out
