"""How are the figures shown?"""

from __future__ import annotations

import os
import platform
from collections import Counter
from collections.abc import Iterable, Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from crawler.parse import _scan_py, scan
from tests.bench.loads import Figure
from tests.bench.race import Course, Placing

WIDTH = 150
FUNCTIONS = 25


def console() -> Console:
    """Where tables go: as wide as they need when nobody watches."""
    return Console(width=None if os.isatty(1) else WIDTH, highlight=False)


def machine() -> str:
    """The machine, on one line."""
    load = os.getloadavg()[0]
    python = platform.python_version()
    compiled = "" if scan.scan is not _scan_py.scan else ", nothing compiled"
    return (
        f"{os.cpu_count()} cores, load {load:.1f}, Linux {platform.release()}, Python {python}"
        f"{compiled}"
    )


def of_race(course: Course, placings: Sequence[Placing], runs: int) -> Group:
    """A line for each contestant."""
    title = f"{course.name}: {course.about}; medians of {runs} runs taken in turn"
    table = _table()
    columns = ("pages/s", "crawler is", "spread", "CPU s/1,000 pages", "peak MB", "kept B/page")
    table.add_column("")
    for name in (*columns, "pages", "requests"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("keeps")
    for one in placings:
        table.add_row(one.name, *_figures(one), one.keeps)
    remarks = [Text(f"{one.name}: {one.remark}") for one in placings if one.remark]
    return Group(Text(title), table, *remarks, Text())


def _figures(one: Placing) -> Iterable[str]:
    if not one.pages_per_s:
        return ["-"] * 8
    return (
        f"{one.pages_per_s:,.0f}",
        f"{one.ours:.2f} x" if one.ours else "-",
        f"{one.spread:.2f}",
        f"{one.cpu_s:.2f}",
        f"{one.peak_bytes / 1e6:,.0f}",
        f"{one.bytes_per_page:,.0f}" if one.bytes_per_page else "-",
        f"{one.pages:,}" + (" !" if one.remark else ""),
        f"{one.requests:,}",
    )


def of_load(name: str, about: str, figures: Sequence[Figure]) -> Group:
    """A line for each figure."""
    table = _table()
    table.add_column("")
    table.add_column("measured", justify="right")
    table.add_column("of", justify="right")
    for one in figures:
        table.add_row(one.what, one.value, one.against)
    return Group(Text(f"{name}: {about}"), table)


def of_samples(name: str, samples: Counter[str]) -> Group:
    """The functions in which most samples were taken."""
    whole = samples.total()
    table = _table()
    table.add_column("share", justify="right")
    table.add_column("function")
    for function, count in samples.most_common(FUNCTIONS):
        table.add_row(f"{count / whole:.1%}", function)
    return Group(Text(f"{name}: {whole:,} samples by innermost function"), table)


def _table() -> Table:
    return Table(box=SIMPLE_HEAD, pad_edge=False)
