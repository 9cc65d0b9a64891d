"""Which settings hold for an address, and who said so?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from crawler.config.provenance import Key, Origin
from crawler.config.secrets import site_without_secrets, without_secrets
from crawler.config.sections import PLACES, SECTIONS, SITE, SiteConfig
from crawler.faces.wording import plain
from crawler.policy.sites import Site

_OF_PLACES = {place: key for key, place in PLACES.items()}


class Held(msgspec.Struct, frozen=True):
    """One setting that holds for an address.

    key: ``pace.gap_s``, or ``own`` of what is said of sites alone. value: None for nothing. site:
    the name under which it was said, None where it holds for all.
    """

    key: str
    value: Any
    origin: Origin
    site: str | None = None


def held(site: Site, said: Mapping[Key, Origin]) -> Iterator[Held]:
    """All settings that hold, in the order of the sections; last what can be said of sites alone.

    said: by key where it was said.
    """
    config = without_secrets(site.config)
    for section, kind in SECTIONS.items():
        values = getattr(config, section)
        for field in msgspec.structs.fields(kind):
            own = _OF_PLACES.get((section, field.name), "")
            origin, name = _origin((section, field.name), own, site, said)
            yield Held(f"{section}.{field.name}", getattr(values, field.name), origin, name)
    shown = site_without_secrets(site.said)
    for field in msgspec.structs.fields(SiteConfig):
        if field.name not in PLACES:
            origin, name = _origin((), field.name, site, said)
            yield Held(field.name, getattr(shown, field.name), origin, name)


def _origin(
    key: Key, own: str, site: Site, said: Mapping[Key, Origin]
) -> tuple[Origin, str | None]:
    name = site.names.get(own)
    if name is None:
        return said.get(key, Origin()), None
    return said.get((SITE, name, own), Origin()), name


def lines(settings: Iterator[Held]) -> Iterator[str]:
    """A line a setting, for people."""
    rows = [(one.key, _written(one.value), one) for one in settings]
    key_width = max(len(key) for key, _, _ in rows)
    value_width = max(len(value) for _, value, _ in rows if len(value) <= 30)
    for key, value, one in rows:
        of = f" [{SITE}.{json.dumps(one.site, ensure_ascii=False)}]" if one.site else ""
        yield plain(f"{key:<{key_width}}  {value:<{value_width}}  {one.origin}{of}")


def as_object(url: str, settings: Iterator[Held]) -> dict[str, Any]:
    """The same as JSON."""
    rows = [
        {
            "key": one.key,
            "value": msgspec.to_builtins(one.value),
            "source": one.origin.source,
            "line": one.origin.line or None,
            "site": one.site,
        }
        for one in settings
    ]
    return {"url": url, "settings": rows}


def _written(value: Any) -> str:
    """As TOML would say it; a dash for nothing."""
    return "-" if value is None else json.dumps(msgspec.to_builtins(value), ensure_ascii=False)
