"""Is a crawl over machines asked for, shown and kept as people expect?"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.channels.redis import acl
from tests import engines
from tests.crawls import rows
from tests.engines import Engine
from tests.faces.test_dashboard import ask, told_address
from tests.patience import PATIENT_S, until
from tests.sites.skip import ROOT
from tests.sites.web import Web
from tests.terminal import ENVIRONMENT, Terminal

SECRET = "ver7secret"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """One that lets in two users, of one password."""
    with engines.serve("redis") as served:
        for line in acl.lines(SECRET):
            served.ask(*line.split())
        served.ask("CONFIG", "SET", "requirepass", "another")
        yield served


def url(engine: Engine, user: str) -> str:
    return f"redis://crawler-{user}:{SECRET}@127.0.0.1:{engine.port}"


def test_machines_are_shown_and_no_password_is(engine: Engine, web: Web, tmp_path: Path) -> None:
    web.page("/", links=[f"/{number}" for number in range(2000)])
    for number in range(2000):
        web.page(f"/{number}", wait_s=0.05)
    environ = {**os.environ, "CRAWLER_REDIS": url(engine, "conductor")}
    file = tmp_path / "address"
    file.write_text(url(engine, "worker") + "\n")
    database = tmp_path / "crawl.db"
    python = (sys.executable, "-m", "crawler")
    crawl = [
        *(*python, "crawl", web.url(), "--db", str(database), "--workers", "0", "--json"),
        *("--no-analyse", "--name", "shown", "--dashboard", "0"),
    ]
    work = [*python, "work", "--redis", str(file), "--name", "shown", "--workers", "1"]
    with (
        subprocess.Popen(work, cwd=ROOT, stderr=subprocess.PIPE) as machine,
        (tmp_path / "out").open("w+b") as out,
        subprocess.Popen(
            crawl, cwd=ROOT, env=environ, stdout=out, stderr=subprocess.PIPE
        ) as conductor,
    ):
        address = told_address(conductor)
        until(lambda: '"visits": ' in (tmp_path / "out").read_text())
        until(lambda: " of 256</td>" in ask(address, "/")[2])
        page = ask(address, "/")[2]
        until(lambda: rows(database, "SELECT count(*) FROM workers") == [(1,)])
        status = subprocess.run(
            [*python, "status", "--db", str(database)], cwd=ROOT, capture_output=True, check=True
        )
        conductor.send_signal(signal.SIGINT)
        errors = conductor.stderr.read()
        assert conductor.wait(PATIENT_S) == 130
        machine.send_signal(signal.SIGTERM)
        said = machine.stderr.read()
        assert machine.wait(PATIENT_S) == 0
    [(name, left)] = rows(database, "SELECT name, left_reason FROM workers")
    assert name.endswith(f", process {machine.pid}")
    assert left == "the crawl ended"
    assert f"<td>{name}</td>" in page
    assert f"visits of {name}: last beat ".encode() in status.stdout
    told = (tmp_path / "out").read_text()
    stats = [json.loads(line) for line in told.splitlines()]
    assert any(one["machines"][0]["name"] == name for one in stats if one.get("machines"))
    for shown in (told.encode(), errors, said, status.stdout, page.encode(), database.read_bytes()):
        assert SECRET.encode() not in shown
        assert b"redis://" not in shown


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--set", "pace.gap_s=1"), "--set: pace.gap_s: is for crawler crawl to say; here there"),
        (("--name", "a b"), "--name: expected letters, digits, _ . and -, 60 at most"),
        (("--redis", "http://a.test"), "--redis: expected redis://HOST:PORT"),
        (("--redis", "redis://u:{secret}@127.0.0.1:1"), "cannot be reached: Connection refused"),
        (("--redis", "redis://127.0.0.1:{port}"), "wrong user or password, or none where"),
        (("--redis", "redis://crawler-worker:x{secret}@127.0.0.1:{port}"), "wrong user or passw"),
    ],
)
def test_what_cannot_be_is_one_line(
    engine: Engine, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    given = [word.format(port=engine.port, secret=SECRET) for word in words]
    if "--redis" not in given:
        given += ["--redis", engine.url]
    ran = Terminal(tmp_path)("work", *given)
    *warnings, line = ran.err.splitlines()
    assert (ran.code, ran.out) == (2, "")
    assert told in line
    assert all(one.startswith("Warning: others see the password") for one in warnings)
    assert SECRET not in ran.err


def test_without_an_address_one_line_says_where_it_is_looked_for(tmp_path: Path) -> None:
    assert "CRAWLER_REDIS" not in ENVIRONMENT
    ran = Terminal(tmp_path)("work")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert ran.err.startswith("crawler: --redis or CRAWLER_REDIS: expected redis://HOST:PORT")


def test_a_crawl_whose_engine_is_away_begins_nothing(web: Web, tmp_path: Path) -> None:
    ran = Terminal(tmp_path)("crawl", web.url(), "--redis", "redis://127.0.0.1:1", "--quiet")
    assert ran.code == 2
    assert ran.err == "crawler: redis at 127.0.0.1:1: cannot be reached: Connection refused\n"
    assert web.paths == []
    assert not (tmp_path / "data").exists()


def test_pages_are_not_left_unseen_where_nobody_would_show_them(
    engine: Engine, web: Web, tmp_path: Path
) -> None:
    asked = ("crawl", web.url(), "--redis", engine.url, "--workers", "0", "--render", "always")
    ran = Terminal(tmp_path)(*asked)
    if "chromium" in ran.err:
        pytest.skip("needs a browser")
    assert ran.code == 2
    assert ran.err.endswith(
        "--render: pages are shown here alone; leave out --workers 0, or --redis\n"
    )
