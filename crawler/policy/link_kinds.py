"""Which kinds of link are there, and what is done with the target of each?

Which element makes which kind is said in `crawler.parse.elements`.
"""

from __future__ import annotations

from typing import Final

FOLLOWED: Final = frozenset(
    {
        "seed",
        "archive",
        "a",
        "area",
        "frame",
        "iframe",
        "refresh",
        "redirect",
        "canonical",
        "alternate",
        "next",
        "prev",
        "sitemap",
        "robots",
        "feed",
    }
)
"""Link kinds whose targets are fetched when in scope; every other kind is only recorded."""

REQUISITES: Final = frozenset(
    {
        *("img", "srcset", "script", "stylesheet", "icon", "media", "embed", "preload"),
        # what styles name: other sheets, fonts, and all else that a url() can be
        *("import", "font", "css"),
    }
)
"""Link kinds whose targets a page needs to look right: fetched where assets are, from any host."""

RECORDED: Final = REQUISITES | {"form", "link", "hint", "request"}
"""Link kinds that are recorded as ``skipped: not_followed``, or asked for by the settings of
assets."""

UNCHECKED: Final = frozenset({"form", "hint", "request"})
"""Of these, what names no resource that could be asked for: a hint names an origin (preconnect) or
an endpoint (pingback), and a request is what a page asked for while it was shown."""
