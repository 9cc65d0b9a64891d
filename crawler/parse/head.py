"""Where does a page's head end, and what stands in it?

Browsers and search engines take a title, a canonical or a robots directive from the head alone, and
the head ends at the first thing that may not stand in it, whatever the author meant. A tree does
not show that, so the beginning of the source is read as the HTML standard does (sections 13.2.6.4.1
to 13.2.6.4.6), as far as the head goes.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Final

import msgspec

_LONGEST: Final = 1024 * 1024
_TOKEN: Final = re.compile(
    rb"""<!--(?:-?>|.*?(?:--!?>|\Z))          # a comment
    | <!doctype[^>]*>?
    | <[!?][^>]*>? | </[^a-z][^>]*>?          # what is read as a comment
    | <(?P<end>/?)(?P<name>[a-z][^\s/>]*)
      (?:[^>"'=]|=\s*(?:"[^"]*"|'[^']*')|[="'])*+>?""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
_DOCTYPE_FIRST: Final = re.compile(rb"\s*(?:<!--.*?-->\s*)*+<!doctype\s+html", re.I | re.S)
_RAW: Final = frozenset({"title", "style", "script", "noframes"})
_IN_HEAD: Final = frozenset({*_RAW, "base", "basefont", "bgsound", "link", "meta", "template"})
_IN_NOSCRIPT: Final = frozenset({"basefont", "bgsound", "link", "meta", "style", "noframes"})
_ENDS_BY_CLOSING: Final = frozenset({"body", "html", "br"})
COUNTED: Final = frozenset({"title", "meta", "link", "base"})
"""Elements whose number in the head is told."""


class Head(msgspec.Struct, frozen=True):
    """ended_by: an element's name, ``#text``, or None where the source ends in the head.

    counts: how many of each of `COUNTED` stand in it. doctype: of HTML, and before all else.
    """

    ended_by: str | None
    counts: dict[str, int]
    doctype: bool


def read_head(data: bytes) -> Head:
    """The head of a page in UTF-8."""
    data = data[:_LONGEST].removeprefix(b"\xef\xbb\xbf")
    counts: Counter[str] = Counter()
    ended_by = _read(data, counts)
    return Head(ended_by, dict(counts), _DOCTYPE_FIRST.match(data) is not None)


def _read(data: bytes, counts: Counter[str]) -> str | None:
    """What ended the head."""
    at, closed, in_noscript = 0, False, False
    while at < len(data):
        start = data.find(b"<", at)
        if data[at : start if start >= 0 else None].strip(b" \t\r\n\f"):
            return "#text"
        if start < 0:
            return None
        token = _TOKEN.match(data, start)
        if token is None:
            return "#text"
        at = token.end()
        name = (token["name"] or b"").decode("utf-8", "replace").lower()
        if token["end"]:
            closed, in_noscript = closed or name == "head", in_noscript and name != "noscript"
            if name in _ENDS_BY_CLOSING:
                return "body"
        elif name in ("", "html", "head"):
            continue
        elif name == "noscript" and not closed and not in_noscript:
            in_noscript = True
        elif name not in (_IN_NOSCRIPT if in_noscript else _IN_HEAD):
            return name
        else:
            at = _behind(data, name, at)
            counts[name] += name in COUNTED
    return None


def _behind(data: bytes, name: str, at: int) -> int:
    """Where an element of the head that was opened at `at` is over."""
    if name == "template":
        return _behind_template(data, at)
    if name not in _RAW:
        return at
    end = re.compile(rb"</" + name.encode() + rb"[\s/>]", re.IGNORECASE).search(data, at)
    return end.start() if end else len(data)


def _behind_template(data: bytes, at: int) -> int:
    depth = 1
    while depth and (token := _TOKEN.search(data, at)):
        at = token.end()
        if (token["name"] or b"").lower() == b"template":
            depth += -1 if token["end"] else 1
    return len(data) if depth else at
