"""Which addresses of sites with a login would end it?"""

from __future__ import annotations

from crawler.patterns import Patterns
from crawler.policy.sites import Sites, origin_of


class WaysOut:
    """Those that a login's `exclude` says, by what stands behind the origin."""

    def __init__(self, sites: Sites) -> None:
        self._sites = sites
        self._patterns: dict[tuple[str, ...], Patterns] = {}

    def __repr__(self) -> str:
        return f"<WaysOut {len(self._patterns)} lists>"

    def has(self, url: str) -> bool:
        """Is this one of them?"""
        login = self._sites.of(url).said.login
        if login is None or not login.exclude:
            return False
        patterns = self._patterns.get(login.exclude)
        if patterns is None:
            patterns = self._patterns[login.exclude] = Patterns(login.exclude)
        return bool(patterns.match(url[len(origin_of(url)) :]))
