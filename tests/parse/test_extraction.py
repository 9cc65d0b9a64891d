"""What do a person's rules take out of a page?"""

from __future__ import annotations

from typing import Any

import pytest

from crawler.config import ExtractRule
from crawler.parse.extraction import MAX_OF_PAGE, MAX_VALUE, MAX_VALUES, extract, of_page, ready

URL = "https://shop.example/products/lamp?page=2"
PAGE = """<!doctype html><html><head><title>Lamp</title>
<base href="/assets/"><meta name="author" content=" Ann  Lee "></head>
<body><h1>A <em>fine</em>\n lamp<script>var x = 1</script></h1>
<p class="price">EUR 1,234.56</p><p class=price>from 9</p>
<ul><li>red<li>green<br>blue<li></ul>
<a href="lamp.pdf#page=2">Manual</a> <a href="http://[">broken</a> <a>none</a>
<time datetime="2024-03-12T10:30:00+02:00">12 March 2024</time>
<script id="data">{"sku": 5}</script>
<input value="">
</body></html>"""


def take(body: str = PAGE, **rule: Any) -> list[Any]:
    """The values that one rule takes out of a page."""
    rules = ready({"it": ExtractRule(**rule)})
    rows, _ = extract(body.encode(), "utf-8", URL, rules)
    assert [row[:2] for row in rows] == [("it", place) for place in range(len(rows))]
    return [row[2] for row in rows]


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        ({"css": "h1"}, ["A fine lamp"]),
        ({"css": "title"}, ["Lamp"]),
        ({"css": ".price"}, ["EUR 1,234.56"]),
        ({"css": ".price", "many": True}, ["EUR 1,234.56", "from 9"]),
        ({"css": "li", "many": True}, ["red", "green blue"]),
        ({"css": "#data"}, ['{"sku": 5}']),
        ({"css": "meta[name=author]", "attribute": "content"}, ["Ann Lee"]),
        ({"css": "a", "attribute": "href", "many": True}, ["lamp.pdf#page=2", "http://["]),
        ({"css": "input", "attribute": "value"}, []),
        ({"css": "h6"}, []),
        ({"xpath": "//li/text()", "many": True}, ["red", "green", "blue"]),
        ({"xpath": "//meta/@content"}, ["Ann Lee"]),
        ({"xpath": "//a[re:test(@href, 'pdf')]"}, ["Manual"]),
        ({"xpath": "string(//h1/em)"}, ["fine"]),
        ({"xpath": "//li[position() = 2 and not(@class)]/text()"}, ["green"]),
        ({"xpath": "//h1/descendant::em[contains(concat(' ', ., ' '), ' fine ')]"}, ["fine"]),
        ({"xpath": "count(//li)"}, ["3"]),
        ({"xpath": "count(//li)", "type": "number"}, [3]),
        ({"xpath": "count(//li)", "type": "count"}, [3]),
        ({"css": "li", "type": "count"}, [3]),
        ({"css": "h6", "type": "count"}, [0]),
        ({"css": ".price", "type": "number", "many": True}, [1234.56, 9]),
        ({"css": "a, p", "type": "number"}, [1234.56]),
        (
            {"css": "a", "attribute": "href", "type": "url", "many": True},
            ["https://shop.example/assets/lamp.pdf#page=2"],
        ),
        ({"css": "time", "type": "date"}, ["2024-03-12"]),
        ({"css": "time", "attribute": "datetime", "type": "date"}, ["2024-03-12T08:30:00Z"]),
    ],
)
def test_a_rule_takes_what_it_selects(rule: dict[str, Any], values: list[Any]) -> None:
    assert take(**rule) == values


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *[("5", 5), ("-5 °C", -5), ("\u22125", -5), ("+7", 7), ("$1,234.56", 1234.56)],
        *[("1.234,56 €", 1234.56), ("1 234,5", 1234.5), ("1\u202f234", 1234), ("1'234.50", 1234.5)],
        *[("1,234", 1234), ("1.234", 1.234), ("0,125", 0.125), ("12,5", 12.5)],
        *[("1.234.567", 1234567), ("1,234,567.8", 1234567.8), ("12 %", 12)],
        *[("USD99.90", 99.9), ("5 of 12", 5)],
        *[("3-4", 3), ("", None), ("none", None), ("1.5e3", 1.5), ("10 000 and 5", 10000)],
        ("9" * 20, float("9" * 20)),
        ("9" * 400, None),
    ],
)  # fmt: skip
def test_a_number_is_read_as_people_write_it(text: str, number: float | None) -> None:
    expected = [] if number is None else [number]
    assert take(f"<p>{text}</p>", css="p", type="number") == expected


@pytest.mark.parametrize(
    ("text", "date"),
    [
        *[("2024-03-12", "2024-03-12"), ("2024-03-12T09:30:00Z", "2024-03-12T09:30:00Z")],
        *[("2024-03-12 09:30", "2024-03-12T09:30:00"), ("12.03.2024", "2024-03-12")],
        *[("Tue, 12 Mar 2024 09:30:00 +0100", "2024-03-12T08:30:00Z")],
        *[("March 12, 2024", "2024-03-12"), ("12 March 2024", "2024-03-12")],
        *[("Posted on March 12, 2024 by Ann", "2024-03-12"), ("03/12/2024", "2024-03-12")],
        *[("March 12, 2024 at 3:05 pm", "2024-03-12T15:05:00"), ("20240312", "2024-03-12")],
        *[("March 2024", None), ("2024", None), ("page 3", None), ("12:30", None), ("", None)],
        *[("0001-01-01T00:00:00+01:00", None), ("9999-12-31T23:59:00-05:00", None)],
        *[("2024-01-01 12:00 +99:99", None), ("2024-01-01T12:00 UTC+99", None)],
        ("h999999999999999999999999999999202400:00:60 NaN .", None),
        *[("March 12", None), ("31.02.2024", None), ("x" * 10_000, None), ("9" * 99, None)],
    ],
)
def test_a_date_is_whole_or_none(text: str, date: str | None) -> None:
    expected = [] if date is None else [date]
    assert take(f"<p>{text}</p>", css="p", type="date") == expected


def test_an_address_stands_on_the_page_where_no_base_can_be_read() -> None:
    page = '<base href="http://["><a href="?page=3">next</a>'
    found = take(page, css="a", attribute="href", type="url")
    assert found == ["https://shop.example/products/lamp?page=3"]


def test_a_rule_is_for_the_pages_that_it_includes() -> None:
    rules = ready({
        "all": ExtractRule(css="h1"),
        "products": ExtractRule(css="h1", include=("/products/",)),
        "news": ExtractRule(css="h1", include=("/news/", "/blog/")),
    })  # fmt: skip
    assert [rule.name for rule in of_page(rules, URL)] == ["all", "products"]
    assert [rule.name for rule in of_page(rules, "https://shop.example/blog/1")] == ["all", "news"]


@pytest.mark.parametrize(
    ("site", "hit"),
    [
        ("shop.example", True),
        ("*.example", True),
        ("https://shop.example", True),
        ("https://shop.example/products/", True),
        ("https://shop.example/news/", False),
        ("http://shop.example", False),
        ("shop.example:444", False),
        ("*.shop.example", False),
        ("other.example", False),
    ],
)
def test_a_rule_is_for_the_sites_that_it_names(site: str, hit: bool) -> None:
    rules = ready({"it": ExtractRule(css="h1", sites=("none.example", site))})
    assert bool(of_page(rules, URL)) is hit


def test_what_a_page_can_give_is_bounded() -> None:
    assert len(take("<p>x</p>" * 2 * MAX_VALUES, css="p", many=True)) == MAX_VALUES
    assert [len(value) for value in take(f"<p>{'x' * 2 * MAX_VALUE}", css="p")] == [MAX_VALUE]


def test_a_nest_of_elements_is_cut_and_says_so() -> None:
    rules = ready({"it": ExtractRule(css=".p", many=True)})
    page = "<div class=p>" * 1200 + "word " * 4000
    rows, cut = extract(page.encode(), "utf-8", URL, rules)
    assert cut
    assert 0 < sum(len(str(row[2])) for row in rows) <= MAX_OF_PAGE


@pytest.mark.parametrize("body", ["", "\0", "no markup", "<!-- -->", "<p>" * 5000])
def test_a_page_without_anything_gives_nothing(body: str) -> None:
    assert take(body, css="h1") == []


def test_what_no_database_holds_is_replaced() -> None:
    assert take("<p title='a&#xd800;b'>a&#0;b", css="p", attribute="title") == ["a\ufffdb"]
    assert take("<p>a\0b", css="p") in (["a\ufffdb"], ["ab"], ["a"])


def test_pages_are_read_in_their_charset() -> None:
    rules = ready({"it": ExtractRule(css="p")})
    page = "<p>Żółw".encode("iso-8859-2")
    assert extract(page, "iso-8859-2", URL, rules) == (
        [("it", 0, "Żółw")],
        False,
    )


@pytest.mark.parametrize(
    "xpath",
    ["re:replace(string(//p), 'a', 'g', 'b')", "re:match(string(//p), //i/text())"],
)
def test_a_rule_that_fails_on_a_page_keeps_no_other_from_its_values(xpath: str) -> None:
    page = b"<title>told</title><p>a&#1;</p><i>(</i>"
    rules = ready({"fails": ExtractRule(xpath=xpath), "title": ExtractRule(css="title")})
    assert extract(page, "utf-8", URL, rules) == ([("title", 0, "told")], True)


@pytest.mark.parametrize("xpath", ["sum(//b)", "1 div count(//u)"])
def test_what_is_no_number_is_not_counted(xpath: str) -> None:
    rules = ready({"sum": ExtractRule(xpath=xpath, type="count"), "p": ExtractRule(css="p")})
    page = b"<p>told</p><b>none</b>"
    assert extract(page, "utf-8", URL, rules) == ([("p", 0, "told")], False)
