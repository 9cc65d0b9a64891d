"""Which files may be taken together, and how are their rows told apart?

The shards of one crawl by their numbers, whole crawls by the names of their files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

import msgspec

from crawler.errors import UsageError
from crawler.store import shards
from crawler.store.database import Connection, refuse_older
from crawler.store.moment import Moment
from crawler.store.shards import Which

SHARD: Final = "shard"
CRAWL: Final = "crawl"
"""The column that tells rows of several files apart."""


class Source(msgspec.Struct, frozen=True):
    """One of several files that are taken together. column, value: what its rows have there.

    of: how many there are of its kind, were all of them given.
    """

    moment: Moment
    column: str
    value: str
    of: int

    @property
    def folder(self) -> str:
        """The name of its part, as Hive has it: ``shard=2``."""
        return f"{self.column}={quote(self.value, safe='')}"


def sources(moments: Sequence[Moment]) -> list[Source]:
    """What tells them apart, in its order.

    Raises UsageError where nothing does, and StorageError for the file of an older crawler.
    """
    for one in moments:
        refuse_older(one.connection, one.path)
    refuse_shards([(one.path, one.connection) for one in moments])
    found = [(one.path, shards.which(one.connection)) for one in moments]
    whole = [path for path, which in found if which is None]
    if not whole:
        parts = zip(moments, [which for _, which in found if which is not None], strict=True)
        numbered = sorted(parts, key=lambda part: part[1].number)
        return [Source(one, SHARD, str(which.number), which.shards) for one, which in numbered]
    if len(whole) < len(found):
        raise UsageError(f"{whole[0]}: is a whole crawl, and others are shards; name one or others")
    by_name: dict[str, Moment] = {}
    for one in moments:
        other = by_name.setdefault(one.path.stem, one)
        if other is not one:
            raise UsageError(
                f"{one.path}: has the name of {other.path}, by which its rows would be told apart; "
                "rename one of them, or merge them"
            )
    return [Source(one, CRAWL, name, len(by_name)) for name, one in sorted(by_name.items())]


def refuse_twice(paths: Sequence[Path]) -> None:
    """Raises UsageError where a file is named more than once, by whatever names."""
    seen: dict[tuple[int, int], Path] = {}
    for path in paths:
        try:
            found = path.stat()
        except OSError:
            continue  # whoever opens it says what is wrong
        other = seen.get((found.st_dev, found.st_ino))
        if other is not None:
            also = "" if other == path else f", also as {other}"
            raise UsageError(f"{path}: is named twice{also}; name each crawl once")
        seen[found.st_dev, found.st_ino] = path


def refuse_shards(opened: Sequence[tuple[Path, Connection]]) -> None:
    """Of one crawl each shard is there once, and shards of another are not. Raises UsageError."""
    by_number: dict[int, tuple[Path, Which]] = {}
    of = 0
    for path, file in opened:
        which = shards.which(file)
        if which is None:
            continue
        other, _ = by_number.setdefault(which.number, (path, which))
        if other is not path:
            raise UsageError(f"{path}: is shard {which.number}, as {other} is; name one of them")
        if of not in (0, which.shards):
            raise UsageError(f"{path}: is {which}, and others are shards of {of}; name one crawl's")
        of = which.shards
    _refuse_strangers(opened, by_number)


def _refuse_strangers(
    opened: Sequence[tuple[Path, Connection]], there: Mapping[int, tuple[Path, Which]]
) -> None:
    """What shards found for each other is in the files that they have met, and in no others."""
    for path, file in opened:
        for number, nonce in shards.met(file).items():
            other, which = there.get(number, (path, None))
            if which is not None and which.nonce != nonce:
                raise UsageError(
                    f"{other}: is {which} of another crawl than {path}; name those of one crawl"
                )
