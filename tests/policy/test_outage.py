"""When is it the network that is down, and when are only hosts?"""

from __future__ import annotations

import pytest

from crawler.model import NOTHING_ELSE, NOTHING_YET, Doubt, Reply
from crawler.policy.outage import (
    LASTING_S,
    PROBE_S,
    TELLING,
    UNPROVEN_S,
    Outage,
    doubt,
)

OK = Reply(status=200, ip="192.0.2.1", dns_ms=1.0)
KEPT = Reply(status=200, ip="192.0.2.1")
"""By a name that was known, or on a connection that was kept."""
NOT_FOUND = Reply(status=404, ip="192.0.2.1", dns_ms=1.0)


def failing(error: str = "connect_timeout", doubt: Doubt | None = NOTHING_ELSE) -> Reply:
    return Reply(error=error, error_detail="no answer", dns_ms=1.0, doubt=doubt)


def hosts(count: int) -> list[str]:
    return [f"www.h{number}.test" for number in range(count)]


def dead(count: int = TELLING, reply: Reply | None = None) -> Outage:
    """What is known after so many domains have failed, the last at 10 s."""
    outage = Outage()
    outage.observe("good.test", OK, 0.0)
    for host in hosts(count):
        outage.observe(host, reply or failing(), 10.0)
    return outage


@pytest.mark.parametrize(
    ("reply", "layer"),
    [
        (failing("dns_timeout"), "names"),
        (failing("dns_fail"), "names"),
        (failing("connect_timeout"), "links"),
        (failing("connect_refused", NOTHING_YET), "links"),
        (failing("timeout"), "links"),
        (failing("connect_timeout", None), None),  # the witness answered
        (failing("timeout", None), None),
        (Reply(error="dns_fail", error_detail="no such name"), None),
        (failing("tls_verify"), None),
        (failing("conn_reset"), None),
        (OK, None),
    ],
)
def test_only_what_was_found_doubtful_is_doubted(reply: Reply, layer: str | None) -> None:
    assert doubt(reply) == layer


def test_many_domains_that_fail_in_a_row_are_an_outage() -> None:
    assert not dead(TELLING - 1).down
    assert dead(TELLING).down


def test_many_hosts_of_one_domain_are_not() -> None:
    outage = Outage()
    for number in range(100):
        outage.observe(f"h{number}.example.test", failing(), 0.0)
    assert not outage.down


def test_one_success_in_between_begins_the_row_anew() -> None:
    outage = dead(TELLING - 1)
    outage.observe("good.test", OK, 11.0)
    outage.observe("h99.test", failing(), 12.0)
    assert not outage.down


@pytest.mark.parametrize("error", ["timeout", "timeout_total"])
def test_a_kept_connection_that_falls_silent_is_no_success(error: str) -> None:
    """It was made before the cable was pulled, and there is one for each host."""
    outage = dead(TELLING - 1)
    outage.observe("kept.test", Reply(error=error, ip="192.0.2.1"), 11.0)
    outage.observe("last.test", failing(), 12.0)
    assert outage.down
    outage.observe("kept.test", Reply(error=error, ip="192.0.2.1"), 13.0)
    assert outage.down


def test_a_host_that_takes_a_connection_and_then_is_silent_is_one() -> None:
    outage = dead()
    outage.observe("slow.test", Reply(error="timeout", ip="192.0.2.1", connect_ms=1.0), 11.0)
    assert not outage.down


def test_hosts_that_are_down_by_themselves_are_no_outage_however_many() -> None:
    outage = dead(100, failing("connect_timeout", None))
    assert not outage.down


def test_where_few_are_left_it_takes_longer_to_tell() -> None:
    outage = dead(2)
    outage.observe("www.h0.test", failing(), 10.0 + LASTING_S - 0.1)
    assert not outage.down
    outage.observe("www.h1.test", failing(), 10.0 + LASTING_S)
    assert outage.down


def test_nobody_is_blamed_for_what_the_network_did() -> None:
    outage = Outage()
    assert outage.observe("a.test", failing(), 0.0), "from the first on"
    assert not outage.observe("a.test", failing("connect_timeout", None), 1.0)
    assert not outage.observe("a.test", OK, 2.0)


def test_while_nothing_has_answered_the_first_failures_count() -> None:
    outage = Outage()
    blameless = [outage.observe(host, failing(doubt=NOTHING_YET), 0.0) for host in hosts(7)]
    assert blameless == [False] * (TELLING - 1) + [True] * 3
    assert outage.down


def test_probes_go_out_now_and_then_and_the_first_success_ends_it() -> None:
    outage = dead()
    assert not outage.may_probe(10.0 + PROBE_S - 0.1)
    assert outage.may_probe(10.0 + PROBE_S)
    outage.probed(15.0)
    outage.observe("www.h0.test", failing(), 16.0)
    assert not outage.may_probe(19.9)
    assert outage.may_probe(20.0)
    outage.observe("www.h1.test", NOT_FOUND, 21.0)
    assert not outage.down


def test_a_name_that_is_remembered_says_nothing_of_the_resolver() -> None:
    outage = dead(reply=failing("dns_timeout"))
    assert not outage.may_probe(11.0)
    outage.observe("good.test", KEPT, 11.0)
    assert outage.down
    assert outage.may_probe(11.0), "but it need not be waited for"
    outage.observe("192.0.2.7", OK, 12.0)
    assert outage.down, "an address has no name"
    outage.observe("new.test", OK, 13.0)
    assert not outage.down


def test_a_resolver_that_says_no_is_alive() -> None:
    outage = dead(reply=failing("dns_timeout"))
    outage.observe("none.test", Reply(error="dns_fail", error_detail="no such name"), 11.0)
    assert not outage.down


def test_a_witness_that_answers_ends_it_though_its_host_stays_silent() -> None:
    outage = dead()
    outage.observe("www.h0.test", failing("connect_timeout", None), 20.0)
    assert not outage.down


@pytest.mark.parametrize(
    ("reply", "blameless"),
    [
        (failing("dns_timeout", None), True),
        (failing("connect_timeout", None), True),
        (failing("timeout", None), True),
        (failing("connect_refused", None), False),
        (Reply(error="dns_fail", error_detail="no such name"), False),
        (OK, False),
    ],
)
def test_who_was_asked_while_the_network_was_down_is_not_blamed_when_it_is_back(
    reply: Reply, blameless: bool
) -> None:
    """The question was swallowed; the witness was asked only after the network had come back."""
    outage = dead(reply=failing("dns_timeout"))
    assert outage.observe("www.h0.test", reply, 20.0) == blameless
    assert not outage.observe("www.h1.test", reply, 21.0), "once it is up, it counts"


def test_the_person_is_told() -> None:
    assert Outage().notice(0.0) is None
    assert dead().notice(22.0) == "network down since 12 s: probing every 5 s"
    assert "down since" in repr(dead())


def test_a_run_does_not_wait_for_ever() -> None:
    outage = dead()
    assert not outage.hopeless(10.0 + 900, patience_s=900)
    assert outage.hopeless(10.1 + 900, patience_s=900)


def test_a_run_in_which_nothing_ever_answered_waits_less_long() -> None:
    outage = Outage()
    for host in hosts(TELLING):
        outage.observe(host, failing(doubt=NOTHING_YET), 0.0)
    assert not outage.hopeless(UNPROVEN_S, patience_s=900)
    assert outage.hopeless(UNPROVEN_S + 0.1, patience_s=900)
