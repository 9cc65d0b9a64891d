"""Does a folder of files read as the site does, from a disk alone?"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from gevent import subprocess
from lxml import etree

from crawler.exports import relinked
from crawler.exports.mirror import Names
from crawler.exports.names import MOST, MOST_IN_ALL, proposed
from crawler.parse.markup import RAW, attribute_text, tags
from crawler.store.database import open_for_writing, scratch
from tests.crawls import config, crawl
from tests.exports.taking import remarks, take
from tests.sites import nginx
from tests.sites.skip import require_corpus, require_folder, require_program
from tests.sites.web import Web

MARK = "0123abcd"
OWN = {"mode": "host", "allow_private": ["127.0.0.0/8"]}
FETCH = config(scope=OWN, assets={"mode": "fetch"})
CSS = {"Content-Type": "text/css"}


@pytest.mark.parametrize(
    ("url", "content_type", "name"),
    [
        ("https://a.test/", "text/html", "a.test/index.html"),
        ("https://a.test/b/", "text/html", "a.test/b/index.html"),
        ("https://a.test/b/c.html", "text/html", "a.test/b/c.html"),
        ("https://a.test/b/C.HTM", "text/html", "a.test/b/C.HTM"),
        ("https://a.test:8443/b", "text/html", "a.test_8443/b.html"),
        # a browser knows a file by its ending alone
        ("https://a.test/b.php", "text/html", "a.test/b.php.html"),
        ("https://a.test/b.php", "text/css", "a.test/b.php.css"),
        ("https://a.test/b", "image/png", "a.test/b.png"),
        ("https://a.test/b.html", "text/plain", "a.test/b.html.txt"),
        ("https://a.test/b.c", "text/plain", "a.test/b.c"),
        ("https://a.test/b.html", "application/octet-stream", "a.test/b.html.bin"),
        ("https://a.test/b.deb", "application/octet-stream", "a.test/b.deb"),
        ("https://a.test/b", "no/such", "a.test/b.bin"),
        ("https://a.test/b", "", "a.test/b.bin"),
        # what a name does not say is told apart by a mark
        ("https://a.test/b?c=d", "text/html", f"a.test/b-{MARK}.html"),
        ("https://a.test/?c=d", "text/html", f"a.test/index-{MARK}.html"),
        ("https://a.test/b%20c", "text/html", f"a.test/b_c-{MARK}.html"),
        ("https://a.test/%C3%A4.png", "image/png", f"a.test/_-{MARK}.png"),
        ("https://a.test/a:b*c", "text/html", f"a.test/a_b_c-{MARK}.html"),
        # Windows: names of devices, ends of names
        ("https://a.test/con.html", "text/html", f"a.test/_con-{MARK}.html"),
        ("https://a.test/NUL", "text/html", f"a.test/_NUL-{MARK}.html"),
        ("https://a.test/aux/lpt1.x/b", "text/html", f"a.test/_aux/_lpt1.x/b-{MARK}.html"),
        ("https://a.test/console.html", "text/html", "a.test/console.html"),
        ("https://a.test/b./c", "text/html", f"a.test/b_/c-{MARK}.html"),
        ("https://a.test/b.", "text/html", f"a.test/b_-{MARK}.html"),
        # nothing leads out of the folder, nothing is hidden
        ("https://a.test/..%2f..%2fetc%2fpasswd", "text/plain",
         f"a.test/_.._.._etc_passwd-{MARK}.txt"),
        ("https://a.test/b%5C..%5Cc", "text/html", f"a.test/b_.._c-{MARK}.html"),
        ("https://a.test/b%00c", "text/html", f"a.test/b_c-{MARK}.html"),
        ("https://a.test/.htaccess", "text/plain", f"a.test/_-{MARK}.htaccess"),
        ("https://a.test//b", "text/html", f"a.test/_/b-{MARK}.html"),
    ],
)  # fmt: skip
def test_a_file_is_called_by_its_url(url: str, content_type: str, name: str) -> None:
    assert proposed(url, MARK, content_type) == name


def test_a_host_that_is_no_name_for_a_folder_has_one_of_its_own() -> None:
    places = ("https://[::1]/", "https://[::1]/b", "https://[::1]:8080/b", "https://con/")
    names = [proposed(url, MARK, "text/html").split("/") for url in places]
    folders = [folder for folder, _ in names]
    assert [file for _, file in names] == ["index.html", "b.html", "b.html", "index.html"]
    assert folders[0] == folders[1]
    assert len({*folders}) == 3
    assert all(re.fullmatch(r"[\w-]+", folder, re.ASCII) for folder in folders)
    assert folders[3] != "con"


def test_no_name_is_long() -> None:
    long = proposed(f"https://a.test/{'b' * 900}/{'c' * 900}.css", MARK, "text/css")
    deep = proposed(f"https://a.test/{'b/' * 900}c.css", MARK, "text/css")
    for name in (long, deep):
        assert len(name) <= MOST_IN_ALL
        assert all(len(part) <= MOST + 20 for part in name.split("/"))
        assert MARK in name
        assert name.endswith(".css")


SAME = ("&amp;", "&#38;", "&#x26;", "&AMP", "&amp")


@pytest.mark.parametrize("raw", SAME)
def test_references_are_resolved(raw: str) -> None:
    assert attribute_text(f"a?b{raw}") == "a?b&"


@pytest.mark.parametrize("raw", ["?a&copy=b", "?a&copyx=b", "?a&b=c", "&", "&;", "&#;", "&nosuch;"])
def test_what_is_no_reference_stays(raw: str) -> None:
    assert attribute_text(raw) == raw


@pytest.mark.parametrize(
    ("source", "found"),
    [
        # HTML, section 13.2.5
        ("<a href=b>", [("a", "b")]),
        ("<A HREF = 'b' href=c>", [("a", "b")]),
        ('<a\nhref\n=\n"b">', [("a", "b")]),
        ("<a title=it's href=b>", [("a", "b")]),
        ("<a title='>' href=b>", [("a", "b")]),
        ("<a/href=b>", [("a", "b")]),
        ("<a href=b/>", [("a", "b/")]),
        ("<a href>", [("a", "")]),
        ("<!-- <a href=b> --><a href=c>", [("a", "c")]),
        ("<!--><a href=c>-->", [("a", "c")]),
        ("<!doctype html><a href=c>", [("a", "c")]),
        ("<script>'<a href=b>'</script><a href=c>", [("a", "c")]),
        ("<textarea><a href=b></textarea ><a href=c>", [("a", "c")]),
        ("<style></styles><a href=b></STYLE><a href=c>", [("a", "c")]),
        ("a < b <a href=c>", [("a", "c")]),
        ("<a href=b", []),
        ("<a href='b", []),
    ],
)
def test_tags_are_where_a_browser_finds_them(source: str, found: list[tuple[str, str]]) -> None:
    assert [
        (tag.name, tag.attributes["href"].value) for tag in tags(source) if "href" in tag.attributes
    ] == found


def test_start_tags_are_read_as_html5lib_expects() -> None:
    judged = 0
    for path in sorted((require_corpus("html5lib-tests") / "tokenizer").glob("*.test")):
        for case in json.loads(path.read_text(encoding="utf-8")).get("tests", ()):
            expected = [(token[1], token[2]) for token in case["output"] if token[0] == "StartTag"]
            # Its tokenizer is told from without where text holds no tags.
            is_raw = any(name in RAW for name, _ in expected)
            if "Data state" not in case.get("initialStates", ["Data state"]) or is_raw:
                continue
            if not case.get("doubleEscaped"):
                found = [
                    (tag.name, {name: one.value for name, one in tag.attributes.items()})
                    for tag in tags(case["input"])
                ]
                assert found == expected, case["input"]
                judged += 1
    assert judged > 6_000


def lead(href: str) -> str | None:
    return None if href.startswith(("#", "mailto:")) else f"new/{href}&"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<p>a<a href=b>c</a>", '<p>a<a href="new/b&amp;">c</a>'),
        ("<a href='b' class=x>", '<a href="new/b&amp;" class=x>'),
        ('<a href="b&amp;c">', '<a href="new/b&amp;c&amp;">'),
        ("<a href=#b><a href='mailto:c'>", "<a href=#b><a href='mailto:c'>"),
        ("<img src=a srcset='b 1x, c 2x' alt=d>",
         '<img src="new/a&amp;" srcset="new/b&amp; 1x, new/c&amp; 2x" alt=d>'),
        ("<style>a{b:url(c)}</style>", '<style>a{b:url("new/c&")}</style>'),
        ("<p style='a:url(b)'>", '<p style="a:url(&quot;new/b&amp;&quot;)">'),
        ("<meta http-equiv=refresh content='5; url=b'>",
         '<meta http-equiv=refresh content="5; url=new/b&amp;">'),
        # what would keep a browser from showing it
        ("<base href=x target=y>", '<base href="" target=y>'),
        ("<link rel=stylesheet href=a integrity=b crossorigin>",
         '<link rel=stylesheet href="new/a&amp;" data-integrity=b data-crossorigin>'),
        ("<meta http-equiv=Content-Security-Policy content=a>",
         "<meta data-http-equiv=Content-Security-Policy content=a>"),
        # all else stays byte for byte
        ("<b>&copy; <script>'<a href=b>'</script><!-- <a href=b> --></B", None),
    ],
)  # fmt: skip
def test_nothing_of_a_page_changes_but_its_addresses(before: str, after: str | None) -> None:
    assert relinked.page(before, lead) == (before if after is None else after)


@pytest.mark.parametrize(
    "body",
    [
        """<p style="content: '&lt;'; a: url(b)"/>""",
        '<a href="b?&lt;c&gt;&amp;d"/>',
        '<img src="a" srcset="b?&lt; 1x, c&amp; 2x"/>',
        "<style>a > b { c: url(d?e=1&amp;f=2) }</style>",
        "<style><![CDATA[ a > b { c: url(d?e=1&f=2) } ]]></style>",
    ],
)
def test_what_is_well_formed_stays_so(body: str) -> None:
    """XML 1.0, section 2.4: a browser shows nothing else of a page that is not."""
    page = f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{body}</body></html>'
    etree.fromstring(relinked.page(page, lambda href: f"new/{href}", is_xml=True))


def test_an_address_in_the_styles_of_xhtml_is_the_one_that_xml_reads() -> None:
    led: list[str] = []
    relinked.page("<style>a{b:url(c?d&amp;e)}</style>", led.append, is_xml=True)
    relinked.page("<style><![CDATA[a{b:url(c?d&amp;e)}]]></style>", led.append, is_xml=True)
    assert led == ["c?d&e", "c?d&amp;e"]


# A crawl


def manifest(folder: Path) -> dict[str, str]:
    """File by URL."""
    lines = (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return {told["url"]: told["file"] for told in map(json.loads, lines)}


def test_a_site_reads_from_a_folder(web: Web, tmp_path: Path) -> None:
    other = web.host("127.0.7.1")
    web.page(
        "/", title="Home", links=["/b?x=1", "/old", "/gone", "https://elsewhere.test/", "#here"],
        head=f'<base href="/d/"><link rel="stylesheet" href="{other.url("/s.css")}">',
        body='<img src="p.png"><p style="background: url(p.png)">',
    )  # fmt: skip
    web.page("/b?x=1", title="B", links=["/", "/B?x=1"])
    web.page("/B?x=1", title="large B")
    web.redirect("/old", "/b?x=1")
    for host, path in ((web, "/d/p.png"), (other, "/q.png")):
        host.raw(path, headers={"Content-Type": "image/png"}, body=b"\x89PNG\r\n\x1a\n")
    other.raw("/s.css", headers=CSS, body="p { background: url(q.png) }")
    crawl(tmp_path / "a.db", web.url("/"), settings=FETCH)
    folder = take(tmp_path / "a.db", tmp_path / "m", "mirror")
    files = manifest(folder)
    here = f"127.0.0.1_{web.port}"
    there = f"127.0.7.1_{web.port}"
    home = (folder / files[web.url("/")]).read_text(encoding="utf-8-sig")
    b = files[web.url("/b?x=1")].removeprefix(f"{here}/")
    assert re.findall(r'href="([^"]*)"', home) == [
        "", f"../{there}/s.css", b, b, web.url("/gone"), "https://elsewhere.test/",
        f"{web.url('/d/')}#here",
    ]  # fmt: skip
    assert 'src="d/p.png"' in home
    assert "url(&quot;d/p.png&quot;)" in home
    sheet = (folder / there / "s.css").read_text(encoding="utf-8-sig")
    assert sheet == 'p { background: url("q.png") }'
    assert (folder / there / "q.png").read_bytes() == b"\x89PNG\r\n\x1a\n"
    assert (folder / files[web.url("/b?x=1")]).is_file()
    index = (folder / "index.html").read_text()
    assert f'<a href="{here}/index.html">Home</a>' in index
    assert len({name.lower() for name in files.values()}) == len(files) == 6


def test_two_urls_are_never_one_file(web: Web, tmp_path: Path) -> None:
    """Whether they differ in large letters, in their ending, or one is the folder of another."""
    paths = ["/a", "/a.html", "/A", "/a/", "/a/index.html", "/a.html/b", "/con", "/_con", "/x?1"]
    web.page("/", links=paths)
    for path in paths:
        web.page(path, title=f"page {path}")
    crawl(tmp_path / "a.db", web.url("/"), settings=config())
    folder = take(tmp_path / "a.db", tmp_path / "m", "mirror")
    files = manifest(folder)
    assert len({name.lower() for name in files.values()}) == len(paths) + 1
    for path in paths:
        text = (folder / files[web.url(path)]).read_text(encoding="utf-8-sig")
        assert f"<title>page {path}</title>" in text
    folders = {str(Path(name).parent).lower() for name in files.values()}
    assert not folders & {name.lower() for name in files.values()}


def test_no_file_takes_the_place_of_another_however_a_site_calls_its_pages() -> None:
    """What marks a name can be computed from its URL by whoever makes the site."""
    with closing(scratch()) as place:
        names = Names(place)
        made = [
            names.add(number, f"https://a.test/{path}", "text/html")
            for number, path in enumerate(
                ["b-0000000000000003.html", "B-0000000000000003-2.html", "B.html", "b.html", "b"]
            )
        ]
    assert len({name.lower() for name in made}) == len(made)


@pytest.mark.parametrize("is_xml", [False, True])
@pytest.mark.parametrize(
    "piece", ["<?xml ", "<?xml a encoding =", "<!--", "<![CDATA[", "<style>", "<a b='", '<a ="']
)
def test_markup_without_end_takes_no_long_time_to_write_anew(piece: str, *, is_xml: bool) -> None:
    source = piece * (2_000_000 // len(piece))
    began = time.process_time()
    relinked.page(source, lambda _: None, is_xml=is_xml)
    assert time.process_time() - began < 10  # 2 s at most, measured


def test_a_page_in_another_encoding_reads_as_it_did(web: Web, tmp_path: Path) -> None:
    html = {"Content-Type": "text/html; charset=windows-1251"}
    body = '<meta charset=koi8-r><title>Ж</title><a href="/ж?ж">ж</a>'.encode("cp1251")
    web.raw("/", headers=html, body=body)
    web.page("/%D0%B6?%E6", title="found")
    crawl(tmp_path / "a.db", web.url("/"), settings=config())
    folder = take(tmp_path / "a.db", tmp_path / "m", "mirror")
    files = manifest(folder)
    data = (folder / files[web.url("/")]).read_bytes()
    assert data.startswith(b"\xef\xbb\xbf<meta charset=koi8-r><title>\xd0\x96</title>")
    assert files[web.url("/%D0%B6?%E6")].rpartition("/")[2] in data.decode()


def test_a_file_of_an_older_crawler_that_has_no_such_view_can_be_mirrored(
    web: Web, tmp_path: Path
) -> None:
    web.page("/", body="<img src=a.png>")
    web.raw("/a.png", headers={"Content-Type": "image/png"}, body=b"\x89PNG\r\n\x1a\n")
    crawl(tmp_path / "a.db", web.url("/"), settings=FETCH)
    with closing(open_for_writing(tmp_path / "a.db")) as connection:
        connection.execute("DROP VIEW assets")
    assert len(manifest(take(tmp_path / "a.db", tmp_path / "m", "mirror"))) == 2


def test_what_is_not_held_is_told(web: Web, tmp_path: Path) -> None:
    web.page("/", body="<img src=a.png>")
    crawl(tmp_path / "a.db", web.url("/"), settings=config())
    assert any(
        "--assets fetch" in line for line in remarks(tmp_path / "a.db", tmp_path / "m", "mirror")
    )
    crawl(tmp_path / "b.db", web.url("/"), settings=config(store={"bodies": False}))
    assert any(
        "without a body" in line for line in remarks(tmp_path / "b.db", tmp_path / "n", "mirror")
    )
    assert manifest(tmp_path / "n") == {}


# Another program


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value for name, value in attrs if name == "href" and tag == "a" and value]


def followed(start: Path, root: Path) -> set[Path]:
    """The pages that can be read from this one without leaving the folder."""
    seen, waiting = {start}, [start]
    while waiting:
        page = waiting.pop()
        for href in _hrefs(page):
            parts = urlsplit(href)
            target = (page.parent / unquote(parts.path)).resolve()
            if parts.scheme or not parts.path or target in seen or not target.is_file():
                continue
            assert target.is_relative_to(root)
            seen.add(target)
            if target.suffix in (".html", ".htm"):
                waiting.append(target)
    return {page for page in seen if page.suffix in (".html", ".htm")}


def _hrefs(page: Path) -> Iterator[str]:
    reader = _Anchors()
    reader.feed(page.read_text(encoding="utf-8", errors="replace"))
    yield from reader.found


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("folder", "package", "pages"),
    [
        ("/usr/share/doc/sqlite3", "sqlite3-doc", 700),
        ("/usr/share/doc/postgresql-doc-15/html", "postgresql-doc-15", 1_000),
    ],
)
def test_what_wget_can_follow_offline_can_be_followed_here(
    folder: str, package: str, pages: int, tmp_path: Path
) -> None:
    program = require_program("wget", "apt-get install wget")
    theirs = tmp_path / "wget"
    with nginx.serve_folder(require_folder(folder, f"apt-get install {package}")) as served:
        start = served.url("/index.html")
        words = ("--mirror", "--convert-links", "--no-parent", "--quiet", "-e", "robots=off")
        subprocess.run([program, *words, "-P", theirs, start], check=False)
        crawl(tmp_path / "a.db", start, settings=config(parse={"max_links": 100_000}))
    ours = take(tmp_path / "a.db", tmp_path / "m", "mirror")
    files = {ours / file: url for url, file in manifest(ours).items()}
    root = theirs / f"127.0.0.1:{served.port}"
    by_wget = {
        served.url(f"/{page.relative_to(root)}") for page in followed(root / "index.html", theirs)
    }
    by_us = {files[page] for page in followed(ours / manifest(ours)[start], ours)}
    assert len(by_wget) > pages
    assert by_wget <= by_us
