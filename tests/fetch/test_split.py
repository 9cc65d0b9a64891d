"""Does an answer mean the same however the network cuts it up?"""

from __future__ import annotations

from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

from crawler.fetch.failures import Failure
from crawler.fetch.http1 import Exchange
from tests.fetch.raw import CASES

MAX_HEAD = 256 * 1024
SHORT = [case.says for case in CASES if case.says and len(case.says) < 3000]

LINES = st.sampled_from(
    [
        b"Content-Length: 5",
        b"Content-Length: 7",
        b"content-length : 5",
        b"Content-Length: x",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: identity",
        b"Connection: close",
        b"Connection: keep-alive",
        b"no colon here",
        b" folded",
        b": nameless",
        b"X: \0\xff\x1b",
        b"X:",
        b"",
    ]
)
STARTS = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.1 103 Early Hints",
        b"HTTP/1.1 204 None",
        b"HTTP/1.1 304 Same",
        b"HTTP/1.1 101 Other",
        b"HTTP/2 200",
        b"HTTP/1.1 20 OK",
        b"\r\nHTTP/1.1 200 OK",
        b"nonsense",
    ]
)
ENDS = st.sampled_from([b"\r\n", b"\n"])
BODIES = st.sampled_from(
    [
        b"\r",
        b"\r\n\r\n",
        b"",
        b"hello",
        b"hello and more",
        b"5\r\nhello\r\n0\r\n\r\n",
        b"5\r\nhello\r\n0\r\nT: x\r\n\r\n",
    ]
) | st.binary(max_size=20)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """One to three heads, some wrong, and a body that may fit none of them."""
    text = b""
    for _ in range(draw(st.integers(1, 3))):
        end = draw(ENDS)
        lines = [draw(STARTS), *draw(st.lists(LINES, max_size=5))]
        text += end.join(lines) + end + end
    return text + draw(BODIES)


def meaning(pieces: list[bytes], method: str) -> tuple[object, ...]:
    """Everything that a reader can learn from an answer that ends after these pieces."""
    exchange = Exchange(method, MAX_HEAD)
    failure: Failure | None = None
    try:
        for piece in pieces:
            exchange.feed(piece)
        reusable = exchange.reusable
        if exchange.broken is None:
            exchange.eof()
    except Failure as caught:
        failure, reusable = caught, False
    head = exchange.head
    return (
        head and (head.status, head.version, tuple(head.headers)),
        b"".join(exchange.take()),
        exchange.wire_bytes,
        exchange.complete,
        exchange.complete and reusable,
        (failure or exchange.broken) and str((failure or exchange.broken).word),
    )


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted({place % (len(data) + 1) for place in at}), len(data)]
    return [data[a:b] for a, b in pairwise(edges) if a < b]


@example(b"HTTP/1.1 204 None\r\n\r\n\r", [19], "GET")
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n\r\n", [38], "HEAD")
@settings(max_examples=400)
@given(
    st.sampled_from(SHORT) | answers(),
    st.lists(st.integers(0, 3000), max_size=8),
    st.sampled_from(["GET", "HEAD"]),
)
def test_an_answer_means_the_same_however_it_is_split(
    data: bytes, at: list[int], method: str
) -> None:
    whole = meaning([data], method)
    assert meaning(cut(data, at), method) == whole
    assert meaning([data[n : n + 1] for n in range(len(data))], method) == whole


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_a_failure(data: bytes) -> None:
    meaning([data], "GET")
    meaning([b"HTTP/1.1 200 OK\r\n" + data], "GET")
    meaning([b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data], "GET")
