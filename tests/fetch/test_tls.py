"""Is every doubtful certificate refused, and told why?"""

from __future__ import annotations

import datetime
import ssl
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
import trustme
from gevent.ssl import SSLContext

from crawler.fetch import Fetcher, tls
from crawler.model import Reply
from tests.crawls import config, crawl, rows
from tests.fetch.certificates import (
    CA,
    expired,
    good,
    of_a_stranger,
    old_tls,
    only,
    until,
    with_nul,
    without_intermediate,
)
from tests.fetch.stage import QUICK, Play, Recorded, fetch, fetcher, job, ok, serving, stage


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = tmp_path_factory.mktemp("tls") / "ca.pem"
    CA.cert_pem.write_to_path(str(path))
    yield str(path)
    tls.context.cache_clear()


def asked(
    context: SSLContext | None,
    authorities: str | bool,
    host: str = "good.test",
    play: Play | None = None,
) -> tuple[Reply, int]:
    """What a fetch of https://host/ came to, and how many requests the server saw."""
    one = Fetcher(QUICK, verify=authorities, ask=lambda name: ["127.0.0.1"])
    with stage(play or serving(ok(b"hello")), context=context) as server:
        reply = one.fetch(job(f"https://{host}:{server.port}/"))
    one.close()
    return reply, len(server.requests)


@pytest.mark.parametrize("host", ["good.test", "good.test.", "www.good.test", "127.0.0.1"])
def test_a_good_certificate_is_believed(authorities: str, host: str) -> None:
    reply, _ = asked(good("good.test", "*.good.test", "127.0.0.1"), authorities, host)
    assert (reply.status, reply.error, reply.body) == (200, None, b"hello"), reply.error_detail
    assert reply.tls_ms is not None


def test_a_certificate_of_an_unknown_authority_is_refused(authorities: str) -> None:
    """Case 23."""
    reply, requests = asked(of_a_stranger("good.test"), authorities)
    assert (reply.status, reply.error, requests) == (None, "tls_verify", 0)
    detail = str(reply.error_detail)
    assert "names: good.test" in detail
    assert "Testing CA" in detail
    assert "valid until" in detail


def test_an_expired_certificate_is_refused_and_its_date_told(authorities: str) -> None:
    """Case 24."""
    reply, requests = asked(expired("good.test"), authorities)
    assert (reply.error, requests) == ("tls_verify", 0)
    assert "expired" in str(reply.error_detail)
    assert "Jan  2 00:00:00 2020" in str(reply.error_detail)


def test_a_certificate_for_another_name_is_refused(authorities: str) -> None:
    """Case 25."""
    reply, requests = asked(good("other.test"), authorities)
    assert (reply.error, requests) == ("tls_verify", 0)
    assert "names: other.test" in str(reply.error_detail)


def test_a_missing_intermediate_is_refused(authorities: str) -> None:
    """Case 29."""
    assert asked(without_intermediate("good.test"), authorities)[0].error == "tls_verify"


def test_a_nul_in_a_name_does_not_end_it(tmp_path: Path) -> None:
    """Case 31; its signer is trusted here, so that only the name can be what is refused."""
    context = with_nul("good.test", tmp_path)
    reply, requests = asked(context, str(tmp_path / "nul.pem"))
    assert (reply.error, requests) == ("tls_verify", 0)
    assert "\0" not in str(reply.error_detail)


def test_a_stalled_handshake_is_a_timeout(authorities: str) -> None:
    """Case 26."""
    reply, _ = asked(None, authorities, play=lambda peer: gevent.sleep(60))
    assert (reply.status, reply.error) == (None, "timeout")


def test_plain_http_where_tls_was_asked_for_is_told(authorities: str) -> None:
    """Case 27."""
    reply, _ = asked(None, authorities, play=lambda peer: peer.say(b"HTTP/1.1 400 Bad\r\n\r\n"))
    assert (reply.status, reply.error) == (None, "tls_proto")


def test_a_close_during_the_handshake_is_a_close(authorities: str) -> None:
    reply, _ = asked(None, authorities, play=lambda peer: peer.sock.recv(9999) and None)
    assert (reply.status, reply.error) == (None, "conn_closed")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1 is deprecated")
def test_tls_1_0_is_refused(authorities: str) -> None:
    """Case 28."""
    reply, requests = asked(old_tls("good.test"), authorities)
    assert (reply.error, requests) == ("tls_proto", 0)


@pytest.mark.parametrize("careful", [True, False])
@pytest.mark.parametrize(
    ("ciphers", "agreed"),
    [
        ("AES128-GCM-SHA256", "AES128-GCM-SHA256"),
        ("AES256-SHA256", "AES256-SHA256"),
        ("AES128-SHA", "AES128-SHA"),
        ("ECDHE-RSA-AES256-SHA", "ECDHE-RSA-AES256-SHA"),
        ("ECDHE-RSA-AES128-SHA256", "ECDHE-RSA-AES128-SHA256"),
        # A short prime is refused, so DHE is not offered to a server that has something else.
        ("DHE-RSA-AES128-GCM-SHA256:AES128-GCM-SHA256", "AES128-GCM-SHA256"),
        ("DHE-RSA-AES256-SHA:ECDHE-RSA-AES256-SHA:AES256-SHA", "ECDHE-RSA-AES256-SHA"),
    ],
)
def test_a_server_as_old_as_browsers_reach_is_read_and_told_to_be_weak(
    authorities: str, ciphers: str, agreed: str, careful: bool
) -> None:
    context = only("good.test", ciphers)
    reply, _ = asked(context, authorities if careful else False)
    assert (reply.status, reply.error, reply.body) == (200, None, b"hello"), reply.error_detail
    assert (reply.tls_version, reply.tls_cipher, reply.tls_weak) == ("TLSv1.2", agreed, True)


def test_a_server_without_secure_renegotiation_is_talked_to(authorities: str) -> None:
    """RFC 5746, section 4.1: what matters is that nobody renegotiates, and we never do."""
    answers: list[bytes] = []

    def play(peer: Recorded) -> None:
        peer.sock.recv(65536)
        peer.say(hello_without_extensions("good.test"))
        answers.append(peer.sock.recv(65536))

    asked(None, authorities, play=play)
    assert answers[0][:1] == b"\x16", "the client goes on with its key; 0x15 would be an alert"


def hello_without_extensions(name: str) -> bytes:
    """A server's first words in TLS 1.2 with AES128-SHA (RFC 5246, section 7.4)."""
    pem = CA.issue_cert(name, key_type=trustme.KeyType.RSA).cert_chain_pems[0].bytes()
    certificate = ssl.PEM_cert_to_DER_cert(pem.decode())
    one = len(certificate).to_bytes(3, "big") + certificate
    messages = (
        (2, b"\x03\x03" + bytes(32) + b"\x00" + b"\x00\x2f" + b"\x00"),
        (11, len(one).to_bytes(3, "big") + one),
        (14, b""),
    )
    said = b"".join(bytes([kind]) + len(body).to_bytes(3, "big") + body for kind, body in messages)
    return b"\x16\x03\x03" + len(said).to_bytes(2, "big") + said


@pytest.mark.parametrize(
    ("version", "cipher", "weak"),
    [
        # RFC 9325, sections 3.1.1, 4.1 and 4.2
        ("TLSv1.3", "TLS_AES_256_GCM_SHA384", False),
        ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256", False),
        ("TLSv1.3", "TLS_AES_128_CCM_8_SHA256", False),
        ("TLSv1.2", "ECDHE-RSA-AES128-GCM-SHA256", False),
        ("TLSv1.2", "ECDHE-ECDSA-CHACHA20-POLY1305", False),
        ("TLSv1.2", "ECDHE-ECDSA-AES128-CCM8", False),
        ("TLSv1.2", "ECDHE-RSA-AES256-SHA384", True),
        ("TLSv1.2", "ECDHE-RSA-AES256-SHA", True),
        ("TLSv1.2", "AES128-GCM-SHA256", True),
        ("TLSv1.2", "ECDHE-RSA-RC4-SHA", True),
        ("TLSv1.1", "ECDHE-RSA-AES128-SHA", True),
        ("TLSv1", "DES-CBC3-SHA", True),
    ],
)
def test_weak_is_what_the_best_practice_does_not_recommend(
    version: str, cipher: str, weak: bool
) -> None:
    assert tls.is_weak(version, cipher) is weak


def test_what_secures_a_kept_connection_is_told_each_time(authorities: str) -> None:
    with stage(serving(ok(b"hello")), context=good("127.0.0.1")) as server:
        one = fetcher(verify=authorities)
        replies = [one.fetch(job(server.url())) for _ in range(3)]
    assert [reply.tls_ms is None for reply in replies] == [False, True, True]
    told = {(reply.tls_version, reply.tls_weak, reply.ip, reply.http_version) for reply in replies}
    assert told == {("TLSv1.3", False, "127.0.0.1", "1.1")}
    assert {str(reply.tls_cipher)[:4] for reply in replies} == {"TLS_"}


def test_when_a_certificate_ends_is_told_by_the_visit_that_connected(authorities: str) -> None:
    end = datetime.datetime(2031, 5, 6, 7, 8, 9, tzinfo=datetime.UTC)
    with stage(serving(ok(b"hello")), context=until(end, "127.0.0.1")) as server:
        one = fetcher(verify=authorities)
        told = [one.fetch(job(server.url())).certificate_until for _ in range(2)]
    assert told == [int(end.timestamp()), None]


def test_of_a_certificate_that_nobody_verified_no_end_is_known() -> None:
    with stage(serving(ok(b"hello")), context=good("127.0.0.1")) as server:
        reply = fetcher(verify=False).fetch(job(server.url()))
    assert (reply.status, reply.certificate_until) == (200, None)


def test_weak_tls_is_a_question_that_one_can_ask_of_a_crawl(tmp_path: Path) -> None:
    """The page comes over the connection of robots.txt, and is told of like it."""
    page = ok(b"<title>old</title>", b"Content-Type: text/html")
    with stage(serving(page), context=only("127.0.0.1", "AES128-SHA")) as server:
        careless = config(fetch={"verify_tls": False})
        crawl(tmp_path / "crawl.db", server.url(), settings=careless)
    told = "SELECT kind, http_version, ip, tls_version, tls_cipher FROM visits WHERE tls_weak = 1"
    assert rows(tmp_path / "crawl.db", f"{told} ORDER BY id") == [
        ("robots", "1.1", "127.0.0.1", "TLSv1.2", "AES128-SHA"),
        ("page", "1.1", "127.0.0.1", "TLSv1.2", "AES128-SHA"),
    ]
    assert server.connections == 1


def test_without_tls_nothing_is_told_of_it() -> None:
    with stage(serving(ok(b"hello"))) as server:
        reply = fetch(server.url())
    assert (reply.tls_version, reply.tls_cipher, reply.tls_weak) == (None, None, None)


@pytest.mark.parametrize(
    ("head", "error", "truncated"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n", None, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", None, None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "conn_closed", "disconnect"),
    ],
)
def test_without_close_notify_the_length_decides(
    authorities: str, head: bytes, error: str | None, truncated: str | None
) -> None:
    """Case 30."""

    def play(peer: object) -> None:
        peer.request()
        peer.say(head + b"hello")
        peer.sock._sock.close()  # the socket under TLS, so that no notice is sent

    reply, _ = asked(good("good.test"), authorities, play=play)
    assert (reply.error, reply.truncated, reply.body) == (error, truncated, b"hello")


def test_an_insecure_fetcher_shares_nothing_with_a_secure_one(authorities: str) -> None:
    """requests GHSA-9wx4-h78v-vm56: one verify=False must not stick to a pool."""
    with stage(serving(ok(b"hello")), context=of_a_stranger("x.test")) as server:
        careless, careful = fetcher(verify=False), fetcher(verify=authorities)
        assert careless.fetch(job(server.url())).status == 200
        assert careful.fetch(job(server.url())).error == "tls_verify"
        assert careless.fetch(job(server.url())).connect_ms is None


def test_a_policy_has_one_context() -> None:
    """Loading the authorities costs 18 ms each time."""
    assert tls.context(True) is tls.context(True)
    assert tls.context(True) is not tls.context(False)


def test_a_kept_tls_connection_is_used_again(authorities: str) -> None:
    leaf = good("127.0.0.1")
    with stage(serving(ok(b"hello")), context=leaf) as server:
        one = fetcher(verify=authorities)
        for _ in range(3):
            assert one.fetch(job(server.url())).status == 200
    assert server.connections == 1


def test_authorities_of_the_persons_own_are_named_by_the_environment(
    authorities: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL's own word for it, for those behind an authority of their house."""
    monkeypatch.setenv("SSL_CERT_FILE", authorities)
    tls.context.cache_clear()
    assert asked(good("good.test"), True)[0].status == 200
    monkeypatch.delenv("SSL_CERT_FILE")
    tls.context.cache_clear()
    assert asked(good("good.test"), True)[0].error == "tls_verify"
