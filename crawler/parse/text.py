"""What does a person read on this page?"""

from __future__ import annotations

import re
from hashlib import blake2b
from typing import Final

MAX_FACT: Final = 2000
"""Characters that are kept of a title, description or heading."""

_CONTROLS = re.compile(r"[\x00-\x1f\x80-\x9f]")

HIDDEN: Final = frozenset(
    {
        *("script", "style", "noscript", "template", "title", "iframe", "noembed", "noframes"),
        *("object", "datalist"),
    }
)
"""Elements whose content is not shown, or only instead of something else."""

BLOCKS: Final = frozenset(
    {
        *("address", "article", "aside", "blockquote", "body", "br", "button", "caption", "center"),
        *("dd", "details", "dialog", "dir", "div", "dl", "dt", "fieldset", "figcaption", "figure"),
        *("footer", "form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hgroup", "hr", "legend"),
        *("li", "main", "menu", "nav", "ol", "optgroup", "option", "p", "pre", "search", "section"),
        *("select", "summary", "table", "tbody", "td", "textarea", "tfoot", "th", "thead", "tr"),
        "ul",
    }
)
"""Elements whose text does not run together with what stands beside them."""


def fold(text: str) -> str:
    """White space folded to single spaces."""
    return " ".join(text.split())


def fact(text: str) -> str:
    """What is kept of a title, a description or a heading: folded, control characters as spaces,
    as browsers show them and no terminal obeys them, at most `MAX_FACT` characters."""
    return fold(_CONTROLS.sub(" ", text))[:MAX_FACT]


def kept(text: str, most: int) -> tuple[str, str | None]:
    """At most so many bytes of a text in UTF-8; ``text`` where that is not all."""
    if len(text) * 4 <= most or len(data := text.encode()) <= most:
        return text, None
    return data[:most].decode("utf-8", "ignore"), "text"


def clean(text: str) -> str:
    """Without what a database cannot hold: NUL and lone surrogates become U+FFFD."""
    kept = text.replace("\0", "\ufffd").encode("utf-16", "surrogatepass")
    return kept.decode("utf-16", "replace")


def count_words(text: str) -> int:
    """Words of a folded text: what stands between spaces."""
    return text.count(" ") + 1 if text else 0


def fingerprint(text: str) -> int | None:
    """The 63-bit number by which pages that show the same are found; None where nothing is shown.

    Else all empty pages of a crawl would be each other's duplicates.
    """
    if not text:
        return None
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest(), "big") >> 1
