"""What comes of what servers of HTTP/2 say, and of connections to them?"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Any

import gevent
import msgspec
import pytest
from gevent import socket
from gevent.event import Event
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived
from hpack import Decoder, Encoder
from hpack.exceptions import HPACKError
from hyperframe.frame import HeadersFrame

from crawler.fetch import Fetcher
from crawler.fetch.connect import HttpConnection
from crawler.fetch.deadlines import Deadline
from crawler.fetch.failures import Failure
from crawler.fetch.http2 import LAST_STREAM, Session
from crawler.fetch.http2_frames import Unpacker
from crawler.fetch.route import Route
from crawler.fetch.transport import _pay
from tests.fetch import raw_http2 as raw
from tests.fetch.http2_stage import (
    answering,
    asked,
    fetched,
    frames_of,
    hi,
    limits,
    politely,
    speaks,
)
from tests.fetch.raw_http2 import CASES, HI, Case, data, goaway, head, reset, settings
from tests.fetch.stage import PATIENT, QUICK, Play, Recorded, bytewise, job, stage, whole
from tests.patience import PATIENT_S

# Byte for byte


@pytest.mark.parametrize("say", [whole, bytewise])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.rule)
def test_what_a_server_of_http_2_says_ends_as_its_case_says(
    case: Case, say: Any, authority: str
) -> None:
    config = limits(base=QUICK if case.end == "hold" else PATIENT)
    says = (settings() if case.greets else b"") + case.says
    with stage(politely(say(says, case.end)), context=speaks("h2")) as server:
        reply = asked(server, authority, config, **case.fields)
    told = (reply.status, reply.error, reply.truncated)
    assert told == (case.status, case.error, case.truncated), reply.error_detail
    assert reply.body == case.body
    assert server.connections == case.connections
    assert (reply.error is None) == (reply.error_detail is None)
    assert reply.http_version == (None if case.status is None else "2")
    shown = "".join((reply.error_detail or "", *(text for pair in reply.headers for text in pair)))
    assert not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in shown)


FLOODS = {
    "pings": raw.ping(),
    "settings": settings(),
    "full settings": raw.raw(4, 0, 0, bytes(range(1, 253)) * 60),
    "answers to settings": raw.raw(4, 1, 0),
    "priorities": raw.priority(9),
    "windows": raw.window(1),
    "windows of streams": raw.window(1, 1),
    "unknown frames": raw.raw(0x77, 0, 0),
    "long unknown frames": raw.raw(0x77, 0, 0, b"x" * 16_000),
    "alternatives": raw.raw(0xA, 0, 0, b"\0\4testh2"),
    "goodbyes": goaway(2**31 - 1),
}
BODY_FLOODS = {
    "empty frames": data(b""),
    "padding": data(b"", pad=255),
    "single bytes": data(b"x"),
    "single bytes in padding": data(b"x", pad=255),
}
BEGUN = HeadersFrame(1, raw.packed()).serialize()
BLOCK_FLOODS = {
    "continuations": raw.raw(9, 0, 1),
    "continuations of a byte": raw.raw(9, 0, 1, b"\x88"),
}


def flooding(start: bytes, drop: bytes) -> Play:
    """Says `drop` without end, and hears nothing."""

    def play(peer: Recorded) -> None:
        peer.request()
        peer.say(settings() + start)
        many = drop * max(1, 50_000 // len(drop))
        for _ in range(1000):
            peer.say(many)

    return play


@pytest.mark.parametrize(
    ("start", "drop", "errors"),
    [
        *(pytest.param(b"", drop, {"proto_error"}, id=rule) for rule, drop in FLOODS.items()),
        *(
            pytest.param(head(), drop, {"proto_error"}, id=f"{rule} in a body")
            for rule, drop in (FLOODS | BODY_FLOODS).items()
        ),
        *(
            pytest.param(
                HeadersFrame(1, raw.packed()).serialize(),
                drop,
                {"proto_error", "too_large"},
                id=rule,
            )
            for rule, drop in BLOCK_FLOODS.items()
        ),
        pytest.param(b"", head(status=b"103"), {"too_large"}, id="interim answers"),
        pytest.param(b"", head((b"a", b"b" * 9000), status=b"103"), {"too_large"}, id="long ones"),
    ],
)
def test_what_floods_a_connection_ends_soon(
    start: bytes, drop: bytes, errors: set[str], authority: str
) -> None:
    """Whatever says nothing is counted, and none may come without end."""
    before = time.process_time()
    with stage(flooding(start, drop), context=speaks("h2")) as server:
        reply = asked(server, authority, limits())
    assert reply.error in errors, reply.error_detail
    assert time.process_time() - before < 5


def test_what_never_falls_silent_and_never_answers_ends_at_the_deadline(authority: str) -> None:
    def play(peer: Recorded) -> None:
        peer.request()
        peer.say(settings())
        for _ in range(1000):
            peer.say(raw.ping())
            gevent.sleep(0.05)

    config = limits(base=msgspec.structs.replace(QUICK, read_s=60.0, total_s=0.8))
    with stage(play, context=speaks("h2")) as server:
        reply = asked(server, authority, config)
    assert reply.error == "timeout_total"


def test_a_page_that_comes_in_very_many_pieces_is_read() -> None:
    session = Session()
    answer, _ = session.ask("GET", "a.example", "/", b"", 1000)
    pieces = data(b"<li>a short piece</li>") * 60_000
    answer.feed(settings() + head() + pieces + data(b"", end=True))
    assert (answer.complete, answer.wire_bytes) == (True, 60_000 * 22)


def test_what_is_packed_is_unpacked_as_another_reader_does() -> None:
    """hpack's reader, over blocks of many kinds, some of them spoilt."""
    for seed in range(60):
        random = Random(seed)
        packer, theirs, ours = Encoder(), Decoder(10**9), Unpacker()
        for _ in range(30):
            if random.random() < 0.1:
                packer.header_table_size = random.choice((0, 50, 200, 4096))
            block = bytearray(packer.encode(_some_headers(random), random.random() < 0.7))
            if random.random() < 0.2 and block:
                block[random.randrange(len(block))] = random.randrange(256)
            wanted = _unpacked(lambda: theirs.decode(bytes(block), raw=True))  # noqa: B023
            found = _unpacked(lambda: ours.read(bytes(block), 10**9)[0])  # noqa: B023
            assert found == wanted, (seed, block.hex())
            if found is None:
                break


def _some_headers(random: Random) -> list[tuple[bytes, bytes]]:
    names = (b":status", b"server", b"content-type", b"x-a", b"set-cookie", b"etag")
    sizes = (0, 1, 3, 20, 60, 300, 3000)
    return [
        (random.choice(names), bytes(random.choices(range(97, 110), k=random.choice(sizes))))
        for _ in range(random.randrange(12))
    ]


def _unpacked(read: Callable[[], Any]) -> list[tuple[bytes, bytes]] | None:
    try:
        return [(name, value) for name, value in read()]
    except (Failure, HPACKError):
        return None


def test_headers_of_the_worst_kind_take_little_time_to_unpack() -> None:
    """hpack's own reader takes 1.5 s of CPU for the first of these."""
    for worst in (
        b"\0\1a\0" * 65_000,
        b"\x20" * 260_000,
        b"\0\1a\x7f\x81\xff\x0f" + bytes(260_000),
    ):
        before = time.process_time()
        with suppress(Failure):
            Unpacker().read(worst, 256 * 1024)
        assert time.process_time() - before < 0.5


# Connections


def test_a_connection_carries_one_request_after_another(authority: str) -> None:
    with stage(answering(hi), context=speaks("h2")) as server:
        replies, stats = fetched(server, authority, 5, limits())
    assert [reply.body for reply in replies] == [b"hi"] * 5
    assert (server.connections, stats.reused, stats.idle, stats.in_use) == (1, 4, 1, 0)


@pytest.mark.parametrize("between", [raw.ping(), settings(), raw.window(5), raw.raw(0x77, 0, 0)])
def test_what_comes_between_two_answers_ends_no_connection(between: bytes, authority: str) -> None:
    with stage(
        answering(lambda n: hi(n) + between + raw.ping()[:3], lambda n: raw.ping()[3:] + hi(n)),
        context=speaks("h2"),
    ) as server:
        replies, _ = fetched(server, authority, 2, limits())
    assert [reply.body for reply in replies] == [b"hi"] * 2
    assert server.connections == 1


@pytest.mark.parametrize(
    "poison", [data(b"poison"), raw.raw(0, 0, 3, b"poison"), b"HTTP/1.1 200 OK\r\n\r\n", goaway(1)]
)
def test_what_comes_unasked_is_never_taken_for_an_answer_and_ends_the_connection(
    poison: bytes, authority: str
) -> None:
    with stage(answering(lambda n: hi(n) + poison, hi), context=speaks("h2")) as server:
        replies, stats = fetched(server, authority, 3, limits())
    assert [reply.body for reply in replies] == [b"hi"] * 3
    assert (server.connections, stats.stale) == (2, 0)


def test_what_comes_later_while_nothing_is_asked_is_heard_before_the_next_request(
    authority: str,
) -> None:
    said = Event()

    def play(peer: Recorded) -> None:
        peer.say(settings())
        for frame in frames_of(peer):
            if isinstance(frame, HeadersFrame):
                server.requests.append(str(frame.stream_id))
                peer.say(hi(frame.stream_id))
                if len(server.requests) == 1:
                    gevent.sleep(0.05)
                    peer.say(raw.ping() + goaway(1))
                    said.set()

    with stage(play, context=speaks("h2")) as server:
        one = Fetcher(limits(), verify=authority)
        assert one.fetch(job(server.url())).body == b"hi"
        assert said.wait(PATIENT_S)
        gevent.sleep(0.05)
        assert one.fetch(job(server.url())).body == b"hi"
        stats = one.stats().transport
        one.close()
    assert (server.connections, server.requests, stats.stale) == (2, ["1", "1"], 0)


@pytest.mark.parametrize(
    "refusal",
    [
        lambda n: reset(7, n),
        lambda n: goaway(n - 2),
        lambda n: b"",
        lambda n: raw.block(raw.packed(status=b"421"), n, end=True),
    ],
    ids=["REFUSED_STREAM", "GOAWAY", "closed", "421"],
)
def test_a_kept_connection_on_which_nothing_was_done_costs_no_try(
    refusal: Callable[[int], bytes], authority: str
) -> None:
    with stage(answering(hi, refusal, hi), context=speaks("h2")) as server:
        replies, _ = fetched(server, authority, 3, limits())
    assert [(reply.status, reply.error, reply.body) for reply in replies] == [
        (200, None, b"hi")
    ] * 3
    assert server.connections == 2


@pytest.mark.parametrize(
    ("refusal", "error", "connections"),
    [
        (lambda n: reset(7, n), "conn_reset", 3),
        (lambda n: goaway(0), "conn_closed", 3),
        (lambda n: goaway(0, 11), "conn_closed", 1),
        (lambda n: b"", "conn_closed", 2),
        (lambda n: reset(8, n), "conn_reset", 1),
    ],
    ids=["REFUSED_STREAM", "GOAWAY", "ENHANCE_YOUR_CALM", "closed", "CANCEL"],
)
def test_a_server_that_always_refuses_is_asked_a_bounded_number_of_times(
    refusal: Callable[[int], bytes], error: str, connections: int, authority: str
) -> None:
    """Rapid reset, from the other side."""
    with stage(answering(hi, refusal), context=speaks("h2")) as server:
        replies, stats = fetched(server, authority, 2, limits())
    assert [reply.error for reply in replies] == [None, error]
    assert (server.connections, stats.idle, stats.in_use) == (connections, 0, 0)


def test_an_answer_of_421_on_a_new_connection_is_an_answer(authority: str) -> None:
    with stage(
        answering(lambda n: raw.block(raw.packed(status=b"421"), n, end=True)), context=speaks("h2")
    ) as server:
        replies, _ = fetched(server, authority, 1, limits())
    assert (replies[0].status, server.connections) == (421, 1)


def test_the_last_stream_that_there_is_ends_its_connection() -> None:
    session = Session()
    session._stream = LAST_STREAM - 4
    alive = []
    for _ in range(2):
        answer, _ = session.ask("GET", "a.example", "/", b"", 1000)
        answer.feed((settings() if not alive else b"") + hi(session._stream))
        alive.append(answer.reusable)
        assert (answer.complete, answer.take()) == (True, [b"hi"])
    assert alive == [True, False]


def test_a_kept_connection_holds_no_body() -> None:
    session = Session()
    answer, _ = session.ask("GET", "a.example", "/", b"", 1000)
    answer.feed(settings() + HI)
    assert answer.complete
    assert answer not in gc.get_referents(session)


def test_a_connection_on_which_a_frame_went_out_in_part_is_not_kept() -> None:
    ours, theirs = socket.socketpair()
    session = Session()
    session.ask("GET", "a.example", "/", b"", 1000)
    session.receive(settings() + raw.ping() * 9_000)
    connection = HttpConnection(Route("https", "a.example", 443), "127.0.0.1", ours)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    with theirs, ours:
        with pytest.raises(Deadline), Deadline(0.1):
            _pay(connection, session)
        assert (session.alive, session.owed()) == (False, b"")


# What is asked


def test_requests_are_what_another_reader_of_http_2_takes_for_whole(authority: str) -> None:
    """h2 checks what RFC 9113 asks of a request, and counts the windows that it is given."""
    seen: list[dict[bytes, bytes]] = []
    body = bytes(range(256)) * 12_000

    def play(peer: Recorded) -> None:
        talk = H2Connection(H2Configuration(client_side=False))
        talk.initiate_connection()
        waiting: dict[int, memoryview] = {}
        peer.say(talk.data_to_send())
        while more := peer.sock.recv(65536):
            for event in talk.receive_data(more):
                if isinstance(event, RequestReceived):
                    seen.append(dict(event.headers))
                    talk.send_headers(event.stream_id, [(":status", "200"), ("n", str(len(seen)))])
                    waiting[event.stream_id] = memoryview(body)
            for stream in list(waiting):
                _send_some(talk, stream, waiting)
            peer.say(talk.data_to_send())

    config = msgspec.structs.replace(limits(), max_body_bytes=10_000_000)
    with stage(play, context=speaks("h2")) as server:
        one = Fetcher(config, verify=authority)
        for n in range(3):
            path = "/" + "p" * 1000 * n + "?q=%20"
            reply = one.fetch(job(server.url(path), etag='"x"', cookies="a=" + "b" * 20_000 * n))
            assert (reply.error, reply.body == body) == (None, True)
            assert seen[-1][b":path"] == path.encode()
            assert dict(reply.headers)["n"] == str(n + 1)
        one.close()
    assert server.connections == 1
    first = seen[0]
    assert first[b":authority"] == f"127.0.0.1:{server.port}".encode()
    assert (first[b":scheme"], first[b":method"], first[b"if-none-match"]) == (
        b"https",
        b"GET",
        b'"x"',
    )
    assert {b"user-agent", b"accept", b"accept-encoding"} <= set(first)
    assert {b"host", b"connection"}.isdisjoint(first)
    assert len(seen[2][b"cookie"]) == 40_002


def _send_some(talk: H2Connection, stream: int, waiting: dict[int, memoryview]) -> None:
    """As much as the windows allow."""
    while room := min(talk.local_flow_control_window(stream), talk.max_outbound_frame_size):
        part, waiting[stream] = waiting[stream][:room], waiting[stream][room:]
        talk.send_data(stream, bytes(part), end_stream=not waiting[stream])
        if not waiting[stream]:
            del waiting[stream]
            return


def test_nothing_that_is_sent_may_be_remembered_on_its_way(authority: str) -> None:
    """RFC 7541, section 7.1.3: whatever is sent may be a secret."""
    blocks: list[bytes] = []

    def play(peer: Recorded) -> None:
        peer.say(settings())
        for frame in frames_of(peer):
            if isinstance(frame, HeadersFrame):
                blocks.append(frame.data)
                peer.say(hi(frame.stream_id))

    with stage(play, context=speaks("h2")) as server:
        fetched(server, authority, 2, limits())
    decoder = Decoder()
    for block in blocks:
        decoder.decode(block)
        assert not decoder.header_table.dynamic_entries


def test_a_body_that_nobody_wants_ends_its_connection(authority: str) -> None:
    """Redirects, and what is cut."""

    def far(stream: int) -> bytes:
        return raw.block(raw.packed((b"location", b"/b"), status=b"302"), stream) + data(
            b"x", stream
        )

    with stage(answering(far, hi), context=speaks("h2")) as server:
        replies, _ = fetched(server, authority, 2, limits())
    assert [reply.status for reply in replies] == [302, 200]
    assert server.connections == 2
