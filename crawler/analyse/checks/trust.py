"""How far can what a crawl says be trusted: what did it not see, and why?"""

from __future__ import annotations

from typing import Final

from crawler.analyse.check import Check
from crawler.analyse.checks.sites import PLACES

CHECKS: Final = (
    Check(
        name="crawl_incomplete",
        of_crawl=True,
        severity="warning",
        definition="URLs of a host were not fetched, because they still wait, a limit was reached,"
        " or the host fell silent: what an audit says of it is not all",
        sql=f"""
            WITH {PLACES},
            unseen AS (
                SELECT host_id,
                    count(*) FILTER (WHERE state = 'queued') AS queued,
                    count(*) FILTER (
                        WHERE state = 'skipped' AND reason IN ('host_cap', 'domain_cap', 'depth')
                    ) AS capped,
                    count(*) FILTER (WHERE state = 'skipped' AND reason = 'host_blocked')
                        AS blocked
                FROM urls
                WHERE kind = 'page'
                    AND (
                        state = 'queued'
                        OR (
                            state = 'skipped'
                            AND reason IN ('host_cap', 'domain_cap', 'depth', 'host_blocked')
                        )
                    )
                GROUP BY host_id
            )
            SELECT places.url_id, unseen.queued, unseen.capped, unseen.blocked, hosts.block_reason,
                (SELECT finish_reason FROM runs ORDER BY id DESC LIMIT 1) AS finish_reason
            FROM unseen
            JOIN places ON places.host_id = unseen.host_id
            JOIN hosts ON hosts.id = unseen.host_id
        """,
    ),
    Check(
        name="crawl_blocked",
        of_crawl=True,
        severity="error",
        definition="many of a host's answers were 403, 429, 503 or a wall in place of the page: an"
        " audit of it is not to be trusted",
        sql=f"""
            WITH {PLACES},
            answers AS (
                SELECT host_id, count(*) AS answers,
                    count(*) FILTER (
                        WHERE status IN (403, 429, 503) OR coalesce(challenge, 'login') <> 'login'
                    ) AS blocked
                FROM pages
                WHERE status IS NOT NULL
                GROUP BY host_id
            )
            SELECT places.url_id, answers.answers, answers.blocked
            FROM answers
            JOIN places ON places.host_id = answers.host_id
            WHERE 100.0 * answers.blocked > :percent * answers.answers
        """,
        limits={"percent": 10},
    ),
    Check(
        name="urls_unexplained",
        of_crawl=True,
        severity="note",
        definition="URLs were seen and not fetched; one finding a reason, with one of them and a"
        " page that leads to it (crawler explain REASON tells more)",
        sql="""
            WITH skipped AS (
                SELECT reason, count(*) AS urls, min(id) AS id
                FROM urls
                WHERE state = 'skipped'
                GROUP BY reason
            )
            SELECT coalesce(urls.found_on_id, urls.id) AS url_id, skipped.reason AS item,
                skipped.urls, urls.url AS example
            FROM skipped
            JOIN urls ON urls.id = skipped.id
        """,
    ),
    Check(
        name="facts_truncated",
        severity="warning",
        definition="a page was not read to its end, since a limit of bytes, links, text or time"
        " was reached: what it says behind that is not known",
        sql="""
            SELECT pages.id AS url_id, pages.partial, facts.error
            FROM pages
            LEFT JOIN facts ON facts.body_id = pages.body_id
            WHERE pages.status = 200 AND (pages.partial IS NOT NULL OR facts.error IS NOT NULL)
        """,
    ),
)
