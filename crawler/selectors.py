"""What may people write where a selector is asked for, and what does it select?

CSS as cssselect reads it (Selectors Level 4 in parts, https://cssselect.readthedocs.io), or XPath
1.0 with the regular expressions of EXSLT (``re:test(@href, "[0-9]+$")``).
"""

from __future__ import annotations

import re
from typing import Any, Final

from lxml import etree

MAX_CHARACTERS: Final = 2000
_NAMESPACES: Final = {"re": "http://exslt.org/regular-expressions"}
_QUOTED: Final = re.compile(r"\"[^\"]*\"|'[^']*'")
_PREFIX: Final = re.compile(r"(?<![\w.-])([A-Za-z_][\w.-]*):(?!:)")
_CALL: Final = re.compile(r"(?<![\w.:-])([A-Za-z_][\w.-]*)\s*\(")
_FUNCTIONS: Final = frozenset(
    {
        *("last", "position", "count", "id", "local-name", "namespace-uri", "name", "string"),
        *("concat", "starts-with", "contains", "substring-before", "substring-after", "substring"),
        *("string-length", "normalize-space", "translate", "boolean", "not", "true", "false"),
        *("lang", "number", "sum", "floor", "ceiling", "round"),
        *("comment", "text", "processing-instruction", "node", "and", "or", "div", "mod"),
    }
)
"""What may stand before a bracket: functions (XPath 1.0, section 4), tests of nodes, operators."""
_SAMPLE: Final = "<html><head><title>t</title></head><body><p id='a'>p</p></body></html>"


class SelectorError(ValueError):
    """A text that selects nothing on any page: what is wrong with it, in words."""


class Selector:
    """Selects in a tree of HTML. Raises SelectorError."""

    __slots__ = ("_find", "_text")

    def __init__(self, *, css: str = "", xpath: str = "") -> None:
        self._text = css or xpath
        if len(self._text) > MAX_CHARACTERS:
            raise SelectorError(f"is longer than {MAX_CHARACTERS:,} characters")
        path = _translated(css) if css else xpath
        try:
            self._find = etree.XPath(path, namespaces=_NAMESPACES, smart_strings=False)
            _refuse_unknown(path)
            self.select(etree.fromstring(_SAMPLE, etree.HTMLParser()))
        except (etree.XPathError, ValueError) as error:
            raise SelectorError(f"is no XPath: {error}") from None

    def __repr__(self) -> str:
        return f"<Selector {self._text}>"

    def select(self, root: etree._Element) -> list[Any]:
        """What it selects, in document order: elements, texts or numbers."""
        found: Any = self._find(root)
        return found if isinstance(found, list) else [found]


def _refuse_unknown(path: str) -> None:
    """What libxml2 notices only when it comes to a predicate that has it."""
    plain = _QUOTED.sub("''", path)
    for prefix in _PREFIX.findall(plain):
        if prefix not in _NAMESPACES:
            raise SelectorError(f"is no XPath: Undefined namespace prefix {prefix}")
    for function in _CALL.findall(plain):
        if function not in _FUNCTIONS:
            raise SelectorError(f"is no XPath: Unregistered function {function}()")


def _translated(css: str) -> str:
    """The XPath of a selector of CSS."""
    from cssselect import HTMLTranslator  # only who writes a rule needs it
    from cssselect import SelectorError as NoCss
    from cssselect.parser import FunctionalPseudoElement, parse

    try:
        for part in parse(css):
            pseudo = part.pseudo_element
            if isinstance(pseudo, FunctionalPseudoElement):
                names = " ".join(token.value or "" for token in pseudo.arguments)
                raise SelectorError(f'has ::{pseudo.name}(): write attribute = "{names}" beside it')
            if pseudo is not None:
                raise SelectorError(f"has ::{pseudo}: leave it out, what is taken is the text")
        return HTMLTranslator().css_to_xpath(css)
    except NoCss as error:
        raise SelectorError(f"is no CSS selector: {error}") from None
