"""How are rows of the database handed to a person or a program?"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Sequence
from typing import Any, TextIO

import msgspec
from rich.cells import cell_len, set_cell_size

from crawler.faces import wording
from crawler.faces.screen import Screen
from crawler.plain import CsvWriter, cell
from crawler.store.queries import Rows, View

COLUMN_MAX = 120
"""Places of a column; a wider cell pushes the rest of its own row to the right."""
CELL_MAX = 10_000
"""Characters of a text in a table, wherever it is shown."""
COLUMN_MIN = 8
"""Where a window is too narrow to give each column so many places, the last ones are left out."""
HEAD_SHARE = 3
"""Of an address that is shortened, its beginning gets one place in so many, its end the others:
addresses of a site begin alike."""
MEASURED = 1000
"""Rows by which columns are measured where all rows are shown, however many there are."""
GAP = "  "
MORE = "\u2026"


class Shown(msgspec.Struct, frozen=True):
    """What a table left out. more: rows. shortened: ids, columns, or parts of cells, to fit a
    window. cut: what is behind `CELL_MAX`."""

    more: bool
    shortened: bool = False
    cut: bool = False


def show_views(views: Iterable[View], screen: Screen) -> None:
    """The questions that can be asked by name."""
    from rich.text import Text  # see `Screen`

    rows = [(wording.plain(view.name), wording.plain(view.question)) for view in views]
    width = max((cell_len(name) for name, _ in rows), default=0)
    for name, question in rows:
        shown = Text(f"{_padded(name, width)}{GAP}{question}".rstrip())
        shown.stylize("bold", 0, len(name))
        screen.print(shown, soft_wrap=True)


def show_table(rows: Rows, limit: int | None, screen: Screen, *, wide: bool = False) -> Shown:
    """Print the first rows, or all, as a table, a line each.

    On a terminal it fits the window, unless `wide` is asked for: ids and columns without a value
    are left out, addresses shortened in the middle, other texts at the end. Elsewhere a row is as
    wide as it is, so that addresses stay whole.
    """
    from rich.text import Text  # see `Screen`

    values = list(itertools.islice(rows.rows, MEASURED if limit is None else limit + 1))
    places = screen.places if screen.is_terminal and not wide else None
    kept = _telling(rows.columns, values[:limit], places)
    widths = _widths((rows.columns, *values[:limit]), kept, places)
    shortened = len(kept) < len(rows.columns)
    cut = False
    rest = rows.rows if limit is None else ()
    for at, row in enumerate(itertools.chain((rows.columns,), values[:limit], rest)):
        chosen = [row[column] for column in kept]
        cut = cut or any(isinstance(value, str) and len(value) > CELL_MAX for value in chosen)
        whole = [_cell(value) for value in chosen]
        cells = whole if places is None else list(map(_shortened, whole, widths))
        shortened = shortened or cells != whole
        line = _line(chosen, cells, widths)
        screen.print(Text(line, style="" if at else "bold"), soft_wrap=True)
    return Shown(limit is not None and len(values) > limit, shortened, cut)


def _widths(
    rows: Iterable[Sequence[object]], kept: Sequence[int], places: int | None
) -> Sequence[int]:
    """Places of each column that is shown."""
    cells = ([cell_len(_cell(row[at])) for at in kept] for row in rows)
    widths = [max(lengths) for lengths in zip(*cells, strict=True)]
    return [min(one, COLUMN_MAX) for one in widths] if places is None else _fitting(widths, places)


def _telling(
    columns: Sequence[str], values: Sequence[Sequence[object]], places: int | None
) -> Sequence[int]:
    """Which columns are shown in so many places: no ids and nothing that is empty in all rows,
    unless there is nothing else, and no more than have room."""
    everything = range(len(columns))
    if places is None:
        return everything
    told = [at for at in everything if columns[at] != "id" and not columns[at].endswith("_id")]
    if values:
        told = [at for at in told if any(row[at] not in (None, "") for row in values)]
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


def _line(values: Sequence[object], cells: Sequence[str], widths: Sequence[int]) -> str:
    """The cells of a row, numbers to the right, without blanks at the end."""
    aligned = map(_padded, cells, widths, (isinstance(value, (int, float)) for value in values))
    return GAP.join(aligned).rstrip()


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = str(_readable(value))
    return wording.plain(text if len(text) <= CELL_MAX else f"{text[: CELL_MAX - 1]}{MORE}")


def _padded(text: str, width: int, to_the_right: bool = False) -> str:
    blanks = " " * (width - cell_len(text))
    return f"{blanks}{text}" if to_the_right else f"{text}{blanks}"


def write_csv(rows: Rows, limit: int | None, stream: TextIO) -> None:
    """Write rows as CSV with a head; no cell begins a formula, none commands a terminal."""
    writer = CsvWriter(stream)
    shown = wording.plain if stream.isatty() else str
    for row in itertools.chain([rows.columns], itertools.islice(rows.rows, limit)):
        writer.add([cell(shown(v)) if isinstance(v, str) else _readable(v) for v in row])


def write_json(rows: Rows, limit: int | None, stream: TextIO) -> None:
    """Write each row as a JSON object on a line of its own, in ASCII."""
    for row in itertools.islice(rows.rows, limit):
        stream.write(json.dumps(dict(zip(rows.columns, map(_readable, row), strict=True))) + "\n")


def _readable(value: Any) -> Any:
    """Bytes as hexadecimal digits; everything else as it is."""
    return value.hex() if isinstance(value, bytes) else value
