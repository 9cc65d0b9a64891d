"""Which faults of a site are looked for?

A file a group; each says its checks in `CHECKS`. Their order here is that of the catalogue, and a
group is there as soon as its file is.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Final

from crawler.analyse.check import Check

_ORDER: Final = (
    *("answers", "addresses", "titles", "content", "canonicals", "indexability", "robots"),
    *("sitemaps", "links", "languages", "markup", "security", "html", "rendering", "runs"),
)


def _checks_of(group: str) -> tuple[Check, ...]:
    checks: tuple[Check, ...] = import_module(f"{__name__}.{group}").CHECKS
    return checks


GROUPS: Final[Mapping[str, tuple[Check, ...]]] = {
    group: _checks_of(group) for group in _ORDER if find_spec(f"{__name__}.{group}")
}
CHECKS: Final[Mapping[str, Check]] = {
    check.name: check for checks in GROUPS.values() for check in checks
}
assert len(CHECKS) == sum(map(len, GROUPS.values())), "two checks have one name"
