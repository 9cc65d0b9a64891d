"""How does a test look at a page as a person does? In Debian's Chromium, over its own protocol.

with chromium(tmp_path) as page:
    page.open("http://127.0.0.1:8000/")
    page.until("document.title === 'Overview'")
    assert page.faults == []
"""

from __future__ import annotations

import base64
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final
from urllib.request import Request, urlopen

import pytest
import websocket
from gevent import subprocess

PATIENT_S = 60.0


LEFT: Final = "Inspected target navigated or closed"


class Left(AssertionError):
    """A page made room for another while a script ran in it."""


class Page:
    """A tab. faults: what the console complained of, exceptions of scripts, dialogues that opened.

    requests: the addresses that the page asked for.
    """

    def __init__(self, address: str) -> None:
        # No Origin: a browser started for remote control refuses those of pages.
        self._link = websocket.create_connection(address, timeout=PATIENT_S, suppress_origin=True)
        self._number = 0
        self.faults: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def close(self) -> None:
        self._link.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Ask the browser for something, and note what happens meanwhile."""
        self._number += 1
        self._link.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            said = json.loads(self._link.recv())
            if said.get("id") == self._number:
                if "error" in said:
                    kind = Left if said["error"]["message"] == LEFT else AssertionError
                    raise kind(f"{method}: {said['error']}")
                result: dict[str, Any] = said["result"]
                return result
            self._note(said.get("method", ""), said.get("params", {}))

    def _note(self, method: str, said: dict[str, Any]) -> None:
        if method == "Runtime.consoleAPICalled" and said["type"] in {"error", "assert"}:
            self.faults.append(f"console: {said['args']}")
        elif method == "Runtime.exceptionThrown":
            self.faults.append(f"exception: {said['exceptionDetails']}")
        elif method == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.faults.append(f"{said['entry']['text']} {said['entry'].get('url', '')}")
        elif method == "Page.javascriptDialogOpening":
            self.faults.append(f"dialogue: {said['message']}")
            self._number += 1
            self._link.send(
                json.dumps(
                    {"id": self._number, "method": "Page.handleJavaScriptDialog",
                     "params": {"accept": True}}
                )
            )  # fmt: skip
        elif method == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])

    def open(self, url: str) -> None:
        """Go to an address and wait until it is there."""
        told = self.call("Page.navigate", url=url)
        assert not told.get("errorText"), f"{url}: {told['errorText']}"
        self.until("document.readyState === 'complete'")

    def ask(self, script: str) -> Any:
        """What a script gives."""
        told = self.call(
            "Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in told, told["exceptionDetails"]
        return told["result"].get("value")

    def until(self, script: str) -> Any:
        """Wait until a script gives something true, on the page that comes after this one, too."""
        end = time.monotonic() + PATIENT_S
        while time.monotonic() < end:
            with suppress(Left):
                if value := self.ask(script):
                    return value
            time.sleep(0.05)
        raise AssertionError(f"never true: {script}")

    def size(self, width: int, height: int, *, phone: bool = False) -> None:
        """Be so large a window."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=phone,
        )  # fmt: skip

    def dark(self) -> None:
        """Be of a person who prefers dark."""
        feature = {"name": "prefers-color-scheme", "value": "dark"}
        self.call("Emulation.setEmulatedMedia", features=[feature])

    def picture(self, path: Path) -> None:
        """A picture of the whole page."""
        told = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(told["data"]))


@contextmanager
def chromium() -> Iterator[Page]:
    """A tab of a browser of its own."""
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("chromium is needed: apt-get install chromium")
    with tempfile.TemporaryDirectory(prefix="chromium-", ignore_cleanup_errors=True) as profile:
        command = [
            *(program, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-dev-shm-usage", "--disable-background-networking", "--disable-sync"),
            *("--disable-component-update", "--no-proxy-server", "--hide-scrollbars"),
            *("--remote-debugging-port=0", f"--user-data-dir={profile}", "about:blank"),
        ]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        page = None
        try:
            page = Page(_new_tab(Path(profile), process))
            yield page
        finally:
            if page is not None:
                page.close()
            process.terminate()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _new_tab(profile: Path, process: Any) -> str:
    """The address by which a new tab is controlled."""
    told = profile / "DevToolsActivePort"
    end = time.monotonic() + PATIENT_S
    while not (told.exists() and "\n" in told.read_text()):
        assert process.poll() is None, "chromium ended at once"
        assert time.monotonic() < end, "chromium says no port"
        time.sleep(0.05)
    port = told.read_text().splitlines()[0]
    ask = Request(f"http://127.0.0.1:{port}/json/new?about:blank", method="PUT")
    with urlopen(ask, timeout=PATIENT_S) as answer:
        address: str = json.load(answer)["webSocketDebuggerUrl"]
    return address
