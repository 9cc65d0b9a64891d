"""Which links point into a page at a place that it does not have?

A fragment is compared as the browser does: percent-decoded, and the empty one and ``top`` are
always there (https://html.spec.whatwg.org/#find-a-potential-indicated-element). Text fragments
(``#:~:``) name no element.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from typing import Final
from urllib.parse import unquote

from crawler import failpoints
from crawler.store.database import Connection

_LINKS: Final = """
    SELECT links.target_id, links.source_id, links.position, links.fragment, facts.ids
    FROM links
    JOIN pages ON pages.id = links.target_id AND pages.status = 200 AND pages.error IS NULL
    JOIN facts ON facts.body_id = pages.body_id AND facts.error IS NULL
    WHERE links.fragment <> '' AND links.kind IN ('a', 'area')
    ORDER BY links.target_id
"""
_FRAMEWORK: Final = ("!", "/")
"""Fragments that begin so are routes of scripts, not places."""


def find_missing_fragments(connection: Connection) -> None:
    """Fill ``missing_fragments``, anew and in one transaction."""
    rows = list(_missing(connection))
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM missing_fragments")
    connection.executemany("INSERT INTO missing_fragments VALUES (?, ?, ?, ?)", rows)
    failpoints.reached("before-commit")
    connection.execute("COMMIT")
    failpoints.reached("after-commit")


def _missing(connection: Connection) -> Iterator[tuple[int, int, int, str]]:
    links = connection.execute(_LINKS)
    for target_id, group in groupby(links, key=itemgetter(0)):
        there: set[str] | None = None
        for _, source_id, position, fragment, ids in group:
            if there is None:
                there = set((ids or "").split(" "))
            place = unquote(fragment.partition(":~:")[0])
            is_there = fragment in there or place in there or place.lower() in ("", "top")
            if not is_there and not place.startswith(_FRAMEWORK):
                yield source_id, position, target_id, place
