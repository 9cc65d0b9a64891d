"""Do the counters say what was committed?"""

from __future__ import annotations

from collections import Counter

import pytest

from crawler.conductor.account import RATE_WINDOW_S, Account
from crawler.store.contract import Settled, Supplies


def test_what_is_stored_adds_up_and_what_waits_is_as_last_told() -> None:
    account = Account()
    account.settled(Settled(pages=3, errors=1, bytes=500, statuses=Counter({"200": 2}), queued=9))
    account.settled(Settled(pages=2, bytes=100, statuses=Counter({"200": 1, "404": 1}), queued=7))
    assert (account.pages, account.errors, account.bytes, account.queued) == (5, 1, 600, 7)
    assert account.statuses == {"200": 3, "404": 1}


def test_what_the_queue_settled_itself_waits_no_more() -> None:
    account = Account()
    account.settled(Settled(queued=10))
    account.supplied(Supplies((), (), None, (), (), None, False, {"robots": 3, "host_cap": 1}))
    assert account.queued == 6


def test_the_rate_is_of_the_last_seconds_alone() -> None:
    account = Account()
    for second in range(100):
        account.mark(float(second))
        account.settled(Settled(pages=10 if second >= 80 else 1000))
    assert account.rate(99.0) == pytest.approx(10, rel=0.2)
    assert account.rate(99.0 + 10 * RATE_WINDOW_S) < 2
