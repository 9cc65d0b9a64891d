"""What does somebody ask who looks around in a crawl?

Each look has a budget of time, so that a page of a large crawl is there at once: what takes longer
is given up and says so, and its SQL is shown, to be run by whoever has the time. Nothing here can
write: connections are for reading, and a person's own SQL is asked elsewhere (`free_sql`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from textwrap import dedent
from typing import Any, Final

import msgspec

from crawler.store.database import Connection, SQLiteError, interruptible, is_stop
from crawler.store.figures import shown, texts_cut

BUDGET_S: Final = 0.2
"""For one look."""
COUNT_BUDGET_S: Final = 30.0
"""For a count over a whole crawl, which no page waits for."""
ROWS: Final = 50
"""On one page."""


class Look(msgspec.Struct, frozen=True):
    """Rows, and the SQL that gave them. late: it took too long, and the rows are not all.

    cut: there are more rows than are given. error: why SQL of a person's was refused.
    """

    sql: str
    columns: tuple[str, ...] = ()
    rows: Sequence[tuple[Any, ...]] = ()
    late: bool = False
    cut: bool = False
    error: str | None = None

    @property
    def dicts(self) -> list[dict[str, Any]]:
        """The rows by the names of their columns."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    @property
    def first(self) -> dict[str, Any] | None:
        """The first row, if there is one."""
        return next(iter(self.dicts), None)


def look(
    connection: Connection,
    sql: str,
    values: Mapping[str, Any] | None = None,
    *,
    limit: int = ROWS,
    budget_s: float = BUDGET_S,
) -> Look:
    """Ask, for at most so long and so many rows."""
    plain = dedent(sql).strip()
    rows: list[tuple[Any, ...]] = []
    columns: tuple[str, ...] = ()
    late = False
    with_end(connection, budget_s)
    try:
        with texts_cut(connection):
            cursor = connection.execute(plain, values or {})
            columns = tuple(column[0] for column in cursor.description or ())
            for row in cursor:
                rows.append(tuple(map(shown, row)))
                if len(rows) > limit:
                    break
            cursor.close()
    except SQLiteError as error:
        if not is_stop(error):
            raise
        late = True
    finally:
        interruptible(connection, lambda: False)
    return Look(plain, columns, rows[:limit], late=late, cut=len(rows) > limit)


def with_end(connection: Connection, budget_s: float) -> None:
    """What this connection does from now on ends after so many seconds."""
    end = time.monotonic() + budget_s
    interruptible(connection, lambda: time.monotonic() > end)


STATES: Final = """
    SELECT state, count(*) AS urls
    FROM urls
    GROUP BY state
"""
HOSTS: Final = """
    SELECT host, (
            SELECT group_concat(replace(origin, '://' || hosts.host, ''), ', ')
            FROM origins
            WHERE origins.host_id = hosts.id
        ) AS schemes,
        pages, queued, errors_in_row, delay_ms, next_fetch_at, blocked_until, block_reason
    FROM hosts
    WHERE :q = '' OR instr(host, :q) > 0
    ORDER BY {order}
"""
HOST_ORDERS: Final = {
    "queued": "queued DESC, host",
    "pages": "pages DESC, host",
    "errors": "errors_in_row DESC, host",
    "gap": "delay_ms DESC, host",
    "host": "host",
}
SLOWEST_HOSTS: Final = """
    SELECT hosts.host, count(*) AS pages, CAST(avg(pages.ttfb_ms) AS INTEGER) AS ttfb_ms
    FROM pages
    JOIN hosts ON hosts.id = pages.host_id
    GROUP BY hosts.id
    ORDER BY ttfb_ms DESC
"""
HOST: Final = "SELECT * FROM hosts WHERE host = :host"
ORIGINS: Final = """
    SELECT origin, robots_status, robots_error, robots_fetched_at, crawl_delay,
        substr(robots_body, 1, :most) AS robots_body
    FROM origins
    WHERE host_id = :host_id
    ORDER BY origin
    LIMIT 100
"""
HOST_ERRORS: Final = """
    SELECT state, reason, count(*) AS urls, min(id) AS id, url
    FROM urls
    WHERE host_id = (SELECT id FROM hosts WHERE host = :host) AND reason IS NOT NULL
    GROUP BY state, reason
    ORDER BY urls DESC
"""
NEXT: Final = """
    SELECT urls.id, urls.url, urls.kind, urls.depth, urls.attempts, urls.not_before,
        found.url AS found_on, urls.found_on_id
    FROM urls
    LEFT JOIN urls AS found ON found.id = urls.found_on_id
    WHERE urls.state = 'queued'
    ORDER BY urls.priority DESC, urls.id
"""
SKIPPED: Final = """
    SELECT reason, count(*) AS urls
    FROM urls
    WHERE state = :state
    GROUP BY reason
    ORDER BY urls DESC
"""
SKIPPED_URLS: Final = """
    SELECT urls.id, urls.url, urls.reason, found.url AS found_on, urls.found_on_id
    FROM urls
    LEFT JOIN urls AS found ON found.id = urls.found_on_id
    WHERE urls.state = :state
        AND (:reason = '' OR urls.reason = :reason)
        AND (:q = '' OR instr(urls.url, :q) > 0)
        AND urls.id > :after
    ORDER BY urls.id
"""
PAGES: Final = """
    SELECT id, url, status, title, content_type, depth, ttfb_ms,
        CASE WHEN rendered = 1 THEN 'yes' END AS rendered,
        CASE WHEN error IS NULL AND status = coalesce(document_status, status) THEN body_bytes END
            AS body_bytes,
        inlinks, error
    FROM pages
    WHERE (:q = '' OR instr(url, :q) > 0 OR instr(title, :q) > 0)
        AND (:status = '' OR CAST(status AS TEXT) LIKE :status)
        AND id > :after
    ORDER BY {order}
"""
PAGE_ORDERS: Final = {
    "found": "id",
    "slow": "ttfb_ms DESC, id",
    "large": "pages.body_bytes DESC, id",
    "deep": "depth DESC, id",
    "linked": "inlinks DESC, id",
    "url": "url",
}
URL: Final = """
    SELECT urls.*, found.url AS found_on
    FROM urls
    LEFT JOIN urls AS found ON found.id = urls.found_on_id
    WHERE urls.id = :id
"""
PAGE: Final = "SELECT * FROM pages WHERE id = :id"
LINKS_OUT: Final = """
    SELECT links.kind, links.anchor, links.region, links.via, urls.id, urls.url, urls.state,
        urls.status, urls.reason
    FROM links
    JOIN urls ON urls.id = links.target_id
    WHERE links.source_id = :id
    ORDER BY links.position
"""
LINKS_IN: Final = """
    SELECT links.kind, links.anchor, links.region, urls.id, urls.url
    FROM links
    JOIN urls ON urls.id = links.source_id
    WHERE links.target_id = :id
"""
VISITS: Final = """
    SELECT visits.run_id, visits.started_at, visits.status, visits.error, visits.ttfb_ms,
        visits.total_ms, visits.wire_bytes, visits.http_version, visits.ip, visits.not_modified,
        redirect_to.url AS redirect_to, visits.redirect_to_id
    FROM visits
    LEFT JOIN urls AS redirect_to ON redirect_to.id = visits.redirect_to_id
    WHERE visits.url_id = :id
    ORDER BY visits.id DESC
"""
HEADERS: Final = """
    SELECT headers
    FROM visits
    WHERE url_id = :id AND headers IS NOT NULL AND length(headers) <= :most
    ORDER BY id DESC
    LIMIT 1
"""
OF_PAGE: Final = """
    SELECT check_name, severity, state, item, evidence
    FROM audit_findings
    WHERE url_id = :id
    ORDER BY severity, check_name
"""
FINDINGS: Final = """
    SELECT findings.state, findings.url_id, findings.url, findings.item, findings.evidence
    FROM audit_findings AS findings
    JOIN checks ON checks.name = findings.check_name
    WHERE findings.check_name = :name
        AND (findings.state <> 'fixed' OR checks.needs NOT LIKE '%earlier%')
    ORDER BY CASE findings.state WHEN 'new' THEN 0 WHEN 'open' THEN 1 ELSE 2 END, findings.url
"""
"""What tells of a change is seen once, and is not mended by being over."""
TEXT: Final = "SELECT substr(text, 1, :most) FROM texts WHERE body_id = :body_id"
BODY: Final = """
    SELECT CASE WHEN length(body) <= :most_packed THEN body END, substr(charset, 1, 100)
    FROM bodies
    WHERE id = :body_id
"""
FACTS: Final = "SELECT * FROM facts WHERE body_id = :body_id"
RUNS: Final = """
    SELECT id AS run, started_at, finished_at, state, finish_reason, pages, errors, bytes
    FROM runs
    ORDER BY id DESC
"""
CHANGES: Final = """
    SELECT change, count(*) AS pages
    FROM changes
    GROUP BY change
    ORDER BY pages DESC
"""
CHANGED: Final = "SELECT change, url, what, before, id FROM changes ORDER BY change, url"
SITES: Final = """
    SELECT substr(url, 1, instr(substr(url, 9), '/') + 8) AS name,
        count(*) AS pages,
        sum(CASE WHEN error IS NOT NULL OR status >= 400 THEN 1 ELSE 0 END) AS errors,
        min(depth) AS depth
    FROM pages
    GROUP BY name
    ORDER BY pages DESC, name
"""
"""By scheme, host and port."""
TREE: Final = """
    SELECT
        CASE instr(rest, '/') WHEN 0 THEN rest ELSE substr(rest, 1, instr(rest, '/')) END AS name,
        count(*) AS pages,
        sum(CASE WHEN error IS NOT NULL OR status >= 400 THEN 1 ELSE 0 END) AS errors,
        min(depth) AS depth
    FROM (
        SELECT substr(url, length(:prefix) + 1) AS rest, status, error, depth
        FROM pages
        WHERE url >= :prefix AND url < :prefix || char(1114111)
            AND host_id = (SELECT id FROM hosts WHERE host = :host)
    )
    GROUP BY name
    ORDER BY pages DESC, name
"""
