"""How does a crawl reach other machines, and a shard the others?"""

from __future__ import annotations

import os
from collections.abc import Callable

from crawler.channels import Channel, open_fleet
from crawler.channels.redis import VARIABLE
from crawler.channels.redis.address import address_of, has_password
from crawler.cli import sharding
from crawler.cli.running import Ways
from crawler.config import Config
from crawler.crawl import worker_processes
from crawler.errors import UsageError
from crawler.faces.progress import Face
from crawler.policy import rendering
from crawler.store.shards import Which


def reached(
    config: Config, which: Which | None, redis: str, name: str, face: Face
) -> tuple[Ways, Config]:
    """How machines and other shards are reached, and what this conductor has of all limits.

    Machines fetch for a shard, under the crawl's name and its number, where it has no workers of
    its own. Raises UsageError, one line, where no engine can be had.
    """
    if which is None:
        return Ways(_channel(config, redis, name, face)), config
    exchange = sharding.exchange_of(config, address_of(redis, os.environ), name)
    channel = None
    if not worker_processes(config):
        channel = _channel(config, redis, f"{name}.{which.number}", face)
    return Ways(channel, exchange), sharding.divided(config, which)


def _channel(config: Config, redis: str, name: str, face: Face) -> Channel | None:
    """The channel to other machines; None where nobody asks for them."""
    if not (redis or os.environ.get(VARIABLE)):
        return None
    address = address_of(redis, os.environ)
    warn_of_password(redis, face.say)
    if rendering.is_asked(config):
        if not worker_processes(config):
            raise UsageError(
                "--render: pages are shown here alone; leave out --workers 0, or --redis"
            )
        face.say("Warning: what other machines fetch is not looked at as a browser shows it")
    return open_fleet(config, address, name, worker_processes(config))


def warn_of_password(redis: str, say: Callable[[str], None]) -> None:
    """Others can read a command line."""
    if has_password(redis):
        say(f"Warning: others see the password in --redis; put it into {VARIABLE} or a file")
