"""Is this list of seeds a table, and which of its columns holds the addresses?

A list of addresses may have commas in it, too, so commas alone make no table: the name of the file
says so (``.csv``), or tabs, or quotes, or a head with as many cells as the rows below it.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import takewhile
from pathlib import PurePath
from typing import Final

import msgspec

DELIMITERS: Final = "\t,;|"
TABLES: Final = {".csv": ",;\t|", ".tsv": "\t", ".tab": "\t"}
"""Endings of names, and what may stand between cells there."""
NAMED: Final = (
    "url",
    "urls",
    "link",
    "links",
    "address",
    "website",
    "site",
    "domain",
    "host",
    "uri",
)
"""What a column of addresses is called."""
MOSTLY: Final = 0.8
"""The part of rows that must agree."""

_ADDRESS = re.compile(r"https?://\S+", re.IGNORECASE)
_WORDS = re.compile(r"(?=[^\W\d_])(?:(?=[^a-z])|(?=.* ))[^/?&=#%]+")
"""What begins with a letter, a capital or followed by a space, and has nothing of an address."""
_HOST = re.compile(
    r"(?:(?:[\w-]+\.)+[a-z][\w-]*(?::\d+)?|(?:\d{1,3}\.){3}\d{1,3}(?::\d+|(?=/)))(?:/\S*)?",
    re.IGNORECASE,
)
"""A name, or an IPv4 address with a port or a path: alone it may be a version or a date."""
_SPACE = re.compile(r"\s")
_END = re.compile(
    r"[/=&?%]|\.(?:[psx]?html?|php\d?|aspx?|jspx?|cgi|do|pdf|xml|json|txt|docx?|xlsx?|jpe?g|png)\b",
    re.IGNORECASE,
)
"""What the end of an address has, and a cell of its own has not."""


class Table(msgspec.Struct, frozen=True):
    """How to read a list that is a table.

    delimiter: between two cells. column: of the addresses, from 0. title: its head, None where the
        first line is a row like the others.
    """

    delimiter: str
    column: int
    title: str | None

    @property
    def told(self) -> str:
        """Which column is taken, for people."""
        name = f'"{self.title}"' if self.title else f"number {self.column + 1}"
        return f"a table: the addresses are taken from its column {name}"


def table(name: str, lines: Sequence[str]) -> Table | None:
    """What the first lines of a file say; None for a plain list."""
    ending = PurePath(name).suffix.lower()
    marks = TABLES.get(ending, DELIMITERS)
    shown = {mark: list(joined(lines, mark)) for mark in marks}
    split = {mark: [cells(row, mark) for row in shown[mark]] for mark in marks}
    delimiter = max(
        split, key=lambda mark: (_column(split[mark]) is not None, _agreeing(split[mark]))
    )
    rows = split[delimiter]
    column = _column(rows)
    if column is None or not (ending in TABLES or _is_table(shown[delimiter], rows, delimiter)):
        return None
    title = _cell(rows[0], column)
    return Table(delimiter, column, None if is_address(title) else title)


def joined(lines: Sequence[str], delimiter: str) -> Iterator[str]:
    """The rows that these lines make: a cell in quotes may go over several."""
    row: list[str] = []
    for line in lines:
        if not row and (not line.strip() or line.startswith("#")):
            continue
        if is_open(line, delimiter, within=bool(row)):
            row.append(line)
        else:
            yield "\n".join([*row, line])
            row = []
    yield from row


def is_open(line: str, delimiter: str, *, within: bool = False) -> bool:
    """Whether a line ends in a quoted cell. within: it begins in one.

    A quote opens a cell as its first sign; any other may be of inches (``5" disk``).
    Within, it stands twice.
    """
    if '"' not in line:
        return within
    return not _whole(delimiter).fullmatch(f'"{line}' if within else line)


@lru_cache
def _whole(delimiter: str) -> re.Pattern[str]:
    other = f"[^{re.escape(delimiter)}]*+"
    cell = f'(?:"(?:[^"]|"")*+"{other}|(?!"){other})'
    return re.compile(f"{cell}(?:{re.escape(delimiter)}{cell})*+")


def cells(line: str, delimiter: str) -> list[str]:
    """One row's cells, out of their quotes."""
    return [cell.strip() for cell in _split(line, delimiter)]


def _split(line: str, delimiter: str) -> list[str]:
    return next(csv.reader(line.split("\n"), delimiter=delimiter), [])


def address_in(row: str, table: Table, width: int | None) -> str:
    """The address in a row, with what a comma that nobody put in quotes has cut off.

    width: cells of the head, None where there is none. What stands beyond it belongs to the cell
    that can take it; without a head only what nothing but an address looks like.
    """
    split = _split(row, table.delimiter)
    found = [cell.strip() for cell in split]
    at, extra = table.column, max(0, len(found) - width) if width else 0
    text = _cell(found, at)
    if extra and not is_address(text) and is_address(_cell(found, at + extra)):
        return found[at + extra]
    rest = list(takewhile(_goes_on, split[at + 1 :]))
    if width is None:
        ends = [number for number, cell in enumerate(rest, 1) if _END.search(cell)]
        extra = ends[-1] if ends else 0
    return table.delimiter.join([text, *map(str.strip, rest[:extra])]) if text else ""


def _goes_on(cell: str) -> bool:
    """May this be the rest of an address?"""
    return not (_SPACE.search(cell) or _WORDS.fullmatch(cell) or _ADDRESS.match(cell))


def is_address(text: str) -> bool:
    """Does it look like one, with its scheme or without?"""
    return bool(_ADDRESS.fullmatch(text) or _HOST.fullmatch(text))


def _cell(row: Sequence[str], at: int) -> str:
    return row[at] if at < len(row) else ""


def _column(rows: Sequence[Sequence[str]]) -> int | None:
    """The column with most addresses, or where none is full of them, one with nothing else: not
    everybody has a site. Of several the one that is called so, or else the first."""
    body = rows[1:] if len(rows) > 1 else rows
    if not body:
        return None
    whole = Counter(at for row in body for at, cell in enumerate(row) if _ADDRESS.fullmatch(cell))
    bare = Counter(at for row in body for at, cell in enumerate(row) if _HOST.fullmatch(cell))
    either = whole + bare
    filled = Counter(at for row in body for at, cell in enumerate(row) if cell)
    every = Counter(dict.fromkeys(filled, len(body)))
    for counts, of in ((whole, every), (bare, every), (either, filled)):
        full = [at for at in sorted(counts) if counts[at] >= MOSTLY * of[at]]
        if full:
            return min(full, key=lambda at: _rank(_cell(rows[0], at)))
    return None


def _rank(title: str) -> int:
    folded = title.lower()
    return NAMED.index(folded) if folded in NAMED else len(NAMED)


def _agreeing(rows: Sequence[Sequence[str]]) -> float:
    """The part of rows that have several cells, and as many as the first one has."""
    alike = sum(len(row) == len(rows[0]) > 1 for row in rows)
    return alike / len(rows) if rows else 0.0


def _is_table(lines: Sequence[str], rows: Sequence[Sequence[str]], delimiter: str) -> bool:
    """Whether a file of another name is a table: by tabs, by quotes, or by its head."""
    if _agreeing(rows) < MOSTLY:
        return False
    quoted = sum(line.lstrip().startswith('"') for line in lines) >= MOSTLY * (len(lines) - 1) > 0
    head = rows[0]
    headed = len(rows) > 1 and not any(map(is_address, head))
    return delimiter == "\t" or quoted or headed or _has_words(rows)


def _has_words(rows: Sequence[Sequence[str]]) -> bool:
    """Whether words stand beside the addresses (``http://a.example/,Old Harbour``), and not the
    rest of an address that has commas itself."""
    beside = [[cell for cell in row if not is_address(cell)] for row in rows]
    return sum(any(map(_WORDS.fullmatch, row)) for row in beside) >= MOSTLY * len(rows)
