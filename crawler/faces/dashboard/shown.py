"""How does a page differ from what was sent, once a browser has shown it?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from crawler.policy import words
from crawler.store import shown
from crawler.store.database import Connection
from crawler.store.looks import Look, look

_FACTS: Final = ("title", "description", "h1", "canonical", "meta_robots", "word_count")
_MOST: Final = 300
"""Rows of one table."""


class Compared(msgspec.Struct, frozen=True):
    """One thing that a page says: as it was sent, and as it is shown."""

    what: str
    sent: object
    shown: object

    @property
    def differs(self) -> bool:
        """Do scripts change it?"""
        return (self.sent or None) != (self.shown or None)


class Shown(msgspec.Struct, frozen=True):
    """How a page was shown. render: a row of ``renders``. why: of what could not be shown."""

    render: Mapping[str, Any]
    why: str
    compared: tuple[Compared, ...]
    requests: Look
    console: Look


def of_page(connection: Connection, page: Mapping[str, Any] | None) -> Shown | None:
    """How a page was shown last; None where it was not."""
    render = None if page is None else look(connection, shown.RENDER, {"id": page["id"]}).first
    if page is None or render is None:
        return None
    of_visit = {"visit_id": render["visit_id"]}
    return Shown(
        render,
        words.of(render["error"]).meaning,
        _compared(connection, page, render) if page["rendered"] else (),
        look(connection, shown.REQUESTS, of_visit, limit=_MOST),
        look(connection, shown.CONSOLE, of_visit, limit=_MOST),
    )


def _compared(
    connection: Connection, page: Mapping[str, Any], render: Mapping[str, Any]
) -> tuple[Compared, ...]:
    facts = (Compared(fact.replace("_", " "), render[f"raw_{fact}"], page[fact]) for fact in _FACTS)
    links = look(connection, shown.LINKS_BY_VIA, {"id": page["id"]}).first or {}
    return (*facts, Compared("links", links.get("sent"), links.get("shown")))
