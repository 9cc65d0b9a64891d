"""Which tab does what a browser says belong to, and how do tabs keep out of each other's way?

One process for many pages, each in a context and a renderer of its own. Every request of any of
them stops here first: `Fetch.enable` on the browser itself sees those of documents, frames and
workers, of redirects, beacons and popups; one of which nobody knows whose it is, is refused.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import gevent
from gevent.lock import RLock

from crawler.config import RenderConfig
from crawler.cpu_time import worked_s
from crawler.render.needs import NOTHING, Served
from crawler.render.pipe import Gone, Pipe, Refused, Values
from crawler.render.program import Running

START_S: Final = 30.0
WATCH_S: Final = 0.1
"""How often it is looked what pages take."""
UNKNOWN_FRAME_S: Final = 0.5
"""A frame may be told of after it asked for something."""
_PAGE_BYTES: Final = 4096


class Shows(Protocol):
    """A tab, as the browser knows it.

    target: its own, which is also its main frame. pid: of what shows it, 0 while that is not known.
    """

    target: str
    session: str
    pid: int
    config: RenderConfig
    cpu_before_s: float

    def on_event(self, method: str, params: Values) -> None:
        """The browser says something of it; must not wait."""

    def serve(self, paused: Values, depth: int) -> Served | str:
        """The answer to what it asks for, or why the browser is told that there is none."""

    def fail(self, word: str) -> None:
        """It is over."""


class Browser:
    """A browser that runs.

    lock: held by whoever makes frames, contexts or tabs: frames that overlap end it. is_worn: it is
    not to be given another page. on_end: called when it is no more.
    """

    def __init__(self, config: RenderConfig, on_end: Callable[[], None] = lambda: None) -> None:
        self.lock = RLock()
        self.pages = 0
        self.is_worn = False
        self.tabs: dict[str, Shows] = {}
        self._frames: dict[str, tuple[Shows, int]] = {}
        self._on_end = on_end
        self._running = Running(config)
        self.pipe = Pipe(self._running.told, self._running.heard, self._on_event, self._ended)
        self._watching = gevent.spawn(self._watch)
        try:
            about = self.pipe.call("Browser.getVersion", "", START_S)
            self.pipe.call("Fetch.enable", "", START_S, patterns=[{"urlPattern": "*"}])
        except (Gone, Refused, gevent.Timeout):
            self.close()
            raise Gone("the browser does not start") from None
        self.agent = str(about["userAgent"]).replace("Headless", "")

    def __repr__(self) -> str:
        return f"<Browser {self.pages} pages, {len(self.tabs)} now, {self._running!r}>"

    @property
    def pid(self) -> int:
        """Its process."""
        return self._running.pid

    @property
    def is_gone(self) -> bool:
        """Is it no more?"""
        return self.pipe.closed

    def close(self) -> None:
        """End it, whatever it does."""
        self.pipe.close()
        self._watching.kill(block=False)
        self._running.end()

    def _ended(self) -> None:
        for tab in list(self.tabs.values()):
            tab.fail("render_lost")
        self._running.end()
        self._on_end()

    # Tabs

    def enter(self, tab: Shows) -> None:
        """A tab has its session: what is said of it, it hears."""
        self.pages += 1
        self.tabs[tab.session] = tab
        self._frames[tab.target] = tab, 0

    def leave(self, tab: Shows) -> None:
        """A tab is over."""
        self.tabs.pop(tab.session, None)
        self._frames = {
            frame: owned for frame, owned in self._frames.items() if owned[0] is not tab
        }
        self.pipe.forget(tab.session)

    def renderers(self) -> set[int]:
        """The processes that show pages."""
        told = self.pipe.call("SystemInfo.getProcessInfo", "", START_S)
        return {one["id"] for one in told["processInfo"] if one["type"] == "renderer"}

    # What is heard

    def _on_event(self, method: str, params: Values, session: str) -> None:
        if method == "Fetch.requestPaused":
            gevent.spawn(self._serve, params)
            return
        if method.startswith("Target."):
            self._on_target(method, params)
        tab = self.tabs.get(session)
        if tab is None:
            return
        if method.startswith("Page.frame"):
            self._on_frame(tab, params)
        tab.on_event(method, params)

    def _on_target(self, method: str, params: Values) -> None:
        if method == "Target.detachedFromTarget":
            tab = self.tabs.get(params["sessionId"])
            if tab is not None:
                tab.fail("render_crashed")

    def _on_frame(self, tab: Shows, params: Values) -> None:
        """Whatever is told of frames is taken for what it says: that one was attached may never be
        told."""
        frame = params.get("frame", {})
        number = params.get("frameId") or frame.get("id")
        parent = params.get("parentFrameId") or frame.get("parentId")
        if number and number not in self._frames:
            depth = self._frames[parent][1] + 1 if parent in self._frames else 1
            self._frames[number] = tab, depth

    # Requests

    def _serve(self, paused: Values) -> None:
        """Answer one request. Nothing of it reaches the network but by the tab's own needs."""
        try:
            served = self._answer(paused)
        except Exception:  # a page must not wait for what went wrong here
            served = NOTHING
        number = paused["requestId"]
        with suppress(Gone):
            try:
                if isinstance(served, Served) and served.status:
                    self._fulfil(number, served)
                    return
            except Refused:  # it has headers that the browser takes for none
                served = NOTHING
            why = served if isinstance(served, str) else "BlockedByClient"
            with suppress(Refused):
                self.pipe.call("Fetch.failRequest", requestId=number, errorReason=why)

    def _answer(self, paused: Values) -> Served | str:
        frame = str(paused.get("frameId", ""))
        until = time.monotonic() + UNKNOWN_FRAME_S
        while frame and frame not in self._frames and time.monotonic() < until:
            gevent.sleep(0.02)
        tab, depth = self._frames.get(frame, (None, 0))
        return "BlockedByClient" if tab is None else tab.serve(paused, depth)

    def _fulfil(self, number: str, served: Served) -> None:
        self.pipe.call(
            "Fetch.fulfillRequest",
            requestId=number,
            responseCode=served.status,
            responseHeaders=[
                {"name": name, "value": value}
                for name, value in served.headers
                if value.isprintable() and name.isascii()
            ],
            body=base64.b64encode(served.body).decode(),
        )

    # Limits

    def _watch(self) -> None:
        """Look what pages take. Time that others take of the machine is not theirs."""
        while True:
            gevent.sleep(WATCH_S)
            for tab in list(self.tabs.values()):
                if not tab.pid:
                    continue
                if worked_s(tab.pid) - tab.cpu_before_s > tab.config.cpu_s:
                    tab.fail("render_timeout")
                elif _resident_bytes(tab.pid) > tab.config.memory_bytes:
                    tab.fail("render_memory")


def _resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as told:
            _, resident, shared, *_ = told.read().split()
    except OSError:
        return 0
    return (int(resident) - int(shared)) * _PAGE_BYTES
