"""Which pages are looked at as a browser shows them?"""

from __future__ import annotations

import msgspec

from crawler.config import Config
from crawler.model import Document, Job, Reply

PAGES = frozenset({"text/html", "application/xhtml+xml"})


def modes(config: Config) -> set[str]:
    """What is asked for, of all sites and of some."""
    return {config.render.mode, *(site.render for site in config.site.values() if site.render)}


def is_asked(config: Config) -> bool:
    """May any page be looked at so?"""
    return modes(config) != {"never"}


def looking_for_shells(config: Config) -> Config:
    """The settings under which pages are read: shells are told wherever some site asks for them."""
    if config.render.mode == "shells" or "shells" not in modes(config):
        return config
    render = msgspec.structs.replace(config.render, mode="shells")
    return msgspec.structs.replace(config, render=render)


def without(config: Config) -> Config:
    """The settings under which no page is looked at."""
    sites = {name: msgspec.structs.replace(site, render=None) for name, site in config.site.items()}
    render = msgspec.structs.replace(config.render, mode="never")
    return msgspec.structs.replace(config, render=render, site=sites)


def is_wanted(mode: str, job: Job, reply: Reply, document: Document) -> bool:
    """Is this page to be looked at? mode: that of its site.

    What is no page, is not whole, or hides it (a challenge) would not be what visitors see.
    """
    if mode == "never" or job.kind != "page" or not reply.body or reply.error is not None:
        return False
    if reply.status is None or not 200 <= reply.status <= 299 or document.challenge is not None:
        return False
    if document.content_type not in PAGES or reply.truncated is not None or document.error:
        return False
    return mode == "always" or document.is_shell
