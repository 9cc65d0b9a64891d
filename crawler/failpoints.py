"""Where shall this process die, so that a test can prove that nothing is lost?

Off unless ``CRAWLER_FAILPOINT=name[:nth]`` asks for one of `POINTS`: there, when it is reached for
the nth time, the process kills itself with SIGKILL, which nothing can catch or tidy up after.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from pathlib import Path
from typing import Final, NoReturn

VARIABLE: Final = "CRAWLER_FAILPOINT"
POINTS: Final = {
    "opened": "the file is open and recovered, no run has begun",
    "run-begun": "the run's row is committed",
    "judging": "a part of the verdicts was judged anew",
    "seeds-stored": "a batch of seeds is committed",
    "robots-stored": "rules of an origin are committed, no page of it was asked for",
    "hop-stored": "a redirect is committed, its target was not asked for",
    "before-commit": "a transaction is written, but not committed",
    "after-commit": "a transaction is committed, nobody was told",
    "checkpoint": "a part of the write-ahead log was copied into the file",
    "ending": "all is done and stored, the run's row does not say so",
    "finished": "the run's row says that it ended, the file is not closed",
}
PAGE_BYTES: Final = 4096


def _asked(given: str) -> tuple[str, int]:
    name, _, nth = given.partition(":")
    if name and name not in POINTS:
        raise ValueError(f"{VARIABLE}: no failpoint {name!r}; there are {', '.join(POINTS)}")
    return name, int(nth or 1)


armed, _left = _asked(os.environ.get(VARIABLE, ""))
"""The failpoint that was asked for; empty for none."""


def reached(name: str) -> None:
    """Die, if it was asked that the process die here, and now."""
    if name == armed and _is_due():
        _die()


def growth_forbidden(name: str, file: Path) -> bool:
    """Let the kernel kill this process as soon as it makes a file much larger than `file` is now.

    True when that was asked for: the caller then does what is to be interrupted halfway.
    """
    if name != armed or not _is_due():
        return False
    ctypes.CDLL(None).signal(signal.SIGXFSZ, 0)
    limit = file.stat().st_size + 2 * PAGE_BYTES
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    return True


def _is_due() -> bool:
    global _left
    _left -= 1
    return _left == 0


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("SIGKILL came back")
