"""How does a crawl look on a terminal while it goes on?"""

from __future__ import annotations

from collections.abc import Callable

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
RESTING_SHOWN = 4


class LivePanel:
    """A panel on a terminal, drawn anew four times a second."""

    every_s = 0.25

    def __init__(self, screen: Screen) -> None:
        self._screen = screen
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
        self._live.update(Group(panel(stats), ""), refresh=True)

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


def panel(stats: Stats) -> Panel:
    """A snapshot as a panel."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, told in _facts(stats):
        if told:
            grid.add_row(name, Text(told))
    title = f"{progress.PHASES.get(stats.phase, stats.phase)}, {wording.span(stats.elapsed_s)}"
    return Panel(grid, title=Text(title), title_align="left", border_style="dim")


def _facts(stats: Stats) -> list[tuple[str, str]]:
    rates = f"{wording.rate(stats.pages_per_s)} now, {wording.rate(stats.pages_per_s_average)}"
    limit = f" of {stats.max_pages:,}" if stats.max_pages else ""
    statuses = [f"{wording.plain(status)}: {many:,}" for status, many in stats.statuses]
    return [
        ("visited", f"{stats.pages:,}{limit}   {rates} on average"),
        ("", progress.remaining(stats)),
        ("queued", f"{stats.queued:,}   {wording.count(stats.hosts_due, 'host')} to ask now"),
        ("in flight", f"{stats.in_flight:,}   {stats.storing:,} being stored"),
        ("received", wording.size(stats.bytes)),
        ("errors", f"{stats.errors:,}"),
        ("answers", "   ".join(wording.first(statuses, STATUSES_SHOWN))),
        ("waiting", progress.idle(stats)),
        ("held up", "\n".join(progress.standing(stats))),
        ("resting", "\n".join(progress.resting(stats, RESTING_SHOWN))),
    ]
