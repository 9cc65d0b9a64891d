"""How is a broken list in XML made whole?

Most that breaks a sitemap or feed leaves its structure as it was: a bare ``&``, an entity of HTML,
a control character, an end tag of nothing. Such a document is written again as XML, so that what
reads sound ones reads all that stands in it.
"""

from __future__ import annotations

import html
import re
from html.entities import html5
from typing import Final

ENTRIES: Final = frozenset({"url", "sitemap", "item", "entry"})
"""Elements that list something; none of them stands in another of its kind."""

MAX_MENDED_BYTES: Final = 16 * 1024 * 1024
"""Five seconds' work, and more than 50,000 entries take."""

_MAX_DEPTH: Final = 100
_ROOT = re.compile(r"<(?:[\w.-]+:)?(?:urlset|sitemapindex|rss|feed|RDF)(?=[\s>])")
_NEAR_TOP: Final = 4096
_TOKEN = re.compile(
    r"<!--.*?(?:-->|\Z)|<!\[CDATA\[(?P<literal>.*?)(?:\]\]>|\Z)|<\?.*?(?:\?>|\Z)|<![A-Za-z][^<>]*+>"
    r"|<(?P<end>/?)(?P<name>[A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?)(?P<rest>[^<>]*+)>"
    r"|(?P<text>[^<]+|<)",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(
    r"""([A-Za-z_][\w.-]*(?::[A-Za-z_][\w.-]*)?)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"']+))"""
)
_REFERENCE = re.compile(r"&(?:#[0-9]{1,8}|#[xX][0-9a-fA-F]{1,8}|[A-Za-z][A-Za-z0-9]{0,31});")
# Not the complement of what is XML's: that takes 14 ms to compile.
_NO_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_PREFIXES: Final = {
    "xhtml": "http://www.w3.org/1999/xhtml",
    "atom": "http://www.w3.org/2005/Atom",
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
}


def begins_late(data: bytes) -> bool:
    """Does a list begin behind something else, such as the warnings of what made it?"""
    return _ROOT.search(data[:_NEAR_TOP].decode("utf-8", "replace")) is not None


def mended(data: bytes) -> bytes:
    """The same list as well-formed XML, from UTF-8.

    What stands before its root, declarations and comments are left out, and so is an entry that the
    end cuts off. No more than `MAX_MENDED_BYTES` are read.
    """
    text = data[:MAX_MENDED_BYTES].decode("utf-8", "replace")
    root = _ROOT.search(text)
    writing = _Writing()
    for token in _TOKEN.finditer(text, root.start() if root else 0):
        if token["name"]:
            if token["end"]:
                writing.end(token["name"])
            else:
                writing.start(token["name"], token["rest"])
        elif token["text"]:
            writing.add(_resolved(token["text"]))
        elif token["literal"]:
            writing.add(token["literal"])
    return writing.whole().encode()


class _Writing:
    """A document while it is written again; its root stays open to the last."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._open: list[tuple[str, int]] = []
        self._root = ""
        self._used: set[str] = set()
        self._declared: set[str] = {"xml", "xmlns"}

    def start(self, name: str, rest: str) -> None:
        if len(self._open) >= _MAX_DEPTH or (self._open and name == self._open[0][0]):
            return  # what begins once more is the same list
        if name.rpartition(":")[2] in ENTRIES and self._is_open(name):
            self.end(name)
        attributes = self._attributes(rest)
        self._used.add(name.partition(":")[0] if ":" in name else "xml")
        if not self._open:
            self._root = f"<{name}{attributes}"
            self._open.append((name, 0))
            return
        empty = rest.rstrip().endswith("/")
        if not empty:
            self._open.append((name, len(self._parts)))
        self._parts.append(f"<{name}{attributes}{'/' if empty else ''}>")

    def end(self, name: str) -> None:
        """What is open in it ends with it; what is not open does not end."""
        if not self._is_open(name):
            return
        while len(self._open) > 1 and self._open[-1][0] != name:
            self._parts.append(f"</{self._open.pop()[0]}>")
        if len(self._open) > 1:
            self._parts.append(f"</{self._open.pop()[0]}>")

    def add(self, text: str) -> None:
        if self._open:
            self._parts.append(html.escape(_NO_XML.sub("", text), quote=False))

    def whole(self) -> str:
        if not self._open:
            return ""
        cut = next((at for name, at in self._open[1:] if name.rpartition(":")[2] in ENTRIES), None)
        if cut is not None:
            del self._parts[cut:]
            while self._open[-1][1] >= cut and len(self._open) > 1:
                self._open.pop()
        ends = "".join(f"</{name}>" for name, _ in reversed(self._open))
        return f"{self._root}{self._namespaces()}>{''.join(self._parts)}{ends}"

    def _is_open(self, name: str) -> bool:
        return any(name == opened for opened, _ in self._open)

    def _attributes(self, rest: str) -> str:
        found: dict[str, str] = {}
        for match in _ATTRIBUTE.finditer(rest):
            value = next((text for text in match.groups()[1:] if text is not None), "")
            prefix, colon, local = match[1].partition(":")
            if prefix == "xmlns" and colon:
                if not value.strip() or local in ("xml", "xmlns"):
                    continue
                self._declared.add(local)
            elif colon:
                self._used.add(prefix)
            value = html.escape(_NO_XML.sub("", _resolved(value)))
            found.setdefault(match[1], value)
        return "".join(f' {name}="{value}"' for name, value in found.items())

    def _namespaces(self) -> str:
        """Declarations of what nothing in the document declares."""
        return "".join(
            f' xmlns:{prefix}="{_PREFIXES.get(prefix, f"urn:undeclared:{prefix}")}"'
            for prefix in sorted(self._used - self._declared)
        )


def _resolved(text: str) -> str:
    """References replaced by what they mean, in XML or in HTML; all else that looks like one is
    text."""
    return _REFERENCE.sub(lambda found: _meaning(found[0]), text) if "&" in text else text


def _meaning(reference: str) -> str:
    known = reference[1] == "#" or reference[1:] in html5
    return html.unescape(reference) if known else reference
