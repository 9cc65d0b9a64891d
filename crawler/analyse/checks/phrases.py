"""By which words does a page tell that it is none yet, or none any more?

Written as regular expressions over folded text; case does not matter where nothing is said of it.
"""

from __future__ import annotations

import re
from typing import Final

_NOT_FOUND: Final = (
    # English
    r"(?:page|file|document|url|resource|site) (?:was |is |were )?not found",
    r"(?:page|file|document|url|resource)\b.{0,40} (?:cannot|can ?not|can['\u2019]t|could not"
    r"|couldn['\u2019]t) be found",
    r"(?:page|file|document|url|resource)\b.{0,40} (?:does not|doesn['\u2019]t|no longer) exists?",
    r"(?:page|product|article|item) (?:is )?no longer available",
    r"(?:we )?(?:cannot|can['\u2019]t|could not|couldn['\u2019]t) find (?:the|that|this|your) page",
    r"404[ :,.\u2013\u2014-]+(?:error|not found|page)",
    r"(?:error|http|status|code)[ :,.\u2013\u2014-]+404\b",
    # German
    r"seite (?:wurde |konnte )?(?:leider )?nicht (?:mehr )?(?:gefunden|vorhanden|verf\u00fcgbar)",
    r"seite existiert (?:leider )?nicht",
    r"(?:fehler|404)[ :,.\u2013\u2014-]+(?:404|nicht gefunden)",
    # French
    r"page (?:est |demand\u00e9e |demand\u00e9e est )?introuvable",
    r"page (?:non|n['\u2019]a pas \u00e9t\u00e9|n['\u2019]est pas) trouv\u00e9e",
    r"page .{0,30}n['\u2019]existe (?:pas|plus)",
    r"(?:erreur)[ :,.\u2013\u2014-]+404\b",
    # Spanish, Portuguese, Italian
    r"p\u00e1gina (?:no|n\u00e3o) (?:encontrada|existe|(?:se ha |foi |fue )?encontrad[ao])",
    r"pagina non (?:\u00e8 stata )?(?:trovata|esiste)",
    # Dutch, Swedish, Danish, Norwegian
    r"pagina (?:is )?niet (?:gevonden|beschikbaar)",
    r"sidan (?:kunde inte hittas|hittades inte|finns inte)",
    r"siden (?:blev |ble )?(?:ikke fundet|ikke funnet|finnes ikke|findes ikke)",
    # Polish, Czech, Russian
    r"(?:strona|strony) nie (?:zosta\u0142a znaleziona|znaleziono|istnieje)",
    r"nie znaleziono strony",
    r"str\u00e1nka (?:nebyla nalezena|nenalezena|neexistuje)",
    r"\u0441\u0442\u0440\u0430\u043d\u0438\u0446\u0430 \u043d\u0435 "
    r"(?:\u043d\u0430\u0439\u0434\u0435\u043d\u0430|"
    r"\u0441\u0443\u0449\u0435\u0441\u0442\u0432\u0443\u0435\u0442)",
    # Japanese, Chinese
    "\u30da\u30fc\u30b8\u304c(?:\u898b\u3064\u304b\u308a|\u307f\u3064\u304b\u308a)\u307e\u305b\u3093",
    "(?:\u9875\u9762|\u9801\u9762)(?:\u4e0d\u5b58\u5728|\u672a\u627e\u5230)",
)
_FOUND: Final = re.compile("|".join(_NOT_FOUND), re.IGNORECASE)
_OF_NOT_FOUND: Final = (
    *("404", "not found", "be found", "exist", "no longer", "find ", "nicht", "introuvable"),
    *("trouv\u00e9e", "encontrad", "non ", "niet ", "inte", "ikke", "finnes", "nie ", "nenalezena"),
    *("nebyla", "\u043d\u0435 ", "\u30da\u30fc\u30b8", "\u9875\u9762", "\u9801\u9762"),
)
"""One of these stands in every text that `_FOUND` finds: to look for them takes a hundredth of the
time."""

NOT_FOUND_TITLE: Final = re.compile(r"^\W*(?:404|not found)\W*$", re.IGNORECASE)
"""A whole title; within a longer one, 404 may be a car."""

_PLACEHOLDER: Final = re.compile(
    r"lorem ipsum|dolor sit amet|\[insert [^\]]{1,60}\]|\[(?:your|placeholder)[^\]]{0,40}\]",
    re.IGNORECASE,
)
_OF_PLACEHOLDERS: Final = ("lorem ipsum", "dolor sit amet", "[insert ", "[your", "[placeholder")

_TODO: Final = re.compile(r"\bTODO\b")
_EVERYTHING: Final = frozenset({"ast", "ca", "es", "ext", "gl", "pt", "an", "oc"})
"""Languages in which TODO is a word as well: all."""

_MOJIBAKE: Final = re.compile(
    "\ufffd"
    "|[\u00c2\u00c3][\u0080-\u00bf\u20ac\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160"
    "\u2039\u0152\u017d\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153"
    "\u017e\u0178]"
    "|\u00e2\u20ac[\u0080-\u00bf\u201c\u201d\u02dc\u2122\u0153\u00a6\u00a2\u2018\u2019]"
    "|[\u00d0\u00d1][\u0080-\u00bf\u2018\u2019\u20ac\u201a\u0192]"
)
_OF_MOJIBAKE: Final = ("\ufffd", "\u00c3", "\u00c2", "\u00e2\u20ac", "\u00d0", "\u00d1")


def says_not_found(text: str) -> str | None:
    """What a text says of a page that is not there."""
    lower = text.lower()
    if not any(word in lower for word in _OF_NOT_FOUND):
        return None
    found = _FOUND.search(text)
    return found[0] if found else None


def placeholder(text: str, language: str) -> int | None:
    """Where in a text something stands for what is to come."""
    lower = text.lower()
    found = None
    if any(word in lower for word in _OF_PLACEHOLDERS):
        found = _PLACEHOLDER.search(text)
    if found is None and "TODO" in text and language.lower().partition("-")[0] not in _EVERYTHING:
        found = _TODO.search(text)
    return found.start() if found else None


def mojibake(text: str) -> list[str]:
    """U+FFFD, and letters that UTF-8 becomes when it is read as Windows-1252 or ISO 8859-1."""
    if text.isascii() or not any(mark in text for mark in _OF_MOJIBAKE):
        return []
    return [match[0] for match in _MOJIBAKE.finditer(text)]
