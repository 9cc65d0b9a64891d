"""Which pages may a search engine index, and what keeps it from the others?

The first thing that forbids it is the reason; the order is that in which a search engine meets
them.
"""

from __future__ import annotations

from typing import Final

from crawler import failpoints
from crawler.store.database import Connection
from crawler.store.schema import CANONICALS

REASON: Final = """
    CASE
        WHEN pages.error IS NOT NULL THEN 'error'
        WHEN pages.challenge <> 'login' THEN 'challenge'
        WHEN pages.status BETWEEN 300 AND 399 THEN 'redirect'
        WHEN pages.status <> 200 THEN 'status'
        WHEN coalesce(pages.content_type, '') NOT IN ('text/html', 'application/xhtml+xml')
            THEN 'type'
        WHEN urls.reason = 'robots' THEN 'robots'
        WHEN ', ' || pages.meta_robots || ',' LIKE '%, noindex,%'
            OR ', ' || pages.meta_robots || ',' LIKE '%, none,%' THEN 'noindex'
        WHEN pages.canonical <> pages.url THEN 'canonical'
    END
"""
_JUDGE: Final = f"""
    UPDATE pages
    SET indexability_reason = judged.reason,
        indexable = judged.reason IS NULL,
        canonical_id = judged.canonical_id
    FROM (
        SELECT pages.id, {REASON} AS reason, named.id AS canonical_id
        FROM pages
        JOIN urls ON urls.id = pages.id
        LEFT JOIN temp.canonicals AS named ON named.page_id = pages.id
    ) AS judged
    WHERE judged.id = pages.id
"""
_NAMED: Final = """
    CREATE TEMP TABLE canonicals AS
    SELECT links.source_id AS page_id, min(urls.id) AS id
    FROM pages
    JOIN links ON links.source_id = pages.id AND links.kind = 'canonical'
    JOIN urls ON urls.id = links.target_id AND urls.url = pages.canonical
    GROUP BY links.source_id
"""


def judge_indexability(connection: Connection) -> None:
    """Fill ``indexable``, ``indexability_reason`` and ``canonical_id`` of every page."""
    connection.execute(CANONICALS)
    connection.execute("DROP TABLE IF EXISTS temp.canonicals")
    connection.execute(_NAMED)
    connection.execute("CREATE INDEX temp.canonicals_page_id ON canonicals(page_id)")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_JUDGE)
    failpoints.reached("before-commit")
    connection.execute("COMMIT")
    failpoints.reached("after-commit")
    connection.execute("DROP TABLE temp.canonicals")
