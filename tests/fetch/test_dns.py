"""What comes of names that do not resolve, or resolve oddly?

HOSTILE.md, cases 1 to 13; 5 and 6 are in test_connections, 8 in test_gate.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import dns.rcode
import gevent
import pytest
from gevent.event import Event
from gevent.monkey import get_original

from crawler.fetch.dns import Names, asker, by_ares, by_threads, is_name
from crawler.fetch.failures import Failure
from tests.fetch.nameserver import LOOP, SILENT, Found, Nameserver
from tests.fetch.stage import PATIENT, QUICK, fetcher, job, ok, serving, stage
from tests.patience import PATIENT_S

ZONE: dict[str, Found] = {
    "good.test": ["127.0.0.1"],
    "servfail.test": dns.rcode.SERVFAIL,
    "silent.test": SILENT,
    "empty.test": [],
    "a_b.test": ["127.0.0.1"],
    "metadata.test": ["169.254.169.254"],
    "loop.test": LOOP,
}


@pytest.fixture
def nameserver() -> Iterator[Nameserver]:
    server = Nameserver(ZONE)
    yield server
    server.close()


def resolver(server: Nameserver) -> object:
    return by_ares(["127.0.0.1"], server.port)


@pytest.mark.parametrize(
    ("host", "error"),
    [
        ("nothing.test", "dns_fail"),  # 1
        ("servfail.test", "dns_fail"),  # 2
        ("silent.test", "dns_timeout"),  # 3
        ("empty.test", "dns_fail"),  # 4
        ("loop.test", "dns_fail"),  # 7
        ("metadata.test", "blocked_addr"),  # 9
        ("x" * 64 + ".test", "dns_fail"),  # 10; policy has refused it before as url_invalid
        ("a..b", "dns_fail"),  # 11
        ("a" * 300, "dns_fail"),
    ],
)
def test_a_name_that_leads_nowhere_is_told(nameserver: Nameserver, host: str, error: str) -> None:
    one = fetcher(QUICK if error == "dns_timeout" else PATIENT, ask=resolver(nameserver))
    reply = one.fetch(job(f"http://{host}:8080/"))
    assert (reply.status, reply.error) == (None, error), reply.error_detail
    if host in ("a..b", "a" * 300) or host.startswith("xxx"):
        assert nameserver.asked == [], "nobody was asked"


@pytest.mark.parametrize("host", ["good.test", "a_b.test", "GOOD.test", "good.test."])
def test_a_good_name_is_fetched(nameserver: Nameserver, host: str) -> None:
    """Cases 12 and 13."""
    with stage(serving(ok(b"hi"))) as server:
        one = fetcher(ask=resolver(nameserver))
        reply = one.fetch(job(f"http://{host}:{server.port}/"))
    assert (reply.status, reply.ip) == (200, "127.0.0.1"), reply.error_detail


class Fake:
    """A resolver that counts, and takes its time."""

    def __init__(self, answers: dict[str, object], pause_s: float = 0.0) -> None:
        self.answers = answers
        self.asked: list[str] = []
        self.pause_s = pause_s

    def __call__(self, host: str) -> list[str]:
        self.asked.append(host)
        gevent.sleep(self.pause_s)
        found = self.answers.get(host)
        if isinstance(found, Exception):
            raise found
        return found or []


def test_greenlets_that_want_one_name_share_one_question() -> None:
    ask = Fake({"a.test": ["127.0.0.1"]}, pause_s=0.05)
    names = Names(ask)
    threads = [gevent.spawn(names.addresses, "a.test", PATIENT_S) for _ in range(50)]
    gevent.joinall(threads)
    assert {thread.value for thread in threads} == {("127.0.0.1",)}
    assert ask.asked == ["a.test"]


def test_the_first_to_give_up_does_not_spoil_it_for_the_others() -> None:
    given_up = Event()
    names = Names(lambda host: given_up.wait(PATIENT_S) and ["127.0.0.1"])
    hasty = gevent.spawn(names.addresses, "a.test", 0.05)
    patient = gevent.spawn(names.addresses, "a.test", PATIENT_S)
    with pytest.raises(Failure, match="dns_timeout"):
        hasty.get()
    given_up.set()
    assert patient.get() == ("127.0.0.1",)


@pytest.mark.parametrize(
    ("answer", "error", "kept_s"),
    [
        (["127.0.0.1"], None, 300.0),
        ([], "dns_fail", 30.0),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), "dns_fail", 30.0),
        (socket.gaierror(socket.EAI_AGAIN, "try again"), "dns_fail", 5.0),
        (socket.gaierror(12, "ares: timeout"), "dns_timeout", 5.0),
        (UnicodeError("label too long"), "dns_fail", 30.0),
    ],
)
def test_an_answer_is_kept_for_as_long_as_it_is_worth(
    answer: object, error: str | None, kept_s: float
) -> None:
    ask = Fake({"a.test": answer})
    names = Names(ask)
    before = time.monotonic()
    for _ in range(3):
        if error is None:
            names.addresses("a.test", 1.0)
        else:
            with pytest.raises(Failure, match=error):
                names.addresses("a.test", 1.0)
    assert ask.asked == ["a.test"]
    assert before + kept_s <= names._known["a.test"].until <= time.monotonic() + kept_s


def test_names_are_forgotten_when_there_are_too_many() -> None:
    names = Names(Fake({f"h{n}.test": ["127.0.0.1"] for n in range(50)}), kept=10)
    for n in range(50):
        names.addresses(f"h{n}.test", 1.0)
    assert names.stats().names == 10


@pytest.mark.parametrize(
    ("host", "address"), [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1"), ("8.8.8.8", "8.8.8.8")]
)
def test_a_literal_address_is_not_asked_for(host: str, address: str) -> None:
    ask = Fake({})
    assert Names(ask).addresses(host, 1.0) == (address,)
    assert ask.asked == []


@pytest.mark.parametrize(
    ("host", "possible"),
    [
        ("a.test", True),
        ("a.test.", True),
        ("a_b.test", True),
        ("xn--bcher-kva.test", True),
        ("x" * 63 + ".test", True),
        ("x" * 64 + ".test", False),
        ("a..b", False),
        (".", False),
        ("", False),
        ("a b", False),
        ("b\u00fccher.test", False),
        (".".join(["x" * 60] * 5), False),
    ],
)
def test_only_names_that_dns_could_hold_are_asked_for(host: str, possible: bool) -> None:
    assert is_name(host) is possible


def test_two_hundred_dead_names_do_not_slow_a_living_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Section 0, number 9: gevent's own pool has ten threads."""
    import _socket

    real_sleep = get_original("time", "sleep")

    def slow(host: str, *rest: object) -> object:
        if host.startswith("dead"):
            real_sleep(1.5)
            raise socket.gaierror(socket.EAI_AGAIN, "try again")
        return [(2, 1, 6, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(_socket, "getaddrinfo", slow)
    names = Names(by_threads())
    dead = [gevent.spawn(names.addresses, f"dead{n}.test", 0.5) for n in range(200)]
    gevent.sleep(0.2)
    began = time.monotonic()
    assert names.addresses("living.test", 60.0) == ("127.0.0.1",)
    assert time.monotonic() - began < 15, "ten at a time, the dead take 30 s"
    gevent.joinall(dead)
    assert all("dns_timeout" in str(thread.exception) for thread in dead)
    gevent.sleep(1.5)  # the threads come home before the patch goes


def test_the_environment_can_name_the_resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEVENT_RESOLVER", "thread")
    assert "127.0.0.1" in asker("ares")("localhost")
