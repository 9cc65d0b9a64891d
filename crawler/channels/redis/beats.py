"""What do machines say of themselves, whatever else stands where they say it?

Whoever has a worker's password may fill the hash of the beats. All of it is read at each pulse, and
a pulse that takes longer than `FENCE_S` makes all machines drop what they have. So of a hash that
holds more than machines may say only what is known is read, and the conductor empties it: who lives
says so again within a second.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from crawler.channels.redis.connection import Link, Refused
from crawler.channels.redis.fleet import MOST_MACHINES
from crawler.channels.redis.wire import Beat

MOST_FIELDS: Final = 2 * MOST_MACHINES
MOST_BYTES: Final = 64 * 1024 * 1024
"""Of the hash: 64 KiB for each of the most machines that there may be."""
MOST_BEAT_BYTES: Final = 1024 * 1024
"""Of one beat, where only some are read: with the most jobs that a machine may have."""
_COUNT: Final = 2 * MOST_FIELDS
"""For HSCAN, which counts fields and values up to Redis 7.2, and fields alone from then on."""
log = logging.getLogger(__name__)


class Heard(NamedTuple):
    """beats: by machines, None for what is none. is_flooded: more stands there than machines may
    say, and only those that were known are among the beats."""

    beats: dict[str, Beat | None]
    is_flooded: bool = False


def hear(link: Link, key: str, known: Iterable[str]) -> Heard:
    """The beats in this hash. known: machines that matter most. Raises Away and Refused."""
    if (link.ask("MEMORY", "USAGE", key, "SAMPLES", 0) or 0) <= MOST_BYTES:
        cursor, found = link.ask("HSCAN", key, 0, "COUNT", _COUNT)
        if cursor == b"0":  # that was all
            pairs = zip(found[::2], found[1::2], strict=True)
            return Heard({name.decode("ascii", "replace"): beat_of(raw) for name, raw in pairs})
    return Heard(_of_some(link, key, list(known)), is_flooded=True)


def _of_some(link: Link, key: str, known: Sequence[str]) -> dict[str, Beat | None]:
    """The beats of these, as far as they are there."""
    sizes = dict(zip(known, _asked(link, "HSTRLEN", key, known), strict=True))
    short = [name for name, size in sizes.items() if 0 < size <= MOST_BEAT_BYTES]
    raws = zip(short, _asked(link, "HGET", key, short), strict=True)
    long: dict[str, Beat | None] = {name: None for name in sizes if sizes[name] > MOST_BEAT_BYTES}
    return long | {name: beat_of(raw) for name, raw in raws if raw is not None}


def _asked(link: Link, command: str, key: str, names: Sequence[str]) -> list[Any]:
    answers = link.ask_all([(command, key, name) for name in names])
    for answer in answers:
        if isinstance(answer, Refused):
            raise answer
    return answers


def beat_of(raw: bytes) -> Beat | None:
    """A beat; None for what is none."""
    try:
        return msgspec.msgpack.decode(raw, type=Beat)
    except (msgspec.DecodeError, ValueError):
        return None


class Beats:
    """The beats of a run, as its conductor hears them. heard: those of the last pulse."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._is_told = False
        self.heard: dict[str, Beat | None] = {}

    def __repr__(self) -> str:
        return f"<Beats of {len(self.heard)} machines>"

    def hear(self, key: str, known: Iterable[str]) -> None:
        """Listen once more. Raises Away and Refused."""
        self.heard, is_flooded = hear(self._link, key, known)
        if not is_flooded:
            return
        self._link.ask("UNLINK", key)
        if not self._is_told:
            self._is_told = True
            log.warning(
                "more gives signs of life than machines can: all of it is thrown away, and those "
                "that are known are asked for alone; somebody may have the workers' password"
            )
