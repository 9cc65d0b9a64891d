"""How are answers delivered: how fast, how large, how packed, kept and labelled?"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from math import ceil
from operator import itemgetter
from statistics import median
from typing import Final

from crawler.analyse.check import Check, Found, Limits
from crawler.analyse.checks import labels
from crawler.analyse.checks.sites import front_pages
from crawler.store.database import Connection

_TIMES: Final = """
    SELECT urls.host_id, visits.started_at, visits.total_ms, visits.ttfb_ms
    FROM visits
    JOIN urls ON urls.id = visits.url_id
    WHERE visits.run_id = (SELECT max(id) FROM runs)
        AND visits.kind = 'page'
        AND visits.status = 200
        AND visits.ttfb_ms IS NOT NULL
        AND visits.total_ms IS NOT NULL
    ORDER BY urls.host_id, visits.started_at, visits.id
"""
_NEARLY: Final = 0.8
"""Of the most that were on their way at once: as good as that."""


def _slow_under_load(connection: Connection, limits: Limits) -> Iterator[Found]:
    """Hosts of which the slowest answers, while most was asked of them at once, took longer than
    the usual one of those that were asked for alone."""
    fronts = front_pages(connection)
    for host_id, rows in groupby(connection.execute(_TIMES), key=itemgetter(0)):
        answers = [(_ms(started), total, ttfb) for _, started, total, ttfb in rows]
        beside = _beside_each(answers)
        most = max(beside)
        both = list(zip(answers, beside, strict=True))
        alone = [ttfb for (_, _, ttfb), others in both if not others]
        full = sorted(ttfb for (_, _, ttfb), others in both if others >= _NEARLY * most)
        if not most or min(len(alone), len(full)) < limits["answers"] or host_id not in fronts:
            continue
        slowest, usual = full[ceil(0.95 * len(full)) - 1], median(alone)
        if slowest > limits["factor"] * usual:
            evidence = {"p95_ms": slowest, "median_alone_ms": usual, "at_once": most + 1}
            yield fronts[host_id], "", evidence


def _ms(started_at: str) -> float:
    return datetime.fromisoformat(started_at).timestamp() * 1000


def _beside_each(answers: Sequence[tuple[float, float, float]]) -> list[int]:
    """How many others were on their way when each of these, in order of their start, began."""
    starts = [start for start, _, _ in answers]
    ends = sorted(start + total for start, total, _ in answers)
    return [bisect_right(starts, start) - bisect_right(ends, start) - 1 for start in starts]


_CHECKED: Final = """
    WITH own AS MATERIALIZED (
        SELECT id
        FROM hosts
        WHERE registered_domain IN (
            SELECT hosts.registered_domain
            FROM pages
            JOIN hosts ON hosts.id = pages.host_id
        )
    ),
    checked AS (
        SELECT urls.id, urls.url, urls.host_id, visits.content_type, visits.headers,
            CASE
                WHEN visits.method = 'HEAD'
                    THEN CAST(json_extract(visits.headers, '$."content-length"') AS INTEGER)
                ELSE visits.body_bytes
            END AS bytes
        FROM urls
        JOIN visits ON visits.id = (
            SELECT max(id)
            FROM visits
            WHERE url_id = urls.id AND kind = urls.kind AND not_modified = 0
        )
        WHERE urls.kind IN ('check', 'asset', 'page')
            AND urls.status = 200
            AND visits.status = 200
            AND visits.headers IS NOT NULL
            AND urls.host_id IN (SELECT id FROM own)
    )
"""
"""What was asked for of the site's own hosts, with its size as far as it says."""

_SCRIPTS: Final = """(
    'text/javascript', 'application/javascript', 'application/x-javascript',
    'application/ecmascript', 'text/css'
)"""

CHECKS: Final = (
    Check(
        name="slow_pages",
        severity="warning",
        definition="the first byte of a page took long; severe where it took very long",
        sql="""
            SELECT id AS url_id, round(ttfb_ms, 1) AS ttfb_ms,
                ttfb_ms > :severe_milliseconds AS severe
            FROM pages
            WHERE status = 200 AND ttfb_ms > :milliseconds
        """,
        limits={"milliseconds": 800, "severe_milliseconds": 1800},
    ),
    Check(
        name="slow_under_load",
        severity="note",
        definition="the slowest twentieth of a host's answers, while most was asked of it at once,"
        " took several times as long as the usual one that was asked for alone",
        find=_slow_under_load,
        limits={"factor": 2, "answers": 20},
    ),
    Check(
        name="html_too_large",
        severity="error",
        definition="a page of HTML is, unpacked, larger than what a search engine reads of it",
        sql="""
            SELECT id AS url_id, body_bytes
            FROM pages
            WHERE status = 200
                AND content_type IN ('text/html', 'application/xhtml+xml')
                AND body_bytes > :bytes
        """,
        limits={"bytes": 2 * 1024 * 1024},
    ),
    Check(
        name="asset_too_large",
        severity="warning",
        definition="a script, style sheet, image or PDF of the site's own is very large",
        sql=f"""{_CHECKED}
            SELECT checked.id AS url_id, checked.bytes, checked.content_type,
                found_on.url AS found_on
            FROM checked
            JOIN urls ON urls.id = checked.id
            LEFT JOIN urls AS found_on ON found_on.id = urls.found_on_id
            WHERE (checked.content_type LIKE 'image/%' AND checked.bytes > :image_bytes)
                OR (checked.content_type = 'application/pdf' AND checked.bytes > :pdf_bytes)
                OR (checked.content_type IN {_SCRIPTS} AND checked.bytes > :script_bytes)
        """,
        limits={"image_bytes": 100_000, "pdf_bytes": 10_000_000, "script_bytes": 2 * 1024 * 1024},
        needs=("assets",),
    ),
    Check(
        name="uncompressed_text",
        severity="note",
        definition="HTML, CSS, JavaScript or JSON of some size is sent without being packed",
        sql=f"""{_CHECKED}
            SELECT id AS url_id, bytes, content_type
            FROM checked
            WHERE bytes >= :bytes
                AND (
                    content_type IN {_SCRIPTS}
                    OR content_type IN ('text/html', 'application/xhtml+xml', 'text/json')
                    OR content_type = 'application/json'
                    OR content_type LIKE '%+json'
                )
                AND coalesce(json_extract(headers, '$."content-encoding"'), 'identity') = 'identity'
        """,
        limits={"bytes": 1024},
        needs=("headers",),
    ),
    Check(
        name="no_validators",
        severity="note",
        definition="a page of HTML is sent with neither ETag nor Last-Modified, so that nobody can"
        " ask whether it has changed",
        sql="""
            SELECT id AS url_id
            FROM good_pages
            WHERE etag IS NULL AND last_modified IS NULL
        """,
    ),
    Check(
        name="validators_that_lie",
        severity="note",
        definition="an ETag or Last-Modified stayed as it was though the page changed, or the ETag"
        " changed though the page did not",
        sql="""
            WITH whole AS (
                SELECT visits.id, visits.url_id, visits.etag, visits.last_modified,
                    visits.body_id, visits.text_hash,
                    lag(visits.etag) OVER of_url AS etag_before,
                    lag(visits.last_modified) OVER of_url AS last_modified_before,
                    lag(visits.body_id) OVER of_url AS body_before,
                    lag(visits.text_hash) OVER of_url AS text_before
                FROM visits
                WHERE visits.kind = 'page'
                    AND visits.status = 200
                    AND visits.body_id IS NOT NULL
                    AND visits.truncated IS NULL
                    AND visits.error IS NULL
                WINDOW of_url AS (PARTITION BY visits.url_id ORDER BY visits.id)
            )
            SELECT url_id, etag, etag_before, last_modified, last_modified_before,
                body_id <> body_before AS changed
            FROM whole
            WHERE body_before IS NOT NULL
                AND (
                    (body_id = body_before AND etag <> etag_before)
                    OR (body_id <> body_before AND etag = etag_before AND etag NOT LIKE 'W/%')
                    OR (text_hash <> text_before AND etag = etag_before)
                    OR (
                        text_hash <> text_before
                        AND etag IS NULL
                        AND etag_before IS NULL
                        AND last_modified = last_modified_before
                    )
                )
            ORDER BY url_id, id DESC
        """,
        needs=("earlier_run",),
    ),
    Check(
        name="short_cache_assets",
        severity="note",
        definition="a static part of pages may be kept for a short time only, or does not say for"
        " how long",
        sql=f"""{_CHECKED},
            said AS (
                SELECT id, content_type,
                    lower(json_extract(headers, '$."cache-control"')) AS cache_control,
                    json_extract(headers, '$.expires') AS expires
                FROM checked
                WHERE content_type LIKE 'image/%'
                    OR content_type LIKE 'font/%'
                    OR content_type LIKE 'application/font%'
                    OR content_type IN {_SCRIPTS}
            ),
            kept AS (
                SELECT *,
                    CASE
                        WHEN instr(' ' || replace(cache_control, ',', ' '), ' max-age=') > 0
                            THEN CAST(
                                ltrim(
                                    substr(
                                        ' ' || replace(cache_control, ',', ' '),
                                        instr(
                                            ' ' || replace(cache_control, ',', ' '), ' max-age='
                                        ) + 9
                                    ),
                                    '"'
                                ) AS INTEGER
                            )
                        WHEN expires IS NULL THEN 0
                    END AS seconds
                FROM said
            )
            SELECT id AS url_id, cache_control, seconds, content_type
            FROM kept
            WHERE seconds < :seconds
                AND coalesce(cache_control, '') NOT LIKE '%no-store%'
                AND coalesce(cache_control, '') NOT LIKE '%no-cache%'
        """,
        limits={"seconds": 86_400},
        needs=("assets",),
    ),
    *labels.CHECKS,
    Check(
        name="truncated_answers",
        severity="error",
        definition="an answer ended before its body was whole, or was cut where the crawl's own"
        " limit of size or time lies",
        sql="""
            SELECT pages.id AS url_id, visits.truncated, visits.error, visits.body_bytes,
                json_extract(visits.headers, '$."content-length"') AS content_length
            FROM pages
            JOIN visits ON visits.id = (
                SELECT max(id) FROM visits WHERE url_id = pages.id AND kind = 'page'
            )
            WHERE visits.truncated IN ('length', 'disconnect', 'time') AND visits.status = 200
        """,
    ),
    Check(
        name="http1_only",
        severity="note",
        definition="a host offers neither HTTP/2 nor HTTP/3",
        needs=("probe",),
    ),
)
