"""What does an audit say of a site that changed, run by run?

Each row is a page as the first crawl finds it, as all later ones do, and what the second is to tell
of it; what looks like a change and is none is told nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from crawler.analyse.checks import GROUPS
from crawler.analyse.run import analyse
from crawler.config import Config
from crawler.errors import StorageError
from tests.analyse.site import Site
from tests.crawls import config, crawl, rows
from tests.sites.web import Web

Page = dict[str, Any]
MORE_WORDS = " ".join(f"word{number}" for number in range(80))
SOME_WORDS = " ".join(f"word{number}" for number in range(8))
OTHER_WORDS = "<p>" + " ".join(f"first{number}" for number in range(250)) + "</p>"
NEWER_WORDS = OTHER_WORDS.replace("first", "second")
LINKS = '<a href="/stays">A</a> <a href="/robots">B</a> <a href="/lang">C</a> '
ARTICLE = '<script type="application/ld+json">{"@type": "Article"}</script>'
PRODUCT = ARTICLE.replace("Article", "Product")
NOT_THERE: Page = {"linked": False, "status": 404}
CHANGES: list[tuple[str, Page, Page, set[str]]] = [
    ("/stays", {}, {}, set()),
    ("/touched", {}, {"head": "<!-- built at noon -->"}, set()),
    ("/new", NOT_THERE, {}, {"pages_new"}),
    ("/new-but-gone", NOT_THERE, {"status": 404}, set()),
    ("/gone", {}, {"status": 404}, {"pages_gone", "status_changed"}),
    ("/gone-before", {"status": 404}, {"status": 410}, set()),
    ("/fails", {}, {"status": 501}, {"pages_gone", "status_changed"}),
    ("/back", {"status": 404}, {}, {"status_changed"}),
    ("/unlinked", {}, {"linked": False}, {"pages_gone"}),
    ("/title", {}, {"title": "Another title than that of before"}, {"facts_changed title"}),
    ("/no-title", {}, {"title": None}, {"facts_changed title"}),
    ("/description", {}, {"description": "Said anew"}, {"facts_changed description"}),
    ("/h1", {}, {"h1": "Another heading"}, {"facts_changed h1"}),
    ("/canonical", {}, {"canonical": "/stays"}, {"facts_changed canonical"}),
    ("/robots", {}, {"robots": "noindex"}, {"facts_changed robots"}),
    ("/lang", {"html": "<html lang=en><p>x"}, {"html": "<html lang=de><p>x"}, {
        "facts_changed lang",
    }),
    ("/words/more", {}, {"body": MORE_WORDS}, {"text_changed", "words_changed"}),
    ("/words/few", {}, {"body": SOME_WORDS}, set()),
    ("/words/other", {"body": OTHER_WORDS}, {"body": NEWER_WORDS}, {"text_changed"}),
    ("/links/more", {"body": LINKS}, {"body": LINKS + '<a href="/h1">D</a>'}, {
        "outlinks_changed",
    }),
    ("/links/as-many", {"body": LINKS}, {"body": LINKS.replace("/lang", "/h1")}, set()),
    ("/links/few-more", {"body": 2 * LINKS}, {"body": 2 * LINKS + '<a href="/h1">D</a>'}, set()),
    ("/types", {"head": ARTICLE}, {"head": PRODUCT}, {"schema_types_changed"}),
    ("/types/first", {}, {"head": ARTICLE}, {"schema_types_changed"}),
    ("/types/order", {"head": ARTICLE + PRODUCT}, {"head": PRODUCT + ARTICLE}, set()),
    ("/mended", {"title": None}, {"title": "A title that was missing"}, {
        "facts_changed title", "checks_fixed title_missing",
    }),
    ("/broken", {"body": '<a href="/gone">D</a>'}, {"body": '<a href="/gone">D</a>'}, {
        "broken_links_new {}/gone",
    }),
    ("/broken-before", {"body": '<a href="/never">D</a>'}, {"body": '<a href="/never">D</a>'},
     set()),
]  # fmt: skip
OF_FRONT = {
    *("broken_links_new {}/gone", "broken_links_new {}/new-but-gone"),
    *("broken_links_new {}/fails", "checks_fixed broken_links {}/back"),
}
BETWEEN = {check.name for check in GROUPS["runs"][:11]}
INCOMPLETE = "SELECT url, state FROM audit_findings WHERE check_name = 'crawl_incomplete'"
FOUND = """
    SELECT urls.url, trim(findings.check_name || ' ' || findings.item)
    FROM findings
    JOIN urls ON urls.id = findings.url_id
    WHERE findings.fixed_run_id IS NULL
"""


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


def publish(web: Web, *, later: bool) -> Site:
    """The site as it is at first, or later."""
    site = Site(web.host("127.0.6.1"))
    for path, first, then, _ in CHANGES:
        site.page(path, **(then if later else first))
    site.finish()
    return site


def audit(site: Site, database: Path) -> set[tuple[str, str]]:
    """One more run; path and check of all that changed."""
    crawl(database, site.url())
    analyse(database, Config(), lambda *_: None, processes=1)
    return {
        (url.removeprefix(origin_of(site)), said.replace(origin_of(site), "{}"))
        for url, said in rows(database, FOUND)
        if said.split()[0] in BETWEEN
    }


def origin_of(site: Site) -> str:
    return site.url("/").removesuffix("/")


def expected() -> set[tuple[str, str]]:
    of_pages = {(path, said) for path, _, _, told in CHANGES for said in told}
    return of_pages | {("/", said) for said in OF_FRONT}


def relevant(found: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Without faults of other groups that changes bring about and that are mended with them."""
    return {one for one in found if one in expected() or not one[1].startswith("checks_fixed")}


def test_three_crawls_tell_what_changed_and_what_became_of_it(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    assert audit(publish(web, later=False), database) == set()
    later = publish(web, later=True)
    assert relevant(audit(later, database)) == expected()
    # nothing changed since; what nothing links to is still gone, and no answer mends nothing
    assert relevant(audit(later, database)) == {
        ("/unlinked", "pages_gone"),
        ("/fails", "pages_gone"),
        ("/fails", "status_changed"),
    }


def test_a_run_that_was_stopped_is_part_of_the_next_crawl(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    site = publish(web, later=False)
    audit(site, database)
    later = publish(web, later=True)
    crawl(database, later.url(), settings=config(run={"max_pages": 8}))
    assert rows(database, "SELECT finish_reason FROM runs WHERE id = 2") != [("finished",)]
    compared = {name for name in BETWEEN if name not in ("broken_links_new", "checks_fixed")}
    found = {one for one in audit(later, database) if one[1].split()[0] in compared}
    assert found == {one for one in expected() if one[1].split()[0] in compared}


def test_a_name_that_is_no_file_s_is_refused_and_makes_none(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no such database"):
        analyse(tmp_path / "mistyped.db", config(), lambda *_: None, processes=1)
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_crawl_says_that_it_is_not_whole_until_it_is(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "runs.db"
    site = publish(web, later=False)
    for settings, state in ((config(run={"max_pages": 8}), "new"), (None, "fixed")):
        crawl(database, site.url(), settings=settings)
        analyse(database, Config(), lambda *_: None, processes=1)
        assert rows(database, INCOMPLETE) == [(site.url(), state)]
