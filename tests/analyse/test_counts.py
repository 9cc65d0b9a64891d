"""Is it told what a page counted when the last crawl was judged, and what it counts now?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from crawler.analyse.run import analyse
from crawler.config import Config
from tests.crawls import crawl, rows
from tests.sites.web import Web

FOUND = """
    SELECT findings.check_name, urls.url, findings.evidence
    FROM findings
    JOIN urls ON urls.id = findings.url_id
    WHERE findings.check_name IN ('inlinks_dropped', 'depth_changed')
        AND findings.fixed_run_id IS NULL
    ORDER BY findings.check_name, urls.url
"""
KEPT = """
    SELECT run_pages.run_id, pages.url, run_pages.inlinks, run_pages.clicks
    FROM run_pages
    JOIN pages ON pages.id = run_pages.page_id
    ORDER BY run_pages.run_id, pages.url
"""
Links = Mapping[str, Sequence[str]]
FIRST: Links = {
    "/": ["/a", "/b", "/c", "/d"],
    "/a": ["/four", "/deep"],
    "/b": ["/four"],
    "/c": ["/four"],
    "/d": ["/four"],
    "/four": [],
    "/deep": [],
}


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


def audited(web: Web, database: Path, links: Links, *, judged: bool = True) -> None:
    """One more run, in which pages link so."""
    for path, targets in links.items():
        web.page(path, links=targets)
    crawl(database, web.url("/"))
    if judged:
        analyse(database, Config(), lambda *_: None, processes=1)


def found(web: Web, database: Path) -> list[tuple[str, str, str]]:
    """Check, path and evidence of all that is found."""
    return [
        (name, url.removeprefix(web.url("")), said) for name, url, said in rows(database, FOUND)
    ]


def test_half_of_the_inlinks_gone_is_a_drop_and_fewer_than_half_is_none(
    web: Web, tmp_path: Path
) -> None:
    database = tmp_path / "a.db"
    audited(web, database, FIRST)
    assert found(web, database) == []
    audited(web, database, FIRST | {"/d": []})
    assert found(web, database) == []
    audited(web, database, FIRST)
    audited(web, database, FIRST | {"/c": [], "/d": []})
    assert found(web, database) == [
        ("inlinks_dropped", "/four", '{"inlinks_before":4,"inlinks_now":2}')
    ]


def test_a_page_further_from_the_seed_is_told_with_both_distances(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    audited(web, database, FIRST)
    audited(web, database, FIRST | {"/a": ["/four"], "/four": ["/deep"], "/b": ["/four", "/new"],
                                    "/new": []})  # fmt: skip
    assert found(web, database) == [
        ("depth_changed", "/deep", '{"clicks_before":2,"clicks_now":3}')
    ]
    audited(web, database, {})
    assert found(web, database) == []


def test_only_what_changes_is_kept(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    for links in (FIRST, FIRST, FIRST | {"/d": []}, FIRST | {"/d": []}, FIRST):
        audited(web, database, links)
    four = web.url("/four")
    assert rows(database, KEPT) == [(2, four, 4, 2), (4, four, 3, 2)]


def test_a_run_that_nobody_judged_is_passed_over(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    audited(web, database, FIRST)
    audited(web, database, FIRST | {"/d": []}, judged=False)
    audited(web, database, FIRST | {"/c": [], "/d": []})
    assert found(web, database) == [
        ("inlinks_dropped", "/four", '{"inlinks_before":4,"inlinks_now":2}')
    ]


def test_judging_a_run_again_keeps_nothing_more(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "a.db"
    audited(web, database, FIRST)
    audited(web, database, FIRST | {"/c": [], "/d": []})
    before = found(web, database), rows(database, KEPT)
    analyse(database, Config(), lambda *_: None, processes=1)
    assert (found(web, database), rows(database, KEPT)) == before
