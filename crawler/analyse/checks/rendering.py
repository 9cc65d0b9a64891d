"""What does a page show only once its scripts have run, and what goes wrong then?

Search engines read a page as it was sent at first, and what it shows later or never; so what only
one of both says is told here.
"""

from __future__ import annotations

from typing import Final

from crawler.analyse.check import Check
from crawler.analyse.checks.indexability import has
from crawler.analyse.checks.sites import INTERNAL
from crawler.store.rendered_views import FAILED

_LAST: Final = """
    renders
    CROSS JOIN page_renders ON page_renders.visit_id = renders.visit_id
    CROSS JOIN good_pages AS pages ON pages.id = page_renders.id
"""
"""Good pages that were to be shown, in the order of ``renders``, so that nothing is sorted."""
_SHOWN: Final = f"{_LAST} AND pages.rendered = 1"
"""Good pages as they were shown, each with what was sent."""


def _another(fact: str) -> str:
    return f"""
        SELECT pages.id AS url_id, renders.raw_{fact} AS sent, pages.{fact} AS shown
        FROM {_SHOWN}
        WHERE coalesce(renders.raw_{fact}, '') <> coalesce(pages.{fact}, '')
    """


def _asked_of_robots(before: str, after: str) -> str:
    return f"""
        SELECT pages.id AS url_id, renders.raw_meta_robots AS sent, pages.meta_robots AS shown
        FROM {_SHOWN}
        WHERE {before} AND {after}
    """


def _wish(*words: str, sent: bool, there: bool) -> str:
    said = "renders.raw_meta_robots" if sent else "pages.meta_robots"
    return f"coalesce({has(*words, said=said)}, 0) = {int(there)}"


def _only(*words: str, sent: bool) -> str:
    """What is asked of robots by what was sent alone, or by what was shown alone."""
    return _asked_of_robots(
        _wish(*words, sent=True, there=sent), _wish(*words, sent=False, there=not sent)
    )


def _asked_for(condition: str) -> str:
    """What pages asked for and did not get, each address once a page."""
    return f"""
        SELECT pages.id AS url_id, urls.url AS item, requests.type, requests.status,
            requests.reason
        FROM {_SHOWN}
        CROSS JOIN requests ON requests.visit_id = renders.visit_id
        CROSS JOIN urls ON urls.id = requests.target_id
        WHERE {condition} AND NOT EXISTS (
            SELECT 1
            FROM requests AS earlier
            WHERE earlier.visit_id = requests.visit_id
                AND earlier.position < requests.position
                AND earlier.target_id = requests.target_id
                AND {condition.replace("requests.", "earlier.")}
        )
    """


_FIRST_LINE: Final = (
    "substr(console.text, 1, min(300, instr(console.text || char(10), char(10)) - 1))"
)
_IS_MIXED: Final = "console.text LIKE 'Mixed Content: %'"


def _said(item: str, columns: str, condition: str) -> str:
    """Lines of consoles, each once a page."""
    return f"""
        SELECT pages.id AS url_id, {item} AS item, {columns}
        FROM {_SHOWN}
        CROSS JOIN console ON console.visit_id = renders.visit_id
        WHERE {condition} AND NOT EXISTS (
            SELECT 1
            FROM console AS earlier
            WHERE earlier.visit_id = console.visit_id
                AND earlier.position < console.position
                AND {item.replace("console.", "earlier.")} = {item}
                AND {condition.replace("console.", "earlier.")}
        )
    """


def _check(
    name: str, severity: str, definition: str, sql: str, limits: dict[str, float] | None = None
) -> Check:
    return Check(
        name=name,
        severity=severity,  # type: ignore[arg-type]  # words of `Severity`
        definition=definition,
        sql=sql,
        limits=limits or {},
        needs=("rendered",),
    )


_SAID: Final = (
    _check(
        "js_title",
        "warning",
        "the title is there, or is another, only once scripts have run",
        _another("title"),
    ),
    _check(
        "js_description",
        "note",
        "the description is there, or another, only once scripts have run",
        _another("description"),
    ),
    _check(
        "js_h1", "note", "the h1 is there, or is another, only once scripts have run",
        _another("h1"),
    ),
    _check(
        "js_canonical",
        "warning",
        "the canonical is there, or another, only once scripts have run",
        _another("canonical"),
    ),
    _check(
        "js_noindex_removed",
        "error",
        "scripts take away a noindex, which engines obey unread",
        _only("noindex", "none", sent=True),
    ),
    _check(
        "js_noindex_added",
        "warning",
        "scripts add a noindex",
        _only("noindex", "none", sent=False),
    ),
    _check(
        "js_nofollow_removed",
        "error",
        "scripts take away a nofollow, which engines obey unread",
        _only("nofollow", "none", sent=True),
    ),
)  # fmt: skip

_HELD: Final = (
    _check(
        "js_links",
        "warning",
        "many of the internal links are there only once scripts have run",
        f"""
            SELECT pages.id AS url_id, count(*) AS links,
                sum(links.via = 'rendered') AS only_shown
            FROM {_SHOWN}
            CROSS JOIN links ON links.source_id = pages.id
            CROSS JOIN urls AS target ON target.id = links.target_id
            WHERE links.kind IN ('a', 'area') AND links.via <> 'source' AND {INTERNAL}
            GROUP BY renders.visit_id
            HAVING 100.0 * sum(links.via = 'rendered') > :percent * count(*)
        """,
        {"percent": 30},
    ),
    _check(
        "js_content",
        "warning",
        "most of the words are there only once scripts have run",
        f"""
            SELECT pages.id AS url_id, coalesce(renders.raw_word_count, 0) AS sent,
                pages.word_count AS shown
            FROM {_SHOWN}
            WHERE 100.0 * (pages.word_count - coalesce(renders.raw_word_count, 0))
                > :percent * pages.word_count
        """,
        {"percent": 50},
    ),
    _check(
        "js_structured_data",
        "note",
        "structured data is there only once scripts have run (told where bodies are kept)",
        f"""
            SELECT pages.id AS url_id, count(*) AS items, min(seen.type) AS type
            FROM {_SHOWN}
            CROSS JOIN visits ON visits.id = renders.visit_id
            CROSS JOIN facts ON facts.body_id = visits.body_id AND facts.error IS NULL
            CROSS JOIN structured_data AS seen ON seen.body_id = pages.body_id
            WHERE NOT EXISTS (SELECT 1 FROM structured_data WHERE body_id = visits.body_id)
            GROUP BY renders.visit_id
        """,
    ),
)

_WRONG: Final = (
    _check(
        "js_blocked",
        "error",
        "robots.txt forbids a script, a style sheet or data that a page needs",
        _asked_for(
            "requests.reason = 'robots'"
            " AND requests.type IN ('Script', 'Stylesheet', 'XHR', 'Fetch')"
        ),
    ),
    _check(
        "js_errors",
        "note",
        "a script failed, or complained of an error",
        _said(
            _FIRST_LINE,
            "console.level, console.url AS script, console.line",
            "console.level IN ('exception', 'error', 'assert')"
            " AND console.text NOT LIKE 'Failed to load resource: %'"
            f" AND NOT {_IS_MIXED}",
        ),
    ),
    _check(
        "js_requests_failed",
        "warning",
        "what a page asked for while it was shown was not there, or could not be had",
        _asked_for(FAILED),
    ),
    _check(
        "js_requests_heavy",
        "note",
        "a page asks for very much before it shows itself, or for very many things; images, fonts"
        " and films are not counted",
        f"""
            SELECT pages.id AS url_id, count(*) AS requests, sum(requests.body_bytes) AS bytes
            FROM {_SHOWN}
            CROSS JOIN requests ON requests.visit_id = renders.visit_id
            WHERE requests.type NOT IN ('Robots', 'Image') AND requests.status IS NOT NULL
            GROUP BY renders.visit_id
            HAVING count(*) > :requests OR sum(requests.body_bytes) > :bytes
        """,
        {"bytes": 5_000_000, "requests": 100},
    ),
    _check(
        "js_mixed_content",
        "warning",
        "a page over https asks for something over http while it is shown, which browsers refuse",
        _asked_for(
            "pages.url LIKE 'https:%' AND urls.url LIKE 'http:%' AND requests.type <> 'Robots'"
        )
        + " UNION ALL "
        + _said(
            "substr(console.text, 16, 300)",
            "'console', NULL, NULL",
            f"pages.url LIKE 'https:%' AND {_IS_MIXED}",
        ),
    ),
    _check(
        "redirects_javascript",
        "warning",
        "a script leads to another URL than was fetched",
        f"""
            SELECT pages.id AS url_id, renders.final_url AS item, 'address' AS by
            FROM {_SHOWN}
            WHERE substr(renders.final_url, 1, instr(renders.final_url || '#', '#') - 1)
                <> pages.url
            UNION ALL
            SELECT pages.id, target.url, 'left'
            FROM {_LAST}
            CROSS JOIN links ON links.source_id = pages.id
                AND links.kind = 'refresh' AND links.via = 'rendered'
            CROSS JOIN urls AS target ON target.id = links.target_id
            WHERE renders.error = 'render_left'
        """,
    ),
)

CHECKS: Final = (
    *_SAID,
    *_HELD,
    *_WRONG,
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
