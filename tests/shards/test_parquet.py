"""Are the files of shards, or of several crawls, one table for DuckDB?"""

from __future__ import annotations

import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests import engines
from tests.crawls import crawl, rows
from tests.exports.test_door import ENDLESS, FIRST_VERSION, left_in
from tests.patience import until
from tests.shards.realm import SHARDS, Shards, addresses
from tests.sites.web import Web
from tests.terminal import Terminal

HOSTS, PAGES = 7, 5
SPREAD = "read_parquet('{}/**/*.parquet', hive_partitioning = true)"


def publish(web: Web) -> set[str]:
    """Hosts with a chain of pages each, of which every page leads to the next host; all pages."""
    hosts = [web.host(address) for address in addresses(HOSTS, SHARDS)]
    for place, host in enumerate(hosts):
        following = hosts[(place + 1) % HOSTS]
        for page in range(PAGES):
            links = [following.url("/0"), host.url(f"/{(page + 1) % PAGES}")]
            host.page(f"/{page}", links=links, title=f"{page} of {place}")
    return {host.url(f"/{page}") for host in hosts for page in range(PAGES)}


def asked(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """What DuckDB answers of an export, which is called `made`."""
    return duckdb.sql(sql.replace("made", SPREAD.format(folder))).fetchall()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[set[str], list[Path]]]:
    """All pages that there are, and the files of the shards that have crawled them."""
    web = Web()
    pages = publish(web)
    with engines.serve() as engine:
        running = Shards(tmp_path_factory.mktemp("shards"), sorted(pages), engine)
        running.finish()
        yield pages, running.files
        running.close()
    web.close()


@pytest.fixture
def files(published: tuple[set[str], list[Path]], crawler: Terminal) -> list[Path]:
    """Copies of the shards, where the command runs."""
    return [Path(shutil.copy(one, crawler.folder)) for one in published[1]]


@pytest.fixture
def crawler(tmp_path: Path) -> Terminal:
    """The command, in an empty folder."""
    return Terminal(tmp_path)


def test_all_shards_are_one_table_that_tells_them_apart(
    published: tuple[set[str], list[Path]], crawler: Terminal
) -> None:
    pages, shards = published
    words = ["export", "parquet", *map(str, reversed(shards))]
    ran = crawler(*words, "--where", "url NOT LIKE '%robots.txt'", "--out", "pages")
    assert (ran.code, ran.err) == (0, f"Written: pages, {HOSTS * PAGES} rows\n")
    made = crawler.folder / "pages"
    assert sorted(str(one.relative_to(made)) for one in made.rglob("*") if one.is_file()) == [
        f"shard={number}/part-0.parquet" for number in range(1, SHARDS + 1)
    ]
    found = asked(made, "SELECT url, shard FROM made")
    assert len(found) == HOSTS * PAGES
    assert {url for url, _ in found} == pages
    for number, shard in enumerate(shards, 1):
        of_shard = "SELECT url FROM pages WHERE url NOT LIKE '%robots.txt'"
        assert {url for url, one in found if one == number} == {
            url for (url,) in rows(shard, of_shard)
        }
    again = asked(made, "SELECT count(DISTINCT id), count(DISTINCT host_id) FROM made")
    assert again == [(HOSTS * PAGES, HOSTS)], "ids are of all shards"
    assert crawler(*words, "--out", "pages").code == 0, "it replaces itself"


def test_links_lead_from_shard_to_shard(
    published: tuple[set[str], list[Path]], crawler: Terminal
) -> None:
    for table in ("links", "urls"):
        words = ["export", "parquet", *map(str, published[1]), "--table", table, "--out", table]
        assert crawler(*words).code == 0
    urls, links = (SPREAD.format(crawler.folder / name) for name in ("urls", "links"))
    joined = f"""
        FROM {links} AS links
        JOIN {urls} AS source ON source.id = source_id
        JOIN {urls} AS target ON target.id = target_id
    """
    [(count,)] = duckdb.sql(f"SELECT count(*) {joined}").fetchall()
    assert count == 2 * HOSTS * PAGES
    fetched = f"SELECT DISTINCT url FROM {urls} WHERE kind = 'page' AND state = 'done'"
    abroad = f"SELECT DISTINCT target.url {joined} WHERE target.reason = 'other_shard'"
    strangers = duckdb.sql(f"({abroad}) EXCEPT ({fetched})").fetchall()
    assert strangers == [], "what is another shard's is in the table as that one knows it"
    assert duckdb.sql(abroad).fetchall()


def test_shards_and_runs_are_both_told_by_folders(
    published: tuple[set[str], list[Path]], crawler: Terminal
) -> None:
    words = ["export", "parquet", *map(str, published[1]), "--by-run", "--out", "runs"]
    for _ in range(2):
        assert crawler(*words).code == 0
    found = asked(crawler.folder / "runs", "SELECT DISTINCT shard, run_id FROM made ORDER BY ALL")
    assert found == [(number, 1) for number in range(1, SHARDS + 1)]


def test_shards_that_are_missing_are_told(files: list[Path], crawler: Terminal) -> None:
    ran = crawler("export", "parquet", *map(str, files[1:]), "--out", "pages")
    assert ran.err.splitlines()[0] == f"{SHARDS - 1} of {SHARDS} shards are in it"
    found = asked(crawler.folder / "pages", "SELECT DISTINCT shard FROM made ORDER BY shard")
    assert found == [(2,), (3,)]


def test_crawls_are_told_apart_by_the_names_of_their_files(web: Web, crawler: Terminal) -> None:
    other = web.host("127.0.7.1")
    web.page("/", links=["/a", "/b"], title="North")
    web.page("/a")
    web.page("/b")
    other.page("/", title="South")
    for name, url in (("up north = ö", web.url()), ("south", other.url())):
        crawl(crawler.folder / f"{name}.db", url)
    words = ["export", "parquet", "up north = ö.db", "south.db", "--where", "kind = 'page'"]
    assert crawler(*words, "--table", "urls", "--out", "all").code == 0
    found = asked(
        crawler.folder / "all", "SELECT crawl, count(*) FROM made GROUP BY ALL ORDER BY 1"
    )
    assert found == [("south", 1), ("up north = ö", 3)]


def test_a_column_has_one_type_whatever_is_in_each_file(
    files: list[Path], crawler: Terminal
) -> None:
    sql = """
        SELECT CASE number WHEN 1 THEN 1 WHEN 2 THEN 0.5 END AS half,
            CASE number WHEN 3 THEN 'x' WHEN 1 THEN 7 END AS mixed,
            CASE number WHEN 2 THEN '2026-11-29T12:00:00Z' END AS made_at
        FROM shard
    """
    assert crawler("export", "parquet", *map(str, files), "--sql", sql, "--out", "x").code == 0
    kinds = asked(crawler.folder / "x", "DESCRIBE SELECT * FROM made")
    assert [kind for _, kind, *_ in kinds] == [
        *("DOUBLE", "VARCHAR", "TIMESTAMP WITH TIME ZONE", "BIGINT"),
    ]
    found = asked(crawler.folder / "x", "SELECT shard, half, mixed FROM made ORDER BY shard")
    assert found == [(1, 1.0, "7"), (2, 0.5, None), (3, None, "x")]


def _executed(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as opened:
        opened.executescript(sql)


def _whole(files: Sequence[Path]) -> None:
    for place, file in enumerate(files):
        if place:
            _executed(file, "DELETE FROM shard")


def _torn(files: Sequence[Path]) -> None:
    """Pages of the first file are overwritten behind what is read when it is opened."""
    [(root,)] = rows(files[0], "SELECT rootpage FROM sqlite_master WHERE name = 'links'")
    [(size,)] = rows(files[0], "PRAGMA page_size")
    with files[0].open("r+b") as opened:
        opened.seek((root - 1) * size)
        opened.write(b"\xff" * size)


def _older(files: Sequence[Path]) -> None:
    files[0].unlink()
    _executed(files[0], FIRST_VERSION.read_text(encoding="utf-8"))


REFUSED: dict[str, tuple[Callable[[Sequence[Path]], object], list[str], int, str]] = {
    "another format": (len, ["csv", "--out", "x"], 2, "csv takes one database (parquet takes"),
    "no folder named": (len, ["parquet"], 2, "name it with --out"),
    "by both ways": (len, ["parquet", "--db", "y.db", "--out", "x"], 2, "do one of both"),
    "to a pipe": (len, ["parquet", "--out", "-"], 2, "a folder is written"),
    "to one of them": (len, ["parquet", "--out", "shard2.db"], 2, "is the database itself"),
    "the same twice": (len, ["parquet", "shard3.db", "--out", "x"], 2, "is named twice"),
    "by another name": (
        lambda files: (files[0].parent / "l.db").symlink_to(files[2]),
        ["parquet", "l.db", "--out", "x"],
        2,
        "is named twice",
    ),
    "a shard twice": (
        lambda files: shutil.copy(files[2], files[2].with_name("copy.db")),
        ["parquet", "copy.db", "--out", "x"],
        2,
        "is shard 3, as ",
    ),
    "of other crawls": (
        lambda files: _executed(files[1], "UPDATE shard SET shards = 4"),
        ["parquet", "--out", "x"],
        2,
        "is shard 2/4, and others are shards of 3",
    ),
    "a whole crawl": (_whole, ["parquet", "--out", "x"], 2, "shard2.db: is a whole crawl"),
    "an unknown column": (
        len,
        ["parquet", "--where", "titel = 1", "--out", "x"],
        2,
        'no column "titel" (did you mean "title"?)',
    ),
    "a run of some": (
        lambda files: _executed(files[1], "DELETE FROM runs"),
        ["parquet", "--run", "1", "--out", "x"],
        2,
        "shard2.db: no run 1",
    ),
    "a column of that name": (
        len,
        ["parquet", "--sql", "SELECT 1 AS shard", "--out", "x"],
        2,
        '"shard" tells the files apart',
    ),
    "other columns": (
        lambda files: (
            _executed(files[1], "CREATE VIEW mine AS SELECT 1 AS b")
            or [_executed(one, "CREATE VIEW mine AS SELECT 1 AS a") for one in files[::2]]
        ),
        ["parquet", "--table", "mine", "--out", "x"],
        2,
        "shard2.db: has other columns than shard1.db (a, b)",
    ),
    "an older one": (_older, ["parquet", "--out", "x"], 3, "shard1.db: is an older crawler's"),
    "a damaged one": (
        _torn,
        ["parquet", "--table", "links", "--out", "x"],
        3,
        "shard1.db: the file is damaged",
    ),
    "one that is not there": (
        lambda files: files[1].unlink(),
        ["parquet", "--out", "x"],
        3,
        "shard2.db: no such database",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_taken_together_is_one_line_and_leaves_nothing(
    files: list[Path], crawler: Terminal, why: str
) -> None:
    prepare, (format, *words), code, said = REFUSED[why]
    prepare(files)
    before = left_in(crawler.folder)
    ran = crawler("export", format, *(one.name for one in files), *words)
    assert (ran.code, ran.out) == (code, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
    assert left_in(crawler.folder) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_one_that_is_stopped_leaves_nothing_that_looks_whole(
    files: list[Path], crawler: Terminal, number: signal.Signals
) -> None:
    before = left_in(crawler.folder)
    words = ["export", "parquet", *(one.name for one in files), "--out", "x"]
    with crawler.start(*words, "--sql", f"SELECT * FROM ({ENDLESS}) LIMIT 50000000") as process:
        until(lambda: left_in(crawler.folder) != before)
        process.send_signal(number)
        process.wait(timeout=60)
    assert not (crawler.folder / "x").exists()
    if number != signal.SIGKILL:
        assert left_in(crawler.folder) == before
    assert crawler(*words).code == 0
    assert left_in(crawler.folder) == sorted([*before, "x"])


def test_a_folder_of_files_that_were_exported_one_by_one_is_not_replaced(
    files: list[Path], crawler: Terminal
) -> None:
    (crawler.folder / "mine" / "deep").mkdir(parents=True)
    single = ["export", "parquet", files[0].name, "--out", "mine/deep/shard1.parquet"]
    assert crawler(*single).code == 0
    ran = crawler("export", "parquet", *(one.name for one in files), "--out", "mine")
    assert (ran.code, "is a folder of something else" in ran.err) == (2, True)
    assert (crawler.folder / "mine" / "deep" / "shard1.parquet").is_file()
