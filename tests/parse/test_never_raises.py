"""Is there a reply that cannot be read?"""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crawler.config import Config
from crawler.model import Document, Job, Kind, Reply
from crawler.parse import parse
from tests.parse.page import parsed

LABELS = st.sampled_from(
    [
        *(None, "text/html", "text/html; charset=utf-16", "text/html; charset=iso-2022-jp"),
        *("text/plain", "application/xml", "application/rss+xml", "text/html; charset=euc-kr"),
    ]
)
KINDS: st.SearchStrategy[Kind] = st.sampled_from(["page", "sitemap", "feed", "robots", "check"])
NAMES = (
    *("a", "area", "base", "link", "meta", "img", "nav", "main", "div", "p", "h1", "title", "svg"),
    *("script", "style", "noscript", "template", "video", "source", "form", "table", "frameset"),
    *("urlset", "url", "loc", "sitemap", "rss", "item", "feed", "entry", "x:y", "!--", "![CDATA["),
)
ATTRIBUTES = (
    *("href", "src", "srcset", "rel", "alt", "role", "name", "content", "http-equiv", "charset"),
    *("xlink:href", "lang", "action", "type", "poster", "data"),
)
VALUES = (
    *("", "x", "#f", "http://[", "//", "http://h.test/ä?ö#ü", "canonical", "next", "nofollow"),
    *("refresh", "0;url=x", "robots", "navigation", "\0", "&#0;", "&#xd800;", "a,b (c", "1e999"),
    *("application/rss+xml", "koi8-r", "data:,", "javascript:", "\ufffe", "\x01"),
)
TAGS = st.builds(
    lambda slash, name, pairs: "<{}{}{}>".format(
        slash, name, "".join(f' {key}="{value}"' for key, value in pairs)
    ),
    st.sampled_from(["", "", "", "/"]),
    st.sampled_from(NAMES),
    st.lists(st.tuples(st.sampled_from(ATTRIBUTES), st.sampled_from(VALUES)), max_size=3),
)
SOUP = st.lists(TAGS | st.text(max_size=10), max_size=30).map(
    lambda parts: "".join(parts).encode("utf-8", "surrogatepass")
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            ["Link", "Refresh", "X-Robots-Tag", "Content-Language", "Content-Type", "X"]
        ),
        st.text(st.characters(max_codepoint=0x24F), max_size=30)
        | st.sampled_from(['<x>; rel="next"', "<", ">;;=", "<x>; rel", "0;url=", "a: b", ","]),
    ),
    max_size=4,
).map(tuple)


@settings(max_examples=300)
@given(body=st.binary(max_size=400), label=LABELS, kind=KINDS)
def test_no_bytes_break_the_reader(body: bytes, label: str | None, kind: Kind) -> None:
    assert_sound(parsed(body, label, kind=kind))


@settings(max_examples=300)
@given(body=SOUP, label=LABELS, kind=KINDS, headers=HEADERS)
@example(b"<urlset><url><loc>x</loc>", "application/xml", "sitemap", ())
def test_no_tag_soup_breaks_the_reader(
    body: bytes, label: str | None, kind: Kind, headers: tuple[tuple[str, str], ...]
) -> None:
    assert_sound(parsed(body, label, kind=kind, headers=headers))


def assert_sound(document: Document) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(document), type=Document) == document
    assert len({target.hash for target in document.targets}) == len(document.targets)
    for link in (*document.links, *document.entries):
        assert 0 <= link.target < len(document.targets)
    texts = (document.title, document.text, document.description, document.h1, document.lang)
    assert all("\0" not in text for text in texts if text)


def test_what_cannot_be_read_is_a_document_that_says_so() -> None:
    headers = Reply(200, headers=((None, None),), body=b"<p>")  # type: ignore[arg-type]  # no header at all
    assert parse(Job(1, 1, "http://h.test/"), headers, Config()) == Document(truncated="parse")


@pytest.mark.parametrize("url", ["", "nonsense", "http://[", "mailto:x"])
def test_a_job_without_a_proper_address_still_gives_its_links(url: str) -> None:
    document = parsed("<a href='http://h.test/1'>x</a><a href=2>y</a>", url=url)
    assert len(document.links) == 2
    assert document.targets[0].url == "http://h.test/1"
