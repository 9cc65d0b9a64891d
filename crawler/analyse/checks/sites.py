"""What belongs to the site that was crawled, and where is what concerns all of it filed?

Pieces of SQL that several groups of checks are made of.
"""

from __future__ import annotations

from typing import Final

from crawler.store.database import Connection

EXTERNAL: Final = """(
    target.reason = 'scope'
    OR target.kind IN ('check', 'asset') AND target.host_id NOT IN (
        SELECT host_id FROM pages WHERE host_id IS NOT NULL
    )
    OR target.host_id NOT IN (
        SELECT id
        FROM hosts
        WHERE registered_domain IN (
            SELECT hosts.registered_domain
            FROM pages
            JOIN hosts ON hosts.id = pages.host_id
        )
    )
)"""
"""A URL called ``target`` belongs to another site."""
INTERNAL: Final = f"(target.host_id IS NOT NULL AND NOT coalesce({EXTERNAL}, 0))"
"""It belongs to the site that was crawled; what is no address of the web is neither."""
IS_HOME: Final = "url LIKE '%/' AND length(url) - length(replace(url, '/', '')) = 3"
"""A ``url`` without a path."""
FRONTS: Final = f"""
    fronts AS MATERIALIZED (
        SELECT host_id, id
        FROM (
            SELECT host_id, id, row_number() OVER (
                PARTITION BY host_id
                ORDER BY {IS_HOME} DESC, depth, length(url), id
            ) AS place
            FROM pages
            WHERE status = 200
        )
        WHERE place = 1
    )
"""
"""The page of each host where what concerns all of it is filed: its front page, where that answers,
or the page nearest to a seed."""
PLACES: Final = f"""{FRONTS},
    places AS MATERIALIZED (
        SELECT host_id, id AS url_id
        FROM fronts
        UNION ALL
        SELECT host_id, coalesce(min(CASE WHEN {IS_HOME} THEN id END), min(id))
        FROM urls
        WHERE kind = 'page'
            AND reason IS NOT 'scope'
            AND host_id IS NOT NULL
            AND host_id NOT IN (SELECT host_id FROM fronts)
        GROUP BY host_id
    )
"""
"""The same, and of hosts where nothing answers the URL that would be it."""
SEEDS: Final = "SELECT url_id FROM seeds WHERE url_id IS NOT NULL"
"""Pages that people named themselves: nothing needs to lead to them."""
COUNTED_BEFORE: Final = """
    WITH last_crawl AS MATERIALIZED (
        SELECT id, finished_at
        FROM runs
        WHERE id = (
            SELECT max(id)
            FROM runs
            WHERE finish_reason = 'finished'
                AND id < (SELECT max(id) FROM runs)
                AND id IN (SELECT run_id FROM runs_checks)
        )
    ),
    before AS MATERIALIZED (
        SELECT run_pages.page_id, run_pages.inlinks, run_pages.clicks
        FROM run_pages
        JOIN pages ON pages.id = run_pages.page_id
        WHERE pages.first_seen_at <= (SELECT finished_at FROM last_crawl)
            AND run_pages.run_id = (
                SELECT min(later.run_id)
                FROM run_pages AS later
                WHERE later.page_id = run_pages.page_id
                    AND later.run_id >= (SELECT id FROM last_crawl)
            )
    )
"""
"""What pages counted when the last crawl was judged, of those that count otherwise since."""


def front_pages(connection: Connection) -> dict[int, int]:
    """`FRONTS` by host."""
    return dict(connection.execute(f"WITH {FRONTS} SELECT host_id, id FROM fronts").fetchall())
