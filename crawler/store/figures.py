"""Which figures of a crawl are looked at, and which SQL gives each?

A figure is a question with plain SQL that a person may paste; report and dashboard show them, and
nothing that they do not say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from textwrap import dedent
from typing import Any, Final

import msgspec

from crawler.store.database import Connection

MAX_CELL: Final = 300
"""Characters of a value that are shown."""


class Figure(msgspec.Struct, frozen=True):
    """What is shown under a title. Of a chart the first column names, the second counts."""

    name: str
    title: str
    lead: str
    sql: str

    @property
    def shown_sql(self) -> str:
        """As it can be pasted."""
        return dedent(self.sql).strip()


class Filled(msgspec.Struct, frozen=True):
    """A figure with its first rows. total: rows that there are."""

    figure: Figure
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]
    total: int

    @property
    def more(self) -> int:
        """Rows that are left out."""
        return self.total - len(self.rows)


def _buckets(column: str, steps: Sequence[tuple[int, str]], above: str) -> str:
    """SQL that counts good pages by steps of a column."""
    cases = "\n".join(
        f"                WHEN {column} < {most} THEN '{position} {label}'"
        for position, (most, label) in enumerate(steps)
    )
    return f"""
        SELECT substr(step, 3) AS {column}, count(*) AS pages
        FROM (
            SELECT CASE
{cases}
                ELSE '{len(steps)} {above}'
            END AS step
            FROM pages
            WHERE status BETWEEN 200 AND 299 AND {column} IS NOT NULL
        )
        GROUP BY step
        ORDER BY step
    """


_TIMES = (
    (50, "under 50 ms"), (100, "50 to 100 ms"), (250, "100 to 250 ms"), (500, "250 to 500 ms"),
    (1000, "0.5 to 1 s"), (2500, "1 to 2.5 s"),
)  # fmt: skip
_SIZES = (
    (2_000, "under 2 kB"), (10_000, "2 to 10 kB"), (50_000, "10 to 50 kB"),
    (200_000, "50 to 200 kB"), (1_000_000, "0.2 to 1 MB"),
)  # fmt: skip

CHARTS: Final = (
    Figure(
        "statuses",
        "Answers",
        "What pages answered last; no answer is told by its error.",
        """
        SELECT coalesce(CAST(status AS TEXT), error, 'none') AS answer, count(*) AS pages
        FROM pages
        GROUP BY answer
        ORDER BY pages DESC, answer
        """,
    ),
    Figure(
        "depths",
        "Depth",
        "Pages by clicks from the nearest seed.",
        """
        SELECT depth || CASE depth WHEN 1 THEN ' click' ELSE ' clicks' END AS clicks,
            count(*) AS pages
        FROM pages
        GROUP BY depth
        ORDER BY depth
        """,
    ),
    Figure(
        "times",
        "Response time",
        "Good pages by milliseconds to the first byte.",
        _buckets("ttfb_ms", _TIMES, "2.5 s and more"),
    ),
    Figure(
        "sizes",
        "Size",
        "Good pages by bytes, unpacked.",
        _buckets("body_bytes", _SIZES, "1 MB and more"),
    ),
    Figure(
        "types",
        "Types",
        "Pages by what they are, looked at, not only declared.",
        """
        SELECT content_type, count(*) AS pages
        FROM pages
        WHERE content_type IS NOT NULL
        GROUP BY content_type
        ORDER BY pages DESC, content_type
        """,
    ),
    Figure(
        "growth",
        "Growth",
        "Pages that each run fetched.",
        """
        SELECT 'run ' || id || ', ' || substr(started_at, 1, 10) AS run, pages
        FROM runs
        ORDER BY id
        """,
    ),
)

RENDERED: Final = (
    Figure(
        "rendered",
        "Pages as a browser shows them",
        "Pages that were looked at with what their scripts make, by what came of it.",
        """
        SELECT coalesce(error, 'shown') AS outcome, count(*) AS pages,
            CAST(avg(cpu_ms) AS INTEGER) AS cpu_ms, sum(requests) AS requests,
            sum(failed_requests) AS failed_requests, sum(request_bytes) AS request_bytes,
            sum(console_lines) AS console_lines
        FROM page_renders
        GROUP BY outcome
        ORDER BY pages DESC
        """,
    ),
    Figure(
        "differences",
        "What scripts change",
        "What pages say of themselves as they are sent, and as they are shown.",
        "SELECT what, url, sent, shown FROM rendered_differences ORDER BY what, url",
    ),
)
"""Shown where pages were looked at so."""

TABLES: Final = (
    Figure(
        "fates",
        "Every URL",
        "All URLs that were ever seen, by what became of them and why.",
        "SELECT * FROM crawl_summary",
    ),
    Figure(
        "broken",
        "Broken links",
        "Links that lead nowhere, most linked first, each with one page that carries it.",
        """
        SELECT link, status, reason, count(*) AS links, count(DISTINCT page) AS pages,
            min(page) AS page, min(anchor) AS anchor
        FROM broken_links
        GROUP BY link, status, reason
        ORDER BY pages DESC, link
        """,
    ),
    Figure(
        "redirects",
        "Redirects",
        "Chains hop by hop, from the URL that starts each.",
        "SELECT * FROM redirect_chains ORDER BY start, hop",
    ),
    Figure(
        "same_text",
        "Duplicates",
        "Good pages that show the very same text; pages of one canonical count as one.",
        "SELECT * FROM duplicate_pages",
    ),
    Figure(
        "same_titles",
        "Titles used twice",
        "Titles that more than one good page carries.",
        "SELECT * FROM duplicate_titles",
    ),
    Figure(
        "near",
        "Near-duplicates",
        "Pages whose main text is almost that of another.",
        "SELECT url, like_url, similarity FROM near_duplicate_pages ORDER BY like_url, url",
    ),
    Figure(
        "slow",
        "Slow pages",
        "The slowest good pages first.",
        "SELECT * FROM slow_pages",
    ),
    Figure(
        "hosts",
        "Hosts",
        "What each host gave, what waits for it, and what it waits for.",
        "SELECT * FROM host_summary",
    ),
    Figure(
        "changes",
        "Changes",
        "What the last run found new, changed or gone, compared with the run before.",
        "SELECT * FROM changes",
    ),
)

DOUBTS: Final = (
    Figure(
        "challenges",
        "Challenges",
        "Pages that answered with a wall instead of themselves.",
        """
        SELECT challenge, count(*) AS pages, min(url) AS url
        FROM pages
        WHERE challenge IS NOT NULL
        GROUP BY challenge
        ORDER BY pages DESC
        """,
    ),
    Figure(
        "partial",
        "Cut documents",
        "Pages of which not all is held, and why.",
        """
        SELECT partial, count(*) AS pages, min(url) AS url
        FROM pages
        WHERE partial IS NOT NULL
        GROUP BY partial
        ORDER BY pages DESC
        """,
    ),
    Figure(
        "skipped",
        "Not fetched",
        "URLs that were seen and not fetched, by the rule that stopped them.",
        """
        SELECT reason, count(*) AS urls, min(url) AS url
        FROM urls
        WHERE state = 'skipped'
        GROUP BY reason
        ORDER BY urls DESC
        """,
    ),
    Figure(
        "failed",
        "Given up",
        "URLs that gave no good answer, by the error that they ended with.",
        """
        SELECT reason, count(*) AS urls, min(url) AS url
        FROM urls
        WHERE state = 'failed'
        GROUP BY reason
        ORDER BY urls DESC
        """,
    ),
)


def fill(connection: Connection, figure: Figure, *, limit: int) -> Filled:
    """A figure with at most so many rows, and the count of all; columns without any value are left
    out."""
    with texts_cut(connection):
        cursor = connection.execute(figure.shown_sql)
        columns = [column[0] for column in cursor.description]
        rows = [tuple(map(shown, row)) for row in cursor.fetchmany(limit)]
        total = len(rows) + sum(1 for _ in cursor)
    told = [place for place in range(len(columns)) if any(row[place] is not None for row in rows)]
    return Filled(
        figure,
        tuple(columns[place] for place in told),
        [tuple(row[place] for place in told) for row in rows],
        total,
    )


@contextmanager
def texts_cut(connection: Connection, most: int = MAX_CELL) -> Iterator[None]:
    """Of texts that are read meanwhile no more is taken than is shown: one more character than
    `most`, so that it is seen where there are more. SQLite takes texts of a gigabyte."""
    before = connection.text_factory
    connection.text_factory = partial(_beginning, most=most)
    try:
        yield
    finally:
        connection.text_factory = before


def _beginning(text: bytes, most: int) -> str:
    return text[: 4 * (most + 1)].decode("utf-8", "replace")  # at most 4 bytes a character


def shown(value: Any) -> Any:
    """A value as it is shown: long texts are cut, bytes are told."""
    if isinstance(value, str) and len(value) > MAX_CELL:
        return value[: MAX_CELL - 1] + "…"
    if isinstance(value, bytes):
        return f"{len(value):,} bytes"
    return value
