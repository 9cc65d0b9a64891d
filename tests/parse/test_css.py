"""Which addresses a style sheet names, by the standards and as another reader of CSS finds them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import tinycss2
from hypothesis import given, settings
from hypothesis import strategies as st

from crawler.config import Config
from crawler.model import Job, Reply
from crawler.parse import parse, styles
from crawler.parse.charset import decode_styles
from crawler.parse.css import MOST_OPEN, TooDeep, quoted, references
from crawler.parse.srcset import candidates
from tests.crawls import config


def named(text: str, *, is_attribute: bool = False) -> list[tuple[str, str]]:
    return [(one.kind, one.url) for one in references(text, is_attribute=is_attribute)]


def in_value(value: str) -> list[str]:
    """The addresses in the value of a declaration."""
    return [url for _, url in named(f"a {{ b: {value} }}")]


@pytest.mark.parametrize(
    ("value", "urls"),
    [
        # Syntax 4.3.4, 4.3.6: quoted and unquoted, white space, any case
        ("url(x.png)", ["x.png"]),
        ("url( x.png\n)", ["x.png"]),
        ("URL('x.png')", ["x.png"]),
        ('url(  "x y.png"  )', ["x y.png"]),
        ("url(a.png), url(b.png)", ["a.png", "b.png"]),
        ("url(data:,x)", ["data:,x"]),
        # 4.3.7: escapes, in the name of the function, too
        (r"url(a\).png)", ["a).png"]),
        (r"url(\61 .png)", ["a.png"]),
        (r"url(\000061.png)", ["a.png"]),
        (r'url("\"\27 ")', ["\"'"]),
        ('url("a\\\nb")', ["ab"]),
        (r"u\72l(x)", ["x"]),
        (r"\75\52\4c(x)", ["x"]),
        (r"url(\0)", ["\ufffd"]),
        (r"url(\d800 x)", ["\ufffdx"]),
        (r"url(\110000 x)", ["\ufffdx"]),
        # white space that ends an escape is a part of it, a line's end, too
        ('url("\\61\nb")', ["ab"]),
        # 3.3: NUL is U+FFFD
        ("url(a\0b)", ["a\ufffdb"]),
        # 4.3.6: what may not stand without quotes makes a bad url, which ends at its bracket
        ("url(a b)", []),
        ("url(a'b)", []),
        ("url(a(b)", []),
        ("url(a\x01b)", []),
        (r"url(a b\)c) url(d)", []),
        # 4.3.5: a string does not go on in the next line
        ('url("a\nb"); c: url(d)', []),
        # 4.3.3, 4.3.1: the unit of a number, a hash, an at-keyword are no function
        ("10url(x)", []),
        ("1e3url(x)", []),
        ("-.5url(x)", []),
        ("#url(x)", []),
        ("@url(x)", []),
        ("my-url(x)", []),
        ("\u00e4url(x)", []),
        (r"\url(x)", ["x"]),
        ("1.url(x)", ["x"]),
        ("+url(x)", ["x"]),
        ("<!--url(x)", ["x"]),
        # comments hide, but not within a url
        ("/* url(x) */ url(y)", ["y"]),
        ("url(/*x*/)", ["/*x*/"]),
        ("url/**/(x)", []),
        # CSS Values 4, section 4.5.2: of the sheet itself; section 4.5.1: nothing
        ("url(#x)", []),
        ("url(x.svg#y)", ["x.svg#y"]),
        ("url()", []),
        ('url("")', []),
        ('src("x")', ["x"]),
        ("src(x)", []),
        # CSS Images 4, section 2.4: strings of image-set(), but not of its type()
        ('image-set("a.png" 1x, url(b.png) 2x)', ["a.png", "b.png"]),
        ('-webkit-image-set(url(a.png) 1x)', ["a.png"]),
        ('image-set("a.avif" type("image/avif"))', ["a.avif"]),
        ('image("a.png", red)', ["a.png"]),
        ("cross-fade(url(a.png), url(b.png), 50%)", ["a.png", "b.png"]),
        # CSS Fonts 4, section 4.3: names of formats and of local fonts are none
        ('local("x"), url(x.woff2) format("woff2") tech(color-COLRv1)', ["x.woff2"]),
        # strings elsewhere
        ('"url(x)"', []),
        ('attr(x, "y")', []),
        # 5.4.4, 8.1: a bracket that closes nothing breaks its declaration alone
        ("url(x) )", []),
        ("url(x) ]; c: url(y)", ["y"]),
        # a bracket that is open takes all up to its end
        ("f(}; c: url(x))", []),
        ("{ url(x) }", []),
        ("url(x) !important", ["x"]),
    ],
)  # fmt: skip
def test_an_address_in_a_value(value: str, urls: list[str]) -> None:
    assert in_value(value) == urls


@pytest.mark.parametrize(
    ("sheet", "found"),
    [
        # CSS Cascade 5, section 2: forms of @import
        ('@import "a";', [("import", "a")]),
        ("@import url(a);", [("import", "a")]),
        ("@IMPORT url('a') screen and (x: url(b));", [("import", "a")]),
        ('@import "a" layer(x) supports(y: url(z));', [("import", "a")]),
        ('@\\69mport "a";', [("import", "a")]),
        ('@import/**/"a"', [("import", "a")]),
        ('@import src("a");', [("import", "a")]),
        ("@import a;", []),
        ('@import "a" { }', []),
        # it stands before all but @charset and @layer statements, and what is unknown
        ('@charset "utf-8"; @import "a"; @import "b";', [("import", "a"), ("import", "b")]),
        ('@layer x; @import "a";', [("import", "a")]),
        ('@layer x; @import "a"; @layer y; @import "b";', [("import", "a")]),
        ('@layer x { } @import "a";', []),
        ('@unheard of; @import "a";', [("import", "a")]),
        ('@namespace url(n); @import "a";', []),
        ('@media x { } @import "a";', []),
        ('@media x; @import "a";', [("import", "a")]),
        ('a { } @import "a";', []),
        ('a { @import "a"; }', []),
        # 5.4.3: what is no rule takes all up to its block
        ('x; @import "a"; { b: url(c) } @import "d";', [("css", "c")]),
        # marks of old HTML mean nothing before a rule
        ('<!-- @import "a"; --> b { c: url(d) }', [("import", "a"), ("css", "d")]),
        # CSS Fonts 4, section 4.3
        ("@font-face { src: url(a) }", [("font", "a")]),
        ("@Font-Face{src:local('x'),url(a);}b{c:url(d)}", [("font", "a"), ("css", "d")]),
        # where an address means nothing: selectors, preludes, what is no declaration
        ("a[href='x'] url(y) { b: c }", []),
        ("@supports (a: url(b)) { c { d: url(e) } }", [("css", "e")]),
        ("@document url(x) { a { b: url(c) } }", [("css", "c")]),
        ("a { url(x); b: url(c) }", [("css", "c")]),
        ("a { b url(x); c: url(d) }", [("css", "d")]),
        ("a { *b: url(x); c: url(d) }", [("css", "d")]),
        # nested rules, custom properties
        ("a { b: url(c); &:hover { d: url(e) } f: url(g) }",
         [("css", "c"), ("css", "e"), ("css", "g")]),
        ("a { --x: { b: url(c) }; d: url(e) }", [("css", "c"), ("css", "e")]),
        ("@media a { @media b { c { d: url(e) } } }", [("css", "e")]),
        # all that is open ends with the sheet (5.4.9)
        ("a { b: url(c", [("css", "c")]),
        ('a { b: url("c', [("css", "c")]),
        ('a { b: url("c\\', [("css", "c")]),
        ("a { b: url(c\\", [("css", "c\ufffd")]),
        ("a { b: c /*url(d)", []),
        ("", []),
    ],
)  # fmt: skip
def test_an_address_in_a_sheet(sheet: str, found: list[tuple[str, str]]) -> None:
    assert named(sheet) == found


@pytest.mark.parametrize(
    ("style", "urls"),
    [
        # CSS Style Attributes, section 3: declarations alone
        ("background: url(a); b: url(c)", ["a", "c"]),
        ("background: url('a'", ["a"]),
        ("@import 'x'; b: url(c)", ["c"]),
        ("b: url(x) } c: url(y); d: url(e)", ["e"]),
    ],
)
def test_an_address_in_an_attribute(style: str, urls: list[str]) -> None:
    assert [url for _, url in named(style, is_attribute=True)] == urls


@pytest.mark.parametrize(
    "sheet",
    ["@import 'a b.css'; c{d:url( e.png )}", "@font-face{src:url(a\\)b),url( 'c' )format('d')}"],
)
def test_a_string_in_the_place_of_each_address_names_that(sheet: str) -> None:
    anew, end = "", 0
    for number, found in enumerate(references(sheet)):
        anew += sheet[end : found.start] + quoted(f'{number} "\\\n(é)')
        end = found.end
    anew += sheet[end:]
    kinds = [kind for kind, _ in named(sheet)]
    assert named(anew) == [(kind, f'{n} "\\\n(é)') for n, kind in enumerate(kinds)]


def test_brackets_without_end_are_not_read() -> None:
    with pytest.raises(TooDeep):
        list(references("a{b:" + "(" * (MOST_OPEN + 2)))


# Another reader

PIECES = (
    "a", "b:", "url(", "URL( ", ")", "'", '"', "{", "}", "(", "[", "]", ";", ":", ",", "\\", "\n",
    " ", "/*", "*/", "@import", "@media x", "@font-face", "@layer q", "image-set(", "src(", "x.png",
    "\\75 rl(", "10", "#", "-", "@", "<!--", "-->", "\\62", "é", "!", ".5", "e3", "\0", "\\\n",
)  # fmt: skip


def by_tinycss2(text: str) -> list[tuple[str, str]]:
    """What its tokens say, by the same rules."""
    return [(kind, url) for kind, url in _of_sheet(text) if url.strip() and not url.startswith("#")]


def _of_sheet(text: str) -> Iterator[tuple[str, str]]:
    may_import, imported = True, False
    for rule in tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True):
        if rule.type == "error":
            continue
        name = rule.lower_at_keyword if rule.type == "at-rule" else ""
        if name == "import" and rule.content is None and may_import:
            url = _address(rule.prelude)
            if url is not None:
                imported = True
                yield "import", url
        elif rule.content is not None:
            may_import &= name in ("import", "q")
            yield from _of_block(rule.content, "font" if name == "font-face" else "css")
        elif name == "layer":
            may_import &= not imported


def _of_block(content: Sequence[Any], kind: str) -> Iterator[tuple[str, str]]:
    found = tinycss2.parse_blocks_contents(content, skip_comments=True, skip_whitespace=True)
    for one in found:
        if one.type == "declaration":
            urls = list(_of_value(one.value, ""))
            if None not in urls:
                yield from ((kind, url) for url in urls if url is not None)
        elif one.type in ("at-rule", "qualified-rule") and one.content is not None:
            at_rule = one.lower_at_keyword if one.type == "at-rule" else ""
            yield from _of_block(one.content, "font" if at_rule == "font-face" else "css")


def _of_value(tokens: Sequence[Any], function: str) -> Iterator[str | None]:
    """Addresses; None for what makes the whole value wrong."""
    first = True
    for token in tokens:
        if token.type in ("whitespace", "comment"):
            continue
        if token.type == "error":
            if not token.kind.startswith("eof-"):  # which the standard lets pass
                yield None
        elif token.type == "url" or (
            token.type == "string"
            and (function in ("image-set", "-webkit-image-set", "image")
                 or (first and function in ("url", "src")))
        ):  # fmt: skip
            yield token.value
        elif token.type == "function":
            yield from _of_value(token.arguments, token.lower_name)
        elif token.type in ("() block", "[] block", "{} block"):
            yield from _of_value(token.content, "")
        first = False


def _address(prelude: Sequence[Any]) -> str | None:
    tokens = [one for one in prelude if one.type not in ("whitespace", "comment")]
    if tokens and tokens[0].type in ("string", "url"):
        return str(tokens[0].value)
    if tokens and tokens[0].type == "function" and tokens[0].lower_name in ("url", "src"):
        return next(_of_value(tokens[0].arguments, tokens[0].lower_name), None)
    return None


@settings(max_examples=600)
@given(st.lists(st.sampled_from(PIECES), max_size=24))
def test_in_a_value_another_reader_finds_the_same(pieces: list[str]) -> None:
    value = "".join(one for one in pieces if one not in ("{", "}", ";", "-->", "<!--"))
    text = f"x {{ p: {value} ; }}"
    assert named(text) == by_tinycss2(text)


SHEETS = sorted(filter(Path.is_file, Path("/usr/share").glob("**/*.css")))[:150]


def test_in_real_sheets_another_reader_finds_the_same() -> None:
    if not SHEETS:
        pytest.skip("no style sheets on this machine")
    found = 0
    for sheet in SHEETS:
        text = sheet.read_text(encoding="utf-8", errors="replace")
        if len(text) < 200_000:
            mine = named(text)
            assert mine == by_tinycss2(text), sheet
            found += len(mine)
    assert found


# Style sheets as documents

CSS = (("Content-Type", "text/css"),)
FETCH = config(assets={"mode": "fetch"})


def read(
    body: bytes, *, url: str = "https://a.test/css/a.css", kind: Any = "asset",
    headers: tuple[tuple[str, str], ...] = CSS, asked: Config = FETCH,
) -> Any:  # fmt: skip
    return parse(Job(1, 1, url, kind=kind), Reply(200, headers=headers, body=body), asked)


def places(document: Any) -> list[tuple[str, str, str | None]]:
    return [
        (link.kind, document.targets[link.target].url, link.fragment) for link in document.links
    ]


@pytest.mark.parametrize("kind", ["asset", "page"])
def test_what_a_sheet_names_stands_on_its_own_address(kind: str) -> None:
    document = read(b"@import '../b.css'; c { d: url(e.svg#f), url(//g.test/h) }", kind=kind)
    assert places(document) == [
        ("import", "https://a.test/b.css", None),
        ("css", "https://a.test/css/e.svg", "f"),
        ("css", "https://g.test/h", None),
    ]
    assert (document.content_type, document.charset) == ("text/css", "utf-8")
    assert (document.text, document.title, document.truncated) == (None, None, None)


def test_a_sheet_is_known_by_its_type_or_without_one_by_its_name() -> None:
    body = b"a { b: url(c) }"
    assert len(read(body, headers=()).links) == 1
    assert read(body, headers=(), url="https://a.test/css/a").links == ()
    assert read(body, headers=(("Content-Type", "text/plain"),)).links == ()
    assert read(b"<a href=x>y</a>", headers=(("Content-Type", "text/html"),)).links == ()


def test_nobody_reads_styles_where_parts_are_only_recorded() -> None:
    assert read(b"a { b: url(c) }", kind="page", asked=Config()).links == ()
    page = read(
        b"<p style='a: url(b)'>", kind="page", headers=(("Content-Type", "text/html"),),
        asked=Config(),
    )  # fmt: skip
    assert page.links == ()


def test_limits_that_are_hit_are_told() -> None:
    asked = config(assets={"mode": "fetch"}, parse={"max_links": 3})
    many = read(b"a { b: url(1), url(2), url(3), url(4) }", asked=asked)
    assert (len(many.links), many.truncated) == (3, "links")
    deep = read(b"a { b: url(1) } c { d: " + b"(" * (MOST_OPEN + 9))
    assert (len(deep.links), deep.truncated) == (1, "parse")


@pytest.mark.parametrize(
    ("body", "header", "charset", "text"),
    [
        # CSS Syntax, section 3.2: a byte order mark, then the header, then @charset, then UTF-8
        ("é".encode(), None, "utf-8", "é"),
        (b'@charset "iso-8859-1"; \xe9', None, "windows-1252", '@charset "iso-8859-1"; é'),
        (b'@charset "koi8-r"; \xc1', "windows-1251", "windows-1251", '@charset "koi8-r"; Б'),
        (b'\xef\xbb\xbf@charset "koi8-r"; \xc3\xa9', "koi8-r", "utf-8", '@charset "koi8-r"; é'),
        ("é".encode("utf-16"), "koi8-r", "utf-16le", "é"),
        # what was read as ASCII is no UTF-16
        (b'@charset "utf-16"; \xc3\xa9', None, "utf-8", '@charset "utf-16"; é'),
        # byte for byte: other quotes, other spaces, other case, not at the beginning
        (b"@charset 'koi8-r'; \xc1", None, "utf-8", "@charset 'koi8-r'; \ufffd"),
        (b'@charset  "koi8-r"; \xc1', None, "utf-8", '@charset  "koi8-r"; \ufffd'),
        (b'@CHARSET "koi8-r"; \xc1', None, "utf-8", '@CHARSET "koi8-r"; \ufffd'),
        (b' @charset "koi8-r"; \xc1', None, "utf-8", ' @charset "koi8-r"; \ufffd'),
        (b'@charset "koi8-r" ; \xc1', None, "utf-8", '@charset "koi8-r" ; \ufffd'),
        # a label of no encoding is as if there were none
        (b'@charset "no such"; \xc1', None, "utf-8", '@charset "no such"; \ufffd'),
        (b'@charset "koi8-r"; \xc2', "no such", "koi8-r", '@charset "koi8-r"; \u0431'),
    ],
)  # fmt: skip
def test_the_encoding_of_a_sheet(body: bytes, header: str | None, charset: str, text: str) -> None:
    assert decode_styles(body, header) == (text.encode(), charset)


# Styles in pages


def in_page(page: str) -> list[tuple[str, str]]:
    return list(styles.in_page(page.encode()))


@pytest.mark.parametrize(
    ("page", "found"),
    [
        ("<style>a { b: url(c) }</style>", [("css", "c")]),
        # HTML, section 4.2.6: a style of another type is none
        ("<style type='text/CSS'>a { b: url(c) }</style>", [("css", "c")]),
        ("<style type=''>a { b: url(c) }</style>", [("css", "c")]),
        ("<style type='text/less'>a { b: url(c) }</style>", []),
        ("<style>a > b { c: url('</p>') }</style>", [("css", "</p>")]),
        ("<style>@import 'a'; @font-face { src: url(b) }</style>",
         [("import", "a"), ("font", "b")]),
        ("<p style='a: url(\"b&amp;c\")'>", [("css", "b&c")]),
        ("<P STYLE=a:url(b)>", [("css", "b")]),
        ("<body background=a><table background=b><td background=c>",
         [("img", "a"), ("img", "b"), ("img", "c")]),
        ("<p background=a>", []),
        ("<svg><image href=a /><use xlink:href='b#c' /><use href='#d' /></svg>",
         [("img", "a"), ("img", "b#c")]),
        ("<script>'<style>a { b: url(c) }</style>'</script>", []),
        ("<!-- <style>a { b: url(c) }</style> -->", []),
        ("<textarea><style>a { b: url(c) }</style></textarea>", []),
        ("<noscript><style>a { b: url(c) }</style></noscript>", [("css", "c")]),
    ],
)  # fmt: skip
def test_an_address_in_the_styles_of_a_page(page: str, found: list[tuple[str, str]]) -> None:
    assert in_page(page) == found


def test_styles_stand_on_the_base_of_their_page_and_send_utf_8() -> None:
    page = "<meta charset=iso-8859-1><base href=/x/><p style='a: url(ä?ä)'><a href=ä?ä>b</a>"
    html = (("Content-Type", "text/html"),)
    document = read(page.encode("latin-1"), kind="page", headers=html)
    assert [(kind, url) for kind, url, _ in places(document)] == [
        ("a", "https://a.test/x/%C3%A4?%E4"),
        ("css", "https://a.test/x/%C3%A4?%C3%A4"),
    ]


def test_an_inert_template_names_nothing() -> None:
    html = (("Content-Type", "text/html"),)
    document = read(b"<template><p style='a:url(b)'></template>", kind="page", headers=html)
    assert document.links == ()


# srcset


@pytest.mark.parametrize(
    ("srcset", "urls"),
    [
        # https://html.spec.whatwg.org/multipage/images.html#parsing-a-srcset-attribute, and cases
        # of web-platform-tests, parse-a-srcset-attribute.html
        ("", []),
        (",", []),
        (",,,", []),
        ("data:,a 1x", ["data:,a"]),
        (" a 1x", ["a"]),
        ("\ta\n1x\f", ["a"]),
        ("a", ["a"]),
        ("a , b 2x", ["a", "b"]),
        ("a, b", ["a", "b"]),
        ("a,", ["a"]),
        ("a,b 1x", ["a,b"]),
        ("a 1x,b 2x", ["a", "b"]),
        (",,, a 1x ,,, b", ["a", "b"]),
        ("a 1w", ["a"]),
        ("a 1w 1h", ["a"]),
        ("a 1h 1w", ["a"]),
        ("a 1h", []),
        ("a 1h 1h", []),
        ("a 1w 1w", []),
        ("a 1w 1x", []),
        ("a 1x 1w", []),
        ("a 1x 1x", []),
        ("a 1h 1x", []),
        ("a 0w", []),
        ("a -1w", []),
        ("a +1w", []),
        ("a 1.5w", []),
        ("a 1W", []),
        ("a 1X", []),
        ("a 0x", ["a"]),
        ("a -0x", ["a"]),
        ("a -1x", []),
        ("a 1e0x", ["a"]),
        ("a 1E+2x", ["a"]),
        ("a 1ex", []),
        ("a .5x", ["a"]),
        ("a 1.x", []),
        ("a +1x", []),
        ("a 1x2", []),
        ("a x", []),
        ("a 1\u00e0x", []),
        ("a 1x foo", []),
        ("a foo, b 2x", ["b"]),
        ("a (, b 1x) 1x", []),
        ("a ( , b 1x, c", []),
        ("a (b) 1x, c", ["c"]),
        ("a\u00a0b 1x", ["a\u00a0b"]),
        ("a\u000bb 1x", ["a\u000bb"]),
        ("a 1x\u000b", []),
    ],
)
def test_a_srcset_names_the_candidates_that_a_browser_takes(srcset: str, urls: list[str]) -> None:
    assert list(candidates(srcset)) == urls
