"""What does a reply mean?"""

from __future__ import annotations

import msgspec

from crawler.model.links import Distinct, Link, LinkColumns


class SitemapEntry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry of a sitemap or feed.

    target: index into `Document.targets`.
    is_sitemap: the entry of an index, itself a sitemap.
    lastmod, changefreq: as written, stripped; None when absent.
    priority: 0.0..1.0, None when absent or not a number.
    """

    target: int
    is_sitemap: bool = False
    lastmod: str | None = None
    priority: float | None = None
    changefreq: str | None = None


class Document(msgspec.Struct, frozen=True, array_like=True):
    """What a reply means.

    content_type: media type without parameters, lower case, after sniffing; None for no body.
    charset: the encoding used, as a WHATWG label in lower case.
    title, description, h1, lang, canonical, meta_robots: facts of a page, white space folded.
    text: the visible text. word_count: words in it. text_hash: 63-bit hash of it.
    targets: distinct targets. columns: occurrences of links. entries: of a sitemap or feed.
    truncated: ``parse`` (the parser stopped or gave up), ``links`` (cap on links) or ``text`` (cap
        on the text that is kept), the first of them that holds, or None.
    error: ``parse_timeout`` where the parser was killed, ``decode_error`` otherwise, or None.
    leads_on: index into `targets` of where a refresh leads that stands for a redirect, or None.
    is_shell: it shows next to nothing without its scripts; told only where that is asked for.
    challenge: what stands where the page should be, a wall rather than content; None for a page.
    facts: where the body is not kept, what the audit asks of it, a `store.facts.Unkept` as msgpack.
    """

    content_type: str | None = None
    charset: str | None = None
    title: str | None = None
    description: str | None = None
    h1: str | None = None
    lang: str | None = None
    canonical: str | None = None
    meta_robots: str | None = None
    text: str | None = None
    word_count: int | None = None
    text_hash: int | None = None
    targets: Distinct = Distinct()
    columns: LinkColumns = LinkColumns()
    entries: tuple[SitemapEntry, ...] = ()
    truncated: str | None = None
    error: str | None = None
    challenge: str | None = None
    facts: bytes | None = None
    leads_on: int | None = None
    is_shell: bool = False

    @property
    def links(self) -> tuple[Link, ...]:
        """The occurrences of links in document order, as values."""
        return tuple(self.columns.links())
