"""How does an answer of an archive become a visit, as if its server had just given it?

It goes through the fetcher and the parser that all answers go through: where a request would go
out, what the archive holds comes back. So codings, limits, redirects and whatever else is odd are
ruled in one place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import msgspec
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter

from crawler.config import Config
from crawler.fetch import Fetcher
from crawler.fetch.chunks import Chunks, size_of
from crawler.fetch.failures import Failure
from crawler.fetch.lenient_head import Head, Reader
from crawler.fetch.requests_internals import SlimResponse
from crawler.model import Job, Reply, Visit
from crawler.policy.sites import Sites
from crawler.policy.urls import UrlRules
from crawler.worker import Worker

PIECE: Final = 64 * 1024
ASIDE: Final = b"x-archive-orig-"
ASIDES: Final = (ASIDE, b"x-crawler-")
"""Before names of headers that speak of what is not there any more: as warcio, pywb and we write
them, and as Common Crawl does."""
_OF_THE_WAY: Final = frozenset({b"content-encoding", b"transfer-encoding", b"content-length"})
_MAGIC: Final = {
    b"gzip": b"\x1f\x8b",
    b"x-gzip": b"\x1f\x8b",
    b"zstd": b"\x28\xb5\x2f\xfd",
}
"""How what is packed begins: some archives hold bodies unpacked, and say that they are packed."""
FAILURES: Final = {"length": "too_large", "time": "timeout_total", "disconnect": "conn_closed"}
"""What it is called in a visit by which words of WARC-Truncated a body was cut."""
_LINE: Final = re.compile(rb"[^\n]{0,300}\n")

Read = Callable[[int], bytes]


class Held(msgspec.Struct, frozen=True):
    """An answer that an archive holds.

    head: None where there was none. rest: what was read behind it. read: gives what follows.
    truncated: what WARC-Truncated says. ip: who answered. at: when. is_unpacked: codings that its
    head names are not on its body.
    """

    head: Head
    rest: bytes
    read: Read
    at: str
    ip: str | None = None
    truncated: str | None = None
    is_unpacked: bool = False


def head_of(read: Read, method: str, *, most: int) -> tuple[Head, bytes]:
    """The head of an answer, and what was read behind it.

    Raises Failure where there is none within `most` bytes.
    """
    reader, size = Reader(method), 0
    while data := read(min(PIECE, most - size)):
        size += len(data)
        if (head := reader.feed(data)) is not None:
            return head, reader.rest
        if size >= most:
            raise Failure("too_large", f"more than {most:,} bytes of headers")
    reader.eof()
    raise Failure("conn_closed", "it ends inside the headers")


class Replay:
    """Gives visits for what archives hold."""

    def __init__(self, config: Config) -> None:
        fetcher = Fetcher(
            config.fetch, robots=config.robots, urls=UrlRules.of(config), sites=Sites(config)
        )
        self._archive = _Archive()
        for scheme in ("http://", "https://"):
            fetcher.session.mount(scheme, self._archive)
        self._fetcher = fetcher
        self._worker = Worker(config, _nobody, fetcher=fetcher)

    def __repr__(self) -> str:
        return f"<Replay {self._worker!r}>"

    def visit(self, job: Job, held: Held) -> Visit:
        """What the answer comes to. Raises OSError where its block is damaged."""
        archive = self._archive
        archive.held, archive.broken = held, None
        with self._fetcher.share() as share:
            visit = self._worker.visit(job, share)
        if archive.broken is not None:
            raise archive.broken
        reply = msgspec.structs.replace(
            _cut(visit.reply, held), headers=restored(visit.reply.headers), total_ms=None
        )
        return msgspec.structs.replace(visit, reply=reply, started_at=held.at)

    def close(self) -> None:
        """End it."""
        self._worker.close()


class _Archive(BaseAdapter):
    """Stands where a transport stands. held: the next answer. broken: what is wrong with it."""

    def __init__(self) -> None:
        super().__init__()
        self.held: Held | None = None
        self.broken: OSError | None = None

    def send(
        self,
        request: PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float | None, float | None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> Response:
        """The answer that is held. The request goes nowhere."""
        held = self.held
        assert held is not None
        asked: Any = request
        asked.facts.ip = held.ip
        body = Body(held, self._note)
        head = Head(held.head.status, held.head.version, body.headers)
        return SlimResponse(request, head, body, asked.facts)

    def close(self) -> None:
        """Nothing is held open."""

    def _note(self, error: OSError) -> None:
        self.broken = error


def _nobody(_visit: Visit) -> None:
    """Visits are given to whoever asks for them."""


class Body:
    """The body of an answer that is held; what `requests.Response.raw` is.

    headers: as far as they speak of what is there.
    """

    def __init__(self, held: Held, broken: Callable[[OSError], None]) -> None:
        self._read = held.read
        self._broken = broken
        self._first = held.rest or self._more()
        self._chunks = Chunks() if _is_chunked(held.head, self._first) else None
        self._length = None if self._chunks else _announced(held)
        self.headers = _spoken(held, self._first, chunked=self._chunks is not None)

    def stream(self, amt: int = PIECE, decode_content: bool = False) -> Iterator[bytes]:
        """Its pieces. Raises Failure where it ends early."""
        came, piece = 0, self._first
        while piece:
            data = piece if self._chunks is None else self._chunks.feed(piece)
            came += len(data)
            if data:
                yield data
            if self._chunks is not None and (self._chunks.broken or self._chunks.complete):
                break
            piece = self._more()
        if self._chunks is not None and self._chunks.broken is not None:
            raise self._chunks.broken
        short = self._chunks is not None and not self._chunks.whole
        if short or (self._length is not None and came < self._length):
            raise Failure("conn_closed", f"closed after {came:,} bytes of the body")

    def close(self) -> None:
        """Nothing is held open."""

    def _more(self) -> bytes:
        try:
            return self._read(PIECE)
        except OSError as error:
            self._broken(error)
            return b""


def says_chunks(head: Head) -> bool:
    """Does the head say that the body is in chunks?"""
    return any(
        name.lower() == b"transfer-encoding" and b"chunked" in value.lower()
        for name, value in head.headers
    )


def _is_chunked(head: Head, first: bytes) -> bool:
    """Is the body in chunks, as its head says? Some archives put them together and leave the head
    as it was."""
    line = _LINE.match(first) if says_chunks(head) else None
    return line is not None and size_of(line[0][:-1]) >= 0


def _announced(held: Held) -> int | None:
    """How long the body is by its head, where that can be relied upon."""
    lengths = [value for name, value in held.head.headers if name.lower() == b"content-length"]
    coded = any(
        name.lower() in (b"content-encoding", b"transfer-encoding")
        or name.lower().startswith(ASIDES)
        for name, _ in held.head.headers
    )
    if coded or held.truncated or held.is_unpacked or not lengths:
        return None
    return int(lengths[-1]) if lengths[-1].isdigit() and len(lengths[-1]) < 19 else None


def _spoken(held: Held, first: bytes, *, chunked: bool) -> list[tuple[bytes, bytes]]:
    """The headers of which those are moved aside that speak of what is not there."""
    found = []
    for name, value in held.head.headers:
        lower = name.lower()
        gone = lower == b"transfer-encoding" and not chunked
        if lower == b"content-encoding":
            magic = _MAGIC.get(value.strip().lower())
            unpacked = bool(first) and magic is not None and not first.startswith(magic)
            gone = held.is_unpacked or (unpacked and not chunked and not held.truncated)
        found.append((ASIDE + name if gone else name, value))
    return found


def restored(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """The headers as the server sent them, of which the archive moved some aside."""
    moved = {
        name: original
        for name, _ in headers
        for prefix in ASIDES
        if (original := name.lower().removeprefix(prefix.decode())).encode() in _OF_THE_WAY
        and original != name.lower()
    }
    if not moved:
        return headers
    # What stands there instead was put there by whoever wrote the archive.
    stands_in = set(moved.values())
    if "transfer-encoding" in stands_in:
        stands_in.add("content-length")
    return tuple(
        (moved.get(name, name), value)
        for name, value in headers
        if name in moved or name.lower() not in stands_in
    )


def _cut(reply: Reply, held: Held) -> Reply:
    """The reply, with what the archive says of a body that is not whole."""
    if not held.truncated or reply.error is not None or 300 <= held.head.status < 400:
        return reply
    word = held.truncated.strip().lower()
    if word not in FAILURES:
        return msgspec.structs.replace(reply, truncated="length")
    error, told = FAILURES[word], f"its archive says: truncated, {word}"
    return msgspec.structs.replace(reply, truncated=word, error=error, error_detail=told)
