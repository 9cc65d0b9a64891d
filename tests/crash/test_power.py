"""Power fails: of the write-ahead log only a part reached the disk, or a part of it is wrong.

SQLite drops what follows the first bad frame, so the file goes back to an earlier transaction.
Whichever that is, it is a whole one: no page without its fate, no fate without its page.

What was copied into the file, or was being copied, can no longer be lost from the log: it was
synced before. So damage is done only to what follows it.
"""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from crawler.failpoints import VARIABLE
from crawler.store.database import open_for_writing
from tests.crash.trial import UNSETTLED, Calm, Count, Trial, check_untorn, kill_all, settled
from tests.patience import until

pytestmark = pytest.mark.timeout(600)
HEADER_BYTES = 32
FRAME_BYTES = 24 + 4096
LEAST_FRAMES = 150
"""So many must be in the log alone for damage to come to different ends."""


@dataclass(frozen=True, slots=True)
class Log:
    """The part of a write-ahead log that a power loss may touch, in bytes: what is in the log alone
    and in use; behind it may lie frames of an earlier turn.

    begin: 0 when nothing of this turn was copied into the file, so that the header counts too.
    """

    begin: int
    end: int

    @classmethod
    def of(cls, database: Path) -> Log:
        """As the killed process left it: SQLite, "WAL-Index File Format"."""
        index = Path(f"{database}-shm").read_bytes()
        (frames,) = struct.unpack_from("=I", index, 16)
        copied = max(*struct.unpack_from("=I", index, 96), *struct.unpack_from("=I", index, 128))
        begin = HEADER_BYTES + copied * FRAME_BYTES if copied else 0
        return cls(begin, HEADER_BYTES + frames * FRAME_BYTES)

    @property
    def frames(self) -> int:
        """How many are in the log alone."""
        return (self.end - self.begin) // FRAME_BYTES


@pytest.fixture(scope="module", params=[8, 2], ids=["early", "late"])
def broken_off(
    calm: Calm, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Trial:
    """A crawl that was killed, early or halfway, when a part of it was in the log alone."""
    trial = Trial(tmp_path_factory.mktemp("power"), [calm.maze.seed])
    further = calm.asked // request.param
    for _ in range(10):
        process, goal = trial.start(), calm.maze.asked + further
        until(lambda goal=goal: calm.maze.asked >= goal)
        kill_all(process)
        if Log.of(trial.database).frames > LEAST_FRAMES:
            return trial
        further = calm.asked // 40  # it was killed in a checkpoint, or soon after one
    raise AssertionError("the log never held enough")


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
    start = -(-offset // 512) * 512
    return log[:start] + bytes(512) + log[start + 512 :]


DAMAGES = (cut, blotted, holed)


def test_a_torn_log_gives_an_earlier_whole_state(
    broken_off: Trial, tmp_path: Path, chance: Random, count: Callable[[str], Count], long: bool
) -> None:
    log, part = Path(f"{broken_off.database}-wal").read_bytes(), Log.of(broken_off.database)
    before = broken_off.settled()
    assert len(before) > 20, "the crawl was killed before it wrote much"
    this, kept_by_many = count("power loss: torn log"), set()
    for number in range(1000 if long else 100):
        copy = copied(broken_off, tmp_path)
        least = HEADER_BYTES if number % 4 else 0
        offset = chance.randrange(max(least, part.begin), part.end)
        Path(f"{copy}-wal").write_bytes(DAMAGES[number % 3](log, offset, chance))
        open_for_writing(copy).close()
        check_untorn(copy)
        kept = settled(copy)
        assert kept <= before
        kept_by_many.add(len(kept))
        this.rounds += 1
    assert len(kept_by_many) > (1 if part.begin else 5), "all damages came to the same"


def test_an_untouched_log_keeps_all_of_it(broken_off: Trial, tmp_path: Path) -> None:
    copy = copied(broken_off, tmp_path)
    open_for_writing(copy).close()
    assert settled(copy) == broken_off.settled() != set()


def test_a_crawl_goes_on_after_a_power_loss_to_the_same_end(
    calm: Calm, broken_off: Trial, tmp_path: Path, chance: Random, count: Callable[[str], Count]
) -> None:
    log, part = Path(f"{broken_off.database}-wal").read_bytes(), Log.of(broken_off.database)
    copy = copied(broken_off, tmp_path)
    least = part.begin + (part.end - part.begin) // 4
    Path(f"{copy}-wal").write_bytes(log[: chance.randrange(least, part.end)])
    trial = Trial(tmp_path / "on", [calm.maze.seed], database=copy)
    this, mark = count("power loss, then on"), calm.maze.asked
    this.rounds += 1
    already = len(trial.settled())
    trial.finish()
    calm.judge(trial, mark, this, 0)
    assert calm.maze.asked - mark <= calm.asked - already + UNSETTLED


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
