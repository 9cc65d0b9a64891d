"""Where does a refresh lead?"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

SOON_S: Final = 10
"""Within so many seconds a refresh stands for a redirect; later it ends a visit or a session."""
_REFRESH = re.compile(
    r"""[ \t\n\f\r]*(?:([0-9]+)(?:\.[0-9.]*)?|\.[0-9.]*)[ \t\n\f\r]*[;, \t\n\f\r][ \t\n\f\r]*"""
    r"""(?:url[ \t\n\f\r]*=[ \t\n\f\r]*)?(?:"([^"]*)|'([^']*)|(.*))""",
    re.IGNORECASE | re.DOTALL | re.ASCII,
)


class Refresh(NamedTuple):
    """The address in a refresh as written, and whether it is gone to so soon that it stands for a
    redirect."""

    url: str
    is_soon: bool


def read_refresh(content: str) -> Refresh | None:
    """What a refresh says, header or meta; None when it only reloads.

    https://html.spec.whatwg.org/multipage/semantics.html#shared-declarative-refresh-steps
    """
    found = _REFRESH.match(content)
    if found is None:
        return None
    seconds, *texts = found.groups()
    url = next((text for text in texts if text is not None), "").strip()
    digits = (seconds or "0").lstrip("0") or "0"
    return Refresh(url, len(digits) < 4 and int(digits) <= SOON_S) if url else None
