"""When is a page visited again, and does that keep more pages fresh than other rules do?"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, expm1, log

import pytest
from hypothesis import given
from hypothesis import strategies as some

from crawler.policy.revisit import (
    DAY_S,
    MOST_S,
    REMEMBERED,
    UNKNOWN_S,
    Access,
    interval_s,
    rate_per_s,
)
from tests.bench import revisit

# The rate of change


@pytest.mark.parametrize(("changes", "visits"), [(1, 1), (1, 10), (5, 10), (9, 10), (20, 20)])
@pytest.mark.parametrize("length", [60.0, 3600.0])
def test_of_equal_accesses_the_rate_is_the_corrected_one(
    changes: int, visits: int, length: float
) -> None:
    """Cho and Garcia-Molina 2003, section 4.2: -log((n - X + 0.5) / (n + 0.5))."""
    accesses = [Access(length, number < changes) for number in range(visits)]
    wanted = log((visits + 0.5) / (visits - changes + 0.5))
    assert rate_per_s(accesses) * length == pytest.approx(wanted, rel=0.01)


@pytest.mark.parametrize(("changes", "visits"), [(0, 1), (1, 1), (0, 10), (3, 10), (10, 10)])
def test_half_a_change_in_two_weeks_is_supposed_besides(changes: int, visits: int) -> None:
    accesses = [Access(UNKNOWN_S, number < changes) for number in range(visits)]
    wanted = log((visits + 1) / (visits - changes + 0.5))
    assert rate_per_s(accesses) * UNKNOWN_S == pytest.approx(wanted, rel=0.002)


@pytest.mark.parametrize("seconds", [1.0, 3600.0, DAY_S, 90 * DAY_S])
def test_a_visit_without_a_change_makes_no_page_change_more(seconds: float) -> None:
    seen: list[Access] = []
    for _ in range(5):
        before = rate_per_s(seen)
        seen.append(Access(seconds, False))
        assert rate_per_s(seen) <= before * 1.0001


def test_of_a_page_that_was_visited_once_half_a_change_is_supposed() -> None:
    assert rate_per_s([]) == pytest.approx(log(2) / UNKNOWN_S)


def likelihood(accesses: Sequence[Access], rate: float) -> float:
    """Of irregular intervals (section 4.3), with the two halves that are supposed."""
    spans = [access.seconds for access in accesses if access.changed] or [UNKNOWN_S]
    total = 0.5 * log(-expm1(-rate * UNKNOWN_S)) - 0.5 * rate * sum(spans) / len(spans)
    for seconds, changed in accesses:
        total += log(-expm1(-rate * seconds)) if changed else -rate * seconds
    return total


some_accesses = some.lists(
    some.builds(Access, some.floats(60, 1e7), some.booleans()), min_size=1, max_size=REMEMBERED
)


@given(some_accesses)
def test_of_irregular_intervals_no_rate_is_more_likely(accesses: list[Access]) -> None:
    rate = rate_per_s(accesses)
    found = likelihood(accesses, rate)
    assert all(likelihood(accesses, rate * factor) <= found + 1e-6 for factor in (0.5, 0.9, 1.1, 2))


@given(some_accesses, some.integers(0, REMEMBERED - 1))
def test_a_change_more_makes_the_rate_no_less(accesses: list[Access], at: int) -> None:
    at %= len(accesses)
    more = [*accesses[:at], Access(accesses[at].seconds, True), *accesses[at + 1 :]]
    assert rate_per_s(more) >= rate_per_s(accesses) * 0.998


# The interval


@pytest.mark.parametrize(
    ("changes_every", "often", "wanted"),
    [
        # days; what changes oftener than it can be followed is visited as often as any
        (0.001, 1, 1.0), (0.1, 1, 1.0), (0.5, 1, 1.0), (1, 1, 1.093), (7, 1, 2.27), (30, 1, 4.44),
        (365, 1, 14.9), (3650, 1, 46.8),
        (0.1, 0.1, 0.1093), (30, 7, 12.9),
        # within a minute and a year
        (1 / 86_400, 1 / 86_400, 1 / 1440), (1e9, 30, 365),
    ],
)  # fmt: skip
def test_an_interval_follows_from_the_rate(
    changes_every: float, often: float, wanted: float
) -> None:
    days = interval_s(1 / (changes_every * DAY_S), often_s=often * DAY_S) / DAY_S
    assert days == pytest.approx(wanted, rel=0.03)


def test_a_page_that_never_changes_is_visited_once_a_year() -> None:
    assert interval_s(0.0, often_s=DAY_S) == MOST_S


@given(some.floats(1e-9, 1), some.floats(1e-9, 1), some.floats(60, 1e7))
def test_what_changes_more_is_visited_no_less(one: float, other: float, often: float) -> None:
    least, most = sorted((one, other))
    assert interval_s(most, often_s=often) <= interval_s(least, often_s=often) * (1 + 1e-6)


@given(some.floats(1e-8, 1e-4), some.floats(3600, 1e6))
def test_a_visit_more_gains_as_much_anywhere(rate: float, often: float) -> None:
    """Where pages are not visited as often as any: the derivative of freshness by frequency."""
    interval = interval_s(rate, often_s=often)
    if often * 1.01 < interval < MOST_S:
        x = rate * interval
        assert (1 - exp(-x) * (1 + x)) / rate == pytest.approx(
            often * 0.5351613 / 1.793282, rel=1e-3
        )


# A simulated year of 500 pages; `make bench WORK=revisit` compares for more numbers of visits


def test_a_year_keeps_more_pages_fresh_than_other_rules_do_with_as_many_visits() -> None:
    plan = revisit.simulate(revisit.ours(4.1 * DAY_S))
    fixed = revisit.simulate(revisit.fixed(7 * DAY_S))
    nutch = revisit.simulate(revisit.nutch(1.75 * DAY_S))
    assert plan.visits < min(fixed.visits, nutch.visits) < 27_000
    assert plan.freshness > fixed.freshness + 0.01
    assert plan.freshness > nutch.freshness + 0.05
