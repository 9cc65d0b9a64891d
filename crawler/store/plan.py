"""Which page is to be visited when?

What is known of a page's changes is in its visits; `crawler.policy.revisit` judges it. The plan is
a table, so that a person can read it and a run can ask for what is due.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any, Final, NamedTuple

from crawler.policy import revisit, words
from crawler.policy.revisit import AGAIN_S, DAY_S, REMEMBERED, Access
from crawler.store.analysis import Column, create
from crawler.store.clock import epoch, iso

REVISITS: Final[Mapping[str, Column]] = {
    "url_id": ("INTEGER PRIMARY KEY REFERENCES urls(id)", "the page (urls.id)"),
    "visited_at": ("TEXT NOT NULL", "its last visit when this was planned"),
    "accesses": (
        "INTEGER NOT NULL",
        "visits that tell whether it had changed, of the last 20",
    ),
    "changes": ("INTEGER NOT NULL", "of these, those that found it changed"),
    "changes_per_day": ("REAL NOT NULL", "how often it changes, as far as these tell"),
    "interval_s": ("INTEGER NOT NULL", "seconds to the next visit"),
    "due_at": ("TEXT NOT NULL", "when it is to be visited again"),
    "often_s": ("REAL NOT NULL", "revisit.often_s when this was planned"),
}
TABLES: Final = {"revisits": REVISITS}
ROWS: Final = {"revisits": "when a page is to be visited again"}
"""What a row is, by table."""

CHUNK: Final = 500
"""Pages that are planned at once."""

Row = tuple[Any, ...]


class Sight(NamedTuple):
    """What a visit saw of a page. state: whatever people would notice; None where nobody can tell,
    as in an outage. A 304 saw what the visit before it did."""

    at: float
    state: object


CONFIRMED = object()
"""The state that a 304 stands for: the one before."""


def statements() -> list[str]:
    """What brings the plan into a file."""
    return [
        *(create(name, columns, None) for name, columns in TABLES.items()),
        "CREATE INDEX revisits_due_at ON revisits(due_at)",
    ]


def update(connection: Any, *, often_s: float) -> int:
    """Plan the next visit of every page that was visited since it was planned, or for which other
    settings held; how many there were. Within a transaction."""
    planned, last = 0, 0
    while True:
        stale = connection.execute(STALE, (last, often_s, CHUNK)).fetchall()
        if not stale:
            return planned
        connection.executemany(PLAN, _plans(connection, stale, often_s))
        planned, last = planned + len(stale), stale[-1][0]


def _plans(connection: Any, stale: Sequence[Row], often_s: float) -> Iterator[Row]:
    """The rows of the plan for these pages (id, when they were visited last, how often)."""
    seen_often = [url_id for url_id, _, visits in stale if visits > 1]
    sights = dict(_sights(connection, seen_often))
    for url_id, visited_at, _ in stale:
        seen = sights.get(url_id, [])
        yield _planned(url_id, visited_at, seen, often_s)


def _planned(url_id: int, visited_at: str, sights: Sequence[Sight], often_s: float) -> Row:
    told = [sight for sight in sights if sight.state is not None]
    accesses = [
        Access(later.at - earlier.at, later.state not in (earlier.state, CONFIRMED))
        for earlier, later in pairwise(_resolved(told))
        if later.at > earlier.at
    ][-REMEMBERED:]
    rate = revisit.rate_per_s(accesses)
    interval = revisit.interval_s(rate, often_s=often_s)
    is_lost = bool(sights) and sights[-1].state is None
    due_at = iso(epoch(visited_at) + (min(interval, AGAIN_S) if is_lost else interval))
    return (
        url_id, visited_at, len(accesses), sum(access.changed for access in accesses),
        rate * DAY_S, round(interval), due_at, often_s,
    )  # fmt: skip


def _resolved(sights: Iterable[Sight]) -> Iterator[Sight]:
    """With the state that a 304 stands for in its place."""
    state: object = CONFIRMED
    for sight in sights:
        state = state if sight.state is CONFIRMED else sight.state
        yield Sight(sight.at, state)


def _sights(connection: Any, url_ids: Sequence[int]) -> Iterator[tuple[int, list[Sight]]]:
    """What the visits to these pages saw, the last ones, in their order."""
    places = ", ".join("?" * len(url_ids))
    rows = connection.execute(VISITS.format(places=places), url_ids)
    for url_id, visits in groupby(rows, key=itemgetter(0)):
        seen = [Sight(epoch(visit[1]), _state(visit[2:])) for visit in visits]
        yield url_id, seen[-REMEMBERED - 1 :]


def _state(visit: Row) -> object:
    status, error, challenge, not_modified, truncated, redirect_to, *document = visit
    if not_modified:
        return CONFIRMED
    if challenge is not None or (error is not None and not words.of(error).kept):
        return None
    if status is None or status == 429 or status >= 500 or truncated in ("disconnect", "time"):
        return None
    return tuple(document) if 200 <= status <= 299 else (status, redirect_to)


STALE = """
    SELECT pages.id, pages.fetched_at, pages.visits
    FROM pages
    LEFT JOIN revisits ON revisits.url_id = pages.id
    WHERE pages.id > ?
        AND (
            revisits.url_id IS NULL
            OR revisits.visited_at <> pages.fetched_at
            OR revisits.often_s <> ?
        )
    ORDER BY pages.id
    LIMIT ?
"""

VISITS = """
    SELECT url_id, started_at, status, error, challenge, not_modified, truncated, redirect_to_id,
        title, text_hash, canonical
    FROM visits
    WHERE url_id IN ({places}) AND kind = 'page'
    ORDER BY url_id, id
"""

PLAN = """
    INSERT OR REPLACE INTO revisits (
        url_id, visited_at, accesses, changes, changes_per_day, interval_s, due_at, often_s
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""

VIEWS = {
    "revisit_plan": """
        -- When each page is to be visited again (crawler crawl --due), and why then.
        SELECT
            urls.url,
            revisits.due_at,
            CASE
                WHEN pages.error IS NOT NULL OR pages.status = 429 OR pages.status >= 500
                THEN 'could not be reached'
                WHEN revisits.accesses = 0 THEN 'visited once'
                WHEN revisits.accesses = 1 AND revisits.changes = 0
                THEN 'not seen to change at its only revisit'
                WHEN revisits.accesses = 1 THEN 'changed at its only revisit'
                WHEN revisits.changes = 0
                THEN 'not seen to change in ' || revisits.accesses || ' visits'
                ELSE 'changed at ' || revisits.changes || ' of ' || revisits.accesses || ' visits'
            END AS why,
            round(revisits.interval_s / 86400.0, 3) AS interval_days,
            round(revisits.changes_per_day, 4) AS changes_per_day,
            revisits.accesses,
            revisits.changes,
            revisits.visited_at,
            pages.status,
            revisits.url_id
        FROM revisits
        JOIN urls ON urls.id = revisits.url_id
        JOIN pages ON pages.id = revisits.url_id
    """,
}
