"""Is a PDF of a crawl searched as its pages are, and what of one that hurts?"""

from __future__ import annotations

import zlib
from contextlib import closing
from pathlib import Path

import pytest

from crawler.analyse import pdfs
from crawler.analyse.full_text import index_texts
from crawler.channels import readers
from crawler.parse import isolated
from crawler.store.database import open_for_writing
from crawler.store.search_index import UNREAD_PDFS
from tests import crawls
from tests.crawls import config, crawl, rows
from tests.parse.test_pdf import bomb, made
from tests.sites.web import Web

FACTS = """
    SELECT pages.url, facts.title, facts.author, facts.pages, facts.pages_read, facts.text_cut,
        facts.error
    FROM pages
    JOIN facts ON facts.body_id = pages.body_id
    WHERE pages.content_type = 'application/pdf'
    ORDER BY pages.url
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "pdfs.db"


def analysed(database: Path, *, most: int = 1_000_000) -> int:
    """How many PDFs were read."""
    with closing(open_for_writing(database)) as connection:
        count = pdfs.read_pdfs(connection, lambda *_: None, processes=1, max_text_bytes=most)
        index_texts(connection, lambda *_: None)
        return count


def publish(web: Web, **files: bytes) -> None:
    web.page("/", links=[f"/{name}.pdf" for name in files])
    for name, body in files.items():
        web.raw(f"/{name}.pdf", body=body, headers={"Content-Type": "application/pdf"})


def facts(database: Path) -> dict[str, tuple[object, ...]]:
    return {url.rpartition("/")[2]: tuple(row) for url, *row in rows(database, FACTS)}


def holding(database: Path, words: str) -> list[str]:
    """The names of files that hold these words."""
    return [url.rpartition("/")[2] for url in crawls.holding(database, words)]


def test_text_is_searched_and_title_author_and_pages_are_facts(web: Web, database: Path) -> None:
    publish(web, report=made("The keeper", "of the lantern", title="On Lights", author="A. W."))
    crawl(database, web.url())
    assert analysed(database) == 1
    assert facts(database) == {"report.pdf": ("On Lights", "A. W.", 2, 2, None, None)}
    assert holding(database, "lanterns") == ["report.pdf"]
    assert holding(database, "title : lights") == ["report.pdf"]
    assert analysed(database) == 0


def test_what_is_not_read_says_why_and_keeps_no_other_from_being_read(
    web: Web, database: Path
) -> None:
    publish(
        web,
        broken=b"%PDF-1.7 and no more",
        fine=made("the lantern"),
        locked=made("secret", password="sesame"),
        long=made(*("lantern " * 9 for _ in range(30))),
    )
    crawl(database, web.url())
    assert analysed(database, most=500) == 4
    told = {
        name: (pages, cut, error) for name, (*_, pages, _, cut, error) in facts(database).items()
    }
    assert told == {
        "broken.pdf": (None, None, "broken"),
        "fine.pdf": (1, None, None),
        "locked.pdf": (None, None, "encrypted"),
        "long.pdf": (30, "text", None),
    }
    assert sorted(holding(database, "lantern")) == ["fine.pdf", "long.pdf"]


@pytest.mark.parametrize("memory", [64 * 1024 * 1024])
def test_a_bomb_is_to_blame_alone(
    web: Web, database: Path, monkeypatch: pytest.MonkeyPatch, memory: int
) -> None:
    """Its page would be 600 MB; whether PDFium gives it up or dies of it is all the same."""
    monkeypatch.setattr(isolated, "MEMORY_BYTES", memory)
    monkeypatch.setattr(readers, "LIMIT_S", 10.0)
    publish(web, bomb=bomb(600_000_000), fine=made("the lantern"))
    crawl(database, web.url())
    assert analysed(database) == 2
    told = facts(database)
    assert told["bomb.pdf"][-1] in ("lost", "timeout") or told["bomb.pdf"][2] == 1
    assert holding(database, "lantern") == ["fine.pdf"]


def test_without_the_library_they_wait_until_it_is_there(
    web: Web, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(web, report=made("the lantern"))
    crawl(database, web.url())
    with monkeypatch.context() as without:
        without.setattr(pdfs, "is_readable", lambda: False)
        assert analysed(database) == 0
    assert facts(database) == {}
    assert rows(database, UNREAD_PDFS) == [(1,)]
    assert analysed(database) == 1
    assert rows(database, UNREAD_PDFS) == [(0,)]
    assert holding(database, "lantern") == ["report.pdf"]


def test_what_was_read_by_an_older_version_is_read_and_indexed_again(
    web: Web, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(web, report=made("the lantern", title="Lights"))
    crawl(database, web.url())
    with monkeypatch.context() as older:
        older.setattr("crawler.parse.pdf.plain", lambda text: "words of before")
        analysed(database)
    assert holding(database, "lantern") == []
    monkeypatch.setattr(pdfs, "VERSION", pdfs.VERSION + 1)
    assert analysed(database) == 1
    assert (holding(database, "lantern"), holding(database, "before")) == (["report.pdf"], [])


def test_where_no_texts_are_kept_there_are_facts_alone(web: Web, database: Path) -> None:
    publish(web, report=made("the lantern", title="Lights"))
    crawl(database, web.url(), settings=config(store={"texts": False}))
    assert analysed(database, most=0) == 1
    assert facts(database)["report.pdf"][:3] == ("Lights", None, 1)
    assert rows(database, "SELECT * FROM texts") == []


def test_a_pdf_is_kept_as_it_was_sent(web: Web, database: Path) -> None:
    body = made("the lantern")
    publish(web, report=body)
    crawl(database, web.url())
    [(packed,)] = rows(database, "SELECT body FROM bodies WHERE content_type = 'application/pdf'")
    assert zlib.decompress(packed) == body
