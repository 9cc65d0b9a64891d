"""What is told of a site that changed in known ways over four crawls?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from crawler.analyse import versions
from crawler.analyse.run import analyse
from crawler.errors import UsageError
from crawler.faces import difference
from crawler.store import history, queries
from crawler.store.changes import BETWEEN as BETWEEN_RUNS
from crawler.store.database import open_for_reading, open_for_writing
from crawler.store.history import Pair
from tests.crawls import config, crawl, rows
from tests.patience import PATIENT_S
from tests.sites.server import Answer, Request
from tests.sites.skip import ROOT
from tests.sites.web import Web

ALWAYS = ("/", "/same", "/title", "/text", "/gone", "/outage", "/moves", "/bytes", "/back")
QUICK = config(robots={"obey": False}, pace={"tries": 1})


def tell(web: Web, run: int) -> None:
    """The site as it is in this run, from 1 to 4."""
    later = ["/new"] if run >= 2 else []
    web.page("/", links=[*ALWAYS[1:], *later], title="Home")
    web.decide("/same", as_ever)
    web.page("/title", title="Old" if run < 3 else "New")
    web.page("/text", title="Text", body=f"<p>One two {'three' if run < 4 else 'four'} five</p>")
    web.raw("/gone", status=200 if run == 1 else 404, body="<title>Here</title>")
    web.raw("/outage", status=503 if run == 3 else 200, body="<title>Up</title><p>words")
    web.page("/moves", title="Place")
    if run >= 3:
        web.redirect("/moves", "/same" if run == 3 else "/text", status=301)
    web.page("/bytes", title="Bytes", body=f"<!-- {run} -->")
    web.raw("/back", status=410 if run == 2 else 200, body="<title>Back</title>")
    if later:
        web.page("/new", title="New page")


def as_ever(request: Request) -> Answer:
    """A page that confirms what one has of it."""
    if request.headers.get("if-none-match") == '"1"':
        return Answer(304, {"ETag": '"1"'})
    return Answer(200, {"ETag": '"1"'}, b"<title>Same</title><p>as ever")


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A file of four crawls, and where the site was."""
    web = Web()
    file = tmp_path_factory.mktemp("history") / "four.db"
    for run in (1, 2, 3, 4):
        tell(web, run)
        crawl(file, web.url(), settings=QUICK)
    analyse(file, QUICK, lambda *_: None, processes=1)
    yield file, web.url("")
    web.close()


BETWEEN = {
    # "/" has a link more in run 2: its text is another.
    (1, 2): {
        ("/", "changed", "text"), ("/new", "new", None), ("/gone", "gone", "status"),
        ("/back", "gone", "status"),
    },
    (2, 3): {
        ("/title", "changed", "title, text"), ("/outage", "unreachable", "status"),
        ("/moves", "moved", "status"), ("/back", "returned", "status"),
    },
    (3, 4): {
        ("/text", "changed", "text"), ("/outage", "returned", "status"),
        ("/moves", "moved", "redirect"),
    },
    (1, 3): {
        ("/", "changed", "text"), ("/new", "new", None), ("/gone", "gone", "status"),
        ("/title", "changed", "title, text"), ("/outage", "unreachable", "status"),
        ("/moves", "moved", "status"),
    },
    (2, 4): {
        ("/title", "changed", "title, text"), ("/text", "changed", "text"),
        ("/moves", "moved", "status"), ("/back", "returned", "status"),
    },
    (1, 4): {
        ("/", "changed", "text"), ("/new", "new", None), ("/gone", "gone", "status"),
        ("/title", "changed", "title, text"), ("/text", "changed", "text"),
        ("/moves", "moved", "status"),
    },
}  # fmt: skip


@pytest.mark.parametrize("pair", BETWEEN)
def test_any_two_of_four_crawls_differ_as_the_site_did(
    four: tuple[Path, str], pair: tuple[int, int]
) -> None:
    file, site = four
    with queries.reading(file) as connection:
        told = history.changes(connection, Pair(*pair))
        found = {(url.removeprefix(site), change, what) for change, url, what, *_ in told.rows}
    assert found == BETWEEN[pair]
    by_view = rows(
        file,
        "SELECT url, change, what FROM changes_between_runs WHERE from_run = ? AND to_run = ?",
        *pair,
    )
    assert {(url.removeprefix(site), *rest) for url, *rest in by_view} == BETWEEN[pair]


def test_since_a_date_is_since_the_last_run_before_it(four: tuple[Path, str]) -> None:
    file, site = four
    begun = dict(rows(file, "SELECT id, started_at FROM runs"))
    for run in (2, 3, 4):
        with queries.reading(file) as connection:
            pair = history.pair(connection, since=begun[run])
            assert pair == Pair(run - 1, 4)
            told = history.changes(connection, pair)
            found = {(url.removeprefix(site), change, what) for change, url, what, *_ in told.rows}
        assert found == BETWEEN[run - 1, 4]


def test_bytes_alone_are_touched(four: tuple[Path, str]) -> None:
    file, site = four
    touched = rows(file, "SELECT url FROM touched")
    assert touched == [(f"{site}/bytes",)]


def test_an_unchanged_page_is_asked_for_conditionally_and_nothing_is_new(
    four: tuple[Path, str],
) -> None:
    file, site = four
    visits = rows(
        file,
        "SELECT status, changed, body_bytes FROM visits "
        "WHERE url_id = (SELECT id FROM urls WHERE url = ?) ORDER BY id",
        f"{site}/same",
    )
    assert [visit[:2] for visit in visits] == [(200, 1), (304, 0), (304, 0), (304, 0)]


def test_runs_are_compared_without_reading_every_visit(four: tuple[Path, str]) -> None:
    file, _ = four
    with closing(open_for_reading(file)) as connection:
        steps = connection.execute(f"EXPLAIN QUERY PLAN {BETWEEN_RUNS}", {"older": 1, "newer": 4})
        told = [step[3] for step in steps]
    assert any("INDEX visits_changed (run_id>? AND run_id<?)" in step for step in told)
    assert [step for step in told if step.startswith("SCAN visits")] == []


def test_canonicals_of_a_crawl_that_was_analysed_are_found_without_reading_every_link(
    four: tuple[Path, str],
) -> None:
    told = rows(four[0], "EXPLAIN QUERY PLAN SELECT * FROM canonical_mismatches")
    scanned = [step[3] for step in told if step[3].startswith("SCAN links")]
    assert scanned == ["SCAN links USING COVERING INDEX links_canonical"]


@pytest.mark.parametrize("form", ["--json", "--csv"])
@pytest.mark.parametrize("command", ["changes", "log", "diff", "plan", "search"])
def test_history_is_told_while_a_crawl_writes(
    four: tuple[Path, str], command: str, form: str
) -> None:
    file, site = four
    said = {"log": f"{site}/title", "diff": f"{site}/title", "search": "home OR new"}
    words = [said[command]] if command in said else []
    with closing(open_for_writing(file)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("UPDATE urls SET depth = depth")
        told = ask(command, *words, "--db", str(file), form)
        connection.execute("ROLLBACK")
    assert told.returncode == 0, told.stderr
    assert len(told.stdout.splitlines()) >= 2


# page_versions


VERSIONS = """
    SELECT run_id, status, title, h1, main_words, document_run_id
    FROM page_versions
    WHERE url = ?
    ORDER BY run_id
"""


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("/same", [(run, 200, "Same", None, 2, 1) for run in (1, 2, 3, 4)]),
        ("/title", [
            (1, 200, "Old", "Old", 1, 1), (2, 200, "Old", "Old", 1, 2),
            (3, 200, "New", "New", 1, 3), (4, 200, "New", "New", 1, 4),
        ]),
        ("/gone", [(run, 404 if run > 1 else 200, "Here", None, 0, 1) for run in (1, 2, 3, 4)]),
        ("/outage", [
            (1, 200, "Up", None, 1, 1), (2, 200, "Up", None, 1, 2), (3, 503, "Up", None, 1, 2),
            (4, 200, "Up", None, 1, 4),
        ]),
        ("/new", [(run, 200, "New page", "New page", 2, run) for run in (2, 3, 4)]),
    ],
)  # fmt: skip
def test_a_page_is_told_as_each_run_left_it(
    four: tuple[Path, str], path: str, wanted: list[tuple[Any, ...]]
) -> None:
    file, site = four
    assert rows(file, VERSIONS, site + path) == wanted


def test_no_run_tells_two_versions_of_a_page(four: tuple[Path, str]) -> None:
    file, _ = four
    twice = "SELECT 1 FROM page_versions GROUP BY url_id, run_id HAVING count(*) > 1"
    assert rows(file, twice) == []


# crawler log


LOGS = {
    "/same": [("same", None, 304), ("same", None, 304), ("same", None, 304), ("new", None, 200)],
    "/title": [
        ("same", None, 200), ("changed", "title, text", 200), ("same", None, 200),
        ("new", None, 200),
    ],
    "/gone": [
        ("same", None, 404), ("same", None, 404), ("gone", "status", 404), ("new", None, 200),
    ],
    "/outage": [
        ("returned", "status", 200), ("unreachable", "status", 503), ("same", None, 200),
        ("new", None, 200),
    ],
    "/moves": [
        ("moved", "redirect", 301), ("moved", "status", 301), ("same", None, 200),
        ("new", None, 200),
    ],
    "/bytes": [("touched", None, 200)] * 3 + [("new", None, 200)],
    "/back": [
        ("same", None, 200), ("returned", "status", 200), ("gone", "status", 410),
        ("new", None, 200),
    ],
}  # fmt: skip


@pytest.mark.parametrize("path", LOGS)
def test_a_log_tells_every_visit_and_what_was_new(four: tuple[Path, str], path: str) -> None:
    file, site = four
    with queries.reading(file) as connection:
        told = history.log(connection, history.find(connection, site + path))
        found = [dict(zip(told.columns, row, strict=True)) for row in told.rows]
    assert [(row["change"], row["what"], row["status"]) for row in found] == LOGS[path]
    assert [row["run"] for row in found] == [4, 3, 2, 1]


def ask(*words: str) -> subprocess.CompletedProcess[str]:
    """A command, at work apart."""
    return subprocess.run(
        [sys.executable, "-m", "crawler", *words],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENT_S, check=False,
    )  # fmt: skip


def differences(file: Path, *words: str) -> list[dict[str, Any]]:
    told = ask("diff", *words, "--db", str(file), "--json")
    assert told.returncode == 0, told.stderr
    return [json.loads(line) for line in told.stdout.splitlines()]


def parts(file: Path, *words: str) -> list[tuple[Any, ...]]:
    """What differs, without headers, which tell lengths."""
    keys = ("part", "change", "name", "before", "after")
    found = differences(file, *words)
    return [tuple(one[key] for key in keys) for one in found if one["part"] != "header"]


# crawler diff


def test_a_diff_tells_when_the_page_last_became_another(four: tuple[Path, str]) -> None:
    file, site = four
    assert parts(file, f"{site}/text") == [("text", "changed", "4", "three", "four")]
    assert parts(file, f"{site}/title") == [
        ("title", "changed", "", "Old", "New"),
        ("text", "changed", "1", "Old", "New"),
    ]
    assert parts(file, f"{site}/moves") == [
        ("redirect", "changed", "", f"{site}/same", f"{site}/text")
    ]
    assert parts(file, f"{site}/gone") == [("status", "changed", "", "200", "404")]


def test_a_diff_tells_links_that_came_and_went(four: tuple[Path, str]) -> None:
    file, site = four
    assert parts(file, f"{site}/", "--from", "1", "--to", "2") == [
        ("text", "added", "10", None, "/new"),
        ("link", "added", f"{site}/new", None, "/new"),
    ]
    assert parts(file, f"{site}/", "--from", "2", "--to", "3") == []


def test_a_diff_is_of_the_runs_that_are_named(four: tuple[Path, str]) -> None:
    file, site = four
    assert parts(file, f"{site}/moves", "--from", "2") == [
        ("status", "changed", "", "200", "301"), ("redirect", "added", "", None, f"{site}/text"),
    ]  # fmt: skip
    refused = ask("diff", f"{site}/new", "--from", "1", "--db", str(file))
    assert refused.returncode == 2
    assert "no run up to 1 visited it as a page" in refused.stderr


def test_a_diff_without_colours_marks_words(four: tuple[Path, str]) -> None:
    file, site = four
    told = ask("diff", f"{site}/text", "--db", str(file))
    assert (
        "word 4    \u2026 Text One two [-three-] {+four+} five \u2026" in told.stdout.splitlines()
    )


def test_a_page_of_one_version_says_so(four: tuple[Path, str]) -> None:
    file, site = four
    told = ask("diff", f"{site}/same", "--db", str(file))
    assert (told.returncode, told.stdout) == (0, "")
    assert "has one version in this crawl" in told.stderr


def test_a_page_that_came_has_come_with_all_its_links(web: Web, tmp_path: Path) -> None:
    file = tmp_path / "came.db"
    web.page("/", links=["/later"])
    crawl(file, web.url(), settings=QUICK)
    web.page("/later", title="Late", links=[("/", "Home")])
    crawl(file, web.url(), settings=QUICK)
    assert parts(file, web.url("/later")) == [
        ("status", "changed", "", "404", "200"), ("title", "added", "", None, "Late"),
        ("text", "added", "1", None, "Late Home"), ("link", "added", web.url("/"), None, "Home"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kept", "told"),
    [
        ({"bodies": False}, [
            "word 1    [-One-] {+Two+}",
            "unknown   the links of run 1: its body is not kept, or cannot be read",
        ]),
        ({"texts": False}, ["word 1    [-One-] {+Two+}"]),
        ({"bodies": False, "texts": False}, [
            "unknown   the text of run 1: it is not kept",
            "unknown   the links of run 2: its body is not kept, or cannot be read",
        ]),
    ],
)  # fmt: skip
def test_what_was_not_kept_is_named(
    web: Web, tmp_path: Path, kept: dict[str, bool], told: list[str]
) -> None:
    file = tmp_path / "kept.db"
    for title in ("One", "Two"):
        web.page("/", title=title)
        crawl(file, web.url(), settings=config(robots={"obey": False}, store=kept))
    lines = ask("diff", web.url(), "--db", str(file)).stdout.splitlines()
    assert [line for line in told if line not in lines] == []
    assert "title     [-One-] {+Two+}" in lines


def test_an_address_that_nobody_visited_says_why(web: Web, tmp_path: Path) -> None:
    file = tmp_path / "unvisited.db"
    web.page("/", links=["http://127.0.9.9/"])
    crawl(file, web.url(), settings=QUICK)
    log = ask("log", "http://127.0.9.9/", "--db", str(file))
    assert "no run has visited it (skipped: scope)" in log.stderr
    assert log.stdout == ""
    diff = ask("diff", "http://127.0.9.9/", "--db", str(file))
    assert (diff.returncode, diff.stdout) == (2, "")
    assert "no run visited it as a page (skipped: scope)" in diff.stderr


def test_on_a_terminal_words_are_coloured(four: tuple[Path, str]) -> None:
    file, site = four
    with queries.reading(file) as connection:
        page = history.find(connection, f"{site}/text")
        older, newer = (history.version(connection, page, run) for run in (3, 4))
        assert older is not None
        assert newer is not None
        compared = versions.compare(page.url, older, newer, QUICK)
    lines = list(difference.lines(page.url, compared, plain=False, wide=False))
    [line] = [line for line in lines if line.plain.startswith("word")]
    assert line.plain == "word 4    \u2026 Text One two three four five \u2026"
    coloured = {line.plain[span.start : span.end]: span.style for span in line.spans}
    assert coloured == {"three": "red", "four": "green"}


def test_an_address_is_read_as_a_seed_is(four: tuple[Path, str]) -> None:
    file, site = four
    bare = site.removeprefix("http://")
    with queries.reading(file) as connection:
        found = history.find(connection, f' "{bare}/a/../same#part" ')
    assert found.url == f"{site}/same"


def test_an_unknown_address_is_named_as_it_was_written(four: tuple[Path, str]) -> None:
    file, site = four
    bare = site.removeprefix("http://") + "/nowhere-at-all"
    with queries.reading(file) as connection, pytest.raises(UsageError) as refused:
        history.find(connection, bare)
    assert str(refused.value) == f"{bare}: is not in this crawl"


def test_the_log_tells_the_bytes_of_each_answer(web: Web, tmp_path: Path) -> None:
    file = tmp_path / "bytes.db"
    for status, body in ((200, "<title>A page</title><p>words"), (404, "gone"), (200, "back")):
        web.raw("/", status=status, body=body)
        crawl(file, web.url(), settings=QUICK)
    with queries.reading(file) as connection:
        told = history.log(connection, history.find(connection, web.url()))
        assert [row[told.columns.index("bytes")] for row in told.rows] == [4, 4, 29]


@pytest.mark.parametrize(
    ("asked", "told"),
    [("/title/", "/title"), ("/tilte", "/title"), ("/outages", "/outage"), ("/GONE", "/gone")],
)
def test_an_unknown_address_names_near_ones(four: tuple[Path, str], asked: str, told: str) -> None:
    file, site = four
    with queries.reading(file) as connection, pytest.raises(UsageError) as refused:
        history.find(connection, site + asked)
    assert f"is not in this crawl; did you mean {site}{told}" in str(refused.value)


def test_log_and_diff_are_written_as_tables_too(four: tuple[Path, str]) -> None:
    file, site = four
    for form in ("--csv", "--json"):
        for command in ("log", "diff"):
            told = ask(command, f"{site}/title", "--db", str(file), form)
            assert told.returncode == 0, told.stderr
            assert len(told.stdout.splitlines()) >= 2
    log = ask("log", f"{site}/title", "--db", str(file), "--csv").stdout.splitlines()
    assert log[0].startswith("when,run,change,what,before,status,title,bytes")
