"""Does every fetch end in time, and in flat memory?"""

from __future__ import annotations

import gc
import gzip
import os
import time
import zlib
from collections.abc import Callable

import brotli
import gevent
import psutil
import pytest
from backports import zstd
from msgspec.structs import replace

from crawler.config import FetchConfig
from crawler.model import Reply
from tests.fetch.raw import chunk
from tests.fetch.stage import Recorded, fetch, fetcher, job, ok, serving, stage

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
SHORT = FetchConfig(connect_s=0.5, read_s=0.5, total_s=0.8, max_body_bytes=100_000)
PATIENT = replace(SHORT, read_s=60, total_s=60)
LONG_S = 60
"""What is not ended in time takes longer than this."""
SOON_S = 20
"""What is ended in time takes less, also where the machine has other things to do."""


def dripping(start: bytes, drop: bytes, pause_s: float = 0.05) -> Callable[[Recorded], None]:
    """Says `drop` again and again, never silent for long."""

    def play(peer: Recorded) -> None:
        peer.request()
        peer.say(start)
        for _ in range(int(LONG_S / pause_s) if pause_s else 2000):
            peer.say(drop)
            gevent.sleep(pause_s)

    return play


@pytest.mark.parametrize(
    ("rule", "start", "drop", "status", "truncated"),
    [
        ("40 endless 100", b"", b"HTTP/1.1 100 Continue\r\n\r\n", None, None),
        ("56 endless trailers", CHUNKED + b"2\r\nhi\r\n0\r\n", b"A: b\r\n", 200, "time"),
        ("100 one byte after the other", OK + b"\r\n", b"x", 200, "time"),
        ("status line drips", b"HTTP/1.1 200 ", b"O", None, None),
        ("header drips", OK + b"X: ", b"y", None, None),
        ("chunk line drips", CHUNKED + b"2;x=", b"y", 200, "time"),
        ("gzip drips", OK + b"Content-Encoding: gzip\r\n\r\n", gzip.compress(b""), 200, "time"),
    ],
)
def test_what_drips_ends_at_the_deadline(
    rule: str, start: bytes, drop: bytes, status: int | None, truncated: str | None
) -> None:
    reply = _timed(dripping(start, drop))
    assert (reply.status, reply.error, reply.truncated) == (status, "timeout_total", truncated)


@pytest.mark.parametrize(
    ("rule", "start", "drop", "error"),
    [
        # A flood is read slowly, so that it ends as the drip does and costs no processor.
        ("40 flood of 100", b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500, "timeout_total"),
        ("56 flood of trailers", CHUNKED + b"0\r\n", b"A: b\r\n" * 2000, "timeout_total"),
        ("99 flood of body", OK + b"\r\n", b"x" * 65536, "too_large"),
        ("flood of empty gzip members", OK + b"Content-Encoding: gzip\r\n\r\n",
         gzip.compress(b"") * 1000, "too_large"),
        ("flood of empty zstd frames", OK + b"Content-Encoding: zstd\r\n\r\n",
         bytes.fromhex("502a4d1800000000") * 5000, "too_large"),
        ("flood of folded lines", OK + b"A: b\r\n", b" c\r\n" * 5000, "too_large"),
        ("flood of empty gzip members in chunks of a byte", CHUNKED[:-2]
         + b"Content-Encoding: gzip\r\n\r\n",
         b"".join(chunk(gzip.compress(b"")[at : at + 1]) for at in range(20)) * 100, "too_large"),
        ("flood of headers", OK, b"X: y\r\n" * 5000, "too_large"),
        ("flood of blank lines", b"", b"\r\n" * 5000, "too_large"),
    ],
)  # fmt: skip
def test_what_floods_ends_too(rule: str, start: bytes, drop: bytes, error: str) -> None:
    before = time.process_time()
    reply = _timed(dripping(start, drop, 0.0), SHORT if error == "timeout_total" else PATIENT)
    assert reply.error == error
    assert time.process_time() - before < 0.5


def test_silence_inside_the_body_ends_before_the_deadline() -> None:
    def play(peer: Recorded) -> None:
        peer.request()
        peer.say(OK + b"Content-Length: 9\r\n\r\nhalf")
        gevent.sleep(LONG_S)

    reply = _timed(play, FetchConfig(read_s=0.5, total_s=LONG_S))
    assert (reply.error, reply.truncated, reply.body) == ("timeout", "time", b"half")


def _timed(play: Callable[[Recorded], None], limits: FetchConfig = SHORT) -> Reply:
    with stage(play) as server:
        began = time.monotonic()
        reply = fetch(server.url(), limits)
        assert time.monotonic() - began < SOON_S
    return reply


def test_a_deadline_of_somebody_else_is_not_swallowed() -> None:
    with stage(dripping(OK + b"\r\n", b"x")) as server:
        one = fetcher(SHORT)
        theirs = gevent.Timeout(0.2)
        with pytest.raises(gevent.Timeout) as caught, theirs:
            one.fetch(job(server.url()))
    assert caught.value is theirs
    assert one.stats().transport.in_use == 0


def test_slow_hosts_do_not_slow_a_good_one() -> None:
    with stage(dripping(OK + b"\r\n", b"x")) as slow, stage(serving(ok(b"good"))) as good:
        one = fetcher(FetchConfig(read_s=LONG_S, total_s=LONG_S))
        tarpits = [gevent.spawn(one.fetch, job(slow.url())) for _ in range(100)]
        gevent.sleep(0.05)
        began = time.monotonic()
        assert one.fetch(job(good.url())).body == b"good"
        assert time.monotonic() - began < SOON_S
        assert not any(tarpit.ready() for tarpit in tarpits)
        gevent.killall(tarpits)


ENGINES: dict[str, Callable[[], tuple[Callable[[bytes], bytes], Callable[[], bytes]]]] = {
    "gzip": lambda: _both(zlib.compressobj(1, zlib.DEFLATED, 31)),
    "deflate": lambda: _both(zlib.compressobj(1)),
    "zstd": lambda: _both(zstd.ZstdCompressor()),
}


def _both(engine: object) -> tuple[Callable[[bytes], bytes], Callable[[], bytes]]:
    return engine.compress, engine.flush  # type: ignore[attr-defined]


def bomb(coding: str) -> bytes:
    """300 MiB of zeros, compressed without ever being in memory at once."""
    mebibyte = bytes(1024 * 1024)
    if coding == "br":
        engine = brotli.Compressor(quality=1)
        return b"".join([*(engine.process(mebibyte) for _ in range(300)), engine.finish()])
    compress, flush = ENGINES[coding]()
    return b"".join([*(compress(mebibyte) for _ in range(300)), flush()])


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_bomb_stops_at_the_cap_and_memory_stays_flat(coding: str) -> None:
    """Case 86."""
    data = bomb(coding)
    head = OK + f"Content-Encoding: {coding}\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    with stage(serving(head + data)) as server:
        one = fetcher(FetchConfig(max_body_bytes=1_000_000))
        one.fetch(job(server.url()))
        process = psutil.Process(os.getpid())
        before = process.memory_info().rss
        for _ in range(5):
            reply = one.fetch(job(server.url()))
            assert (reply.error, reply.truncated) == ("too_large", "length")
            assert reply.body == bytes(1_000_000)
        assert process.memory_info().rss - before < 24 * 1024 * 1024


def test_a_bomb_in_a_bomb_stops_as_well() -> None:
    data = gzip.compress(bomb("gzip"), 1)
    head = OK + f"Content-Encoding: gzip, gzip\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    with stage(serving(head + data)) as server:
        reply = fetch(server.url(), FetchConfig(max_body_bytes=1_000_000))
    assert (reply.error, len(reply.body)) == ("too_large", 1_000_000)


def test_a_zstd_window_may_not_demand_much_memory() -> None:
    """RFC 9659: 8 MiB for a content coding."""
    options = {zstd.CompressionParameter.window_log: 27}
    data = zstd.compress(os.urandom(1000) * 9000, options=options)
    head = OK + f"Content-Encoding: zstd\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    with stage(serving(head + data)) as server:
        assert fetch(server.url()).error == "decode_error"


@pytest.mark.parametrize(
    "play",
    [
        dripping(OK + b"Content-Length: 200000\r\n\r\n" + b"x" * 90_000, b"x"),
        lambda peer: (peer.request(), peer.say(OK + b"\r\n" + b"x" * 300_000)),
        lambda peer: (peer.request(), peer.say(CHUNKED + b"15000\r\n" + b"x" * 90_000)),
        lambda peer: (
            peer.request(),
            peer.say(CHUNKED + b"10000\r\n" + b"x" * 65536 + b"\r\nzz\r\n"),
        ),
        lambda peer: (
            peer.request(),
            peer.say(
                OK + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(os.urandom(90_000))[:-9]
            ),
        ),
    ],
    ids=["out of time", "too large", "closed", "garbled", "cut"],
)
def test_a_body_that_came_to_a_bad_end_is_let_go_at_once(play: Callable[[Recorded], None]) -> None:
    """Without waiting for the collector of cycles, which a worker runs seldom."""
    with stage(play) as server:
        one = fetcher(SHORT)
        gc.collect()
        gc.disable()
        try:
            before = _bytes_held()
            for _ in range(3):
                assert one.fetch(job(server.url())).error is not None
            assert _bytes_held() - before < 60_000
        finally:
            gc.enable()


def _bytes_held() -> int:
    """Of large pieces of bytes that some object refers to."""
    held = {
        id(item): len(item)
        for keeper in gc.get_objects()
        if isinstance(keeper, list | tuple | dict)
        for item in (keeper.values() if isinstance(keeper, dict) else keeper)
        if isinstance(item, bytes) and len(item) > 10_000
    }
    return sum(held.values())
