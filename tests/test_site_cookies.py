"""Is a crawl the one visitor that sites take it for, where a person said so, and nowhere else?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.config import load
from crawler.errors import UsageError
from crawler.exports.merge import merge
from tests.crawls import crawl, fates, rows
from tests.sites.server import Answer, Request
from tests.sites.web import Host, Web

OURS = 'scope.allow_private=["127.0.0.0/8"]'
SHORT = [OURS, "robots.sitemaps=false", "pace.retry_base_s=0.02", "pace.own_in_flight=1"]
VALUE = "s3cret-of-a-visitor"
PAGE = Answer(body=b"<title>inside</title>")


def behind_a_wall(host: Host, path: str, back: str, value: str = VALUE) -> None:
    """A page that sends whoever has no cookie to `back`, and there sets one."""

    def inside(request: Request) -> Answer:
        if f"sid={value}" in request.headers.get("cookie", ""):
            return PAGE
        set_here = {"Set-Cookie": f"sid={value}; Path=/"} if back == path else {}
        return Answer(302, {"Location": back, **set_here})

    host.decide(path, inside)
    if back != path:
        host.raw(back, status=302, headers={"Location": path, "Set-Cookie": f"sid={value}; Path=/"})


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("back", ["/", "/consent"])
def test_what_stands_behind_a_cookie_is_reached(
    tmp_path: Path, web: Web, back: str, workers: int
) -> None:
    behind_a_wall(web, "/", back)
    said = load(None, [*SHORT, f'site."{web.address}".cookies=true'])
    crawl(tmp_path / "a.db", web.url("/"), settings=said, workers=workers)
    assert fates(tmp_path / "a.db", web.url(""))["/"] == ("done", None)
    assert rows(tmp_path / "a.db", "SELECT title FROM pages WHERE status = 200") == [("inside",)]


def test_a_file_that_is_to_keep_cookies_is_for_its_owner_alone(tmp_path: Path, web: Web) -> None:
    behind_a_wall(web, "/", "/")
    seen: set[int] = set()

    def inside(_request: Request) -> Answer:
        there = {"a.db", "a.db-wal", "a.db-shm"}
        seen.update(one.stat().st_mode & 0o777 for one in tmp_path.iterdir() if one.name in there)
        return PAGE

    web.decide("/b", inside)
    said = load(None, [*SHORT, f'site."{web.address}".cookies=true'])
    crawl(tmp_path / "a.db", web.url("/"), web.url("/b"), settings=said)
    assert seen == {(tmp_path / "a.db").stat().st_mode & 0o777} == {0o600}
    crawl(tmp_path / "b.db", web.url("/b"), settings=load(None, SHORT))
    merge(tmp_path / "c.db", [tmp_path / "b.db", tmp_path / "a.db"], lambda *_: None)
    assert (tmp_path / "c.db").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("back", ["/", "/consent"])
def test_without_the_setting_it_is_a_loop_whose_sentence_names_the_setting(
    tmp_path: Path, web: Web, back: str
) -> None:
    from crawler.policy import words

    behind_a_wall(web, "/", back)
    crawl(tmp_path / "a.db", web.url("/"), settings=load(None, SHORT))
    assert ("failed", "redirect_loop") in fates(tmp_path / "a.db").values()
    assert not any("cookie" in hit.headers for hit in web.log)
    assert "cookies = true" in words.of("redirect_loop").meaning


def test_a_site_that_sets_a_cookie_each_time_and_never_lets_in_ends(
    tmp_path: Path, web: Web
) -> None:
    count = iter(range(1000))

    def never(_request: Request) -> Answer:
        return Answer(302, {"Location": "/", "Set-Cookie": f"n={next(count)}"})

    web.decide("/", never)
    said = load(None, [*SHORT, f'site."{web.address}".cookies=true'])
    crawl(tmp_path / "a.db", web.url("/"), settings=said)
    assert web.paths == ["/robots.txt", "/", "/", "/"]
    assert fates(tmp_path / "a.db", web.url(""))["/"] == ("failed", "redirect_loop")


def test_two_pages_that_set_cookies_and_lead_to_each_other_end(tmp_path: Path, web: Web) -> None:
    """Case 73 of a web at its worst."""
    count = iter(range(1000))

    def to(path: str) -> Callable[[Request], Answer]:
        return lambda _: Answer(302, {"Location": path, "Set-Cookie": f"n={next(count)}"})

    web.decide("/a", to("/b"))
    web.decide("/b", to("/a"))
    said = load(None, [*SHORT, f'site."{web.address}".cookies=true'])
    crawl(tmp_path / "a.db", web.url("/a"), settings=said)
    assert len(web.log) <= 12
    assert ("failed", "redirect_loop") in fates(tmp_path / "a.db").values()


def test_no_other_site_gets_a_cookie_by_a_redirect(tmp_path: Path, web: Web) -> None:
    """Scrapy GHSA-cjvr-mfj7-j4j8, aiohttp CVE-2026-47265."""
    other = web.host("127.0.7.1")
    sets = {"Set-Cookie": f"sid={VALUE}; Path=/", "Location": other.url("/a")}
    web.raw("/", status=302, headers=sets)
    other.raw(
        "/a", status=302, headers={"Location": web.url("/b"), "Set-Cookie": "theirs=1; Path=/"}
    )
    web.page("/b")
    said = load(None, [*SHORT, *(f'site."{host.address}".cookies=true' for host in (web, other))])
    crawl(tmp_path / "a.db", web.url("/"), other.url("/robots.txt"), settings=said)
    assert "/a" in other.paths
    assert not any(VALUE in hit.headers.get("cookie", "") for hit in other.log)
    [last] = [hit for hit in web.log if hit.path == "/b"]
    assert last.headers["cookie"] == f"sid={VALUE}"


def test_another_port_of_which_nothing_is_said_gets_no_cookie(tmp_path: Path, web: Web) -> None:
    """RFC 6265, section 8.5: ports share cookies. What a person says of one origin is for no
    other (Scrapy GHSA-4qqq-9vqf-3h3f)."""
    other = Web()
    web.raw("/", headers={"Set-Cookie": f"sid={VALUE}; Path=/"}, body="<a href=/on>on</a>")
    web.redirect("/on", other.url("/in"))
    other.redirect("/in", web.url("/end"))
    web.page("/end")
    said = [*SHORT, "scope.mode=any", f'site."{web.url("")}".cookies=true']
    crawl(tmp_path / "a.db", web.url("/"), other.url("/robots.txt"), settings=load(None, said))
    other.close()
    assert "/in" in other.paths
    assert not any("cookie" in hit.headers for hit in other.log)
    [last] = [hit for hit in web.log if hit.path == "/end"]
    assert last.headers["cookie"] == f"sid={VALUE}"


def test_cookies_go_on_in_the_next_run_and_no_visit_tells_their_value(
    tmp_path: Path, web: Web
) -> None:
    """aiohttp CVE-2026-54279: a cookie for one host is for one host afterwards, too."""
    web.raw("/", headers={"Set-Cookie": f"sid={VALUE}; Path=/; HttpOnly"}, body="<a href=/a>a</a>")
    web.page("/a")
    said = [*SHORT, f'site."{web.address}".cookies=true']
    crawl(tmp_path / "a.db", web.url("/"), settings=load(None, [*said, "run.max_pages=1"]))
    crawl(tmp_path / "a.db", web.url("/"), settings=load(None, said))
    [hit] = [hit for hit in web.log if hit.path == "/a"]
    assert hit.headers["cookie"] == f"sid={VALUE}"
    kept = rows(tmp_path / "a.db", "SELECT name, value, domain, host_only, http_only FROM cookies")
    assert kept == [("sid", VALUE, web.address, 1, 1)]
    told = rows(tmp_path / "a.db", "SELECT headers FROM visits WHERE headers LIKE '%set-cookie%'")
    assert told
    assert all(VALUE not in headers and "sid=***" in headers for (headers,) in told)


def test_a_file_of_cookies_brings_some_along(tmp_path: Path, web: Web) -> None:
    behind_a_wall(web, "/", "/consent")
    path = tmp_path / "cookies.txt"
    path.write_text(f"{web.address}\tFALSE\t/\tFALSE\t0\tsid\t{VALUE}\n")
    said = load(None, [*SHORT, f'site."{web.address}".cookies_from="{path}"'])
    crawl(tmp_path / "a.db", web.url("/"), settings=said)
    assert web.paths == ["/robots.txt", "/"]


def test_a_file_of_cookies_that_is_not_there_is_told_before_anything_is_fetched(
    tmp_path: Path, web: Web
) -> None:
    said = load(None, [*SHORT, f'site."{web.address}".cookies_from="{tmp_path}/none"'])
    with pytest.raises(UsageError, match="cannot be read"):
        crawl(tmp_path / "a.db", web.url("/"), settings=said)
    assert web.log == []


def test_cookies_are_said_in_one_way() -> None:
    with pytest.raises(UsageError, match=r"cookies or headers\.Cookie, not both"):
        load(
            None,
            ['site."a.test".headers={ cookie = { env = "X" } }', 'site."a.test".cookies=true'],
            environ={"X": "a=1"},
        )
