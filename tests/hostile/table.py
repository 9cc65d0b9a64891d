# ruff: noqa: E501  # a table: one case, one line
"""What must come of cases 1 to 97 of the hostile web, when each is a host of one crawl?

Written by hand from HOSTILE.md section 3, its amendments, and DESIGN.md: a host that fails at the
level of DNS, TCP or TLS fails at its robots.txt, and the page that waits takes that error without a
visit of its own. What is marked R there is tried three times (a name that is not found: twice),
everything else once.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import brotli
import dns.rcode
import gevent
from backports import zstd
from gevent.ssl import SSLContext

from tests.fetch import certificates, raw
from tests.fetch.nameserver import LOOP, SILENT
from tests.fetch.stage import Play, Recorded, ok
from tests.hostile.origins import (
    NO_RULES,
    Origin,
    Row,
    conversation,
    end_connection,
    lost,
    once,
    paths,
    skipped,
    unsent,
)

MIB = 1024 * 1024
CAP = 2 * MIB
"""``fetch.max_body_bytes`` of the crawl."""

AGAIN = frozenset({"conn_reset", "conn_closed", "timeout"})
"""Failures of an answer that are marked R."""

GOOD = ok(b"<title>good</title>", b"Content-Type: text/html")


def moved(place: bytes, status: bytes = b"302 Found") -> bytes:
    return b"HTTP/1.1 %s\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n" % (status, place)


def failed(error: str, attempts: int = 1, **more: object) -> tuple[Row, ...]:
    return (Row("/", "failed", error, attempts, error=error, **more),)  # type: ignore[arg-type]


def names() -> list[Origin]:
    """Cases 1 to 13."""
    alive = paths({"/": GOOD})
    many = tuple(f"127.2.6.{last}" for last in range(1, 201))
    both = (Row("/"), Row("http://{name}.:{port}/"))
    away = (skipped("/", "blocked_addr"),)
    blocked = (("blocked_addr", 1),)
    return [
        lost(1, "NXDOMAIN", "dns_fail", 2, found=int(dns.rcode.NXDOMAIN)),
        lost(2, "SERVFAIL", "dns_fail", 3, found=int(dns.rcode.SERVFAIL)),
        lost(3, "silence", "dns_timeout", 3, found=SILENT),
        lost(4, "no address", "dns_fail", 2, found=()),
        Origin(5, "dead addresses beside a living one", alive, found=("127.1.250.1", "{}", "::1")),
        lost(6, "200 dead addresses", "connect_refused", 3, found=many),
        lost(7, "CNAME loop", "dns_fail", 2, found=LOOP),
        Origin(8, "a name at a private address", None, away, robots=blocked, found=("127.66.0.1",)),
        Origin(9, "metadata service", None, away, robots=blocked, found=("169.254.169.254",)),
        unsent(10, "label of 64", f"http://{'x' * 64}.test/", "url_invalid"),
        unsent(11, "empty label", "http://a..b/", "url_invalid"),
        Origin(12, "underscore", alive, name="a_b.test"),
        Origin(13, "trailing dot", alive, both, ("/", both[1].path), robots=((None, 2),)),
    ]


def connections() -> list[Origin]:
    """Cases 14 to 21; 18 is among the raw answers, 22 is a test of the pool."""

    def mute(peer: Recorded) -> None:
        end_connection(peer, "hold")

    def hangs_up(peer: Recorded) -> None:
        peer.request()

    def cut_head(peer: Recorded) -> None:
        peer.request()
        peer.say(b"HTTP/1.1 200 OK\r\nServer: x")

    def tired(peer: Recorded) -> None:
        first = peer.request()
        if first:
            peer.say(NO_RULES if "robots" in first else GOOD)
            peer.request()

    return [
        lost(14, "refused", "connect_refused", 3),
        lost(15, "black hole", "connect_timeout", 3, "hole"),
        lost(16, "silence", "timeout", 3, mute),
        lost(17, "closed before a reply", "conn_closed", 3, hangs_up),
        lost(17, "closed inside the head", "conn_closed", 3, cut_head),
        Origin(19, "a stale kept connection", tired),
        unsent(20, "port 0", "http://{name}:0/", "url_invalid"),
        unsent(21, "port 22", "http://{name}:22/", "blocked_port"),
        unsent(21, "port 25", "http://{name}:25/", "blocked_port"),
        unsent(21, "port 6379", "http://{name}:6379/", "blocked_port"),
    ]


def secured(folder: Path) -> list[Origin]:
    """Cases 23 to 31."""
    alive = paths({"/": GOOD})

    def stalls(peer: Recorded) -> None:
        end_connection(peer, "hold")

    def speaks_plainly(peer: Recorded) -> None:
        peer.say(b"HTTP/1.1 400 Bad\r\n\r\n")
        peer.sock.recv(9999)

    def without_notice(head: bytes) -> Play:
        def act(peer: Recorded, path: str) -> bool:
            peer.say(head + b"hello")
            peer.sock._sock.close()  # the socket under TLS, so that no notice is sent
            return False

        return conversation(act)

    def refused(number: int, rule: str, context: Callable[[str], SSLContext]) -> Origin:
        return lost(number, rule, "tls_verify", 1, alive, context=context)

    good = certificates.good
    endless = without_notice(b"HTTP/1.1 200 OK\r\n\r\n")
    whole = without_notice(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n")
    short = without_notice(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n")
    cut = failed("conn_closed", 3, truncated="disconnect")
    return [
        refused(23, "self-signed", certificates.of_a_stranger),
        refused(24, "expired", certificates.expired),
        refused(25, "another name", lambda _: good("other.test")),
        lost(26, "the handshake stalls", "timeout", 3, stalls, scheme="https"),
        lost(27, "plain HTTP", "tls_proto", 1, speaks_plainly, scheme="https"),
        lost(28, "TLS 1.0", "tls_proto", 1, alive, context=certificates.old_tls),
        refused(29, "no intermediate", certificates.without_intermediate),
        Origin(30, "no close_notify, no length", endless, context=good),
        Origin(30, "no close_notify, whole", whole, context=good),
        Origin(30, "no close_notify, short", short, cut, context=good),
        refused(31, "NUL in the name", lambda name: certificates.with_nul(name, folder)),
    ]


def answers() -> list[Origin]:
    """Cases 18 and 32 to 96 as far as they are one answer: the raw table, each on a host."""
    cases = [
        case
        for case in (*raw.TCP, *raw.FRAMING, *raw.HEADERS, *raw.REDIRECTS, *raw.CODINGS)
        if case.number not in (16, 17)
    ]
    return [
        Origin(case.number, case.rule, once(case.says, case.end), (_row(case),)) for case in cases
    ]


def _row(case: raw.Case) -> Row:
    if case.error is None:
        return Row("/", status=case.status)
    tries = 3 if case.error in AGAIN else 1
    return Row("/", "failed", case.error, tries, case.status, case.error, case.truncated)


def drips() -> list[Origin]:
    """Cases 40, 56, 99 and 100, in all their kinds: what never ends."""
    start = raw.OK
    chunked = raw.CHUNKED

    def never(number: int, rule: str, first: bytes, drop: bytes, status: int | None) -> Origin:
        row = Row(
            "/", "failed", "timeout_total", 1, status, "timeout_total", "time" if status else None
        )
        return Origin(number, rule, dripping(first, drop), (row,))

    def flood(number: int, rule: str, first: bytes, drop: bytes, row: Row) -> Origin:
        return Origin(number, rule, dripping(first, drop, 0.0), (row,))

    late = Row("/", "failed", "timeout_total", 1, None, "timeout_total")
    late_body = Row("/", "failed", "timeout_total", 1, 200, "timeout_total", "time")
    too_large = Row("/", "failed", "too_large", 1, 200, "too_large", "length")
    too_much_head = Row("/", "failed", "too_large", 1, None, "too_large", "length")
    empty = gzip.compress(b"")
    return [
        never(40, "endless 100", b"", b"HTTP/1.1 100 Continue\r\n\r\n", None),
        never(56, "endless trailers", chunked + b"2\r\nhi\r\n0\r\n", b"A: b\r\n", 200),
        never(100, "one byte after the other", start + b"\r\n", b"x", 200),
        never(100, "a status line that drips", b"HTTP/1.1 200 ", b"O", None),
        never(100, "a header that drips", start + b"X: ", b"y", None),
        never(100, "a chunk line that drips", chunked + b"2;x=", b"y", 200),
        never(100, "gzip that drips", start + b"Content-Encoding: gzip\r\n\r\n", empty, 200),
        flood(40, "a flood of 100", b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 500, late),
        flood(56, "a flood of trailers", chunked + b"0\r\n", b"A: b\r\n" * 2000, late_body),
        flood(99, "a flood of body", start + b"\r\n", b"x" * 65536, too_large),
        flood(99, "a flood of gzip members", start + b"Content-Encoding: gzip\r\n\r\n", empty * 1000, too_large),
        flood(61, "a flood of headers", start, b"X: y\r\n" * 5000, too_much_head),
    ]  # fmt: skip


def dripping(start: bytes, drop: bytes, pause_s: float = 0.05) -> Play:
    """Says `drop` again and again, never silent for long."""

    def act(peer: Recorded, path: str) -> bool:
        peer.say(start)
        while True:  # the other side hangs up
            peer.say(drop)
            gevent.sleep(pause_s)

    return conversation(act)


def heads() -> list[Origin]:
    """Cases 67, 69 and 70, of which a whole crawl tells more than one answer does."""

    def busy(wait: bytes) -> bytes:
        return b"HTTP/1.1 503 Busy\r\nRetry-After: %s\r\nContent-Length: 0\r\n\r\n" % wait

    overloaded = (Row("/", "failed", "http_503", 3, 503),)
    return [
        Origin(67, "two Content-Types", paths({"/": ok(b"<p>hi", b"Content-Type: image/png", b"Content-Type: text/html")})),
        Origin(69, "Retry-After 1e12", once(busy(b"1e12")), overloaded),
        Origin(69, "Retry-After -5", once(busy(b"-5")), overloaded),
        Origin(69, "Retry-After of year 9999", once(busy(b"Fri, 31 Dec 9999 23:59:59 GMT")), overloaded),
        Origin(70, "Last-Modified 1601", paths({"/": ok(b"<p>hi", b"Last-Modified: Mon, 01 Jan 1601 00:00:00 GMT")})),
    ]  # fmt: skip


def redirects() -> list[Origin]:
    """Cases 71 to 85 as far as they take more than one answer."""
    chain = {f"/{n}" if n else "/": moved(b"/%d" % (n + 1)) for n in range(32)}
    hops = [Row(f"/{n}" if n else "/", status=302) for n in range(10)]
    too_far = Row("/10", "failed", "too_many_redirects", 1, 302, "too_many_redirects")
    cookie = b"HTTP/1.1 302 F\r\nLocation: %s\r\nSet-Cookie: n=%d\r\nContent-Length: 0\r\n\r\n"
    circle = {"/": cookie % (b"/b", 1), "/b": cookie % (b"/", 2)}
    forbids = b"User-agent: *\nDisallow: /no\n"
    rules = ok(forbids, b"Content-Type: text/plain")
    far = b"/" + b"x" * 60_000
    page = ok(b'<a href="/away">x</a>', b"Content-Type: text/html")

    def huge(peer: Recorded, path: str) -> bool:
        if path == "/b":
            peer.say(GOOD)
            return True
        peer.say(b"HTTP/1.1 302 F\r\nLocation: /b\r\nContent-Length: 300000000\r\n\r\n")
        for _ in range(300):
            peer.say(bytes(1_000_000))
        return False

    loop = "redirect_loop"
    hop = Row("/", status=302)
    return [
        Origin(71, "to itself", paths({"/": moved(b"/")}), (Row("/", "failed", loop, 1, 302, loop),)),
        Origin(72, "31 hops", paths(chain), (*hops, too_far)),
        Origin(73, "back and forth, with new cookies", paths(circle), (hop, Row("/b", "failed", loop, 1, 302, loop))),
        Origin(76, "latin-1", paths({"/": moved(b"/caf\xe9"), "/caf%E9": GOOD}), (hop, Row("/caf%E9"))),
        Origin(78, "to a private address", paths({"/": moved(b"{closed}/")}), (hop, skipped("{closed}/", "blocked_addr")), robots=((None, 1), ("blocked_addr", 1))),
        Origin(80, "a huge body", conversation(huge), (hop, Row("/b"))),
        Origin(82, "out of scope", paths({"/": page, "/away": moved(b"http://elsewhere.test/")}),
               (Row("/"), Row("/away", status=302), skipped("http://elsewhere.test/", "scope"))),
        Origin(83, "to what robots.txt forbids", paths({"/": moved(b"/no")}, rules), (hop, skipped("/no", "robots"))),
        Origin(84, "https to http", paths({"/": moved(b"{plain}/")}), (hop, Row("{plain}/")), robots=((None, 2),), context=certificates.good),
        Origin(85, "60 KB of Location", paths({"/": moved(far)}), (hop, skipped("/" + "x" * 200, "url_too_long"))),
    ]  # fmt: skip


def bombs() -> list[Origin]:
    """Case 86, 96 and 97: 1 GiB of nothing, packed in every way."""
    too_large = failed("too_large", truncated="length")
    members = gzip.compress(bytes(16 * MIB)) * 64
    twice = gzip.compress(members)
    listing = b'<?xml version="1.0"?><urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"></urlset>'
    packed = gzip.compress(listing)
    return [
        Origin(86, "1 GiB of gzip", once(raw.coded(b"gzip", members)), too_large),
        Origin(86, "1 GiB of brotli", once(raw.coded(b"br", brotli.compress(bytes(64 * MIB)))), too_large),
        Origin(86, "1 GiB of zstd", once(raw.coded(b"zstd", zstd.compress(bytes(16 * MIB)) * 64)), too_large),
        Origin(96, "1 GiB of gzip in gzip", once(raw.coded(b"gzip, gzip", twice)), too_large),
        Origin(97, "xml.gz with Content-Encoding", paths({"/a.xml.gz": raw.coded(b"gzip", packed)}), (Row("/a.xml.gz"),), ("/a.xml.gz",)),
        Origin(97, "xml.gz packed once more", paths({"/a.xml.gz": raw.coded(b"gzip", gzip.compress(packed))}), (Row("/a.xml.gz"),), ("/a.xml.gz",)),
    ]  # fmt: skip


def all_origins(folder: Path) -> tuple[Origin, ...]:
    """Every case."""
    return (
        *names(),
        *connections(),
        *secured(folder),
        *answers(),
        *drips(),
        *heads(),
        *redirects(),
        *bombs(),
    )
