"""How do rows become CSV, or the same with tabs?

UTF-8 and a head; a cell with a delimiter, a quote or an end of line stands in quotes (RFC 4180,
with plain ends of lines). A text that a spreadsheet would run as a formula gets a ``'`` before it
(OWASP, CSV Injection), unless it is to be raw. Bytes are hexadecimal digits, NULL is an empty cell.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from crawler.exports.format import Export, Written
from crawler.plain import CsvWriter, cell

DELIMITERS: Final = {"csv": ",", "tsv": "\t"}


def write(export: Export, out: BinaryIO) -> Written:
    """Write all rows."""
    selection = export.select()
    made = cells if export.options["raw"] else safe_cells
    text = io.TextIOWrapper(
        out,
        encoding="utf-8-sig" if export.options["bom"] else "utf-8",
        errors="replace",
        newline="",
        write_through=True,
    )
    writer = CsvWriter(text, DELIMITERS[export.format])
    writer.add(made(selection.columns))
    count = 0
    for row in export.counted(export.moment.rows(selection).rows):
        writer.add(made(row))
        count += 1
    text.flush()
    text.detach()
    return Written(count, "row")


def cells(row: tuple[Any, ...]) -> Iterator[Any]:
    """The values of a row as they are written."""
    return (value.hex() if isinstance(value, bytes) else value for value in row)


def safe_cells(row: tuple[Any, ...]) -> Iterator[Any]:
    """The same, of which no text is a formula."""
    return (cell(value) if isinstance(value, str) else value for value in cells(row))
