"""Which reader does this reply need?"""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import msgspec

from crawler.config import Config
from crawler.model import Document, Job, Link, LinkColumns, Reply, SitemapEntry
from crawler.parse.challenge import challenge
from crawler.parse.charset import decode, decode_styles
from crawler.parse.headers import Declared, declared, with_links
from crawler.parse.html import read_html
from crawler.parse.mend import begins_late
from crawler.parse.sitemaps import Listing, read_listing, unpack
from crawler.parse.sniff import (
    HTML_TYPES,
    SITEMAP_ROOTS,
    Form,
    form_of,
    is_packed_list,
    media_type,
    root_name,
)
from crawler.parse.targets import Targets
from crawler.parse.text import MAX_FACT, count_words, fingerprint, fold, kept
from crawler.policy.agent import robots_token
from crawler.policy.requisites import reads_styles
from crawler.policy.scope import asks_for_sitemaps
from crawler.policy.urls import UrlRules

_UNREAD: Final = frozenset({"robots", "check"})
CSS: Final = "text/css"
_LISTS: Final = frozenset({"sitemap", "feed"})


def read(job: Job, reply: Reply, config: Config) -> Document:
    """Reads a reply as its job and its bytes demand."""
    document = _read(job, reply, config)
    wall = challenge(job.url, reply, document) if job.kind != "robots" else None
    return document if wall is None else msgspec.structs.replace(document, challenge=wall)


def _read(job: Job, reply: Reply, config: Config) -> Document:
    said = declared(reply.headers, robots_token(config.fetch))
    if job.kind in _UNREAD:
        return Document(said.media_type or (media_type(None, reply.body) if reply.body else None))
    if job.kind in _LISTS:
        return _listed(job, reply, said, config)
    if reply.body and reads_styles(config) and _is_style_sheet(job, said):
        return _style_sheet(job, reply, said, config)
    if job.kind == "asset":
        label = media_type(said.media_type, reply.body) if reply.body else None
        return Document(label, meta_robots=_wishes(said))
    return _page(job, reply, said, config)


def _page(job: Job, reply: Reply, said: Declared, config: Config) -> Document:
    body = reply.body
    label = media_type(said.media_type, body) if body else None
    packed = label is not None and label not in HTML_TYPES and is_packed_list(body)
    body, whole = unpack(body) if packed else (body, True)
    data, charset = decode(body, said.charset, cut=reply.truncated is not None)
    form = _form(label, data, packed=packed)
    if form == "html":
        document = read_html(
            data,
            job.url,
            said,
            content_type=label,
            charset=charset,
            max_links=config.parse.max_links,
            max_text_bytes=config.store.text_max_bytes,
            rules=UrlRules.of(config),
            robot=robots_token(config.fetch),
            with_styles=reads_styles(config),
        )
        return document if config.render.mode != "shells" else _told_as_shell(document, data)
    targets = Targets(job.url, UrlRules.of(config))
    document, links = Document(label), LinkColumns()
    if form != "other":
        document = (
            _text(label, charset, data, config.store.text_max_bytes)
            if form == "text"
            else Document(label, charset)
        )
    if form in ("sitemap", "feed"):
        listing = read_listing(data, targets, damaged=not whole)
        entries, linked = _as_sitemap(data, listing.entries, config)
        links = LinkColumns.of(Link(entry.target, form) for entry in linked)
        cut = listing.truncated or (None if whole else "parse")
        document = msgspec.structs.replace(document, truncated=cut, entries=entries)
    return _with_headers(document, links, targets, job, said, config)


def _told_as_shell(document: Document, data: bytes) -> Document:
    from crawler.parse.shell import is_shell  # few crawls ask for it

    return msgspec.structs.replace(document, is_shell=is_shell(data, document))


def _as_sitemap(
    data: bytes, listed: list[SitemapEntry], config: Config
) -> tuple[tuple[SitemapEntry, ...], list[SitemapEntry]]:
    """What a page that is a sitemap says as one, and what it links to as a page: other sitemaps
    are no pages where sitemaps are asked for."""
    if root_name(data) not in SITEMAP_ROOTS or not asks_for_sitemaps(config):
        return (), listed
    return tuple(listed), [entry for entry in listed if not entry.is_sitemap]


def _is_style_sheet(job: Job, said: Declared) -> bool:
    """By its type; where it has none, by its name, as in an archive."""
    if said.media_type is not None:
        return said.media_type == CSS
    return job.kind == "asset" and urlsplit(job.url).path.endswith(".css")


def _style_sheet(job: Job, reply: Reply, said: Declared, config: Config) -> Document:
    """A style sheet, whatever led to it: what it names are its links."""
    from crawler.parse import css, styles  # few crawls ask for them

    data, charset = decode_styles(reply.body, said.charset)
    targets = Targets(job.url, UrlRules.of(config))
    links: list[Link] = []
    cut = None
    try:
        for kind, href in styles.in_sheet(data.decode()):
            if len(links) == config.parse.max_links:
                cut = "links"
                break
            index, fragment = targets.place(href)
            links.append(Link(index, kind, fragment=fragment))
    except css.TooDeep:
        cut = "parse"
    document = Document(CSS, charset, truncated=cut, meta_robots=_wishes(said))
    columns = LinkColumns.of(links)
    if job.kind == "asset":  # what stands beside it leads to pages, which it brings none of
        return msgspec.structs.replace(document, targets=targets.distinct(), columns=columns)
    return _with_headers(document, columns, targets, job, said, config)


def _wishes(said: Declared) -> str | None:
    """What headers ask of robots."""
    return ", ".join(said.robots)[:MAX_FACT] or None


def _form(label: str | None, data: bytes, *, packed: bool) -> Form:
    if label is None:
        return "other"
    if not packed:
        return form_of(label, data)
    return "feed" if root_name(data) in (b"rss", b"feed", b"rdf") else "sitemap"


def _with_headers(
    document: Document,
    links: LinkColumns,
    targets: Targets,
    job: Job,
    said: Declared,
    config: Config,
) -> Document:
    """What headers say holds for every kind of document."""
    beside = with_links(
        links,
        targets,
        said,
        job.url,
        max_links=max(config.parse.max_links, len(links)),
        rules=UrlRules.of(config),
    )
    return msgspec.structs.replace(
        document,
        lang=said.language,
        canonical=beside.canonical,
        meta_robots=_wishes(said),
        targets=targets.distinct(),
        columns=beside.columns,
        truncated=document.truncated or ("links" if beside.overflow else None),
        leads_on=beside.leads_on,
    )


def _text(label: str | None, charset: str, data: bytes, most: int) -> Document:
    whole = fold(data.decode("utf-8", "replace").replace("\0", "\ufffd"))
    text, cut = kept(whole, most)
    return Document(
        label,
        charset,
        text=text,
        word_count=count_words(whole),
        text_hash=fingerprint(whole),
        truncated=cut,
    )


def _listed(job: Job, reply: Reply, said: Declared, config: Config) -> Document:
    """A sitemap or feed that was asked for as one: what it is decides, not what it is called."""
    body, whole = unpack(reply.body)
    if not body:
        return Document(truncated=None if whole else "parse")
    data, charset = decode(body, said.charset, cut=reply.truncated is not None)
    kind = "application/xml" if begins_late(data) else media_type(None, data)
    if kind == "text/html":
        return _page(job, reply, said, config) if job.kind == "feed" else Document(kind)
    targets = Targets(job.url, UrlRules.of(config))
    readable = kind in ("text/plain", "application/xml") or data.lstrip().startswith(b"<")
    listing = read_listing(data, targets, damaged=not whole) if readable else Listing([], None)
    return Document(
        said.media_type or kind,
        charset,
        targets=targets.distinct(),
        entries=tuple(listing.entries),
        truncated=listing.truncated or (None if whole else "parse"),
    )
