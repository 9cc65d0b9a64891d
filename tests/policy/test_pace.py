"""How long must a host rest, and which URLs are tried again?"""

from __future__ import annotations

import pytest

from crawler.config import PaceConfig
from crawler.policy import pace

DEFAULTS = PaceConfig()


@pytest.mark.parametrize(
    ("own", "crawl_delay_s", "response_s", "penalty_s", "expected"),
    [
        # DESIGN, section 6: max(0.5 s, Crawl-delay, 1 x the recent response time)
        (False, 0.0, 0.0, 0.0, 0.5),
        (False, 0.0, 0.2, 0.0, 0.5),
        (False, 0.0, 3.0, 0.0, 3.0),
        (False, 10.0, 3.0, 0.0, 10.0),
        (False, 10.0, 3.0, 64.0, 64.0),
        # the person's own hosts: no gap, but Crawl-delay is honoured
        (True, 0.0, 3.0, 0.0, 0.0),
        (True, 2.0, 3.0, 0.0, 2.0),
        (True, 0.0, 3.0, 1.0, 1.0),
    ],
)
def test_the_gap_is_the_longest_of_all_that_ask_for_one(
    own: bool, crawl_delay_s: float, response_s: float, penalty_s: float, expected: float
) -> None:
    gap = pace.gap_s(
        DEFAULTS, own=own, crawl_delay_s=crawl_delay_s, response_s=response_s, penalty_s=penalty_s
    )
    assert gap == expected


def test_own_hosts_can_be_treated_like_public_ones() -> None:
    config = PaceConfig(own_is_public=True)
    gap = pace.gap_s(config, own=True, crawl_delay_s=0, response_s=0, penalty_s=0)
    assert gap == 0.5
    assert pace.in_flight_limit(config, own=True, gap_s=0.0) == 1


def test_only_an_own_host_without_a_gap_gets_many_requests_at_once() -> None:
    assert pace.in_flight_limit(DEFAULTS, own=True, gap_s=0.0) == 64
    assert pace.in_flight_limit(DEFAULTS, own=True, gap_s=1.0) == 1
    assert pace.in_flight_limit(DEFAULTS, own=False, gap_s=0.0) == 1


@pytest.mark.parametrize("status", [429, 503])
def test_too_many_requests_and_overload_double_the_gap_up_to_five_minutes(status: int) -> None:
    gap, gaps = 10.0, []
    for _ in range(8):
        gap = pace.penalty_after(status, gap, gap)
        gaps.append(gap)
    assert gaps == [20, 40, 80, 160, 300, 300, 300, 300]


def test_good_answers_heal_the_gap_as_fast_as_it_grew() -> None:
    penalty, gaps = 8.0, []
    for _ in range(6):
        penalty = pace.penalty_after(200, penalty, max(0.5, penalty))
        gaps.append(penalty)
    assert gaps == [4, 2, 1, 0.5, 0.25, 0]


@pytest.mark.parametrize("status", [200, 204, 301, 304, 403, 404, 410, 500, 502, 504])
def test_any_answer_but_429_and_503_heals(status: int) -> None:
    assert pace.penalty_after(status, 8.0, 8.0) == 4.0


def test_no_answer_neither_doubles_nor_heals() -> None:
    assert pace.penalty_after(None, 8.0, 8.0) == 8.0


def test_an_own_host_without_gap_is_slowed_by_429_too() -> None:
    assert pace.penalty_after(429, 0.0, 0.0) == 0.5


def test_the_response_time_remembers_and_forgets() -> None:
    assert pace.response_after(0.0, 200, None, 2000) == 2.0
    assert pace.response_after(2.0, 200, None, 1000) == pytest.approx(1.7)
    quick = 2.0
    for _ in range(30):
        quick = pace.response_after(quick, 200, None, 100)
    assert quick == pytest.approx(0.1, abs=0.01)


def test_silence_counts_as_slowness_and_a_refusal_does_not() -> None:
    assert pace.response_after(1.0, None, "timeout", 21_000) == pytest.approx(7.0)
    assert pace.response_after(1.0, None, "connect_refused", 1) == 1.0
    assert pace.response_after(1.0, None, "dns_fail", None) == 1.0


def test_each_failed_trial_parks_a_host_longer() -> None:
    parks = [pace.park_s(DEFAULTS, parks) for parks in (0, 1, 2, 3, 5000)]
    assert parks == [900, 1800, 3600, 3600, 3600]


def test_an_own_host_is_tried_again_soon() -> None:
    parks = [pace.park_s(DEFAULTS, number, own=True) for number in (0, 1, 2, 5, 5000)]
    assert parks == [30, 60, 120, 960, 3600]
    assert pace.park_s(PaceConfig(own_is_public=True), 1, own=True) == 1800
    assert pace.park_s(PaceConfig(park_s=5), 0, own=True) == 5


@pytest.mark.parametrize(
    ("outcomes", "failing"),
    [
        ("x" * 19, False),
        ("x" * 20, True),
        ("." + "x" * 19, False),
        ("." + "x" * 20, True),
        ("...." + "x" * 20, False),
        # a section whose pages all fail, though the host answers for the others
        ("." * 40 + "x" * 30, False),
        ("." * 40 + "x" * 36, True),
        ("xxxx." * 20, False),
        ("x" * 1000, True),
        ("x" * 1000 + "." * 5, False),
        ("", False),
    ],
)
def test_a_host_is_failing_when_nearly_all_its_last_answers_are(
    outcomes: str, failing: bool
) -> None:
    known = pace.NOTHING_KNOWN
    for outcome in outcomes:
        known = pace.outcomes_after(DEFAULTS, known, failed=outcome == "x")
    assert pace.is_failing(DEFAULTS, known) == failing
    assert known < 2**41


@pytest.mark.parametrize(("errors", "failing"), [(0, False), (19, False), (20, True), (5000, True)])
def test_errors_of_an_earlier_run_count(errors: int, failing: bool) -> None:
    assert pace.is_failing(DEFAULTS, pace.outcomes_of(DEFAULTS, errors)) == failing


PASSING = (408, 425, 509, *range(520, 526), 527, 529, 530, 561, 598, 599)
"""RFC 9110, 15.5.9; RFC 8470, 5.2; bandwidth limits; Cloudflare's 52x; no status at all."""


@pytest.mark.parametrize(
    ("status", "error", "attempt", "state", "reason"),
    [
        (200, None, 1, "done", None),
        (404, None, 1, "done", None),
        (410, None, 1, "done", None),
        # what may heal by waiting is tried three times
        (429, None, 1, "queued", "http_429"),
        (503, None, 2, "queued", "http_503"),
        (503, None, 3, "failed", "http_503"),
        (500, None, 1, "queued", "http_500"),
        # so are statuses of no standard, by which servers and their fronts tell of passing trouble
        *((status, None, 1, "queued", f"http_{status}") for status in PASSING),
        *((status, None, 3, "failed", f"http_{status}") for status in PASSING),
        (None, "timeout", 1, "queued", "timeout"),
        (None, "timeout", 3, "failed", "timeout"),
        (None, "connect_refused", 2, "queued", "connect_refused"),
        (None, "dns_fail", 1, "queued", "dns_fail"),
        (None, "dns_fail", 2, "failed", "dns_fail"),
        (None, "worker_lost", 1, "queued", "worker_lost"),
        (None, "worker_lost", 2, "failed", "worker_lost"),
        # what will be the same tomorrow is not
        (501, None, 1, "failed", "http_501"),
        (505, None, 1, "failed", "http_505"),
        (None, "tls_verify", 1, "failed", "tls_verify"),
        (None, "proto_error", 1, "failed", "proto_error"),
        (200, "too_large", 1, "failed", "too_large"),
        (302, "redirect_loop", 1, "failed", "redirect_loop"),
        (None, "parse_timeout", 1, "failed", "parse_timeout"),
        # our own refusals are no failures of the site
        (None, "blocked_addr", 1, "skipped", "blocked_addr"),
        (None, "blocked_port", 1, "skipped", "blocked_port"),
    ],
)
def test_a_url_is_tried_again_only_for_what_can_heal(
    status: int | None, error: str | None, attempt: int, state: str, reason: str | None
) -> None:
    fate = pace.fate(status, error, attempt, DEFAULTS)
    assert (fate.state, fate.reason) == (state, reason)
    assert (fate.retry_in_s is not None) == (state == "queued")


def test_rests_between_tries_double_within_their_jitter() -> None:
    first = [pace.fate(None, "conn_reset", 1, DEFAULTS, chance=c).retry_in_s for c in (0, 0.5, 1)]
    second = [pace.fate(None, "conn_reset", 2, DEFAULTS, chance=c).retry_in_s for c in (0, 0.5, 1)]
    assert first == pytest.approx([4, 5, 6])
    assert second == pytest.approx([8, 10, 12])


def test_retry_after_is_kept_up_to_an_hour_or_what_is_set() -> None:
    patient = PaceConfig(retry_after_max_s=100_000)
    assert pace.fate(503, None, 1, patient, retry_after_s=86_400).retry_in_s == 86_400
    assert pace.fate(503, None, 1, DEFAULTS, retry_after_s=120).retry_in_s == 120
    assert pace.fate(503, None, 1, DEFAULTS, retry_after_s=86_400).retry_in_s == 3600
    assert pace.fate(503, None, 1, DEFAULTS, retry_after_s=0, chance=0.5).retry_in_s == 10


def test_a_resolver_that_asks_to_try_again_gets_all_tries() -> None:
    """EAI_AGAIN and SERVFAIL say nothing of the name; NXDOMAIN does."""
    again = [pace.fate(None, "dns_fail", attempt, DEFAULTS, try_again=True) for attempt in (2, 3)]
    assert [(fate.state, fate.reason) for fate in again] == [
        ("queued", "dns_fail"),
        ("failed", "dns_fail"),
    ]


def test_the_person_may_ask_for_fewer_tries() -> None:
    assert pace.fate(503, None, 1, PaceConfig(tries=1)).state == "failed"
