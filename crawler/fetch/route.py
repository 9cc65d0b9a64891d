"""Which way does a request go?"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

import msgspec

from crawler.config import Http2
from crawler.config.proxy import Proxy
from crawler.fetch.failures import Failure
from crawler.fetch.tls import Trust

_PORTS: Final = {"http": 80, "https": 443}
_URL: Final = re.compile(r"(https?)://(?:[^/?#]*@)?([^/?#@]*)([^#]*)")
"""Scheme, what Host says, and what is requested."""
_NAME_AT: Final = len("http://") + 1
"""Where the slash that begins a path stands at the earliest."""


class Route(msgspec.Struct, frozen=True):
    """The way to a server: what must be equal for two requests to share a connection.

    scheme: ``http``, or ``https`` for TLS to the host. host, port: whose name is resolved, and
    where it is connected to. via: the proxy that stands between, which resolves the name; None for
    a direct way. No connection through one is ever taken for a direct one, or for one through
    another. trust: a policy of TLS of its own; None for that of all others. http2: is it offered to
    a server of https?
    """

    scheme: str
    host: str
    port: int
    via: Proxy | None = None
    trust: Trust | None = None
    http2: Http2 = "never"

    def __str__(self) -> str:
        through = f" by {self.via}" if self.via else ""
        return f"{self.scheme}://{self.host}:{self.port}{through}"

    @property
    def is_relayed(self) -> bool:
        """Is the proxy asked by whole addresses, and answers itself?"""
        return self.via is not None and self.via.kind == "http" and self.scheme == "http"


def split(url: str) -> tuple[Route, str, str]:
    """Where an http(s) URL leads: the way, what Host says, and what is requested there. Raises
    Failure for what is none."""
    slash = url.find("/", _NAME_AT)
    way = _way(url[:slash]) if slash > 0 and "#" not in url else None
    return (*way, url[slash:]) if way else _split_odd(url)


@lru_cache(maxsize=4096)
def _way(site: str) -> tuple[Route, str] | None:
    """The way, and what Host says, of what stands before the path; None where it does not end
    there, or is odd. Most jobs lead where others have led."""
    try:
        route, authority, path = _split_odd(site)
    except Failure:
        return None
    return (route, authority) if path == "/" else None


def _split_odd(url: str) -> tuple[Route, str, str]:
    found = _URL.match(url)
    if found is None:
        raise _nowhere(url)
    scheme, authority, path = found.groups()
    route = _route(scheme, authority)
    if not route.host or not 0 < route.port < 65536:
        raise _nowhere(url)
    return route, authority, path if path.startswith("/") else "/" + path


def _route(scheme: str, authority: str) -> Route:
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        host, port = authority, ""
    return Route(scheme, host, int(port) if port.isdecimal() else _PORTS[scheme])


def _nowhere(url: str) -> Failure:
    return Failure("proto_error", f"not an address to connect to: {url[:200]}")
