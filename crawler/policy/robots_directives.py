"""What do the robots directives of a page (meta robots, X-Robots-Tag) forbid us?

They are read in `crawler.parse.robots_directives`; nofollow is a matter of each link.
"""

from __future__ import annotations

from typing import Final

UNKEPT: Final = frozenset({"noindex", "none"})
"""Directives that ask for nothing of what is written to be kept, under ``store.obey_noindex``."""


def forbid_keeping(directives: str | None) -> bool:
    """Do these, as ``pages.meta_robots`` has them, ask that no content be kept?"""
    return not UNKEPT.isdisjoint((directives or "").replace(",", " ").split())
