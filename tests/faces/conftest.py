"""A terminal to look at, and a crawl to be shown."""

from __future__ import annotations

import os
import pty
import re
import select
import termios
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from crawler.analyse.run import analyse
from crawler.config import Config
from crawler.faces.screen import Screen, Stream
from tests.crawls import crawl
from tests.sites.injections import publish_injections
from tests.sites.web import Web

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


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


@pytest.fixture
def crawled(web: Web, tmp_path: Path) -> Path:
    """A site with a broken link, a redirect, two titles alike and scripts in every text, crawled
    and analysed."""
    publish_injections(web)
    database = tmp_path / "site.db"
    crawl(database, web.url())
    analyse(database, Config(), lambda *_: None, processes=1)
    return database
