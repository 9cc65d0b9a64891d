"""Do spreadsheets and notebooks open what they are given, with the values of the database?"""

from __future__ import annotations

from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pandas as pd
import pyarrow.parquet as pq
import pytest

from crawler.errors import UsageError
from crawler.exports import xlsx
from crawler.store.database import open_for_writing
from tests.crawls import rows
from tests.exports.site import FORMULAS
from tests.exports.taking import remarks, take

VIEWS = ("broken_links", "changes", "crawl_summary", "page_versions", "audit_findings")


def sheets(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    book = openpyxl.load_workbook(path)
    return {sheet.title: list(sheet.iter_rows(values_only=True)) for sheet in book}


@pytest.mark.parametrize("name", ["csv", "tsv"])
def test_pandas_reads_each_cell(crawled: Path, tmp_path: Path, name: str) -> None:
    made = take(crawled, tmp_path / "x", name, table="visits", raw=True, bom=True)
    found = pd.read_csv(made, sep="\t" if name == "tsv" else ",", dtype={"title": str})
    expected = rows(crawled, "SELECT id, url_id, status, title FROM visits")
    assert found[["id", "url_id"]].to_numpy().tolist() == [list(row[:2]) for row in expected]
    assert [None if pd.isna(one) else int(one) for one in found["status"]] == [
        status for _, _, status, _ in expected
    ]
    assert [None if pd.isna(one) else one for one in found["title"]] == [
        title or None for *_, title in expected
    ]


def test_a_workbook_has_all_checks_and_a_sheet_for_each_group_with_findings(
    crawled: Path, tmp_path: Path
) -> None:
    found = sheets(take(crawled, tmp_path / "x.xlsx", "xlsx"))
    groups = rows(
        crawled,
        """
        SELECT group_name, count(*)
        FROM audit_findings
        WHERE state <> 'fixed'
        GROUP BY group_name
        """,
    )
    assert {name: len(table) - 1 for name, table in found.items() if name != "checks"} == dict(
        groups
    )
    (judged,) = rows(crawled, "SELECT count(*) FROM checks")[0]
    assert len(found["checks"]) - 1 == judged
    (told,) = rows(
        crawled, "SELECT count(DISTINCT url) FROM audit_findings WHERE state <> 'fixed'"
    )[0]
    urls = {row[3] for name, table in found.items() if name != "checks" for row in table[1:]}
    assert len(urls) == told


def test_a_crawl_that_was_not_analysed_has_no_findings_to_tell(
    crawled: Path, tmp_path: Path
) -> None:
    database = tmp_path / "young.db"
    database.write_bytes(crawled.read_bytes())
    with closing(open_for_writing(database)) as connection:
        connection.execute("DELETE FROM runs_checks")
    with pytest.raises(UsageError, match="crawler analyse"):
        take(database, tmp_path / "x.xlsx", "xlsx")
    assert not (tmp_path / "x.xlsx").exists()


def test_in_a_workbook_texts_are_texts_and_addresses_can_be_clicked(
    crawled: Path, tmp_path: Path
) -> None:
    made = take(
        crawled, tmp_path / "x.xlsx", "xlsx", table="page_versions", sheet=("broken_links",)
    )
    book = openpyxl.load_workbook(made)
    assert book.sheetnames == ["page_versions", "broken_links"]
    cells = {cell.value: cell for row in book["page_versions"].iter_rows() for cell in row}
    for title in FORMULAS:
        assert cells[title].data_type in "s", "a text and no formula"
    for (url,) in rows(crawled, "SELECT url FROM page_versions"):
        assert cells[url].hyperlink.target == url
    expected = rows(crawled, "SELECT * FROM broken_links")
    found = sheets(made)["broken_links"]
    assert [tuple(one or None for one in row) for row in found[1:]] == [
        tuple(one or None for one in row) for row in expected
    ]


def test_whole_numbers_that_a_spreadsheet_would_round_are_texts(
    crawled: Path, tmp_path: Path
) -> None:
    sql = "SELECT 9007199254740993 AS hash, 9007199254740992 AS top, 1e999 AS endless, x'00' AS b"
    found = sheets(take(crawled, tmp_path / "x.xlsx", "xlsx", sql=sql))
    assert found["rows"][1] == ("9007199254740993", 9007199254740992, "inf", "00")


def test_what_a_sheet_cannot_hold_goes_on_or_is_told(
    crawled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Excel's limits but for the numbers, of which two are made smaller for the time it takes."""
    assert (xlsx.MAX_ROWS, xlsx.MAX_LINKS, xlsx.MAX_CHARACTERS) == (1_048_576, 65_530, 32_767)
    monkeypatch.setattr(xlsx, "MAX_ROWS", 101)
    monkeypatch.setattr(xlsx, "MAX_LINKS", 30)
    sql = """
        WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers LIMIT 250)
        SELECT n, 'http://127.0.0.1/' || n AS url,
            iif(n = 1, replace(hex(zeroblob(17000)), '0', 'é'), '') AS long
        FROM numbers
    """
    told = remarks(crawled, tmp_path / "x.xlsx", "xlsx", sql=sql)
    found = sheets(tmp_path / "x.xlsx")
    assert {name: len(table) - 1 for name, table in found.items()} == {
        "rows": 100, "rows 2": 100, "rows 3": 50,
    }  # fmt: skip
    numbers = [row[0] for table in found.values() for row in table[1:]]
    assert numbers == list(range(1, 251))
    assert len(found["rows"][1][2]) == 32_767
    assert found["rows"][1][2].endswith("é…")
    assert told == (
        "rows: 70 cells cannot be clicked; a sheet holds 30 links, of 2,079 characters each",
        "rows: Cut: 1 text, ending with …; a cell holds 32,767 characters, and jsonl or csv all",
        "rows: 70 cells cannot be clicked; a sheet holds 30 links, of 2,079 characters each",
        "rows: 20 cells cannot be clicked; a sheet holds 30 links, of 2,079 characters each",
        "rows: goes on on 3 sheets; one holds 100 rows",
    )


@pytest.mark.parametrize("name", ["pages", "visits", "links", "urls", "bodies", *VIEWS])
def test_duckdb_reads_from_parquet_what_the_database_has(
    crawled: Path, tmp_path: Path, name: str
) -> None:
    made = take(crawled, tmp_path / "x.parquet", "parquet", query=name)
    read = duckdb.connect()
    described = read.sql(f"DESCRIBE SELECT * FROM '{made}'").fetchall()
    kinds = {column: kind for column, kind, *_ in described}
    times = {column for column, kind in kinds.items() if "TIMESTAMP" in kind}
    listed = ", ".join(
        f"strftime(\"{one}\" AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%g') || 'Z'"
        if one in times
        else f'"{one}"'
        for one in kinds
    )
    found = read.sql(f"SELECT {listed} FROM '{made}'").fetchall()
    assert found == rows(crawled, f"SELECT * FROM {name}")
    assert {one for one in kinds if one.endswith("_at")} - times <= {"not_before"} | {
        one for one in kinds if all(row[list(kinds).index(one)] is None for row in found)
    }


def test_parquet_has_the_types_of_the_values(crawled: Path, tmp_path: Path) -> None:
    sql = """
        SELECT 1 AS whole, 1.5 AS half, 'x' AS said, x'00' AS bytes, NULL AS none,
            '2026-11-29T12:00:00Z' AS made_at, '2026-02-30T12:00:00Z' AS no_day_at, 1 AS mixed
        UNION ALL
        SELECT 2, 1, 'y', x'01', NULL, NULL, NULL, 'two'
    """
    found = pd.read_parquet(take(crawled, tmp_path / "x.parquet", "parquet", sql=sql))
    assert [str(one) for one in found.dtypes] == [
        *("int64", "float64", "str", "object", "str"),
        *("datetime64[ms, UTC]", "str", "str"),
    ]
    assert found["made_at"][0] == datetime.fromisoformat("2026-11-29T12:00:00+00:00")
    assert list(found["mixed"]) == ["1", "two"]


def test_a_folder_by_run_is_read_as_one_table(crawled: Path, tmp_path: Path) -> None:
    made = take(crawled, tmp_path / "runs", "parquet", by_run=True)
    found = duckdb.sql(
        f"""
        SELECT run_id, url, title
        FROM read_parquet('{made}/*/*.parquet', hive_partitioning = true)
        ORDER BY run_id, url
        """
    ).fetchall()
    sql = "SELECT run_id, url, title FROM page_versions ORDER BY run_id, url"
    assert found == rows(crawled, sql)
    assert len({run for run, *_ in found}) == 2


def test_duckdb_reads_the_json_lines(crawled: Path, tmp_path: Path) -> None:
    made = take(crawled, tmp_path / "x.jsonl", "jsonl", table="links")
    found = duckdb.sql(f"SELECT source_id, position, anchor FROM '{made}'").fetchall()
    assert found == rows(crawled, "SELECT source_id, position, anchor FROM links")


def test_parts_of_runs_have_the_same_types_whatever_is_in_each(
    crawled: Path, tmp_path: Path
) -> None:
    sql = """
        SELECT run_id, CASE WHEN run_id = 2 THEN 7 END AS number,
            CASE WHEN run_id = 1 THEN '2026-11-29T12:00:00Z' END AS made_at
        FROM page_versions
    """
    made = take(crawled, tmp_path / "runs", "parquet", sql=sql, by_run=True)
    schemas = [pq.read_schema(one) for one in made.glob("*/*.parquet")]
    assert len(schemas) == 2
    assert schemas[0].equals(schemas[1])
    assert [str(one) for one in schemas[0].types] == ["int64", "timestamp[ms, tz=UTC]"]


def test_a_folder_by_run_holds_nothing_but_its_parts_and_replaces_itself_alone(
    crawled: Path, tmp_path: Path
) -> None:
    made = take(crawled, tmp_path / "runs", "parquet", by_run=True)
    files = sorted(str(one.relative_to(made)) for one in made.rglob("*") if one.is_file())
    assert files == ["run_id=1/part-0.parquet", "run_id=2/part-0.parquet"]
    whole = pd.read_parquet(made)
    assert len(whole) == rows(crawled, "SELECT count(*) FROM page_versions")[0][0]
    assert len(pd.read_parquet(take(crawled, made, "parquet", by_run=True))) == len(whole)
    whole.to_parquet(made / "run_id=1" / "part-0.parquet")  # somebody else's work
    with pytest.raises(UsageError, match="is a folder of something else"):
        take(crawled, made, "parquet", by_run=True)
