"""Is a value shown as people write it?"""

from __future__ import annotations

from typing import Any

import pytest

from crawler.faces.audit import lines
from crawler.faces.templating import cell, number, score
from crawler.store.audit import Audit, Judged


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"), (12345, "12,345"), (-1234, "-1,234"),
        (0.0, "0"), (3.0, "3"), (1672.4, "1,672"), (123456.7, "123,457"), (99.96, "100"),
        (12.345, "12.3"), (0.06764, "0.0676"), (-1672.4, "-1,672"), (1e-9, "0"),
        (float("inf"), "inf"),
    ],
)  # fmt: skip
def test_a_number_has_three_digits_and_no_exponent(value: float, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.parametrize(
    ("value", "column", "shown"),
    [
        (7423423434543534, "text_hash", "7423423434543534"),
        (12345, "url_id", "12345"),
        (404, "status", "404"),
        (12345, "body_bytes", "12,345"),
        ("2026-11-29T02:00:44.534Z", "started_at", "2026-11-29 02:00:44</time>"),
        ("2026-11-29T02:00:44.534Z, I said", "title", "2026-11-29T02:00:44.534Z, I said"),
        ('{"title": "Lamp", "characters": 71}', "evidence", "title: Lamp, characters: 71"),
        (None, "title", "&ndash;</span>"),
    ],
)
def test_a_cell_is_shown_by_what_it_means(value: Any, column: str, shown: str) -> None:
    told = cell(value, column)
    assert told == shown or told.endswith((f">{shown}", shown))


def test_a_group_of_which_nothing_was_judged_has_no_score() -> None:
    judged = Judged("slow", "answers", "error", "it is slow", 1, None, 2, 0, 0)
    unknown = Judged("js_title", "rendering", "error", "it differs", 0, "not rendered", 0, 0, 0)
    audit = Audit(1, 0, 10, [judged, unknown], {"answers": 80, "rendering": None}, [], False, 0)
    assert audit.score == 80
    told = list(lines(audit))
    assert [line for line in told if line.startswith("rendering")] == [
        "rendering        -   not judged"
    ]
    assert score(None) == "not judged"
    assert score(80) == "80 of 100"
