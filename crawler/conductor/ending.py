"""Does a run go on, wait, or end, and why?

Pure: facts and limits in, a decision out; time is in the facts, in seconds of a clock that never
goes back.
"""

from __future__ import annotations

from math import inf
from typing import Literal

import msgspec

from crawler.config import RunConfig

Parts = Literal["none", "wanted", "only"]
"""What becomes of what pages are made of when no more pages may be leased: it is as pages are; it
is still wanted; or it is all that is leased by now."""

TICK_S = 0.5
"""No wait is longer: limits are looked at again."""
LEAST_WAIT_S = 0.005
"""What is due but cannot be had yet is looked for again after this."""


class Facts(msgspec.Struct, frozen=True):
    """What an ending is judged by.

    now: the moment. elapsed_s: since the crawl began.
    stopping: why nothing more is leased; None while it is. drain_until: so long what is out may
        take when the run is stopping.
    stored: nothing is out, and all that came back is in the file.
    loaded: all seeds have been read, and nothing is being looked up.
    pages_left: the limit of pages lets more be leased. parts: see `Parts`.
    due: when something may be fetched at the earliest, None when nothing waits.
    stopped: why a site was left alone before all of it was fetched, None where none was.
    down: the network is. hopeless: it has been for longer than is waited for.
    others: other shards may still find something for this one. deserted: some of them have been
    away for longer than is waited for.
    """

    now: float
    elapsed_s: float = 0.0
    stopping: str | None = None
    drain_until: float = inf
    stored: bool = True
    loaded: bool = True
    pages_left: bool = True
    parts: Parts = "none"
    due: float | None = None
    stopped: str | None = None
    down: bool = False
    hopeless: bool = False
    others: bool = False
    deserted: bool = False


class Decision(msgspec.Struct, frozen=True):
    """What to do now.

    act: ``wait`` for at most `wait_s`, as long as nothing happens; ``stop`` leasing for `reason`,
    and decide again; go on with what pages are made of alone (``parts``); ``rest``, until other
    shards find something or all is over; or ``end`` the run for `reason`.
    """

    act: Literal["wait", "stop", "parts", "rest", "end"]
    reason: str = ""
    wait_s: float = 0.0


REST = Decision("rest", wait_s=TICK_S)


def decide(facts: Facts, limits: RunConfig) -> Decision:
    """The next thing to do. Reasons are words of ``runs.finish_reason``."""
    if facts.stopping is not None:
        return _drain(facts, facts.stopping)
    reason = _stop_reason(facts, limits)
    if reason is not None:
        return Decision("stop", reason)
    if not (facts.stored and facts.loaded):
        return _wait_for(facts.due, facts.now, least_s=TICK_S)
    if not facts.pages_left and facts.parts == "wanted":
        return Decision("parts")
    reason = _end_reason(facts, limits)
    if reason is not None and facts.others:
        return Decision("stop", "deserted") if facts.deserted else REST
    if reason is not None:
        return Decision("end", reason)
    return _wait_for(None if facts.down else facts.due, facts.now, least_s=LEAST_WAIT_S)


def _drain(facts: Facts, reason: str) -> Decision:
    """What is out finishes, for as long as it may."""
    if facts.stored or facts.now >= facts.drain_until:
        return Decision("end", reason)
    return _wait_for(facts.drain_until, facts.now, least_s=LEAST_WAIT_S)


def _stop_reason(facts: Facts, limits: RunConfig) -> str | None:
    """Why nothing more may be leased though something is out."""
    if limits.max_seconds and facts.elapsed_s >= limits.max_seconds:
        return "max_time"
    return "deferred" if facts.hopeless else None


def _end_reason(facts: Facts, limits: RunConfig) -> str | None:
    """Why there is nothing to do when all is at rest."""
    is_far = facts.due is None or facts.due > facts.now + limits.max_wait_s
    if not facts.pages_left and (is_far or facts.parts == "none"):
        return "max_pages"
    if facts.due is None:
        return facts.stopped or "finished"
    return "deferred" if is_far else None


def _wait_for(moment: float | None, now: float, *, least_s: float) -> Decision:
    """Until that moment; what is past has been seen, and is looked for again after `least_s`."""
    if moment is None:
        return Decision("wait", wait_s=TICK_S)
    ahead_s = moment - now if moment > now else least_s
    return Decision("wait", wait_s=min(ahead_s, TICK_S))
