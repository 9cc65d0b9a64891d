"""How does a page or a style sheet read whose addresses lead to files?

Its source stays as it is but for the addresses, and for what keeps a browser from showing it from a
disk: a base, a policy of contents, digests and modes of loading that only servers can satisfy.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from crawler.parse import css, srcset
from crawler.parse.markup import Attribute, Tag, attribute, attribute_text, tags
from crawler.parse.refresh import read_refresh
from crawler.parse.styles import as_utf8, may_name

Lead = Callable[[str], str | None]
"""What to write in place of an address; None to leave it as it is."""
Edit = tuple[int, int, str]

_SOURCES: Final = ("src",)
_DRAWN: Final = ("href", "xlink:href")
_ADDRESSES: Final[dict[str, tuple[str, ...]]] = {
    **dict.fromkeys(("a", "area", "link"), ("href",)),
    **dict.fromkeys(
        ("img", "script", "iframe", "frame", "embed", "audio", "source", "track"), _SOURCES
    ),
    "input": ("src", "formaction"),
    "button": ("formaction",),
    "video": ("src", "poster"),
    "object": ("data",),
    "form": ("action",),
    **dict.fromkeys(("image", "use", "feimage"), _DRAWN),
    **dict.fromkeys(
        ("body", "table", "thead", "tbody", "tfoot", "tr", "td", "th"), ("background",)
    ),
}
"""Attributes with an address, by the element."""
_NARROWING: Final = ("integrity", "crossorigin", "nonce")
"""What a browser checks of a file and cannot: it has another text, and comes from no server."""
_DATA: Final = ("json", "template", "html", "plain")
"""In the type of a ``script`` element that holds something else."""
_declaration = re.compile(
    r"""\A(\s*+<\?xml(?:(?!\sencoding\s*=)[^>])*+\s++encoding\s*+=\s*+)(?:"[^">]*"|'[^'>]*')"""
)
"""It stands first or nowhere (XML 1.0, section 2.8)."""
_section = re.compile(r"(\s*<!\[CDATA\[)((?:(?!\]\]>).)*)(\]\]>\s*)", re.DOTALL)


def page(source: str, lead: Lead, *, is_xml: bool = False, as_shown: bool = False) -> str:
    """A page that is written in UTF-8 from now on. as_shown: its scripts have run."""
    if is_xml:
        source = _declaration.sub(r'\1"utf-8"', source, count=1)
    edits: list[Edit] = []
    for tag in tags(source, is_xml=is_xml):
        edits += _of_tag(tag, lead)
        if as_shown and tag.name == "script":
            edits += _stopped(tag)
        if tag.name == "style":
            start, end = tag.text
            edits.append((start, end, _styles(source[start:end], lead, is_xml=is_xml)))
    return _edited(source, edits)


def _styles(text: str, lead: Lead, *, is_xml: bool) -> str:
    """What stands in a ``style`` element; XML has references there, but for a section of CDATA."""
    if is_xml and (section := _section.fullmatch(text)):
        return f"{section[1]}{sheet(section[2], lead)}{section[3]}"
    if not is_xml or "<![CDATA[" in text:  # in comments of CSS
        return sheet(text, lead)
    read = attribute_text(text)
    made = sheet(read, lead)
    return text if made == read else made.replace("&", "&amp;").replace("<", "&lt;")


def sheet(text: str, lead: Lead, *, is_attribute: bool = False) -> str:
    """A style sheet, or what stands in a ``style`` attribute."""
    if not may_name(text):
        return text
    edits: list[Edit] = []
    try:
        for found in css.references(text, is_attribute=is_attribute):
            there = lead(as_utf8(found.url))
            if there is not None:
                edits.append((found.start, found.end, css.quoted(there)))
    except css.TooDeep:
        pass  # what comes behind is read by nobody
    return _edited(text, edits)


def images(text: str, lead: Lead) -> str:
    """A srcset."""
    edits: list[Edit] = []
    for start, end, _ in srcset.named(text):
        there = lead(text[start:end])
        if there is not None:
            edits.append((start, end, there))
    return _edited(text, edits)


def _edited(text: str, edits: list[Edit]) -> str:
    parts: list[str] = []
    done = 0
    for start, end, new in sorted(edits):
        parts += (text[done:start], new)
        done = end
    return "".join((*parts, text[done:]))


def _of_tag(tag: Tag, lead: Lead) -> Iterator[Edit]:
    has = tag.attributes
    for name in _ADDRESSES.get(tag.name, ()):
        if name in has:
            yield from _changed(has[name], lead(has[name].value))
    for name in ("srcset", "imagesrcset"):
        if name in has:
            yield from _changed(has[name], images(has[name].value, lead))
    if "style" in has:
        yield from _changed(has["style"], sheet(has["style"].value, lead, is_attribute=True))
    if tag.name in ("link", "script", "img", "audio", "video"):
        for name in _NARROWING:
            if name in has:
                yield has[name].name_start, has[name].name_end, f"data-{name}"
    if tag.name == "base" and "href" in has:
        yield from _changed(has["href"], "")
    elif tag.name == "meta":
        yield from _of_meta(has, lead)


def _stopped(tag: Tag) -> Iterator[Edit]:
    """A script that has made the page would make it once more, or empty it."""
    kind = tag.attributes["type"].value.lower() if "type" in tag.attributes else ""
    if any(word in kind for word in _DATA):
        return
    if "src" in tag.attributes:
        place = tag.attributes["src"]
        yield place.name_start, place.name_end, "data-src"
    elif tag.text[0] < tag.text[1]:
        yield *tag.text, ""


def _of_meta(has: dict[str, Attribute], lead: Lead) -> Iterator[Edit]:
    pragma = has["http-equiv"].value.strip().lower() if "http-equiv" in has else ""
    content = has.get("content")
    if pragma == "refresh" and content is not None:
        refresh = read_refresh(content.value)
        there = lead(refresh.url) if refresh is not None else None
        if there is not None:
            seconds = re.split(r"[;,]", content.value, maxsplit=1)[0].split()[:1]
            yield from _changed(content, f"{''.join(seconds)}; url={there}")
    elif pragma == "content-security-policy":
        place = has["http-equiv"]
        yield place.name_start, place.name_end, "data-http-equiv"


def _changed(place: Attribute, value: str | None) -> Iterator[Edit]:
    if value is not None and value != place.value:
        mark = "" if place.start > place.name_end else "="
        yield place.start, place.end, mark + attribute(value)
