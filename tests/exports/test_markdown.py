"""Is what pages say there, page by page, also of a crawl with a page that cannot be read?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from markdown_it import MarkdownIt

from crawler.parse import markdown
from tests.crawls import config, crawl, let_a_day_pass, rows
from tests.exports.taking import remarks, take
from tests.sites.web import Web

PAGES = """
    SELECT pages.url
    FROM pages
    JOIN bodies ON bodies.id = pages.body_id
    WHERE bodies.content_type = 'text/html' AND pages.status = 200
    ORDER BY pages.url
"""


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def parts(path: Path) -> tuple[dict[str, Any], str]:
    """What stands in front of a file, and its Markdown."""
    _, front, text = path.read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(front), text.removeprefix("\n")


def test_every_page_has_a_file_with_what_is_known_in_front(crawled: Path, tmp_path: Path) -> None:
    out = take(crawled, tmp_path / "pages", "markdown")
    listed = lines(out / "pages.jsonl")
    assert sorted((one["url"],) for one in listed) == rows(crawled, PAGES)
    assert {str(path.relative_to(out)) for path in out.rglob("*.md")} == {
        one["file"] for one in listed
    }
    known = dict(rows(crawled, "SELECT url, title FROM pages"))
    for one in listed:
        front, _ = parts(out / one["file"])
        assert front == {name: value for name, value in one.items() if value and name != "file"}
        assert front.get("title") == known[front["url"]]


def test_an_article_keeps_its_headings_lists_tables_and_links(
    crawled: Path, tmp_path: Path
) -> None:
    out = take(crawled, tmp_path / "pages", "markdown", where="url LIKE '%/article'")
    [file] = out.rglob("*.md")
    front, text = parts(file)
    assert (front["lang"], front["description"]) == ("en", "Of light and salt")
    read = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    kinds = [token.tag for token in read if token.nesting == 1]
    assert [kind for kind in kinds if kind[0] == "h"] == ["h1", "h2"]
    assert (kinds.count("li"), kinds.count("td"), kinds.count("th")) == (2, 4, 2)
    links = [
        child.attrs["href"]
        for token in read
        for child in token.children or ()
        if child.type == "link_open"
    ]
    assert links == [front["url"].replace("/article", "/page/2")]
    assert "Menu" not in text
    assert "Imprint" not in text


def test_json_lines_hold_the_same(crawled: Path, tmp_path: Path) -> None:
    folder = take(crawled, tmp_path / "pages", "markdown")
    stream = take(crawled, tmp_path / "pages.jsonl", "markdown", jsonl=True)
    files = {one["url"]: one["file"] for one in lines(folder / "pages.jsonl")}
    found = lines(stream)
    assert {one["url"] for one in found} == set(files)
    for one in found:
        assert one["markdown"] == parts(folder / files[one["url"]])[1]


def test_a_run_is_taken_along_as_it_left_its_pages(crawled: Path, tmp_path: Path) -> None:
    said = []
    for run in (1, 2):
        made = take(crawled, tmp_path / f"{run}", "markdown", run=run, jsonl=True)
        said.append({one["url"]: one["title"] for one in lines(made)})
    changed = [url for url in said[0] if said[1].get(url, said[0][url]) != said[0][url]]
    assert [url.rpartition("/")[2] for url in changed] == ["0"]


def test_what_answered_with_an_error_says_nothing_and_is_told(
    crawled: Path, tmp_path: Path
) -> None:
    [[others]] = rows(
        crawled,
        f"SELECT (SELECT count(*) FROM pages) - (SELECT count(*) FROM ({PAGES}))",
    )
    assert others > 0
    [said] = remarks(crawled, tmp_path / "x", "markdown", jsonl=True)
    assert said == f"Left out: {others} pages that answered with an error or a redirect"
    for run, there in ((None, False), (1, True), (2, False)):  # it is gone since run 2
        made = take(crawled, tmp_path / "x", "markdown", jsonl=True, run=run)
        assert any(one["url"].endswith("/copy") for one in lines(made)) is there
        assert not any(one["url"].endswith("/gone") for one in lines(made))


def test_a_page_that_could_not_be_had_just_now_says_what_it_said(tmp_path: Path, web: Web) -> None:
    web.page("/", links=["/shaky", "/picture"])
    web.page("/shaky", title="Shaky", body="<p>a lasting word</p>")
    web.raw("/picture", headers={"Content-Type": "text/plain"}, body=b"no HTML")
    database = tmp_path / "site.db"
    crawl(database, web.url(), settings=config())
    let_a_day_pass(database)
    web.raw("/shaky", status=503)
    crawl(database, web.url(), settings=config())
    [said] = remarks(database, tmp_path / "x.jsonl", "markdown", jsonl=True)
    assert said == "Left out: 1 page without a stored HTML body"
    [found] = [one for one in lines(tmp_path / "x.jsonl") if one["url"].endswith("/shaky")]
    assert "a lasting word" in found["markdown"]


@pytest.fixture
def with_a_killer(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A crawl of three pages, of which one takes all memory that there is for it."""
    web.page("/", links=["/fine", "/killer"])
    web.page("/fine", title="Fine", body="<p>fine</p>")
    web.raw(
        "/killer",
        headers={"Content-Type": "text/html"},
        body="<title>Killer</title>" + "<i hidden>x</i>y" * 400_000,
    )
    database = tmp_path / "killer.db"
    crawl(database, web.url(), settings=config())
    monkeypatch.setattr("crawler.parse.isolated.MEMORY_BYTES", 128 * 1024 * 1024)
    return database


def test_a_page_that_takes_too_much_is_told_and_those_beside_it_are_there(
    with_a_killer: Path, tmp_path: Path
) -> None:
    out = take(with_a_killer, tmp_path / "pages", "markdown")
    listed = {one["title"]: one for one in lines(out / "pages.jsonl")}
    killed = listed.pop("Killer")
    assert killed["file"] is None
    assert killed["error"] in {"lost", "MemoryError", "XMLSyntaxError"}
    assert all("error" not in one and (out / one["file"]).is_file() for one in listed.values())
    [told] = remarks(with_a_killer, tmp_path / "again", "markdown")
    assert told == f"1 page could not be read ({killed['error']}); the list tells which"


def test_a_page_that_is_cut_says_so(
    crawled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(markdown, "MAX_BYTES", 100)
    out = take(crawled, tmp_path / "pages", "markdown", where="url LIKE '%/article'")
    [file] = out.rglob("*.md")
    front, text = parts(file)
    assert front["error"] == "cut"
    assert 0 < len(text) <= 100
