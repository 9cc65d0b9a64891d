"""What became of the site since the last crawl, and how far can this one be trusted?

The last crawl is the last run before this one that came to its end; runs in between are parts of
this crawl that were stopped. Two documents are compared, the last good one of each.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from crawler.analyse.check import Check, Found, Limits
from crawler.analyse.checks import trust
from crawler.analyse.checks.sites import COUNTED_BEFORE
from crawler.analyse.near_duplicates import similarity
from crawler.store.database import Connection

_NEEDS: Final = ("earlier_crawl",)
_BEFORE: Final = """
    WITH last_crawl AS MATERIALIZED (
        SELECT max(id) AS id
        FROM runs
        WHERE finish_reason = 'finished' AND id < (SELECT max(id) FROM runs)
    ),
    earlier AS MATERIALIZED (
        SELECT url_id, max(id) AS id
        FROM visits
        WHERE kind = 'page'
            AND not_modified = 0
            AND run_id <= (SELECT id FROM last_crawl)
        GROUP BY url_id
    )
"""
"""The last answer to each URL up to the last crawl."""

_PAIRS: Final = """
    WITH documents AS MATERIALIZED (
        SELECT url_id, max(id) AS id
        FROM visits
        WHERE kind = 'page'
            AND status = 200
            AND error IS NULL
            AND challenge IS NULL
            AND body_id IS NOT NULL
            AND coalesce(truncated, '') NOT IN ('length', 'disconnect', 'time')
            AND run_id <= (
                SELECT max(id)
                FROM runs
                WHERE finish_reason = 'finished' AND id < (SELECT max(id) FROM runs)
            )
        GROUP BY url_id
    ),
    pairs AS MATERIALIZED (
        SELECT good_pages.id AS url_id, coalesce(renders.body_id, visits.body_id) AS before_id,
            good_pages.body_id AS now_id
        FROM good_pages
        JOIN documents ON documents.url_id = good_pages.id
        JOIN visits ON visits.id = documents.id
        LEFT JOIN renders ON renders.visit_id = visits.id
        WHERE coalesce(renders.body_id, visits.body_id) <> good_pages.body_id
            AND coalesce(good_pages.partial, '') NOT IN ('length', 'disconnect', 'time')
    )
"""
"""Good pages whose bytes are others than at the last crawl: the body of then and that of now, as a
browser showed it where one did."""

_TEXTS: Final = f"""{_PAIRS}
    SELECT pairs.url_id, before.signature, now.signature
    FROM pairs
    JOIN facts AS before ON before.body_id = pairs.before_id
    JOIN facts AS now ON now.body_id = pairs.now_id
    WHERE before.main_hash <> now.main_hash
        AND before.signature IS NOT NULL
        AND now.signature IS NOT NULL
    ORDER BY pairs.url_id
"""


def _text_changed(connection: Connection, limits: Limits) -> Iterator[Found]:
    for url_id, before, now in connection.execute(_TEXTS):
        alike = similarity(before, now)
        if alike < limits["similarity"]:
            yield url_id, "", {"similarity": round(alike, 3)}


def _changed_fact(name: str, before: str, now: str) -> str:
    return f"""
        SELECT pairs.url_id, '{name}' AS item, {before} AS before, {now} AS now
        FROM pairs
        JOIN facts AS before ON before.body_id = pairs.before_id AND before.error IS NULL
        JOIN facts AS now ON now.body_id = pairs.now_id AND now.error IS NULL
        WHERE {before} IS NOT {now}
    """


def _heading(side: str) -> str:
    return f"""(
        SELECT headings.text
        FROM headings
        WHERE headings.body_id = {side}.body_id AND headings.level = 1
        ORDER BY headings.position
        LIMIT 1
    )"""


_COMPARED: Final = {
    "title": "title",
    "description": "description",
    "canonical": "canonical_href",
    "robots": "robots",
    "lang": "lang",
}
"""Columns of ``facts`` by the name that a finding gives to what changed."""

_FACTS_CHANGED: Final = _PAIRS + "UNION ALL".join(
    (
        *(
            _changed_fact(name, f"before.{column}", f"now.{column}")
            for name, column in _COMPARED.items()
        ),
        _changed_fact("h1", _heading("before"), _heading("now")),
    )
)


def _by_percent(column: str, name: str) -> str:
    return f"""{_PAIRS}
        SELECT pairs.url_id, before.{column} AS {name}_before, now.{column} AS {name}_now
        FROM pairs
        JOIN facts AS before ON before.body_id = pairs.before_id AND before.error IS NULL
        JOIN facts AS now ON now.body_id = pairs.now_id AND now.error IS NULL
        WHERE 100.0 * abs(now.{column} - before.{column}) >= :percent * before.{column}
            AND now.{column} <> before.{column}
    """


_PAGES: Final = (
    Check(
        name="pages_new",
        of_crawl=True,
        severity="note",
        definition="a page answers that no earlier crawl had seen",
        sql=f"""{_BEFORE}
            SELECT pages.id AS url_id, found_on.url AS found_on
            FROM pages
            JOIN urls ON urls.id = pages.id
            LEFT JOIN urls AS found_on ON found_on.id = urls.found_on_id
            WHERE pages.status BETWEEN 200 AND 299
                AND pages.error IS NULL
                AND pages.id NOT IN (SELECT url_id FROM earlier)
        """,
        needs=_NEEDS,
    ),
    Check(
        name="pages_gone",
        severity="warning",
        definition="a page that answered 200 in the last crawl answers no more, with an error, or"
        " is linked from nowhere",
        sql=f"""{_BEFORE},
            listed AS MATERIALIZED (
                SELECT DISTINCT url_id
                FROM sitemap_entries
            )
            SELECT pages.id AS url_id, pages.status, pages.error,
                pages.status = 200 AND pages.error IS NULL AS unlinked
            FROM earlier
            JOIN visits ON visits.id = earlier.id
            JOIN pages ON pages.id = earlier.url_id
            JOIN urls ON urls.id = earlier.url_id
            WHERE visits.status = 200
                AND visits.error IS NULL
                AND (
                    pages.status >= 400
                    OR urls.state = 'failed'
                    OR (
                        pages.inlinks = 0
                        AND urls.depth > 0
                        AND urls.hops = 0
                        AND urls.found_on_id IS NOT NULL
                        AND urls.via IN ('a', 'area', 'frame', 'iframe')
                        AND pages.id NOT IN (SELECT url_id FROM listed)
                    )
                )
        """,
        needs=_NEEDS,
    ),
    Check(
        name="status_changed",
        severity="warning",
        definition="a page answers with a status of another class than in the last crawl",
        sql=f"""{_BEFORE}
            SELECT pages.id AS url_id, visits.status AS before, pages.status AS now
            FROM earlier
            JOIN visits ON visits.id = earlier.id
            JOIN pages ON pages.id = earlier.url_id
            WHERE visits.status / 100 <> pages.status / 100
        """,
        needs=_NEEDS,
    ),
)
_DOCUMENTS: Final = (
    Check(
        name="facts_changed",
        severity="note",
        definition="a page says another title, description, h1, canonical, robots or lang than in"
        " the last crawl",
        sql=_FACTS_CHANGED,
        needs=("earlier_crawl", "facts"),
    ),
    Check(
        name="text_changed",
        severity="note",
        definition="the main text of a page is another than in the last crawl",
        find=_text_changed,
        limits={"similarity": 0.9},
        needs=("earlier_crawl", "signatures"),
    ),
    Check(
        name="words_changed",
        severity="note",
        definition="the main text of a page has many more or fewer words than in the last crawl",
        sql=_by_percent("main_words", "words"),
        limits={"percent": 20},
        needs=("earlier_crawl", "facts"),
    ),
    Check(
        name="depth_changed",
        severity="note",
        definition="a page is more or fewer clicks away than in the last crawl",
        sql=f"""{COUNTED_BEFORE}
            SELECT good_pages.id AS url_id, before.clicks AS clicks_before,
                good_pages.clicks AS clicks_now
            FROM before
            JOIN good_pages ON good_pages.id = before.page_id
            WHERE before.clicks <> good_pages.clicks
        """,
        needs=("earlier_counts",),
    ),
    Check(
        name="outlinks_changed",
        severity="note",
        definition="a page has many more or fewer links than in the last crawl",
        sql=_by_percent("anchors", "links"),
        limits={"percent": 20},
        needs=("earlier_crawl", "facts"),
    ),
    Check(
        name="schema_types_changed",
        severity="note",
        definition="the structured data of a page is of other types than in the last crawl",
        sql=f"""{_PAIRS},
            bodies_read AS (
                SELECT before_id AS body_id
                FROM pairs
                UNION
                SELECT now_id
                FROM pairs
            ),
            types AS MATERIALIZED (
                SELECT body_id, group_concat(type, ' ') AS types
                FROM (
                    SELECT DISTINCT structured_data.body_id, structured_data.type
                    FROM bodies_read
                    JOIN structured_data ON structured_data.body_id = bodies_read.body_id
                    WHERE structured_data.type IS NOT NULL
                    ORDER BY structured_data.body_id, structured_data.type
                )
                GROUP BY body_id
            )
            SELECT pairs.url_id, before.types AS before, now.types AS now
            FROM pairs
            LEFT JOIN types AS before ON before.body_id = pairs.before_id
            LEFT JOIN types AS now ON now.body_id = pairs.now_id
            WHERE before.types IS NOT now.types
        """,
        needs=("earlier_crawl", "facts"),
    ),
)
_FINDINGS: Final = (
    Check(
        name="broken_links_new",
        of_crawl=True,
        severity="error",
        definition="a link is broken that was not, or was not there, when a run was audited last",
        sql="""
            SELECT findings.url_id, findings.item, findings.evidence AS broken
            FROM findings
            WHERE findings.check_name = 'broken_links'
                AND findings.fixed_run_id IS NULL
                AND findings.since_run_id = (SELECT max(id) FROM runs)
        """,
        needs=("earlier_audit",),
    ),
    Check(
        name="checks_fixed",
        of_crawl=True,
        severity="note",
        definition="a fault that an earlier run had is no longer there",
        sql="""
            SELECT findings.url_id,
                findings.check_name || CASE WHEN findings.item <> '' THEN ' ' ELSE '' END
                    || findings.item AS item,
                findings.since_run_id, findings.last_run_id
            FROM findings
            JOIN checks ON checks.name = findings.check_name
            WHERE findings.fixed_run_id = (SELECT max(id) FROM runs)
                AND checks.group_name <> 'runs'
        """,
        needs=("earlier_audit",),
    ),
)

CHECKS: Final = (*_PAGES, *_DOCUMENTS, *_FINDINGS, *trust.CHECKS)
