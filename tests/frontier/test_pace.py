"""Is every host left in peace as long as it should be, and no longer?"""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.conductor.flow import job_of
from crawler.model import Reply, Visit
from crawler.store.clock import iso
from tests.frontier.stage import EPOCH, Stage, document, settings

HOST = "http://a.example/"
LINKS = [f"http://a.example/{number}" for number in range(40)]


def begin(stage: Stage) -> None:
    """A host whose robots.txt allows all, and whose first page has 40 links."""
    stage.open_hosts(HOST)
    home, _ = stage.next()
    stage.answer(home, links=LINKS)
    stage.commit()


def gap_after(stage: Stage, **answer: object) -> float:
    """Answer the next request like this; the gap that the host has from then on."""
    lease, _ = stage.next()
    stage.answer(lease, **answer)  # type: ignore[arg-type]  # passed on
    stage.commit()
    return delay_s(stage)


def delay_s(stage: Stage) -> float:
    """The gap that is written down for the host."""
    stage.recorder.record([], stage.frontier.paces(stage.now, stage.wall), stage.wall)
    return int(str(stage.rows("SELECT delay_ms FROM hosts WHERE host = 'a.example'")[0][0])) / 1000


def until_next(stage: Stage) -> float:
    """How long until the host is asked again; the request is given back unanswered."""
    lease, waited = stage.next()
    stage.answer(lease)
    return waited


def test_one_request_at_a_time_goes_to_a_public_host(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    begin(stage)
    stage.sleep(100)
    assert len(stage.lease_all()) == 1


def test_the_gap_runs_from_the_end_of_a_reply(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    begin(stage)
    lease, _ = stage.next()
    stage.sleep(30)
    stage.answer(lease, total_ms=200)
    assert stage.lease() is None
    stage.sleep(0.499)
    assert stage.lease() is None
    stage.sleep(0.002)
    assert stage.lease() is not None


def test_a_slow_host_rests_as_long_as_it_lately_took_to_answer(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    begin(stage)
    slow = [gap_after(stage, total_ms=4000) for _ in range(12)]
    assert slow[0] == pytest.approx(1.2, abs=0.01)
    assert 3.9 < slow[-1] <= 4
    assert stage.next()[1] == pytest.approx(slow[-1], abs=0.01)
    for lease in stage.frontier.entries_leased():
        stage.answer(lease)
    assert [gap_after(stage, total_ms=10) for _ in range(12)][-1] == 0.5


def test_a_host_that_keeps_us_waiting_in_vain_rests_longer(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    begin(stage)
    lease, _ = stage.next()
    stage.fail(lease, "timeout", total_ms=20_000)
    stage.commit()
    assert until_next(stage) == pytest.approx(6.0, abs=0.1)


def test_a_crawl_delay_counts_from_the_reply_that_told_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.open_hosts(HOST, body="User-agent: *\nCrawl-delay: 7")
    home, waited = stage.next()
    assert waited == pytest.approx(7)
    stage.answer(home, links=LINKS)
    stage.commit()
    assert [until_next(stage) for _ in range(3)] == pytest.approx([7, 7, 7])


def test_a_crawl_delay_of_an_hour_counts_as_a_minute(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.open_hosts(HOST, body="User-agent: *\nCrawl-delay: 3600")
    assert stage.next()[1] == pytest.approx(60)


@pytest.mark.parametrize("status", [429, 503])
def test_429_and_503_double_the_gap_and_good_answers_heal_it(tmp_path: Path, status: int) -> None:
    stage = Stage(tmp_path)
    begin(stage)
    answers = (status, status, status, 200, 200, 200, 200)
    gaps = [gap_after(stage, status=answer) for answer in answers]
    assert gaps == [1, 2, 4, 2, 1, 0.5, 0.5]


@pytest.mark.parametrize(("asked_s", "kept_s"), [(7, 7), (3600, 3600), (86_400, 3600)])
def test_retry_after_stops_the_whole_host(tmp_path: Path, asked_s: int, kept_s: int) -> None:
    stage = Stage(tmp_path)
    begin(stage)
    lease, _ = stage.next()
    stage.answer(lease, status=503, retry_after_s=asked_s)
    stage.commit()
    _, waited = stage.next()
    assert waited == pytest.approx(kept_s)


def test_a_host_that_fails_twenty_times_in_a_row_is_parked_and_tried_again(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    begin(stage)
    for _ in range(20):
        lease, waited = stage.next()
        assert waited < 60
        stage.fail(lease, "conn_reset")
        stage.commit()
    assert stage.frontier.resting(stage.now, stage.wall, 5)[0][2] == "parked: conn_reset"
    trial, waited = stage.next()
    assert waited == pytest.approx(900)
    stage.fail(trial, "conn_reset")
    stage.commit()
    trial, waited = stage.next()
    assert waited == pytest.approx(1800)
    stage.answer(trial)
    stage.commit()
    assert until_next(stage) == 0.5


def test_our_own_refusals_and_slow_parses_do_not_park_a_host(tmp_path: Path) -> None:
    stage = Stage(tmp_path, settings(pace={"park_after": 2}))
    begin(stage)
    for error in ("parse_timeout", "blocked_port", "worker_lost", "parse_timeout", "blocked_addr"):
        lease, _ = stage.next()
        stage.fail(lease, error)
        stage.commit()
        assert until_next(stage) <= 0.5


# The person's own hosts


def own(stage: Stage, links: int = 200, body: str = "") -> None:
    stage.open_hosts("http://127.0.0.1/", body=body)
    home, _ = stage.next()
    stage.answer(home, links=[f"http://127.0.0.1/{n}" for n in range(links)], ip="127.0.0.1")
    stage.commit()


def test_an_own_host_gets_64_requests_at_once_and_no_gap(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    own(stage)
    out = stage.lease_all()
    assert len(out) == 64
    stage.answer(out[0], ip="127.0.0.1")
    assert stage.lease() is not None
    assert stage.lease() is None


def test_an_own_host_with_a_crawl_delay_gets_one_request_at_a_time(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    own(stage, body="User-agent: *\nCrawl-delay: 2")
    stage.sleep(10)
    out = stage.lease_all()
    assert len(out) == 1
    stage.answer(out[0], ip="127.0.0.1")
    stage.commit()
    assert stage.next()[1] == pytest.approx(2)


def test_a_volley_of_503_from_an_own_host_counts_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    own(stage)
    for lease in stage.lease_all():
        stage.answer(lease, status=503, ip="127.0.0.1")
    stage.commit()
    _, waited = stage.next()
    assert waited == pytest.approx(0.5)
    assert stage.lease() is None


def test_a_volley_of_errors_parks_an_own_host_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    own(stage)
    for lease in stage.lease_all():
        stage.fail(lease, "connect_refused")
    stage.commit()
    trial, waited = stage.next()
    assert waited == pytest.approx(30)
    assert stage.lease() is None
    stage.answer(trial, ip="127.0.0.1")
    assert len(stage.lease_all()) == 64


def test_an_own_host_of_which_other_pages_answer_is_not_parked(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    own(stage, links=400)
    for number in range(150):
        lease = stage.lease()
        assert lease is not None, "parked"
        if number < 40 or number % 3 == 0:
            stage.answer(lease, ip="127.0.0.1")
        else:
            stage.fail(lease, "conn_closed")


@pytest.mark.parametrize(
    ("answer", "why"),
    [({"total_ms": 100_000}, "pace"), ({"status": 503}, "slowed by 429 or 503")],
)
def test_a_pace_is_kept_by_the_next_run_and_so_is_its_reason(
    tmp_path: Path, answer: dict[str, object], why: str
) -> None:
    stage = Stage(tmp_path)
    begin(stage)
    before = max(gap_after(stage, **answer) for _ in range(4))
    stage.close()
    again = Stage(tmp_path, now=stage.now)
    again.refill()
    assert [reason for _, _, reason in again.frontier.resting(again.now, again.wall, 5)] == [why]
    lease = again.next()[0]
    again.fail(lease, "conn_reset")  # tells nothing of the pace
    again.commit()
    assert delay_s(again) == pytest.approx(before, rel=0.01)


def test_a_retry_after_holds_although_other_answers_come_later(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    own(stage)
    first, *others = stage.lease_all()
    stage.answer(first, status=503, retry_after_s=100, ip="127.0.0.1")
    for lease in others:
        stage.answer(lease, ip="127.0.0.1")
    stage.commit()
    assert stage.next()[1] == pytest.approx(100)


def test_a_name_is_an_own_host_only_while_its_address_is(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.at["intra.example"] = ("10.1.2.3",)
    stage.seed("http://intra.example/")
    robots, _ = stage.next()
    stage.answer(robots, status=404, ip="10.1.2.3")
    stage.commit()
    home, waited = stage.next()
    assert waited == 0
    stage.answer(home, links=[f"http://intra.example/{n}" for n in range(90)], ip="10.1.2.3")
    stage.commit()
    out = stage.lease_all()
    assert len(out) == 64
    for lease in out:
        assert not lease.private_ok
        stage.answer(lease, ip="93.184.215.14")
    stage.commit()
    assert stage.next()[1] == 0.5
    assert stage.lease() is None


# Caps


def hosts_of(domain: str, count: int) -> list[str]:
    return [f"http://h{number}.{domain}/" for number in range(count)]


def test_four_requests_at_a_time_go_to_one_registered_domain(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.seed(*hosts_of("example.com", 10), "http://other.org/")
    out = stage.lease_all()
    assert [lease.entry.url for lease in out] == [
        *[f"{host}robots.txt" for host in hosts_of("example.com", 4)],
        "http://other.org/robots.txt",
    ]
    stage.answer(out[0], status=404)
    assert stage.lease_all()[0].entry.url == "http://h4.example.com/robots.txt"


SHARED = "93.184.215.14"


def share(stage: Stage, count: int, *addresses: str) -> None:
    """Seeds of so many domains, all at these addresses."""
    for number in range(count):
        stage.at[f"site{number}.example"] = addresses
    stage.seed(*[f"http://site{number}.example/" for number in range(count)])


@pytest.mark.parametrize(
    "addresses",
    [
        pytest.param((SHARED,), id="one"),
        pytest.param(("93.184.0.1", SHARED), id="as the second of two"),
        pytest.param((f"::ffff:{SHARED}", SHARED), id="in both families"),
    ],
)
def test_four_requests_at_a_time_go_to_one_public_address(
    tmp_path: Path, addresses: tuple[str, ...]
) -> None:
    """From the very first on: before anything is sent, it is known where to."""
    stage = Stage(tmp_path)
    share(stage, 10, *addresses)
    out = stage.lease_all()
    assert len(out) == 4
    assert all(lease.addresses == addresses for lease in out)
    fetched = [lease.host_id for lease in out]
    for _ in range(6):
        stage.answer(out.pop(0), status=404, ip=SHARED)
        assert not stage.lease_all(), "its place rests, too"
        stage.sleep(0.5)
        out += stage.lease_all()
        assert len(out) == 4
        fetched.append(out[-1].host_id)
    assert len(set(fetched)) == 10


def test_an_address_of_many_hosts_rests_like_a_host(tmp_path: Path) -> None:
    """Four places, each of which rests half a second: eight requests a second, however many hosts
    share the address."""
    stage = Stage(tmp_path)
    share(stage, 100, SHARED)
    begun = 0
    for _ in range(20):
        for lease in stage.lease_all():
            begun += 1
            stage.answer(lease, status=404, ip=SHARED)
        stage.commit()
        stage.sleep(0.25)
    assert begun == 4 * 10


def test_a_rest_of_an_address_ends_no_run(tmp_path: Path) -> None:
    stage = Stage(tmp_path, settings(pace={"per_ip": 1, "gap_s": 10.0}))
    share(stage, 2, SHARED)
    (lease,) = stage.lease_all()
    stage.answer(lease, status=404, ip=SHARED)
    stage.commit()
    assert stage.lease() is None
    assert stage.frontier.next_due(stage.now, stage.wall) == pytest.approx(stage.now + 10)


def test_a_few_hosts_of_an_address_are_asked_as_if_each_had_its_own(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    share(stage, 4, SHARED)
    for _ in range(2):
        out = stage.lease_all()
        assert len(out) == 4
        for lease in out:
            stage.answer(lease, status=404, ip=SHARED)
        stage.commit()
        stage.sleep(0.5)


def test_a_host_that_moved_counts_where_it_is_now(tmp_path: Path) -> None:
    stage = Stage(tmp_path, settings(pace={"per_ip": 1}))
    stage.at |= {"a.example": (SHARED,), "b.example": ("93.184.0.1",)}
    stage.seed("http://a.example/", "http://b.example/")
    here, moved = stage.lease_all()
    assert moved.addresses == ("93.184.0.1",)
    elsewhere = Reply(addresses=(SHARED,))
    stage.flow.located(Visit(job_of(moved), elsewhere, document(()), iso(stage.wall)))
    assert stage.lease() is None, "its new address has its one request"
    stage.answer(here, status=404, ip=SHARED)
    stage.sleep(1)
    again = stage.lease()
    assert again is not None
    assert again.entry == moved.entry
    assert SHARED in (again.addresses or ())


def test_a_host_whose_addresses_never_stand_still_rests_between_two_questions(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path)
    stage.seed("http://a.example/")
    asked = 0
    began = stage.now
    for number in range(20):
        lease = stage.flow.lease(1)
        if lease is None:
            stage.wait()
            continue
        asked += 1
        reply = Reply(addresses=(f"93.184.1.{number}",))
        stage.flow.located(Visit(job_of(lease), reply, document(()), iso(stage.wall)))
    assert asked >= 5
    assert stage.now - began > asked


def test_after_a_failure_the_addresses_of_a_host_are_found_out_anew(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.open_hosts("http://a.example/")
    home, _ = stage.next()
    stage.fail(home, "connect_refused")
    stage.commit()
    stage.at["a.example"] = ("93.184.7.7",)
    again, _ = stage.next()
    assert again.entry.url == home.entry.url
    assert again.addresses is not None
    assert again.addresses[0] == "93.184.7.7"


def test_a_host_whose_addresses_were_just_found_goes_before_those_still_unknown(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path)
    stage.seed("http://a.example/", "http://b.example/", "http://c.example/")
    asks = stage.flow.lease(1)
    assert asks is not None
    assert asks.addresses == ()
    stage.sleep(0.1)
    reply = Reply(addresses=("93.184.1.1",))
    stage.flow.located(Visit(job_of(asks), reply, document(()), iso(stage.wall)))
    again = stage.flow.lease(1)
    assert again is not None
    assert (again.entry.url, again.addresses) == (asks.entry.url, ("93.184.1.1",))


def test_many_questions_for_the_same_addresses_cost_a_host_no_rest(tmp_path: Path) -> None:
    stage = Stage(tmp_path, settings(pace={"own_in_flight": 8, "park_after": 100}))
    stage.at["a.example"] = ("10.77.0.2",)
    stage.open_hosts("http://a.example/")
    home, _ = stage.next()
    stage.answer(home, links=[f"http://a.example/{n}" for n in range(8)], ip="10.77.0.2")
    stage.commit()
    for lease in stage.lease_all():
        stage.fail(lease, "conn_reset")
    stage.commit()
    stage.sleep(60)
    stage.refill()
    asked = [lease for lease in iter(lambda: stage.flow.lease(1 << 20), None) if lease]
    assert [lease.addresses for lease in asked] == [()] * 8
    for lease in asked:
        reply = Reply(addresses=stage.at["a.example"])
        stage.flow.located(Visit(job_of(lease), reply, document(()), iso(stage.wall)))
    assert len(stage.lease_all()) == 8


def test_own_hosts_are_connected_to_at_once(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.seed("http://127.0.0.1/", "http://localhost/")
    for _ in range(2):
        lease = stage.flow.lease(1)
        assert lease is not None
        assert lease.addresses is None


def test_a_host_whose_work_vanished_does_not_keep_others_from_a_cap(tmp_path: Path) -> None:
    stage = Stage(tmp_path, settings(pace={"per_domain": 1}))
    stage.seed(*hosts_of("example.com", 4))
    order = []
    for _ in range(4):
        lease, _ = stage.next()
        order.append(lease)
        assert stage.lease() is None
        stage.fail(lease, "tls_verify")
        stage.commit()
    assert {lease.entry.url for lease in order} == {
        f"{host}robots.txt" for host in hosts_of("example.com", 4)
    }
    assert stage.queued() == 0
    assert stage.frontier.next_due(stage.now, stage.wall) is None


# Between hosts


def test_hosts_take_turns(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    hosts = [f"http://site{number}.example/" for number in range(5)]
    stage.open_hosts(*hosts)
    for _ in hosts:
        home, _ = stage.next()
        stage.answer(home, links=[f"{home.entry.url}{number}" for number in range(20)])
        stage.commit()
    turns: list[int] = []
    for _ in range(50):
        lease, _ = stage.next()
        turns.append(lease.host_id)
        stage.answer(lease)
        stage.commit()
    for start in range(0, 50, 5):
        assert len(set(turns[start : start + 5])) == 5


def healthy_and_dead(stage: Stage, healthy: int, dead: int) -> None:
    """Healthy hosts have answered, dead ones are being asked for the first time."""
    stage.open_hosts(*[f"http://good{number}.example/" for number in range(healthy)])
    stage.seed(*[f"http://dead{number}.example/" for number in range(dead)])


def test_hosts_that_do_not_answer_leave_slots_to_those_that_do(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    healthy_and_dead(stage, healthy=8, dead=100)
    slots = 32
    out = stage.lease_all(slots)
    dead = [lease for lease in out if "dead" in lease.entry.url]
    assert len(dead) == slots - 8
    stage.sleep(1)
    good = stage.lease_all(slots - len(dead))
    assert len(good) == 8


def test_where_none_is_healthy_every_slot_is_used(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    healthy_and_dead(stage, healthy=0, dead=100)
    assert len(stage.lease_all(32)) == 32


# What can be seen of it


def test_every_rest_can_be_read_in_the_hosts_table(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    begin(stage)
    lease, _ = stage.next()
    stage.answer(lease, status=429, retry_after_s=90, ip="93.184.215.14")
    stage.commit()
    sql = """
        SELECT ip, delay_ms, next_fetch_at, blocked_until, block_reason, errors_in_row, queued
        FROM hosts
        WHERE host = 'a.example'
    """
    ip, delay_ms, next_fetch_at, blocked_until, reason, errors, queued = stage.rows(sql)[0]
    assert (ip, delay_ms, errors, queued) == ("93.184.215.14", 1000, 0, 40)
    assert next_fetch_at == blocked_until
    assert reason == "retry_after: 429"
    ((name, seconds, why),) = stage.frontier.resting(stage.now, stage.wall, 5)
    assert (name, why) == ("a.example", "retry_after: 429")
    assert seconds == pytest.approx(90)


@pytest.mark.parametrize(
    ("robots", "answer", "why"),
    [
        ("", {}, "pace"),
        ("User-agent: *\nCrawl-delay: 9", {}, "crawl_delay"),
        ("", {"status": 503}, "slowed by 429 or 503"),
        ("", {"status": 429, "retry_after_s": 5}, "retry_after: 429"),
    ],
)
def test_a_rest_says_why(tmp_path: Path, robots: str, answer: dict[str, object], why: str) -> None:
    stage = Stage(tmp_path)
    stage.open_hosts(HOST, body=robots)
    home, _ = stage.next()
    stage.answer(home, links=LINKS)
    stage.commit()
    lease, _ = stage.next()
    stage.answer(lease, **answer)  # type: ignore[arg-type]  # passed on
    stage.commit()
    assert stage.frontier.resting(stage.now, stage.wall, 5)[0][2] == why


def test_a_url_that_waits_for_another_try_is_shown_with_its_host(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.open_hosts(HOST)
    home, _ = stage.next()
    stage.fail(home, "timeout")
    stage.commit()
    ((name, seconds, why),) = stage.frontier.resting(stage.now, stage.wall, 5)
    assert (name, why) == ("a.example", "retry")
    assert 8 <= seconds <= 12


# A run that goes on where another ended


def test_a_rest_is_kept_by_the_next_run(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    begin(stage)
    lease, _ = stage.next()
    stage.answer(lease, status=503, retry_after_s=100)
    stage.commit()
    stage.close()
    later = Stage(tmp_path, now=stage.now + 40)
    later.refill()
    _, waited = later.next()
    assert waited == pytest.approx(60, abs=0.1)


def test_a_crawl_delay_is_kept_by_the_next_run_although_the_last_was_killed(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path)
    stage.open_hosts(HOST, body="User-agent: *\nCrawl-delay: 20")
    home, _ = stage.next()
    stage.answer(home, links=LINKS)  # and the process is killed before that is stored
    stage.close()
    later = Stage(tmp_path, now=stage.now + 1)
    later.refill()
    _, waited = later.next()
    assert waited >= 19


def test_a_wall_clock_that_was_set_back_a_day_keeps_no_host_waiting(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    begin(stage)
    stage.close()
    later = Stage(tmp_path, epoch=EPOCH - 86_400)
    later.refill()
    _, waited = later.next()
    assert waited <= 0.5


# Slots


def never_answering(count: int) -> list[str]:
    return [f"http://tarpit{number}.example/" for number in range(count)]


def test_hosts_that_were_tried_in_vain_leave_slots_to_those_that_never_were(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path, settings(pace={"retry_base_s": 0.01}))
    stage.seed(*never_answering(40))
    for lease in stage.lease_all(40):
        stage.fail(lease, "timeout")
    stage.commit()
    stage.sleep(1)
    late = [f"http://late{number}.example/" for number in range(10)]
    stage.seed(*late)
    out = [lease.entry.url for lease in stage.lease_all(16)]
    assert len(out) == 16
    assert sum("late" in url for url in out) >= 4
