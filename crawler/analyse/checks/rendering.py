"""What does a page show only once its scripts have run?

Most of it can be told of rendered pages alone; they are said here so that an audit names what it
did not look at.
"""

from __future__ import annotations

from typing import Final

from crawler.analyse.check import Check, Severity

_RENDERED: Final[tuple[tuple[str, Severity, str], ...]] = (
    ("js_title", "warning", "the title is there, or is another, only once scripts have run"),
    ("js_description", "note", "the description is there, or another, only once scripts have run"),
    ("js_h1", "note", "the h1 is there, or is another, only once scripts have run"),
    ("js_canonical", "warning", "the canonical is there, or another, only once scripts have run"),
    ("js_noindex_removed", "error", "scripts take away a noindex, which engines obey unread"),
    ("js_noindex_added", "warning", "scripts add a noindex"),
    ("js_nofollow_removed", "error", "scripts take away a nofollow, which engines obey unread"),
    ("js_links", "warning", "many of the internal links are there only once scripts have run"),
    ("js_content", "warning", "most of the words are there only once scripts have run"),
    ("js_structured_data", "note", "structured data is there only once scripts have run"),
    ("js_blocked", "error", "robots.txt forbids a script or style sheet that a page needs"),
    ("js_errors", "note", "a script failed, or what it asked for did"),
)
"""Name, severity, definition."""
_LIMITS: Final = {"js_links": {"percent": 30}, "js_content": {"percent": 50}}

CHECKS: Final = (
    *(
        Check(
            name=name,
            severity=severity,
            definition=definition,
            limits=_LIMITS.get(name, {}),
            needs=("rendered",),
        )
        for name, severity, definition in _RENDERED
    ),
    Check(
        name="js_hash_routes",
        severity="warning",
        definition="a link leads to a page of its own site that only a script can tell apart, by"
        " #! or #/",
        sql="""
            WITH routes AS MATERIALIZED (
                SELECT source_id, target_id, fragment
                FROM links
                WHERE fragment >= '!'
                    AND fragment < '0'
                    AND (fragment GLOB '!*' OR fragment GLOB '/*')
                    AND kind IN ('a', 'area')
            )
            SELECT routes.source_id AS url_id, urls.url || '#' || routes.fragment AS item
            FROM routes
            JOIN good_pages ON good_pages.id = routes.source_id
            JOIN urls ON urls.id = routes.target_id
            WHERE urls.reason IS NOT 'scope' AND urls.kind NOT IN ('check', 'asset')
        """,
    ),
)
