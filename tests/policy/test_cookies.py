"""Is a cookie kept, and sent, as RFC 6265 and its successor say?"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crawler.errors import UsageError
from crawler.policy.cookie_files import read_cookies
from crawler.policy.cookies import PER_HOST, Cookie, Jar, read, without_value

NOW = 1_800_000_000.0


def sent(asked: str, *set_by: tuple[str, str], now: float = NOW) -> str:
    """What is sent to an address after answers from others set cookies."""
    jar = Jar()
    for url, header in set_by:
        jar.take(url, [header], NOW)
    return jar.header(asked, now)


HOME = "https://www.a.test/x/y"


@pytest.mark.parametrize(
    ("header", "asked", "cookies"),
    [
        ("a=1", "https://www.a.test/x/z", "a=1"),
        ("a=1", "https://www.a.test/x", "a=1"),
        ("a=1", "https://www.a.test/", ""),  # the default path, section 5.1.4
        ("a=1", "https://www.a.test/xy", ""),
        ("a=1; Path=/", "https://www.a.test/", "a=1"),
        ("a=1; Path=/", "http://www.a.test/", "a=1"),
        ("a=1; Path=/", "https://www.a.test:8443/", "a=1"),  # section 8.5: no port
        ("a=1; Path=/; Secure", "http://www.a.test/", ""),
        ("a=1; Path=/", "https://a.test/", ""),  # host-only
        ("a=1; Path=/", "https://b.www.a.test/", ""),
        ("a=1; Path=/; Domain=a.test", "https://b.a.test/", "a=1"),
        ("a=1; Path=/; Domain=.A.TEST", "https://a.test/", "a=1"),
        ("a=1; Path=/; Domain=b.test", "https://b.test/", ""),
        ("a=1; Path=/; Domain=a.test", "https://xa.test/", ""),
        ("a=1; Path=/; Domain=b.www.a.test", "https://b.www.a.test/", ""),
        ("a=1; Path=/; Domain=test", "https://b.test/", ""),
        ("a=1; Path=/; Max-Age=10", "https://www.a.test/", "a=1"),
        ("a=1; Path=/; Max-Age=0", "https://www.a.test/", ""),
        ("a=1; Path=/; Max-Age=-1", "https://www.a.test/", ""),
        ("a=1; Path=/; Max-Age=x", "https://www.a.test/", "a=1"),
        ("a=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT", "https://www.a.test/", ""),
        ("a=1; Path=/; Max-Age=9; Expires=Thu, 01 Jan 1970 00:00:00 GMT", HOME, "a=1"),
        ("a=1; Path=/; Expires=Thu, 01-Jan-70 00:00:00 GMT", "https://www.a.test/", ""),
        ("a=1; Path=/; Expires=never", "https://www.a.test/", "a=1"),
        ("a=", HOME, "a="),
        ("a", HOME, ""),
        ("=1", HOME, ""),
        (" a = 1 2 ; Path=/", HOME, "a=1 2"),
        ('a="1"', HOME, 'a="1"'),
        ("a=1\x00", HOME, ""),
        ("a=\xc3\x89\xa0", HOME, "a=\xc3\x89\xa0"),  # bytes of UTF-8, as headers hold them
        ("a=" + "x" * 5000, HOME, ""),
        ("__Secure-a=1; Path=/", HOME, ""),
        ("__Secure-a=1; Path=/; Secure", HOME, "__Secure-a=1"),
        ("__Host-a=1; Path=/; Secure", HOME, "__Host-a=1"),
        ("__host-a=1; Path=/; Secure; Domain=www.a.test", HOME, ""),
        ("__Host-a=1; Path=/x; Secure", HOME, ""),
    ],
)
def test_a_cookie_goes_where_it_is_for(header: str, asked: str, cookies: str) -> None:
    assert sent(asked, (HOME, header)) == cookies


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        *(("a.co.uk", "co.uk"), ("me.github.io", "github.io"), ("a.com", "com")),
        *(("a.xn--55qx5d.cn", "xn--55qx5d.cn"), ("1.2.3.4", "3.4")),
    ],
)
def test_nobody_sets_a_cookie_for_a_public_suffix(host: str, domain: str) -> None:
    """Scrapy GHSA-mfjm-vh54-3f96."""
    assert read(f"a=1; Domain={domain}", f"https://{host}/", NOW) is None


def test_a_public_suffix_that_is_a_site_sets_cookies_for_itself_alone() -> None:
    cookie = read("a=1; Domain=github.io", "https://github.io/", NOW)
    assert cookie is not None
    assert cookie.host_only


def test_plain_http_sets_no_secure_cookie_and_replaces_none() -> None:
    """draft-ietf-httpbis-rfc6265bis, section 5.7."""
    assert read("a=1; Secure", "http://www.a.test/", NOW) is None
    assert sent(HOME, (HOME, "a=1; Path=/; Secure"), ("http://www.a.test/", "a=2; Path=/")) == "a=1"


def test_longer_paths_come_first_then_what_was_set_first() -> None:
    """RFC 6265, section 5.4."""
    jar = Jar()
    for at, header in enumerate(["a=1; Path=/", "b=2; Path=/x", "c=3; Path=/", "a=4; Path=/"]):
        jar.take(HOME, [header], NOW + at)
    assert jar.header(HOME, NOW + 9) == "b=2; a=4; c=3"


def test_of_a_host_fifty_are_kept() -> None:
    """aiohttp PYSEC-2026-4392."""
    jar = Jar()
    for number in range(1000):
        jar.take(HOME, [f"c{number}=1; Path=/"], NOW + number)
    assert len(list(jar)) == PER_HOST
    assert "c999=1" in jar.header(HOME, NOW + 1000)


def test_of_many_hosts_only_so_many_are_remembered_and_no_header_is_long() -> None:
    jar = Jar()
    for number in range(3000):
        jar.take(f"https://h{number}.test/", ["a=1"], NOW)
    assert len(list(jar)) <= 2000
    for number in range(40):
        jar.take(HOME, [f"c{number}={'x' * 4000}; Path=/"], NOW)
    assert len(jar.header(HOME, NOW)) <= 8192


def test_what_is_kept_of_a_set_cookie_has_no_value() -> None:
    assert without_value("sid=s3cret; Path=/; HttpOnly") == "sid=***; Path=/; HttpOnly"
    assert without_value("sid=s3cret") == "sid=***"


# Files


NETSCAPE = """# Netscape HTTP Cookie File

.a.test\tTRUE\t/\tTRUE\t4000000000\tall\t1
www.a.test\tFALSE\t/x\tFALSE\t0\tone\t2
#HttpOnly_www.a.test\tFALSE\t/\tFALSE\t0\thidden\t3
old.a.test\tFALSE\t/\tFALSE\t1\tover\t4
co.uk\tTRUE\t/\tFALSE\t0\tsuffix\t5
"""


def test_a_cookies_txt_is_read(tmp_path: Path) -> None:
    (tmp_path / "cookies.txt").write_text(NETSCAPE)
    assert read_cookies(tmp_path / "cookies.txt", NOW) == [
        Cookie("all", "1", "a.test", "/", False, True, False, 4000000000.0),
        Cookie("one", "2", "www.a.test", "/x", True, False, False, None),
        Cookie("hidden", "3", "www.a.test", "/", True, False, True, None),
        Cookie("suffix", "5", "co.uk", "/", True, False, False, None),
    ]


def test_a_storage_state_is_read(tmp_path: Path) -> None:
    cookie = {"name": "a", "value": "1", "path": "/", "httpOnly": True, "sameSite": "Lax"}
    state = {
        "cookies": [
            cookie | {"domain": ".a.test", "expires": -1, "secure": True},
            cookie | {"domain": "b.test", "expires": 4000000000.5, "secure": False},
        ],
        "origins": [],
    }
    (tmp_path / "state.json").write_text(json.dumps(state))
    assert read_cookies(tmp_path / "state.json", NOW) == [
        Cookie("a", "1", "a.test", "/", False, True, True, None),
        Cookie("a", "1", "b.test", "/", True, False, True, 4000000000.5),
    ]


def test_what_a_file_says_beyond_ascii_is_sent_as_browsers_send_it(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("a.test\tFALSE\t/\tFALSE\t0\tn\t日é\n", encoding="utf-8")
    [cookie] = read_cookies(tmp_path / "c", NOW)
    assert cookie.value.encode("latin-1") == "日é".encode()


@pytest.mark.parametrize(
    "text",
    [
        *("a.test TRUE / FALSE 0 hush hush", "a.test\tTRUE\t/\tTRUE\tsoon\thush\thush"),
        *(
            '{"cookies": 1}',
            "{",
            '{"cookies": [{"name": "hush"}]}',
            "a.test\tTRUE\tx\tTRUE\t0\ta\tb",
        ),
        "a.test\tTRUE\t/\tTRUE\t0\thush\thu;sh",
        *(
            f'{{"cookies": [{{"domain": "a", "name": "hush", "value": "", "expires": {much}}}]}}'
            for much in ("9" * 400, "9" * 5000, "null", "[" * 10_000)
        ),
    ],
)
def test_what_is_no_file_of_cookies_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    path = tmp_path / "cookies.txt"
    path.write_text(text)
    with pytest.raises(UsageError) as caught:
        read_cookies(path, NOW)
    assert str(caught.value).startswith(str(path))
    assert "hush" not in str(caught.value)


def test_of_one_answer_no_more_are_read_than_a_host_may_have() -> None:
    jar = Jar()
    jar.take("https://a.test/", (f"c{n}=1" for n in range(14_000)), NOW)
    assert [cookie.name for cookie in jar] == [f"c{n}" for n in range(PER_HOST)]
