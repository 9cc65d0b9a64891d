"""What does a page ask of robots?

Wherever it stands: in a meta element or in X-Robots-Tag, for all robots or for the one with this
crawler's name. People part the words by commas, by semicolons and by spaces.
"""

from __future__ import annotations

import re
from typing import Final

from crawler.parse.text import clean, fold

_SEPARATORS = re.compile("[,;|\uff0c\u3001]")
_VALUED = re.compile(r"[a-z_-]+\s*[:=]")
_WITH_VALUE: Final = frozenset(
    {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}
)
_AGENT = re.compile(r"\s*([\w*./-]+)\s*:(.*)", re.ASCII | re.DOTALL)
_DATED: Final = "unavailable_after"


def wishes(content: str) -> list[str]:
    """The words of a robots directive in lower case, in order; a value stays with its word."""
    found: list[str] = []
    for part in _SEPARATORS.split(content.lower()):
        text = fold(clean(part)).strip("'\"")
        if found and found[-1].startswith(_DATED) and text[:1].isdigit():
            found[-1] += f", {text}"  # a date may have a comma
        elif _VALUED.match(text):
            found.append(text)
        else:
            found.extend(text.replace("/", " ").split())
    return found


def wishes_of_header(value: str, name: str) -> list[str]:
    """The words of an X-Robots-Tag that hold for the robot of this name.

    What follows a robot's name and a colon holds for that robot alone, until another is named.
    """
    found: list[str] = []
    holds = True
    for part in _SEPARATORS.split(value):
        agent = _AGENT.match(part)
        if agent and agent[1].lower() not in _WITH_VALUE:
            holds, part = agent[1].lower() in ("*", "robots", name.lower()), agent[2]
        if holds:
            found.append(part)
    return wishes(",".join(found))


def forbid_following(words: list[str]) -> bool:
    """Do these words ask not to follow the links of a page?"""
    return "nofollow" in words or "none" in words
