"""Which shard of a crawl has a host?

By rendezvous: each shard draws a number for the host's registered domain, and the greatest wins.
Names of one domain stay together, and every shard knows where any host is without being told.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from crawler.policy import urls


def shard_of(host: str, shards: int) -> int:
    """The number of a host's shard, from 1."""
    return _shard_of_domain(urls.registered_domain(host), shards)


@lru_cache(maxsize=16_384)
def _shard_of_domain(domain: str, shards: int) -> int:
    name = domain.encode("utf-8", "surrogatepass")
    return max(range(1, shards + 1), key=lambda number: (_drawn(name, number), number))


def _drawn(name: bytes, number: int) -> bytes:
    return blake2b(name, digest_size=8, key=number.to_bytes(4, "big")).digest()


def share(whole: int, number: int, shards: int) -> int:
    """What falls to one of them of a limit that all share; together they have all of it."""
    return whole // shards + (number <= whole % shards)
