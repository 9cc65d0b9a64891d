"""Are connections kept, replaced and dropped when they should be?"""

from __future__ import annotations

import gevent
import pytest

from crawler.fetch.pool import Idle
from crawler.fetch.route import Route
from tests.fetch.stage import Recorded, fetch, fetcher, job, ok, serving, stage
from tests.patience import PATIENT_S, until

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    "answer",
    [
        ok(b"hi"),
        CHUNKED,
        b"HTTP/1.1 204 N\r\n\r\n",
        b"HTTP/1.1 304 N\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 302 F\r\nLocation: /b\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 103 Early\r\n\r\n" + ok(b"hi"),
        ok(b"hi", b"a line without colon"),
    ],
)
def test_a_connection_is_used_again(answer: bytes) -> None:
    with stage(serving(answer)) as server:
        one = fetcher()
        statuses = {one.fetch(job(server.url())).status for _ in range(3)}
    assert len(statuses) == 1
    assert server.connections == 1
    assert one.stats().transport.reused == 2


@pytest.mark.parametrize(
    "answer",
    [
        ok(b"hi", b"Connection: close"),
        ok(b"hi") + b"more than announced",  # case 46
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nhi\r\n0\r\n\r\n",  # case 51
        b"HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\n\r\nhi",
        b"HTTP/1.1 204 N\r\nContent-Length: 2\r\n\r\nhi",  # case 43
        b"HTTP/1.1 302 F\r\nLocation: /b\r\nContent-Length: 200\r\n\r\nhi",
    ],
)
def test_a_connection_whose_state_is_in_doubt_is_dropped(answer: bytes) -> None:
    with stage(serving(answer)) as server:
        one = fetcher()
        for _ in range(2):
            assert one.fetch(job(server.url())).error is None
    assert server.connections == 2
    assert one.stats().transport.idle == 0


def test_what_comes_unasked_is_never_taken_for_an_answer() -> None:
    def play(peer: Recorded) -> None:
        while peer.request():
            peer.say(ok(b"good"))
            gevent.sleep(0.02)
            peer.say(ok(b"poison"))

    with stage(play) as server:
        one = fetcher()
        for _ in range(3):
            assert one.fetch(job(server.url())).body == b"good"
            gevent.sleep(0.05)


def test_a_kept_connection_that_was_closed_is_replaced() -> None:
    def play(peer: Recorded) -> None:
        peer.request()
        peer.say(ok(b"hi"))

    with stage(play) as server:
        one = fetcher()
        for _ in range(3):
            assert one.fetch(job(server.url())).error is None
            gevent.sleep(0.01)
    assert server.connections == 3
    assert one.stats().transport.reused == 0


@pytest.mark.parametrize("end", ["close", "reset"])
def test_a_kept_connection_that_closes_on_the_next_request_costs_no_try(end: str) -> None:
    """Case 19: one immediate retry, on a new connection."""

    def play(peer: Recorded) -> None:
        peer.request()
        peer.say(ok(b"hi"))
        peer.request()
        if end == "reset":
            peer.reset()

    with stage(play) as server:
        one = fetcher()
        assert one.fetch(job(server.url())).error is None
        assert one.fetch(job(server.url())).error is None
        assert one.stats().transport.stale == 1
    assert server.connections == 2


def test_a_new_connection_that_closes_is_not_tried_again() -> None:
    with stage(lambda peer: peer.request() and None) as server:
        assert fetch(server.url()).error == "conn_closed"
    assert server.connections == 1


def test_a_kept_connection_that_closes_inside_an_answer_is_not_asked_again() -> None:
    def play(peer: Recorded) -> None:
        peer.request()
        peer.say(ok(b"hi"))
        peer.request()
        peer.say(b"HTTP/1.1 200")

    with stage(play) as server:
        one = fetcher()
        one.fetch(job(server.url()))
        assert one.fetch(job(server.url())).error == "conn_closed"
    assert server.connections == 1


def test_connections_of_many_greenlets_do_not_mix() -> None:
    def play(peer: Recorded) -> None:
        while head := peer.request():
            path = head.split()[1].encode()
            gevent.sleep(0.001)
            peer.say(ok(path * 50))

    with stage(play) as server:
        one = fetcher()
        paths = [f"/{n}" for n in range(200)]
        threads = [gevent.spawn(one.fetch, job(server.url(path))) for path in paths]
        gevent.joinall(threads, timeout=PATIENT_S)
    assert [thread.value.body for thread in threads] == [path.encode() * 50 for path in paths]
    assert one.stats().transport.idle <= 64
    assert one.stats().transport.in_use == one.stats().in_flight == 0


def test_close_ends_idle_connections() -> None:
    with stage(serving(ok(b"hi"))) as server:
        one = fetcher()
        one.fetch(job(server.url()))
        assert one.stats().transport.idle == 1
        one.close()
        assert one.stats().transport.idle == 0
        assert "0 idle" in repr(one)


def test_a_fetch_that_is_killed_leaves_no_connection_behind() -> None:
    with stage(lambda peer: (peer.request(), gevent.sleep(60))) as server:
        one = fetcher()
        thread = gevent.spawn(one.fetch, job(server.url()))
        until(lambda: server.requests)
        assert one.stats().transport.in_use == 1
        thread.kill()
        assert one.stats().transport.in_use == one.stats().in_flight == 0


class Fake:
    """What the pool holds, without a socket."""

    def __init__(self, route: Route, quiet: bool = True) -> None:
        self.route = route
        self.idle_since = 0.0
        self.open = True
        self._quiet = quiet

    def quiet(self) -> bool:
        return self._quiet

    def close(self) -> None:
        self.open = False


A, B = Route("http", "a.test", 80), Route("http", "b.test", 80)


def test_the_pool_gives_the_one_used_last_and_drops_the_stale() -> None:
    pool: Idle[Fake] = Idle()
    old, new, stale = Fake(A), Fake(A), Fake(A, quiet=False)
    for at, connection in enumerate((old, new, stale)):
        pool.put(connection, float(at))
    assert pool.take(A, 3.0) is new
    assert not stale.open
    assert pool.take(B, 3.0) is None
    assert pool.take(A, 3.0) is old
    assert len(pool) == 0


def test_the_pool_drops_what_was_idle_too_long() -> None:
    pool: Idle[Fake] = Idle(idle_s=15.0)
    one, two = Fake(A), Fake(B)
    pool.put(one, 0.0)
    pool.put(two, 10.0)
    pool.sweep(16.0)
    assert (one.open, two.open, len(pool)) == (False, True, 1)


def test_the_pool_is_bounded_for_each_host_and_in_all() -> None:
    """Case 22: ten thousand hosts do not mean ten thousand sockets."""
    pool: Idle[Fake] = Idle(per_host=2, total=10)
    mine = [Fake(A) for _ in range(3)]
    for connection in mine:
        pool.put(connection, 0.0)
    assert [connection.open for connection in mine] == [True, True, False]
    others = [Fake(Route("http", f"h{n}.test", 80)) for n in range(10_000)]
    for connection in others:
        pool.put(connection, 1.0)
    assert len(pool) == 10
    assert sum(connection.open for connection in others) == 10
