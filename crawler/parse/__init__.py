"""What does a reply mean?

`parse` turns a `Reply` into a `Document`: it decides what the bytes are (`sniff`), which
characters they mean (`charset`), and reads pages (`html`, `text`), sitemaps and feeds
(`sitemaps`). Pure: no network, no disk, no clock; what is remembered between two replies (the
addresses of `targets`) saves reading it again and changes no answer.
"""

from __future__ import annotations

from crawler.config import Config
from crawler.model import Document, Job, Reply
from crawler.parse.dispatch import read

__all__ = ["parse"]


def parse(job: Job, reply: Reply, config: Config) -> Document:
    """The meaning of a reply; never raises.

    What cannot be read is a document without facts, ``truncated = parse``: one page that breaks
    the parser must not cost its visit, nor the visits that share its batch.
    """
    try:
        return read(job, reply, config)
    except Exception:
        return Document(truncated="parse")
