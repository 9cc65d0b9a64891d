"""How does a test get a real proxy: Debian's tinyproxy, or its microsocks for SOCKS5?"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from gevent import subprocess

from tests.sites.skip import require_program

START_S = 60
TRIES = 5
TINYPROXY = """
Port {port}
Listen 127.0.0.1
Timeout 60
LogFile "{log}"
LogLevel Info
MaxClients 100
{password}
"""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy at work. log: what it writes."""

    scheme: str
    port: int
    log: Path

    def url(self, userinfo: str = "") -> str:
        """Its address, with a user and password where some are given."""
        return f"{self.scheme}://{userinfo + '@' if userinfo else ''}127.0.0.1:{self.port}"

    def told(self) -> str:
        """What it has logged."""
        return self.log.read_text(encoding="utf-8", errors="replace")


@contextmanager
def tinyproxy(user: str = "", password: str = "") -> Iterator[Proxy]:
    """An http proxy, which asks for a password where one is given."""
    program = require_program("tinyproxy", "apt-get install tinyproxy-bin")
    with TemporaryDirectory(prefix="tinyproxy-") as home:
        log, file = Path(home, "log"), Path(home, "tinyproxy.conf")

        def command(port: int) -> Sequence[str]:
            asks = f"BasicAuth {user} {password}" if user else ""
            file.write_text(TINYPROXY.format(port=port, log=log, password=asks))
            return [str(program), "-d", "-c", str(file)]

        with _running(command, "http", log) as proxy:
            yield proxy


@contextmanager
def microsocks(user: str = "", password: str = "") -> Iterator[Proxy]:
    """A SOCKS5 proxy, which asks for a password where one is given."""
    program = require_program("microsocks", "apt-get install microsocks")
    with TemporaryDirectory(prefix="microsocks-") as home:

        def command(port: int) -> Sequence[str]:
            asks = ["-u", user, "-P", password] if user else []
            return [str(program), "-i", "127.0.0.1", "-p", str(port), *asks]

        with _running(command, "socks5", Path(home, "log")) as proxy:
            yield proxy


@contextmanager
def _running(command, scheme: str, log: Path) -> Iterator[Proxy]:  # type: ignore[no-untyped-def]
    for _ in range(TRIES):
        port = _free_port()
        with log.with_suffix(".out").open("wb") as out:
            process = subprocess.Popen(
                command(port), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )
        if _listens(process, port):
            break
    else:
        raise RuntimeError(f"no proxy started: {log.with_suffix('.out').read_text()[-2000:]}")
    try:
        yield Proxy(scheme, port, log if log.exists() else log.with_suffix(".out"))
    finally:
        process.kill()
        process.wait(timeout=START_S)


def _listens(process: subprocess.Popen, port: int) -> bool:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.01)
    process.kill()
    process.wait()
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
