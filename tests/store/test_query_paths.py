"""Does a calendar without end stay counted, whatever else a site has?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.store.database import Connection, open_for_writing
from crawler.store.query_paths import QueryPaths


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    opened = open_for_writing(tmp_path / "crawl.db")
    yield opened
    opened.close()


def taken(paths: QueryPaths, url: str, times: int) -> int:
    return sum(paths.take(1, f"{url}?day={number}") for number in range(times))


def test_a_path_gives_so_many_queries_and_no_more(connection: Connection) -> None:
    paths = QueryPaths(connection, 50)
    assert taken(paths, "http://h.test/day", 200) == 50
    assert taken(paths, "http://h.test/night", 10) == 10
    assert paths.take(2, "http://h.test/day?x")
    assert all(paths.take(1, "http://h.test/day") for _ in range(100))


def test_other_paths_cannot_make_it_begin_anew(connection: Connection) -> None:
    paths = QueryPaths(connection, 1000, light=100)
    count = 0
    for turn in range(50):
        count += taken(paths, "http://h.test/day", 100)
        for number in range(200):
            paths.take(1, f"http://h.test/{turn}/{number}?x")
    assert count == 1000


def test_a_rollback_takes_back_what_was_not_written(connection: Connection) -> None:
    paths = QueryPaths(connection, 100)
    taken(paths, "http://h.test/day", 60)
    paths.write()
    taken(paths, "http://h.test/day", 30)
    paths.forget()
    assert taken(paths, "http://h.test/day", 200) == 40
