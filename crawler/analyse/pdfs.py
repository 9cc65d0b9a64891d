"""Which PDFs were not read yet, and what do they say?

Their text is searched as that of pages is, and stands beside it in ``texts``; their titles, authors
and numbers of pages are facts of their bodies. Without the extra ``crawler[pdf]`` they stay unread,
and are read by the first analysis that has it.
"""

from __future__ import annotations

import time
from typing import Final

from crawler import failpoints
from crawler.analyse.facts import Progress
from crawler.channels.bodies import in_chunks
from crawler.channels.patience import OF_BODIES, Patience, Usual
from crawler.channels.readers import Packed, Read, read_all
from crawler.parse.pdf import MEDIA_TYPE, VERSION, Pdf, is_readable, read_pdf
from crawler.store.database import Connection

READ_S: Final = 20.0
"""After so much of its process's time no further page of a PDF is read; that is 6,000 of a book."""
_USUAL: Final = Usual(any_s=2.0, megabyte_s=1.0)
_MISSING: Final = """
    SELECT bodies.id, bodies.charset, length(bodies.body), bodies.id, ''
    FROM bodies
    LEFT JOIN facts ON facts.body_id = bodies.id
    WHERE bodies.content_type = ?
        AND bodies.body IS NOT NULL
        AND coalesce(facts.version, 0) < ?
    ORDER BY bodies.id
"""
_FACTS: Final = """
    INSERT OR REPLACE INTO facts
        (body_id, version, error, title, author, pages, pages_read, text_cut)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_TEXT: Final = """
    INSERT INTO texts (body_id, text)
    VALUES (?, ?)
    ON CONFLICT (body_id) DO UPDATE
    SET text = excluded.text
"""


def read_pdfs(
    connection: Connection, progress: Progress, *, processes: int, max_text_bytes: int
) -> int:
    """Read every PDF that has no facts of this version; returns how many there were.

    max_text_bytes: of the text of one, as UTF-8; with 0 no text is kept.
    """
    if not is_readable():
        return 0
    missing = connection.execute(_MISSING, (MEDIA_TYPE, VERSION)).fetchall()

    def look(body: bytes, _: Packed) -> Pdf:
        until = time.process_time() + READ_S
        return read_pdf(
            body, max_text_bytes=max_text_bytes, has_time=lambda: time.process_time() < until
        )

    done = 0
    chunks = in_chunks(connection, missing)
    patience = Patience(connection, OF_BODIES, _USUAL)
    for answers in read_all(chunks, look, Pdf, processes=max(1, processes), patience=patience):
        _store(connection, answers, texts=max_text_bytes > 0)
        done += len(answers)
        progress("PDFs", done, len(missing))
    return done


def _store(connection: Connection, answers: list[Read[Pdf]], *, texts: bool) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(_FACTS, map(_row, answers))
    if texts:
        said = [
            (one.number, one.found.text) for one in answers if one.found and not one.found.error
        ]
        connection.executemany(_TEXT, said)
    failpoints.reached("before-commit")
    connection.execute("COMMIT")
    failpoints.reached("after-commit")


def _row(read: Read[Pdf]) -> tuple[object, ...]:
    found = read.found or Pdf(error=read.error)
    told = (found.error, found.title, found.author, found.pages, found.pages_read, found.cut)
    return read.number, VERSION, *told
