"""Do the sites that tests crawl tell the truth about themselves?"""

from __future__ import annotations

import http.client
import json
import re
import socket
from pathlib import Path

import pytest

from tests.patience import PATIENT_S, until
from tests.sites import generated, nginx, walk
from tests.sites.generated import GeneratedSite
from tests.sites.server import Answer
from tests.sites.skip import require_corpus, require_folder, require_program
from tests.sites.web import Web

POSTGRESQL = "/usr/share/doc/postgresql-doc-15/html"


def get(url: str, path: str, *, method: str = "GET") -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(url.split("/")[2], timeout=PATIENT_S)
    connection.request(method, path)
    reply = connection.getresponse()
    body = reply.read()
    connection.close()
    return reply.status, body


def test_a_page_holds_the_links_it_was_told(web: Web) -> None:
    web.page("/", links=["/a?x=1&y=2", ("/b", "the <b> page")], title="Home & garden")
    status, body = get(web.url(), "/")
    assert status == 200
    assert b'<a href="/a?x=1&amp;y=2">' in body
    assert b'<a href="/b">the &lt;b&gt; page</a>' in body
    assert b"<title>Home &amp; garden</title>" in body


def test_what_was_not_told_is_not_found(web: Web) -> None:
    assert get(web.url(), "/robots.txt")[0] == 404


def test_the_log_tells_what_was_asked_and_when(web: Web) -> None:
    web.page("/slow", wait_s=0.05)
    get(web.url(), "/slow")
    get(web.url(), "/gone")
    assert web.paths == ["/slow", "/gone"]
    slow, gone = web.log
    assert slow.ended - slow.started >= 0.05
    assert slow.ended <= gone.started
    assert (gone.status, gone.host) == (404, f"127.0.0.1:{web.port}")


def test_hosts_share_a_port_and_keep_their_own_pages(web: Web) -> None:
    other = web.host("127.0.7.1")
    other.page("/", title="other")
    web.redirect("/", other.url("/"), status=301)
    status, _ = get(web.url(), "/")
    assert (status, b"<title>other" in get(other.url(), "/")[1]) == (301, True)
    assert (len(web.log), len(other.log), len(web.whole_log)) == (1, 1, 2)


def test_answers_come_in_turn_and_the_last_one_stays(web: Web) -> None:
    web.answer("/x", Answer(status=503), Answer(status=500), Answer(body=b"at last"))
    assert [get(web.url(), "/x")[0] for _ in range(4)] == [503, 500, 200, 200]


def test_a_head_has_no_body(web: Web) -> None:
    web.page("/")
    assert get(web.url(), "/", method="HEAD") == (200, b"")


def test_a_connection_serves_many_requests(web: Web) -> None:
    web.page("/")
    with socket.create_connection(("127.0.0.1", web.port), timeout=PATIENT_S) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        received = b""
        while received.count(b"HTTP/1.1 200 OK") < 3 and (more := connection.recv(65_536)):
            received += more
        assert received.count(b"HTTP/1.1 200 OK") == 3


def test_a_generated_site_is_the_same_every_time_and_another_seed_is_another_site() -> None:
    site, again, other = GeneratedSite(seed=1), GeneratedSite(seed=1), GeneratedSite(seed=2)
    assert [site.body(n) for n in range(20)] == [again.body(n) for n in range(20)]
    assert site.body(7) != other.body(7)


def test_a_generated_page_is_as_large_as_asked() -> None:
    site = GeneratedSite(pages=2000, links_per_page=50, page_bytes=20_000)
    assert {len(site.body(number)) for number in range(0, 2000, 97)} == {20_000}


def test_every_generated_page_has_a_token_of_its_own() -> None:
    site = GeneratedSite(pages=300)
    assert len({site.token(number) for number in range(300)}) == 300
    assert site.token(5).encode() in site.body(5)


def test_a_walk_finds_all_that_a_generated_site_says_it_has() -> None:
    site = GeneratedSite(pages=60, links_per_page=7)
    with generated.serve(site) as served:
        found = walk.walk(served.url())
        assert found.pages == {served.url(path) for path in site.paths()}
        walked = {(one.source, one.ordinal, one.target, one.text) for one in found.anchors}
        known = site.all_links()
        assert walked == {
            (served.url(one.source), one.position, served.url(one.target), one.anchor)
            for one in known
        }
        assert found.broken() == []


def test_a_site_apart_answers_on_all_addresses_and_writes_a_log(tmp_path: Path) -> None:
    site = GeneratedSite(pages=5, latency_ms=20)
    log = tmp_path / "access.jsonl"
    addresses = ("127.0.0.1", "127.0.8.2")
    with generated.serve_apart(site, addresses=addresses, log=log, sync=True) as served:
        assert get(served.url(), "/p/3.html") == (200, site.body(3))
        assert get(served.url(address="127.0.8.2"), "/p/5.html")[0] == 404
        until(lambda: len(served.hits()) == 2)
        first, second = served.hits()
    assert (first.path, first.status, first.address) == ("/p/3.html", 200, "127.0.0.1")
    assert first.ended - first.started >= 0.02
    assert (second.path, second.status, second.address) == ("/p/5.html", 404, "127.0.8.2")


def test_a_generated_site_is_the_same_from_files(tmp_path: Path) -> None:
    nginx.require_nginx()
    site = GeneratedSite(pages=12, page_bytes=500)
    site.write(tmp_path)
    with nginx.serve_folder(tmp_path) as served:
        for number in range(12):
            assert get(served.url(), site.path(number)) == (200, site.body(number))
        assert get(served.url(), "/robots.txt")[1] == generated.ROBOTS
        assert [hit.status for hit in served.hits()] == [200] * 13


def test_a_folder_may_hold_more_files_than_a_process_may_open(tmp_path: Path) -> None:
    nginx.require_nginx()
    for number in range(600):
        (tmp_path / f"{number}.html").write_text("here")
    with nginx.serve_folder(tmp_path, descriptors=256) as served:
        answers = [get(served.url(), f"/{number}.html")[0] for number in range(600)]
    assert answers == [200] * 600


@pytest.mark.parametrize(
    ("href", "target"),
    [
        # URL Standard, section 4.4: leading and trailing white space, tabs and newlines inside
        (" b.html \n", "http://h.test/d/b.html"),
        ("b\t.ht\nml", "http://h.test/d/b.html"),
        # backslashes are slashes in special schemes, but not in the query
        ("\\e\\b", "http://h.test/e/b"),
        ("b?x=\\", "http://h.test/d/b?x=\\"),
        # dot segments, also written with %2e; never above the root
        ("../../../x", "http://h.test/x"),
        ("./%2E%2e/x/.", "http://h.test/x/"),
        # fragments are no part of what is asked for
        ("#top", "http://h.test/d/a.html?q"),
        ("", "http://h.test/d/a.html?q"),
        ("?", "http://h.test/d/a.html?"),
        # host: case, userinfo, default port
        ("//U:P@H.Test:80", "http://h.test/"),
        ("https://h.test:443/x", "https://h.test/x"),
        ("http:c.html", "http://h.test/d/c.html"),
        ("http://h.test:99999/", None),
        # section 1.3: what is percent-encoded, and what is left as it is
        ('ä "<>`{}', "http://h.test/d/%C3%A4%20%22%3C%3E%60%7B%7D"),
        ("%zz^|", "http://h.test/d/%zz%5E|"),
        ("?'\"", "http://h.test/d/a.html?%27%22"),
        ("mailto:a@b.test", None),
        ("javascript:void(0)", None),
    ],
)
def test_the_walk_resolves_as_the_url_standard_says(href: str, target: str | None) -> None:
    assert walk.resolve("http://h.test/d/a.html?q", href) == target


def test_the_walk_agrees_with_the_web_platform_tests_on_plain_hosts() -> None:
    corpus = require_corpus("wpt-url-via-ada")
    cases = json.loads(next(corpus.rglob("urltestdata.json")).read_text("utf-8"))
    judged = 0
    for case in cases:
        if isinstance(case, str) or not (case.get("base") or "http:").startswith("http:"):
            continue
        plain = re.fullmatch(r"[a-z]+(\.[a-z]+)*", case.get("hostname", ""))
        if case.get("protocol") not in {"http:", "https:"} or not plain:
            continue
        base = walk.resolve("", case["base"]) if case.get("base") else ""
        want = re.sub(r"^(https?://)[^/?#]*@", r"\1", case["href"]).partition("#")[0]
        assert walk.resolve(base or "", case["input"]) == want, case
        judged += 1
    assert judged > 150


@pytest.mark.parametrize(
    ("written", "value"),
    [
        # HTML, section 13.2.5.73: in an attribute a name without semicolon before = or a letter
        # is no reference
        ("?a=1&copy=2", "?a=1&copy=2"),
        ("?a=1&copyright=2", "?a=1&copyright=2"),
        ("?a&copy", "?a©"),
        ("?a=1&amp;b=2", "?a=1&b=2"),
        ("&#x2F;&#47", "//"),
        ("&nothing;", "&nothing;"),
    ],
)
def test_the_walk_reads_references_in_attributes(written: str, value: str) -> None:
    assert walk.attributes(f'<a href="{written}">') == {"href": value}


def test_the_walk_sees_through_comments_scripts_and_a_base(web: Web) -> None:
    web.raw(
        "/",
        headers={"Content-Type": "text/html"},
        body="<!-- <a href=/no1> --><script>'<a href=/no2>'</script><base href=/d/><base href=/e/>"
        "<a name=n>no href</a><a href=x>one <b>two</b></a><A HREF='/y' href=/z>three",
    )
    web.page("/d/x")
    found = walk.walk(web.url())
    assert [(one.target, one.text) for one in found.anchors if one.source == web.url()] == [
        (web.url("/d/x"), "one two"),
        (web.url("/y"), "three"),
    ]
    assert [one.href for one in found.broken()] == ["/y"]


def test_the_walk_counts_the_postgresql_manual() -> None:
    folder = require_folder(POSTGRESQL, "apt-get install postgresql-doc-15")
    nginx.require_nginx()
    with nginx.serve_folder(folder) as served:
        found = walk.walk(served.url("/index.html"))
        assert len(served.hits()) == len(found.statuses)
    files = {served.url(f"/{path.name}") for path in folder.glob("*.html")}
    assert found.pages == files
    assert found.broken() == []


@pytest.mark.parametrize(
    ("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)]
)
def test_what_is_absent_skips_for_people_and_fails_for_machines(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setenv("CRAWLER_CORPORA", "/nowhere")
    with pytest.raises(outcome, match="apt-get install nothing"):
        require_program("no-such-program", "apt-get install nothing")
    with pytest.raises(outcome, match="CRAWLER_CORPORA"):
        require_corpus("no-such-corpus")
