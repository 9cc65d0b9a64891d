"""Of which sites did the person ask for something else, and can it be had?

A site is a table ``[site."example.org"]`` of a configuration, or
``--set site."example.org".gap_s=2``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from crawler.config.place import EXAMPLES, Place, place_of
from crawler.config.secrets import SHOWN_HEADERS, Reader
from crawler.config.sections import PLACES, SENT, SITE, Config, SiteConfig
from crawler.config.values import Setting, expected, shown
from crawler.errors import UsageError

MAX_SITES: Final = 2000
READ: Final = ("headers", "basic", "bearer", "proxy")
"""Keys that may hold secrets."""
SECRET: Final = ("headers", "basic", "bearer", "client_cert")
"""Keys by which one is sent to whatever site the name covers."""
_FIELDS: Final = {field.name: field.type for field in msgspec.structs.fields(SiteConfig)}


class Said(NamedTuple):
    """One key of one site, and who gave it."""

    source: str
    name: str
    key: str
    value: Any

    @property
    def where(self) -> str:
        """As it is written in a file."""
        return f"{self.source}: {self.path}"

    @property
    def path(self) -> str:
        """The same without the file."""
        return f"{SITE}.{shown(self.name)}.{self.key}"


def read_sites(
    settings: Iterable[Setting], config: Config, environ: Mapping[str, str], *, exposed: str
) -> dict[str, SiteConfig]:
    """What holds for sites, by their names as written; a later setting of a key replaces an
    earlier one. Raises UsageError, one line that names the source, the site and the key.

    config: what holds for all sites. environ: of this process. exposed: the source whose texts
    others can read.
    """
    given: dict[str, dict[str, Any]] = {}
    said: dict[tuple[str, str], Said] = {}
    places: dict[Place, str] = {}
    for one in told(settings):
        place = _place(one)
        name = places.setdefault(place, one.name)
        if one.key:
            given.setdefault(name, {})[one.key] = _value(one, environ, exposed)
            said[name, one.key] = one._replace(name=name)
        if len(places) > MAX_SITES:
            raise UsageError(f"{one.source}: more than {MAX_SITES} sites")
    for values in given.values():
        if "cookies_from" in values or "login" in values:
            values.setdefault("cookies", True)
    sites = {name: SiteConfig(**values) for name, values in given.items()}
    for one in said.values():
        _refuse_laxer(one, sites, config)
        _refuse_strangers(one, sites)
        _refuse_two(one, sites[one.name])
    return sites


def told(settings: Iterable[Setting]) -> Iterator[Said]:
    """Every key of every site that settings name; an empty key for a site of which nothing is
    said."""
    for setting in settings:
        source, tables = setting.source, setting.value
        if not isinstance(tables, dict):
            raise UsageError(f"{source}: {SITE}: expected sites: write [{SITE}.{EXAMPLE}]")
        for name, values in tables.items():
            if not isinstance(values, dict):
                raise UsageError(f"{source}: {SITE}: write [{SITE}.{EXAMPLE}], and keys in it")
            if not values:
                yield Said(source, name, "", None)
            for key, value in values.items():
                yield Said(source, name, key, value)


EXAMPLE: Final = EXAMPLES.partition(",")[0]


def _place(one: Said) -> Place:
    try:
        place = place_of(one.name)
    except ValueError as error:
        where = f"{one.source}: {SITE}.{shown(one.name)}"
        raise UsageError(f"{where}: {error}") from None
    if one.key and one.key not in _FIELDS:
        raise UsageError(_unknown(one))
    return place


def _unknown(one: Said) -> str:
    """An unknown key, with the nearest that exists."""
    where = f"{one.source}: unknown key {SITE}.{shown(one.name)}.{one.key}"
    if isinstance(one.value, dict):
        below = {key for key in one.value if key in _FIELDS}
        if below and (one.key not in dict(PLACES.values())):
            return f"{where} (a name with dots stands in quotes: [{SITE}.{EXAMPLE}])"
        if below:
            return f"{where} (write {min(below)} without {one.key})"
    near = next(iter(difflib.get_close_matches(one.key, _FIELDS, 1)), "")
    return f'{where} (did you mean "{near}"?)' if near else f"{where} (there are: {_all()})"


def _all() -> str:
    return ", ".join(_FIELDS)


def _value(one: Said, environ: Mapping[str, str], exposed: str) -> Any:
    reader = Reader(one.where, environ, exposed=one.source == exposed)
    if one.key == "login":
        from crawler.config.login import read_login  # few sites have one

        return read_login(reader, Setting(one.source, one.path, one.value), one.name)
    if one.key in READ:
        return getattr(reader, one.key)(one.value)
    kind = msgspec.inspect.type_info(_FIELDS[one.key])
    assert isinstance(kind, msgspec.inspect.UnionType)
    plain = next(each for each in kind.types if not isinstance(each, msgspec.inspect.NoneType))
    try:
        if isinstance(one.value, float) and not abs(one.value) < 2.0**63:
            raise msgspec.ValidationError
        return msgspec.convert(one.value, _FIELDS[one.key])
    except (msgspec.ValidationError, OverflowError):
        raise UsageError(
            f"{one.where}: expected {expected(plain)}, got {shown(one.value)}"
        ) from None


def _refuse_laxer(one: Said, sites: dict[str, SiteConfig], config: Config) -> None:
    """Robots.txt is kept as strictly as elsewhere, but on the person's own sites."""
    laxer = (one.key == "obey_robots" and not one.value and config.robots.obey) or (
        one.key == "crawl_delay_max_s" and one.value < config.robots.crawl_delay_max_s
    )
    if laxer and not _is_own(one.name, sites):
        raise UsageError(
            f"{one.where}: others' robots.txt is kept as on all sites; of a site of your own say "
            "own = true besides"
        )


def _refuse_strangers(one: Said, sites: dict[str, SiteConfig]) -> None:
    """A secret is sent to the person's own sites: below ``co.uk`` or ``github.io`` are others', to
    which any link may lead."""
    is_plain = one.key == "headers" and all(name.lower() in SHOWN_HEADERS for name in one.value)
    if one.key not in SECRET or is_plain:
        return
    place = place_of(one.name)
    if place.kind == "wildcard" and _is_suffix(place.host) and not _is_own(one.name, sites):
        raise UsageError(
            f"{one.where}: below {place.host} anybody has sites, and it would be sent to all: name "
            "yours one by one, or where all are your own, say own = true besides"
        )


def _is_suffix(name: str) -> bool:
    """Does the public suffix list say that anybody may register below a name?"""
    from publicsuffixlist import PublicSuffixList  # for those who say a secret so widely

    return bool(PublicSuffixList(accept_unknown=False).publicsuffix(name) == name)


def _refuse_two(one: Said, site: SiteConfig) -> None:
    """A request has one Authorization."""
    if site.login and not site.cookies and one.key in ("login", "cookies"):
        raise UsageError(f"{one.where}: a login keeps cookies: leave cookies = false out")
    if one.key not in SENT:
        return
    if site.cookies and any(name.lower() == "cookie" for name in site.headers or ()):
        name = f"{one.source}: {SITE}.{shown(one.name)}"
        raise UsageError(f"{name}: write cookies or headers.Cookie, not both")
    written = any(name.lower() == "authorization" for name in site.headers or ())
    ways = [key for key in ("basic", "bearer") if getattr(site, key) is not None]
    ways += ["headers.Authorization"] if written else []
    if len(ways) > 1:
        name = f"{one.source}: {SITE}.{shown(one.name)}"
        raise UsageError(f"{name}: write {ways[0]} or {ways[1]}, not both")


def _is_own(name: str, sites: dict[str, SiteConfig]) -> bool:
    """Does the most specific that is said of a site's place call it the person's own?"""
    place = place_of(name)
    around = [
        (other.rank, site.own)
        for other, site in ((place_of(each), site) for each, site in sites.items())
        if site.own is not None and other.rank <= place.rank and _holds(other, place)
    ]
    return bool(around) and bool(max(around)[1])


def _holds(outer: Place, inner: Place) -> bool:
    """Does all of one place lie within another?"""
    if outer == inner:
        return True
    if inner.kind == "wildcard" or outer.kind == "wildcard":
        return outer.kind == "wildcard" and inner.host.endswith(f".{outer.host}")
    if outer.start and not inner.start.startswith(outer.start):
        return False
    return (
        outer.host == inner.host
        and outer.scheme in ("", inner.scheme)
        and outer.port in (0, inner.port)
    )
