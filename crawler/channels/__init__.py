"""How do jobs reach the workers, and visits the conductor?

One contract, several engines: `LocalChannel` (the worker runs in the conductor's process),
`ProcessChannel` (children over a socketpair) and `RedisChannel` (machines over a Redis or Valkey,
each of which relays to a `ProcessChannel`). Stored bodies are read, piece by piece (`bodies`), in
processes that can be killed as well (`readers`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.channels.contract import Channel, Fleet, Returned
from crawler.config import Config

if TYPE_CHECKING:
    from crawler.channels.redis.address import Address

__all__ = ["Channel", "Fleet", "Returned", "open_channel", "open_fleet"]


def open_channel(config: Config, workers: int) -> Channel:
    """The channel for so many worker processes; 0 is the conductor's own process."""
    # Each engine is imported when it is chosen: a conductor with worker processes never needs the
    # libraries that fetch and parse, 100 ms of its start.
    if workers == 0:
        from crawler.channels.local import LocalChannel

        return LocalChannel(config)
    from crawler.channels.processes import ProcessChannel

    return ProcessChannel(config, workers)


def open_fleet(config: Config, address: Address, name: str, workers: int) -> Channel:
    """The channel to machines that may join, and to so many worker processes here, 0 for none.

    Raises UsageError where the name is none, redis-py is not installed, or no engine can be used.
    """
    from crawler.channels.redis.remote import RedisChannel

    own = open_channel(config, workers) if workers else None
    channel = RedisChannel(config, address, name, own)
    channel.look()
    return channel
