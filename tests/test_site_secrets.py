"""Does what is said to one site reach that site, and nobody else ever?

The advisories that gave each rule are named beside it.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import psutil
import pytest

from crawler.config import Config, load
from crawler.config.secrets import without_secrets
from crawler.errors import UsageError
from crawler.fetch import tls
from crawler.policy.sites import NamedOrigins, Sites
from tests.crawls import crawl, fates, rows
from tests.fetch.certificates import CA, good
from tests.patience import PATIENT_S, until
from tests.sites.skip import ROOT
from tests.sites.web import Host, Web

KEY, PASSWORD, TOKEN = "k3y-0f-header", "pass w\u00f6rd:1", "t0ken-of-bearer"
BASIC = "Basic " + base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
OURS = 'scope.allow_private=["127.0.0.0/8"]'
SHORT = [OURS, "robots.sitemaps=false", "pace.retry_base_s=0.02", "pace.tries=1"]
Written = Callable[[str], Path]


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """Writes a configuration file and gives its path."""

    def write(text: str) -> Path:
        path = tmp_path / "sites.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """Another web on loopback, over TLS, whose authority is believed."""
    path = tmp_path / "ca.pem"
    CA.cert_pem.write_to_path(str(path))
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    tls.context.cache_clear()
    served = Web(good("127.0.0.1"))
    yield served
    served.close()
    tls.context.cache_clear()


@pytest.fixture
def beside() -> Iterator[Web]:
    """Another web on another port of the same address."""
    served = Web()
    yield served
    served.close()


def with_secrets(name: str) -> str:
    """A configuration that says all of one site."""
    return f"""
[site."{name}"]
headers = {{ X-Key = "{KEY}", Accept-Language = "de" }}
basic = {{ user = "ann", password = "{PASSWORD}" }}
"""


def secrets_seen(headers: Mapping[str, str]) -> set[str]:
    """Which of the headers of one's own a request had."""
    return {name for name in ("x-key", "authorization", "cookie") if name in headers}


# Who gets it


@pytest.mark.parametrize("named", ["origin", "host", "beginning"])
def test_a_site_gets_what_is_said_to_it_with_its_robots_and_sitemap(
    tmp_path: Path, web: Web, written: Written, named: str
) -> None:
    web.page("/", links=["/a"])
    web.page("/a")
    web.raw("/sitemap.xml", headers={"Content-Type": "text/xml"}, body="<urlset/>")
    name = {"origin": web.url(""), "host": web.address, "beginning": web.url("/")}[named]
    config = load(written(with_secrets(name)), ["pace.tries=1"])
    crawl(tmp_path / "a.db", web.url("/"), settings=config)
    assert sorted(web.paths) == ["/", "/a", "/robots.txt", "/sitemap.xml"]
    for hit in web.log:
        assert (hit.headers["x-key"], hit.headers["authorization"]) == (KEY, BASIC)
        assert hit.headers["accept-language"] == "de"


def lead_everywhere(web: Web, others: list[Host]) -> None:
    """Links and redirects from one host to others and back, three hops long."""
    ways = [f"/to/{number}" for number in range(len(others))]
    web.page("/", links=[*ways, *(other.url("/linked") for other in others)])
    for way, other in zip(ways, others, strict=True):
        web.redirect(way, other.url("/hop"))
        other.redirect("/hop", web.url(f"/back{way}"))
        web.redirect(f"/back{way}", other.url("/end"))
        other.page("/end")
        other.page("/linked")
        other.robots(f"Sitemap: {other.url('/map.xml')}")
        other.raw("/map.xml", headers={"Content-Type": "text/xml"}, body="<urlset/>")


@pytest.mark.parametrize("named", ["origin", "host"])
def test_nobody_else_gets_it_whatever_links_and_redirects_do(
    tmp_path: Path, web: Web, beside: Web, secure: Web, written: Written, named: str
) -> None:
    """Scrapy GHSA-cw9j-q3vf-hrrv (another domain), GHSA-4qqq-9vqf-3h3f (another scheme),
    GHSA-jwqp-28gf-p498 (every host, robots.txt, too), requests CVE-2018-18074 (another port)."""
    others = [web.host("127.0.7.1"), beside, secure]
    lead_everywhere(web, others)
    name = web.url("") if named == "origin" else web.address
    config = load(written(with_secrets(name)), [OURS, "scope.mode=any", "pace.tries=1"])
    crawl(tmp_path / "a.db", web.url("/"), settings=config)
    for other in others:
        assert {"/robots.txt", "/map.xml", "/hop", "/end", "/linked"} <= set(other.paths)
        assert [hit.path for hit in other.log if secrets_seen(hit.headers)] == []
    assert {hit.headers["authorization"] for hit in web.log} == {BASIC}


def test_along_a_chain_over_three_hosts_each_gets_its_own_and_no_others(
    tmp_path: Path, web: Web, written: Written
) -> None:
    """curl CVE-2026-11856: what one host knows of somebody is no business of the next, even where
    that asks for it (Scrapy GHSA-cw9j-q3vf-hrrv)."""
    second, third = web.host("127.0.7.1"), web.host("127.0.7.2")
    asks = {"WWW-Authenticate": 'Digest realm="all", nonce="1", qop="auth"'}
    web.redirect("/", second.url("/on"))
    second.raw("/on", status=307, headers=asks | {"Location": third.url("/on")})
    third.raw("/on", status=301, headers=asks | {"Location": web.url("/end")})
    web.page("/end", links=[second.url("/in"), third.url("/in")])
    for host in (second, third):
        host.raw("/in", status=401, headers=asks)
    path = written(
        f'[site."{web.address}"]\nbasic = {{ user = "ann", password = "{PASSWORD}" }}\n'
        f'[site."{third.address}"]\nbearer = "{TOKEN}"\n'
    )
    seeds = (web.url("/"), third.url("/robots.txt"))
    crawl(tmp_path / "a.db", *seeds, settings=load(path, [*SHORT, "scope.mode=any"]))
    assert {"/robots.txt", "/on", "/in"} <= set(second.paths)
    assert {"/robots.txt", "/on", "/in"} <= set(third.paths)
    sent = [{hit.headers.get("authorization") for hit in host.log} for host in (web, second, third)]
    assert sent == [{BASIC}, {None}, {f"Bearer {TOKEN}"}]


def test_a_sitemap_elsewhere_is_told_nothing(tmp_path: Path, web: Web, written: Written) -> None:
    """Scrapy GHSA-jwqp-28gf-p498, of what robots.txt and lists of sitemaps name."""
    other, third = web.host("127.0.7.1"), web.host("127.0.7.2")
    xml = {"Content-Type": "text/xml"}
    index = f"<sitemapindex><sitemap><loc>{third.url('/m.xml')}</loc></sitemap></sitemapindex>"
    web.robots(f"Sitemap: {other.url('/m.xml')}\nSitemap: {web.url('/i.xml')}")
    web.raw("/i.xml", headers=xml, body=index)
    for host in (other, third):
        host.raw(
            "/m.xml", headers=xml, body=f"<urlset><url><loc>{web.url('/a')}</loc></url></urlset>"
        )
    for path in ("/", "/a"):
        web.page(path)
    seeds = (web.url("/"), third.url("/robots.txt"))
    config = load(written(with_secrets(web.address)), [OURS, "pace.tries=1"])
    crawl(tmp_path / "a.db", *seeds, settings=config)
    assert "/m.xml" in other.paths
    assert "/m.xml" in third.paths
    assert [
        hit.path for host in (other, third) for hit in host.log if secrets_seen(hit.headers)
    ] == []
    assert {hit.headers["x-key"] for hit in web.log} == {KEY}


def test_a_robots_txt_that_leads_elsewhere_takes_nothing_along(
    tmp_path: Path, web: Web, written: Written
) -> None:
    other = web.host("127.0.7.1")
    web.redirect("/robots.txt", other.url("/robots.txt"))
    other.robots("User-agent: *\nAllow: /")
    web.page("/")
    crawl(tmp_path / "a.db", web.url("/"), settings=load(written(with_secrets(web.address)), SHORT))
    assert other.paths == ["/robots.txt"]
    assert not secrets_seen(other.log[0].headers)
    assert fates(tmp_path / "a.db", web.url(""))["/"] == ("done", None)


@pytest.mark.parametrize(
    ("name", "url", "seeds", "sent"),
    [
        ("https://a.test", "https://a.test/x", (), True),
        ("https://a.test", "http://a.test/x", ("http://a.test",), False),
        ("https://a.test", "https://a.test:444/x", ("https://a.test:444",), False),
        ("https://a.test", "https://b.a.test/x", ("https://b.a.test",), False),
        ("https://a.test", "https://a.test./x", (), False),
        ("https://a.test/x/", "https://a.test/x/y", (), True),
        ("https://a.test/x/", "https://a.test/y", (), False),
        ("a.test", "https://a.test/x", (), True),
        ("a.test", "http://a.test/x", (), False),
        ("a.test", "http://a.test/x", ("http://a.test",), True),
        ("a.test", "https://a.test:444/x", (), False),
        ("a.test", "https://a.test:444/x", ("https://a.test:444",), True),
        ("a.test", "http://a.test:444/x", ("https://a.test:444",), False),
        ("a.test:444", "https://a.test:444/x", (), True),
        ("a.test:444", "http://a.test:444/x", (), False),
        ("a.test:444", "https://a.test/x", (), False),
        ("*.a.test", "https://b.a.test/x", (), True),
        ("*.a.test", "http://b.a.test/x", (), False),
        ("*.a.test", "http://b.a.test/x", ("http://b.a.test",), True),
        ("*.a.test", "https://a.test/x", (), False),
        ("*.a.test", "https://xa.test/x", (), False),
        ("a.test", "https://a.test.evil.test/", (), False),
    ],
)
def test_it_is_bound_to_an_origin(name: str, url: str, seeds: tuple[str, ...], sent: bool) -> None:
    config = load(None, [f'site."{name}".bearer={{ env = "TOKEN" }}'], environ={"TOKEN": TOKEN})
    sites = Sites(config)
    named = NamedOrigins(sites)
    named.add(seeds)
    assert sites.of(url).sends("bearer", url, named=url in named) is sent


def test_the_more_specific_of_two_ways_to_be_let_in_is_taken(written: Written) -> None:
    path = written(
        f'[site."a.test"]\nbasic = {{ user = "u", password = "p" }}\n'
        f'[site."https://a.test/x/"]\nbearer = "{TOKEN}"\n'
        '[site."https://a.test/x/y/"]\nheaders = { authorization = "Own 1" }\n'
    )
    sites = Sites(load(path))
    deeper, deep = sites.of("https://a.test/x/y/").said, sites.of("https://a.test/x/").said
    assert (deeper.basic, deeper.bearer) == (None, None)
    assert deep.basic is None
    assert deep.bearer is not None


def test_passwords_of_a_netrc_file_are_used_where_the_file_is_named(
    tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """requests CVE-2024-47081: netrc is never read unasked, and never for another host."""
    home = tmp_path / "home"
    home.mkdir()
    lines = f"machine {web.address} login ann password pw\ndefault login bob password other\n"
    (home / ".netrc").write_text(lines)
    (home / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(home))
    other = web.host("127.0.7.1")
    for host in (web, other):
        host.page("/")
    for number, path in enumerate((None, home / ".netrc")):
        web.whole_log.clear()
        settings = load(None, SHORT, netrc=path)
        crawl(tmp_path / f"{number}.db", web.url("/"), other.url("/"), settings=settings)
        seen = {hit.address for hit in web.whole_log if secrets_seen(hit.headers)}
        assert seen == ({web.address} if path else set())


def test_a_netrc_file_that_is_none_is_refused_without_a_word_of_it(tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine a.test login ann password\nmachin hush-hush")
    with pytest.raises(UsageError) as caught:
        load(None, netrc=tmp_path / "netrc")
    assert str(caught.value).startswith(f"{tmp_path / 'netrc'}, line ")
    assert "hush" not in str(caught.value)


# What may be said


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Transfer-Encoding", "Connection", "TE", "Upgrade", "Trailer"),
        *("Keep-Alive", "Proxy-Authorization", "Proxy-Connection", "proxy-anything", "Expect"),
        *("HTTP2-Settings", "If-None-Match", "Range"),
    ],
)
def test_headers_of_the_connection_are_refused_by_name(written: Written, name: str) -> None:
    """RFC 9110, section 7.6.1; RFC 9112, section 6."""
    path = written(f'[site."a.test"]\nheaders = {{ {name} = "x" }}')
    with pytest.raises(UsageError, match=f'site."a.test".headers.{name}: '):
        load(path)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('headers = { X = "a\\r\\nY: hush" }', "headers.X: expected one line of ASCII"),
        ('headers = { X = "a\\nhush" }', "headers.X: expected one line of ASCII"),
        ('headers = { X = "a\\u0000hush" }', "headers.X: expected one line of ASCII"),
        ('headers = { "X: y" = "hush" }', "is no name of a header"),
        ('headers = { "" = "hush" }', "is no name of a header"),
        ('headers = { X = "hush", x = "hush" }', "headers.x: is said twice"),
        ("headers = { X = 1 }", 'headers.X: expected a text or { env = "NAME" }'),
        ('headers = "hush"', "headers: expected {"),
        ('bearer = "hush hush"', "bearer: expected a token without spaces"),
        ('bearer = ""', "bearer: expected a token"),
        ('bearer = ["hush"]', 'bearer: expected a text or { env = "NAME" }'),
        ('bearer = { env = "NOT_SET" }', "bearer: the environment has no NOT_SET"),
        ('bearer = { file = "hush" }', 'bearer: expected a text or { env = "NAME" }'),
        ('basic = "hush"', "basic: expected { user"),
        ('basic = { user = "u" }', "basic: expected { user"),
        ('basic = { user = "u:hush", password = "p" }', "basic.user: a user's name has no colon"),
        ('basic = { user = "u", password = "hush\\n" }', "basic.password: has control characters"),
        ('basic = { user = "u", password = "hush" }\nbearer = "hush"', "not both"),
        ('bearer = "hush"\nheaders = { Authorization = "hush" }', "not both"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_not_repeated(
    written: Written, said: str, told: str
) -> None:
    path = written(f'[site."a.test"]\n{said}')
    with pytest.raises(UsageError) as caught:
        load(path, environ={})
    message = str(caught.value)
    assert message.startswith(f'{path}: site."a.test"')
    assert told in message
    assert "hush" not in message.replace(str(path), "")
    assert "\n" not in message


def test_what_no_text_of_the_environment_holds_is_refused_before_anything_begins(
    written: Written,
) -> None:
    """Workers could not be told it, and one job was waited for without end."""
    path = written('[site."a.test"]\nbasic = { user = "u", password = { env = "PW" } }')
    with pytest.raises(UsageError) as caught:
        load(path, environ={"PW": os.fsdecode(b"hush\xe4")})
    told = 'site."a.test".basic.password: what the environment has as PW is not UTF-8'
    assert str(caught.value) == f"{path}: {told}"


@pytest.mark.parametrize(
    "said", ["bearer=hush", 'basic={ user = "u", password = "hush" }', 'headers={ X = "hush" }']
)
def test_no_secret_stands_on_a_command_line(said: str) -> None:
    with pytest.raises(UsageError) as caught:
        load(None, [f'site."a.test".{said}'])
    assert "others can read a command line" in str(caught.value)
    assert "hush" not in str(caught.value)


# Who sees it on this machine


def forms(secret: str) -> set[bytes]:
    """A secret as it is, as JSON writes it, and all that base64 makes of it wherever it begins."""
    data = secret.encode()
    found = {data, json.dumps(secret)[1:-1].encode()}
    for before in range(3):
        packed = base64.b64encode(b"\0" * before + data)
        found.add(packed[4 if before else 0 : -4])
    return found


SECRETS = {form for secret in (KEY, PASSWORD, TOKEN) for form in forms(secret)} | {
    BASIC.partition(" ")[2].encode()
}


def leaks(data: bytes) -> list[bytes]:
    """The secrets that stand in what was written somewhere."""
    return [secret for secret in SECRETS if secret in data]


def test_what_would_be_a_leak_is_found() -> None:
    assert leaks(f"Authorization: {BASIC}".encode())
    assert leaks(base64.b64encode(f"annabel:{PASSWORD}".encode()))
    assert leaks(json.dumps({"a": PASSWORD}).encode())
    assert not leaks(b"nothing")


def test_no_byte_of_a_secret_is_written_anywhere(
    tmp_path: Path, web: Web, written: Written
) -> None:
    """The file and its journal while the crawl runs and afterwards, the screen, the log, exports,
    the command line and the environment of every process."""
    path = written(
        with_secrets(web.url(""))
        + f'[site."{web.url("/t/")}"]\nbearer = "{TOKEN}"\nheaders = {{ X-Key = "{KEY}" }}\n'
    )
    held = web.held("/t/a", links=["/b"])
    web.page("/", links=["/t/a", "/gone", "/cut"])
    web.raw("/cut", headers={"Content-Length": "99"}, body="x")
    web.page("/b")
    command = [sys.executable, "-m", "crawler", "crawl", web.url("/"), "--db", "a.db", "--json",
               "--config", str(path), "--set", "pace.tries=1", "--workers", "2"]  # fmt: skip
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ
    ) as process:
        held.asked.wait(PATIENT_S)
        family = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(True))]
        of_processes = b"".join(
            Path(f"/proc/{pid}/{what}").read_bytes()
            for pid in family
            for what in ("cmdline", "environ")
        )
        until(lambda: len(rows(tmp_path / "a.db", "SELECT 1 FROM pages")) >= 1)
        running = b"".join(file.read_bytes() for file in tmp_path.glob("a.db*"))
        held.let_go()
        out, err = process.communicate(timeout=PATIENT_S)
    assert process.returncode == 0, err
    assert {hit.headers["authorization"] for hit in web.log} == {BASIC, f"Bearer {TOKEN}"}
    assert len(family) > 2
    assert leaks(of_processes) == []
    assert leaks(running) == []
    assert leaks(out + err) == []
    for file in tmp_path.glob("a.db*"):
        assert leaks(file.read_bytes()) == []
    [(kept,)] = rows(tmp_path / "a.db", "SELECT config FROM runs")
    assert json.loads(kept)["site"][web.url("")]["basic"]["user"]["value"] == "ann"


@pytest.mark.parametrize("said", ["basic", "headers"])
def test_no_cookie_is_told_that_a_site_sets_for_who_was_let_in(
    tmp_path: Path, web: Web, written: Written, said: str
) -> None:
    """What a site sets there is as good as the password, and is often what was sent itself."""
    sent = {
        "basic": f'basic = {{ user = "ann", password = "{PASSWORD}" }}',
        "headers": f'headers = {{ Cookie = "sid={TOKEN}" }}',
    }
    answer = {"Set-Cookie": f"sid={TOKEN}; Max-Age=3600; HttpOnly"}
    other = web.host("127.0.7.1")
    for host in (web, other):
        host.raw("/", headers=answer, body="<title>a</title>")
    path = written(f'[site."{web.url("")}"]\n{sent[said]}\n')
    crawl(tmp_path / "a.db", web.url("/"), other.url("/"), settings=load(path, SHORT))
    told = rows(
        tmp_path / "a.db",
        "SELECT url, headers ->> 'set-cookie' FROM visits JOIN urls ON urls.id = url_id "
        "WHERE urls.kind = 'page'",
    )
    assert dict(told) == {
        web.url("/"): "sid=***; Max-Age=3600; HttpOnly",
        other.url("/"): f"sid={TOKEN}; Max-Age=3600; HttpOnly",
    }


def test_settings_shows_that_there_is_a_secret_and_no_more(
    tmp_path: Path, written: Written
) -> None:
    path = written(with_secrets("a.test"))
    command = [
        sys.executable,
        "-m",
        "crawler",
        "settings",
        "https://a.test/",
        "--config",
        str(path),
    ]
    for form in ([], ["--json"]):
        ran = subprocess.run([*command, *form], cwd=ROOT, capture_output=True, check=True)
        assert leaks(ran.stdout + ran.stderr) == []
        assert b"***" in ran.stdout
        assert b"ann" in ran.stdout


def test_a_configuration_shows_no_secret_by_accident(written: Written) -> None:
    config = load(written(with_secrets("a.test")))
    assert leaks(repr(config).encode()) == []
    assert leaks(msgspec.json.encode(without_secrets(config))) == []
    assert msgspec.json.decode(msgspec.json.encode(config), type=Config) == config  # for workers


def test_a_page_is_asked_for_anew_once_it_is_asked_for_with_a_password(
    tmp_path: Path, web: Web, written: Written
) -> None:
    """What was held before was what a stranger sees."""
    web.raw("/", headers={"ETag": '"1"', "Content-Type": "text/html"}, body="<title>a</title>")
    crawl(tmp_path / "a.db", web.url("/"), settings=load(None, SHORT))
    config = load(written(with_secrets(web.url(""))), SHORT)
    crawl(tmp_path / "a.db", web.url("/"), settings=config)
    crawl(tmp_path / "a.db", web.url("/"), settings=config)
    conditional = ["if-none-match" in hit.headers for hit in web.log if hit.path == "/"]
    assert conditional == [False, False, True]
