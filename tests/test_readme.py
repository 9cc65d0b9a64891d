"""Is what README promises true?"""

from __future__ import annotations

import base64
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import click
import msgspec
import pytest

from crawler import demo
from crawler.analyse.run import analyse
from crawler.cli import cli
from crawler.config import Config
from crawler.errors import CrawlError
from crawler.policy import words
from crawler.store.database import Connection, open_for_reading
from crawler.store.views import VIEWS
from tests.crawls import config, crawl
from tests.patience import PATIENT_S
from tests.sites.members import PASSWORD, Members
from tests.sites.server import Answer
from tests.sites.skip import ROOT
from tests.sites.web import Web

README = (ROOT / "README.md").read_text(encoding="utf-8")
QUESTIONS = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
TOLD = README + QUESTIONS
ANSWERS = sorted(set(re.findall(r"^\| .+\? \| `(SELECT .+)` \|$", TOLD, re.MULTILINE)))
"""The right column of the tables of questions."""
SILENT = (
    *(
        "changes",
        "touched",
        "waiting_hosts",
        "waiting_urls",
        "canonical_mismatches",
        "external_domains",
        "FROM assets",
    ),
    "likely_javascript",
    "rendered_differences",
)
"""What one finished crawl of the demo has nothing to say about."""


@pytest.fixture(scope="module")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    database = tmp_path_factory.mktemp("readme") / "demo.db"
    with demo.serve() as url:
        crawl(database, url, settings=config(robots={"sitemaps": True}))
    analyse(database, Config(), lambda *_: None, processes=1)
    connection = open_for_reading(database)
    yield connection
    connection.close()


@pytest.mark.parametrize("question", ANSWERS)
def test_every_question_has_an_answer_in_the_demo(crawled: Connection, question: str) -> None:
    rows = crawled.execute(question).fetchall()
    assert rows or any(word in question for word in SILENT)


BUILDING_BLOCKS = {
    "host_summary", "differences", "current_links", "good_pages", "indexable_pages",
    "followed_links", "audit_findings", "searchable", "page_renders",
}  # fmt: skip
"""Views that others are made of, or that a command of their own asks."""


def test_the_table_asks_every_view_that_people_need() -> None:
    asked = {view for view in VIEWS if any(view in answer for answer in ANSWERS)}
    assert set(VIEWS) - asked - BUILDING_BLOCKS == set()


SKIPPING = words.which(stands="reason") - words.which(stands="error") - {"head_refused"}
"""The last stands only as long as a URL waits to be asked with GET."""


@pytest.mark.parametrize("reason", sorted(SKIPPING | words.which(fault="settings")))
def test_every_reason_of_a_skipped_url_is_explained(reason: str) -> None:
    assert f"`{reason}`" in QUESTIONS


NOWHERE = click.Context(cli)
COMMANDS = {
    name: command.params
    for name in cli.list_commands(NOWHERE)
    if (command := cli.get_command(NOWHERE, name))
}
FLAGS = {flag for params in COMMANDS.values() for option in params for flag in option.opts}


def test_every_flag_and_command_that_readme_names_is_there() -> None:
    ours = re.sub(r"^redis-server .*$", "", TOLD, flags=re.MULTILINE)
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", ours)) - {"--help"}
    assert len(flags) > 10
    assert flags - FLAGS == set()
    commands = set(re.findall(r"crawler (\w+)", " ".join(re.findall(r"`[^`]+`", TOLD))))
    assert commands - set(COMMANDS) == set()


def test_every_setting_that_readme_names_is_there() -> None:
    sections = msgspec.structs.asdict(Config())
    named = set(re.findall(r"\b(\w+)\.(\w+)=", README))
    assert len(named) >= 3
    assert [(section, key) for section, key in named if not hasattr(sections[section], key)] == []


def test_readme_tells_every_exit_code() -> None:
    told = README[README.index("Exit codes:") :]
    codes = {error.exit_code for error in CrawlError.__subclasses__()} | {0, CrawlError.exit_code}
    assert [code for code in sorted(codes) if not re.search(rf"\b{code}\s[a-z]", told)] == []


def test_every_target_that_readme_names_is_there() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`)make ([a-z-]+)", README, re.MULTILINE))
    assert {"crawl", "demo", "test", "lint"} <= named
    assert [name for name in named if f"\n{name}:" not in makefile] == []


def test_the_files_that_readme_names_exist() -> None:
    named = re.findall(r"\]\(([^)]+)\)", README)
    assert named
    assert [name for name in named if "://" not in name and not (ROOT / name).exists()] == []


def test_every_bound_in_the_newcomers_page_names_tests_that_there_are() -> None:
    page = (ROOT / "crawler" / "README.md").read_text(encoding="utf-8")
    table = page[page.index("## What a hostile site can cost") :].split("\n## ")[0]
    named = set(re.findall(r"`(test_\w+)`", table))
    files = set(re.findall(r"`(test_\w+\.py)`", table))
    paths = list(ROOT.glob("tests/**/*.py"))
    source = "".join(path.read_text(encoding="utf-8") for path in paths)
    assert len(named) > 10
    assert {name for name in named if f"def {name}(" not in source} == set()
    assert files <= {path.name for path in paths}
    places = set(re.findall(r"`(\w+/\w*\.?\w*)`", table))
    assert {place for place in places if not (ROOT / "crawler" / place).exists()} == set()


SITES_TOML = re.findall(r"```toml\n(\[site.[^`]+)```\n\n```sh\n([^`]+)\n```", README)
"""A configuration, and the command that is given it."""


def test_sites_behind_a_password_a_login_and_a_form_are_crawled_by_readmes_own_lines(
    tmp_path: Path, web: Web
) -> None:
    [(written, command)] = SITES_TOML
    members, forum = web.host("127.0.7.1"), web.host("127.0.7.2")
    let_in = "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
    web.decide("/", lambda asked: page_for(asked.headers.get("authorization") == let_in))
    members.decide("/", lambda asked: page_for(asked.headers.get("cookie") == "sid=1"))
    behind = Members(forum, {"/": ["/topics", "/logout"], "/topics": [], "/welcome": []})
    (tmp_path / "cookies.txt").write_text("127.0.7.1\tFALSE\t/\tFALSE\t0\tsid\t1\n")
    for place, host in (("staging", web), ("members", members), ("forum", forum)):
        origin = f"https://{place}.example.org"
        assert origin in written
        written = written.replace(origin, host.url(""))
        command = command.replace(f"{origin}/", host.url("/"))
    (tmp_path / "sites.toml").write_text(written)
    program = tmp_path / ".venv" / "bin" / "crawler"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m crawler "$@"\n')
    program.chmod(0o755)
    line = command.replace("...", shlex.quote(PASSWORD))
    more = f"{members.url('/')} --db a.db --quiet --workers 0"
    ran = subprocess.run(
        f"{line} {more}", shell=True, cwd=tmp_path, capture_output=True, text=True,
        timeout=PATIENT_S, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert len(behind.sent) == 1
    with closing(open_for_reading(tmp_path / "a.db")) as connection:
        answers = connection.execute("SELECT url, status FROM pages ORDER BY url").fetchall()
    assert dict(answers) == dict.fromkeys(
        (web.url("/"), members.url("/"), forum.url("/"), forum.url("/topics")), 200
    )


def page_for(is_let_in: bool) -> Answer:
    """What somebody sees who is known, and who is not."""
    return Answer(body=b"<title>inside</title>") if is_let_in else Answer(401)
