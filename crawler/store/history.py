"""What became of pages, run by run?

The reads behind ``crawler changes``, ``log`` and ``diff``. They look at the visits of few pages,
and take no longer where a crawl has a million.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from itertools import chain, pairwise
from typing import Any

import msgspec

from crawler.config import Config
from crawler.errors import UsageError
from crawler.policy import urls
from crawler.policy.moments import TOO, moment
from crawler.policy.seeds import over_http, read_line
from crawler.policy.urls import UrlRules
from crawler.store import kept_changes
from crawler.store.changes import BETWEEN, BETWEEN_MANY, LOG, MANY_BETWEEN, VERSION
from crawler.store.database import Connection
from crawler.store.queries import Rows


class Pair(msgspec.Struct, frozen=True):
    """Two runs that are compared."""

    older: int
    newer: int


def pair(
    connection: Connection,
    *,
    since: str | None = None,
    older: int | None = None,
    newer: int | None = None,
) -> Pair | None:
    """The runs to compare: those named, the last before a date and the newest, or the last two
    crawls; None where there is no run before. Raises UsageError for what there is not."""
    begun = dict(connection.execute("SELECT id, started_at FROM runs ORDER BY id").fetchall())
    for run in (older, newer):
        if run is not None and run not in begun:
            known = f"there are 1 to {max(begun)}" if begun else "there is none yet"
            raise UsageError(f"no run {run} ({known})")
    last = newer or max(begun, default=0)
    if since is not None:
        older = _last_before(begun, since)
    elif older is None:
        [older] = connection.execute(LAST_FINISHED_BEFORE, (last,)).fetchone()
    if older is None:
        return None
    if older >= last:
        raise UsageError(f"run {older} is not before run {last}")
    return Pair(older, last)


def _last_before(begun: Mapping[int, str], since: str) -> int:
    at = moment("--since", since)
    before = [run for run, started_at in begun.items() if started_at < at]
    if not before:
        first = f"the first began {min(begun.values())}" if begun else "there is none yet"
        raise UsageError(f"--since {since}: no run began before then ({first}); {TOO}")
    return max(before)


LAST_FINISHED_BEFORE = """
    SELECT max(id)
    FROM runs
    WHERE finish_reason = 'finished' AND id < ?
"""


MOST_SORTED = 20_000
"""Pages that are sorted by their addresses; more come as they are found, so that the first ones
are there at once."""
KINDS = ("gone", "moved", "new", "returned", "unreachable", "changed")
"""Of changes, in the order in which they are told."""
_IS_KNOWN = f"SELECT {kept_changes.IS_KNOWN.format(older=':older', newer=':newer')}"
_DIFFERENCE = """
    SELECT 1
    FROM run_differences
    WHERE from_run = :older AND to_run = :newer AND change <> 'touched'
    LIMIT 1 OFFSET :most
"""
_CANDIDATE = """
    SELECT 1
    FROM visits
    WHERE run_id > :older AND run_id <= :newer AND run_id > 1 AND changed = 1 AND kind = 'page'
    LIMIT 1 OFFSET :most
"""


def changes(connection: Connection, compared: Pair) -> Rows:
    """What differs between two runs, the pages that are gone first; of many (`are_many`) that no
    analysis compared, as they are found."""
    values = msgspec.structs.asdict(compared)
    if not are_many(connection, compared):
        return _rows(connection.execute(_between(connection), values))
    if not _is_known(connection, compared):
        return _rows(connection.execute(BETWEEN_MANY, values))
    cursors = [connection.execute(MANY_BETWEEN, values | {"change": kind}) for kind in KINDS]
    return Rows(_rows(cursors[0]).columns, chain.from_iterable(cursors))


def are_many(connection: Connection, compared: Pair) -> bool:
    """Do so many pages differ between two runs that they are not sorted by their addresses?"""
    if not _has(connection, "run_differences", "change"):
        return False
    one_more = _DIFFERENCE if _is_known(connection, compared) else _CANDIDATE
    values = msgspec.structs.asdict(compared) | {"most": MOST_SORTED}
    return connection.execute(one_more, values).fetchone() is not None


def _is_known(connection: Connection, compared: Pair) -> bool:
    found = connection.execute(_IS_KNOWN, msgspec.structs.asdict(compared))
    return bool(found.fetchone()[0])


# One page


class Known(msgspec.Struct, frozen=True):
    """A URL that is in a crawl: its id, how it is written there, and what became of it."""

    id: int
    url: str
    state: str
    reason: str | None


def find(connection: Connection, address: str) -> Known:
    """The URL that a person means, read as a seed is. Raises UsageError, with what is like it."""
    seed = read_line(1, address, rules=UrlRules.of(config_of(connection)))
    if seed is None or seed.error:
        raise UsageError(f"{address}: {seed.error if seed else 'is no address'}")
    meant = [seed.target, *([over_http(seed.target)] if seed.scheme_assumed else [])]
    for target in meant:
        if known := _by_hash(connection, target.hash):
            return known
    near = _near(connection, seed.target.url)
    hint = f"; did you mean {' or '.join(near)}?" if near else ""
    named = address.strip() if seed.scheme_assumed else seed.target.url
    raise UsageError(f"{named}: is not in this crawl{hint}")


def config_of(connection: Connection) -> Config:
    """The settings of the last run; the defaults where another version wrote them."""
    row = connection.execute("SELECT config FROM runs ORDER BY id DESC LIMIT 1").fetchone()
    try:
        return msgspec.json.decode(row[0] if row else "{}", type=Config)
    except msgspec.DecodeError:
        return Config()


def _by_hash(connection: Connection, number: int) -> Known | None:
    row = connection.execute(
        "SELECT id, url, state, reason FROM urls WHERE hash = ?", (number,)
    ).fetchone()
    return None if row is None else Known(*row)


LOG_KIND = 10
"""The place of the kind of visit in a row of the log."""
MOST_NEAR = 3
LOOKED_THROUGH = 2000
"""URLs among which those that are like another one are looked for."""


def _near(connection: Connection, url: str) -> list[str]:
    """URLs of the crawl that are like this one: written otherwise, or with the same end."""
    variants = {urls.resolve(variant)[0].hash for variant in _variants(url)}
    known = [found.url for number in variants if (found := _by_hash(connection, number))]
    if known:
        return sorted(known)[:MOST_NEAR]
    end = url.rstrip("/").rpartition("/")[2]
    host = urls.host_of(url)
    rows = connection.execute(
        """
        SELECT url FROM (SELECT url FROM urls WHERE instr(url, :end) LIMIT :most)
        UNION
        SELECT url
        FROM (
            SELECT urls.url
            FROM urls
            JOIN hosts ON hosts.id = urls.host_id
            WHERE hosts.host = :host
            LIMIT :most
        )
        """,
        {"end": end, "host": host, "most": LOOKED_THROUGH},
    )
    # What all addresses of a site have in common says nothing of which one is meant.
    known_by_path = {urls.path_of(found): found for (found,) in rows}
    near = get_close_matches(urls.path_of(url), known_by_path, MOST_NEAR, 0.7)
    return [known_by_path[path] for path in near]


def _variants(url: str) -> Iterator[str]:
    """How else the same page may be written."""
    scheme, _, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    other_scheme = "http" if scheme == "https" else "https"
    other_host = host.removeprefix("www.") if host.startswith("www.") else f"www.{host}"
    other_path = path.removesuffix("/") if path.endswith("/") else f"{path}/"
    for protocol in (scheme, other_scheme):
        for name in (host, other_host):
            for end in (path, other_path, path.lower(), path.partition("?")[0]):
                yield f"{protocol}://{name}{slash}{end}"


def log(connection: Connection, url: Known) -> Rows:
    """Every visit to a URL, the last first: what it found other than the one before it."""
    _need(connection, "visits", "changed")
    return _rows(connection.execute(LOG, {"url_id": url.id}))


def plan(connection: Connection) -> Rows:
    """When each page is to be visited again, those that are due first."""
    _need(connection, "revisits", "due_at")
    return _rows(
        connection.execute(
            """
            SELECT due_at, url, why, interval_days, changes_per_day, accesses, changes, visited_at
            FROM revisit_plan
            ORDER BY due_at
            """
        )
    )


def is_plan_older(connection: Connection) -> bool:
    """Was a page visited since the visits were planned? The one that was visited last tells: all
    are planned at once."""
    _need(connection, "revisits", "due_at")
    row = connection.execute(
        """
        SELECT revisits.visited_at IS NOT pages.fetched_at
        FROM visits
        JOIN pages ON pages.id = visits.url_id
        LEFT JOIN revisits ON revisits.url_id = visits.url_id
        WHERE visits.kind = 'page'
        ORDER BY visits.id DESC
        LIMIT 1
        """
    ).fetchone()
    return row is not None and bool(row[0])


def _need(connection: Connection, table: str, column: str) -> None:
    """Refuse a file that no crawler of this version has written to."""
    if not _has(connection, table, column):
        raise UsageError("this file is of an older version; crawler analyse --db FILE updates it")


def _has(connection: Connection, table: str, column: str) -> bool:
    there = "SELECT 1 FROM pragma_table_info(?) WHERE name = ?"
    return connection.execute(there, (table, column)).fetchone() is not None


class Version(msgspec.Struct, frozen=True):
    """A page as a run left it.

    run, at: of the last visit up to that run. status, error, redirect_to: what that answered.
    document_at: when the document was fetched that is known of it, None where there is none; the
    rest is the document's. headers: by lower-case name. text: None where it is not kept. body: a
    zlib stream, None where it is not kept.
    """

    run: int
    at: str
    status: int | None
    error: str | None
    redirect_to: str | None
    headers: Mapping[str, Any]
    document_at: str | None
    title: str | None
    canonical: str | None
    text_hash: int | None
    body_id: int | None
    charset: str | None
    content_type: str | None
    text: str | None
    body: bytes | None


class Difference(msgspec.Struct, frozen=True):
    """One thing that differs.

    part: status, redirect, title, canonical, text, link or header. change: added, removed or
        changed.
    name: of a header; a link's address; of text, the place of the first word in the new version,
        from 1.
    before, after: the values, the words, the anchor of a link. ahead, behind: words around a text.
    """

    part: str
    change: str
    name: str
    before: str | None
    after: str | None
    ahead: str = ""
    behind: str = ""


class Compared(msgspec.Struct, frozen=True):
    """Two versions of a page. unknown: what could not be compared, and why, in words."""

    older: Version
    newer: Version
    differences: tuple[Difference, ...]
    unknown: tuple[str, ...] = ()


def version(connection: Connection, url: Known, run: int) -> Version | None:
    """The page as this run left it; None when nobody had visited it yet."""
    _need(connection, "renders", "body_id")
    row = connection.execute(VERSION, {"url_id": url.id, "run_id": run}).fetchone()
    if row is None:
        return None
    values = dict(zip(Version.__struct_fields__, row, strict=True))
    return Version(**values | {"headers": json.loads(values["headers"] or "{}")})


def runs_apart(connection: Connection, url: Known) -> Pair | None:
    """The last run that visited a page, and the last before it that found it another; None where it
    has been the same all the time. Raises UsageError where nobody has visited it as a page."""
    _need(connection, "visits", "changed")
    visits = connection.execute(LOG, {"url_id": url.id}).fetchall()
    if all(visit[LOG_KIND] != "page" for visit in visits):
        raise UsageError(f"{url.url}: no run visited it as a page ({_fate(url)})")
    newest = visits[0][1]
    for visit, before in pairwise(visits):
        if visit[2] not in (None, "same") and before[1] < newest:
            return Pair(before[1], newest)
    return None


def why_unvisited(connection: Connection, url: Known) -> str | None:
    """Why there is no visit to a URL, in words of the database; None when there is one."""
    visited = connection.execute("SELECT 1 FROM visits WHERE url_id = ? LIMIT 1", (url.id,))
    return None if visited.fetchone() else _fate(url)


def _fate(url: Known) -> str:
    return url.state if url.reason is None else f"{url.state}: {url.reason}"


BETWEEN_BY_VIEW = """
    SELECT change, url, what, before, status, error, title, moved_to
    FROM changes_between_runs
    WHERE from_run = :older AND to_run = :newer
    ORDER BY change = 'changed', change, url
"""


def _between(connection: Connection) -> str:
    """Files that this version has not written to yet answer by the views that they have."""
    return BETWEEN if _has(connection, "run_differences", "change") else BETWEEN_BY_VIEW


def _rows(cursor: Any) -> Rows:
    return Rows(tuple(column[0] for column in cursor.description), iter(cursor))
