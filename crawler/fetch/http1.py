"""What does the server say, byte by byte?

An `Exchange` reads one answer and does no I/O. httptools (llhttp) reads what is nearly well formed.
What it refuses though browsers read it (a line without a colon, lengths that repeat or are no
numbers, interim answers, odd transfer codings) is read again by `crawler.fetch.lenient_head` from
the bytes in hand. However the bytes are split, the answer is the same.
"""

from __future__ import annotations

import re
from typing import Final

import httptools

from crawler.fetch import lenient_head
from crawler.fetch.failures import Failure
from crawler.fetch.lenient_head import Head

MAX_LINE: Final = 64 * 1024
FRAMING_ROOM: Final = 16 * 1024
FRAMING_PER_CHUNK: Final = 256
"""Bytes of chunk headers that a body may have: 16 KiB, and 256 for each chunk. One line of 70 KB
is more than that; the chunk signatures that some object stores send are not."""

CHATTER: Final = 100
"""Interim answers or trailer lines after which the other side is only read slowly."""
SLOWLY_S: Final = 0.05

_LINE_ENDS: Final = b"\r\n"
_BLANK_LINE: Final = re.compile(rb"\n\r?\n")


class HeadTooLarge(Failure):
    """The headers did not end within the bytes they may have."""

    def __init__(self, limit: int) -> None:
        super().__init__("too_large", f"more than {limit:,} bytes of headers")


class _Odd(Exception):
    """Raised inside llhttp to stop it: this head is for the tolerant reader."""


class _Enough(Exception):
    """Raised inside llhttp to stop it: what follows is no body."""


class Exchange:
    """The answer to one request, as far as it has come.

    head: status, version and headers, once they are whole.
    complete: the body is whole. broken: what ended it before, found while reading; the pieces that
    came before it are good.
    reusable: afterwards the connection may carry another request.
    wire_bytes: bytes of the body so far, without chunk framing.
    """

    __slots__ = (
        "_chatter",
        "_chunks",
        "_coded",
        "_fed",
        "_head_room",
        "_headers",
        "_kept",
        "_length_seen",
        "_max_head",
        "_method",
        "_parser",
        "_pieces",
        "_tolerant",
        "_trailer_bytes",
        "broken",
        "complete",
        "head",
        "reusable",
        "until_close",
        "wire_bytes",
    )

    def __init__(self, method: str, max_head: int) -> None:
        self.head: Head | None = None
        self.complete = False
        self.broken: Failure | None = None
        self.reusable = False
        self.until_close = False
        self.wire_bytes = 0
        self._method = method
        self._max_head = max_head
        self._head_room = max_head
        self._kept: list[bytes] = []
        self._headers: list[tuple[bytes, bytes]] = []
        self._length_seen = False
        self._coded = False
        self._pieces: list[bytes] = []
        self._tolerant: lenient_head.Reader | None = None
        self._chatter = 0
        self._fed = 0
        self._chunks = 0
        self._trailer_bytes = 0
        self._parser: httptools.HttpResponseParser | None = _parser(self)

    def __repr__(self) -> str:
        state = "complete" if self.complete else "in its body" if self.head else "in its head"
        return f"<Exchange {state}, {self.wire_bytes:,} bytes>"

    @property
    def begun(self) -> bool:
        """Whether any byte has come."""
        return bool(self._kept) or self.head is not None or self._tolerant is not None

    @property
    def pause_s(self) -> float:
        """How long to wait before reading on: a flood of interim answers is read slowly."""
        chatter = self._chatter if self._tolerant is None else self._tolerant.interims
        return SLOWLY_S if chatter > CHATTER else 0.0

    def take(self) -> list[bytes]:
        """The pieces of the body that have come since the last call."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def feed(self, data: bytes) -> None:
        """Reads on. Raises Failure while in the head (``proto_error``, ``too_large``)."""
        if self.head is None:
            self._feed_head(data)
        elif self.complete:
            self._surplus(data)
        elif self.broken is None:
            self._fed += len(data)
            self._parse(data)

    def _surplus(self, data: bytes) -> None:
        """More came than was announced; line ends do no harm (RFC 9112, section 2.2)."""
        if data.strip(_LINE_ENDS):
            self.reusable = False

    def eof(self) -> None:
        """The other side has closed. Raises Failure where that is too early."""
        self.reusable = False
        if self.complete:
            return
        if self.head is None:
            if self._tolerant is not None:
                self._tolerant.eof()
            where = "inside the headers" if self.begun else "before an answer"
            raise Failure("conn_closed", f"closed {where}")
        if not self.until_close:
            raise Failure("conn_closed", f"closed after {self.wire_bytes:,} bytes of the body")
        self._finish()

    def _feed_head(self, data: bytes) -> None:
        if len(data) > self._head_room:
            first, rest = data[: self._head_room], data[self._head_room :]
            if first:
                self._feed_head(first)
            if self.head is None and self._head_room <= 0:
                raise HeadTooLarge(self._max_head)
            self.feed(rest)
            return
        self._head_room -= len(data)
        if self._tolerant is not None:
            self._reread(data)
            return
        self._kept.append(data)
        self._parse(data)
        if self.head is not None:
            self._kept = []

    def _parse(self, data: bytes) -> None:
        parser = self._parser
        if parser is None:
            return
        try:
            parser.feed_data(data)
        except httptools.HttpParserError as refused:
            if self.complete:
                # Of an answer to HEAD the parser would read a body: it was stopped on purpose.
                self.reusable = self.reusable and self._method == "HEAD"
            elif self.head is not None:
                self._break(_reason(refused))
            else:
                self._tolerant = lenient_head.Reader(self._method)
                self._reread(b"".join(self._kept))
                return
        if not self.complete and (self._chunks or self._coded):
            self._check_framing()

    def _check_framing(self) -> None:
        framing = self._fed - self.wire_bytes - self._trailer_bytes
        if framing > FRAMING_ROOM + FRAMING_PER_CHUNK * self._chunks:
            self._break("a chunk header without end")

    def _break(self, detail: str) -> None:
        self.broken = Failure("proto_error", detail)
        self.reusable = False
        self.abandon()

    def abandon(self) -> None:
        """Nothing more will be read. llhttp and this refer to each other; that ends here."""
        self._parser = None

    def _reread(self, data: bytes) -> None:
        reader = self._tolerant
        assert reader is not None
        interims = reader.interims
        head = reader.feed(data)
        if reader.interims != interims:
            self._head_room = self._max_head - reader.pending
        if head is None:
            return
        self._tolerant = None
        self._begin_body(head, reader)

    def _begin_body(self, head: Head, reader: lenient_head.Reader) -> None:
        """Goes on with llhttp behind a head that says in plain words how long the body is."""
        self.head = head
        self.reusable = head.keep_alive
        self.until_close = head.framing == "close"
        if head.framing == "none":
            self._surplus(reader.rest)
            self._finish()
            return
        self._coded = head.framing == "chunked"
        self._parser = parser = _parser(self)
        parser.feed_data(lenient_head.plain_words(head))
        self._chatter = self._trailer_bytes = 0
        self._fed = len(reader.rest)
        if reader.rest:
            self._parse(reader.rest)

    def _finish(self) -> None:
        self.complete = True
        self._kept = []
        self.abandon()

    # What llhttp calls. An exception stops it and comes out of feed_data().

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head is not None:
            self._chatter += 1
            self._trailer_bytes += len(name) + len(value) + 4
            return
        if len(value) > MAX_LINE:
            raise _Odd
        size = len(name)
        if size == 14 and name.lower() == b"content-length":
            self._length_seen = True
        elif size == 17 and name.lower() == b"transfer-encoding":
            if value.strip().lower() != b"chunked" or self._coded:
                raise _Odd
            self._coded = True
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.head is not None:
            return
        parser = self._parser
        assert parser is not None
        status = parser.get_status_code()
        version = parser.get_http_version()
        odd = status < 200 or version not in ("1.1", "1.0")
        if odd or (self._coded and (self._length_seen or version == "1.0")):
            raise _Odd
        bodiless = self._method == "HEAD" or status == 204 or status == 304
        self.head = Head(status, version, self._headers)
        if bodiless:
            self.reusable = lenient_head.keeps_alive(version, self._headers)
            self._coded = False
            rest = self._behind_head() if self._method == "HEAD" else b""
            self._finish()
            if self._method == "HEAD":
                self._surplus(rest)
                raise _Enough
            return
        self.reusable = parser.should_keep_alive()
        self.until_close = not (self._coded or self._length_seen)
        if self._coded:
            self._fed = len(self._behind_head())

    def _behind_head(self) -> bytes:
        """What has come of the body with the bytes that ended the head."""
        seen = b"".join(self._kept).lstrip(_LINE_ENDS)
        end = _BLANK_LINE.search(seen)
        return seen[end.end() :] if end else b""

    def on_body(self, data: bytes) -> None:
        if self.complete:
            return
        self.wire_bytes += len(data)
        self._pieces.append(data)

    def on_chunk_header(self) -> None:
        self._chunks += 1

    def on_message_complete(self) -> None:
        if self.head is not None and not self.complete:
            self._finish()

    def on_message_begin(self) -> None:
        if self.complete:
            self.reusable = False


def _parser(exchange: Exchange) -> httptools.HttpResponseParser:
    parser = httptools.HttpResponseParser(exchange)
    parser.set_dangerous_leniencies(
        lenient_headers=True,
        lenient_chunked_length=True,
        lenient_keep_alive=True,
        lenient_transfer_encoding=True,
        lenient_version=True,
        lenient_data_after_close=True,
        lenient_optional_lf_after_cr=True,
        lenient_optional_cr_before_lf=True,
        lenient_optional_crlf_after_chunk=True,
        lenient_spaces_after_chunk_size=True,
    )
    return parser


def _reason(refused: httptools.HttpParserError) -> str:
    return str(refused) or type(refused).__name__
