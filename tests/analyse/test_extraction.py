"""Do rules of extraction work on pages that were crawled before they were written?"""

from __future__ import annotations

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
