"""Which characters do these bytes mean?"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.parse.charset import LATE_BYTES, declared, decode, guessed
from crawler.parse.labels import named
from tests.parse.page import hrefs, parsed
from tests.sites.skip import require_corpus

# Only a script that runs would write this declaration.
NEEDS_SCRIPTS = "<!-- multi-script test -->"


def test_declarations_are_found_as_html5lib_expects() -> None:
    cases = [
        case
        for name in ("tests1.dat", "tests2.dat", "test-yahoo-jp.dat")
        for case in _cases(name)
        if not case[0].startswith(NEEDS_SCRIPTS.encode())
    ]
    assert len(cases) == 81
    for data, expected in cases:
        if data.startswith(b"\xef\xbb\xbf"):
            found = decode(data).charset
        else:
            # What the corpus leaves to the reader's default is undeclared to us.
            found = declared(data) or declared(data, LATE_BYTES) or "windows-1252"
        assert found == named(expected), data[:200]


BEGINNINGS = (
    *("<!doctype html>", "<!DOCTYPE HTML>", "<!doctype html ", "<html", "<head>", "<title"),
    *(" lang=en", ' lang="en"', " lang='>'", ' x="<meta charset=big5>"', ' x="', "/", ">", "/>"),
    *("<meta", " charset=utf-8", ' charset="big5"', ' CHARSET="utf-16"', ' charset="none"', " "),
    *('<meta charset="koi8-r">', '<Meta  charset="x-user-defined" />', "<!--", "-->"),
    *("<HEAD", "\n", "\v", "t"),
)


@given(st.lists(st.sampled_from(BEGINNINGS), max_size=12).map("".join))
def test_a_usual_beginning_declares_what_any_other_does(html: str) -> None:
    """Text before the first tag changes nothing but that the beginning is not usual any more."""
    assert declared(html.encode()) == declared(b"t" + html.encode())


def _cases(name: str) -> list[tuple[bytes, str]]:
    raw = (require_corpus("html5lib-tests") / "encoding" / name).read_bytes()
    pairs = (block.partition(b"\n#encoding\n") for block in raw.split(b"#data\n")[1:])
    return [(data, encoding.split(b"\n")[0].decode().strip()) for data, _, encoding in pairs]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        # https://encoding.spec.whatwg.org/#names-and-labels
        ("UTF8", "utf-8"),
        (" utf-8\t", "utf-8"),
        ("latin1", "windows-1252"),
        ("ISO-8859-1", "windows-1252"),
        ("us-ascii", "windows-1252"),
        ("iso-8859-9", "windows-1254"),
        ("iso8859-11", "windows-874"),
        ("iso-8859-8-i", "iso-8859-8-i"),
        ("logical", "iso-8859-8-i"),
        ("gb2312", "gbk"),
        ("ks_c_5601-1987", "euc-kr"),
        ("x-sjis", "shift_jis"),
        ("big5-hkscs", "big5"),
        ("unicode", "utf-16le"),
        ("koi8-ru", "koi8-u"),
        ("latin-1", None),
        ("utf-7", None),
        ("base64", None),
        ("iso-2022-kr", None),
        ("bogus", None),
        ("", None),
    ],
)
def test_labels_mean_what_the_standard_says(label: str, name: str | None) -> None:
    assert named(label) == name


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        (
            "Съешь же ещё этих мягких французских булок, да выпей чаю. " * 3,
            "cp1251",
            "windows-1251",
        ),
        (
            "吾輩は猫である。名前はまだ無い。どこで生れたか見当がつかぬ。" * 3,
            "shift_jis",
            "shift_jis",
        ),
        ("吾輩は猫である。名前はまだ無い。どこで生れたか見当がつかぬ。" * 3, "euc-jp", "euc-jp"),
        (
            "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. " * 3,
            "euc-kr",
            "euc-kr",
        ),
    ],
)
def test_what_declares_nothing_and_is_not_utf8_is_guessed(
    text: str, encoding: str, name: str
) -> None:
    body = f"<p>{text}".encode(encoding)
    assert guessed(body) == name
    assert decode(body).data.decode() == f"<p>{text}"


def test_undeclared_utf8_is_utf8() -> None:
    assert decode("<p>größer".encode()) == ("<p>größer".encode(), "utf-8")


def test_a_declaration_after_1024_bytes_counts_before_any_guess() -> None:
    body = b"<!-- " + b"x" * 2000 + b" --><meta charset=iso-8859-2><title>\xb1\xe6\xea</title>"
    assert parsed(body, "text/html").title == "ąćę"


def test_the_query_of_a_link_goes_out_in_the_encoding_of_its_page() -> None:
    # https://url.spec.whatwg.org/#query-state; a browser sends exactly this
    body = "<a href='/ñ?q=ñ&r=日#ñ'>x</a>".encode("cp1252", "xmlcharrefreplace")
    document = parsed(body, "text/html; charset=iso-8859-1")
    assert hrefs(document) == ["http://h.test/%C3%B1?q=%F1&r=%26%2326085%3B"]
    assert document.links[0].fragment == "%C3%B1"


def test_other_schemes_keep_their_query() -> None:
    body = "<a href='mailto:a@b.test?subject=ñ'>x</a>".encode("cp1252")
    assert hrefs(parsed(body, "text/html; charset=iso-8859-1")) == [
        "mailto:a@b.test?subject=%C3%B1"
    ]


def test_a_page_of_utf8_with_a_bad_byte_stays_utf8() -> None:
    body = '<title>Größe</title><a href="/straße">'.encode() + b"caf\xe9 there"
    for label in ("text/html", "text/plain", None):
        document = parsed(body, label)
        assert document.charset == "utf-8", label
    page = parsed(body, "text/html")
    assert (page.title, page.text) == ("Größe", "caf\ufffd there")
    assert hrefs(page) == ["http://h.test/stra%C3%9Fe"]


@pytest.mark.parametrize("text", ["Größe über alles", "日本語のページ", "день", "a 😀"])
def test_a_tail_that_is_cut_off_never_counts(text: str) -> None:
    whole = text.encode()
    for end in range(len(whole.decode()[0].encode()) + 2, len(whole)):
        cut = whole[:end]
        if cut.isascii():
            continue
        found = decode(cut, cut=True)
        assert found.charset == "utf-8", cut
        assert found.data.decode() == cut.decode("utf-8", "replace")


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Señor, ¿cómo está? Ã© is what one sees of é", "cp1252"),
        ("联通", "gbk"),
        ("Привет, это ещё один день", "cp1251"),
        ("한국어 페이지", "cp949"),
    ],
)
def test_what_has_bytes_of_utf8_by_chance_is_not_utf8(text: str, encoding: str) -> None:
    assert decode(f"<p>{text}".encode(encoding)).charset != "utf-8"


@pytest.mark.parametrize(
    "text",
    [
        *("Mañana", "città", "Größe", "Noël", "smörgås", "ação", "El niño", "déjà vu", "Århus"),
        *("perché no", "für", "naïve café", "¿Qué?", "Übermut tut selten gut", "Curaçao", "£5"),
    ],
)
def test_few_letters_of_a_latin_text_are_windows_1252(text: str) -> None:
    for markup in ("{}", "<title>{}</title>", "<!doctype html><html><body><p>{}</p>"):
        found = decode(markup.format(text).encode("cp1252"))
        assert (found.charset, found.data.decode()) == ("windows-1252", markup.format(text))


@pytest.mark.parametrize(
    "markup",
    [
        "<meta content='text/html; charset=gbk'>",
        "<meta http-equiv=Content-Type content=text/html; charset=gbk>",
        "<meta http-equiv='Content-Typ' content='text/html;charset=\"gb2312\"'>",
        "<metacharset=gbk>",
        "<!-- charset = 'gbk' -->",
        "<script charset=utf-8 src=a></script><script charset=gbk src=x></script>",
    ],
)
def test_any_charset_near_the_top_is_a_hint(markup: str) -> None:
    found = decode(f"{markup}<title>新闻</title>".encode("gbk"))
    assert found.charset == "gbk"
    assert "新闻" in found.data.decode()


def test_a_hint_that_the_bytes_deny_is_none() -> None:
    text = "Съешь же ещё этих мягких французских булок, да выпей чаю. " * 3
    found = decode(f"<i charset=euc-jp><i charset=utf-8>{text}".encode("cp1251"))
    assert found.charset == "windows-1251"


def test_a_link_goes_out_in_the_bytes_that_stand_on_the_page() -> None:
    document = parsed(b"<a href='/s?q=\xfc\xe2'>x</a>", "text/html; charset=euc-jp")
    assert hrefs(document) == ["http://h.test/s?q=%FC%E2"]


def test_one_long_sequence_of_utf8_is_worth_more_than_a_short_one() -> None:
    assert decode("😀 a ".encode() + b"\xe9t\xe9").charset == "utf-8"


def test_undeclared_iso_2022_jp_is_known_by_its_escapes() -> None:
    assert decode(b"<p>\x1b$BF|K\\\x1b(B") == ("<p>日本".encode(), "iso-2022-jp")
    assert decode(b"<p>\x1b[31mred") == (b"<p>\x1b[31mred", "utf-8")
