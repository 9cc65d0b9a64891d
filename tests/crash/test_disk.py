"""The disk is full, read-only or broken: one line, exit code 3, and later the crawl goes on."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from crawler.config import Config
from crawler.errors import StorageError
from crawler.failpoints import VARIABLE
from crawler.store.database import open_for_writing
from crawler.store.rows import insert_links
from crawler.store.writer import Writer
from tests.crash.disk import mount, says_in_one_line, small_disk
from tests.crash.trial import Calm, Count, Trial, Watch, check_untorn
from tests.crawls import rows

STORAGE = StorageError.exit_code
TO_THE_BRIM = {"store.min_free_bytes": 0}
pytestmark = pytest.mark.timeout(600)


def test_a_full_disk_ends_the_crawl_and_with_room_it_goes_on(
    calm: Calm, tmp_path: Path, count: Callable[[str], Count]
) -> None:
    with small_disk(tmp_path / "disk", "4m") as disk:
        trial = Trial(tmp_path, [calm.maze.seed], database=disk / "crawl.db", settings=TO_THE_BRIM)
        this, mark, watch = count("disk full"), calm.maze.asked, Watch(calm.maze)
        assert trial.run() == STORAGE
        says_in_one_line(trial, "disk is full")
        this.rounds += 1
        watch.note(trial)
        kept = trial.settled()
        assert len(kept) > 20
        asked = calm.maze.asked_by_the_dead
        assert trial.run() == STORAGE, "still full"
        says_in_one_line(trial, "full", "space") if "space" in trial.said else says_in_one_line(
            trial
        )
        this.rounds += 1
        assert trial.settled() >= kept
        assert calm.maze.asked - asked < 200
        assert mount("-o", "remount,size=200m", str(disk)) == 0
        trial.finish()
        calm.judge(trial, mark, this, 60)
        assert watch.again() == set()


@pytest.mark.parametrize(
    "point", ["opened", pytest.param("before-commit", marks=pytest.mark.torture)]
)
def test_a_disk_that_is_full_after_a_kill_loses_nothing(
    calm: Calm, tmp_path: Path, count: Callable[[str], Count], point: str
) -> None:
    with small_disk(tmp_path / "disk", "60m") as disk:
        trial = Trial(tmp_path, [calm.maze.seed], database=disk / "crawl.db")
        this, mark = count("kill, then disk full"), calm.maze.asked
        assert trial.run(environment={VARIABLE: "after-commit:20"}) == -9
        filler = disk / "filler"
        _fill(filler)
        kept = trial.settled()
        assert trial.run() == STORAGE, trial.said
        says_in_one_line(trial)
        assert trial.run(environment={VARIABLE: point}) in (STORAGE, -9)
        this.rounds += 3
        assert trial.settled() == kept
        filler.unlink()
        trial.finish()
        calm.judge(trial, mark, this, 60)


def test_a_run_that_ends_without_room_for_the_index_leaves_a_whole_file_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The links are there, the log is not, and with room the next run makes the index."""
    made = tmp_path / "made.db"
    with closing(open_for_writing(made)) as connection:
        links = ((source, 0, source, "a", "x" * 40) for source in range(150_000))
        connection.execute("BEGIN")
        connection.executemany(insert_links(("anchor",)), links)
        connection.execute("COMMIT")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with small_disk(tmp_path / "disk", f"{made.stat().st_size // 1024 + 700}k") as disk:
        database = disk / "crawl.db"
        shutil.copyfile(made, database)
        for size, indexes in ((None, 0), ("100m", 1)):
            if size is not None:
                assert mount("-o", f"remount,size={size}", str(disk)) == 0
            writer = Writer(database, Config(), agent="test")
            writer.open(seeds_file="", version="0")
            writer.finish(state="finished", reason="finished")
            writer.close()
            assert [file.name for file in disk.iterdir()] == ["crawl.db"]
            found = "SELECT count(*) FROM sqlite_master WHERE name = 'links_target_id'"
            assert rows(database, found) == [(indexes,)]
            assert rows(database, "PRAGMA journal_mode") == [("delete",)]
    assert caplog.text.count("no index by target") == 1


def _fill(file: Path) -> None:
    with file.open("wb", buffering=0) as filler:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while filler.write(bytes(size)) == size:
                    pass
            except OSError:
                continue


@pytest.mark.parametrize(
    "limit",
    [
        pytest.param(300_000, marks=pytest.mark.torture),
        1_000_000,
        pytest.param(2_500_000, marks=pytest.mark.torture),
    ],
)
def test_a_file_that_may_not_grow_ends_the_crawl_and_loses_nothing(
    calm: Calm, tmp_path: Path, count: Callable[[str], Count], limit: int
) -> None:
    """The variant that needs no root: the kernel refuses writes beyond a size with EFBIG."""
    trial = Trial(tmp_path, [calm.maze.seed])
    this, mark, watch = count("file may not grow"), calm.maze.asked, Watch(calm.maze)
    bound = (limit, resource.RLIM_INFINITY)
    code = trial.run(before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, bound))
    assert code == STORAGE, trial.said
    says_in_one_line(trial, "I/O error")
    this.rounds += 1
    watch.note(trial)
    trial.finish()
    calm.judge(trial, mark, this, 60)
    assert watch.again() == set()


def test_a_read_only_place_is_refused_before_any_request(calm: Calm, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "60m") as disk:
        trial = Trial(tmp_path, [calm.maze.seed], database=disk / "crawl.db")
        assert mount("-o", "remount,ro", str(disk)) == 0
        mark = calm.maze.asked_by_the_dead
        assert trial.run() == STORAGE
        says_in_one_line(trial, "ead-only")
        assert calm.maze.asked == mark


def test_a_disk_that_becomes_read_only_ends_the_crawl_and_it_goes_on_later(
    calm: Calm, tmp_path: Path, count: Callable[[str], Count]
) -> None:
    """After a kill, for a disk with open files cannot be made read-only."""
    with small_disk(tmp_path / "disk", "60m") as disk:
        trial = Trial(tmp_path, [calm.maze.seed], database=disk / "crawl.db")
        this, mark = count("kill, then read-only"), calm.maze.asked
        assert trial.run(environment={VARIABLE: "after-commit:10"}) == -9
        assert mount("-o", "remount,ro", str(disk)) == 0
        asked = calm.maze.asked_by_the_dead
        assert trial.run() == STORAGE
        says_in_one_line(trial, "ead-only")
        assert calm.maze.asked == asked
        this.rounds += 2
        assert mount("-o", "remount,rw", str(disk)) == 0
        trial.finish()
        calm.judge(trial, mark, this, 60)
        check_untorn(trial.database)


def test_a_folder_in_place_of_the_file_is_refused(calm: Calm, tmp_path: Path) -> None:
    trial = Trial(tmp_path, [calm.maze.seed], database=tmp_path / "folder")
    trial.database.mkdir()
    assert trial.run() == STORAGE
    says_in_one_line(trial, "folder")
