"""What does a check find, and how much of it is kept?

A page may have ten thousand links, each of two thousand characters, and a check may find them all.
What is found goes through a file of its own, row by row; of a page and of a host only so much is
kept, and it is told how much was not.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any, Final

import msgspec

from crawler.analyse.check import Found
from crawler.store.database import Connection

PAGE_FINDINGS: Final = 1_000
PAGE_CHARACTERS: Final = 256 * 1024
"""Of one check on one page, of items and evidence."""
HOST_SHARE: Final = 4
"""A check takes at most this part of what a host has left, so that the last is left something."""
ITEM_CHARACTERS: Final = 2_500
TEXT_CHARACTERS: Final = 2_500
"""Of one value in the evidence; an address has 2,083 bytes."""
LIST_ENTRIES: Final = 100

_TABLES: Final = (
    "DROP TABLE IF EXISTS scratch.found",
    "DROP TABLE IF EXISTS temp.taken",
    """
    CREATE TABLE scratch.found (
        id INTEGER PRIMARY KEY,
        url_id INTEGER NOT NULL,
        item TEXT NOT NULL,
        evidence TEXT NOT NULL,
        characters INTEGER NOT NULL,
        is_open INTEGER NOT NULL DEFAULT 0,
        kept INTEGER NOT NULL DEFAULT 1,
        UNIQUE (url_id, item)
    )
    """,
    "CREATE TEMP TABLE taken (host_id INTEGER PRIMARY KEY, characters INTEGER NOT NULL)",
)
_GATHER: Final = """
    INSERT INTO scratch.found (url_id, item, evidence, characters)
    VALUES (?, ?, ?, ?)
    ON CONFLICT (url_id, item) DO UPDATE
    SET evidence = excluded.evidence, characters = excluded.characters
    WHERE excluded.evidence < found.evidence
"""
_HEAVY_PAGES: Final = """
    SELECT url_id
    FROM scratch.found
    GROUP BY url_id
    HAVING count(*) > ? OR sum(characters) > ?
"""
_OF_HOSTS: Final = """
    SELECT urls.host_id, sum(found.characters) AS characters
    FROM scratch.found
    CROSS JOIN urls
    WHERE urls.id = found.url_id AND found.kept
    GROUP BY urls.host_id
"""
_HEAVY_HOSTS: Final = f"""
    SELECT heavy.host_id, (?1 - coalesce(taken.characters, 0)) / {HOST_SHARE} AS may_take
    FROM ({_OF_HOSTS}) AS heavy
    LEFT JOIN temp.taken ON taken.host_id = heavy.host_id
    WHERE heavy.characters > may_take
"""
_TAKE: Final = f"""
    INSERT INTO temp.taken (host_id, characters)
    SELECT host_id, characters
    FROM ({_OF_HOSTS})
    WHERE true
    ON CONFLICT (host_id) DO UPDATE
    SET characters = characters + excluded.characters
"""
_MARK_OPEN: Final = """
    UPDATE scratch.found
    SET is_open = 1
    WHERE EXISTS (
        SELECT 1
        FROM main.findings
        WHERE findings.check_name = ?
            AND findings.url_id = found.url_id
            AND findings.item = found.item
            AND findings.fixed_run_id IS NULL
    )
"""
_OF_PAGE: Final = """
    SELECT id, characters
    FROM scratch.found
    WHERE url_id = ? AND kept AND is_open = ?
    ORDER BY url_id, item
"""
_OF_HOST: Final = """
    SELECT found.id, found.characters
    FROM scratch.found
    CROSS JOIN urls
    WHERE urls.id = found.url_id AND urls.host_id = ? AND found.kept AND found.is_open = ?
    ORDER BY found.url_id, found.item
"""
_LEAVE_OUT: Final = "UPDATE scratch.found SET kept = 0 WHERE id = ?"
_encode = msgspec.json.Encoder(order="deterministic").encode


def begin(connection: Connection) -> None:
    """Make the tables of a run's findings; the connection has a scratch file."""
    for statement in _TABLES:
        connection.execute(statement)


def gather(
    connection: Connection, check: str, found: Iterable[Found], *, host_characters: int
) -> str | None:
    """Put what a check finds into ``scratch.found``, with what is kept of it marked; says what is
    not, if anything. Of rows with one page and item the first counts.

    host_characters: what the findings of all checks may take of one host.
    """
    connection.execute("DELETE FROM scratch.found")
    connection.executemany(_GATHER, _rows(found))
    pages = connection.execute(_HEAVY_PAGES, (PAGE_FINDINGS, PAGE_CHARACTERS)).fetchall()
    if pages:
        connection.execute(_MARK_OPEN, (check,))
    past_pages = 0
    for (url_id,) in pages:
        past_pages += _leave_out(
            connection, _OF_PAGE, url_id, most=PAGE_FINDINGS, characters=PAGE_CHARACTERS
        )
    hosts = connection.execute(_HEAVY_HOSTS, (host_characters,)).fetchall()
    if hosts and not pages:
        connection.execute(_MARK_OPEN, (check,))
    past_hosts = 0
    for host_id, may_take in hosts:
        past_hosts += _leave_out(connection, _OF_HOST, host_id, characters=may_take)
    connection.execute(_TAKE)
    return _told(past_pages, past_hosts)


def _leave_out(
    connection: Connection, sql: str, of: int, *, characters: int, most: float = math.inf
) -> int:
    """Mark what is past a bound; returns how many that are.

    What is open already comes first: what is left out must never look as if it were mended.
    """
    left, room, out = most, characters, 0
    for is_open in (1, 0):
        for found_id, size in connection.execute(sql, (of, is_open)):
            left, room = left - 1, room - size
            if left < 0 or room < 0:
                connection.execute(_LEAVE_OUT, (found_id,))
                out += 1
    return out


def _told(past_pages: int, past_hosts: int) -> str | None:
    told = []
    if past_pages:
        told.append(
            f"{past_pages:,} more, past {PAGE_FINDINGS:,} findings or "
            f"{PAGE_CHARACTERS:,} characters of one page, are not kept"
        )
    if past_hosts:
        told.append(
            f"{past_hosts:,} more, past what findings of one host may take "
            "(scope.max_bytes_per_host), are not kept"
        )
    return "; ".join(told) or None


def _rows(found: Iterable[Found]) -> Iterator[tuple[int, str, str, int]]:
    for url_id, item, evidence in found:
        named, said = _short_item(item), _encode(_bounded(evidence)).decode()
        yield url_id, named, said, len(named) + len(said)


def _short_item(item: str) -> str:
    """An item, by all of which it is known where it is too long to be kept."""
    if len(item) <= ITEM_CHARACTERS:
        return item
    digest = sha256(item.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{item[:ITEM_CHARACTERS]} … {digest}"


def _bounded(value: Any) -> Any:
    """A value of the evidence, which says itself where it was cut."""
    if isinstance(value, str) and len(value) > TEXT_CHARACTERS:
        return f"{value[:TEXT_CHARACTERS]} … ({len(value) - TEXT_CHARACTERS:,} more characters)"
    if isinstance(value, list | tuple):
        kept = [_bounded(entry) for entry in value[:LIST_ENTRIES]]
        return [*kept, f"… ({len(value) - LIST_ENTRIES:,} more)"] if value[LIST_ENTRIES:] else kept
    if isinstance(value, dict):
        return {name: _bounded(entry) for name, entry in value.items()}
    return value
