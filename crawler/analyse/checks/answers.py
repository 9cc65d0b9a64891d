"""Which URLs do not answer as they should: not at all, badly, from elsewhere, slowly or wrongly?"""

from __future__ import annotations

from typing import Final

from crawler.analyse.check import Check
from crawler.analyse.checks import broken, delivery, redirects

_STATUSES: Final = (
    Check(
        name="no_answer",
        severity="error",
        definition="an internal URL gave no answer: its name, the connection, the time, TLS",
        sql="""
            SELECT urls.id AS url_id, urls.reason, visits.error_detail AS detail,
                found_on.url AS found_on
            FROM urls
            LEFT JOIN urls AS found_on ON found_on.id = urls.found_on_id
            LEFT JOIN visits ON visits.id = (
                SELECT max(id) FROM visits WHERE url_id = urls.id AND kind = 'page'
            )
            WHERE urls.kind = 'page'
                AND urls.state = 'failed'
                AND (
                    urls.reason GLOB 'dns_*'
                    OR urls.reason GLOB 'connect_*'
                    OR urls.reason GLOB 'conn_*'
                    OR urls.reason GLOB 'timeout*'
                    OR urls.reason GLOB 'tls_*'
                )
        """,
    ),
    Check(
        name="client_errors",
        severity="error",
        definition="an internal URL that a page links to or a sitemap names answers 400 to 499"
        " (but 429)",
        sql="""
            SELECT pages.id AS url_id, pages.status, pages.inlinks, found_on.url AS found_on
            FROM pages
            JOIN urls ON urls.id = pages.id
            LEFT JOIN urls AS found_on ON found_on.id = urls.found_on_id
            WHERE pages.status BETWEEN 400 AND 499
                AND pages.status <> 429
                AND pages.challenge IS NULL
                AND (pages.inlinks > 0 OR pages.id IN (SELECT url_id FROM sitemap_entries))
        """,
    ),
    Check(
        name="server_errors",
        severity="error",
        definition="an internal URL answers 500 to 599",
        sql="""
            SELECT pages.id AS url_id, pages.status, pages.inlinks, found_on.url AS found_on
            FROM pages
            JOIN urls ON urls.id = pages.id
            LEFT JOIN urls AS found_on ON found_on.id = urls.found_on_id
            WHERE pages.status BETWEEN 500 AND 599 AND pages.challenge IS NULL
        """,
    ),
    Check(
        name="access_challenged",
        severity="warning",
        definition="an internal URL answers 429, or with a wall in place of the page: it is"
        " blocked for programs, not broken",
        sql="""
            SELECT id AS url_id, status, challenge
            FROM pages
            WHERE status = 429
                OR (status IN (401, 403, 503) AND challenge IS NOT NULL)
                OR challenge <> 'login'
        """,
    ),
)

CHECKS: Final = (*_STATUSES, *broken.CHECKS, *redirects.CHECKS, *delivery.CHECKS)
