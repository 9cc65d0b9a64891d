"""Does one crawler have the file to itself, and does it harm no other?"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import gevent
import pytest
from gevent import subprocess

from crawler.analyse.run import analyse
from crawler.config import Config
from crawler.errors import StorageError, UsageError
from crawler.exports.merge import merge
from crawler.imports.run import bring
from crawler.store import lock, place
from crawler.store.database import Connection, open_for_reading, open_for_writing, sqlite3
from crawler.store.lock import WriterLock
from crawler.store.place import writable_place
from tests.archives.making import packed, response
from tests.crawls import crawl, rows
from tests.sites.skip import require_program
from tests.sites.web import Web
from tests.store.test_database import of_first_schema

TEXT = "Dear diary, today nothing happened.\n"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "crawl.db"


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A file of somebody's that nobody may touch."""
    folder = tmp_path / "theirs"
    folder.mkdir()
    file = folder / "diary.txt"
    file.write_text(TEXT)
    return file


def beside(database: Path, suffix: str) -> Path:
    return database.with_name(f"{database.name}{suffix}")


def fifo(path: Path, _: Path) -> None:
    os.mkfifo(path)


def folder(path: Path, _: Path) -> None:
    path.mkdir()


def copy(path: Path, victim: Path) -> None:
    path.write_text(victim.read_text())


def dangling(path: Path, victim: Path) -> None:
    path.symlink_to(victim.with_name("nothing"))


ODD = {
    "a symbolic link": Path.symlink_to,
    "a link to nothing": dangling,
    "a hard link": Path.hardlink_to,
    "a pipe": fifo,
    "a folder": folder,
}


@pytest.mark.parametrize("kind", [*ODD, "a text"])
def test_a_lock_that_is_no_lock_of_ours_is_refused_and_left_as_it_was(
    web: Web, database: Path, victim: Path, kind: str
) -> None:
    place = beside(database, ".lock")
    {**ODD, "a text": copy}[kind](place, victim)
    before = sorted(victim.parent.iterdir())
    with pytest.raises(StorageError, match=r"crawl\.db\.lock: is "):
        crawl(database, web.url())
    assert victim.read_text() == TEXT
    assert sorted(victim.parent.iterdir()) == before
    assert place.is_fifo() or place.is_dir() or place.is_symlink() or place.read_text() == TEXT
    assert (web.paths, database.exists()) == ([], False)


@pytest.mark.parametrize("suffix", ["-wal", "-shm", "-journal"])
@pytest.mark.parametrize("kind", list(ODD))
def test_what_sqlite_writes_beside_the_file_leads_nowhere_else(
    web: Web, database: Path, victim: Path, kind: str, suffix: str
) -> None:
    web.page("/")
    crawl(database, web.url())
    ODD[kind](beside(database, suffix), victim)
    for opened in (open_for_writing, open_for_reading):
        with pytest.raises(StorageError, match=rf"crawl\.db{suffix}: is "):
            opened(database)
    assert victim.read_text() == TEXT
    assert not victim.with_name("nothing").exists()


@pytest.mark.parametrize("kind", ["a symbolic link", "a link to nothing", "a hard link"])
def test_a_backup_is_written_through_no_link(database: Path, victim: Path, kind: str) -> None:
    of_first_schema(database)
    ODD[kind](beside(database, ".schema-1.bak"), victim)
    with pytest.raises(StorageError, match=r"crawl\.db\.schema-1\.bak: is "):
        open_for_writing(database)
    assert victim.read_text() == TEXT


@pytest.mark.parametrize("kind", ["a symbolic link", "a link to nothing", "a hard link"])
def test_a_backup_in_the_making_is_written_through_no_link(
    database: Path, victim: Path, kind: str
) -> None:
    of_first_schema(database)
    ODD[kind](beside(database, ".schema-1.bak.part"), victim)
    open_for_writing(database).close()
    assert victim.read_text() == TEXT
    assert not victim.with_name("nothing").exists()
    assert rows(beside(database, ".schema-1.bak"), "SELECT key FROM scopes") == [("example.org",)]


def test_a_backup_is_as_private_as_the_file(database: Path) -> None:
    of_first_schema(database)
    database.chmod(0o600)
    open_for_writing(database).close()
    assert stat.S_IMODE(beside(database, ".schema-1.bak").stat().st_mode) == 0o600


# One crawler a file, whatever name leads there


def linked(database: Path, other: Path) -> None:
    other.symlink_to(database)


def linked_through_a_folder(database: Path, other: Path) -> None:
    other.parent.rmdir()
    other.parent.symlink_to(database.parent)


def linked_twice(database: Path, other: Path) -> None:
    between = other.with_name("between.db")
    between.symlink_to(database)
    other.symlink_to(between)


def hard_linked(database: Path, other: Path) -> None:
    other.hardlink_to(database)


NAMES: dict[str, Callable[[Path, Path], None]] = {
    "a symbolic link": linked,
    "a link to a link": linked_twice,
    "a linked folder": linked_through_a_folder,
    "a hard link": hard_linked,
}


@pytest.mark.parametrize("kind", NAMES)
@pytest.mark.parametrize("way", ["by its name", "by the other"])
def test_a_file_has_one_crawler_whatever_it_is_called(
    web: Web, tmp_path: Path, kind: str, way: str
) -> None:
    web.page("/")
    database, other = tmp_path / "crawl.db", tmp_path / "folder" / "crawl.db"
    other.parent.mkdir()
    crawl(database, web.url())
    NAMES[kind](database, other)
    first, second = (database, other) if way == "by its name" else (other, database)
    asked = len(web.paths)
    held = WriterLock(first)
    with pytest.raises(StorageError, match="another crawler"):
        crawl(second, web.url())
    assert len(web.paths) == asked
    held.release()
    crawl(second, web.url())
    assert rows(database, "SELECT count(*) FROM runs") == [(2,)]


def test_a_hard_link_made_during_a_crawl_is_the_same_file(web: Web, tmp_path: Path) -> None:
    database, other = tmp_path / "crawl.db", tmp_path / "other.db"
    held = WriterLock(database)
    other.hardlink_to(database)
    with pytest.raises(StorageError, match="another crawler"):
        crawl(other, web.url())
    held.release()


def test_a_killed_run_goes_on_only_under_the_name_that_has_its_log(
    web: Web, tmp_path: Path
) -> None:
    web.page("/")
    database, other = tmp_path / "crawl.db", tmp_path / "other.db"
    crawl(database, web.url())
    connection = sqlite3.connect(str(database), isolation_level=None)
    connection.execute("UPDATE runs SET state = 'running'")
    connection.close()
    other.hardlink_to(database)
    with pytest.raises(StorageError, match="go on with it under that name"):
        crawl(other, web.url())


def test_reading_in_the_same_process_takes_no_lock_from_the_writer(
    web: Web, database: Path
) -> None:
    """Closing any descriptor of a file drops what this process has locked of it (fcntl(2))."""
    program = str(require_program("sqlite3", "apt-get install sqlite3"))
    web.page("/")
    crawl(database, web.url())
    held = WriterLock(database)
    writing = open_for_writing(database)
    writing.execute("PRAGMA journal_mode = DELETE")
    writing.execute("BEGIN EXCLUSIVE")
    assert lock.head_of(database, 16) == place.MAGIC
    asked = [program, "-readonly", str(database), "SELECT count(*) FROM runs"]
    answer = subprocess.run(asked, capture_output=True, text=True)
    assert "database is locked" in answer.stderr
    writing.close()
    held.release()


def test_an_empty_file_of_a_crawl_that_never_began_is_removed(database: Path) -> None:
    WriterLock(database).release()
    assert not database.exists()
    database.touch()
    WriterLock(database).release()
    assert database.exists()


# Names that are no file's


@pytest.mark.parametrize("name", [":memory:", "file:crawl.db", "file:x?mode=memory", "FILE:a.db"])
def test_what_sqlite_takes_for_another_thing_than_a_file_is_refused(name: str) -> None:
    for opened in (writable_place, open_for_reading):
        with pytest.raises(UsageError, match="is no name of a file"):
            opened(Path(name))


@pytest.mark.parametrize("name", ["/proc/x.db", "/sys/x.db"])
def test_a_place_where_no_file_can_be_made_is_told_by_the_databases_name(
    web: Web, name: str
) -> None:
    with pytest.raises(StorageError, match=f"^{name}: .*name another place with --db"):
        crawl(Path(name), web.url())


def test_a_folder_that_is_not_there_is_not_made_silently(web: Web, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"there is no folder .*/daat; make it with mkdir -p"):
        crawl(tmp_path / "daat" / "x.db", web.url())
    assert list(tmp_path.iterdir()) == []


def test_the_default_folder_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    writable_place(Path("data/x.db"))
    assert (tmp_path / "data").is_dir()


@pytest.mark.parametrize("odd", [fifo, folder])
def test_what_is_no_regular_file_is_refused(
    web: Web, database: Path, odd: Callable[[Path, Path], None]
) -> None:
    odd(database, database)
    for attempt in (lambda: crawl(database, web.url()), lambda: open_for_reading(database)):
        with pytest.raises(StorageError, match=r"crawl\.db: is (not a regular file|a folder)"):
            attempt()


def test_a_link_that_leads_back_to_itself_is_refused(web: Web, database: Path) -> None:
    database.symlink_to(database)
    for attempt in (lambda: crawl(database, web.url()), lambda: open_for_reading(database)):
        with pytest.raises(StorageError, match=r"crawl\.db: "):
            attempt()


def removed(path: Path) -> None:
    path.unlink()


def moved(path: Path) -> None:
    path.rename(path.with_name("elsewhere.db"))


def replaced(path: Path) -> None:
    removed(path)
    path.write_text(TEXT)


@pytest.mark.parametrize("done", [removed, moved, replaced])
def test_a_crawl_ends_when_its_file_is_no_longer_there(
    web: Web, database: Path, done: Callable[[Path], None]
) -> None:
    front = web.held("/")

    def interfere() -> None:
        front.asked.wait()
        done(database)

    meddler = gevent.spawn(interfere)
    try:
        with pytest.raises(StorageError, match="was removed, moved or replaced"):
            crawl(database, web.url("/"))
    finally:
        front.let_go()
        meddler.join()
    assert not database.exists() or database.read_text() == TEXT


def bringing(database: Path, then: Callable[[], None]) -> None:
    """Import an archive; `then` comes when it is read, and nothing of it is stored."""
    archive = database.with_name("in.warc.gz")
    archive.write_bytes(packed(response("http://a.example/", "A")))
    bring([archive], database, Config(), tell=print, progress=lambda _: then())


def analysing(database: Path, then: Callable[[], None]) -> None:
    """Analyse what was imported; `then` comes in the middle."""
    bringing(database, lambda: None)
    progress = {("links", 0): then}
    analyse(
        database,
        Config(),
        lambda step, done, _: progress.get((step, done), lambda: None)(),
        processes=1,
    )


def another_with_its_log(path: Path) -> None:
    """Put a crawl in its place of which a part stands in its log alone, as after a kill."""
    other = path.with_name("other.db")
    writing = open_for_writing(other)
    writing.execute("CREATE TABLE theirs (id INTEGER)")
    left = {suffix: beside(other, suffix).read_bytes() for suffix in ("-wal", "")}
    writing.close()
    for suffix, data in left.items():
        beside(other, suffix).write_bytes(data)
        beside(other, suffix).replace(beside(path, suffix))


@pytest.mark.parametrize("writing", [bringing, analysing])
@pytest.mark.parametrize("done", [removed, moved, replaced])
def test_whatever_writes_to_a_file_tells_when_it_is_no_longer_there(
    database: Path,
    writing: Callable[[Path, Callable[[], None]], None],
    done: Callable[[Path], None],
) -> None:
    with pytest.raises(StorageError, match=r"crawl\.db: was removed, moved or replaced"):
        writing(database, lambda: done(database))
    assert not database.exists() or database.read_text() == TEXT


@pytest.mark.parametrize("writing", [bringing, analysing])
def test_the_log_of_what_took_its_place_is_left_alone(
    database: Path, writing: Callable[[Path, Callable[[], None]], None]
) -> None:
    """SQLite removes a log by its name, whatever file that is of by now."""
    with pytest.raises(StorageError, match=r"crawl\.db: was removed, moved or replaced"):
        writing(database, lambda: another_with_its_log(database))
    assert rows(database, "SELECT count(*) FROM theirs") == [(0,)]


def test_a_file_that_another_crawl_replaces_is_not_merged_in_part(database: Path) -> None:
    """A file is opened several times, by its name: half of each would be in what is made."""
    other, out = database.with_name("in.db"), database.with_name("out.db")
    for source in (database, other):
        bringing(source, lambda: None)

    def then(done: int, _: int) -> None:
        if done == 2:
            another_with_its_log(database)

    with pytest.raises(StorageError, match=r"crawl\.db: was removed, moved or replaced"):
        merge(out, [database, other], then)
    assert not out.exists()


@pytest.mark.parametrize("opened", [open_for_reading, open_for_writing])
def test_a_copy_is_not_mixed_with_the_log_of_a_run_that_was_killed_in_its_place(
    web: Web, database: Path, opened: Callable[[Path], Connection]
) -> None:
    """SQLite writes any log into any file that bears its name, also when it only reads."""
    web.page("/")
    crawl(database, web.url())
    whole = database.read_bytes()
    killed = open_for_writing(database)
    killed.execute("CREATE TABLE theirs AS SELECT * FROM urls")
    log = beside(database, "-wal").read_bytes()
    killed.close()
    database.write_bytes(whole)
    for suffix in ("-wal", "-shm"):
        beside(database, suffix).unlink(missing_ok=True)
    beside(database, "-wal").write_bytes(log)
    with pytest.raises(StorageError, match=r"crawl\.db-wal, the log of another file"):
        opened(database)
    assert (database.read_bytes(), beside(database, "-wal").read_bytes()) == (whole, log)
    beside(database, "-wal").unlink()
    opened(database).close()


@pytest.mark.parametrize("left", ["running", "stopped", "killed", "empty"])
def test_the_log_of_the_file_itself_is_read(web: Web, database: Path, left: str) -> None:
    web.page("/")
    crawl(database, web.url())
    writing = open_for_writing(database)
    writing.execute("CREATE TABLE mine (id INTEGER)")
    names = (database, beside(database, "-wal"))
    file, log = (name.read_bytes() for name in names)
    if left != "running":
        writing.close()
    if left == "killed":
        database.write_bytes(file)
        beside(database, "-wal").write_bytes(log)
    elif left == "empty":
        beside(database, "-wal").touch()
    for opened in (open_for_reading, open_for_writing):
        reading = opened(database)
        assert reading.execute("SELECT count(*) FROM mine").fetchone() == (0,)
        reading.close()
    writing.close()


def changing(database: Path, *, cached: int = 2000) -> Connection:
    """In the middle of a change by a program that writes no log ahead."""
    other = sqlite3.connect(str(database), isolation_level=None)
    for pragma in ("journal_mode = DELETE", "synchronous = OFF", f"cache_size = {cached}"):
        other.execute(f"PRAGMA {pragma}")
    other.execute("BEGIN")
    other.execute("CREATE TABLE mine AS SELECT * FROM columns_help")
    other.execute("UPDATE columns_help SET meaning = meaning || meaning")
    return other


@pytest.mark.parametrize("cached", [2000, 2])
@pytest.mark.parametrize("opened", [open_for_reading, open_for_writing])
def test_a_copy_is_not_mixed_with_the_journal_of_a_change_that_was_killed_in_its_place(
    web: Web, database: Path, opened: Callable[[Path], Connection], cached: int
) -> None:
    """SQLite writes back what it finds under the file's name, also when it only reads."""
    web.page("/")
    crawl(database, web.url())
    whole = database.read_bytes()
    with closing(sqlite3.connect(str(database))) as since:
        since.execute("CREATE TABLE later AS SELECT * FROM columns_help")
    killed = changing(database, cached=cached)
    journal = beside(database, "-journal").read_bytes()
    killed.close()
    database.write_bytes(whole)
    beside(database, "-journal").write_bytes(journal)
    with pytest.raises(StorageError, match=r"crawl\.db-journal, the log of another file"):
        opened(database)
    assert (database.read_bytes(), beside(database, "-journal").read_bytes()) == (whole, journal)
    beside(database, "-journal").unlink()
    opened(database).close()


@pytest.mark.parametrize("cached", [2000, 2])
@pytest.mark.parametrize("killed", ["before it was written", "when it was written"])
@pytest.mark.parametrize("opened", [open_for_reading, open_for_writing])
def test_a_change_to_the_file_itself_that_was_killed_is_undone(
    web: Web, database: Path, opened: Callable[[Path], Connection], killed: str, cached: int
) -> None:
    web.page("/")
    crawl(database, web.url())
    other = changing(database, cached=cached)
    file, journal = (name.read_bytes() for name in (database, beside(database, "-journal")))
    if killed == "when it was written":
        other.execute("COMMIT")
        file = database.read_bytes()
    other.close()
    database.write_bytes(file)
    beside(database, "-journal").write_bytes(journal)
    with closing(opened(database)) as undone:
        assert undone.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = {name for (name,) in undone.execute("SELECT name FROM sqlite_master")}
    assert "mine" not in tables
    assert not beside(database, "-journal").exists()


def test_letting_go_leaves_what_belongs_to_another(database: Path) -> None:
    first = WriterLock(database)
    for file in (database, beside(database, ".lock")):
        file.unlink()
        file.write_text(TEXT)
    first.release()
    assert [database.read_text(), beside(database, ".lock").read_text()] == [TEXT, TEXT]
