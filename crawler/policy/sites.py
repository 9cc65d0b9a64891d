"""What holds for an address, where a person asked for something else of some sites?

The most specific that is said of a key wins: the beginning of the address, its origin, its host
with a port, its host, then names below another, the longest first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from crawler.config import Config, SiteConfig
from crawler.config.place import PORTS, Place, place_of
from crawler.config.sections import PLACES, SENT
from crawler.policy import urls

ORIGINS_KEPT: Final = 20_000
AUTHORIZING: Final = frozenset({"basic", "bearer"})
_NAME_AT: Final = len("http://") + 1


class Site(msgspec.Struct, frozen=True):
    """What holds for an address.

    config: all settings, as if nothing were said of sites. said: what is said of it alone.
    names: of each key that is said, the name under which it was.
    """

    config: Config
    said: SiteConfig = SiteConfig()
    names: dict[str, str] = {}

    def sends(self, key: str, url: str, *, named: bool) -> bool:
        """May what is said under a key be sent for an address?

        What is said of an origin is for no other. What is said of a host, or of all names below
        one, is for its https, and for those of its origins that the person named as seeds: a link
        or redirect must not choose a port, or have a password sent in clear. named: this is one.
        """
        name = self.names.get(key)
        if name is None:
            return False
        place = place_of(name)
        return bool(place.scheme) or named or _is_https_at(url, place.port or PORTS["https"])


class _Origin(msgspec.Struct, frozen=True):
    """An origin of which something is said.

    site: what holds for its addresses but those that begin as one of `starts`, which are the
    longest first.
    """

    site: Site
    starts: tuple[tuple[str, Site], ...] = ()


class Sites:
    """Answers for one configuration; each origin is looked up once."""

    def __init__(self, config: Config) -> None:
        self._everywhere = Site(config)
        places = [(place_of(name), name) for name in config.site]
        self._places = sorted(places, key=lambda pair: pair[0].rank)
        self._origins: dict[str, _Origin | None] = {}
        self._made: dict[tuple[str, ...], Site] = {(): self._everywhere}

    def __bool__(self) -> bool:
        """Is anything said of any site?"""
        return bool(self._places)

    def __repr__(self) -> str:
        return f"<Sites {len(self._places)} named, {len(self._origins)} origins looked up>"

    def of(self, url: str) -> Site:
        """What holds for an address."""
        if not self._places:
            return self._everywhere
        origin = self._origin(origin_of(url))
        if origin is None:
            return self._everywhere
        for start, site in origin.starts:
            if url.startswith(start):
                return site
        return origin.site

    def config(self, url: str) -> Config:
        """The settings that hold for an address."""
        return self.of(url).config

    def of_origin(self, name: str) -> Iterator[Site]:
        """What holds for an origin (``https://example.org``), then for some of its addresses."""
        found = self._origin(name) if self._places else None
        if found is None:
            yield self._everywhere
            return
        yield found.site
        yield from (site for _, site in found.starts)

    def obeys(self, name: str) -> bool:
        """Is the robots.txt of an origin kept, if only for some of its addresses?"""
        return any(site.config.robots.obey for site in self.of_origin(name))

    def keeps_for_itself(self, name: str) -> bool:
        """Is anything sent to an origin, or to some of its addresses, that nobody else may see?"""
        return any(sends_something(site.said) for site in self.of_origin(name))

    def said(self) -> Iterable[SiteConfig]:
        """What is said of each site."""
        return self._everywhere.config.site.values()

    def _origin(self, name: str) -> _Origin | None:
        try:
            return self._origins[name]
        except KeyError:
            if len(self._origins) >= ORIGINS_KEPT:
                self._origins.clear()
            found = self._origins[name] = self._look_up(name)
            return found

    def _look_up(self, name: str) -> _Origin | None:
        scheme = urls.scheme_of(name)
        host, port = urls.host_and_port(name)
        number = int(port or PORTS.get(scheme, 0))
        here = [pair for pair in self._places if _covers(pair[0], scheme, host, number)]
        if not here:
            return None
        whole = tuple(named for place, named in here if not place.start)
        starts = [
            (place.start, self._site((*whole, *_around(place, here))))
            for place, _ in here
            if place.start
        ]
        return _Origin(self._site(whole), tuple(reversed(starts)))

    def _site(self, names: tuple[str, ...]) -> Site:
        """What names come to, the most specific last."""
        if names not in self._made:
            config = self._everywhere.config
            merged: dict[str, Any] = {}
            sources: dict[str, str] = {}
            for name in names:
                said = _what_is_said(config.site[name])
                _forget_other_ways(merged, said)
                merged |= said
                sources |= dict.fromkeys(said, name)
            self._made[names] = Site(_with(config, merged), SiteConfig(**merged), sources)
        return self._made[names]


def _what_is_said(site: SiteConfig) -> dict[str, Any]:
    values = msgspec.structs.asdict(site)
    return {key: value for key, value in values.items() if value is not None}


def _forget_other_ways(merged: dict[str, Any], said: dict[str, Any]) -> None:
    """A request has one Authorization: what is said more specifically replaces any other."""
    if AUTHORIZING.isdisjoint(said) and not any(map(_authorizes, said.get("headers", ()))):
        return
    for key in AUTHORIZING:
        merged.pop(key, None)
    headers = merged.get("headers", {})
    if any(map(_authorizes, headers)):
        merged["headers"] = {name: headers[name] for name in headers if not _authorizes(name)}


def _authorizes(header: str) -> bool:
    return header.lower() == "authorization"


class NamedOrigins:
    """The origins that seeds name, of sites to which something is sent that nobody else may see."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites if any(map(sends_something, sites.said())) else None
        self._names: set[str] = set()

    def __repr__(self) -> str:
        return f"<NamedOrigins {len(self._names)}>"

    def add(self, origins: Iterable[str]) -> None:
        """Seeds name these."""
        if self._sites is not None:
            self._names.update(name for name in origins if self._sites.keeps_for_itself(name))

    def __contains__(self, url: str) -> bool:
        """Does a seed name the origin of an address?"""
        return bool(self._names) and origin_of(url) in self._names


def sends_something(said: SiteConfig) -> bool:
    """Is anything sent to a site that nobody else may see?"""
    return any(getattr(said, key) is not None for key in SENT)


def _is_https_at(url: str, port: int) -> bool:
    number = urls.host_and_port(url)[1]
    return urls.scheme_of(url) == "https" and int(number or PORTS["https"]) == port


def origin_of(url: str) -> str:
    """What stands before the path of an address that is known to be sound."""
    slash = url.find("/", _NAME_AT)
    return url[:slash] if slash > 0 else url


def is_of(places: Iterable[Place], url: str) -> bool:
    """Is an address one of these sites'?"""
    scheme = urls.scheme_of(url)
    host, port = urls.host_and_port(url)
    number = int(port or PORTS.get(scheme, 0))
    return any(
        _covers(place, scheme, host, number) and url.startswith(place.start) for place in places
    )


def _covers(place: Place, scheme: str, host: str, port: int) -> bool:
    # example.org. and example.org are one machine; what is said of an origin is said of one name.
    bare = host if place.scheme else host.removesuffix(".")
    return place.covers(scheme, bare, port)


def _around(place: Place, here: list[tuple[Place, str]]) -> Iterator[str]:
    """The names of beginnings of a beginning, itself the last."""
    for other, name in here:
        if other.start and place.start.startswith(other.start):
            yield name


def _with(config: Config, said: dict[str, object]) -> Config:
    """Settings with those that are said of a site in place of those of all."""
    changes: dict[str, dict[str, object]] = {}
    for key, value in said.items():
        if key in PLACES:
            section, name = PLACES[key]
            changes.setdefault(section, {})[name] = value
    sections = {
        section: msgspec.structs.replace(getattr(config, section), **values)
        for section, values in changes.items()
    }
    return msgspec.structs.replace(config, **sections)
