"""How are rows of the database handed to a person or a program?"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable
from typing import Any, TextIO

from rich.table import Table
from rich.text import Text

from crawler.store.queries import Rows, View
from crawler.views import wording
from crawler.views.screen import Screen

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With these a cell begins that a spreadsheet would run."""
CELL_MAX = 2000
"""Characters of a cell in a table for people."""


def show_views(views: Iterable[View], screen: Screen) -> None:
    """The questions that can be asked by name."""
    grid = Table.grid(padding=(0, 2))
    for view in views:
        grid.add_row(
            Text(wording.plain(view.name), style="bold"), Text(wording.plain(view.question))
        )
    screen.print(grid)


def show_table(rows: Rows, limit: int, screen: Screen) -> bool:
    """Print the first rows as a table; True when there are more."""
    shown = list(itertools.islice(rows.rows, limit + 1))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in rows.columns:
        table.add_column(Text(wording.plain(name)), overflow="fold")
    for row in shown[:limit]:
        table.add_row(*(_cell(value) for value in row))
    screen.print(table)
    return len(shown) > limit


def _cell(value: object) -> Text:
    text = "" if value is None else str(_readable(value))[:CELL_MAX]
    return Text(wording.plain(text), justify="right" if isinstance(value, (int, float)) else "left")


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
