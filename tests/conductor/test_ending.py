"""Does a run go on as long as there is something to do, and end for the right reason?"""

from __future__ import annotations

import pytest

from crawler.conductor.ending import LEAST_WAIT_S, TICK_S, Decision, Facts, decide
from crawler.config import RunConfig

NOW = 1000.0
LIMITS = RunConfig(max_seconds=60, max_wait_s=900)

BUSY = {
    "something is out or not stored yet": {"stored": False},
    "seeds are still read": {"loaded": False},
}
ENDS = {
    "nothing waits": ({"due": None}, "finished"),
    "the limit of pages is reached, though more waits": (
        {"due": NOW, "pages_left": False},
        "max_pages",
    ),
    "all lies too far ahead": ({"due": NOW + 900.1}, "deferred"),
}
STOPS = {
    "the time is up, while much is out": ({"elapsed_s": 60.0, "stored": False}, "max_time"),
    "the time is up, while seeds never end": ({"elapsed_s": 60.0, "loaded": False}, "max_time"),
    "the network is given up": ({"hopeless": True, "down": True, "stored": False}, "deferred"),
}
WAITS = {
    "until the next is due": ({"due": NOW + 0.2}, 0.2),
    "never longer than a tick": ({"due": NOW + 100.0}, TICK_S),
    "exactly as far ahead as is waited for": ({"due": NOW + 900.0}, TICK_S),
    "a moment for what is due but held up": ({"due": NOW - 1.0}, LEAST_WAIT_S),
    "a tick while the network is down": ({"due": NOW - 1.0, "down": True}, TICK_S),
    "a tick for what is out, whatever is due": ({"due": NOW - 1.0, "stored": False}, TICK_S),
}


def facts(**known: object) -> Facts:
    return Facts(NOW, **known)  # type: ignore[arg-type]


@pytest.mark.parametrize("known", BUSY.values(), ids=BUSY)
def test_a_run_that_is_not_at_rest_never_ends(known: dict[str, object]) -> None:
    for _, (why, _) in ENDS.items():
        assert decide(facts(**{**why, **known}), LIMITS).act == "wait"


@pytest.mark.parametrize(("known", "reason"), ENDS.values(), ids=ENDS)
def test_a_run_at_rest_ends_when(known: dict[str, object], reason: str) -> None:
    assert decide(facts(**known), LIMITS) == Decision("end", reason)


@pytest.mark.parametrize(("known", "reason"), STOPS.values(), ids=STOPS)
def test_nothing_more_is_leased_when(known: dict[str, object], reason: str) -> None:
    assert decide(facts(**known), LIMITS) == Decision("stop", reason)


@pytest.mark.parametrize(("known", "wait_s"), WAITS.values(), ids=WAITS)
def test_a_run_waits(known: dict[str, object], wait_s: float) -> None:
    decision = decide(facts(**known), LIMITS)
    assert (decision.act, decision.wait_s) == ("wait", pytest.approx(wait_s))


def test_what_is_out_may_finish_as_long_as_a_stop_allows() -> None:
    out = {"stopping": "signal", "stored": False, "drain_until": NOW + 0.1}
    decision = decide(facts(**out), LIMITS)
    assert (decision.act, decision.wait_s) == ("wait", pytest.approx(0.1))
    assert decide(facts(**{**out, "drain_until": NOW}), LIMITS) == Decision("end", "signal")


def test_a_stop_does_not_wait_for_seeds_or_for_what_is_due() -> None:
    known = {"stopping": "signal", "loaded": False, "due": NOW + 5, "elapsed_s": 99.0}
    assert decide(facts(**known), LIMITS) == Decision("end", "signal")


def test_without_a_limit_of_time_a_run_goes_on() -> None:
    assert decide(facts(elapsed_s=1e9, stored=False), RunConfig()).act == "wait"
