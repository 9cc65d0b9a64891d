"""Is every word in the table, and does the table say what each room does by it?"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import crawler
from crawler.policy import words

SOURCE = Path(crawler.__file__).parent
ERRORS = {
    *("dns_fail", "dns_timeout", "blocked_addr", "blocked_port", "connect_refused"),
    "proxy_failed",
    *("connect_timeout", "conn_reset", "conn_closed", "tls_verify", "tls_proto", "timeout"),
    *("timeout_total", "proto_error", "too_large", "decode_error", "redirect_loop"),
    *("too_many_redirects", "bad_redirect", "parse_timeout", "worker_lost", "cancelled"),
    *("robots_unreachable", "login_failed", "logged_out"),
}
REASONS = {
    *("robots", "robots_unreachable", "scope", "depth", "not_followed", "nofollow", "excluded"),
    *("host_cap", "domain_cap", "trap", "scheme", "url_invalid", "url_too_long", "blocked_addr"),
    *("blocked_port", "host_blocked"),
}
TAKES_A_WORD = {"Failure": 0, "Doubtful": 0, "_refused": 2, "_refusal": 1, "_as": 0}
"""Functions, and which of their arguments is a word."""

BEARS_ONE = {"Reply", "Document", "Resolved"}
"""Values with a field `error`."""


def said() -> Iterator[tuple[str, str]]:
    """Module and word of every literal that the source gives as an error."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or path.name == "words.py":
                continue
            name = getattr(node.func, "id", None) or getattr(node.func, "attr", "")
            at = TAKES_A_WORD.get(name)
            given = [node.args[at]] if at is not None and len(node.args) > at else []
            if name in BEARS_ONE:
                given += [keyword.value for keyword in node.keywords if keyword.arg == "error"]
            for value in given:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield path.name, value.value


def test_the_table_has_the_words_that_people_may_rely_on() -> None:
    assert words.which(stands="error") == ERRORS
    assert words.which(stands="reason") >= REASONS
    assert words.which(stands="truncated") >= {"length", "disconnect", "time", "parse", "links"}


def test_every_word_that_the_source_gives_is_in_the_table() -> None:
    given = set(said())
    assert {word for _, word in given} >= {"proto_error", "conn_closed", "url_invalid", "timeout"}
    assert [(place, word) for place, word in given if words.of(word) is words.OTHER] == []


def test_every_word_has_one_sentence() -> None:
    meanings = [word.meaning for word in words.WORDS.values()]
    assert all(meanings)
    assert len(set(meanings)) == len(meanings)
    assert not any(meaning.endswith(".") for meaning in meanings)


def test_what_ends_a_body_is_a_word_of_truncated() -> None:
    ends = {word.cuts for word in words.WORDS.values()} - {None}
    assert ends <= words.which(stands="truncated")


@pytest.mark.parametrize(
    ("status", "word"), [(200, None), (404, None), (429, "http_429"), (503, "http_503")]
)
def test_a_status_is_a_word_where_it_is_a_failure(status: int, word: str | None) -> None:
    assert words.of_answer(status) == word


def test_any_status_can_be_explained() -> None:
    assert "503 Service Unavailable" in words.of("http_503").meaning
    assert "522" in words.of("http_522").meaning
    assert words.of("http_5033") is words.OTHER
