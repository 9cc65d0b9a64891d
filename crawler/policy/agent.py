"""How does the crawler name itself, and by which name do sites address it?"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from crawler import __version__
from crawler.config import FetchConfig

PRODUCT: Final = "crawler"

_COMPATIBLE: Final = re.compile(r"\bcompatible;\s*([A-Za-z0-9_-]+)")
_FIRST: Final = re.compile(r"\s*([A-Za-z0-9_-]+)")


def user_agent(config: FetchConfig) -> str:
    """Product token and version, with a contact behind it where one is configured."""
    contact = f" (+{config.contact})" if config.contact else ""
    return (config.user_agent or f"{PRODUCT}/{__version__}") + contact


def robots_token(config: FetchConfig) -> str:
    """The name in robots.txt, ``<meta name=...>`` and X-Robots-Tag that means this crawler, in
    lower case (RFC 9309, section 2.2.1)."""
    return (config.robots_token or _product(config.user_agent)).lower()


@lru_cache(maxsize=64)
def _product(agent: str) -> str:
    """``NewsBot`` of ``Mozilla/5.0 (compatible; NewsBot/1.0)``, ``mybot`` of ``mybot/1.0``."""
    found = _COMPATIBLE.search(agent) or _FIRST.match(agent)
    return found[1] if found else PRODUCT
