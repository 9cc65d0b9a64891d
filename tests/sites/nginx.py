"""How is a folder of real documents served, fast and as the world serves them?

By Debian's nginx, one process of it for each test that asks, on ports of its own.
"""

from __future__ import annotations

import contextlib
import os
import resource
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
MIME_TYPES = Path("/etc/nginx/mime.types")
MOST_CONNECTIONS = 8192
MOST_OPEN_FILES = 100_000

CONFIGURATION = """
daemon off;
master_process off;
worker_processes 1;
{user}
pid {home}/pid;
error_log {home}/error.log;
events {{ worker_connections {connections}; }}
http {{
  {types}
  default_type application/octet-stream;
  log_format hits '$msec $request_time $status $http_host $request_uri';
  access_log {access_log};
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 100000000;
  open_file_cache max={open_files};
  server {{
    {listen}
    root {folder};
    index index.html;
    {inside_server}
  }}
  server {{
    listen unix:{home}/idle;
    access_log off;
    return 204;
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class FileHit:
    """A request as nginx saw it.

    ended: seconds since the epoch. took_s: from the first byte of the request to the last of the
    reply. path: as requested.
    """

    ended: float
    took_s: float
    status: int
    host: str
    path: str


@dataclass(frozen=True, slots=True)
class Nginx:
    """A running nginx."""

    port: int
    addresses: tuple[str, ...]
    pid: int
    log: Path
    scheme: str = "http"

    def url(self, path: str = "/", address: str | None = None) -> str:
        """The absolute URL of a path, on the first address unless one is given."""
        return f"{self.scheme}://{address or self.addresses[0]}:{self.port}{path}"

    def hits(self) -> list[FileHit]:
        """The access log of all that was answered; empty when it was not asked for."""
        if not self.log.exists():
            return []
        self._come_round()
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return [_file_hit(line) for line in lines]

    def _come_round(self) -> None:
        """An answer is logged after it was sent, and before the next question is heard."""
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as idle:
            idle.settimeout(START_S)
            idle.connect(str(self.log.with_name("idle")))
            idle.sendall(b"GET / HTTP/1.0\r\n\r\n")
            idle.recv(1)


def require_nginx() -> Path:
    """The path of nginx, or the test skips."""
    return require_program("nginx", "apt-get install nginx-light")


@contextmanager
def serve_folder(
    folder: str | Path,
    *,
    addresses: Sequence[str] = ("127.0.0.1",),
    access_log: bool = True,
    inside_server: str = "",
    descriptors: int | None = None,
    pem: Path | None = None,
) -> Iterator[Nginx]:
    """Serve a folder; `inside_server` is configuration of nginx for its server block, and it may
    have as many `descriptors`, by default as this process. With a `pem` of key and certificate it
    is served by TLS, as HTTP/1.1 and HTTP/2."""
    program = require_nginx()
    with TemporaryDirectory(prefix="nginx-") as home:
        log = Path(home, "access.log")
        settings = {
            "home": home,
            "folder": Path(folder).resolve(),
            "user": "user root;" if os.geteuid() == 0 else "",
            "types": f"include {MIME_TYPES};" if MIME_TYPES.exists() else "",
            "access_log": f"{log} hits" if access_log else "off",
            "inside_server": f"{_secured(pem)} {inside_server}",
            "manner": " ssl http2" if pem else "",
        } | _shares(descriptors or resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        process, port = _start(program, Path(home), settings, addresses)
        if descriptors is not None:
            resource.prlimit(process.pid, resource.RLIMIT_NOFILE, (descriptors, descriptors))
        try:
            yield Nginx(port, tuple(addresses), process.pid, log, "https" if pem else "http")
        finally:
            process.terminate()
            process.wait(timeout=START_S)


def _secured(pem: Path | None) -> str:
    return f"ssl_certificate {pem}; ssl_certificate_key {pem};" if pem else ""


def _shares(descriptors: int) -> dict[str, object]:
    """What nginx may hold open, out of as many descriptors as a process may have.

    Each connection may be reading a file that is not among those kept open. Past the limit nginx
    answers 500 for every file, and then no longer accepts connections.
    """
    return {
        "connections": min(MOST_CONNECTIONS, descriptors // 8),
        "open_files": min(MOST_OPEN_FILES, descriptors // 2),
    }


def _start(
    program: Path, home: Path, settings: dict[str, object], addresses: Sequence[str]
) -> tuple[subprocess.Popen, int]:
    """Start on a free port; another one is tried when somebody was quicker."""
    file = home / "nginx.conf"
    command = [str(program), "-p", str(home), "-e", str(home / "error.log"), "-c", str(file)]
    for _ in range(TRIES):
        port = _free_port()
        manner = settings["manner"]
        listen = " ".join(f"listen {address}:{port}{manner};" for address in addresses)
        file.write_text(CONFIGURATION.format(listen=listen, **settings))
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if _listens(process, home / "pid"):
            return process, port
    raise RuntimeError(f"nginx did not start: {(home / 'error.log').read_text()[-2000:]}")


def _listens(process: subprocess.Popen, pid_file: Path) -> bool:
    """Wait until it listens, which it tells by its pid file; False when it did not."""
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and process.poll() is None:
        if pid_file.exists():
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


def _file_hit(line: str) -> FileHit:
    ended, took, status, host, path = line.split(" ", 4)
    return FileHit(float(ended), float(took), int(status), host, path)
