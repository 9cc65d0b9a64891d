"""Did a visit find anything that the visit before had not?

What it says is written into ``visits.changed``, so that whoever compares runs (`changes`) looks at
few pages of many. It may say yes where nothing that people read has changed; never no where
something has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from crawler.model import Visit
from crawler.policy import words

SEEN = """last.kind = 'page', last.not_modified,
        CASE WHEN last.not_modified = 1 THEN pages.document_status ELSE last.status END,
        last.error, last.challenge, last.redirect_to_id,
        CASE WHEN last.not_modified = 1 THEN pages.title ELSE last.title END,
        CASE WHEN last.not_modified = 1 THEN pages.text_hash ELSE last.text_hash END,
        CASE WHEN last.not_modified = 1 THEN pages.canonical ELSE last.canonical END,
        CASE WHEN last.not_modified = 1 THEN pages.body_id ELSE last.body_id END,
        last.truncated"""
"""The columns of `Seen`, of a page in ``pages`` and its last visit ``last``."""


class Seen(NamedTuple):
    """What a visit found; after "not modified", what is held.

    as_page: it was visited as a page, and not to see whether it is there.
    """

    as_page: int
    not_modified: int
    status: int | None = None
    error: str | None = None
    challenge: str | None = None
    redirect_to_id: int | None = None
    title: str | None = None
    text_hash: int | None = None
    canonical: str | None = None
    body_id: int | None = None
    truncated: str | None = None

    @property
    def is_there(self) -> bool:
        """Was the document there, new or as before?"""
        answered = self.status is not None and 200 <= self.status <= 299
        is_whole_or_kept = self.error is None or words.of(self.error).kept
        return bool(self.not_modified) or (answered and is_whole_or_kept and self.challenge is None)


def seen_by(row: Sequence[Any]) -> Seen | None:
    """Of the columns `SEEN`; None for a page that nobody has visited."""
    return None if row[0] is None else Seen(*row)


def seen_now(
    visit: Visit, *, error: str | None, redirect_to: int | None, body_id: int | None,
    not_modified: bool,
) -> Seen:  # fmt: skip
    """What this visit finds."""
    reply, document = visit.reply, visit.document
    return Seen(
        visit.job.kind == "page", not_modified, reply.status, error, document.challenge,
        redirect_to, document.title, document.text_hash, document.canonical, body_id,
        reply.truncated or document.truncated,
    )  # fmt: skip


def is_news(before: Seen | None, now: Seen) -> bool:
    """May a visit have found something else than the one before it?

    Of what is no document, only its status, its error and where it leads count: pages that say
    "not found" may tell the time.
    """
    if before is None or not (before.as_page and now.as_page):
        return True
    if now.not_modified or not now.is_there:
        return not before.is_there if now.not_modified else now[2:6] != before[2:6]
    return not before.is_there or now[2:] != before[2:]
