"""Is what names the visit taken out of an address, and nothing else?"""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.policy.stripped_parameters import ALWAYS, LIKELY, stripper
from crawler.policy.urls import Resolver, UrlRules, resolve

HEX = "0123456789abcdef" * 2
MIXED = "q3t0sbn7v1e8k2m4p6a5c9d0f1"
UUID = "123e4567-e89b-12d3-a456-426614174000"

SESSIONS = [
    # the forms in which web frameworks write a session
    ("/a;jsessionid=0A1B", "/a"),
    ("/a;JSESSIONID=0A1B.node1!-17?x=1", "/a?x=1"),
    ("/a;v=1;jsessionid=0A1B;w=2/b", "/a;v=1;w=2/b"),
    ("/a%3Bjsessionid=0A1B?x=1", "/a?x=1"),
    ("/a?PHPSESSID=abc", "/a"),
    ("/a?x=1&phpsessid=abc", "/a?x=1"),
    ("/a?phpsessid=abc&x=1", "/a?x=1"),
    ("/a?x=1;PHPSESSID=abc;y=2", "/a?x=1;y=2"),
    ("/a?x=1&phpsessid=abc&y=2", "/a?x=1&y=2"),
    ("/a?phpsessid=1&phpsessid=2", "/a"),
    (f"/a?sid={HEX}", "/a"),
    (f"/viewtopic.php?t=7&sid={HEX.upper()}&start=15", "/viewtopic.php?t=7&start=15"),
    (f"/showthread.php?s={HEX}&t=1", "/showthread.php?t=1"),
    (f"/a?sid={MIXED}", "/a"),
    (f"/a?session_id={UUID}", "/a"),
    ("/a?ASPSESSIONIDQQTA=ABC", "/a"),
    ("/a?CFID=1&CFTOKEN=2&x=3", "/a?x=3"),
    ("/a?osCsid=q3t0sbn7v1e8", "/a"),
    ("/a/b;jsessionid=1/c", "/a/b/c"),
    ("/a/..;jsessionid=1/b", "/b"),
    ("/(S(lit3py55t21z5v55vlm25s55))/a.aspx", "/a.aspx"),
    ("/(X(1)S(lit3py55t21z5v55vlm25s55))/a.aspx?b=1", "/a.aspx?b=1"),
]

ORDINARY = [
    "/",
    "/a?",
    "/a?b",
    "/a;b=1?c;d&e=",
    "/a?&&b=1&",
    "/a?sid=12",
    "/a?sid=the-story-of-a-very-long-name",
    "/a?session_id=20240101000000000000",
    "/a?session=3",
    "/a?s=words",
    f"/a?s={MIXED}",
    "/a?s=" + "w0rd" * 4,
    f"/a?user_sid={HEX}",
    f"/a?xsid={HEX}",
    f"/sid={HEX}",
    f"/a?b=sid={HEX}",
    "/jsessionid=1/a",
    "/a?utm_source=x",
    "/Foo_(S(bar))/x",
]


@pytest.mark.parametrize(("address", "page"), SESSIONS)
def test_an_identifier_of_a_session_is_taken_out(address: str, page: str) -> None:
    assert resolve(f"http://h.test{address}")[0].url == f"http://h.test{page}"


@pytest.mark.parametrize("address", ORDINARY)
def test_nothing_else_is_changed(address: str) -> None:
    assert stripper()(f"http://h.test{address}") == f"http://h.test{address}"


@pytest.mark.parametrize(
    ("address", "page"),
    [
        ("/a?utm_source=x&b=1&UTM_medium=y", "/a?b=1"),
        ("/a?utm_source", "/a"),
        ("/a?xutm_source=1", "/a?xutm_source=1"),
        ("/a?ref=home&preference=1", "/a?preference=1"),
        ("/a;ref=1/b?c=1", "/a/b?c=1"),
        (f"/a?sid={HEX}&ref=1", "/a"),
        ("/a?a.b=1&axb=1", "/a?axb=1"),
    ],
)
def test_people_may_name_more(address: str, page: str) -> None:
    strip = stripper(("utm_*", "ref", "a.b"))
    assert strip(f"http://h.test{address}") == f"http://h.test{page}"


@pytest.mark.parametrize(("address", "page"), SESSIONS)
@pytest.mark.parametrize("base", [None, "http://h.test/d/p.html?q=1", "http://u:p@h.test/"])
def test_every_address_is_read_without_it(base: str | None, address: str, page: str) -> None:
    href = f"http://h.test{address}" if base is None else address
    assert resolve(href, base)[0] == resolve(f"http://h.test{page}")[0]


@pytest.mark.parametrize(
    "path",
    [
        ";sid=" * 400,
        "?sid=" + "a1" * 1000,
        "?" + ("sid=" + "a" * 31 + "&") * 60,
        "?session=" + "12345678-1234-" * 140,
        "?" + "utm_" * 500,
        "/(a()" * 400 + "s(",
        "(" * 2000,
        "%3b" * 600,
    ],
)
def test_no_address_takes_long_to_look_through(path: str) -> None:
    strip = stripper(("utm_*", "*"))
    began = time.process_time()
    for _ in range(20):
        strip(f"http://h.test/{path}")
    assert (time.process_time() - began) / 20 < 0.01  # 0.3 ms at most, measured


def test_a_limit_counts_what_is_left() -> None:
    target, _ = resolve("http://h.test/a?PHPSESSID=" + "x" * 100, rules=UrlRules(20))
    assert (target.url, target.refusal) == ("http://h.test/a", None)


def test_what_is_to_be_left_as_written_is() -> None:
    target, _ = resolve("http://h.test/a;jsessionid=1", rules=UrlRules(strip=None))
    assert target.url == "http://h.test/a;jsessionid=1"


_names = st.sampled_from([name.replace("*", "") for name in (*ALWAYS, *LIKELY, "s", "a", "utm_x")])
_values = st.one_of(st.sampled_from([HEX, MIXED, UUID, "", "1"]), st.text("ab1;&=?/", max_size=9))
_queries = st.lists(st.tuples(_names, _values).map("=".join), max_size=4).map("&".join)


@given(_queries, st.sampled_from(["/p", "/d/", "/a;jsessionid=1/b"]))
def test_what_was_stripped_once_is_left_alone(query: str, path: str) -> None:
    resolver = Resolver("http://h.test/", UrlRules(strip=("utm_*",)))
    once, _ = resolver.resolve(f"{path}?{query}")
    assert resolver.resolve(once.url)[0] == once
