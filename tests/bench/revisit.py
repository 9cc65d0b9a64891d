"""How many pages does a plan of revisits keep as they are on their site, for how many visits?

A simulated year of 500 pages with known rates of change, under this crawler's rule, a fixed
interval, and the adaptive schedule of Apache Nutch.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from math import exp, log
from typing import NamedTuple

from crawler.policy.revisit import DAY_S, REMEMBERED, YEAR_S, Access, interval_s, rate_per_s

SHARES = ((0.25, 1, 0.23), (1, 7, 0.15), (7, 30, 0.16), (30, 120, 0.16), (120, 1000, 0.30))
"""Pages by the days between their changes: from, to, and the share of all. Cho and Garcia-Molina,
The Evolution of the Web and Implications for an Incremental Crawler (VLDB 2000), figure 2."""
PAGES = 500


class Year(NamedTuple):
    """What a rule comes to: visits in all, and the mean share of pages that are as on the site."""

    visits: int
    freshness: float


Rule = Callable[[list[Access], float], float]
"""From what was seen of a page, and its last interval, to the next interval, in seconds."""


def rates() -> list[float]:
    """Changes a second of each page."""
    chance = random.Random(2000)
    return [
        1 / (DAY_S * exp(chance.uniform(log(low), log(high))))
        for low, high, share in SHARES
        for _ in range(round(PAGES * share))
    ]


def simulate(rule: Rule) -> Year:
    """A year in which each page is visited as the rule says. Changes are a Poisson process: after
    a visit a page stays as it is for an exponential time, whatever was before."""
    chance, fresh, visits = random.Random(7), 0.0, 0
    pages = rates()
    for rate in pages:
        seen: list[Access] = []
        now, interval = 0.0, rule(seen, 0.0)
        while now < YEAR_S:
            visits += 1
            lasts = chance.expovariate(rate)
            span = min(interval, YEAR_S - now)
            fresh += min(lasts, span)
            now += interval
            seen = [*seen[-REMEMBERED + 1 :], Access(interval, lasts < interval)]
            interval = rule(seen, interval)
    return Year(visits, fresh / YEAR_S / len(pages))


def ours(often_s: float) -> Rule:
    return lambda seen, _: interval_s(rate_per_s(seen), often_s=often_s)


def fixed(length_s: float) -> Rule:
    return lambda _seen, _: length_s


def nutch(least_s: float) -> Rule:
    """AdaptiveFetchSchedule: 30 days at first, 40 % more where nothing changed, 20 % less where
    something did, at most a year; its least interval is what makes it ask less."""

    def rule(seen: list[Access], interval: float) -> float:
        if not seen:
            return 30 * DAY_S
        factor = 0.8 if seen[-1].changed else 1.4
        return min(max(interval * factor, least_s), YEAR_S)

    return rule


RULES = {"ours": ours, "fixed interval": fixed, "Nutch": nutch}
"""Each with one setting, in seconds: of the pages visited most often, of all, the least."""


def at(visits: int, rule: Callable[[float], Rule]) -> tuple[Year, float]:
    """The year of a rule that comes to no more than so many visits, and its setting."""
    low, high = 600.0, 200 * DAY_S
    year = simulate(rule(high))
    for _ in range(12):
        middle = (low * high) ** 0.5
        found = simulate(rule(middle))
        if found.visits > visits:
            low = middle
        else:
            high, year = middle, found
    return year, high
