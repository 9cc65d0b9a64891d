"""Power fails: of the write-ahead log only a part reached the disk, or a part of it is wrong.

SQLite drops what follows the first bad frame, so the file goes back to an earlier transaction.
Whichever that is, it is a whole one: no page without its fate, no fate without its page.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from crawler.failpoints import VARIABLE
from crawler.store.database import open_for_writing
from tests.crash.trial import IN_FLIGHT, Calm, Count, Trial, check_untorn, kill_all, settled, until

pytestmark = pytest.mark.timeout(600)
HEADER_BYTES = 32


@pytest.fixture(scope="module", params=[8, 2], ids=["early", "late"])
def broken_off(
    calm: Calm, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Trial:
    """A crawl that was killed: early, all of it still in the write-ahead log, or halfway."""
    trial = Trial(tmp_path_factory.mktemp("power"), [calm.maze.seed])
    process, goal = trial.start(), calm.maze.asked + calm.asked // request.param
    until(lambda: calm.maze.asked >= goal)
    kill_all(process)
    return trial


def copied(trial: Trial, folder: Path) -> Path:
    """The file and its log, as they lie on the disk."""
    copy = folder / "copy.db"
    for ending in ("", "-wal", "-shm", ".lock"):
        Path(f"{copy}{ending}").unlink(missing_ok=True)
    for ending in ("", "-wal"):
        shutil.copyfile(f"{trial.database}{ending}", f"{copy}{ending}")
    return copy


def cut(log: bytes, offset: int, chance: Random) -> bytes:
    """The end never reached the disk."""
    return log[:offset]


def blotted(log: bytes, offset: int, chance: Random) -> bytes:
    """A few bytes are others."""
    blot = bytes(byte ^ chance.randrange(1, 256) for byte in log[offset : offset + 8])
    return log[:offset] + blot + log[offset + 8 :]


def holed(log: bytes, offset: int, chance: Random) -> bytes:
    """A sector was never written, what follows was: disks keep no order."""
    start = offset // 512 * 512
    return log[:start] + bytes(512) + log[start + 512 :]


DAMAGES = (cut, blotted, holed)


def test_a_torn_log_gives_an_earlier_whole_state(
    broken_off: Trial, tmp_path: Path, chance: Random, count: Callable[[str], Count], long: bool
) -> None:
    log = Path(f"{broken_off.database}-wal").read_bytes()
    before = broken_off.settled()
    assert len(before) > 20, "the crawl was killed before it wrote much"
    this, kept_by_many = count("power loss: torn log"), set()
    for number in range(1000 if long else 100):
        copy = copied(broken_off, tmp_path)
        offset = chance.randrange(HEADER_BYTES if number % 4 else 0, len(log))
        Path(f"{copy}-wal").write_bytes(DAMAGES[number % 3](log, offset, chance))
        open_for_writing(copy).close()
        check_untorn(copy)
        kept = settled(copy)
        assert kept <= before
        kept_by_many.add(len(kept))
        this.rounds += 1
    assert len(kept_by_many) > 5, "all damages came to the same"


def test_an_untouched_log_keeps_all_of_it(broken_off: Trial, tmp_path: Path) -> None:
    copy = copied(broken_off, tmp_path)
    open_for_writing(copy).close()
    assert settled(copy) == broken_off.settled() != set()


def test_a_crawl_goes_on_after_a_power_loss_to_the_same_end(
    calm: Calm, broken_off: Trial, tmp_path: Path, chance: Random, count: Callable[[str], Count]
) -> None:
    log = Path(f"{broken_off.database}-wal").read_bytes()
    copy = copied(broken_off, tmp_path)
    Path(f"{copy}-wal").write_bytes(log[: chance.randrange(len(log) // 4, len(log))])
    trial = Trial(tmp_path / "on", [calm.maze.seed], database=copy)
    this, mark = count("power loss, then on"), calm.maze.asked
    this.rounds += 1
    already = len(trial.settled())
    trial.finish()
    calm.judge(trial, mark, this, 0)
    assert calm.maze.asked - mark <= calm.asked - already + IN_FLIGHT


def test_power_that_fails_in_a_checkpoint_leaves_a_sound_file(
    calm: Calm, tmp_path: Path, count: Callable[[str], Count]
) -> None:
    """The file holds pages of a later moment then; the log mends them."""
    trial = Trial(tmp_path / "on", [calm.maze.seed])
    assert trial.run(environment={VARIABLE: "checkpoint:15"}) < 0
    before = trial.settled()
    assert len(before) > 20
    copy = copied(trial, tmp_path)
    open_for_writing(copy).close()
    check_untorn(copy)
    assert settled(copy) == before
    count("power loss in a checkpoint").rounds += 1


def test_a_file_that_was_being_made_when_power_failed_is_made_again(
    calm: Calm, tmp_path: Path
) -> None:
    trial = Trial(tmp_path / "on", [calm.maze.seed])
    assert trial.run(environment={VARIABLE: "opened"}) < 0
    log = Path(f"{trial.database}-wal").read_bytes()
    for offset in [*range(0, len(log), 4096 + 24), len(log) - 1]:
        copy = copied(trial, tmp_path)
        Path(f"{copy}-wal").write_bytes(log[:offset])
        with closing(open_for_writing(copy)) as connection:
            names = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        assert {"urls", "runs", "broken_links"} <= names
