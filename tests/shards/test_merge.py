"""Is a file made of several crawls the file of one crawl of all that they crawled?"""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from crawler.errors import CrawlError, UsageError
from crawler.exports.merge import merge
from crawler.store.lock import WriterLock
from crawler.store.merging import Merged
from tests.crash.maze import Maze
from tests.crash.trial import check_untorn, whole_end
from tests.crawls import crawl, ends, fates, holding, rows
from tests.patience import until
from tests.sites.generated import GeneratedSite
from tests.sites.web import Web
from tests.terminal import Terminal

OLD = Path(__file__).parent.parent / "store" / "version_0_1_0.sql"
HISTORY = "SELECT count(*), count(DISTINCT run_id), count(DISTINCT body_id) FROM visits"


def merged(out: Path, *paths: Path) -> Merged:
    return merge(out, paths, lambda *_: None)


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Path]]:
    """Two sites that link to each other, each crawled alone, and both crawled together."""
    folder = tmp_path_factory.mktemp("three")
    web = Web()
    north, south = Maze(GeneratedSite(pages=40, seed=1)), Maze(GeneratedSite(pages=60, seed=2))
    other = web.host("127.0.7.1")
    web.page("/", links=[north.seed, south.seed, "/a"], title="A door", body="an ancient lantern")
    web.page("/a", links=[other.url("/")], title="Its hall")
    other.page("/", links=[web.url(), web.url("/a"), south.seed], title="Another door")
    seeds = {
        "north": (north.seed, web.url()),
        "south": (south.seed, other.url()),
        "both": (north.seed, web.url(), south.seed, other.url()),
    }
    for name, lines in seeds.items():
        crawl(folder / f"{name}.db", *lines)
    yield [folder / f"{name}.db" for name in seeds]
    for site in (north, south, web):
        site.close()


def test_two_crawls_are_what_one_crawl_of_both_would_have_been(
    three: list[Path], tmp_path: Path
) -> None:
    north, south, both = three
    made = merged(tmp_path / "all.db", north, south)
    check_untorn(tmp_path / "all.db")
    assert whole_end(tmp_path / "all.db") == whole_end(both)
    assert not made.kept_ids
    assert made.same > 0, "each has links that only the other could follow"


def test_the_order_of_the_files_changes_nothing(three: list[Path], tmp_path: Path) -> None:
    north, south, _ = three
    for name, paths in (("one.db", (north, south)), ("other.db", (south, north))):
        merged(tmp_path / name, *paths)
    assert ends(tmp_path / "one.db") == ends(tmp_path / "other.db")
    assert rows(tmp_path / "one.db", HISTORY) == rows(tmp_path / "other.db", HISTORY)


def test_of_a_page_that_both_have_the_later_one_counts_and_the_visits_of_both_stay(
    web: Web, tmp_path: Path
) -> None:
    web.page("/", links=["/a", "/b"], title="As it was")
    web.page("/a", title="A page that goes")
    crawl(tmp_path / "early.db", web.url())
    web.page("/", links=["/b", "/c"], title="As it is")
    web.page("/c", title="A new one")
    crawl(tmp_path / "late.db", web.url())
    made = merged(tmp_path / "all.db", tmp_path / "late.db", tmp_path / "early.db")
    check_untorn(tmp_path / "all.db")
    titles = dict(rows(tmp_path / "all.db", "SELECT url, title FROM pages"))
    assert titles[web.url()] == "As it is"
    assert titles[web.url("/a")] == "A page that goes"
    assert titles[web.url("/c")] == "A new one"
    of_front = "SELECT target.url FROM links JOIN urls AS target ON target.id = target_id"
    assert {url for (url,) in rows(tmp_path / "all.db", of_front)} == {web.url("/b"), web.url("/c")}
    front = "SELECT count(*) FROM visits JOIN urls ON urls.id = url_id WHERE url = ?"
    assert rows(tmp_path / "all.db", front, web.url()) == [(2,)]
    assert made.same == 3, "front page, /b and robots.txt"


def test_what_was_made_goes_on_as_a_crawl(three: list[Path], tmp_path: Path) -> None:
    north, south, both = three
    made = tmp_path / "all.db"
    merged(made, north, south)
    before = fates(made)
    seeds = [text for (text,) in rows(both, "SELECT text FROM seeds ORDER BY line")]
    outcome = crawl(made, *seeds)
    assert outcome.state == "finished"
    assert fates(made) == before
    check_untorn(made)
    assert rows(made, "SELECT count(*) FROM runs") == [(2,)]


def test_bodies_left_out_by_one_are_taken_from_the_other(three: list[Path], tmp_path: Path) -> None:
    north, _, _ = three
    bare = tmp_path / "bare.db"
    with closing(sqlite3.connect(bare)) as copy, closing(sqlite3.connect(north)) as source:
        source.backup(copy)
        copy.execute("UPDATE bodies SET body = NULL")
        copy.commit()
    merged(tmp_path / "all.db", bare, north)
    assert rows(tmp_path / "all.db", "SELECT count(*) FROM bodies WHERE body IS NULL") == [(0,)]
    assert whole_end(tmp_path / "all.db") == whole_end(north)


# What a person sees


def test_the_command_analyses_what_it_made_and_tells_what_came_of_it(
    three: list[Path], tmp_path: Path
) -> None:
    north, south, _ = three
    ran = Terminal(tmp_path)("merge", "all.db", str(north), str(south))
    assert ran.code == 0, ran.err
    assert "Merged: all.db, " in ran.err
    assert holding(tmp_path / "all.db", "lantern"), "full text is there"
    assert rows(tmp_path / "all.db", "SELECT count(*) > 0 FROM findings") == [(1,)]
    with closing(sqlite3.connect(tmp_path / "all.db")) as plain:
        assert plain.execute("PRAGMA journal_mode").fetchone() == ("delete",)


def test_without_an_analysis_it_says_how_one_is_made(three: list[Path], tmp_path: Path) -> None:
    north, south, _ = three
    ran = Terminal(tmp_path)("merge", "--no-analyse", "all.db", str(north), str(south))
    assert ran.code == 0, ran.err
    assert "crawler analyse --db all.db" in ran.err
    assert rows(tmp_path / "all.db", "SELECT count(*) FROM findings") == [(0,)]


def _older(path: Path) -> None:
    with closing(sqlite3.connect(path)) as made:
        made.executescript(OLD.read_text())


def _linked(path: Path, to: Path) -> None:
    path.symlink_to(to)


def _changed(path: Path, source: Path, *sql: str) -> Path:
    """A copy that somebody has changed."""
    path.write_bytes(source.read_bytes())
    with closing(sqlite3.connect(path, isolation_level=None)) as made:
        for one in ("PRAGMA legacy_alter_table = ON", *sql):
            made.execute(one)
    return path


def _prepared(table: str, *sql: str) -> Callable[[Path, Path], list[Path]]:
    """One whose table takes whatever it is given."""

    def given(folder: Path, north: Path) -> list[Path]:
        as_any = (
            f"ALTER TABLE {table} RENAME TO other",
            f"CREATE TABLE {table} AS SELECT * FROM other",
        )
        return [folder / "all.db", north, _changed(folder / "odd.db", north, *as_any, *sql)]

    return given


def _damaged(folder: Path, north: Path) -> list[Path]:
    """One of which nothing is wrong that anybody sees who does not read its pages."""
    odd = _changed(folder / "odd.db", north, "INSERT INTO links SELECT * FROM links LIMIT 0")
    with closing(sqlite3.connect(odd)) as file:
        [(page, size)] = file.execute(
            "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_master "
            "WHERE name = 'visits'"
        )
    data = bytearray(odd.read_bytes())
    data[(page - 1) * size : (page - 1) * size + 8] = b"\xff" * 8
    odd.write_bytes(data)
    return [folder / "all.db", north, odd]


def _shard(path: Path, source: Path, number: int, nonce: int, other: int) -> Path:
    """A crawl as a shard of two, which has met another."""
    shard = f"INSERT INTO shard (number, shards, nonce) VALUES ({number}, 2, {nonce})"
    peer = f"INSERT INTO peers (number, nonce) VALUES ({3 - number}, {other})"
    return _changed(path, source, shard, peer)


REFUSED: dict[str, tuple[Callable[[Path, Path], list[Path]], str]] = {
    "one file": (lambda folder, north: [folder / "all.db", north], "name two files or more"),
    "OUT is there": (lambda folder, north: [north, north, folder / "x.db"], "is there"),
    "no folder": (lambda folder, north: [folder / "no" / "x.db", north, north], "no folder"),
    "the same twice": (lambda folder, north: [folder / "all.db", north, north], "named twice"),
    "by another name": (
        lambda folder, north: (
            _linked(folder / "link.db", north) or [folder / "all.db", north, folder / "link.db"]
        ),
        "named twice",
    ),
    "older": (
        lambda folder, north: (
            _older(folder / "old.db") or [folder / "all.db", north, folder / "old.db"]
        ),
        "crawler analyse --db",
    ),
    "ids that are texts": (
        _prepared("urls", "UPDATE urls SET id = 'x' || id"),
        "odd.db: its table",
    ),
    "ids that are SQL": (_prepared("runs", "UPDATE runs SET id = '1 OR 1'"), "odd.db: its table"),
    "no ids": (_prepared("urls", "UPDATE urls SET id = NULL"), "odd.db: its table urls is not as"),
    "a table is missing": (
        lambda folder, north: [
            folder / "all.db",
            north,
            _changed(folder / "odd.db", north, "DROP TABLE visits"),
        ],
        "odd.db: its table visits is missing",
    ),
    "a row that refers to no run": (
        lambda folder, north: [
            folder / "all.db",
            north,
            _changed(folder / "odd.db", north, "DELETE FROM runs"),
        ],
        "odd.db: NOT NULL",
    ),
    "damaged": (_damaged, "odd.db: the file is damaged"),
    "beside another": (
        lambda folder, north: [
            folder / "odd.db-journal",
            north,
            _changed(folder / "odd.db", north),
        ],
        "would take it for its own, of odd.db",
    ),
    "shards of two crawls": (
        lambda folder, north: [
            folder / "all.db",
            _shard(folder / "one.db", north, 1, 11, 22),
            _shard(folder / "two.db", north, 2, 33, 11),
        ],
        "two.db: is shard 2/2 of another crawl than .*one.db",
    ),
    "not there": (
        lambda folder, north: [folder / "all.db", north, folder / "none.db"],
        "no such database",
    ),
}


@pytest.mark.parametrize("why", REFUSED)
def test_what_cannot_be_merged_is_one_line_and_leaves_nothing(
    three: list[Path], tmp_path: Path, why: str
) -> None:
    given, said = REFUSED[why]
    out, *paths = given(tmp_path, three[0])
    before = {path.name for path in tmp_path.iterdir()}
    with pytest.raises(CrawlError, match=said) as refused:
        merged(out, *paths)
    assert "\n" not in str(refused.value)
    assert {path.name for path in tmp_path.iterdir()} == before


def test_what_came_to_be_there_meanwhile_is_not_replaced(three: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "all.db"

    def somebody(_done: int, _whole: int) -> None:
        out.write_bytes(b"of somebody")

    with pytest.raises(UsageError, match="is there"):
        merge(out, three[:2], somebody)
    assert [one.read_bytes() for one in tmp_path.iterdir()] == [b"of somebody"]


def test_a_crawl_that_runs_is_refused(three: list[Path], tmp_path: Path) -> None:
    north, south, _ = three
    lock = WriterLock(south)
    try:
        with pytest.raises(CrawlError, match="a crawl is writing to it"):
            merged(tmp_path / "all.db", north, south)
    finally:
        lock.release()
    merged(tmp_path / "all.db", north, south)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_one_that_is_stopped_leaves_nothing_that_looks_whole(
    three: list[Path], tmp_path: Path, number: int
) -> None:
    north, south, both = three
    terminal = Terminal(tmp_path)
    with terminal.start("merge", "--no-analyse", "all.db", str(north), str(south)) as process:
        until(lambda: any(tmp_path.iterdir()) or process.poll() is not None)
        process.send_signal(number)
        process.wait()
    if process.returncode != 0:
        assert not (tmp_path / "all.db").exists()
    if number != signal.SIGKILL:
        assert [path.name for path in tmp_path.iterdir()] in ([], ["all.db"])
    (tmp_path / "all.db").unlink(missing_ok=True)
    assert terminal("merge", "--no-analyse", "all.db", str(north), str(south)).code == 0
    assert whole_end(tmp_path / "all.db") == whole_end(both)
    assert [path.name for path in tmp_path.iterdir()] == ["all.db"]
