"""What does the server say, byte by byte?

An `Exchange` reads one answer and does no I/O. httptools (llhttp) reads what is nearly well formed.
What it refuses though browsers read it (a line without a colon, lengths that repeat or are no
numbers, interim answers, odd transfer codings) is read again by `crawler.fetch.lenient_head` from
the bytes in hand; chunks are read by `crawler.fetch.chunks`. However the bytes are split, the
answer is the same.
"""

from __future__ import annotations

import re
from typing import Final

import httptools

from crawler.fetch import lenient_head
from crawler.fetch.chunks import Chunks
from crawler.fetch.failures import Failure, Unended
from crawler.fetch.lenient_head import Head

MAX_LINE: Final = 64 * 1024
TRAILER: Final = 8
"""Bytes that may be missing of a body whose content is whole: gzip ends with so many that say how
long it was. Where more are missing, more may have been said."""
CHATTER: Final = 100
"""Interim answers or trailer lines after which the other side is only read slowly."""
SLOWLY_S: Final = 0.05

_LINE_ENDS: Final = b"\r\n"
_BODILESS: Final = frozenset({204, 304})
_START: Final = b"HTTP/"
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
        "_chunks",
        "_head_room",
        "_headers",
        "_kept",
        "_length_seen",
        "_max_head",
        "_method",
        "_parser",
        "_pieces",
        "_tolerant",
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
        self._chunks: Chunks | None = None
        self._pieces: list[bytes] = []
        self._tolerant: lenient_head.Reader | None = None
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
        chatter = self._tolerant.interims if self._tolerant else 0
        if self._chunks is not None:
            chatter = self._chunks.trailers
        return SLOWLY_S if chatter > CHATTER else 0.0

    @property
    def whole(self) -> bool:
        """Whether all of the body has come, if not all that belongs to its end."""
        return self.complete or (self._chunks is not None and self._chunks.whole)

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
        elif self._chunks is not None:
            self._feed_chunks(self._chunks, data)
        elif self.broken is None:
            self._parse(data)

    def _feed_chunks(self, chunks: Chunks, data: bytes) -> None:
        came = chunks.feed(data)
        if came:
            self.wire_bytes += len(came)
            self._pieces.append(came)
        if chunks.broken is not None:
            self.broken = chunks.broken
            self.reusable = False
        elif chunks.complete:
            self._surplus(chunks.rest)
            self._finish()

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
            reader = self._tolerant or lenient_head.Reader(self._method)
            if self._tolerant is None:
                reader.feed(b"".join(self._kept))
            reader.eof()
            where = "inside the headers" if self.begun else "before an answer"
            raise Failure("conn_closed", f"closed {where}")
        if not self.until_close and not self.whole:
            kind = Unended if self._missing() <= TRAILER else Failure
            raise kind("conn_closed", f"closed after {self.wire_bytes:,} bytes of the body")
        self._finish()

    def _missing(self) -> int:
        """Bytes that were announced and have not come."""
        if self._chunks is not None:
            return self._chunks.missing
        assert self.head is not None
        lengths = [v for k, v in self.head.headers if k.lower() == b"content-length"]
        return lenient_head.number(lengths[-1].partition(b",")[0].strip()) - self.wire_bytes

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
        if self.head is None:
            return
        if self._chunks is not None and self._parser is not None:
            behind = self._behind_head()
            self.abandon()
            self._feed_chunks(self._chunks, behind)
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
            elif self.head is None:
                self._chunks = None
                self._tolerant = lenient_head.Reader(self._method)
                self._reread(b"".join(self._kept))
            elif self._chunks is None:
                self._break(_reason(refused))

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
        if head.framing == "chunked":
            self._chunks = Chunks()
            self.abandon()
            self._feed_chunks(self._chunks, reader.rest)
            return
        self._parser = parser = _parser(self)
        parser.feed_data(lenient_head.plain_words(head))
        if reader.rest:
            self._parse(reader.rest)

    def _finish(self) -> None:
        self.complete = True
        self._kept = []
        self.abandon()

    # What llhttp calls. An exception stops it and comes out of feed_data().

    def on_header(self, name: bytes, value: bytes) -> None:
        if self.head is not None:
            return
        size = len(name)
        if size + len(value) > MAX_LINE:
            raise _Odd
        if size == 14 and name.lower() == b"content-length":
            self._length_seen = True
        elif size == 17 and name.lower() == b"transfer-encoding":
            if value.strip().lower() != b"chunked" or self._chunks:
                raise _Odd
            self._chunks = Chunks()
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        if self.head is not None:
            return
        parser = self._parser
        assert parser is not None
        status = parser.get_status_code()
        version = parser.get_http_version()
        chunked = self._chunks is not None
        odd = status < 200 or version not in ("1.1", "1.0") or not self._is_http()
        if (
            odd
            or self._max_head - self._head_room > MAX_LINE
            or (chunked and (self._length_seen or version == "1.0"))
        ):
            raise _Odd
        self.head = Head(status, version, self._headers)
        unsaid = not (chunked or self._length_seen)
        if self._method == "HEAD" or status in _BODILESS or (status == 205 and unsaid):
            self._end_without_body(version, status)
            return
        self.reusable = parser.should_keep_alive()
        self.until_close = unsaid

    def _end_without_body(self, version: str, status: int) -> None:
        self._chunks = None
        self.reusable = status != 205 and lenient_head.keeps_alive(version, self._headers)
        is_head = self._method == "HEAD"
        rest = self._behind_head() if is_head or status == 205 else b""
        self._finish()
        if is_head or status == 205:
            self._surplus(rest)
            raise _Enough

    def _is_http(self) -> bool:
        """Whether it says so itself: llhttp reads RTSP and ICE, too."""
        kept = self._kept
        return kept[0].startswith(_START) or b"".join(kept).lstrip(_LINE_ENDS).startswith(_START)

    def _behind_head(self) -> bytes:
        """What has come of the body with the bytes that ended the head."""
        seen = b"".join(self._kept).lstrip(_LINE_ENDS)
        end = _BLANK_LINE.search(seen)
        return seen[end.end() :] if end else b""

    def on_body(self, data: bytes) -> None:
        if self.complete or self._chunks is not None:
            return
        self.wire_bytes += len(data)
        self._pieces.append(data)

    def on_message_complete(self) -> None:
        if self.head is not None and not self.complete and self._chunks is None:
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
        lenient_optional_cr_before_lf=True,
        lenient_optional_crlf_after_chunk=True,
        lenient_spaces_after_chunk_size=True,
    )
    return parser


def _reason(refused: httptools.HttpParserError) -> str:
    return str(refused) or type(refused).__name__
