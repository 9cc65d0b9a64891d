"""What kind of thing is this body, whatever its label says?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.parse.sniff import media_type, root_name
from tests.parse.page import hrefs, parsed

PAGE = b"<!doctype html><title>t</title><a href=x>x</a>"
RSS = b'<?xml version="1.0"?><!-- c --><rss version="2.0"><channel><item><link>http://h.test/1</link></item></channel></rss>'
URLSET = b"<?xml version='1.0'?><urlset><url><loc>http://h.test/1</loc></url></urlset>"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)


@pytest.mark.parametrize(
    ("label", "body", "expected"),
    [
        # https://mimesniff.spec.whatwg.org/: an explicit label is believed ...
        ("application/octet-stream", PAGE, "application/octet-stream"),
        ("image/gif", PNG, "image/gif"),
        ("text/css", b"a{}", "text/css"),
        ("text/plain", PAGE, "text/plain"),
        ("text/html", PAGE, "text/html"),
        # ... unless it promises text that is not there (HOSTILE 101)
        ("text/html", PNG, "image/png"),
        ("text/html", b"%PDF-1.7\n", "application/pdf"),
        ("text/html", bytes(range(32)) * 50, "application/octet-stream"),
        ("text/plain", bytes(range(32)) * 50, "application/octet-stream"),
        ("text/html", b"a\0\0\0\0\0b<p>c", "text/html"),
        ("text/html", "<p>".encode("utf-16-le"), "text/html"),
        # no label: the bytes decide
        (None, PAGE, "text/html"),
        (None, b" \n<a href=x>", "text/html"),
        (None, b"<!-- c -->", "text/html"),
        (None, RSS, "application/xml"),
        (None, b"<!-- c --><rss>", "application/xml"),
        (None, PNG, "image/png"),
        (None, b"\x1f\x8b\x08\0\0", "application/gzip"),
        (None, b"hello", "text/plain"),
        (None, b"<notice> that", "text/plain"),
        (None, b"\0\1\2\3\4", "application/octet-stream"),
        ("unknown/unknown", PAGE, "text/html"),
    ],
)
def test_the_label_is_believed_unless_the_bytes_deny_it(
    label: str | None, body: bytes, expected: str
) -> None:
    assert media_type(label, body) == expected


@pytest.mark.parametrize(
    ("label", "body", "kind"),
    [
        ("application/rss+xml", RSS, "feed"),
        ("text/xml", RSS, "feed"),
        ("text/html", RSS, "feed"),  # WHATWG: a mislabelled feed
        (None, RSS, "feed"),
        ("application/xml", URLSET, "sitemap"),
        ("text/html", URLSET, "sitemap"),
    ],
)
def test_a_feed_or_sitemap_found_as_a_page_gives_its_entries_as_links(
    label: str | None, body: bytes, kind: str
) -> None:
    document = parsed(body, label)
    assert [link.kind for link in document.links] == [kind]
    assert hrefs(document) == ["http://h.test/1"]
    assert len(document.entries) == (kind == "sitemap"), "it is read as one, too"


def test_xml_that_lists_nothing_is_recorded_and_not_read() -> None:
    document = parsed(b"<?xml version='1.0'?><svg><a href='x'/></svg>", "image/svg+xml")
    assert (document.content_type, document.links) == ("image/svg+xml", ())


def test_plain_text_gives_its_text_alone() -> None:
    document = parsed("one  two\n<a href=x>three", "text/plain")
    assert (document.text, document.word_count) == ("one two <a href=x>three", 4)
    assert document.links == ()
    assert document.text_hash is not None


def test_the_last_content_type_that_is_one_counts() -> None:
    headers = (("content-type", "text/html; charset=koi8-r"), ("Content-Type", "nonsense"))
    document = parsed(b"<title>\xc1</title>", "text/plain", headers=headers)
    assert (document.content_type, document.title) == ("text/html", "\N{CYRILLIC SMALL LETTER A}")


@pytest.mark.parametrize("kind", ["robots", "check"])
def test_robots_and_checks_are_not_read(kind: str) -> None:
    document = parsed(PAGE, kind=kind)  # type: ignore[arg-type]  # the ids of the table
    assert (document.content_type, document.title, document.links) == ("text/html", None, ())
    assert parsed(b"", "text/html", kind="check").content_type == "text/html"


ROOTS = (
    *("<!doctype html>", "<!DOCTYPE html [", "]>", "<!doctype rss>", "<html>", "<HTML lang=en>"),
    *("<html", "<htmlx>", "<html:rss>", "<rss>", "<?xml?>", "<!-- html -->", " ", "\n", "\0", "t"),
)


@given(st.lists(st.sampled_from(ROOTS), max_size=6).map("".join))
def test_a_usual_beginning_has_the_root_that_any_other_has(text: str) -> None:
    """A comment before it changes nothing but that the beginning is not usual any more."""
    assert root_name(text.encode()) == root_name(b"<!---->" + text.encode())
