"""Which characters do these bytes mean?

The order of the WHATWG standards: byte order mark, Content-Type header, what the document declares
(https://html.spec.whatwg.org/multipage/parsing.html#determining-the-character-encoding), and a
guess only for bytes that declare nothing and are not UTF-8. Everything leaves here as UTF-8, so
that no parser behind it meets an encoding it does not know.
"""

from __future__ import annotations

import codecs
import re
from typing import Final, NamedTuple

from crawler.parse.loops import is_utf8

PRESCAN_BYTES: Final = 1024
LATE_BYTES: Final = 65_536
"""How far a declaration is looked for that comes too late, before anything is guessed: browsers
begin again when they meet one."""

FALLBACK: Final = "windows-1252"

# Name in the Encoding Standard, Python's codec, further labels: the table of
# https://encoding.spec.whatwg.org/#names-and-labels. Of the encodings that it replaces by a single
# U+FFFD none is here, and neither are utf-7 and base64, which only ever smuggle markup.
_ENCODINGS: Final = (
    ("utf-8", "utf-8", "unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf8 x-unicode20utf8"),
    (
        "utf-16le",
        "utf-16-le",
        "csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16",
    ),
    ("utf-16be", "utf-16-be", "unicodefffe"),
    (
        "windows-1252",
        "cp1252",
        "ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819 iso-8859-1 iso-ir-100 iso8859-1"
        " iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii x-cp1252",
    ),
    ("ibm866", "cp866", "866 cp866 csibm866"),
    (
        "iso-8859-2",
        "iso8859-2",
        "csisolatin2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2 latin2",
    ),
    (
        "iso-8859-3",
        "iso8859-3",
        "csisolatin3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3",
    ),
    (
        "iso-8859-4",
        "iso8859-4",
        "csisolatin4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4",
    ),
    (
        "iso-8859-5",
        "iso8859-5",
        "csisolatincyrillic cyrillic iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988",
    ),
    (
        "iso-8859-6",
        "iso8859-6",
        "arabic asmo-708 csiso88596e csiso88596i csisolatinarabic ecma-114 iso-8859-6-e"
        " iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6 iso_8859-6:1987",
    ),
    (
        "iso-8859-7",
        "iso8859-7",
        "csisolatingreek ecma-118 elot_928 greek greek8 iso-ir-126 iso8859-7 iso88597 iso_8859-7"
        " iso_8859-7:1987 sun_eu_greek",
    ),
    (
        "iso-8859-8",
        "iso8859-8",
        "csiso88598e csisolatinhebrew hebrew iso-8859-8-e iso-ir-138 iso8859-8 iso88598"
        " iso_8859-8 iso_8859-8:1988 visual",
    ),
    ("iso-8859-8-i", "iso8859-8", "csiso88598i logical"),
    ("iso-8859-10", "iso8859-10", "csisolatin6 iso-ir-157 iso8859-10 iso885910 l6 latin6"),
    ("iso-8859-13", "iso8859-13", "iso8859-13 iso885913"),
    ("iso-8859-14", "iso8859-14", "iso8859-14 iso885914"),
    ("iso-8859-15", "iso8859-15", "csisolatin9 iso8859-15 iso885915 iso_8859-15 l9"),
    ("iso-8859-16", "iso8859-16", ""),
    ("koi8-r", "koi8-r", "cskoi8r koi koi8 koi8_r"),
    ("koi8-u", "koi8-u", "koi8-ru"),
    ("macintosh", "mac-roman", "csmacintosh mac x-mac-roman"),
    ("x-mac-cyrillic", "mac-cyrillic", "x-mac-ukrainian"),
    ("windows-874", "cp874", "dos-874 iso-8859-11 iso8859-11 iso885911 tis-620"),
    ("windows-1250", "cp1250", "cp1250 x-cp1250"),
    ("windows-1251", "cp1251", "cp1251 x-cp1251"),
    ("windows-1253", "cp1253", "cp1253 x-cp1253"),
    (
        "windows-1254",
        "cp1254",
        "cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9 iso_8859-9:1989"
        " l5 latin5 x-cp1254",
    ),
    ("windows-1255", "cp1255", "cp1255 x-cp1255"),
    ("windows-1256", "cp1256", "cp1256 x-cp1256"),
    ("windows-1257", "cp1257", "cp1257 x-cp1257"),
    ("windows-1258", "cp1258", "cp1258 x-cp1258"),
    (
        "gbk",
        "gb18030",
        "chinese csgb2312 csiso58gb231280 gb2312 gb_2312 gb_2312-80 iso-ir-58 x-gbk",
    ),
    ("gb18030", "gb18030", ""),
    ("big5", "big5hkscs", "big5-hkscs cn-big5 csbig5 x-x-big5"),
    ("euc-jp", "euc-jp", "cseucpkdfmtjapanese x-euc-jp"),
    ("iso-2022-jp", "iso2022-jp", "csiso2022jp"),
    ("shift_jis", "cp932", "csshiftjis ms932 ms_kanji shift-jis sjis windows-31j x-sjis"),
    (
        "euc-kr",
        "cp949",
        "cseuckr csksc56011987 iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601"
        " windows-949",
    ),
    ("x-user-defined", "latin-1", ""),
)
_NAMES: Final = {label: name for name, _, labels in _ENCODINGS for label in (name, *labels.split())}
_CODECS: Final = {name: codec for name, codec, _ in _ENCODINGS}
_BY_CODEC: Final = {
    **{codecs.lookup(codec).name: name for name, codec, _ in _ENCODINGS},
    "gbk": "gbk",
    "gb2312": "gbk",
    "big5": "big5",
    "euc_kr": "euc-kr",
    "shift_jis": "shift_jis",
}
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
_XML_DECLARATION = re.compile(rb"""<\?xml[^>]*?\sencoding\s*=\s*(?:"([^">]*)"|'([^'>]*)')""")


class Decoded(NamedTuple):
    """A body as UTF-8.

    data: without byte order mark; what was no character is U+FFFD.
    charset: the encoding it came in, by its WHATWG name in lower case.
    """

    data: bytes
    charset: str


def decode(body: bytes, header: str | None = None) -> Decoded:
    """Turns a body into UTF-8; `header` is the charset of Content-Type, as written."""
    for bom, name in _BOMS:
        if body.startswith(bom):
            return _as_utf8(body[len(bom) :], name)
    name = utf16_without_mark(body) or named(header) or declared(body) or ""
    if name:
        return _as_utf8(body, name)
    if is_utf8(body):
        return Decoded(body, "utf-8")
    return _as_utf8(body, declared(body, LATE_BYTES) or guessed(body))


def named(label: str | None) -> str | None:
    """The WHATWG name of a label, None for one that is unknown or refused."""
    return _NAMES.get(label.strip(" \t\n\f\r").lower()) if label else None


def codec_of(charset: str | None) -> str:
    """Python's codec for a WHATWG name."""
    return _CODECS.get(charset or "", "utf-8")


def declared(body: bytes, within: int = PRESCAN_BYTES) -> str | None:
    """What the first bytes say in an XML declaration or a meta element.

    https://html.spec.whatwg.org/multipage/parsing.html#prescan-a-byte-stream-to-determine-its-encoding
    """
    head = body[:within]
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
    """The likeliest encoding of bytes that declare none and are not UTF-8."""
    from resiliparse.parse.encoding import detect_encoding  # 7 ms, and few documents need it

    # html5_compatible would turn Korean into UTF-8; codecs come under Python's names.
    codec = detect_encoding(body, html5_compatible=False) or FALLBACK
    name = named(codec) or _BY_CODEC.get(_codec_name(codec))
    return FALLBACK if name is None or name.startswith("utf-") else name


def _codec_name(codec: str) -> str:
    try:
        return codecs.lookup(codec).name
    except LookupError:
        return ""


def _as_utf8(body: bytes, name: str) -> Decoded:
    codec = _CODECS[name]
    if codec == "utf-8":
        return Decoded(body if is_utf8(body) else body.decode("utf-8", "replace").encode(), name)
    return Decoded(body.decode(codec, "replace").encode("utf-8", "replace"), name)


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
