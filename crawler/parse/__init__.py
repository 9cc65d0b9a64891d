"""What does a reply mean?

`parse` turns a `Reply` into a `Document`: it decides what the bytes are (`sniff`), which
characters they mean (`charset`), and reads pages (`html`, `text`), sitemaps and feeds
(`sitemaps`). Pure: no network, no disk, no clock; what is remembered between two replies (the
addresses of `targets`) saves reading it again and changes no answer.
"""

from __future__ import annotations

import msgspec

from crawler.config import Config
from crawler.model import Document, Job, Reply
from crawler.parse.dispatch import read

__all__ = ["parse", "parse_document"]


def parse(job: Job, reply: Reply, config: Config) -> Document:
    """The meaning of a reply, with the facts of a body that is not kept; never raises."""
    document = parse_document(job, reply, config)
    if config.store.bodies:
        return document
    from crawler.parse.body_facts import facts_of  # 30 ms, and nobody else asks at this time

    facts = facts_of(job, reply, document, config)
    return msgspec.structs.replace(document, facts=facts)


def parse_document(job: Job, reply: Reply, config: Config) -> Document:
    """The meaning of a reply; never raises.

    What cannot be read is a document without facts, ``truncated = parse``: one page that breaks
    the parser must not cost its visit, nor the visits that share its batch.
    """
    try:
        return read(job, reply, config)
    except Exception:
        return Document(truncated="parse")
