"""Is a time-out that this process itself caused held against nobody?"""

from __future__ import annotations

import time

import gevent
import pytest
from gevent.monkey import get_original

from crawler.fetch.deadlines import Deadline, Silence
from crawler.fetch.dns import Names
from tests.fetch.stage import Recorded, fetcher, job, ok, stage

stop = get_original("time", "sleep")
"""Stops all greenlets, as SIGSTOP or a long parse does."""
LONG_S, SOON_S = 60, 20
"""What nobody ends takes the one; what is ended in time less than the other, on any machine."""


@pytest.mark.parametrize("play_s", [0.0, 0.3])
def test_a_process_that_stood_still_blames_no_server(play_s: float) -> None:
    """Case 184. The answer came while everything stood still; the limits are 1 s and 0.6 s."""

    def play(peer: Recorded) -> None:
        peer.request()
        gevent.sleep(play_s)
        peer.say(ok(b"hello"))

    with stage(play) as server:
        one = fetcher(ask=lambda host: ["127.0.0.1"])
        threads = [gevent.spawn(one.fetch, job(server.url(host=f"h{n}.test"))) for n in range(20)]
        gevent.sleep(0)
        stop(1.3)
        gevent.joinall(threads, timeout=SOON_S)
    assert [thread.value.error for thread in threads] == [None] * 20


def test_a_process_that_stood_still_blames_no_resolver() -> None:
    def ask(host: str) -> list[str]:
        gevent.sleep(0.05)
        return ["127.0.0.1"]

    thread = gevent.spawn(Names(ask).addresses, "a.test", 0.3)
    gevent.sleep(0)
    stop(0.6)
    assert thread.get(timeout=SOON_S) == ("127.0.0.1",)


def test_a_resolver_that_is_late_while_nothing_stood_still_is_late() -> None:
    began = time.monotonic()
    thread = gevent.spawn(Names(lambda host: gevent.sleep(LONG_S)).addresses, "a.test", 0.2)
    thread.join(LONG_S)
    assert "dns_timeout" in str(thread.exception)
    assert time.monotonic() - began < SOON_S


def test_time_for_which_the_process_stood_still_does_not_count_against_a_deadline() -> None:
    with Deadline(0.6):
        stop(1.0)
        gevent.sleep(0.1)


def test_a_deadline_still_ends_what_never_ends() -> None:
    def for_ever() -> None:
        with Deadline(0.2):
            stop(0.5)
            gevent.sleep(LONG_S)

    began = time.monotonic()
    with pytest.raises(Deadline):
        for_ever()
    assert time.monotonic() - began < SOON_S


def test_silence_ends_a_wait_each_time_it_is_too_long() -> None:
    silence = Silence(0.1)
    for _ in range(2):
        began = time.monotonic()
        silence.start()
        with pytest.raises(TimeoutError):
            gevent.sleep(LONG_S)
        assert 0.1 <= time.monotonic() - began < SOON_S


def test_where_two_limits_are_due_at_once_what_the_first_ends_can_stop_the_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    failures: list[object] = []
    monkeypatch.setattr(gevent.get_hub(), "handle_error", lambda *failure: failures.append(failure))
    silence, deadline = Silence(0.1), Deadline(0.1001)
    silence.start()
    with deadline, pytest.raises(TimeoutError):
        gevent.sleep(5)
    gevent.sleep(0.2)
    assert not failures


def test_nobody_looks_at_the_clock_while_there_is_no_limit() -> None:
    gevent.sleep(0.2)
    before = gevent.get_hub().loop.activecnt
    with Deadline(0.1):
        gevent.sleep(0)
        assert gevent.get_hub().loop.activecnt > before
    with gevent.Timeout(SOON_S, AssertionError("somebody still looks at the clock")):
        while gevent.get_hub().loop.activecnt > before + 1:  # this very wait
            gevent.sleep(0.05)
