"""How does a test come by a disk that is soon full?"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from gevent import subprocess

from tests.crash.trial import Trial


@contextmanager
def small_disk(place: Path, size: str) -> Iterator[Path]:
    """A disk of its own in memory, of this size; needs root, and leave to mount."""
    place.mkdir()
    if os.geteuid() != 0 or mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)):
        pytest.skip("a small disk: only root may mount one, and few containers let it")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def mount(*how: str) -> int:
    """The exit code of `mount`."""
    code: int = subprocess.run(["mount", *how], stderr=subprocess.DEVNULL, check=False).returncode
    return code


def says_in_one_line(trial: Trial, *parts: str) -> None:
    """One line for people, with all of this in it."""
    assert trial.said.count("\n") == 1, trial.said
    for part in (str(trial.database), *parts):
        assert part in trial.said
