"""What do bytes mean in each encoding that pages come in, and how is text written in it?

The Encoding Standard (https://encoding.spec.whatwg.org) for what Python's codecs do otherwise. They
do the work where they agree with it; what they know otherwise is translated afterwards, and what
they do not know is read here, at the place where they stop (`_Repair`).
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Final
from urllib.parse import quote_from_bytes

from crawler.parse.labels import CODECS

_MULTI_BYTE: Final = frozenset({"gbk", "gb18030", "big5", "euc-jp", "shift_jis", "euc-kr"})
_UNKNOWN: Final = "\ufffd"

# Codes that Python reads otherwise than https://encoding.spec.whatwg.org/#indexes, as characters
# that no other code has.
_OTHERWISE: Final[dict[str, dict[int, str]]] = {
    "gb18030": {
        **{0xA3A0: "\u3000", 0xA6D9: "\ufe10", 0xA6DA: "\ufe12", 0xA6DB: "\ufe11"},
        **{0xA6DC: "\ufe13", 0xA6DD: "\ufe14", 0xA6DE: "\ufe15", 0xA6DF: "\ufe16"},
        **{0xA6EC: "\ufe17", 0xA6ED: "\ufe18", 0xA6F3: "\ufe19", 0xA8BC: "\u1e3f"},
        **{0xFE59: "\u9fb4", 0xFE61: "\u9fb5", 0xFE66: "\u9fb6", 0xFE67: "\u9fb7"},
        **{0xFE6D: "\u9fb8", 0xFE7E: "\u9fb9", 0xFE90: "\u9fba", 0xFEA0: "\u9fbb"},
        0x8135F437: "\ue7c7",
    },
    "big5": {
        **{0xA145: "\u2027", 0xA14E: "\ufe51", 0xA1C2: "\u00af", 0xA1E3: "\uff5e"},
        **{0xA1F2: "\u2295", 0xA1F3: "\u2299", 0xA244: "\uffe5", 0xA246: "\uffe0"},
        0xA247: "\uffe1",
    },
    "euc-jp": {
        **{0xA1C1: "\uff5e", 0xA1C2: "\u2225", 0xA1DD: "\uff0d", 0xA1F1: "\uffe0"},
        **{0xA1F2: "\uffe1", 0xA2CC: "\uffe2"},
    },
    "shift_jis": dict.fromkeys((0xA0, 0xFD, 0xFE, 0xFF), _UNKNOWN),
}
_BYTES_OTHERWISE: Final = {
    "koi8-u": {0xAE: "\u045e", 0xBE: "\u040e"},
    "windows-1255": {0xCA: "\u05ba"},
}
# And codes for which it has a character that another code has, too.
_AMBIGUOUS: Final = {
    "big5": {b"\xa2A": "\u2215", b"\xa2B": "\ufe68"},
    "euc-jp": {b"\x8f\xa2\xb7": "\uff5e"},
}
# Every code of more than one byte as its decoder takes it, so that only whole ones are met.
_CODE: Final = {
    "big5": re.compile(rb"[\x81-\xfe][\x40-\x7e\x80-\xff]"),
    "euc-jp": re.compile(rb"\x8f[\xa1-\xfe][\x80-\xff]|[\x8e\x8f\xa1-\xfe][\x80-\xff]"),
}
# Runs of Big5 that Python's codec does not know, each from the code it begins with.
_BIG5_RUNS: Final = {
    0x877A: (
        "㡵𡵓𣚞𦀡㻬𥣞㫵竼龗𤅡𨤍𣇪𠪊𣉞䌊蒄龖鐯䤰蘓墖靊鈘秐稲晠権袝瑌篅枂稬剏遆㓦珄𥶹瓆鿇垳"
        "䤯呌䄱𣚎堘穲𧭥讏䚮𦺈䆁𥶙箮𢒼鿈𢓁𢓉𢓌鿉蔄𣖻䂴鿊䓡𪷿拁灮鿋"
    ),
    0xA3C0: "␀␁␂␃␄␅␆␇␈␉␊␋␌␍␎␏␐␑␒␓␔␕␖␗␘␙␚␛␜␝␞␟␡€",
}
_BIG5_SINGLES: Final = (
    "8e69箸 8e6f簆 8e7e糎 8eab緒 8eb4縝 8ecd者 8ed0耨 8f57菁 8f69蒨 8f6e萏 8fcb覦 8fcc覩 "
    "8ffe起 906d都 907a銹 90dc靜 90f1響 91bf鼖 9244蔃 92af兙 92b0兛 92b1兝 92b2兞 92c8鍮 "
    "92d1瑹 9447浧 94ca禛 95d9邗 9644靝 96ed瀞 96fc嬨 9b76爁 9b78矗 9b7b纇 9bc6駖 9bde釔 "
    "9bec惞 9bf6澶 9c42輶 9c53侻 9c62營 9c68鄄 9c6b鷰 9c77菏 9cbc尐 9cbd秣 9cd0婧 9d57輋 "
    "9d5a筑 9dc4拐 9ea9恢 9eef痹 9efd汊 9f60鬮 9f66鼗 9fcb僭 9fd8弌 a063蠏 a077拎 a0d5瑨 "
    "a0df煢 a0e4牐 c6cf廴 c6d3无 c6d5癶 c6d7隶 c6de〃 c6df仝 fa5f倩 fa66偽 fabd包 fac5卄 "
    "fad5卿 fb48嘅 fbb8婷 fbf3幵 fbf9廐 fc4f彘 fc6c悤 fcb9撐 fce2晴 fcf1杞 fdb7沜 fdb8渝 "
    "fdbb港 fdf1煮 fe52猪 fe6f瑜 feaa瓩 fedd砉"
)
# What the 18 codes that GB18030 reassigned meant before: they can still be written.
_GB18030_BEFORE: Final = {
    **dict(zip(range(0xE78D, 0xE794), range(0xA6D9, 0xA6E0), strict=True)),
    **{0xE794: 0xA6EC, 0xE795: 0xA6ED, 0xE796: 0xA6F3, 0xE81E: 0xFE59, 0xE826: 0xFE61},
    **{0xE82B: 0xFE66, 0xE82C: 0xFE67, 0xE832: 0xFE6D, 0xE843: 0xFE7E, 0xE854: 0xFE90},
    0xE864: 0xFEA0,
}


def output_of(charset: str | None) -> str | None:
    """The encoding in which a page sends what people write, None for UTF-8.

    https://encoding.spec.whatwg.org/#get-an-output-encoding
    """
    return None if charset is None or charset.startswith("utf-") else charset


def decode(data: bytes, name: str) -> str:
    """What bytes mean in the encoding of that name; what is no character is U+FFFD."""
    if name in _MULTI_BYTE:
        return _decode_multi_byte(data, name)
    if name == "iso-2022-jp":
        return _decode_iso_2022_jp(data)
    if name.startswith("utf-"):
        return data.decode(CODECS[name], "replace")
    return codecs.charmap_decode(data, "replace", _single_bytes(name))[0]


def percent_encoded(text: str, name: str) -> str:
    """A part of a query as it is sent by a page in that encoding.

    https://url.spec.whatwg.org/#string-percent-encode-after-encoding
    """
    if name == "iso-2022-jp":
        return _percent_encoded_iso_2022_jp(text)
    return "".join(_sent(char, _code_of(char, name)) for char in text)


# Single bytes


@cache
def _single_bytes(name: str) -> str:
    """The meaning of each byte. Those that Python leaves open below 0xA0 are controls."""
    if name == "x-user-defined":
        return "".join(chr(byte if byte < 0x80 else 0xF700 + byte) for byte in range(256))
    table = [bytes((byte,)).decode(CODECS[name], "replace") for byte in range(256)]
    for byte in range(0x80, 0xA0):
        if table[byte] == _UNKNOWN:
            table[byte] = chr(byte)
    for byte, character in _BYTES_OTHERWISE.get(name, {}).items():
        table[byte] = character
    return "".join(table)


# Several bytes a character


def _decode_multi_byte(data: bytes, name: str) -> str:
    family = "gb18030" if name == "gbk" else name
    ambiguous = _AMBIGUOUS.get(family, {})
    if any(code in data for code in ambiguous):
        return "".join(_around(ambiguous, data, family))
    return _decode_family(data, family)


def _around(ambiguous: dict[bytes, str], data: bytes, family: str) -> Iterator[str]:
    """The text in pieces: between ambiguous codes as the codec reads it."""
    done = 0
    for code in _CODE[family].finditer(data):
        if code[0] in ambiguous:
            yield _decode_family(data[done : code.start()], family)
            yield ambiguous[code[0]]
            done = code.end()
    yield _decode_family(data[done:], family)


def _decode_family(data: bytes, family: str) -> str:
    text = data.decode(CODECS[family], f"crawler.{family}")
    known = _translation(family)
    return text.translate(known) if known and not text.isascii() else text


@cache
def _translation(family: str) -> dict[int, str]:
    """From Python's characters to the standard's, as this version of Python has them."""
    changed = {}
    for number, right in _OTHERWISE.get(family, {}).items():
        code = number.to_bytes((number.bit_length() + 7) // 8, "big")
        said = code.decode(CODECS[family], "ignore")
        if said and said != right:
            changed[ord(said)] = right
    return changed


Step = Callable[[bytes, int], tuple[str, int]]
"""Reads the code that begins at an index: its text, and the index where reading goes on."""


def _repair(step: Step) -> Callable[[UnicodeError], tuple[str | bytes, int]]:
    def repair(error: UnicodeError) -> tuple[str | bytes, int]:
        assert isinstance(error, UnicodeDecodeError)
        return step(error.object, error.start)

    return repair


def _two_bytes(is_lead: Callable[[int], bool], known: Callable[[bytes], str | None]) -> Step:
    """A step of the decoders that have codes of two bytes: an ASCII byte that is no part of a code
    stands for itself, any other goes with its lead."""

    def step(data: bytes, at: int) -> tuple[str, int]:
        code = data[at : at + 2]
        if len(code) < 2 or not is_lead(code[0]):
            return _UNKNOWN, at + 1
        text = known(code)
        if text is not None:
            return text, at + 2
        return _UNKNOWN, at + (1 if code[1] < 0x80 else 2)

    return step


def _step_gb18030(data: bytes, at: int) -> tuple[str, int]:
    """https://encoding.spec.whatwg.org/#gb18030-decoder"""
    code = data[at : at + 4]
    if code[0] == 0x80:
        return "€", at + 1
    if code[0] == 0xFF or len(code) == 1:
        return _UNKNOWN, at + 1
    if not 0x30 <= code[1] <= 0x39:
        return _UNKNOWN, at + (1 if code[1] < 0x80 else 2)
    if len(code) > 2 and not 0x81 <= code[2] <= 0xFE:
        return _UNKNOWN, at + 1
    if len(code) > 3 and not 0x30 <= code[3] <= 0x39:
        return _UNKNOWN, at + 1
    return _UNKNOWN, at + len(code)


def _step_euc_jp(data: bytes, at: int) -> tuple[str, int]:
    """https://encoding.spec.whatwg.org/#euc-jp-decoder"""
    if data[at] == 0x8F and at + 1 < len(data) and 0xA1 <= data[at + 1] <= 0xFE:
        third = data[at + 2 : at + 3]
        return _UNKNOWN, at + (3 if third > b"\x7f" else 2)
    return _step_euc_pair(data, at)


def _jis_x_0208(code: bytes) -> str | None:
    """A code of two bytes in EUC, which Shift_JIS has at another place: Microsoft's extensions are
    the standard's."""
    lead, trail = code[0] - 0xA1, code[1] - 0xA1
    if not (0 <= lead < 94 and 0 <= trail < 94):
        return None
    first = lead // 2 + (0x81 if lead < 62 else 0xC1)
    second = trail + 0x9F if lead % 2 else trail + (0x40 if trail < 63 else 0x41)
    try:
        return bytes((first, second)).decode("cp932")
    except UnicodeDecodeError:
        return None


_step_euc_pair: Final = _two_bytes(
    lambda lead: lead in (0x8E, 0x8F) or 0xA1 <= lead <= 0xFE, _jis_x_0208
)


@lru_cache(maxsize=1)
def _big5_beyond() -> dict[bytes, str]:
    found = {}
    for first, characters in _BIG5_RUNS.items():
        pointer = _BIG5_TRAILS.index(first & 0xFF)
        for trail, character in zip(_BIG5_TRAILS[pointer:], characters, strict=False):
            found[bytes((first >> 8, trail))] = character
    for item in _BIG5_SINGLES.split():
        found[bytes.fromhex(item[:4])] = item[4:]
    return found


_BIG5_TRAILS: Final = (*range(0x40, 0x7F), *range(0xA1, 0xFF))


def _is_lead(byte: int) -> bool:
    return 0x81 <= byte <= 0xFE


def _is_lead_of_shift_jis(byte: int) -> bool:
    return 0x81 <= byte <= 0x9F or 0xE0 <= byte <= 0xFC


_STEPS: Final[dict[str, Step]] = {
    "gb18030": _step_gb18030,
    "big5": _two_bytes(_is_lead, lambda code: _big5_beyond().get(code)),
    "euc-jp": _step_euc_jp,
    "shift_jis": _two_bytes(_is_lead_of_shift_jis, lambda code: None),
    "euc-kr": _two_bytes(_is_lead, lambda code: None),
}
for _family, _step in _STEPS.items():
    codecs.register_error(f"crawler.{_family}", _repair(_step))


# ISO-2022-JP

_ESCAPES: Final = {
    **{b"(B": "ascii", b"(J": "roman", b"(I": "katakana"},
    **{b"$@": "pairs", b"$B": "pairs"},
}
_ASCII_RUN = re.compile(rb"[\x00-\x0d\x10-\x1a\x1c-\x7f]+")
_ROMAN: Final = {0x5C: "\u00a5", 0x7E: "\u203e"}


def _decode_iso_2022_jp(data: bytes) -> str:
    """https://encoding.spec.whatwg.org/#iso-2022-jp-decoder"""
    out: list[str] = []
    at, state, just_escaped = 0, "ascii", False
    while at < len(data):
        if data[at] == 0x1B:
            escaped = _ESCAPES.get(data[at + 1 : at + 3])
            state = escaped or state
            if just_escaped or escaped is None:
                out.append(_UNKNOWN)
            just_escaped = escaped is not None
            at += 1 if escaped is None else 3
            continue
        just_escaped = False
        text, at = _READERS[state](data, at)
        out.append(text)
    return "".join(out)


def _read_ascii(data: bytes, at: int) -> tuple[str, int]:
    run = _ASCII_RUN.match(data, at)
    return (run[0].decode("ascii"), run.end()) if run else (_UNKNOWN, at + 1)


def _read_roman(data: bytes, at: int) -> tuple[str, int]:
    text, end = _read_ascii(data, at)
    return text.translate(_ROMAN), end


def _read_katakana(data: bytes, at: int) -> tuple[str, int]:
    byte = data[at]
    return chr(0xFF61 - 0x21 + byte) if 0x21 <= byte <= 0x5F else _UNKNOWN, at + 1


def _read_pair(data: bytes, at: int) -> tuple[str, int]:
    code = data[at : at + 2]
    if not 0x21 <= code[0] <= 0x7E or len(code) < 2 or code[1] == 0x1B:
        return _UNKNOWN, at + 1
    if not 0x21 <= code[1] <= 0x7E:
        return _UNKNOWN, at + 2
    return _jis_x_0208(bytes((code[0] | 0x80, code[1] | 0x80))) or _UNKNOWN, at + 2


_READERS: Final[dict[str, Step]] = {
    "ascii": _read_ascii,
    "roman": _read_roman,
    "katakana": _read_katakana,
    "pairs": _read_pair,
}


# What is written

_KEPT_IN_QUERY: Final = "".join(
    chr(byte) for byte in range(0x21, 0x7F) if chr(byte) not in "\"#<>'"
)


def _sent(char: str, code: bytes | None) -> str:
    """What no code stands for goes out as an HTML reference."""
    if code is None:
        return f"%26%23{ord(char)}%3B"
    return quote_from_bytes(code, safe=_KEPT_IN_QUERY)


def _code_of(char: str, name: str) -> bytes | None:
    code = _codes(name).get(char)
    if code is None and name == "gb18030" and char != "\ue5e5":
        return char.encode("gb18030", "ignore") or None
    return code


@lru_cache(maxsize=8)
def _codes(name: str) -> dict[str, bytes]:
    """By character the code it is written in: the first of several, in Big5 the last of some."""
    if name not in _MULTI_BYTE:
        return {char: bytes((byte,)) for byte, char in _reversed(_single_bytes(name))}
    codes: dict[str, bytes] = {}
    for lead in _LEADS_WRITTEN[name]:
        row = _row(lead)
        for code, text in zip(row, _meanings(row, name), strict=True):
            if len(text) == 1 and (text not in codes or (name == "big5" and text in _LAST_IN_BIG5)):
                codes[text] = code
    codes.pop(_UNKNOWN, None)
    return codes | _written_otherwise(name, codes)


def _reversed(table: str) -> Iterator[tuple[int, str]]:
    """Bytes and their characters, last first, without what is none."""
    return ((byte, table[byte]) for byte in range(255, -1, -1) if table[byte] != _UNKNOWN)


def _row(lead: int) -> list[bytes]:
    trails = (*range(0x40, 0x7F), *range(0x80, 0xFF))
    return [bytes((lead, trail)) for trail in trails]


def _meanings(codes: list[bytes], name: str) -> list[str]:
    return decode(b"\n".join(codes), name).split("\n")


def _written_otherwise(name: str, codes: dict[str, bytes]) -> dict[str, bytes]:
    """What the encoders of the standard write besides the index."""
    if name in ("euc-jp", "shift_jis"):
        mark = b"\x8e" if name == "euc-jp" else b""
        katakana = {chr(0xFF61 - 0xA1 + byte): mark + bytes((byte,)) for byte in range(0xA1, 0xE0)}
        more = {"\x80": b"\x80"} if name == "shift_jis" else {}
        signs = {"\u00a5": b"\\", "\u203e": b"~", "\u2212": codes["\uff0d"]}
        return {**katakana, **signs, **more}
    if name in ("gbk", "gb18030"):
        before = {chr(sign): code.to_bytes(2, "big") for sign, code in _GB18030_BEFORE.items()}
        return before | ({"€": b"\x80"} if name == "gbk" else {"\ue7c7": b"\x815\xf47"})
    return {}


_LEADS_WRITTEN: Final = {
    **dict.fromkeys(("gbk", "gb18030", "euc-kr"), range(0x81, 0xFF)),
    "big5": range(0xA1, 0xFF),
    "euc-jp": range(0xA1, 0xFF),
    # without what IBM and people's own characters have a second time
    "shift_jis": (*range(0x81, 0xA0), *range(0xE0, 0xED), *range(0xFA, 0xFD)),
}
_LAST_IN_BIG5: Final = "\u2550\u255e\u2561\u256a\u5341\u5345"
_FULL_WIDTH: Final = {0xFF9E: "\u309b", 0xFF9F: "\u309c"}


def _percent_encoded_iso_2022_jp(text: str) -> str:
    """https://encoding.spec.whatwg.org/#iso-2022-jp-encoder; back to ASCII at its end."""
    signs = _codes("euc-jp")
    out: list[str] = []
    state = b"(B"
    for char in text:
        code, needed = _iso_2022_jp_code(char, signs)
        if needed != state:
            out.append(quote_from_bytes(b"\x1b" + needed, safe=_KEPT_IN_QUERY))
            state = needed
        out.append(_sent(char, code))
    return "".join(out) + (
        "" if state == b"(B" else quote_from_bytes(b"\x1b(B", safe=_KEPT_IN_QUERY)
    )


def _iso_2022_jp_code(char: str, signs: dict[str, bytes]) -> tuple[bytes | None, bytes]:
    """The bytes of a character, and the escape behind which they mean it."""
    if char in "\u00a5\u203e":
        return signs[char], b"(J"
    if "\uff61" <= char <= "\uff9f":
        char = _FULL_WIDTH.get(ord(char)) or unicodedata.normalize("NFKC", char)
    code = signs.get(char)
    if code is None:
        return None, b"(B"
    return bytes(byte & 0x7F for byte in code), b"$B"
