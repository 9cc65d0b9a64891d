"""Is what README promises true?"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from crawler import demo
from crawler.policy import words
from crawler.store.database import Connection, open_for_reading
from crawler.store.views import VIEWS
from tests.crawls import config, crawl
from tests.sites.skip import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
ANSWERS = re.findall(r"^\| .+\? \| `(SELECT .+)` \|$", README, re.MULTILINE)
"""The right column of the table of questions."""
SILENT = ("changes", "touched", "hosts WHERE queued", "canonical_mismatches", "external_domains")
"""What one finished crawl of the demo has nothing to say about."""


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    database = tmp_path_factory.mktemp("readme") / "demo.db"
    with demo.serve() as url:
        crawl(database, url, settings=config(robots={"sitemaps": True}))
    connection = open_for_reading(database)
    yield connection
    connection.close()


@pytest.mark.parametrize("question", ANSWERS)
def test_every_question_has_an_answer_in_the_demo(crawled: Connection, question: str) -> None:
    rows = crawled.execute(question).fetchall()
    assert rows or any(word in question for word in SILENT)


def test_the_table_asks_every_view_that_people_need() -> None:
    asked = {view for view in VIEWS if any(view in answer for answer in ANSWERS)}
    assert set(VIEWS) - asked == {"host_summary", "differences", "current_links"}


SKIPPING = words.which(stands="reason") - words.which(stands="error") - {"head_refused"}
"""The last stands only as long as a URL waits to be asked with GET."""


@pytest.mark.parametrize("reason", sorted(SKIPPING | words.which(fault="settings")))
def test_every_reason_of_a_skipped_url_is_explained(reason: str) -> None:
    assert f"`{reason}`" in README


def test_the_files_that_readme_names_exist() -> None:
    named = re.findall(r"\]\(([^)]+)\)", README)
    assert named
    assert all((ROOT / name).exists() for name in named)
