"""Are the rows that people take along those of the database, also in the tools that open them?"""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from crawler.errors import UsageError
from tests.crawls import rows
from tests.exports.site import AWKWARD, FORMULAS
from tests.exports.taking import take

ODD = """
    SELECT 'text' AS t, -5 AS negative, 2.5 AS f, 1e999 AS endless, NULL AS n,
        x'00ff' AS b, '-5' AS said, '-2+3' AS sum, char(10) || '=1' AS hidden,
        9007199254740991 AS big
"""


@pytest.mark.parametrize(("name", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_raw_cells_are_the_values_of_the_table(
    crawled: Path, tmp_path: Path, name: str, delimiter: str
) -> None:
    text = take(crawled, tmp_path / "x", name, table="links", raw=True).read_text(encoding="utf-8")
    head, *found = csv.reader(text.splitlines(keepends=True), delimiter=delimiter)
    expected = rows(crawled, "SELECT * FROM links")
    assert head[:3] == ["source_id", "position", "target_id"]
    assert found == [["" if one is None else str(one) for one in row] for row in expected]


@pytest.mark.parametrize(("name", "delimiter"), [("csv", ","), ("tsv", "\t")])
def test_no_cell_is_a_formula_and_numbers_stay_numbers(
    crawled: Path, tmp_path: Path, name: str, delimiter: str
) -> None:
    """OWASP, CSV Injection: such a cell gets a single quote before it."""
    made = take(crawled, tmp_path / "x", name, table="visits")
    with made.open(encoding="utf-8", newline="") as stream:
        titles = {row["title"] for row in csv.DictReader(stream, delimiter=delimiter)}
    assert {f"'{title}" for title in FORMULAS} <= titles
    assert {AWKWARD[0], "-5", "00420"} <= titles
    made = take(crawled, tmp_path / "odd", name, sql=ODD)
    with made.open(encoding="utf-8", newline="") as stream:
        [row] = csv.DictReader(stream, delimiter=delimiter)
    assert (row["negative"], row["said"], row["sum"]) == ("-5", "-5", "'-2+3")
    assert (row["hidden"], row["b"], row["n"]) == ("'\n'=1", "00ff", "")


@pytest.mark.parametrize(("name", "delimiter"), [("csv", ","), ("tsv", "\t")])
@pytest.mark.parametrize("raw", [True, False])
def test_no_end_of_line_in_a_cell_ends_its_row(
    crawled: Path, tmp_path: Path, name: str, delimiter: str, raw: bool
) -> None:
    sql = "SELECT 'a' || char(13) || 'b' AS said, 1 AS \"=1\", 'c' || char(0) AS last"
    made = take(crawled, tmp_path / "x", name, sql=sql, raw=raw)
    with made.open(encoding="utf-8", newline="") as stream:
        head, *found = csv.reader(stream, delimiter=delimiter)
    assert head == ["said", "=1" if raw else "'=1", "last"]
    assert found == [["a\rb", "1", "c\0"]]


def test_the_full_text_index_is_asked_as_any_table(crawled: Path, tmp_path: Path) -> None:
    """README's question; the index asks SQLite by itself whether somebody has written."""
    sql = """
        SELECT url, snippet(search, 1, '[', ']', '...', 24) AS said
        FROM search JOIN pages ON body_id = search.rowid
        WHERE search MATCH 'keeper' ORDER BY rank
    """
    made = take(crawled, tmp_path / "x", "jsonl", sql=sql).read_text(encoding="utf-8")
    assert [tuple(json.loads(line).values()) for line in made.splitlines()] == rows(crawled, sql)
    assert take(crawled, tmp_path / "y", "csv", table="search").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["csv", "jsonl", "xlsx", "parquet"])
def test_bytes_that_sql_calls_a_text_are_shown_as_far_as_they_are_one(
    crawled: Path, tmp_path: Path, name: str
) -> None:
    sql = "SELECT CAST(x'61ff62' AS TEXT) AS said"
    made = take(crawled, tmp_path / "x", name, sql=sql).read_bytes()
    assert "a\ufffdb".encode() in made or name in {"xlsx", "parquet"}


@pytest.mark.parametrize("name", ["csv", "jsonl", "xlsx", "parquet", "sitemap", "gexf"])
def test_what_goes_wrong_in_one_row_is_told_of_the_sql_and_leaves_nothing(
    crawled: Path, tmp_path: Path, name: str
) -> None:
    with pytest.raises(UsageError, match="--where: malformed JSON"):
        take(crawled, tmp_path / "x", name, where="json_extract(title, '$.a') = 1")
    assert list(tmp_path.iterdir()) == []


def test_every_object_has_the_values_of_its_row(crawled: Path, tmp_path: Path) -> None:
    made = take(crawled, tmp_path / "x", "jsonl", table="visits").read_text(encoding="utf-8")
    found = [json.loads(line) for line in made.split("\n")[:-1]]
    assert [tuple(one.values()) for one in found] == rows(crawled, "SELECT * FROM visits")
    made = take(crawled, tmp_path / "odd", "jsonl", sql=ODD).read_text(encoding="utf-8")
    odd = json.loads(made)
    assert math.isinf(odd["endless"])
    assert (odd["n"], odd["b"], odd["big"], odd["f"]) == (None, "00ff", 9007199254740991, 2.5)
