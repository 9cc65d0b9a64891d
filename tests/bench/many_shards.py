"""How do the costs of shards grow with their number?"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from tempfile import TemporaryDirectory
from typing import Any

from tests import engines
from tests.bench.loads import Failed, Figure
from tests.bench.workshop import Tell
from tests.sites.skip import ROOT

SITES, PAGES = 400, 15
"""Of the web that is made up, and of each site."""
NUMBERS = (1, 4, 16, 64)


def simulated(shards: int, sites: int, pages: int, limit_s: float) -> dict[str, Any]:
    """What a crawl of a made-up web by so many shards took; see `tests.bench.shards`."""
    with engines.serve() as engine, TemporaryDirectory(prefix="shards-") as folder:
        command = [sys.executable, "-m", "tests.bench.shards", str(engine.port), folder]
        command += map(str, (shards, sites, pages))
        ran = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=limit_s, check=False
        )
        if ran.returncode:
            raise Failed(f"exit {ran.returncode}: {ran.stderr[-500:]}")
        found: dict[str, Any] = json.loads(ran.stdout)
        return found


def shards(_runs: int, limit_s: float, tell: Tell) -> Iterator[Figure]:
    """6,000 made-up pages, each with four links to other sites: what does a page cost with 64?"""
    alone = 0.0
    for number in NUMBERS:
        tell(f"shards: {number}")
        found = simulated(number, SITES, PAGES, limit_s)
        pages, name = found["pages"], f"{number} shards"
        cpu = 1e6 * found["cpu_s"] / pages
        alone = alone or cpu
        yield Figure(f"{name}: pages", f"{pages:,}", f"merged {found['merged_pages']:,}")
        yield Figure(f"{name}: conductors, us of CPU a page", f"{cpu:,.0f}", f"{cpu / alone:.2f} x")
        engine = 1000 * found["engine_cpu_ms"] / pages
        yield Figure(f"{name}: engine, us of CPU a page", f"{engine:.1f}")
        through = (found["engine_in"] + found["engine_out"]) / pages
        yield Figure(f"{name}: through the engine, bytes a page", f"{through:,.0f}")
        yield Figure(f"{name}: engine, peak MB", f"{found['engine_peak'] / 1e6:.1f}")
        yield Figure(f"{name}: files, bytes a page", f"{found['file_bytes'] / pages:,.0f}")
        merging = 1e6 * found["merge_cpu_s"] / pages
        yield Figure(f"{name}: merging, us of CPU a page", f"{merging:.0f}")
