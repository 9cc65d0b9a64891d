"""A terminal to look at."""

from __future__ import annotations

import os
import pty
import re
import select
import termios
from collections.abc import Iterator
from contextlib import suppress

import pytest

from crawler.faces.screen import Screen, Stream

SILENCE_S = 0.3
STYLE = re.compile(r"\x1b\[[0-9;]*m")


class Terminal:
    """A terminal of 60 columns. descriptor, screen: what is written to."""

    def __init__(self) -> None:
        self._inside, self.descriptor = pty.openpty()
        termios.tcsetwinsize(self.descriptor, (24, 60))
        self.screen = Screen(Stream(self.descriptor))

    def shown(self) -> str:
        """What has come, once nothing more comes."""
        found = b""
        while select.select([self._inside], [], [], SILENCE_S)[0]:
            found += os.read(self._inside, 65_536)
        return found.decode()

    def close(self) -> None:
        """Hang up."""
        for descriptor in (self._inside, self.descriptor):
            with suppress(OSError):
                os.close(descriptor)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal like most, wherever the tests run."""
    monkeypatch.setenv("TERM", "xterm")
    for name in ("COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    made = Terminal()
    yield made
    made.close()
