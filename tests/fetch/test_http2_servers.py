"""Which version of HTTP is spoken, and with which servers?"""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from gevent import subprocess
from warcio.archiveiterator import ArchiveIterator

from crawler.config import Config, Http2, LoginConfig, SiteConfig, load
from crawler.config.sections import Proof, Secret
from crawler.fetch import Fetcher, tls
from crawler.model import Form, LoginStep
from crawler.policy.sites import Sites
from crawler.policy.urls import resolve
from tests.crawls import crawl, rows
from tests.fetch.certificates import CA, good
from tests.fetch.http2_stage import answering, asked, fetched, hi, limits, speaks
from tests.fetch.raw_http2 import goaway, reset
from tests.fetch.stage import Recorded, job, ok, serving, stage
from tests.patience import until
from tests.sites.nginx import serve_folder
from tests.sites.proxies import microsocks, tinyproxy
from tests.sites.skip import ROOT, require_program
from tests.sites.web import Web
from tests.terminal import Terminal

# Which version


@pytest.mark.parametrize(
    ("http2", "knows", "version", "error"),
    [
        ("never", ("h2", "http/1.1"), "1.1", None),
        ("never", ("http/1.1",), "1.1", None),
        ("never", (), "1.1", None),
        ("auto", ("h2", "http/1.1"), "2", None),
        ("auto", ("h2",), "2", None),
        ("auto", ("http/1.1",), "1.1", None),
        ("auto", (), "1.1", None),
        ("always", ("h2", "http/1.1"), "2", None),
        ("always", ("http/1.1",), None, "tls_proto"),
        ("always", (), None, "tls_proto"),
    ],
)
def test_what_is_spoken_is_what_both_sides_want(
    http2: Http2, knows: tuple[str, ...], version: str | None, error: str | None, authority: str
) -> None:
    def play(peer: Recorded) -> None:
        if peer.sock.selected_alpn_protocol() == "h2":
            answering(hi)(peer)
        else:
            serving(ok(b"hi"))(peer)

    context = speaks(*knows) if knows else good("127.0.0.1")
    with stage(play, context=context) as server:
        reply = asked(server, authority, limits(http2))
    assert (reply.http_version, reply.error) == (version, error), reply.error_detail
    if error:
        assert "fetch.http2" in str(reply.error_detail)


def test_plain_http_is_http_1_1(authority: str) -> None:
    with stage(serving(ok(b"hi"))) as server:
        reply = asked(server, authority, limits("always"))
    assert (reply.http_version, reply.body) == ("1.1", b"hi")


@pytest.mark.parametrize("code", [12, 13])
@pytest.mark.parametrize(
    "refusal", [lambda n, code: reset(code, n), lambda n, code: goaway(0, code)]
)
def test_a_server_that_wants_http_1_1_after_all_gets_it_from_then_on(
    refusal: Callable[[int, int], bytes], code: int, authority: str
) -> None:
    spoken: list[str] = []

    def play(peer: Recorded) -> None:
        spoken.append(peer.sock.selected_alpn_protocol())
        if spoken[-1] == "h2":
            answering(lambda n: refusal(n, code))(peer)
        else:
            serving(ok(b"hi"))(peer)

    with stage(play, context=speaks("h2", "http/1.1")) as server:
        replies, stats = fetched(server, authority, 3, limits())
    assert [(reply.http_version, reply.body) for reply in replies] == [("1.1", b"hi")] * 3
    assert spoken == ["h2", "http/1.1"]
    assert stats.in_use == 0


def test_a_server_that_wants_http_1_1_gets_none_where_it_is_ruled_out(authority: str) -> None:
    with stage(answering(lambda n: reset(13, n)), context=speaks("h2", "http/1.1")) as server:
        reply = asked(server, authority, limits("always"))
    assert (reply.error, server.connections) == ("conn_reset", 1)
    assert "HTTP_1_1_REQUIRED" in str(reply.error_detail)


def test_a_server_that_refuses_http_1_1_is_told_of_by_the_setting(tmp_path: Path) -> None:
    """OpenSSL's own server, which breaks the handshake off where Python's would go on."""
    program = require_program("openssl", "apt-get install openssl")
    certificate = CA.issue_cert("127.0.0.1")
    pem = tmp_path / "own.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(str(pem))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [program, "s_server", "-accept", f"127.0.0.1:{port}", "-cert", pem, "-alpn", "h2"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    try:
        until(lambda: _answers(port))
        one = Fetcher(limits("never"), verify=False)
        reply = one.fetch(job(f"https://127.0.0.1:{port}/"))
        one.close()
    finally:
        process.kill()
        process.wait()
    assert reply.error == "tls_proto"
    assert "fetch.http2" in str(reply.error_detail)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


# Real servers


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The key and certificate of a server."""
    made = tmp_path_factory.mktemp("pem") / "server.pem"
    CA.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(str(made))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Some pages, and what is long."""
    site = tmp_path / "site"
    site.mkdir()
    links = "".join(f'<a href="/{n}.html">{n}</a>' for n in range(30))
    for n in range(30):
        (site / f"{n}.html").write_text(f"<title>{n}</title>{links}" + "x" * 700 * n)
    (site / "index.html").write_text(f"<title>all</title>{links}<a href=/gone.html>x</a>")
    (site / "long.txt").write_bytes(bytes(range(256)) * 20_000)
    return site


def test_nginx_is_understood(folder: Path, pem: Path, authority: str) -> None:
    gzip = "gzip on; gzip_min_length 1; gzip_types *;"
    config = msgspec.structs.replace(limits(), max_body_bytes=10_000_000)
    with serve_folder(folder, pem=pem, inside_server=gzip) as nginx:
        one = Fetcher(config, verify=authority)
        page = one.fetch(job(nginx.url("/29.html")))
        long = one.fetch(job(nginx.url("/long.txt")))
        gone = one.fetch(job(nginx.url("/gone")))
        headers = dict(page.headers)
        same = one.fetch(job(nginx.url("/29.html"), last_modified=headers["last-modified"]))
        asked = one.fetch(job(nginx.url("/29.html"), method="HEAD"))
        stats = one.stats().transport
        one.close()
    assert page.body == (folder / "29.html").read_bytes()
    assert (headers["content-encoding"], page.http_version) == ("gzip", "2")
    assert long.body == (folder / "long.txt").read_bytes()
    assert [reply.status for reply in (gone, same, asked)] == [404, 304, 200]
    assert (stats.opened, stats.in_use, stats.stale) == (1, 0, 0)


@pytest.mark.parametrize(("size", "version"), [(10, "2.0"), (40_000, "2.0"), (90_000, "1.1")])
def test_a_form_is_sent_and_one_too_large_for_http2_by_http_1_1(
    folder: Path, pem: Path, authority: str, size: int, version: str
) -> None:
    echo = (
        "location = /in { return 200 "
        '"$request_method $content_length $server_protocol $connection_requests"; }'
    )
    fields = {"user": Secret("u" * (size - len("user=")))}
    login = LoginConfig("https://127.0.0.1/in", fields, Proof("in"))
    with serve_folder(folder, pem=pem, inside_server=echo) as nginx:
        site = nginx.url("").rstrip("/")
        sites = Sites(Config(fetch=limits(), site={site: SiteConfig(login=login)}))
        one = Fetcher(limits(), verify=authority, sites=sites)
        form = Form(resolve(nginx.url("/in"))[0], nginx.url("/in"), ())
        step = LoginStep(site, form)
        one.fetch(job(nginx.url("/29.html")))
        sent = one.fetch(job(nginx.url("/in"), kind="login", method="POST", login=step))
        one.close()
    # On a connection of its own.
    assert sent.body.decode() == f"POST {size} HTTP/{version} 1", sent.error_detail


def test_a_server_that_ends_a_connection_after_some_answers_loses_none(
    folder: Path, pem: Path, authority: str
) -> None:
    """It says goodbye before its last answer, not behind it."""
    few = "keepalive_requests 3;"
    with serve_folder(folder, pem=pem, inside_server=few) as nginx:
        one = Fetcher(limits(), verify=authority)
        replies = [one.fetch(job(nginx.url(f"/{n}.html"))) for n in range(20)]
        stats = one.stats().transport
        one.close()
        hits = len(nginx.hits())
    assert [len(reply.body) for reply in replies] == [
        (folder / f"{n}.html").stat().st_size for n in range(20)
    ]
    assert (hits, stats.stale) == (20, 0)
    assert 5 <= stats.opened <= 10


@pytest.mark.parametrize("server", [tinyproxy, microsocks])
def test_it_is_spoken_through_proxies(
    server: Callable[..., Any], folder: Path, pem: Path, authority: str
) -> None:
    with serve_folder(folder, pem=pem) as nginx, server() as proxy:
        config = msgspec.structs.replace(limits("always"), proxy=(Secret(proxy.url()),))
        one = Fetcher(config, verify=authority)
        replies = [one.fetch(job(nginx.url(f"/{n}.html"))) for n in range(3)]
        stats = one.stats().transport
        one.close()
    assert [(reply.status, reply.http_version) for reply in replies] == [(200, "2")] * 3
    assert stats.opened == 1


VERSIONS = "SELECT DISTINCT http_version FROM visits WHERE kind = 'page'"
PAGES = "SELECT url, status, title, text_hash FROM pages ORDER BY url"


def test_a_crawl_finds_the_same_by_either_version(
    tmp_path: Path, folder: Path, pem: Path, authority: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", authority)
    tls.context.cache_clear()
    found = {}
    with serve_folder(folder, pem=pem) as nginx:
        for http2, version in (("never", "1.1"), ("auto", "2"), ("always", "2")):
            database = tmp_path / f"{http2}.db"
            said = load(None, [f"fetch.http2={http2}"])
            crawl(database, nginx.url("/"), settings=said)
            assert rows(database, VERSIONS) == [(version,)]
            found[http2] = rows(database, PAGES)
        one = tmp_path / "site.db"
        crawl(one, nginx.url("/"), settings=load(None, ['site."127.0.0.1".http2="always"']))
        assert rows(one, VERSIONS) == [("2",)]
    assert len(found["never"]) == 32
    assert found["never"] == found["auto"] == found["always"]


def test_an_archive_says_it_in_the_words_of_http_1_1_and_remembers_what_was_spoken(
    tmp_path: Path, folder: Path, pem: Path, authority: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", authority)
    tls.context.cache_clear()
    database, archive, again = (tmp_path / name for name in ("a.db", "a.warc.gz", "b.db"))
    terminal = Terminal(tmp_path)
    with serve_folder(folder, pem=pem) as nginx:
        crawl(database, nginx.url("/"), settings=load(None, ["fetch.http2=always"]))
    assert terminal("export", "warc", "--db", str(database), "--out", str(archive)).code == 0
    with archive.open("rb") as stream:
        told = [
            (
                record.rec_type,
                record.rec_headers.get_header("WARC-Protocol"),
                record.http_headers.statusline
                if record.rec_type == "request"
                else record.http_headers.protocol,
            )
            for record in ArchiveIterator(stream)
            if record.rec_type in ("request", "response")
        ]
    assert len(told) > 60
    assert {protocol for _, protocol, _ in told} == {"h2"}
    assert {line.rpartition(" ")[2] for _, _, line in told} == {"HTTP/1.1"}
    assert terminal("import", str(archive), "--db", str(again)).code == 0
    assert rows(again, VERSIONS) == [("2",)]
    assert rows(again, PAGES) == rows(database, PAGES)


WITHOUT = "import sys; sys.modules['hpack'] = None; from crawler.__main__ import main; main()"


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ("fetch.http2=auto", "fetch.http2"),
        ('site."example.org".http2="always"', 'site."example.org".http2'),
    ],
)
def test_who_asks_for_what_is_not_installed_is_told_what_to_install(
    said: str, where: str, tmp_path: Path
) -> None:
    database = tmp_path / "a.db"
    words = ["crawl", "https://example.org/", "--set", said, "--db", str(database)]
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT, *words], cwd=ROOT, stderr=subprocess.PIPE, text=True
    )
    assert ran.returncode == 2
    assert f"crawler: {where}: " in ran.stderr
    assert "pip install 'crawler[http2]'" in ran.stderr
    assert not database.exists()


def test_nothing_of_it_is_loaded_where_it_is_not_spoken(web: Web) -> None:
    web.page("/")
    program = (
        "import crawler._patch, sys; from tests.fetch.stage import fetch;"
        f"assert fetch({web.url('/')!r}).status == 200;"
        "print([name for name in sys.modules if name.startswith(('hpack', 'crawler.fetch.http2'))])"
    )
    command = [sys.executable, "-c", program]
    told = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True).stdout
    assert told.strip() == "[]"
