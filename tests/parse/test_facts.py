"""Does a page say of itself what an audit reads, and by the numbers of its links?"""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from selectolax.lexbor import LexborHTMLParser

from crawler.parse._scan_py import _html_parser
from crawler.parse.facts import _Look, read_facts
from crawler.parse.head import read_head
from crawler.parse.html import one_body
from crawler.parse.root_tags import read_root_tags
from crawler.parse.scan import scan

MAX_LINKS = 1000
HEADS = [
    # what ended the head: HTML standard, sections 13.2.6.4.3 to 13.2.6.4.6
    ("<head><title>a</title></head><body>", "body"),
    ("<title>a</title><p>", "p"),
    ("<head><title>a</title><div></div><meta name=x content=y></head>", "div"),
    ("<head><noscript><link rel=x href=y></noscript><title>a</title></head><body>", "body"),
    ("<head><noscript><img></noscript><title>a</title></head><body>", "img"),
    ("<head></head><title>a</title><body>", "body"),
    ("<head>text<title>a</title>", "#text"),
    ("<head><script>if (a<b) '<div>'</script><title><div></title></head><body>", "body"),
    ("<head><!-- <div> --><style>p::after{content:'<p>'}</style></head><body>", "body"),
    ("<head><template><div></div></template><title>a</title></head><body>", "body"),
    ("<head><meta content='>'><meta content=\"<div>\"></head><body>", "body"),
    ("<head><title>never ended<body>", None),
    ("</body><title>a</title>", "body"),
    ("", None),
]
PIECES = st.sampled_from(
    [
        *(
            "<a href=/x>",
            "<a>",
            "</a>",
            "<a href=' //h/y ' target=_blank>",
            "text",
            "<p>",
            "</div>",
        ),
        *("<img src=i alt=''>", "<img srcset='a 1x, b 2x'>", "<link rel=canonical href=c>"),
        *("<link rel=alternate hreflang=de href=d>", "<script src=s></script>", "<form action=f>"),
        *("<iframe src=g></iframe>", "<video src=v poster=w>", "<meta http-equiv=refresh "),
        *("content='0;url=r'>", "<template><a href=t></template>", "<svg><title>t</title></svg>"),
        *("<base href=/b/>", "<h1>", "</h1>", "<main>", "</main>", "<div>", "<area href=z>"),
        *("</html>", "<object data=o>", "<input type=image src=n>", "<noscript>", "</noscript>"),
    ]
)


@pytest.mark.parametrize(("source", "ended_by"), HEADS)
def test_the_head_ends_where_the_standard_ends_it(source: str, ended_by: str | None) -> None:
    assert read_head(source.encode()).ended_by == ended_by


@settings(max_examples=300)
@given(st.lists(PIECES, max_size=30))
def test_links_have_the_numbers_that_the_crawl_gave_them(pieces: list[str]) -> None:
    data = one_body("".join(pieces).encode())
    survey = scan(data, MAX_LINKS)
    assert survey is not None
    look = _Look(read_head(data), MAX_LINKS)
    root = etree.fromstring(data, _html_parser())
    if root is not None:
        look.walk(root)
    assert (look._survey.kinds, look._survey.texts) == (survey.kinds, survey.texts)


@settings(max_examples=200)
@given(st.lists(st.sampled_from(["<p>", "a", "<h2>x</h2>", "<h1>y", "</h1>", "<img>", "<b>"])))
def test_counts_are_those_of_a_browsers_tree(pieces: list[str]) -> None:
    source = "<!doctype html><title>t</title>" + "".join(pieces)
    tree = LexborHTMLParser(source)
    values = read_facts(source.encode(), "utf-8").values
    for column, selector in (("titles", "title"), ("h1s", "h1"), ("h2s", "h2")):
        assert values[column] == len(tree.css(selector))


@pytest.mark.parametrize(
    ("source", "unnamed"),
    [
        ("<a href=/>text</a>", 0),
        ("<a href=/><b>text</b></a>", 0),
        ("<a href=/></a>text", 1),
        ("<p>text<a href=/> </a>", 1),
        ("<a href=/><img alt=text></a>", 0),
    ],
)
def test_a_link_is_named_by_the_text_within_it(source: str, unnamed: int) -> None:
    assert read_facts(source.encode(), "utf-8").values["names_missing"] == unnamed


@pytest.mark.parametrize(
    ("source", "first"),
    [
        ("<main><p>a</p><img src=/1></main><img src=/2>", [0]),
        ("<main><p>a</p></main><img src=/1>", []),
        ("<div role=main>a</div><p><img src=/1></p>", []),
        ("<main>a<span style='color: red'>b</span><img src=/1></main>", [0]),
    ],
)
def test_the_first_image_of_the_main_region_stands_in_it(source: str, first: list[int]) -> None:
    rows = read_facts(source.encode(), "utf-8").link_facts
    assert [row[0] for row in rows if "first_image" in str(row[-1])] == first


@pytest.mark.parametrize(
    ("source", "tags"),
    [
        ("<html><head></head><body></body></html>", (1, 1, False)),
        ("<header></header>", (0, 0, False)),
        ("<head/><BODY\nclass=a><body>", (1, 2, False)),
        ("<head><script>'<head><body>'</script><body>", (1, 1, False)),
        ("<head><!-- <head> --><body><p title='<body>'>", (1, 1, False)),
        ("<head><textarea><body></textarea><body>", (1, 1, False)),
        ("text<html><head><body>", (1, 1, True)),
        ("<!-- <html> text<html>", (0, 0, False)),  # a comment without end
        ("\ufeff <!doctype html> <!-- text -->\n<html><head><body>", (1, 1, False)),
    ],
)
def test_outermost_elements_are_counted_as_they_are_written(
    source: str, tags: tuple[int, int, bool]
) -> None:
    assert read_root_tags(source.encode()) == tags


@pytest.mark.parametrize("piece", [b"<!--<url>", b"<!", b"<script ", b"<body '", b"<head><!--"])
def test_a_page_without_end_is_soon_looked_through(piece: bytes) -> None:
    began = time.process_time()
    read_root_tags(piece * (2_000_000 // len(piece)))
    assert time.process_time() - began < 10  # 0.3 s at most, measured
