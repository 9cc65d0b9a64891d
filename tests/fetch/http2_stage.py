"""Servers that speak HTTP/2 as a test tells them to, and what comes of fetching from them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import msgspec
from gevent.ssl import SSLContext
from hyperframe.frame import Frame, HeadersFrame

from crawler.config import FetchConfig, Http2
from crawler.fetch import Fetcher
from crawler.model import Reply
from tests.fetch import raw_http2 as raw
from tests.fetch.certificates import good
from tests.fetch.raw_http2 import data, settings
from tests.fetch.stage import PATIENT, Play, Recorded, Stage, job

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def speaks(*protocols: str) -> SSLContext:
    """A server's policy that knows these."""
    context = good("127.0.0.1", "localhost")
    context.set_alpn_protocols(list(protocols))
    return context


def politely(play: Play) -> Play:
    """Closes when the client does: what it says last would else make the end a reset."""

    def patient(peer: Recorded) -> None:
        play(peer)
        peer.sock.shutdown(socket.SHUT_WR)
        while peer.sock.recv(65536):
            pass

    return patient


def limits(http2: Http2 = "auto", base: FetchConfig = PATIENT) -> FetchConfig:
    return msgspec.structs.replace(base, http2=http2)


def asked(server: Stage, authority: str, config: FetchConfig, **fields: Any) -> Reply:
    """One fetch by a fetcher of its own."""
    one = Fetcher(config, verify=authority)
    try:
        return one.fetch(job(server.url(), **fields))
    finally:
        one.close()


def frames_of(peer: Recorded) -> Iterator[Frame]:
    """What a client says, frame by frame, until it closes."""
    held = b""
    begun = False
    while more := peer.sock.recv(65536):
        held += more
        if not begun:
            assert held.startswith(PREFACE)
            held, begun = held[len(PREFACE) :], True
        while len(held) >= 9:
            frame, size = Frame.parse_frame_header(memoryview(held[:9]))
            if len(held) < 9 + size:
                break
            frame.parse_body(memoryview(held[9 : 9 + size]))
            held = held[9 + size :]
            yield frame


def answering(*answers: Callable[[int], bytes]) -> Play:
    """Says to one request after another, over all connections, what each of these makes of its
    stream; the last of them again and again. Empty: closes."""
    turns = count()

    def play(peer: Recorded) -> None:
        peer.say(settings())
        for frame in frames_of(peer):
            if isinstance(frame, HeadersFrame):
                says = answers[min(next(turns), len(answers) - 1)](frame.stream_id)
                if not says:
                    return
                peer.say(says)

    return play


def hi(stream: int) -> bytes:
    return raw.block(raw.packed(), stream) + data(b"hi", stream, end=True)


def fetched(
    server: Stage, authority: str, times: int, config: FetchConfig
) -> tuple[list[Reply], Any]:
    one = Fetcher(config, verify=authority)
    try:
        return [one.fetch(job(server.url(f"/{n}"))) for n in range(times)], one.stats().transport
    finally:
        one.close()
