"""Do warnings of other rooms reach the person, and command nothing?"""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import gevent
import pytest

from crawler.faces import panel, progress
from crawler.faces.log import told_by
from crawler.faces.screen import Screen, Stream
from tests.faces.conftest import Terminal
from tests.patience import until
from tests.sites.skip import ROOT

LOG = logging.getLogger("crawler.store.test")


@pytest.fixture
def said(tmp_path: Path) -> Path:
    return tmp_path / "said"


@pytest.mark.parametrize("quiet", [False, True])
def test_a_warning_is_told_once_in_plain_lines_also_where_nothing_else_is(
    said: Path, quiet: bool
) -> None:
    with said.open("wb") as file:
        screen = Screen(Stream(file.fileno()))
        screen.quiet = quiet
        with told_by(progress.PlainLines(screen)):
            LOG.warning("another program holds a lock: \x1b[2J\nand \x9b31m")
            LOG.info("not worth telling")
    assert said.read_text() == "another program holds a lock: \\x1b[2J\nand \\x9b31m\n"


def test_a_warning_of_another_thread_is_told_while_the_crawl_goes_on(said: Path) -> None:
    with said.open("wb") as file, told_by(progress.PlainLines(Screen(Stream(file.fileno())))):
        gevent.get_hub().threadpool.apply(LOG.warning, ("waiting for it",))
        until(said.read_text)
    assert said.read_text() == "waiting for it\n"


def test_a_warning_stands_above_the_panel(terminal: Terminal) -> None:
    with told_by(panel.LivePanel(terminal.screen)):
        LOG.warning("the network is down")
    assert "the network is down" in terminal.shown()


def test_what_an_exception_quotes_commands_no_terminal() -> None:
    """In a worker, whose standard error is the terminal's."""
    program = (
        "import logging; from crawler.plain import log_plainly; log_plainly()\n"
        "try: raise ValueError('\\x1b]0;owned\\x07 \\u202e')\n"
        "except ValueError: logging.getLogger('crawler.x').warning('odd', exc_info=True)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert ran.stderr.endswith("ValueError: \\x1b]0;owned\\x07 \\u202e\n")
    assert ran.stderr.count("\n") > 2
    assert "\x1b" not in ran.stderr
