"""Which outcomes make a command fail, and which words name them?"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from crawler.policy.conditions import (
    UnknownCondition,
    check_known,
    met,
    need_checks,
    not_judged,
    split,
)


@dataclass(frozen=True, slots=True)
class Made:
    """What came of a check."""

    name: str
    severity: str
    found: int
    new: int = 0
    judged: int = 1
    reason: str | None = None


MADE = [
    Made("broken_links", "error", 3, 1),
    Made("title_missing", "warning", 5, 2),
    Made("many_links", "note", 7, 7),
    Made("no_answer", "error", 0),
    Made("broken_assets", "error", 0, judged=0, reason="no assets were asked for"),
]
NAMES = [one.name for one in MADE]


@pytest.mark.parametrize(
    ("condition", "found", "found_new"),
    [
        ("broken_links", 3, 1),
        ("no_answer", 0, 0),
        ("broken_assets", 0, 0),
        ("severity=error", 3, 1),
        ("severity=warning", 8, 3),  # a warning, or what is worse
        ("severity=note", 15, 10),
        ("new", 3, 3),  # a note is nothing that anybody has to mend
        ("unfinished", 9, 9),
    ],
)
def test_a_condition_is_met_by_what_it_names(condition: str, found: int, found_new: int) -> None:
    expected = [(condition, found)] if found else []
    assert met([condition], MADE, queued=9) == expected
    expected = [(condition, found_new)] if found_new else []
    assert met([condition], MADE, queued=9, only_new=True) == expected


def test_each_condition_is_enough() -> None:
    asked = split(["unfinished,no_answer", " new , new"])
    assert asked == ["unfinished", "no_answer", "new"]
    assert met(asked, MADE, queued=0) == [("new", 3)]


def test_only_the_queue_can_be_told_without_checks() -> None:
    assert need_checks(["unfinished", "new", "severity=note", "x"]) == ["new", "severity=note", "x"]


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("broken_link", 'did you mean "broken_links"?'),
        ("unfinishd", 'did you mean "unfinished"?'),
        ("severity=errors", 'did you mean "severity=error"?'),
        ("severity:warning", 'did you mean "severity=warning"?'),
        ("news", 'did you mean "new"?'),
        (
            "0",
            "unfinished, new, severity=error, severity=warning, severity=note, or a check",
        ),
    ],
)
def test_an_unknown_condition_is_refused_with_what_was_meant(text: str, hint: str) -> None:
    with pytest.raises(UnknownCondition) as refused:
        check_known(["new", text], NAMES)
    assert str(refused.value) == f'unknown condition "{text}" ({hint})'


def test_what_could_not_be_judged_is_named() -> None:
    told = dict(not_judged(["new", "broken_assets", "broken_links", "of_tomorrow"], MADE))
    assert list(told) == ["broken_assets", "of_tomorrow"]
    assert told["broken_assets"] == "no assets were asked for"
