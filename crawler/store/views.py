"""Which questions does a crawl answer by name?

Each view is one question that people ask; the first comment of its SQL says which. They are no
migrations: whoever opens a file for writing makes them anew where they differ from these.

Written so that any SQLite from 3.37 on and DuckDB's scanner read them alike: no iif, no boolean as
a number, no IS DISTINCT FROM, every column grouped by, and no UNION within a recursion. One view
that a library cannot read closes the whole file to it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from textwrap import dedent
from typing import Any

from crawler.store import analysis, changes, page_views, plan, rendered_views, search_index

FIRST_VIEWS = frozenset(
    {
        "broken_links", "canonical_mismatches", "changes", "crawl_summary", "depth_histogram",
        "duplicate_pages", "duplicate_titles", "external_domains", "host_summary",
        "images_without_alt", "missing_metadata", "orphan_pages", "redirect_chains",
        "seed_summary", "skipped_urls", "slow_pages",
    }
)  # fmt: skip
"""The views of version 0.1, which kept no list of its own views in a file."""
_log = logging.getLogger(__name__)

NO_WAY_THERE = (
    "dns_fail", "dns_timeout", "connect_refused", "connect_timeout", "conn_reset", "conn_closed",
    "tls_verify", "tls_proto", "timeout", "timeout_total", "proto_error", "redirect_loop",
    "too_many_redirects", "bad_redirect",
)  # fmt: skip
"""Errors after which a link leads nowhere. A document that was too large is there all the same."""

CARRY_NOTHING = """
            SELECT id
            FROM urls
            WHERE status BETWEEN 300 AND 499 AND status NOT IN (304, 429)
        """
"""Pages that are gone or have moved; they are few, so that they are looked up as a list. The column
`kind` beside it keeps SQLite from reading all links in the order of their targets: 20 million took
more than 11 s of CPU."""


COUNTED = "kind NOT IN ('robots', 'login', 'sitemap')"
"""Rows of `urls` that are counted: a robots.txt, a sitemap or a step of a login is nobody's page,
and need not be."""


def led_on(page: str) -> str:
    """Asks for the id of where a seed's page leads by a refresh that stands for a redirect.

    page: its own id, as SQL.
    """
    return f"""
        SELECT min(target.id)
        FROM links
        JOIN urls AS target ON target.id = links.target_id
        WHERE links.source_id = {page}
            AND links.kind = 'refresh'
            AND target.depth = 0
            AND target.via = 'refresh'
            AND target.found_on_id = {page}
    """


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"'{word}'" for word in words)


VIEWS = (
    changes.VIEWS
    | analysis.VIEWS
    | page_views.VIEWS
    | rendered_views.VIEWS
    | search_index.VIEWS
    | plan.VIEWS
    | {
        "current_links": f"""
        -- Links of pages that are still there; a page that is gone or has moved carries none.
        SELECT links.*, (SELECT url FROM urls WHERE urls.id = links.source_id) AS page
        FROM links
        WHERE links.kind = '' OR links.source_id NOT IN ({CARRY_NOTHING})
    """,
        "broken_links": f"""
        -- Links that lead nowhere, at once or by redirects, each with its page and its anchor.
        WITH RECURSIVE broken(id, cause_id, hops) AS (
            SELECT id, id, 0
            FROM urls
            WHERE (state = 'failed' AND reason IN ({_listed(NO_WAY_THERE)}))
                OR (
                    status >= 400
                    AND status NOT IN (401, 403, 407, 429)
                    AND (state IN ('done', 'failed') OR (state = 'queued' AND attempts = 0))
                )
            UNION ALL
            SELECT visits.url_id, broken.cause_id, broken.hops + 1
            FROM broken
            CROSS JOIN visits
            CROSS JOIN urls
            WHERE visits.redirect_to_id = broken.id
                AND urls.id = visits.url_id
                AND broken.hops < 10
                AND visits.kind NOT IN ('robots', 'login')
                AND urls.state = 'done'
                AND visits.id = (
                    SELECT max(latest.id) FROM visits AS latest WHERE latest.url_id = visits.url_id
                )
        )
        SELECT
            current_links.page,
            target.url AS link,
            current_links.anchor,
            current_links.kind,
            cause.status,
            cause.reason,
            CASE WHEN broken.hops > 0 THEN cause.url END AS redirected_to,
            CASE
                WHEN cause.state = 'queued'
                    OR cause.status BETWEEN 200 AND 299
                    OR (
                        hosts.blocked_until IS NOT NULL
                        AND (cause.status IS NULL OR cause.status NOT BETWEEN 400 AND 499)
                    )
                    OR pages.challenge IS NOT NULL
                THEN 0
                ELSE 1
            END AS certain,
            current_links.region,
            current_links.position,
            current_links.source_id,
            current_links.target_id
        FROM broken
        JOIN current_links ON current_links.target_id = broken.id
        JOIN urls AS cause ON cause.id = broken.cause_id
        JOIN urls AS target ON target.id = current_links.target_id
        LEFT JOIN hosts ON hosts.id = cause.host_id
        LEFT JOIN pages ON pages.id = cause.id
    """,
        "redirect_chains": """
        -- Redirects hop by hop, from each URL that starts a chain.
        WITH RECURSIVE hops AS MATERIALIZED (
            SELECT visits.url_id, visits.redirect_to_id, visits.status, visits.error,
                urls.hops AS before
            FROM visits
            JOIN urls ON urls.id = visits.url_id
            WHERE visits.redirect_to_id IS NOT NULL
                AND visits.kind NOT IN ('robots', 'login')
                AND visits.id = (
                    SELECT max(latest.id)
                    FROM visits AS latest
                    WHERE latest.url_id = visits.url_id AND latest.kind NOT IN ('robots', 'login')
                )
        ),
        chains(start_id, hop, url_id, redirect_to_id, status, error) AS (
            SELECT url_id, 1, url_id, redirect_to_id, status, error
            FROM hops
            WHERE url_id NOT IN (SELECT redirect_to_id FROM hops)
                OR url_id = redirect_to_id
                OR before = 0
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
            CASE WHEN source.url LIKE 'https:%' AND target.url LIKE 'http:%' THEN 1 ELSE 0 END
                AS to_insecure,
            chains.start_id
        FROM chains
        JOIN urls AS start ON start.id = chains.start_id
        JOIN urls AS source ON source.id = chains.url_id
        JOIN urls AS target ON target.id = chains.redirect_to_id
        LEFT JOIN pages ON pages.id = target.id
    """,
        "seed_summary": f"""
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
        LEFT JOIN urls AS redirected ON redirected.id = coalesce(
            visits.redirect_to_id,
            ({led_on("seeds.url_id")})
        )
        WHERE seeds.run_id = (SELECT max(id) FROM runs)
    """,
        "skipped_urls": """
        -- URLs that were seen and not fetched, why, and one page that links to them.
        SELECT urls.url, urls.reason, urls.depth, urls.via, found_on.url AS found_on, urls.id
        FROM urls
        LEFT JOIN urls AS found_on ON found_on.id = urls.found_on_id
        WHERE urls.state = 'skipped'
    """,
        "waiting_urls": """
        -- URLs that are left to fetch, until when they or their hosts rest, and why.
        SELECT
            urls.url,
            hosts.host,
            urls.depth,
            urls.attempts,
            urls.reason,
            urls.not_before,
            hosts.next_fetch_at,
            hosts.blocked_until,
            hosts.block_reason,
            urls.id
        FROM urls
        LEFT JOIN hosts ON hosts.id = urls.host_id
        WHERE urls.state = 'queued'
    """,
        "waiting_hosts": """
        -- Hosts with URLs that are left to fetch, the most first, and what they wait for.
        SELECT host, queued, next_fetch_at, blocked_until, block_reason, errors_in_row, delay_ms, id
        FROM hosts
        WHERE queued > 0
        ORDER BY queued DESC, host
    """,
        "crawl_summary": f"""
        -- Every URL ever seen but robots.txt and sitemaps, by its fate, why, and what it answered.
        SELECT state, reason, status, count(*) AS urls
        FROM urls
        WHERE {COUNTED}
        GROUP BY state, reason, status
        ORDER BY urls DESC
    """,
        "host_summary": """
        -- What each host gave, what waits for it, and what it waits for.
        WITH fetched AS (
            SELECT
                host_id,
                count(*) AS fetched,
                count(CASE WHEN status BETWEEN 200 AND 299 THEN 1 END) AS ok,
                count(CASE WHEN status >= 400 THEN 1 END) AS http_errors,
                count(error) AS errors,
                round(avg(ttfb_ms), 1) AS ttfb_ms
            FROM pages
            GROUP BY host_id
        )
        SELECT
            hosts.host,
            hosts.pages,
            hosts.queued,
            coalesce(fetched.fetched, 0) AS fetched,
            fetched.ok,
            fetched.http_errors,
            coalesce(fetched.errors, 0) AS errors,
            fetched.ttfb_ms,
            hosts.delay_ms,
            hosts.next_fetch_at,
            hosts.blocked_until,
            hosts.block_reason
        FROM hosts
        LEFT JOIN fetched ON fetched.host_id = hosts.id
        WHERE hosts.queued > 0 OR fetched.fetched > 0
    """,
        "orphan_pages": f"""
        -- Pages that a sitemap names and no page links to.
        -- Before an analysis has counted links it looks at all: 6 s of CPU for 20 million. Page by
        -- page would be faster, but for a crawl that runs, whose links have no index yet: hours.
        WITH unlinked AS MATERIALIZED (
            SELECT sitemap_entries.sitemap_id, pages.id, pages.url, pages.status, pages.title
            FROM sitemap_entries
            JOIN pages ON pages.id = sitemap_entries.url_id
            WHERE coalesce(pages.inlinks, 0) = 0
                OR (SELECT max(id) FROM runs) <> (SELECT max(run_id) FROM runs_checks)
        )
        SELECT unlinked.url, unlinked.status, unlinked.title, sitemap.url AS sitemap, unlinked.id
        FROM unlinked
        JOIN urls AS sitemap ON sitemap.id = unlinked.sitemap_id
        WHERE unlinked.id NOT IN (
            SELECT target_id
            FROM links
            WHERE target_id IN (SELECT id FROM unlinked)
                AND source_id <> target_id
                AND source_id NOT IN (SELECT sitemap_id FROM sitemap_entries)
                AND source_id NOT IN ({CARRY_NOTHING})
        )
    """,
        "images_without_alt": """
        -- Images without an alt attribute, with their page (alt="" is right for decoration).
        SELECT current_links.page, target.url AS image, current_links.position
        FROM current_links
        CROSS JOIN urls AS target
        WHERE target.id = current_links.target_id
            AND current_links.kind = 'img'
            AND current_links.anchor IS NULL
    """,
        "canonical_mismatches": """
        -- Pages whose canonical is another URL, and what that answered; or that name several.
        -- Before an analysis it looks at every link for canonicals: 1.7 s of CPU for 20 million.
        WITH several AS MATERIALIZED (
            SELECT source_id
            FROM links
            WHERE kind = 'canonical'
            GROUP BY source_id
            HAVING min(target_id) < max(target_id)
        )
        SELECT
            pages.url,
            pages.canonical,
            target.state AS canonical_state,
            target.status AS canonical_status,
            CASE
                WHEN several.source_id IS NOT NULL THEN (
                    SELECT count(DISTINCT every.target_id)
                    FROM links AS every
                    WHERE every.source_id = pages.id AND every.kind = 'canonical'
                )
                ELSE 1
            END AS canonicals,
            (
                SELECT min(other.url)
                FROM links AS also
                JOIN urls AS other ON other.id = also.target_id
                WHERE also.source_id = pages.id
                    AND also.kind = 'canonical'
                    AND other.url <> pages.canonical
            ) AS other_canonical,
            pages.id
        FROM pages
        LEFT JOIN several ON several.source_id = pages.id
        LEFT JOIN links AS first
            ON first.source_id = pages.id
            AND first.position = (
                SELECT min(named.position)
                FROM links AS named
                WHERE named.source_id = pages.id AND named.kind = 'canonical'
            )
        LEFT JOIN urls AS target ON target.id = first.target_id
        WHERE pages.status BETWEEN 200 AND 299
            AND (pages.canonical <> pages.url OR several.source_id IS NOT NULL)
    """,
        "assets": """
        -- What pages need to look right (--assets fetch): its fate, and what was last kept of it.
        SELECT
            urls.url,
            urls.state,
            urls.reason,
            urls.status,
            kept.content_type,
            kept.body_bytes,
            kept.truncated,
            kept.started_at AS document_at,
            urls.via,
            found_on.url AS found_on,
            kept.body_id,
            urls.id
        FROM urls
        LEFT JOIN urls AS found_on ON found_on.id = urls.found_on_id
        LEFT JOIN visits AS kept ON kept.id = (
            SELECT max(id)
            FROM visits
            WHERE visits.url_id = urls.id
                AND visits.kind = 'asset'
                AND visits.status BETWEEN 200 AND 299
                AND visits.body_id IS NOT NULL
        )
        WHERE urls.kind = 'asset'
    """,
        "external_domains": f"""
        -- Other domains that pages link to: how often, and from how many pages.
        SELECT hosts.registered_domain AS domain, count(links.source_id) AS links,
            count(DISTINCT links.source_id) AS pages
        FROM urls
        CROSS JOIN links
        JOIN hosts ON hosts.id = urls.host_id
        WHERE links.target_id = urls.id
            AND links.source_id NOT IN ({CARRY_NOTHING})
            AND (urls.reason = 'scope' OR (urls.kind = 'check' AND urls.via = 'a'))
        GROUP BY hosts.registered_domain
        ORDER BY links DESC
    """,
    }
)


def refresh(connection: Any) -> None:
    """Make the views of this version where a file has others, within a transaction.

    A person's own views stay, also one that bears the name of a newer one of ours.
    """
    listed = {name for (name,) in connection.execute("SELECT name FROM _crawler_views")}
    there = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'view'"))
    if listed == WANTED.keys() and all(there.get(name) == WANTED[name] for name in WANTED):
        return
    ours = [name for name in listed or FIRST_VIEWS if name in there]
    for name in ours:
        connection.execute(f"DROP VIEW {_quoted(name)}")
    connection.execute("DELETE FROM _crawler_views")
    taken = {name for (name,) in connection.execute("SELECT lower(name) FROM sqlite_master")}
    for name, statement in WANTED.items():
        if name in taken:
            _log.warning("%s: is your own, so the crawler's view of that name is not made", name)
            continue
        connection.execute(statement)
        connection.execute("INSERT INTO _crawler_views (name) VALUES (?)", (name,))


def shade(connection: Any) -> None:
    """Let this connection see the views of this version, whatever bears their names in the file.

    What stands there instead may be a person's own, or have been put there to be read: an endless
    query, or one that tells lies. A temporary view goes before all others of its name.
    """
    there = dict(connection.execute("SELECT lower(name), sql FROM sqlite_master"))
    for name, statement in WANTED.items():
        if there.get(name) != statement:
            connection.execute(statement.replace("CREATE VIEW", "CREATE TEMP VIEW", 1))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


WANTED = {name: f"CREATE VIEW {name} AS\n{dedent(sql).strip()}" for name, sql in VIEWS.items()}
