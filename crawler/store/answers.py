"""What was asked for, and what was answered, one after the other?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from crawler.policy.link_kinds import REQUISITES
from crawler.store.database import Connection
from crawler.store.packing import unpacked

EVERY_PAGE: Final = "pages"


def stands(row: str, *, is_document: bool = False) -> str:
    """A condition on a row with a status: it is there, or could not be had just now and was there
    before; what is gone or has moved is not.

    row: its name in the statement. is_document: it has a ``document_status``, too.
    """
    status = f"{row}.status"
    there = (
        f"({status} IS NULL OR {status} BETWEEN 200 AND 299 OR {status} = 429 OR {status} >= 500)"
    )
    if not is_document:
        return there
    return f"({there} AND coalesce({row}.document_status BETWEEN 200 AND 299, 0))"


class Answered(NamedTuple):
    """A visit that was answered, with its body, unpacked, where that is kept.

    first_url, first_at: of the visit that brought the same body first, among those chosen; None
    where it is this one, or there is no body.
    """

    id: int
    run_id: int
    url_id: int
    url: str
    kind: str
    method: str
    started_at: str
    status: int
    error: str | None
    ip: str | None
    http_version: str | None
    wire_bytes: int
    body_bytes: int
    truncated: str | None
    content_type: str | None
    headers: str | None
    etag: str | None
    last_modified: str | None
    redirects: int
    sha256: str | None
    first_url: str | None
    first_at: str | None
    body: bytes | None

    def header_pairs(self) -> list[tuple[str, str]]:
        """The headers as they are kept: names in lower case, in the order in which each came first.
        Of a 304 only its validators are."""
        if self.headers is None:
            known = (("etag", self.etag), ("last-modified", self.last_modified))
            return [(name, value) for name, value in known if value]
        held = msgspec.json.decode(self.headers, type=dict[str, str | list[str]])
        return [
            (name, value)
            for name, values in held.items()
            for value in ([values] if isinstance(values, str) else values)
        ]


class Choice(NamedTuple):
    """Which visits: of a run where one is named; of the pages that a table or sub-select gives."""

    run: int | None = None
    pages: str = EVERY_PAGE

    @property
    def values(self) -> Mapping[str, int | None]:
        """What the statements are given."""
        return {"run": self.run}

    @property
    def condition(self) -> str:
        """What holds of the visits that are chosen: they brought an answer that may be a document,
        which a check did not."""
        asked = "visits.status IS NOT NULL AND visits.kind <> 'check'"
        if self.run is not None:
            asked += " AND visits.run_id = :run"
        if self.pages != EVERY_PAGE:
            asked += OF_PAGES.format(pages=self.pages)
        return asked


class Left(NamedTuple):
    """How many answers are chosen; and how many visits had none, or were checks; and how much of
    what pages asked for in a browser got none of its own."""

    chosen: int
    unanswered: int
    checks: int
    parts: int


def counted(connection: Connection, choice: Choice) -> Left:
    """How many there are, and what is left out."""
    row = connection.execute(COUNT.format(condition=choice.condition), choice.values).fetchone()
    chosen, unanswered, checks = row
    own, others = 0, 0
    if _knows_rendering(connection):
        counting = COUNT_PARTS.format(condition=choice.condition)
        own, others = connection.execute(counting, choice.values).fetchone()
    return Left(chosen + own, unanswered, checks, others)


def answers(connection: Connection, choice: Choice) -> Iterator[Answered]:
    """The visits of a choice in their order, each followed by what its page asked for while a
    browser showed it."""
    cursor = connection.execute(ANSWERS.format(condition=choice.condition), choice.values)
    parts = _parts(connection, choice)
    part = next(parts, None)
    for row in cursor:
        answered = _answered(row)
        yield answered
        while part is not None and part.id <= answered.id:
            yield part
            part = next(parts, None)


def _parts(connection: Connection, choice: Choice) -> Iterator[Answered]:
    """What pages asked for and got, by the id of the visit and in order."""
    if _knows_rendering(connection):
        asked = PARTS.format(condition=choice.condition)
        yield from map(_answered, connection.execute(asked, choice.values))


def _answered(row: tuple[Any, ...]) -> Answered:
    *known, first_at, packed, size, body_id = row
    is_first = first_at is None and packed is not None
    body = unpacked(packed, size, body_id) if is_first else None
    return Answered._make((*known, first_at, body))


def _knows_rendering(connection: Connection) -> bool:
    """A file of before pages were shown may be open for reading only."""
    [knows] = connection.execute(KNOWS_RENDERING).fetchone()
    return bool(knows)


def page_texts(connection: Connection, choice: Choice) -> Iterator[tuple[Any, ...]]:
    """Id, address, title, time and visible text of each page that was answered well, as its last
    visit of a choice saw it; the nearest to the seeds first."""
    # With their texts they would be sorted in memory.
    shown = "renders.body_id" if _knows_rendering(connection) else "NULL"
    renders = "LEFT JOIN renders ON renders.visit_id = visits.id" if shown != "NULL" else ""
    asked = PAGES.format(condition=choice.condition, shown=shown, renders=renders)
    for *page, body_id in connection.execute(asked, choice.values):
        text = connection.execute(TEXT, (body_id,)).fetchone()
        yield (*page, None if text is None else text[0])


def settings_of(connection: Connection, run_id: int | None) -> str | None:
    """The settings of a run, by default of the last, as JSON; None where it fetched nothing
    itself."""
    # A file of before there were imports may be open for reading only.
    [knows] = connection.execute(KNOWS_IMPORTS).fetchone()
    asked = SETTINGS.format(condition="via = 'crawl'" if knows else "1")
    row = connection.execute(asked, {"run": run_id}).fetchone()
    return None if row is None else str(row[0])


OF_PAGES = f"""
        AND (
            visits.url_id IN (SELECT id FROM {{pages}})
            OR visits.url_id IN (
                SELECT links.target_id
                FROM {{pages}} AS chosen
                JOIN links ON links.source_id = chosen.id
                WHERE links.kind IN ({", ".join(f"'{kind}'" for kind in sorted(REQUISITES))})
            )
        )"""
"""Those of pages, and of what they need to look right."""

COUNT = """
    SELECT count(*) FILTER (WHERE {condition}), count(*) FILTER (WHERE visits.status IS NULL),
        count(*) FILTER (WHERE visits.status IS NOT NULL AND visits.kind = 'check')
    FROM visits
    WHERE :run IS NULL OR visits.run_id = :run
"""

KNOWS_IMPORTS = """
    SELECT count(*)
    FROM pragma_table_info('runs')
    WHERE name = 'via'
"""

SETTINGS = """
    SELECT config
    FROM runs
    WHERE {condition} AND (:run IS NULL OR id = :run)
    ORDER BY id DESC
    LIMIT 1
"""

ANSWERS = """
    WITH first_of AS MATERIALIZED (
        SELECT visits.body_id, min(visits.id) AS id
        FROM visits
        JOIN bodies ON bodies.id = visits.body_id
        WHERE {condition} AND bodies.body IS NOT NULL
        GROUP BY visits.body_id
    )
    SELECT visits.id, visits.run_id, visits.url_id, urls.url, visits.kind, visits.method,
        visits.started_at, visits.status, visits.error, visits.ip, visits.http_version,
        visits.wire_bytes, visits.body_bytes, visits.truncated, visits.content_type,
        visits.headers, visits.etag, visits.last_modified, visits.redirect_to_id IS NOT NULL,
        bodies.sha256, first_urls.url, first_visits.started_at,
        CASE WHEN first_visits.id IS NULL THEN bodies.body END, bodies.body_bytes, bodies.id
    FROM visits
    JOIN urls ON urls.id = visits.url_id
    LEFT JOIN bodies ON bodies.id = visits.body_id
    LEFT JOIN first_of ON first_of.body_id = visits.body_id AND first_of.id <> visits.id
    LEFT JOIN visits AS first_visits ON first_visits.id = first_of.id
    LEFT JOIN urls AS first_urls ON first_urls.id = first_visits.url_id
    WHERE {condition}
    ORDER BY visits.id
"""

KNOWS_RENDERING = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE name = 'requests')"

COUNT_PARTS = """
    SELECT count(*) FILTER (WHERE requests.status IS NOT NULL AND requests.cached = 0),
        count(*) FILTER (WHERE requests.status IS NULL OR requests.cached = 1)
    FROM requests
    CROSS JOIN visits ON visits.id = requests.visit_id
    WHERE {condition}
"""

PARTS = """
    WITH first_of AS MATERIALIZED (
        SELECT requests.body_id, min(requests.visit_id * 100000 + requests.position) AS place
        FROM requests
        CROSS JOIN visits ON visits.id = requests.visit_id
        JOIN bodies ON bodies.id = requests.body_id
        WHERE {condition} AND bodies.body IS NOT NULL
        GROUP BY requests.body_id
    )
    SELECT requests.visit_id, visits.run_id, requests.target_id, urls.url,
        CASE WHEN requests.type = 'Robots' THEN 'robots' ELSE 'asset' END,
        requests.method, requests.started_at, requests.status, requests.reason, requests.ip,
        requests.http_version, requests.wire_bytes, requests.body_bytes, NULL,
        requests.content_type, requests.headers, NULL, NULL, 0, bodies.sha256,
        first_urls.url, firsts.started_at, CASE WHEN firsts.visit_id IS NULL THEN bodies.body END,
        bodies.body_bytes, bodies.id
    FROM requests
    CROSS JOIN visits ON visits.id = requests.visit_id
    CROSS JOIN urls ON urls.id = requests.target_id
    LEFT JOIN bodies ON bodies.id = requests.body_id
    LEFT JOIN first_of ON first_of.body_id = requests.body_id
        AND first_of.place <> requests.visit_id * 100000 + requests.position
    LEFT JOIN requests AS firsts ON firsts.visit_id = first_of.place / 100000
        AND firsts.position = first_of.place % 100000
    LEFT JOIN urls AS first_urls ON first_urls.id = firsts.target_id
    WHERE requests.status IS NOT NULL AND requests.cached = 0 AND {condition}
    ORDER BY requests.visit_id, requests.position
"""
"""Columns as those of `ANSWERS`. requests is read in the order of its key, so that nothing is
sorted."""

PAGES = """
    WITH last_of AS MATERIALIZED (
        SELECT visits.url_id, max(visits.id) AS id
        FROM visits
        WHERE {condition} AND visits.kind = 'page' AND visits.status = 200
            AND visits.content_type IN ('text/html', 'application/xhtml+xml')
        GROUP BY visits.url_id
    )
    SELECT urls.id, urls.url, visits.title, visits.started_at,
        coalesce({shown}, visits.body_id)
    FROM last_of
    JOIN visits ON visits.id = last_of.id
    {renders}
    JOIN urls ON urls.id = visits.url_id
    ORDER BY urls.depth, urls.id
"""

TEXT = """
    SELECT text
    FROM texts
    WHERE body_id = ?
"""
