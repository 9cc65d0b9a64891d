"""How wide is a line of text in a list of results?

The advance widths of Arial, which are those of Helvetica (Adobe Font Metrics), in thousandths of
the size of the font.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_BY_WIDTH: Final = {
    191: "'",
    222: "ijl",
    260: "|",
    278: " !,./:;I[\\]ft",
    333: "()-`r",
    334: "{}",
    355: '"',
    389: "*",
    469: "^",
    500: "Jcksvxyz",
    556: "#$0123456789?L_abdeghnopqu",
    584: "+<=>~",
    611: "FTZ",
    667: "&ABEKPSVXY",
    722: "CDHNRUw",
    778: "GOQ",
    833: "Mm",
    889: "%",
    944: "W",
    1015: "@",
}
_WIDTHS: Final = {char: width for width, chars in _BY_WIDTH.items() for char in chars}
_OTHER: Final = 556
_FULL: Final = 1000


def pixels(text: str, size: float) -> int:
    """Width of a text in Arial of this size in pixels; marks above letters take no room."""
    shown = unicodedata.normalize("NFD", text)
    return round(sum(map(_width, shown)) * size / 1000)


def _width(char: str) -> int:
    if char in _WIDTHS:
        return _WIDTHS[char]
    if unicodedata.combining(char):
        return 0
    return _FULL if unicodedata.east_asian_width(char) in "WF" else _OTHER
