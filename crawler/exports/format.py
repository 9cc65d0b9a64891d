"""What is a format of exports, and what is it given?"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from crawler.exports.several import Source
from crawler.store.moment import Choice, Moment, Selection

TOLD_EVERY: Final = 1000
"""Rows between two words on how far it is."""
Item = TypeVar("Item")
Progress = Callable[[int, int | None], object]
"""Is told how much is done, and of how much; None where nobody knows."""


class Into(Enum):
    """What a format writes: a stream may also go to a pipe, a file must be a file of its own."""

    STREAM = "stream"
    FILE = "file"
    FOLDER = "folder"


class Option(msgspec.Struct, frozen=True):
    """A flag or an option of the command line that some formats take.

    value: how a value is called in the help; None for a flag. choices: the values that there are.
    number: the value is one. many: may be given more than once. into: what is written when it is
    given, where that is something else.
    """

    name: str
    help: str
    value: str | None = None
    choices: tuple[str, ...] = ()
    number: bool = False
    many: bool = False
    into: Into | None = None

    @property
    def key(self) -> str:
        """Its name in `Export.options`."""
        return self.name.replace("-", "_")


class Format(msgspec.Struct, frozen=True):
    """A format that can be asked for.

    help: one sentence. module: of this room, imported when it is asked for; it has `write`.
    suffix: of the file that is made where nobody names one. takes: names of options.
    extra, needs: what `pip install crawler[extra]` brings, as modules. text: a terminal shows it.
    several: it takes several crawls at once, into a folder with a part for each.
    knows: its module has `is_export`, which knows a folder of its own: who reads one takes every
        file in it for data, so that no mark may lie there.
    """

    name: str
    help: str
    module: str
    suffix: str
    into: Into = Into.STREAM
    takes: tuple[str, ...] = ()
    extra: str = ""
    needs: tuple[str, ...] = ()
    text: bool = False
    several: bool = False
    knows: bool = False


class Written(msgspec.Struct, frozen=True):
    """What an export came to: how many of what, and what a reader has to know, a line each."""

    count: int
    noun: str
    remarks: tuple[str, ...] = ()


class Export(msgspec.Struct, frozen=True):
    """What a format is given: a moment of a crawl, what was asked for, and the time.

    sources: several crawls that were asked for at once, of which `moment` is one; else none.
    format: its name: a module may have several. out: what people call the place. options: by
    `Option.key`; those that were not given are None, False or ().
    """

    moment: Moment
    format: str
    out: Path
    choice: Choice
    options: Mapping[str, Any]
    now: datetime
    progress: Progress
    sources: Sequence[Source] = ()

    def select(self) -> Selection:
        """The rows that were asked for. Raises UsageError."""
        return self.moment.select(self.choice)

    def counted(self, items: Iterable[Item], whole: int | None = None) -> Iterator[Item]:
        """The same, while `progress` is told how many there were."""
        done = 0
        for done, item in enumerate(items, 1):
            if done % TOLD_EVERY == 0:
                self.progress(done, whole)
            yield item
        self.progress(done, whole)
