"""Do bodies on their way keep within their budget, and does none wait for ever?"""

from __future__ import annotations

import gzip

import brotli
import gevent
import pytest
from backports import zstd

from crawler.config import FetchConfig
from crawler.fetch.memory_budget import FREE, UNIT, Budget
from tests.fetch.stage import Recorded, fetcher, job, ok, serving, stage
from tests.patience import PATIENT_S, until

PATIENT = FetchConfig(connect_s=1.0, read_s=5.0, total_s=5.0, max_body_bytes=10_000_000)


def test_a_small_body_asks_nobody() -> None:
    budget = Budget(1)
    with budget.share() as share:
        share.reach(FREE)
        assert (budget.held, share.waited_s) == (0, 0.0)


def test_a_large_body_holds_units_until_it_is_done() -> None:
    budget = Budget(100 * UNIT)
    with budget.share() as share:
        share.reach(FREE + 1)
        assert budget.held == UNIT
        share.reach(FREE + UNIT)
        assert budget.held == UNIT
        share.reach(FREE + UNIT + 1)
        assert budget.held == 2 * UNIT
    assert budget.held == 0


def test_who_finds_nothing_left_waits_until_somebody_is_done() -> None:
    budget = Budget(2 * UNIT)
    first, second = budget.share(), budget.share()
    first.reach(FREE + 2 * UNIT)
    waiting = gevent.spawn(second.reach, FREE + 1)
    gevent.sleep(0.01)
    assert (waiting.ready(), second.waits, budget.waiting) == (False, True, 1)
    first.close()
    waiting.join(PATIENT_S)
    assert (waiting.ready(), second.waits, budget.held) == (True, False, UNIT)
    assert second.waited_s > 0


def test_the_oldest_never_waits_so_that_all_come_to_their_end() -> None:
    """However little there is, and though all want more than there is."""
    budget = Budget(UNIT)
    peak = 0

    def grow() -> None:
        nonlocal peak
        with budget.share() as share:
            for units in range(1, 11):
                share.reach(FREE + units * UNIT)
                peak = max(peak, budget.held)
                gevent.sleep(0)

    threads = [gevent.spawn(grow) for _ in range(50)]
    gevent.joinall(threads, timeout=PATIENT_S)
    assert all(thread.successful() for thread in threads)
    assert peak <= budget.limit + 10 * UNIT, "only one goes beyond the limit"
    assert (budget.held, budget.waiting) == (0, 0)


def test_one_that_is_killed_while_it_waits_leaves_nothing_behind() -> None:
    budget = Budget(UNIT)
    first = budget.share()
    first.reach(FREE + UNIT)

    def wait() -> None:
        with budget.share() as share:
            share.reach(FREE + UNIT)

    waiting = gevent.spawn(wait)
    gevent.sleep(0.01)
    waiting.kill()
    first.close()
    assert (budget.held, budget.waiting) == (0, 0)


def test_bodies_that_come_at_once_take_turns() -> None:
    budget = Budget(3_000_000)
    peak = 0

    with stage(serving(ok(bytes(2_000_000)))) as server:
        one = fetcher(PATIENT, budget=budget)

        def one_after_the_other() -> int:
            nonlocal peak
            with one.share() as share:
                reply = one.fetch(job(server.url()), share)
                peak = max(peak, budget.held)
                gevent.sleep(0.01)  # as long as it is parsed
                return len(reply.body)

        threads = [gevent.spawn(one_after_the_other) for _ in range(20)]
        gevent.joinall(threads, timeout=PATIENT_S)
    assert [thread.value for thread in threads] == [2_000_000] * 20
    assert peak <= budget.limit + 2_000_000 + UNIT
    assert budget.held == 0


@pytest.mark.parametrize(
    "body", [ok(bytes(1_000_000)), b"HTTP/1.1 200 OK\r\n\r\n" + bytes(500_000)]
)
def test_a_body_for_which_no_memory_came_free_in_time_blames_nobody(body: bytes) -> None:
    budget = Budget(UNIT)
    with budget.share() as other, stage(serving(body)) as server:
        other.reach(FREE + UNIT)
        one = fetcher(FetchConfig(total_s=0.5), budget=budget)
        reply = one.fetch(job(server.url()))
    assert (reply.status, reply.error, reply.truncated) == (200, "cancelled", "time")
    assert budget.held == 0


def test_an_endless_header_of_a_coding_counts_too() -> None:
    """A gzip stream whose file name never ends decodes to nothing, and is remembered."""
    start = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x08\0\0\0\0\0\x03"

    def play(peer: Recorded) -> None:
        peer.request()
        peer.say(start)
        for _ in range(40):
            peer.say(b"x" * 65536)
        gevent.sleep(PATIENT_S)

    budget = Budget(100 * UNIT)
    with stage(play) as server:
        one = fetcher(FetchConfig(read_s=PATIENT_S, total_s=PATIENT_S), budget=budget)
        thread = gevent.spawn(one.fetch, job(server.url()))
        until(lambda: budget.held >= 9 * UNIT)
        thread.kill()
    assert budget.held == 0


@pytest.mark.parametrize(("coding", "times"), [(b"gzip", 1), (b"zstd", 2), (b"br", 2)])
def test_a_decoder_with_a_large_window_counts_for_what_it_remembers(
    coding: bytes, times: int
) -> None:
    packed = {b"gzip": gzip.compress, b"zstd": zstd.compress, b"br": brotli.compress}[coding]
    budget = Budget(100 * UNIT)
    with stage(serving(ok(packed(bytes(4 * UNIT)), b"Content-Encoding: " + coding))) as server:
        one = fetcher(PATIENT, budget=budget)
        with one.share() as share:
            assert len(one.fetch(job(server.url()), share).body) == 4 * UNIT
            assert times * 4 * UNIT - FREE <= budget.held <= times * 4 * UNIT + UNIT
