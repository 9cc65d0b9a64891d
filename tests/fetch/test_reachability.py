"""Is a dead network told from a dead host?"""

from __future__ import annotations

from time import monotonic

import gevent
import pytest

from crawler.config import FetchConfig
from crawler.fetch.reachability import KEPT, Witnesses
from crawler.model import NOTHING_ELSE, NOTHING_YET
from crawler.policy.outage import doubt
from tests.fetch.nameserver import SILENT, Nameserver
from tests.fetch.stage import Recorded, fetcher, job, ok, serving, stage
from tests.fetch.test_connect import black_hole
from tests.fetch.test_dns import resolver

QUICK = FetchConfig(connect_s=0.4, read_s=0.5, total_s=3.0)


class Asked:
    """Places that answer, or not; counts the questions."""

    def __init__(self, *alive: str) -> None:
        self.alive = set(alive)
        self.asked: list[str] = []

    def __call__(self, place: tuple[str]) -> bool:
        self.asked.append(place[0])
        if place[0] not in self.alive:
            raise OSError("silence")
        return True


def test_while_nothing_has_answered_nobody_knows() -> None:
    assert Witnesses(Asked()).doubt(("a",), 0.0, 1.0) == NOTHING_YET


def test_a_host_is_no_witness_for_itself() -> None:
    asked = Asked()
    witnesses = Witnesses(asked)
    witnesses.answered(("a",))
    assert witnesses.doubt(("a",), 0.0, 1.0) is None
    assert asked.asked == []


@pytest.mark.parametrize(("alive", "said"), [("b", None), ("c", None), ("", NOTHING_ELSE)])
def test_one_that_answers_is_enough(alive: str, said: str | None) -> None:
    witnesses = Witnesses(Asked(alive))
    for place in "abc":
        witnesses.answered((place,))
    began = gevent.get_hub().loop.now() and 0.0
    assert witnesses.doubt(("a",), began, 1.0) == said


def test_those_who_doubt_at_the_same_time_share_one_answer() -> None:
    asked = Asked("b")
    witnesses = Witnesses(asked)
    witnesses.answered(("b",))
    threads = [gevent.spawn(witnesses.doubt, (f"h{n}",), 0.0, 1.0) for n in range(50)]
    gevent.joinall(threads)
    assert {thread.value for thread in threads} == {None}
    assert asked.asked == ["b"]


def test_while_others_speak_nobody_is_asked() -> None:
    asked = Asked()
    witnesses = Witnesses(asked)
    witnesses.answered(("a",))
    witnesses.heard()
    gevent.sleep(0.2)
    assert witnesses.doubt(("b",), monotonic() - 1, 0.1, holds_s=5) is None
    assert asked.asked == []
    assert witnesses.doubt(("b",), monotonic() - 1, 0.1) == NOTHING_ELSE
    assert asked.asked == ["a"]


def test_few_witnesses_are_kept() -> None:
    witnesses = Witnesses(Asked())
    for number in range(1000):
        witnesses.answered((str(number),))
    assert repr(witnesses) == f"<Witnesses {KEPT}>"


def test_a_resolver_that_died_is_told_from_a_name_that_is_silent() -> None:
    zone = {"a.test": ["127.0.0.1"], "b.test": ["127.0.0.1"], "mute.test": SILENT}
    server = Nameserver(zone)
    with stage(serving(ok(b"hi"))) as web:
        one = fetcher(QUICK, ask=resolver(server))
        assert one.fetch(job(web.url(host="a.test"))).status == 200
        mute = one.fetch(job(web.url(host="mute.test")))
        server.silent = True
        dead = one.fetch(job(web.url(host="b.test")))
        known = one.fetch(job(web.url(host="a.test")))
    server.close()
    assert (mute.error, doubt(mute)) == ("dns_timeout", None)
    assert (dead.error, doubt(dead)) == ("dns_timeout", "names"), dead.error_detail
    assert (known.status, known.dns_ms) == (200, None)


def test_a_link_that_died_is_told_from_a_host_that_is_silent() -> None:
    one = fetcher(QUICK)
    with stage(serving(ok(b"hi")), host="127.0.0.7") as web:
        assert one.fetch(job(web.url(host="127.0.0.7"))).status == 200
        with black_hole() as port:
            silent = one.fetch(job(f"http://127.0.0.1:{port}/"))
    with black_hole() as port:
        gevent.sleep(0.6)
        dead = one.fetch(job(f"http://127.0.0.1:{port}/"))
    assert (silent.error, doubt(silent)) == ("connect_timeout", None), silent.error_detail
    assert (dead.error, doubt(dead)) == ("connect_timeout", "links"), dead.error_detail


def _answers_once(peer: Recorded) -> None:
    peer.request()
    peer.say(ok(b"hi"))
    peer.request()
    gevent.sleep(60)


def test_who_takes_a_connection_and_says_nothing_bears_no_witness() -> None:
    one = fetcher(QUICK)
    with stage(lambda _: gevent.sleep(60), host="127.0.0.7") as mute, black_hole() as port:
        silent = one.fetch(job(mute.url(host="127.0.0.7")))
        dead = one.fetch(job(f"http://127.0.0.1:{port}/"))
    assert (silent.error, doubt(silent)) == ("timeout", None)
    assert mute.connections == 1
    assert dead.doubt == NOTHING_YET
    assert (dead.error_detail or "").startswith("nothing has answered yet: ")


@pytest.mark.parametrize(("is_dead", "layer"), [(False, None), (True, "links")])
def test_a_link_that_died_is_told_from_a_kept_connection_that_is_silent(
    is_dead: bool, layer: str | None
) -> None:
    one = fetcher(QUICK)
    with stage(_answers_once) as mute:
        with stage(serving(ok(b"hi")), host="127.0.0.7") as witness:
            assert one.fetch(job(witness.url(host="127.0.0.7"))).status == 200
            assert one.fetch(job(mute.url())).status == 200
            silent = None if is_dead else one.fetch(job(mute.url()))
        silent = silent or one.fetch(job(mute.url()))
    assert mute.connections == 1
    assert (silent.error, doubt(silent)) == ("timeout", layer), silent.error_detail
