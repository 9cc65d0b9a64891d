"""Is this URL one of endlessly many?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.policy.traps import trap

HEX = "0123456789abcdef" * 2
REPEATED = "repeated path segment"

TRAPS = [
    # HOSTILE.md, cases 159 and 160
    ("/a/b/a/b/a/b/", REPEATED),
    ("/a/b/a/b/a/b", REPEATED),
    ("/x/a/a/a/y", REPEATED),
    ("/start/a/b/c/a/b/c/a/b/c/end.html", REPEATED),
    ("/x/a/b/a/b/a/b?page=1", REPEATED),
    ("/1/a/1/a/1/a", REPEATED),
    ("/" + "/".join(f"s{n}" for n in range(21)), "over 20 segments"),
    ("/" * 22, "over 20 segments"),
    ("/?" + "&".join(f"p{n}=1" for n in range(21)), "query of 21 parameters"),
    ("/?" + "&".join("p=1" for _ in range(6)), "parameter given 6 times: p"),
]

ORDINARY = [
    "",
    "/",
    "/a/a/b",
    "/2024/2024/",
    "/en/docs/en/",
    "/a/b/a/b/",
    "/a/a/b/a/a/b/",
    "/1/1/1/",
    "/tiles/0/0/0/0.png",
    "/2011/11/11/11/",
    "/a//b//c",
    "/a///b",
    "/" + "/".join(f"s{n}" for n in range(20)),
    "/" + "/".join(f"s{n}" for n in range(20)) + "/",
    "/?" + "&".join(f"p{n}=1" for n in range(20)),
    "/?" + "&".join("p=1" for _ in range(5)),
    "/?a&&&&&&&&&&&&&&&&&&&&&&&&&b",
    "/a?sid=12",
    "/a?s=words",
    "/a?user_sid=" + HEX,
    "/a?PHPSESSID=",
    "/sid=" + HEX,
    "/wiki/Function_(S(x))/",
    "/a?next=/a/a/a/a/a",
]


@pytest.mark.parametrize(("rest", "reason"), TRAPS)
def test_a_mark_of_an_endless_series_is_seen(rest: str, reason: str) -> None:
    assert trap("https://h.test" + rest) == reason


@pytest.mark.parametrize("rest", ORDINARY)
def test_an_ordinary_address_is_no_trap(rest: str) -> None:
    assert trap("https://h.test" + rest) is None


def test_each_limit_can_be_moved() -> None:
    assert trap("https://h.test/a/b/a/b", max_repeats=1) == REPEATED
    assert trap("https://h.test/a/a/a", max_repeats=3) is None
    assert trap("https://h.test/a/a/a/a", max_repeats=3) == REPEATED
    assert trap("https://h.test/a/b/c", max_segments=2) == "over 2 segments"
    assert trap("https://h.test/?a=1&b=2", max_parameters=1) == "query of 2 parameters"
    assert trap("https://h.test/?a=1&a=2", max_same_parameter=1) == "parameter given 2 times: a"


def test_the_name_of_a_host_is_no_segment() -> None:
    assert trap("https://a/a/a") is None
    assert trap("https://a.test/b/a.test/b/a.test") is None


@given(st.text())
def test_no_text_raises(text: str) -> None:
    for url in (text, "https://h.test/" + text, "https://h.test/?" + text):
        trap(url)


@given(st.text("ab/", max_size=30))
def test_a_repetition_is_seen_wherever_it_stands(around: str) -> None:
    assert trap(f"https://h.test/{around}/x/y/x/y/x/y/{around[:3]}") is not None
