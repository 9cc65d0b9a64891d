"""Do patterns of people's fit where they should, and in bounded time?"""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from crawler.patterns import PatternError, Patterns

HANGING = [
    (r"/(a+)+$", "a"),
    (r"/(a|a)*$", "a"),
    (r"/(a*)*b", "a"),
    (r"(.*a){12}x", "a"),
    (r"^(([a-z])+.)+[A-Z]([a-z])+$", "a"),
]
"""Patterns of catastrophic backtracking, and what to repeat in the address."""


@pytest.mark.parametrize(("pattern", "letter"), HANGING)
def test_no_pattern_takes_longer_than_its_text_allows(pattern: str, letter: str) -> None:
    address = f"http://h.test/{letter * 2000}!"
    patterns = Patterns((pattern,))
    began = time.process_time()
    patterns.match(address)
    assert time.process_time() - began < 1.0


@pytest.mark.parametrize(
    ("patterns", "matches", "others"),
    [
        ((r"\.pdf$", r"/print/"), ["http://h/a.pdf", "http://h/print/a"], ["http://h/a.pdfx"]),
        (("(?i)A", "b"), ["xa", "b"], ["B"]),  # flags of one mean nothing to another
        (("a|b", "c"), ["a", "b", "c"], ["d"]),
        (("(?P<x>a)", "(?P<x>b)"), ["a", "b"], ["x"]),
        (("",), ["anything"], []),
        ((r"^http://h/\d+$",), ["http://h/12"], ["http://h/x"]),
    ],
)
def test_any_pattern_is_enough(
    patterns: tuple[str, ...], matches: list[str], others: list[str]
) -> None:
    compiled = Patterns(patterns)
    assert [text for text in matches + others if compiled.match(text)] == matches


def test_many_that_are_too_large_together_hold_each_by_itself() -> None:
    many = tuple(f"[a-z]{{500}}x{number}[\\w.-]{{200}}" for number in range(300))
    compiled = Patterns(many)
    assert compiled.match("a" * 500 + "x299" + "b" * 200)
    assert not compiled.match("a" * 500 + "y299" + "b" * 200)


def test_a_text_that_is_no_pattern_says_why() -> None:
    for text in ("(", "[", "*a", "\udcff", "x{2000}"):
        with pytest.raises(PatternError, match="is not a regular expression"):
            Patterns((text,))


def test_a_crawl_without_patterns_does_not_load_their_library() -> None:
    code = "import crawler.cli, crawler.policy.scope, sys; sys.exit('re2' in sys.modules)"
    subprocess.run([sys.executable, "-c", f"import crawler._patch; {code}"], check=True)
