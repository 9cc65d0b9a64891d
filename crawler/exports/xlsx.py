"""How do findings and rows become a workbook?

Without more, a sheet of all checks and one of each group with what it found; with a table, a query
or SQL a sheet of its rows; one more for each that is asked for besides. Texts are written as texts,
so that none is a formula, and addresses can be clicked. What a sheet cannot hold (Excel's
specifications and limits) goes on on the next one or is told, and nothing is cut in silence.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import xlsxwriter
from xlsxwriter.exceptions import FileCreateError, FileSizeError

from crawler import plain, whole
from crawler.errors import StorageError
from crawler.exports.format import Export, Written
from crawler.store import audit
from crawler.store.moment import Choice
from crawler.store.queries import Rows

MAX_ROWS: Final = 1_048_576
MAX_LINKS: Final = 65_530
"""Of one sheet."""
MAX_CHARACTERS: Final = 32_767
"""Of one cell, in units of UTF-16."""
MAX_ADDRESS: Final = 2_079
EXACT: Final = 2**53
"""Up to there every whole number is one that a spreadsheet, which has only floats, keeps."""
MAX_NAME: Final = 31
MAX_WIDTH: Final = 60
MEASURED: Final = 200
"""Rows by which columns are measured."""
OPTIONS: Final = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_numbers": False,
    "strings_to_urls": False,
}
_ADDRESS = re.compile(r"https?://\S+")
_NOT_IN_NAMES = re.compile(r"[\[\]:*?/\\]")
_FINDINGS: Final = """
    SELECT severity, check_name, state, url, nullif(item, '') AS item, evidence,
        since_run_id AS since_run
    FROM audit_findings
    WHERE group_name = ? AND state <> 'fixed'
    ORDER BY CASE severity WHEN 'error' THEN 0 WHEN 'warning' THEN 1 ELSE 2 END, check_name,
        url, item
"""


class Book:
    """A workbook that is written sheet by sheet, with what it could not hold."""

    def __init__(self, path: Path, folder: Path) -> None:
        self._book = xlsxwriter.Workbook(str(path), OPTIONS | {"tmpdir": str(folder)})
        self._bold = self._book.add_format({"bold": True})
        self._names: set[str] = set()
        self.rows = 0
        self.remarks: list[str] = []

    def __repr__(self) -> str:
        return f"<Book of {len(self._names)} sheets>"

    def add(self, name: str, rows: Rows) -> None:
        """Add the rows, on as many sheets as they need."""
        left = iter(rows.rows)
        first = next(left, None)
        sheets = 0
        while sheets == 0 or first is not None:
            sheets += 1
            self._add_sheet(
                name, rows.columns, itertools.chain(() if first is None else (first,), left)
            )
            first = next(left, None)
        if sheets > 1:
            self.remarks.append(
                f"{name}: goes on on {sheets} sheets; one holds {MAX_ROWS - 1:,} rows"
            )

    def _add_sheet(
        self, name: str, columns: Sequence[str], rows: Iterator[tuple[Any, ...]]
    ) -> None:
        sheet = Sheet(self._book.add_worksheet(self._free(name)), columns, self._bold)
        for row in rows:
            sheet.add(row)
            if sheet.is_full:
                break
        sheet.finish()
        self.rows += sheet.count
        self.remarks.extend(f"{name}: {told}" for told in sheet.remarks)

    def _free(self, name: str) -> str:
        """A name that no sheet has yet."""
        plain = _NOT_IN_NAMES.sub(" ", name).strip("' ")[:MAX_NAME] or "rows"
        number, found = 1, plain
        while found.lower() in self._names or found.lower() == "history":
            number += 1
            end = f" {number}"
            found = plain[: MAX_NAME - len(end)] + end
        self._names.add(found.lower())
        return found

    def close(self) -> None:
        """Write the file. Raises OSError."""
        try:
            self._book.close()
        except FileCreateError as error:
            raise (error.args[0] if isinstance(error.args[0], OSError) else error) from None
        except FileSizeError as error:
            raise StorageError(f"the workbook is too large for its format: {error}") from None


class Sheet:
    """One sheet. count: its rows, without the head."""

    def __init__(self, sheet: Any, columns: Sequence[str], bold: Any) -> None:
        self._sheet = sheet
        self._widths = [len(name) for name in columns]
        self._links = self._unlinked = self._cut = 0
        self.count = 0
        sheet.freeze_panes(1, 0)
        for at, name in enumerate(columns):
            sheet.write_string(0, at, name, bold)

    def __repr__(self) -> str:
        return f"<Sheet {self.count:,} rows>"

    @property
    def is_full(self) -> bool:
        """Does it hold no row more?"""
        return self.count == MAX_ROWS - 1

    @property
    def remarks(self) -> Iterable[str]:
        """What it could not hold."""
        if self._unlinked:
            yield (
                f"{plain.count(self._unlinked, 'cell')} cannot be clicked; a sheet holds "
                f"{MAX_LINKS:,} links, of {MAX_ADDRESS:,} characters each"
            )
        if self._cut:
            yield (
                f"Cut: {plain.count(self._cut, 'text')}, ending with \u2026; a cell holds "
                f"{MAX_CHARACTERS:,} characters, and jsonl or csv all"
            )

    def add(self, row: tuple[Any, ...]) -> None:
        """Add a row."""
        self.count += 1
        for at, value in enumerate(row):
            if value is not None:
                self._write(at, value)
        if self.count <= MEASURED:
            lengths = (len(str(value)) if value is not None else 0 for value in row)
            self._widths = list(map(max, self._widths, lengths))

    def finish(self) -> None:
        """What holds for all rows."""
        for at, width in enumerate(self._widths):
            self._sheet.set_column(at, at, min(width + 1, MAX_WIDTH))
        if self._widths:
            self._sheet.autofilter(0, 0, self.count, len(self._widths) - 1)

    def _write(self, at: int, value: Any) -> None:
        if isinstance(value, (int, float)) and abs(value) <= EXACT and not math.isnan(value):
            self._sheet.write_number(self.count, at, value)
            return
        text = value.hex() if isinstance(value, bytes) else str(value)
        if _ADDRESS.fullmatch(text) and self._may_link(text):
            self._sheet.write_url(self.count, at, text)
            return
        fitting = _fitting(text)
        self._cut += fitting is not text
        self._sheet.write_string(self.count, at, fitting)

    def _may_link(self, address: str) -> bool:
        may = self._links < MAX_LINKS and len(address) <= MAX_ADDRESS
        self._links += may
        self._unlinked += not may
        return may


def write(export: Export, out: Path) -> Written:
    """Write the workbook."""
    with whole.scratch(out) as folder:
        book = Book(out, folder)
        for name, rows in _sheets(export):
            book.add(name, Rows(rows.columns, export.counted(rows.rows)))
        book.close()
    return Written(book.rows, "row", tuple(book.remarks))


def _sheets(export: Export) -> Iterator[tuple[str, Rows]]:
    if export.choice == Choice():
        yield from _audited(export)
    else:
        selection = export.select()
        yield selection.name or "rows", export.moment.rows(selection)
    for name in export.options["sheet"]:
        selection = export.moment.select(Choice(query=name))
        yield name, export.moment.rows(selection)


def _audited(export: Export) -> Iterator[tuple[str, Rows]]:
    """All checks, and a sheet for each group in which something was found."""
    connection = export.moment.connection
    found = audit.audit(connection)
    columns = ("group", "name", "severity", "found", "new", "fixed", "reason", "definition")
    told = (tuple(getattr(one, name) for name in columns) for one in found.checks)
    yield "checks", Rows(columns, told)
    for group in dict.fromkeys(one.group for one in found.checks if one.found):
        cursor = connection.execute(_FINDINGS, (group,))
        yield group, Rows(tuple(column[0] for column in cursor.description), iter(cursor))


def _fitting(text: str) -> str:
    """A text as far as a cell holds it."""
    if len(text) * 2 <= MAX_CHARACTERS:
        return text
    units = text.encode("utf-16-le", "surrogatepass")
    if len(units) <= 2 * MAX_CHARACTERS:
        return text
    return units[: 2 * (MAX_CHARACTERS - 1)].decode("utf-16-le", "ignore") + "\u2026"
