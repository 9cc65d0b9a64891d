"""How long must a URL or a host rest, and when is a URL given up?

Pure: time and chance come in as arguments. Rests are seconds.
"""

from __future__ import annotations

import msgspec

from crawler.config import PaceConfig
from crawler.policy import words

PENALISED = frozenset({429, 503})
PENALTY_MIN_S = 0.5
PENALTY_MAX_S = 300.0
PARK_MAX_S = 3600.0
JITTER = 0.2
FAILING = 0.9
"""Of a host's last answers, the part that has to fail before it is parked."""
NOTHING_KNOWN = 1
"""What `outcomes_after` begins with."""
RESPONSE_MEMORY = 0.7
"""Weight of the past in a host's recent response time."""


class Fate(msgspec.Struct, frozen=True):
    """What becomes of a URL after an attempt.

    state: ``done``, ``failed``, ``skipped``, or ``queued`` for another try.
    reason: a word of ``urls.reason``; kept while another try waits.
    retry_in_s: rest before the next try, None when there is none.
    """

    state: str
    reason: str | None = None
    retry_in_s: float | None = None


DONE = Fate("done")


def failure(status: int | None, error: str | None) -> str | None:
    """The reason this attempt was not a good one, or None: the error, or ``http_503``."""
    return error if error is not None else words.of_answer(status)


def fate(
    status: int | None,
    error: str | None,
    attempt: int,
    config: PaceConfig,
    *,
    retry_after_s: float | None = None,
    try_again: bool = False,
    chance: float = 0.5,
) -> Fate:
    """Decide after attempt number `attempt` (1 for the first); `chance` is in 0..1.

    try_again: the resolver asked for it, so that it counts as one that was silent.
    """
    reason = failure(status, error)
    if reason is None:
        return DONE
    word = words.of("dns_timeout" if try_again else reason)
    if word.skips:
        return Fate("skipped", reason)
    if attempt >= min(word.tries, config.tries):
        return Fate("failed", reason)
    rest = config.retry_base_s * word.rest * 2 ** (attempt - 1) * (1 + JITTER * (2 * chance - 1))
    asked = min(retry_after_s or 0.0, config.retry_after_max_s)
    return Fate("queued", reason, max(rest, asked))


def gap_s(
    config: PaceConfig, *, own: bool, crawl_delay_s: float, response_s: float, penalty_s: float
) -> float:
    """The rest of a host from the end of a reply to the start of the next request.

    crawl_delay_s: from its robots.txt, already capped; 0 for none.
    response_s: the host's recent response time.
    penalty_s: the gap that its 429 and 503 have brought about; 0 when healed.
    """
    if own and not config.own_is_public:
        return max(config.own_gap_s, crawl_delay_s, penalty_s)
    return max(config.gap_s, crawl_delay_s, config.response_factor * response_s, penalty_s)


def penalty_after(status: int | None, penalty_s: float, gap_s: float) -> float:
    """The new penalty after an answer: 429 and 503 double the present gap, any other heals it.

    Healing halves the penalty, so that it sinks below the ordinary gap as fast as it rose.
    """
    if status in PENALISED:
        return min(max(2 * gap_s, PENALTY_MIN_S), max(PENALTY_MAX_S, gap_s))
    if status is not None:
        return penalty_s / 2 if penalty_s > PENALTY_MIN_S / 2 else 0.0
    return penalty_s


def response_after(
    response_s: float, status: int | None, error: str | None, total_ms: float | None
) -> float:
    """The recent response time after an answer, or after waiting for one in vain.

    The newest counts three tenths. A refused or reset connection says nothing of the time that
    the host needs; silence does.
    """
    if total_ms is None or (status is None and not words.of(error).silent):
        return response_s
    newest = total_ms / 1000
    past = response_s or newest
    return RESPONSE_MEMORY * past + (1 - RESPONSE_MEMORY) * newest


def in_flight_limit(config: PaceConfig, *, own: bool, gap_s: float) -> int:
    """Requests that may be in flight to one host: a host with a gap gets one at a time."""
    if own and not config.own_is_public and gap_s <= 0:
        return config.own_in_flight
    return 1


def outcomes_after(config: PaceConfig, outcomes: int, *, failed: bool) -> int:
    """The host's last outcomes with one more: a bit each, 1 for a failure, behind a leading 1.

    Twice as many as park it are remembered, so that a few pages that fail in a row, on a host that
    answers for others, tell nothing of the host.
    """
    most = 2 * config.park_after
    longer = outcomes << 1 | failed
    return longer if longer.bit_length() <= most + 1 else longer & (1 << most) - 1 | 1 << most


def outcomes_of(config: PaceConfig, errors_in_row: int) -> int:
    """What is known of a host's outcomes from an earlier run."""
    known = min(errors_in_row, 2 * config.park_after)
    return (2 << known) - 1


def is_failing(config: PaceConfig, outcomes: int) -> bool:
    """Do nearly all of a host's last answers fail?"""
    known, failed = outcomes.bit_length() - 1, outcomes.bit_count() - 1
    return failed >= max(config.park_after, FAILING * known)


def park_s(config: PaceConfig, parks: int, *, own: bool = False) -> float:
    """How long a host rests that nearly always fails, and has done so `parks` times before.

    Each failed trial after a park doubles the next one, up to an hour. A host of the person's own
    is tried again soon, since somebody may be starting it; but not for ever, or one that stays dead
    would never let the run end.
    """
    first_s = config.park_s
    if own and not config.own_is_public:
        first_s = min(config.own_park_s, config.park_s)
    return min(first_s * 2.0 ** min(parks, 16), max(config.park_s, PARK_MAX_S))


def longest_retry_s(config: PaceConfig) -> float:
    """No URL waits longer for its next try, whatever a stored time says."""
    rests = [
        config.retry_base_s * word.rest * 2.0 ** max(min(word.tries, config.tries) - 2, 0)
        for word in (words.of("http_503"), *words.WORDS.values())
    ]
    return max(config.retry_after_max_s, (1 + JITTER) * max(rests))


def longest_rest_s(config: PaceConfig) -> float:
    """No host rests longer, whatever a stored time says after the clock was set."""
    return max(config.retry_after_max_s, config.park_s, PARK_MAX_S)
