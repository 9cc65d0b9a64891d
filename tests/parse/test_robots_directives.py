"""What does a page ask of robots?"""

from __future__ import annotations

import pytest

from crawler.config import Config, FetchConfig
from crawler.model import Job, Reply
from crawler.parse.dispatch import read
from crawler.parse.headers import declared
from crawler.parse.robots_directives import wishes, wishes_of_header
from crawler.parse.scan import scan
from tests.parse.page import hrefs, only_link, parsed


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("noindex, nofollow", ["noindex", "nofollow"]),
        ("NOINDEX,NOFOLLOW", ["noindex", "nofollow"]),
        ("noindex nofollow", ["noindex", "nofollow"]),
        ("noindex;nofollow", ["noindex", "nofollow"]),
        (" noindex \n\t nofollow ; noarchive,", ["noindex", "nofollow", "noarchive"]),
        ("noindex|nofollow", ["noindex", "nofollow"]),
        ("noindex/nofollow", ["noindex", "nofollow"]),
        ("noindex\uff0cnofollow", ["noindex", "nofollow"]),
        ("'noindex'", ["noindex"]),
        ("none", ["none"]),
        ("max-snippet:20, noindex", ["max-snippet:20", "noindex"]),
        ("max-snippet: 20 , noindex", ["max-snippet: 20", "noindex"]),
        (
            "unavailable_after: Friday, 25 Jun 2010 15:00:00 PST, noindex",
            ["unavailable_after: friday, 25 jun 2010 15:00:00 pst", "noindex"],
        ),
        ("", []),
        (" , ; ", []),
    ],
)
def test_words_are_read_however_they_are_parted(content: str, expected: list[str]) -> None:
    assert wishes(content) == expected
    assert wishes_of_header(content, "crawler") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        # https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag
        ("googlebot: nofollow", []),
        ("crawler: noindex, nofollow", ["noindex", "nofollow"]),
        ("Crawler:noindex nofollow", ["noindex", "nofollow"]),
        ("noindex, googlebot: nofollow", ["noindex"]),
        ("googlebot: nofollow, crawler: noindex", ["noindex"]),
        ("BadBot: noindex, nofollow, crawler: noarchive, googlebot: none", ["noarchive"]),
        ("*: noindex", ["noindex"]),
        ("max-snippet: 5, otherbot: noindex", ["max-snippet: 5"]),
        ("otherbot: unavailable_after: 25 Jun 2010 15:00:00 PST", []),
        (
            "unavailable_after: 25-Jun-2010 15:00:00 PST",
            ["unavailable_after: 25-jun-2010 15:00:00 pst"],
        ),
    ],
)
def test_what_follows_a_robots_name_holds_for_it_alone(value: str, expected: list[str]) -> None:
    assert wishes_of_header(value, "crawler") == expected


def test_the_robot_has_the_name_that_it_was_given() -> None:
    headers = (("X-Robots-Tag", "mybot: noindex, crawler: nofollow"),)
    assert declared(headers, "MyBot").robots == ["noindex"]
    html = b"<meta name=MyBot content=noindex><meta name=crawler content=nofollow>"
    survey = scan(html, 10, "mybot")
    assert survey is not None
    assert survey.robots == ["noindex"]


def test_a_page_may_address_the_robot_by_the_name_of_its_user_agent() -> None:
    headers = (("Content-Type", "text/html"), ("X-Robots-Tag", "NewsBot: noarchive, x: none"))
    reply = Reply(200, headers=headers, body=b"<meta name=newsbot content=noindex>")
    agent = "Mozilla/5.0 (compatible; NewsBot/1.0)"
    document = read(Job(1, 1, "http://h.test/"), reply, Config(fetch=FetchConfig(user_agent=agent)))
    assert document.meta_robots == "noindex, noarchive"


@pytest.mark.parametrize(
    ("label", "body"),
    [
        ("text/html", b"<p>x"),
        ("text/plain", b"x"),
        ("application/pdf", b"%PDF-1.7"),
        ("image/png", b"\x89PNG\r\n\x1a\n"),
        ("application/json", b"{}"),
        ("application/rss+xml", b"<rss><channel/></rss>"),
        (None, b""),
    ],
)
def test_headers_count_for_every_kind_of_document(label: str | None, body: bytes) -> None:
    headers = (
        ("X-Robots-Tag", "noindex; nofollow"),
        ("Link", '</c>; rel=canonical, </n>; rel="next"'),
        ("Refresh", "0; url=/r"),
    )
    document = parsed(body, label, headers=headers)
    assert document.meta_robots == "noindex, nofollow"
    assert document.canonical == "http://h.test/c"
    assert [link.kind for link in document.links] == ["canonical", "next", "refresh"]
    assert hrefs(document) == [f"http://h.test/{path}" for path in "cnr"]
    assert all(link.nofollow for link in document.links)


@pytest.mark.parametrize(
    ("rel", "nofollow"),
    [
        ("nofollow,noopener", True),
        ("noopener, NoFollow", True),
        ("NOFOLLOW;ugc", True),
        ("noopener\tnofollow", True),
        ("nofollower", False),
        ("no-follow", False),
    ],
)
def test_rel_may_have_commas(rel: str, nofollow: bool) -> None:
    assert only_link(parsed(f'<a href=x rel="{rel}">t</a>')).nofollow is nofollow
