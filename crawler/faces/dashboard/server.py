"""How is a browser answered?

gevent's pywsgi listens; each page is asked of the file in a thread with a connection of its own, so
that a slow question holds up nobody else. Every page works without scripts; `app.js` adds what is
live.
"""

from __future__ import annotations

import secrets
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl, unquote

import gevent
from gevent import socket
from gevent.threadpool import ThreadPool

from crawler.errors import CrawlError, UsageError
from crawler.faces import templating
from crawler.faces.dashboard import connections, metrics, views
from crawler.faces.dashboard.counts import Counts
from crawler.faces.dashboard.guard import HEADERS, Guard
from crawler.faces.dashboard.live import MAX_CLIENTS, Live
from crawler.faces.dashboard.views import Asked, Missing
from crawler.store import queries
from crawler.store.database import Connection, SQLiteError

THREADS: Final = 4
MAX_FORM: Final = 64 * 1024
STATIC: Final = {
    "app.js": "text/javascript; charset=utf-8",
    "dashboard.css": "text/css; charset=utf-8",
    "base.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}
_FILES: Final = Path(__file__).parent.parent
Found = TypeVar("Found")
Start = Callable[[str, list[tuple[str, str]]], Any]


class Application:
    """Answers requests (WSGI, PEP 3333). path: the database. live: what the crawl tells."""

    def __init__(self, path: Path, guard: Guard, live: Live) -> None:
        self._path = path
        self._guard = guard
        self._live = live
        self._threads = ThreadPool(THREADS)
        self._counts = Counts(path)

    def __repr__(self) -> str:
        return f"<Application {self._path}>"

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        refusal = self._guard.refuse(environ)
        if refusal is not None:
            return _text(start, refusal.status, refusal.why, refusal.headers)
        try:
            return self._answer(environ, start)
        except Missing as missing:
            body = self._page("dashboard/missing.html", said=str(missing), here="")
            return _send(start, "404 Not Found", "text/html; charset=utf-8", body)
        except (CrawlError, SQLiteError) as error:
            return _text(start, "503 Service Unavailable", f"the file cannot be read: {error}")

    def _answer(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        # PEP 3333 hands bytes over as latin-1.
        path = unquote(environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace"))
        if environ["REQUEST_METHOD"] == "POST":
            return self._command(environ, start)
        name = path.removeprefix("/static/")
        if name != path:
            return _static(start, name)
        if path == "/events":
            return self._events(start)
        if path == "/metrics":
            return _text(start, "200 OK", self._metrics())
        asked = Asked(path, dict(parse_qsl(environ.get("QUERY_STRING", ""))))
        if path.startswith("/screenshots/"):
            picture = self._ask(views.picture, asked)
            return _send(start, "200 OK", picture.media_type, picture.image)
        view = views.find(asked)
        counted = self._counts.known(view.counts(asked))
        values = counted | self._ask(view.ask, asked) | view.apart(self._path, asked)
        body = self._page(view.template, here=view.section, asked=asked, **values)
        return _send(start, "200 OK", "text/html; charset=utf-8", body)

    def _ask(self, look: Callable[[Connection, Asked], Found], asked: Asked) -> Found:
        """What the file says. Raises Missing."""

        def ask() -> Found | Missing:
            with queries.reading(self._path) as connection:
                try:
                    return look(connection, asked)
                except Missing as missing:  # gevent prints what passes a thread
                    return missing

        found = self._threads.apply(ask)
        if isinstance(found, Missing):
            raise found
        answer: Found = found
        return answer

    def _page(self, template: str, **values: Any) -> str:
        return templating.render(
            template,
            name=self._path.name,
            token=self._guard.token,
            live=self._live.attached,
            stats=self._live.stats,
            said=values.pop("said", None),
            **values,
        )

    def _events(self, start: Start) -> Iterable[bytes]:
        if self._live.clients >= MAX_CLIENTS:
            return _text(start, "503 Service Unavailable", "too many watch already")
        start("200 OK", [*HEADERS, ("Content-Type", "text/event-stream"),
                         ("Cache-Control", "no-store")])  # fmt: skip
        return self._live.stream()

    def _metrics(self) -> str:
        states = self._counts.known({"states": views.states})["states"]
        log = self._path.with_name(self._path.name + "-wal")
        sizes = {
            name: file.stat().st_size
            for name, file in (("database", self._path), ("log", log))
            if file.exists()
        }
        return metrics.exposition(self._live.stats, states or {}, sizes)

    def _command(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/command":
            return _text(start, "405 Method Not Allowed", "nothing is posted here")
        length = int(environ.get("CONTENT_LENGTH") or 0)
        if length > MAX_FORM:
            return _text(start, "413 Content Too Large", "this form is too large")
        written = gevent.with_timeout(
            connections.HEAD_S, environ["wsgi.input"].read, length, timeout_value=None
        )
        if written is None:
            return _text(start, "408 Request Timeout", "this form did not come")
        form = dict(parse_qsl(written.decode("utf-8", "replace")))
        refusal = self._guard.refuse_command(environ, form.pop("token", ""))
        if refusal is not None:
            return _text(start, refusal.status, refusal.why)
        said = self._live.command(
            **{key: form[key] for key in ("command", "host", "gap_s") if key in form}
        )
        if environ.get("HTTP_ACCEPT") == "text/plain":
            return _text(start, "200 OK", said)
        body = self._page("dashboard/said.html", said=said, here="")
        return _send(start, "200 OK", "text/html; charset=utf-8", body)


def _static(start: Start, name: str) -> Iterable[bytes]:
    kind = STATIC.get(name)
    if kind is None:
        return _text(start, "404 Not Found", "no such file")
    folder = "templates" if name == "base.css" else "static"
    return _send(start, "200 OK", kind, (_FILES / folder / name).read_text(encoding="utf-8"))


def _text(
    start: Start, status: str, text: str, more: Iterable[tuple[str, str]] = ()
) -> Iterable[bytes]:
    return _send(start, status, "text/plain; charset=utf-8", text, more)


def _send(
    start: Start, status: str, kind: str, said: str | bytes, more: Iterable[tuple[str, str]] = ()
) -> Iterable[bytes]:
    body = said if isinstance(said, bytes) else said.encode("utf-8", "replace")
    start(status, [*HEADERS, *more, ("Content-Type", kind), ("Cache-Control", "no-store"),
                   ("Content-Length", str(len(body)))])  # fmt: skip
    return [body]


def listen(host: str, port: int, *, exactly: bool) -> Any:
    """A socket that listens. exactly: on this port, else on any where it is taken. Raises
    UsageError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for number in (port,) if exactly or not port else (port, 0):
        made = socket.socket(family, socket.SOCK_STREAM)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind((host, number))
            made.listen(128)
            return made
        except OSError as error:
            made.close()
            why = error.strerror
        except OverflowError:
            made.close()
            why = "ports end at 65535"
    raise UsageError(f"the dashboard cannot listen on {host}:{port}: {why}")


def serve(
    path: Path,
    listener: Any,
    *,
    host: str,
    password: str = "",
    feed: int | None = None,
    told: Callable[[str], object],
) -> None:
    """Serve until it is stopped, or until the crawl at the other end of `feed` is gone.

    told: is given the address.
    """
    link = None if feed is None else socket.socket(fileno=feed)
    live = Live(link)
    port = listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    guard = Guard(host, port, secrets.token_urlsafe(24), password)
    server = connections.Server(listener, Application(path, guard, live))
    server.start()
    address = f"http://{shown}:{port}/"
    live.tell(listens=address)
    told(address)
    stops = [gevent.signal_handler(number, server.stop, 1) for number in (signal.SIGTERM,)]
    try:
        if link is None:
            server.serve_forever()
        else:
            live.listen()
    finally:
        for watcher in stops:
            watcher.cancel()
        server.stop(timeout=1)
