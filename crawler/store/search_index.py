"""Where does a search look words up?

In a full-text index (FTS5) over the view ``searchable``: the texts stand in the file once, the
index beside them. It is made by an analysis, not with the file, and any SQLite with FTS5 asks it:
it has no functions of ours. A text that is spelt otherwise for the search (`policy/spelling.py`)
has a copy in ``spaced_texts``.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from crawler.store.analysis import Column, create

INDEXED_TEXTS: Final[Mapping[str, Column]] = {
    "body_id": ("INTEGER PRIMARY KEY REFERENCES bodies(id)", "the body whose text is searched"),
    "title": ("TEXT NOT NULL", "its title; empty where it has none"),
    "text_bytes": ("INTEGER NOT NULL", "of its text when it was indexed, as UTF-8"),
    "text_hash": ("INTEGER", "63-bit number of that text"),
}
SPACED_TEXTS: Final[Mapping[str, Column]] = {
    "body_id": ("INTEGER PRIMARY KEY REFERENCES bodies(id)", "a body that is spelt otherwise"),
    "title": ("TEXT", "its title as it is searched; NULL: as it was written"),
    "text": (
        "TEXT",
        "its text as it is searched: U+200B behind each Chinese, Japanese, Korean, Thai character, "
        "forms of one letter alike; NULL: as it was written",
    ),
}
TABLES: Final = {"indexed_texts": INDEXED_TEXTS, "spaced_texts": SPACED_TEXTS}
ROWS: Final = {
    "indexed_texts": "a text that is in the index search, as it was when it came there",
    "spaced_texts": "a text as it is searched, where that is not as it was written",
}
"""What a row is, by table."""

VIEWS: Final = {
    "searchable": """
        -- Titles and texts as they are searched: what the index search is made of.
        SELECT
            indexed_texts.body_id,
            coalesce(spaced_texts.title, indexed_texts.title) AS title,
            coalesce(spaced_texts.text, texts.text) AS text
        FROM indexed_texts
        JOIN texts ON texts.body_id = indexed_texts.body_id
        LEFT JOIN spaced_texts ON spaced_texts.body_id = indexed_texts.body_id
    """
}

NAME: Final = "search"
SHADOWS: Final = frozenset(
    f"{NAME}_{part}" for part in ("data", "idx", "content", "docsize", "config")
)
"""Tables that FTS5 keeps an index in."""
_OURS: Final = f"CREATE VIRTUAL TABLE {NAME} USING fts5("
INDEX: Final = (
    f"{_OURS}title, text, content='searchable', content_rowid='body_id', "
    "tokenize=\"porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'\")"
)
"""Vowel signs (Mn, Mc) belong to the words of Indian languages and Thai. A columnsize=0 or a
detail=column would save a third, and take 200 ms for what takes 3; a prefix index would cost three
quarters more."""
RANK: Final = f"INSERT INTO {NAME} ({NAME}, rank) VALUES ('rank', 'bm25(5.0, 1.0)')"
"""A word of the title counts five times as much as one of the text."""
REBUILD: Final = f"INSERT INTO {NAME} ({NAME}) VALUES ('rebuild')"
"""Makes the index of what is in its tables."""
KEYS: Final = (
    "CREATE INDEX IF NOT EXISTS pages_body_id ON pages(body_id, host_id, changed_at)",
    "CREATE INDEX IF NOT EXISTS visits_body_id ON visits(body_id) WHERE body_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS pages_pdf ON pages(body_id) WHERE content_type = 'application/pdf'",
)
"""From a body to its pages; made by the first analysis, so that a first crawl does not pay."""
UNREAD_PDFS: Final = """
    SELECT count(*)
    FROM pages
    JOIN bodies ON bodies.id = pages.body_id
    LEFT JOIN facts ON facts.body_id = pages.body_id
    WHERE pages.content_type = 'application/pdf'
        AND pages.document_at IS NOT NULL
        AND bodies.body IS NOT NULL
        AND facts.body_id IS NULL
"""
"""Those whose body is there, and that no analysis has read: the library was not there."""
_log = logging.getLogger(__name__)


def statements() -> list[str]:
    """What brings the tables into a file."""
    return [create(name, columns, None) for name, columns in TABLES.items()]


def is_there(connection: Any) -> bool:
    """Has this file an index of this version?"""
    return _found(connection) == INDEX


def make(connection: Any) -> bool:
    """Make the index where there is none of this version; False where its name is another's."""
    found = _found(connection)
    if found == INDEX:
        return True
    if found is not None and not found.startswith(_OURS + "title, text, content='searchable'"):
        _log.warning("%s: is your own, so the crawler makes no index of that name", NAME)
        return False
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(f"DROP TABLE IF EXISTS {NAME}")
    connection.execute(INDEX)
    connection.execute(RANK)
    _forget_rows(connection)
    connection.execute("COMMIT")
    return True


def clear(connection: Any) -> None:
    """Let the index be empty; within a transaction."""
    connection.execute(f"INSERT INTO {NAME} ({NAME}) VALUES ('delete-all')")
    _forget_rows(connection)


def _forget_rows(connection: Any) -> None:
    for table in TABLES:
        connection.execute(f"DELETE FROM {table}")


def _found(connection: Any) -> str | None:
    row = connection.execute(
        "SELECT sql FROM sqlite_master WHERE name = ? AND type IN ('table', 'view')", (NAME,)
    ).fetchone()
    return None if row is None else str(row[0])
