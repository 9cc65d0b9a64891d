"""How does a test get a document from bytes?"""

from __future__ import annotations

from crawler.config import Config, ParseConfig
from crawler.model import Document, Job, Kind, Link, Reply
from crawler.parse.dispatch import read

HTML = "text/html; charset=utf-8"
URL = "http://h.test/d/p.html"

Headers = tuple[tuple[str, str], ...]


def parsed(
    body: bytes | str,
    content_type: str | None = HTML,
    *,
    kind: Kind = "page",
    headers: Headers = (),
    url: str = URL,
    max_links: int = 10_000,
) -> Document:
    """What a body means, read behind the door that catches everything."""
    data = body.encode() if isinstance(body, str) else body
    typed = (("Content-Type", content_type),) if content_type is not None else ()
    return read(
        Job(1, 1, url, kind),
        Reply(200, headers=(*typed, *headers), body=data),
        Config(parse=ParseConfig(max_links=max_links)),
    )


def hrefs(document: Document, *kinds: str) -> list[str]:
    """Where the links lead, in order; of some kinds, or of all."""
    return [
        document.targets[link.target].url
        for link in document.links
        if not kinds or link.kind in kinds
    ]


def listed(document: Document) -> list[str]:
    """Where the entries lead, in order."""
    return [document.targets[entry.target].url for entry in document.entries]


def only_link(document: Document) -> Link:
    (link,) = document.links
    return link
