"""Which proxy does an address such as ``socks5://user:password@host:1080`` name?"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

import msgspec

DIRECT: Final = "direct"
"""In place of an address: no proxy, though others go through one."""
ENVIRONMENT: Final = "env"
"""In place of an address: those that the environment names."""
PORTS: Final = {"http": 3128, "socks5": 1080}
_KINDS: Final = {"http": "http", "socks5": "socks5", "socks5h": "socks5"}


class Proxy(msgspec.Struct, frozen=True):
    """kind: ``http`` or ``socks5``. host: as in addresses. user: empty for none."""

    kind: str
    host: str
    port: int
    user: str = ""
    password: str = ""

    def __str__(self) -> str:
        return f"proxy {self.kind}://{self.host}:{self.port}"

    def __repr__(self) -> str:
        return f"<{self}>"


def proxy_of(written: str) -> Proxy:
    """Raises ValueError, which does not repeat what was written, for what is no proxy."""
    scheme, mark, rest = written.strip().partition("://")
    if not mark:
        scheme, rest = "http", written.strip()
    kind = _KINDS.get(scheme.lower())
    if kind is None:
        raise ValueError("expected http://HOST:PORT or socks5://HOST:PORT")
    userinfo, _, place = rest.rpartition("@")
    place, _, path = place.partition("/")
    if path:
        raise ValueError("the address of a proxy has no path")
    host, port = _host_and_port(place, PORTS[kind])
    user, _, password = userinfo.partition(":")
    user, password = unquote(user), unquote(password)
    if any(len(part.encode()) > 255 or not part.isprintable() for part in (user, password)):
        raise ValueError("user and password are printable, 255 bytes each at most")
    return Proxy(kind, host, port, user, password)


def _host_and_port(place: str, default: int) -> tuple[str, int]:
    import ada_url  # for those who name proxies

    try:
        # Another scheme's own port would be left out.
        href = str(ada_url.normalize_url(f"http://{place}/"))
    except ValueError:
        raise ValueError("expected http://HOST:PORT or socks5://HOST:PORT") from None
    authority = href.partition("://")[2].removesuffix("/")
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        return authority, 80 if place.endswith(":80") else default
    return host, int(port)


def without_password(written: str) -> str:
    """An address as it may be shown."""
    before, at, place = written.rpartition("@")
    if not at:
        return written
    scheme, mark, _ = before.partition("://")
    return f"{scheme}{mark}***@{place}" if mark else f"***@{place}"
