"""Pages that take seconds of C code, which no greenlet can interrupt.

libxml2 looks for the name of each end tag among all elements that are open; beyond the depth of a
tree these grow without limit when such a page is flattened.
"""

from __future__ import annotations

from crawler.parse.isolated import LONG_TAG_BYTES

STALLS = "<b>" * 30_000 + "</x>" * 100_000
"""About 3 s. Nothing about it looks risky."""

LINGERS = "<b>" * 30_000 + "</x>" * 10_000
"""About 0.4 s: long enough for a test to see that it is read."""

BURNS = f"<p title={'x' * LONG_TAG_BYTES}>" + "<b>" * 60_000 + "</x>" * 200_000
"""About 12 s. Its first tag is long enough for a process of its own."""
