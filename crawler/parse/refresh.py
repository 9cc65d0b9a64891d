"""Where does a refresh lead?"""

from __future__ import annotations

import re

_REFRESH = re.compile(
    r"""[ \t\n\f\r]*(?:[0-9]+(?:\.[0-9.]*)?|\.[0-9.]*)[ \t\n\f\r]*[;, \t\n\f\r][ \t\n\f\r]*"""
    r"""(?:url[ \t\n\f\r]*=[ \t\n\f\r]*)?(?:"([^"]*)|'([^']*)|(.*))""",
    re.IGNORECASE | re.DOTALL | re.ASCII,
)


def refresh_target(content: str) -> str | None:
    """The address in a refresh, header or meta; None when it only reloads.

    https://html.spec.whatwg.org/multipage/semantics.html#shared-declarative-refresh-steps
    """
    found = _REFRESH.match(content)
    if found is None:
        return None
    url = next((text for text in found.groups() if text is not None), "")
    return url.strip() or None
