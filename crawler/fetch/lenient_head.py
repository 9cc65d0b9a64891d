"""What do status line and headers mean when they are not quite HTTP?

Reads what browsers read: lines that end in a bare LF, lines without a colon, folded lines, lengths
that repeat or are no numbers, transfer codings that are none. Refused is only what leaves no safe
meaning: lengths that contradict each other, bodies compressed for the way although nobody asked for
it, a CR on its own, what is not HTTP at all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from crawler.fetch.failures import Failure

Framing = Literal["none", "length", "chunked", "close"]
RawHeaders = Sequence[tuple[bytes, bytes]]

MAX_LINE: Final = 64 * 1024
MAX_LENGTH: Final = 2**62
"""A larger Content-Length counts as this; llhttp counts in 64 bits."""

_STATUS_LINE: Final = re.compile(rb"HTTP/(\d)(?:\.(\d))?[ \t]+(\d{3})(?![^ \t])")
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")
_START: Final = b"HTTP/"
_BARE_CR: Final = re.compile(rb"\r[^\n]")
_COMPRESSED: Final = frozenset({b"gzip", b"x-gzip", b"compress", b"x-compress", b"deflate"})
"""Transfer codings (RFC 9112, section 7.2) that may be sent to those alone who ask for them."""


class Head(msgspec.Struct):
    """Status line and headers.

    status: 100..999. version: ``1.0``, ``1.1`` or ``2``. headers: in order, as they came, values
    stripped.
    framing: how the end of the body is known; length: bytes, where that is ``length``.
    keep_alive: the connection may carry another request. Set by the tolerant reader alone, as are
    the two before.
    """

    status: int
    version: str
    headers: RawHeaders
    framing: Framing = "close"
    length: int = 0
    keep_alive: bool = False


class Reader:
    """Collects bytes until a final head is whole; interim ones (1xx) are passed over.

    interims: how many were. pending: bytes held. rest: what came behind the head.
    """

    __slots__ = ("_held", "_method", "_searched", "interims", "rest")

    def __init__(self, method: str) -> None:
        self._method = method
        self._held = bytearray()
        self._searched = 0
        self.interims = 0
        self.rest = b""

    @property
    def pending(self) -> int:
        return len(self._held)

    def feed(self, data: bytes) -> Head | None:
        """The head when it is whole. Raises Failure (``proto_error``) as soon as it is none."""
        self._held += data
        while True:
            self._skip_empty_lines()
            self._check_start()
            end = _BLANK_LINE.search(self._held, self._searched)
            if end is None:
                check_line_ends(self._held)
                self._searched = max(0, len(self._held) - 2)
                return None
            head = read(bytes(self._held[: end.start()]), self._method)
            del self._held[: end.end()]
            self._searched = 0
            if head.status >= 200:
                self.rest = bytes(self._held)
                return head
            self.interims += 1

    def eof(self) -> None:
        """Raises Failure where the bytes so far were no HTTP."""
        if self._held and not self._held.startswith(_START):
            raise _not_http(self._held)

    def _skip_empty_lines(self) -> None:
        if self._held.startswith((b"\r", b"\n")):
            self._held = self._held.lstrip(b"\r\n")
            self._searched = 0

    def _check_start(self) -> None:
        held = self._held
        line = held.find(b"\n", 0, 4096)
        if line >= 0 or len(held) > 4096:
            _status_line(bytes(held[: line if line >= 0 else 4096]).rstrip(b"\r"))
        elif not held.startswith(_START) and not _START.startswith(held[: len(_START)]):
            raise _not_http(held)


def read(block: bytes, method: str) -> Head:
    """The meaning of a whole head, without its blank line."""
    check_line_ends(block)
    first, *lines = block.split(b"\n")
    longest = max(map(len, (first, *lines)))
    if longest > MAX_LINE:
        raise Failure("proto_error", f"a line of {longest:,} bytes in the head")
    status, version = _status_line(first.rstrip(b"\r"))
    headers = _headers(lines)
    head = Head(status, version, headers)
    if status == 101:
        raise Failure("proto_error", "101: the server wants to speak another protocol")
    if status >= 200:
        _frame(head, method)
    return head


def check_line_ends(block: bytes | bytearray) -> None:
    """Raises Failure where a CR ends no line: what one reader takes for a new header is a part of
    the one before to another (RFC 9112, section 2.2)."""
    found = _BARE_CR.search(block)
    if found is not None:
        shown = bytes(block[max(0, found.start() - 30) : found.end() + 10]).decode("latin-1")
        raise Failure("proto_error", f"a carriage return that ends no line: {shown}")


def plain_words(head: Head) -> bytes:
    """A head that tells llhttp nothing but how a body ends that is not chunked."""
    how = f"Content-Length: {head.length}\r\n" if head.framing == "length" else ""
    return f"HTTP/1.1 200 OK\r\n{how}\r\n".encode("ascii")


def keeps_alive(version: str, headers: RawHeaders) -> bool:
    """Whether the connection outlives this answer (RFC 9112, section 9.3)."""
    tokens = {
        token.strip().lower()
        for name, value in headers
        if len(name) == 10 and name.lower() == b"connection"
        for token in value.split(b",")
    }
    return b"close" not in tokens and (version == "1.1" or b"keep-alive" in tokens)


def _status_line(line: bytes) -> tuple[int, str]:
    found = _STATUS_LINE.match(line)
    if found is None or found[3] < b"100":
        raise _not_http(line)
    major, minor = found[1], found[2] or b"0"
    if major == b"0":
        raise _not_http(line)
    return int(found[3]), "1.0" if major == b"1" and minor == b"0" else "1.1"


def _not_http(start: bytes | bytearray) -> Failure:
    shown = bytes(start[:60]).decode("latin-1")
    return Failure("proto_error", f"not an HTTP answer: {shown}")


def _headers(lines: list[bytes]) -> list[tuple[bytes, bytes]]:
    headers: list[tuple[bytes, list[bytes]]] = []
    for line in lines:
        text = line.rstrip(b"\r")
        if text[:1] in (b" ", b"\t") and headers:
            headers[-1][1].append(text.strip(b" \t"))
            continue
        name, colon, value = text.partition(b":")
        name = name.strip(b" \t")
        if colon and name:
            headers.append((name, [value.strip(b" \t")]))
    unfolded = [(name, b" ".join(parts).strip(b" \t")) for name, parts in headers]
    longest = max((len(name) + len(value) for name, value in unfolded), default=0)
    if longest > MAX_LINE:
        raise Failure("proto_error", f"a header of {longest:,} bytes")
    return unfolded


def _values(headers: RawHeaders, name: bytes) -> list[bytes]:
    return [
        part.strip(b" \t").lower()
        for key, value in headers
        if key.lower() == name
        for part in value.split(b",")
    ]


def _frame(head: Head, method: str) -> None:
    """Decides how the body ends (RFC 9112, section 6.3), and whether to trust what follows it."""
    said = _values(head.headers, b"transfer-encoding")
    codings = [coding.partition(b";")[0].rstrip() for coding in said if coding]
    lengths = _values(head.headers, b"content-length")
    usual = len(lengths) <= 1 and not any(codings)
    head.keep_alive = keeps_alive(head.version, head.headers) and (
        usual or (codings == [b"chunked"] and not lengths)
    )
    if method == "HEAD" or head.status in (204, 304):
        head.framing = "none"
    elif _is_chunked(codings):
        head.framing = "chunked"
    else:
        measure(head, lengths)
    if head.status == 205 and head.framing == "close":
        head.framing = "none"  # it has no content (RFC 9110, section 15.3.6)
        head.keep_alive = False
    if head.framing == "close":
        head.keep_alive = False


def _is_chunked(codings: list[bytes]) -> bool:
    """Whether the body is in chunks. A coding that is none (``binary``) says nothing, as for
    browsers. Raises Failure where something has been done to the body that is not undone here."""
    real = {*codings} & {b"chunked", *_COMPRESSED}
    last = codings[-1] if codings else b""
    if real - {b"chunked"} or (real and last != b"chunked"):
        shown = b", ".join(codings).decode("latin-1")
        raise Failure("proto_error", f"transfer coding {shown}")
    return bool(real)


def measure(head: Head, lengths: list[bytes]) -> None:
    """Reads the values of Content-Length, cut at commas and stripped, as
    https://fetch.spec.whatwg.org/#header-list-extract-a-length does. Raises Failure."""
    if len(set(lengths)) > 1:
        raise Failure("proto_error", "Content-Length headers that contradict each other")
    if lengths and lengths[0].isdigit():
        head.framing, head.length = "length", number(lengths[0])


def number(digits: bytes) -> int:
    """A Content-Length, at most `MAX_LENGTH`."""
    return int(digits) if len(digits.lstrip(b"0")) <= 18 else MAX_LENGTH
