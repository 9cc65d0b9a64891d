"""What does one page look like when its scripts have run?

The page is shown in virtual time: clocks of scripts run as fast as the work allows, stand while
something is fetched, and go on by steps, with a frame drawn after each. It is done when nothing
changes any more; what has hardly a word yet is given five of its seconds.
"""

from __future__ import annotations

import base64
import os
import signal
import time
from contextlib import suppress
from typing import Any, Final

import gevent
import msgspec
from gevent.event import AsyncResult, Event

from crawler.config import RenderConfig
from crawler.cpu_time import worked_s
from crawler.model import Job, Picture, Reply, Said
from crawler.policy import urls
from crawler.render import needs
from crawler.render.browser import Browser
from crawler.render.needs import Needs, Served
from crawler.render.pipe import Gone, Refused, Values
from crawler.store.rendering import MAX_CONSOLE

WIDTH, HEIGHT = 1280, 800
MOST_HEIGHT: Final = 12_000
"""A page is made so high in the end, so that what comes into sight when it is scrolled is there."""
SHORT_MS, SHORT_STEPS, LONG_MS = 100, 5, 500
"""Steps of virtual time: first some short ones."""
FEW_WORDS: Final = 50
PATIENCE_MS: Final = 5_000
"""A page with so few words is given so much of its time."""
MOST_MS: Final = 10_000
"""A page that changes for so long is taken as it is."""
WORKERS_S: Final = 0.05
"""Real time for what works beside the page, at each long step: virtual time knows no workers."""
FRAME_S: Final = 1.5
"""What one frame may take of a page's own time: others wait for it."""
FRAME_WAITS: Final = 10
"""So many times as long by the clock, where the machine has other things to do."""
HURRY_AFTER: Final = 2
"""So many times as long a script may hold a frame up by waiting for an answer."""
STARVED: Final = 2_000
"""Tasks of a page after which its clock goes on by force."""
MOST_TEXT: Final = 1_000
MOST_BYTES: Final = 10 * 1024 * 1024
_LEFT_OVER_S: Final = 2.0
"""What reading a page may take that has used up its time."""
_WORLD: Final = "crawler"
_ERRORS: Final = {"render_timeout", "render_memory"}
_ONLINE: Final = (
    "Object.defineProperty(Navigator.prototype, 'onLine', {get: () => true, configurable: true})"
)
"""Without any network it would say no, and some pages believe it."""
_COUNT: Final = """(() => {
  let elements = 0, links = document.links.length, words = 0;
  const count = text => ((text || '').match(/\\S+/g) || []).length;
  const look = root => {
    for (const one of root.querySelectorAll('*')) {
      elements++;
      if (!one.shadowRoot) continue;
      look(one.shadowRoot);
      links += one.shadowRoot.querySelectorAll('a[href]').length;
      for (const part of one.shadowRoot.children)
        if (part.localName != 'style' && part.localName != 'script') words += count(part.innerText);
    }
  };
  look(document);
  words += count(document.body && document.body.innerText);
  const root = document.documentElement;
  return [elements, links, words, root ? root.scrollHeight : 0, location.href];
})()"""
_LENGTH: Final = """(() => {
  for (const one of document.querySelectorAll('noscript')) one.remove();
  return document.documentElement ? document.documentElement.getHTML().length : 0;
})()"""


class Shown(msgspec.Struct, frozen=True):
    """What a page came to. html: what was shown, None where error says why nothing was.

    done_by: ``still`` or ``time``. leads_to: where its scripts left for. url: its last address.
    """

    error: str | None = None
    done_by: str | None = None
    html: bytes | None = None
    url: str = ""
    leads_to: str | None = None
    cpu_ms: float = 0.0
    console: tuple[Said, ...] = ()
    picture: Picture | None = None


class Over(Exception):
    """It cannot go on; the word for it is the tab's."""


class Waiting(Exception):
    """It waits for what it asked for, and has no time left to."""


class Tab:
    """A page that is being shown."""

    def __init__(
        self, browser: Browser, job: Job, reply: Reply, asked: Needs, config: RenderConfig
    ) -> None:
        self.config = config
        self.target = self.session = ""
        self.pid = 0
        self.cpu_before_s = 0.0
        self._browser = browser
        self._job = job
        self._reply = reply
        self._needs = asked
        self._context = ""
        self._world = 0
        self._error: str | None = None
        self._leads_to: str | None = None
        self._given = False
        self._expired = Event()
        self._console: list[Said] = []
        self._until = time.monotonic() + config.wall_s

    def __repr__(self) -> str:
        return f"<Tab {self._job.url}, {self._error or 'well'}>"

    def show(self) -> Shown:
        """Show the page, and read what there is to see; whatever goes wrong is in the answer."""
        shown = Shown()
        try:
            self._open_in_time()
            self._navigate()
            done_by = self._settle()
            picture = self._picture() if self.config.screenshots else None
            self._grow()
            shown = self._read(done_by, picture)
        except (Gone, Refused, Over, gevent.Timeout) as failure:
            self._error = self._error or self._word(failure)
        cpu_s = worked_s(self.pid) - self.cpu_before_s if self.pid else 0.0
        self.close()
        if self._error:
            shown = Shown(error=self._error, leads_to=self._leads_to)
        return msgspec.structs.replace(
            shown, cpu_ms=max(0.0, cpu_s) * 1000, console=tuple(self._console)
        )

    def _word(self, failure: BaseException) -> str:
        if self._browser.is_gone:
            return "render_lost"
        return "render_timeout" if isinstance(failure, gevent.Timeout) else "render_crashed"

    # What the browser says

    def on_event(self, method: str, params: Values) -> None:
        """See `browser.Shows`."""
        if method == "Emulation.virtualTimeBudgetExpired":
            self._expired.set()
        elif method == "Inspector.targetCrashed":
            self.fail("render_crashed")
        elif method == "Page.javascriptDialogOpening":
            self._send("Page.handleJavaScriptDialog", accept=False)
        elif method in _TOLD:
            self._hear(_TOLD[method](params))

    def _hear(self, said: Said | None) -> None:
        """Keep a line of the console; when there are enough, ask to be told no more."""
        if said is None or len(self._console) >= MAX_CONSOLE:
            return
        self._console.append(said)
        if len(self._console) == MAX_CONSOLE:
            self._send("Runtime.disable")
            self._send("Log.disable")

    def serve(self, paused: Values, depth: int) -> Served | str:
        """The page itself, once; what it asks for; but not another page in its place."""
        request, kind = paused["request"], str(paused["resourceType"])
        if kind == "Document" and depth == 0:
            if not self._given:
                self._given = True
                return needs.page(self._reply)
            self._leads_to = str(request["url"])
            self.fail("render_left")
            return "Aborted"
        served = self._needs.serve(request, kind, depth, str(paused.get("frameId", "")))
        # Of what is aborted no page is made that tells of an error, once for each of many frames.
        return served if served.status or kind != "Document" else "Aborted"

    def fail(self, word: str) -> None:
        """It is over: whoever waits for it goes on, and what shows it is ended."""
        if self._error is None:
            self._error = word
        self._expired.set()
        self._browser.pipe.forget(self.session)
        if word in _ERRORS:
            self._kill()

    def _kill(self) -> None:
        if self.pid:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self.pid, signal.SIGKILL)

    # How it is opened and closed

    def _open_in_time(self) -> None:
        """A browser that does not even make a tab is none to go on with."""
        try:
            self._open()
        except gevent.Timeout:
            self._browser.is_worn = True
            self.fail("render_lost")
            raise

    def _open(self) -> None:
        browser = self._browser
        with browser.lock:
            before = browser.renderers()
            call = browser.pipe.call
            left_s = self._left_s()
            self._context = call("Target.createBrowserContext", "", left_s, disposeOnDetach=True)[
                "browserContextId"
            ]
            self.target = call(
                "Target.createTarget", "", left_s, url="about:blank", width=WIDTH, height=HEIGHT,
                browserContextId=self._context, enableBeginFrameControl=True,
            )["targetId"]  # fmt: skip
            self.session = call(
                "Target.attachToTarget", "", left_s, targetId=self.target, flatten=True
            )["sessionId"]
            browser.enter(self)
            self.pid = self._new_process(before)
            self.cpu_before_s = worked_s(self.pid)
        # Each is waited for: what is sent in one go is lost from the second tab on.
        for domain in ("Page", "Runtime", "Log", "Inspector"):
            self._call(f"{domain}.enable")
        agent = f"{browser.agent} {self._needs.agent}"
        self._call("Emulation.setUserAgentOverride", userAgent=agent)
        self._call("Page.addScriptToEvaluateOnNewDocument", source=_ONLINE)
        self._call("Emulation.setVirtualTimePolicy", policy="pause")

    def _new_process(self, before: set[int]) -> int:
        """The one that shows this page, and nothing else; it may start later than its page is
        there. Were it not waited for, the next page would take it for its own, and each be ended
        for what the other does."""
        with gevent.Timeout(self._left_s()):
            while not (new := self._browser.renderers() - before):
                if self._error:
                    raise Over(self._error)
                gevent.sleep(0.01)
        return min(new)

    def close(self) -> None:
        """Let go of all of it."""
        self._browser.leave(self)
        if self._error:
            self._kill()
        if not self._context:
            return
        with suppress(Gone, Refused, gevent.Timeout), self._browser.lock:
            self._browser.pipe.call(
                "Target.disposeBrowserContext", "", FRAME_S, browserContextId=self._context
            )

    def _call(self, method: str, /, **params: Any) -> Values:
        if self._error:
            raise Over(self._error)
        return self._browser.pipe.call(method, self.session, self._left_s(), **params)

    def _send(self, method: str, /, **params: Any) -> AsyncResult[Values] | None:
        with suppress(Gone):
            return self._browser.pipe.send(method, self.session, **params)
        return None

    def _left_s(self) -> float:
        return max(0.01, self._until - time.monotonic())

    # Time goes by

    def _navigate(self) -> None:
        answer = self._send("Page.navigate", url=self._job.url)
        with suppress(Waiting):
            self._advance(SHORT_MS)
        told = None if answer is None else answer.get(timeout=self._left_s())
        if told is None or told.get("errorText") or not self._given:
            raise Over("render_crashed")
        made = self._call("Page.createIsolatedWorld", frameId=self.target, worldName=_WORLD)
        self._world = made["executionContextId"]

    def _advance(self, budget_ms: int) -> None:
        """Let so much virtual time go by, and draw a frame."""
        self._expired.clear()
        self._call(
            "Emulation.setVirtualTimePolicy", policy="pauseIfNetworkFetchesPending",
            budget=budget_ms, maxVirtualTimeTaskStarvationCount=STARVED,
        )  # fmt: skip
        if not self._expired.wait(max(0.0, self._left_s() - self.config.wall_s / 4)):
            raise Waiting if self._needs.in_flight else gevent.Timeout
        self._frame()

    def _frame(self, **asked: Any) -> Values:
        """Draw a frame. One that does not come to its end must not keep others waiting."""
        with self._browser.lock:
            if self._error:
                raise Over(self._error)
            answer = self._send("HeadlessExperimental.beginFrame", **asked)
            if answer is None:
                raise Over("render_crashed")
            began, before_s = time.monotonic(), worked_s(self.pid)
            while not answer.ready():
                answer.wait(FRAME_S / 4)
                waited_s = time.monotonic() - began
                worked = worked_s(self.pid) - before_s
                if answer.ready():
                    break
                if worked > FRAME_S or waited_s > FRAME_WAITS * FRAME_S:
                    self.fail("render_timeout")
                elif waited_s > HURRY_AFTER * FRAME_S:
                    self._needs.hurry()
            return answer.get() or {}

    def _settle(self) -> str:
        """Until nothing changes any more: why it is taken as done."""
        with suppress(Waiting):
            return self._go_on()
        return "time"

    def _go_on(self) -> str:
        for _ in range(SHORT_STEPS - 1):
            self._advance(SHORT_MS)
        passed, before = SHORT_MS * SHORT_STEPS, self._count()
        while passed < MOST_MS:
            if self._left_s() < self.config.wall_s / 4:
                return "time"
            gevent.sleep(WORKERS_S)
            self._advance(LONG_MS)
            passed += LONG_MS
            now = self._count()
            is_still = now[:3] == before[:3] and not self._needs.in_flight
            if is_still and (now[2] >= FEW_WORDS or passed >= PATIENCE_MS):
                return "still"
            before = now
        return "time"

    def _grow(self) -> None:
        """Make the window as high as the page, and let what comes into sight then load."""
        before = self._count()
        if before[3] <= HEIGHT or self._left_s() < self.config.wall_s / 4:
            return
        self._size(min(int(before[3]), MOST_HEIGHT))
        with suppress(Waiting):
            for _ in range(4):
                self._advance(LONG_MS)
                now = self._count()
                if now[:3] == before[:3] and not self._needs.in_flight:
                    return
                before = now

    def _size(self, height: int) -> None:
        self._call(
            "Emulation.setDeviceMetricsOverride", width=WIDTH, height=height,
            deviceScaleFactor=1, mobile=False,
        )  # fmt: skip

    # What is there

    def _evaluate(self, expression: str) -> Any:
        """In a world of its own: whatever the page's scripts have put in the place of the
        language's own functions is not there."""
        told = self._call(
            "Runtime.evaluate", expression=expression, contextId=self._world, returnByValue=True
        )
        if "exceptionDetails" in told:
            raise Over("render_crashed")
        return told["result"].get("value")

    def _count(self) -> list[Any]:
        """Elements, links, words, height, address."""
        found = self._evaluate(_COUNT)
        return found if isinstance(found, list) else [0, 0, 0, 0, ""]

    def _read(self, done_by: str, picture: Picture | None) -> Shown:
        self._until = max(self._until, time.monotonic() + _LEFT_OVER_S)
        url = str(self._count()[4])
        if len(url) > urls.MAX_KEPT_URL:  # scripts may give it any
            url = self._job.url
        if not _is_same_origin(url, self._job.url):
            raise Over("render_crashed")
        if (self._evaluate(_LENGTH) or 0) > MOST_BYTES:
            self.fail("render_memory")
            raise Over("render_memory")
        root = self._call("DOM.getDocument", depth=0)["root"]
        html = self._call("DOM.getOuterHTML", nodeId=root["nodeId"], includeShadowDOM=True)
        data = str(html["outerHTML"]).encode("utf-8", "replace")
        if len(data) > 2 * MOST_BYTES:
            raise Over("render_memory")
        return Shown(done_by=done_by, html=data, url=url, picture=picture)

    def _picture(self) -> Picture | None:
        """What a visitor sees without scrolling."""
        asked = {"format": "jpeg", "quality": 60}
        for _ in range(3):
            self._size(HEIGHT)  # something has changed then, and a frame is drawn
            told = self._frame(screenshot=asked)
            if told.get("screenshotData"):
                image = base64.b64decode(told["screenshotData"])
                return Picture("image/jpeg", WIDTH, HEIGHT, image)
            self._advance(SHORT_MS)
        return None


def _is_same_origin(url: str, other: str) -> bool:
    """Scripts may give a page another address, but of its own origin; ``chrome-error:`` is none."""
    mine, theirs = (urls.resolve(one, rules=urls.UNLIMITED)[0].origin for one in (url, other))
    return bool(mine) and mine == theirs


def _of_console(params: Values) -> Said | None:
    texts = [
        str(one.get("value", one.get("description", one.get("type", ""))))
        for one in params.get("args", ())[:20]
    ]
    calls = params.get("stackTrace", {}).get("callFrames", ())
    where = calls[0] if calls else {}
    return Said(
        str(params.get("type")), " ".join(texts)[:MOST_TEXT], _address(where.get("url")),
        _line(where.get("lineNumber")),
    )  # fmt: skip


def _of_exception(params: Values) -> Said | None:
    details = params.get("exceptionDetails", {})
    thrown = details.get("exception", {})
    text = thrown.get("description") or thrown.get("value") or details.get("text", "")
    return Said(
        "exception", str(text)[:MOST_TEXT], _address(details.get("url")),
        _line(details.get("lineNumber")),
    )  # fmt: skip


def _of_log(params: Values) -> Said | None:
    entry = params.get("entry", {})
    if "net::ERR_BLOCKED_BY_CLIENT" in str(entry.get("text")):
        return None  # our own refusals are told by the rows of what was asked for
    return Said(
        str(entry.get("level")), str(entry.get("text"))[:MOST_TEXT], _address(entry.get("url")),
        _line(entry.get("lineNumber")),
    )  # fmt: skip


def _address(url: Any) -> str | None:
    return str(url)[: urls.MAX_KEPT_URL] if url else None


def _line(number: Any) -> int | None:
    return int(number) + 1 if isinstance(number, int) and number >= 0 else None


_TOLD: Final = {
    "Runtime.consoleAPICalled": _of_console,
    "Runtime.exceptionThrown": _of_exception,
    "Log.entryAdded": _of_log,
}
"""What is a line of the console."""
