"""What is compiled gives the same as what is not, of every document."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from crawler.model import Target
from crawler.parse import _loops_py, _scan_py
from crawler.parse.elements import Survey
from tests.patience import PATIENT_S
from tests.sites.skip import require_corpus, require_folder

# One that is there but cannot be used is an error: these tests would pass over everything.
if not list(Path(_scan_py.__file__).parent.glob("_scan_c.*.so")):
    pytest.skip("no C compiler was there: make", allow_module_level=True)
scan_c = import_module("crawler.parse._scan_c")
loops_c = import_module("crawler.parse._loops_c")


@pytest.mark.parametrize(("pure", "ending"), [("", "_c"), ("0", "_c"), ("1", "_py")])
def test_crawler_pure_leaves_what_is_compiled_alone(pure: str, ending: str) -> None:
    asked = (
        "from crawler.parse import loops, scan, _scan_py, _loops_py;"
        "print(scan.scan is _scan_py.scan, loops.find is _loops_py.find)"
    )
    environment = {**os.environ, "CRAWLER_PURE": pure}
    command = [sys.executable, "-c", asked]
    ran = subprocess.run(
        command, capture_output=True, text=True, env=environment, timeout=PATIENT_S
    )
    assert ran.stdout.split() == [str(ending == "_py")] * 2, ran.stderr


def what_is_found(
    way: ModuleType, html: bytes, max_links: int = 10_000
) -> dict[str, object] | type[Exception] | None:
    try:
        survey = way.scan(html, max_links, "mybot")
    except etree.XMLSyntaxError:
        return etree.XMLSyntaxError
    if survey is None:
        return None
    return {name: getattr(survey, name) for name in Survey.__slots__} | {
        "regions": survey.regions()
    }


def assert_same(html: bytes, max_links: int = 10_000) -> None:
    assert what_is_found(scan_c, html, max_links) == what_is_found(_scan_py, html, max_links)


PARTS = (
    *("<a href=x rel='NoFollow x'>", "<a href='?q=1#s'>", "<a name=n>", "<a xlink:href=y>", "</a>"),
    *(
        "<a href=x#s>",
        "<a href=x#>",
        "<a href=#t>",
        "<a href='x# u'>",
        "<a href=\u00e9>",
        "<a href>",
    ),
    *("<nav>", "</nav>", "<header role=main>", "</header>", "<main>", "</main>", "<footer>"),
    *("<div role=navigation>", "<div role=' main'>", "<div>", "</div>", "<td role=banner>"),
    *("<p>", "<br>", "<b>", "</b>", "<span>", "</span>", "<li>", "<table><tr>", "</table>"),
    *("<h1>", "</h1>", "<title>", "</title>", "<img src=i alt=' an  image '>", "<img alt>"),
    *("<img srcset='a 1x, b 2x'>", "<script>", "</script>", "<noscript>", "</noscript>"),
    *(
        "</hTML>",
        "<html/>",
        "<svg>",
        "</svg>",
        "<object data=o>",
        "</object>",
        "<iframe src=f>",
        "</iframe>",
    ),
    *("<base href=/b/>", "<link rel=canonical href=c>", "<meta name=robots content=nofollow>"),
    *("<template>", "</template>", "<template shadowrootmode=open>", "<template><li><a href=t>"),
    *("<meta name=mybot content='noindex nofollow'>", "<meta name=description content='d\x1b[m'>"),
    *(
        "<meta http-equiv=content-language content=de>",
        "<h1></h1>",
        "<link rel='a,canonical' href=q>",
    ),
    *("\x07", "\x1b[31m", "\x9b", "\x80", "\x7f", "&#x9b;", "&#27;"),
    *("<form action=f>", "<select><option>", "</select>", "<textarea>", "</textarea>", "<x-y>"),
    *(
        "text",
        "a somewhat longer text with  gaps ",
        "eight a 8",
        " ",
        "\t\n",
        "\f",
        "\v",
        "\x1f",
        "\xa0",
        "\u2003",
        "\u3000",
        "\x85",
        "\u1680",
        "\u2028",
        "\u205f",
        "\u00b6",
        "\u2063",
        "\u00e9",
        "\U0001f600",
    ),
    *("&amp;", "&nbsp;", "&#0;", "&bogus;", "<!-- c -->", "<![CDATA[c]]>", "<?pi?>", "]]>", "<"),
)


@settings(max_examples=1500)
@given(st.lists(st.sampled_from(PARTS), max_size=40).map("".join), st.integers(1, 12))
def test_any_markup_is_read_alike(html: str, max_links: int) -> None:
    assert_same(html.encode(), max_links)


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_alike(html: bytes) -> None:
    assert_same(html)


def target(name: str) -> Target:
    return Target(f"http://h.test/{name}", ord(name[0]), "http://h.test")


@given(st.lists(st.sampled_from(["a", "b", "c", "n", "a2", "b2"])))
def test_texts_have_the_same_places(texts: list[str]) -> None:
    """c and n are in no memory; a2 and b2 are other texts for a and b."""

    def placed(way: ModuleType) -> tuple[object, ...]:
        known: dict[str, int] = {"n": 0}
        found = [target("n")]
        by_hash = {found[0].hash: 0}
        a, b = ((one.hash, one) for one in (target("a"), target("b")))
        site, folder = {"a": a, "a2": a}, {"b": b, "b2": b}
        asked: list[int] = []

        def other(number: int) -> int:
            asked.append(number)
            return -1

        places = way.indexes(texts, known, (site, folder), (by_hash, found), other)
        return places, known, by_hash, found, asked

    assert placed(loops_c) == placed(_loops_py)


@settings(max_examples=1000)
@given(
    st.lists(
        st.one_of(st.text(max_size=12).map(str.encode), st.binary(max_size=3), st.just(b"words "))
    ).map(b"".join)
)
def test_bytes_are_utf8_or_not(data: bytes) -> None:
    assert loops_c.is_utf8(data) == _loops_py.is_utf8(data)


@pytest.mark.parametrize("lead", range(0xC0, 0x100))
def test_no_other_second_byte_is_utf8(lead: int) -> None:
    for second in range(0x100):
        for data in (
            bytes((lead, second)),
            bytes((lead, second, 0x80)),
            bytes((lead, second, 0x80, 0x80)),
        ):
            assert loops_c.is_utf8(data) == _loops_py.is_utf8(data)


@given(st.lists(st.sampled_from([b"</html", b"</htm", b"<", b"\0", b"l", b"x" * 40])).map(b"".join))
def test_what_is_searched_is_found_at_the_same_place(data: bytes) -> None:
    assert loops_c.find(data, b"</html") == _loops_py.find(data, b"</html")


@pytest.mark.parametrize(
    "html",
    [
        b"<div>" * 3000 + b"<a href=x>t</a>",
        b"<nav><a href=x><b>" * 2500,
        b"<main>" * 1200 + b"<a href=x>t</a>" + b"</main>" * 600 + b"<a href=y>u</a>",
        b"<a href=x>" + b"<i>word</i> " * 50_000 + b"</a>",
        b"<a href='" + b"x" * 1_000_000 + b"'>" + b"t" * 1_000_000,
        b"<xmp><?xml' encoding=''",
    ],
    ids=["deep", "deep anchors", "many landmarks", "many pieces", "long", "a declaration in text"],
)
def test_what_is_meant_to_hurt_is_read_alike(html: bytes) -> None:
    assert_same(html)


@pytest.mark.parametrize("depth", [1990, 1997, 1998, 1999, 2000, 2045, 2046, 2047, 2048])
def test_pages_as_deep_as_they_may_be_are_read_alike(depth: int) -> None:
    assert_same(b"<div>" * depth + b"<a href=x>t</a>" + b"</div>" * depth + b"<a href=y>u")


def test_the_tests_of_the_html_standard_are_read_alike() -> None:
    for path in sorted((require_corpus("html5lib-tests") / "tokenizer").glob("*.test")):
        assert_same(path.read_bytes())


def test_real_pages_are_read_alike() -> None:
    remedy = "apt-get install postgresql-doc-15 sqlite3-doc"
    for folder in ("/usr/share/doc/postgresql-doc-15/html", "/usr/share/doc/sqlite3"):
        pages = sorted(Path(require_folder(folder, remedy)).rglob("*.html"))
        assert pages
        for page in pages[::5]:
            assert_same(page.read_bytes())


def test_what_a_handler_raises_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Survey, "add", wrong)
    with pytest.raises(ZeroDivisionError):
        scan_c.scan(b"<p>a<img src=x>b<a href=y>c", 100)
    monkeypatch.undo()
    assert_same(b"<p>a<img src=x>b<a href=y>c")


STARVING = """
import _testcapi
from crawler.parse._scan_c import scan

NESTED = b"<table><tr><td><a href=1><a href=2><nav><main><a href=3>f<h1>x<img srcset='a 1x, b 2x'>"
for page in (b"<a href=1 />", NESTED + b"</table><p>a"):
    whole = scan(page, 9).texts
    starved = 0
    for number in range(1, 400):
        _testcapi.set_nomemory(number, 0)
        try:
            found = scan(page, 9)
        except MemoryError:
            starved += 1
            continue
        finally:
            _testcapi.remove_mem_hooks()
        assert found.texts == whole
    assert starved > 10
"""


def test_memory_may_run_out_at_any_moment() -> None:
    pytest.importorskip("_testcapi", reason="this Python has no test helpers of its own")
    ran = subprocess.run([sys.executable, "-c", STARVING], capture_output=True, timeout=PATIENT_S)
    assert (ran.returncode, ran.stderr.decode()) == (0, "")
