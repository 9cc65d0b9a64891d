"""Is a host reached where any of its addresses can be, and by no other way?"""

from __future__ import annotations

import resource
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import gevent
import psutil
import pytest
from msgspec.structs import replace

from crawler.fetch.dns import KEPT_ADDRESSES, Names
from crawler.fetch.failures import Failure
from crawler.fetch.race import HEAD_START_MIN_S, HEAD_START_S, Race, head_start_s, interleaved
from crawler.fetch.route import Route, split
from tests.fetch.stage import QUICK, fetch, fetcher, job, ok, serving, stage
from tests.patience import PATIENT_S, until

HI = serving(ok(b"hi"))


@contextmanager
def refusing() -> Iterator[int]:
    """A port at which nobody listens, and nobody can begin to: it is taken."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@contextmanager
def black_hole(host: str = "127.0.0.1", port: int = 0) -> Iterator[int]:
    """Its port; a listener whose backlog is full answers no SYN, and that needs no root."""
    with ExitStack() as opened:
        listener = opened.enter_context(socket.socket())
        listener.bind((host, port))
        listener.listen(0)
        for _ in range(3):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield listener.getsockname()[1]


@contextmanager
def black_holes(count: int, port: int) -> Iterator[list[str]]:
    """Addresses that answer nothing at this port."""
    ips = [f"127.0.1.{number}" for number in range(1, count + 1)]
    with ExitStack() as opened:
        for ip in ips:
            opened.enter_context(black_hole(ip, port))
        yield ips


def test_a_refused_connection_is_told() -> None:
    """Case 14."""
    with refusing() as port:
        reply = fetch(f"http://127.0.0.1:{port}/")
    assert (reply.status, reply.error, reply.ip) == (None, "connect_refused", "127.0.0.1")


def test_a_black_hole_times_out() -> None:
    """Case 15."""
    with black_hole() as port:
        began = time.monotonic()
        reply = fetch(f"http://127.0.0.1:{port}/", QUICK)
        took = time.monotonic() - began
    assert (reply.status, reply.error) == (None, "connect_timeout")
    assert 0.8 < took < 20, "the system itself gives up after two minutes"


@pytest.mark.parametrize(
    ("given", "tried"),
    [
        # RFC 8305, section 4: the first family of the resolver's order begins, then they alternate.
        (["::1", "::2", "1.1.1.1", "2.2.2.2"], ["::1", "1.1.1.1", "::2", "2.2.2.2"]),
        (["1.1.1.1", "2.2.2.2", "::1"], ["1.1.1.1", "::1", "2.2.2.2"]),
        (["1.1.1.1", "::1", "::2", "::3"], ["1.1.1.1", "::1", "::2", "::3"]),
        (["1.1.1.1", "2.2.2.2"], ["1.1.1.1", "2.2.2.2"]),
        (["::1"], ["::1"]),
        ([], []),
    ],
)
def test_families_take_turns(given: list[str], tried: list[str]) -> None:
    assert interleaved(given) == tried


@pytest.mark.parametrize(
    ("count", "limit_s", "head_start"),
    [
        (1, 10.0, HEAD_START_S),
        (20, 10.0, HEAD_START_S),  # section 5: 250 ms
        (40, 10.0, 0.125),
        (4, 1.0, 0.125),
        (256, 1.0, HEAD_START_MIN_S),  # section 5: never less than 10 ms
    ],
)
def test_a_head_start_leaves_half_of_the_time_to_the_last(
    count: int, limit_s: float, head_start: float
) -> None:
    assert head_start_s(count, limit_s) == head_start


@pytest.mark.parametrize("dead", [1, 4, 12])
def test_addresses_that_answer_nothing_leave_time_for_one_that_does(dead: int) -> None:
    with stage(HI) as server, black_holes(dead, server.port) as ips:
        one = fetcher(QUICK, ask=lambda host: [*ips, "127.0.0.1"])
        reply = one.fetch(job(f"http://h.test:{server.port}/"))
    assert (reply.status, reply.ip) == (200, "127.0.0.1"), reply.error_detail
    assert reply.connect_ms is not None
    assert reply.connect_ms < 900, "less than the one deadline for all"


def test_four_dead_addresses_and_a_living_one_of_the_other_family() -> None:
    with stage(HI, host="::1") as server, black_holes(4, server.port) as ips:
        one = fetcher(ask=lambda host: [*ips, "::1"])
        reply = one.fetch(job(f"http://h.test:{server.port}/"))
    assert (reply.status, reply.ip) == (200, "::1"), reply.error_detail


def test_the_living_family_may_be_the_second() -> None:
    with stage(HI) as server:
        one = fetcher(ask=lambda host: ["::1", "127.0.0.1"])
        assert one.fetch(job(f"http://h.test:{server.port}/")).ip == "127.0.0.1"


def test_every_address_is_tried_while_they_refuse() -> None:
    """Cases 5 and 6: two hundred that refuse cost nothing but a packet each."""
    with stage(HI) as server:
        one = fetcher(ask=lambda host: [f"127.0.0.{n}" for n in range(2, 202)] + ["127.0.0.1"])
        assert one.fetch(job(f"http://h.test:{server.port}/")).ip == "127.0.0.1"
    assert server.connections == 1


def test_an_address_of_a_network_that_is_not_here_gives_way_to_the_next() -> None:
    with stage(HI) as server:
        one = fetcher(ask=lambda host: ["::1%nowhere", "127.0.0.1"])
        assert one.fetch(job(f"http://h.test:{server.port}/")).ip == "127.0.0.1"
        alone = fetcher(ask=lambda host: ["::1%nowhere"])
        assert alone.fetch(job(f"http://h.test:{server.port}/")).error == "connect_refused"


def test_of_a_name_with_thousands_of_addresses_both_families_are_kept_and_few_tried() -> None:
    many = [f"127.1.{n // 250}.{n % 250}" for n in range(3000)] + ["::1"]
    found = Names(lambda host: many).addresses("h.test", 1.0)
    assert len(found) == KEPT_ADDRESSES
    assert "::1" in found


def test_the_address_that_took_a_connection_comes_first_from_then_on() -> None:
    play = serving(ok(b"hi", b"Connection: close"))
    with stage(play) as server:
        one = fetcher(ask=lambda host: ["127.0.1.1", "127.0.0.1"])
        with black_hole("127.0.1.1", server.port):
            first = one.fetch(job(f"http://h.test:{server.port}/"))
        with socket.create_server(("127.0.1.1", server.port)):  # it would be taken now
            second = one.fetch(job(f"http://h.test:{server.port}/"))
    assert first.connect_ms is not None
    assert first.connect_ms > 200
    assert first.ip == second.ip == "127.0.0.1"


def test_what_is_told_of_many_addresses_is_what_says_most() -> None:
    """A host's refusal is its own word; silence may have many reasons."""
    with black_hole("127.0.1.1") as port:
        one = fetcher(QUICK, ask=lambda host: ["127.0.1.1", "127.0.0.3", "127.0.0.4"])
        reply = one.fetch(job(f"http://h.test:{port}/"))
    assert (reply.error, reply.ip) == ("connect_refused", "127.0.0.3")


def test_a_race_that_is_lost_or_ended_leaves_no_socket_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with black_holes(6, port) as ips:
            before = sockets_to(port)
            Race([*ips[:2], "127.0.0.1"], port).run(10.0).close()
            assert sockets_to(port) == before
            with pytest.raises(Failure, match="connect_timeout"):
                Race(ips, port).run(0.3)
            assert sockets_to(port) == before
            ended = gevent.spawn(Race(ips, port).run, 60.0)
            until(lambda: sockets_to(port) > before)
            ended.kill()
            assert sockets_to(port) == before


def test_few_attempts_run_side_by_side() -> None:
    with black_hole() as port, black_holes(12, port) as ips:
        before = sockets_to(port)
        race = Race([*ips, *["127.0.0.1"] * 288], port)  # many have short head starts
        racing = gevent.spawn(race.run, 30.0)
        counted = {0}
        while race.ip != ips[-1]:
            counted.add(len(sockets_to(port) - before))
            gevent.sleep(0.01)
        counted.add(len(sockets_to(port) - before))
        racing.kill()
    assert 2 <= max(counted) <= 8


def sockets_to(port: int) -> set[int]:
    """Descriptors of this process that are on their way to this port of any address, or there.

    What else the process holds may come and go meanwhile: earlier tests have left it.
    """
    held = psutil.Process().net_connections("tcp4")
    return {one.fd for one in held if one.raddr and one.raddr.port == port}


class Changing:
    """A resolver whose answer changes."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.asked = 0

    def __call__(self, host: str) -> list[str]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[return-value]  # no exception


@pytest.mark.parametrize(
    "trouble",
    [
        socket.gaierror(socket.EAI_AGAIN, "try again"),  # kept for 5 s
        socket.gaierror(socket.EAI_NONAME, "unknown"),  # kept for 30 s
        [],
    ],
)
def test_a_retry_asks_for_the_name_anew(trouble: object) -> None:
    with stage(HI) as server:
        ask = Changing(trouble, ["127.0.0.1"])
        one = fetcher(ask=ask)
        url = f"http://h.test:{server.port}/"
        assert one.fetch(job(url)).error == "dns_fail"
        assert one.fetch(job(url, attempt=2)).status == 200


def test_another_url_of_a_name_that_does_not_exist_is_answered_from_memory() -> None:
    ask = Changing([])
    one = fetcher(ask=ask)
    for _ in range(3):
        assert one.fetch(job("http://h.test:8080/")).error == "dns_fail"
    assert ask.asked == 1


def test_a_connection_that_failed_forgets_the_name() -> None:
    """A good answer is kept for 300 s, but the host may have moved."""
    with stage(HI) as server:
        ask = Changing(["127.0.0.9"], ["127.0.0.1"])
        one = fetcher(ask=ask)
        url = f"http://h.test:{server.port}/"
        assert one.fetch(job(url)).error == "connect_refused"
        assert one.fetch(job(url)).status == 200


def test_a_handshake_that_failed_forgets_the_name() -> None:
    with stage(lambda peer: peer.sock.recv(9999) and None) as server:
        ask = Changing(["127.0.0.1"])
        one = fetcher(ask=ask)
        for _ in range(2):
            assert one.fetch(job(f"https://h.test:{server.port}/")).error == "conn_closed"
    assert ask.asked == 2


def test_a_retry_over_a_kept_connection_asks_nobody() -> None:
    with stage(HI) as server:
        ask = Changing(["127.0.0.1"])
        one = fetcher(ask=ask)
        for attempt in (1, 2, 3):
            assert one.fetch(job(f"http://h.test:{server.port}/", attempt=attempt)).status == 200
    assert ask.asked == server.connections == 1


def test_no_packet_goes_to_an_address_that_the_gate_refuses_among_others() -> None:
    with stage(HI, host="127.0.0.2") as server, stage(HI, host="127.0.0.1") as other:
        one = fetcher(ask=lambda host: ["127.0.0.2", "127.0.0.1"], allow_private=("127.0.0.1",))
        reply = one.fetch(job(f"http://h.test:{other.port}/", private_ok=False))
        assert reply.ip == "127.0.0.1"
        refused = one.fetch(job(f"http://127.0.0.2:{server.port}/", private_ok=False))
    assert refused.error == "blocked_addr"
    assert server.connections == 0


def test_want_of_descriptors_is_waited_out() -> None:
    with stage(serving(ok(b"hi"))) as server:
        one = fetcher()
        with no_descriptor_left():
            threads = [gevent.spawn(one.fetch, job(server.url())) for _ in range(3)]
            gevent.sleep(0.3)
            assert not any(thread.ready() for thread in threads)
        gevent.joinall(threads, timeout=PATIENT_S)
    assert [thread.value.error for thread in threads] == [None] * 3


@pytest.mark.parametrize("host", ["127.0.0.1", "never-asked.invalid"])
def test_want_of_descriptors_blames_no_site(host: str) -> None:
    one = fetcher(replace(QUICK, total_s=1.0))
    with no_descriptor_left():
        reply = one.fetch(job(f"http://{host}:8080/"))
    assert (reply.status, reply.error) == (None, "cancelled")
    assert one.stats().dns.names == 0, "what was not asked is not known"


@contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Uses up what a small limit leaves, and what connections of earlier tests give back."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    taken: list[socket.socket] = []

    def take() -> None:
        for _ in range(2000):
            with suppress(OSError):
                for _ in range(300):
                    taken.append(socket.socket())
            gevent.sleep(0.002)

    taking = gevent.spawn(take)
    gevent.sleep(0)
    try:
        yield
    finally:
        taking.kill()
        for sock in taken:
            sock.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_an_address_that_this_machine_has_no_way_to_is_no_shortage() -> None:
    """Without IPv6, connect() says of an IPv6 address what it says when no port is left."""
    told = in_a_network_of_its_own(
        "from crawler.fetch.race import Race\n"
        "try: Race(['2001:db8::1'], 80).run(1.0)\n"
        "except Exception as told: print(type(told).__name__, told.word)"
    )
    assert told == "Doubtful connect_refused"


def test_want_of_ports_is_a_shortage() -> None:
    told = in_a_network_of_its_own(
        "import pathlib, subprocess, socket\n"
        "from crawler.fetch.race import Race\n"
        "subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)\n"
        "pathlib.Path('/proc/sys/net/ipv4/ip_local_port_range').write_text('20000 20000')\n"
        "server = socket.create_server(('127.0.0.1', 9000))\n"
        "only = Race(['127.0.0.1'], 9000).run(1.0)\n"
        "try: Race(['127.0.0.1'], 9000).run(1.0)\n"
        "except Exception as told: print(type(told).__name__)"
    )
    assert told == "Shortage"


def in_a_network_of_its_own(code: str) -> str:
    """What a script prints that has no network but a loopback that is down."""
    alone = ["unshare", "--map-root-user", "--net"]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], check=False).returncode:
        pytest.skip("this machine makes no network namespaces (unshare --map-root-user --net)")
    patched = "import crawler._patch\n" + code
    ran = subprocess.run(
        [*alone, sys.executable, "-c", patched], capture_output=True, text=True, check=True
    )
    return ran.stdout.strip()


@pytest.mark.parametrize(
    ("url", "route", "authority", "path"),
    [
        ("http://h.test/a?b", Route("http", "h.test", 80), "h.test", "/a?b"),
        ("https://h.test", Route("https", "h.test", 443), "h.test", "/"),
        ("https://u:p@h.test:8443/#f", Route("https", "h.test", 8443), "h.test:8443", "/"),
        ("http://[::1]:81?q", Route("http", "[::1]", 81), "[::1]:81", "/?q"),
        ("http://[::1]/", Route("http", "[::1]", 80), "[::1]", "/"),
    ],
)
def test_a_url_leads_one_way(url: str, route: Route, authority: str, path: str) -> None:
    assert split(url) == (route, authority, path)
