"""Is the rollback journal beside a file of that file?

Other programs write such a journal: it holds pages as they were before a change, and whoever opens
the file after a kill writes them back. SQLite asks nothing but the name. The first page, which has
a counter of changes, tells: where it was not written it is as in the journal, and it is written
once in a change, with the next number (https://www.sqlite.org/fileformat.html, sections 1.3.6
and 3).
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

HEAD_BYTES: Final = 100
"""Of a database, before its first page begins to hold rows."""
MAGIC: Final = b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7"
TO_THE_END: Final = 0xFFFFFFFF
_SIZES: Final = frozenset(2**power for power in range(5, 17))
"""Of sectors and pages; with another one SQLite plays nothing back."""


class _Part(NamedTuple):
    """What each part of a journal begins with. pages: in the database, before the change."""

    records: int
    nonce: int
    pages: int
    sector: int
    page: int

    @property
    def record(self) -> int:
        """Bytes of a page with its number and checksum."""
        return self.page + 8


def is_of(journal: Path, head: bytes, file_bytes: int) -> bool:
    """May this journal be of a file with these first `HEAD_BYTES`, and of this size?

    So it may, too, where SQLite would play nothing back. Raises OSError.
    """
    with journal.open("rb") as there:
        part = _part_at(there, 0)
        if part is None:
            return True
        then = _first_page(there, part)
    if then is None:
        return part.pages in {_number(head, 28), file_bytes // part.page}
    return then == head or _number(head, 24) == _number(then, 24) + 1


def _first_page(there: BinaryIO, part: _Part | None) -> bytes | None:
    """How the first page began before the change; None where it was not kept."""
    size, start = os.fstat(there.fileno()).st_size, 0
    while part is not None:
        start += part.sector
        held = (size - start) // part.record
        records = held if part.records == TO_THE_END else min(held, part.records)
        for _ in range(records):
            there.seek(start)
            number, begins = struct.unpack(f">I{HEAD_BYTES}s", there.read(4 + HEAD_BYTES))
            if number == 1:
                return bytes(begins)
            start += part.record
        if not records:
            return None
        start += -start % part.sector
        part = _part_at(there, start)
    return None


def _part_at(there: BinaryIO, start: int) -> _Part | None:
    there.seek(start)
    said = there.read(28)
    if len(said) < 28 or not said.startswith(MAGIC):
        return None
    part = _Part._make(struct.unpack(">5I", said[8:]))
    return part if {part.sector, part.page} <= _SIZES else None


def _number(head: bytes, at: int) -> int:
    return int.from_bytes(head[at : at + 4], "big")
