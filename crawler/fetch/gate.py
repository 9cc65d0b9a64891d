"""May a packet go to this address?

Judged is the address that is about to be connected to, never the text of a URL: `2130706433`,
`127.1` and `[::ffff:127.0.0.1]` all reach loopback, and a name can be pointed anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Final

from crawler.policy.urls import OWN_NETWORKS

Address = IPv4Address | IPv6Address
Block = IPv4Network | IPv6Network


def _blocks(*texts: str) -> tuple[Block, ...]:
    return tuple(ip_network(text) for text in texts)


NEVER_BY_NAME: Final = _blocks(
    *("169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32", "fe80::/10", "fec0::/10", "ff00::/8")
)
"""Link-local and multicast: allowed by an explicit address or block only, whatever the name."""

NOT_GLOBAL: Final = _blocks(
    # IANA special-purpose registries for IPv4 and IPv6 (RFC 6890 and its updates). Python's
    # is_global differs between patch releases, so the table stands here.
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
    *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    # Only 2000::/3 is global unicast; these lie within it.
    *("2001::/23", "2001:db8::/32", "3fff::/20"),
)

_GLOBAL_V6: Final = IPv6Network("2000::/3")
_SIX_TO_FOUR: Final = IPv6Network("2002::/16")
_TEREDO: Final = IPv6Network("2001::/32")
_LAST_32_BITS: Final = tuple(
    IPv6Network(block)
    for block in (
        "::/96",  # IPv4-compatible (RFC 4291, section 2.5.5.1)
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
        "64:ff9b::/96",  # NAT64 (RFC 6052)
    )
)
_ISATAP: Final = (0x0000_5EFE, 0x0200_5EFE)


def embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address to which some gateway would send what goes to this IPv6 one."""
    number = int(address)
    if address in _SIX_TO_FOUR:
        return IPv4Address(number >> 80 & 0xFFFF_FFFF)
    if address in _TEREDO:
        return IPv4Address(~number & 0xFFFF_FFFF)
    if any(address in block for block in _LAST_32_BITS) and number > 1:
        return IPv4Address(number & 0xFFFF_FFFF)
    if (number >> 32 & 0xFFFF_FFFF) in _ISATAP:
        return IPv4Address(number & 0xFFFF_FFFF)
    return None


def is_global(address: Address) -> bool:
    """Whether an address, and any that is embedded in it, belongs to the public internet."""
    if isinstance(address, IPv4Address):
        return not _within(address, NOT_GLOBAL)
    inner = embedded(address)
    if inner is not None and not is_global(inner):
        return False
    return _carries(address) or (address in _GLOBAL_V6 and not _within(address, NOT_GLOBAL))


def _carries(address: IPv6Address) -> bool:
    """Mapped and NAT64 addresses reach what they embed; the other old forms reach nothing."""
    return address in _LAST_32_BITS[1] or address in _LAST_32_BITS[3]


def _within(address: Address, blocks: Iterable[Block]) -> bool:
    return any(address in block for block in blocks if block.version == address.version)


class Gate:
    """Decides for one crawl.

    allow: host names, addresses and CIDR blocks that the person allowed by ``--allow-private``.
    """

    __slots__ = ("_blocks", "_names", "_refusal")

    def __init__(self, allow: Iterable[str] = ()) -> None:
        blocks: list[Block] = []
        names: set[str] = set()
        for text in allow:
            entry = text.strip().lower().removeprefix("[").removesuffix("]")
            try:
                blocks.append(ip_network(entry, strict=False))
            except ValueError:
                names.add(entry.removesuffix("."))
        self._blocks = tuple(blocks)
        self._names = frozenset(names)
        self._refusal = lru_cache(maxsize=4096)(self._judge)

    def __repr__(self) -> str:
        return f"<Gate open to {len(self._names)} names, {len(self._blocks)} blocks>"

    def refusal(self, ip: str, host: str, private_ok: bool) -> str | None:
        """``blocked_addr``, or None where a connection may be made.

        ip: the numeric address, host: the name it stands for, private_ok: the host was named by
        the person as their own.
        """
        return self._refusal(ip, host, private_ok)

    def _judge(self, ip: str, host: str, private_ok: bool) -> str | None:
        name = host.lower().removesuffix(".")
        try:
            address: Address = ip_address(ip.partition("%")[0])
        except ValueError:
            return "blocked_addr"
        if isinstance(address, IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        if is_global(address) or _within(address, self._blocks):
            return None
        if private_ok and _within(address, OWN_NETWORKS):
            return None
        if name in self._names and not self._link_local_inside(address):
            return None
        return "blocked_addr"

    @staticmethod
    def _link_local_inside(address: Address) -> bool:
        inner = embedded(address) if isinstance(address, IPv6Address) else None
        return _within(address, NEVER_BY_NAME) or (
            inner is not None and _within(inner, NEVER_BY_NAME)
        )
