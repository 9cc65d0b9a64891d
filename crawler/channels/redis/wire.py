"""What do a conductor and its machines write into the engine, and under which keys?

All keys begin with the name of the crawl; all but that of the session hold the nonce of the run as
well, so that nothing of an earlier one is ever taken for this one's. Frames of jobs and visits are
entries of two streams a machine, numbered by whoever writes them: what is written twice, because an
answer was lost, is refused by the engine the second time.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final
from zlib import crc32

import msgspec

from crawler import __version__
from crawler.config import Config
from crawler.errors import UsageError
from crawler.model import Job, Visit

PREFIX: Final = "crawler"
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,60}")
FIELD: Final = b"f"
"""Of a stream's entry: it has one."""
BEAT_S: Final = 1.0
"""Between two signs of life, of either side."""
FENCE_S: Final = 15.0
"""So long after it sent its last beat that was answered by a new pulse a machine drops all."""
LOST_S: Final = 20.0
"""After so much silence its jobs are given to others: it has dropped them by then."""
WINDOW_BYTES: Final = 8 * 1024 * 1024
"""What a machine has sent, and nobody has taken; then it sends no more. One frame may go beyond."""
KEY: Final = re.compile(r"[0-9a-f]{16}")
"""By which a machine is known in one run."""
LONGEST_NAME: Final = 120


class Session(msgspec.Struct, frozen=True, array_like=True):
    """What a conductor says of its run, each second anew.

    run: the nonce. wire, version: of what it speaks. pulse: one more each time. holder: who it is,
    for people. is_open: there is work, or may be. window_bytes: see `WINDOW_BYTES`. fence_s: see
    `FENCE_S`. expelled: machines that are to leave, and why.
    """

    run: str
    wire: int
    version: str
    pulse: int
    holder: str
    is_open: bool = True
    window_bytes: int = WINDOW_BYTES
    fence_s: float = FENCE_S
    expelled: dict[str, str] = {}


class About(msgspec.Struct, frozen=True, array_like=True):
    """What a machine says of itself: its name for people, and the number of its processes."""

    name: str
    processes: int


class Beat(msgspec.Struct, frozen=True, array_like=True):
    """A machine's sign of life, and what it acknowledges.

    number: one more each time. cursor: the last frame of jobs that it has taken. hand: tokens of
    those that it has, whose visits have not been sent. room: jobs that it would have at most; 0
    when it takes no more. left: it has ended for good. clean: nothing was being fetched then.
    """

    number: int
    about: About
    cursor: int
    hand: list[int]
    room: int
    left: bool = False
    clean: bool = True


class Keys(msgspec.Struct, frozen=True):
    """The keys of one run."""

    name: str
    run: str

    @property
    def config(self) -> str:
        """What was asked for, as msgpack."""
        return f"{PREFIX}:{self.name}:{self.run}:config"

    @property
    def beats(self) -> str:
        """A hash of the machines' last beats."""
        return f"{PREFIX}:{self.name}:{self.run}:beats"

    def jobs(self, machine: str) -> str:
        """A stream of frames of jobs."""
        return f"{PREFIX}:{self.name}:{self.run}:jobs:{machine}"

    def visits(self, machine: str) -> str:
        """A stream of frames of visits."""
        return f"{PREFIX}:{self.name}:{self.run}:visits:{machine}"


def session_key(name: str) -> str:
    """Where the conductor of a name says which run is the present one."""
    return f"{PREFIX}:{name}:session"


def checked_name(name: str) -> str:
    """The name of a crawl. Raises UsageError for what may be none."""
    if not _NAME.fullmatch(name):
        raise UsageError("--name: expected letters, digits, _ . and -, 60 at most")
    return name


_TRAVELS: Final = (Job, Visit, Config, Session, Beat)


@cache
def wire() -> int:
    """A number that differs where what travels is written in another way: versions must match."""
    kinds = msgspec.json.schema_components(_TRAVELS)
    return crc32(__version__.encode() + msgspec.json.encode(kinds, order="sorted"))
