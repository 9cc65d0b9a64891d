"""May this agent fetch this path?"""

from __future__ import annotations

import ast
import gc
import random
import re
import tarfile
import tracemalloc
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import protego
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.policy import robots
from crawler.policy.robots import ALLOW_ALL, Asked, Groups, Rules, parse, read
from tests.sites.skip import require_corpus


def rules(*lines: str, agent: str = "crawler/1.0 (+https://example.org)") -> Rules:
    return parse("\n".join(lines).encode(), agent)


def allowed(rules: Rules, path: str) -> bool:
    return rules.allows("https://h.test" + path)


TEXTPROTO = re.compile(r'#[^\n]*|"(?:[^"\\\n]|\\.)*"|\w+|\S')


def expectations(text: str) -> Iterator[tuple[bytes, str, str, str]]:
    """(robots.txt, URL, agent, outcome) of each case of a textproto file."""
    values: dict[str, bytes | str] = {}
    name = ""
    tokens = [token for token in TEXTPROTO.findall(text) if not token.startswith("#")]
    for at, token in enumerate(tokens):
        if tokens[at + 1 : at + 2] == [":"]:
            name = token
            values.pop(name, None)
        elif token.startswith('"'):
            octets = token.encode("utf-8").decode("latin-1")
            piece = ast.literal_eval("b" + octets.encode("ascii", "backslashreplace").decode())
            values[name] = bytes(values.get(name, b"")) + piece  # type: ignore[arg-type]
        elif token in ("ALLOWED", "DISALLOWED"):
            yield (
                bytes(values.get("robotstxt", b"")),  # type: ignore[arg-type]
                bytes(values.get("testurl", b"")).decode(),  # type: ignore[arg-type]
                bytes(values.get("useragent", b"")).decode(),  # type: ignore[arg-type]
                token,
            )


# Google's expectations that RFC 9309 contradicts, or that only Google's own crawler follows.
NOT_OURS = {
    ("index-page.textproto", "http://foo.com/allowed-slash/", "foobot"): (
        "that /index.html stands for / is Google's own rule; RFC 9309 compares octets"
    ),
    ("non-ascii-paths.textproto", "http://foo.bar/foo/bar/\u30c4", "FooBot"): (
        "2.2.2: octets of a URI outside ASCII are percent-encoded before they are compared"
    ),
    ("non-ascii-paths.textproto", "http://foo.bar/foo/bar/baz", "FooBot"): (
        "2.2.2: %62%61%7A is baz, the RFC's own example"
    ),
    ("user-agent-name.textproto", "http://foo.bar/x/y", "Foo Bar"): (
        "2.2.1: a product token has no space, so this agent is Foo, and Foo has a group"
    ),
    ("327748.textproto", "http://m.example.com/robots.txt", "asdfbot"): (
        "2.2.2: /robots.txt itself is implicitly allowed"
    ),
    ("369883.textproto", "http://example.com/robots.txt", "BarBot"): (
        "2.2.2: /robots.txt itself is implicitly allowed"
    ),
    ("369883.textproto", "http://example.com/robots.txt", "AB"): (
        "2.2.2: /robots.txt itself is implicitly allowed"
    ),
    ("369883.textproto", "http://example.com/foo/bar", "AB42bot"): (
        "2.2.1: a crawler obeys the group with its own name, and AB42bot is named"
    ),
    ("369883.textproto", "http://example.com/", "AB42bot"): (
        "2.2.1: a crawler obeys the group with its own name, and AB42bot is named"
    ),
    ("369883.textproto", "http://example.com/", "AB"): (
        "2.2.1: tokens are equal or they are not; AB42bot is not AB"
    ),
    ("860237.textproto", "http://example.com/robots.txt", "XYZ"): (
        "2.2.1: XYZ123bot is not XYZ; 2.2.2: /robots.txt is implicitly allowed"
    ),
}


def test_google_s_expectations_hold_but_for_those_the_rfc_contradicts() -> None:
    count = 0
    failed = set()
    for path in sorted(require_corpus("robotstxt-spec-test").rglob("*.textproto")):
        for body, url, agent, outcome in expectations(path.read_text("utf-8")):
            count += 1
            if parse(body, agent).allows(url) != (outcome == "ALLOWED"):
                failed.add((path.name, url, agent))
    assert failed == set(NOT_OURS)
    assert count == 400


def test_a_group_for_all_counts_only_where_no_group_has_our_name() -> None:
    for name in ("Crawler", "crawler/2.0", "CRAWLER other"):
        named = rules("User-agent: *", "Disallow: /", f"User-agent: {name}", "Disallow: /a")
        assert allowed(named, "/b")
        assert not allowed(named, "/a")
    for name in ("crawlerx", "crawler2", "crawl", "mycrawler", "crawler-news", "", "/crawler"):
        other = rules("User-agent: *", "Disallow: /", f"User-agent: {name}", "Allow: /")
        assert not allowed(other, "/b"), name


def test_an_empty_group_with_our_name_allows_all() -> None:
    assert allowed(rules("User-agent: *", "Disallow: /", "User-agent: crawler"), "/")
    assert allowed(rules("User-agent: *", "Disallow: /", "User-agent: crawler", "Disallow:"), "/")


def test_all_groups_with_our_name_count_as_one() -> None:
    merged = rules(
        "User-agent: crawler",
        "Disallow: /a",
        "User-agent: other",
        "Disallow: /",
        "User-agent: third",
        "User-agent: Crawler",
        "Disallow: /b",
    )
    assert [allowed(merged, path) for path in ("/a", "/b", "/c")] == [False, False, True]


def test_other_records_do_not_end_the_head_of_a_group() -> None:
    # RFC 9309, 2.2.4: they must not interfere with the records that the RFC defines
    for record in ("Sitemap: https://h.test/s.xml", "Crawl-delay: 2", "Unknown: x", "", "# x"):
        assert not allowed(rules("User-agent: *", record, "User-agent: b", "Disallow: /a"), "/a")


def test_lines_before_any_user_agent_say_nothing() -> None:
    assert allowed(rules("Disallow: /", "User-agent: *", "Disallow: /a"), "/b")


MATCHES = [
    # rule, path, whether it fits; from RFC 9309, sections 2.2.2, 2.2.3 and 5.1, and by hand
    ("/fish", "/fish.html", True),
    ("/fish", "/Fish.html", False),
    ("/fish/", "/fish", False),
    ("/*.php", "/a/b.php5?x", True),
    ("/*.php$", "/a.php", True),
    ("/*.php$", "/a.php?x", False),
    ("/a$", "/a", True),
    ("/a$", "/ab", False),
    ("/a*$", "/abc", True),
    ("/a**b", "/axxb", True),
    ("*", "/x", True),
    ("*/x$", "/a/x", True),
    ("*x*$", "/a/x/b", True),
    ("/ab*b$", "/ab", False),  # one b cannot be both
    ("/a*b*b$", "/a/b/xb", True),
    ("/a*bc*c$", "/abc", False),
    ("/a*b*a", "/aab", False),
    ("/a$b", "/a$b", True),  # $ means the end at the end only
    ("/a$b", "/a", False),
    ("/a%24", "/a$", True),
    ("/path/file-with-a-%2A.html", "/path/file-with-a-*.html", True),
    ("/path/file-with-a-%2A.html", "/path/file-with-a-x.html", False),
    ("/path/foo-%24", "/path/foo-$", True),
    ("/foo/bar/\u30c4", "/foo/bar/%E3%83%84", True),
    ("/foo/bar/%E3%83%84", "/foo/bar/%e3%83%84", True),
    ("/foo/bar/%62%61%7A", "/foo/bar/baz", True),
    ("/foo/bar/baz", "/foo/bar/%62%61%7a", True),
    ("/a%2Fb", "/a/b", False),  # a reserved character and its escape are not the same
    ("/a%2fb", "/a%2Fb", True),
    ("/%7Ejoe", "/~joe", True),
    ("/a b", "/a%20b", True),
    ("/a|b", "/a%7Cb", True),
    ("/100%", "/100%", True),
    ("/a%zz", "/a%zz", True),
    ("/a?b=*&c", "/a?b=1&c", True),
    ("/a", "/a?x", True),
    ("/a;x", "/a;x", True),
    ("a", "/a", False),
    ("https://h.test/a", "/a", False),
]


@pytest.mark.parametrize(("rule", "path", "fits"), MATCHES)
def test_a_rule_fits_a_path_by_octets_and_wildcards(rule: str, path: str, fits: bool) -> None:
    assert allowed(rules("User-agent: *", f"Disallow: {rule}"), path) is not fits


@pytest.mark.parametrize(
    ("lines", "path", "verdict"),
    [
        (["Disallow: /a", "Allow: /a/b"], "/a/b", (True, "Allow: /a/b")),
        (["Allow: /a", "Disallow: /a/b"], "/a/b", (False, "Disallow: /a/b")),
        (["Disallow: /a", "Allow: /a"], "/a", (True, "Allow: /a")),
        (["Allow: /", "Disallow: /*.gif"], "/x.gif", (False, "Disallow: /*.gif")),
        (["Allow: /page", "Disallow: /*.htm"], "/page.htm", (False, "Disallow: /*.htm")),
        (["Allow: /$", "Disallow: /"], "/", (True, "Allow: /$")),
        (["Allow: /$", "Disallow: /"], "/a", (False, "Disallow: /")),
        (["Disallow: /a*b", "Allow: /abcd"], "/abcd", (True, "Allow: /abcd")),
        (["Disallow: /a*******", "Allow: /abcd"], "/abcd", (False, "Disallow: /a*******")),
        (["Disallow:"], "/a", (True, None)),
        (["Disallow: /"], "/robots.txt", (True, None)),
    ],
)
def test_the_longest_rule_decides_and_allow_wins_a_tie(
    lines: list[str], path: str, verdict: tuple[bool, str | None]
) -> None:
    assert rules("User-agent: *", *lines).verdict("https://h.test" + path) == verdict


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\n\n\r\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_a_file_is_read_in_any_dress(end: str, encoding: str) -> None:
    text = end.join(["User-agent: *", " DISALLOW :\t/a # why", "disallow:/\u00e9", ""])
    dressed = parse(text.encode(encoding), "crawler")
    assert [allowed(dressed, path) for path in ("/a", "/%C3%A9", "/b")] == [False, False, True]


def test_only_cr_and_lf_end_a_line() -> None:
    for separator in ("\v", "\f", "\x1c", "\x85", "\u2028"):
        one = rules("User-agent: *", f"Disallow: /a{separator}Disallow: /b")
        assert allowed(one, "/b")


def test_octets_that_are_no_utf_8_are_compared_as_octets() -> None:
    latin = parse(b"User-agent: *\nDisallow: /caf\xe9\n", "crawler")
    assert not allowed(latin, "/caf%E9")
    assert allowed(latin, "/caf%C3%A9")


def test_nul_octets_do_no_harm() -> None:
    nul = parse(b"\0User-agent: *\0\n\0Disallow: /a\0b\nDisallow: /c\0\n", "crawler")
    assert [allowed(nul, path) for path in ("/a%00b", "/c", "/a")] == [False, False, True]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<!DOCTYPE html><title>404</title>\n<p>User-agent: *\nDisallow: /</p>\n",
        b"\x89PNG\r\n\x1a\n\0\0\0",
        b"not found",
    ],
)
def test_what_is_no_robots_file_allows_all(body: bytes) -> None:
    assert allowed(parse(body, "crawler"), "/")


def test_a_comment_in_markup_before_the_rules_does_not_hide_them() -> None:
    assert not allowed(rules("<!-- Id -->", "User-agent: *", "Disallow: /a"), "/a")


def test_what_lies_beyond_the_limit_is_not_read() -> None:
    body = b"User-agent: *\nDisallow: /a\nDisallow: /private\nDisallow: /b\n"
    cut = body.index(b"rivate")
    short = parse(body, "crawler", max_bytes=cut)
    assert [allowed(short, path) for path in ("/a", "/b")] == [False, True]
    assert allowed(short, "/page")  # "Disallow: /p" is not what the site wrote


@pytest.mark.parametrize(
    ("value", "delay"),
    [
        ("10", 10.0),
        ("0.5", 0.5),
        (".5", 0.5),
        ("0", 0.0),
        ("999999999", 999_999_999.0),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("1_0", None),
        ("9" * 400, None),
        ("\u0661", None),
        ("ten", None),
        ("", None),
    ],
)
def test_a_crawl_delay_is_a_number_of_seconds(value: str, delay: float | None) -> None:
    assert rules("User-agent: *", f"Crawl-delay: {value}").crawl_delay == delay


def test_a_crawl_delay_is_that_of_our_group_and_the_longest_counts() -> None:
    lines = ["User-agent: *", "Crawl-delay: 9", "Disallow: /x", "User-agent: crawler",
             "Crawl-delay: 2", "Crawl-delay: 3", "Crawl-delay: 1", "Disallow: /"]  # fmt: skip
    assert rules(*lines).crawl_delay == 3
    assert rules(*lines, agent="other").crawl_delay == 9
    assert rules(*lines[:3], "User-agent: crawler", "Disallow:").crawl_delay is None


def test_sitemaps_are_kept_as_written_wherever_they_stand() -> None:
    found = rules("Sitemap: https://h.test/a.xml", "User-agent: x", "sitemap:/b.xml", "Sitemap:")
    assert found.sitemaps == ("https://h.test/a.xml", "/b.xml")
    assert len(rules(*["Sitemap: /s.xml"] * 1500).sitemaps) == robots.MAX_SITEMAPS


def test_no_rules_allow_all() -> None:
    assert allowed(ALLOW_ALL, "/a")


@pytest.mark.parametrize("url", ["https://h.test/\ud800", "https://h.test/\udc80a", "\udfff", ""])
def test_no_text_in_place_of_a_url_raises(url: str) -> None:
    rules("User-agent: *", "Disallow: /*a$", "Disallow: /b*c").allows(url)


@settings(max_examples=300)
@given(st.binary(), st.text(), st.text())
def test_no_octets_raise(body: bytes, agent: str, path: str) -> None:
    for octets in (body, b"User-agent: *\nDisallow: /" + body):
        judged = parse(octets, agent)
        assert judged.verdict("https://h.test/" + path).allowed in (True, False)


@pytest.mark.parametrize(
    "before",
    [
        "<!DOCTYPE html>\n",
        "<html><pre>\n",
        "\ufeff \n<?xml version='1.0'?>\n",
        "<body> a: b\n",
        "404\n",
    ],
)
def test_rules_behind_what_looks_like_a_page_hold(before: str) -> None:
    """RFC 9309, section 2.3.1.1: each parseable rule MUST be used."""
    rules = parse(f"{before}User-agent: *\nDisallow: /a\n</html>\n".encode(), "crawler")
    assert not allowed(rules, "/a")
    assert allowed(rules, "/b")


@pytest.mark.parametrize(
    ("lines", "delays"),
    [
        # rules are shared, the delay is not
        (["@a", "delay 10", "@b", "delay 2", "Disallow: /x"], {"a": 10, "b": 2}),
        (["@a", "delay 2", "@b", "delay 10", "Disallow: /x"], {"a": 2, "b": 10}),
        (["@a", "delay 10", "@b", "Disallow: /x"], {"a": 10, "b": None}),
        (["@a", "@b", "delay 3", "Disallow: /x"], {"a": 3, "b": 3}),
        (["@a", "Sitemap: /s", "@b", "delay 3", "Disallow: /x"], {"a": 3, "b": 3}),
        (["@a", "@b", "Disallow: /x", "delay 3"], {"a": 3, "b": 3}),
        (["delay 3", "@a", "Disallow: /x"], {"a": None}),
        (["@a", "Disallow: /x", "@b", "delay 3", "Disallow: /x"], {"a": None, "b": 3}),
        (["@*", "delay 7", "@a", "Disallow: /x"], {"a": None, "c": 7}),
    ],
)
def test_a_delay_belongs_to_the_agents_right_before_it(
    lines: list[str], delays: dict[str, float | None]
) -> None:
    text = "\n".join(lines).replace("@", "User-agent: ").replace("delay", "Crawl-delay:")
    for agent, delay in delays.items():
        rules = parse(text.encode(), agent)
        assert rules.crawl_delay == delay, agent
        assert not allowed(rules, "/x")


def hostile(line: str) -> bytes:
    """500 KiB of one line after the other, each with its number in place of N."""
    head = "User-agent: *\n"
    count = (robots.MAX_BYTES - len(head)) // (len(line) + 5)
    return (head + "".join(line.replace("N", f"{n:05d}") + "\n" for n in range(count))).encode()


def test_a_storm_of_wildcards_is_obeyed_to_the_letter() -> None:
    lines = hostile("Disallow: /dN/*N*x*y$").splitlines()[: robots.MAX_WILD + 1]
    storm = parse(b"\n".join([*lines, b"Allow: /*00007*xx*y$"]), "crawler")
    assert not allowed(storm, "/d00005/00005bxcy")
    assert not allowed(storm, "/d01999/a/01999/x/y")
    assert allowed(storm, "/d00005/00005bxcyz")
    assert allowed(storm, "/d00005/0005bxcy")
    assert storm.widened == 1  # the last line, an Allow


def test_a_wildcard_past_the_bound_forbids_more_and_never_less() -> None:
    storm = parse(hostile("Disallow: /dN/*N*x*y$") + b"Allow: /d*7$\n", "crawler")
    assert storm.widened > 15_000
    assert allowed(storm, "/d00005/a")
    assert not allowed(storm, "/d15000/a")
    assert not allowed(storm, "/d15000/7")
    assert allowed(storm, "/d")


def test_without_too_many_wildcards_nothing_is_widened() -> None:
    body = b"User-agent: *\n" + b"Disallow: /*a*\nDisallow: /b*\n" * 10_000
    assert parse(body, "crawler").widened == 0


@pytest.mark.parametrize(
    "line", ["Disallow: /N*N", "Disallow: /N", "Disallow: /*N*yN$", "Allow: /N$", "Sitemap: /N"]
)
def test_the_rules_of_the_largest_file_are_small(line: str) -> None:
    body = hostile(line)
    gc.collect()
    tracemalloc.start()
    rules = parse(body, "crawler")
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 2_500_000
    assert held < 2 * rules.weight


def test_many_plain_rules_are_each_obeyed() -> None:
    rules = parse(hostile("Disallow: /N/\nAllow: /N/a$"), "crawler")
    assert not allowed(rules, "/00007/b")
    assert not allowed(rules, "/00007/ab")
    assert allowed(rules, "/00007/a")
    assert allowed(rules, "/00007")
    assert rules.verdict("https://h.test/09999/").rule == "Disallow: /09999/"
    assert rules.widened == 0


def test_what_was_read_elsewhere_is_obeyed_here() -> None:
    body = b"User-agent: *\nCrawl-delay: 2\nSitemap: /s\nDisallow: /a*b\nAllow: /a$\n"
    sent = msgspec.msgpack.encode(robots.read(body, "crawler"))
    rules = robots.compiled(msgspec.msgpack.decode(sent, type=robots.Asked))
    assert (rules.crawl_delay, rules.sitemaps, rules.count) == (2.0, ("/s",), 2)
    assert allowed(rules, "/a")
    assert not allowed(rules, "/axb")


def test_a_path_too_costly_to_judge_is_not_fetched() -> None:
    chance = random.Random(1)
    chains = ("*".join(chance.choices("ab", k=1000)) for _ in range(240))
    costly = parse("".join(["User-agent: *\n", *(f"Disallow: *{c}\n" for c in chains)]).encode(),
                   "crawler")  # fmt: skip
    path = "/" + "".join(chance.choices("ab", k=1000))
    assert costly.verdict("https://h.test" + path) == (False, robots.TOO_COSTLY)
    assert allowed(costly, "/short")


# Files in which protego and RFC 9309 part: it ends the head of a group at a Crawl-delay or
# Sitemap record (2.2.4: other records must not interfere), it takes an allowed /a/index.html for
# an allowed /a/ as Google does, and it cannot read UTF-16.
PROTEGO_DIFFERS = {
    "www.congress.gov",
    "bitbucket.org",
    "www.monstersandcritics.com",
    "www.who.int",
    "www.khaleejtimes.com",
    "www.telstra.com.au",
    "www.toyoko-inn.com",
    "store.usps.com",
    "www.myvue.com",
}

PATHS = ["/", "/index.html", "/search?q=a", "/wp-admin/x.php", "/a/b/c.pdf"]


def test_4231_real_files_are_read_as_another_parser_reads_them() -> None:
    archive = require_corpus("protego-robotstxt") / "robots-files.tar.xz"
    differs = set()
    count = 0
    with tarfile.open(archive) as files:
        for member in files:
            stream = files.extractfile(member) if member.isfile() else None
            if stream is None:
                continue
            count += 1
            body = stream.read()[: robots.MAX_BYTES - 1]
            ours = parse(body, "crawler/1.0")
            theirs = protego.Protego.parse(body.decode("utf-8-sig", "replace"))
            for path in [*PATHS, *ruled_paths(body)]:
                url = "https://h.test" + path
                if ours.allows(url) != theirs.can_fetch(url, "crawler"):
                    differs.add(Path(member.name).name)
            assert ours.crawl_delay == theirs.crawl_delay("crawler") or b"\0" in body
    assert count == 4231
    assert differs == PROTEGO_DIFFERS


def ruled_paths(body: bytes) -> list[str]:
    """Up to six paths that rules of this file are about, spread over it."""
    found = re.findall(rb"(?i)allow:[ \t]*(/[!-\"%-~*]*)", body.replace(b"\0", b""))
    texts = [value.decode("ascii").replace("*", "x") for value in found]
    return texts[:: len(texts) // 6 + 1]


def test_rules_that_somebody_else_packed_take_no_more_memory_than_ours() -> None:
    """A file that comes from elsewhere may hold a gigabyte of rules in a megabyte."""
    bomb = zlib.compress(bytes(256 << 20), 1)
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="too long"):
            robots.unpacked(bomb)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_what_is_read_for_all_agents_is_what_is_read_for_each() -> None:
    """RFC 9309, section 2.2.1: groups that name the same agent are one, and a group may be for
    several. A delay is for those right before it."""
    body = (
        b"Sitemap: /s\n"
        b"User-agent: a\nCrawl-delay: 1\nUser-agent: b\nUser-agent: b\nDisallow: /ab\n"
        b"User-agent: *\nDisallow: /all\n"
        b"User-agent: a\nAllow: /again\nCrawl-delay: 2\n"
    )
    groups = Groups(body)
    asked = {agent: groups.asked(agent) for agent in ("a/1.0", "b", "c")}
    assert asked == {
        "a/1.0": Asked(2.0, ("/s",), ("-/ab", "+/again")),
        "b": Asked(None, ("/s",), ("-/ab",)),
        "c": Asked(None, ("/s",), ("-/all",)),
    }
    assert asked == {agent: read(body, agent) for agent in asked}
