"""Whom does Datasette answer, where `crawler browse` starts it?

It answers to whatever name it is asked for, and any page of the web that a person has open can make
their browser ask: under a name of its own (DNS rebinding) it could read the whole crawl, and with a
costly question fill the memory. So the dashboard's guard stands before it. Datasette loads
this file as a plugin (https://docs.datasette.io/en/stable/plugin_hooks.html, ``asgi_wrapper``).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from datasette import hookimpl

from crawler.faces.dashboard.guard import Guard, Refusal

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]


@hookimpl  # type: ignore[untyped-decorator]  # it has no types
def asgi_wrapper(datasette: object) -> Callable[[Application], Application]:
    """Datasette's hook: what stands around its application."""
    return _guarded


def _guarded(application: Application) -> Application:
    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        refusal = _refused(scope) if scope["type"] == "http" else None
        if refusal is None:
            await application(scope, receive, send)
            return
        status = int(refusal.status[:3])
        headers = [(b"content-type", b"text/plain; charset=utf-8")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": refusal.why.encode()})

    return answer


def _refused(scope: dict[str, Any]) -> Refusal | None:
    host, port = scope["server"]
    environ = {
        f"HTTP_{name.decode('latin-1').upper().replace('-', '_')}": value.decode("latin-1")
        for name, value in scope["headers"]
    }
    environ["REQUEST_METHOD"] = scope["method"]
    environ["QUERY_STRING"] = scope["query_string"].decode("latin-1")
    return Guard(host, port, token="").refuse_stranger(environ)
