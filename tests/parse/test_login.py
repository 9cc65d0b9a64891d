"""Is a form read as a browser would send it, and a page for what it shows?"""

from __future__ import annotations

import pytest

from crawler.config import LoginConfig
from crawler.config.sections import Proof, Secret
from crawler.fetch import forms
from crawler.model import Document, Form, Job, LoginStep, Reply
from crawler.parse import login
from crawler.policy.urls import resolve

URL = "https://a.test/in/"
SAID = {"user": Secret("ann"), "pass": Secret("p\u00e4ss&=+ ~")}
FIELDS = '<input name="user"><input name="pass" type="password">'


def config(form: str = "") -> LoginConfig:
    return LoginConfig(URL, SAID, Proof("Sign out"), Proof("Sign in"), form)


def read(page: str, *, form: str = "", header: str = "text/html; charset=utf-8") -> login.LoginPage:
    job = Job(1, 0, URL, "login", login=LoginStep("https://a.test"))
    body = page.encode(header.rpartition("=")[2])
    return login.read(job, Reply(200, headers=(("Content-Type", header),), body=body), config(form))


def sent(page: str, **how: str) -> tuple[Form, dict[str, str], bytes]:
    found = read(page, **how)
    assert found.form is not None, found.lacks
    values = {name: one.value for name, one in SAID.items()}
    return (found.form, *forms.sent(found.form, values))


def post(inner: str, more: str = "") -> str:
    return f'<form method="post" {more}>{inner}</form>'


@pytest.mark.parametrize(
    ("inner", "pairs"),
    [
        ('<input type="hidden" name="t" value="1&amp;2">', [("t", "1&2")]),
        ('<input name="a" disabled value="1"><input value="2"><input name="" value="3">', []),
        ('<input type="checkbox" name="c"><input type="radio" name="r" checked value="2">',
         [("r", "2")]),
        ('<input type="CheckBox" name="c" checked>', [("c", "on")]),
        ('<input type="file" name="f"><input type="reset" name="x"><input type="button" name="y">',
         []),
        ("<textarea name=t>\none\ntwo</textarea>", [("t", "one\ntwo")]),
        ("<select name=s><option>a<option selected value=b>c</select>", [("s", "b")]),
        ("<select name=s><option disabled>a<option> b  c </select>", [("s", "b c")]),
        ("<select name=s multiple><option>a</select>", []),
        ("<select name=s multiple><option selected>a<option selected>b</select>",
         [("s", "a"), ("s", "b")]),
        ('<button name="go" value="1">Go</button><input type="submit" name="no" value="2">',
         [("go", "1")]),
        ('<button type="button" name="no">x</button><input type="submit" name="go" value="2">',
         [("go", "2")]),
    ],
)  # fmt: skip
def test_what_a_browser_would_send_is_sent(inner: str, pairs: list[tuple[str, str]]) -> None:
    form, _, _ = sent(post(FIELDS + inner))
    assert list(form.pairs) == [("user", ""), ("pass", ""), *pairs]
    assert form.hidden == ("pass",)


@pytest.mark.parametrize(
    ("page", "action"),
    [
        (post(FIELDS), URL),
        (post(FIELDS, 'action=""'), URL),
        (post(FIELDS, 'action="go?x=1"'), "https://a.test/in/go?x=1"),
        ("<base href='/b/'>" + post(FIELDS, 'action="go"'), "https://a.test/b/go"),
        (post(FIELDS + '<button formaction="/other">'), "https://a.test/other"),
        (post(FIELDS, 'action="/s;jsessionid=1"'), "https://a.test/s;jsessionid=1"),
        (f'<form>{FIELDS}<button formmethod="POST" formaction="/x">', "https://a.test/x"),
        (f'<form id="f" method="post" action="/x"></form><p form="f">{FIELDS}'.replace(
            "<input", '<input form="f"'), "https://a.test/x"),
        (f"<table><form method=post action=/t><tr><td>{FIELDS}</table>", "https://a.test/t"),
        (post('<input name="q">', "action=/no") + post(FIELDS, "action=/yes"), "https://a.test/yes"),
    ],
)  # fmt: skip
def test_a_form_leads_where_its_page_says(page: str, action: str) -> None:
    assert read(page).form is not None
    assert sent(page)[0].action.url == action


def test_a_selector_chooses_among_forms() -> None:
    page = post(FIELDS, "action=/one") + post(f"<i class=two></i>{FIELDS}", "action=/two id=two")
    assert sent(page)[0].action.url == "https://a.test/one"
    for form in ("#two", "form:nth-of-type(2)", "i.two"):
        assert sent(page, form=form)[0].action.url == "https://a.test/two"
    assert read(page, form="#three").lacks == 'has no form that "#three" selects'


def test_a_form_has_a_bounded_number_of_fields() -> None:
    assert "more than 1,000 fields" in read(post(FIELDS + "<input name=x>" * 1000)).lacks
    chosen = "<option selected>x" * 5000
    form, _, _ = sent(post(f"{FIELDS}<select name=s multiple>{chosen}</select>"))
    assert len(form.pairs) == 1000


def test_fields_that_the_form_lacks_are_added_where_it_was_chosen() -> None:
    form, _, body = sent(post('<input name="user" value="x">', "id=f"), form="#f")
    assert form.hidden == ()
    assert body == b"user=ann&pass=p%C3%A4ss%26%3D%2B+%7E"


@pytest.mark.parametrize(
    ("header", "more", "value"),
    [
        ("text/html; charset=utf-8", "", b"p%C3%A4ss%26%3D%2B+%7E"),
        ("text/html; charset=iso-8859-1", "", b"p%E4ss%26%3D%2B+%7E"),
        ("text/html; charset=utf-8", "accept-charset=latin1", b"p%E4ss%26%3D%2B+%7E"),
        ("text/html; charset=utf-8", "accept-charset=us-ascii", b"p%E4ss%26%3D%2B+%7E"),
        ("text/html; charset=utf-8", "accept-charset=koi8-r", b"p%26%23228%3Bss%26%3D%2B+%7E"),
        ("text/html; charset=koi8-r", "accept-charset='x base64,utf-8'", b"p%C3%A4ss%26%3D%2B+%7E"),
        ("text/html; charset=utf-16", "", b"p%C3%A4ss%26%3D%2B+%7E"),
        ("text/html; charset=utf-8", "accept-charset=none-such", b"p%C3%A4ss%26%3D%2B+%7E"),
        ("text/html; charset=utf-8", "accept-charset=base64", b"p%C3%A4ss%26%3D%2B+%7E"),
    ],
)
def test_a_form_is_written_in_the_charset_of_its_page(header: str, more: str, value: bytes) -> None:
    _, headers, body = sent(post(FIELDS, more), header=header)
    assert body == b"user=ann&pass=" + value
    assert headers == {
        "Content-Type": "application/x-www-form-urlencoded",
        "Content-Length": str(len(body)),
        "Origin": "https://a.test",
        "Referer": URL,
    }


def test_a_page_that_says_its_charset_itself_is_answered_in_it() -> None:
    page = f"<meta charset=latin1><p>\u00e4{post(FIELDS)}".encode("latin-1")
    job = Job(1, 0, URL, "login", login=LoginStep("https://a.test"))
    found = login.read(job, Reply(200, body=page), config()).form
    assert found is not None
    assert found.charset == "cp1252"


def test_a_form_in_parts_keeps_names_and_values_apart() -> None:
    page = post(FIELDS + "<input name='a\"b' value='x\ny'>", "enctype=multipart/form-data")
    _, headers, body = sent(page)
    boundary = headers["Content-Type"].removeprefix("multipart/form-data; boundary=").encode()
    parts = body.split(b"--" + boundary)
    assert parts[0] == b""
    assert parts[-1] == b"--\r\n"
    assert b'name="a%22b"\r\n\r\n' in parts[3]
    assert parts[2].endswith("\r\n\r\np\u00e4ss&=+ ~\r\n".encode())


def test_another_origin_is_told_the_origin_alone() -> None:
    _, headers, _ = sent(post(FIELDS, "action=https://b.test/in"))
    assert headers["Referer"] == "https://a.test/"


@pytest.mark.parametrize(
    ("page", "proves", "refutes"),
    [
        ("<p>sign\n OUT", True, False),
        ("<a>Sign <b>out</b></a>", True, False),
        ("<input type=submit value='Sign out'>", True, False),
        ("<button aria-label='Sign out'><img></button>", True, False),
        ("<input value='Sign out'>", False, False),
        ("<script>'Sign out'</script><!-- Sign out --><style>Sign out</style>", False, False),
        ("<p>Sign</p><p>out", True, False),
        ("<p>Sign in or sign out", True, True),
        ("", False, False),
    ],
)
def test_a_text_is_what_people_see(page: str, proves: bool, refutes: bool) -> None:
    found = read(page)
    assert (found.proves, found.refutes) == (proves, refutes)


@pytest.mark.parametrize(
    ("job", "reply", "out"),
    [
        (Job(1, 1, "https://a.test/x"), Reply(200, body=b"<p>SIGN&nbsp;IN"), True),
        (Job(1, 1, "https://a.test/x"), Reply(200, body=b"<p>Sign out"), False),
        (Job(1, 1, "https://a.test/x", "check"), Reply(200, body=b"<p>Sign in"), False),
        (Job(1, 1, "https://a.test/in/?next=/x"), Reply(200, body=b"<p>Sign in"), False),
    ],
)
def test_a_page_that_shows_who_is_not_logged_in_says_so(job: Job, reply: Reply, out: bool) -> None:
    assert login.refuses(job, reply, Document(), config()) is out


@pytest.mark.parametrize(
    ("url", "kind", "place", "out"),
    [
        ("https://a.test/x", "page", "https://a.test/in/", True),
        ("https://a.test/x", "page", "https://a.test/in/?next=%2Fx#y", True),
        ("https://a.test/map.xml", "sitemap", "https://a.test/in/", True),
        ("https://a.test/x", "page", "https://a.test/in/more", False),
        ("https://a.test/x", "page", "http://a.test/in/", False),
        ("https://a.test/in/?a=1", "page", "https://a.test/in/?b=1", False),
    ],
)
def test_a_page_that_leads_to_the_form_does_too(url: str, kind: str, place: str, out: bool) -> None:
    job = Job(1, 1, url, kind)  # type: ignore[arg-type]  # a literal in the table above
    reply = Reply(302, redirect=resolve(place)[0])
    assert login.refuses(job, reply, Document(), config()) is out
