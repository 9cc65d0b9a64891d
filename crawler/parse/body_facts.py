"""What does an audit want to know of a body, and what of one that will not be kept?

One answer to the first, whoever asks: the analysis, of bodies that were kept, or a worker of those
that are not (`facts_of`), while it has them.
"""

from __future__ import annotations

from typing import Final

from crawler.config import Config
from crawler.model import Document, Job, Reply
from crawler.parse import language
from crawler.parse.body_forms import form_of
from crawler.parse.facts import read_facts
from crawler.parse.sniff import HTML_TYPES
from crawler.store.analysis import VERSION
from crawler.store.facts import BodyFacts, Unkept, pack, unread

_UNASKED: Final = frozenset({"robots", "check", "asset"})
"""Jobs whose bodies are kept anyway, or never."""


def read_body(
    body: bytes, content_type: str | None, charset: str | None, *, is_sitemap: bool, max_links: int
) -> BodyFacts:
    """Facts of a page, the form of what is none, and both of a page in a sitemap's place."""
    is_page = content_type in HTML_TYPES
    facts = read_facts(body, charset, max_links=max_links) if is_page else BodyFacts()
    if is_sitemap or not is_page:
        facts.form = form_of(body)
    return facts


def prepare() -> None:
    """Load what reading takes, before a page has to wait for it."""
    language.load()


def is_asked(job: Job, reply: Reply) -> bool:
    """Does this answer have a body of which an audit may ask something?"""
    return bool(reply.body) and job.kind not in _UNASKED


def facts_of(job: Job, reply: Reply, document: Document, config: Config) -> bytes | None:
    """What travels in a document instead of its body, None where nobody asks; never raises."""
    if not is_asked(job, reply):
        return None
    try:
        facts = read_body(
            reply.body,
            document.content_type,
            document.charset,
            is_sitemap=job.kind == "sitemap",
            max_links=config.parse.max_links,
        )
        return pack(Unkept(VERSION, facts))
    except Exception as failure:  # the document is worth having without them
        return without_facts(job, document, type(failure).__name__)


def without_facts(job: Job, document: Document, error: str) -> bytes:
    """The same where nothing could be read: why not."""
    facts = unread(is_page=document.content_type in HTML_TYPES, is_sitemap=job.kind == "sitemap")
    return pack(Unkept(VERSION, facts, error))
