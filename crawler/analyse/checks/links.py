"""Which pages are linked badly: too little, too deep, from the wrong places, or not at all?"""

from __future__ import annotations

from typing import Final

from crawler.analyse.check import Check
from crawler.analyse.checks.anchors import CHECKS as OF_ANCHORS
from crawler.analyse.checks.contacts import CHECKS as OF_CONTACTS
from crawler.analyse.checks.link_targets import CHECKS as OF_TARGETS
from crawler.analyse.checks.sites import COUNTED_BEFORE, EXTERNAL, FRONTS, INTERNAL, SEEDS

_NOFOLLOW: Final = """(
    links.nofollow = 1
    OR ' ' || lower(links.rel) || ' ' LIKE '% ugc %'
    OR ' ' || lower(links.rel) || ' ' LIKE '% sponsored %'
)"""


def _linked(condition: str) -> str:
    return f"""
        SELECT id AS url_id, inlinks, followed_inlinks, indexable_inlinks
        FROM good_pages
        WHERE {condition}
    """


def _without(target: str) -> str:
    """Good pages without a link to another page of this kind."""
    return f"""
        SELECT good_pages.id AS url_id, good_pages.outlinks
        FROM good_pages
        WHERE NOT EXISTS (
            SELECT 1
            FROM links
            JOIN urls AS target ON target.id = links.target_id
            WHERE links.source_id = good_pages.id
                AND links.kind IN ('a', 'area')
                AND links.target_id <> links.source_id
                AND {target}
        )
    """


def _many(target: str) -> str:
    """Pages of which the counted links are looked at only where there are so many at all."""
    return f"""
        SELECT full.id AS url_id, count(*) AS links, count(DISTINCT target.id) AS targets
        FROM good_pages AS full
        CROSS JOIN links ON links.source_id = full.id
        CROSS JOIN urls AS target ON target.id = links.target_id
        WHERE full.outlinks > :links
            AND links.kind IN ('a', 'area')
            AND {target}
        GROUP BY full.id
        HAVING count(*) > :links
    """


_ARCHITECTURE: Final = (
    Check(
        name="no_inlinks",
        severity="warning",
        definition="no other good page links to a good page that is no seed; what links and seeds"
        " redirect to counts as linked",
        sql=f"""
            SELECT lonely.id AS url_id, lonely.depth, urls.via
            FROM good_pages AS lonely
            JOIN urls ON urls.id = lonely.id
            WHERE lonely.inlinks = 0
                AND lonely.id NOT IN ({SEEDS})
                AND NOT EXISTS (
                    SELECT 1
                    FROM visits
                    JOIN pages AS moved ON moved.id = visits.url_id
                    WHERE visits.redirect_to_id = lonely.id
                        AND (moved.inlinks > 0 OR moved.id IN ({SEEDS}))
                )
        """,
    ),
    Check(
        name="one_inlink",
        severity="note",
        definition="exactly one other page has a followed link to a good page that is no seed",
        sql=_linked(f"followed_inlinks = 1 AND id NOT IN ({SEEDS})"),
    ),
    Check(
        name="nofollow_inlinks_only",
        severity="warning",
        definition="pages link to a good page, and none of these links is followed",
        sql=_linked("inlinks > 0 AND followed_inlinks = 0"),
    ),
    Check(
        name="mixed_follow_inlinks",
        severity="note",
        definition="some pages link to a good page to be followed, others not to be",
        sql=_linked("followed_inlinks > 0 AND followed_inlinks < inlinks"),
    ),
    Check(
        name="nonindexable_inlinks_only",
        severity="warning",
        definition="all links to a good page stand on pages that may not be indexed",
        sql=_linked("""
            inlinks > 0
            AND indexable_inlinks = 0
            AND NOT EXISTS (
                SELECT 1
                FROM links
                JOIN pages AS source ON source.id = links.source_id
                WHERE links.target_id = good_pages.id
                    AND links.kind IN ('a', 'area')
                    AND links.source_id <> links.target_id
                    AND source.indexable = 1
            )
        """),
    ),
    Check(
        name="dead_end",
        severity="warning",
        definition="a good page has no link to any other page",
        sql=_without("target.host_id IS NOT NULL"),
    ),
    Check(
        name="no_internal_outlinks",
        severity="warning",
        definition="a good page has no link to another page of the site",
        sql=_without(INTERNAL),
    ),
    Check(
        name="internal_nofollow",
        severity="note",
        definition="a link to a page of the site itself has rel=nofollow",
        sql=f"""
            WITH l AS MATERIALIZED (
                SELECT source_id, position
                FROM links
                WHERE kind IN ('a', 'area')
                    AND ' ' || replace(lower(rel), ',', ' ') || ' ' LIKE '% nofollow %'
            )
            SELECT l.source_id AS url_id, target.url AS item, l.position, links.rel, links.anchor
            FROM l
            JOIN good_pages ON good_pages.id = l.source_id
            CROSS JOIN links ON links.source_id = l.source_id AND links.position = l.position
            CROSS JOIN urls AS target ON target.id = links.target_id
            WHERE {INTERNAL}
            ORDER BY l.source_id, l.position
        """,
    ),
    Check(
        name="too_deep",
        severity="note",
        definition="a good page is more clicks away from the nearest seed than people go",
        sql="""
            SELECT id AS url_id, depth
            FROM good_pages
            WHERE depth > :depth
        """,
        limits={"depth": 4},
    ),
    Check(
        name="many_internal_links",
        severity="note",
        definition="a page has very many links to pages of its site",
        sql=_many(INTERNAL),
        limits={"links": 1000},
    ),
    Check(
        name="many_external_links",
        severity="note",
        definition="a page has very many links to other sites",
        sql=_many(EXTERNAL),
        limits={"links": 100},
    ),
    Check(
        name="links_in_hub",
        severity="note",
        definition="of a page among the best linked, many links lead to what is not indexable",
        sql="""
            WITH hubs AS MATERIALIZED (
                SELECT id, link_score, score_percentile
                FROM good_pages
                WHERE score_percentile > 100 - :best_percent
            ),
            led AS MATERIALIZED (
                SELECT DISTINCT hubs.id, links.target_id
                FROM hubs
                CROSS JOIN links ON links.source_id = hubs.id
                WHERE links.kind IN ('a', 'area')
                    AND links.nofollow = 0
                    AND links.target_id <> hubs.id
            ),
            counted AS (
                SELECT led.id, count(*) AS targets,
                    sum(pages.indexable = 0 OR urls.reason = 'robots') AS nonindexable
                FROM led
                CROSS JOIN urls ON urls.id = led.target_id
                LEFT JOIN pages ON pages.id = led.target_id
                WHERE pages.indexable IS NOT NULL OR urls.reason = 'robots'
                GROUP BY led.id
            )
            SELECT hubs.id AS url_id, counted.targets, counted.nonindexable, hubs.link_score
            FROM counted
            JOIN hubs ON hubs.id = counted.id
            WHERE counted.nonindexable > :share * counted.targets
        """,
        limits={"best_percent": 10, "share": 0.3},
    ),
    Check(
        name="link_score_wasted",
        severity="warning",
        definition="of a host's link scores together, pages that may not be indexed hold much",
        sql=f"""
            WITH {FRONTS}
            SELECT fronts.id AS url_id,
                round(
                    100.0 * sum(CASE WHEN indexable = 0 THEN link_score ELSE 0 END)
                    / sum(link_score), 1
                ) AS percent,
                sum(indexable = 0) AS nonindexable_pages
            FROM pages
            JOIN fronts USING (host_id)
            WHERE link_score IS NOT NULL
            GROUP BY host_id
            HAVING sum(CASE WHEN indexable = 0 THEN link_score ELSE 0 END)
                > :share * sum(link_score)
        """,
        limits={"share": 0.2},
    ),
    Check(
        name="link_score_starved",
        severity="note",
        definition="an indexable page of a sitemap is among those to which least links lead",
        sql="""
            SELECT id AS url_id, link_score, score_percentile, inlinks
            FROM indexable_pages
            WHERE score_percentile <= :percent
                AND id IN (SELECT url_id FROM sitemap_entries)
        """,
        limits={"percent": 10},
        needs=("sitemaps",),
    ),
    Check(
        name="links_external_nofollow",
        severity="note",
        definition="of a host's links to other sites all ask not to be followed, or none does",
        sql=f"""
            WITH {FRONTS},
            external AS MATERIALIZED (
                SELECT id
                FROM urls AS target
                WHERE {EXTERNAL}
            )
            SELECT fronts.id AS url_id, count(*) AS links, sum({_NOFOLLOW} IS TRUE) AS nofollow
            FROM links
            JOIN good_pages ON good_pages.id = links.source_id
            JOIN fronts ON fronts.host_id = good_pages.host_id
            WHERE links.kind IN ('a', 'area') AND links.target_id IN external
            GROUP BY fronts.id
            HAVING sum({_NOFOLLOW} IS TRUE) IN (0, count(*))
        """,
    ),
    Check(
        name="inlinks_dropped",
        severity="warning",
        definition="far fewer pages link to a good page than in the last crawl",
        sql=f"""{COUNTED_BEFORE}
            SELECT good_pages.id AS url_id, before.inlinks AS inlinks_before,
                good_pages.inlinks AS inlinks_now
            FROM before
            JOIN good_pages ON good_pages.id = before.page_id
            WHERE before.inlinks > 0
                AND 100.0 * good_pages.inlinks <= :percent * before.inlinks
        """,
        limits={"percent": 50},
        needs=("earlier_counts",),
    ),
)

CHECKS: Final = (*_ARCHITECTURE, *OF_ANCHORS, *OF_TARGETS, *OF_CONTACTS)
