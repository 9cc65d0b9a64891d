"""What is the address, and is it one that can be fetched?"""

from __future__ import annotations

import json
from typing import Any

import ada_url
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from publicsuffixlist import PublicSuffixList

from crawler.policy import urls
from crawler.policy.urls import Resolver, UrlRules, resolve
from tests.sites.skip import require_corpus

# Cases of the web platform tests that are URLs, but that no crawler could fetch: the rule which
# says so stands beside each. Everything else must come out as the standard says.
UNFETCHABLE = {
    "http://./": "a label must not be empty (RFC 1035, section 2.3.1)",
    "http://../": "a label must not be empty (RFC 1035, section 2.3.1)",
    "http://foo.09../": "a label must not be empty (RFC 1035, section 2.3.1)",
    "http://f:0/c": "TCP port 0 is reserved (RFC 6335, section 6)",
}


def wpt_cases(name: str) -> list[dict[str, Any]]:
    """The cases of a file of the web platform tests; its comments are plain strings."""
    path = require_corpus("wpt-url-via-ada") / "tests" / "wpt" / name
    return [case for case in json.loads(path.read_text("utf-8")) if isinstance(case, dict)]


def expected_of(case: dict[str, Any]) -> tuple[str | None, str | None]:
    """URL and refusal by the corpus' own fields; None for the URL of another scheme."""
    if case.get("failure"):
        return None, "url_invalid"
    if case["protocol"] not in ("http:", "https:"):
        return None, "scheme"
    query = case["search"]
    if not query and case["href"].partition("#")[0].endswith("?"):
        query = "?"  # the field `search` says "" for an empty query too, the href keeps its mark
    return f"{case['protocol']}//{case['host']}{case['pathname']}{query}", None


def test_every_wpt_case_has_the_verdict_of_the_standard() -> None:
    anywhere = UrlRules(blocked_ports=frozenset())
    cases = wpt_cases("urltestdata.json")
    wrong = []
    refused = set()
    for case in cases:
        target, _ = resolve(case["input"], case.get("base"), rules=anywhere)
        url, refusal = expected_of(case)
        if refusal is None and target.refusal == "url_invalid":
            refused.add(target.url)
        elif target.refusal != refusal or url not in (None, target.url):
            wrong.append((case["input"], case.get("base"), target))
    assert wrong == []
    assert refused == set(UNFETCHABLE)
    assert sum(1 for case in cases if case.get("failure")) == 267
    assert len(cases) == 891


def test_names_become_ascii_as_the_standard_says() -> None:
    wrong = []
    for case in wpt_cases("toascii.json"):
        host = case["output"]
        possible = host and len(host.removesuffix(".")) <= 253
        if possible and all(0 < len(label) < 64 for label in host.removesuffix(".").split(".")):
            expected: tuple[str, str | None] = (f"http://{host}/x", None)
        else:
            expected = ("", "url_invalid")
        target, _ = resolve(f"http://{case['input']}/x")
        if (target.url if target.refusal is None else "", target.refusal) != expected:
            wrong.append((case, target))
    assert wrong == []


BASE = "http://base.test/dir/page?q"

ADDRESSES = [
    # number in HOSTILE.md or source, text, expected URL, refusal
    ("10", f"http://{'a' * 64}.test/", f"http://{'a' * 64}.test/", "url_invalid"),
    ("10: 63 is the most", f"http://{'a' * 63}.test/", f"http://{'a' * 63}.test/", None),
    ("11", "http://a..b/", "http://a..b/", "url_invalid"),
    ("12", "http://a_b.test/", "http://a_b.test/", None),
    ("13", "http://base.test./", "http://base.test./", None),
    ("20", "http://h.test:0/", "http://h.test:0/", "url_invalid"),
    ("21: ssh", "http://h.test:22/", "http://h.test:22/", "blocked_port"),
    ("21: smtp", "http://h.test:25/", "http://h.test:25/", "blocked_port"),
    ("21: redis", "http://h.test:6379/", "http://h.test:6379/", "blocked_port"),
    ("77: file", "file:///etc/passwd", "file:///etc/passwd", "scheme"),
    ("77: gopher", "gopher://h.test/1", "gopher://h.test/1", "scheme"),
    ("128", " ht\ntp://h.te\tst/a\nb ", "http://h.test/ab", None),
    ("129", "http:\\\\h.test\\a", "http://h.test/a", None),
    ("130", "http://a@b@c.test/", "http://c.test/", None),
    ("131", "http://[fe80::1%25eth0]/", "http://[fe80::1%25eth0]/", "url_invalid"),
    ("132", "http://h.test:99999/", "http://h.test:99999/", "url_invalid"),
    ("133", "/%zz", "http://base.test/%zz", None),
    ("135", "http://a\uff0etest/", "http://a.test/", None),
    ("136", "/../..", "http://base.test/", None),
    ("137", "#frag", BASE, None),
    ("138: mailto", "mailto:a@b.test", "mailto:a@b.test", "scheme"),
    ("138: tel", "tel:+1", "tel:+1", "scheme"),
    ("138: javascript", "javascript:void(0)", "javascript:void(0)", "scheme"),
    ("139", "http://user:secret@h.test:8080/", "http://h.test:8080/", None),
    ("139: also of other schemes", "ftp://user:secret@h.test/", "ftp://h.test/", "scheme"),
    ("140", "/\ud800", "http://base.test/%EF%BF%BD", None),
    ("140: surrogate in a bad URL", "http://[\udfff", "http://[\ufffd", "url_invalid"),
    ("0.8: bad IPv6", "http://[", "http://[", "url_invalid"),
    ("0.8: a/c sign", "http://a\u2100b/", "http://a\u2100b/", "url_invalid"),
    ("0.16: decimal", "http://2130706433/", "http://127.0.0.1/", None),
    ("0.16: escaped", "http://%31%32%37.0.0.1/", "http://127.0.0.1/", None),
    ("path percent-encode set has ^", "/a^b", "http://base.test/a%5Eb", None),
    ("empty path", "https://H.Test", "https://h.test/", None),
    ("default port", "https://h.test:443/", "https://h.test/", None),
    ("the other default port", "https://h.test:80/", "https://h.test:80/", None),
    ("IDN", "http://b\u00fccher.test/", "http://xn--bcher-kva.test/", None),
    ("empty query keeps its mark", "?", "http://base.test/dir/page?", None),
    ("empty", "", BASE, None),
    ("@ in path", "http://h.test/@me", "http://h.test/@me", None),
    ("@ in query of the base's host", "/?a=b@c", "http://base.test/?a=b@c", None),
]


@pytest.mark.parametrize(
    ("text", "url", "refusal"), [row[1:] for row in ADDRESSES], ids=[row[0] for row in ADDRESSES]
)
def test_an_address_is_what_a_browser_would_ask_for(
    text: str, url: str, refusal: str | None
) -> None:
    target, _ = resolve(text, BASE)
    assert (target.url, target.refusal) == (url, refusal)


def test_the_name_of_a_host_has_at_most_253_bytes() -> None:
    name = ".".join(["a" * 49] * 5)  # 249
    assert resolve(f"http://{name}.abc/")[0].refusal is None
    assert resolve(f"http://{name}.abc./")[0].refusal is None  # the final dot does not count
    assert resolve(f"http://{name}.abcd/")[0].refusal == "url_invalid"


def test_a_url_past_the_limit_is_cut_but_known_by_all_of_it() -> None:
    one, _ = resolve("http://h.test/" + "a" * 70_000)
    other, _ = resolve("http://h.test/" + "a" * 70_001)
    assert one.refusal == other.refusal == "url_too_long"
    assert one.url == other.url == "http://h.test/" + "a" * (2083 - 14)
    assert one.hash == urls.identity("http://h.test/" + "a" * 70_000) != other.hash
    assert one.origin == "http://h.test"


def test_the_limit_is_in_bytes_without_fragment_and_userinfo() -> None:
    fits = "http://h.test/" + "a" * (2083 - 14)
    assert resolve(fits.replace("h.test", "u:p@h.test") + "#" + "f" * 5000)[0].url == fits
    assert resolve(fits + "a")[0].refusal == "url_too_long"
    assert (
        resolve("http://h.test/\u00e9", rules=UrlRules(19))[0].refusal == "url_too_long"
    )  # %C3%A9
    assert resolve("http://h.test/\u00e9", rules=UrlRules(20))[0].refusal is None


def test_a_data_url_of_10_mb_is_refused_and_cut() -> None:
    text = "data:text/plain," + "\u20ac" * 3_333_333
    target, _ = resolve(text)
    assert target.refusal == "scheme"
    assert target.url == ("data:text/plain," + "%E2%82%AC" * 300)[:2083]


def test_an_invalid_text_is_cut_to_whole_characters() -> None:
    target, _ = resolve("http://[" + "\u20ac" * 1000)
    assert target.refusal == "url_invalid"
    assert target.url == "http://[" + "\u20ac" * 691  # 8 + 691 * 3 = 2081; one more is 2084


def test_an_invalid_text_never_has_the_number_of_a_url() -> None:
    text = "http://a.test:99999/"
    target, _ = resolve(text)
    assert target.refusal == "url_invalid"
    assert target.hash != urls.identity(text)


def test_a_relative_address_without_a_base_is_invalid() -> None:
    for base in (None, "nonsense", "mailto:a@b.test"):
        assert resolve("page.html", base)[0].refusal == "url_invalid"
        assert resolve("http://h.test/", base)[0].url == "http://h.test/"


def test_a_page_on_an_internationalised_host_keeps_it() -> None:
    # can_ada cannot read this name, ada_url can (WPT: a label that is ASCII is not decoded)
    resolver = Resolver("http://a.b.c.xn--pokxncvks/dir/")
    assert resolver.resolve("x")[0].url == "http://a.b.c.xn--pokxncvks/dir/x"
    assert Resolver("http://b\u00fccher.test/").resolve("x")[0].url == (
        "http://xn--bcher-kva.test/x"
    )


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ("/a", None),
        ("/a#", ""),
        ("/a#b#c", "b#c"),
        ("/a# \u00e9", "%20%C3%A9"),
        ("#top", "top"),
        ("mailto:a@b#c", "c"),
        ("http://[#c", None),
    ],
)
def test_a_fragment_is_what_stands_behind_the_mark(text: str, fragment: str | None) -> None:
    assert resolve(text, BASE)[1] == fragment


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Example.ORG:8443/a", "https://example.org:8443"),
        ("https://example.org:443", "https://example.org"),
        ("http://u@[::1]:8080/", "http://[::1]:8080"),
        ("/a", "http://base.test"),
        ("mailto:a@b", ""),
        ("http://a..b/", ""),
        ("http://h.test:22/", "http://h.test:22"),
    ],
)
def test_an_origin_is_scheme_name_and_port(text: str, origin: str) -> None:
    assert resolve(text, BASE)[0].origin == origin


def test_userinfo_hides_neither_a_blocked_port_nor_a_bad_name() -> None:
    assert resolve("http://u:p@h.test:6379/")[0].refusal == "blocked_port"
    assert resolve("http://u:p@a..b/x")[0] == resolve("http://a..b/x")[0]


def test_the_parts_of_an_address_are_read_from_url_and_origin() -> None:
    url = "https://www.example.org:8443/a/b?c=/d"
    assert urls.scheme_of(url) == "https"
    assert urls.host_of(url) == urls.host_of("https://www.example.org:8443") == "www.example.org"
    assert urls.host_of("http://[::1]:8080/") == "[::1]"
    assert urls.path_of(url) == "/a/b?c=/d"
    assert urls.path_of("https://h.test") == "/"
    assert urls.path_of("https://h.test?a#b") == "/?a"
    assert urls.host_of("mailto:a@b") == ""


@pytest.mark.parametrize(
    ("host", "folded"),
    [
        ("WWW.Example.org.", "example.org"),
        ("example.org", "example.org"),
        ("www.www.example.org", "www.example.org"),
        ("www2.example.org", "www2.example.org"),
        ("www.com", "www.com"),  # a name of its own, not a variant of the suffix
    ],
)
def test_variants_of_a_host_fold_into_one(host: str, folded: str) -> None:
    assert urls.fold_host(host) == folded


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("a.b.example.org", "example.org"),
        ("a.example.co.uk.", "example.co.uk"),
        ("EXAMPLE.org", "example.org"),
        ("me.github.io", "me.github.io"),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("a.b.test", "b.test"),
        ("", ""),
    ],
)
def test_a_registered_domain_is_one_label_and_a_public_suffix(host: str, domain: str) -> None:
    assert urls.registered_domain(host) == domain


@pytest.mark.parametrize(
    ("host", "private"),
    [
        ("localhost", True),
        ("LOCALHOST.", True),
        ("app.localhost", True),  # RFC 6761, section 6.3
        ("notlocalhost", False),
        ("127.0.0.1", True),
        ("127.255.1.2", True),
        ("0.0.0.0", True),
        ("10.1.2.3", True),
        ("172.16.0.1", True),
        ("172.32.0.1", False),
        ("192.168.1.1", True),
        ("[::1]", True),
        ("::1", True),
        ("[fd00::1]", True),
        ("[::ffff:127.0.0.1]", True),
        ("[::ffff:8.8.8.8]", False),
        ("169.254.169.254", False),  # link-local: the metadata service of a cloud
        ("[fe80::1]", False),
        ("[::ffff:169.254.169.254]", False),
        ("8.8.8.8", False),
        ("[2001:db8::1]", False),
        ("example.org", False),
        ("", False),
    ],
)
def test_a_private_literal_is_the_persons_own(host: str, private: bool) -> None:
    assert urls.is_private_literal(host) is private


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "::1", "1.2.3.4"])
def test_an_address_literal_is_no_name(host: str) -> None:
    assert urls.is_ip(host)


@pytest.mark.parametrize("host", ["", "a.test", "1.2.3", "a1", "[x]", "1.2.3.4.5", "\u0661"])
def test_a_name_is_no_address_literal(host: str) -> None:
    assert not urls.is_ip(host)


URLISH = st.text(st.sampled_from("htps:/\\.@#?[]%:0129aAx-^ \t\n\0\ud800\udc00\u00e9\u3002"))
TEXTS = st.one_of(
    st.text(st.characters()),
    URLISH,
    URLISH.map("http://".__add__),
    URLISH.map("http://a.test/".__add__),
    URLISH.map("http://xn--".__add__),
)
BASES = st.one_of(st.none(), st.just(BASE), st.just("mailto:x"), TEXTS)


@settings(max_examples=400)
@given(TEXTS, BASES)
def test_no_text_raises_and_what_comes_out_can_be_stored(text: str, base: str | None) -> None:
    target, fragment = resolve(text, base)
    assert len(target.url.encode()) <= urls.MAX_KEPT_URL
    assert 0 <= target.hash < 2**63
    assert target.refusal in (None, "scheme", "url_invalid", "url_too_long", "blocked_port")
    assert "\0" not in target.url + (fragment or "")
    (target.url + (fragment or "")).encode()


@settings(max_examples=400)
@given(TEXTS, BASES)
def test_an_address_that_can_be_fetched_resolves_to_itself(text: str, base: str | None) -> None:
    target, _ = resolve(text, base)
    if target.refusal is None:
        assert resolve(target.url) == (target, None)
        assert resolve(target.url, "https://elsewhere.test/") == (target, None)
        assert target.url.startswith(target.origin + "/")
        assert "#" not in target.url
        assert "@" not in target.origin
        assert target.hash == urls.identity(target.url)
        assert target.origin.partition("://")[2].startswith(urls.host_of(target.url))


@settings(max_examples=300)
@given(TEXTS)
def test_the_parts_of_any_text_are_read_without_an_error(text: str) -> None:
    host = urls.host_of(text)
    urls.identity(text)
    assert urls.path_of(text).startswith("/")
    for name in (text, host):
        urls.fold_host(name)
        urls.registered_domain(name)
        urls.is_private_literal(name)


BASES = (
    "http://example.org/a/b.html?c#d",
    "https://example.org:8443/",
    "http://user:word@example.org/a/",
    "https://xn--bcher-kva.example/x/y/z",
)


@given(
    st.text(alphabet="aZ09_~-./", max_size=20).filter(lambda path: not path.startswith("//"))
    | st.from_regex(urls._PLAIN, fullmatch=True),
    st.sampled_from(BASES),
)
@settings(max_examples=500)
def test_a_plain_path_means_what_the_exact_parser_says(path: str, base: str) -> None:
    exact = ada_url.join_url(base.replace("user:word@", ""), path)
    assert resolve(path, base)[0].url == exact.partition("#")[0]


def test_registered_domains_are_those_of_the_whole_list_whatever_a_name_is_written_in() -> None:
    """The list is read without its encoded names; 'xn--strae-oqa' is one that old codecs refuse."""
    whole = PublicSuffixList()
    encoded = [suffix for suffix in whole._publicsuffix if "xn--" in suffix]
    assert len(encoded) > 100
    for suffix in (*encoded, "co.uk", "github.io", "example"):
        for name in (f"a.xn--strae-oqa.{suffix}", f"xn--bcher-kva.{suffix}", f"b.a.{suffix}"):
            assert urls.registered_domain(name) == (whole.privatesuffix(name) or name)
