"""Which cookies does a host set, and which is it sent?

By RFC 6265, with what browsers have tightened since (draft-ietf-httpbis-rfc6265bis): no cookie for
a public suffix, none that is secure from or for http, and promises of names that begin ``__Host-``
or ``__Secure-``. Of one host 50 are kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from email.utils import mktime_tz, parsedate_tz
from itertools import islice
from typing import Final
from urllib.parse import urlsplit

import msgspec

from crawler.policy import urls

PER_HOST: Final = 50
HOSTS: Final = 2000
MAX_COOKIE: Final = 4096
"""Characters of name and value."""
MAX_SENT: Final = 8192
"""Characters of a Cookie header."""
MAX_AGE_S: Final = 400 * 86_400.0
HIDDEN: Final = "***"
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What a cookie may not hold (section 5.6, step 1); bytes beyond ASCII come back as they came."""


class Cookie(msgspec.Struct, frozen=True):
    """One cookie.

    domain: the host that set it, or of which and all names below it is for. host_only: the former.
    expires: epoch seconds, None for the end of the session. created: epoch seconds.
    """

    name: str
    value: str
    domain: str
    path: str = "/"
    host_only: bool = True
    secure: bool = False
    http_only: bool = False
    expires: float | None = None
    created: float = 0.0

    def __repr__(self) -> str:
        return f"<Cookie {self.name} of {self.domain}>"


class Jar:
    """The cookies of a crawl. changed: since it was last written down."""

    def __init__(self) -> None:
        self._of: dict[str, dict[tuple[str, str], Cookie]] = {}
        self.changed = False

    def __repr__(self) -> str:
        return f"<Jar of {len(self._of)} hosts>"

    def __iter__(self) -> Iterator[Cookie]:
        for cookies in self._of.values():
            yield from cookies.values()

    def put(self, cookie: Cookie, now: float) -> None:
        """Keep a cookie; one whose time is over takes itself out."""
        cookies = self._of.setdefault(cookie.domain, {})
        key = (cookie.path, cookie.name)
        held = cookies.pop(key, None)
        if _is_over(cookie, now):
            self.changed |= held is not None
        else:
            created = cookie.created if held is None else held.created
            cookies[key] = msgspec.structs.replace(cookie, created=created)
            self.changed |= held is None or held.value != cookie.value
        if len(cookies) > PER_HOST:
            del cookies[_least_wanted(cookies, now)]
        if not cookies:
            del self._of[cookie.domain]
        elif len(self._of) > HOSTS:
            del self._of[next(iter(self._of))]

    def take(self, url: str, headers: Iterable[str], now: float) -> None:
        """Keep what an answer from this address set; headers: values of Set-Cookie, of which no
        more are read than a host may have: an answer may hold 14,000."""
        for header in islice(headers, PER_HOST):
            cookie = read(header, url, now)
            if cookie is not None and not self._hides_a_secure_one(cookie, url):
                self.put(cookie, now)

    def _hides_a_secure_one(self, cookie: Cookie, url: str) -> bool:
        """An answer over http replaces nothing that was set over https."""
        held = self._of.get(cookie.domain, {}).get((cookie.path, cookie.name))
        return held is not None and held.secure and urls.scheme_of(url) != "https"

    def header(self, url: str, now: float) -> str:
        """What the Cookie header of a request for this address says; empty for none."""
        if not self._of:
            return ""
        host, path = _host(url), urlsplit(url).path or "/"
        is_secure = urls.scheme_of(url) == "https"
        found = [
            cookie
            for domain in _domains(host)
            for cookie in self._of.get(domain, {}).values()
            if (domain == host or not cookie.host_only)
            and (is_secure or not cookie.secure)
            and _path_matches(path, cookie.path)
            and not _is_over(cookie, now)
        ]
        found.sort(key=lambda cookie: (-len(cookie.path), cookie.created))
        header = ""
        for cookie in found:
            more = f"{header}; {cookie.name}={cookie.value}" if header else _pair(cookie)
            if len(more) <= MAX_SENT:
                header = more
        return header


def _pair(cookie: Cookie) -> str:
    return f"{cookie.name}={cookie.value}"


def _is_over(cookie: Cookie, now: float) -> bool:
    return cookie.expires is not None and cookie.expires <= now


def _least_wanted(cookies: dict[tuple[str, str], Cookie], now: float) -> tuple[str, str]:
    """What goes first: what is over, then what was set first."""
    return min(cookies, key=lambda key: (not _is_over(cookies[key], now), cookies[key].created))


def read(header: str, url: str, now: float) -> Cookie | None:
    """The cookie that a Set-Cookie of this address sets; None where it may set none such."""
    pair, *rest = header.split(";")
    name, equals, value = (part.strip(" \t") for part in pair.partition("="))
    if not equals or not name or len(name) + len(value) > MAX_COOKIE:
        return None
    if _CONTROL.search(name + value):
        return None
    said = dict(_attributes(rest))
    host, is_secure = _host(url), urls.scheme_of(url) == "https"
    place = _domain(said.get("domain", ""), host)
    if place is None:
        return None
    domain, host_only = place
    path = said.get("path", "")
    cookie = Cookie(
        name, value, domain, path if path.startswith("/") else _default_path(url), host_only,
        "secure" in said, "httponly" in said, _expires(said, now), now,
    )  # fmt: skip
    if (cookie.secure and not is_secure) or not _keeps_its_prefix(cookie):
        return None
    return cookie


def _attributes(parts: Sequence[str]) -> Iterator[tuple[str, str]]:
    for part in parts:
        name, _, value = part.partition("=")
        yield name.strip(" \t").lower(), value.strip(" \t")


def _domain(said: str, host: str) -> tuple[str, bool] | None:
    """Of which domain a cookie is, and whether it is for the host alone; None where the host may
    set none of it."""
    domain = said.lower().removeprefix(".").removesuffix(".")
    if not domain or domain == host:
        return host, not domain or urls.is_ip(host) or urls.is_public_suffix(host)
    if urls.is_ip(host) or urls.is_public_suffix(domain) or not host.endswith(f".{domain}"):
        return None
    return domain, False


def _default_path(url: str) -> str:
    """RFC 6265, section 5.1.4."""
    path = urlsplit(url).path
    return path[: path.rfind("/")] or "/"


def _expires(said: dict[str, str], now: float) -> float | None:
    """RFC 6265, section 5.3: Max-Age wins."""
    age = said.get("max-age", "")
    if age.removeprefix("-").isdecimal() and age.isascii():
        return now + min(float(age[:12]), MAX_AGE_S) if float(age[:12]) > 0 else 0.0
    date = parsedate_tz(said.get("expires", ""))
    try:
        return None if date is None else min(float(mktime_tz(date)), now + MAX_AGE_S)
    except (ValueError, OverflowError):
        return None


def _keeps_its_prefix(cookie: Cookie) -> bool:
    name = cookie.name.lower()
    if name.startswith("__secure-"):
        return cookie.secure
    if name.startswith("__host-"):
        return cookie.secure and cookie.host_only and cookie.path == "/"
    return True


def _host(url: str) -> str:
    return urls.host_of(url).lower().removesuffix(".")


def _domains(host: str) -> Iterator[str]:
    """A host, and all that it may be a name below."""
    yield host
    if not urls.is_ip(host):
        while "." in host:
            host = host.partition(".")[2]
            yield host


def _path_matches(path: str, of_cookie: str) -> bool:
    """RFC 6265, section 5.1.4."""
    if not path.startswith(of_cookie):
        return False
    return path == of_cookie or of_cookie.endswith("/") or path[len(of_cookie)] == "/"


def without_value(header: str) -> str:
    """A Set-Cookie as it may be kept: what it sets, and how, but not to what."""
    pair, semicolon, rest = header.partition(";")
    name, equals, _ = pair.partition("=")
    return f"{name}={HIDDEN}{semicolon}{rest}" if equals else header
