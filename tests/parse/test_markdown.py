"""Does the Markdown of a page say what the page says?"""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from markdown_it import MarkdownIt

from crawler.parse.markdown import MAX_BYTES, read_markdown
from crawler.parse.text import fold

URL = "https://example.org/manual/page.html"
READER = MarkdownIt("gfm-like", {"linkify": False})
"""A reader of CommonMark, with the tables and strikethrough of GitHub."""


def markdown(body: str, url: str = URL) -> str:
    return read_markdown(body.encode(), "utf-8", url).text


def read_back(body: str) -> etree._Element:
    """The page that the Markdown of this body is to a reader of it."""
    read = READER.render(markdown(body))
    return etree.fromstring(f"<body>{read}</body>", etree.HTMLParser())


def shown(body: str) -> str:
    return fold("".join(read_back(body).itertext()))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("<p>a%sb</p>", "a b"),
        ("<p>a<b>c</b>b%sd</p>", "acb d"),
        ("<pre>a%sb</pre>", "a b"),
        ("<pre><code class='language-x%sy'>a%sb</code></pre>", "a b"),
        ("<p>x <img alt='a%sb'></p>", "x a b"),
    ],
)
@pytest.mark.parametrize(
    "mark", ["\x01", "\x08", "\x0b", "\x0c", "\x1b", "\x1f", "\ufffe", "\uffff"]
)
def test_what_xml_forbids_is_white_space(body: str, expected: str, mark: str) -> None:
    assert shown(f"<main>{body.replace('%s', mark)}</main>") == expected


@pytest.mark.parametrize(
    ("body", "path", "expected"),
    [
        ("<h1>A</h1><h3>B</h3>", "//h1|//h3", ["A", "B"]),
        ("<ul><li>a<ul><li>b</ul><li>c</ul>", "/html/body/ul/li/ul/li", ["b"]),
        ("<ol start=3><li>x<p>y</ol>", "//ol[@start=3]/li/p", ["x", "y"]),
        ("<table><tr><th>a|b<th>c<tr><td>1<td>2</table>", "//th|//td", ["a|b", "c", "1", "2"]),
        ('<a href="../x?a=1#f">to x</a>', "//a[@href='https://example.org/x?a=1#f']", ["to x"]),
        ('<a href="#f">here</a>', f"//a[@href='{URL}#f']", ["here"]),
        ('<a href="mailto:a@b.example">m</a>', "//a[@href='mailto:a@b.example']", ["m"]),
        ('<base href="/b/"><a href="x">t</a>', "//a[@href='https://example.org/b/x']", ["t"]),
        ("<p>a <b>bold</b> <em>tone</em> <del>gone</del>", "//strong|//em|//s", None),
        ("<p>run <code>a`b|c *d*</code>", "//code", ["a`b|c *d*"]),
        ("<pre>if x:\n    *y*\n\n```</pre>", "//pre/code", ["if x:\n    *y*\n\n```\n"]),
        ("<pre>a<br>b <a href='/x'>c</a><div>d</div></pre>", "//pre/code", ["a\nb cd\n"]),
        ("<blockquote><p>said</blockquote>", "//blockquote/p", ["said"]),
    ],
)
def test_what_the_page_has_a_reader_of_markdown_finds(
    body: str, path: str, expected: list[str] | None
) -> None:
    found = read_back(f"<main>{body}</main>").xpath(path)
    texts = ["".join(one.itertext()) for one in found]
    assert texts == (["bold", "tone", "gone"] if expected is None else expected)


def test_the_language_of_code_is_told() -> None:
    made = markdown('<pre><code class="language-rust">fn main() {}</code></pre>')
    assert made == "```rust\nfn main() {}\n```\n"


def test_pictures_have_their_address_and_embedded_ones_only_their_words() -> None:
    read = read_back('<img src="p.png" alt="a ] b"><img src="data:image/png;base64,AA" alt="c">')
    [picture] = read.xpath("//img")
    assert (picture.get("src"), picture.get("alt")) == (
        "https://example.org/manual/p.png",
        "a ] b",
    )
    assert "c" in "".join(read.itertext())


@pytest.mark.parametrize(
    "href", ["javascript:alert(1)", "data:text/html,x", "vbscript:x", "http://["]
)
def test_what_leads_to_no_page_is_text(href: str) -> None:
    assert markdown(f'<main><a href="{href}">go</a></main>') == "go\n"


@pytest.mark.parametrize(
    "text",
    [
        *("# no", "1. no", "- no", "+ no", "* no", "> no", "---", "===", "~~~ no", "```", "***"),
        *("[x](y)", "![x](y)", "[x]: y", "<b>", "<script>alert(1)</script>", "<!-- x", "</p>"),
        *("&amp;", "&#65;", "*x*", "_x_", "a*b*c", "**x**", "~~x~~", "`x`", "\\*x", "C:\\dir\\"),
        *("<https://x.example/>", "a_b_c", "a | b", "x86-64 2.4", "\\", "$1 + $2", "2 * 3"),
    ],
)
@pytest.mark.parametrize(
    "around", ["<p>{}</p>", "<p>a<br>{}</p>", "<li>{}</li>", "<b>{}</b>", "<a href=/x>a {}</a>"]
)
def test_text_is_no_mark_wherever_it_stands(text: str, around: str) -> None:
    """CommonMark 0.31: what a backslash stands before is no mark (2.4)."""
    body = around.format(html.escape(text))
    said = fold("".join(etree.fromstring(f"<body>{body}</body>", etree.HTMLParser()).itertext()))
    found = shown(f"<main>{body}</main>")
    assert found.replace(" ", "") == said.replace(" ", "")


@given(st.lists(st.text("ab1 .,!#*_`[]()<>&;~=-+|\\\"'/:\n\u00e4\u4f60", max_size=12), max_size=6))
def test_any_text_comes_back(parts: list[str]) -> None:
    body = "".join(f"<p>x{html.escape(part)}x</p>" for part in parts)
    assert shown(f"<main>{body}</main>") == fold(" ".join(f"x{part}x" for part in parts))


RUNS = "<img src=x onerror=alert(1)>"
SAID = html.escape(RUNS)


@pytest.mark.parametrize(
    "body",
    [
        # words for pictures
        f"<p><img src=/a alt='{html.escape(RUNS[:-1])} y=&quot;'>\"&gt;</p>",
        f"<h2><img src=/a alt='{SAID}'></h2>",
        f"<table><tr><th><h3><img src=/a alt='|{SAID}'></h3></table>",
        f"<p><code><img src=/a alt='`'>{SAID}</code></p>",
        # code that touches code
        f"<p><code>x</code><code>`{SAID}</code></p>",
        f"<p><code>x</code><b></b><kbd>`{SAID}</kbd></p>",
        f"<p><tt>x</tt><code></code><kbd>``</kbd><code>`{SAID}`</code></p>",
        f"<table><tr><td><code>x|</code><code>`{SAID}</code></table>",
        # marks that begin in one element and go on in another
        f"<p>&lt;<b></b>{SAID[4:]}</p>",
        f"<p>&lt;<wbr>{SAID[4:]}</p>",
        f"<p>&lt;<a>img</a>{SAID[7:]}</p>",
        f"<p>&lt;<img src='data:,x' alt='{SAID[4:]}'></p>",
        # what stands for marks while the library is at work
        f"<p><code>&#xfdd1;{SAID}</code></p>",
        f"<p><code>a<b>b</b>&#xfdd1;{SAID}</code></p>",
        f"<p><code>&#xfdef;</code><code>`&#xfdef;{SAID}</code></p>",
    ],
)
def test_no_text_becomes_an_element_that_runs_something(body: str) -> None:
    assert not read_back(f"<main>{body}</main>").xpath("//*[@onerror]")


def test_code_that_touches_code_is_two_pieces_of_it() -> None:
    body = "<p><code>a</code><code>`b</code><b><code>c</code></b><code>d</code>e</p>"
    found = ["".join(one.itertext()) for one in read_back(body).xpath("//code")]
    assert found == ["a", "`b", "c", "d"]


def test_only_what_needs_it_is_escaped() -> None:
    text = "snake_case, x86-64, 2.4 (see a/b) | 3 * 4 = 12 < 13 & more! ~5 #6"
    assert markdown(f"<p>{html.escape(text)}</p>") == f"{text}\n"


def test_what_frames_a_page_and_what_nobody_sees_is_left_out() -> None:
    body = (
        "<header>BANNER</header><nav>MENU</nav><div role=navigation>MENU</div><aside>ASIDE</aside>"
        "<article><header><h1>Title</h1></header><p>Said.</p></article>"
        "<script>X</script><style>X</style><template>X</template><svg><text>X</text></svg>"
        "<p hidden>X</p><p style='display: none'>X</p><button>X</button><footer>IMPRINT</footer>"
    )
    assert markdown(body) == "# Title\n\nSaid.\n"
    assert markdown(f"{body}<main>Mine</main><main>Yours</main>") == "Mine\n\nYours\n"


def test_signs_by_which_headings_link_to_themselves_are_left_out() -> None:
    body = '<h2>Title<a href="#t">\u00b6</a></h2><p><a href="#t">\u00b6</a></p>'
    assert markdown(body) == f"## Title\n\n[\u00b6]({URL}#t)\n"


def test_a_page_is_read_in_the_encoding_that_it_was_read_as() -> None:
    found = read_markdown("<p>gr\u00fc\u00df \u4f60".encode("gb18030"), "gb18030", URL)
    assert found.text == "gr\u00fc\u00df \u4f60\n"


@pytest.mark.parametrize("body", ["", "<main></main>", "<script>x</script>", "<nav>x</nav>"])
def test_a_page_that_says_nothing_is_empty(body: str) -> None:
    assert markdown(body).strip() == ""


def test_what_grows_without_bound_is_cut_at_a_line() -> None:
    base = f'<base href="/{"x" * 1900}/">'
    found = read_markdown((base + "<p><a href=y>z</a>" * 8000).encode(), "utf-8", URL)
    assert found.cut
    assert len(found.text.encode()) <= MAX_BYTES
    assert found.text.endswith("\n")


@pytest.mark.parametrize(
    "body",
    [
        "<div>" * 30_000 + "deep",
        "<ul><li>" * 3_000 + "deep",
        "<table><tr><td>" * 2_000 + "deep",
        "<i hidden>x</i>y" * 20_000 + "deep",
        "<main>x</main>" * 10_000 + "<main>deep</main>",
        "<div>" * 150 + "<header>x</header>" * 5_000 + "deep",
        "<pre>" + "<br><span>x</span>" * 20_000 + "deep</pre>",
        "<td colspan=99999999 rowspan=99999999>deep",
        "<a href=x>y</a>" * 20_000 + "deep",
    ],
)
def test_hostile_markup_costs_no_more_than_long_markup(body: str) -> None:
    """Steps, not seconds: each is linear in its length, or a reader of it would not end today."""
    assert re.search("deep", markdown(body))
