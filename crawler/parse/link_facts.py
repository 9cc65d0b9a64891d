"""What is there to say of a link beside where it leads?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from lxml import etree

from crawler.policy.stripped_parameters import stripper

_MAX_HREF: Final = 1000
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_SPACE: Final = re.compile(r"\s")
_MAY_HOLD_SESSION: Final = re.compile(r"[?;(]|%3").search
_MAY_SAY: Final = re.compile(r"[?;(\s]|%3|^//|^\\\\").search
"""Most links say nothing of what `_flags_of` looks for one by one."""
_HEAD_KINDS: Final = frozenset({"canonical", "alternate", "next", "prev"})
_FIELD_NAMES: Final = ("aria-label", "aria-labelledby", "title")
_NAMING: Final = frozenset(_FIELD_NAMES)

Row = tuple[object, ...]


def names_itself(element: etree._Element) -> bool:
    """Does an attribute name this element to those who do not see it?"""
    return any(element.get(name, "").strip() for name in _FIELD_NAMES)


class _Anchor(msgspec.Struct):
    """An anchor that is open. position: of its link, -1 without one."""

    position: int
    named: bool
    text: bool = False
    images: int = 0
    alts: int = 0
    flags: tuple[str, ...] = ()
    href: str | None = None


class LinkNotes:
    """Notes on the links of a page, in the order of their positions.

    uncrawlable: anchors that lead a person on, but no crawler. in_main: what comes stands in the
    main region. anchors: those that are open.
    """

    def __init__(self, max_links: int) -> None:
        self.uncrawlable = 0
        self._max_links = max_links
        self._rows: dict[int, Row] = {}
        self.anchors: list[_Anchor] = []
        self.in_main = False
        self._first_image = True
        self._labelled: set[str] = set()
        self._labels = 0
        self._fields: list[str] = []

    def rows(self) -> list[Row]:
        """position, hreflang, href, width, height, loading, flags."""
        return [self._rows[position] for position in sorted(self._rows)]

    def _note(
        self, position: int, flags: tuple[str, ...], href: str | None = None, **more: str | None
    ) -> None:
        if 0 <= position < self._max_links and (
            flags or any(value is not None for value in more.values())
        ):
            kept = href[:_MAX_HREF] if href is not None else None
            values = [more.get(name) for name in ("width", "height", "loading")]
            row = (more.get("hreflang"), kept, *values, " ".join(flags) or None)
            self._rows[position] = (position, *row)

    # anchors

    def open_anchor(
        self, element: etree._Element, names: Sequence[str], position: int, href: str | None
    ) -> None:
        """An anchor begins; names: its attributes; position: of its link, -1 without one."""
        flags: tuple[str, ...] = ()
        if position < 0:
            self.uncrawlable += element.get("onclick") is not None
        elif href is not None:
            bare = href.strip()
            self.uncrawlable += bare == "#" or bare.lower().startswith("javascript:")
            flags = _flags_of(href)
            if "target" in names and _opens_window(element):
                flags += ("blank",)
        kept = href if flags and flags != ("blank",) else None
        named = not _NAMING.isdisjoint(names) and names_itself(element)
        anchor = _Anchor(position, named, flags=flags, href=kept)
        self.anchors.append(anchor)

    def text(self, text: str) -> None:
        """Text that is shown, within an anchor."""
        if not text.isspace():
            self.anchors[-1].text = True

    def image(self, alt: str | None) -> None:
        """An image stands here."""
        if self.anchors:
            self.anchors[-1].images += 1
            self.anchors[-1].alts += bool(alt and alt.strip())

    def names_anchor(self, text: str | None) -> None:
        """The title of a drawing names the anchor that holds it."""
        if self.anchors and text and text.strip():
            self.anchors[-1].named = True

    def close_anchor(self) -> bool:
        """An anchor ends; whether it leads somewhere and nothing names it."""
        anchor = self.anchors.pop()
        unnamed = not (anchor.named or anchor.text or anchor.alts)
        flags = anchor.flags
        if unnamed:
            flags += ("unnamed",)
        if anchor.images and not anchor.text:
            flags += ("image",)
        if anchor.images and not anchor.text and not anchor.alts:
            flags += ("alt_empty",)
        if flags:
            self._note(anchor.position, flags, anchor.href)
        return unnamed and anchor.position >= 0

    # other elements

    def element(
        self, tag: str, attributes: dict[str, str], kind: str, position: int, outside: bool
    ) -> None:
        """An element that leads somewhere: by its table, as this kind, first at this position."""
        if tag == "link":
            self._link(attributes, kind, position, outside)
        elif tag == "img":
            self._note(position, self._image_flags(attributes), None, **_sizes(attributes))
        elif tag in ("script", "iframe"):
            flags: tuple[str, ...] = ("integrity",) if attributes.get("integrity") else ()
            self._note(position, flags, None, loading=attributes.get("loading"))
        elif tag == "area":
            href = attributes.get("href", "")
            flags = _flags_of(href)
            self._note(position, flags, href if flags else None)

    def _link(self, attributes: dict[str, str], kind: str, position: int, outside: bool) -> None:
        href = attributes.get("href", "")
        flags = _flags_of(href)
        if kind in _HEAD_KINDS:
            if not _SCHEME.match(href.strip()) and "protocol_relative" not in flags:
                flags += ("relative",)
            if outside:
                flags += ("outside_head",)
        elif attributes.get("integrity"):
            flags += ("integrity",)
        hreflang = attributes.get("hreflang") if kind == "alternate" else None
        telling = set(flags) - {"integrity", "outside_head"}
        self._note(position, flags, href if telling else None, hreflang=hreflang)

    def _image_flags(self, attributes: dict[str, str]) -> tuple[str, ...]:
        flags: tuple[str, ...] = ()
        if attributes.get("alt") is not None and not attributes["alt"].strip():
            flags += ("alt_empty",)
        if self.in_main and self._first_image:
            self._first_image = False
            flags += ("first_image",)
        return flags

    def end_label(self) -> None:
        """A label ends."""
        self._labels -= 1

    # fields

    def label(self, element: etree._Element) -> None:
        """A label begins."""
        self._labels += 1
        self._labelled.add(element.get("for", ""))

    def field(self, element: etree._Element, *, is_image: bool) -> None:
        """A field of a form that a person fills in, or an image that sends it."""
        if names_itself(element) or self._labels or (is_image and element.get("alt")):
            return
        self._fields.append(element.get("id", ""))

    def unnamed_fields(self) -> int:
        """Fields that no label names; labels may stand behind them."""
        return sum(not name or name not in self._labelled for name in self._fields)


def _sizes(attributes: dict[str, str]) -> dict[str, Any]:
    return {name: attributes.get(name) for name in ("width", "height", "loading")}


def _opens_window(element: etree._Element) -> bool:
    """In a way in which an old browser lets the new page reach back."""
    if element.get("target", "").strip().lower() != "_blank":
        return False
    return not {"noopener", "noreferrer"}.intersection(element.get("rel", "").lower().split())


def _flags_of(href: str) -> tuple[str, ...]:
    if not _MAY_SAY(href):
        return ()
    flags: tuple[str, ...] = ()
    if _MAY_HOLD_SESSION(href):
        address = href.partition("#")[0]
        if stripper()(address) != address:
            flags += ("session",)
    if _SPACE.search(href):
        flags += ("spaces",)
    if href.strip().startswith("//"):
        flags += ("protocol_relative",)
    elif href.strip().startswith("\\\\"):
        flags += ("unc",)
    return flags
