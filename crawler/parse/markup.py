"""Which tags stand in the source of a page, and where do their attributes and texts stand in it?

By the rules of tokenization (https://html.spec.whatwg.org/multipage/parsing.html#tokenization), for
whoever writes a page anew and leaves all else of it as it is. No tree is built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from html.entities import html5
from typing import Final, NamedTuple

_SPACE: Final = r" \t\n\f\r"
_mark = re.compile(r"<(?:!|\?|(?P<close>/)?(?P<name>[a-zA-Z][^ \t\n\f\r/>]*+))")
_comment = re.compile(r"<!--(?:-?>|.*?(?:--!?>|\Z))", re.DOTALL)
_cdata = re.compile(r"<!\[CDATA\[.*?(?:\]\]>|\Z)", re.DOTALL)
_attribute = re.compile(
    rf"[{_SPACE}/]*+(?P<name>=[^{_SPACE}/>=]*+|[^{_SPACE}/>=]++)(?:[{_SPACE}]*+=[{_SPACE}]*+"
    rf"(?:(?P<double>\"[^\"]*+\")|(?P<single>'[^']*+')|(?P<bare>[^{_SPACE}>\"'][^{_SPACE}>]*+)"
    rf"|(?P<nothing>(?=>))))?+"
)
_end = re.compile(rf"[{_SPACE}/]*+>")
_reference = re.compile(r"&(?:#(?:[xX](?P<hex>[0-9a-fA-F]+)|(?P<number>[0-9]+));?|(?P<name>\w+;?))")
RAW: Final = frozenset(
    {"script", "style", "textarea", "title", "xmp", "iframe", "noembed", "noframes"}
)
"""Elements whose text holds no tags."""
_NUL: Final = "\ufffd"
"""What is read in the place of a NUL."""


class Attribute(NamedTuple):
    """An attribute's value, references resolved, and its place in the source, quotes included; an
    empty place behind the name where there is none."""

    value: str
    start: int
    end: int
    name_start: int
    name_end: int


class Tag(NamedTuple):
    """A tag that begins an element. attributes: by name in lower case, the first of each.

    text: the place of what is no markup within it (``style``, ``script``), empty for all others.
    """

    name: str
    attributes: dict[str, Attribute]
    text: tuple[int, int]


def tags(source: str, *, is_xml: bool = False) -> Iterator[Tag]:
    """The tags that begin elements, in their order."""
    at = 0
    while found := _mark.search(source, at):
        name = found["name"]
        if name is None:
            at = _behind_declaration(source, found.start(), is_xml=is_xml)
            continue
        attributes, end = _attributes(source, found.end())
        close = _end.match(source, end)
        if close is None:
            return  # a tag that the page ends in is none
        at = close.end()
        if found["close"]:
            continue
        name = name.lower().replace("\0", _NUL)
        text = at, at
        if name in RAW and not (is_xml and source[at - 2] == "/"):
            ends = _closing(name).search(source, at)
            text = at, ends.start() if ends else len(source)
            at = text[1]
        yield Tag(name, attributes, text)


def _behind_declaration(source: str, at: int, *, is_xml: bool) -> int:
    found = _comment.match(source, at) or (_cdata.match(source, at) if is_xml else None)
    if found is not None:
        return found.end()
    close = source.find(">", at)
    return close + 1 if close >= 0 else len(source)


def _attributes(source: str, at: int) -> tuple[dict[str, Attribute], int]:
    attributes: dict[str, Attribute] = {}
    while found := _attribute.match(source, at):
        at = found.end()
        group = found.lastgroup or "name"
        start, end = found.span(group)
        raw = found[group]
        if group == "name":
            raw, start = "", end
        elif group in ("double", "single"):
            raw = raw[1:-1]
        name = found["name"].lower().replace("\0", _NUL)
        if name not in attributes:
            value = attribute_text(raw.replace("\0", _NUL))
            attributes[name] = Attribute(value, start, end, *found.span("name"))
    return attributes, at


@lru_cache(maxsize=16)
def _closing(name: str) -> re.Pattern[str]:
    return re.compile(rf"</{name}(?=[{_SPACE}/>])", re.IGNORECASE)


def attribute_text(raw: str) -> str:
    """What an attribute says: a name without its semicolon is no reference where more of a name
    stands behind it, as in an address
    (https://html.spec.whatwg.org/multipage/parsing.html#named-character-reference-state)."""
    return _reference.sub(_referred, raw) if "&" in raw else raw


def _referred(found: re.Match[str]) -> str:
    if found["hex"] or found["number"]:
        digits, base = (found["hex"], 16) if found["hex"] else (found["number"], 10)
        number = int(digits, base) if len(digits) < 9 else 0
        is_character = 0 < number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF
        return chr(number) if is_character else "\ufffd"
    name = found["name"]
    if name.endswith(";"):
        return html5.get(name, found[0])
    behind = found.string[found.end() : found.end() + 1]
    if behind == "=" or name not in html5:
        return found[0]
    return html5[name]


def attribute(value: str) -> str:
    """The source of an attribute's value, with its quotes; of HTML and of XML."""
    escaped = value.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return f'"{escaped}"'
