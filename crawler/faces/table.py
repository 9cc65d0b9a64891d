"""How are rows of the database handed to a person or a program?"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

from rich.cells import cell_len
from rich.text import Text

from crawler.faces import wording
from crawler.faces.screen import Screen
from crawler.store.queries import Rows, View

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With these a cell begins that a spreadsheet would run."""
COLUMN_MAX = 120
"""Places of a column; a wider cell pushes the rest of its own row to the right."""
GAP = "  "


def show_views(views: Iterable[View], screen: Screen) -> None:
    """The questions that can be asked by name."""
    rows = [(wording.plain(view.name), wording.plain(view.question)) for view in views]
    width = max((cell_len(name) for name, _ in rows), default=0)
    for name, question in rows:
        shown = Text(f"{_padded(name, width)}{GAP}{question}".rstrip())
        shown.stylize("bold", 0, len(name))
        screen.print(shown, soft_wrap=True)


def show_table(rows: Rows, limit: int, screen: Screen) -> bool:
    """Print the first rows as a table; True when there are more.

    A row is a line, however wide, so that an address can be clicked and copied as a whole.
    """
    shown = list(itertools.islice(rows.rows, limit + 1))
    head, *lines = _lines(rows.columns, shown[:limit])
    screen.print(Text(head, style="bold"), soft_wrap=True)
    for line in lines:
        screen.print(Text(line), soft_wrap=True)
    return len(shown) > limit


def _lines(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterator[str]:
    """The names and the rows, cell below cell, without blanks at the end."""
    table = [tuple(map(_cell, row)) for row in (columns, *rows)]
    widths = [min(max(map(cell_len, cells)), COLUMN_MAX) for cells in zip(*table, strict=True)]
    for values, cells in zip((columns, *rows), table, strict=True):
        aligned = map(_padded, cells, widths, (isinstance(value, (int, float)) for value in values))
        yield GAP.join(aligned).rstrip()


def _cell(value: object) -> str:
    return "" if value is None else wording.plain(str(_readable(value)))


def _padded(text: str, width: int, to_the_right: bool = False) -> str:
    blanks = " " * (width - cell_len(text))
    return f"{blanks}{text}" if to_the_right else f"{text}{blanks}"


def write_csv(rows: Rows, limit: int | None, stream: TextIO) -> None:
    """Write rows as CSV with a head; no cell begins a formula, none commands a terminal."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(rows.columns)
    shown = wording.plain if stream.isatty() else str
    for row in itertools.islice(rows.rows, limit):
        writer.writerow([_safe(shown(v)) if isinstance(v, str) else _readable(v) for v in row])


def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA) else text


def write_json(rows: Rows, limit: int | None, stream: TextIO) -> None:
    """Write each row as a JSON object on a line of its own, in ASCII."""
    for row in itertools.islice(rows.rows, limit):
        stream.write(json.dumps(dict(zip(rows.columns, map(_readable, row), strict=True))) + "\n")


def _readable(value: Any) -> Any:
    """Bytes as hexadecimal digits; everything else as it is."""
    return value.hex() if isinstance(value, bytes) else value
