"""What does a site that has not changed cost, when it is crawled again?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from crawler.analyse.run import analyse
from crawler.store import history, queries
from tests.crawls import check_whole, config, crawl, rows
from tests.sites.server import Answer, Request
from tests.sites.web import Web

PAGES = 1000
LINKS = 10
MOST_BYTES = 400


def page(number: int) -> Callable[[Request], Answer]:
    """A page that confirms what one has of it, with the headers that servers send."""
    tag = f'"{number:x}-5f2b9c3d1e"'
    anchors = "".join(
        f'<a href="/p/{(number * 7 + at) % PAGES}">Page {at}</a> ' for at in range(LINKS)
    )
    body = (
        f"<!doctype html><html lang=en><head><title>Page {number} of the site</title></head>"
        f"<body><h1>Heading {number}</h1><p>{f'words of {number} ' * 50}</p>{anchors}</body></html>"
    ).encode()
    always = {"ETag": tag, "Cache-Control": "max-age=60", "Server": "nginx"}

    def answer(request: Request) -> Answer:
        if request.headers.get("if-none-match") == tag:
            return Answer(304, always)
        last = {"Last-Modified": "Sat, 01 Nov 2025 10:00:00 GMT"}
        return Answer(200, always | last | {"Content-Type": "text/html; charset=utf-8"}, body)

    return answer


class Crawled(NamedTuple):
    """A file of crawls, how large it was after each, and how many bodies were read by each."""

    file: Path
    sizes: list[int]
    read: list[int]


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Crawled:
    """Three crawls, each analysed."""
    file = tmp_path_factory.mktemp("growth") / "crawl.db"
    web = Web()
    for number in range(PAGES):
        web.decide(f"/p/{number}", page(number))
    sizes, read = [], []
    for _ in range(3):
        steps = Counter[str]()
        crawl(file, web.url("/p/0"), settings=config())
        analyse(
            file, config(), lambda step, done, _, to=steps: to.update({step: done}), processes=1
        )
        sizes.append(file.stat().st_size)
        read.append(steps["facts"])
    web.close()
    return Crawled(file, sizes, read)


def test_an_unchanged_page_costs_less_than_400_bytes(crawled: Crawled) -> None:
    first, second, third = crawled.sizes
    grown = [(second - first) / PAGES, (third - second) / PAGES]
    assert max(grown) < MOST_BYTES, grown


def test_an_unchanged_page_is_neither_sent_nor_stored_nor_read_again(crawled: Crawled) -> None:
    file = crawled.file
    again = "SELECT status, count(*), sum(body_bytes), count(body_id) FROM visits WHERE run_id > 1"
    assert rows(file, f"{again} AND kind = 'page'") == [(304, 2 * PAGES, 0, 0)]
    assert rows(file, "SELECT count(*) FROM bodies") == [(PAGES,)]
    assert crawled.read[0] >= PAGES
    assert crawled.read[1:] == [0, 0]
    check_whole(file)


def test_nothing_is_said_to_have_changed(crawled: Crawled) -> None:
    file = crawled.file
    with queries.reading(file) as connection:
        for older, newer in ((1, 2), (2, 3), (1, 3)):
            assert list(history.changes(connection, history.Pair(older, newer)).rows) == []
    assert rows(file, "SELECT count(*) FROM touched") == [(0,)]
    assert rows(file, "SELECT count(*) FROM findings WHERE since_run_id > 1") == [(0,)]


def test_what_confirms_a_page_at_length_does_not_fill_the_disk(web: Web, tmp_path: Path) -> None:
    """Its headers are not kept, and what is kept of them no limit of a host counts."""

    def answer(request: Request) -> Answer:
        if "if-none-match" in request.headers:
            return Answer(304, {"ETag": f'"{"1" * 60_000}"', "Last-Modified": "x" * 60_000})
        return Answer(200, {"ETag": '"1"'}, b"<title>Page</title>")

    web.decide("/", answer)
    for _ in range(2):
        crawl(tmp_path / "crawl.db", web.url())
    [(tag, date)] = rows(
        tmp_path / "crawl.db",
        "SELECT length(etag), length(last_modified) FROM visits WHERE not_modified = 1",
    )
    assert max(tag, date) <= 2000
