"""Which sites does a name such as ``*.example.org`` mean?"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

import msgspec

PORTS: Final = {"http": 80, "https": 443}
EXAMPLES: Final = '"example.org", "*.example.org" or "https://example.org:8443/area/"'


class Place(msgspec.Struct, frozen=True):
    """What a site's name means.

    kind: ``wildcard`` (all names below `host`), ``host`` (on any scheme and port), ``port`` (on any
    scheme), ``origin``, or ``prefix`` (addresses that begin with `start`). scheme: empty for any.
    host: as it stands in addresses. port: 0 for any. start: of addresses, of a prefix.
    """

    kind: str
    host: str
    scheme: str = ""
    port: int = 0
    start: str = ""

    @property
    def rank(self) -> tuple[int, int]:
        """The greater, the more specific."""
        return KINDS.index(self.kind), len(self.start or self.host)

    @property
    def origin(self) -> str:
        """As addresses begin there; only of what has a scheme."""
        port = "" if self.port == PORTS[self.scheme] else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"

    def covers(self, scheme: str, host: str, port: int) -> bool:
        """Is an origin one of these, or some of its addresses?"""
        if self.kind == "wildcard":
            return host.endswith(f".{self.host}")
        return host == self.host and self.scheme in ("", scheme) and self.port in (0, port)


KINDS: Final = ("wildcard", "host", "port", "origin", "prefix")


def place_of(name: str) -> Place:
    """Raises ValueError, which says what is expected, for what is no site's name."""
    scheme, mark, rest = name.partition("://")
    if mark:
        return _of_address(name, scheme.lower(), rest)
    wildcard = name.startswith("*.")
    bare = name.removeprefix("*.")
    if not bare or any(sign in bare for sign in "/?#@*%\\ \t"):
        raise ValueError(f"expected a site: {EXAMPLES}")
    host, port = _host_and_port(f"http://{bare}/")
    if wildcard:
        if port != PORTS["http"] or bare.endswith(":80"):
            raise ValueError("names below another have no port: leave it out")
        if _is_address(host):
            raise ValueError("an address has no names below it")
        return Place("wildcard", host)
    if bare.rpartition(":")[2].isdecimal() and not bare.endswith("]") and ":" in bare:
        return Place("port", host, port=port)
    return Place("host", host.removesuffix("."))


def _of_address(name: str, scheme: str, rest: str) -> Place:
    if scheme not in PORTS:
        raise ValueError("only http and https are fetched")
    authority = rest.partition("/")[0].partition("?")[0]
    if "@" in authority:
        raise ValueError("a name bears no password: write basic = { user, password }")
    if "*" in authority:
        raise ValueError('all names below another are "*.example.org", without a scheme')
    if "#" in name:
        raise ValueError("what stands behind # is never asked for: leave it out")
    host, port = _host_and_port(f"{scheme}://{authority}/")
    address = href(f"{scheme}://{rest}")
    start = address[address.index("/", len(scheme) + 3) :]
    if start == "/" and not rest.partition("/")[2]:
        return Place("origin", host, scheme, port)
    return Place("prefix", host, scheme, port, address)


def href(address: str) -> str:
    """An address as it is asked for. Raises ValueError for what is none."""
    import ada_url  # for those who name sites

    try:
        return str(ada_url.normalize_url(address))
    except ValueError:
        raise ValueError(f"is no address; expected a site: {EXAMPLES}") from None


def _host_and_port(address: str) -> tuple[str, int]:
    scheme, _, rest = href(address).partition("://")
    authority = rest.partition("/")[0]
    host, colon, port = authority.rpartition(":")
    if not colon or port.endswith("]"):
        return authority, PORTS[scheme]
    return host, int(port)


def _is_address(host: str) -> bool:
    try:
        ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        return False
    return True
