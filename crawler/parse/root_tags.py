"""How does a page write its outermost elements?

A tree has one head and one body whatever the source says, so the source is asked: how often either
begins, and whether text stands before all of it.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

_PIECE: Final = re.compile(
    rb"""<!--(?:-?>|.*?(?:--!?>|\Z))
    | <(script|style|textarea|title|xmp|iframe|noembed|noframes|template)\b.*?(?:</\1\s*>|\Z)
    | <(?P<name>head|body)(?=[\s/>])
    | <[a-z/](?:[^>"'=]|=\s*(?:"[^"]*"|'[^']*')|[="'])*+>?""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_NOT_TEXT: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?+(?:\s|<!--.*?(?:-->|\Z)|<[!?][^>]*>)*+", re.DOTALL
)


class RootTags(NamedTuple):
    """heads, bodies: how often each begins. text_first: text stands before ``<html>``."""

    heads: int
    bodies: int
    text_first: bool


def read_root_tags(data: bytes) -> RootTags:
    """Of a page in UTF-8. A tag in a comment, a script or an attribute is none."""
    low = data.lower()
    heads = low.count(b"<head") - low.count(b"<header")
    bodies = low.count(b"<body")
    if heads > 1 or bodies > 1:
        heads, bodies = _count(data)
    first = _NOT_TEXT.match(data)
    at = first.end() if first else 0
    text_first = b"<html" in low[at:] and not low.startswith(b"<", at)
    return RootTags(heads, bodies, text_first)


def _count(data: bytes) -> tuple[int, int]:
    names = [piece["name"].lower() for piece in _PIECE.finditer(data) if piece["name"]]
    return names.count(b"head"), names.count(b"body")
