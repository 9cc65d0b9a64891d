"""Does a crawl go through the proxies that it was told of, and no secret past them?"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from pathlib import Path

import gevent
import msgspec
import pytest

from crawler.config import Config, FetchConfig, load
from crawler.config.proxy import Proxy, proxy_of, without_password
from crawler.config.sections import Secret
from crawler.errors import UsageError
from crawler.fetch import Fetcher, tls
from crawler.fetch.proxies import REST_S, Turns
from crawler.model import Reply
from tests.crawls import crawl, rows
from tests.fetch.certificates import CA, good
from tests.fetch.stage import PATIENT, QUICK, Recorded, job, ok, serving, stage
from tests.sites.proxies import microsocks, tinyproxy
from tests.sites.server import Answer
from tests.sites.web import Web

USER, PASSWORD = "ann", "pr0xy-pass"
SHORT = ["robots.sitemaps=false", "pace.retry_base_s=0.02"]


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """Another web on loopback, over TLS, whose authority is believed."""
    path = tmp_path / "ca.pem"
    CA.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    tls.context.cache_clear()
    served = Web(good("127.0.0.1", "localhost"))
    yield served
    served.close()
    tls.context.cache_clear()


def through(*proxies: str, base: FetchConfig = PATIENT) -> FetchConfig:
    """Limits, and proxies that take turns."""
    return msgspec.structs.replace(base, proxy=tuple(Secret(one) for one in proxies))


def asked(url: str, config: FetchConfig, **fields: object) -> Reply:
    """One fetch, where every name that is asked for here is a fault."""

    def nobody(name: str) -> list[str]:
        assert name == "127.0.0.1", f"{name} was asked for here"
        return [name]

    one = Fetcher(config, ask=nobody)
    try:
        return one.fetch(job(url, **fields))
    finally:
        one.close()


def settings(*overrides: str) -> Config:
    return load(None, [*SHORT, *overrides])


# Real proxies


def test_pages_come_through_an_http_proxy(tmp_path: Path, web: Web, secure: Web) -> None:
    web.page("/", links=["/a", secure.url("/")])
    web.page("/a")
    secure.page("/")
    with tinyproxy() as proxy:
        said = settings(f"fetch.proxy={proxy.url()}")
        crawl(tmp_path / "a.db", web.url("/"), secure.url("/"), settings=said)
        told = proxy.told()
    assert (sorted(web.paths), sorted(secure.paths)) == (["/", "/a", "/robots.txt"],
                                                         ["/", "/robots.txt"])  # fmt: skip
    assert all("tinyproxy" in hit.headers["via"] for hit in web.log)
    assert f"CONNECT 127.0.0.1:{secure.port}" in told
    assert {status for (status,) in rows(tmp_path / "a.db", "SELECT status FROM pages")} == {200}


@pytest.mark.parametrize("server", [tinyproxy, microsocks])
def test_a_proxy_that_asks_for_a_password_gets_it_and_no_site_does(
    tmp_path: Path, web: Web, secure: Web, server: Callable[..., object]
) -> None:
    """Scrapy GHSA-jm3v-qxmh-hxwv, requests CVE-2023-32681, urllib3 GHSA-qccp-gfcp-xxvc."""
    web.redirect("/", secure.url("/a"))
    secure.redirect("/a", web.url("/b"))
    web.page("/b")
    with server(USER, PASSWORD) as proxy:  # type: ignore[attr-defined]
        said = settings(f"fetch.proxy={proxy.url(f'{USER}:{PASSWORD}')}")
        crawl(tmp_path / "a.db", web.url("/"), secure.url("/robots.txt"), settings=said)
    assert {"/", "/b"} <= set(web.paths)
    assert "/a" in secure.paths
    for hit in [*web.log, *secure.log]:
        assert not [name for name in hit.headers if name.startswith("proxy-")]
    secret = base64.b64encode(f"{USER}:{PASSWORD}".encode())
    for file in tmp_path.glob("a.db*"):
        assert PASSWORD.encode() not in file.read_bytes()
        assert secret not in file.read_bytes()


@pytest.mark.parametrize(
    ("server", "userinfo", "scheme"),
    [
        (tinyproxy, "", "http"),  # a wrong password it answers with 401, as a site would
        (tinyproxy, "", "https"),
        (tinyproxy, "ann:wr0ng-pass", "https"),
        *((microsocks, userinfo, "http") for userinfo in ("", "ann:wr0ng-pass")),
        (microsocks, "ann:wr0ng-pass", "https"),
    ],
)
def test_a_proxy_that_lets_nobody_in_is_told_by_its_name_alone(
    web: Web, secure: Web, server: Callable[..., object], userinfo: str, scheme: str
) -> None:
    site = web if scheme == "http" else secure
    with server(USER, PASSWORD) as proxy:  # type: ignore[attr-defined]
        reply = asked(site.url("/"), through(proxy.url(userinfo)))
    assert (reply.status, reply.error) == (None, "proxy_failed")
    assert str(reply.error_detail).startswith(f"proxy {proxy.url()}: ")
    assert "wr0ng" not in str(reply.error_detail)
    assert site.log == []


@pytest.mark.parametrize("server", [tinyproxy, microsocks])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_names_are_asked_for_by_the_proxy(
    web: Web, secure: Web, server: Callable[..., object], scheme: str
) -> None:
    site = web if scheme == "http" else secure
    site.page("/")
    with server() as proxy:  # type: ignore[attr-defined]
        reply = asked(f"{scheme}://localhost:{site.port}/", through(proxy.url()))
    assert (reply.status, reply.ip, reply.dns_ms) == (200, None, None)
    assert [hit.host for hit in site.log] == [f"localhost:{site.port}"]


def test_what_a_socks_proxy_says_of_a_host_is_the_hosts_failure(web: Web) -> None:
    web.shut(web)
    with microsocks() as proxy:
        reply = asked(web.url("/"), through(proxy.url()))
    assert reply.error == "connect_refused"


def test_one_site_has_a_proxy_and_others_have_none(tmp_path: Path, web: Web) -> None:
    """aiohttp PYSEC-2026-2100: the proxy is chosen anew for each hop."""
    other = web.host("127.0.7.1")
    web.redirect("/", other.url("/a"))
    other.redirect("/a", web.url("/b"))
    web.page("/b")
    with tinyproxy() as proxy:
        said = settings(
            f'site."{web.url("")}".proxy="{proxy.url()}"', 'scope.allow_private=["127.0.7.1"]'
        )
        crawl(tmp_path / "a.db", web.url("/"), settings=said)
    assert web.paths == ["/robots.txt", "/", "/b"]
    assert all("via" in hit.headers for hit in web.log)
    assert other.paths
    assert not any("via" in hit.headers for hit in other.log)


def test_one_site_has_none_where_others_have_one(tmp_path: Path, web: Web) -> None:
    web.page("/")
    said = settings("fetch.proxy=http://127.0.0.1:9", f'site."{web.address}".proxy="direct"')
    crawl(tmp_path / "a.db", web.url("/"), settings=said)
    assert web.paths == ["/robots.txt", "/"]


def test_the_environment_names_a_proxy_only_where_it_is_asked(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    web.page("/")
    with tinyproxy() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url())
        monkeypatch.setenv("no_proxy", "")
        asked(web.url("/"), PATIENT)
        asked(web.url("/"), through("env"))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        asked(web.url("/"), through("env"))
        monkeypatch.delenv("no_proxy")
        monkeypatch.delenv("http_proxy")
        monkeypatch.setenv("all_proxy", proxy.url())
        asked(web.url("/"), through("env"))
    assert ["via" in hit.headers for hit in web.log] == [False, True, False, True]


@pytest.mark.parametrize(
    "written", ["https://ann:pr0xy-pass@127.0.0.1:9", "socks4://127.0.0.1:9", "127.0.0.1:99999"]
)
@pytest.mark.parametrize("name", ["http_proxy", "ALL_PROXY"])
def test_what_the_environment_names_and_is_no_proxy_is_no_fault_of_a_site(
    web: Web, monkeypatch: pytest.MonkeyPatch, written: str, name: str
) -> None:
    monkeypatch.setenv(name, written)
    reply = asked(web.url("/"), through("env"))
    assert (reply.error, web.log) == ("proxy_failed", [])
    assert reply.error_detail == (
        "what the environment names for http: expected http://HOST:PORT or socks5://HOST:PORT"
    )


# Turns


def test_proxies_take_turns_and_one_that_fails_rests() -> None:
    now = [0.0]
    one, two, three = (Proxy("http", name, 1) for name in ("one", "two", "three"))
    turns = Turns([one, two, three], lambda: now[0])
    assert [turns.take() for _ in range(4)] == [one, two, three, one]
    turns.rest(two)
    assert [turns.take() for _ in range(4)] == [three, one, three, one]
    turns.rest(one)
    now[0] = 1.0
    turns.rest(three)
    assert turns.take() == two  # all rest; this one has rested longest
    now[0] = REST_S
    assert {turns.take(), turns.take()} == {one, two}


def test_where_one_proxy_is_dead_another_is_asked_at_once(tmp_path: Path, web: Web) -> None:
    web.page("/", links=["/a", "/b"])
    web.page("/a")
    web.page("/b")
    with tinyproxy() as proxy:
        said = settings(
            f'fetch.proxy=["http://127.0.0.1:9", "{proxy.url()}"]', "pace.retry_base_s=600"
        )
        crawl(tmp_path / "a.db", web.url("/"), settings=said)
    assert sorted(web.paths) == ["/", "/a", "/b", "/robots.txt"]
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM visits WHERE error IS NOT NULL") == [(0,)]


def test_dead_proxies_park_no_host(tmp_path: Path, web: Web) -> None:
    web.page("/")
    said = settings("fetch.proxy=http://127.0.0.1:9", "pace.park_after=1", "robots.obey=false")
    crawl(tmp_path / "a.db", web.url("/"), settings=said)
    assert web.paths == []
    assert rows(tmp_path / "a.db", "SELECT state, reason, attempts FROM urls") == [
        ("failed", "proxy_failed", 3)
    ]
    assert rows(tmp_path / "a.db", "SELECT block_reason FROM hosts") == [(None,)]


# What is refused


@pytest.mark.parametrize(
    "url",
    [
        *("http://127.0.0.1/", "http://2130706433/", "http://[::1]/", "http://[::ffff:127.0.0.1]/"),
        *(
            "http://169.254.169.254/",
            "http://10.0.0.1/",
            "http://localhost/",
            "https://a.localhost/",
        ),
    ],
)
def test_what_says_by_itself_that_it_is_private_is_refused_before_a_proxy_hears_of_it(
    url: str,
) -> None:
    """crawl4ai CVE-2026-53755."""
    from crawler.policy import urls

    target, _ = urls.resolve(url)
    with stage(serving(ok(b"secret"))) as proxy:
        reply = asked(target.url, through(f"http://127.0.0.1:{proxy.port}"), private_ok=False)
        assert (reply.error, proxy.connections) == ("blocked_addr", 0)


def test_a_site_behind_a_proxy_on_ones_own_network_is_paced_as_the_public_one_that_it_is(
    tmp_path: Path, web: Web
) -> None:
    web.answer("http://pub.example/robots.txt", Answer(404))
    web.answer("http://pub.example/", Answer(body=b"<title>a</title>"))
    said = settings(f"fetch.proxy=http://127.0.0.1:{web.port}")
    crawl(tmp_path / "a.db", "http://pub.example/", settings=said)
    assert web.paths == ["http://pub.example/robots.txt", "http://pub.example/"]
    assert rows(tmp_path / "a.db", "SELECT ip, delay_ms FROM hosts") == [(None, 500)]
    assert rows(tmp_path / "a.db", "SELECT DISTINCT ip FROM visits") == [(None,)]


def saying(*answers: bytes) -> Callable[[Recorded], None]:
    """A proxy that answers each thing that it hears with the next of these."""

    def play(peer: Recorded) -> None:
        for answer in answers:
            peer.sock.recv(65536)
            peer.say(answer)
        peer.sock.recv(65536)

    return play


TUNNEL = {
    "closes": b"",
    "speaks no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "says 403": b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
    "says 407": b"HTTP/1.1 407 Password\r\n\r\n",
    "redirects": b"HTTP/1.1 302 There\r\nLocation: http://a.test/\r\n\r\n",
    "says 502": b"HTTP/1.0 502 No\r\n\r\n<html>",
    "has a head without end": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 20_000,
    "says more than asked": b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n<html>",
    "says back what it was told": b"HTTP/1.1 200 OK\r\nProxy-Authorization Basic dTpodXNo\r\n\r\n",
    "says nothing else": b"Proxy-Authorization: Basic dTpodXNo\r\n\r\n",
    "controls the terminal": b"HTTP/1.1 407 \x1b[2J\r\n\r\n",
}


@pytest.mark.parametrize("answer", TUNNEL.values(), ids=TUNNEL)
def test_an_http_proxy_that_opens_no_way_is_told(answer: bytes) -> None:
    with stage(saying(answer) if answer else lambda peer: None) as proxy:
        config = through(f"http://u:hush@127.0.0.1:{proxy.port}")
        reply = asked("https://a.test/", config, private_ok=False)
    assert (reply.status, reply.error) == (None, "proxy_failed")
    assert str(reply.error_detail).isprintable()
    for secret in ("hush", "dTpodXNo"):
        assert secret not in str(reply.error_detail)


SOCKS = {
    "closes": ((), "proxy_failed"),
    "speaks HTTP": ((b"HTTP/1.1 400 Bad\r\n\r\n",), "proxy_failed"),
    "takes no method": ((b"\x05\xff",), "proxy_failed"),
    "wants a password": ((b"\x05\x02",), "proxy_failed"),
    "is SOCKS4": ((b"\x04\x00",), "proxy_failed"),
    "has a rule against it": ((b"\x05\x00", b"\x05\x02\x00\x01\0\0\0\0\0\0"), "proxy_failed"),
    "failed": ((b"\x05\x00", b"\x05\x01\x00\x01\0\0\0\0\0\0"), "proxy_failed"),
    "cannot reach the host": ((b"\x05\x00", b"\x05\x04\x00\x01\0\0\0\0\0\0"), "connect_refused"),
    "was refused": ((b"\x05\x00", b"\x05\x05\x00\x01\0\0\0\0\0\0"), "connect_refused"),
    "was refused in few words": ((b"\x05\x00", b"\x05\x05\x00\x01"), "connect_refused"),
    "waited in vain": ((b"\x05\x00", b"\x05\x06\x00\x01\0\0\0\0\0\0"), "connect_timeout"),
    "says nonsense": ((b"\x05\x00", b"\x05\x63\x00\x09\0\0"), "proxy_failed"),
}


@pytest.mark.parametrize(("answers", "word"), SOCKS.values(), ids=SOCKS)
def test_a_socks_proxy_that_opens_no_way_is_told(answers: tuple[bytes, ...], word: str) -> None:
    with stage(saying(*answers) if answers else lambda peer: None) as proxy:
        reply = asked("http://a.test/", through(f"socks5://127.0.0.1:{proxy.port}"))
    assert (reply.status, reply.error) == (None, word)


@pytest.mark.parametrize(
    "way",
    [b"\1\x7f\0\0\1\0\x50", b"\4" + bytes(16) + b"\0\x50", b"\3\6a.test\0\x50", b"\3\0\0\x50"],
)
def test_what_a_socks_proxy_says_may_come_in_pieces(way: bytes) -> None:
    def play(peer: Recorded) -> None:
        for answer in (b"\5\2", b"\1\0", b"\5\0\0" + way):
            peer.sock.recv(65536)
            for at in range(len(answer)):
                peer.say(answer[at : at + 1])
                gevent.sleep(0.005)
        peer.request()
        peer.say(ok(b"hi"))

    with stage(play) as proxy:
        reply = asked("http://a.test/", through(f"socks5://u:p@127.0.0.1:{proxy.port}"))
    assert (reply.body, reply.error_detail) == (b"hi", None)


def test_a_socks_proxy_that_says_half_is_waited_for_no_longer_than_any_silence() -> None:
    with stage(saying(b"\x05\x00", b"\x05")) as proxy:
        reply = asked("http://a.test/", through(f"socks5://127.0.0.1:{proxy.port}", base=QUICK))
    assert (reply.status, reply.error) == (None, "proxy_failed")


@pytest.mark.parametrize("kind", ["http", "socks5"])
def test_a_proxy_that_falls_silent_costs_no_more_than_any_site(kind: str) -> None:
    with stage(lambda peer: peer.sock.recv(65536) and peer.sock.recv(65536)) as proxy:
        config = through(f"{kind}://127.0.0.1:{proxy.port}", base=QUICK)
        reply = asked("https://a.test/", config)
    assert reply.error in ("proxy_failed", "timeout_total")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("http://p.test", Proxy("http", "p.test", 3128)),
        ("p.test:8080", Proxy("http", "p.test", 8080)),
        ("http://p.test:80/", Proxy("http", "p.test", 80)),
        ("socks5://p.test", Proxy("socks5", "p.test", 1080)),
        ("socks5h://P.test:9", Proxy("socks5", "p.test", 9)),
        ("http://a%40b:c%3A%2Fd@[::1]:8", Proxy("http", "[::1]", 8, "a@b", "c:/d")),
    ],
)
def test_a_proxys_address_is_read(written: str, meant: Proxy) -> None:
    assert proxy_of(written) == meant


@pytest.mark.parametrize(
    "written",
    [
        *("", "https://p.test", "socks4://p.test", "ftp://u:hush@p.test", "http://", "http://p q"),
        *("http://p.test/path", "http://u:hush@p.test:99999", "http://u:hush%0D%0A@p.test"),
    ],
)
def test_what_is_no_proxy_is_refused_and_not_repeated(written: str) -> None:
    for key in ("fetch.proxy", 'site."a.test".proxy'):
        with pytest.raises(UsageError) as caught:
            load(None, [f'{key}=["{written}"]'])
        message = str(caught.value)
        assert message.startswith("--set: ")
        assert "proxy: " in message
        assert "hush" not in message
        assert "\n" not in message


def test_an_address_is_shown_without_its_password() -> None:
    assert without_password("http://u:p@h@host:1") == "http://***@host:1"
    assert without_password("u:p@host:1") == "***@host:1"
    assert without_password("http://host:1") == "http://host:1"
