"""What does a Reply tell of an answer?"""

from __future__ import annotations

import gzip
import lzma
import time
import zlib
from collections.abc import Iterator

import gevent
import msgspec
import pytest
from requests import Response
from requests.adapters import BaseAdapter

from crawler.config import FetchConfig
from crawler.errors import UsageError
from crawler.fetch import Fetcher
from crawler.fetch.fetcher import retry_after
from crawler.model import Job
from tests.fetch.stage import QUICK, Recorded, fetch, fetcher, job, ok, serving, stage, whole


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own time is nine hours ahead."""
    monkeypatch.setenv("TZ", "UTC-9")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def redirecting(location: bytes, more: bytes = b"") -> bytes:
    return (
        b"HTTP/1.1 301 M\r\nLocation: " + location + b"\r\n" + more + b"Content-Length: 0\r\n\r\n"
    )


def test_headers_keep_their_order_and_repeat_and_lose_their_control_characters() -> None:
    answer = ok(b"", b"B: 1", b"A: \0x\x1b[0m\x85", b"B: caf\xe9", b"T: a\tb")
    with stage(whole(answer)) as server:
        reply = fetch(server.url())
    assert reply.headers == (
        ("B", "1"),
        ("A", "\ufffdx\\x1b[0m\\x85"),
        ("B", "caf\xe9"),
        ("T", "a b"),
        ("Content-Length", "0"),
    )
    assert reply.header("b") == "caf\xe9"


def test_lines_behind_one_without_a_colon_are_kept_and_folded_lines_joined() -> None:
    with stage(whole(ok(b"", b"nonsense", b"A: 1", b"  2"))) as server:
        reply = fetch(server.url())
    assert reply.headers == (("A", "1 2"), ("Content-Length", "0"))


def test_an_answer_tells_how_long_each_phase_took_and_where_it_came_from() -> None:
    with stage(serving(ok(b"hello"))) as server:
        one = fetcher()
        first, second = one.fetch(job(server.url())), one.fetch(job(server.url()))
        one.close()
    assert (first.ip, first.http_version, first.wire_bytes) == ("127.0.0.1", "1.1", 5)
    assert None not in (first.dns_ms, first.connect_ms, first.ttfb_ms, first.total_ms)
    assert first.tls_ms is None
    assert (second.dns_ms, second.connect_ms) == (None, None)
    assert second.ttfb_ms is not None
    assert server.connections == 1


def test_the_time_to_the_first_byte_begins_before_the_request_is_sent() -> None:
    """Resource Timing, requestStart. An answer may be there when sending ends."""

    def reads_late(peer: Recorded) -> None:
        gevent.sleep(0.2)
        peer.say(ok(b"hello"))
        while peer.sock.recv(1_000_000):
            pass

    long = msgspec.structs.replace(QUICK, user_agent="a" * 16_000_000)
    with stage(reads_late) as server:
        reply = fetch(server.url(), long)
    assert reply.body == b"hello"
    assert reply.ttfb_ms is not None
    assert reply.ttfb_ms >= 190


@pytest.mark.parametrize(
    ("location", "url", "fragment"),
    [
        (b"/b", "http://h.test/b", None),
        (b"b?c#d", "http://h.test/a/b?c", "d"),
        (b"//other.test/", "http://other.test/", None),
        (b"https://h.test/", "https://h.test/", None),  # case 84 turned round
        (b"/caf\xe9", "http://h.test/caf%E9", None),  # case 76: latin-1
        (b"/caf\xc3\xa9", "http://h.test/caf%C3%A9", None),
        (b"http://u:p@h.test/", "http://h.test/", None),
        (b"/a/x", "http://h.test/a/x", None),  # case 71: itself; judged elsewhere
    ],
)
def test_a_redirect_says_where_it_points(location: bytes, url: str, fragment: str | None) -> None:
    with stage(whole(redirecting(location))) as server:
        one = fetcher(ask=lambda host: ["127.0.0.1"])
        reply = one.fetch(job(f"http://h.test:{server.port}/a/x"))
    assert reply.redirect is not None
    assert (reply.status, reply.error) == (301, None)
    assert reply.redirect.url.replace(f":{server.port}", "") == url
    assert reply.redirect_fragment == fragment
    assert reply.redirect.refusal is None


@pytest.mark.parametrize(
    ("location", "refusal"),
    [(b"/" + b"x" * 60_000, "url_too_long"), (b"http://h.test:6379/", "blocked_port")],  # 85, 21
)
def test_a_redirect_to_what_is_never_fetched_carries_that_refusal(
    location: bytes, refusal: str
) -> None:
    with stage(whole(redirecting(location))) as server:
        reply = fetch(server.url())
    assert reply.redirect is not None
    assert (reply.status, reply.error, reply.redirect.refusal) == (301, None, refusal)


def test_two_equal_locations_are_one() -> None:
    with stage(whole(redirecting(b"/b", b"Location: /b\r\n"))) as server:
        assert fetch(server.url()).redirect is not None


def test_the_body_of_a_redirect_is_not_read() -> None:
    """Case 80; requests reads it to the end even with stream=True."""
    sent = 0

    def play(peer: Recorded) -> None:
        nonlocal sent
        peer.request()
        peer.say(b"HTTP/1.1 302 F\r\nLocation: /b\r\nContent-Length: 300000000\r\n\r\n")
        for _ in range(300):
            peer.say(bytes(1_000_000))
            sent += 1_000_000

    with stage(play) as server:
        reply = fetch(server.url())
        gevent.sleep(0.05)
    assert (reply.status, reply.error, reply.body) == (302, None, b"")
    assert sent < 20_000_000, "the connection was dropped"


YEAR_S = 366 * 86_400.0
"""Far beyond what any crawl waits for; pace.retry_after_max_s is what holds."""


@pytest.mark.parametrize(
    ("coding", "note"),
    [
        (b"none", "unknown content coding none"),
        (b"UTF-8, 8bit", "unknown content coding utf-8, 8bit"),
        (b"identity", None),
        (b"", None),
        (b"x\x1b[0m", "unknown content coding x\\x1b[0m"),
    ],
)
def test_a_coding_that_is_none_is_noted_and_no_error(coding: bytes, note: str | None) -> None:
    with stage(whole(ok(b"hi", b"Content-Encoding: " + coding))) as server:
        reply = fetch(server.url())
    assert (reply.error, reply.error_detail, reply.note, reply.body) == (None, None, note, b"hi")


PLAIN = b"<title>Tides</title>" + b"".join(b"<a href=/%d>%x</a>" % (n, n * n) for n in range(300))


@pytest.mark.parametrize(
    "coding",
    [b"gzip", b"GZIP ", b"x-gzip", b"X-GZip", b"gzip, identity", b"identity,gzip", b",gzip,",
     b'"gzip"', b"'gzip'", b"gzip;q=1.0", b"gzip;", b'"x-gzip" ; a=b'],
)  # fmt: skip
def test_codings_are_undone_however_they_are_written(coding: bytes) -> None:
    """RFC 9110, section 8.4.1: names are case-insensitive; x-gzip is gzip."""
    sent = ok(gzip.compress(PLAIN), b"Content-Type: text/html", b"Content-Encoding: " + coding)
    with stage(whole(sent)) as server:
        reply = fetch(server.url())
    assert (reply.error, reply.note, reply.body) == (None, None, PLAIN)


@pytest.mark.parametrize(
    ("coding", "kind", "error"),
    [
        (b"xgzip", b"text/html", "decode_error"),
        (b"utf-8", b"text/html; charset=utf-8", "decode_error"),
        (b"gzip gzip", b"application/xhtml+xml", "decode_error"),
        (b"application/gzip", b"application/ld+json", "decode_error"),
        (b"none", b"text/plain", "decode_error"),
        (b"compress", b"image/png", "decode_error"),  # a coding that there is
        (b"none", b"image/png", None),
        (b"binary", b"application/gzip", None),
    ],
)
def test_what_nobody_could_unpack_is_an_error_and_no_empty_page(
    coding: bytes, kind: bytes, error: str | None
) -> None:
    packed = gzip.compress(PLAIN)
    sent = ok(packed, b"Content-Type: " + kind, b"Content-Encoding: " + coding)
    with stage(whole(sent)) as server:
        reply = fetch(server.url())
    assert (reply.error, reply.body) == (error, packed)
    assert reply.note == f"unknown content coding {coding.decode()}"


@pytest.mark.parametrize(
    "body",
    [PLAIN, PLAIN + b"\1" * 20, "straße".encode("utf-16"), b"caf\xe9 \x02", b"", b"\x1b$B\x1b(B"],
)
def test_a_text_in_any_encoding_is_packed_in_nothing(body: bytes) -> None:
    sent = ok(body, b"Content-Type: text/html", b"Content-Encoding: utf-8")
    with stage(whole(sent)) as server:
        reply = fetch(server.url())
    assert (reply.error, reply.body) == (None, body)


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        (b"video/mp4", False),
        (b"application/pdf", False),
        (b"application/zip; x=y", False),
        (b"IMAGE/png", False),
        (b"text/html", True),
        (b"application/xhtml+xml", True),
        (b"image/svg+xml", True),
        (b"application/x-gzip", True),  # a sitemap, as far as anybody knows
        (b"", True),
    ],
)
def test_what_is_announced_to_be_too_large_and_useless_in_part_is_not_read(
    kind: bytes, read: bool
) -> None:
    size = 20_000_000
    sent = 0

    def play(peer: Recorded) -> None:
        nonlocal sent
        peer.request()
        peer.say(
            b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind, size)
        )
        for _ in range(size // 100_000):
            peer.say(bytes(100_000))
            sent += 100_000

    with stage(play) as server:
        reply = fetch(server.url())
    assert (reply.status, reply.error, reply.truncated) == (200, "too_large", "length")
    assert bool(reply.body) is read
    assert sent < 8_000_000, "the connection was dropped"


@pytest.mark.parametrize(
    ("fields", "size", "error"),
    [
        ({}, 90_000, None),
        ({"kind": "robots"}, 120_000, None),  # rules up to the cap are obeyed
        ({"method": "HEAD"}, 20_000_000, None),
        ({"kind": "check"}, 20_000_000, None),
    ],
)
def test_what_is_announced_is_refused_only_where_it_matters(
    fields: dict[str, str], size: int, error: str | None
) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Type: image/png\r\nContent-Length: %d\r\n\r\n" % size
    with stage(whole(head + bytes(min(size, 200_000)))) as server:
        reply = fetch(server.url(), **fields)
    assert (reply.status, reply.error) == (200, error)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("86400", 86_400.0),
        ("0", 0.0),
        ("1e12", YEAR_S),  # case 69
        ("-5", 0.0),
        ("nan", None),
        ("soon", None),
        ("", None),
        ("30, 120, 60", 120.0),  # of several headers that became one
        ("30, soon", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", YEAR_S),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wed, 99 Oct 2015 07:28:30 GMT", None),
        ("Wednesday, 21-Oct-15 07:28:30 GMT", 30.0),
        ("Wed Oct 21 07:28:30 2015", 30.0),
        ("Wed, 21 Oct 2015 07:28:30", 30.0),
        ("Wed, 21 Oct 2015 07:28:30 -0000", 30.0),
    ],
)
@pytest.mark.usefixtures("far_east")
def test_retry_after_is_read_in_both_forms_and_clamped(value: str, seconds: float | None) -> None:
    now = 1445412480.0  # Wed, 21 Oct 2015 07:28:00 GMT
    assert retry_after(value, [], now) == seconds


def test_of_several_retry_afters_the_longest_holds() -> None:
    head = b"HTTP/1.1 503 X\r\nRetry-After: 90\r\nRetry-After: soon\r\nRetry-After: 1\r\n"
    with stage(whole(head + b"Content-Length: 0\r\n\r\n")) as server:
        assert fetch(server.url()).retry_after_s == 90.0


def test_retry_after_is_measured_from_the_servers_own_clock() -> None:
    dates = ["Wed, 21 Oct 2015 07:28:00 GMT"]
    assert retry_after("Wed, 21 Oct 2015 07:28:30 GMT", dates, now=0.0) == 30.0


def test_a_request_says_who_asks_and_nothing_that_it_need_not() -> None:
    config = FetchConfig(contact="https://example.org/bot", accept_language="en")
    with stage(whole(ok(b""))) as server:
        fetch(
            server.url("/p?q"), config, etag='"v1"', last_modified="Wed, 21 Oct 2015 07:28:00 GMT"
        )
    first, *lines = server.requests[0].split("\r\n")
    sent = dict(line.split(": ", 1) for line in lines if line)
    assert first == "GET /p?q HTTP/1.1"
    assert sent.pop("Accept").startswith("text/html")
    assert sent == {
        "Host": f"127.0.0.1:{server.port}",
        "User-Agent": "crawler/0.1.0 (+https://example.org/bot)",
        "Accept-Encoding": "gzip, deflate, br, zstd",
        "Accept-Language": "en",
        "Connection": "keep-alive",
        "If-None-Match": '"v1"',
        "If-Modified-Since": "Wed, 21 Oct 2015 07:28:00 GMT",
    }


def test_neither_cookies_nor_passwords_travel(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pytest.TempPathFactory
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with stage(serving(ok(b"", b"Set-Cookie: a=b"))) as server:
        one = fetcher()
        for _ in range(2):
            assert one.fetch(job(server.url())).status == 200
        assert one.fetch(job(server.url(host="me:secret@127.0.0.1"))).status == 200
    text = "".join(server.requests).lower()
    assert "cookie" not in text
    assert "authorization" not in text
    assert "secret" not in text


@pytest.mark.parametrize(
    ("sent", "truncated"),
    [
        ("bytes 0-1/2", None),
        ("Bytes 0-1/2", None),
        ("bytes 0-1/5000", "disconnect"),
        ("bytes 1-2/3", "disconnect"),
        ("bytes 0-1/*", "disconnect"),
        ("bytes 0-1/\xb2", "disconnect"),
        (f"bytes 0-1/{'9' * 5000}", "disconnect"),
        ("rubbish", "disconnect"),
        (None, "disconnect"),
    ],
)
def test_a_part_that_nobody_asked_for_is_not_the_whole(
    sent: str | None, truncated: str | None
) -> None:
    line = "" if sent is None else f"Content-Range: {sent}\r\n"
    head = f"HTTP/1.1 206 Part\r\n{line}Content-Length: 2\r\n\r\n".encode("latin-1")
    with stage(whole(head + b"hi")) as server:
        reply = fetch(server.url())
    assert (reply.status, reply.error, reply.body) == (206, None, b"hi")
    assert reply.truncated == truncated
    assert (reply.note is None) == (truncated is None)


RULES = b"User-agent: *\nDisallow: /a\n" + b"".join(b"Disallow: /%x\n" % n**5 for n in range(2000))


def _broken(packed: bytes) -> bytes:
    middle = len(packed) // 2
    return packed[:middle] + bytes(40) + packed[middle + 40 :]


@pytest.mark.parametrize(
    ("coding", "sent", "truncated"),
    [
        ("gzip", _broken(gzip.compress(RULES)), "disconnect"),
        ("gzip", bytes(60) + gzip.compress(RULES)[60:], "disconnect"),
        ("deflate", _broken(zlib.compress(RULES)), "disconnect"),
        ("xz", lzma.compress(RULES), "disconnect"),
        ("gzip", gzip.compress(RULES)[:-8] + bytes(8), "disconnect"),
        ("gzip", RULES, None),
        ("br", RULES, None),
    ],
)
def test_rules_that_could_not_be_decoded_are_not_all_there(
    coding: str, sent: bytes, truncated: str | None
) -> None:
    with stage(whole(ok(sent, f"Content-Encoding: {coding}".encode()))) as server:
        reply = fetch(server.url("/robots.txt"), kind="robots")
    assert (reply.status, reply.error) == (200, "decode_error")
    assert reply.truncated == truncated
    if truncated is None:
        assert reply.body == RULES


def test_conditions_reach_any_adapter() -> None:
    from requests.adapters import HTTPAdapter

    with stage(serving(b"HTTP/1.1 304 N\r\n\r\n")) as server:
        one = fetcher()
        one.session.mount("http://", HTTPAdapter())
        reply = one.fetch(job(server.url(), etag='"v1"'))
    assert (reply.status, reply.error, reply.body) == (304, None, b"")
    assert 'If-None-Match: "v1"' in server.requests[0]


LATELY, TO_COME = "Mon, 02 Nov 2026 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT"


@pytest.mark.parametrize(
    ("etag", "last_modified", "sent"),
    [
        ('"1"', LATELY, {"If-None-Match": '"1"', "If-Modified-Since": LATELY}),
        ('W/"1"', None, {"If-None-Match": 'W/"1"'}),
        ("unquoted", "yesterday", {"If-None-Match": "unquoted", "If-Modified-Since": "yesterday"}),
        ("*", None, {}),
        (f'"{"1" * 9000}"', LATELY, {"If-Modified-Since": LATELY}),
        (None, TO_COME, {}),
        ('"1"', TO_COME, {"If-None-Match": '"1"'}),
        (None, "x" * 9000, {}),
    ],
)
def test_what_would_be_confirmed_whatever_is_there_by_then_is_no_condition(
    etag: str | None, last_modified: str | None, sent: dict[str, str]
) -> None:
    """Nor is what a server may refuse for its length."""
    with stage(whole(ok(b""))) as server:
        one = fetcher(now=lambda: 1_795_996_800.0)  # the end of November 2026
        one.fetch(job(server.url(), etag=etag, last_modified=last_modified))
    lines = [line.partition(": ") for line in server.requests[0].splitlines()]
    assert {name: value for name, _, value in lines if name.startswith("If-")} == sent


def test_a_validator_cannot_smuggle_a_header() -> None:
    with stage(whole(ok(b""))) as server:
        fetch(server.url(), etag='"a"\r\nX-Evil: 1')
    assert "X-Evil" not in server.requests[0]


@pytest.mark.parametrize("key", ["user_agent", "contact", "accept_language"])
@pytest.mark.parametrize("text", ["a\nb", "a\r\nX: y", "a\0", "caf\xe9"])
def test_a_setting_that_no_header_holds_is_refused_by_its_name(key: str, text: str) -> None:
    """Case 171."""
    with pytest.raises(UsageError, match=f"fetch.{key}"):
        Fetcher(FetchConfig(**{key: text}))


@pytest.mark.parametrize(
    "url", ["http://h.test/a b", "http://h.test/\r\nX: y", "ftp://h.test/", "http://", "nonsense"]
)
def test_what_is_no_encoded_url_is_never_sent(url: str) -> None:
    one = fetcher(ask=lambda host: ["127.0.0.1"])
    reply = one.fetch(job(url))
    assert (reply.status, reply.error) == (None, "proto_error")
    assert one.stats().transport.opened == 0


def test_what_nobody_foresaw_is_a_reply_too_and_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(BaseAdapter):
        def send(self, request, **_):  # type: ignore[no-untyped-def]
            raise ZeroDivisionError("never seen before")

        def close(self) -> None:
            pass

    one = fetcher()
    one.session.mount("http://", Broken())
    reply = one.fetch(job("http://h.test/"))
    assert (reply.error, reply.error_detail) == (
        "proto_error",
        "ZeroDivisionError: never seen before",
    )
    assert "never seen before" in caplog.text


class Web(BaseAdapter):
    """A web that is a dict, as anybody may mount it."""

    def __init__(self, pages: dict[str, bytes]) -> None:
        super().__init__()
        self.pages = pages

    def send(self, request, **_):  # type: ignore[no-untyped-def]
        from io import BytesIO

        answer = Response()
        answer.status_code = 200 if request.url in self.pages else 404
        answer.raw = BytesIO(self.pages.get(request.url, b""))
        answer.headers["Content-Type"] = "text/html"
        return answer

    def close(self) -> None:
        pass


def test_the_transport_can_be_replaced() -> None:
    one = fetcher()
    one.session.mount("http://", Web({"http://h.test/": b"x" * 200_000}))
    reply = one.fetch(Job(1, 1, "http://h.test/"))
    assert (reply.status, reply.error, len(reply.body)) == (200, "too_large", QUICK.max_body_bytes)
    assert reply.headers == (("Content-Type", "text/html"),)
    assert one.fetch(Job(1, 1, "http://h.test/none")).status == 404


def test_it_works_on_the_stock_adapter_of_requests_too() -> None:
    from requests.adapters import HTTPAdapter

    with stage(serving(ok(b"hello"))) as server:
        one = fetcher()
        one.session.mount("http://", HTTPAdapter())
        reply = one.fetch(job(server.url()))
        assert (reply.status, reply.error, reply.body) == (200, None, b"hello")
        one.close()
    refused = one.fetch(job(server.url()))
    assert (refused.status, refused.error) == (None, "connect_refused")
