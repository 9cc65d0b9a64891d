"""Where does a page lead, and what does it say about itself?"""

from __future__ import annotations

import time

import pytest

from crawler.policy.link_kinds import FOLLOWED, RECORDED
from tests.parse.page import HTML, URL, Headers, hrefs, only_link, parsed
from tests.sites.skip import require_corpus


@pytest.mark.parametrize(
    ("markup", "kinds"),
    [
        ("<a href=x>t</a>", ["a"]),
        ("<svg><a xlink:href=x>t</a></svg>", ["a"]),
        ("<map><area href=x></map>", ["area"]),
        ("<frameset><frame src=x></frameset>", ["frame"]),
        ("<iframe src=x></iframe>", ["iframe"]),
        ("<meta http-equiv=Refresh content='5; URL=x'>", ["refresh"]),
        ("<link rel=canonical href=x>", ["canonical"]),
        ("<link rel=alternate hreflang=de href=x>", ["alternate"]),
        ("<link rel=alternate type='application/rss+xml' href=x>", ["feed"]),
        ("<link rel=alternate type='application/atom+xml; a=b' href=x>", ["feed"]),
        ("<link rel=alternate type='application/json+oembed' href=x>", ["link"]),
        ("<link rel=next href=x>", ["next"]),
        ("<link rel=prev href=x>", ["prev"]),
        ("<link rel='shortcut icon' href=x>", ["icon"]),
        ("<link rel=apple-touch-icon href=x>", ["icon"]),
        ("<link rel=stylesheet href=x>", ["stylesheet"]),
        ("<link rel='alternate stylesheet' href=x>", ["stylesheet"]),
        ("<link rel=preload href=x>", ["preload"]),
        ("<link rel='preload stylesheet' href=x>", ["stylesheet"]),
        ("<link rel=modulepreload href=x>", ["preload"]),
        ("<link rel=preload as=image href=x imagesrcset='x 1x'>", ["srcset", "preload"]),
        ("<link href=x>", ["link"]),
        ("<link rel=preconnect href=x>", ["hint"]),
        ("<link rel='dns-prefetch preconnect' href=x>", ["hint"]),
        ("<link rel=EditURI type='application/rsd+xml' href=x>", ["hint"]),
        ("<link rel=pingback href=x><link rel=profile href=x>", ["hint", "hint"]),
        ("<link rel='preconnect stylesheet' href=x>", ["stylesheet"]),
        ("<link rel='canonical,me' href=x>", ["canonical"]),
        ("<img src=x>", ["img"]),
        ("<input type=image src=x>", ["img"]),
        ("<input type=text src=x>", []),
        ("<img src=x srcset='x 1x, x 2x'>", ["img", "srcset", "srcset"]),
        ("<picture><source srcset='x 1x'></picture>", ["srcset"]),
        ("<script src=x></script>", ["script"]),
        ("<video src=x poster=x></video>", ["media", "media"]),
        ("<audio src=x></audio>", ["media"]),
        ("<video><source src=x><track src=x></video>", ["media", "media"]),
        ("<form action=x></form>", ["form"]),
        ("<embed src=x>", ["embed"]),
        ("<object data=x></object>", ["embed"]),
        ("<noscript><img src=x></noscript>", ["img"]),
        # no address, no link
        ("<a>t</a><area><form></form><img><link rel=next>", []),
        ("<a name=x>t</a>", []),
        ("<img src=''><script src=' '></script><iframe src=''></iframe>", []),
        ("<meta http-equiv=refresh content=5>", []),
        ("<!-- <a href=x> --><script>'<a href=x>'</script>", []),
    ],
)
def test_every_way_to_name_an_address_has_its_kind(markup: str, kinds: list[str]) -> None:
    document = parsed(markup)
    assert [link.kind for link in document.links] == kinds
    assert set(hrefs(document)) <= {"http://h.test/d/x"}
    assert set(kinds) <= FOLLOWED | RECORDED


def test_links_stand_in_document_order_every_occurrence() -> None:
    document = parsed("<link rel=next href=1><a href=2>b</a><img src=3><a href=2>b</a><a href=1>a")
    assert hrefs(document) == [f"http://h.test/d/{n}" for n in (1, 2, 3, 2, 1)]
    assert len(document.targets) == 3


@pytest.mark.parametrize(
    ("href", "url", "fragment"),
    [
        ("", "http://h.test/d/p.html", None),
        ("#", "http://h.test/d/p.html", ""),
        ("#top", "http://h.test/d/p.html", "top"),
        (" \n x \t", "http://h.test/d/x", None),
        ("a\n\tb", "http://h.test/d/ab", None),
        ("x #s", "http://h.test/d/x%20", "s"),
        ("x#ä b", "http://h.test/d/x", "%C3%A4%20b"),
        ("//o.test/x", "http://o.test/x", None),
        ("HTTP://U:P@h.test:80/./a/../b", "http://h.test/b", None),
    ],
)
def test_addresses_are_read_as_browsers_read_them(
    href: str, url: str, fragment: str | None
) -> None:
    # Twice, with and behind its neighbours, because what is known already takes a shorter way.
    for body in (f'<a href="{href}">t', f'<a href="x">1</a><a href="">2</a><a href="{href}">t'):
        document = parsed(body)
        assert hrefs(document)[-1] == url
        assert document.links[-1].fragment == fragment


def test_a_known_page_does_not_lend_itself_to_another_with_a_space() -> None:
    document = parsed("<a href='x #s'>1</a><a href='x '>2</a><a href='x #t'>3</a>")
    assert hrefs(document) == [f"http://h.test/d/{path}" for path in ("x%20", "x", "x%20")]


def test_sections_of_one_page_are_one_target() -> None:
    document = parsed("<a href=x>0</a><a href=x#1>1</a><a href=x#2>2</a><a href=#3>3</a>")
    assert [target.url for target in document.targets] == ["http://h.test/d/x", URL]
    assert [link.fragment for link in document.links] == [None, "1", "2", "3"]


@pytest.mark.parametrize("href", ["mailto:a@b.test", "javascript:x()", "data:,x", "tel:1"])
def test_other_schemes_are_links_that_are_never_fetched(href: str) -> None:
    document = parsed(f'<a href="{href}">t</a>')
    assert [(target.url, target.refusal) for target in document.targets] == [(href, "scheme")]


@pytest.mark.parametrize(
    ("markup", "anchor"),
    [
        ("<a href=x> two \n words </a>", "two words"),
        ("<a href=x><b>t</b>wo</a>", "two"),
        ("<a href=x><span><i>deep</i> er</span></a>", "deep er"),
        ("<a href=x><div>one</div><div>two</div></a>", "one two"),
        ("<a href=x>one<br>two</a>", "one two"),
        ("<a href=x>see <img src='' alt='the logo'></a>", "see the logo"),
        ("<a href=x><img src=''></a>", ""),
        ("<a href=x>a<script>no</script><style>no</style></a>", "a"),
        ("<a href=x></a>", ""),
        ("<a href=x>" + "w" * 2000 + "</a>", "w" * 1000),
        ("<img src=x alt=' an  image '>", "an image"),
        ("<img src=x alt=''>", ""),
        ("<img src=x>", None),
        ("<area href=x alt=there>", "there"),
        ("<link rel=next href=x>", None),
        ("<script src=x>t</script>", None),
    ],
)
def test_an_anchor_is_what_is_shown_between_its_tags(markup: str, anchor: str | None) -> None:
    assert only_link(parsed(markup)).anchor == anchor


@pytest.mark.parametrize(
    ("markup", "headers", "nofollow"),
    [
        ("<a href=x>t</a>", (), False),
        ("<a rel='UGC NoFollow' href=x>t</a>", (), True),
        ("<a rel=nofollowing href=x>t</a>", (), False),
        ("<meta name=robots content='noindex, NOFOLLOW'><a href=x>t</a>", (), True),
        ("<meta name=ROBOTS content=none><a href=x>t</a>", (), True),
        ("<meta name=crawler content=nofollow><a href=x>t</a>", (), True),
        ("<meta name=otherbot content=nofollow><a href=x>t</a>", (), False),
        ("<a href=x>t</a>", (("X-Robots-Tag", "noindex, nofollow"),), True),
        ("<a href=x>t</a>", (("x-robots-tag", "crawler: nofollow"),), True),
        ("<a href=x>t</a>", (("X-Robots-Tag", "otherbot: nofollow"),), False),
        ("<a href=x>t</a>", (("X-Robots-Tag", "max-snippet: 5, nofollow"),), True),
    ],
)
def test_nofollow_is_asked_by_a_link_or_by_the_page(
    markup: str, headers: Headers, nofollow: bool
) -> None:
    assert only_link(parsed(markup, headers=headers)).nofollow is nofollow


def test_rel_is_kept_in_lower_case() -> None:
    assert only_link(parsed("<a rel=' NoOpener  UGC' href=x>t</a>")).rel == "noopener ugc"
    assert only_link(parsed("<a href=x>t</a>")).rel is None


@pytest.mark.parametrize(
    ("markup", "regions"),
    [
        ("<a href=x>t</a>", [None]),
        ("<nav><a href=x>t</a></nav><a href=x>t</a>", ["nav", None]),
        ("<header><nav><a href=x>t</a></nav><a href=x>t</a></header>", ["nav", "header"]),
        ("<main><p><a href=x>t</a></p></main><footer><a href=x>t</a></footer>", ["main", "footer"]),
        ("<div role=navigation><ul><li><a href=x>t</a></ul></div><a href=x>t</a>", ["nav", None]),
        ("<div role=banner><a href=x>t</a></div>", ["header"]),
        ("<section role=main><a href=x>t</a></section>", ["main"]),
        ("<div role=contentinfo><img src=x></div>", ["footer"]),
        ("<div role=presentation><a href=x>t</a></div>", [None]),
        ("<nav></nav><nav><p>-</p></nav><a href=x>t</a>", [None]),
        (
            "<nav>" + "<a href=x>t</a>" * 9 + "</nav>" + "<a href=x>t</a>" * 9,
            ["nav"] * 9 + [None] * 9,
        ),
        (
            "<main><a href=x>t</a><nav><a href=x>t</a></nav><a href=x>t</a></main>",
            ["main", "nav", "main"],
        ),
    ],
)
def test_a_region_is_the_nearest_landmark(markup: str, regions: list[str | None]) -> None:
    assert [link.region for link in parsed(markup).links] == regions


def test_a_heading_shows_its_links_and_an_anchor_no_other_anchor() -> None:
    assert parsed("<h1>On <a href=x>this</a></h1>").h1 == "On this"
    document = parsed("<a href=1>out <div>er <a href=2>inner</a></div></a>")
    assert [link.anchor for link in document.links] == ["out er", "inner"]


def test_anchors_without_end_cost_no_more_than_the_page() -> None:
    started = time.process_time()
    parsed("<a href=x><div>" * 900 + "w " * 4_000_000)
    assert time.process_time() - started < 3


def test_landmarks_without_end_cost_no_more_than_the_page() -> None:
    started = time.process_time()
    parsed("<nav><a href=x>t</a></nav>" * 30_000)
    parsed("<nav><header><a href=x>t</a>" * 900 + "<a href=x>t</a>" * 9_000)
    assert time.process_time() - started < 20


def test_base_moves_every_link_even_those_before_it() -> None:
    document = parsed("<a href=x>t</a><base target=_top><base href=/b/><a href=y>t</a>")
    assert hrefs(document) == ["http://h.test/b/x", "http://h.test/b/y"]


def test_the_cap_on_links_keeps_the_first_and_says_so() -> None:
    exact = parsed("<a href=x>t</a>" * 5, max_links=5)
    assert (len(exact.links), exact.truncated) == (5, None)
    over = parsed("<a href=x>t</a>" * 3 + "<img srcset='a,b, c, d 1x'>" * 9, max_links=5)
    assert (len(over.links), over.truncated) == (5, "links")
    linked = parsed("<a href=x>t</a>", headers=(("Link", "<y>; rel=next"),), max_links=1)
    assert (hrefs(linked), linked.truncated) == (["http://h.test/d/x"], "links")


@pytest.mark.parametrize(
    ("srcset", "urls"),
    [
        # https://html.spec.whatwg.org/multipage/images.html#parsing-a-srcset-attribute
        ("a", ["a"]),
        ("a 1x, b 2x", ["a", "b"]),
        ("a, b", ["a", "b"]),
        ("a,b 2x", ["a,b"]),
        (" ,, a 100w 50h ,b,,", ["a", "b"]),
        ("a (x, y), b", ["b"]),
        ("a\n1x,\tb\n2x", ["a", "b"]),
        (",", []),
        ("", []),
    ],
)
def test_srcset_names_each_candidate(srcset: str, urls: list[str]) -> None:
    document = parsed(f'<img srcset="{srcset}">')
    assert hrefs(document) == [f"http://h.test/d/{url}" for url in urls]


def test_a_srcset_of_commas_costs_no_more_than_its_length() -> None:
    started = time.process_time()
    for srcset in ("," * 500_000, "a," * 250_000, "a" + "," * 500_000 + "b", "a (" * 160_000):
        parsed(f'<img srcset="{srcset}">')
    assert time.process_time() - started < 20


@pytest.mark.parametrize(
    ("content", "url"),
    [
        # https://html.spec.whatwg.org/multipage/semantics.html#shared-declarative-refresh-steps
        ("0;url=x", "x"),
        ("5; URL='x'", "x"),
        ('5 , url = "x"', "x"),
        ("5;x", "x"),
        ("5 x", "x"),
        (".5;url=x", "x"),
        ("5", None),
        ("5;", None),
        ("5;url=", None),
        ("x", None),
        ("url=x", None),
    ],
)
def test_a_refresh_leads_where_browsers_go(content: str, url: str | None) -> None:
    expected = [] if url is None else [f"http://h.test/d/{url}"]
    attribute = content.replace('"', "&quot;")
    assert hrefs(parsed(f'<meta http-equiv=refresh content="{attribute}">')) == expected
    assert hrefs(parsed("<p>t", headers=(("Refresh", content),))) == expected


def test_links_of_the_headers_come_last_and_stand_on_the_page() -> None:
    document = parsed(
        "<base href=/b/><a href=x>t</a>",
        headers=(
            ("Link", '<c>; rel="canonical", </n?a,b>; rel=next; title="a, b"'),
            ("link", "<p.css>; rel=preload; as=style"),
            ("Link", "<de>; rel=alternate; hreflang=de"),
            ("Refresh", "3; url=r"),
        ),
    )
    assert list(zip((link.kind for link in document.links), hrefs(document), strict=True)) == [
        ("a", "http://h.test/b/x"),
        ("canonical", "http://h.test/d/c"),
        ("next", "http://h.test/n?a,b"),
        ("alternate", "http://h.test/d/de"),
        ("refresh", "http://h.test/d/r"),
    ]
    assert document.canonical == "http://h.test/d/c"


@pytest.mark.parametrize(
    ("markup", "field", "value"),
    [
        ("<title> A \n b&amp;c </title><title>2</title>", "title", "A b&c"),
        ("<svg><title>icon</title></svg><title>page</title>", "title", "page"),
        ("<title>" + "w" * 3000 + "</title>", "title", "w" * 2000),
        ("<p>no title", "title", None),
        ("<title></title>", "title", ""),
        ("<meta name=Description content=' a  b '>", "description", "a b"),
        ("<meta name=description content=1><meta name=description content=2>", "description", "1"),
        ("<h1>A <b>b</b><br>c</h1><h1>2</h1>", "h1", "A b c"),
        ("<h1><img alt=Logo></h1>", "h1", "Logo"),
        ("<html lang=de-CH><p>t", "lang", "de-CH"),
        ("<html xml:lang=fr><p>t", "lang", "fr"),
        ("<p>t", "lang", None),
        ("<link rel=canonical href='/c#f'>", "canonical", "http://h.test/c"),
        ("<link rel=canonical href='http://['>", "canonical", None),
        ("<meta name=robots content='NoIndex,  nosnippet'>", "meta_robots", "noindex, nosnippet"),
        ("<p>t", "meta_robots", None),
    ],
)
def test_a_page_states_its_facts(markup: str, field: str, value: str | None) -> None:
    assert getattr(parsed(markup), field) == value


def test_headers_add_language_and_robots() -> None:
    document = parsed(
        "<meta name=robots content=noindex><p>t",
        headers=(("Content-Language", "de, en"), ("X-Robots-Tag", "NoArchive")),
    )
    assert document.lang == "de"
    assert document.meta_robots == "noindex, noarchive"


LINK_EXTRACTOR = "http://example.com/"

# Written from the markup of the files; the last names a non-ASCII query in a page whose label
# ("latin-1") is none of the standard's, so its UTF-8 is found and sent.
LINK_EXTRACTOR_PAGES = {
    "linkextractor.html": [
        *("sample1.html", "sample2.html", "sample3.html", "sample3.html", "sample3.html"),
        *("sample3.html", "http://www.google.com/something", "innertag.html", "page%204.html"),
    ],
    "linkextractor_no_href.html": ["author/Albert-Einstein", "page/1/", "page/3/", "page/4/"],
    "linkextractor_noenc.html": ["sample_%C3%B1.html", "sample_%E2%82%AC.html"],
    "linkextractor_latin1.html": [
        *("sample_%C3%B1.html", "sample_%C3%A1.html"),
        "sample_%C3%B6.html?price=%C2%A332&%C2%B5=unit",
    ],
}


@pytest.mark.parametrize("name", LINK_EXTRACTOR_PAGES)
def test_the_pages_of_scrapys_link_extractor_lead_where_they_say(name: str) -> None:
    folder = require_corpus("scrapy-sample-data") / "tests" / "sample_data" / "link_extractor"
    document = parsed((folder / name).read_bytes(), "text/html")
    assert [url.removeprefix(LINK_EXTRACTOR) for url in hrefs(document, "a", "area")] == (
        LINK_EXTRACTOR_PAGES[name]
    )


def test_xhtml_is_read_like_html() -> None:
    body = (
        '<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "x">'
        '<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="de"><head><title>t</title></head>'
        '<body><p><a href="x">y</a><br/></p></body></html>'
    )
    for label in ("application/xhtml+xml", "application/xml", HTML):
        document = parsed(body, label)
        assert (hrefs(document), document.title, document.lang) == (
            ["http://h.test/d/x"],
            "t",
            "de",
        )


@pytest.mark.parametrize(
    "end", ["</body></html>", "</BODY></HTML >", "</html>\n<!-- made by -->", "</hTmL>"]
)
def test_what_stands_behind_the_end_of_a_page_belongs_to_it(end: str) -> None:
    document = parsed(f"<html><body><p>Before <a href=a>a</a></p>{end}<p>After <a href=b>b</a>")
    assert hrefs(document) == ["http://h.test/d/a", "http://h.test/d/b"]
    assert document.text == "Before a After b"
    assert document.truncated is None


@pytest.mark.parametrize(
    "markup",
    [
        "<template><a href=no>no</a><h1>no</h1><title>no</title></template>",
        "<template><template><img src=no></template><a href=no>no</a></template>",
        "<div><template><base href=/no/><link rel=canonical href=no></template></div>",
        "<template><meta name=robots content=none></template>",
        "<template><meta http-equiv=refresh content=0;no></template>",
        "<template><nav><div role=main>no</template>",
        "<TEMPLATE id=a><table><tr><td><a href=no>no</TEMPLATE>",
        "<template><ul><li>no<template><p>no</template><li><a href=no></template>",
        "<template><!-- </template> --><script>'</template>'</script><p>no</template>",
        "<!-- <template> --><script>'<template>'</script>",
        "<template data-x='a>b' y=\"</template>\"><a href=no>no</a></template>",
        "<template>a<template shadowrootmode=open>no</template><a href=no></template>",
        "<template shadowrootmode=no><a href=no>no</a></template>",
    ],
)
def test_what_stands_in_a_template_is_no_part_of_the_page(markup: str) -> None:
    document = parsed(f"<body>{markup}<a href=x>yes</a><h1>yes</h1><svg><title>t</title></svg>")
    assert hrefs(document) == ["http://h.test/d/x"]
    assert (document.text, document.h1, document.title) == ("yes yes", "yes", None)
    assert (document.meta_robots, document.canonical) == (None, None)
    assert [link.region for link in document.links] == [None]


def test_a_template_that_never_ends_ends_with_what_it_stands_in() -> None:
    document = parsed("<div><template><a href=no>no</a></div><p><a href=x>yes</a>")
    assert (hrefs(document), document.text) == (["http://h.test/d/x"], "yes")


def test_a_template_that_is_a_shadow_is_shown() -> None:
    # https://html.spec.whatwg.org/multipage/scripting.html#attr-template-shadowrootmode
    body = "<div><template shadowrootmode=open><h1>a <a href=x>b</a></h1></template></div>c"
    document = parsed(body)
    assert (document.text, document.h1, hrefs(document)) == ("a b c", "a b", ["http://h.test/d/x"])


@pytest.mark.parametrize(
    ("markup", "h1"),
    [
        ("<h1> </h1><h1>second</h1><h1>third</h1>", "second"),
        ("<h1><img src=x></h1><h1><img alt=logo></h1>", "logo"),
        ("<h1><script>x</script>\x1b</h1><h1>&nbsp;</h1><h1>a</h1>", "a"),
        ("<h1></h1>", ""),
        ("<h2>x</h2>", None),
    ],
)
def test_the_first_heading_that_is_not_empty_counts(markup: str, h1: str | None) -> None:
    assert parsed(markup).h1 == h1


def test_control_characters_of_facts_and_anchors_are_spaces() -> None:
    raw = "a\x1b[31mb\x07\x9b2Jc\x01"
    seen = "a [31mb 2Jc"
    document = parsed(
        f"<title>{raw}</title><meta name=description content='{raw}'><h1>{raw}</h1>"
        f"<a href=x>{raw}</a><a href=y><b>{raw}</b></a><img src=z alt='{raw}'>"
    )
    assert (document.title, document.description, document.h1) == (seen, seen, seen)
    assert [link.anchor for link in document.links] == [seen, seen, seen]


@pytest.mark.parametrize(
    ("markup", "headers", "lang"),
    [
        ("<meta http-equiv=content-language content=de>", (), "de"),
        ("<meta http-equiv=Content-Language content=' de-AT x'>", (), "de-AT"),
        ("<meta http-equiv=content-language content='de, en'>", (), None),
        ("<html lang=fr><meta http-equiv=content-language content=de>", (), "fr"),
        (
            "<meta http-equiv=content-language content=de>",
            (("Content-Language", "it"),),
            "de",
        ),
    ],
)
def test_the_language_may_stand_in_a_meta_element(
    markup: str, headers: Headers, lang: str | None
) -> None:
    # https://html.spec.whatwg.org/multipage/semantics.html#attr-meta-http-equiv-content-language
    assert parsed(markup, headers=headers).lang == lang


@pytest.mark.parametrize(
    "content", ["\u0665; url=x", "\uff15;url=x", "x;url=x", "5url=x", "-1;url=x"]
)
def test_a_refresh_without_ascii_digits_is_none(content: str) -> None:
    assert parsed(f"<meta http-equiv=refresh content='{content}'>").links == ()
    assert parsed("<p>", headers=(("Refresh", content),)).links == ()
