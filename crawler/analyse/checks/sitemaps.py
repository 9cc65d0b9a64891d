"""Which sitemaps are broken, and what do they list that a search engine cannot use?

A finding stands at the sitemap that one would edit, and names the entry; those of pages that no
sitemap names, or no page links to, stand at the page. Feeds are no sitemaps.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from crawler.analyse.check import Check, Found, Limits
from crawler.analyse.checks.robots_files import named_sitemaps, robots_files
from crawler.analyse.checks.sitemap_files import (
    ARE_SITEMAPS,
    FEEDS,
    LAST,
    NAMESPACE,
    SitemapFile,
    guessed,
    sitemap_files,
)
from crawler.analyse.checks.sites import FRONTS
from crawler.policy.urls import resolve
from crawler.store.database import Connection

_WRITTEN: Final = """
    SELECT sitemap_entries.sitemap_id, urls.url, sitemap_entries.lastmod
    FROM sitemap_entries
    JOIN urls AS sitemap ON sitemap.id = sitemap_entries.sitemap_id
    JOIN urls ON urls.id = sitemap_entries.url_id
    WHERE sitemap_entries.lastmod IS NOT NULL AND sitemap.kind <> 'feed'
    ORDER BY sitemap_entries.sitemap_id, urls.url
"""
_W3C: Final = re.compile(
    r"\d{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01])"
    r"(?:T(?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d))?"
    r")?)?"
)
"""https://www.w3.org/TR/NOTE-datetime"""
_STRANGERS: Final = """
    SELECT sitemap_entries.sitemap_id, entry.origin_id, sitemap.url, entry.url
    FROM sitemap_entries
    JOIN urls AS sitemap ON sitemap.id = sitemap_entries.sitemap_id
    JOIN urls AS entry ON entry.id = sitemap_entries.url_id
    WHERE sitemap.kind <> 'feed' AND entry.host_id <> sitemap.host_id
    ORDER BY sitemap_entries.sitemap_id, entry.url
"""
_SITEMAPS: Final = f"""
    SELECT id, origin_id, url, status, state, reason
    FROM urls
    WHERE (
            {ARE_SITEMAPS}
            OR url IN (SELECT value FROM json_each(:named))
            OR id IN (SELECT value FROM json_each(:guessed))
        )
        AND state IN ('done', 'failed')
    ORDER BY id
"""
"""Those that are named, or stand where one is looked for, count when a page links to them and there
is none, too."""
_FRONTS: Final = f"""
    WITH {FRONTS}
    SELECT origins.id, fronts.id
    FROM fronts
    JOIN origins ON origins.host_id = fronts.host_id
"""


def _answers(connection: Connection, guesses: frozenset[int]) -> list[tuple[Any, ...]]:
    """What every sitemap answered."""
    named = [
        resolve(place, f"{file.origin}/")[0].url
        for file in robots_files(connection)
        for place in file.sitemaps()
    ]
    asked = {"named": json.dumps(named), "guessed": json.dumps(sorted(guesses))}
    return list(connection.execute(_SITEMAPS, asked))


def _missing(connection: Connection, _limits: Limits) -> Iterator[Found]:
    """Hosts whose robots.txt names no sitemap, and that have none at the usual place."""
    guesses = guessed(connection)
    fronts = dict(connection.execute(_FRONTS).fetchall())
    for url_id, origin_id, url, status, _, _ in _answers(connection, guesses):
        if url_id in guesses and status in (404, 410):
            yield fronts.get(origin_id, url_id), "", {"asked_for": url, "status": status}


def _bad_status(connection: Connection, _limits: Limits) -> Iterator[Found]:
    guesses = guessed(connection)
    for url_id, _, _, status, _, reason in _answers(connection, guesses):
        if status != 200 and not (url_id in guesses and status in (404, 410)):
            yield url_id, "", {"status": status, "reason": reason}


def _malformed(connection: Connection, limits: Limits) -> Iterator[Found]:
    guesses = guessed(connection)
    for file in sitemap_files(connection):
        fault = _fault(file, limits["bytes"])
        # A server that answers everything with a page does not say that this is a sitemap.
        if fault and not (file.url_id in guesses and file.is_page):
            yield file.url_id, "", {"fault": fault}


def _fault(file: SitemapFile, most: float) -> str | None:
    """What is wrong with its form."""
    if not file.is_known:
        return None if file.body_bytes or file.error else "it is empty"
    if file.root is None:
        return None if file.is_list else "neither XML nor a list of addresses"
    if file.root not in FEEDS and file.root not in ("urlset", "sitemapindex"):
        return f"it is <{file.root}>"
    if file.root not in FEEDS and file.namespace != NAMESPACE:
        return f"the namespace is {file.namespace!r}"
    if file.truncated == "parse" and file.unpacked_bytes < most:
        return "it is not well-formed"
    return None


def _too_large(connection: Connection, limits: Limits) -> Iterator[Found]:
    most = limits["bytes"]
    for file in sitemap_files(connection):
        size = file.unpacked_bytes
        is_cut = file.truncated == "length" and size >= most
        if size > most or is_cut or file.error == "too_large":
            yield file.url_id, "", {"bytes": size}


def _other_host(connection: Connection, _limits: Limits) -> Iterator[Found]:
    """Entries of another host, whose robots.txt does not say that they may stand there."""
    named = named_sitemaps(connection)
    for sitemap_id, origin_id, sitemap, entry in connection.execute(_STRANGERS).fetchall():
        if sitemap not in named.get(origin_id, ()):
            yield sitemap_id, entry, {"sitemap": sitemap}


def _lastmod_invalid(connection: Connection, limits: Limits) -> Iterator[Found]:
    (started,) = connection.execute("SELECT max(started_at) FROM runs").fetchone()
    latest = datetime.fromisoformat(started) + timedelta(days=limits["days"])
    feeds: frozenset[int] | None = None
    for sitemap_id, entry, lastmod in connection.execute(_WRITTEN).fetchall():
        fault = _fault_of_date(lastmod, latest)
        if fault is None:
            continue
        if feeds is None:
            feeds = _feeds(connection)
        if sitemap_id not in feeds:
            yield sitemap_id, entry, {"lastmod": lastmod, "fault": fault}


def _feeds(connection: Connection) -> frozenset[int]:
    """Feeds that stand in the place of a sitemap: their dates have forms of their own."""
    return frozenset(file.url_id for file in sitemap_files(connection) if file.root in FEEDS)


def _fault_of_date(text: str, latest: datetime) -> str | None:
    if not _W3C.fullmatch(text):
        return "no date as W3C writes it"
    try:
        when = datetime.fromisoformat(text + "-01-01"[len(text) - 4 :] if len(text) < 10 else text)
    except ValueError:
        return "no day of the calendar"
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return "in the future" if when > latest else None


def _entries(condition: str, *evidence: str, also: str = "") -> str:
    """Entries that are no sitemaps themselves."""
    columns = "".join(f", {name}" for name in evidence)
    return f"""
        SELECT sitemap_entries.sitemap_id AS url_id, entry.url AS item{columns}
        FROM sitemap_entries
        JOIN urls AS sitemap ON sitemap.id = sitemap_entries.sitemap_id
        JOIN urls AS entry ON entry.id = sitemap_entries.url_id{also}
        WHERE sitemap.kind <> 'feed'
            AND entry.id NOT IN (SELECT id FROM urls WHERE {ARE_SITEMAPS})
            AND {condition}
    """


_ITS_PAGE: Final = """
        JOIN pages ON pages.id = entry.id"""
_LISTED: Final = """
    WITH listed AS MATERIALIZED (
        SELECT sitemap_entries.url_id, min(sitemap.url) AS sitemap
        FROM sitemap_entries
        JOIN urls AS sitemap ON sitemap.id = sitemap_entries.sitemap_id
        WHERE sitemap.kind <> 'feed'
        GROUP BY sitemap_entries.url_id
    )
"""

CHECKS: Final = (
    Check(
        name="sitemap_missing",
        severity="warning",
        definition="robots.txt names no sitemap, and there is none at /sitemap.xml",
        find=_missing,
        needs=("sitemaps_asked",),
    ),
    Check(
        name="sitemap_malformed",
        severity="error",
        definition="a sitemap is not well-formed, or has the wrong root or namespace",
        find=_malformed,
        limits={"bytes": 50 * 1024 * 1024},
        needs=("sitemaps_asked",),
    ),
    Check(
        name="sitemap_bad_status",
        severity="error",
        definition="a sitemap that is named does not answer 200",
        find=_bad_status,
        needs=("sitemaps_asked",),
    ),
    Check(
        name="sitemap_too_many",
        severity="error",
        definition="a sitemap has more addresses than are read of one",
        sql=f"""
            {LAST},
            counted AS MATERIALIZED (
                SELECT sitemap_id, count(*) AS entries
                FROM sitemap_entries
                GROUP BY sitemap_id
            )
            SELECT last.url_id, coalesce(counted.entries, 0) AS entries, visits.truncated
            FROM last
            JOIN visits ON visits.id = last.id
            LEFT JOIN counted ON counted.sitemap_id = last.url_id
            WHERE counted.entries > :urls OR visits.truncated = 'links'
        """,
        limits={"urls": 50_000},
        needs=("sitemaps_asked",),
    ),
    Check(
        name="sitemap_too_large",
        severity="error",
        definition="a sitemap is larger than is read of one, when it is unpacked",
        find=_too_large,
        limits={"bytes": 50 * 1024 * 1024},
        needs=("sitemaps_asked",),
    ),
    Check(
        name="sitemap_has_errors",
        severity="error",
        definition="a sitemap lists what answers with an error, or not at all",
        sql=_entries(
            "((entry.status >= 400 AND entry.status <> 429) OR entry.state = 'failed')",
            *("entry.status", "entry.reason"),
        ),
        needs=("sitemaps",),
    ),
    Check(
        name="sitemap_has_redirects",
        severity="warning",
        definition="a sitemap lists a redirect",
        sql=_entries("entry.status BETWEEN 300 AND 399", "entry.status"),
        needs=("sitemaps",),
    ),
    Check(
        name="sitemap_has_noindex",
        severity="error",
        definition="a sitemap lists a page that asks not to be indexed",
        sql=_entries("pages.indexability_reason = 'noindex'", "pages.meta_robots", also=_ITS_PAGE),
        needs=("sitemaps",),
    ),
    Check(
        name="sitemap_has_canonicalised",
        severity="warning",
        definition="a sitemap lists a page whose canonical is another one",
        sql=_entries("pages.indexability_reason = 'canonical'", "pages.canonical", also=_ITS_PAGE),
        needs=("sitemaps",),
    ),
    Check(
        name="sitemap_has_blocked",
        severity="warning",
        definition="a sitemap lists what robots.txt forbids",
        sql=_entries("entry.reason = 'robots'"),
        needs=("sitemaps",),
    ),
    Check(
        name="sitemap_has_http",
        severity="warning",
        definition="a sitemap of https lists an address of http of its own site",
        sql=_entries(
            "sitemap.url LIKE 'https:%' AND entry.url LIKE 'http:%'"
            " AND here.registered_domain = there.registered_domain",
            also="""
        JOIN hosts AS here ON here.id = sitemap.host_id
        JOIN hosts AS there ON there.id = entry.host_id""",
        ),
        needs=("sitemaps",),
    ),
    Check(
        name="sitemap_other_host",
        severity="warning",
        definition="a sitemap lists an address of a host whose robots.txt does not name it",
        find=_other_host,
        needs=("sitemaps",),
    ),
    Check(
        name="sitemap_duplicates",
        severity="note",
        definition="several sitemaps list the same address",
        sql="""
            WITH listed AS MATERIALIZED (
                SELECT sitemap_entries.sitemap_id, sitemap_entries.url_id,
                    count(*) OVER (PARTITION BY sitemap_entries.url_id) AS sitemaps
                FROM sitemap_entries
                JOIN urls AS sitemap ON sitemap.id = sitemap_entries.sitemap_id
                WHERE sitemap.kind <> 'feed'
            )
            SELECT listed.sitemap_id AS url_id, urls.url AS item, listed.sitemaps
            FROM listed
            JOIN urls ON urls.id = listed.url_id
            WHERE listed.sitemaps > 1
        """,
        needs=("sitemaps",),
    ),
    Check(
        name="sitemap_nested_index",
        severity="note",
        definition="an index of sitemaps lists another index",
        sql=f"""
            WITH indexed AS MATERIALIZED (
                SELECT sitemap_entries.sitemap_id, urls.id, urls.url
                FROM sitemap_entries
                JOIN urls ON urls.id = sitemap_entries.url_id
                WHERE urls.id IN (SELECT id FROM urls WHERE {ARE_SITEMAPS})
            )
            SELECT sitemap_id AS url_id, url AS item
            FROM indexed
            WHERE id IN (SELECT sitemap_id FROM indexed)
        """,
        needs=("sitemaps",),
    ),
    Check(
        name="orphan_pages",
        severity="warning",
        definition="a sitemap lists a page to which no page links",
        sql=f"""
            {_LISTED}
            SELECT pages.id AS url_id, listed.sitemap, pages.title
            FROM listed
            JOIN pages ON pages.id = listed.url_id
            WHERE pages.inlinks = 0
                AND pages.status = 200
                AND pages.id NOT IN (SELECT url_id FROM seeds WHERE url_id IS NOT NULL)
        """,
        needs=("sitemaps",),
    ),
    Check(
        name="not_in_sitemap",
        severity="note",
        definition="no sitemap lists an indexable page, though one lists others of its host",
        sql=f"""
            {_LISTED}
            SELECT id AS url_id, title
            FROM indexable_pages
            WHERE host_id IN (
                    SELECT pages.host_id
                    FROM listed
                    JOIN pages ON pages.id = listed.url_id
                )
                AND id NOT IN (SELECT url_id FROM listed)
        """,
        needs=("sitemaps",),
    ),
    Check(
        name="sitemap_lastmod_invalid",
        severity="note",
        definition="a lastmod is no date as W3C writes it, or in the future",
        find=_lastmod_invalid,
        limits={"days": 1},
        needs=("sitemaps",),
    ),
    Check(
        name="sitemap_lastmod_same",
        severity="note",
        definition="nearly all entries of a sitemap were changed on the same day, as it says",
        sql="""
            SELECT sitemap_entries.sitemap_id AS url_id, count(*) AS entries,
                count(DISTINCT substr(sitemap_entries.lastmod, 1, 10)) AS days,
                max(substr(sitemap_entries.lastmod, 1, 10)) AS last_day
            FROM sitemap_entries
            JOIN urls AS sitemap ON sitemap.id = sitemap_entries.sitemap_id
            WHERE sitemap_entries.lastmod IS NOT NULL AND sitemap.kind <> 'feed'
            GROUP BY sitemap_entries.sitemap_id
            HAVING count(*) >= :entries
                AND count(DISTINCT substr(sitemap_entries.lastmod, 1, 10)) <= :days
        """,
        limits={"entries": 20, "days": 2},
        needs=("sitemaps",),
    ),
    Check(
        name="sitemap_lastmod_lies",
        severity="note",
        definition="a lastmod is newer than the last change of its page that the crawl saw",
        sql=_entries(
            "pages.visits > 1"
            " AND julianday(sitemap_entries.lastmod) > julianday(pages.changed_at)"
            " AND julianday(sitemap_entries.lastmod) <= julianday(pages.fetched_at)",
            *("sitemap_entries.lastmod", "pages.changed_at", "pages.fetched_at"),
            also=_ITS_PAGE,
        ),
        needs=("sitemaps", "earlier_run"),
    ),
)
