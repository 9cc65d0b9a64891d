"""Is a person told what a word means?"""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from crawler.cli import cli
from crawler.faces import explain
from crawler.policy import words


@pytest.mark.parametrize("word", [*words.WORDS, "http_404", "http_599"])
def test_every_word_is_told_with_its_sentence(word: str) -> None:
    first, *facts = explain.told(word)
    assert first == f"{word}: {words.of(word).meaning}"
    assert facts


@pytest.mark.parametrize(
    ("word", "fact"),
    [
        ("timeout", "  tries        3, the first rest is 2 x pace.retry_base_s"),
        ("tls_verify", "  tries        1: waiting does not heal it"),
        ("http_503", "  tries        3, the first rest is 2 x pace.retry_base_s"),
        ("http_501", "  tries        1: waiting does not heal it"),
        ("conn_reset", "  body         what came before is stored, truncated = disconnect"),
        ("conn_reset", "  page         keeps its last good version"),
        ("too_large", "  page         a new version"),
        ("dns_fail", "  whose doing  the site's"),
        ("blocked_addr", "  whose doing  the settings of this crawl"),
        ("robots", "  stands in    urls.reason"),
    ],
)
def test_what_follows_from_a_word_is_told(word: str, fact: str) -> None:
    assert fact in list(explain.told(word))


def test_a_word_that_is_none_is_refused_with_the_nearest() -> None:
    ran = CliRunner().invoke(cli, ["explain", "tls_verfy"])
    assert ran.exit_code == 2
    assert 'tls_verfy: no word of a crawl\'s database (did you mean "tls_verify"?)' in ran.output


def test_without_a_word_all_are_listed() -> None:
    ran = CliRunner().invoke(cli, ["explain"])
    assert ran.exit_code == 0
    assert all(word in ran.output for word in words.WORDS)


@pytest.mark.parametrize(
    "word", ["rests", "waiting", "retry", "queued", "done", "failed", "skipped"]
)
def test_words_of_the_progress_line_and_the_states_are_explained(word: str) -> None:
    assert [line.partition(": ")[0] for line in explain.told(word)] == [word]
