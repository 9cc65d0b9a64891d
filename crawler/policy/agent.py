"""How does the crawler name itself?"""

from __future__ import annotations

from crawler import __version__
from crawler.config import FetchConfig


def user_agent(config: FetchConfig) -> str:
    """Product token and version, with a contact behind it where one is configured."""
    contact = f" (+{config.contact})" if config.contact else ""
    return (config.user_agent or f"crawler/{__version__}") + contact
