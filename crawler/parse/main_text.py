"""What of a page is its own, and not its site's?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from lxml import etree

from crawler.parse.elements import LANDMARKS, region_of
from crawler.parse.text import BLOCKS, HIDDEN, count_words, fingerprint, fold

ASIDE: Final = frozenset({"nav", "header", "footer"})
"""Regions that frame a page."""
HIDES: Final = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
"""A style of an element that nobody sees."""
_Place = tuple[str | None, bool]
_PLAIN: Final[_Place] = ("plain", False)
_BLOCK: Final[_Place] = ("block", False)
"""What is open of elements that are neither regions nor styled; told from others by identity."""


class MainText:
    """Collects what is shown within ``main``, or where there is none, outside of what frames it.

    hidden: how many of the elements that are open show nothing.
    """

    def __init__(self) -> None:
        self.hidden = 0
        self.mains = 0
        self.in_main = 0
        self.text = ""
        self._aside = 0
        self._styled = 0
        self._main: list[str] = []
        self._body: list[str] = []
        self._concealed: list[str] = []
        self._open: list[_Place] = []

    def start(self, tag: str, element: etree._Element, names: Sequence[str]) -> None:
        """An element begins; names: its attributes."""
        self.hidden += tag in HIDDEN
        region = region_of(tag, element.get("role")) if "role" in names else LANDMARKS.get(tag)
        styled = "style" in names and HIDES.search(element.get("style", "")) is not None
        self._open.append((region, styled))
        self._styled += styled
        if region == "main":
            self.mains += 1
            self.in_main += 1
        elif tag == "aside" or region in ASIDE:
            self._aside += 1
        if tag in BLOCKS:
            self.add(" ")

    def enter_light(self, tag: str) -> None:
        """An element begins that says nothing of its place, and hides nothing."""
        if tag in BLOCKS:
            self._open.append(_BLOCK)
            self.add(" ")
        else:
            self._open.append(_PLAIN)

    def leave_light(self) -> bool:
        """Is it such a one that ends? Then it has ended."""
        ending = self._open[-1]
        if ending is _BLOCK:
            self.add(" ")
        elif ending is not _PLAIN:
            return False
        self._open.pop()
        return True

    def end(self, tag: str) -> None:
        """An element ends."""
        self.hidden -= tag in HIDDEN
        region, styled = self._open.pop()
        self._styled -= styled
        if region == "main":
            self.in_main -= 1
        elif tag == "aside" or region in ASIDE:
            self._aside -= 1
        if tag in BLOCKS:
            self.add(" ")

    def add(self, text: str) -> None:
        """Text that stands here."""
        if self.hidden:
            return
        if self._styled:
            self._concealed.append(text)
            return
        if self.in_main:
            self._main.append(text)
        if not self._aside:
            self._body.append(text)

    def values(self) -> dict[str, object]:
        """Columns of ``facts``; keeps the text."""
        self.text = fold("".join(self._main if self.mains else self._body))
        return {
            "mains": self.mains,
            "main_words": count_words(self.text),
            "main_hash": fingerprint(self.text),
            "hidden_words": count_words(fold("".join(self._concealed))),
        }
