"""How soon is a page worth a visit again?

Changes of a page are taken for a Poisson process. Its rate is estimated from the visits that there
were, however irregular (Cho and Garcia-Molina, Estimating Frequency of Change, ACM TOIT 3(3), 2003,
section 4); the interval is the one that keeps most pages as they are on their site for a number of
visits (the same, Effective Page Refresh Policies, ACM TODS 28(4), 2003, section 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, expm1, log, log1p, sqrt
from typing import Final, NamedTuple

MINUTE_S: Final = 60.0
DAY_S: Final = 86_400.0
YEAR_S: Final = 365 * DAY_S
LEAST_S, MOST_S = MINUTE_S, YEAR_S
"""No page is visited more often, or more rarely."""
UNKNOWN_S: Final = 14 * DAY_S
"""Of a page that was visited once one half of a change and one half of none is supposed in this
time."""
AGAIN_S: Final = DAY_S
"""A page that could not be reached is tried again after so long, or after its interval."""
REMEMBERED: Final = 20
"""Visits to a page that count, the last ones: sites change their ways."""
STEPS: Final = 60
_GAIN: Final = 0.5351613
_CHANGES: Final = 1.793282
"""Of the pages that are visited most often: what another visit gains, as a share of what it gains
at most; and changes between two visits. Those that change still more gain less, so that the best
plan would drop them; here they are visited as often as these."""


class Access(NamedTuple):
    """Two visits to a page, one after the other: the time between them, and did it change?"""

    seconds: float
    changed: bool


def rate_per_s(accesses: Sequence[Access]) -> float:
    """The rate of change that makes what was seen most likely.

    Half a change in `UNKNOWN_S` is supposed besides, since nobody knows of a page that it never
    changes; and half an access without a change, by which the estimator is corrected for its bias,
    so that a page that changed each time has a rate: as long as those with a change, or `UNKNOWN_S`
    where there is none. Of n equal accesses, X with a change, short beside `UNKNOWN_S`, the rate
    times their length is log((n + 0.5) / (n - X + 0.5)).
    """
    spans = [max(access.seconds, 1.0) for access in accesses if access.changed]
    usual = sum(spans) / len(spans) if spans else UNKNOWN_S
    still = sum(access.seconds for access in accesses if not access.changed) + usual / 2
    rate = log1p((sum(spans) + UNKNOWN_S / 2) / still) / max(usual, UNKNOWN_S)
    for _ in range(STEPS):
        factor = _nearer(rate, still, spans)
        rate *= min(max(factor, 1 / 8), 8.0)
        if abs(factor - 1) < 1e-4:
            break
    return rate


def _nearer(rate: float, still: float, spans: Sequence[float]) -> float:
    """By what to multiply a rate, to come nearer to the most likely one.

    There the sum of t / (exp(rate * t) - 1) over all changes is the time without one. Its
    logarithm falls, ever more steeply, with that of the rate: Newton's method does not miss it.
    """
    total = slope = 0.0
    for weight, span in ((0.5, UNKNOWN_S), *((1.0, span) for span in spans)):
        power = expm1(min(rate * span, 700.0))
        total += weight * span / power
        slope += weight * (span / power) ** 2 * (power + 1)
    return exp(log(total / still) * total / (rate * slope))


def interval_s(rate: float, *, often_s: float) -> float:
    """The time to the next visit of a page with this rate of change, in seconds.

    often_s: of the pages that are visited most often. It stands for the price of a visit: an
    interval is the best where one more visit gains as much anywhere, that is where
    1 - exp(-x) (1 + x) is the price times the rate, of x changes between two visits.
    """
    price = often_s * _GAIN / _CHANGES
    gain = min(rate * price, _GAIN)
    if gain <= 0:
        return MOST_S
    x = min(sqrt(2 * gain), _CHANGES)
    for _ in range(STEPS):
        step = (1 - exp(-x) * (1 + x) - gain) / (x * exp(-x))
        x -= step
        if abs(step) < 1e-9:
            break
    return min(max(x * price / gain, LEAST_S), MOST_S)
