"""How do jobs reach the workers, and visits the conductor?

One contract, several engines: `LocalChannel` (the worker runs in the conductor's process) and
`ProcessChannel` (children over a socketpair). Stored bodies are read, piece by piece (`bodies`), in
processes that can be killed as well (`readers`).
"""

from __future__ import annotations

from crawler.channels.contract import Channel, Returned
from crawler.config import Config

__all__ = ["Channel", "Returned", "open_channel"]


def open_channel(config: Config, workers: int) -> Channel:
    """The channel for so many worker processes; 0 is the conductor's own process."""
    # Each engine is imported when it is chosen: a conductor with worker processes never needs the
    # libraries that fetch and parse, 100 ms of its start.
    if workers == 0:
        from crawler.channels.local import LocalChannel

        return LocalChannel(config)
    from crawler.channels.processes import ProcessChannel

    return ProcessChannel(config, workers)
