"""Which characters do these bytes mean?

The order of the WHATWG standards: byte order mark, Content-Type header, what the document declares
(https://html.spec.whatwg.org/multipage/parsing.html#determining-the-character-encoding), and a
guess only for bytes that declare nothing and are not UTF-8. Everything leaves here as UTF-8, so
that no parser behind it meets an encoding it does not know.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from crawler.parse.encodings import decode as decode_as
from crawler.parse.labels import named, of_codec
from crawler.parse.loops import is_utf8

PRESCAN_BYTES: Final = 1024
LATE_BYTES: Final = 65_536
"""How far a declaration is looked for that comes too late, before anything is guessed: browsers
begin again when they meet one."""

HINT_BYTES: Final = 4096
"""How near the top any ``charset=`` is taken for a hint."""

FEW_LETTERS: Final = 8
RARE_LETTERS: Final = 30
"""Below so many bytes beyond ASCII no Latin alphabet is told from another, or none of the rare."""

MOST_OF: Final = 2
"""So many bytes that continue a character of UTF-8 must be right for one that is wrong: by chance
they rarely are."""

BORNE_OUT: Final = 20
"""So many must be right for one that is wrong in an encoding that was but hinted at."""

FALLBACK: Final = "windows-1252"

_RARE: Final = frozenset(
    {
        *("iso-8859-3", "iso-8859-4", "iso-8859-10", "iso-8859-13", "iso-8859-14", "iso-8859-15"),
        *("iso-8859-16", "macintosh", "ibm866"),
    }
)
_LATIN: Final = _RARE | {
    *("iso-8859-2", "windows-1250", "windows-1254", "windows-1257", "windows-1258"),
}
_FOREIGN = re.compile(rb"[\x80-\xff]+")
_JIS_ESCAPES: Final = (b"\x1b$B", b"\x1b$@")
_HINT = re.compile(rb"charset\s*=[\s\"'\\]*([\w.:-]+)", re.IGNORECASE)
# a character of UTF-8 of which the last bytes are missing
_CUT_OFF = re.compile(rb"(?:[\xc2-\xdf]|[\xe0-\xef][\x80-\xbf]?|[\xf0-\xf4][\x80-\xbf]{0,2})\Z")

_BOMS: Final = (
    (b"\xef\xbb\xbf", "utf-8"),
    (b"\xff\xfe", "utf-16le"),
    (b"\xfe\xff", "utf-16be"),
)
_SPACE: Final = b" \t\n\f\r"
_ATTRIBUTE = re.compile(
    rb"""[\s/]*(=?[^\s/>=]+)\s*(?:=\s*(?:"([^"]*)"|'([^']*)'|(?!["'])([^\s>]*)))?"""
)
_TAG_NAME = re.compile(rb"</?[A-Za-z][^\s/>]*")
_PRAGMA = re.compile(rb"""charset\s*=\s*(?:"([^"]*)"|'([^']*)'|(?!["'])([^\s;]*))""", re.IGNORECASE)
_USUAL_BEGINNING = re.compile(
    rb"""\s*+(?:<!doctype html>\s*+)?(?:<(?:html|head)(?:\s++[\w:.-]++="[^"]*+")*+\s*+>\s*+)*+"""
    rb"""<meta\s++charset="([\w-]++)"\s*+/?>""",
    re.IGNORECASE,
)
"""Most pages declare their encoding first; `_prescan` takes four times as long to the same end."""
_AT_CHARSET = re.compile(rb'@charset "([\x16-\x21\x23-\x7f]*)";')
"""Byte for byte: no other quotes, no other spaces, no other case."""
_XML_DECLARATION = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*(?:"([^">]*)"|'([^'>]*)')""")


class Decoded(NamedTuple):
    """A body as UTF-8.

    data: without byte order mark; what was no character is U+FFFD.
    charset: the encoding it came in, by its WHATWG name in lower case.
    """

    data: bytes
    charset: str


def decode(body: bytes, header: str | None = None, *, cut: bool = False) -> Decoded:
    """Turns a body into UTF-8.

    header: the charset of Content-Type, as written. cut: this is only the beginning of a body.
    """
    for bom, name in _BOMS:
        if body.startswith(bom):
            return _as_utf8(body[len(bom) :], name)
    name = utf16_without_mark(body) or named(header) or declared(body) or ""
    if name:
        return _as_utf8(body, name)
    if is_utf8(body):
        escaped = any(mark in body for mark in _JIS_ESCAPES)
        return _as_utf8(body, "iso-2022-jp" if escaped else "utf-8")
    late = declared(body, LATE_BYTES)
    if late is None and _is_nearly_utf8(body, cut=cut):
        late = "utf-8"
    return _as_utf8(body, late or _hinted(body) or guessed(body))


def decode_styles(body: bytes, header: str | None = None) -> Decoded:
    """Turns a style sheet into UTF-8, as CSS Syntax Level 3 says in section 3.2.

    header: the charset of Content-Type, as written. That of the page that names it is not known
    here: it may be named by several.
    """
    for bom, name in _BOMS:
        if body.startswith(bom):
            return _as_utf8(body[len(bom) :], name)
    name = named(header) or ""
    if not name and (said := _AT_CHARSET.match(body, 0, PRESCAN_BYTES)):
        name = _readable(named(said[1].decode("latin-1")) or "utf-8")
    return _as_utf8(body, name or "utf-8")


def declared(body: bytes, within: int = PRESCAN_BYTES) -> str | None:
    """What the first bytes say in an XML declaration or a meta element.

    https://html.spec.whatwg.org/multipage/parsing.html#prescan-a-byte-stream-to-determine-its-encoding
    """
    head = body[:within]
    if (usual := _USUAL_BEGINNING.match(head)) and (name := named(usual[1].decode("latin-1"))):
        return _readable(name)
    found = _XML_DECLARATION.match(head.lstrip(_SPACE)[:PRESCAN_BYTES])
    name = named((found[1] or found[2] or b"").decode("latin-1")) if found else None
    return _readable(name) if name else _prescan(head)


def utf16_without_mark(body: bytes) -> str | None:
    """UTF-16 that says so nowhere: western markup leaves every other byte zero."""
    head = body[:256]
    pairs = len(head) // 2
    if pairs < 2 or b"\0" not in head:
        return None
    even = head[0 : 2 * pairs : 2].count(0)
    odd = head[1 : 2 * pairs : 2].count(0)
    if odd > 0.7 * pairs and even < 0.1 * pairs:
        return "utf-16le"
    if even > 0.7 * pairs and odd < 0.1 * pairs:
        return "utf-16be"
    return None


def guessed(body: bytes) -> str:
    """The likeliest encoding of bytes that declare none and are not UTF-8.

    Few letters that are not ASCII tell nothing of a Latin alphabet's encoding: browsers take
    windows-1252, and so does this.
    """
    from resiliparse.parse.encoding import detect_encoding  # 7 ms, and few documents need it

    # html5_compatible would turn Korean into UTF-8; codecs come under Python's names.
    name = of_codec(detect_encoding(body, html5_compatible=False) or "") or FALLBACK
    if name.startswith("utf-"):
        return FALLBACK
    foreign = _FOREIGN.findall(body)
    letters = sum(map(len, foreign))
    if name in _RARE and letters < RARE_LETTERS:
        return FALLBACK
    stand_alone = 2 * len(foreign) > letters
    return FALLBACK if letters < FEW_LETTERS and (name in _LATIN or stand_alone) else name


def _hinted(body: bytes) -> str | None:
    """What stands behind ``charset=`` near the top, in markup that declares nothing to a browser,
    where the bytes bear it out."""
    for found in _HINT.finditer(body[:HINT_BYTES]):
        name = named(found[1].decode("latin-1"))
        if name is None or name.startswith("utf-") or name == "x-user-defined":
            continue
        text = decode_as(body, name)
        if text.count("\ufffd") * BORNE_OUT <= sum(char > "\x7f" for char in text):
            return name
    return None


def _is_nearly_utf8(body: bytes, *, cut: bool) -> bool:
    """Is this UTF-8 but for a few bytes? A character that the end cuts off tells nothing."""
    tail = _CUT_OFF.search(body[-3:])
    whole = body[: len(body) - len(tail[0])] if tail else body
    text = whole.decode("utf-8", "replace")
    bad = text.count("\ufffd") - whole.count("\ufffd".encode())
    right = text.replace("\ufffd", "")
    good = len(right.encode()) - len(right)  # the longer a sequence, the less it comes by chance
    if not bad:
        return bool(good) or (cut and tail is not None)
    return good >= MOST_OF * bad


def _as_utf8(body: bytes, name: str) -> Decoded:
    if name == "utf-8":
        return Decoded(body if is_utf8(body) else body.decode("utf-8", "replace").encode(), name)
    return Decoded(decode_as(body, name).encode("utf-8", "replace"), name)


def _readable(name: str) -> str:
    """What could be read byte by byte cannot be UTF-16, whatever it claims."""
    if name.startswith("utf-16"):
        return "utf-8"
    return FALLBACK if name == "x-user-defined" else name


def _prescan(head: bytes) -> str | None:
    at = head.find(b"<")
    while at >= 0:
        if head.startswith(b"<!--", at):
            end = head.find(b"-->", at + 2)
            at = end + 2 if end >= 0 else len(head)
        elif tag := _TAG_NAME.match(head, at):
            attributes, at = _attributes(head, tag.end())
            if tag[0].lower() == b"<meta" and attributes is not None:
                name = _meta_charset(attributes)
                if name:
                    return name
        elif head[at + 1 : at + 2] in (b"!", b"/", b"?"):
            end = head.find(b">", at)
            at = end if end >= 0 else len(head)
        at = head.find(b"<", at + 1) if head[at : at + 1] == b"<" else head.find(b"<", at)
    return None


def _attributes(head: bytes, at: int) -> tuple[dict[str, str] | None, int]:
    """Attributes of the tag whose name ends at `at`, and where it ends; None if it never does."""
    attributes: dict[str, str] = {}
    while found := _ATTRIBUTE.match(head, at):
        at = found.end()
        if head[at : at + 1] == b"=":
            return None, len(head)
        value = next((text for text in found.groups()[1:] if text is not None), b"")
        key = found[1].decode("latin-1").lower()
        attributes.setdefault(key, value.decode("latin-1"))
    rest = head[at:].lstrip(_SPACE + b"/")
    return (attributes if rest else None), len(head) - len(rest)


def _meta_charset(attributes: dict[str, str]) -> str | None:
    label = attributes.get("charset")
    if label is None and attributes.get("http-equiv", "").lower() == "content-type":
        found = _PRAGMA.search(attributes.get("content", "").encode("latin-1"))
        if found:
            label = (found[1] or found[2] or found[3] or b"").decode("latin-1")
    name = named(label)
    return _readable(name) if name else None
