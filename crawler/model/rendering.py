"""What did a browser make of a page?"""

from __future__ import annotations

import msgspec

from crawler.model.document import Document
from crawler.model.links import Target


class Need(msgspec.Struct, frozen=True, array_like=True):
    """What a page asked for while it was shown, and what came of it.

    target: what was asked for. type: what for, in the browser's words (``Script``, ``XHR``), and
        ``Robots``. started_at: ISO-8601 UTC.
    status: HTTP status, None when nothing was answered. reason: why it was not asked for, or got no
        whole answer: a word. cached: an earlier page had it from the same worker.
    headers: of the answer. body: as a zlib stream; body_bytes, body_sha256: of what it packs.
    """

    target: Target
    type: str
    method: str
    started_at: str
    status: int | None = None
    reason: str | None = None
    cached: bool = False
    ip: str | None = None
    http_version: str | None = None
    total_ms: float | None = None
    wire_bytes: int = 0
    content_type: str | None = None
    headers: tuple[tuple[str, str], ...] = ()
    body_bytes: int = 0
    body_sha256: bytes | None = None
    body: bytes | None = None


class Said(msgspec.Struct, frozen=True, array_like=True):
    """A line of a page's console; line: from 1, None where no script said it."""

    level: str
    text: str
    url: str | None = None
    line: int | None = None


class Picture(msgspec.Struct, frozen=True, array_like=True):
    """What a page looks like; width, height: in pixels."""

    media_type: str
    width: int
    height: int
    image: bytes


class Rendering(msgspec.Struct, frozen=True, array_like=True):
    """What a browser made of a page, or why it could not.

    raw: what was sent says of itself, without text and links, of which there are raw_links.
    error: a word, with which the document stands as it was sent; None where it is the one that was
        shown. done_by: ``still`` or ``time``. cpu_ms, total_ms: what it took.
    final_url: its address in the end, None where that is the one that was fetched.
    body: what was shown, as a zlib stream of HTML in UTF-8, None where it adds nothing or bodies
        are not kept; body_bytes, body_sha256: of what it packs.
    """

    raw: Document
    raw_links: int = 0
    error: str | None = None
    done_by: str | None = None
    cpu_ms: float | None = None
    total_ms: float | None = None
    final_url: str | None = None
    body_bytes: int = 0
    body_sha256: bytes | None = None
    body: bytes | None = None
    needs: tuple[Need, ...] = ()
    console: tuple[Said, ...] = ()
    picture: Picture | None = None

    @property
    def weight(self) -> int:
        """Roughly the memory that it holds, in bytes."""
        bodies = sum(len(need.body or b"") + 500 for need in self.needs)
        image = len(self.picture.image) if self.picture else 0
        return len(self.body or b"") + bodies + image + 300 * len(self.console)
