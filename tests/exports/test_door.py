"""Is an export whole or not there, of one moment, and told in one line where it cannot be?"""

from __future__ import annotations

import random
import signal
import sqlite3
import stat
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import FrameType

import pytest

from crawler.errors import UsageError
from crawler.exports import formats, run
from crawler.store.database import open_for_writing
from crawler.store.moment import Choice, moment
from tests.crawls import config, crawl, rows
from tests.exports.taking import NOW
from tests.patience import PATIENT_S, until
from tests.sites.web import Web
from tests.terminal import Terminal

FIRST_VERSION = Path(__file__).parents[1] / "store" / "version_0_1_0.sql"
HIDDEN = ".crawler-part"


def left_in(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def test_every_format_and_option_is_told_by_the_command(crawler: Terminal) -> None:
    ran = crawler("export", "--help")
    assert ran.code == 0
    for name, one in formats.FORMATS.items():
        assert name in crawler("export").out
        assert one.help in " ".join(crawler("export").out.split())
    for option in formats.OPTIONS:
        assert f"--{option.name}" in ran.out
        assert any(option.name in one.takes for one in formats.FORMATS.values())


def test_every_option_that_a_format_takes_exists() -> None:
    known = {one.name for one in formats.OPTIONS}
    assert {name for one in formats.FORMATS.values() for name in one.takes} <= known


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cvs"], 'no format "cvs" (did you mean "csv"?'),
        (["csv", "--table", "pagse"], 'no table "pagse" (did you mean "pages"?)'),
        (
            ["csv", "--query", "brokenlinks"],
            'no query "brokenlinks" (did you mean "broken_links"?)',
        ),
        (["csv", "--where", "titel = 1"], '--where: no column "titel" (did you mean "title"?)'),
        (["csv", "--sql", "SELECT titel FROM pages"], 'no column "titel" (did you mean "title"?)'),
        (["csv", "--sql", "SELECT p.titel FROM pages AS p"], 'no column "titel"'),
        (["csv", "--sql", "SELECT * FROM pagse"], 'no table "pagse" (did you mean "pages"?)'),
        (["csv", "--sql", "SELECT 1; SELECT 2"], "--sql: "),
        (["csv", "--sql", "DELETE FROM pages"], "--sql: only reading is allowed"),
        (["csv", "--sql", "PRAGMA journal_mode"], "--sql: "),
        (["csv", "--sql", "ATTACH 'x.db' AS x"], "--sql: "),
        (["csv", "--sql", ""], "--sql: "),
        (["csv", "--sql", "SELECT load_extension('x')"], "--sql: "),
        (["csv", "--where", "1); DELETE FROM pages; --"], "--where: "),
        (["csv", "--table", "pages", "--sql", "SELECT 1"], "give one of them"),
        (["csv", "--where", "id = ?"], "--where: has a ? or a :name in it"),
        (["csv", "--where", "url LIKE 'x"], "--where: unrecognized token"),
        (["csv", "--run", "9" * 30], "is not in the range"),
        (["csv", "--out", "n" * 300], "cannot be written: File name too long"),
        (["csv", "--run", "9"], "no run 9 (there are 1 to 2)"),
        (["csv", "--run", "1", "--table", "hosts"], "--run: hosts has no column run_id"),
        (["csv", "--out", "nowhere/x.csv"], "there is no folder nowhere"),
        (["csv", "--out", "."], "is a folder"),
        (["csv", "--out", "site.db"], "is the database itself"),
        (["csv", "--out", "site.db-wal"], "is the database itself"),
    ],
)
def test_what_cannot_be_is_one_line_and_leaves_nothing(
    crawler: Terminal, crawled: Path, words: list[str], said: str
) -> None:
    database = crawler.folder / "site.db"
    database.write_bytes(crawled.read_bytes())
    before = left_in(crawler.folder)
    ran = crawler("export", *words, "--db", "site.db")
    assert (ran.code in (2, 3), ran.out) == (True, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
    assert left_in(crawler.folder) == before
    assert database.read_bytes() == crawled.read_bytes()


def test_an_option_of_other_formats_is_refused(crawler: Terminal, crawled: Path) -> None:
    ran = crawler("export", "jsonl", "--raw", "--db", str(crawled))
    assert (ran.code, ran.err) == (2, "crawler: jsonl takes no --raw (of csv, tsv)\n")


def test_a_pipe_gets_what_a_file_gets(crawler: Terminal, crawled: Path) -> None:
    piped = crawler("export", "csv", "--db", str(crawled))
    asked = crawler("export", "csv", "--db", str(crawled), "--out", "-")
    named = crawler("export", "csv", "--db", str(crawled), "--out", "pages.csv")
    assert piped.out == asked.out == (crawler.folder / "pages.csv").read_text(encoding="utf-8")
    assert named.out == ""
    assert named.err.startswith("Written: pages.csv, ")


def test_where_and_sql_may_be_commented_and_joined(crawled: Path) -> None:
    asked = Choice(sql="SELECT url, url, status FROM pages -- all\n;", where="status = 200 -- good")
    with moment(crawled) as held:
        found = held.rows(held.select(asked))
        assert found.columns == ("url", "url_2", "status")
        assert {status for *_, status in found.rows} == {200}


def test_a_run_is_what_it_left_of_its_pages(crawled: Path) -> None:
    with moment(crawled) as held:
        for number, title in ((1, "=HYPERLINK"), (2, "No formula")):
            asked = Choice(run=number, where="url LIKE '%/page/0'")
            selection = held.select(asked)
            [row] = held.rows(selection).rows
            told = dict(zip(selection.columns, row, strict=True))
            assert told["run_id"] == number
            assert told["title"].startswith(title)


def test_what_is_written_while_an_export_runs_is_not_in_it(crawled: Path, tmp_path: Path) -> None:
    database = tmp_path / "live.db"
    database.write_bytes(crawled.read_bytes())
    writing = open_for_writing(database)  # as a crawl has it open: in WAL mode
    with closing(writing), moment(database) as held:
        before = [row for (row,) in rows(database, "SELECT url FROM pages ORDER BY id")]
        found = held.rows(held.select(Choice(sql="SELECT url FROM pages ORDER BY id"))).rows
        first = next(found)
        writing.execute("UPDATE pages SET url = url || '?later'")
        assert [url for (url,) in (first, *found)] == before
        again = held.rows(held.select(Choice(sql="SELECT url FROM pages ORDER BY id"))).rows
        assert [url for (url,) in again] == before


def test_a_database_is_never_replaced(crawler: Terminal, crawled: Path) -> None:
    other = crawler.folder / "other.db"
    other.write_bytes(crawled.read_bytes())
    ran = crawler("export", "csv", "--db", str(crawled), "--out", "other.db")
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "is a database" in ran.err
    assert other.read_bytes() == crawled.read_bytes()


@pytest.mark.parametrize("name", ["sqlite", "csv", "markdown"])
def test_what_came_to_be_there_meanwhile_is_not_replaced(
    crawled: Path, tmp_path: Path, name: str
) -> None:
    out = tmp_path / "out"
    mine = out / "mine.db" if name == "markdown" else out

    def somebody(_done: int, _whole: int) -> None:
        mine.parent.mkdir(exist_ok=True)
        mine.write_bytes(crawled.read_bytes())

    with pytest.raises(UsageError, match=r"is a (database|folder of something else)"):
        run.export(
            run.find(name), [crawled], out,
            options={one.key: () if one.many else None for one in formats.OPTIONS},
            now=NOW, progress=somebody,
        )  # fmt: skip
    assert mine.read_bytes() == crawled.read_bytes()


def test_no_database_is_made_beside_the_log_of_another(crawler: Terminal, crawled: Path) -> None:
    before, log = crawler.folder / "x.db", crawler.folder / "x.db-wal"
    before.write_bytes(crawled.read_bytes())
    with closing(open_for_writing(before)) as connection:
        connection.execute("UPDATE pages SET title = 'of before'")
        left = log.read_bytes()
    before.unlink()
    log.write_bytes(left)
    of_two = crawler.folder / "other.db"
    of_two.write_bytes(crawled.read_bytes())
    for words in (
        ["export", "sqlite", "--db", str(crawled), "--out", "x.db"],
        ["merge", "x.db", str(crawled), "other.db"],
    ):
        ran = crawler(*words)
        assert (ran.code, ran.err.count("\n")) == (3, 1)
        assert "x.db: beside it stands x.db-wal, of a database that was there" in ran.err
        assert not before.exists()
    log.unlink()
    assert crawler("export", "sqlite", "--db", str(crawled), "--out", "x.db").code == 0
    assert rows(before, "SELECT count(*) FROM pages WHERE title = 'of before'") == [(0,)]


@pytest.mark.parametrize("deep", [False, True])
def test_a_folder_into_which_somebody_put_a_file_is_never_replaced(
    crawler: Terminal, crawled: Path, deep: bool
) -> None:
    words = ["export", "markdown", "--out", "pages", "--db"]
    assert crawler(*words, str(crawled)).code == 0
    assert crawler(*words, str(crawled)).code == 0, "as it was made, it is replaced"
    [beneath] = [one for one in (crawler.folder / "pages").iterdir() if one.is_dir()]
    mine = (beneath if deep else beneath.parent) / "mine.db"
    mine.write_bytes(crawled.read_bytes())
    ran = crawler(*words, str(mine))
    assert (ran.code, ran.err.count("\n")) == (2, 1)
    assert "--out pages: holds other files than the export that made it" in ran.err
    assert mine.read_bytes() == crawled.read_bytes()


def test_a_file_that_is_named_is_replaced_and_keeps_its_permissions(
    crawler: Terminal, crawled: Path
) -> None:
    target = crawler.folder / "pages.csv"
    target.write_text("before")
    target.chmod(0o604)
    link = crawler.folder / "link.csv"
    link.symlink_to("pages.csv")
    assert crawler("export", "csv", "--db", str(crawled), "--out", "link.csv").code == 0
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8").startswith("id,url,")
    assert target.stat().st_mode & 0o777 == 0o604


def test_a_folder_that_is_named_is_replaced_and_keeps_its_permissions(
    crawler: Terminal, crawled: Path
) -> None:
    """Whoever keeps others out of a folder keeps them out of what is put there."""
    target = crawler.folder / "pages"
    target.mkdir(mode=0o700)
    for _ in "an empty one", "an export":
        assert crawler("export", "mirror", "--db", str(crawled), "--out", "pages").code == 0
        assert (target / "index.html").is_file()
        assert stat.S_IMODE(target.stat().st_mode) == 0o700


def test_a_device_is_written_to_and_stays_one(crawler: Terminal, crawled: Path) -> None:
    assert crawler("export", "csv", "--db", str(crawled), "--out", "/dev/null").code == 0
    assert not Path("/dev/null").is_file()


def test_a_full_disk_leaves_nothing_and_is_told(crawler: Terminal, crawled: Path) -> None:
    """A limit of the size of files stands for the disk: the same error comes from the same call."""
    sql = "SELECT a.url, b.url FROM pages AS a, pages AS b, pages AS c"
    words = ["export", "csv", "--db", str(crawled), "--out", "x.csv", "--sql", sql]
    with crawler.start(*words, preexec_fn=few_bytes) as process:
        _, said = process.communicate(timeout=PATIENT_S)
    assert process.returncode == 3
    assert said.decode().splitlines() == ["crawler: x.csv: cannot be written: File too large"]
    assert left_in(crawler.folder) == []


def few_bytes() -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_a_smaller_database_on_a_full_disk_is_told_in_one_line(
    crawler: Terminal, crawled: Path
) -> None:
    words = ["export", "sqlite", "--db", str(crawled), "--out", "x.db"]
    with crawler.start(*words, preexec_fn=few_bytes) as process:
        _, said = process.communicate(timeout=PATIENT_S)
    assert process.returncode == 3
    [line] = said.decode().splitlines()
    assert line.startswith("crawler: x.db: ")
    assert left_in(crawler.folder) == []


def test_a_package_on_a_full_disk_is_told_in_one_line(
    crawler: Terminal, tmp_path: Path, web: Web
) -> None:
    web.raw("/", body=random.Random(7).randbytes(3_000_000))
    database = tmp_path / "noise.db"
    crawl(database, web.url(), settings=config())
    before = left_in(crawler.folder)
    words = ["export", "wacz", "--db", str(database), "--out", "x.wacz"]
    with crawler.start(*words, preexec_fn=few_bytes) as process:
        _, said = process.communicate(timeout=PATIENT_S)
    assert process.returncode == 3
    assert said.decode().splitlines() == ["crawler: x.wacz: cannot be written: File too large"]
    assert left_in(crawler.folder) == before


ENDLESS = """
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers)
    SELECT n, 'https://www.example.org/' || n FROM numbers
"""
SILENT = (
    "SELECT count(*) FROM pages a, pages b, pages c, pages d, pages e, pages f, pages g, pages h"
)


def test_a_signal_that_comes_while_sql_is_judged_is_no_refusal(crawled: Path) -> None:
    """A handler raises between any two steps: here in what SQLite asks about each of them."""

    def signalled(frame: FrameType, _event: str, _more: object) -> None:
        if frame.f_code.co_name == "judge":
            raise KeyboardInterrupt

    with moment(crawled) as held:
        before = sys.gettrace()
        sys.settrace(signalled)
        try:
            with pytest.raises(KeyboardInterrupt):
                held.select(Choice(sql="SELECT url FROM pages"))
        finally:
            sys.settrace(before)
        assert held.select(Choice(sql="SELECT url FROM pages")).columns == ("url",)


@pytest.mark.parametrize("sql", [ENDLESS, SILENT], ids=["writing", "asking"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_an_export_and_nothing_is_left(
    crawler: Terminal, crawled: Path, number: signal.Signals, sql: str
) -> None:
    words = ["export", "csv", "--db", str(crawled), "--out", "x.csv", "--sql", sql]
    with crawler.start(*words) as process:
        until(lambda: left_in(crawler.folder))
        process.send_signal(number)
        _, said = process.communicate(timeout=PATIENT_S)
    assert process.returncode == 130
    assert len(said.decode().splitlines()) == 1
    assert "nothing of it is left" in said.decode()
    assert left_in(crawler.folder) == []


def test_what_a_kill_leaves_has_another_name_and_the_next_export_removes_it(
    crawler: Terminal, crawled: Path
) -> None:
    words = ["export", "csv", "--db", str(crawled), "--out", "x.csv"]
    others = crawler.folder / f".x.csv.mine{HIDDEN}"
    others.write_text("somebody's")
    with crawler.start(*words, "--sql", ENDLESS) as process:
        until(lambda: len(left_in(crawler.folder)) == 2)
        with crawler.start(*words) as beside:
            assert beside.wait(timeout=PATIENT_S) == 0
        being_made = [one for one in left_in(crawler.folder) if str(process.pid) in one]
        assert len(being_made) == 1, "what is still written to is left alone"
        process.kill()
        process.wait()
    (crawler.folder / "x.csv").unlink()
    assert left_in(crawler.folder) == sorted([*being_made, others.name])
    assert crawler(*words).code == 0
    assert left_in(crawler.folder) == sorted(["x.csv", others.name])


def test_a_reader_that_goes_away_is_no_error(crawler: Terminal, crawled: Path) -> None:
    words = ["export", "csv", "--db", str(crawled), "--sql", ENDLESS]
    with crawler.start(*words) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"n,'https://www.example.org/' || n\n"
        process.stdout.close()
        assert process.wait(timeout=PATIENT_S) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_an_output_that_takes_nothing_is_not_blamed_on_the_database(
    crawler: Terminal, crawled: Path
) -> None:
    with Path("/dev/full").open("wb") as full:
        words = ["export", "csv", "--db", str(crawled)]
        with crawler.start(*words, stdout=full) as process:
            _, said = process.communicate(timeout=PATIENT_S)
    assert process.returncode == 3
    assert said.decode() == (
        "crawler: standard output: cannot be written: No space left on device\n"
    )


def test_a_terminal_is_commanded_by_nothing(
    crawler: Terminal, crawled: Path, pseudo_terminal: Callable[[list[str]], bytes]
) -> None:
    sql = "SELECT char(27) || ']0;owned' || char(7) AS said"
    shown = pseudo_terminal(["csv", "--db", str(crawled), "--out", "-", "--sql", sql])
    assert b"\\x1b]0;owned\\x07" in shown
    assert b"\x1b]0" not in shown


def test_on_a_terminal_a_file_beside_the_database_is_made_and_never_replaced(
    crawler: Terminal, crawled: Path, pseudo_terminal: Callable[[list[str]], bytes]
) -> None:
    (crawler.folder / "site.db").write_bytes(crawled.read_bytes())
    words = ["csv", "--query", "broken_links", "--db", "site.db"]
    assert b"Written: site.broken_links.csv" in pseudo_terminal(words)
    made = (crawler.folder / "site.broken_links.csv").read_bytes()
    assert made.startswith(b"page,")
    assert b"is there; --out site.broken_links.csv replaces it" in pseudo_terminal(words)


def test_who_lacks_what_a_format_needs_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(run, "find_spec", lambda _name: None)
    for name, one in formats.FORMATS.items():
        if not one.needs:
            assert run.find(name) is one
            continue
        with pytest.raises(run.UsageError, match=rf"pip install 'crawler\[{one.extra}\]'"):
            run.find(name)


@pytest.mark.parametrize(
    "words",
    [
        ["export", "mirror", "--out", "x"],
        ["export", "mirror", "--out", "x", "--where", "status = 200"],
        ["export", "graphml", "--out", "x"],
        ["export", "rss", "--where", "change = 'gone'"],
        ["export", "xlsx", "--out", "x.xlsx"],
        ["export", "csv", "--run", "1"],
        ["export", "csv", "--query", "near_duplicate_pages"],
        ["export", "csv", "--table", "findings"],
        ["export", "parquet", "--by-run", "--out", "x"],
        ["export", "markdown", "--run", "1", "--out", "x"],
        ["export", "sqlite", "--run", "1", "--out", "x"],
        ["audit"],
    ],
    ids=" ".join,
)
def test_an_older_file_is_told_to_be_one_and_how_it_becomes_new(
    crawler: Terminal, words: list[str]
) -> None:
    with closing(sqlite3.connect(str(crawler.folder / "old.db"))) as connection:
        connection.executescript(FIRST_VERSION.read_text(encoding="utf-8"))
    ran = crawler(*words, "--db", "old.db")
    assert (ran.code, ran.out) == (3, "")
    assert ran.err == (
        "crawler: old.db: is an older crawler's, and lacks what this reads; "
        "crawler analyse --db old.db brings it up to date\n"
    )
    assert crawler("analyse", "--db", "old.db").code == 0
    assert crawler(*words, "--db", "old.db").code in (0, 1)


def test_a_killed_export_leaves_nothing_that_the_next_does_not_take_away(
    crawler: Terminal, crawled: Path
) -> None:
    """A workbook needs a folder while it is made: that goes, too."""
    sql = "SELECT a.url, b.url FROM pages AS a, pages AS b, pages AS c, pages AS d"
    words = ["export", "xlsx", "--db", str(crawled), "--out", "x.xlsx"]
    with crawler.start(*words, "--sql", sql) as process:
        until(lambda: len(left_in(crawler.folder)) == 2)
        process.kill()
        process.wait()
    assert all(HIDDEN in name for name in left_in(crawler.folder))
    assert crawler(*words).code == 0
    assert left_in(crawler.folder) == ["x.xlsx"]


@pytest.mark.parametrize(
    ("harm", "name"),
    [
        ("UPDATE bodies SET body = zeroblob(100)", "mirror"),
        ("UPDATE bodies SET body = zeroblob(100)", "warc"),
        ("UPDATE bodies SET body = substr(body, 1, 40)", "wacz"),
        ("UPDATE visits SET headers = 'none'", "warc"),
        ("UPDATE visits SET headers = '[]'", "wacz"),
        ("UPDATE bodies SET body_bytes = body_bytes - 1", "mirror"),
        ("UPDATE bodies SET body_bytes = 1 << 40", "warc"),
    ],
)
def test_what_is_damaged_within_a_file_is_told_in_one_line(
    crawler: Terminal, crawled: Path, tmp_path: Path, harm: str, name: str
) -> None:
    harmed = tmp_path / "harmed.db"
    harmed.write_bytes(crawled.read_bytes())
    with closing(sqlite3.connect(harmed)) as connection:
        connection.execute(harm)
        connection.commit()
    ran = crawler("export", name, "--db", str(harmed), "--out", str(tmp_path / "out"))
    assert (ran.code, ran.err.count("\n")) == (3, 1), ran.err
    assert "is damaged" in ran.err
    assert left_in(tmp_path) == ["harmed.db"]
