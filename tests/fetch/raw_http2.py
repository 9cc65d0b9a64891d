"""What may a server of HTTP/2 say, byte for byte, and what must come of each?

Frames are made by hyperframe and headers by hpack, which share nothing with what reads them. The
rules are those of RFC 9113 and, where it leaves a choice, those of ``tests/fetch/raw.py``.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from typing import Any

from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from tests.fetch.raw import BIG, GZ, TEXT

Pairs = list[tuple[bytes, bytes]]


def raw(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame that nobody checks."""
    head = len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big")
    return head + payload


def settings(**values: int) -> bytes:
    """A server's first words."""
    names = {"table": 1, "push": 2, "streams": 3, "window": 4, "frame": 5, "headers": 6}
    return SettingsFrame(0, {names[name]: value for name, value in values.items()}).serialize()


def packed(*pairs: tuple[bytes, bytes], status: bytes | None = b"200") -> bytes:
    """A block of headers that refers to nothing before it."""
    encoder = Encoder()
    encoder.header_table_size = 0
    whole: Pairs = [*([(b":status", status)] if status is not None else []), *pairs]
    return encoder.encode(whole)[1:]


def block(data: bytes, stream: int = 1, *, end: bool = False, **more: Any) -> bytes:
    """A block as one frame."""
    flags = ["END_HEADERS", *(["END_STREAM"] if end else []), *more.pop("flags", ())]
    return HeadersFrame(stream, data, flags=flags, **more).serialize()


def head(*pairs: tuple[bytes, bytes], status: bytes | None = b"200", end: bool = False) -> bytes:
    return block(packed(*pairs, status=status), end=end)


def data(body: bytes, stream: int = 1, *, end: bool = False, pad: int | None = None) -> bytes:
    flags = [*(["END_STREAM"] if end else []), *(["PADDED"] if pad is not None else [])]
    return DataFrame(stream, body, pad_length=pad or 0, flags=flags).serialize()


def reset(code: int, stream: int = 1) -> bytes:
    return RstStreamFrame(stream, error_code=code).serialize()


def goaway(last: int, code: int = 0) -> bytes:
    return GoAwayFrame(0, last_stream_id=last, error_code=code).serialize()


def ping() -> bytes:
    return PingFrame(0, opaque_data=b"12345678").serialize()


def priority(stream: int = 1) -> bytes:
    return PriorityFrame(stream, depends_on=0, stream_weight=3).serialize()


def window(by: int = 1000, stream: int = 0) -> bytes:
    return WindowUpdateFrame(stream, window_increment=by).serialize()


def in_parts(pieces: list[bytes]) -> bytes:
    """A block of headers over several frames, without the end of the stream."""
    begin = HeadersFrame(1, pieces[0]).serialize()
    parts = [ContinuationFrame(1, piece) for piece in pieces[1:]]
    parts[-1].flags.add("END_HEADERS")
    return begin + b"".join(part.serialize() for part in parts)


def bomb(times: int) -> bytes:
    """A header of 4,000 bytes that is put into the table, and then referred to."""
    entry = b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000
    return packed() + entry + b"\xbe" * times


LONG = b"\x00\x01x\x7f\xf1\xa1\x04"
"""The beginning of a header whose value has 70,000 bytes."""
HI = head() + data(b"hi", end=True)


@dataclass(frozen=True)
class Case:
    rule: str
    says: bytes
    status: int | None = 200
    error: str | None = None
    truncated: str | None = None
    body: bytes = b"hi"
    end: str = "close"
    connections: int = 1
    greets: bool = True
    fields: dict[str, Any] = field(default_factory=dict)


def bad(rule: str, says: bytes, error: str = "proto_error", **more: Any) -> Case:
    return Case(rule, says, **{"status": None, "error": error, "body": b""} | more)


def cut(rule: str, says: bytes, error: str, **more: Any) -> Case:
    """An answer of which something had come."""
    return Case(
        rule,
        head() + data(b"some") + says,
        error=error,
        **{"truncated": "disconnect", "body": b"some"} | more,
    )


GOOD = [
    Case("plain", HI),
    Case("no body", head(end=True), body=b""),
    Case("an empty frame ends it", head() + data(b"hi") + data(b"", end=True)),
    Case(
        "many frames",
        head() + b"".join(data(b"x") for _ in range(999)) + data(b"y", end=True),
        body=b"x" * 999 + b"y",
    ),
    Case("padded", head() + data(b"h", pad=200) + data(b"i", end=True, pad=0)),
    Case("padding alone", head() + data(b"", pad=255) + data(b"hi", end=True)),
    Case("padded headers", block(packed(), flags=["PADDED"], pad_length=9) + data(b"hi", end=True)),
    Case(
        "headers with a priority",
        block(packed(), flags=["PRIORITY"], depends_on=0) + data(b"hi", end=True),
    ),
    Case(
        "padded headers with a priority",
        block(packed(), flags=["PRIORITY", "PADDED"], pad_length=3) + data(b"hi", end=True),
    ),
    Case(
        "headers in three frames",
        in_parts([packed()[:1], b"", packed((b"a", b"b"))[1:]]) + data(b"hi", end=True),
    ),
    Case(
        "all kinds of frames between",
        ping()
        + head()
        + priority(5)
        + window()
        + window(1, 1)
        + raw(0xA, 0, 0, b"\0\4test")
        + raw(0xC, 0, 0, b"x")
        + raw(0xEE, 0xFF, 9, b"?" * 99)
        + settings(frame=20_000, window=5, table=0)
        + data(b"hi", end=True),
    ),
    Case("settings that nobody knows", raw(4, 0, 0, b"\x99\x99\1\2\3\4") + HI),
    Case("no streams are allowed", settings(streams=0) + HI),
    Case("the answer to our settings", raw(4, 1, 0) + HI),
    Case("interim answers", head(status=b"100") + head((b"link", b"</a>"), status=b"103") * 3 + HI),
    Case("trailers", head() + data(b"hi") + block(packed((b"sum", b"1"), status=None), end=True)),
    Case("204", head(status=b"204", end=True), 204, body=b""),
    Case("204 with a body", head(status=b"204") + data(b"hello", end=True), 204, body=b""),
    Case("205", head(status=b"205", end=True), 205, body=b""),
    Case("205 that does not end", head(status=b"205"), 205, body=b"", end="hold"),
    Case("304", head((b"content-length", b"9"), status=b"304", end=True), 304, body=b""),
    Case(
        "304 and an empty frame",
        head((b"content-length", b"9"), status=b"304") + data(b"", end=True),
        304,
        body=b"",
    ),
    Case("status 999", head(status=b"999") + data(b"hi", end=True), 999),
    Case("HEAD", head((b"content-length", b"5000"), end=True), body=b"", fields={"method": "HEAD"}),
    Case(
        "HEAD that does not end",
        head((b"content-length", b"5000")),
        body=b"",
        end="hold",
        fields={"method": "HEAD"},
    ),
    Case(
        "a check", head((b"content-length", b"5000"), end=True), body=b"", fields={"kind": "check"}
    ),
    Case("latin-1", head((b"x", b"caf\xe9")) + data(b"hi", end=True)),
    Case("an escape sequence", head((b"x", b"\x1b]0;owned\x07")) + data(b"hi", end=True)),
    Case("spaces around a value", head((b"x", b" a\t")) + data(b"hi", end=True)),
    Case("300 headers", head(*[(b"x-%d" % n, b"y") for n in range(300)]) + data(b"hi", end=True)),
    Case("gzip", head((b"content-encoding", b"gzip")) + data(GZ, end=True), body=TEXT),
    Case(
        "gzip without its trailer",
        head((b"content-encoding", b"gzip")) + data(GZ[:-8], end=True),
        body=TEXT,
    ),
    Case(
        "gzip that is whole, and no end", head((b"content-encoding", b"gzip")) + data(GZ), body=TEXT
    ),
    Case("goodbye, and the rest", head() + goaway(1) + data(b"hi", end=True)),
    Case("goodbye before the answer", goaway(1) + HI),
    Case("goodbye behind the answer", HI + goaway(1)),
    Case("a reset behind the answer", HI + reset(0)),
    Case("rubbish behind the answer", HI + b"\0\0\0\0\0"),
    Case("an answer behind the answer", HI + head() + data(b"more", end=True)),
]

LENGTHS = [
    Case("the length", head((b"content-length", b"2")) + data(b"hi", end=True)),
    Case("2, 2", head((b"content-length", b"2, 2")) + data(b"hi", end=True)),
    Case(
        "twice", head((b"content-length", b"2"), (b"content-length", b"2")) + data(b"hi", end=True)
    ),
    bad(
        "2 and 5",
        head((b"content-length", b"2"), (b"content-length", b"5")) + data(b"hi", end=True),
    ),
    *(
        Case(f"length {text!r}", head((b"content-length", text)) + data(b"hi", end=True))
        for text in (b"-5", b"abc", b"+2", b"")
    ),
    Case("more than announced", head((b"content-length", b"2")) + data(b"hi and more", end=True)),
    Case("more, in frames", head((b"content-length", b"2")) + data(b"hi") + data(b"x" * 99)),
    Case(
        "less than announced",
        head((b"content-length", b"50")) + data(b"hi", end=True),
        error="conn_closed",
        truncated="disconnect",
    ),
    Case(
        "less, and closed",
        head((b"content-length", b"50")) + data(b"hi"),
        error="conn_closed",
        truncated="disconnect",
    ),
    Case(
        "a length of 5,000 digits",
        head((b"content-length", b"9" * 5000)) + data(b"hi", end=True),
        error="conn_closed",
        truncated="disconnect",
    ),
    Case("all, but no end", head((b"content-length", b"2")) + data(b"hi")),
    Case("all, but no end and no close", head((b"content-length", b"2")) + data(b"hi"), end="hold"),
    Case("nothing at all is announced", head((b"content-length", b"0")), body=b"", end="hold"),
    Case(
        "neither a length nor an end",
        head() + data(b"hi"),
        error="conn_closed",
        truncated="disconnect",
    ),
    Case(
        "too long",
        head() + b"".join(data(b"x" * 10_000) for _ in range(30)),
        error="too_large",
        truncated="length",
        body=b"x" * (BIG - 1),
    ),
    Case(
        "the cap exactly",
        head() + data(b"x" * 10_000) * 9 + data(b"x" * 10_000, end=True),
        body=b"x" * (BIG - 1),
    ),
    Case(
        "gzip bomb",
        head((b"content-encoding", b"gzip")) + data(gzip.compress(bytes(5_000_000)), end=True),
        error="too_large",
        truncated="length",
        body=bytes(BIG - 1),
    ),
]

HEADERS = [
    bad("no status", head(status=None, end=True)),
    bad("an empty block", block(b"", end=True)),
    *(
        bad(f"status {text!r}", head(status=text, end=True))
        for text in (b"99", b"099", b"1000", b"2OO", b"", b"-20", b" 200", b"+20")
    ),
    bad("two status", block(packed((b":status", b"200")), end=True)),
    bad("status behind a header", block(packed((b"a", b"b"), (b":status", b"200"), status=None))),
    bad("101", head(status=b"101")),
    bad("an interim answer that ends", head(status=b"103", end=True)),
    *(
        bad(f"pseudo-header {name!r}", head((name, b"x"), end=True))
        for name in (b":path", b":authority", b":method", b":protocol", b":", b"::")
    ),
    *(
        bad(f"name {name!r}", head((name, b"x"), end=True))
        for name in (b"", b"X-Upper", b"a b", b"a\0", b"a\r\nb", b"a:b", b"caf\xe9", b"\x7f", b" a")
    ),
    *(
        bad(f"value {value!r}", head((b"x", value), end=True))
        for value in (b"a\0b", b"a\r\nset-cookie: b=c", b"a\nb", b"a\rb", b"\n")
    ),
    *(
        bad(f"{name.decode()}", head((name, value), end=True))
        for name, value in (
            (b"connection", b"close"),
            (b"keep-alive", b"timeout=5"),
            (b"proxy-connection", b"close"),
            (b"transfer-encoding", b"chunked"),
            (b"upgrade", b"h2c"),
        )
    ),
    bad(
        "a header of 70 KB",
        in_parts([packed() + LONG, *[b"y" * 10_000] * 7]) + data(b"hi", end=True),
    ),
    *(
        cut(rule, says, "proto_error")
        for rule, says in (
            ("trailers with a status", head(end=True)),
            ("trailers that do not end it", block(packed((b"a", b"b"), status=None))),
            ("trailers in capitals", block(packed((b"A", b"b"), status=None), end=True)),
            (
                "trailers with a length of chunks",
                block(packed((b"transfer-encoding", b"chunked"), status=None), end=True),
            ),
        )
    ),
]

UNPACKING = [
    bad("an index of nothing", block(b"\xff\x80\x7f", end=True)),
    bad("index 0", block(b"\x80", end=True)),
    bad("cut", block(packed((b"abc", b"def"))[:-2], end=True)),
    bad("a name longer than its block", block(packed() + b"\x00\x7f\xff\xff\x7f", end=True)),
    bad("a number without end", block(packed() + b"\xff" + b"\xff" * 40 + b"\0", end=True)),
    bad("no code of Huffman", block(packed() + b"\x00\x01x\x84\xff\xff\xff\xff", end=True)),
    bad(
        "padding of Huffman that is too long",
        block(packed() + b"\x00\x01x\x82\x1f\xff\xff"[:6], end=True),
    ),
    bad("a table of 5,000 bytes", block(b"\x3f\xe9\x26" + packed(), end=True)),
    bad("three sizes of the table", block(b"\x20\x20\x20" + packed(), end=True)),
    bad("a size behind a header", block(packed() + b"\x20", end=True)),
    Case("two sizes of the table", block(b"\x20\x3f\xe1\x1f" + packed()) + data(b"hi", end=True)),
    Case("what is remembered", block(bomb(3)) + data(b"hi", end=True)),
    bad("a bomb", block(bomb(1000), end=True), "too_large", truncated="length"),
    bad(
        "a bomb in interim answers",
        b"".join(block(packed(status=b"103") + bomb(20)[1:]) for _ in range(9)),
        "too_large",
        truncated="length",
    ),
    bad(
        "300 KB in many frames",
        in_parts([packed(), *[b"\x00\x01x\x7f\x91\x4d" + b"y" * 10_000] * 30]),
        "too_large",
        truncated="length",
    ),
    cut("a bomb behind the body", block(bomb(1000)[1:], end=True), "too_large", truncated="length"),
]

BROKEN = [
    bad("HTTP/1.1", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", greets=False),
    bad("HTTP/1.1 400, as nginx says", b"HTTP/1.1 400 Bad Request\r\n\r\n", greets=False),
    bad("no settings first", HI, greets=False),
    bad("the answer to settings first", raw(4, 1, 0) + HI, greets=False),
    bad("a ping first", ping() + HI, greets=False),
    bad("nothing", b"", "conn_closed", greets=False),
    bad("settings, and nothing", b"", "conn_closed"),
    bad("settings, and silence", b"", "timeout", end="hold"),
    bad("half a frame", head()[:7], "conn_closed"),
    bad("half a block", HeadersFrame(1, packed()[:1]).serialize(), "conn_closed"),
    bad("a frame of 16 MiB", b"\xff\xff\xff\x00\x00\0\0\0\1" + b"x" * 99),
    bad(
        "a frame of 16,385 bytes",
        head() + raw(0, 1, 1, b"x" * 16_385),
        status=200,
        truncated="disconnect",
    ),
    bad("an unknown frame of 16,385 bytes", raw(0x77, 0, 0, b"x" * 16_385)),
    bad("a body before its headers", data(b"hi", end=True)),
    bad(
        "a body on stream 0",
        head() + data(b"hi", 1) + raw(0, 1, 0, b"hi"),
        status=200,
        body=b"hi",
        truncated="disconnect",
    ),
    *(bad(f"a body on stream {n}", raw(0, 1, n, b"hi")) for n in (2, 3, 2**31 - 1)),
    *(bad(f"headers on stream {n}", raw(1, 5, n, packed())) for n in (0, 2, 3, 2**31 - 1)),
    bad("a continuation of nothing", raw(9, 4, 1, packed())),
    *(
        bad(f"{rule} inside headers", HeadersFrame(1, packed()).serialize() + says)
        for rule, says in (
            ("a ping", ping()),
            ("a body", data(b"hi")),
            ("an unknown frame", raw(0x77, 0, 0)),
            ("headers", head()),
            ("the continuation of another stream", raw(9, 4, 3, packed())),
            ("a goodbye", goaway(1)),
            ("a reset", reset(8)),
        )
    ),
    bad("a promise", PushPromiseFrame(1, 2, packed(), flags=["END_HEADERS"]).serialize() + HI),
    bad("settings of 5 bytes", raw(4, 0, 0, b"12345")),
    bad("settings of a stream", raw(4, 0, 1)),
    bad("an answer to settings that says something", raw(4, 1, 0, b"123456")),
    bad("push is switched on", settings(push=1)),
    bad("a window of 2^31", raw(4, 0, 0, b"\0\4\x80\0\0\0")),
    bad("frames of 16,383 bytes", settings(frame=16_383)),
    bad("frames of 2^24 bytes", settings(frame=2**24)),
    bad("a ping of 7 bytes", raw(6, 0, 0, b"1234567")),
    bad("a ping on a stream", raw(6, 0, 1, b"12345678")),
    bad("a reset of 3 bytes", raw(3, 0, 1, b"123")),
    bad("a reset of stream 0", raw(3, 0, 0, b"1234")),
    bad("a reset of what was not asked", reset(8, 3)),
    bad("a window that opens by nothing", raw(8, 0, 0, b"\0\0\0\0")),
    bad("a window of 3 bytes", raw(8, 0, 0, b"123")),
    bad("a window of what was not asked", window(1, 5)),
    bad("a goodbye of 4 bytes", raw(7, 0, 0, b"1234")),
    bad("a goodbye of a stream", raw(7, 0, 1, b"12345678")),
    bad("a priority of 4 bytes", raw(2, 0, 1, b"1234")),
    bad("a priority of no stream", raw(2, 0, 0, b"12345")),
    bad("headers with half a priority", raw(1, 0x24, 1, b"123")),
    bad("headers padded past their end", raw(1, 0x0C, 1, b"\x63" + packed())),
    bad("an empty padded frame", raw(1, 0x0C, 1, b"")),
    cut("a body padded past its end", raw(0, 8, 1, b"\x05hi"), "proto_error"),
    cut("an empty padded body", raw(0, 8, 1, b""), "proto_error"),
]

ENDED = [
    *(bad(f"reset with code {code}", reset(code), "conn_reset") for code in (0, 1, 2, 8, 11, 99)),
    bad("refused twice", reset(7), "conn_reset", connections=2),
    bad("goodbye twice", goaway(0), "conn_closed", connections=2),
    bad("goodbye, calm down", goaway(0, 11), "conn_closed"),
    bad("goodbye with the last stream past ours", goaway(2**31 - 1), "conn_closed"),
    bad("goodbye inside the headers", HeadersFrame(1, packed()[:1]).serialize() + goaway(0)),
    cut("reset", reset(8), "conn_reset"),
    cut("refused too late", reset(7), "conn_reset"),
    cut("wants HTTP/1.1 too late", reset(13), "conn_reset"),
    cut("goodbye to what has begun", goaway(0), "conn_closed"),
    cut("a reset without an error", reset(0), "conn_reset"),
    cut("silence", b"", "timeout", truncated="time", end="hold"),
]

CASES = GOOD + LENGTHS + HEADERS + UNPACKING + BROKEN + ENDED
