"""Which questions are answered by pages taken by themselves: how they look, how large, how alike?

Views as those of `views`, and written by the same rules.
"""

from __future__ import annotations

from typing import Final


def _carried_twice(column: str, what: str) -> str:
    """Texts that more than one page carries."""
    return f"""
        -- {what} that more than one good page carries; pages of one canonical count as one.
        SELECT
            {column},
            count(DISTINCT coalesce(canonical, url)) AS pages,
            min(coalesce(canonical, url)) AS example
        FROM pages
        WHERE {column} <> '' AND status = 200
        GROUP BY {column}
        HAVING count(DISTINCT coalesce(canonical, url)) > 1
        ORDER BY pages DESC
    """


VIEWS: Final = {
    "depth_histogram": """
        -- Pages and errors by clicks from a seed.
        SELECT
            depth,
            count(*) AS pages,
            count(CASE WHEN status >= 400 OR error IS NOT NULL THEN 1 END) AS errors,
            round(avg(ttfb_ms), 1) AS ttfb_ms,
            sum(body_bytes) AS body_bytes
        FROM pages
        GROUP BY depth
        ORDER BY depth
    """,
    "slow_pages": """
        -- Good pages that took more than 800 ms to the first byte, the slowest first.
        SELECT url, round(ttfb_ms, 1) AS ttfb_ms, body_bytes, title, id
        FROM pages
        WHERE status = 200 AND ttfb_ms > 800
        ORDER BY pages.ttfb_ms DESC
    """,
    "heavy_pages": """
        -- The heaviest good pages first, by bytes of what they hold when it is unpacked.
        SELECT url, body_bytes, content_type, title, id
        FROM pages
        WHERE status = 200 AND body_bytes > 0
        ORDER BY body_bytes DESC
    """,
    "best_linked_pages": """
        -- The pages that the site favours first: links to them, clicks from a seed, and a score.
        SELECT url, link_score, score_percentile, inlinks, followed_inlinks, clicks, title, id
        FROM pages
        WHERE inlinks > 0
        ORDER BY link_score DESC, inlinks DESC
    """,
    "duplicate_titles": _carried_twice("title", "Titles"),
    "duplicate_descriptions": _carried_twice("description", "Descriptions"),
    "duplicate_pages": """
        -- Good pages with the very same visible text; pages of one canonical count as one.
        SELECT
            text_hash,
            count(DISTINCT coalesce(canonical, url)) AS pages,
            min(coalesce(canonical, url)) AS example,
            max(title) AS title
        FROM pages
        WHERE text_hash IS NOT NULL AND status = 200 AND word_count > 0
        GROUP BY text_hash
        HAVING count(DISTINCT coalesce(canonical, url)) > 1
        ORDER BY pages DESC
    """,
    "missing_metadata": """
        -- Good HTML pages without a title, description or h1, or with one that is overlong.
        SELECT
            url,
            CASE WHEN coalesce(title, '') = '' THEN 1 ELSE 0 END AS no_title,
            CASE WHEN coalesce(description, '') = '' THEN 1 ELSE 0 END AS no_description,
            CASE WHEN coalesce(h1, '') = '' THEN 1 ELSE 0 END AS no_h1,
            length(title) AS title_length,
            length(description) AS description_length,
            length(h1) AS h1_length,
            id
        FROM pages
        WHERE status = 200
            AND content_type IN ('text/html', 'application/xhtml+xml')
            AND (
                coalesce(title, '') = ''
                OR coalesce(description, '') = ''
                OR coalesce(h1, '') = ''
                OR length(title) > 60
                OR length(description) > 155
                OR length(h1) > 70
            )
    """,
}
"""The first comment of each says which question it answers; lengths are those of the checks."""
