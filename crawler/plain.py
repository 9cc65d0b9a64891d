"""What may be shown of a text that a stranger wrote?"""

from __future__ import annotations

import csv
import logging
import re
from collections.abc import Iterable
from typing import Any, Protocol

UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
"""What a terminal obeys instead of showing: controls, marks of direction, marks without width; and
what XML takes for no character (XML 1.0, section 2.2)."""

_UNSEEN_BUT_LAYOUT = re.compile(f"(?![\t\n]){UNSEEN.pattern}")
_FORMULA = re.compile(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n\0]")
"""With these a cell begins that a spreadsheet may run (OWASP, CSV Injection); the wide ones in
versions for Chinese and Japanese."""
_FORMULA_BEHIND = re.compile(
    r"(?<=[;\t\r\n])(?=[=+\-@\uff1d\uff0b\uff0d\uff20]|[^\S\t\r\n]*+[=\uff1d]"
    r"|[^\S\t\r\n]*+\"(?:[^\S\t\r\n]|\")*+[=+\-@\uff1d\uff0b\uff0d\uff20])"
)
"""Where a spreadsheet that divides at semicolons begins another cell, as most do in Europe: quotes
in the middle of what it takes for a cell mean nothing to it, and those at the beginning of one are
taken away. Signs behind a semicolon and a blank are prose."""
_NUMBER = re.compile(r"-?(?:\d+(?:[.,]\d+)*|[.,]\d+)(?:[eE][+-]?\d+)?%?", re.ASCII)


def cell(text: str) -> str:
    """A text that no spreadsheet runs as a formula; a negative number stays one."""
    if _FORMULA_BEHIND.search(text):
        text = _FORMULA_BEHIND.sub("'", text)
    if _FORMULA.match(text) is None or _NUMBER.fullmatch(text):
        return text
    return f"'{text}"


class Stream(Protocol):
    """Takes text."""

    def write(self, text: str, /) -> object:
        """More of it."""


class CsvWriter:
    """Writes rows as CSV (RFC 4180) whose lines end with ``\\n``.

    csv puts a cell in quotes that holds a character of the end of lines, and before Python 3.13 for
    no other one: a carriage return would begin another row to whoever reads it.
    """

    def __init__(self, stream: Stream, delimiter: str = ",") -> None:
        self._stream = stream
        self._csv = csv.writer(self, delimiter=delimiter, lineterminator="\r\n")

    def __repr__(self) -> str:
        return f"<CsvWriter to {self._stream}>"

    def add(self, row: Iterable[Any]) -> None:
        """Write a row."""
        self._csv.writerow(row)

    def write(self, line: str) -> None:
        """What csv makes of a row."""
        self._stream.write(f"{line[:-2]}\n")


def plain(text: str) -> str:
    """One line that shows everything and commands nothing: ESC becomes ``\\x1b``."""
    return UNSEEN.sub(_escaped, text)


def plain_lines(text: str) -> str:
    """The same of a text that is ours and may quote strangers: its lines stay lines."""
    return "\n".join(map(plain, text.split("\n")))


def printable(text: str) -> str:
    """Lines and columns that show everything and command nothing."""
    return _UNSEEN_BUT_LAYOUT.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]


def count(value: int, noun: str) -> str:
    """``1 page``, ``1,204 pages``."""
    return f"{value:,} {noun}{'' if value == 1 else 's'}"


class PlainFormatter(logging.Formatter):
    """Formats what is logged in plain lines: a traceback ends with what an exception quotes."""

    def format(self, record: logging.LogRecord) -> str:
        """The record's text."""
        return plain_lines(super().format(record))


def log_plainly() -> None:
    """Warnings that nobody else takes reach the standard error in plain lines."""
    if logging.lastResort is not None:
        logging.lastResort.setFormatter(PlainFormatter())
