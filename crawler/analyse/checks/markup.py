"""Which pages are shown badly by other machines than a browser?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from crawler.analyse.check import Check, Found, Limits
from crawler.analyse.checks.broken import LOST
from crawler.analyse.checks.images import CHECKS as OF_IMAGES
from crawler.analyse.checks.structured import CHECKS as OF_DATA
from crawler.store.database import Connection

_FACTS: Final = """
    FROM indexable_pages
    JOIN facts ON facts.body_id = indexable_pages.body_id
    WHERE facts.error IS NULL
"""
_SIZES: Final = """
    SELECT indexable_pages.id, facts.og_image,
        max(CASE WHEN name = 'og:image:width' THEN CAST(content AS INTEGER) END),
        max(CASE WHEN name = 'og:image:height' THEN CAST(content AS INTEGER) END)
    FROM indexable_pages
    JOIN facts ON facts.body_id = indexable_pages.body_id
    LEFT JOIN meta_tags ON meta_tags.body_id = facts.body_id AND name LIKE 'og:image:%'
    WHERE facts.og_image <> ''
    GROUP BY indexable_pages.id
    ORDER BY indexable_pages.id
"""
_BROKEN: Final = f"""
    SELECT url, status, reason
    FROM urls
    WHERE state IN ('done', 'failed') AND (status >= 400 OR reason IN ({LOST}))
"""


def _bad_images(connection: Connection, limits: Limits) -> Iterator[Found]:
    """Preview images that are said to be small, or were asked for in vain."""
    broken = {url: status or reason for url, status, reason in connection.execute(_BROKEN)}
    for url_id, image, width, height in connection.execute(_SIZES):
        evidence = {"og_image": image, "width": width, "height": height}
        if image in broken:
            yield url_id, "", evidence | {"answer": broken[image]}
        elif (width or limits["width"]) < limits["width"] or (height or limits["height"]) < limits[
            "height"
        ]:
            yield url_id, "", evidence


_SOCIAL: Final = (
    Check(
        name="og_incomplete",
        severity="note",
        definition="of og:title, og:type, og:image and og:url one is missing or empty",
        sql=f"""
            SELECT indexable_pages.id AS url_id, facts.og_title, facts.og_type, facts.og_image,
                facts.og_url
            {_FACTS}
                AND (
                    coalesce(facts.og_title, '') = ''
                    OR coalesce(facts.og_type, '') = ''
                    OR coalesce(facts.og_image, '') = ''
                    OR coalesce(facts.og_url, '') = ''
                )
        """,
        needs=("facts",),
    ),
    Check(
        name="og_url_differs",
        severity="warning",
        definition="og:url is another address than the canonical",
        sql=f"""
            SELECT indexable_pages.id AS url_id, facts.og_url,
                coalesce(indexable_pages.canonical, indexable_pages.url) AS canonical
            {_FACTS}
                AND facts.og_url <> ''
                AND coalesce(indexable_pages.canonical, indexable_pages.url)
                    NOT IN (facts.og_url, facts.og_url || '/')
        """,
        needs=("facts",),
    ),
    Check(
        name="og_image_bad",
        severity="note",
        definition="og:image is said to be smaller than previews need, or was asked for (as an"
        " image of a page, too) and did not come",
        find=_bad_images,
        limits={"width": 1200, "height": 630},
        needs=("facts",),
    ),
    Check(
        name="twitter_card_missing",
        severity="note",
        definition="a page has no twitter:card",
        sql=f"""
            SELECT indexable_pages.id AS url_id
            {_FACTS}
                AND coalesce(facts.twitter_card, '') = ''
        """,
        needs=("facts",),
    ),
    Check(
        name="llms_txt",
        severity="note",
        definition="a site has no /llms.txt, or one that is malformed; no search engine reads it",
        needs=("probe",),
    ),
    Check(
        name="feed_broken",
        severity="warning",
        definition="a feed that a page names ends in an error or in none at all, or is no feed",
        sql=f"""
            WITH l AS MATERIALIZED (
                SELECT source_id, target_id
                FROM links
                WHERE kind = 'feed'
            ),
            feeds AS MATERIALIZED (
                SELECT urls.id, urls.url, urls.status, urls.reason, (
                    SELECT content_type
                    FROM visits
                    WHERE url_id = urls.id AND content_type IS NOT NULL
                    ORDER BY id DESC
                    LIMIT 1
                ) AS content_type
                FROM urls
                WHERE id IN (SELECT target_id FROM l) AND state IN ('done', 'failed')
            )
            SELECT l.source_id AS url_id, feeds.url AS item, feeds.status, feeds.reason,
                feeds.content_type
            FROM l
            JOIN feeds ON feeds.id = l.target_id
            JOIN good_pages ON good_pages.id = l.source_id
            WHERE feeds.status >= 400
                OR feeds.reason IN ({LOST})
                OR feeds.status = 200 AND (
                    feeds.content_type = 'application/xhtml+xml'
                    OR feeds.content_type NOT LIKE '%xml' AND feeds.content_type NOT LIKE '%json'
                )
        """,
    ),
)

CHECKS: Final = (*OF_IMAGES, *OF_DATA, *_SOCIAL)
