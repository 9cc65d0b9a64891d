"""What may people write where a regular expression is asked for, and does it fit?

Patterns are RE2's (https://github.com/google/re2/wiki/Syntax): the time they take grows with the
text, whatever the pattern. Those of Python's own `re` can take for ever, and no signal ends them:
``/(a+)+$`` and one long address held a crawl until it was killed. What RE2 leaves out for that,
look-around and back-references, is refused with this reason.
"""

from __future__ import annotations

import re
from typing import Any, Final

UNDONE: Final = (
    (re.compile(r"\(\?<?[=!]"), "look-around"),
    (re.compile(r"escape sequence: \\[1-9]|operator: \(\?P$"), "back-references"),
    (re.compile(r"operator: \(\?>|operator: [+*?]\+"), "possessive or atomic matching"),
)
"""What RE2 says of what it leaves out, and how it is called."""


class PatternError(ValueError):
    """A text that is no pattern. pattern: the text. why: what is wrong with it, in words."""

    def __init__(self, pattern: str, why: str) -> None:
        super().__init__(f"{pattern}: {why}")
        self.pattern = pattern
        self.why = why


class Patterns:
    """Some patterns, of which any one is enough. Raises PatternError."""

    __slots__ = ("_parts", "_texts")

    def __init__(self, texts: tuple[str, ...] = ()) -> None:
        self._texts = texts
        self._parts = _compiled(texts) if texts else []

    def __repr__(self) -> str:
        return f"<Patterns {', '.join(self._texts)}>"

    def __bool__(self) -> bool:
        return bool(self._texts)

    def match(self, text: str) -> bool:
        """Does any of them occur in the text?"""
        return any(part.search(text) for part in self._parts)


def _compiled(texts: tuple[str, ...]) -> list[Any]:
    """All in one, each in a group of its own, where that can be; one asks faster than many."""
    import re2  # 3 ms that a crawl without patterns does not spend

    options = re2.Options()
    options.log_errors = False
    options.never_capture = True
    parts = [_one(text, options) for text in texts]
    try:
        return [re2.compile("|".join(f"(?:{text})" for text in texts), options)]
    except re2.error:
        return parts  # too large for one


def _one(text: str, options: Any) -> Any:
    import re2

    try:
        return re2.compile(text, options)
    except UnicodeEncodeError:
        raise PatternError(text, "is not a regular expression: it is not Unicode text") from None
    except re2.error as error:
        said = error.args[0].decode("utf-8", "replace")
    for sign, name in UNDONE:
        if sign.search(said):
            raise PatternError(
                text, f"uses {name}, which RE2 leaves out so that no pattern can hang a crawl"
            )
    raise PatternError(text, f"is not a regular expression: {said}")
