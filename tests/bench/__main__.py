"""How fast is it, and where does the time go? ``python -m tests.bench [--profile] [WORK...]``"""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from functools import partial

from tests.bench import flame, loads, machines, many_shards, race, table, versions, watched
from tests.bench.contestants import CONTESTANTS, OURS
from tests.bench.loads import Failed
from tests.bench.workshop import Absent

LOADS = loads.LOADS | {
    "dashboard": watched.dashboard,
    "http2": versions.http2,
    "machines": machines.machines,
    "shards": many_shards.shards,
}
WORKS = (*race.COURSES, *LOADS)
LONG = ("million", "machines", "shards")
"""Done only when they are named."""
USUAL = tuple(name for name in WORKS if name not in LONG)
BIG = (10_000, 1_000_000, 10_000_000)


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "work", nargs="*", help=f"of {', '.join(WORKS)}; all but {', '.join(LONG)} if none"
    )
    parser.add_argument("--runs", type=int, default=3, help="of each contestant (default 3)")
    parser.add_argument("--only", default="", help="contestants whose names begin so: wget2,scrapy")
    parser.add_argument("--limit-s", type=float, default=600, help="for one run (default 600)")
    parser.add_argument("--big", action="store_true", help="frontier: 10 million URLs too")
    parser.add_argument("--profile", action="store_true", help="sample the crawler instead")
    asked = parser.parse_args(given)
    asked.work = asked.work or (["small"] if asked.profile else list(USUAL))
    known = race.COURSES if asked.profile else WORKS
    for name in asked.work:
        if name not in known:
            parser.error(f"no work {name!r} here; there are {', '.join(known)}")
    return asked


def tell(line: str) -> None:
    """Something for the person who waits."""
    print(line, file=sys.stderr, flush=True)


def run(name: str, asked: argparse.Namespace) -> None:
    """One work: its runs, then its table."""
    shown = table.console()
    if asked.profile:
        graph, samples = flame.profile(race.COURSES[name](), limit_s=asked.limit_s, tell=tell)
        shown.print(table.of_samples(name, samples))
        shown.print(f"flame graph: {graph}")
    elif name in race.COURSES:
        course = race.COURSES[name]()
        wanted = tuple(word for word in asked.only.split(",") if word)
        takers = [one for one in CONTESTANTS if one is OURS or _is_wanted(one.name, wanted)]
        placings = race.race(course, takers, runs=asked.runs, limit_s=asked.limit_s, tell=tell)
        shown.print(table.of_race(course, placings, asked.runs))
    else:
        load = LOADS[name]
        if name == "frontier" and asked.big:
            load = partial(loads.frontier, sizes=BIG)
        figures = list(load(asked.runs, asked.limit_s, tell))
        about = LOADS[name].__doc__ or ""
        shown.print(table.of_load(name, about, figures))


def _is_wanted(name: str, wanted: tuple[str, ...]) -> bool:
    return not wanted or name.startswith(wanted)


def main(given: Sequence[str]) -> int:
    """All that was asked for; a work that cannot be done here is one line."""
    asked = arguments(given)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    print(table.machine(), flush=True)
    undone = 0
    for name in asked.work:
        try:
            run(name, asked)
        except (Absent, Failed) as why:
            undone += 1
            print(f"{name}: {why}")
    return int(undone > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
