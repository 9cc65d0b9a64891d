"""How does text reach a terminal or a pipe without holding anybody up?"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from gevent.socket import wait_write

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIECE_BYTES = 4096
"""A pipe that can be written to takes at least so much (PIPE_BUF) without waiting."""
FOR_PEOPLE = 2
"""The standard error: a crawl goes on though nothing can be told there, as on a full disk."""
GONE = frozenset({errno.EPIPE, errno.EIO, errno.EBADF})
"""Nobody reads any more: a pipe, a terminal, a descriptor that was closed."""


class Stream:
    """A text stream on a descriptor; a slow reader delays only the greenlet that writes.

    Raises BrokenPipeError when the reader is gone, OSError for what else goes wrong.
    """

    encoding = "utf-8"

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __repr__(self) -> str:
        return f"<Stream {self._descriptor}>"

    def write(self, text: str) -> int:
        """Write at once; what has no UTF-8 is replaced."""
        data = memoryview(text.encode("utf-8", "replace"))
        while data:
            data = data[self._write(data[:PIECE_BYTES]) :]
        return len(text)

    def _write(self, piece: memoryview) -> int:
        try:
            wait_write(self._descriptor)
            return os.write(self._descriptor, piece)
        except OSError as error:
            if error.errno in GONE or self._descriptor == FOR_PEOPLE:
                raise BrokenPipeError(error.errno, error.strerror) from None
            raise

    def flush(self) -> None:
        """Nothing is held back."""

    def isatty(self) -> bool:
        """Does somebody look at it?"""
        return os.isatty(self._descriptor)

    def fileno(self) -> int:
        """The descriptor."""
        return self._descriptor


class Screen:
    """A console on a descriptor; one whose reader is gone stays silent.

    quiet: nothing is printed. The console is made when something is: rich takes 20 ms to load,
    and nobody who asked for silence needs it.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._console: Console | None = None
        self.quiet = False

    def print(self, *what: RenderableType, soft_wrap: bool = False) -> None:
        """Print a line, or what rich makes lines of."""
        if not self.quiet:
            self.console.print(*what, soft_wrap=soft_wrap)

    @property
    def console(self) -> Console:
        """What draws."""
        if self._console is None:
            from crawler.faces.console import SilentConsole  # see above

            self._console = SilentConsole(self._stream, self._fall_silent)
        return self._console

    @property
    def is_terminal(self) -> bool:
        """Does somebody look at it?"""
        return self.console.is_terminal

    @property
    def places(self) -> int:
        """Columns of the window that is written to; rich asks the standard streams, which may be
        another's. ``COLUMNS`` counts first."""
        try:
            own = os.get_terminal_size(self._stream.fileno()).columns
        except OSError:
            own = 0
        width = self.console.width
        return width if "COLUMNS" in os.environ else own or width

    def _fall_silent(self) -> None:
        self.quiet = True
