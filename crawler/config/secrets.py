"""How is a secret said, and how is it kept from everybody else?

In a file as a text or as ``{ env = "NAME" }``; on a command line, which others can read, only as
the latter. A secret is never shown, and nothing that is kept or told of a configuration has one
(`without_secrets`).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import msgspec

from crawler.config.proxy import DIRECT, ENVIRONMENT, proxy_of, without_password
from crawler.config.sections import Basic, Config, Secret, SiteConfig
from crawler.config.values import shown
from crawler.errors import UsageError

HIDDEN: Final = "***"
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""RFC 9110, section 5.6.2."""
_NO_UTF8: Final = re.compile("[\ud800-\udfff]")
"""What stands for other bytes (PEP 383)."""
_OF_CONNECTIONS: Final = frozenset(
    {
        *("connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"),
        *("http2-settings", "content-length", "host", "expect"),
    }
)
"""RFC 9110, sections 7.2, 7.6.1 and 10.1.1; RFC 9112, section 6."""
_ASKED_BY_US: Final = re.compile(r"if-.*|range")
"""RFC 9110, sections 13.1 and 14.2."""
SHOWN_HEADERS: Final = frozenset(
    {
        *("accept", "accept-encoding", "accept-language", "cache-control", "dnt", "from", "pragma"),
        *("referer", "user-agent", "upgrade-insecure-requests", "sec-gpc"),
    }
)
"""Headers that nobody keeps a secret in; all others may be one."""


class Reader:
    """Reads what one site says of its secrets.

    where: begins each message; names source, site and key. environ: of this process.
    exposed: what is written stands on a command line.
    """

    def __init__(self, where: str, environ: Mapping[str, str], *, exposed: bool) -> None:
        self._where = where
        self._environ = environ
        self._exposed = exposed

    def bearer(self, value: Any) -> Secret:
        """RFC 6750, section 2.1."""
        token = self.secret(value, "")
        if not token.value or not re.fullmatch(r"[!-~]+", token.value):
            self.refuse("", "expected a token without spaces, of ASCII")
        return token

    def basic(self, value: Any) -> Basic:
        """RFC 7617, section 2."""
        if not isinstance(value, dict) or set(value) != {"user", "password"}:
            self.refuse("", 'expected { user = "...", password = { env = "NAME" } }')
        user = self.secret(value["user"], ".user", is_secret=False)
        password = self.secret(value["password"], ".password")
        for name, one in ((".user", user), (".password", password)):
            if any(ord(sign) < 32 or ord(sign) == 127 for sign in one.value):
                self.refuse(name, "has control characters")
        if ":" in user.value:
            self.refuse(".user", "a user's name has no colon")
        return Basic(user, password)

    def headers(self, value: Any) -> dict[str, Secret]:
        """Header fields by their names."""
        if not isinstance(value, dict):
            self.refuse("", 'expected { X-Name = "value" }')
        found: dict[str, Secret] = {}
        for name, text in value.items():
            self._refuse_name(name, found)
            plain = name.lower() in SHOWN_HEADERS
            one = self.secret(text, f".{name}", is_secret=not plain)
            stripped = one.value.strip(" \t")
            if not (stripped.isascii() and stripped.isprintable()):
                self.refuse(f".{name}", "expected one line of ASCII without control characters")
            found[name] = msgspec.structs.replace(one, value=stripped)
        return found

    def proxy(self, value: Any) -> tuple[Secret, ...]:
        """One address of a proxy, or several that take turns."""
        several = value if isinstance(value, list) else [value]
        found = tuple(self.secret(one, "", is_secret=False) for one in several)
        words = [one.value.strip() for one in found]
        for word in words:
            if word in (DIRECT, ENVIRONMENT) and len(words) == 1:
                continue
            try:
                proxy_of(word)
            except ValueError as error:
                self.refuse("", str(error))
        return found

    def _refuse_name(self, name: str, others: Mapping[str, Secret]) -> None:
        lower = name.lower()
        if not _TOKEN.fullmatch(name):
            raise UsageError(f"{self._where}: {shown(name)} is no name of a header")
        if lower in _OF_CONNECTIONS or lower.startswith("proxy-"):
            self.refuse(f".{name}", "belongs to the connection, not to what is asked for")
        if _ASKED_BY_US.fullmatch(lower):
            self.refuse(f".{name}", "would leave parts of answers out; the crawler asks that")
        if any(lower == other.lower() for other in others):
            self.refuse(f".{name}", "is said twice")

    def secret(self, value: Any, key: str, *, is_secret: bool = True) -> Secret:
        """A text, as it stands or from the environment."""
        if isinstance(value, dict) and set(value) == {"env"} and isinstance(value["env"], str):
            name = value["env"]
            if name not in self._environ:
                self.refuse(key, f"the environment has no {shown(name)[1:-1]}")
            held = self._environ[name]
            if _NO_UTF8.search(held):  # nothing could be told it, and it could be sent to nobody
                self.refuse(key, f"what the environment has as {shown(name)[1:-1]} is not UTF-8")
            return Secret(held, name)
        if not isinstance(value, str):
            self.refuse(key, 'expected a text or { env = "NAME" }')
        if is_secret and self._exposed:
            self.refuse(key, 'others can read a command line: write { env = "NAME" }, or a file')
        return Secret(value)

    def refuse(self, key: str, why: str) -> NoReturn:
        """Raises UsageError."""
        raise UsageError(f"{self._where}{key}: {why}")


def authorization(site: SiteConfig) -> str | None:
    """What the header says of what a site is told to be asked with; None for nothing."""
    if site.bearer is not None:
        return f"Bearer {site.bearer.value}"
    if site.basic is None:
        return None
    pair = f"{site.basic.user.value}:{site.basic.password.value}".encode()
    return f"Basic {base64.b64encode(pair).decode('ascii')}"


def without_secrets(config: Config) -> Config:
    """A configuration as it may be kept and shown."""
    sites = {name: site_without_secrets(site) for name, site in config.site.items()}
    fetch = msgspec.structs.replace(config.fetch, proxy=_hidden_proxies(config.fetch.proxy))
    return msgspec.structs.replace(config, site=sites, fetch=fetch)


def for_machines(config: Config) -> Config:
    """A configuration as machines are told it that fetch for a crawl.

    They need what is sent to sites and proxies. Cookies come with each job, and what is taken out
    of pages is taken by whoever has the file.
    """
    sites = {
        name: msgspec.structs.replace(site, cookies_from=None) for name, site in config.site.items()
    }
    return msgspec.structs.replace(config, site=sites, extract={})


def site_without_secrets(site: SiteConfig) -> SiteConfig:
    """The same of one site."""
    headers = site.headers and {
        name: one if name.lower() in SHOWN_HEADERS else _hidden(one)
        for name, one in site.headers.items()
    }
    basic = site.basic and Basic(site.basic.user, _hidden(site.basic.password))
    bearer = site.bearer and _hidden(site.bearer)
    proxy = site.proxy and _hidden_proxies(site.proxy)
    login = site.login and msgspec.structs.replace(
        site.login, fields={name: _hidden(one) for name, one in site.login.fields.items()}
    )
    return msgspec.structs.replace(
        site, headers=headers, basic=basic, bearer=bearer, proxy=proxy, login=login
    )


def _hidden_proxies(proxies: tuple[Secret, ...]) -> tuple[Secret, ...]:
    return tuple(msgspec.structs.replace(one, value=without_password(one.value)) for one in proxies)


def _hidden(secret: Secret) -> Secret:
    return msgspec.structs.replace(secret, value=HIDDEN)
