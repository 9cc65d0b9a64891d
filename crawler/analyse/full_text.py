"""Which texts are not in the index yet, and which are no longer what the index says?

Texts are indexed by body, so that an unchanged page is indexed once however often it is crawled,
and what a page said in an earlier run can be searched, too. An index over external content takes a
text out only by the very words that it was put in with. Where these are not known any more, because
a text is gone or was changed by another than the crawler, it is made anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from crawler import failpoints
from crawler.analyse.facts import Progress
from crawler.parse.text import fingerprint
from crawler.policy.spelling import respelt
from crawler.store import search_index
from crawler.store.database import Connection

CHUNK_TEXTS: Final = 2000
CHUNK_BYTES: Final = 8 * 1024 * 1024
"""In one transaction."""
_DIFFERING: Final = """
    SELECT indexed_texts.body_id, octet_length(texts.text)
    FROM indexed_texts
    LEFT JOIN texts ON texts.body_id = indexed_texts.body_id
    LEFT JOIN facts ON facts.body_id = indexed_texts.body_id
    WHERE texts.body_id IS NULL
        OR octet_length(texts.text) <> indexed_texts.text_bytes
        OR facts.title <> indexed_texts.title
    ORDER BY indexed_texts.body_id
"""
_AS_INDEXED: Final = """
    SELECT indexed_texts.title, indexed_texts.text_bytes, indexed_texts.text_hash, texts.text,
        spaced_texts.title, spaced_texts.text
    FROM indexed_texts
    JOIN texts ON texts.body_id = indexed_texts.body_id
    LEFT JOIN spaced_texts ON spaced_texts.body_id = indexed_texts.body_id
    WHERE indexed_texts.body_id = ?
"""
_MISSING: Final = """
    SELECT texts.body_id, octet_length(texts.text)
    FROM texts
    LEFT JOIN indexed_texts ON indexed_texts.body_id = texts.body_id
    WHERE indexed_texts.body_id IS NULL
    ORDER BY texts.body_id
"""
_TO_INDEX: Final = """
    SELECT texts.text, coalesce(
        facts.title,
        (
            SELECT visits.title
            FROM visits
            WHERE visits.body_id = texts.body_id AND visits.title IS NOT NULL
            ORDER BY visits.id
            LIMIT 1
        ),
        ''
    )
    FROM texts
    LEFT JOIN facts ON facts.body_id = texts.body_id
    WHERE texts.body_id = ?
"""
_DELETE: Final = """
    INSERT INTO search (search, rowid, title, text)
    VALUES ('delete', ?, ?, ?)
"""
_INSERT: Final = "INSERT INTO search (rowid, title, text) VALUES (?, ?, ?)"
_INDEXED: Final = """
    INSERT INTO indexed_texts (body_id, title, text_bytes, text_hash)
    VALUES (?, ?, ?, ?)
"""
_SPACED: Final = "INSERT INTO spaced_texts (body_id, title, text) VALUES (?, ?, ?)"

Sized = tuple[int, int]
"""A body's id, and the bytes of its text."""


class _Indexed(msgspec.Struct, frozen=True):
    """What a row of the index was made of, as it was spelt."""

    body_id: int
    title: str
    text: str


def index_texts(connection: Connection, progress: Progress) -> int:
    """Bring the index up to what the file holds; returns how many texts came into it."""
    if not search_index.make(connection):
        return 0
    for statement in search_index.KEYS:
        connection.execute(statement)
    _take_out(connection)
    missing: list[Sized] = connection.execute(_MISSING).fetchall()
    done = 0
    for chunk in _chunks(missing):
        _put_in(connection, [body_id for body_id, _ in chunk])
        done += len(chunk)
        progress("texts", done, len(missing))
    return done


def _chunks(texts: Iterable[Sized]) -> Iterator[list[Sized]]:
    chunk: list[Sized] = []
    held = 0
    for body_id, text_bytes in texts:
        if chunk and (len(chunk) == CHUNK_TEXTS or held + text_bytes > CHUNK_BYTES):
            yield chunk
            chunk, held = [], 0
        chunk.append((body_id, text_bytes))
        held += text_bytes
    if chunk:
        yield chunk


def _take_out(connection: Connection) -> None:
    """What is indexed otherwise than it is now; all of the index, where its words are not known."""
    differing = connection.execute(_DIFFERING).fetchall()
    if any(text_bytes is None for _, text_bytes in differing):
        _begin_anew(connection)
        return
    for chunk in _chunks(differing):
        known = [_as_indexed(connection, body_id) for body_id, _ in chunk]
        if None in known:
            _begin_anew(connection)
            return
        _delete(connection, [one for one in known if one])


def _as_indexed(connection: Connection, body_id: int) -> _Indexed | None:
    """What a text was when it was indexed: the same as now, or its beginning."""
    title, size, hash_, text, spelt_title, spelt_text = connection.execute(
        _AS_INDEXED, (body_id,)
    ).fetchone()
    was = text.encode()[:size].decode("utf-8", "replace")
    copy = spelt_text if spelt_text is not None else was
    if fingerprint(was) != hash_ or (spelt_text is None and respelt(was) != was):
        return None
    return _Indexed(body_id, title if spelt_title is None else spelt_title, copy)


def _begin_anew(connection: Connection) -> None:
    connection.execute("BEGIN IMMEDIATE")
    search_index.clear(connection)
    _commit(connection)


def _delete(connection: Connection, known: Sequence[_Indexed]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(_DELETE, [(one.body_id, one.title, one.text) for one in known])
    for table in search_index.TABLES:
        connection.executemany(
            f"DELETE FROM {table} WHERE body_id = ?", [(one.body_id,) for one in known]
        )
    _commit(connection)


def _put_in(connection: Connection, body_ids: Sequence[int]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    for body_id in body_ids:
        text, title = connection.execute(_TO_INDEX, (body_id,)).fetchone()
        spelt = respelt(title), respelt(text)
        connection.execute(_INSERT, (body_id, *spelt))
        connection.execute(_INDEXED, (body_id, title, len(text.encode()), fingerprint(text)))
        if spelt != (title, text):
            connection.execute(_SPACED, (body_id, *_others(spelt, (title, text))))
    _commit(connection)


def _others(spelt: Sequence[str], written: Sequence[str]) -> list[Any]:
    """Only what is spelt otherwise."""
    return [
        one if one != as_written else None for one, as_written in zip(spelt, written, strict=True)
    ]


def _commit(connection: Connection) -> None:
    failpoints.reached("before-commit")
    connection.execute("COMMIT")
    failpoints.reached("after-commit")
