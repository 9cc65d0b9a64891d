"""Which redirects lead a long way round, in circles, or where nobody wanted to go?"""

from __future__ import annotations

from typing import Final

from crawler.analyse.check import Check
from crawler.analyse.checks.broken import LOST

CHAINS: Final = """
    WITH RECURSIVE hops AS MATERIALIZED (
        SELECT visits.url_id, visits.redirect_to_id AS next_id, visits.status, urls.hops,
            target.url AS next_url
        FROM visits
        JOIN urls ON urls.id = visits.url_id
        JOIN urls AS target ON target.id = visits.redirect_to_id
        WHERE visits.redirect_to_id IS NOT NULL
            AND visits.kind = 'page'
            AND urls.kind = 'page'
            AND urls.status BETWEEN 300 AND 399
            AND visits.id = (
                SELECT max(latest.id)
                FROM visits AS latest
                WHERE latest.url_id = visits.url_id AND latest.kind = 'page'
            )
    ),
    chains(start_id, hops, url_id, loops, ids, path) AS (
        SELECT url_id, 1, next_id, url_id = next_id, ' ' || url_id || ' ' || next_id || ' ',
            next_url
        FROM hops
        WHERE hops = 0 OR url_id NOT IN (SELECT next_id FROM hops)
        UNION ALL
        SELECT chains.start_id, chains.hops + 1, hops.next_id,
            instr(chains.ids, ' ' || hops.next_id || ' ') > 0, chains.ids || hops.next_id || ' ',
            chains.path || ' ' || hops.next_url
        FROM chains
        JOIN hops ON hops.url_id = chains.url_id
        WHERE chains.loops = 0 AND chains.hops < 32
    ),
    ends AS MATERIALIZED (
        SELECT start_id, max(hops) AS hops, url_id AS end_id, loops, path
        FROM chains
        GROUP BY start_id
    )
"""
"""Chains of redirects from what is linked, or from what no redirect leads to; a chain that comes
back to one of its own ends there and ``loops``. path: the URLs behind the first, by spaces."""


def _ending(condition: str, *, evidence: str = "") -> str:
    """Starts of chains whose end is so."""
    return f"""{CHAINS}
        SELECT ends.start_id AS url_id, ends.hops, ends.path, last.url AS ends_at, last.state,
            last.status, last.reason{evidence}
        FROM ends
        JOIN urls AS start ON start.id = ends.start_id
        JOIN urls AS last ON last.id = ends.end_id
        LEFT JOIN pages ON pages.id = ends.end_id
        WHERE {condition}
    """


def _named(name: str, url: str) -> str:
    """The host of a URL."""
    after = f"substr({url}, instr({url}, '://') + 3)"
    return f"substr({after}, 1, instr({after}, '/') - 1) AS {name}"


_TO_HTTP: Final = f"""{CHAINS}
    SELECT chains.start_id AS url_id, here.url AS secure, there.url AS insecure
    FROM chains
    JOIN hops ON hops.next_id = chains.url_id
        AND instr(chains.ids, ' ' || hops.url_id || ' ' || hops.next_id || ' ') > 0
    JOIN urls AS here ON here.id = hops.url_id
    JOIN urls AS there ON there.id = hops.next_id
    WHERE here.url LIKE 'https://%' AND there.url LIKE 'http://%'
    ORDER BY chains.start_id, chains.hops
"""

_TWO_HOPS: Final = f"""{CHAINS},
    names AS (
        SELECT start.id AS start_id, start.url AS first, middle.url AS second, last.url AS third,
            {_named("first_name", "start.url")}, {_named("second_name", "middle.url")},
            {_named("third_name", "last.url")}
        FROM chains
        JOIN hops ON hops.url_id = chains.url_id
        JOIN urls AS start ON start.id = chains.start_id
        JOIN urls AS middle ON middle.id = chains.url_id
        JOIN urls AS last ON last.id = hops.next_id
        WHERE chains.hops = 1
    )
    SELECT start_id AS url_id, second AS through, third AS redirects_to
    FROM names
    WHERE first LIKE 'http://%'
        AND third LIKE 'https://%'
        AND (first_name = 'www.' || third_name OR third_name = 'www.' || first_name)
        AND (second_name = first_name OR second_name = third_name)
        AND second NOT LIKE 'https://' || third_name || '/%'
"""
_TO_HOME: Final = f"""{CHAINS},
    paths AS (
        SELECT ends.start_id, start.host_id, last.url AS home,
            substr(start.url, instr(start.url, '://') + 3) AS first,
            substr(last.url, instr(last.url, '://') + 3) AS last,
            here.registered_domain = there.registered_domain AS stays
        FROM ends
        JOIN urls AS start ON start.id = ends.start_id
        JOIN urls AS last ON last.id = ends.end_id
        JOIN hosts AS here ON here.id = start.host_id
        JOIN hosts AS there ON there.id = last.host_id
        WHERE ends.loops = 0
    ),
    judged AS (
        SELECT start_id, host_id, home,
            stays
                AND substr(last, instr(last, '/')) = '/'
                AND substr(first, instr(first, '/')) NOT IN ('/', '/home', '/home/')
                AND lower(substr(first, instr(first, '/'))) NOT GLOB '/index.*'
                AND lower(substr(first, instr(first, '/'))) NOT GLOB '/default.*' AS goes_home
        FROM paths
    ),
    counted AS (
        SELECT host_id, count(*) AS redirects, sum(goes_home) AS go_home
        FROM judged
        GROUP BY host_id
    )
    SELECT judged.start_id AS url_id, judged.home, counted.go_home, counted.redirects
    FROM judged
    JOIN counted USING (host_id)
    WHERE judged.goes_home
        AND (counted.go_home >= :urls OR counted.go_home >= :share * counted.redirects)
"""

_REFRESHES: Final = """
    WITH named AS MATERIALIZED (
        SELECT source_id, target_id, position
        FROM links
        WHERE kind = 'refresh' AND source_id <> target_id
    ),
    sent AS (
        SELECT named.source_id, named.target_id, named.position, pages.body_id,
            count(*) OVER (PARTITION BY named.source_id) AS refreshes,
            row_number() OVER (PARTITION BY named.source_id ORDER BY named.position) AS number,
            json_extract(visits.headers, '$.refresh') AS header
        FROM named
        JOIN good_pages AS pages ON pages.id = named.source_id
        LEFT JOIN visits ON visits.id = (
            SELECT max(id)
            FROM visits
            WHERE url_id = named.source_id AND kind = 'page' AND headers IS NOT NULL
        )
    )
    SELECT sent.source_id AS url_id, target.url AS item
    FROM sent
    JOIN urls AS target ON target.id = sent.target_id
    WHERE sent.header IS NULL OR (sent.refreshes > 1 AND sent.number < sent.refreshes)
"""

CHECKS: Final = (
    Check(
        name="redirect_chains",
        severity="warning",
        definition="redirects lead on to further redirects before they end",
        sql=_ending("ends.loops = 0 AND ends.hops >= :hops"),
        limits={"hops": 2},
    ),
    Check(
        name="redirect_chains_long",
        severity="error",
        definition="a chain of redirects is so long that search engines give up",
        sql=_ending("ends.loops = 0 AND ends.hops >= :hops"),
        limits={"hops": 5},
    ),
    Check(
        name="redirect_loops",
        severity="error",
        definition="a redirect leads back to a URL of its own chain",
        sql=_ending("ends.loops"),
    ),
    Check(
        name="redirects_to_errors",
        severity="error",
        definition="redirects end in a status of 400 or more (but 429) or in no answer",
        sql=_ending(
            "ends.loops = 0 AND pages.challenge IS NULL AND coalesce(last.status, 0) <> 429"
            " AND last.state IN ('done', 'failed')"
            f" AND (last.status >= 400 OR last.reason IN ({LOST}))"
        ),
    ),
    Check(
        name="redirects_to_nonindexable",
        severity="warning",
        definition="redirects end at a page that asks not to be indexed or names another as its"
        " canonical",
        sql=_ending(
            "ends.loops = 0 AND pages.indexability_reason IN ('noindex', 'canonical')",
            evidence=", pages.indexability_reason, pages.meta_robots, pages.canonical",
        ),
    ),
    Check(
        name="redirects_https_to_http",
        severity="error",
        definition="a redirect leads from https to http",
        sql=_TO_HTTP,
    ),
    Check(
        name="redirects_scheme_and_host",
        severity="note",
        definition="http becomes https and www comes or goes in two redirects where one would do",
        sql=_TWO_HOPS,
    ),
    Check(
        name="redirects_temporary",
        severity="note",
        definition="a redirect says that it is temporary (302, 303, 307), and has said so for as"
        " many days as the limit asks",
        sql=f"""{CHAINS}
            SELECT hops.url_id, hops.status, last.url AS redirects_to, count(*) AS visits,
                min(visits.started_at) AS since
            FROM hops
            JOIN urls AS last ON last.id = hops.next_id
            JOIN visits ON visits.url_id = hops.url_id AND visits.status IN (302, 303, 307)
            WHERE hops.status IN (302, 303, 307)
            GROUP BY hops.url_id
            HAVING julianday(max(visits.started_at)) - julianday(min(visits.started_at)) >= :days
        """,
        limits={"days": 0},
    ),
    Check(
        name="redirects_meta_refresh",
        severity="warning",
        definition="a meta refresh leads to another URL",
        sql=_REFRESHES,
    ),
    Check(
        name="redirects_refresh_header",
        severity="warning",
        definition="a page is sent with a Refresh header",
        sql="""
            SELECT good_pages.id AS url_id, json_extract(visits.headers, '$.refresh') AS refresh
            FROM good_pages
            JOIN visits ON visits.id = (
                SELECT max(id)
                FROM visits
                WHERE url_id = good_pages.id AND kind = 'page' AND headers IS NOT NULL
            )
            WHERE json_extract(visits.headers, '$.refresh') IS NOT NULL
        """,
    ),
    Check(
        name="redirects_to_home",
        severity="warning",
        definition="many URLs of a site, or a great share of all that redirect, lead to its front"
        " page",
        sql=_TO_HOME,
        limits={"urls": 20, "share": 0.1},
    ),
    Check(
        name="redirected_unlinked",
        severity="note",
        definition="a sitemap names a URL that redirects and that no page links to",
        sql="""
            SELECT pages.id AS url_id, pages.status, sitemap.url AS sitemap
            FROM pages
            JOIN sitemap_entries ON sitemap_entries.url_id = pages.id
            JOIN urls AS sitemap ON sitemap.id = sitemap_entries.sitemap_id
            WHERE pages.status BETWEEN 300 AND 399 AND pages.inlinks = 0
        """,
        needs=("sitemaps",),
    ),
)
