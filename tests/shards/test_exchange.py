"""What do shards leave in the engine, and what happens where it is full or one is there twice?"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import gevent
import msgspec
import pytest

from crawler.channels.redis.exchange import Exchange
from crawler.channels.redis.peers import Report
from crawler.errors import UsageError
from crawler.store.mail import Counts, Message
from crawler.store.shards import Which
from tests import engines
from tests.engines import Engine
from tests.patience import until

KEYS = "crawler:tests:"


class Clerk:
    """A conductor without a crawl. sent, taken: messages to and from each other shard. size: of
    each. takes: does it take what comes?"""

    def __init__(self, engine: Engine, which: Which, *, size: int = 10) -> None:
        self.which = which
        self.exchange = Exchange(engine.address(), "tests", "")
        self.exchange.look_at_engine()
        self.sent = dict.fromkeys(which.others, 0)
        self.taken = dict.fromkeys(which.others, 0)
        self.takes = True
        self.met: dict[int, int] = {}
        self._packed = b"x" * size

    def run(self) -> None:
        """Until it is killed."""
        taking = gevent.spawn(self._take)
        try:
            self.exchange.run(self.which, self)
        finally:
            taking.kill()

    def _take(self) -> None:
        while True:
            while self.takes and self.exchange.inbox:
                message = self.exchange.inbox.popleft()
                assert message.number == self.taken[message.peer] + 1
                self.taken[message.peer] = message.number
                self.exchange.wrote()
            gevent.sleep(0.001)

    # As the exchange sees a conductor

    def counts(self) -> Counts:
        return Counts(dict(self.sent), dict(self.taken))

    def meet(self, nonces: Mapping[int, int]) -> None:
        """Each has one file for ever."""
        assert all(self.met.get(number, nonce) == nonce for number, nonce in nonces.items())
        self.met |= nonces

    def mail_after(self, peer: int, number: int, most_bytes: int) -> list[Message]:
        many = max(1, most_bytes // len(self._packed))
        last = min(self.sent[peer], number + many)
        return [Message(peer, one, self._packed) for one in range(number + 1, last + 1)]

    def is_at_rest(self) -> bool:
        return False

    def wake(self) -> None:
        """There is nobody to be woken."""


@contextmanager
def at_work(*clerks: Clerk) -> Iterator[list[gevent.Greenlet]]:
    with ExitStack() as ends:
        running = [gevent.spawn(clerk.run) for clerk in clerks]
        for one in running:
            ends.callback(one.kill)
        yield running


def streams(engine: Engine) -> dict[bytes, int]:
    """Entries that the engine has, by stream."""
    keys = engine.ask("KEYS", f"{KEYS}mail:*")
    return {key: engine.ask("XLEN", key) for key in keys}


def test_what_was_taken_is_no_longer_in_the_engine_though_more_comes_all_the_time() -> None:
    with engines.serve() as engine:
        one, two = Clerk(engine, Which(1, 2, 11)), Clerk(engine, Which(2, 2, 12))
        with at_work(one, two):
            while two.taken[1] < 1000:
                one.sent[2] = max(one.sent[2], two.taken[1] + 30)
                gevent.sleep(0.001)
            assert max(streams(engine).values()) < 300


def test_nothing_of_a_crawl_stays_in_the_engine_for_ever() -> None:
    with engines.serve() as engine:
        one, two = Clerk(engine, Which(1, 2, 11)), Clerk(engine, Which(2, 2, 12))
        with at_work(one, two):
            one.sent[2] = two.sent[1] = 5
            until(lambda: one.taken[2] == two.taken[1] == 5)
            until(lambda: streams(engine) and not any(streams(engine).values()))
        for key in engine.ask("KEYS", "*"):
            assert engine.ask("TTL", key) > 0, key


def test_shards_that_take_late_do_not_fill_a_small_engine() -> None:
    """A full one would take no acknowledgement, so that nothing would ever go on."""
    with engines.serve("redis", "maxmemory", "64mb") as engine:
        clerks = [Clerk(engine, Which(number, 3, number), size=30_000) for number in (1, 2, 3)]
        for clerk in clerks:
            clerk.takes = False
            clerk.sent = dict.fromkeys(clerk.sent, 1500)
        with at_work(*clerks):
            until(lambda: len(streams(engine)) == 6)
            before: dict[bytes, int] = {}
            while streams(engine) != before:
                before = streams(engine)
                gevent.sleep(1)
            for clerk in clerks:
                clerk.takes = True
            until(lambda: all(set(clerk.taken.values()) == {1500} for clerk in clerks))


def test_a_copy_of_a_file_is_no_second_conductor_of_its_shard() -> None:
    """What one of them takes the other would never see."""
    with engines.serve() as engine:
        first, copy = Clerk(engine, Which(2, 2, 12)), Clerk(engine, Which(2, 2, 12))
        with at_work(Clerk(engine, Which(1, 2, 11)), first, copy) as running:
            until(lambda: any(one.ready() for one in running))
            with pytest.raises(UsageError, match="is run already, with a copy"):
                next(one for one in running if one.ready()).get()


def beats(engine: Engine) -> int:
    """Signs of life that shard 1 has given."""
    said = engine.ask("HGET", f"{KEYS}shards", 1)
    return msgspec.msgpack.decode(said, type=Report).beat if said else 0


@pytest.mark.parametrize("strange", [{"rules": "others"}, {"shards": 3}])
def test_who_is_refused_is_not_met_and_holds_up_nobody(strange: dict[str, Any]) -> None:
    """Who has mistyped a command makes its file anew, and starts it again."""
    with engines.serve() as engine:
        one = Clerk(engine, Which(1, 2, 11))
        with at_work(one) as [first]:
            until(lambda: beats(engine))
            said = {"shards": 2, "rules": one.exchange._own.rules} | strange
            wrong = Report(2, said["shards"], 99, "wrong", time.time() + 9, 0, said["rules"])
            for beat in range(3):
                raw = msgspec.msgpack.encode(msgspec.structs.replace(wrong, beat=beat))
                engine.ask("HSET", f"{KEYS}shards", 2, raw)
                past = [beats(engine) + 2]
                until(lambda past=past: beats(engine) > past[0])
            two = Clerk(engine, Which(2, 2, 12))
            with at_work(two):
                one.sent[2] = two.sent[1] = 3
                until(lambda: first.ready() or one.taken[2] == two.taken[1] == 3)
            assert not first.ready()
            assert one.met == {2: 12}
