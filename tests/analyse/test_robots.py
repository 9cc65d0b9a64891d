"""Is it told that a robots.txt changed, and how?"""

from __future__ import annotations

import json
import time
from contextlib import closing
from itertools import islice, product
from pathlib import Path

import pytest

from crawler.analyse.checks.robots import CHECKS
from crawler.analyse.run import analyse
from crawler.config import Config
from crawler.policy import robots
from crawler.store.database import open_for_reading, open_for_writing
from tests.analyse.test_checks import told
from tests.crawls import config, crawl, rows
from tests.sites.server import Answer
from tests.sites.web import Web

FOUND = """
    SELECT urls.url, findings.evidence
    FROM findings
    JOIN urls ON urls.id = findings.url_id
    WHERE check_name = 'robots_changed' AND fixed_run_id IS NULL
"""
FIRST = "User-agent: *\nDisallow: /a\n"
OTHER = "User-agent: *\nDisallow: /b\n"


def twice(web: Web, database: Path, *answers: Answer) -> list[tuple[str, str]]:
    """What is found in the last of so many runs, each of which asks for robots.txt anew."""
    settings = config(pace={"tries": 1})
    web.page("/")
    web.answer("/robots.txt", *answers)
    for _ in answers:
        crawl(database, web.url("/"), settings=settings)
        analyse(database, Config(), told, processes=1)
        with closing(open_for_writing(database)) as connection:
            connection.execute("UPDATE origins SET robots_fetched_at = NULL")  # as a day makes it
    return rows(database, FOUND)


def says(text: str, status: int = 200) -> Answer:
    """A robots.txt."""
    return Answer(status, {"Content-Type": "text/plain"}, text.encode())


def test_one_that_says_something_else_is_found_with_what_changed(web: Web, tmp_path: Path) -> None:
    ((url, evidence),) = twice(web, tmp_path / "a.db", says(FIRST), says(OTHER))
    assert url == web.url("/robots.txt")
    assert json.loads(evidence) == {
        "compared_with_run": 1,
        "diff": ["-Disallow: /a", "+Disallow: /b"],
    }


@pytest.mark.parametrize(
    "answers",
    [
        (says(FIRST), says(FIRST)),
        (says(FIRST), says("", 503)),
        (says(FIRST), says("gone", 404)),
        (says(FIRST), says(OTHER), says(OTHER)),
    ],
    ids=["the same", "unreachable", "gone", "changed before"],
)
def test_one_that_does_not_is_not(web: Web, tmp_path: Path, answers: tuple[Answer, ...]) -> None:
    assert twice(web, tmp_path / "a.db", *answers) == []


def test_no_file_takes_long_to_compare_or_to_read_for_all_whom_it_names(
    web: Web, tmp_path: Path
) -> None:
    """difflib takes an hour for the first, and 30,000 agents were each read for, in the second."""
    files = [
        "\n".join(line for n in range(12_000) for line in ("User-agent: a", f"Allow: /{side}{n}"))
        for side in "xy"
    ]
    letters = "abcdefghijklmnopqrstuvwxyz"
    names = map("".join, product(letters, repeat=4))
    agents = "".join(f"User-agent: {name}\n" for name in islice(names, 25_000))
    files.append(f"{agents}Disallow: /a\n\nUser-agent: *\nDisallow: /b\n")
    began = time.process_time()
    found = twice(web, tmp_path / "a.db", *map(says, files))
    assert time.process_time() - began < 60  # 8 s, measured
    assert len(json.loads(found[0][1])["diff"]) == 50


def test_what_is_asked_of_a_file_costs_as_much_as_reading_it(web: Web, tmp_path: Path) -> None:
    """A dozen checks ask, three of them for 20 agents each, and it is as large as is read."""
    body = "User-agent: *\nDisallow: /a\n" + "a\n" * (robots.MAX_BYTES // 2 - 100)
    database = tmp_path / "a.db"
    web.page("/")
    web.answer("/robots.txt", says(body))
    crawl(database, web.url("/"), settings=config())
    began = time.process_time()
    for _ in range(3):
        robots.read(body.encode(), "crawler")
    once = (time.process_time() - began) / 3
    began = time.process_time()
    with closing(open_for_reading(database)) as connection:
        found = {
            check.name: list(check.find(connection, check.limits)) for check in CHECKS if check.find
        }
    assert time.process_time() - began < 20 * once  # 5, measured; 70 where each reads for itself
    [(_, _, evidence)] = found["robots_syntax"]
    assert evidence == {
        "lines": robots.MAX_BYTES // 2 - 100,
        "such_as": [f"{number}: a" for number in range(3, 13)],
    }
