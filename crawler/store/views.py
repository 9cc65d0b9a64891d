"""Which questions does a crawl answer by name?

Each view is one question that people ask; the first comment of its SQL says which.
"""

from __future__ import annotations

VIEWS = {
    "broken_links": """
        -- Links that lead nowhere, at once or by redirects, each with its page and its anchor.
        WITH RECURSIVE broken(id, cause_id, hops) AS (
            SELECT id, id, 0
            FROM urls
            WHERE status >= 400 OR state = 'failed'
            UNION
            SELECT visits.url_id, broken.cause_id, broken.hops + 1
            FROM broken
            JOIN visits ON visits.redirect_to_id = broken.id
            JOIN urls ON urls.id = visits.url_id
            WHERE broken.hops < 10
                AND visits.kind <> 'robots'
                AND urls.state = 'done'
                AND visits.id = (
                    SELECT max(latest.id) FROM visits AS latest WHERE latest.url_id = visits.url_id
                )
        )
        SELECT
            source.url AS page,
            target.url AS link,
            links.anchor,
            links.kind,
            cause.status,
            cause.reason,
            iif(broken.hops, cause.url, NULL) AS redirected_to,
            links.region,
            links.position,
            links.source_id,
            links.target_id
        FROM broken
        JOIN links ON links.target_id = broken.id
        JOIN urls AS cause ON cause.id = broken.cause_id
        JOIN urls AS source ON source.id = links.source_id
        JOIN urls AS target ON target.id = links.target_id
    """,
    "redirect_chains": """
        -- Redirects hop by hop, from each URL that starts a chain.
        WITH RECURSIVE last_visits AS (
            SELECT url_id, max(id) AS id
            FROM visits
            WHERE kind <> 'robots'
            GROUP BY url_id
        ),
        hops AS (
            SELECT visits.url_id, visits.redirect_to_id, visits.status, visits.error
            FROM last_visits
            JOIN visits ON visits.id = last_visits.id
            WHERE visits.redirect_to_id IS NOT NULL
        ),
        chains(start_id, hop, url_id, redirect_to_id, status, error) AS (
            SELECT url_id, 1, url_id, redirect_to_id, status, error
            FROM hops
            WHERE url_id NOT IN (SELECT redirect_to_id FROM hops)
                OR url_id = redirect_to_id
                OR url_id IN (SELECT id FROM urls WHERE hops = 0)
            UNION ALL
            SELECT chains.start_id, chains.hop + 1, hops.url_id, hops.redirect_to_id,
                hops.status, hops.error
            FROM chains
            JOIN hops ON hops.url_id = chains.redirect_to_id
            WHERE chains.hop < 32
                AND chains.redirect_to_id NOT IN (chains.start_id, chains.url_id)
        )
        SELECT
            start.url AS start,
            chains.hop,
            source.url AS url,
            chains.status,
            target.url AS redirects_to,
            target.state AS target_state,
            pages.status AS target_status,
            coalesce(chains.error, target.reason) AS error,
            source.url LIKE 'https:%' AND target.url LIKE 'http:%' AS to_insecure,
            chains.start_id
        FROM chains
        JOIN urls AS start ON start.id = chains.start_id
        JOIN urls AS source ON source.id = chains.url_id
        JOIN urls AS target ON target.id = chains.redirect_to_id
        LEFT JOIN pages ON pages.id = target.id
    """,
    "seed_summary": """
        -- Each line of the seeds file in the last run, and what became of it.
        SELECT
            seeds.line,
            seeds.text,
            urls.url,
            coalesce(urls.state, 'refused') AS state,
            coalesce(seeds.error, urls.reason) AS reason,
            pages.status,
            pages.title,
            redirected.url AS redirects_to
        FROM seeds
        LEFT JOIN urls ON urls.id = seeds.url_id
        LEFT JOIN pages ON pages.id = seeds.url_id
        LEFT JOIN visits ON visits.id = (
            SELECT max(id) FROM visits WHERE url_id = seeds.url_id AND kind = 'page'
        )
        LEFT JOIN urls AS redirected ON redirected.id = visits.redirect_to_id
        WHERE seeds.run_id = (SELECT max(id) FROM runs)
    """,
    "skipped_urls": """
        -- URLs that were seen and not fetched, why, and one page that links to them.
        SELECT urls.url, urls.reason, urls.depth, urls.via, found_on.url AS found_on, urls.id
        FROM urls
        LEFT JOIN urls AS found_on ON found_on.id = urls.found_on_id
        WHERE urls.state = 'skipped'
    """,
    "crawl_summary": """
        -- Every URL ever seen, counted by what became of it, why, and what it answered.
        SELECT state, reason, status, count(*) AS urls
        FROM urls
        GROUP BY state, reason, status
        ORDER BY urls DESC
    """,
    "depth_histogram": """
        -- Pages and errors by clicks from a seed.
        SELECT
            depth,
            count(*) AS pages,
            sum(status >= 400 OR error IS NOT NULL) AS errors,
            round(avg(ttfb_ms), 1) AS ttfb_ms,
            sum(body_bytes) AS body_bytes
        FROM pages
        GROUP BY depth
        ORDER BY depth
    """,
    "host_summary": """
        -- What each host gave, what waits for it, and what it waits for.
        SELECT
            hosts.host,
            hosts.pages,
            hosts.queued,
            count(pages.id) AS fetched,
            sum(pages.status BETWEEN 200 AND 299) AS ok,
            sum(pages.status >= 400) AS http_errors,
            sum(pages.error IS NOT NULL) AS errors,
            round(avg(pages.ttfb_ms), 1) AS ttfb_ms,
            hosts.delay_ms,
            hosts.next_fetch_at,
            hosts.blocked_until,
            hosts.block_reason
        FROM hosts
        LEFT JOIN pages ON pages.host_id = hosts.id
        WHERE hosts.queued > 0 OR pages.id IS NOT NULL
        GROUP BY hosts.id
    """,
    "slow_pages": """
        -- The slowest good pages first, by milliseconds to the first byte.
        SELECT url, round(ttfb_ms, 1) AS ttfb_ms, body_bytes, title, id
        FROM pages
        WHERE status = 200 AND ttfb_ms IS NOT NULL
        ORDER BY pages.ttfb_ms DESC
    """,
    "duplicate_titles": """
        -- Titles that more than one good page carries.
        SELECT title, count(*) AS pages, min(url) AS example
        FROM pages
        WHERE title IS NOT NULL AND status = 200
        GROUP BY title
        HAVING count(*) > 1
        ORDER BY pages DESC
    """,
    "duplicate_pages": """
        -- Good pages with the very same visible text.
        SELECT text_hash, count(*) AS pages, min(url) AS example, max(title) AS title
        FROM pages
        WHERE text_hash IS NOT NULL AND status = 200 AND word_count > 0
        GROUP BY text_hash
        HAVING count(*) > 1
        ORDER BY pages DESC
    """,
    "orphan_pages": """
        -- Pages that a sitemap names and no page links to.
        SELECT pages.url, pages.status, pages.title, sitemap.url AS sitemap, pages.id
        FROM sitemap_entries
        JOIN pages ON pages.id = sitemap_entries.url_id
        JOIN urls AS sitemap ON sitemap.id = sitemap_entries.sitemap_id
        WHERE pages.id NOT IN (
            SELECT target_id
            FROM links
            WHERE source_id <> target_id
        )
    """,
    "missing_metadata": """
        -- Good HTML pages without a title, description or h1, or with an overlong title.
        SELECT
            url,
            title IS NULL OR title = '' AS no_title,
            description IS NULL OR description = '' AS no_description,
            h1 IS NULL OR h1 = '' AS no_h1,
            length(title) AS title_length,
            length(description) AS description_length,
            id
        FROM pages
        WHERE status = 200
            AND content_type IN ('text/html', 'application/xhtml+xml')
            AND (
                coalesce(title, '') = ''
                OR coalesce(description, '') = ''
                OR coalesce(h1, '') = ''
                OR length(title) > 60
                OR length(description) > 160
            )
    """,
    "images_without_alt": """
        -- Images without an alt attribute, with their page (alt="" is right for decoration).
        SELECT source.url AS page, target.url AS image, links.position
        FROM links
        JOIN urls AS source ON source.id = links.source_id
        JOIN urls AS target ON target.id = links.target_id
        WHERE links.kind = 'img' AND links.anchor IS NULL
    """,
    "canonical_mismatches": """
        -- Pages whose canonical is another URL, and what that URL answered.
        SELECT pages.url, pages.canonical, target.state AS canonical_state,
            other.status AS canonical_status, pages.id
        FROM pages
        JOIN links ON links.source_id = pages.id AND links.kind = 'canonical'
        JOIN urls AS target ON target.id = links.target_id
        LEFT JOIN pages AS other ON other.id = target.id
        WHERE pages.canonical <> pages.url
    """,
    "changes": """
        -- What the last crawl found new, changed or gone, when there was one before it.
        WITH earlier AS (
            SELECT max(id) AS id
            FROM runs
            WHERE finish_reason = 'finished' AND id < (SELECT max(id) FROM runs)
        ),
        latest AS (
            SELECT min(runs.started_at) AS started_at
            FROM runs, earlier
            WHERE runs.id > earlier.id
        )
        SELECT
            pages.url,
            CASE
                WHEN pages.first_seen_at >= latest.started_at THEN 'new'
                WHEN pages.document_at >= latest.started_at THEN 'changed'
                ELSE 'gone'
            END AS change,
            pages.status,
            pages.error,
            pages.title,
            pages.changed_at,
            pages.id
        FROM pages, latest
        WHERE pages.first_seen_at >= latest.started_at
            OR (pages.changed_at >= latest.started_at AND pages.document_at >= latest.started_at)
            OR (
                pages.fetched_at >= latest.started_at
                AND pages.document_at < latest.started_at
                AND (pages.status >= 400 OR pages.error IS NOT NULL)
            )
    """,
    "external_domains": """
        -- Other domains that pages link to: how often, and from how many pages.
        SELECT hosts.registered_domain AS domain, count(*) AS links,
            count(DISTINCT links.source_id) AS pages
        FROM urls
        JOIN hosts ON hosts.id = urls.host_id
        JOIN links ON links.target_id = urls.id
        WHERE urls.reason = 'scope' OR (urls.kind = 'check' AND urls.via = 'a')
        GROUP BY hosts.registered_domain
        ORDER BY links DESC
    """,
}
