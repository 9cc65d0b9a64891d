"""Can one look around in a crawl, while it runs and afterwards, without danger to either?"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import axe_core_python
import gevent
import pytest
from gevent import subprocess

from crawler.faces.dashboard.guard import Guard
from crawler.store import free_sql, looks, queries
from tests.browser import Page, chromium
from tests.crawls import crawl, rows
from tests.sites.skip import ROOT
from tests.sites.web import Web

PATIENT_S = 60
COUNTING = "This is being counted"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT {} FROM n"
PAGES = (
    "/",
    "/hosts",
    "/queue",
    "/queue?state=failed",
    "/pages",
    "/findings",
    "/runs",
    "/map",
    "/sql",
)


@contextmanager
def served(database: Path, *more: str) -> Iterator[str]:
    """The address of a dashboard on this file."""
    command = [sys.executable, "-m", "crawler", "dashboard", "--db", str(database), "--port", "0"]
    process = subprocess.Popen([*command, *more], cwd=ROOT, stderr=subprocess.PIPE)
    try:
        yield told_address(process)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def told_address(process: Any) -> str:
    """What a process says of where its dashboard is."""
    with gevent.Timeout(PATIENT_S):
        for line in process.stderr:
            if found := re.search(rb"Dashboard: (http://\S+)/", line):
                return found[1].decode()
    raise AssertionError("no dashboard was told of")


def ask(address: str, path: str, *, method: str = "GET", body: str = "", **headers: str) -> Any:
    """An answer, once all that it shows is counted: status, headers, text."""
    with gevent.Timeout(PATIENT_S):
        while True:
            answer = ask_once(address, path, method=method, body=body, **headers)
            if COUNTING not in answer[2]:
                return answer
            gevent.sleep(0.1)


def ask_once(address: str, path: str, *, method: str, body: str, **headers: str) -> Any:
    """An answer, as it is."""
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=PATIENT_S)
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body=body or None, headers=told)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, dict(answer.headers), text


def test_what_a_site_says_never_acts_on_any_page(crawled: Path) -> None:
    numbers = [number for (number,) in rows(crawled, "SELECT id FROM urls ORDER BY id")]
    checks = [name for (name,) in rows(crawled, "SELECT DISTINCT check_name FROM findings")]
    with served(crawled) as address, chromium() as page:
        for path in (
            *PAGES,
            *(f"/pages/{number}" for number in numbers),
            *(f"/findings/{name}" for name in checks[:5]),
            "/hosts/127.0.0.1",
            "/sql?q=SELECT+url,+title,+description+FROM+pages",
            "/pages?q=%3Cscript%3Ealert('fired')%3C/script%3E",
        ):
            page.open(address + path)
            assert page.ask("document.querySelectorAll('img, iframe, [onload]').length") == 0
            assert page.ask("document.scripts.length") == 1
        assert page.faults == []
        assert {url.split("/", 3)[2] for url in page.requests} == {address.split("/")[2]}


def test_a_page_tells_links_visits_findings_and_its_source_as_text(crawled: Path, web: Web) -> None:
    [(number,)] = rows(crawled, "SELECT id FROM urls WHERE url = ?", web.url())
    with served(crawled) as address:
        status, headers, text = ask(address, f"/pages/{number}")
    assert status == 200
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    for told in ("Links on it", "Links to it", "Visits", "Findings", "Headers", "x-said"):
        assert told in text
    assert "&lt;!doctype html&gt;" in text
    assert "<script>alert" not in text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": "127.0.0.1:1"}, 421),
        ({"Host": "localhost.evil.example"}, 421),
        ({"Host": f"localhost:{'1' * 5000}"}, 421),
        ({"Host": ""}, 421),
    ],
)
def test_only_our_own_names_are_answered(
    crawled: Path, headers: dict[str, str], status: int
) -> None:
    with served(crawled) as address:
        assert ask(address, "/", **headers)[0] == status


@pytest.mark.parametrize(
    "path", ["/sql/?q=SELECT+1", "/%2573ql?q=SELECT+1", "/pages?q=a", "/events"]
)
def test_nothing_is_asked_by_pages_of_others(crawled: Path, path: str) -> None:
    with served(crawled) as address:
        assert ask(address, path, Sec_Fetch_Site="cross-site", Sec_Fetch_Dest="image")[0] == 403
        assert ask(address, path, Sec_Fetch_Site="same-origin", Sec_Fetch_Dest="empty")[0] == 200


def test_a_link_of_others_leads_to_pages(crawled: Path) -> None:
    of_others = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Dest": "document"}
    with served(crawled) as address:
        assert ask(address, "/pages", **of_others)[0] == 200
        assert ask(address, "/pages?q=a", **of_others)[0] == 403


def test_odd_requests_are_refused_and_the_server_lives_on(crawled: Path) -> None:
    with served(crawled) as address:
        assert ask(address, "//evil.example/")[0] == 404
        assert ask(address, "/" + "a" * 9000)[0] == 414
        assert ask(address, "/", method="DELETE")[0] == 405
        assert ask(address, "/sql?q=SELECT+1", Sec_Fetch_Site="cross-site")[0] == 403
        assert ask(address, "/sql?q=SELECT+1", Sec_Fetch_Site="same-origin")[0] == 200
        assert ask(address, "/nowhere")[0] == 404
        assert ask(address, "/pages/99999999999999999999")[0] == 404
        assert ask(address, "/pages/x")[0] == 404
        assert ask(address, "/static/../server.py")[0] == 404
        assert ask(address, "/command", method="POST", body="command=stop")[0] == 403
        assert ask(address, "/command", method="POST", body="x" * 70_000)[0] == 413
        assert ask(address, "/elsewhere", method="POST", body="a=b")[0] == 405
        assert ask(address, "/")[0] == 200


def test_a_command_comes_from_our_pages_and_bears_their_token() -> None:
    guard = Guard("127.0.0.1", 8100, "right")
    ours = {"HTTP_HOST": "127.0.0.1:8100", "HTTP_ORIGIN": "http://127.0.0.1:8100"}
    assert guard.refuse_command(ours, "right") is None
    assert guard.refuse_command(ours, "wrong") is not None
    assert guard.refuse_command(ours | {"HTTP_ORIGIN": "http://evil.example"}, "right") is not None
    assert guard.refuse_command(ours | {"HTTP_ORIGIN": "null"}, "right") is not None
    assert guard.refuse_command(ours | {"HTTP_SEC_FETCH_SITE": "cross-site"}, "right") is not None


def test_beyond_loopback_a_password_is_asked(crawled: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-m", "crawler", "dashboard", "--db", str(crawled), "--host", "0.0.0.0"],
        cwd=ROOT, capture_output=True, check=False,
    )  # fmt: skip
    assert refused.returncode == 2
    assert b"--password" in refused.stderr
    with served(crawled, "--password", "sesame") as address:
        assert ask(address, "/")[0] == 401
        wrong, right = (base64.b64encode(told).decode() for told in (b"me:open", b"me:sesame"))
        assert ask(address, "/", Authorization=f"Basic {wrong}")[0] == 401
        assert ask(address, "/", Authorization="Basic %%%")[0] == 401
        assert ask(address, "/", Authorization=f"Basic {right}")[0] == 200


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM urls", "DROP TABLE urls", "ATTACH '/etc/passwd' AS x",
        "PRAGMA user_version = 9", "SELECT load_extension('x')", "VACUUM INTO '/tmp/x'",
        "BEGIN IMMEDIATE",
        "CREATE TEMP TABLE t (a)", "SELECT zeroblob(1000000000)",
        "SELECT printf('%.*c', 999999999, 'x')", "SELECT 1; DELETE FROM urls",
        "nonsense", "SELECT '\0'",
    ],
)  # fmt: skip
def test_sql_that_does_more_than_read_is_refused(crawled: Path, sql: str) -> None:
    before = crawled.read_bytes()
    with queries.reading(crawled) as connection:
        assert free_sql.ask(connection, sql).error
    assert crawled.read_bytes() == before


def test_sql_is_bounded_in_time_rows_and_bytes(crawled: Path) -> None:
    with queries.reading(crawled) as connection:
        assert free_sql.ask(connection, ENDLESS.format("count(*)"), budget_s=0.3).late
        many = free_sql.ask(connection, ENDLESS.format("i"))
        assert (len(many.rows), many.cut) == (free_sql.MAX_ROWS, True)
        assert free_sql.ask(connection, "SELECT count(*) AS urls FROM urls").columns == ("urls",)


@contextmanager
def live(web: Web, database: Path, *more: str) -> Iterator[tuple[Any, str]]:
    """A crawl with its dashboard: the process, and the dashboard's address."""
    command = [
        *(sys.executable, "-m", "crawler", "crawl", web.url(), "--db", str(database)),
        *("--no-analyse", "--set", "robots.sitemaps=false", *more, "--dashboard", "0"),
    ]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE)
    try:
        yield process, told_address(process)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_a_crawl_is_watched_paused_resumed_and_stopped(web: Web, tmp_path: Path) -> None:
    paths = [f"/{number}" for number in range(3000)]
    web.page("/", links=paths)
    for path in paths:
        web.page(path, wait_s=0.02)
    database = tmp_path / "live.db"
    with live(web, database, "--set", "pace.own_in_flight=1") as (process, address):
        with chromium() as page:
            page.open(address + "/")
            page.until(COUNTED + " > 3")
            assert page.until("document.querySelector('#rate polyline').getAttribute('points')")
            press(page, "pause")
            page.until("document.querySelector('#said').textContent === 'pause: done'")
            page.until("document.querySelector('#state').textContent === 'paused'")
            stands = page.until(STANDS)
            assert len(web.log) < len(paths)
            press(page, "resume")
            page.until(f"{COUNTED} > {stands}")
            metrics = ask(address, "/metrics")[2]
            assert "crawler_running 1" in metrics
            assert re.search(r"^crawler_pages_total \d+$", metrics, re.MULTILINE)
            press(page, "stop")
            with gevent.Timeout(PATIENT_S):
                process.wait()
            assert page.faults == []
        assert process.returncode in (0, 130)
    [(state,)] = rows(database, "SELECT state FROM runs")
    assert state == "interrupted"


COUNTED = "Number(document.querySelector('[data-stat=pages]').textContent.replaceAll(',', ''))"
STANDS = f"""
(async () => {{
    const before = {COUNTED};
    await new Promise((done) => setTimeout(done, 2500));
    return {COUNTED} === before && before;
}})()
"""


def press(page: Page, command: str) -> None:
    """Press a button."""
    page.ask(f"document.querySelector('button[value={command}]').click()")


def test_a_host_is_blocked_and_its_gap_changed(web: Web, tmp_path: Path) -> None:
    paths = [f"/{number}" for number in range(2000)]
    web.page("/", links=paths)
    for path in paths:
        web.page(path, wait_s=0.02)
    busy = web.host("127.0.0.2")  # a crawl that only waits for a blocked host ends
    busy.page("/", links=paths)
    for path in paths:
        busy.page(path, wait_s=0.05)
    slow = ("--set", "pace.own_in_flight=1", busy.url())
    with live(web, tmp_path / "live.db", *slow) as (_, address):
        token = re.search(r'name="token" value="([^"]+)"', ask(address, "/")[2])
        assert token is not None

        def command(**asked: str) -> str:
            body = "&".join(
                f"{key}={value}" for key, value in (asked | {"token": token[1]}).items()
            )
            told: str = ask(address, "/command", method="POST", body=body, Accept="text/plain")[2]
            return told

        assert command(command="gap", host="127.0.0.1", gap_s="0.3") == (
            "127.0.0.1: rests 0.3 s between two requests"
        )
        assert "seconds from 0" in command(command="gap", host="127.0.0.1", gap_s="nan")
        assert command(command="block", host="127.0.0.1") == "127.0.0.1: blocked"
        with gevent.Timeout(PATIENT_S):
            while "stopped by hand" not in ask(address, "/")[2]:
                gevent.sleep(0.1)
        asked = len(web.paths)
        assert command(command="unblock", host="127.0.0.1") == "127.0.0.1: unblocked"
        with gevent.Timeout(PATIENT_S):
            while len(web.paths) <= asked + 1:
                gevent.sleep(0.05)
        assert "nothing waits" in command(command="block", host="nobody.example")
        assert "no such command" in command(command="dance")


def test_a_crawl_goes_on_without_its_dashboard(web: Web, tmp_path: Path) -> None:
    paths = [f"/{number}" for number in range(150)]
    web.page("/", links=paths)
    for path in paths:
        web.page(path, wait_s=0.03)
    database = tmp_path / "live.db"
    with live(web, database, "--set", "pace.own_in_flight=1") as (process, address):
        [number] = [
            int(entry)
            for entry in os.listdir("/proc")
            if entry.isdigit() and is_dashboard_of(int(entry), database)
        ]
        os.kill(number, 9)
        with gevent.Timeout(PATIENT_S):
            process.wait()
        assert process.returncode == 0
        with pytest.raises(ConnectionRefusedError):
            ask(address, "/")
    assert rows(database, "SELECT count(*) FROM pages WHERE status = 200") == [(151,)]


def is_dashboard_of(number: int, database: Path) -> bool:
    """Is this process the dashboard of a file?"""
    try:
        words = Path(f"/proc/{number}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"--feed" in words and str(database).encode() in words


def test_pages_of_a_large_crawl_say_so_where_they_take_too_long(crawled: Path) -> None:
    with queries.reading(crawled) as connection:
        found = looks.look(
            connection,
            ENDLESS.format("count(*)"),
            budget_s=0.1,
        )
        assert (found.late, found.rows) == (True, [])
        assert not looks.look(connection, "SELECT 1").late, "the next has its own time"


def test_the_file_is_never_written(crawled: Path) -> None:
    with sqlite3.connect(crawled) as connection:
        before = connection.execute("PRAGMA data_version").fetchone()
        with served(crawled) as address:
            for path in PAGES:
                assert ask(address, path)[0] == 200
        assert connection.execute("PRAGMA data_version").fetchone() == before


def test_a_file_that_is_replaced_is_read_anew(crawled: Path, web: Web, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    crawl(other, web.url("/plain"))
    with served(crawled) as address:
        assert "/moved" in ask(address, "/pages")[2]
        other.replace(crawled)
        assert "/moved" not in ask(address, "/pages")[2]
        crawled.unlink()
        assert ask(address, "/pages")[0] == 503


def test_long_and_turned_texts_are_shown_in_their_place(crawled: Path) -> None:
    turned = "\u202eevil\u2066\u200b"
    connection = sqlite3.connect(crawled)
    connection.execute("UPDATE pages SET title = ? WHERE id = 1", (turned + "x" * 10_000_000,))
    connection.execute("UPDATE pages SET h1 = ?", (turned,))
    connection.commit()
    connection.close()
    with served(crawled) as address:
        for path in ("/pages", "/pages/1"):
            assert len(ask(address, path)[2]) < 500_000
    with served(crawled) as address, chromium() as page:
        page.open(address + "/pages")
        assert page.ask("getComputedStyle(document.querySelector('td')).unicodeBidi") == "isolate"


@pytest.mark.parametrize("dark", [False, True])
def test_nothing_serious_stands_in_the_way_of_readers_of_screens(crawled: Path, dark: bool) -> None:
    script = (Path(axe_core_python.__file__).parent / "axe.min.js").read_text()
    numbers = [number for (number,) in rows(crawled, "SELECT id FROM pages LIMIT 2")]
    with served(crawled) as address, chromium() as page:
        if dark:
            page.dark()
        found = {}
        for path in (*PAGES, *(f"/pages/{number}" for number in numbers), "/hosts/127.0.0.1"):
            page.open(address + path)
            page.ask(script + "; 1")
            told = page.ask("axe.run().then((told) => told.violations)")
            grave = [one for one in told if one["impact"] in {"serious", "critical"}]
            if grave:
                found[path] = [(one["id"], one["nodes"][0]["html"]) for one in grave]
        assert found == {}


def test_events_are_json(web: Web, tmp_path: Path) -> None:
    web.page("/", links=[f"/{number}" for number in range(300)])
    for number in range(300):
        web.page(f"/{number}", wait_s=0.03)
    with live(web, tmp_path / "live.db", "--set", "pace.own_in_flight=1") as (_, address):
        connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=PATIENT_S)
        connection.request("GET", "/events")
        answer = connection.getresponse()
        assert answer.headers["Content-Type"] == "text/event-stream"
        told = json.loads(answer.readline().decode().removeprefix("data: "))
        assert told["stats"]["phase"] in {"crawling", "loading"}
        connection.close()
