"""Does a terminal show a crawl right: narrow, wide, resized, without colour?"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import pytest
from gevent import subprocess

from tests.sites.skip import ROOT, require_program
from tests.sites.web import Web

PATIENT_S = 60
EVIL = "\x1b[2J\x1b]0;owned\x07"


class Tmux:
    """A terminal of a tmux server of its own."""

    def __init__(self, folder: Path, columns: int, lines: int = 40) -> None:
        self._program = str(require_program("tmux", "apt-get install tmux"))
        self._socket = str(folder / "tmux")
        self("new-session", "-d", "-x", str(columns), "-y", str(lines), "env -u TMUX sh")

    def __call__(self, *words: str) -> str:
        asked = subprocess.run(
            [self._program, "-f", "/dev/null", "-S", self._socket, *words],
            capture_output=True, check=True, env=os.environ | {"LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        shown: str = asked.stdout.decode()
        return shown

    def type(self, text: str) -> None:
        """Type a line."""
        self("send-keys", text, "Enter")

    def shows(self, *, colours: bool = False) -> str:
        """What stands on the screen."""
        return self("capture-pane", "-p", *(("-e",) if colours else ()))

    def until(self, seen: Callable[[str], object]) -> str:
        """What stands on the screen once it is as it should be."""
        with gevent.Timeout(PATIENT_S):
            while not seen(shown := self.shows()):
                gevent.sleep(0.1)
        return shown


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    paths = [f"/{number}" for number in range(3000)]
    web.page("/", links=paths)
    for path in paths:
        web.page(path, wait_s=0.02, title=EVIL)
    yield web
    web.close()


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Callable[[int], Tmux]]:
    made: list[Tmux] = []

    def make(columns: int) -> Tmux:
        made.append(Tmux(tmp_path, columns))
        return made[-1]

    yield make
    for one in made:
        one("kill-server")


def command(web: Web, folder: Path, before: str = "") -> str:
    return (
        f"cd {ROOT}; {before} {sys.executable} -m crawler crawl {web.url()} --db {folder}/a.db "
        "--no-analyse --set pace.own_in_flight=1 --workers 1"
    )


def box(shown: str) -> list[str]:
    """The lines of the panel."""
    return [line for line in shown.splitlines() if line.startswith(("╭", "│", "╰"))]


@pytest.mark.parametrize("columns", [80, 200])
def test_the_panel_fits_its_window(
    web: Web, tmp_path: Path, tmux: Callable[[int], Tmux], columns: int
) -> None:
    terminal = tmux(columns)
    terminal.type(command(web, tmp_path))
    shown = terminal.until(lambda text: re.search(r"visited +[1-9].*database", text, re.DOTALL))
    lines = box(shown)
    assert {len(line) for line in lines} == {columns}
    assert lines[0].startswith("╭─ crawling")
    assert lines[-1].endswith("╯")
    for told in ("queued", "in flight", "received", "answers", "workers"):
        assert told in shown
    terminal("send-keys", "C-c")
    ended = terminal.until(lambda text: "going on" in text or "sqlite3" in text)
    assert not box(ended), "the panel leaves the screen"


def test_a_window_that_is_made_narrower_is_drawn_anew(
    web: Web, tmp_path: Path, tmux: Callable[[int], Tmux]
) -> None:
    terminal = tmux(200)
    terminal.type(command(web, tmp_path))
    terminal.until(lambda text: len(box(text)) > 5)
    terminal("resize-window", "-x", "80", "-y", "40")
    terminal.until(lambda text: {len(line) for line in box(text)[-5:]} == {80})


def test_without_colour_nothing_is_coloured(
    web: Web, tmp_path: Path, tmux: Callable[[int], Tmux]
) -> None:
    terminal = tmux(100)
    terminal.type(command(web, tmp_path, "NO_COLOR=1"))
    terminal.until(lambda text: len(box(text)) > 5)
    coloured = re.compile(r"\x1b\[[0-9;]*(?:3[0-7]|9[0-7]|4[0-7]|38|48)[0-9;]*m")
    assert not coloured.search("\n".join(box(terminal.shows(colours=True))))
