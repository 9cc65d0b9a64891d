"""Do numbers read well, and does a stranger's text command nothing?"""

from __future__ import annotations

import pytest

from crawler.faces import wording


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("example.org", "example.org"),
        ("Grüße 漢字 🙂", "Grüße 漢字 🙂"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\nb\tc\0d", r"a\nb\tc\x00d"),
        ("\x9b2J\x7f", r"\x9b2J\x7f"),
        ("\u202etxt.exe", r"\u202etxt.exe"),
        ("in\u200bvisible\ufeff", r"in\u200bvisible\ufeff"),
        ("\ud800", r"\ud800"),
        ("[bold]", "[bold]"),
    ],
)
def test_what_a_terminal_would_obey_is_shown_instead(text: str, shown: str) -> None:
    assert wording.plain(text) == shown


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        (0, "0.0 s"),
        (0.44, "0.4 s"),
        (9.97, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3599.9, "1 h 0 min"),
        (7500, "2 h 5 min"),
        (86_399, "1 d 0 h"),
        (356_400, "4 d 3 h"),
    ],
)
def test_a_time_is_told_in_its_two_largest_units(seconds: float, told: str) -> None:
    assert wording.span(seconds) == told


@pytest.mark.parametrize(
    ("size_bytes", "told"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (310_579, "310.6 kB"),
        (999_960, "1.0 MB"),
        (12_400_000, "12.4 MB"),
        (5e15, "5000.0 TB"),
    ],
)
def test_a_size_is_told_with_one_decimal(size_bytes: float, told: str) -> None:
    assert wording.size(size_bytes) == told


def test_one_is_singular() -> None:
    assert wording.count(1, "page") == "1 page"
    assert wording.count(1204, "page") == "1,204 pages"
    assert wording.count(0, "error") == "0 errors"


def test_a_rate_has_a_decimal_only_while_it_is_small() -> None:
    assert wording.rate(0.25) == "0.2/s"
    assert wording.rate(1204.4) == "1,204/s"
