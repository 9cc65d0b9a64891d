"""How long does the frontier take to say what may be fetched now?

The command line of the crawler with a clock around `Frontier.lease`; the times of leases that gave
something go to a file.

    python -m tests.bench.leases TIMES.json crawl seeds.txt --db crawl.db
"""

from __future__ import annotations

import crawler._patch  # noqa: F401  # must come before every other import

# ruff: isort: split

import json
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from crawler.cli import cli
from crawler.frontier.frontier import Frontier
from crawler.frontier.schedule import Lease

Leasing = Callable[[Frontier, float, int], Lease | None]


def timed(lease: Leasing, times: array[float]) -> Leasing:
    """The same, with the seconds of each success appended to `times`."""

    def timed_lease(self: Frontier, now: float, free: int) -> Lease | None:
        began = perf_counter()
        found = lease(self, now, free)
        if found is not None:
            times.append(perf_counter() - began)
        return found

    return timed_lease


def main() -> None:
    """Crawl, then write the times down."""
    file = Path(sys.argv.pop(1))
    times: array[float] = array("d")
    Frontier.lease = timed(Frontier.lease, times)  # type: ignore[assignment, method-assign]
    try:
        cli()
    finally:
        ordered = sorted(times) or [0.0]
        p99 = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
        found = {"leases": len(times), "p99_ms": 1000 * p99, "worst_ms": 1000 * ordered[-1]}
        file.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
