"""How far is long work that is no crawl?"""

from __future__ import annotations

import time
from types import TracebackType
from typing import Final

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from crawler.faces.screen import Screen

EVERY_S: Final = 0.2


class Bar:
    """A line on a terminal that tells how much is done, and goes when the work is.

    Where no terminal is, it is silent.
    """

    def __init__(self, screen: Screen, what: str) -> None:
        self._silent = screen.quiet or not screen.is_terminal
        # no thread of its own, and nobody else's output taken away
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=screen.console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._task = self._progress.add_task(what, total=None)
        self._drawn = 0.0

    def __enter__(self) -> Bar:
        if not self._silent:
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not self._silent:
            self._progress.stop()

    def __call__(self, done: int, whole: int | None = None) -> None:
        """So much is done, of so much where that is known."""
        now = time.monotonic()
        if self._silent or now - self._drawn < EVERY_S:
            return
        self._drawn = now
        self._progress.update(self._task, completed=done, total=whole, refresh=True)
