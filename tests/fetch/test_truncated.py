"""Is a body that is not whole always told to be only a beginning?"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from random import Random

import brotli
import gevent
import pytest
from backports import zstd

from crawler.config import FetchConfig
from tests.fetch.raw import chunk
from tests.fetch.stage import Recorded, fetch, stage

QUICK = FetchConfig(connect_s=1.0, read_s=0.4, total_s=0.8, max_body_bytes=60_000)
CONTENT = Random(7).randbytes(20_000).hex().encode()
"""40,000 bytes that compress to half of that."""

CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "identity": bytes,
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": brotli.compress,
    "zstd": zstd.compress,
}


def by_length(body: bytes) -> tuple[bytes, bytes]:
    return b"Content-Length: %d\r\n" % len(body), body


def by_chunks(body: bytes) -> tuple[bytes, bytes]:
    pieces = [chunk(body[at : at + 3000]) for at in range(0, len(body), 3000)]
    return b"Transfer-Encoding: chunked\r\n", b"".join(pieces) + b"0\r\n\r\n"


def by_close(body: bytes) -> tuple[bytes, bytes]:
    return b"", body


FRAMINGS = {"length": by_length, "chunks": by_chunks, "close": by_close}
ENDS = {"close": "disconnect", "reset": "disconnect", "silence": "time", "drip": "time"}
"""How an answer stops, and what that makes of its body."""


def stops(head: bytes, body: bytes, at: int, end: str) -> Callable[[Recorded], None]:
    """Says the body as far as there, and then no more, or hardly more."""

    def play(peer: Recorded) -> None:
        peer.request()
        peer.say(head + body[:at])
        if end == "close":
            return
        gevent.sleep(0.1)  # a reset overtakes what was not read yet
        if end == "reset":
            peer.reset()
        for more in range(100):
            if end == "drip":
                peer.say(body[at + more : at + more + 1])
            gevent.sleep(0.1)

    return play


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("coding", CODINGS)
def test_what_ends_too_early_is_only_a_beginning(coding: str, framing: str, end: str) -> None:
    lines, body = FRAMINGS[framing](CODINGS[coding](CONTENT))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n%s\r\n" % (coding.encode(), lines)
    with stage(stops(head, body, len(body) // 2, end)) as server:
        reply = fetch(server.url(), QUICK)
    untold = (coding, framing, end) == ("identity", "close", "close")  # as a whole body ends
    assert reply.status == 200
    assert reply.truncated == (None if untold else ENDS[end])
    assert (reply.error is None) is untold
    assert len(reply.body) < len(CONTENT)
    assert CONTENT.startswith(reply.body)


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_longer_than_the_cap_is_only_a_beginning(coding: str, framing: str) -> None:
    lines, body = FRAMINGS[framing](CODINGS[coding](CONTENT * 2))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n%s\r\n" % (coding.encode(), lines)
    with stage(stops(head, body, len(body), "close")) as server:
        reply = fetch(server.url(), QUICK)
    assert (reply.error, reply.truncated) == ("too_large", "length")
    assert reply.body == (CONTENT * 2)[: QUICK.max_body_bytes]


@pytest.mark.parametrize("framing", FRAMINGS)
@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_whole_is_not_called_a_beginning(coding: str, framing: str) -> None:
    lines, body = FRAMINGS[framing](CODINGS[coding](CONTENT))
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n%s\r\n" % (coding.encode(), lines)
    with stage(stops(head, body, len(body), "close")) as server:
        reply = fetch(server.url(), QUICK)
    assert (reply.error, reply.truncated, reply.body) == (None, None, CONTENT)
