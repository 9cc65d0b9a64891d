"""On which pages does a word stand, and in which sentence?

The words are FTS5's own language (phrases in quotes, ``prefix*``, AND, OR, NOT, ``title : word``),
spelt as the texts are; what is no sentence of that language is read as words. Nothing is written,
so that a crawl may be searched while it runs.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from crawler.errors import UsageError
from crawler.policy.moments import moment
from crawler.policy.spelling import GAP, respelt
from crawler.store import search_index, snippets
from crawler.store.database import Connection, SQLiteError
from crawler.store.snippets import CUT, SIGNS_SHOWN, WORDS_SHOWN

MOST_RANKED: Final = 50_000
"""Texts that are ranked; at 1 us each. What more hold tells little of any of them."""
_MOST_WORDS: Final = 100
_AS_WORDS: Final = 2
"""Which of the `readings` that is."""
_MOST_NAMED: Final = 2000
"""Pages of a site or of some days that are looked at one by one, where a word stands everywhere."""
_FIRST_TITLES: Final = 100_000
"""Texts among whose titles a phrase is looked for, where it stands everywhere: 1.2 us each."""
_SLOW: Final = re.compile(rf'"[^"]*[\s{GAP}][^"]*"|[+]|\bNEAR\b')
"""What asks where words stand, and not only whether they do."""
_MOST_ID: Final = 2**63 - 1
_SAMPLES: Final = 100
_SAMPLED_SIGNS: Final = 2000
_MOST_COMPLETIONS: Final = 12
_PIECES: Final = re.compile(r'"[^"]*"\*?|[()]|[^\s()"]+')
_PREFIX: Final = re.compile(r"(\w+)\*")
_WORD: Final = re.compile(r"\w+")
_TERM: Final = re.compile(rf'"[^"]*"|[\w{GAP}]+')
_BEYOND_WORDS: Final = re.compile(r"[+^{]|\b(?:NOT|NEAR)\b")
_OPERATORS: Final = frozenset({"AND", "OR", "NOT", "(", ")"})
_NO_END: Final = frozenset({"", "AND", "OR", "(", ":"})
_NO_BEGINNING: Final = frozenset({"AND", "OR", ")", ":"})
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
_SNIPPET: Final = """
    search.rowid,
    CASE
        WHEN length(search.text) * :terms <= :short
            THEN snippet(search, 1, char(2), char(3), :cut, {shown})
    END,
    CASE
        WHEN length(search.text) * :terms > :short
            THEN highlight(search, 1, char(2), char(3))
    END
"""
"""FTS5 compares each place of a word with each other; where they may be many, all are marked."""
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
_SAMPLE: Final = """
    SELECT indexed_texts.title || ' ' || substr(texts.text, 1, ?)
    FROM indexed_texts
    JOIN texts ON texts.body_id = indexed_texts.body_id
    WHERE indexed_texts.body_id >= ?
    ORDER BY indexed_texts.body_id
    LIMIT 1
"""
_NAMED_PAGES: Final = """
    SELECT pages.body_id
    FROM pages
    WHERE pages.body_id IS NOT NULL
        AND (:since IS NULL OR pages.changed_at >= :since)
        AND (:until IS NULL OR pages.changed_at < :until)
"""
_ANY_RUN_THEN: Final = """
    SELECT 1
    FROM runs
    WHERE id <= :run
        AND (:since IS NULL OR finished_at IS NULL OR finished_at >= :since)
        AND (:until IS NULL OR started_at < :until)
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
        "cut": CUT,
    }
    if not search_index.is_there(connection):
        return Found(hits=[], behind=None)
    [behind] = connection.execute(_BEHIND).fetchone()
    understood = _understood(connection, asked.words)
    crowded, read_as = understood.crowded, understood.read_as
    hits = _hits(connection, asked, values, understood) if understood.query else []
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


class _Understood(msgspec.Struct, frozen=True):
    """A query of FTS5; None where there is no word. crowded: more than `MOST_RANKED` texts hold it.
    read_as: where it is of the words alone. usual: another that is crowded by itself, and of which
    each text is one of this query: ``th*`` by the usual words that begin so."""

    query: str | None = None
    crowded: bool = False
    read_as: str | None = None
    usual: str | None = None


def _understood(connection: Connection, words: str) -> _Understood:
    """The first reading that FTS5 understands."""
    for number, query in enumerate(readings(words)):
        if _terms(query) > _MOST_WORDS:  # to rank a text takes their number times its places
            continue
        usual = _with_usual_words(connection, query)
        # All words of a short beginning are read before the first text is told: 1.6 us a text.
        if usual is not None and _is_crowded(connection, usual):
            return _Understood(query, True, None, usual)
        crowded = _is_crowded(connection, query)
        if crowded is not None:
            return _Understood(query, crowded, query if number == _AS_WORDS else None)
    return _Understood()


def _terms(query: str) -> int:
    """Words and phrases of a query, or a few more."""
    return len(_TERM.findall(query))


def _is_crowded(connection: Connection, query: str) -> bool | None:
    """Do more than `MOST_RANKED` texts hold this? None where FTS5 does not understand it."""
    try:
        more = connection.execute(_PROBE, (query, MOST_RANKED)).fetchone()
    except SQLiteError as error:
        if getattr(error, "sqlite_errorname", None) != "SQLITE_ERROR":
            raise
        return None
    return more is not None


def _with_usual_words(connection: Connection, query: str) -> str | None:
    """The query with usual words in the place of each beginning of a word; None where it has none,
    or would not mean a part of the same."""
    pieces = _PIECES.findall(query)
    if _BEYOND_WORDS.search(query) or not any(map(_PREFIX.fullmatch, pieces)):
        return None
    [last] = connection.execute("SELECT max(body_id) FROM indexed_texts").fetchone()
    if not last or last <= MOST_RANKED:
        return None
    usual = _usual_words(connection, last)
    said = [_completed(piece, usual) for piece in pieces]
    return _joined(piece for piece in said if piece) if all(said) else None


def _joined(pieces: Iterable[str]) -> str:
    """With the AND in its place that FTS5 reads between words, and not beside brackets."""
    said = [""]
    for piece in pieces:
        ends, begins = said[-1] not in _NO_END, piece not in _NO_BEGINNING
        said += ["AND", piece] if ends and begins else [piece]
    return " ".join(said[1:])


def _usual_words(connection: Connection, last: int) -> list[str]:
    """Words of texts taken here and there, those first that stand in most of them."""
    held: Counter[str] = Counter()
    for at in range(0, last, max(1, last // _SAMPLES)):
        row = connection.execute(_SAMPLE, (_SAMPLED_SIGNS, at)).fetchone()
        held.update(set(_WORD.findall(respelt(row[0]).lower())) if row else ())
    return sorted((word for word in held if held[word] > 1), key=lambda word: (-held[word], word))


def _completed(piece: str, usual: Sequence[str]) -> str | None:
    found = _PREFIX.fullmatch(piece)
    if found is None:
        return piece
    begins = [word for word in usual if word.startswith(found[1].lower())]
    joined = " OR ".join(f'"{word}"' for word in begins[:_MOST_COMPLETIONS])
    return f"({joined})" if joined else None


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


class _Texts(msgspec.Struct, frozen=True):
    """Which texts are looked through: those of these ids. named: only these, as JSON. one_by_one:
    FTS5 is asked of each of them."""

    first: int = 0
    last: int = _MOST_ID
    named: str | None = None
    one_by_one: bool = False


def _hits(
    connection: Connection, asked: Asked, values: dict[str, Any], understood: _Understood
) -> list[Hit]:
    rows: dict[int, tuple[str, tuple[Any, ...]]] = {}
    for query, texts in _queries(connection, asked, values, understood):
        statement = _statement(asked, texts, GAP in query, crowded=understood.crowded)
        limits = msgspec.structs.asdict(texts) | {"query": query, "limit": asked.limit + len(rows)}
        limits |= {"terms": _terms(query), "short": snippets.SHORT}
        for row in connection.execute(statement, values | limits):
            rows.setdefault(row[0], (query, row))
        if len(rows) >= asked.limit:
            break
    return [_hit(connection, *found) for found in list(rows.values())[: asked.limit]]


def _queries(
    connection: Connection, asked: Asked, values: dict[str, Any], understood: _Understood
) -> Iterator[tuple[str, _Texts]]:
    """What FTS5 is asked of which texts, one after the other until there are enough pages.

    Of words that stand everywhere the titles tell most, and what was found first is nearest to the
    seeds.
    """
    query = understood.query or ""
    if not understood.crowded:
        yield query, _Texts()
        return
    named = _named_pages(connection, asked, values)
    if named is not None:
        texts = _Texts(min(named, default=0), max(named, default=-1), json.dumps(named))
        # A beginning of a word is read anew for each text that is asked for by itself.
        yield query, msgspec.structs.replace(texts, one_by_one="*" not in query)
        return
    usual = understood.usual or query
    last = _FIRST_TITLES if _SLOW.search(usual) else _MOST_ID
    titles = f"{{title}} : ({usual})"
    # What a title does not say may still stand in the text.
    yield f"({titles}) AND ({usual})" if "NOT" in usual else titles, _Texts(last=last)
    yield usual, _Texts()


def _named_pages(connection: Connection, asked: Asked, values: dict[str, Any]) -> list[int] | None:
    """The texts of the site or the days that were named, where they are few; None where not."""
    if asked.run is not None:
        return None if connection.execute(_ANY_RUN_THEN, values).fetchone() else []
    if asked.site is asked.since is asked.until is None:
        return None
    statement = f"{_NAMED_PAGES} {_OF_SITE.format(host_id='pages.host_id')} LIMIT :most"
    rows = connection.execute(statement, values | {"most": _MOST_NAMED + 1}).fetchall()
    return [body_id for (body_id,) in rows] if len(rows) <= _MOST_NAMED else None


def _statement(asked: Asked, texts: _Texts, in_signs: bool, *, crowded: bool) -> str:
    source, gives, host_id = _NOW if asked.run is None else _IN_RUN
    snippet = _SNIPPET.format(shown=SIGNS_SHOWN if in_signs else WORDS_SHOWN)
    score, order = ("NULL", "") if crowded else ("-search.rank", "ORDER BY search.rank")
    named = ""
    if texts.named is not None:
        rowid = "search.rowid" if texts.one_by_one else "(search.rowid + 0)"
        named = f"AND {rowid} IN (SELECT value FROM json_each(:named))"
    return f"""
        SELECT {gives}, {score}, {snippet}
        {source}
            AND search.rowid BETWEEN :first AND :last
            {named}
        {_OF_SITE.format(host_id=host_id)}
        {order}
        LIMIT :limit
    """


def _hit(connection: Connection, query: str, row: tuple[Any, ...]) -> Hit:
    _, url, title, status, content_type, found_at, score, body_id, snippet, marked = row
    if marked is None:
        snippet = snippets.telling(connection, query, body_id, snippet)
    else:
        snippet = snippets.chosen(connection, query, body_id, marked)
    written = connection.execute(_WRITTEN, (body_id,)).fetchone()
    told = snippet if written is None else snippets.as_written(snippet, written[0])
    ranked = None if score is None else round(score, 4)
    return Hit(url, title, told, ranked, status, content_type, found_at)
