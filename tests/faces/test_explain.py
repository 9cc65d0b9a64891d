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


def test_a_word_that_is_none_is_refused_with_the_nearest() -> None:
    ran = CliRunner().invoke(cli, ["explain", "tls_verfy"])
    assert ran.exit_code == 2
    assert 'tls_verfy: no word of a crawl\'s database (did you mean "tls_verify"?)' in ran.output


def test_without_a_word_all_are_listed() -> None:
    ran = CliRunner().invoke(cli, ["explain"])
    assert ran.exit_code == 0
    assert all(word in ran.output for word in words.WORDS)
