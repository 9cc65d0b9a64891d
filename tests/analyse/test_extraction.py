"""Do rules of extraction work on pages that were crawled before they were written?"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from crawler.analyse.run import analyse
from crawler.config import Config, ExtractRule
from crawler.store.database import open_for_writing
from tests.crawls import as_duckdb_sees, config, crawl, rows
from tests.sites.web import Web

PRODUCTS = 12
RULES = {
    "name": ExtractRule(css="h1"),
    "price": ExtractRule(css=".price", type="number", include=("/product/",)),
    "colours": ExtractRule(css="li", many=True),
    "order": ExtractRule(css="li", type="count"),
}
EXTRACTED = 'SELECT url, name, price, colours, "order" FROM extracted ORDER BY page_id'


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    products = [f"/product/{number}" for number in range(PRODUCTS)]
    web.page("/", links=products, title="Shop")
    for number, path in enumerate(products):
        publish(web, path, price=number + 0.5, colours=number)
    yield web
    web.close()


def publish(web: Web, path: str, *, price: float, colours: int) -> None:
    """A product."""
    items = "".join(f"<li>colour {number}" for number in range(colours))
    web.page(path, body=f"<p class=price>EUR {price}</p><ul>{items}</ul>")


def extracted(database: Path, rules: Mapping[str, ExtractRule] = RULES) -> list[tuple[Any, ...]]:
    """What is in the view after an analysis by these rules."""
    analyse(database, Config(extract=dict(rules)), lambda *_: None, processes=1)
    return rows(database, EXTRACTED)


def truth(web: Web) -> list[tuple[Any, ...]]:
    front = (web.url("/"), "Shop", None, "[]", 0)
    products = [
        (
            *(web.url(f"/product/{number}"), f"/product/{number}", number + 0.5),
            "[" + ",".join(f'"colour {colour}"' for colour in range(number)) + "]",
            number,
        )
        for number in range(PRODUCTS)
    ]
    return [front, *products]


def test_rules_added_to_an_old_file_need_no_request(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    crawl(database, web.url())
    analyse(database, Config(), lambda *_: None, processes=1)
    asked = len(web.log)
    assert sorted(extracted(database)) == sorted(truth(web))
    assert len(web.log) == asked
    prices = "SELECT value, number FROM extracts WHERE rule = 'price' ORDER BY page_id LIMIT 2"
    assert rows(database, prices) == [("0.5", 0.5), ("1.5", 1.5)]
    assert rows(database, "SELECT count(number) FROM extracts WHERE rule = 'name'") == [(0,)]


def test_rules_are_left_to_the_sites_that_they_name(web: Web, tmp_path: Path) -> None:
    database, other = tmp_path / "two.db", web.host("127.0.7.1")
    for host in (web, other):
        host.page("/", title="front", body="<p class=price>EUR 5</p>")
    crawl(database, web.url(), other.url())
    rules = {
        "price": ExtractRule(css=".price", type="number", sites=(web.address,)),
        "title": ExtractRule(css="title", sites=(other.url(""),)),
    }
    taken = "SELECT url, rule, value FROM extracts JOIN pages ON pages.id = page_id ORDER BY url"
    for known in (rules, {}):  # the second time by those that stand in the file
        analyse(database, Config(extract=known), lambda *_: None, processes=1)
        assert rows(database, taken) == [
            (web.url(), "price", "5"), (other.url(), "title", "front"),
        ]  # fmt: skip


TEN = {
    "heading": ExtractRule(css="h1"),
    "product": ExtractRule(xpath="//h1/text()", include=("/product/",)),
    "price": ExtractRule(css="p.price", type="number"),
    "currency": ExtractRule(xpath="substring-before(//p[@class='price'], ' ')"),
    "links": ExtractRule(css="a[href^='/product/']", type="url", attribute="href", many=True),
    "first_link": ExtractRule(css="a", type="url", attribute="href"),
    "colours": ExtractRule(css="li", type="count"),
    "colour": ExtractRule(css="ul li:nth-child(2)"),
    "class_": ExtractRule(xpath="//p", attribute="class"),
    "since": ExtractRule(css="time", type="date"),
}
"""Of every type, by CSS and XPath, with and without attribute, include and many."""


def test_ten_rules_added_to_an_old_file_are_right_without_a_request(
    web: Web, tmp_path: Path
) -> None:
    database = tmp_path / "shop.db"
    web.page("/product/3", body="<p class=price>EUR 1,003.50</p><time>1 March 2026</time>")
    crawl(database, web.url())
    asked = len(web.log)
    web.close()  # nobody is there any more
    analyse(database, Config(extract=TEN), lambda *_: None, processes=1)
    found = {
        row[0]: row[1:] for row in rows(database, f"SELECT url, {', '.join(TEN)} FROM extracted")
    }
    assert len(web.log) == asked
    links = [web.url(f"/product/{number}") for number in range(PRODUCTS)]
    front = ("Shop", None, None, None, json.dumps(links, separators=(",", ":")), links[0], 0, None,
             None, None)  # fmt: skip
    dated = ("/product/3", "/product/3", 1003.5, "EUR", "[]", None, 0, None, "price", "2026-03-01")
    wanted = {web.url("/"): front, links[3]: dated}
    for number in {*range(PRODUCTS)} - {3}:
        name = f"/product/{number}"
        second = "colour 1" if number > 1 else None
        wanted[links[number]] = (
            name, name, number + 0.5, "EUR", "[]", None, number, second, "price", None,
        )  # fmt: skip
    assert {url: row for url, row in found.items() if row != wanted[url]} == {}
    assert found.keys() == wanted.keys()


def test_only_pages_that_changed_are_read_again(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    crawl(database, web.url())
    told: list[tuple[str, int, int]] = []

    def read() -> int:
        told.clear()
        analyse(database, Config(), lambda *step: told.append(step), processes=1)
        return sum(1 for step in told if step[0] == "extraction" and step[1] == step[2])

    extracted(database)
    assert read() == 0
    publish(web, "/product/3", price=99, colours=1)
    crawl(database, web.url())
    assert read() == 1, "the rules of the file hold where none are given"
    [(price,)] = rows(database, "SELECT price FROM extracted WHERE url LIKE '%/product/3'")
    assert price == 99
    assert told[0][0] == "facts"
    assert [step[1:] for step in told if step[0] == "extraction"] == [(1, 1)]


def test_a_page_that_is_gone_leaves_no_values(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    crawl(database, web.url())
    before = extracted(database)
    analyse(database, Config(), lambda *_: None, processes=1)
    assert rows(database, EXTRACTED) == before
    connection = open_for_writing(database)
    connection.execute("UPDATE pages SET body_id = NULL WHERE url LIKE '%/product/3'")
    connection.close()
    analyse(database, Config(), lambda *_: None, processes=1)
    assert [row for row in before if "/product/3" not in row[0]] == rows(database, EXTRACTED)
    assert rows(database, "SELECT count(*) FROM extracts LEFT JOIN extract_pages USING (page_id)"
                          " WHERE extract_pages.page_id IS NULL") == [(0,)]  # fmt: skip


def answer_otherwise(web: Web, path: str, how: str) -> None:
    """Let a page be as its name says."""
    if how == "moved":
        web.redirect(path, "/", status=301)
    else:
        web.raw(path, status=int(how), body="<h1>Not the page</h1><p class=price>EUR 404</p>")


@pytest.mark.parametrize(
    ("how", "is_there", "told"),
    [
        # gone, moved, refused: not there; out of reach: nobody can tell, and the last is told
        ("404", False, "gone"), ("410", False, "gone"), ("moved", False, "gone"),
        ("403", False, "gone"), ("503", True, None), ("429", True, None),
    ],
)  # fmt: skip
def test_values_belong_to_pages_that_are_there(
    web: Web, tmp_path: Path, how: str, is_there: bool, told: str | None
) -> None:
    database = tmp_path / "shop.db"
    quick = config(pace={"tries": 1}, robots={"obey": False})
    crawl(database, web.url(), settings=quick)
    before = extracted(database)
    answer_otherwise(web, "/product/3", how)
    crawl(database, web.url(), settings=quick)
    analyse(database, Config(), lambda *_: None, processes=1)
    others = [row for row in before if "/product/3" not in row[0]]
    assert rows(database, EXTRACTED) == (before if is_there else others)
    why = "SELECT extract_pages.error FROM extract_pages JOIN pages ON id = page_id WHERE url = ?"
    assert rows(database, why, web.url("/product/3")) == [(told,)]
    publish(web, "/product/3", price=3.5, colours=3)
    crawl(database, web.url(), settings=quick)
    analyse(database, Config(), lambda *_: None, processes=1)
    assert rows(database, EXTRACTED) == before, "it is back"


@pytest.mark.parametrize("how", ["404", "403", "503"])
def test_a_page_that_was_never_there_has_no_values(web: Web, tmp_path: Path, how: str) -> None:
    database = tmp_path / "shop.db"
    answer_otherwise(web, "/product/3", how)
    crawl(database, web.url(), settings=config(pace={"tries": 1}, robots={"obey": False}))
    wanted = [row for row in truth(web) if row[0] != web.url("/product/3")]
    assert sorted(extracted(database)) == sorted(wanted)
    assert rows(database, "SELECT count(*) FROM extract_pages WHERE error = 'gone'") == [(0,)]


def test_other_rules_replace_those_of_before(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    crawl(database, web.url())
    extracted(database)
    analyse(database, Config(extract={"title": ExtractRule(css="title")}), lambda *_: None)
    assert {row[0] for row in rows(database, "SELECT DISTINCT rule FROM extracts")} == {"title"}
    assert len(rows(database, "SELECT page_id, url, title FROM extracted")) == PRODUCTS + 1


def test_pages_of_which_no_body_is_kept_say_so(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    crawl(database, web.url(), settings=config(store={"bodies": False}))
    assert extracted(database) == []
    told = rows(database, "SELECT error, count(*) FROM extract_pages GROUP BY error")
    assert told == [("no_body", PRODUCTS + 1)]


def test_a_persons_own_view_of_that_name_stays(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    crawl(database, web.url())
    connection = open_for_writing(database)
    connection.execute("CREATE VIEW extracted AS SELECT 1 AS mine")
    connection.close()
    analyse(database, Config(extract=dict(RULES)), lambda *_: None, processes=1)
    assert rows(database, "SELECT mine FROM extracted") == [(1,)]
    assert rows(database, "SELECT count(*) FROM extracts WHERE rule = 'price'") == [(PRODUCTS,)]


def test_duckdb_reads_the_same(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    crawl(database, web.url())
    wanted = extracted(database)
    with as_duckdb_sees(database) as duck:
        assert duck.execute(EXTRACTED).fetchall() == wanted
        assert duck.execute("SELECT count(DISTINCT value) FROM extracts").fetchone() is not None


def test_plain_sqlite_reads_the_view(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "shop.db"
    crawl(database, web.url())
    extracted(database)
    asked = subprocess.run(
        ["sqlite3", str(database), "SELECT sum(price) FROM extracted"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert float(asked.stdout) == sum(number + 0.5 for number in range(PRODUCTS))
