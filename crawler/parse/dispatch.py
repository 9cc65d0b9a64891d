"""Which reader does this reply need?"""

from __future__ import annotations

from typing import Final

from crawler.config import Config
from crawler.model import Distinct, Document, Job, Link, LinkColumns, Reply
from crawler.parse.charset import decode
from crawler.parse.headers import Declared, declared
from crawler.parse.html import read_html
from crawler.parse.media_type import form_of, media_type
from crawler.parse.sitemaps import Listing, read_lines, read_xml, unpack
from crawler.parse.targets import Targets
from crawler.parse.text import count_words, fingerprint, fold
from crawler.policy.urls import UrlRules

_UNREAD: Final = frozenset({"robots", "check"})
_LISTS: Final = frozenset({"sitemap", "feed"})


def read(job: Job, reply: Reply, config: Config) -> Document:
    """Reads a reply as its job and its bytes demand."""
    said = declared(reply.headers)
    if job.kind in _UNREAD:
        return Document(said.media_type or (media_type(None, reply.body) if reply.body else None))
    if job.kind in _LISTS:
        return _listed(job, reply, said, config)
    return _page(job, reply, said, config)


def _page(job: Job, reply: Reply, said: Declared, config: Config) -> Document:
    body = reply.body
    label = media_type(said.media_type, body) if body else None
    data, charset = decode(body, said.charset, cut=reply.truncated is not None)
    form = form_of(label, data) if label else "html"
    match form:
        case "html":
            return read_html(
                data,
                job.url,
                said,
                content_type=label,
                charset=charset if label else None,
                max_links=config.parse.max_links,
                rules=UrlRules.of(config),
            )
        case "text":
            return _text(label, charset, data)
        case "sitemap" | "feed":
            targets = Targets(job.url, UrlRules.of(config))
            listing = read_xml(data, targets, config.parse.max_links)
            links = LinkColumns.of(Link(entry.target, form) for entry in listing.entries)
            return Document(
                label,
                charset,
                targets=Distinct.of(targets.found),
                columns=links,
                truncated=listing.truncated,
            )
    return Document(label)


def _text(label: str | None, charset: str, data: bytes) -> Document:
    text = fold(data.decode("utf-8", "replace").replace("\0", "\ufffd"))
    return Document(
        label,
        charset,
        text=text,
        word_count=count_words(text),
        text_hash=fingerprint(text),
    )


def _listed(job: Job, reply: Reply, said: Declared, config: Config) -> Document:
    """A sitemap or feed that was asked for as one: what it is decides, not what it is called."""
    body, whole = unpack(reply.body)
    if not body:
        return Document(truncated=None if whole else "parse")
    data, charset = decode(body, said.charset, cut=reply.truncated is not None)
    kind = media_type(None, data)
    if kind == "text/html":
        return _page(job, reply, said, config) if job.kind == "feed" else Document(kind)
    targets = Targets(job.url, UrlRules.of(config))
    listing = _listing(data, kind, targets)
    return Document(
        said.media_type or kind,
        charset,
        targets=Distinct.of(targets.found),
        entries=tuple(listing.entries),
        truncated=listing.truncated or (None if whole else "parse"),
    )


def _listing(data: bytes, kind: str, targets: Targets) -> Listing:
    if data.lstrip().startswith(b"<"):
        return read_xml(data, targets)
    return read_lines(data, targets) if kind == "text/plain" else Listing([], None)
