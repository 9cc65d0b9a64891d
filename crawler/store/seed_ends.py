"""What became of each seed of a run?

A seed stands for what it leads to: its end is where its redirects end, as they were last seen.
"""

from __future__ import annotations

import msgspec

from crawler.policy import urls
from crawler.store.database import Connection
from crawler.store.views import led_on


class SeedCount(msgspec.Struct, frozen=True):
    """Lines of a run's seeds: all, those of which the crawl holds a page (or another shard, for all
    that is known here), and those that wait."""

    seeds: int
    held: int
    waiting: int

    @property
    def in_vain(self) -> bool:
        """Of not one there is a page, and none waits."""
        return self.seeds > 0 and self.held == self.waiting == 0


class SeedEnd(msgspec.Struct, frozen=True):
    """A line of the seeds file and where it ended.

    end: the URL at the end of its redirects; None where the line is no address. host: of that.
    hops: redirects on the way. moved: the end is on another host, www. left aside.
    why: a word, ``HTTP 404`` or a sentence about the line, where it brought no page, else None.
    detail: what the last attempt said besides.
    """

    line: int
    text: str
    end: str | None
    host: str | None
    hops: int
    moved: bool
    why: str | None
    detail: str | None

    @property
    def refused_name(self) -> bool:
        """Its host is a name at a private address, from which nothing is fetched unasked."""
        return self.why == "blocked_addr"


def count(connection: Connection, run_id: int) -> SeedCount:
    """How many of a run's seeds brought a page, now or before, and how many wait."""
    row = connection.execute(
        f"""
        {ENDS}
        SELECT
            count(*),
            count(CASE
                WHEN pages.document_status BETWEEN 200 AND 299 OR urls.reason = 'other_shard' THEN 1
            END),
            count(CASE WHEN urls.state = 'queued' THEN 1 END)
        FROM ends
        LEFT JOIN urls ON urls.id = ends.url_id
        LEFT JOIN pages ON pages.id = ends.url_id
        """,
        {"run": run_id},
    ).fetchone()
    return SeedCount(*row)


def worth_telling(connection: Connection, run_id: int, limit: int) -> tuple[list[SeedEnd], int]:
    """The first seeds that brought no page, then those that moved; and how many these are."""
    rows = connection.execute(WORTH_TELLING, {"run": run_id, "limit": limit}).fetchall()
    told = [
        SeedEnd(
            line, text, end, host, hops, bool(moved), why,
            _detail(connection, url_id, end) if url_id and why else None,
        )
        for _, line, text, url_id, end, host, hops, moved, why in rows
    ]  # fmt: skip
    return told, rows[0][0] if rows else 0


def _detail(connection: Connection, url_id: int, url: str) -> str | None:
    """What the last visit said of a URL, or of its robots.txt, which comes before it."""
    robots, _ = urls.resolve("/robots.txt", url)
    row = connection.execute(
        """
        SELECT error_detail
        FROM visits
        WHERE url_id = :url OR url_id = (SELECT id FROM urls WHERE hash = :robots)
        ORDER BY id DESC
        LIMIT 1
        """,
        {"url": url_id, "robots": robots.hash},
    ).fetchone()
    return None if row is None else row[0]


MAX_HOPS = 20
ENDS = f"""
    WITH RECURSIVE chain(seed_id, url_id, hops) AS (
        SELECT id, url_id, 0
        FROM seeds
        WHERE run_id = :run
        UNION ALL
        SELECT chain.seed_id, coalesce(visits.redirect_to_id, refreshed.id), chain.hops + 1
        FROM chain
        JOIN urls AS passed ON passed.id = chain.url_id AND passed.state = 'done'
        JOIN visits ON visits.id = (
            SELECT max(last.id)
            FROM visits AS last
            WHERE last.url_id = chain.url_id AND last.kind NOT IN ('robots', 'login')
        )
        -- where its page leads by itself
        LEFT JOIN urls AS refreshed ON refreshed.id = ({led_on("chain.url_id")})
        WHERE coalesce(visits.redirect_to_id, refreshed.id) IS NOT NULL
            AND chain.hops < {MAX_HOPS}
    ),
    reached AS (
        -- what stands beside max() is of the same row
        SELECT seed_id, url_id, max(hops) AS hops
        FROM chain
        GROUP BY seed_id
    ),
    ends AS (
        SELECT
            seeds.line,
            seeds.text,
            seeds.error,
            reached.url_id,
            reached.hops,
            hosts.host AS own_host
        FROM seeds
        JOIN reached ON reached.seed_id = seeds.id
        LEFT JOIN urls ON urls.id = seeds.url_id
        LEFT JOIN hosts ON hosts.id = urls.host_id
    )
"""
WORTH_TELLING = f"""
    {ENDS}
    SELECT count(*) OVER (), line, text, url_id, url, host, hops, is_elsewhere, why
    FROM (
        SELECT
            ends.line,
            ends.text,
            ends.url_id,
            urls.url,
            hosts.host,
            ends.hops,
            CASE
                WHEN hosts.host IN (own_host, 'www.' || own_host) THEN 0
                WHEN own_host = 'www.' || hosts.host THEN 0
                ELSE hosts.host IS NOT NULL
            END AS is_elsewhere,
            CASE
                WHEN urls.id IS NULL OR urls.state IN ('failed', 'skipped') OR urls.status >= 400
                THEN coalesce(ends.error, urls.reason, 'HTTP ' || urls.status, 'unknown')
            END AS why
        FROM ends
        LEFT JOIN urls ON urls.id = ends.url_id
        LEFT JOIN hosts ON hosts.id = urls.host_id
    )
    WHERE why IS NOT NULL OR is_elsewhere
    ORDER BY why IS NULL, line
    LIMIT :limit
"""
