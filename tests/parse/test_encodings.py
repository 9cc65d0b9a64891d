"""What do bytes mean in each encoding that pages come in, and how is text written in it?

`indexes.json.xz` holds the index tables of the Encoding Standard (https://encoding.spec.whatwg.org/
#indexes), by the pointers of the standard, U+FFFD where there is nothing: as text-encoding 0.7.0
(Unlicense) has them, with the 18 codes that GB18030-2022 changed.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from crawler.parse.encodings import decode, percent_encoded
from crawler.parse.labels import CODECS

NOTHING = "\ufffd"


@cache
def indexes() -> dict[str, str]:
    packed = Path(__file__).with_name("indexes.json.xz").read_bytes()
    found: dict[str, str] = json.loads(lzma.decompress(packed))
    return found


def two_bytes(pointer: int, *, row: int, more: int) -> bytes:
    """A code of a table whose leads begin at 0x81. more: what is added to the 64th trail and on."""
    lead, trail = divmod(pointer, row)
    return bytes((lead + 0x81, trail + (0x40 if trail < 0x3F else more)))


def shift_jis(pointer: int) -> bytes:
    lead, trail = divmod(pointer, 188)
    return bytes((lead + (0x81 if lead < 0x1F else 0xC1), trail + (0x40 if trail < 0x3F else 0x41)))


def codes(name: str) -> Iterator[tuple[bytes, str]]:
    """All codes of an encoding that its index gives a meaning, by the arithmetic of its decoder."""
    table = {"gbk": "gb18030", "iso-8859-8-i": "iso-8859-8"}.get(name, name)
    match name:
        case "gbk" | "gb18030":
            pairs = (
                (two_bytes(at, row=190, more=0x41), sign)
                for at, sign in enumerate(indexes()[table])
            )
        case "big5":
            pairs = (
                (two_bytes(at, row=157, more=0x62), sign)
                for at, sign in enumerate(indexes()[table])
            )
        case "euc-kr":
            pairs = (
                (bytes((at // 190 + 0x81, at % 190 + 0x41)), sign)
                for at, sign in enumerate(indexes()[table])
            )
        case "shift_jis":
            pairs = ((shift_jis(at), sign) for at, sign in enumerate(indexes()["jis0208"]))
        case "euc-jp" | "iso-2022-jp":
            pairs = _in_rows_of_94(name)
        case _:
            pairs = ((bytes((0x80 + at,)), sign) for at, sign in enumerate(indexes()[table]))
    return ((code, sign) for code, sign in pairs if sign != NOTHING)


def _in_rows_of_94(name: str) -> Iterator[tuple[bytes, str]]:
    base = 0xA1 if name == "euc-jp" else 0x21
    before = b"" if name == "euc-jp" else b"\x1b$B"
    for at, sign in enumerate(indexes()["jis0208"][: 94 * 94]):
        yield before + bytes((at // 94 + base, at % 94 + base)), sign
    if name == "euc-jp":
        for at, sign in enumerate(indexes()["jis0212"]):
            yield bytes((0x8F, at // 94 + base, at % 94 + base)), sign


INDEXED = sorted(
    CODECS.keys() - {"utf-8", "utf-16le", "utf-16be", "windows-1252", "x-user-defined"}
)


@pytest.mark.parametrize("name", [*INDEXED, "windows-1252"])
def test_every_code_of_the_standards_indexes_means_what_it_says(name: str) -> None:
    wrong = [(code, sign) for code, sign in codes(name) if decode(code, name) != sign]
    assert wrong == []
    # and none loses step: all of them at once
    text = b"\n".join(code for code, _ in codes(name))
    if name != "iso-2022-jp":
        assert decode(text, name).split("\n") == [sign for _, sign in codes(name)]


def test_no_table_is_empty() -> None:
    counts = {name: sum(1 for _ in codes(name)) for name in [*INDEXED, "windows-1252"]}
    assert counts["big5"] == 18_590
    assert counts["euc-kr"] == 17_048
    assert counts["gb18030"] == counts["gbk"] == 23_940
    assert counts["shift_jis"] == 7_724
    assert counts["euc-jp"] == 7_336 + 6_067
    assert counts["iso-2022-jp"] == 7_336
    assert sum(counts.values()) == 115_415


@pytest.mark.parametrize("name", [*INDEXED, "windows-1252"])
def test_what_has_no_code_is_no_character(name: str) -> None:
    known = {code for code, _ in codes(name) if len(code) == 1}
    for byte in range(0x80, 0x100):
        read = decode(bytes((byte,)), name)
        if name in ("gbk", "gb18030") and byte == 0x80:
            assert read == "€"
        elif name == "shift_jis" and 0xA1 <= byte <= 0xDF:
            assert read == chr(0xFF61 - 0xA1 + byte)
        elif name == "shift_jis" and byte == 0x80:
            assert read == "\x80"
        elif bytes((byte,)) not in known:
            assert read == NOTHING, hex(byte)


@pytest.mark.parametrize(
    ("name", "data", "text"),
    [
        # the steps of the standard's decoders at what is no code: an ASCII byte is never swallowed
        ("euc-jp", b"\xad\xea\xc5\xec\xb5\xfe", "㈱東京"),
        ("euc-jp", b"\xa9\xa1x\xc5\xec", "\ufffdx東"),
        ("euc-jp", b"\xc5<b>\xc5", "\ufffd<b>\ufffd"),
        ("euc-jp", b"\x8e\xb1\x8e<\x8e\xe0", "\uff71\ufffd<\ufffd"),
        ("euc-jp", b"\x8f\xb0\xa1\x8f\xb0<\x8f\xa2\xfe\x8f", "丂\ufffd<\ufffd\ufffd"),
        ("euc-jp", b"\x8f\xa2\xb7~", "\uff5e~"),
        ("euc-jp", b"\x80\xa0\xff", "\ufffd\ufffd\ufffd"),
        ("shift_jis", b"\x81\xad\x82\x00\x82<", "\ufffd\ufffd\0\ufffd<"),
        ("shift_jis", b"\xf0\x40\xfd\xa0", "\ue000\ufffd\ufffd"),
        ("gbk", b"\x80\xff\xd6\xd0\xd6<", "€\ufffd中\ufffd<"),
        ("gb18030", b"\x81\x30\x81\x30\x84\x31\xa4\x37", "\x80\ufffd"),
        ("gb18030", b"\x81\x30<\x81\x30\x81<", "\ufffd0<\ufffd0\ufffd<"),
        ("gb18030", b"\x81\x35\xf4\x37\xa8\xbc\xa3\xa0", "\ue7c7ḿ\u3000"),
        ("gb18030", b"\x90\x30\x81\x30\x81\x30\x81", "\U00010000\ufffd"),
        ("big5", b"\x88\x62\x88\xa3\xa4\xa4\xa4<\xa4\xff", "Ê\u0304ê\u0304中\ufffd<\ufffd"),
        ("big5", b"\xa1\xfe\xa2\x41\xa2\x40\xa2\x42", "\uff0f\u2215\uff3c\ufe68"),
        ("euc-kr", b"\xb0\xa1\xc9\xa1\xc9<", "가\ufffd\ufffd<"),
        ("iso-2022-jp", b"\x1b$B-jEl5~\x1b(B.", "㈱東京."),
        ("iso-2022-jp", b"\x1b$B\x1b(Bx", "\ufffdx"),
        ("iso-2022-jp", b"\x1b(J\\~\x1b(I1\x1b(B\\~", "\u00a5\u203e\uff71\\~"),
        ("iso-2022-jp", b"a\x0e\x1b$Zb\x80", "a\ufffd\ufffd$Zb\ufffd"),
        ("iso-2022-jp", b"\x1b$B5\x1b(Bx\x1b$B5", "\ufffdx\ufffd"),
        ("x-user-defined", b"a\x80\xff", "a\uf780\uf7ff"),
        ("windows-1252", b"\x80\x81\x9f", "€\x81\u0178"),
        ("utf-8", b"a\xc3\xe2\x82(\xf0\x9f\x98", "a\ufffd\ufffd(\ufffd"),
        ("utf-16le", b"\x3d\xd8a\0\0\xdca", "\ufffda\ufffd\ufffd"),
    ],
)
def test_what_is_no_code_is_read_as_the_decoders_of_the_standard_do(
    name: str, data: bytes, text: str
) -> None:
    assert decode(data, name) == text


@pytest.mark.parametrize(
    ("name", "text", "sent"),
    [
        # https://url.spec.whatwg.org/#string-percent-encode-after-encoding
        ("windows-1252", "ñ\x81日", "%F1%81%26%2326085%3B"),
        ("euc-jp", "黑堯", "%FC%EE%F4%A1"),
        ("euc-jp", "\u2212\u00a5\u203e\uff71", "%A1%DD\\~%8E%B1"),
        ("euc-jp", "丂", "%26%2319970%3B"),  # JIS X 0212 is read, never written
        ("shift_jis", "ポ≒堯", "%83|%81%E0%EA%9F"),
        ("shift_jis", "\ue000\x80", "%26%2357344%3B%80"),
        ("gbk", "€\u1e3f\ue5e5\U00010000", "%80%A8%BC%26%2358853%3B%26%2365536%3B"),
        ("gb18030", "€\ue7c7\ue78d\U00010000", "%A2%E3%815%F47%A6%D9%900%810"),
        ("big5", "兀╞十丂", "%A4a%F9%E9%A4Q%26%2319970%3B"),
        ("euc-kr", "가힝", "%B0%A1%C8%FE"),
        ("iso-2022-jp", "東\u00a5\uff8f", "%1B$BEl%1B(J\\%1B$B%^%1B(B"),
        ("iso-2022-jp", "東é", "%1B$BEl%1B(B%26%23233%3B"),
        ("koi8-u", "ўЁ", "%AE%B3"),
    ],
)
def test_a_query_is_written_as_the_encoders_of_the_standard_do(
    name: str, text: str, sent: str
) -> None:
    assert percent_encoded(text, name) == sent


@pytest.mark.parametrize("name", [name for name in INDEXED if name != "iso-2022-jp"])
def test_what_is_written_is_read_again(name: str) -> None:
    for _, sign in codes(name):
        sent = percent_encoded(sign, name)
        if not sent.startswith("%26%23"):
            raw = bytes(_raw(sent))
            assert decode(raw, name) == sign


def _raw(sent: str) -> Iterator[int]:
    parts = sent.split("%")
    yield from parts[0].encode()
    for part in parts[1:]:
        yield int(part[:2], 16)
        yield from part[2:].encode()
