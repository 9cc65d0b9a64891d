"""Was a server asked politely?

Judges by the server's own log, and by what the server said; it knows nothing of any crawler.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tests.sites.server import Hit

CLOCK_S = 0.005
"""A server may notice the end of its own reply a moment after the client did."""
UNANSWERED = 0
"""The status of a request that the client gave up."""


@dataclass(frozen=True)
class Manners:
    """What a host may expect.

    gap_s: rest between the end of a reply and the next request. crawl_delay_s: the same, from its
    robots.txt, once that was read. forbidden: beginnings of paths that its rules forbid.
    retry_after_s: by path, what its 429 and 503 ask for.
    """

    gap_s: float = 0.0
    crawl_delay_s: float = 0.0
    forbidden: tuple[str, ...] = ()
    retry_after_s: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Offence:
    """What a host has to complain of, and about which request."""

    rule: str
    host: str
    path: str
    detail: str = ""


def offences(log: Iterable[Hit], manners: Mapping[str, Manners]) -> list[Offence]:
    """Everything in a log that breaks the manners of its hosts, which go by their addresses."""
    by_host: dict[str, list[Hit]] = defaultdict(list)
    for hit in log:
        by_host[hit.address].append(hit)
    found = []
    for host, hits in by_host.items():
        hits.sort(key=lambda hit: hit.started)
        found += _of_host(host, hits, manners[host])
    return found


def _of_host(host: str, hits: list[Hit], manners: Manners) -> list[Offence]:
    found = []
    delay_s, blocked_until, before = manners.gap_s, 0.0, None
    for hit in hits:
        if before is not None:
            rested = hit.started - before.ended
            if rested < -CLOCK_S:
                found.append(Offence("overlap", host, hit.path, f"{-rested:.3f} s"))
            elif rested < delay_s - CLOCK_S:
                found.append(Offence("gap", host, hit.path, f"{rested:.3f} of {delay_s} s"))
        if hit.started < blocked_until - CLOCK_S:
            early = blocked_until - hit.started
            found.append(Offence("retry_after", host, hit.path, f"{early:.3f} s early"))
        if hit.path.startswith(manners.forbidden or ("\0",)):
            found.append(Offence("forbidden", host, hit.path))
        if hit.path == "/robots.txt" and hit.status == 200:
            delay_s = max(delay_s, manners.crawl_delay_s)
        if hit.status in (429, 503):
            rest_s = manners.retry_after_s.get(hit.path, 0.0)
            blocked_until = max(blocked_until, hit.ended + rest_s)
        before = hit if before is None or hit.ended > before.ended else before
    return found
