"""What is kept of a page that was looked at as a browser shows it?

A row of ``renders`` for each visit whose page was shown, or was to be; what it asked for, what its
scripts complained of, and what it looked like, beside it. Facts, text and links of the page itself
are those of what was seen (``pages.rendered``); those of the document as it was sent stand here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crawler.store.analysis import Column, create

MAX_CONSOLE: Final = 100
"""Lines of a page's console that are kept."""

TEXT_BYTES: Final = 300
"""Roughly what a row of these takes beside its texts and pictures."""

VISIT: Final = "the visit whose page was shown (visits.id)"
RENDERS: Final[Mapping[str, Column]] = {
    "visit_id": ("INTEGER PRIMARY KEY REFERENCES visits(id)", VISIT),
    "error": ("TEXT", "why it could not be shown, and the page stands as it was sent"),
    "done_by": (
        "TEXT",
        "why it was taken as done: still (nothing changed any more), time (it went on), or NULL",
    ),
    "cpu_ms": ("REAL", "of the process that showed it, in ms"),
    "total_ms": ("REAL", "all of it by the clock, in ms"),
    "final_url": ("TEXT", "its address when it was done, where scripts have changed that"),
    "body_id": (
        "INTEGER REFERENCES bodies(id)",
        "what was shown, as HTML (bodies.id); NULL where that adds nothing to what was sent",
    ),
    "body_bytes": ("INTEGER NOT NULL", "of what was shown"),
    "raw_title": ("TEXT", "the title of what was sent"),
    "raw_description": ("TEXT", "its meta description"),
    "raw_h1": ("TEXT", "its first h1 that is not empty"),
    "raw_canonical": ("TEXT", "the canonical that it names"),
    "raw_meta_robots": ("TEXT", "what it asks of robots"),
    "raw_word_count": ("INTEGER", "words of its visible text"),
    "raw_text_hash": ("INTEGER", "a hash of its visible text"),
    "raw_links": ("INTEGER NOT NULL", "links on it"),
}

REQUESTS: Final[Mapping[str, Column]] = {
    "visit_id": ("INTEGER NOT NULL REFERENCES visits(id)", VISIT),
    "position": ("INTEGER NOT NULL", "its place among what the page asked for, from 0"),
    "target_id": ("INTEGER NOT NULL REFERENCES urls(id)", "what was asked for (urls.id)"),
    "type": ("TEXT NOT NULL", "what for: Script, Stylesheet, XHR, Fetch, Document, Robots ..."),
    "method": ("TEXT NOT NULL", "such as GET"),
    "started_at": ("TEXT NOT NULL", "when it was asked for"),
    "status": ("INTEGER", "what was answered (HTTP status); NULL when nothing was"),
    "reason": ("TEXT", "why it was not asked for, or got no whole answer; crawler explain WORD"),
    "cached": ("INTEGER NOT NULL", "1: its answer to an earlier page of this run was used"),
    "ip": ("TEXT", "the address connected to"),
    "http_version": ("TEXT", "1.0 or 1.1"),
    "total_ms": ("REAL", "all of it, in ms"),
    "wire_bytes": ("INTEGER NOT NULL", "of the body as it was sent"),
    "body_bytes": ("INTEGER NOT NULL", "of the body when it is unpacked"),
    "content_type": ("TEXT", "its media type, as it was sent"),
    "headers": ("TEXT", "all headers of the answer, as JSON; NULL where it was cached"),
    "body_id": (
        "INTEGER REFERENCES bodies(id)",
        "what was sent (bodies.id); NULL where it was cached, and where bodies are not kept",
    ),
}

CONSOLE: Final[Mapping[str, Column]] = {
    "visit_id": ("INTEGER NOT NULL REFERENCES visits(id)", VISIT),
    "position": ("INTEGER NOT NULL", f"in order, from 0; {MAX_CONSOLE} are kept"),
    "level": ("TEXT NOT NULL", "exception (nobody caught it), error, warning, info ..."),
    "text": ("TEXT NOT NULL", "what was said, cut"),
    "url": ("TEXT", "the script that said it"),
    "line": ("INTEGER", "its line, from 1"),
}

SCREENSHOTS: Final[Mapping[str, Column]] = {
    "visit_id": ("INTEGER PRIMARY KEY REFERENCES visits(id)", VISIT),
    "media_type": ("TEXT NOT NULL", "of the picture"),
    "width": ("INTEGER NOT NULL", "pixels"),
    "height": ("INTEGER NOT NULL", "pixels"),
    "image": ("BLOB NOT NULL", "the picture: what a visitor sees without scrolling"),
}

TABLES: Final = {
    "renders": RENDERS,
    "requests": REQUESTS,
    "console": CONSOLE,
    "screenshots": SCREENSHOTS,
}
ROWS: Final = {
    "renders": "a page that was looked at as a browser shows it, or was to be",
    "requests": "something that a page asked for while it was shown",
    "console": "what a page's scripts complained of while it was shown",
    "screenshots": "what a page looked like; with render.screenshots",
}
"""What a row is, by table."""


def statements() -> list[str]:
    """What brings them into a file."""
    return [
        *(create(name, TABLES[name], None) for name in ("renders", "screenshots")),
        *(
            f"{create(name, TABLES[name], 'PRIMARY KEY (visit_id, position)')}, WITHOUT ROWID"
            for name in ("requests", "console")
        ),
        "CREATE INDEX requests_body_id ON requests(body_id) WHERE body_id IS NOT NULL",
        "ALTER TABLE links ADD COLUMN via TEXT",
        "ALTER TABLE pages ADD COLUMN rendered INTEGER NOT NULL DEFAULT 0",
    ]
