"""Do sqlite-utils and Datasette have our SQL functions, and do these say what the crawler says?"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from crawler.exports.sql_functions import FUNCTIONS, prepare_connection
from tests.crawls import rows
from tests.exports.taking import take


def ask(sql: str, *values: object) -> Any:
    connection = sqlite3.connect(":memory:")
    prepare_connection(connection)
    return connection.execute(f"SELECT {sql}", values).fetchone()[0]


@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        # WHATWG URL: hosts are lower case, IDNA, and IPv4 numbers become dotted
        ("url_host('HTTPS://WWW.Example.org:8443/a?b#c')", "www.example.org"),
        ("url_host('http://b\u00fccher.example/')", "xn--bcher-kva.example"),
        ("url_host('http://0x7f.1/')", "127.0.0.1"),
        ("url_host('http://user:secret@example.org/')", "example.org"),
        ("url_host('http://[::1]:80/')", "[::1]"),
        ("url_host('mailto:someone@example.org')", None),
        ("url_host('no address')", None),
        ("url_host(NULL)", None),
        ("url_host(5)", None),
        # the Public Suffix List
        ("registered_domain('www.example.co.uk')", "example.co.uk"),
        ("registered_domain('https://a.b.example.org/x')", "example.org"),
        ("registered_domain('127.0.0.1')", "127.0.0.1"),
        ("registered_domain('')", None),
        ("url_parts('no address')", None),
        ("body_text(NULL)", None),
        ("body_text(x'89504e470d0a1a0a0000000d')", None),
        ("body_html(x'3c703ee4')", "<p>\u00e4"),
        ("body_html(x'3c703eb1', 'iso-8859-2')", "<p>\u0105"),
        ("body_text('<p>a</p><script>b</script><p>c')", "a c"),
    ],
)
def test_a_function_answers_by_the_standard(sql: str, answer: object) -> None:
    assert ask(sql) == answer


def test_the_parts_of_an_address_are_asked_by_name() -> None:
    url = "https://user@example.org:8443/a%20b/c?x=1&y=2#end"
    assert json.loads(ask("url_parts(?)", url)) == {
        "scheme": "https", "host": "example.org", "port": 8443, "path": "/a%20b/c",
        "query": "x=1&y=2", "fragment": "end",
    }  # fmt: skip
    assert ask("url_parts(?) ->> 'port'", "https://example.org:443/") is None


def with_sqlite_utils(database: Path, sql: str) -> list[dict[str, Any]]:
    words = [sys.executable, "-m", "sqlite_utils", "query", str(database), sql]
    return json.loads(subprocess.run(words, check=True, capture_output=True).stdout)


def with_datasette(database: Path, sql: str) -> list[dict[str, Any]]:
    path = f"/{database.stem}.json?_shape=array&sql=" + sql.replace(" ", "+")
    words = [sys.executable, "-m", "datasette", str(database), "--get", path]
    return json.loads(subprocess.run(words, check=True, capture_output=True).stdout)


@pytest.mark.parametrize("asked", [with_sqlite_utils, with_datasette])
def test_both_programs_ask_the_functions_of_a_crawl(
    crawled: Path, tmp_path: Path, asked: Callable[[Path, str], list[dict[str, Any]]]
) -> None:
    database = take(crawled, tmp_path / "site.sqlite", "sqlite")
    sql = """
        SELECT pages.url, body_text(body, charset) AS text, body_html(body, charset) AS html,
            url_host(url) AS host, registered_domain(url) AS domain, url_parts(url) AS parts
        FROM pages JOIN bodies ON bodies.id = body_id ORDER BY pages.id
    """
    found = asked(database, " ".join(sql.split()))
    expected = rows(
        crawled,
        """
        SELECT pages.url, texts.text, hosts.host, hosts.registered_domain
        FROM pages
        JOIN texts USING (body_id)
        JOIN hosts ON hosts.id = host_id
        ORDER BY pages.id
        """,
    )
    assert [(one["url"], one["text"], one["host"], one["domain"]) for one in found] == expected
    assert all("<title>" in one["html"] for one in found if one["url"].endswith("/article"))
    assert {json.loads(one["parts"])["scheme"] for one in found} == {"http"}


def test_no_view_of_ours_needs_them(crawled: Path) -> None:
    for (sql,) in rows(crawled, "SELECT sql FROM sqlite_master WHERE type IN ('view', 'trigger')"):
        assert not [name for name, *_ in FUNCTIONS if f"{name}(" in sql]


def test_to_have_them_nothing_is_patched_and_little_is_loaded() -> None:
    """sqlite-utils loads this whenever somebody imports it, our own crawls included."""
    code = (
        "import sys, socket; plain = socket.socket\n"
        "import crawler.exports.sql_functions\n"
        "assert socket.socket is plain\n"
        "heavy = {'gevent', 'lxml', 'requests', 'ada_url', 'crawler.parse', 'crawler.policy'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
