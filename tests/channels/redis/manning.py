"""How does a test get a channel with a machine at its other end?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gevent
import msgspec

from crawler.channels.redis.relay import Agent
from crawler.channels.redis.remote import RedisChannel
from crawler.config import Config
from tests.engines import Engine
from tests.patience import until

NAME = "tests"


def agent(engine: Engine, workers: int = 1, *, user: str = "", password: str = "") -> Agent:
    """A machine with so many processes, in this one."""

    def adapt(config: Config) -> Config:
        run = msgspec.structs.replace(config.run, workers=workers)
        return msgspec.structs.replace(config, run=run)

    return Agent(engine.address(user, password), NAME, adapt, lambda _: None)


def admit(channel: RedisChannel) -> None:
    """Do what a conductor does: write machines down, then let them have jobs."""
    number = 0
    while True:
        fresh = [state for state in channel.unwritten() if not state.id]
        channel.admit({state.key: number + place for place, state in enumerate(fresh, 1)})
        number += len(fresh)
        gevent.sleep(0.02)


@contextmanager
def conducted(engine: Engine, config: Config) -> Iterator[RedisChannel]:
    """A channel of which no machine knows yet."""
    channel = RedisChannel(config, engine.address(), NAME)
    channel.start()
    channel.begin()
    admitting = gevent.spawn(admit, channel)
    try:
        yield channel
    finally:
        admitting.kill()
        channel.close()


@contextmanager
def manned(engine: Engine, config: Config, workers: int = 1) -> Iterator[RedisChannel]:
    """A channel for which a machine works."""
    machine = agent(engine, workers)
    with conducted(engine, config) as channel:
        working = gevent.spawn(machine.run)
        try:
            until(lambda: channel.free > 0)
            yield channel
        finally:
            machine.stop()
            machine.stop()
            working.join()
