"""How do the snapshots of a crawl reach its dashboard, and commands the crawl?

Over a socket between the two processes, a JSON object a line. The crawl never waits for it: there
is room for one snapshot, and a newer one takes its place. When the dashboard is gone, the crawl
goes on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import gevent
import msgspec
from gevent import socket, subprocess
from gevent.event import Event

from crawler.children import command_of
from crawler.faces.progress import Face
from crawler.faces.summary import Summary
from crawler.model import Stats

EVERY_S: Final = 1.0
MAX_LINE: Final = 64 * 1024
WAIT_S: Final = 5.0
"""For a dashboard that does not read."""
FAREWELL_S: Final = 2.0

Control = Callable[[dict[str, Any]], str]
"""Carries out a command, and tells in a sentence what came of it."""


class Dashboard:
    """A face beside another: what is shown there is shown by a dashboard, too.

    beside: the other face. database: what the dashboard reads. port: where it listens; 0 for any,
    None for the usual one or any. control: carries out what people command.
    """

    def __init__(self, beside: Face, database: Path, port: int | None, *, control: Control) -> None:
        self._beside = beside
        self._database = database
        self._port = port
        self._control = control
        self._latest: Stats | None = None
        self._news = Event()
        self._process: Any = None
        self._link: Any = None
        self._greenlets: list[Any] = []
        self.every_s = min(beside.every_s, EVERY_S)
        self._rounds = 0

    def __repr__(self) -> str:
        return f"<Dashboard of {self._database}>"

    def show(self, stats: Stats) -> None:
        """Pass a snapshot on; the dashboard's process is begun with the first."""
        if self._process is None:
            self._begin()
        self._latest = stats
        self._news.set()
        self._rounds += 1
        if self._rounds % max(1, round(self._beside.every_s / self.every_s)) == 0:
            self._beside.show(stats)

    def say(self, text: str) -> None:
        """One line for the person."""
        self._beside.say(text)

    def warn(self, text: str) -> None:
        """One line that is told in any case."""
        self._beside.warn(text)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._beside.close()

    def end(self, told: Callable[[], Summary]) -> None:
        """Tell what the run came to."""
        self._beside.end(told)

    def leave(self) -> None:
        """End the dashboard's process."""
        gevent.killall(self._greenlets)
        if self._link is not None:
            self._link.close()
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):  # it tells those who watch, and goes
                self._process.wait(timeout=FAREWELL_S)
            with suppress(ProcessLookupError):
                self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=WAIT_S)
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()

    def _begin(self) -> None:
        ours, theirs = socket.socketpair()
        self._link = ours
        place = () if self._port is None else ("--port", str(self._port))
        feed = ("--db", str(self._database), "--feed", str(theirs.fileno()))
        command = command_of("crawler", "dashboard", *feed, *place)
        self._process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, env=os.environ | {"PYTHONUNBUFFERED": "1"},
            start_new_session=True,  # a terminal's Ctrl-C is the crawl's
        )  # fmt: skip
        theirs.close()
        self._greenlets = [gevent.spawn(self._write), gevent.spawn(self._read)]

    def _write(self) -> None:
        """Send the newest snapshot, whenever there is one."""
        with suppress(OSError):
            while True:
                self._news.wait()
                self._news.clear()
                self._send({"stats": msgspec.to_builtins(self._latest)})
                gevent.sleep(EVERY_S)

    def _send(self, told: dict[str, Any]) -> None:
        self._link.sendall(json.dumps(told).encode() + b"\n")

    def _read(self) -> None:
        """Hear where it listens, and what people command."""
        with suppress(OSError):
            for asked in lines(self._link):
                if "listens" in asked:
                    self.say(f"Dashboard: {asked['listens']}")
                elif "failed" in asked:
                    self.warn(f"There is no dashboard: {asked['failed']}")
                elif "command" in asked:
                    self._send({"answer": asked.get("number"), "said": self._control(asked)})


def lines(link: Any) -> Any:
    """The objects that come over a socket, until it is closed."""
    rest = b""
    while piece := link.recv(MAX_LINE):
        rest += piece
        *whole, rest = rest.split(b"\n")
        for line in whole:
            told = json.loads(line)
            if isinstance(told, dict):
                yield told
        if len(rest) > MAX_LINE:
            return
