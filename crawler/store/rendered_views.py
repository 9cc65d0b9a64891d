"""Which questions are answered by pages that were looked at as a browser shows them?

Views as those of `views`, and written by the same rules.
"""

from __future__ import annotations

from typing import Final

from crawler.policy import words

_LOST: Final = ", ".join(
    f"'{word}'" for word in sorted(words.which(stands="error")) if not words.of(word).skips
)
FAILED: Final = f"(requests.status >= 400 OR requests.reason IN ({_LOST}))"
"""A row of ``requests`` got no good answer, though it was asked for."""


def _counted(what: str, table: str, where: str = "") -> str:
    return f"(SELECT {what} FROM {table} WHERE {table}.visit_id = renders.visit_id{where})"


_FACTS: Final = ("title", "description", "h1", "canonical", "meta_robots")
_DIFFERENT: Final = "\n        UNION ALL\n".join(
    f"""
        SELECT url, '{fact}' AS what, raw_{fact} AS sent, {fact} AS shown, id
        FROM shown
        WHERE coalesce(raw_{fact}, '') <> coalesce({fact}, '')
    """.strip("\n")
    for fact in _FACTS
)

VIEWS: Final = {
    "page_renders": f"""
        -- How each page was shown last as a browser does: what that took, and what went wrong.
        SELECT
            pages.url,
            pages.rendered,
            renders.error,
            renders.done_by,
            renders.final_url,
            round(renders.cpu_ms, 1) AS cpu_ms,
            round(renders.total_ms, 1) AS total_ms,
            {_counted("count(*)", "requests")} AS requests,
            {_counted("count(*)", "requests", f" AND {FAILED}")} AS failed_requests,
            {_counted("coalesce(sum(requests.body_bytes), 0)", "requests")} AS request_bytes,
            {_counted("count(*)", "console")} AS console_lines,
            {_counted("count(*)", "screenshots")} AS screenshots,
            renders.visit_id,
            pages.id
        FROM renders
        JOIN visits ON visits.id = renders.visit_id
        JOIN pages ON pages.id = visits.url_id
        WHERE renders.visit_id = (
            SELECT max(latest.id)
            FROM visits AS latest
            WHERE latest.url_id = visits.url_id
                AND latest.kind = 'page'
                AND latest.error IS NULL
                AND latest.status BETWEEN 200 AND 299
        )
    """,
    "rendered_differences": f"""
        -- What pages say of themselves before and after their scripts have run, where that differs.
        WITH shown AS (
            SELECT pages.*, renders.raw_title, renders.raw_description, renders.raw_h1,
                renders.raw_canonical, renders.raw_meta_robots, renders.raw_word_count,
                renders.raw_text_hash
            FROM page_renders
            JOIN renders ON renders.visit_id = page_renders.visit_id
            JOIN pages ON pages.id = page_renders.id
            WHERE pages.rendered = 1
        )
{_DIFFERENT}
        UNION ALL
        SELECT url, 'words' AS what, CAST(raw_word_count AS TEXT) AS sent,
            CAST(word_count AS TEXT) AS shown, id
        FROM shown
        WHERE coalesce(raw_text_hash, 0) <> coalesce(text_hash, 0)
        UNION ALL
        SELECT shown.url, 'links' AS what,
            CAST(sum(CASE WHEN links.via = 'rendered' THEN 0 ELSE 1 END) AS TEXT) AS sent,
            CAST(sum(CASE WHEN links.via = 'source' THEN 0 ELSE 1 END) AS TEXT) AS shown,
            shown.id
        FROM shown
        JOIN links ON links.source_id = shown.id
        GROUP BY shown.id, shown.url
        HAVING sum(CASE WHEN links.via = 'both' THEN 0 ELSE 1 END) > 0
    """,
}
