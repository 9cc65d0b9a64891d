"""What came of one attempt?"""

from __future__ import annotations

import msgspec

from crawler.model.document import Document
from crawler.model.job import Job
from crawler.model.logins import LoginPage
from crawler.model.rendering import Rendering
from crawler.model.reply import Reply


class Visit(msgspec.Struct, frozen=True, array_like=True):
    """One attempt at one job: one line of history.

    job, reply, document: what was asked, said and meant; the reply has lost its body.
    started_at: ISO-8601 UTC with milliseconds.
    body_bytes: length of the decoded body. body_sha256: its digest.
    body: the body as a zlib stream, None when bodies are off or there is none.
    robots_body: of a robots job, the decoded text (at most 500 KiB). robots_rules: what it asks of
        this crawler, as `policy.robots.packed` writes it.
    worker: id of the machine that has fetched it, a row of ``workers``; 0 for the conductor's own.
    login: of a login job, what it needs to know; nothing else of the answer is kept.
    rendering: of a page that a browser was to show; the document is what it showed then.
    """

    job: Job
    reply: Reply
    document: Document
    started_at: str
    body_bytes: int = 0
    body_sha256: bytes | None = None
    body: bytes | None = None
    robots_body: bytes | None = None
    robots_rules: bytes | None = None
    worker: int = 0
    login: LoginPage | None = None
    rendering: Rendering | None = None
