"""What does a server say that speaks HTTP/2?

A `Session` is our end of one connection, an `Answer` what is said to one request, in the place of
`crawler.fetch.http1.Exchange`. Neither does I/O. One request is on its way at a time: a host is
asked for one thing after another, so nothing is gained by more, and all that a server could do with
many streams at once cannot be done to us.

RFC 9113. What breaks its rules ends the connection (``proto_error``). Whatever a server sends that
is no body is bounded: headers by bytes, packed and unpacked, all else by `FRAMES`.
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from typing import Final

from crawler.fetch import http2_frames as frames
from crawler.fetch import lenient_head
from crawler.fetch.failures import Failure, Unended, Unprocessed
from crawler.fetch.http1 import MAX_LINE, TRAILER, HeadTooLarge
from crawler.fetch.http2_frames import malformed
from crawler.fetch.lenient_head import Head

VERSION: Final = "2"
"""What is told of an answer."""
WINDOW: Final = 1024 * 1024
"""Bytes that may be on their way to us; as many are asked for anew as have been read. What waits to
be read is in the kernel, not here."""
FRAMES: Final = 10_000
"""Frames that one answer may take, where each 64 bytes of what is no body count as one more."""
NO_BODY: Final = 64
BYTES_A_FRAME: Final = 16
"""Of body, for which there is one frame more: some servers send each piece of a template by itself.
A body of 10 MiB in frames that are no longer takes 2 s of CPU."""
LAST_STREAM: Final = 2**31 - 1
BODILESS: Final = frozenset({204, 304})
RESET_CONTENT: Final = 205
"""It has no content (RFC 9110, section 15.3.6); where some is announced, it is read."""

_NOT_HERE: Final = frozenset({0xC, 0xD})
"""INADEQUATE_SECURITY, HTTP_1_1_REQUIRED: no other connection would do, but HTTP/1.1 may."""
_REFUSED: Final = 0x7
_TOO_MUCH: Final = 0xB
"""ENHANCE_YOUR_CALM: who is told that asks again later, as any other that failed."""
_CODES: Final = (
    *("NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT"),
    *("STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR"),
    *("CONNECT_ERROR", "ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"),
)
_SETTING: Final = Struct(">HL")
_PUSH, _THEIR_WINDOW, _THEIR_FRAME, _HEADERS_TAKEN = 0x2, 0x4, 0x5, 0x6
_MOST: Final = 2**31 - 1


class Session:
    """Our end of a connection.

    alive: it may carry another request. mute: nothing can be sent any more.
    """

    __slots__ = (
        "_answer",
        "_begun",
        "_block",
        "_ends",
        "_frames",
        "_greeted",
        "_owed",
        "_owed_bytes",
        "_spent",
        "_stream",
        "_unpacker",
        "alive",
        "mute",
    )

    def __init__(self) -> None:
        self.alive = True
        self.mute = False
        self._frames = frames.Frames()
        self._unpacker = frames.Unpacker()
        self._answer: Answer | None = None
        self._stream = -1
        self._begun = False
        self._greeted = False
        self._block: bytearray | None = None
        self._ends = False
        self._spent = 0
        self._owed_bytes = 0
        self._owed: list[bytes] = []

    def __repr__(self) -> str:
        return f"<Session {'alive' if self.alive else 'ended'}, stream {self._stream}>"

    def ask(
        self, method: str, authority: str, path: str, lines: bytes, max_head: int,
        body: bytes = b"",
    ) -> tuple[Answer, bytes]:  # fmt: skip
        """What becomes of a request, and the bytes that ask for it.

        lines: headers as HTTP/1.1 has them. body: no more than a server takes at once. max_head:
        bytes of headers, packed or not, that the answer may have.
        """
        self._stream += 2
        if self._stream + 2 > LAST_STREAM:
            self.alive = False  # after this one
        self._spent = 0
        self._answer = answer = Answer(self, method, max_head)
        begin = b"" if self._begun else self._preface(max_head)
        self._begun = True
        asks = frames.request(method, authority, path, lines, self._stream, body)
        return answer, begin + self.owed() + asks

    def _preface(self, max_head: int) -> bytes:
        """RFC 9113, section 3.4. The window of a connection is no setting."""
        settings = ((_PUSH, 0), (_THEIR_WINDOW, WINDOW), (_HEADERS_TAKEN, max_head))
        said = b"".join(_SETTING.pack(*setting) for setting in settings)
        return b"".join(
            (
                frames.PREFACE,
                frames.frame(frames.SETTINGS, 0, 0, said),
                _given(0, WINDOW - 0xFFFF),
            )
        )

    def owed(self) -> bytes:
        """What has to be sent for what has come."""
        if self.mute or not self._owed:
            return b""
        owed, self._owed = b"".join(self._owed), []
        return owed

    def receive(self, data: bytes) -> None:
        """Reads on. Raises Failure where the connection must end."""
        try:
            for kind, flags, stream, payload in self._frames.feed(data):
                self._spend(kind, len(payload))
                if kind == frames.DATA and self._block is None:
                    self._on_data(flags, stream, payload)
                    continue
                self._check_order(kind, flags, stream)
                read = _READERS.get(kind)
                if read is not None:
                    read(self, flags, stream, payload)
        except Failure:
            self.alive = False
            raise
        finally:
            if self._answer is not None and self._answer.ended:
                self._answer = None  # its body is not held as long as this is kept

    def _spend(self, kind: int, size: int) -> None:
        """Frames are counted, so that none come without end."""
        self._spent += 1 if kind == frames.DATA else 1 + size // NO_BODY
        if self._spent > FRAMES:
            came = self._answer.wire_bytes if self._answer is not None else 0
            if self._spent > FRAMES + came // BYTES_A_FRAME:
                raise malformed("frames without end that say nothing")

    def _check_order(self, kind: int, flags: int, stream: int) -> None:
        if not self._greeted:
            if kind != frames.SETTINGS or flags & frames.ACK:
                raise malformed("it does not begin with its settings")
            self._greeted = True
        inside = self._block is not None
        if inside != (kind == frames.CONTINUATION) or (inside and stream != self._stream):
            raise malformed("headers that are interrupted, or go on without a beginning")

    def _current(self, stream: int) -> Answer:
        """The answer to what was asked on a stream."""
        if stream != self._stream or self._answer is None or self._answer.ended:
            raise malformed(f"it speaks on stream {stream}, where nothing was asked")
        return self._answer

    def _on_data(self, flags: int, stream: int, payload: bytes) -> None:
        answer = self._current(stream)
        size = len(payload)
        body = frames.unpadded(flags, payload) if flags & frames.PADDED else payload
        self._spent += (size - len(body)) // NO_BODY
        answer.on_data(body, bool(flags & frames.END_STREAM))
        self._give_back(answer, size)

    def _give_back(self, answer: Answer, size: int) -> None:
        """Asks for as much as has been read, when that is much. It is at once, so that no window is
        ever used up, and there is nothing to check."""
        self._owed_bytes += size
        answer.owed_bytes += size
        if self._owed_bytes >= WINDOW // 2:
            self._owed.append(_given(0, self._owed_bytes))
            self._owed_bytes = 0
        if answer.owed_bytes >= WINDOW // 2 and not answer.ended:
            self._owed.append(_given(self._stream, answer.owed_bytes))
            answer.owed_bytes = 0

    def _on_headers(self, flags: int, stream: int, payload: bytes) -> None:
        self._current(stream)
        before = frames.PRIORITY_SIZE if flags & frames.HAS_PRIORITY else 0
        self._ends = bool(flags & frames.END_STREAM)
        self._block = bytearray()
        self._on_continuation(flags, stream, frames.unpadded(flags, payload, before))

    def _on_continuation(self, flags: int, stream: int, payload: bytes) -> None:
        answer, block = self._current(stream), self._block
        assert block is not None
        block += payload
        answer.packed_room -= len(payload)
        if answer.packed_room < 0:
            raise HeadTooLarge(answer.max_head)
        if flags & frames.END_HEADERS:
            self._block = None
            pairs, answer.unpacked_room = self._unpacker.read(bytes(block), answer.unpacked_room)
            if answer.unpacked_room < 0:
                raise HeadTooLarge(answer.max_head)
            answer.on_headers(pairs, self._ends)

    def _on_reset(self, _flags: int, stream: int, payload: bytes) -> None:
        code = _code(payload, 4, stream)
        if stream > self._stream:
            raise malformed("it ends what was never asked")
        if stream == self._stream and self._answer is not None and not self._answer.ended:
            told = f"the server ended the stream: {_named(code)}"
            unread = self._answer.head is None and code in (_REFUSED, *_NOT_HERE)
            self._answer.on_end(
                Unprocessed("conn_reset", told, plainly=code in _NOT_HERE)
                if unread
                else Failure("conn_reset", told)
            )

    def _on_settings(self, flags: int, stream: int, payload: bytes) -> None:
        if stream or len(payload) % _SETTING.size or (flags & frames.ACK and payload):
            raise malformed("settings of the wrong size, or of a stream")
        if flags & frames.ACK:
            return
        for name, value in _SETTING.iter_unpack(payload):
            if (
                (name == _PUSH and value)
                or (name == _THEIR_WINDOW and value > _MOST)
                or (name == _THEIR_FRAME and not frames.MAX_FRAME <= value < 2**24)
            ):
                raise malformed(f"the setting {name} of {value:,}")
        self._owed.append(frames.frame(frames.SETTINGS, frames.ACK, 0))

    def _on_push(self, _flags: int, _stream: int, _payload: bytes) -> None:
        raise malformed("it pushes, which was declined")

    def _on_ping(self, flags: int, stream: int, payload: bytes) -> None:
        if stream or len(payload) != 8:
            raise malformed("a ping of the wrong size, or of a stream")
        if not flags & frames.ACK:
            self._owed.append(frames.frame(frames.PING, frames.ACK, 0, payload))

    def _on_goaway(self, _flags: int, stream: int, payload: bytes) -> None:
        """What was asked last is answered yet, or was not begun (RFC 9113, section 6.8)."""
        if stream or len(payload) < 8:
            raise malformed("a farewell of the wrong size, or of a stream")
        self.alive = False
        last = int.from_bytes(payload[:4], "big") & _MOST
        code = int.from_bytes(payload[4:8], "big")
        answer = self._answer
        if last < self._stream and answer is not None and not answer.ended:
            told = f"the server closes, and has not begun: {_named(code)}"
            if answer.head is None and code != _TOO_MUCH:
                answer.on_end(Unprocessed("conn_closed", told, plainly=code in _NOT_HERE))
            else:
                answer.on_end(Failure("conn_closed", told))

    def _on_window(self, _flags: int, stream: int, payload: bytes) -> None:
        if not _code(payload, 4, stream or 1) & _MOST or stream > self._stream:
            raise malformed("a window that opens by nothing, or where nothing was asked")

    def _on_priority(self, _flags: int, stream: int, payload: bytes) -> None:
        _code(payload, frames.PRIORITY_SIZE, stream)


class Answer:
    """The answer to one request, as far as it has come: what `crawler.fetch.http1.Exchange` is for
    HTTP/1.1, with the same names.

    ended: the server has said all that it will. pause_s: none; floods end by `FRAMES`. owed_bytes:
    read since more was asked for. max_head, packed_room, unpacked_room: bytes of headers.
    """

    __slots__ = (
        "_length",
        "_method",
        "_pieces",
        "_session",
        "_surplus",
        "broken",
        "ended",
        "head",
        "max_head",
        "owed_bytes",
        "packed_room",
        "unpacked_room",
        "whole",
        "wire_bytes",
    )

    pause_s: Final = 0.0

    def __init__(self, session: Session, method: str, max_head: int) -> None:
        self.head: Head | None = None
        self.broken: Failure | None = None
        self.ended = False
        self.whole = False
        self.wire_bytes = 0
        self.owed_bytes = 0
        self.max_head = self.packed_room = self.unpacked_room = max_head
        self._session = session
        self._method = method
        self._length: int | None = None
        self._pieces: list[bytes] = []
        self._surplus = False

    def __repr__(self) -> str:
        state = "complete" if self.complete else "in its body" if self.head else "in its head"
        return f"<Answer {state}, {self.wire_bytes:,} bytes>"

    @property
    def begun(self) -> bool:
        """Whether anything of it has come."""
        return self.packed_room < self.max_head

    @property
    def complete(self) -> bool:
        """Whether the body is whole, and nothing more belongs to it."""
        return self.whole and self.ended

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another request afterwards."""
        return self._session.alive and not self._surplus

    def take(self) -> list[bytes]:
        """The pieces of the body that have come since the last call."""
        pieces, self._pieces = self._pieces, []
        return pieces

    def feed(self, data: bytes) -> None:
        """Reads on. Raises Failure while in the head."""
        try:
            self._session.receive(data)
        except Failure as failure:
            self._break(failure)
        if self.broken is not None and self.head is None:
            raise self.broken

    def eof(self) -> None:
        """The other side has closed. Raises Failure where that is too early."""
        self._session.alive = False
        if self.whole:
            self.ended = True
            return
        if self.head is None:
            where = "inside the headers" if self.begun else "before an answer"
            raise Failure("conn_closed", f"closed {where}")
        raise self._short("closed")

    def abandon(self) -> None:
        """Nothing more will be read."""

    def on_headers(self, pairs: list[frames.Pair], ends: bool) -> None:
        """A block of headers: of an interim answer, of the answer, or behind its body."""
        status, headers = frames.split(pairs)
        if self.head is not None:
            if status is not None or not ends:
                raise malformed("headers behind the body that do not end it")
            self._end()
            return
        if status is None or status == 101 or (status < 200 and ends):
            raise malformed("an answer without a status, or with one that ends nothing")
        longest = max((len(name) + len(value) for name, value in headers), default=0)
        if longest > MAX_LINE:
            raise Failure("proto_error", f"a header of {longest:,} bytes")
        if status >= 200:
            self._begin(Head(status, VERSION, headers), ends)

    def _begin(self, head: Head, ends: bool) -> None:
        self._length = self._length_of(head)
        self.head = head
        self.whole = self._length == 0
        if ends:
            self._end()

    def _length_of(self, head: Head) -> int | None:
        """Bytes of the body, None where only its end will tell. Raises Failure."""
        if self._method == "HEAD" or head.status in BODILESS:
            return 0
        lengths = [value for name, value in head.headers if name == b"content-length"]
        if lengths:
            parts = b",".join(lengths).split(b",")
            lenient_head.measure(head, [part.strip(b" \t") for part in parts])
        if head.framing == "length":
            return head.length
        return 0 if head.status == RESET_CONTENT else None

    def on_data(self, body: bytes, ends: bool) -> None:
        """A piece of the body. What is longer than announced is cut, as with HTTP/1.1."""
        if self.head is None:
            raise malformed("a body before its headers")
        if self._length is not None:
            room = self._length - self.wire_bytes
            if len(body) > room:
                body = body[:room]
                self._surplus = True
        if body:
            self.wire_bytes += len(body)
            self._pieces.append(body)
        self.whole = self.wire_bytes == self._length
        if ends:
            self._end()
        elif self._surplus:
            self.ended = True

    def _end(self) -> None:
        """The stream has ended."""
        self.ended = True
        if self._length is None or self.whole:
            self.whole = True
            return
        self._surplus = True
        self.broken = self._short("ended")

    def _short(self, how: str) -> Failure:
        """A body of which less has come than was announced, or whose end nobody told."""
        missing = 0 if self._length is None else self._length - self.wire_bytes
        kind = Unended if missing <= TRAILER else Failure
        return kind("conn_closed", f"{how} after {self.wire_bytes:,} bytes of the body")

    def on_end(self, failure: Failure) -> None:
        """The server ends the stream before its time."""
        self.ended = True
        self._surplus = True
        if not self.whole:
            self.broken = failure

    def _break(self, failure: Failure) -> None:
        if not self.complete and self.broken is None:
            self.broken = failure


def _given(stream: int, size: int) -> bytes:
    """So many bytes more may be sent."""
    return frames.frame(frames.WINDOW_UPDATE, 0, stream, size.to_bytes(4, "big"))


def _code(payload: bytes, size: int, stream: int) -> int:
    """The number that a frame of some stream holds."""
    if len(payload) != size or not stream:
        raise malformed("a frame of the wrong size, or of no stream")
    return int.from_bytes(payload, "big")


def _named(code: int) -> str:
    return _CODES[code] if code < len(_CODES) else f"code {code}"


_READERS: Final[dict[int, Callable[[Session, int, int, bytes], None]]] = {
    frames.HEADERS: Session._on_headers,
    frames.PRIORITY: Session._on_priority,
    frames.RST_STREAM: Session._on_reset,
    frames.SETTINGS: Session._on_settings,
    frames.PUSH_PROMISE: Session._on_push,
    frames.PING: Session._on_ping,
    frames.GOAWAY: Session._on_goaway,
    frames.WINDOW_UPDATE: Session._on_window,
    frames.CONTINUATION: Session._on_continuation,
}
"""Frames of other kinds mean nothing to us (RFC 9113, section 5.5)."""
