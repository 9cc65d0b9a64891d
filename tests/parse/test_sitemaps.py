"""What does a sitemap or feed list?"""

from __future__ import annotations

import gzip
import html
import re
import time
from pathlib import Path

import pytest

from crawler.model import Kind
from crawler.parse.sitemaps import MAX_ENTRIES, unpack
from tests.parse.page import hrefs, listed, parsed
from tests.sites.skip import require_corpus

URLSET = "<?xml version='1.0' encoding='UTF-8'?><urlset>{}</urlset>"


def urls(*paths: str) -> str:
    return "".join(f"<url><loc>http://h.test/{path}</loc></url>" for path in paths)


def test_an_entry_keeps_what_it_says_as_written() -> None:
    body = URLSET.format(
        "<url><loc> http://h.test/a?b=1&amp;c=2 </loc><lastmod> 2024-02-30 </lastmod>"
        "<changefreq>weekly</changefreq><priority>0.8</priority></url>"
        "<url><priority>7</priority><loc><![CDATA[/rel]]></loc><priority>0.1</priority></url>"
        "<url><loc>http://h.test/n</loc><priority>nan</priority></url>"
    )
    document = parsed(body, "application/xml", kind="sitemap")
    assert listed(document) == [
        *("http://h.test/a?b=1&c=2", "http://h.test/rel", "http://h.test/n"),
    ]
    first, second, third = document.entries
    assert (first.lastmod, first.changefreq, first.priority) == ("2024-02-30", "weekly", 0.8)
    assert (second.lastmod, second.changefreq, second.priority) == (None, None, None)
    assert third.priority is None
    assert document.truncated is None


def test_an_index_lists_sitemaps() -> None:
    body = (
        "<sitemapindex xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>"
        "<sitemap><loc>http://h.test/1.xml</loc><lastmod>2024</lastmod></sitemap></sitemapindex>"
    )
    (entry,) = parsed(body, "text/xml", kind="sitemap").entries
    assert (entry.is_sitemap, entry.lastmod) == (True, "2024")


@pytest.mark.parametrize(
    "body",
    [
        "<urlset xmlns='http://www.google.com/schemas/sitemap/0.84'>" + urls("1") + "</urlset>",
        "<s:urlset xmlns:s='urn:x'><s:url><s:loc>http://h.test/1</s:loc></s:url></s:urlset>",
        "\n\n " + URLSET.format(urls("1")),
        "\ufeff" + URLSET.format(urls("1")),
        "<!-- c -->" + "<urlset>" + urls("1") + "</urlset>",
        "http://h.test/1\r\n",
        "\ufeffhttp://h.test/1\n\n# no\nftp://h.test/x\n/rel\n",
    ],
)
def test_a_sitemap_is_known_by_what_it_holds(body: str) -> None:
    for label in ("application/xml", "text/plain", "text/html", None):
        assert listed(parsed(body, label, kind="sitemap")) == ["http://h.test/1"], label


def test_what_stands_before_a_break_is_kept_and_the_break_is_told() -> None:
    # HOSTILE 155
    whole = URLSET.format(urls("1", "2", "3"))
    for broken in (
        whole.replace("test/3", "test/3?a&b"),
        whole.replace("<loc>http://h.test/3", "</loc>"),
        whole[: whole.index("http://h.test/3")],
        whole.replace("test/3", "test/&undefined;"),
    ):
        document = parsed(broken, "application/xml", kind="sitemap")
        assert listed(document)[:2] == ["http://h.test/1", "http://h.test/2"]
        assert document.truncated == "parse", broken


def test_what_stands_before_a_break_is_kept_beyond_one_chunk() -> None:
    names = [f"{n:06}" for n in range(5_000)]
    body = "<urlset>" + urls(*names) + "<url></loc>" + urls("late")
    document = parsed(body, "application/xml", kind="sitemap")
    assert listed(document) == [f"http://h.test/{name}" for name in (*names, "late")]
    assert document.truncated == "parse"


def test_more_entries_than_the_protocol_allows_are_cut_and_told() -> None:
    # HOSTILE 153
    for body in (
        URLSET.format(urls(*map(str, range(MAX_ENTRIES + 1)))),
        "".join(f"http://h.test/{n}\n" for n in range(MAX_ENTRIES + 1)),
    ):
        document = parsed(body, None, kind="sitemap")
        assert (len(document.entries), document.truncated) == (50_000, "links")


def test_a_gzipped_file_is_unpacked_once_or_twice() -> None:
    # HOSTILE 97
    once = gzip.compress(URLSET.format(urls("1", "2")).encode())
    for body in (once, gzip.compress(once)):
        document = parsed(body, "application/x-gzip", kind="sitemap")
        assert listed(document) == ["http://h.test/1", "http://h.test/2"]
        assert document.truncated is None


def test_members_of_one_gzip_file_are_one_sitemap() -> None:
    text = URLSET.format(urls("1", "2")).encode()
    body = gzip.compress(text[:50]) + gzip.compress(text[50:])
    assert len(parsed(body, None, kind="sitemap").entries) == 2


@pytest.mark.parametrize("size", [0, 1, 300, 200_000])
def test_many_members_take_no_longer_than_their_bytes(size: int) -> None:
    member = gzip.compress(bytes(size), mtime=0)
    count = 10_000_000 // max(size, 25)
    began = time.process_time()
    data, whole = unpack(member * count)
    assert time.process_time() - began < 20  # 1 s, measured
    assert (len(data), whole) == (size * count, True)


def test_a_damaged_gzip_file_gives_what_comes_before_the_damage() -> None:
    names = [f"{n * n}" for n in range(20_000)]
    packed = gzip.compress(URLSET.format(urls(*names)).encode())
    for body in (packed[: len(packed) // 2], packed[: len(packed) // 2] + b"\xff" * 5_000):
        document = parsed(body, None, kind="sitemap")
        found = listed(document)
        assert 1_000 < len(found) < 20_000
        assert found == [f"http://h.test/{name}" for name in names[: len(found)]]
        assert document.truncated == "parse"


def test_a_gzip_bomb_ends_at_the_cap() -> None:
    bomb = gzip.compress(b"<urlset>" + urls("1").encode() + b" " * 80_000_000)
    document = parsed(bomb, None, kind="sitemap")
    assert listed(document) == ["http://h.test/1"]
    assert document.truncated == "parse"


def test_a_page_in_place_of_a_sitemap_lists_nothing() -> None:
    body = "<!doctype html><title>Not found</title><a href=x>home</a>"
    document = parsed(body, "text/html", kind="sitemap")
    assert (document.entries, document.links, document.truncated) == ((), (), None)
    assert document.content_type == "text/html"


def test_a_page_in_place_of_a_feed_is_read_as_a_page() -> None:
    document = parsed("<!doctype html><a href=x>home</a>", "text/html", kind="feed")
    assert hrefs(document) == ["http://h.test/d/x"]


RSS_2 = """<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>
<link>http://h.test/</link>
<item><title>a</title><link> /1 </link><pubDate>Tue, 10 Jun 2003 04:00:00 GMT</pubDate></item>
<item><guid>http://h.test/2</guid><dc:date>2003-06-10</dc:date></item>
<item><guid isPermaLink="false">7bd204c6</guid></item>
</channel></rss>"""

RSS_1 = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"
xmlns="http://purl.org/rss/1.0/"><channel rdf:about="x"><link>http://h.test/</link></channel>
<item rdf:about="http://h.test/1"><link>http://h.test/1</link></item></rdf:RDF>"""

ATOM = """<feed xmlns="http://www.w3.org/2005/Atom"><link href="/"/><entry>
<link rel="edit" href="/edit"/><link rel="enclosure" href="/e.mp3"/>
<link rel="alternate" href="/1"/>
<published>2003-12-13</published><updated>2003-12-14T18:30:02Z</updated>
<content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><a href="no">x</a></div></content>
</entry><entry><link href="/2"/><published>2003</published></entry></feed>"""


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (RSS_2, [("1", "Tue, 10 Jun 2003 04:00:00 GMT"), ("2", "2003-06-10")]),
        (RSS_1, [("1", None)]),
        (ATOM, [("1", "2003-12-14T18:30:02Z"), ("2", "2003")]),
    ],
    ids=["rss 2.0", "rss 1.0", "atom"],
)
def test_a_feed_lists_its_items(body: str, expected: list[tuple[str, str | None]]) -> None:
    document = parsed(body, "application/xml", kind="feed")
    dates = [entry.lastmod for entry in document.entries]
    assert list(zip(listed(document), dates, strict=True)) == [
        (f"http://h.test/{path}", date) for path, date in expected
    ]


def corpus() -> list[Path]:
    return sorted((require_corpus("crawler-commons-sitemaps") / "sitemaps").rglob("*sitemap*.xml"))


def test_the_sitemaps_of_crawler_commons_are_read_in_full() -> None:
    files = corpus()
    assert len(files) == 12
    for path in files:
        text = path.read_text("utf-8")
        # Independent of any XML reader; the index of this corpus writes no <loc> at all.
        direct = re.sub(r"<\w+:\w+/>|<(\w+):(\w+)\b[^>]*>.*?</\1:\2>", "", text, flags=re.DOTALL)
        pattern = (
            r"<loc>(.*?)</loc>" if "<sitemapindex" not in text else r"<sitemap>(.*?)</sitemap>"
        )
        if "sit:loc" in text:
            direct, pattern = text, r"<sit:loc>(.*?)</sit:loc>"
        expected = [html.unescape(url).strip() for url in re.findall(pattern, direct, re.DOTALL)]
        document = parsed(path.read_bytes(), "application/xml", kind="sitemap")
        assert expected, path
        assert (listed(document), document.truncated) == (expected, None), path


# Written by hand from the files.
CRAWLER_COMMONS = {
    "sitemaps/sitemap.txt": [
        "http://www.domain.com/page1.html",
        "http://www.domain.com/page2.html",
    ],
    "sitemaps/sitemap-with-bom.txt": [
        *("http://www.domain.com/page1.html", "http://www.domain.com/page2.html"),
    ],
    "sitemaps/sitemap.txt.gz": [
        "http://www.example.com/",
        "http://www.example.com/catalog?item=12&desc=vacation_hawaii",
        "http://www.example.com/catalog?item=73&desc=vacation_new_zealand",
        "http://www.example.com/catalog?item=74&desc=vacation_newfoundland",
        "http://www.example.com/catalog?item=83&desc=vacation_usa",
    ],
    "sitemaps/xmlSitemap.gz": [
        "http://www.example.com/",
        "http://www.example.com/catalog?item=12&desc=vacation_hawaii",
        "http://www.example.com/catalog?item=73&desc=vacation_new_zealand",
        "http://www.example.com/catalog?item=74&desc=vacation_newfoundland",
        "http://www.example.com/catalog?item=83&desc=vacation_usa",
    ],
    "sitemaps/atom.xml": ["http://example.org/2003/12/13/atom03"],
    "rss/feed.rss": [
        "https://www.example.com/blog/post/1",
        "https://www.example.com/guid.html",
        "https://www.example.com/foo?q=a&l=en",
        "https://www.example.com/foo?q=a&l=fr",
    ],
    "rss/xmlRss_pubDate.xml": [f"http://www.example.com/article_{n}" for n in range(1, 8)],
}


@pytest.mark.parametrize("name", CRAWLER_COMMONS)
def test_the_other_lists_of_crawler_commons_are_read_in_full(name: str) -> None:
    body = (require_corpus("crawler-commons-sitemaps") / name).read_bytes()
    document = parsed(body, None, kind="sitemap")
    assert (listed(document), document.truncated) == (CRAWLER_COMMONS[name], None)


def test_feeds_of_scrapys_samples_are_read_up_to_any_byte() -> None:
    folder = require_corpus("scrapy-sample-data") / "tests" / "sample_data" / "feeds"
    body = (folder / "feed-sample2.xml").read_bytes()
    whole = listed(parsed(body, "text/xml", kind="feed"))
    assert whole == re.findall(r"<item>.*?<link>(.*?)</link>", body.decode(), re.DOTALL)
    for end in range(0, len(body), 97):
        part = listed(parsed(body[:end], "text/xml", kind="feed"))
        assert part == whole[: len(part)]


XHTML = "xmlns:xhtml='http://www.w3.org/1999/xhtml'"


@pytest.mark.parametrize(
    "declared",
    [XHTML, "xmlns:xhtml='http://www.w3.org/TR/xhtml11/xhtml11_schema.html'", ""],
)
def test_alternates_of_a_sitemap_are_entries(declared: str) -> None:
    body = (
        f"<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' {declared}>"
        "<url><loc>/en</loc><xhtml:link rel='alternate' hreflang='de' href='/de'/>"
        "<xhtml:link rel='alternate' hreflang='en' href='/en'/>"
        "<xhtml:link rel='stylesheet' href='/no'/></url>"
        "<url><loc>/fr</loc><xhtml:link rel='alternate' hreflang='de' href='/de'/></url></urlset>"
    )
    kinds: tuple[Kind, ...] = ("sitemap", "page")
    for kind in kinds:
        document = parsed(body, "application/xml", kind=kind)
        found = listed(document) or hrefs(document)
        assert found == [f"http://h.test/{name}" for name in ("en", "fr", "de")]


def test_every_loc_of_a_sitemap_counts() -> None:
    body = (
        "<sitemapindex><sitemap><loc>/1.xml</loc><loc>/2.xml</loc></sitemap>"
        "<sitemap><loc>/3.xml</loc></sitemap></sitemapindex>"
    )
    document = parsed(body, "text/xml", kind="sitemap")
    assert listed(document) == [f"http://h.test/{n}.xml" for n in (1, 2, 3)]
    assert all(entry.is_sitemap for entry in document.entries)


GUID = "<guid>http://h.test/1</guid>"
ITEM = "<rss version='2.0' {}><channel>{}<item>{}</item></channel></rss>"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # an element counts in its place, and in the namespace of what it stands in
        (
            ITEM.format(
                "xmlns:a='http://www.w3.org/2005/Atom'",
                "<image><url>/no.png</url><link>/no</link></image>",
                "<a:link rel='self' href='/no'/><link>/1</link>",
            ),
            ["1"],
        ),
        (
            ITEM.format("xmlns:m='urn:m'", "", "<m:link>/no</m:link><link/>" + GUID),
            ["1"],
        ),
        (ITEM.format("xmlns:a='http://www.w3.org/2005/Atom'", "", "<a:link href='/1'/>"), ["1"]),
        (
            ITEM.format("", "<item><source url='/no'/><link>/1</link></item>", "<link>/2</link>"),
            ["1", "2"],
        ),
        (ITEM.format("xml:base='http://h.test/b/'", "", "<link>1</link>"), ["b/1"]),
        (ITEM.format("", "<textInput><link>/no</link></textInput>", "<link> /1\n</link>"), ["1"]),
        (
            "<urlset><image><url><loc>/no</loc></url></image><url><loc>/1</loc></url></urlset>",
            ["1"],
        ),
        ("<urlset><url><i><loc>/no</loc></i><loc>/1</loc></url></urlset>", ["1"]),
        (
            "<urlset xmlns='urn:s' xmlns:v='urn:v'><url><v:loc>/no</v:loc><loc>/1</loc>"
            "</url></urlset>",
            ["1"],
        ),
    ],
)
def test_an_element_counts_in_its_place_alone(body: str, expected: list[str]) -> None:
    document = parsed(body, "application/xml", kind="feed")
    assert listed(document) == [f"http://h.test/{path}" for path in expected]


def test_an_atom_feed_stands_on_its_own_bases() -> None:
    # RFC 4287, section 2; https://www.w3.org/TR/xmlbase/
    body = """<feed xmlns='http://www.w3.org/2005/Atom' xml:base='http://o.test/blog/'>
    <link href='no'/><entry xml:base='2024/'><link href='1'/></entry>
    <entry><link xml:base='/deep/' href='2'/></entry>
    <entry xml:base='http://['><link href='3'/></entry>
    <entry><link rel='alternate' type='application/json' href='/no'/>
    <link rel='alternate' type='text/html' href='/4'/></entry>
    <entry><source><link href='/no'/></source><x:link xmlns:x='urn:x' href='/no'/></entry></feed>"""
    assert listed(parsed(body, None, kind="feed")) == [
        *("http://o.test/blog/2024/1", "http://o.test/deep/2", "http://o.test/blog/3"),
        "http://o.test/4",
    ]


JSON_FEED = """{"version": "https://jsonfeed.org/version/1.1", "home_page_url": "/", "items": [
{"id": 1, "url": "/1", "date_published": "2024-01-02"}, {"external_url": "http://o.test/2"},
{"id": "x"}, 7, {"url": 8}, {"url": "/3", "title": "raw\tcontrol"}]}"""


@pytest.mark.parametrize(
    "label", ["application/feed+json", "application/json", "text/plain", None, "text/json"]
)
@pytest.mark.parametrize("kind", ["feed", "page"])
def test_a_json_feed_lists_its_items(label: str | None, kind: Kind) -> None:
    document = parsed(JSON_FEED, label, kind=kind)
    expected = ["http://h.test/1", "http://o.test/2", "http://h.test/3"]
    assert (listed(document) or hrefs(document)) == expected
    assert {link.kind for link in document.links} <= {"feed"}
    broken = parsed(JSON_FEED[:-3], label, kind=kind)
    assert (listed(broken) or hrefs(broken))[:2] == expected[:2]
    assert broken.truncated == "parse"


@pytest.mark.parametrize("label", ["text/plain", "text/plain; charset=utf-8", "application/xml"])
@pytest.mark.parametrize("kind", ["feed", "page"])
def test_a_feed_may_be_served_as_text(label: str, kind: Kind) -> None:
    document = parsed(RSS_2, label, kind=kind)
    assert (listed(document) or hrefs(document)) == ["http://h.test/1", "http://h.test/2"]


def test_json_and_text_that_list_nothing_are_left_alone() -> None:
    assert parsed('{"version": "1", "url": "/x"}', "application/json").links == ()
    text = parsed("http://h.test/1\nand some words", "text/plain")
    assert (text.links, text.text) == ((), "http://h.test/1 and some words")


TWO = URLSET.format("<url><loc>http://h.test/1</loc></url><url><loc>https://h.test/2</loc></url>")
LINES = "\ufeffhttp://h.test/1\r\n\n# a comment\nHTTPS://h.test/2\n"


@pytest.mark.parametrize(
    ("body", "label"),
    [
        (LINES.encode(), "text/plain"),
        (gzip.compress(LINES.encode()), "application/x-gzip"),
        (gzip.compress(LINES.encode()), "application/octet-stream"),
        (
            gzip.compress(TWO.encode()),
            "application/x-gzip",
        ),
        (
            gzip.compress(TWO.encode()),
            "application/gzip",
        ),
        (
            gzip.compress(TWO.encode()),
            None,
        ),
    ],
)
def test_a_sitemap_of_any_kind_may_be_a_seed(body: bytes, label: str | None) -> None:
    document = parsed(body, label)
    assert hrefs(document) == ["http://h.test/1", "https://h.test/2"]
    assert {link.kind for link in document.links} == {"sitemap"}
    assert document.truncated is None


def test_a_sitemap_as_a_seed_has_room_for_all_that_its_protocol_allows() -> None:
    body = URLSET.format(urls(*map(str, range(MAX_ENTRIES))))
    document = parsed(body, "application/xml", max_links=100)
    assert (len(document.links), document.truncated) == (50_000, None)


def test_other_things_behind_gzip_are_left_packed() -> None:
    for inside in (b"<html><a href=x>", b"tar\0" * 1000, b"", b"http://h.test/1\nwords here\n"):
        document = parsed(gzip.compress(inside), "application/gzip")
        assert (document.links, document.text) == ((), None)
