"""What is the address, and is it one that can be fetched?

Addresses follow the WHATWG URL standard (https://url.spec.whatwg.org/), the one browsers follow.
can_ada reads them (0.5 us a link); ada_url, which follows a newer edition of the standard and
costs three times as much, is asked about the few on which the two can differ: what can_ada
refuses, names that are or may be internationalised, and hrefs with ``^`` or a space.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING, Final, NamedTuple

import ada_url
import can_ada
import msgspec

from crawler.config import Config
from crawler.model import Target
from crawler.policy import stripped_parameters

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

MAX_KEPT_URL: Final = 2083
"""Bytes that are kept of an address that is refused, and of any fragment."""

BAD_PORTS: Final = frozenset(
    {
        # https://fetch.spec.whatwg.org/#port-blocking
        *(1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95),
        *(101, 102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161),
        *(179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563),
        *(587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060),
        *(5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080),
    }
)

STORE_PORTS: Final = frozenset({3306, 5432, 6379, 11211, 27017})
"""MySQL, PostgreSQL, Redis, memcached and MongoDB: not in the standard's list, but an HTTP request
can do harm there, and no site serves pages from them."""

BLOCKED_PORTS: Final = BAD_PORTS | STORE_PORTS

DEFAULT_PORTS: Final = {"http": 80, "https": 443}

_WEB: Final = ("http://", "https://")
_MAX_BASE: Final = 8192
_NO_CONTROLS: Final = {**dict.fromkeys(range(0x20), 0xFFFD), 9: None, 10: None, 13: None}
_PLAIN = re.compile(r"/?[a-z0-9_~-][a-z0-9_.~-]*(?:/[a-z0-9_~-][a-z0-9_.~-]*)*/?", re.I | re.A)
"""A path of segments that no parser changes: most links of most pages. 0.3 us to see, 0.6 us less
than to have it parsed."""
_AUTHORITY = re.compile(r"[a-z][a-z0-9+.-]*://([^/?#]*)", re.IGNORECASE)
OWN_NETWORKS: Final = tuple(
    ip_network(block)
    for block in (
        "0.0.0.0/32",  # "this host": what a development server prints as its own address
        "10.0.0.0/8",
        "127.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "::/128",
        "::1/128",
        "fc00::/7",
    )
)
"""What a person's own machines have. Link-local addresses are not among them, because the metadata
services of cloud machines live there (169.254.169.254)."""


class Site(NamedTuple):
    """What stands before the path of an http(s) URL.

    origin: scheme, name and port, without userinfo; empty when no such host can exist.
    port: the port a connection would go to.
    """

    origin: str
    port: int


class UrlRules(msgspec.Struct, frozen=True):
    """What a crawl asks of every address, wherever it is found.

    max_bytes: a longer URL is ``url_too_long``.
    blocked_ports: a URL with one of these is ``blocked_port``.
    strip: parameters that are taken out besides identifiers of sessions; None leaves those, too.
    """

    max_bytes: int = 2083
    blocked_ports: frozenset[int] = BLOCKED_PORTS
    strip: tuple[str, ...] | None = ()

    @classmethod
    def of(cls, config: Config) -> UrlRules:
        """The rules of a configuration: one value for all that ask, since each page does."""
        return _rules(config.fetch.max_url_bytes, config.scope.strip_parameters)


@lru_cache(maxsize=16)
def _rules(max_bytes: int, strip: tuple[str, ...]) -> UrlRules:
    return UrlRules(max_bytes, strip=strip)


ORDINARY: Final = UrlRules()
UNLIMITED: Final = UrlRules(max_bytes=1 << 20, strip=None)
"""For an address that was accepted before."""


class Resolver:
    """Reads the links of one document: parses its base once.

    base: the address that relative links stand on, None for none; one that cannot be read counts
        as none.
    """

    __slots__ = ("_base", "_blocked", "_folder", "_href", "_max", "_prefix", "_site", "_strip")

    def __init__(self, base: str | None = None, rules: UrlRules = ORDINARY) -> None:
        self._max = rules.max_bytes
        self._blocked = rules.blocked_ports
        self._strip = str if rules.strip is None else stripped_parameters.stripper(rules.strip)
        href = None if base is None else _exact_href(base, None)
        self._href = href
        self._base = None if href is None else _fast_url(href)
        authority = _web_authority(href) if href else ""
        # "\n" stands in no href, so that a base of another scheme is nobody's neighbour.
        self._prefix = authority + "/" if authority else "\n"
        self._site = _site(authority) if authority else Site("", 0)
        self._folder = self._plain_folder(authority)

    def __repr__(self) -> str:
        return f"<Resolver on {self._href}>"

    def resolve(self, href: str) -> tuple[Target, str | None]:
        """The address that a link means, and its fragment; never raises."""
        if self._folder and _PLAIN.fullmatch(href):
            url = (self._site.origin if href[0] == "/" else self._folder) + href
            if len(url) <= self._max:
                return Target(url, number_of(url.encode()), self._site.origin), None
        whole = self._whole(href)
        if whole is None:
            return _invalid(href), None
        url, mark, fragment = whole.partition("#")
        return self._target(url), fragment[:MAX_KEPT_URL] if mark else None

    def _target(self, url: str) -> Target:
        if url.startswith(self._prefix):
            site, path = self._site, len(self._prefix) - 1
        elif url.startswith(_WEB):
            authority = _web_authority(url)
            site, path = _site(authority), len(authority)
        else:
            return _refused(_without_userinfo(url), "", "scheme")
        origin = site.origin
        if not origin:
            return _refused(_without_userinfo(url), "", "url_invalid")
        if path != len(origin):  # userinfo stood between
            url = origin + url[path:]
        if "?" in url or ";" in url or "(" in url or "%3" in url:
            url = self._stripped(url)
        if len(url) > self._max:
            return _refused(url, origin, "url_too_long")
        if site.port in self._blocked:
            return _refused(url, origin, "blocked_port")
        return Target(url, number_of(url.encode()), origin)

    def _stripped(self, url: str) -> str:
        page = self._strip(url)
        if page != url and "/." in page:  # what was ``/..;jsessionid=1`` is ``/..`` now
            return _exact_href(page, None) or page
        return page

    def _plain_folder(self, authority: str) -> str:
        """The base up to its last slash, where a plain path need only be put behind it."""
        if self._href is None or not authority or authority != self._site.origin:
            return ""
        if self._site.port in self._blocked:
            return ""
        path = self._href.partition("#")[0].partition("?")[0]
        return path[: path.rfind("/") + 1]

    def _whole(self, href: str) -> str | None:
        """The WHATWG href with userinfo and fragment; None for what is no URL."""
        base = self._base
        if not href.isascii() or (base is None and self._href is not None):
            return _exact_href(href, self._href)
        try:
            whole: str = can_ada.parse(href).href if base is None else (base + href).href
        except (ValueError, TypeError):
            return _exact_href(href, self._href)
        # can_ada 3.0.0 leaves the last dot of ``/.a/.`` standing.
        if "^" in whole or " " in whole or "/." in whole:
            return _exact_href(href, self._href)
        # The base was read exactly, so its own host needs no second opinion.
        if ("%" in href or "xn--" in whole) and not whole.startswith(self._prefix):
            return _exact_href(href, self._href)
        return whole


def resolve(
    href: str, base: str | None = None, *, rules: UrlRules = ORDINARY
) -> tuple[Target, str | None]:
    """The address that a text means on a base, and its fragment (None where there is no ``#``).

    Never raises. Whoever reads many links of one document takes a `Resolver`.
    """
    make = _resolver if base is None or len(base) <= _MAX_BASE else _resolver.__wrapped__
    return make(base, rules).resolve(href)


@lru_cache(maxsize=256)
def _resolver(base: str | None, rules: UrlRules) -> Resolver:
    return Resolver(base, rules)


def identity(url: str) -> int:
    """The 63-bit number by which a URL is known: the upper bits of its BLAKE2b."""
    return number_of(url.encode("utf-8", "replace"))


def number_of(data: bytes) -> int:
    """63 bits that tell it from other data."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big") >> 1


def scheme_of(url: str) -> str:
    """``https`` of ``https://example.org/``; empty where there is none."""
    scheme, colon, _ = url.partition(":")
    return scheme.lower() if colon else ""


def host_of(url: str) -> str:
    """The host of an origin or URL, without port and userinfo; IPv6 keeps its brackets."""
    return host_and_port(url)[0]


def path_of(url: str) -> str:
    """Path and query of a URL, as robots.txt rules see them; at least ``/``."""
    host, slash, rest = url.partition("#")[0].partition("://")[2].partition("/")
    if "?" in host:  # never in an href, whose path is never empty
        return "/?" + host.partition("?")[2] + slash + rest
    return "/" + rest


def fold_host(host: str) -> str:
    """The name under which a host's variants are one: no case, no final dot, no first ``www.``."""
    folded = host.lower().removesuffix(".")
    bare = folded.removeprefix("www.")
    return bare if "." in bare else folded


def is_ip(host: str) -> bool:
    """Whether a host is an address literal, with or without the brackets of IPv6."""
    return _address(host) is not None


@lru_cache(maxsize=16_384)
def is_private_literal(host: str) -> bool:
    """Whether a host says by itself that it is the person's own: localhost or a private address.

    Private are `OWN_NETWORKS`.
    """
    address = _address(host)
    if address is None:
        name = host.lower().removesuffix(".")
        return name == "localhost" or name.endswith(".localhost")
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return any(address in block for block in OWN_NETWORKS if block.version == address.version)


@lru_cache(maxsize=16_384)
def registered_domain(host: str) -> str:
    """The name somebody registered: ``example.co.uk`` of ``a.example.co.uk``.

    By the public suffix list with its private part, so every ``*.github.io`` is its own domain.
    Addresses, and names that are public suffixes themselves, come back as they are.
    """
    if is_ip(host):
        return host
    name = host.lower().removesuffix(".")
    found = _suffixes().privatesuffix(_in_unicode(name)) or name
    return name.split(".", name.count(".") - found.count("."))[-1]


def is_public_suffix(host: str) -> bool:
    """Is this a name below which anybody may register, such as ``co.uk`` or ``github.io``?"""
    return "." not in host or _suffixes().privatesuffix(_in_unicode(host.lower())) is None


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # 16 ms that most processes never need

    # Three times as fast without the encoded names, which few hosts have: those are decoded.
    return PublicSuffixList(accept_encoded_idn=False)


def _in_unicode(name: str) -> str:
    """A name as the list has it, each label by itself: one that nobody can read spoils no other."""
    return ".".join(map(_decoded, name.split("."))) if "xn--" in name else name


def _decoded(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return label[4:].encode("ascii").decode("punycode")
    except UnicodeError:
        return label


@lru_cache(maxsize=8192)
def _site(authority: str) -> Site:
    """Judges ``https://user@example.org:8443``; cached, because links go to few hosts."""
    host, port = host_and_port(authority)
    scheme = scheme_of(authority)
    number = int(port or DEFAULT_PORTS[scheme])
    if number == 0 or not _possible(host):
        return Site("", number)
    return Site(f"{scheme}://{host}:{port}" if port else f"{scheme}://{host}", number)


def _possible(host: str) -> bool:
    """Whether DNS could hold this name: lengths of RFC 1035, section 2.3.4, and no empty label."""
    if host.startswith("["):
        return True
    name = host.removesuffix(".")
    return len(name) <= 253 and all(0 < len(label) <= 63 for label in name.split("."))


def host_and_port(url: str) -> tuple[str, str]:
    """Host and port as they stand in an origin or href, where the scheme's own port never does."""
    found = _AUTHORITY.match(url)
    if found is None:
        return "", ""
    place = found[1].rpartition("@")[2]
    host, colon, port = place.rpartition(":")
    if not colon or port.endswith("]"):
        return place, ""
    return host, port if port.isdecimal() else ""


def _address(host: str) -> IPv4Address | IPv6Address | None:
    if not (host[-1:].isdigit() or ":" in host):  # an error costs 2 us, and names are the rule
        return None
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        return ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        return None


def _web_authority(href: str) -> str:
    """``https://user@example.org:8443`` of an http(s) href; empty for other schemes."""
    if not href.startswith(_WEB):
        return ""
    end = href.find("/", 8)
    return href[:end] if end > 0 else href


def _fast_url(href: str) -> can_ada.URL | None:
    try:
        return can_ada.parse(href)
    except ValueError:
        return None


def _exact_href(href: str, base: str | None) -> str | None:
    text = _scalar(href)
    try:
        whole: str = ada_url.normalize_url(text) if base is None else ada_url.join_url(base, text)
    except ValueError:
        return None
    return whole


def _scalar(text: str) -> str:
    """A text whose lone surrogates are U+FFFD (https://infra.spec.whatwg.org/#scalar-value-string)."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _refused(url: str, origin: str, refusal: str) -> Target:
    return Target(url[:MAX_KEPT_URL], identity(url), origin, refusal)


def _invalid(href: str) -> Target:
    """What is no URL keeps its text; NUL before the hashed bytes keeps it apart from every URL."""
    text = _scalar(href.strip()).translate(_NO_CONTROLS).strip()
    kept = text[:MAX_KEPT_URL].encode()[:MAX_KEPT_URL].decode("utf-8", "ignore")
    return Target(kept, identity("\0" + text), "", "url_invalid")


def _without_userinfo(url: str) -> str:
    found = _AUTHORITY.match(url)
    if found is None or "@" not in found[1]:
        return url
    return url[: found.start(1)] + url[found.start(1) + found[1].rindex("@") + 1 :]
