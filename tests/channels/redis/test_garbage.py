"""Does a conductor live through whatever stands in its engine?"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import closing

import gevent
import msgspec
import pytest

from crawler.channels.redis.beats import hear
from crawler.channels.redis.connection import Link
from crawler.channels.redis.fleet import MOST_MACHINES
from crawler.channels.redis.relay import Agent
from crawler.channels.redis.remote import RedisChannel
from crawler.channels.redis.wire import FIELD, About, Beat
from crawler.errors import CrawlError, UsageError
from crawler.model import Job, Visit
from tests import engines
from tests.channels.redis.manning import NAME, agent, conducted, manned
from tests.crawls import config
from tests.engines import Engine
from tests.patience import PATIENT_S, until
from tests.sites.web import Web


@pytest.fixture
def engine() -> Iterator[Engine]:
    with engines.serve("redis") as served:
        yield served


class Impostor:
    """Who has a worker's password, and writes what it likes."""

    def __init__(self, engine: Engine, channel: RedisChannel) -> None:
        self.key = secrets.token_hex(8)
        self.keys = channel._seat.keys
        self.link = Link(engine.address())
        self._beats = 0

    def beat(self, **more: object) -> None:
        """A sign of life."""
        self._beats += 1
        said = {"cursor": 0, "hand": [], "room": 1000} | more
        self.tell(msgspec.msgpack.encode(Beat(self._beats, About("impostor", 1), **said)))

    def tell(self, raw: bytes) -> None:
        """Whatever, in place of one."""
        self.link.ask("HSET", self.keys.beats, self.key, raw)

    def jobs(self) -> list[Job]:
        """What it has been given."""
        found = self.link.ask("XRANGE", self.keys.jobs(self.key), "-", "+")
        frames = [msgspec.msgpack.decode(fields[1], type=list[Job]) for _, fields in found]
        return [job for frame in frames for job in frame]

    def send(self, raw: bytes, number: str = "*") -> None:
        """A frame of visits."""
        self.link.ask("XADD", self.keys.visits(self.key), number, FIELD, raw)

    def joins(self, channel: RedisChannel) -> None:
        """Be taken for a machine."""
        self.beat()
        until(lambda: any(state.key == self.key for state in channel.states()))


GARBAGE = [
    b"",
    b"rubbish",
    b"\xdd\xff\xff\xff\xff",
    msgspec.msgpack.encode([[[1, 1, "http://a.test/"], [200], [], "now"]]),
    msgspec.msgpack.encode([[[1, 1, "http://a.test/"], [None, None, float("nan")]]]),
]


def test_garbage_is_refused_and_the_crawl_goes_on(
    engine: Engine, web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    """Each impostor is expelled for what it sends, and what it had been given is done by the
    machine beside it."""
    settings = config(fetch={"total_s": 1, "read_s": 1, "connect_s": 1}, run={"concurrency": 100})
    for number in range(60):
        web.page(f"/{number}")
    with manned(engine, settings) as channel:
        impostors = [Impostor(engine, channel) for _ in GARBAGE]
        for one in impostors:
            one.joins(channel)
        for number in range(60):
            channel.send(Job(number + 1, number + 1, web.url(f"/{number}"), private_ok=True))
        for one, raw in zip(impostors, GARBAGE, strict=True):
            one.send(raw)
        impostors[3].tell(b"no beat")  # its visit is of a job that it was not given, perhaps
        seen: set[int] = set()
        with gevent.Timeout(PATIENT_S):
            for arrival in channel.arrivals():
                if isinstance(arrival, Visit):
                    seen.add(arrival.job.token)
                    assert arrival.reply.status == 200
                else:
                    asked = web.url(f"/{arrival.token - 1}")
                    channel.send(Job(arrival.token, arrival.token, asked, private_ok=True))
                if len(seen) == 60:
                    break
        until(lambda: len(channel.states()) == 1)
    assert caplog.text.count("expelled") == len(GARBAGE)
    for one in impostors:
        one.link.close()


FLOODS = {
    "fields without end": [
        [f"{part}-{number}" for number in range(5_000)] + ["x"] for part in range(20)
    ],
    "long values": [[f"{part}", "x" * (4 << 20)] for part in range(20)],
}


def flood(impostor: Impostor, how: str) -> None:
    """Fill the hash of the beats."""
    for words in FLOODS[how]:
        value = words[-1]
        fields = [word for name in words[:-1] for word in (name, value)]
        impostor.link.ask("HSET", impostor.keys.beats, *fields)


@pytest.mark.parametrize("how", FLOODS)
def test_signs_of_life_without_end_are_thrown_away_and_who_lives_works_on(
    how: str, engine: Engine, web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis itself does not forbid it to who may beat at all."""
    web.page("/")
    with manned(engine, config()) as channel:
        [before] = channel.states()
        impostor = Impostor(engine, channel)
        for token in (1, 2):
            flood(impostor, how)
            until(lambda: impostor.link.ask("HLEN", impostor.keys.beats) < 20)
            channel.send(Job(token, token, web.url(), private_ok=True))
            with gevent.Timeout(PATIENT_S):
                visit = next(iter(channel.arrivals()))
            assert isinstance(visit, Visit)
            assert visit.job.token == token
        [after] = channel.states()
        assert after.key == before.key
        impostor.link.close()
    assert caplog.text.count("more gives signs of life than machines can") == 1


def test_of_too_many_only_those_that_are_known_are_heard(engine: Engine) -> None:
    """One of them tells more than any machine has to."""
    beat = Beat(1, About("known", 1), 0, [], 10)
    with closing(Link(engine.address())) as link:
        for part in range(20):
            link.ask("HSET", "beats", *[f"{part}-{n // 2}" for n in range(10_000)])
        link.ask("HSET", "beats", "known", msgspec.msgpack.encode(beat), "long", b"x" * (2 << 20))
        heard = hear(link, "beats", ["known", "long", "absent"])
        assert heard == ({"known": beat, "long": None}, True)
        link.ask("DEL", "beats")
        for machine in range(MOST_MACHINES):
            link.ask("HSET", "beats", f"{machine:016x}", msgspec.msgpack.encode(beat))
        heard = hear(link, "beats", [])
        assert not heard.is_flooded
        assert len(heard.beats) == MOST_MACHINES


def test_who_comes_back_under_new_keys_for_ever_is_not_let_in_for_ever(
    engine: Engine, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crawler.channels.redis.fleet.MOST_EXPELLED", 3)
    web.page("/")
    with manned(engine, config()) as channel:
        for _ in range(3):
            one = Impostor(engine, channel)
            one.joins(channel)
            one.tell(b"no beat")
            until(lambda: len(channel.states()) == 1)
            one.link.close()
        last = Impostor(engine, channel)
        last.beat()
        channel.send(Job(1, 1, web.url(), private_ok=True))
        with gevent.Timeout(PATIENT_S):
            assert isinstance(next(iter(channel.arrivals())), Visit)
        assert channel.notice() == (
            "3 machines were expelled, and no other is let in; stop, give workers another "
            "password, and go on"
        )
        pulse = channel._seat.session.pulse
        until(lambda: channel._seat.session.pulse > pulse + 1)
        assert last.key not in {state.key for state in channel.states()}
        last.link.close()


def test_a_visit_that_comes_twice_or_for_nothing_is_dropped(engine: Engine, web: Web) -> None:
    """What an honest machine has sent is sent again by somebody else under its name."""
    web.page("/")
    with manned(engine, config()) as channel, closing(Link(engine.address())) as link:
        monitor = Impostor(engine, channel)
        asked = Job(7, 7, web.url(), private_ok=True)
        channel.send(asked)
        [visit] = [next(iter(channel.arrivals()))]
        assert isinstance(visit, Visit)
        [state] = channel.states()
        copy = msgspec.msgpack.encode([msgspec.structs.replace(visit, worker=0)])
        link.ask("XADD", monitor.keys.visits(state.key), "9-0", FIELD, copy)
        link.ask("XADD", monitor.keys.visits(state.key), "*", FIELD, copy)
        until(lambda: channel.states()[0].refused == 2)
        monitor.link.close()


def test_a_second_conductor_of_the_same_name_is_refused(engine: Engine) -> None:
    with conducted(engine, config()):
        second = RedisChannel(config(), engine.address(), NAME)
        with pytest.raises(UsageError, match="conducts a crawl of that name; choose another name"):
            second.start()
        other = RedisChannel(config(), engine.address(), f"{NAME}2")
        other.start()
        other.close()


def test_a_conductor_that_was_taken_over_ends(engine: Engine) -> None:
    """One stands still until it is taken for dead, and finds another in its place."""
    with conducted(engine, config()) as first:
        until(lambda: engine.ask("EXISTS", f"crawler:{NAME}:session"))
        engine.ask("DEL", f"crawler:{NAME}:session")
        with (
            conducted(engine, config()),
            gevent.Timeout(PATIENT_S),
            pytest.raises(CrawlError, match="taken it over"),
        ):
            list(first.arrivals())


def test_another_version_ends_a_machine_with_one_line(engine: Engine) -> None:
    with conducted(engine, config()) as channel:
        channel._seat.session = msgspec.structs.replace(
            channel._seat.session, wire=1, version="0.0.9"
        )
        machine: Agent = agent(engine)
        session = f"crawler:{NAME}:session"
        until(lambda: b"0.0.9" in (engine.ask("GET", session) or b""))
        with pytest.raises(UsageError, match="its conductor speaks version"):
            machine.run()


def test_a_small_engine_has_room_for_all_machines() -> None:
    with engines.serve("redis", "maxmemory", "64mb") as engine, conducted(engine, config()) as one:
        until(lambda: one._seat.session.pulse > 1)
        assert one._seat.session.window_bytes == 8 * 2**20
        for _ in range(7):
            Impostor(engine, one).beat()
        until(lambda: one._seat.session.window_bytes == 64 * 2**20 // 16)


def test_a_machine_that_may_not_beat_says_so(engine: Engine) -> None:
    """Its user has the rights of nobody but a reader."""
    engine.ask(
        *[
            "ACL",
            "SETUSER",
            "reader",
            "on",
            ">x",
            "%R~crawler:*",
            "+get",
            "+ping",
            "+multi",
            "+exec",
            "+xread",
        ]
    )
    machine = agent(engine, user="reader", password="x")
    with conducted(engine, config()), pytest.raises(UsageError, match="crawler redis-acl prints"):
        machine.run()
