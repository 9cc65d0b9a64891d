"""Does every channel keep to the contract?"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import pytest

from crawler.channels import Channel, Returned, open_channel
from crawler.config import Config
from crawler.model import Job, Visit
from tests import engines
from tests.channels.redis.manning import manned
from tests.crawls import config
from tests.patience import PATIENT_S
from tests.sites.burning import BURNS
from tests.sites.web import Web

KINDS = ["local", "processes", *engines.KINDS]


@pytest.fixture(params=KINDS)
def channel(request: pytest.FixtureRequest) -> Iterator[Channel]:
    with opened(request.param, config(run={"concurrency": 100})) as made:
        yield made


@pytest.fixture(params=KINDS)
def quick(request: pytest.FixtureRequest) -> Iterator[Channel]:
    """A channel that gives a document up after a moment."""
    with opened(request.param, config(parse={"max_seconds": 1.5})) as made:
        yield made


@contextmanager
def opened(kind: str, settings: Config) -> Iterator[Channel]:
    """A channel that takes jobs; of a fleet, one with a machine of two processes."""
    if kind in engines.KINDS:
        with engines.serve(kind) as engine, manned(engine, settings, workers=2) as made:
            yield made
        return
    made = open_channel(settings, 2 if kind == "processes" else 0)
    made.start()
    yield made
    made.close()


def job(web: Web, token: int, path: str) -> Job:
    return Job(token, token, web.url(path), private_ok=True)


def take(channel: Channel, count: int) -> list[Visit | Returned]:
    taken: list[Visit | Returned] = []
    with gevent.Timeout(PATIENT_S):
        for arrival in channel.arrivals():
            taken.append(arrival)
            if len(taken) == count:
                break
    return taken


def test_whatever_is_sent_comes_back_once(web: Web, channel: Channel) -> None:
    for number in range(100):
        web.page(f"/{number}", wait_s=0.001 * (number % 7))
        channel.send(job(web, number + 1, f"/{number}"))
    visits = take(channel, 100)
    assert Counter(visit.job.token for visit in visits if isinstance(visit, Visit)) == Counter(
        range(1, 101)
    )
    assert len(web.paths) == 100


def test_a_visit_tells_the_job_the_reply_and_the_document(web: Web, channel: Channel) -> None:
    web.page("/", links=["/a"], title="Home")
    asked = job(web, 7, "/")
    channel.send(asked)
    [visit] = take(channel, 1)
    assert isinstance(visit, Visit)
    assert visit.job == asked
    assert (visit.reply.status, visit.reply.body) == (200, b"")
    assert visit.document.title == "Home"
    assert [target.url for target in visit.document.targets] == [web.url("/a")]
    assert visit.body is not None


def test_what_is_out_takes_room_until_it_comes_back(web: Web, channel: Channel) -> None:
    before = channel.free
    web.page("/", wait_s=0.1)
    channel.send(job(web, 1, "/"))
    assert channel.free == before - 1
    take(channel, 1)
    assert channel.free == before


def test_what_nobody_takes_stops_the_fetching_and_nothing_is_lost(
    web: Web, channel: Channel
) -> None:
    """A worker holds 8 MiB, the channel four frames of 1 MiB, an engine 8 MiB, which is less than
    29 MiB for two workers; the rest waits at its greenlets."""
    count = min(channel.free, 76)
    noise = os.urandom(400_000)
    for number in range(count):
        web.raw(f"/{number}", body=noise + number.to_bytes(2, "big"))
        channel.send(job(web, number + 1, f"/{number}"))
    gevent.sleep(1.5)
    arrived = take(channel, count)
    assert {visit.job.token for visit in arrived if isinstance(visit, Visit)} == set(
        range(1, count + 1)
    )


def test_a_page_that_burns_the_parser_delays_no_other_and_is_given_up(
    web: Web, quick: Channel
) -> None:
    """Ten seconds of C code that no greenlet can interrupt."""
    web.raw("/burns", headers={"Content-Type": "text/html"}, body=BURNS)
    quick.send(job(web, 1, "/burns"))
    for number in range(2, 52):
        web.page(f"/{number}", wait_s=0.02 * number)
        quick.send(job(web, number, f"/{number}"))
    visits = [visit for visit in take(quick, 51) if isinstance(visit, Visit)]
    assert [visit.job.token for visit in visits][-1] == 1
    errors = {visit.job.token: visit.reply.error or visit.document.error for visit in visits}
    assert errors == {1: "parse_timeout"} | dict.fromkeys(range(2, 52))


def test_closing_ends_who_waits_for_arrivals(channel: Channel) -> None:
    waiting = gevent.spawn(lambda: list(channel.arrivals()))
    gevent.sleep(0.05)
    channel.close()
    assert waiting.get(timeout=PATIENT_S) == []


def test_closing_twice_is_closing_once(channel: Channel) -> None:
    channel.close()
    channel.close()


def test_a_channel_tells_its_state(channel: Channel) -> None:
    assert repr(channel).startswith("<")
