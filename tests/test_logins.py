"""Is a site crawled that wants to see a form first, and nothing of it without?"""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote_plus

import pytest
from click.testing import CliRunner

from crawler.cli import cli
from crawler.config import Config, load
from crawler.config.sections import WAYS_OUT
from crawler.errors import UsageError
from crawler.model import LoginStep, Reply
from crawler.patterns import Patterns
from crawler.policy import logins, urls
from tests.crawls import check_whole, crawl, crawl_apart, fates, rows
from tests.patience import PATIENT_S, until
from tests.sites.members import PASSWORD, USER, Members
from tests.sites.server import Answer, Request, html
from tests.sites.skip import ROOT
from tests.sites.web import Host, Web
from tests.test_site_secrets import forms

OURS = 'scope.allow_private=["127.0.0.0/8"]'
SHORT = [OURS, "robots.sitemaps=false", "pace.retry_base_s=0.02", "pace.own_in_flight=1"]
OUT = 'logged_out = "Sign in"'
PAGES = {"/": ["/a", "/b", "/logout"], "/a": ["/c"], "/b": [], "/c": [], "/welcome": []}
VISITS = """
    SELECT visits.kind, method, visits.status, error
    FROM visits
    WHERE visits.kind = 'login'
    ORDER BY visits.id
"""
TOLD = "SELECT origin, login_state, login_detail FROM origins WHERE login_state IS NOT NULL"


def table(host: Host, more: str = "", *, password: str = '{ env = "PW" }') -> str:
    """The login of a host, as a configuration says it."""
    return f"""
[site."{host.url("")}".login]
url = "/login"
fields = {{ user = "{USER}", password = {password} }}
success = "sign  out"
{more}
"""


def said(
    tmp_path: Path, *tables: str, sets: tuple[str, ...] = (), password: str = PASSWORD
) -> Config:
    """A configuration with these logins."""
    path = tmp_path / "login.toml"
    path.write_text("".join(tables))
    return load(path, [*SHORT, *sets], environ={"PW": password})


def why(database: Path) -> str:
    """What is told of the one login that came to nothing."""
    [(_, state, detail)] = rows(database, TOLD)
    assert state == "failed"
    return str(detail)


@pytest.fixture
def beside() -> Iterator[Web]:
    """Another web on another port of the same address."""
    served = Web()
    yield served
    served.close()


# In


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("enctype", ["", "multipart/form-data"])
def test_a_site_behind_a_form_is_crawled(
    tmp_path: Path, web: Web, enctype: str, workers: int
) -> None:
    members = Members(web, PAGES, enctype=enctype)
    ended = crawl(
        tmp_path / "a.db", web.url("/"), settings=said(tmp_path, table(web, OUT)), workers=workers
    )
    assert (ended.state, ended.reason) == ("finished", "finished")
    assert web.paths[:5] == ["/robots.txt", "/login", "/login", "/welcome", "/"]
    assert sorted(web.paths[5:]) == ["/a", "/b", "/c"]
    [sent] = members.sent
    assert sent | {"token": ""} == {
        "token": "", "user": USER, "password": PASSWORD, "remember": "on", "go": "in",
    }  # fmt: skip
    [asked] = [hit for hit in web.log if hit.method == "POST"]
    assert asked.headers["referer"] == web.url("/login")
    assert asked.headers["origin"] == web.url("")
    assert fates(tmp_path / "a.db", web.url(""))["/logout"] == ("skipped", "excluded")
    assert rows(tmp_path / "a.db", VISITS) == [
        ("login", "GET", 200, None),
        ("login", "POST", 303, None),
        ("login", "GET", 200, None),
    ]
    assert rows(tmp_path / "a.db", TOLD) == [(web.url(""), "in", None)]
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM pages") == [(4,)]
    check_whole(tmp_path / "a.db")


def test_two_sites_have_two_logins_that_know_nothing_of_each_other(
    tmp_path: Path, web: Web
) -> None:
    other = web.host("127.0.7.1")
    ours, theirs = Members(web, PAGES), Members(other, PAGES)
    config = said(tmp_path, table(web, OUT), table(other, password='"wrong"'))
    ended = crawl(tmp_path / "a.db", web.url("/"), other.url("/"), settings=config)
    assert ended.reason == "login_failed"
    assert ours.sent[0]["password"] == PASSWORD
    assert theirs.sent[0]["password"] == "wrong"
    assert rows(
        tmp_path / "a.db", "SELECT DISTINCT host FROM pages JOIN hosts ON host_id=hosts.id"
    ) == [(web.address,)]
    assert other.paths == ["/robots.txt", "/login", "/login"]
    check_whole(tmp_path / "a.db")


def test_who_is_logged_in_already_sends_no_form(tmp_path: Path, web: Web) -> None:
    members = Members(web, PAGES)
    form = web.reply

    def login(request: Request) -> Answer:
        there = request.method == "GET" and members.knows(request)
        return Answer(302, {"Location": "/welcome"}) if there else members.login(request)

    assert form is not None
    web.decide("/login", login)
    config = said(tmp_path, table(web, OUT))
    for _ in range(2):
        crawl(tmp_path / "a.db", web.url("/"), settings=config)
    assert len(members.sent) == 1
    assert [hit.method for hit in web.log if hit.path == "/login"] == ["GET", "POST", "GET"]
    assert set(fates(tmp_path / "a.db").values()) == {
        ("done", None), ("skipped", "excluded"),
    }  # fmt: skip


def test_the_rest_of_a_host_is_kept_between_the_steps(tmp_path: Path, web: Web) -> None:
    Members(web, PAGES)
    config = said(tmp_path, table(web, OUT), sets=("pace.own_gap_s=0.1",))
    crawl(tmp_path / "a.db", web.url("/"), settings=config)
    rests = [later.started - hit.ended for hit, later in zip(web.log, web.log[1:], strict=False)]
    assert min(rests) >= 0.1


def test_a_page_that_is_asked_for_in_vain_is_asked_for_again_but_no_form_is_sent_twice(
    tmp_path: Path, web: Web
) -> None:
    members = Members(web, PAGES)
    answers = iter([503, 200])
    web.decide(
        "/login",
        lambda asked: (
            Answer(503) if asked.method == "POST" or next(answers) == 503 else members.login(asked)
        ),
    )
    crawl(tmp_path / "a.db", web.url("/"), settings=said(tmp_path, table(web)))
    assert [hit.method for hit in web.log if hit.path == "/login"] == ["GET", "GET", "POST"]
    assert "http_503, the host answered 503" in why(tmp_path / "a.db")


@pytest.mark.parametrize("status", [307, 308])
def test_a_redirect_that_asks_for_the_same_once_more_gets_the_form(
    tmp_path: Path, web: Web, status: int
) -> None:
    members = Members(web, PAGES)
    web.decide(
        "/login",
        lambda asked: (
            Answer(status, {"Location": "/session"})
            if asked.method == "POST"
            else members.login(asked)
        ),
    )
    web.decide("/session", members.login)
    crawl(tmp_path / "a.db", web.url("/"), settings=said(tmp_path, table(web)))
    assert len(members.sent) == 1
    assert fates(tmp_path / "a.db", web.url(""))["/c"] == ("done", None)


# By way of another origin


def elsewhere(web: Web, there: Host) -> Members:
    """A site whose login is on another host, and sets a cookie that is for both."""
    members = Members(web, PAGES)
    web.redirect("/login", there.url("/in"))
    there.decide("/in", lambda asked: members.login(asked, action=web.url("/session")))
    web.decide("/session", members.login)
    return members


def test_another_origin_is_asked_only_where_that_is_said(
    tmp_path: Path, web: Web, beside: Web
) -> None:
    members = elsewhere(web, beside)
    crawl(tmp_path / "a.db", web.url("/"), settings=said(tmp_path, table(web)))
    assert f'origins = ["{beside.url("")}"]' in why(tmp_path / "a.db")
    assert (beside.log, members.sent) == ([], [])


def test_the_rules_of_another_origin_are_asked_for_first(
    tmp_path: Path, web: Web, beside: Web
) -> None:
    members = elsewhere(web, beside)
    config = said(tmp_path, table(web, f'origins = ["{beside.url("")}"]'))
    crawl(tmp_path / "a.db", web.url("/"), settings=config)
    assert beside.paths == ["/robots.txt", "/in"]
    assert len(members.sent) == 1
    assert fates(tmp_path / "a.db", web.url(""))["/c"] == ("done", None)
    check_whole(tmp_path / "a.db")


@pytest.mark.parametrize("where", ["here", "there"])
def test_what_robots_txt_forbids_is_no_way_in(
    tmp_path: Path, web: Web, beside: Web, where: str
) -> None:
    members = elsewhere(web, beside)
    (web if where == "here" else beside).robots("User-agent: *\nDisallow: /login\nDisallow: /in")
    config = said(tmp_path, table(web, f'origins = ["{beside.url("")}"]'))
    crawl(tmp_path / "a.db", web.url("/"), settings=config)
    assert "the rules of its site forbid it" in why(tmp_path / "a.db")
    asked = (web.paths, beside.paths)
    assert asked == (
        (["/robots.txt"], []) if where == "here" else (["/robots.txt", "/login"], ["/robots.txt"])
    )
    assert members.sent == []
    assert fates(tmp_path / "a.db", web.url(""))["/"] == ("skipped", "login_failed")


def test_a_form_that_leads_to_another_scheme_or_port_is_not_sent(
    tmp_path: Path, web: Web, beside: Web
) -> None:
    """The rule of Scrapy GHSA-4qqq-9vqf-3h3f and requests CVE-2018-18074, for forms."""
    members = Members(web, PAGES)
    web.decide("/login", lambda asked: members.login(asked, action=beside.url("/take")))
    crawl(tmp_path / "a.db", web.url("/"), settings=said(tmp_path, table(web)))
    assert "another origin" in why(tmp_path / "a.db")
    assert beside.log == []


# Not in


def form(body: str) -> Callable[[Request], Answer]:
    """A page with this form."""
    return lambda _: Answer(body=html("in", body))


FIELDS = '<input name="user"><input name="password" type="password">'
LARGE = "<p>" + "x" * (1024 * 1024)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda _: Answer(404), "/login answered 404"),
        (lambda _: Answer(401, {"WWW-Authenticate": 'Basic realm="x"'}), "/login answered 401"),
        (lambda _: Answer(500), "http_500, the host answered 500"),
        (lambda _: Answer(200), "/login is empty"),
        (form("<p>no form"), "has no form with the fields user, password"),
        (form('<form method=post><input name="user"></form>'), "has no form with the fields"),
        (form(f"<form>{FIELDS}</form>"), "sent by GET, which would put the password into an"),
        (form(f'<form method="post" action="mailto:a@b.test">{FIELDS}</form>'), "no place to send"),
        (form(f'<form method="post" action="http://[">{FIELDS}</form>'), "no place to send"),
        (form(f"{LARGE}<form method=post>{FIELDS}</form>"), "too_large, the answer is larger"),
        (form(f"<form method=post>{FIELDS}</form>"), 'does not show "sign out"'),
        (form(f"<form method=post>{FIELDS}</form> Sign out Sign in"), 'form shows "Sign in"'),
        (lambda _: Answer(302, {"Location": "/login"}), "leads on and on: more than 11 requests"),
        (lambda _: Answer(302, {"Location": "http://["}), "bad_redirect"),
        (lambda _: Answer(302, {"Location": "/gone"}), "/gone answered 404"),
    ],
)  # fmt: skip
def test_a_login_that_fails_stops_its_site_and_says_why(
    tmp_path: Path, web: Web, answer: Callable[[Request], Answer], told: str
) -> None:
    web.decide("/login", answer)
    web.page("/")
    config = said(tmp_path, table(web, OUT), sets=("pace.tries=2",))
    ended = crawl(tmp_path / "a.db", web.url("/"), settings=config)
    assert (ended.state, ended.reason, ended.queued) == ("finished", "login_failed", 0)
    assert told in why(tmp_path / "a.db")
    assert "/" not in web.paths
    assert len(web.log) <= 13
    assert [hit.method for hit in web.log].count("POST") <= 1
    assert fates(tmp_path / "a.db", web.url(""))["/"] == ("skipped", "login_failed")
    check_whole(tmp_path / "a.db")


def test_a_host_that_cannot_be_reached_fails_as_ever(tmp_path: Path, web: Web) -> None:
    other = web.host("127.0.7.1")
    web.shut(other)
    crawl(tmp_path / "a.db", other.url("/"), settings=said(tmp_path, table(other)))
    assert fates(tmp_path / "a.db", other.url(""))["/"] == ("failed", "connect_refused")


def test_a_secure_cookie_over_http_is_no_session(tmp_path: Path, web: Web) -> None:
    Members(web, PAGES, cookie="Path=/; Secure")
    crawl(tmp_path / "a.db", web.url("/"), settings=said(tmp_path, table(web)))
    assert 'does not show "sign out"' in why(tmp_path / "a.db")
    assert web.paths == ["/robots.txt", "/login", "/login", "/welcome"]


def run(folder: Path, *arguments: str, password: str) -> subprocess.CompletedProcess[str]:
    """What the command says, given this password."""
    return subprocess.run(
        [sys.executable, "-m", "crawler", *arguments], cwd=folder, text=True, capture_output=True,
        timeout=PATIENT_S, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PW": password},
    )  # fmt: skip


def test_the_command_line_says_it_and_the_next_run_goes_on(tmp_path: Path, web: Web) -> None:
    Members(web, PAGES)
    (tmp_path / "s.toml").write_text(table(web))
    asked = ("crawl", web.url("/"), "--db", "a.db", "--config", "s.toml", "--workers", "0",
             "--set", "robots.sitemaps=false")  # fmt: skip
    failed = run(tmp_path, *asked, password="wrong")
    assert failed.returncode == 5, failed.stderr
    for told in (
        "a login failed, and nothing was asked for without it; mend it, and run the same",
        f"failed  {web.url('')}: what {web.url('/login')} answered to the form does not show",
        "login_failed, the login of its site failed",
    ):
        assert told in failed.stderr
    assert "A login failed" in run(tmp_path, "status", "--db", "a.db", password="").stdout
    went = run(tmp_path, *asked, password=PASSWORD)
    assert went.returncode == 0, went.stderr
    assert "going on where the last run stopped" in went.stderr
    assert fates(tmp_path / "a.db", web.url(""))["/c"] == ("done", None)


def test_a_login_that_nothing_needed_is_told(tmp_path: Path, web: Web) -> None:
    """As of a site that lives at another name than was said."""
    other = web.host("127.0.7.1")
    Members(web, PAGES)
    other.page("/")
    (tmp_path / "s.toml").write_text(table(web))
    asked = ("crawl", other.url("/"), "--db", "a.db", "--config", "s.toml", "--workers", "0")
    ran = run(tmp_path, *asked, password=PASSWORD)
    assert ran.returncode == 0, ran.stderr
    assert f"unused  {web.url('')}: nothing of it had to be asked for" in ran.stderr


def test_a_session_that_ended_leaves_a_crawl_unfinished(tmp_path: Path, web: Web) -> None:
    Members(web, PAGES, uses=3)
    (tmp_path / "s.toml").write_text(table(web, OUT))
    asked = ("crawl", web.url("/"), "--db", "a.db", "--config", "s.toml", "--workers", "0",
             "--set", "robots.sitemaps=false", "--fail-on", "unfinished")  # fmt: skip
    left = run(tmp_path, *asked, password=PASSWORD)
    assert left.returncode == 4, left.stderr
    assert "left: a site logged us out; run the same command again to go on, logged in anew" in (
        left.stderr
    )
    assert run(tmp_path, *asked, password=PASSWORD).returncode == 0


# Out again


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("way", ["text", "css", "redirect"])
def test_a_session_that_ends_stops_its_site_and_the_next_run_logs_in_anew(
    tmp_path: Path, web: Web, way: str, workers: int
) -> None:
    members = Members(web, PAGES, uses=3)
    if way == "redirect":
        members.turned_away = lambda asked: Answer(  # type: ignore[method-assign]
            302, {"Location": f"/login?next={asked.target}"}
        )
    more = {"text": OUT, "css": "logged_out = { css = \"a[href='/login']\" }", "redirect": ""}[way]
    config = said(tmp_path, table(web, more))
    ended = crawl(tmp_path / "a.db", web.url("/"), settings=config, workers=workers)
    assert (ended.state, ended.reason, ended.queued) == ("finished", "logged_out", 2)
    waiting = [fate for fate in fates(tmp_path / "a.db").values() if fate[0] == "queued"]
    assert ("queued", "logged_out") in waiting
    [(_, state, told)] = rows(tmp_path / "a.db", TOLD)
    assert state == "over"
    assert "looks as if nobody were logged in" in told
    assert rows(tmp_path / "a.db", "SELECT count(*) FROM pages WHERE title LIKE 'Members%'") == [
        (0,)
    ]
    asked = len(web.log)
    ended = crawl(tmp_path / "a.db", web.url("/"), settings=config, workers=workers)
    assert ended.reason == "finished"
    assert len(members.sent) == 2
    assert web.paths[asked : asked + 3] == ["/login", "/login", "/welcome"]
    whole = fates(tmp_path / "a.db", web.url(""))
    assert {path: whole[path] for path in ("/", "/a", "/b", "/c")} == dict.fromkeys(
        ("/", "/a", "/b", "/c"), ("done", None)
    )
    check_whole(tmp_path / "a.db")


@pytest.mark.parametrize("way", ["text", "redirect"])
def test_a_page_that_only_looks_logged_out_is_taken_as_it_is(
    tmp_path: Path, web: Web, way: str
) -> None:
    members = Members(web, PAGES)
    to_login = Answer(302, {"Location": "/login?next=/a"})
    web.decide("/a", members.turned_away if way == "text" else lambda _: to_login)
    config = said(tmp_path, table(web, OUT))
    ended = crawl(tmp_path / "a.db", web.url("/"), settings=config)
    assert ended.reason == "finished"
    assert [web.paths.count(path) for path in ("/a", "/welcome")] == [2, 2]
    whole = fates(tmp_path / "a.db", web.url(""))
    assert (whole["/a"], whole["/b"]) == (("done", None), ("done", None))
    [(status,)] = rows(tmp_path / "a.db", "SELECT status FROM urls WHERE url = ?", web.url("/a"))
    assert status == (200 if way == "text" else 302)
    assert len(members.sent) == 1
    assert rows(tmp_path / "a.db", TOLD) == [(web.url(""), "in", None)]
    check_whole(tmp_path / "a.db")


def test_a_page_that_shows_both_is_seen_by_members(tmp_path: Path, web: Web) -> None:
    Members(web, PAGES)
    web.page("/a", body="How to sign in, and <b>sign out</b>")
    ended = crawl(tmp_path / "a.db", web.url("/"), settings=said(tmp_path, table(web, OUT)))
    assert ended.reason == "finished"
    assert [web.paths.count(path) for path in ("/a", "/welcome")] == [1, 1]


def test_a_page_that_ends_the_session_holds_a_crawl_up_twice_and_then_fails(
    tmp_path: Path, web: Web
) -> None:
    members = Members(web, PAGES)

    def ends(request: Request) -> Answer:
        members.sessions.clear()
        return members.turned_away(request)

    web.decide("/a", ends)
    config = said(tmp_path, table(web, OUT))
    reasons = [crawl(tmp_path / "a.db", web.url("/"), settings=config).reason for _ in range(4)]
    assert reasons[:2] == ["logged_out", "logged_out"]
    assert "finished" in reasons[2:]
    whole = fates(tmp_path / "a.db", web.url(""))
    assert (whole["/a"], whole["/b"]) == (("failed", "logged_out"), ("done", None))


def test_a_login_on_the_front_page_takes_no_redirect_there_for_its_end(
    tmp_path: Path, web: Web
) -> None:
    members = Members(web, {"/a": ["/b", "/c"], "/c": [], "/welcome": []})
    web.redirect("/b", "/")
    web.decide("/", members.login)
    written = table(web, OUT).replace('"/login"', '"/"')
    ended = crawl(tmp_path / "a.db", web.url("/a"), settings=said(tmp_path, written))
    assert ended.reason == "finished"
    found = fates(tmp_path / "a.db", web.url(""))
    assert {found[path] for path in ("/a", "/b", "/c")} == {("done", None)}


def test_the_page_with_the_form_is_no_proof(tmp_path: Path, web: Web) -> None:
    Members(web, {"/": ["/login", "/a"], "/a": [], "/welcome": []})
    ended = crawl(tmp_path / "a.db", web.url("/"), settings=said(tmp_path, table(web, OUT)))
    assert ended.reason == "finished"
    assert fates(tmp_path / "a.db", web.url(""))["/login"] == ("done", None)


def test_401_of_one_page_is_an_answer_of_that_page(tmp_path: Path, web: Web) -> None:
    Members(web, PAGES)
    web.raw("/a", status=401, headers={"WWW-Authenticate": 'Basic realm="x"'})
    ended = crawl(tmp_path / "a.db", web.url("/"), settings=said(tmp_path, table(web, OUT)))
    assert ended.reason == "finished"
    assert rows(tmp_path / "a.db", "SELECT status FROM urls WHERE url LIKE '%/a'") == [(401,)]


def test_a_crawl_that_is_killed_goes_on_with_a_login_of_its_own(tmp_path: Path, web: Web) -> None:
    members = Members(web, PAGES)
    inside = web.reply
    held = web.held("/b")
    config = said(tmp_path, table(web, OUT))
    killed = crawl_apart(tmp_path / "a.db", web.url("/"), settings=config)
    held.asked.wait(PATIENT_S)
    until(lambda: rows(tmp_path / "a.db", "SELECT 1 FROM pages"))
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    held.let_go()
    assert inside is not None
    web.page("/b", body="Sign out")
    ended = crawl(tmp_path / "a.db", web.url("/"), settings=config)
    assert ended.reason == "finished"
    assert len(members.sent) == 2
    assert fates(tmp_path / "a.db", web.url(""))["/c"] == ("done", None)
    check_whole(tmp_path / "a.db")


# What is said


@pytest.mark.parametrize(
    ("name", "written", "told"),
    [
        ("a.test", 'url = "/in"', 'login: a login is sent to one scheme, host and port: write'),
        ("https://a.test/x/", 'url = "/in"', "login: a login is sent to one scheme"),
        ("https://a.test", 'url = "/in"', "login: fields is missing"),
        ("https://a.test", "urls = 1", 'login.urls: unknown key (did you mean "url"?)'),
        ("https://a.test", "url = 1", "login.url: expected the address of the page"),
        ("https://a.test", 'url = "http://a.test/in"', "login.url: is not on https://a.test"),
        ("https://a.test", 'url = "https://b.test/in"', "login.url: is not on https://a.test"),
        ("https://a.test", "fields = {}", "login.fields: expected { user"),
        ("https://a.test", 'fields = { p = { env = "NOT" } }', "fields.p: the environment has"),
        ("https://a.test", 'fields = { p = "hush\\u0000" }', "fields.p: has control characters"),
        ("https://a.test", 'success = ""', "login.success: expected a text that a page shows"),
        ("https://a.test", 'success = { css = "a[" }', "login.success.css: "),
        ("https://a.test", 'form = "a["', "login.form: "),
        ("https://a.test", 'origins = ["b.test"]', "login.origins: expected origins"),
        ("https://a.test", 'exclude = ["("]', "login.exclude: "),
    ],
)  # fmt: skip
def test_what_no_login_can_be_is_refused(
    tmp_path: Path, name: str, written: str, told: str
) -> None:
    whole = {"url": '"/in"', "fields": '{ p = "hush" }', "success": '"Sign out"'}
    key, _, value = written.partition(" = ")
    lines = dict(whole if told.find("missing") < 0 else {}) | {key: value}
    text = "\n".join(f"{one} = {of_it}" for one, of_it in lines.items())
    (tmp_path / "a.toml").write_text(f'[site."{name}".login]\n{text}\n')
    with pytest.raises(UsageError) as caught:
        load(tmp_path / "a.toml", environ={})
    assert told in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_login_without_cookies_is_refused_and_so_is_a_password_on_a_command_line() -> None:
    key = 'site."https://a.test"'
    whole = 'login={ url = "/", fields = { p = { env = "P" } }, success = "x" }'
    config = load(None, [f"{key}.{whole}"], environ={"P": "hush"})
    assert config.site["https://a.test"].cookies
    with pytest.raises(UsageError, match="a login keeps cookies"):
        load(None, [f"{key}.{whole}", f"{key}.cookies=false"], environ={"P": "hush"})
    with pytest.raises(UsageError, match="others can read a command line"):
        load(None, [f"{key}." + whole.replace('{ env = "P" }', '"hush"')])


@pytest.mark.parametrize(
    ("path", "leads_out"),
    [
        *((path, True) for path in (
            "/logout", "/sign_out", "/users/sign_out/", "/Account/LogOff", "/doLogout",
            "/userLogout.jsp", "/LogoutServlet", "/log-out?x=1", "/wp-login.php?action=logout&n=1",
            "/signoff", "/logout.php", "/SignOut.aspx",
        )),
        *((path, False) for path in (
            "/blog/outdoors", "/catalog-outlet", "/blogoutreach", "/LogOutput", "/log-output",
            "/design-outline", "/sign-offer", "/login", "/about",
        )),
    ],
)  # fmt: skip
def test_addresses_that_log_out_are_known_by_what_they_say(path: str, leads_out: bool) -> None:
    assert Patterns(WAYS_OUT).match(path) is leads_out


def test_another_list_of_ways_out_is_judged_by(tmp_path: Path, web: Web) -> None:
    Members(web, {"/": ["/logout", "/leave"], "/leave": [], "/welcome": []})
    config = said(tmp_path, table(web, 'exclude = ["^/leave"]'))
    crawl(tmp_path / "a.db", web.url("/"), settings=config)
    found = fates(tmp_path / "a.db", web.url(""))
    assert (found["/leave"], found["/logout"]) == (("skipped", "excluded"), ("done", None))
    crawl(tmp_path / "a.db", web.url("/"), settings=said(tmp_path, table(web, "exclude = []")))
    assert fates(tmp_path / "a.db", web.url(""))["/leave"] == ("done", None)


# Who sees it


def test_settings_show_no_password(
    tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PW", PASSWORD)
    (tmp_path / "s.toml").write_text(table(web, OUT))
    for more in ([], ["--json"]):
        shown = CliRunner().invoke(
            cli, ["settings", web.url("/"), "--config", str(tmp_path / "s.toml"), *more]
        )
        assert shown.exit_code == 0
        assert '"***"' in shown.output
        assert "line" in shown.output
        assert not any(form.decode() in shown.output for form in forms(PASSWORD))


def test_no_byte_of_a_password_is_written_anywhere(tmp_path: Path, web: Web) -> None:
    """By a site that repeats it in a page, in a header and in an address."""
    members = Members(web, PAGES)

    def login(request: Request) -> Answer:
        answer = members.login(request)
        if request.method != "POST":
            return answer
        told = quote_plus(PASSWORD)
        headers = dict(answer.headers) | {
            "X-Told": told,
            "X-Also": PASSWORD.encode().decode("latin-1"),
        }
        return Answer(answer.status, headers, html("in", f"{PASSWORD} {told}"))

    web.decide("/login", login)
    other = web.host("127.0.7.1")
    theirs = Members(other, PAGES)
    other.decide(
        "/login",
        lambda asked: (
            Answer(303, {"Location": f"/welcome?p={quote_plus(PASSWORD)}"})
            if asked.method == "POST"
            else theirs.login(asked)
        ),
    )
    (tmp_path / "s.toml").write_text(table(web, OUT) + table(other, password=f'"{PASSWORD}"'))
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "PW": PASSWORD}
    ran = subprocess.run(
        [sys.executable, "-m", "crawler", "crawl", web.url("/"), other.url("/"), "--db", "a.db",
         "--json", "--config", "s.toml", "--set", "robots.sitemaps=false", "--workers", "2"],
        cwd=tmp_path, capture_output=True, timeout=PATIENT_S, check=False, env=environ,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert len(members.sent) == 1
    written = [ran.stdout, ran.stderr, *(file.read_bytes() for file in tmp_path.glob("a.db*"))]
    for name in ("csv", "warc"):
        target = tmp_path / f"out.{name}"
        subprocess.run(
            [sys.executable, "-m", "crawler", "export", name, "--db", "a.db", "--out", str(target)],
            cwd=tmp_path, capture_output=True, timeout=PATIENT_S, check=True, env=environ,
        )  # fmt: skip
        files = [target] if target.is_file() else list(target.rglob("*"))
        written += [file.read_bytes() for file in files if file.is_file()]
    looked_for = forms(PASSWORD) | {quote_plus(PASSWORD).encode()}
    assert [form for form in looked_for for data in written if form in data] == []
    [(told,)] = rows(
        tmp_path / "a.db", "SELECT login_detail FROM origins WHERE login_state='failed'"
    )
    assert "an address that has a password in it" in told


def test_the_rules_say_which_answers_are_asked_for_again() -> None:
    assert "timeout" not in logins.UNSENT
    assert "connect_refused" in logins.UNSENT


SECRET = "p\u00e4ss/w!rd 'x&1"
SPELLINGS = {
    "as JavaScript writes it": "p%C3%A4ss%2Fw!rd%20'x%261",
    "in small digits": "p%c3%a4ss%2fw%21rd+%27x%261",
    "in another charset": "p%E4ss%2Fw!rd+'x%261",
    "more than it must": "%70%c3%a4%73%73%2f%77%21%72%64%20%27%78%26%31",
    "within an address of an address": "%252F%253Fp%2525C3%2525A4ss%25252Fw!rd%252520'x%2525261",
    "as HTML": "p&#228;ss/w!rd &#39;x&amp;1",
    "packed": base64.b64encode(SECRET.encode()).decode(),
}  # fmt: skip


def table_of_a_test() -> str:
    return """
[site."http://a.test".login]
url = "/login"
fields = { user = "ann", password = { env = "PW" } }
success = "hi"
"""


@pytest.mark.parametrize("spelt", SPELLINGS.values(), ids=SPELLINGS)
def test_a_password_is_hidden_however_a_site_spells_it(tmp_path: Path, spelt: str) -> None:
    config = said(tmp_path, table_of_a_test(), password=SECRET)
    login = config.site["http://a.test"].login
    assert login is not None
    asked = spelt.replace("#", "%23")
    where, fragment = urls.resolve(f"http://a.test/in?next={asked}#{spelt}", rules=urls.UNLIMITED)
    plain, _ = urls.resolve("http://a.test/in", rules=urls.UNLIMITED)
    for target, behind in ((where, None), (plain, fragment), (plain, spelt)):
        reply = Reply(
            303, error_detail=f"no {spelt}", headers=(("X-Told", spelt),), redirect=target,
            redirect_fragment=behind, note=f"unknown content coding {spelt}",
        )  # fmt: skip
        bare = logins.bare(reply, login, LoginStep("http://a.test"))
        assert bare.redirect is None
        assert bare.redirect_fragment is None
        assert bare.headers == (("X-Told", logins.HIDDEN),)
        assert spelt not in str(bare)


def test_a_password_is_hidden_where_the_form_has_another_field_for_one(tmp_path: Path) -> None:
    """One that shows what is typed, beside one that nobody is to fill in."""
    config = said(tmp_path, table_of_a_test(), password=SECRET)
    login = config.site["http://a.test"].login
    assert login is not None
    where, _ = urls.resolve(f"http://a.test/in?p={quote_plus(SECRET)}", rules=urls.UNLIMITED)
    reply = Reply(303, redirect=where, headers=(("location", where.url),))
    bare = logins.bare(reply, login, LoginStep("http://a.test", secret=("confirm",)))
    assert bare.redirect is None
    assert bare.headers == (("location", logins.HIDDEN),)


def test_other_addresses_of_a_login_are_told_as_they_are(tmp_path: Path) -> None:
    config = said(tmp_path, table_of_a_test(), password=SECRET)
    login = config.site["http://a.test"].login
    assert login is not None
    target, fragment = urls.resolve("http://a.test/in?next=%2Fp%C3%A4ss#top")
    reply = Reply(303, redirect=target, redirect_fragment=fragment, headers=(("X", "word"),))
    assert logins.bare(reply, login, LoginStep("http://a.test")) == reply
