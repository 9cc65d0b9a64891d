"""Which raw answers does the hostile web give, and what must come of each?

Expected values are written from HOSTILE.md section 3 (the numbers), read in the vocabulary of
DESIGN.md section 4.
"""

from __future__ import annotations

import gzip
import lzma
import zlib
from dataclasses import dataclass, field
from random import Random
from typing import Any

import brotli
from backports import zstd

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
TEXT = b"<p>" + b"hello web " * 40
GZ = gzip.compress(TEXT, mtime=0)
LONG_GZ = gzip.compress(bytes(range(256)) * 200 + Random(1).randbytes(20_000), mtime=0)
XZ = lzma.compress(TEXT)
BIG = 100_001  # one byte more than the test's cap


def _raw(data: bytes) -> bytes:
    engine = zlib.compressobj(wbits=-15)
    return engine.compress(data) + engine.flush()


def _begins(data: bytes, wbits: int) -> bytes:
    return zlib.decompressobj(wbits).decompress(data)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def coded(coding: bytes, body: bytes) -> bytes:
    return OK + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (coding, len(body)) + body


def headers(*lines: bytes) -> bytes:
    return OK + b"".join(line + b"\r\n" for line in lines) + b"Content-Length: 2\r\n\r\nhi"


@dataclass(frozen=True)
class Case:
    number: int
    rule: str
    says: bytes
    status: int | None = 200
    error: str | None = None
    truncated: str | None = None
    body: bytes = b""
    end: str = "close"
    fields: dict[str, Any] = field(default_factory=dict)


def bad(number: int, rule: str, says: bytes, error: str = "proto_error", **more: Any) -> Case:
    return Case(number, rule, says, status=None, error=error, **more)


TCP = [
    bad(16, "silence", b"", "timeout", end="hold"),
    bad(17, "closed before a reply", b"", "conn_closed"),
    bad(17, "closed inside the head", OK + b"Server: x", "conn_closed"),
    Case(
        18,
        "reset inside the body",
        OK + b"Content-Length: 50\r\n\r\nsome",
        error="conn_reset",
        truncated="disconnect",
        body=b"some",
        end="reset",
    ),
]

FRAMING = [
    bad(32, "HTTP/0.9", b"<html>hello</html>"),
    bad(33, "bad status line", b"HTTP/1.1 2OO OK\r\nContent-Length: 0\r\n\r\n"),
    bad(34, "status 99", b"HTTP/1.1 99 X\r\nContent-Length: 0\r\n\r\n"),
    bad(34, "status 000", b"HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n"),
    bad(34, "status 1000", b"HTTP/1.1 1000 X\r\nContent-Length: 0\r\n\r\n"),
    bad(34, "status -200", b"HTTP/1.1 -200 X\r\nContent-Length: 0\r\n\r\n"),
    Case(35, "status 999", b"HTTP/1.1 999 X\r\nContent-Length: 2\r\n\r\nhi", 999, body=b"hi"),
    Case(36, "no reason", b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nhi", body=b"hi"),
    Case(37, "LF only", b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi", body=b"hi"),
    bad(38, "HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    Case(39, "100 thrice", b"HTTP/1.1 100 Continue\r\n\r\n" * 3 + headers(), body=b"hi"),
    Case(41, "103", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + headers(), body=b"hi"),
    bad(42, "101", b"HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"),
    Case(43, "204 with a body", b"HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello", 204),
    Case(44, "304 unasked", b"HTTP/1.1 304 No\r\nContent-Length: 5\r\n\r\n", 304),
    Case(
        45,
        "short body",
        OK + b"Content-Length: 10\r\n\r\nfive.",
        error="conn_closed",
        truncated="disconnect",
        body=b"five.",
    ),
    Case(46, "long body", OK + b"Content-Length: 2\r\n\r\nhi and more", body=b"hi"),
    Case(47, "length 2, 2", OK + b"Content-Length: 2, 2\r\n\r\nhi", body=b"hi"),
    Case(47, "length twice", OK + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nhi", body=b"hi"),
    bad(48, "lengths differ", OK + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\nhi"),
    *(
        Case(
            49,
            f"length {text!r}",
            OK + b"Content-Length: %s\r\n\r\nhi there" % text,
            body=b"hi there",
        )
        for text in (b"-5", b"abc", b"+2", b"")
    ),
    *(
        Case(
            50,
            f"length of {len(digits)} digits",
            OK + b"Content-Length: %s\r\n\r\nhi" % digits,
            error="conn_closed",
            truncated="disconnect",
            body=b"hi",
        )
        for digits in (b"1" + b"0" * 30, b"9" * 5000)
    ),
    Case(
        51,
        "length and chunked",
        OK + b"Content-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        body=b"hi",
    ),
    *(
        Case(
            number,
            f"chunk size {size!r}",
            CHUNKED + b"2\r\nhi\r\n" + size + b"\r\nmore\r\n0\r\n\r\n",
            error="proto_error",
            truncated="disconnect",
            body=b"hi",
        )
        for number, size in (
            (52, b"zz"),
            (53, b"-4"),
            (58, b"1_0"),
            (52, b"0x4"),
            (52, b""),
            (52, b"fffffffffffffffff"),
        )
    ),
    Case(
        54,
        "no final chunk",
        CHUNKED + b"2\r\nhi\r\n",
        error="conn_closed",
        truncated="disconnect",
        body=b"hi",
    ),
    Case(
        55,
        "chunk line of 70 KB",
        CHUNKED + b"2;x=" + b"y" * 70_000 + b"\r\nhi\r\n0\r\n\r\n",
        error="proto_error",
        truncated="disconnect",
    ),
    Case(54, "no line behind the last chunk", CHUNKED + b"2\r\nhi\r\n0\r\n", body=b"hi"),
    Case(
        54, "nothing behind the last chunk", CHUNKED + b"2\r\nhi\r\n0\r\n", body=b"hi", end="hold"
    ),
    Case(54, "half a trailer", CHUNKED + b"2\r\nhi\r\n0\r\nTrai", body=b"hi"),
    Case(54, "LF behind the last chunk", CHUNKED + b"2\nhi\n0\n\n", body=b"hi"),
    *(
        # RFC 9112, section 7.1.1: extensions are ignored, and so are their mistakes
        Case(52, f"chunk size {size!r}", CHUNKED + size + b"\r\nhi\r\n0\r\n\r\n", body=b"hi")
        for size in (
            b"2; a=b",
            b"2;",
            b"2 ",
            b"2\t \t",
            b"2 ;a=b",
            b'2 ; a = "b;c" ; d',
            b"2;=;;",
            b"2;\x80\x00\x1b",
            b"2;a=b\rc",
            b"0002",
            b"0" * 40 + b"2",
        )
    ),
    Case(52, "the last chunk's extension", CHUNKED + b"2\r\nhi\r\n0 ; x\r\n\r\n", body=b"hi"),
    Case(52, "zeros for the last chunk", CHUNKED + b"2\r\nhi\r\n0000\r\n\r\n", body=b"hi"),
    *(
        # A coding that is none says nothing, as for browsers.
        Case(
            57, f"coding {name!r}", OK + b"Transfer-Encoding: %s\r\n\r\nhello" % name, body=b"hello"
        )
        for name in (b"binary", b"8bit", b"identity", b"UTF-8", b"chuncked", b"none, binary", b"")
    ),
    *(
        Case(
            57,
            f"coding {name!r} and a length",
            OK + b"Transfer-Encoding: %s\r\nContent-Length: 2\r\n\r\nhi" % name,
            body=b"hi",
            end="hold",
        )
        for name in (b"binary", b"identity")
    ),
    *(
        Case(
            57,
            f"coding {name!r}",
            OK + b"Transfer-Encoding: %s\r\n\r\n2\r\nhi\r\n0\r\n\r\n" % name,
            body=b"hi",
            end="hold",
        )
        for name in (b"binary, chunked", b"Chunked", b"chunked,", b" chunked ", b"chunked;x=y")
    ),
    Case(
        57,
        "a coding that is none, and no close",
        OK + b"Transfer-Encoding: binary\r\n\r\nhello",
        error="timeout",
        truncated="time",
        body=b"hello",
        end="hold",
    ),
    bad(57, "gzip", OK + b"Transfer-Encoding: gzip\r\n\r\n" + GZ),
    bad(33, "RTSP", b"RTSP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
    bad(33, "ICE", b"ICE/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
    bad(33, "ICY", b"ICY 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
    bad(33, "SIP", b"SIP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
    bad(33, "small letters", b"http/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"),
    # RFC 9112, section 2.2: a CR that ends no line
    bad(37, "CR only", b"HTTP/1.1 200 OK\rContent-Length: 2\r\rhi"),
    bad(37, "CR in the status line", b"HTTP/1.1 200 O\rK\r\nContent-Length: 2\r\n\r\nhi"),
    bad(37, "CR in a value", headers(b"X: a\rb")),
    bad(37, "CR in a name", headers(b"X\rY: b")),
    bad(37, "CR for a line end", headers(b"X: a\rSet-Cookie: b=c")),
    bad(37, "two CRs", headers(b"X: a\r")),
    bad(37, "CR in an interim head", b"HTTP/1.1 103 E\r\nX: a\rb\r\n\r\n" + headers()),
    Case(37, "CR in the body", OK + b"Content-Length: 3\r\n\r\na\rb", body=b"a\rb"),
    Case(43, "205 without a length", b"HTTP/1.1 205 R\r\nX: y\r\n\r\n", 205, end="hold"),
    Case(43, "205 of HTTP/1.0", b"HTTP/1.0 205 R\r\n\r\n", 205, end="hold"),
    Case(
        43,
        "205 with a broken length",
        b"HTTP/1.1 205 R\r\nContent-Length: x\r\n\r\n",
        205,
        end="hold",
    ),
    Case(
        43, "205 with a length", b"HTTP/1.1 205 R\r\nContent-Length: 2\r\n\r\nhi", 205, body=b"hi"
    ),
    Case(
        43,
        "205 in chunks",
        b"HTTP/1.1 205 R\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        205,
        end="hold",
    ),
    bad(57, "gzip, chunked", OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
    bad(57, "chunked, gzip", OK + b"Transfer-Encoding: chunked, gzip\r\n\r\n2\r\nhi\r\n0\r\n\r\n"),
    Case(52, "chunk extension", CHUNKED + b"2;a=b\r\nhi\r\n0\r\nTrailer: x\r\n\r\n", body=b"hi"),
]

HEADERS = [
    # The limit is bytes, not lines: browsers read 256 KiB, and so does this.
    Case(59, "300 headers", headers(*(b"X-%d: y" % n for n in range(300))), body=b"hi"),
    bad(60, "a line of 70 KB", headers(b"X: " + b"y" * 70_000)),
    bad(60, "a name of 70 KB", headers(b"Y" * 70_000 + b": x")),
    bad(60, "a name and a value of 40 KB each", headers(b"Y" * 40_000 + b": " + b"x" * 40_000)),
    bad(60, "a line of 70 KB without a colon", headers(b"y" * 70_000)),
    bad(60, "folded lines of 70 KB", headers(b"X: a", *[b" " + b"y" * 10_000] * 7)),
    bad(
        60,
        "a reason phrase of 70 KB",
        b"HTTP/1.1 200 " + b"R" * 70_000 + b"\r\nContent-Length: 2\r\n\r\nhi",
    ),
    bad(
        60,
        "an interim answer with a reason phrase of 70 KB",
        b"HTTP/1.1 103 " + b"R" * 70_000 + b"\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\nhi",
    ),
    Case(
        60,
        "many short headers of 70 KB in all",
        headers(*[b"X: " + b"y" * 1_000] * 70),
        body=b"hi",
    ),
    bad(
        61,
        "5.9 MB of headers",
        headers(*[b"X: " + b"y" * 60_000] * 98),
        "too_large",
        truncated="length",
    ),
    Case(62, "a line without colon", headers(b"nonsense", b"X: y"), body=b"hi"),
    Case(63, "NUL", headers(b"X: a\0b"), body=b"hi"),
    Case(63, "NUL in a name", headers(b"X\0Y: a"), body=b"hi"),
    Case(64, "a folded line", headers(b"X: a", b"  b"), body=b"hi"),
    Case(64, "folded at once", OK + b" folded\r\nContent-Length: 2\r\n\r\nhi", body=b"hi"),
    Case(65, "latin-1", headers(b"X: caf\xe9"), body=b"hi"),
    Case(66, "escape sequence", headers(b"X: \x1b]0;owned\x07"), body=b"hi"),
    Case(
        66,
        "escape in the reason",
        b"HTTP/1.1 200 \x1b[31m\r\nContent-Length: 2\r\n\r\nhi",
        body=b"hi",
    ),
    Case(68, "cookie of 9 KB", headers(b"Set-Cookie: a=" + b"b" * 9000), body=b"hi"),
    Case(62, "space before the colon", headers(b"X : y"), body=b"hi"),
    Case(
        36,
        "HTTP/2.0 in the status line",
        b"HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
        body=b"hi",
    ),
    Case(36, "empty lines first", b"\r\n\r\n" + headers(), body=b"hi"),
]

REDIRECTS = [
    Case(
        74,
        "empty Location",
        b"HTTP/1.1 302 F\r\nLocation:\r\nContent-Length: 2\r\n\r\nhi",
        302,
        body=b"hi",
    ),
    Case(
        81,
        "300 without Location",
        b"HTTP/1.1 300 C\r\nContent-Length: 2\r\n\r\nhi",
        300,
        body=b"hi",
    ),
    *(
        Case(
            number,
            place.decode(),
            b"HTTP/1.1 301 M\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % place,
            301,
            "bad_redirect",
        )
        for number, place in (
            (75, b"http://["),
            (77, b"javascript:alert(1)"),
            (77, b"file:///etc/passwd"),
            (77, b"ftp://example.org/"),
            (77, b"gopher://example.org/"),
            (77, b"data:text/html,hi"),
        )
    ),
    Case(
        79,
        "two Locations",
        b"HTTP/1.1 301 M\r\nLocation: /a\r\nLocation: /b\r\nContent-Length: 0\r\n\r\n",
        301,
        "bad_redirect",
    ),
]

CODINGS = [
    Case(
        86,
        "gzip bomb",
        coded(b"gzip", gzip.compress(bytes(5_000_000))),
        error="too_large",
        truncated="length",
        body=bytes(BIG - 1),
    ),
    Case(
        87,
        "gzip cut",
        OK + b"Content-Encoding: gzip\r\n\r\n" + LONG_GZ[: len(LONG_GZ) // 2],
        error="conn_closed",
        truncated="disconnect",
        body=_begins(LONG_GZ[: len(LONG_GZ) // 2], 31),
    ),
    *(
        # What was said is whole; the trailer is only a check.
        Case(87, f"gzip without {cut} bytes of its trailer", says, body=TEXT)
        for cut in (1, 4, 8)
        for says in (
            OK + b"Content-Encoding: gzip\r\n\r\n" + GZ[:-cut],
            coded(b"gzip", GZ[:-cut]),
            OK + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(GZ) + GZ[:-cut],
            CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n" + chunk(GZ[:-cut]) + b"0\r\n\r\n",
        )
    ),
    Case(87, "zlib without its trailer", coded(b"deflate", zlib.compress(TEXT)[:-4]), body=TEXT),
    Case(
        87,
        "gzip without the last bit of its content",
        coded(b"gzip", GZ[:-9]),
        error="conn_closed",
        truncated="disconnect",
        body=TEXT,
    ),
    *(
        # Chunks that are never ended, around what has an end of its own
        Case(
            54,
            f"{coding} in chunks without the last",
            CHUNKED[:-2] + b"Content-Encoding: %s\r\n\r\n" % coding.encode() + chunk(data),
            body=TEXT,
        )
        for coding, data in (
            ("gzip", GZ),
            ("gzip", GZ[:-8]),
            ("deflate", zlib.compress(TEXT)),
            ("deflate", _raw(TEXT)),
            ("br", brotli.compress(TEXT)),
            ("zstd", zstd.compress(TEXT)),
            ("gzip, gzip", gzip.compress(GZ)),
        )
    ),
    *(
        Case(
            54,
            rule,
            CHUNKED[:-2] + b"Content-Encoding: gzip\r\n\r\n" + says,
            error="conn_closed",
            truncated="disconnect",
            body=body,
        )
        for rule, says, body in (
            ("gzip in chunks, and neither ends", chunk(GZ[:-9]), TEXT),
            ("gzip in chunks that never came", b"", b""),
            ("gzip that ends in a chunk that does not", b"fff\r\n" + GZ, TEXT),
        )
    ),
    Case(
        45,
        "gzip that is whole where more was announced",
        OK + b"Content-Encoding: gzip\r\nContent-Length: 5000\r\n\r\n" + GZ,
        error="conn_closed",
        truncated="disconnect",
        body=TEXT,
    ),
    Case(88, "plain body called gzip", coded(b"gzip", TEXT), error="decode_error", body=TEXT),
    Case(88, "plain body called br", coded(b"br", TEXT), error="decode_error", body=TEXT),
    Case(88, "plain body called zstd", coded(b"zstd", TEXT), error="decode_error", body=TEXT),
    Case(88, "plain body called deflate", coded(b"deflate", TEXT), error="decode_error", body=TEXT),
    Case(89, "bad CRC", coded(b"gzip", GZ[:-8] + bytes(8)), error="decode_error", body=TEXT),
    Case(90, "rubbish behind gzip", coded(b"gzip", GZ + b"rubbish"), body=TEXT),
    Case(90, "zeros behind gzip", coded(b"gzip", GZ + bytes(600)), body=TEXT),
    Case(90, "rubbish behind zstd", coded(b"zstd", zstd.compress(TEXT) + b"rubbish"), body=TEXT),
    Case(
        91,
        "two members",
        coded(b"gzip", gzip.compress(TEXT[:50]) + gzip.compress(TEXT[50:])),
        body=TEXT,
    ),
    Case(92, "raw deflate", coded(b"deflate", _raw(TEXT)), body=TEXT),
    Case(92, "zlib deflate", coded(b"deflate", zlib.compress(TEXT)), body=TEXT),
    *(
        Case(93, f"unknown coding {name.decode()}", coded(name, TEXT), body=TEXT)
        for name in (b"none", b"UTF-8", b"8bit", b"binary", b"7bit", b"text/html", b"lzma", b"a b")
    ),
    Case(
        93,
        "unknown coding of an image",
        coded(b"binary", b"\x89PNG\r\n\x1a\n\0"),
        body=b"\x89PNG\r\n\x1a\n\0",
    ),
    *(
        Case(93, f"{name.decode()} beside gzip", coded(name, GZ), body=TEXT)
        for name in (b"utf-8, gzip", b"gzip, none", b"gzip, identity")
    ),
    *(
        Case(93, f"{name.decode()} that is real", coded(name, XZ), error="decode_error", body=XZ)
        for name in (b"lzma", b"xz", b"compress")
    ),
    Case(
        94,
        "six codings",
        coded(b"gzip, gzip, gzip, gzip, gzip, gzip", GZ),
        error="decode_error",
        body=GZ,
    ),
    Case(95, "br", coded(b"br", brotli.compress(TEXT)), body=TEXT),
    Case(95, "zstd", coded(b"zstd", zstd.compress(TEXT)), body=TEXT),
    Case(95, "x-gzip", coded(b"X-GZip", GZ), body=TEXT),
    Case(95, "identity", coded(b"identity", TEXT), body=TEXT),
    Case(96, "gzip twice", coded(b"gzip, gzip", gzip.compress(GZ)), body=TEXT),
    Case(
        96,
        "gzip bomb twice",
        coded(b"gzip, gzip", gzip.compress(gzip.compress(bytes(5_000_000)))),
        error="too_large",
        truncated="length",
        body=bytes(BIG - 1),
    ),
    Case(98, "empty gzip", coded(b"gzip", b"")),
]

BODIES = [
    Case(98, "empty", OK + b"Content-Length: 0\r\n\r\n"),
    Case(98, "until close", OK + b"\r\nhello", body=b"hello"),
    Case(98, "until close, empty", OK + b"\r\n"),
    Case(
        99,
        "too long",
        OK + b"\r\n" + b"x" * 300_000,
        error="too_large",
        truncated="length",
        body=b"x" * (BIG - 1),
    ),
    Case(99, "the cap exactly", OK + b"\r\n" + b"x" * (BIG - 1), body=b"x" * (BIG - 1)),
    Case(
        145,
        "robots.txt past its limit",
        OK + b"\r\n" + b"#" * 90_000,
        truncated="length",
        body=b"#" * 50_000,
        fields={"kind": "robots"},
    ),
    Case(98, "HEAD", OK + b"Content-Length: 5000\r\n\r\n", fields={"method": "HEAD"}),
    Case(
        98, "a check reads no body", OK + b"Content-Length: 5000\r\n\r\n", fields={"kind": "check"}
    ),
    Case(30, "HTTP/1.0", b"HTTP/1.0 200 OK\r\n\r\nhello", body=b"hello"),
    Case(
        141,
        "404 is an answer",
        b"HTTP/1.1 404 N\r\nContent-Length: 2\r\n\r\nno",
        404,
        body=b"no",
        fields={"kind": "robots"},
    ),
    Case(
        142, "503 is an answer", b"HTTP/1.1 503 N\r\nContent-Length: 2\r\n\r\nno", 503, body=b"no"
    ),
]

CASES = TCP + FRAMING + HEADERS + REDIRECTS + CODINGS + BODIES
