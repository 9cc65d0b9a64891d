"""A crawl to be taken along, and the command."""

from __future__ import annotations

import os
import pty
import select
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crawler.analyse.run import analyse
from crawler.config import Config
from tests.crawls import config, crawl, let_a_day_pass
from tests.exports.site import publish, publish_news
from tests.sites.web import Web
from tests.terminal import Terminal


@pytest.fixture(scope="session")
def crawled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A site whose texts are awkward, crawled twice and analysed; to be read, never written."""
    database = tmp_path_factory.mktemp("crawled") / "site.db"
    web = Web()
    settings = config(robots={"sitemaps": True})
    publish(web)
    crawl(database, web.url(), settings=settings)
    analyse(database, Config(), lambda *_: None, processes=1)
    publish_news(web)
    let_a_day_pass(database)
    crawl(database, web.url(), settings=settings)
    analyse(database, Config(), lambda *_: None, processes=1)
    yield database
    web.close()


@pytest.fixture
def crawler(tmp_path: Path) -> Terminal:
    """The command, in an empty folder."""
    return Terminal(tmp_path)


@pytest.fixture
def pseudo_terminal(crawler: Terminal) -> Callable[[list[str]], bytes]:
    """Exports with a terminal for its output, and gives what that was told."""

    def shown(words: list[str]) -> bytes:
        inside, outside = pty.openpty()
        termios.tcsetwinsize(outside, (24, 300))
        with crawler.start("export", *words, stdout=outside, stderr=outside) as process:
            told = b""
            running = True
            while running or select.select([inside], [], [], 0)[0]:
                running = process.poll() is None
                if select.select([inside], [], [], 0.05)[0]:
                    told += os.read(inside, 65_536)
        os.close(inside)
        os.close(outside)
        return told

    return shown
