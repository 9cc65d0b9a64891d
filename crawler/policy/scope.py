"""Does this URL belong to the crawl, and if not, why?

A verdict is about a link; a fate is about a URL. Every link gives its target a `Standing`; the
best one counts, so that the end does not depend on the order in which pages came.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from urllib.parse import urljoin, urlsplit

import msgspec

from crawler.config import Config, ScopeConfig, SiteConfig
from crawler.errors import UsageError
from crawler.model import Target
from crawler.patterns import PatternError, Patterns
from crawler.policy import traps, urls
from crawler.policy.link_kinds import FOLLOWED, REQUISITES, UNCHECKED
from crawler.policy.requisites import mode as assets_mode
from crawler.policy.sites import Sites
from crawler.policy.ways_out import WaysOut


class Standing(IntEnum):
    """How near a link brought its target to being fetched; a greater one replaces a smaller."""

    RECORDED = 0
    """Only by kinds that are never followed (images, scripts, forms)."""
    NOFOLLOW = 1
    """By a link that asks not to be followed."""
    REFUSED = 2
    """By a link to follow, but the URL itself is not wanted; more links change nothing."""
    DEEP = 3
    """By a link to follow, but too many clicks from a seed."""
    ASSET = 4
    """To be fetched, but only as a part of pages."""
    SITEMAP = 5
    """To be fetched, but only to be read as a sitemap."""
    ECHO = 6
    """To be fetched, but only as the canonical or alternate of another page: such may name itself
    once more under a new address each time, and so leads to no more of the same."""
    ACCEPTED = 7


ECHOES = frozenset({"canonical", "alternate"})
"""Kinds by which a page names itself or another version of itself."""


class Verdict(msgspec.Struct, frozen=True):
    """What a link means for its target.

    standing: see `Standing`. reason: a word of ``urls.reason``, None when accepted.
    check: not fetched as a page, but to be asked for with HEAD.
    """

    standing: Standing
    reason: str | None = None
    check: bool = False

    def kind(self, fetch_kind: str) -> str:
        """What the target is fetched for, where a link would have it fetched for that."""
        if self.check:
            return "check"
        return "asset" if self.standing == Standing.ASSET else fetch_kind


ACCEPTED = Verdict(Standing.ACCEPTED)
ASSET = Verdict(Standing.ASSET)
NOT_FOLLOWED = Verdict(Standing.RECORDED, "not_followed")
CHECKED = Verdict(Standing.RECORDED, check=True)
SEEDLIKE = frozenset({"seed", "robots"})
"""Kinds that need no seed to cover them: seeds, and sitemaps that a robots.txt names, which may lie
on any host (https://www.sitemaps.org/protocol.html#sitemaps_cross_submits)."""


MAX_FOLDERS = 32
"""Folders above a page that a seed may cover; what lies deeper is covered by those."""


def scope_keys(url: str, mode: str) -> list[str]:
    """The keys under which a URL may be covered by a seed: any one in the set of keys is enough.

    page: the URL. prefix: ``host/folder/`` for each folder above it. host: the host, folded.
    domain: the registered domain. any: no key is needed, the list is empty. A port that is not the
    scheme's own belongs to host and domain: ``127.0.0.1:8001`` is another site than ``:8000``.
    There are at most `MAX_FOLDERS` keys, so that a path of 1,000 folders costs no more.
    """
    if mode == "any":
        return []
    if mode == "page":
        return [url]
    name, port = urls.host_and_port(url)
    host, behind = urls.fold_host(name), f":{port}" if port else ""
    if mode == "host":
        return [host + behind]
    if mode == "domain":
        return [urls.registered_domain(host) + behind]
    path = urlsplit(url).path
    folders = [at for at, character in enumerate(path) if character == "/"][:MAX_FOLDERS]
    return [f"{host}{behind}{path[: at + 1]}" for at in folders]


def seed_key(url: str, mode: str) -> str | None:
    """The key that a seed adds to the scope; None when the mode needs none.

    Of ``prefix`` it is the seed's own folder: all up to the last slash of its path.
    """
    keys = scope_keys(url, mode)
    return keys[-1] if keys else None


def compile_patterns(patterns: tuple[str, ...], key: str) -> Patterns:
    """Raises UsageError, which names the key, when one is no regular expression that can be had."""
    try:
        return Patterns(patterns)
    except PatternError as error:
        raise UsageError(f"{key}: {error.pattern!r} {error.why}") from None


def moves_with(seed: str, target: str) -> bool:
    """Does all that a seed covers move to where the seed redirects?

    A site's front page speaks for the site; a deeper page speaks for itself, unless both have the
    same registered domain.
    """
    parts = urlsplit(seed)
    if parts.path in ("", "/") and not parts.query:
        return True
    here, there = urls.host_of(seed), urls.host_of(target)
    return urls.registered_domain(here) == urls.registered_domain(there)


class Judge:
    """Gives each link its verdict. `covers` tells whether a scope key is one of the seeds'.

    assets: what becomes of what pages need to look right, by `requisites.mode`.
    """

    def __init__(
        self,
        config: ScopeConfig,
        covers: Callable[[str], bool],
        covers_below: Callable[[str], bool] | None = None,
        *,
        assets: str = "record",
    ) -> None:
        self._mode = config.mode
        self._max_depth = config.max_depth
        self._covers = covers
        self._covers_below = covers_below or covers
        self._include = compile_patterns(config.include, "scope.include")
        self._exclude = compile_patterns(config.exclude, "scope.exclude")
        self._follow_nofollow = config.follow_nofollow
        self._check_assets = assets != "record" or "assets" in config.check
        self._check_external = "external" in config.check
        self._traps = config.traps
        self.keeps_assets = assets == "fetch"
        self._sites: Sites | None = None
        self._ways_out: WaysOut | None = None

    @classmethod
    def of(
        cls, config: Config, covers: Callable[[str], bool], covers_below: Callable[[str], bool]
    ) -> Judge:
        """The judge of a configuration, which may ask for something else of some sites."""
        judge = cls(config.scope, covers, covers_below, assets=assets_mode(config))
        judge._sites = Sites(config) or None
        if judge._sites and any(site.login for site in judge._sites.said()):
            judge._ways_out = WaysOut(judge._sites)
        return judge

    def __repr__(self) -> str:
        return f"<Judge scope={self._mode} depth<={self._max_depth}>"

    def verdict(
        self, target: Target, kind: str, depth: int, *, nofollow: bool = False,
        fetch_kind: str = "page",
    ) -> Verdict:  # fmt: skip
        """The verdict of one link of this kind that puts its target at this depth.

        fetch_kind: what the target would be fetched for.
        """
        if target.refusal is not None:
            return Verdict(Standing.REFUSED, target.refusal)
        if self._ways_out is not None and self._ways_out.has(target.url):
            return Verdict(Standing.REFUSED, "excluded")
        if kind not in FOLLOWED or fetch_kind == "asset":
            return self._recorded(target.url, kind, fetch_kind)
        if nofollow and not self._follow_nofollow:
            return Verdict(Standing.NOFOLLOW, "nofollow")
        if fetch_kind == "sitemap":
            refusal = None if kind in SEEDLIKE or self.touches(target.url) else "scope"
        elif kind in ("redirect", "refresh") and depth == 0:
            refusal = None  # it stands for the seed that was written
        else:
            refusal = self.refusal(target.url, seed=kind in SEEDLIKE)
        if refusal == "scope" and self._check_external and fetch_kind != "sitemap":
            return Verdict(Standing.REFUSED, None, check=True)
        if refusal is not None:
            return Verdict(Standing.REFUSED, refusal)
        most = self._max_depth
        if self._sites is not None:
            most = self._sites.config(target.url).scope.max_depth
        if depth > most:
            return Verdict(Standing.DEEP, "depth")
        return ACCEPTED

    def _recorded(self, url: str, kind: str, fetch_kind: str) -> Verdict:
        """Of what is no page. Parts of pages are kept wherever they are, and where redirects of
        them lead; that they are makes nothing else belong to the crawl."""
        if self.keeps_assets and (kind in REQUISITES or fetch_kind == "asset"):
            return Verdict(Standing.REFUSED, "excluded") if self._exclude.match(url) else ASSET
        return CHECKED if self._check_assets and kind not in UNCHECKED else NOT_FOLLOWED

    def refusal(self, url: str, *, seed: bool = False) -> str | None:
        """Why the URL itself is not wanted, wherever it is linked: scope, excluded, trap."""
        if not seed and not self.in_scope(url):
            return "scope"
        if self._exclude.match(url):
            return "excluded"
        if not seed and self._include and not self._include.match(url):
            return "excluded"
        if not seed and self._traps and traps.trap(url) is not None:
            return "trap"
        return None

    def in_scope(self, url: str) -> bool:
        """Is the URL covered by a seed?"""
        if self._mode == "any":
            return True
        return any(self._covers(key) for key in scope_keys(url, self._mode))

    def touches(self, url: str) -> bool:
        """Is anything on the URL's host covered by a seed?"""
        if self._mode == "any":
            return True
        root = scope_keys(urljoin(url, "/"), self._mode)
        return any(self._covers(key) for key in root) or any(map(self._covers_below, root))


def asks_for_sitemaps(config: Config) -> bool:
    """Are sitemaps read for the pages that they list?"""
    return config.robots.sitemaps and config.scope.mode != "page"


def judging(config: Config) -> dict[str, object]:
    """The part of the configuration that decides verdicts.

    When it differs from the last run's, skipped URLs are judged again.
    """
    scope = config.scope
    return {
        "mode": scope.mode,
        "include": list(scope.include),
        "exclude": list(scope.exclude),
        "max_depth": scope.max_depth,
        "max_pages_per_host": scope.max_pages_per_host,
        "max_bytes_per_host": scope.max_bytes_per_host,
        "max_hosts_per_domain": scope.max_hosts_per_domain,
        "max_pages_per_domain": scope.max_pages_per_domain,
        "max_queries_per_path": scope.max_queries_per_path,
        "follow_nofollow": scope.follow_nofollow,
        "check": list(scope.check),
        **({} if config.assets.mode == "record" else {"assets": config.assets.mode}),
        "traps": scope.traps,
        "allow_private": list(scope.allow_private),
        "obey_robots": config.robots.obey,
        "max_url_bytes": config.fetch.max_url_bytes,
        **_of_sites(config),
    }


_JUDGING_SITES = ("max_depth", "max_pages_per_host", "max_bytes_per_host", "obey_robots")


def _of_sites(config: Config) -> dict[str, object]:
    """The same of what is asked of some sites alone; nothing where nothing is."""
    said = {name: _judging_of(site) for name, site in config.site.items()}
    said = {name: keys for name, keys in said.items() if keys}
    return {"site": said} if said else {}


def _judging_of(site: SiteConfig) -> dict[str, object]:
    said = {key: getattr(site, key) for key in _JUDGING_SITES}
    said["ways_out"] = None if site.login is None else list(site.login.exclude)
    return {key: value for key, value in said.items() if value is not None}
