"""How do jobs reach workers on other machines, and visits their conductor?

Over a Redis or Valkey, which holds only what is on its way and may lose all of it at any moment:
SQLite stays the truth. `address` says where the engine is, `connection` speaks with it, `acl` says
what whom it should let do. The library `redis` is loaded when the first connection is made.
"""

from __future__ import annotations

from typing import Final

VARIABLE: Final = "CRAWLER_REDIS"
"""Of the environment: the address of an engine, where no option gives one."""
NAME: Final = "default"
"""Of a crawl to which nobody has given one."""


def as_option(name: str) -> str:
    """What stands behind a command that is to join a crawl of this name."""
    return "" if name == NAME else f" --name {name}"
