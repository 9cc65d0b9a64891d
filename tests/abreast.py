"""Do all tests pass, each room in a process of its own and several at once?

``make test``. Tests wait more than they compute: on two cores five rooms at once take a third of
the time, and a room that failed is seen beside others that ran, as on a machine that does other
things, too. What a room says is shown when it failed, with the command that has it again.
"""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
LONGEST_FIRST: Final = (
    HERE.name,
    "analyse",
    "crash",
    "channels",
    "store",
    "shards",
    "archives",
    "faces",
    "exports",
    "hostile",
    "fetch",
    "render",
)
"""Rooms that would keep all others waiting if they began last."""
AT_ONCE: Final = 5
PATIENCE_S: Final = 1800
"""A room that takes longer is ended; a test has its own limit."""
NO_TEST: Final = 5
"""What pytest ends with where a room has no test."""


class Room:
    """A folder of tests, or all files beside the folders, while it runs."""

    def __init__(self, name: str, seed: int, environment: Mapping[str, str]) -> None:
        self.name = name
        self._began = time.monotonic()
        self._said = tempfile.TemporaryFile("w+", errors="replace")  # noqa: SIM115
        paths = [HERE / name] if name != HERE.name else sorted(HERE.glob("test_*.py"))
        self.command = ["-q", f"--randomly-seed={seed}", *map(_from_here, paths)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "pytest", *self.command],
            cwd=HERE.parent,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._said,
            stderr=subprocess.STDOUT,
        )

    def ended(self) -> bool:
        """Has it come to its end, or to that of our patience?"""
        if time.monotonic() - self._began > PATIENCE_S:
            self._process.kill()
        return self._process.poll() is not None

    @property
    def passed(self) -> bool:
        """Did all of its tests pass?"""
        return self._process.returncode in (0, NO_TEST)

    def said(self) -> str:
        """All that it wrote."""
        self._said.seek(0)
        return self._said.read()

    def end(self) -> None:
        """End it as Ctrl-C does, so that what it began ends, too."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(30)
        except subprocess.TimeoutExpired:
            self._process.kill()


def _from_here(path: Path) -> str:
    return str(path.relative_to(HERE.parent))


def _names() -> Iterator[str]:
    """Rooms, those that take long first; the files beside them are a room, too."""
    there = {path.name for path in HERE.iterdir() if any(path.glob("test_*.py"))} | {HERE.name}
    yield from (name for name in LONGEST_FIRST if name in there)
    yield from sorted(there - set(LONGEST_FIRST))


@contextmanager
def _compiled() -> Iterator[Mapping[str, str]]:
    """The environment of rooms, in which what is imported is compiled once.

    Tests start hundreds of interpreters. Where these may not write beside the sources
    (``PYTHONDONTWRITEBYTECODE``), each would compile all again, and take twice as long.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        ours = dict(os.environ)
        if ours.pop("PYTHONDONTWRITEBYTECODE", ""):
            ours["PYTHONPYCACHEPREFIX"] = folder
        yield ours


def main() -> int:
    """Run all rooms; 1 when a test of one failed."""
    # Rooms end with us, and know Ctrl-C even where a shell lets background jobs ignore it.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # under nohup, which rooms need not know
        signal.signal(signal.SIGHUP, lambda *_: None)
    seed = random.SystemRandom().randrange(2**32)
    print(f"In the order that {seed} gives, {AT_ONCE} rooms at once")
    began = time.monotonic()
    waiting, told = list(_names()), []
    running: list[Room] = []
    failed: list[Room] = []
    with _compiled() as environment:
        try:
            while waiting or running:
                while waiting and len(running) < AT_ONCE:
                    running.append(Room(waiting.pop(0), seed, environment))
                time.sleep(0.2)
                for room in [room for room in running if room.ended()]:
                    running.remove(room)
                    told.append(_tell(room, time.monotonic() - began, running))
                    failed += [] if room.passed else [room]
        finally:
            for room in running:
                room.end()
    for room in failed:
        print(f'FAILED: {room.name}; once more: make test ARGS="{" ".join(room.command)}"')
    print(f"{_counted(told)} in {time.monotonic() - began:.2f}s")
    return 1 if failed else 0


def _tell(room: Room, seconds: float, others: list[Room]) -> str:
    """Say what became of a room, and all that it said when it failed. Returns its last line."""
    said = room.said().strip()
    if not room.passed:
        print(said)
    last = said.splitlines()[-1] if said else "it said nothing"
    still = f"; {', '.join(one.name for one in others)} still run" if others else ""
    print(f"{seconds:5.0f} s  {room.name:<10} {last}{still}", flush=True)
    return last


def _counted(told: list[str]) -> str:
    """The sum of lines such as ``3 passed, 1 skipped in 2.0s``."""
    counts: Counter[str] = Counter()
    for line in told:
        for number, word in re.findall(r"(\d+) (passed|failed|errors?|skipped|xfailed)", line):
            counts[word] += int(number)
    return ", ".join(f"{number} {word}" for word, number in counts.most_common())


if __name__ == "__main__":
    sys.exit(main())
