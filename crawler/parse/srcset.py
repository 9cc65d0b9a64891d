"""Which images does a srcset attribute name?

https://html.spec.whatwg.org/multipage/images.html#parsing-a-srcset-attribute
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_SPACE: Final = r"[ \t\n\f\r]"
_candidate = re.compile(r"[ \t\n\f\r,]*+([^ \t\n\f\r]++)")
_descriptors = re.compile(r"(?:[^,(]++|\([^)]*+\)?+)*+")
_WIDTH: Final = r"0*+[1-9][0-9]*+w"
_HEIGHT: Final = r"0*+[1-9][0-9]*+h"
_DENSITY: Final = r"(?:(?:[0-9]++)?(?:\.[0-9]++)?(?<=[0-9])(?:[eE][-+]?[0-9]++)?x|-0++(?:\.0++)?x)"
_sound = re.compile(
    rf"{_SPACE}*+(?:|{_WIDTH}(?:{_SPACE}++{_HEIGHT})?|{_HEIGHT}{_SPACE}++{_WIDTH}|{_DENSITY})"
    rf"{_SPACE}*+"
)


def candidates(srcset: str) -> Iterator[str]:
    """The addresses, as written, of those whose descriptors a browser does not refuse."""
    for start, end, descriptors in named(srcset):
        if _sound.fullmatch(descriptors):
            yield srcset[start:end]


def named(srcset: str) -> Iterator[tuple[int, int, str]]:
    """All of them: where their addresses stand, and their descriptors."""
    at = 0
    while found := _candidate.match(srcset, at):
        at = found.end()
        url = found[1].rstrip(",")
        descriptors = ""
        if url == found[1]:
            behind = _descriptors.match(srcset, at)
            assert behind is not None  # it may be empty
            descriptors, at = behind[0], behind.end()
        if url:
            yield found.start(1), found.start(1) + len(url), descriptors
