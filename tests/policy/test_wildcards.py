"""Which of many wildcard patterns fits a path, and ranks highest?"""

from __future__ import annotations

import random
import re
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.policy.wildcards import PathPatterns, Pattern


@cache
def meaning(pattern: Pattern) -> re.Pattern[str]:
    """The definition itself, as a regular expression."""
    middle = "".join(".*" + re.escape(segment) for segment in pattern.segments)
    end = ".*" if pattern.end is None else ".*" + re.escape(pattern.end)
    return re.compile(re.escape(pattern.prefix) + middle + end, re.DOTALL)


def best(rows: list[Pattern], path: str) -> int:
    return max((row.rank for row in rows if meaning(row).fullmatch(path)), default=0)


LETTERS = st.text("ab/", max_size=4)
ROWS = st.lists(
    st.builds(
        Pattern,
        LETTERS,
        st.lists(LETTERS.filter(bool), max_size=4).map(tuple),
        st.none() | LETTERS.filter(bool),
        st.integers(1, 99),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=500)
@given(ROWS, st.text("ab/", max_size=12))
def test_the_best_pattern_is_the_highest_of_all_that_fit(rows: list[Pattern], path: str) -> None:
    assert PathPatterns(rows).best(path) == best(rows, path)


@pytest.mark.parametrize("seed", range(3))
def test_thousands_of_patterns_decide_as_one_by_one(seed: int) -> None:
    # Enough distinct segments, short and long, that they are filed by their grams.
    chance = random.Random(seed)

    def text(most: int) -> str:
        return "".join(chance.choices("abc/", k=chance.randint(1, most)))

    rows = [
        Pattern(
            "/" if chance.random() < 0.7 else text(3),
            tuple(text(chance.choice((2, 5, 40))) for _ in range(chance.randint(0, 3))),
            text(3) if chance.random() < 0.3 else None,
            chance.randint(1, 10**6),
        )
        for _ in range(1500)
    ]
    patterns = PathPatterns(rows)
    for _ in range(12):
        row = chance.choice(rows)
        likely = row.prefix + text(3).join(row.segments) + (row.end or "")
        for path in (likely, "/" + text(60), row.prefix + text(9)):
            assert patterns.best(path) == best(rows, path)


def test_nothing_below_the_floor_is_of_interest() -> None:
    patterns = PathPatterns([Pattern("/", ("a",), None, 5), Pattern("/", ("b",), "c", 9)])
    assert patterns.best("/ab", 4) == 5
    assert patterns.best("/ab", 5) == 5
    assert patterns.best("/abc", 5) == 9
    assert patterns.best("/abc", 20) == 20


def test_a_chain_of_a_quarter_million_wildcards_is_no_deep_recursion() -> None:
    patterns = PathPatterns([Pattern("/", ("a",) * 250_000, None, 1), Pattern("/", ("a",), "b", 2)])
    assert patterns.best("/" + "a" * 2000) == 0
    assert patterns.best("/aab") == 2


def test_nested_chains_are_no_deep_recursion() -> None:
    rows = [Pattern("/", ("a",) * n, "z", n) for n in range(1, 700)]
    assert PathPatterns(rows).best("/" + "a" * 500 + "z") == 500
