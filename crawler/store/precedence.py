"""Of two crawls that know the same, whose word counts?

Statements of a merging: ``main`` is the file that is made, ``src`` one that is read, and the tables
of ``temp`` tell which rows of it are there already (`merging.TEMPORARY`).
"""

from __future__ import annotations

from typing import Final

SAME: Final = {
    "hosts": ("host",),
    "origins": ("origin",),
    "urls": ("hash",),
    "bodies": ("sha256", "content_type", "charset"),
}
"""Tables of which two crawls may have the same row, and by what it is known."""
OWNED: Final = {"pages": "id", "links": "source_id", "sitemap_entries": "sitemap_id"}
"""Rows that tell of one URL as it is now: of two crawls that fetched it, the later one's count."""
RANK: Final = """
    CASE
        WHEN {0}.state = 'done' THEN 4
        WHEN {0}.state = 'failed' THEN 3
        WHEN {0}.state = 'queued' THEN 2
        ELSE 1
    END
"""
"""What a crawl knows of a URL: of two the greater counts, and where they are equal the later."""
KEPT_OF_URLS: Final = frozenset({"id", "url", "hash", "depth", "hops", "first_seen_at"})
"""What of a URL does not depend on which of two crawls knows better."""

BETTER = {
    "hosts": """
        UPDATE main.hosts
        SET ip = coalesce(was.ip, hosts.ip), own = max(hosts.own, was.own),
            delay_ms = was.delay_ms, next_fetch_at = was.next_fetch_at,
            blocked_until = was.blocked_until, block_reason = was.block_reason,
            errors_in_row = was.errors_in_row, penalty_ms = was.penalty_ms,
            stored_bytes = max(hosts.stored_bytes, was.stored_bytes), pages = was.pages
        FROM src.hosts AS was
        JOIN temp.same_hosts ON temp.same_hosts.old = was.id
        WHERE main.hosts.id = temp.same_hosts.new AND was.pages > hosts.pages
    """,
    "origins": """
        UPDATE main.origins
        SET robots_status = was.robots_status, robots_error = was.robots_error,
            robots_fetched_at = was.robots_fetched_at, robots_body = was.robots_body,
            robots_agent = was.robots_agent, robots_rules = was.robots_rules,
            robots_widened = was.robots_widened, crawl_delay = was.crawl_delay
        FROM src.origins AS was
        JOIN temp.same_origins ON temp.same_origins.old = was.id
        WHERE main.origins.id = temp.same_origins.new
            AND was.robots_fetched_at > coalesce(origins.robots_fetched_at, '')
    """,
}
CONTEST = f"""
    INSERT OR REPLACE INTO temp.contested (id, winner)
    SELECT there.id, :source
    FROM temp.same_urls
    JOIN src.urls AS was ON was.id = temp.same_urls.old
    JOIN main.urls AS there ON there.id = temp.same_urls.new
    WHERE {RANK.format("was")} >= {RANK.format("there")}
"""
NEAREST = """
    UPDATE main.urls
    SET depth = min(urls.depth, was.depth), hops = min(urls.hops, was.hops),
        first_seen_at = min(urls.first_seen_at, was.first_seen_at)
    FROM src.urls AS was
    JOIN temp.same_urls ON temp.same_urls.old = was.id
    WHERE main.urls.id = temp.same_urls.new
"""
LOST = """
    INSERT OR IGNORE INTO temp.lost (old)
    SELECT temp.same_urls.old
    FROM temp.same_urls
    LEFT JOIN temp.contested ON temp.contested.id = temp.same_urls.new
    WHERE coalesce(temp.contested.winner, -1) <> :source
"""
LOST_UNDER_ITS_ID = """
    INSERT OR IGNORE INTO temp.lost (old)
    SELECT was.id
    FROM temp.contested
    JOIN main.urls AS there ON there.id = temp.contested.id
    JOIN src.urls AS was ON was.id = temp.contested.id - :shift AND was.hash = there.hash
    WHERE temp.contested.winner <> :source
"""
FILL_BODY = """
    ON CONFLICT (sha256, content_type, charset) DO UPDATE
    SET body = excluded.body
    WHERE bodies.body IS NULL AND excluded.body IS NOT NULL
"""
JOIN_RUNS = """
    ON CONFLICT (id) DO UPDATE
    SET started_at = min(runs.started_at, excluded.started_at),
        finished_at = max(runs.finished_at, excluded.finished_at),
        state = CASE
            WHEN 'running' IN (runs.state, excluded.state) THEN 'interrupted'
            WHEN 'failed' IN (runs.state, excluded.state) THEN 'failed'
            WHEN 'interrupted' IN (runs.state, excluded.state) THEN 'interrupted'
            ELSE 'finished'
        END,
        finish_reason = CASE
            WHEN runs.finish_reason = 'finished' THEN excluded.finish_reason
            ELSE runs.finish_reason
        END,
        judging = CASE WHEN runs.judging = excluded.judging THEN runs.judging ELSE '' END,
        pages = runs.pages + excluded.pages, errors = runs.errors + excluded.errors,
        bytes = runs.bytes + excluded.bytes
"""
