"""How is a broken list in XML made whole?"""

from __future__ import annotations

import time

import pytest

from crawler.model import Kind
from tests.parse.page import listed, parsed
from tests.parse.test_sitemaps import URLSET, urls


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        # whatever breaks well-formedness and leaves the structure as it is
        ("http://h.test/two?a=1&b=2", "http://h.test/two?a=1&b=2"),
        ("http://h.test/two?a=1&copy=2&amp;c=3&", "http://h.test/two?a=1&copy=2&c=3&"),
        ("http://h.test/two?q=a&b;c=1&amp;&#x26;", "http://h.test/two?q=a&b;c=1&&"),
        ("http://h.test/caf&eacute;&nbsp;", "http://h.test/caf%C3%A9"),
        ("http://h.test/two\x0b\x01", "http://h.test/two"),
        ("http://h.test/two</b>", "http://h.test/two"),
        ("http://h.test/two]]>", "http://h.test/two]]%3E"),
        ("<![CDATA[http://h.test/two?a=1&b=2]]>&", "http://h.test/two?a=1&b=2&"),
    ],
)
def test_one_broken_entry_costs_no_other(broken: str, expected: str) -> None:
    before, after = urls("1"), urls(*map(str, range(3_000)))
    body = URLSET.format(f"{before}<url><loc>{broken}</loc><lastmod>2024</lastmod></url>{after}")
    document = parsed(body, "application/xml", kind="sitemap")
    rest = [f"http://h.test/{n}" for n in range(3_000)]
    assert listed(document) == ["http://h.test/1", expected, *rest]
    assert document.truncated == "parse"


@pytest.mark.parametrize(
    "entry",
    [
        "<url><loc>http://h.test/x</url>",
        "<url></lastmod><loc>http://h.test/x</loc></urls></url>",
        "<url><loc a=1 b='c>http://h.test/x</loc></url>",
        "<url a=1 a=2><loc>http://h.test/x</loc></url>",
        "<url><loc>http://h.test/x</loc>",
        "<url><image:image><image:loc>http://h.test/no</image:loc></image:image>"
        "<loc>http://h.test/x</loc></url>",
        "</urlset><url><loc>http://h.test/x</loc></url>",
        "<!-- a -- b --><url><loc>http://h.test/x</loc></url>",
        "<?xml version='1.0'?><url><loc>http://h.test/x</loc></url>",
        "a < b & c<url><loc>http://h.test/x</loc></url>",
        "</urlset><?xml version='1.0'?><urlset><url><loc>http://h.test/x</loc></url>",
    ],
)
def test_broken_markup_costs_no_entry(entry: str) -> None:
    body = URLSET.format(urls("1") + entry + urls("2"))
    document = parsed(body, "application/xml", kind="sitemap")
    assert listed(document) == [f"http://h.test/{name}" for name in ("1", "x", "2")]


@pytest.mark.parametrize(
    "before",
    ["<br />\n<b>Warning</b>: x in <b>/i.php</b><br />\n", "Notice: undefined x & y\n", "]]>"],
)
def test_what_a_program_said_before_its_list_costs_nothing(before: str) -> None:
    kinds: tuple[Kind, ...] = ("sitemap", "feed")
    for kind in kinds:
        document = parsed(before + URLSET.format(urls("1", "2")), None, kind=kind)
        assert listed(document) == ["http://h.test/1", "http://h.test/2"]
        assert document.truncated == "parse"


def test_bytes_that_are_no_characters_cost_no_entry() -> None:
    for label in ("application/xml", "application/xml; charset=utf-8"):
        body = URLSET.format(urls("1", "\x00é\x00", "3")).encode().replace(b"\0", b"\xe9\xff")
        document = parsed(body, label, kind="sitemap")
        assert [listed(document)[at] for at in (0, 2)] == ["http://h.test/1", "http://h.test/3"]
        assert "%C3%A9" in listed(document)[1]


def test_entities_of_html_in_titles_of_a_feed_cost_nothing() -> None:
    items = "".join(
        f"<item><title>a&nbsp;&middot; {n} & more</title><link>/{n}</link></item>"
        for n in range(500)
    )
    document = parsed(f"<rss version='2.0'><channel>{items}</channel></rss>", None, kind="feed")
    assert listed(document) == [f"http://h.test/{n}" for n in range(500)]


def test_an_entry_that_the_end_cuts_off_is_none_even_in_a_broken_list() -> None:
    whole = URLSET.format("<url><loc>http://h.test/a?b&c</loc></url>" + urls("1", "2"))
    for end in range(whole.index("test/2"), len(whole) - len("</url></urlset>")):
        assert listed(parsed(whole[:end], None, kind="sitemap")) == [
            *("http://h.test/a?b&c", "http://h.test/1"),
        ]


@pytest.mark.parametrize("opened", ["<url>", "<!--", "<![CDATA[", "<a b='", "&", "<", "<x:y>"])
def test_a_hostile_list_is_mended_in_no_time(opened: str) -> None:
    body = b"<urlset><url></loc>" + opened.encode() * 200_000
    began = time.process_time()
    parsed(body, "application/xml", kind="sitemap")
    assert time.process_time() - began < 10
