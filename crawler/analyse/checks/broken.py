"""Which links, and which things that pages are made of, lead nowhere or only on?"""

from __future__ import annotations

from typing import Final

from crawler.analyse.check import Check
from crawler.policy.link_kinds import REQUISITES
from crawler.store.views import NO_WAY_THERE

ANCHORS: Final = "'a', 'area', 'frame', 'iframe', 'refresh'"
ASSETS: Final = ", ".join(f"'{kind}'" for kind in sorted(REQUISITES))
LOST: Final = ", ".join(f"'{word}'" for word in NO_WAY_THERE)
"""Reasons for which a URL leads nowhere, as SQL."""

_BAD: Final = f"""
    WITH RECURSIVE bad(id, cause_id, hops) AS (
        SELECT urls.id, urls.id, 0
        FROM urls
        LEFT JOIN pages ON pages.id = urls.id
        WHERE urls.state IN ('done', 'failed')
            AND urls.kind IN ('page', 'check', 'asset')
            AND (urls.reason IN ({LOST}) OR urls.status >= 400)
            AND coalesce(urls.status, 0) <> 429
            AND pages.challenge IS NULL
        UNION
        SELECT visits.url_id, bad.cause_id, bad.hops + 1
        FROM bad
        CROSS JOIN visits ON visits.redirect_to_id = bad.id
        CROSS JOIN urls ON urls.id = visits.url_id
        WHERE bad.hops < 20
            AND visits.kind NOT IN ('robots', 'login')
            AND urls.state = 'done'
            AND visits.id = (
                SELECT max(latest.id)
                FROM visits AS latest
                WHERE latest.url_id = visits.url_id AND latest.kind NOT IN ('robots', 'login')
            )
    )
"""
"""URLs that end in an error or in none at all, at once or by redirects. 429 and a wall say nothing
of what stands behind them."""


def _leading_to_bad(kinds: str, target: str, cause: str = "TRUE") -> str:
    """The first of each page's links of these kinds to a bad target, with how many there are."""
    return f"""{_BAD}
        SELECT links.source_id AS url_id, target.url AS item, links.kind, links.anchor,
            links.region, min(links.position) AS position, count(*) AS times, cause.status,
            cause.reason, CASE WHEN bad.hops > 0 THEN cause.url END AS redirected_to
        FROM bad
        CROSS JOIN urls AS cause ON cause.id = bad.cause_id
        CROSS JOIN urls AS target ON target.id = bad.id
        CROSS JOIN links ON links.target_id = bad.id AND links.kind IN ({kinds})
        CROSS JOIN pages ON pages.id = links.source_id
        WHERE pages.status = 200 AND pages.error IS NULL AND {target} AND {cause}
        GROUP BY links.source_id, bad.id
    """


_BAD_PARTS: Final = f"""{_BAD},
    sheets(id, above_id) AS (
        SELECT urls.id, urls.found_on_id
        FROM urls
        WHERE urls.kind = 'asset'
            AND urls.id IN (
                SELECT links.source_id
                FROM bad
                CROSS JOIN links ON links.target_id = bad.id
            )
        UNION
        SELECT sheets.id, urls.found_on_id
        FROM sheets
        CROSS JOIN urls ON urls.id = sheets.above_id
        WHERE urls.kind = 'asset'
    )
    SELECT pages.id AS url_id, target.url AS item, links.kind, links.anchor, links.region,
        min(links.position) AS position, count(*) AS times, cause.status, cause.reason,
        CASE WHEN bad.hops > 0 THEN cause.url END AS redirected_to,
        CASE WHEN sheets.id IS NOT NULL THEN source.url END AS style_sheet
    FROM bad
    CROSS JOIN urls AS cause ON cause.id = bad.cause_id
    CROSS JOIN urls AS target ON target.id = bad.id
    CROSS JOIN links ON links.target_id = bad.id AND links.kind IN ({ASSETS})
    CROSS JOIN urls AS source ON source.id = links.source_id
    LEFT JOIN sheets ON sheets.id = links.source_id
    JOIN pages ON pages.id = coalesce(sheets.above_id, links.source_id)
    WHERE pages.status = 200 AND pages.error IS NULL
    GROUP BY pages.id, bad.id
"""
"""What a style sheet names is told on the page that led to it first."""

_ENDS: Final = """
    WITH RECURSIVE moved(id, via_id, hops) AS (
        SELECT urls.id, urls.id, 0
        FROM urls
        WHERE urls.status IN ({statuses}) AND urls.kind {of_kind}
        UNION
        SELECT moved.id, visits.redirect_to_id, moved.hops + 1
        FROM moved
        CROSS JOIN visits ON visits.id = (
            SELECT max(id) FROM visits
            WHERE url_id = moved.via_id AND kind NOT IN ('robots', 'login')
        )
        WHERE moved.hops < 20 AND visits.redirect_to_id IS NOT NULL
    ),
    ends AS MATERIALIZED (
        SELECT id, max(hops) AS hops, via_id
        FROM moved
        GROUP BY id
    )
"""
"""Where URLs that redirect lead in the end."""


def _leading_on(kinds: str, statuses: str, of_kind: str) -> str:
    """The first of each page's links of these kinds to what redirects."""
    return f"""{_ENDS.format(statuses=statuses, of_kind=of_kind)}
        SELECT links.source_id AS url_id, target.url AS item, links.kind, links.anchor,
            links.region, min(links.position) AS position, count(*) AS times, target.status,
            ends.hops, last.url AS ends_at, last.status AS end_status
        FROM ends
        CROSS JOIN urls AS target ON target.id = ends.id
        CROSS JOIN urls AS last ON last.id = ends.via_id
        CROSS JOIN links ON links.target_id = ends.id AND links.kind IN ({kinds})
        CROSS JOIN pages ON pages.id = links.source_id
        WHERE pages.status = 200 AND pages.error IS NULL
        GROUP BY links.source_id, ends.id
    """


_ANY_REDIRECT: Final = "300, 301, 302, 303, 305, 307, 308"

CHECKS: Final = (
    Check(
        name="broken_links",
        severity="error",
        definition="a link of a good page leads to an internal URL that, redirects followed, ends"
        " in a status of 400 or more (but 429) or in no answer",
        sql=_leading_to_bad(ANCHORS, "target.kind = 'page'"),
    ),
    Check(
        name="broken_external_links",
        severity="warning",
        definition="a link of a good page leads to another site and ends in a status of 400 or"
        " more (but 403, 429 and 999, with which programs are kept out) or in no answer",
        sql=_leading_to_bad(
            "'a', 'area'", "target.kind = 'check'", "coalesce(cause.status, 0) NOT IN (403, 999)"
        ),
        needs=("external",),
    ),
    Check(
        name="external_forbidden",
        severity="note",
        definition="a link leads to another site that answers 403, which a browser may not get",
        sql=_leading_to_bad("'a', 'area'", "target.kind = 'check'", "cause.status = 403"),
        needs=("external",),
    ),
    Check(
        name="external_redirects",
        severity="note",
        definition="a link leads to another site where the page has moved for good (301, 308)",
        sql=_leading_on("'a', 'area'", "301, 308", "= 'check'"),
        needs=("external",),
    ),
    Check(
        name="broken_assets",
        severity="error",
        definition="an image, script, style sheet, font or other part of a good page, or what its"
        " style sheets name, ends in a status of 400 or more (but 429) or in no answer",
        sql=_BAD_PARTS,
        needs=("assets",),
    ),
    Check(
        name="redirected_assets",
        severity="note",
        definition="an image, script, style sheet or other part of a good page answers with a"
        " redirect",
        sql=_leading_on(ASSETS, _ANY_REDIRECT, "IN ('page', 'check', 'asset')"),
        needs=("assets",),
    ),
    Check(
        name="links_to_redirects",
        severity="warning",
        definition="a link of a good page leads to an internal URL that redirects",
        sql=_leading_on(ANCHORS, _ANY_REDIRECT, "= 'page'"),
    ),
)
