"""How does a crawl look on a terminal while it goes on?"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from rich.console import Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from crawler.faces import progress, summary, wording
from crawler.faces.screen import Screen
from crawler.faces.summary import Summary
from crawler.model import Stats

STATUSES_SHOWN = 8
RATES_SHOWN = 60
"""Seconds of the curve of rates."""
BARS = "▁▂▃▄▅▆▇█"
RESTING_SHOWN = 4
MACHINES_SHOWN = 6
LOADS_SHOWN = 8


class LivePanel:
    """A panel on a terminal, drawn anew four times a second."""

    every_s = 0.25

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
        self._rates: deque[float] = deque(maxlen=RATES_SHOWN)
        self._sampled_s = 0.0
        # No thread of its own, and nobody else's output taken away.
        self._live = Live(
            console=screen.console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def show(self, stats: Stats) -> None:
        """Draw the panel."""
        if not self._live.is_started:
            self._live.start()
        # The cursor waits on a line of its own: behind a border that ends at the edge, the ^C
        # that a terminal echoes would begin a new line, and the panel would not be found again.
        if stats.elapsed_s - self._sampled_s >= 1.0:
            self._rates.append(stats.pages_per_s)
            self._sampled_s = stats.elapsed_s
        self._live.update(Group(panel(stats, tuple(self._rates)), ""), refresh=True)

    def say(self, text: str) -> None:
        """Print above the panel."""
        self._screen.print(wording.plain(text))

    def warn(self, text: str) -> None:
        """Print above the panel."""
        progress.insist(self._screen, text)

    def close(self) -> None:
        """Take the panel away."""
        self._live.stop()

    def end(self, told: Callable[[], Summary]) -> None:
        """Print the summary."""
        if not self._screen.quiet:
            summary.show(told(), self._screen)


def panel(stats: Stats, rates: Sequence[float] = ()) -> Panel:
    """A snapshot as a panel. rates: pages a second, second by second, the newest last."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, told in _facts(stats, rates):
        if told:
            grid.add_row(name, Text(told))
    title = f"{progress.PHASES.get(stats.phase, stats.phase)}, {wording.span(stats.elapsed_s)}"
    return Panel(grid, title=Text(title), title_align="left", border_style="dim")


def curve(rates: Sequence[float]) -> str:
    """Rates as a line of bars, the highest of them full; empty where nothing went on."""
    most = max(rates, default=0.0)
    if most <= 0:
        return ""
    return "".join(BARS[min(len(BARS) - 1, int(len(BARS) * rate / most))] for rate in rates)


def _facts(stats: Stats, all_rates: Sequence[float]) -> list[tuple[str, str]]:
    rates = f"{wording.rate(stats.pages_per_s)} now, {wording.rate(stats.pages_per_s_average)}"
    limit = f" of {stats.max_pages:,}" if stats.max_pages else ""
    told = [(what.isdigit(), f"{wording.plain(what)}: {many:,}") for what, many in stats.statuses]
    statuses = [text for is_status, text in told if is_status]
    errors = [text for is_status, text in told if not is_status]
    return [
        ("visited", f"{stats.pages:,}{limit}   {rates} on average"),
        ("", curve(all_rates)),
        ("", progress.remaining(stats)),
        ("queued", f"{stats.queued:,}   {wording.count(stats.hosts_due, 'host')} to ask now"),
        ("in flight", f"{stats.in_flight:,}   {stats.storing:,} being stored"),
        ("received", wording.size(stats.bytes)),
        ("answers", "   ".join(wording.first(statuses, STATUSES_SHOWN))),
        ("errors", "   ".join([f"{stats.errors:,}", *wording.first(errors, STATUSES_SHOWN)])),
        ("workers", _workers(stats)),
        ("machines", "\n".join(progress.machines(stats, MACHINES_SHOWN))),
        ("database", _file(stats)),
        ("waiting", progress.idle(stats)),
        ("held up", "\n".join(progress.standing(stats))),
        ("resting", "\n".join(progress.resting(stats, RESTING_SHOWN))),
    ]


def _workers(stats: Stats) -> str:
    """What is out to each."""
    if not stats.loads:
        return ""
    jobs = " + ".join(f"{load:,}" for load in stats.loads[:LOADS_SHOWN])
    more = " + ..." if len(stats.loads) > LOADS_SHOWN else ""
    return f"{stats.workers:,}   {jobs}{more} in flight" if stats.workers else ""


def _file(stats: Stats) -> str:
    if not stats.database_bytes:
        return ""
    log = f"   {wording.size(stats.log_bytes)} in its log" if stats.log_bytes else ""
    return f"{wording.size(stats.database_bytes)}{log}   {wording.size(stats.disk_free_bytes)} free"
