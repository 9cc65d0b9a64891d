"""Which words are told to have gone, and which to have come?"""

from __future__ import annotations

import random
import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as some

from crawler.policy.word_diff import Hunk, changed_words

TABLE = [
    # before, after, what went and what came in which place of the new text
    ("", "", []),
    ("the same words", "the  same\nwords", []),
    ("", "all new", [(1, "", "all new")]),
    ("all gone", "", [(1, "all gone", "")]),
    ("a price of 10 euros", "a price of 12 euros", [(4, "10", "12")]),
    ("one two", "zero one two", [(1, "", "zero")]),
    ("one two", "one two three", [(3, "", "three")]),
    ("a b c d e f", "a x c d f", [(2, "b", "x"), (5, "e", "")]),
    # written without spaces: each letter is a word
    ("\u4eca\u65e5\u306f\u96e8", "\u4eca\u65e5\u306f\u6674", [(4, "\u96e8", "\u6674")]),
    ("Stra\u00dfe 1", "Strasse 1", [(1, "Stra\u00dfe", "Strasse")]),
]


@pytest.mark.parametrize(("before", "after", "wanted"), TABLE)
def test_words_that_differ_are_told(
    before: str, after: str, wanted: list[tuple[int, str, str]]
) -> None:
    assert [(hunk.word, hunk.removed, hunk.added) for hunk in changed_words(before, after)] == (
        wanted
    )


def test_a_change_stands_among_its_neighbours() -> None:
    before = " ".join(f"w{number}" for number in range(40))
    [hunk] = changed_words(before, before.replace("w20", "x"))
    assert hunk == Hunk(21, "w20", "x", "w14 w15 w16 w17 w18 w19", "w21 w22 w23 w24 w25 w26")


def undone(after: str, hunks: list[Hunk]) -> list[str]:
    """The words of the text before, made of the text after and what is said of it."""
    words = after.split()
    for hunk in reversed(hunks):
        at = hunk.word - 1
        words[at : at + len(hunk.added.split())] = hunk.removed.split()
    return words


texts = some.lists(some.sampled_from(["a", "b", "c.", "d", "e"]), max_size=1200).map(" ".join)


@given(texts, texts)
def test_what_is_told_makes_one_text_of_the_other(before: str, after: str) -> None:
    assert undone(after, changed_words(before, after)) == before.split()


@pytest.mark.parametrize(
    "kind", ["edited", "all other", "all one word", "every tenth word", "every other word"]
)
def test_a_long_text_is_compared_within_bounds(kind: str) -> None:
    chance = random.Random(1)
    before = [f"word{chance.randrange(5000)}" for _ in range(180_000)]
    after = list(before)
    if kind == "edited":
        del after[1000:1010]
        after[90_000:90_000] = ["inserted", "words"]
    elif kind == "all other":
        after = [word[::-1] for word in before]
    elif kind == "all one word":
        before, after = ["same"] * 180_000, ["same"] * 170_000 + ["other"] * 9_000
    elif kind == "every other word":
        before[::2] = after[::2] = ["same."] * 90_000
        after[1::2] = [word[::-1] for word in before[1::2]]
    else:
        after[::10] = ["changed"] * len(after[::10])
    begun = time.process_time()
    hunks = changed_words(" ".join(before), " ".join(after))
    assert time.process_time() - begun < 20  # some 2 s at the most
    assert undone(" ".join(after), hunks) == before
    if kind == "edited":
        assert [(hunk.word, re.findall("inserted", hunk.added)) for hunk in hunks] == [
            (1001, []), (90_001, ["inserted"]),
        ]  # fmt: skip
