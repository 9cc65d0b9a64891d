"""Is the language of a text told where somebody can tell it, and asked for nowhere else?"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.analyse.run import analyse
from crawler.config import Config
from tests.crawls import crawl, rows
from tests.sites.skip import ROOT
from tests.sites.web import Web

WITHOUT = """
import sys
sys.modules["py3langid"] = None
import crawler._patch
from pathlib import Path
from crawler.analyse.run import analyse
from crawler.config import Config
analyse(Path(sys.argv[1]), Config(), lambda *_: None, processes=1)
print("numpy" in sys.modules and "py3langid.langid" in sys.modules)
"""
LANGUAGES = "SELECT language, language_by IS NOT NULL FROM facts ORDER BY main_words"
REASON = "SELECT judged, reason FROM runs_checks WHERE check_name = 'language_differs'"
ENGLISH = (
    "The lighthouse stood at the end of the harbour, and its keeper had lived there for thirty "
    "years without leaving it for a single night."
)


@pytest.fixture
def crawled(tmp_path: Path) -> Iterator[Path]:
    web = Web()
    web.page("/", links=["/short"], body=f"<main>{ENGLISH}</main>")
    web.page("/short", body="<main>Very short</main>")
    crawl(tmp_path / "a.db", web.url("/"))
    web.close()
    return tmp_path / "a.db"


def without_detector(database: Path) -> str:
    """Analyse where no py3langid is installed."""
    command = [sys.executable, "-c", WITHOUT, str(database)]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout.decode()


def test_without_a_detector_it_is_told_how_to_get_one(crawled: Path) -> None:
    assert without_detector(crawled) == "False\n"
    assert rows(crawled, LANGUAGES) == [(None, 0), (None, 0)]
    assert rows(crawled, REASON) == [
        (0, "no language was detected; install crawler[language], then: crawler analyse")
    ]


def test_a_detector_that_came_later_is_asked_once(crawled: Path) -> None:
    without_detector(crawled)
    steps: list[tuple[str, int, int]] = []
    for _ in range(2):
        analyse(crawled, Config(), lambda *step: steps.append(step), processes=1)
    assert [step for step in steps if step[0] == "facts"] == [("facts", 2, 2)]
    assert rows(crawled, LANGUAGES) == [(None, 1), ("en", 1)]
    assert rows(crawled, REASON) == [(1, None)]


def test_what_was_told_stays_when_the_detector_is_gone(crawled: Path) -> None:
    analyse(crawled, Config(), lambda *_: None, processes=1)
    without_detector(crawled)
    assert rows(crawled, LANGUAGES) == [(None, 1), ("en", 1)]
