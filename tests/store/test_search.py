# ruff: noqa: RUF001  # Turkish has an i without a dot
"""Is a page found by the words that stand on it, in every language, and told as it was written?"""

from __future__ import annotations

import json
import os
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from gevent import subprocess

from crawler.analyse.full_text import index_texts
from crawler.errors import UsageError
from crawler.store import search as searching
from crawler.store.database import open_for_reading, open_for_writing, sqlite3
from crawler.store.search import Asked, Found, search
from crawler.store.snippets import as_written
from tests.crawls import crawl, rows
from tests.sites.skip import require_program
from tests.sites.web import Web
from tests.test_readme import ANSWERS

SENTENCES = {
    "zh": [
        ("北京大学的图书馆在城市北部", "北京 大学 图书馆 城市 北部 在"),
        ("昨天晚上下了一场大雨", "昨天 晚上 大雨 雨 下了"),
        ("他喜欢喝绿茶和吃水果", "他 喜欢 绿茶 水果 茶"),
        ("記者在臺灣採訪了總統", "記者 臺灣 採訪 總統"),
    ],
    "ja": [
        ("東京都の灯台は海のそばに立っている", "東京 東京都 灯台 海 そば 立って"),
        ("昨日、友達とラーメンを食べました", "昨日 友達 ラーメン 食べ"),
        ("ﾊﾝｶｸカタカナとひらがな", "ハンカク カタカナ ひらがな"),
        ("日本語の文章には空白がない", "日本 日本語 文章 空白 本"),
    ],
    "ko": [
        ("서울에서는 어제 비가 많이 왔습니다", "서울 어제 비 비가 많이"),
        ("한국어를 배우는 학생들이 많다", "한국 한국어 학생 학생들"),
        ("도서관에 책이 있다", "도서관 책 책이"),
    ],
    "th": [
        ("ภาษาไทยไม่มีช่องว่างระหว่างคำ", "ภาษา ไทย ภาษาไทย ช่องว่าง คำ ไม่"),
        ("นักข่าวไปกรุงเทพเมื่อวานนี้", "นักข่าว ข่าว กรุงเทพ เมื่อวาน"),
        ("น้ำท่วมหนักในภาคใต้", "น้ำ ท่วม น้ำท่วม ภาคใต้ ใต้"),
    ],
    "de": [
        ("Die Größe der Straße überraschte Frau Müller", "größe GRÖSSE groesse? strasse STRAẞE"
         " müller MULLER überraschte uberraschte"),
        ("Fußgängerübergang am Schloß", "fussgangerubergang FUẞGÄNGERÜBERGANG schloss Schloß"),
    ],
    "tr": [
        ("İstanbul'da ışıklar ılık sularda", "istanbul İSTANBUL ISTANBUL ışıklar IŞIKLAR isiklar"
         " ılık ILIK"),
        ("Diyarbakır ve Iğdır", "diyarbakır DİYARBAKIR diyarbakir ığdır Iğdır IĞDIR igdir"),
    ],
    "ar": [
        ("قَرَأَ الطَّالِبُ كِتَابًا جَدِيدًا فِي المَكْتَبَةِ", "قرأ الطالب كتابا جديدا في المكتبة كتـابا المكتبه"),
        ("الإســـلام دين", "الإسلام الاسلام دِين"),
        ("هذه مدرسة إلى اليمين", "مَدْرَسَة الى اليمين"),
    ],
}  # fmt: skip
"""Sentences, and words that one looks for in them; with a question mark: that are not there."""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "search.db"


def analysed(database: Path) -> None:
    with closing(open_for_writing(database)) as connection:
        index_texts(connection, lambda *_: None)


def found(database: Path, words: str, **asked: object) -> Found:
    with closing(open_for_reading(database)) as connection:
        return search(connection, Asked(words=words, **asked))


def paths(database: Path, words: str, **asked: object) -> list[str]:
    """Where the words were found, the best first."""
    return ["/" + hit.url.split("/", 3)[3] for hit in found(database, words, **asked).hits]


@pytest.fixture(scope="module")
def sentences(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page for each sentence."""
    database = tmp_path_factory.mktemp("sentences") / "sentences.db"
    web = Web()
    told = [(language, at) for language, said in SENTENCES.items() for at in range(len(said))]
    web.page("/", links=[f"/{language}/{at}" for language, at in told])
    for language, at in told:
        web.page(f"/{language}/{at}", title="page", body=f"<p>{SENTENCES[language][at][0]}</p>")
    crawl(database, web.url())
    web.close()
    analysed(database)
    return database


@pytest.mark.parametrize("language", SENTENCES)
def test_every_word_of_every_sentence_is_found_on_its_page_alone(
    sentences: Path, language: str
) -> None:
    for at, (sentence, words) in enumerate(SENTENCES[language]):
        for word in words.split():
            page = f"/{language}/{at}"
            if word.endswith("?"):
                assert page not in paths(sentences, word[:-1])
                continue
            assert page in paths(sentences, word), (word, sentence)


def test_what_is_found_is_told_as_it_was_written_with_the_word_marked(sentences: Path) -> None:
    for words, told in (
        ("灯台", "東京都の<灯台>は海のそばに立っている"),
        ("strasse", "Die Größe der <Straße> überraschte Frau Müller"),
        ("ハンカク", "<ﾊﾝｶｸ>カタカナとひらがな"),
        ("كتابا", "قَرَأَ الطَّالِبُ <كِتَابًا> جَدِيدًا فِي المَكْتَبَةِ"),
        ("ช่องว่าง", "ภาษาไทยไม่มี<ช่องว่าง>ระหว่างคำ"),
    ):
        [hit] = found(sentences, words).hits
        assert hit.snippet.replace("\x02", "<").replace("\x03", ">") == f"page {told}"


def test_a_piece_from_the_middle_is_told_as_it_was_written() -> None:
    text = f"{'vor ' * 50}die Straße, tower東京タワー {'nach ' * 50}"
    cut = "…die \x02Strasse\x03, tower\u200b\x02東\u200b京\x03\u200bタ\u200bワ\u200bー\u200b nach…"
    assert as_written(cut, text) == "…die \x02Straße\x03, tower\x02東京\x03タワー nach…"
    assert as_written("…not there…", text) == "…not there…"


MENU = "<nav>Home Our lantern shop News of the harbour Contact 灯台の話 </nav>"


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose pages begin with the same menu, and a page of another site."""
    database = tmp_path_factory.mktemp("alike") / "alike.db"
    web = Web()
    other = web.host("127.0.7.3")
    long = "words " * 60
    web.page("/menu", body=MENU)
    web.page("/sentence", body=f"{MENU}<p>{long}. Nobody lit the lantern that night. {long}")
    web.page("/two", body=f"{MENU}<p>lantern {long} the lantern of the keeper {long}")
    web.page("/signs", body=f"{MENU}<p>昔々、海のそばに古い灯台が立っていた")
    web.page("/next", body=f"{MENU}<p>right behind it a lantern")
    web.page("/other", body=f"{MENU}<p>nothing of that kind")
    other.page("/", body="Home Our lantern shop News of the harbour Contact us, we have no menu")
    told = ("/menu", "/sentence", "/two", "/signs", "/next", "/other")
    crawl(database, *map(web.url, told), other.url())
    web.close()
    analysed(database)
    return database


@pytest.mark.parametrize(
    ("words", "path", "said"),
    [
        ("lantern", "/sentence", "Nobody lit the <lantern> that night."),
        ("lantern keeper", "/two", "the <lantern> of the <keeper>"),
        ("lantern", "/next", "right behind it a <lantern>"),
        ("灯台", "/signs", "海のそばに古い<灯台>が立っていた"),
    ],
)
def test_words_around_are_not_those_with_which_all_pages_of_a_site_begin(
    alike: Path, words: str, path: str, said: str
) -> None:
    [told] = [hit.snippet for hit in found(alike, words).hits if hit.url.endswith(path)]
    told = told.replace("\x02", "<").replace("\x03", ">")
    assert said in told
    assert "Home" not in told
    assert len(told.split()) <= 32


@pytest.mark.parametrize("path", ["/menu", "/other", ":80/"])
def test_where_words_stand_nowhere_else_they_are_told_from_there(alike: Path, path: str) -> None:
    end = path if path != ":80/" else "127.0.7.3"
    [told] = [hit.snippet for hit in found(alike, "lantern").hits if end in hit.url]
    assert "Our \x02lantern\x03 shop" in told


# What is asked


@pytest.fixture(scope="module")
def lights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sites that tell of lights."""
    database = tmp_path_factory.mktemp("lights") / "lights.db"
    web = Web()
    other = web.host("127.0.7.2")
    web.page("/keeper", title="Keepers", body="The keeper of the light lit the lamp.")
    web.page("/harbour", title="The light", body="A harbour, a jetty.")
    web.page("/well-known", title="Known", body="A well-known foo:bar, he said: light keeper.")
    web.page("/c", title="C", body='C++ (1985) isn\'t lighthouse-proof 100% "quoted"')
    web.raw("/gone", status=404, body="There is no light here.")
    other.page("/", title="Other", body="These are the lights of others, far away.")
    told = ("/keeper", "/harbour", "/well-known", "/gone", "/c")
    crawl(database, *map(web.url, told), other.url())
    web.close()
    analysed(database)
    return database


ASKED = [
    ("light", ["/harbour", "/", "/keeper", "/well-known"]),
    ("lights keeper", ["/keeper", "/well-known"]),
    ('"keeper of the light"', ["/keeper"]),
    ("\u201ckeeper of the light\u201d", ["/keeper"]),
    ("keeper NOT lamp", ["/well-known"]),
    ("jetty OR lamp", ["/harbour", "/keeper"]),
    ("lighth*", ["/c"]),
    ("title : light", ["/harbour"]),
    ("NEAR(keeper lamp, 8)", ["/keeper"]),
    # no query, but words
    ("well-known", ["/well-known"]),
    ("well-known OR jetty", ["/harbour", "/well-known"]),
    ("foo:bar", ["/well-known"]),
    ("he said: light", ["/well-known"]),
    ("C++", ["/c"]),
    ("(1985", ["/c"]),
    ("isn't", ["/c"]),
    ("100%", ["/c"]),
    ('"harbour jetty', ["/harbour"]),
    ('"keeper of', ["/keeper"]),
    ("jetty AND", ["/harbour"]),
    ("AND OR jetty", ["/harbour"]),
    ("*", []),
    ("!!! ???", []),
    ('""', []),
    ("", []),
    ("lamp\0lit", ["/keeper"]),
    ("lamp \ud800", ["/keeper"]),
    ("^", []),
    ("rank : 1", []),
    ("'; DROP TABLE pages; --", []),
]


@pytest.mark.parametrize(("words", "pages"), ASKED)
def test_a_query_is_read_as_its_language_has_it_or_as_words(
    lights: Path, words: str, pages: list[str]
) -> None:
    told = paths(lights, words)
    assert sorted(told) == sorted(pages)
    if len(pages) > 1 and words == "light":
        assert told[0] == "/harbour"  # the word of a title counts most


@pytest.mark.parametrize("words", ["light " * 5000, "(" * 5000 + "light", "NOT " * 999 + "light"])
def test_no_query_is_too_long(lights: Path, words: str) -> None:
    assert "/keeper" in paths(lights, words)


@pytest.fixture(scope="module")
def litany(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A long page that says one word without end, and another in its middle."""
    path = tmp_path_factory.mktemp("litany") / "search.db"
    web = Web()
    said = "ora " * 20_000
    web.page("/", title="Litany", body=f"<p>It begins so: {said} kyrie eleison {said}")
    crawl(path, web.url())
    web.close()
    analysed(path)
    return path


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("ora", "[ora] [ora] [ora]"),
        ('"ora ora"', "[ora ora ora"),
        ("or*", "[ora] [ora] [ora]"),
        ("kyrie", "ora ora [kyrie] eleison ora"),
        ("ora AND kyrie", "[ora] [ora]"),
        ("title : litany", "Litany It begins so"),
        (" ".join(["ora"] * 1000), "[ora] [ora] [ora]"),
        (" OR ".join(f"w{number}" for number in range(1000)) + " OR ora", None),
    ],
)
def test_a_word_that_a_page_says_without_end_takes_little_time(
    litany: Path, words: str, told: str | None
) -> None:
    began = time.process_time()
    hits = found(litany, words).hits
    assert time.process_time() - began < 3.0
    snippets = [hit.snippet.translate({2: "[", 3: "]"}) for hit in hits]
    assert [told in snippet for snippet in snippets] == [True] if told else snippets == []
    assert all(len(snippet) < 1000 for snippet in snippets)


def test_a_reading_as_words_is_told(lights: Path) -> None:
    assert found(lights, "jetty AND").read_as == '"jetty"'
    assert found(lights, "well-known").read_as is None


def test_a_site_is_named_by_its_host_its_domain_or_an_address(lights: Path) -> None:
    assert paths(lights, "light", site="127.0.7.2") == ["/"]
    assert paths(lights, "light", site="http://127.0.7.2:80/x") == ["/"]
    assert paths(lights, "light", site="0.7.2") == ["/"]
    assert len(paths(lights, "light", site="127.0.0.1")) == 3
    with pytest.raises(UsageError, match=r'called so; did you mean "127.0.7.2"\?'):
        found(lights, "light", site="127.0.7.22")


def test_dates_are_of_when_a_page_was_first_found_as_it_is(lights: Path) -> None:
    [(day,)] = rows(lights, "SELECT substr(max(changed_at), 1, 10) FROM pages")
    assert len(paths(lights, "light", since=day, until=day)) == 4
    assert paths(lights, "light", since="2999-01-01") == []
    assert paths(lights, "light", until="1999-12-31") == []
    with pytest.raises(UsageError, match="--until soon: is no date"):
        found(lights, "light", until="soon")


def test_a_limit_counts_pages(lights: Path) -> None:
    assert [len(paths(lights, "light", limit=limit)) for limit in (0, 1, 3)] == [0, 1, 3]


def test_what_stands_almost_everywhere_comes_with_titles_first(
    lights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MOST_RANKED", 2)
    told = found(lights, "light")
    assert told.crowded
    assert told.hits[0].title == "The light"
    assert len({hit.url for hit in told.hits}) == 4
    assert {hit.score for hit in told.hits} == {None}
    assert not found(lights, "jetty").crowded
    assert [hit.title for hit in found(lights, "light", limit=1).hits] == ["The light"]


@pytest.mark.parametrize("words", [words for words, pages in ASKED if pages])
@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"site": "127.0.7.2"},
        {"site": "127.0.0.1"},
        {"since": "2999-01-01"},
        {"until": "1999-12-31"},
        {"until": "2999-01-01"},
        {"run": 1},
        {"run": 1, "since": "2999-01-01"},
    ],
    ids=str,
)
def test_what_stands_almost_everywhere_is_found_on_the_same_pages(
    lights: Path, monkeypatch: pytest.MonkeyPatch, words: str, asked: dict[str, Any]
) -> None:
    wanted = sorted(paths(lights, words, **asked))
    monkeypatch.setattr(searching, "MOST_RANKED", -1)
    monkeypatch.setattr(searching, "_usual_words", lambda *_: [])
    assert found(lights, words, **asked).crowded == bool(wanted)
    assert sorted(paths(lights, words, **asked)) == wanted


@pytest.mark.parametrize(
    ("words", "read"),
    [
        ("li*", '("light" OR "lights")'),
        ("LI*", '("light" OR "lights")'),
        ("keeper li*", 'keeper AND ("light" OR "lights")'),
        ("li* AND keeper", '("light" OR "lights") AND keeper'),
        ("title : li*", 'title : ("light" OR "lights")'),
        ("(li* OR jetty) the", '( ("light" OR "lights") OR jetty ) AND the'),
        # nothing usual begins so; where not all of what is found would be right; no beginning
        ("zz*", None),
        ("keeper NOT li*", None),
        ("NEAR(keeper li*)", None),
        ("a + li*", None),
        ("light", None),
        ('"of the li*"', None),
    ],
)
def test_the_beginning_of_a_word_may_be_read_as_the_usual_words_that_begin_so(
    lights: Path, monkeypatch: pytest.MonkeyPatch, words: str, read: str | None
) -> None:
    """Where they stand almost everywhere: to look all words up takes long."""
    monkeypatch.setattr(searching, "MOST_RANKED", 1)
    monkeypatch.setattr(searching, "_usual_words", lambda *_: ["the", "light", "lights"])
    with closing(open_for_reading(lights)) as connection:
        assert searching._with_usual_words(connection, words) == read
    if read is not None:
        assert sorted(paths(lights, read)) == sorted(paths(lights, words))


def test_usual_words_are_those_of_several_texts(lights: Path) -> None:
    with closing(open_for_reading(lights)) as connection:
        [last] = connection.execute("SELECT max(body_id) FROM texts").fetchone()
        usual = searching._usual_words(connection, last)
    assert "the" in usual[:3]
    assert "light" in usual
    assert "jetty" not in usual


def test_words_of_titles_are_usual_where_texts_have_others(web: Web, database: Path) -> None:
    for path in ("/a", "/b", "/c"):
        web.raw(path, body=f"<title>Of the harbour</title><p>jetty {path}")
    crawl(database, *map(web.url, ("/a", "/b", "/c")))
    analysed(database)
    with closing(open_for_reading(database)) as connection:
        assert {"of", "the", "harbour", "jetty"} <= set(searching._usual_words(connection, 3))


def test_a_beginning_that_is_usual_is_told_with_pages_that_hold_such_words(
    lights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "MOST_RANKED", 2)
    told = found(lights, "l*")
    assert told.crowded
    assert told.hits[0].title == "The light"
    assert all("\x02l" in hit.snippet.lower() or "light" in hit.title for hit in told.hits)
    assert [hit.url for hit in found(lights, "l*", site="127.0.7.2").hits] == [
        hit.url for hit in found(lights, "light", site="127.0.7.2").hits
    ]


def test_where_nothing_is_found_the_pages_searched_are_counted(lights: Path) -> None:
    assert (found(lights, "unheard").searched, found(lights, "light").searched) == (6, 0)
    assert found(lights, "unheard", site="127.0.7.2").searched == 1


def test_nothing_is_written(lights: Path) -> None:
    before = lights.read_bytes()
    found(lights, "light")
    assert lights.read_bytes() == before
    assert not [name for name in os.listdir(lights.parent) if name != lights.name]


# Runs


def test_pages_are_searched_as_they_are_or_as_a_run_left_them(web: Web, database: Path) -> None:
    web.page("/", links=["/stays", "/changes", "/goes", "/fails"])
    web.page("/stays", body="a lantern")
    web.page("/changes", body="an old lantern")
    web.page("/goes", body="a lantern of the past")
    web.page("/fails", body="a lantern for now")
    crawl(database, web.url())
    web.page("/changes", body="a new candle")
    web.raw("/goes", status=404, body="nothing")
    web.raw("/fails", status=503, body="later")
    crawl(database, web.url())
    web.page("/changes", body="an old lantern")
    crawl(database, web.url())
    analysed(database)
    assert sorted(paths(database, "lantern", run=1)) == ["/changes", "/fails", "/goes", "/stays"]
    assert sorted(paths(database, "lantern", run=2)) == ["/fails", "/stays"]
    assert sorted(paths(database, "lantern", run=3)) == ["/changes", "/fails", "/stays"]
    now = {hit.url.rpartition("/")[2]: hit.status for hit in found(database, "lantern").hits}
    assert now == {"stays": 200, "changes": 200, "goes": 404, "fails": 503}
    assert paths(database, "candle", run=2) == ["/changes"]
    with pytest.raises(UsageError, match=r"no run 4 \(there are 1 to 3\)"):
        found(database, "lantern", run=4)


# What is not there


def test_an_index_that_is_absent_or_behind_is_told(web: Web, database: Path) -> None:
    web.page("/", links=["/a"], body="a lantern")
    crawl(database, web.url())
    assert found(database, "lantern") == Found(hits=[], behind=None)
    analysed(database)
    web.page("/a", body="another lantern")
    crawl(database, web.url())
    told = found(database, "lantern")
    assert ([hit.url for hit in told.hits], told.behind) == ([web.url()], 1)
    analysed(database)
    assert (len(found(database, "lantern").hits), found(database, "lantern").behind) == (2, 0)


def test_a_table_of_a_persons_own_is_not_searched(web: Web, database: Path) -> None:
    web.page("/", body="a lantern")
    crawl(database, web.url())
    with closing(sqlite3.connect(str(database))) as connection:
        connection.execute("CREATE VIRTUAL TABLE search USING fts5(mine)")
    assert found(database, "lantern").behind is None


def test_pdfs_that_were_not_read_are_told_where_nothing_was_found(web: Web, database: Path) -> None:
    web.page("/", links=["/x.pdf"], body="a lantern")
    web.raw("/x.pdf", body=b"%PDF-1.7", headers={"Content-Type": "application/pdf"})
    crawl(database, web.url())
    analysed(database)
    assert (found(database, "unheard").unread_pdfs, found(database, "lantern").unread_pdfs) == (
        1,
        0,
    )


@pytest.mark.parametrize("question", [one for one in ANSWERS if " MATCH " in one])
def test_what_readme_asks_of_words_is_answered_alike_by_a_plain_sqlite(
    sentences: Path, question: str
) -> None:
    asked = question.replace("lantern", "Frau")
    program = require_program("sqlite3", "apt-get install sqlite3")
    told = subprocess.run(
        [program, "-readonly", "-json", sentences, asked], capture_output=True, check=True
    )
    found = [tuple(row.values()) for row in json.loads(told.stdout)]
    assert found == rows(sentences, asked)
    assert found
