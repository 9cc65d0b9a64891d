"""How does rich write to a stream that may go away?"""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO, cast

from rich.console import Console

from crawler.faces.screen import Stream

WIDE = 1000
"""Columns where nobody looks at a window: nothing is folded or cut."""


class SilentConsole(Console):
    """A console that falls silent when its reader is gone, and tells so."""

    def __init__(self, stream: Stream, gone: Callable[[], None]) -> None:
        self._gone = gone
        super().__init__(
            file=cast(TextIO, stream),
            markup=False,
            highlight=False,
            emoji=False,
            width=None if stream.isatty() else WIDE,
        )

    def on_broken_pipe(self) -> None:
        """The reader has gone: say nothing more."""
        self.quiet = True
        self._gone()
