"""On which pages does a word stand, and in which sentence?

The words are FTS5's own language (phrases in quotes, ``prefix*``, AND, OR, NOT, ``title : word``),
spelt as the texts are; what is no sentence of that language is read as words. Nothing is written,
so that a crawl may be searched while it runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from crawler.errors import UsageError
from crawler.policy.moments import moment
from crawler.policy.spelling import GAP, Respelt, respelt
from crawler.store import search_index
from crawler.store.database import Connection, SQLiteError

MOST_RANKED: Final = 50_000
"""Texts that are ranked; at 1 us each. What more hold tells little of any of them."""
MARKS: Final = "\x02", "\x03"
"""Around each word that was found, in a snippet."""
_CUT: Final = "\u2026"
_WORDS_SHOWN: Final = 32
_SIGNS_SHOWN: Final = 64
"""Of a snippet, in words, and where every character is one; FTS5 gives no more than 64."""
_MOST_WORDS: Final = 100
_AS_WORDS: Final = 2
"""Which of the `readings` that is."""
_PIECES: Final = re.compile(r'"[^"]*"\*?|[()]|[^\s()"]+')
_OPERATORS: Final = frozenset({"AND", "OR", "NOT", "(", ")"})
_QUOTES: Final = str.maketrans(dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\uff02", '"'))

_FROM_PAGES: Final = """
    FROM search
    CROSS JOIN pages ON pages.body_id = search.rowid
    CROSS JOIN indexed_texts ON indexed_texts.body_id = search.rowid
    WHERE search MATCH :query
        AND pages.document_at IS NOT NULL
        AND (:since IS NULL OR pages.changed_at >= :since)
        AND (:until IS NULL OR pages.changed_at < :until)
"""
_OF_PAGES: Final = """
    pages.id, pages.url, coalesce(pages.title, nullif(indexed_texts.title, '')), pages.status,
    pages.content_type, pages.changed_at
"""
_FROM_VISITS: Final = """
    FROM search
    CROSS JOIN visits ON visits.body_id = search.rowid
    CROSS JOIN indexed_texts ON indexed_texts.body_id = search.rowid
    CROSS JOIN urls ON urls.id = visits.url_id
    WHERE search MATCH :query
        AND visits.kind = 'page'
        AND visits.run_id <= :run
        AND visits.status BETWEEN 200 AND 299
        AND visits.error IS NULL
        AND (:since IS NULL OR visits.started_at >= :since)
        AND (:until IS NULL OR visits.started_at < :until)
        AND NOT EXISTS (
            SELECT 1
            FROM visits AS later
            WHERE later.url_id = visits.url_id
                AND later.id > visits.id
                AND later.run_id <= :run
                AND later.kind = 'page'
                AND later.not_modified = 0
                AND later.error IS NULL
                AND later.status < 500
                AND later.status <> 429
        )
"""
"""Each page as it was last found until the end of that run; what failed for a time changes nothing
of it."""
_OF_VISITS: Final = """
    urls.id, urls.url, coalesce(visits.title, nullif(indexed_texts.title, '')), visits.status,
    visits.content_type, visits.started_at
"""
_NOW: Final = _FROM_PAGES, _OF_PAGES, "pages.host_id"
_IN_RUN: Final = _FROM_VISITS, _OF_VISITS, "urls.host_id"
"""Where pages are looked for, what is told of each, and which host is theirs."""
_OF_SITE: Final = """
    AND (
        :site IS NULL
        OR {host_id} IN (
            SELECT id
            FROM hosts
            WHERE host = :site OR substr(host, -length(:site) - 1) = '.' || :site
        )
    )
"""
_SNIPPET: Final = "search.rowid, snippet(search, 1, char(2), char(3), :cut, :shown)"
_PROBE: Final = """
    SELECT 1
    FROM search
    WHERE search MATCH ?
    LIMIT 1 OFFSET ?
"""
_WRITTEN: Final = """
    SELECT texts.text
    FROM spaced_texts
    JOIN texts ON texts.body_id = spaced_texts.body_id
    WHERE spaced_texts.body_id = ? AND spaced_texts.text IS NOT NULL
"""
_SEARCHED: Final = """
    SELECT count(*)
    FROM pages
    WHERE pages.body_id IS NOT NULL
"""
_BEHIND: Final = """
    SELECT count(*)
    FROM texts
    WHERE body_id > (SELECT coalesce(max(body_id), 0) FROM indexed_texts)
"""


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What is searched for. site: a host, with those below it. since, until: dates, as they were
    written, of when a page was first found as it is. run: pages as it left them; None for now."""

    words: str
    site: str | None = None
    since: str | None = None
    until: str | None = None
    run: int | None = None
    limit: int = 20


class Hit(msgspec.Struct, frozen=True):
    """A page. snippet: with `MARKS`. score: higher is better; None where nothing was ranked.
    found_at: when it was first found as it is, or when the run found it."""

    url: str
    title: str | None
    snippet: str
    score: float | None
    status: int | None
    content_type: str | None
    found_at: str


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a search.

    crowded: more than `MOST_RANKED` texts hold the words. read_as: words, where it was no query.
    searched: pages, where none was found. behind: texts that are not in the index; None where there
    is no index. unread_pdfs: where nothing was found.
    """

    hits: list[Hit]
    crowded: bool = False
    read_as: str | None = None
    searched: int = 0
    behind: int | None = 0
    unread_pdfs: int = 0


def search(connection: Connection, asked: Asked) -> Found:
    """The best pages first. Raises UsageError for a date, a site or a run that there is not."""
    values = {
        "site": _site(connection, asked.site),
        "since": None if asked.since is None else moment("--since", asked.since),
        "until": (None if asked.until is None else moment("--until", asked.until, later=True)),
        "run": _run(connection, asked.run),
        "cut": _CUT,
    }
    if not search_index.is_there(connection):
        return Found(hits=[], behind=None)
    [behind] = connection.execute(_BEHIND).fetchone()
    query, crowded, read_as = _understood(connection, asked.words)
    hits = _hits(connection, asked, values, query, crowded=crowded) if query else []
    if hits:
        return Found(hits=hits, crowded=crowded, read_as=read_as, behind=behind)
    [searched] = connection.execute(
        _SEARCHED + _OF_SITE.format(host_id="pages.host_id"), values
    ).fetchone()
    [pdfs] = connection.execute(search_index.UNREAD_PDFS).fetchone()
    return Found(hits=[], read_as=read_as, searched=searched, behind=behind, unread_pdfs=pdfs)


# What is asked


def readings(words: str) -> Iterator[str]:
    """How a query may be read, each in the language of FTS5: as it is; with every word in quotes,
    so that a hyphen or a colon is no operator; as words alone."""
    known = words.replace("\0", " ").encode("utf-8", "replace").decode()
    spelt = respelt(known).translate(_QUOTES)
    if not any(map(str.isalnum, spelt)):
        return
    yield spelt
    pieces = _PIECES.findall(spelt)
    yield " ".join(
        piece if piece in _OPERATORS else _quoted(piece) for piece in pieces[:_MOST_WORDS]
    )
    alone = [piece for piece in pieces if piece not in _OPERATORS] or pieces
    yield " ".join(filter(None, map(_quoted, alone[:_MOST_WORDS])))


def _quoted(piece: str) -> str:
    """A word or phrase; nothing for what has no letter."""
    if not any(map(str.isalnum, piece)):
        return ""
    prefix = "*" if piece.endswith("*") else ""
    return f'"{piece.strip("*").strip(chr(34))}"{prefix}'


def _understood(connection: Connection, words: str) -> tuple[str | None, bool, str | None]:
    """The first reading that FTS5 understands, whether it is crowded, and that reading where it is
    of the words alone; None where there is no word."""
    for number, query in enumerate(readings(words)):
        try:
            more = connection.execute(_PROBE, (query, MOST_RANKED)).fetchone()
        except SQLiteError as error:
            if getattr(error, "sqlite_errorname", None) != "SQLITE_ERROR":
                raise
            continue
        return query, more is not None, query if number == _AS_WORDS else None
    return None, False, None


def _site(connection: Connection, text: str | None) -> str | None:
    """The host that somebody named, also by an address or by the domain that it lies in."""
    if text is None:
        return None
    site = (urlsplit(text).hostname or "" if "//" in text else text.partition("/")[0]).lower()
    site = site.strip(".")
    hosts = [host for (host,) in connection.execute("SELECT host FROM hosts")]
    if site and any(host == site or host.endswith(f".{site}") for host in hosts):
        return site
    near = get_close_matches(site, hosts, 1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    raise UsageError(f"--site {text}: no host of this crawl is called so{hint}")


def _run(connection: Connection, run: int | None) -> int | None:
    # A number that no column can hold is a run that there is not, like any other.
    known = [number for (number,) in connection.execute("SELECT id FROM runs ORDER BY id")]
    if run is None or run in known:
        return run
    raise UsageError(
        f"no run {run} ({f'there are 1 to {known[-1]}' if known else 'there is none yet'})"
    )


# What is found


def _hits(
    connection: Connection, asked: Asked, values: dict[str, Any], query: str, *, crowded: bool
) -> list[Hit]:
    shown = _SIGNS_SHOWN if GAP in query else _WORDS_SHOWN
    source, gives, host_id = _NOW if asked.run is None else _IN_RUN
    score = "NULL" if crowded else "-search.rank"
    of_site = _OF_SITE.format(host_id=host_id)
    order = "" if crowded else "ORDER BY search.rank"
    statement = f"SELECT {gives}, {score}, {_SNIPPET} {source} {of_site} {order} LIMIT :limit"
    # Of words that stand everywhere the titles tell most, and what was found first is nearest to
    # the seeds.
    queries = [f"{{title}} : ({query})", query] if crowded else [query]
    rows: dict[int, tuple[Any, ...]] = {}
    for one in queries:
        limits = {"query": one, "shown": shown, "limit": asked.limit + len(rows)}
        for row in connection.execute(statement, values | limits):
            rows.setdefault(row[0], row)
    return [_hit(connection, row) for row in list(rows.values())[: asked.limit]]


def _hit(connection: Connection, row: tuple[Any, ...]) -> Hit:
    _, url, title, status, content_type, found_at, score, body_id, snippet = row
    written = connection.execute(_WRITTEN, (body_id,)).fetchone()
    told = snippet if written is None else as_written(snippet, written[0])
    ranked = None if score is None else round(score, 4)
    return Hit(url, title, told, ranked, status, content_type, found_at)


def as_written(snippet: str, text: str) -> str:
    """A snippet of a text that is searched in another spelling, as it was written."""
    begins, ends = snippet.startswith(_CUT), snippet.endswith(_CUT)
    marked = snippet[len(_CUT) if begins else 0 : -len(_CUT) if ends else None]
    plain = marked.replace(MARKS[0], "").replace(MARKS[1], "")
    whole = Respelt(text)
    at = whole.spelt.find(plain)
    if at < 0:
        return snippet.replace(GAP, "")
    parts = [_CUT] if begins else []
    last = whole.written(at)
    for piece in re.split(f"([{''.join(MARKS)}])", marked):
        if piece in MARKS:
            parts.append(piece)
            continue
        if seen := len(piece.rstrip(GAP)):  # a gap may be of the word behind it
            end = _end(whole, at + seen)
            parts.append(text[last:end])
            last = end
        at += len(piece)
    return "".join([*parts, _CUT] if ends else parts)


def _end(whole: Respelt, at: int) -> int:
    """Where what is written ends that is spelt until there, with the signs that belong to it."""
    if at >= len(whole.spelt):
        return len(whole.text)
    return whole.written(at - 1) + 1 if whole.spelt[at] == GAP else whole.written(at)
