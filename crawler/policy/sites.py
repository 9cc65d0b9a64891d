"""What holds for an address, where a person asked for something else of some sites?

The most specific that is said of a key wins: the beginning of the address, its origin, its host
with a port, its host, then names below another, the longest first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from crawler.config import Config, SiteConfig
from crawler.config.place import PORTS, Place, place_of
from crawler.config.sections import PLACES
from crawler.policy import urls

ORIGINS_KEPT: Final = 20_000
_NAME_AT: Final = len("http://") + 1


class Site(msgspec.Struct, frozen=True):
    """What holds for an address.

    config: all settings, as if nothing were said of sites. said: what is said of it alone.
    names: of each key that is said, the name under which it was.
    """

    config: Config
    said: SiteConfig = SiteConfig()
    names: dict[str, str] = {}


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
        slash = url.find("/", _NAME_AT)
        origin = self._origin(url[:slash] if slash > 0 else url)
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
            merged: dict[str, object] = {}
            sources: dict[str, str] = {}
            for name in names:
                said = {
                    k: v
                    for k, v in msgspec.structs.asdict(config.site[name]).items()
                    if v is not None
                }
                merged |= said
                sources |= dict.fromkeys(said, name)
            self._made[names] = Site(_with(config, merged), SiteConfig(**merged), sources)  # type: ignore[arg-type]
        return self._made[names]


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
