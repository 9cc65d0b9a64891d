"""Which faults of a site are looked for?

A file a group; each says its checks in `CHECKS`. Their order here is that of the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crawler.analyse.check import Check
from crawler.analyse.checks import titles

GROUPS: Final[Mapping[str, tuple[Check, ...]]] = {
    "titles": titles.CHECKS,
}
