"""Which addresses does a style sheet name, and where do they stand in it?

Reads as CSS Syntax Level 3 does (https://www.w3.org/TR/css-syntax-3/), as far as it decides what is
an address: nothing in comments, strings and selectors is, nor what stands in a declaration that is
broken. No tree is built: a sheet may be hostile, and whoever writes it anew needs the places.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

MOST_OPEN: Final = 5_000
"""Brackets within each other; nobody writes so many."""

_SPACE: Final = r"[ \t\r\n\f]"
_COMMENT: Final = r"/\*(?:[^*]++|\*(?!/))*+(?:\*/)?+"
_ESCAPE: Final = rf"\\(?:[0-9a-fA-F]{{1,6}}+(?:\r\n|{_SPACE})?+|[^\r\n\f0-9a-fA-F]|\Z)"
_LETTER: Final = r"[a-zA-Z_\x00\x80-\U0010ffff]"
_NAME: Final = rf"(?:[-\w\x00\x80-\U0010ffff]++|{_ESCAPE})*+"
_IDENT: Final = rf"(?:--|-?(?:{_LETTER}|{_ESCAPE})){_NAME}"
_GAP: Final = rf"(?:{_SPACE}++|{_COMMENT})*+"
_STRING: Final = "|".join(
    rf"{quote}(?:[^{quote}\\\r\n\f]++|{_ESCAPE}|\\(?:\r\n|[\r\n\f]))*+"
    rf"(?:(?P<{name}>{quote})|\Z)?+"
    for quote, name in (('"', "double"), ("'", "single"))
)

_run = re.compile(rf"(?:[^\"'(){{}}\[\];\\/]++|{_COMMENT}|/|{_ESCAPE}|\\)*+")
"""What no address begins or ends in: names, numbers, signs, white space, comments."""
_gap = re.compile(_GAP)
_string = re.compile(_STRING)
_declaration = re.compile(rf"(?P<name>{_IDENT}){_GAP}:")
_at_rule = re.compile(rf"@(?P<name>{_IDENT})")
_function = re.compile(rf"(?P<name>{_IDENT})\(")
_unquoted = re.compile(
    rf"{_SPACE}*+(?P<text>(?:[^\"'()\\ \x01-\x1f\x7f]++|{_ESCAPE})*+){_SPACE}*+(?:\)|\Z)"
)
"""The rest of ``url(`` without quotes (section 4.3.6)."""
_bad_url = re.compile(r"(?:[^)\\]++|\\[\s\S]?+)*+\)?+")
"""What is left of one that is broken (section 4.3.14)."""
_marks = re.compile(r"(?:<!--|-->|[ \t\r\n\f]++|/\*(?:[^*]++|\*(?!/))*+(?:\*/)?+)*+")
"""Before a rule of a sheet, marks of old HTML mean nothing (section 5.4.1)."""
_escape = re.compile(
    rf"\\(?:(?P<hex>[0-9a-fA-F]{{1,6}}+)(?:\r\n|{_SPACE})?+|(?P<newline>\r\n|[\r\n\f])|"
    r"(?P<other>[\s\S])|\Z)"
)
_tokens = re.compile(
    rf"{_COMMENT}|[@#]?+(?P<name>{_IDENT})|[-+]?(?:\d*\.\d+|\d+)(?:[eE][-+]?\d+)?+(?:{_IDENT})?+"
    r"|<!--|-->|[\s\S]"
)

_TAKES_STRING: Final = frozenset({"url", "src"})
_TAKES_STRINGS: Final = frozenset({"image-set", "-webkit-image-set", "image"})
"""Functions in which a string is an address (CSS Images 4, sections 2.3 and 2.4)."""
_LONGEST: Final = max(map(len, _TAKES_STRING | _TAKES_STRINGS))
_named = re.compile(
    rf"(?:^|<!--|[^-\w\x00\x80-\U0010ffff#@])({'|'.join(_TAKES_STRING | _TAKES_STRINGS)})\Z",
    re.IGNORECASE,
)
_KNOWN_RULES: Final = frozenset(
    {
        *("media", "supports", "font-face", "page", "keyframes", "container"),
        *("-webkit-keyframes", "property", "counter-style", "font-feature-values", "scope"),
        *("font-palette-values", "starting-style", "position-try", "view-transition"),
    }
)
"""Rules with a block behind which an ``@import`` means nothing; one that is unknown is as if it
were not there."""


class Reference(NamedTuple):
    """An address in a style sheet.

    kind: of the link: ``import``, ``font`` (of an ``@font-face``) or ``css``. url: as it is meant,
    without escapes. start, end: the place of the string, or of what stands in ``url()``: a string
    of CSS may take it.
    """

    kind: str
    url: str
    start: int
    end: int


class TooDeep(Exception):
    """There are more than `MOST_OPEN` brackets within each other."""


def references(text: str, *, is_attribute: bool = False) -> Iterator[Reference]:
    """The addresses of a style sheet in their order, or of a ``style`` attribute.

    Those of the sheet itself are none: what is empty, and what is only a fragment (CSS Values 4,
    section 4.5.2). Raises TooDeep, behind what it has found so far.
    """
    for found in _Reader(text, is_attribute=is_attribute).read():
        if found.url.strip(" \t\n\r\f") and not found.url.startswith("#"):
            yield found


def meant(text: str) -> str:
    """What a string or an unquoted address says, without its quotes."""
    if "\\" in text:
        text = _escape.sub(_unescaped, text)
    return text.replace("\0", "\ufffd")


def quoted(url: str) -> str:
    """The string of CSS that says this."""
    escaped = re.sub(r"[\"\\\x00-\x1f\x7f]", lambda found: f"\\{ord(found[0]):x} ", url)
    return f'"{escaped}"'


def _unescaped(found: re.Match[str]) -> str:
    if found["hex"]:
        number = int(found["hex"], 16)
        is_character = 0 < number <= 0x10FFFF and not 0xD800 <= number <= 0xDFFF
        return chr(number) if is_character else "\ufffd"
    return "" if found["newline"] else found["other"] or "\ufffd"


class _Reader:
    """One look at a style sheet.

    open: what is open, from without: ``(`` and ``[``, the name of a function in whose place a
    string is an address, ``{`` for a block of rules and declarations, ``=`` for one in a value.
    rules: the at-rule that each block belongs to. found: of the declaration, or the import, that
    is being read. broken: it is none. counts: addresses count in it. rule: the at-rule that is.
    """

    def __init__(self, text: str, *, is_attribute: bool) -> None:
        self._text = text
        self._at = 0
        self._is_attribute = is_attribute
        self._open: list[str] = []
        self._rules: list[str] = []
        self._found: list[Reference] = []
        self._broken = False
        self._counts = False
        self._is_custom = False
        self._rule = ""
        self._may_import = not is_attribute
        self._has_imported = False

    def read(self) -> Iterator[Reference]:
        text, size = self._text, len(self._text)
        self._begin()
        while True:
            run = _run.match(text, self._at)
            assert run is not None  # it may be empty
            begin, self._at = self._at, run.end()
            if self._at >= size:
                break
            sign = text[self._at]
            if sign in "\"'":
                self._take_string()
            elif sign == "(":
                self._call(begin)
            elif sign == "[":
                self._enter("[")
            elif sign in ")]":
                self._leave("]" if sign == "]" else ")")
            elif sign == "{":
                self._enter_block()
            elif sign == "}":
                yield from self._leave_block()
            else:
                yield from self._semicolon()
            if len(self._open) > MOST_OPEN:
                raise TooDeep
        if not self._broken:
            yield from self._found

    # Rules and declarations

    @property
    def _in_block(self) -> bool:
        """Do declarations stand here?"""
        return self._is_attribute or bool(self._open)

    def _begin(self) -> None:
        """A rule or a declaration begins."""
        text = self._text
        self._found, self._broken, self._counts, self._is_custom = [], False, False, False
        self._rule = ""
        before = _gap if self._in_block else _marks
        self._at = before.match(text, self._at).end()  # type: ignore[union-attr]  # may be empty
        if at_rule := _at_rule.match(text, self._at):
            self._at = at_rule.end()
            self._rule = meant(at_rule["name"]).lower()
            if self._rule == "import" and self._may_import:
                self._import()
        elif self._in_block and (declaration := _declaration.match(text, self._at)):
            self._at = declaration.end()
            self._counts = True
            self._is_custom = declaration["name"].startswith("--")

    def _import(self) -> None:
        """What is imported stands first (https://www.w3.org/TR/css-cascade-5/#at-import)."""
        text = self._text
        at = _gap.match(text, self._at).end()  # type: ignore[union-attr]  # it may be empty
        function = _function.match(text, at)
        if text[at : at + 1] in ("'", '"'):
            self._at = at
            self._take_string("import")
        elif function is not None and meant(function["name"]).lower() in _TAKES_STRING:
            self._at = function.end()
            self._open.append("(")
            self._take_address(meant(function["name"]).lower(), "import")

    def _ends_imports(self, *, with_block: bool) -> bool:
        """Is no import behind this statement one? (CSS Cascading 5, section 2)"""
        if self._rule == "layer":
            return with_block or self._has_imported
        if not with_block:
            return self._rule == "namespace"
        return self._rule in _KNOWN_RULES or not self._rule

    def _enter_block(self) -> None:
        if (self._open and self._open[-1] != "{") or self._is_custom:
            self._enter("=")
            return
        if not self._in_block and self._ends_imports(with_block=True):
            self._may_import = False
        self._at += 1
        self._open.append("{")
        self._rules.append(self._rule)
        self._begin()

    def _leave_block(self) -> Iterator[Reference]:
        self._at += 1
        last = self._open[-1] if self._open else ""
        if last == "=":
            self._open.pop()
        elif last == "{":
            if not self._broken:
                yield from self._found
            self._open.pop()
            self._rules.pop()
            self._begin()
        else:
            self._broken = True

    def _semicolon(self) -> Iterator[Reference]:
        self._at += 1
        if self._open and self._open[-1] != "{":
            return
        if not self._in_block:
            if not self._rule:
                return  # it belongs to what ought to be a selector (section 5.4.3)
            self._has_imported |= bool(self._found)
            if self._ends_imports(with_block=False):
                self._may_import = False
        if not self._broken:
            yield from self._found
        self._begin()

    # Values

    def _enter(self, what: str) -> None:
        self._at += 1
        self._open.append(what)

    def _leave(self, sign: str) -> None:
        """A closing bracket; one that closes nothing breaks its declaration (section 8.1)."""
        self._at += 1
        last = self._open[-1] if self._open else ""
        is_square = last == "["
        if last and last not in "{=" and is_square == (sign == "]"):
            self._open.pop()
        else:
            self._broken = True

    def _call(self, begin: int) -> None:
        """A bracket opens; where a name stands right before it, that is a function."""
        name = self._name_before(begin)
        self._at += 1
        self._open.append(name if name in _TAKES_STRINGS else "(")
        if name in _TAKES_STRING:
            self._take_address(name, None)

    def _name_before(self, begin: int) -> str:
        """The function whose bracket opens here, in lower case, as far as that matters."""
        text, at = self._text, self._at
        if "\\" in text[max(begin, at - 8 * _LONGEST) : at]:
            return _last_name(text[begin:at])
        # One character more than the longest name, or the four of an old mark.
        found = _named.search(text[max(0, at - _LONGEST - 4) : at])
        return found[1].lower() if found else ""

    def _take_address(self, name: str, kind: str | None) -> None:
        """What stands in ``url()``, whose bracket is open, or in ``src()``."""
        text = self._text
        at = _gap.match(text, self._at).end() if name == "src" else _space_end(text, self._at)  # type: ignore[union-attr]  # it may be empty
        if text[at : at + 1] in ("'", '"') and at < len(text):
            self._at = at
            self._take_string(kind or self._kind)
        elif name == "url":
            self._open.pop()
            self._take_unquoted(kind or self._kind)

    def _take_unquoted(self, kind: str) -> None:
        found = _unquoted.match(self._text, self._at)
        if found is None:
            self._broken = True
            self._at = _bad_url.match(self._text, self._at).end()  # type: ignore[union-attr]  # it may be empty
            return
        self._at = found.end()
        self._note(kind, meant(found["text"]), *found.span("text"))

    def _take_string(self, kind: str | None = None) -> None:
        """A string; one that its line ends is none (section 4.3.5)."""
        found = _string.match(self._text, self._at)
        assert found is not None  # its quote stands here
        start, self._at = found.span()
        ends_at_quote = bool(found["double"] or found["single"])
        if not ends_at_quote and self._at < len(self._text):
            self._broken = True
            return
        if kind is None and self._open and self._open[-1] in _TAKES_STRINGS:
            kind = self._kind
        if kind is not None:
            inside = self._text[start + 1 : self._at - ends_at_quote]
            self._note(kind, meant(_without_last(inside)), start, self._at)

    def _note(self, kind: str, url: str, start: int, end: int) -> None:
        if self._counts or kind == "import":
            self._found.append(Reference(kind, url, start, end))

    @property
    def _kind(self) -> str:
        return "font" if self._rules and self._rules[-1] == "font-face" else "css"


def _space_end(text: str, at: int) -> int:
    while text[at : at + 1] in (" ", "\t", "\r", "\n", "\f"):
        at += 1
    return at


def _without_last(inside: str) -> str:
    """A backslash that ends the sheet within a string says nothing (section 4.3.5)."""
    backslashes = len(inside) - len(inside.rstrip("\\"))
    return inside[:-1] if backslashes % 2 else inside


def _last_name(run: str) -> str:
    """The name that a run ends in, in lower case, with escapes; empty where it ends in none."""
    name, end = "", 0
    for token in _tokens.finditer(run):
        name, end = (token["name"] or "") if token[0][0] not in "@#" else "", token.end()
    return meant(name).lower() if end == len(run) else ""
