"""How are rows of the database handed to a person or a program?"""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TextIO

import msgspec
from rich.cells import cell_len, set_cell_size

from crawler.faces import wording
from crawler.faces.screen import Screen
from crawler.store.queries import Rows, View

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""With these a cell begins that a spreadsheet would run."""
COLUMN_MAX = 120
"""Places of a column; a wider cell pushes the rest of its own row to the right."""
COLUMN_MIN = 8
"""Where a window is too narrow to give each column so many places, the last ones are left out."""
HEAD_SHARE = 3
"""Of an address that is shortened, its beginning gets one place in so many, its end the others:
addresses of a site begin alike."""
GAP = "  "
MORE = "\u2026"


class Shown(msgspec.Struct, frozen=True):
    """What a table left out. more: rows. shortened: ids, columns, or parts of cells."""

    more: bool
    shortened: bool = False


def show_views(views: Iterable[View], screen: Screen) -> None:
    """The questions that can be asked by name."""
    from rich.text import Text  # see `Screen`

    rows = [(wording.plain(view.name), wording.plain(view.question)) for view in views]
    width = max((cell_len(name) for name, _ in rows), default=0)
    for name, question in rows:
        shown = Text(f"{_padded(name, width)}{GAP}{question}".rstrip())
        shown.stylize("bold", 0, len(name))
        screen.print(shown, soft_wrap=True)


def show_table(rows: Rows, limit: int, screen: Screen, *, wide: bool = False) -> Shown:
    """Print the first rows as a table, a line each.

    On a terminal it fits the window, unless `wide` is asked for: ids are left out, addresses
    shortened in the middle, other texts at the end. Elsewhere a row is as wide as it is, so that
    addresses stay whole.
    """
    from rich.text import Text  # see `Screen`

    values = list(itertools.islice(rows.rows, limit + 1))
    places = screen.places if screen.is_terminal and not wide else None
    kept = _telling(rows.columns, places)
    chosen = [tuple(row[at] for at in kept) for row in (rows.columns, *values[:limit])]
    whole = [tuple(map(_cell, row)) for row in chosen]
    widths = [max(map(cell_len, cells)) for cells in zip(*whole, strict=True)]
    widths = (
        [min(one, COLUMN_MAX) for one in widths] if places is None else _fitting(widths, places)
    )
    shown = whole if places is None else [tuple(map(_shortened, row, widths)) for row in whole]
    for at, line in enumerate(_lines(chosen, shown, widths)):
        screen.print(Text(line, style="" if at else "bold"), soft_wrap=True)
    return Shown(len(values) > limit, shown != whole or len(kept) < len(rows.columns))


def _telling(columns: Sequence[str], places: int | None) -> Sequence[int]:
    """Which columns are shown in so many places: no ids, unless there is nothing else, and no more
    than have room."""
    everything = range(len(columns))
    if places is None:
        return everything
    told = [at for at in everything if columns[at] != "id" and not columns[at].endswith("_id")]
    return (told or everything)[: (places + len(GAP)) // (COLUMN_MIN + len(GAP))]


def _fitting(widths: Sequence[int], places: int) -> list[int]:
    """Widths that fit: narrow columns keep theirs, wide ones share evenly what is left."""
    left = places - len(GAP) * (len(widths) - 1)
    fitting = list(widths)
    by_width = sorted(range(len(widths)), key=widths.__getitem__)
    for done, at in enumerate(by_width):
        fitting[at] = min(widths[at], left // (len(widths) - done))
        left -= fitting[at]
    return fitting


def _shortened(text: str, width: int) -> str:
    """A text in so many places: an address without its middle, all else without its end."""
    if cell_len(text) <= width:
        return text
    head = (width - 1) // HEAD_SHARE if "://" in text else width - 1
    tail = set_cell_size(text[::-1], width - 1 - head)[::-1]
    return f"{set_cell_size(text, head)}{MORE}{tail}"


def _lines(
    rows: Sequence[Sequence[object]], table: Sequence[Sequence[str]], widths: Sequence[int]
) -> Iterator[str]:
    """The names and the rows, cell below cell, without blanks at the end."""
    for values, cells in zip(rows, table, strict=True):
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
