"""How do rows become Parquet, with the types that notebooks work with?

Whole numbers are int64, others doubles, times (ISO-8601 text here) timestamps in UTC, bytes binary.
Columns of our own tables are what they were declared to be; others what all of their values are,
and text where these differ. With --by-run a folder of Hive's kind, ``run_id=1/part-0.parquet``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from crawler import __version__
from crawler.exports.format import Export, Written
from crawler.store import columns
from crawler.store.moment import PAGES, PAGES_OF_RUNS, RUN_COLUMN, Moment, Selection, quoted

ROWS: Final = 20_000
BYTES: Final = 16 * 1024 * 1024
"""Of one group of rows, whichever is reached first: so much is held in memory."""
COMPRESSION: Final = "zstd"
MADE_BY: Final = b"crawler"
"""The key by which a file says what wrote it."""
TIME: Final = pa.timestamp("ms", tz="UTC")
DECLARED: Final = {
    "INTEGER": pa.int64(),
    "REAL": pa.float64(),
    "TEXT": pa.string(),
    "BLOB": pa.binary(),
}
TIMES: Final = ("_at", "_until", "_before", "lastmod", "_date")
"""How the names of columns end that may hold times."""
_IS_TIME: Final = (
    "(({0} GLOB '????-??-??T??:??:??Z' OR {0} GLOB '????-??-??T??:??:??.???Z') "
    "AND strftime('%Y-%m-%dT%H:%M:%S', {0}) = substr({0}, 1, 19))"
)
SEEN: Final = {
    frozenset(["integer"]): pa.int64(),
    frozenset(["real"]): pa.float64(),
    frozenset(["integer", "real"]): pa.float64(),
    frozenset(["blob"]): pa.binary(),
}
"""The type of a column by what its values are; all else is text."""


class Column(msgspec.Struct, frozen=True):
    """A column. type: Arrow's; a timestamp is written from text."""

    name: str
    type: Any


def write(export: Export, out: Any) -> Written:
    """Write all rows to a stream, or run by run to a folder."""
    if not export.options["by_run"]:
        selection = export.select()
        typed = _columns(export.moment, selection)
        return Written(_write(export, selection, typed, out), "row")
    choice = export.choice
    if choice.query is None and choice.sql is None and choice.table in (None, PAGES):
        choice = msgspec.structs.replace(choice, table=PAGES_OF_RUNS)
    typed = _columns(export.moment, export.moment.select(choice))  # the same in every part
    written = 0
    for (run,) in export.moment.connection.execute("SELECT id FROM runs ORDER BY id").fetchall():
        if choice.run in (None, run):
            selection = export.moment.select(msgspec.structs.replace(choice, run=run))
            with _part(out, run).open("wb") as stream:
                written += _write(export, selection, typed, stream, without=RUN_COLUMN)
    return Written(written, "row")


def is_export(folder: Path) -> bool:
    """Is it a folder of parts that were written here?"""
    return all(_is_part(one) for one in folder.iterdir())


def _is_part(folder: Path) -> bool:
    try:
        [part] = folder.iterdir()
        return MADE_BY in (pq.read_schema(part).metadata or {})
    except (OSError, ValueError):  # no folder, more files than one, another kind of file
        return False


def _part(folder: Path, run: int) -> Path:
    place = folder / f"{RUN_COLUMN}={run}"
    place.mkdir()
    return place / "part-0.parquet"


def _write(
    export: Export,
    selection: Selection,
    typed: Sequence[Column],
    out: BinaryIO,
    without: str | None = None,
) -> int:
    """Write rows without a column that is elsewhere, and give how many there were."""
    kept = [at for at, column in enumerate(typed) if column.name != without]
    schema = pa.schema([(typed[at].name, typed[at].type) for at in kept])
    schema = schema.with_metadata({MADE_BY: __version__})
    count = 0
    with pq.ParquetWriter(out, schema, compression=COMPRESSION) as writer:
        for group in _groups(export.counted(export.moment.rows(selection).rows)):
            count += len(group)
            values = list(zip(*group, strict=True))
            arrays = [_array(typed[at].type, values[at]) for at in kept]
            writer.write_table(pa.table(arrays, schema=schema))
    return count


def _columns(moment: Moment, selection: Selection) -> list[Column]:
    """The columns with their types; values are looked at where nothing is declared."""
    ours = selection.name in columns.HELP
    types: dict[str, Any] = {}
    for name, declared in zip(selection.columns, selection.types, strict=True):
        if ours and declared in DECLARED and not name.endswith(TIMES):
            types[name] = DECLARED[declared]
    unknown = [name for name in selection.columns if name not in types]
    types |= zip(unknown, _looked_at(moment, selection, unknown), strict=True)
    return [Column(name, types[name]) for name in selection.columns]


def _looked_at(moment: Moment, selection: Selection, names: Sequence[str]) -> Iterator[Any]:
    """The types of columns by all of their values."""
    if not names:
        return
    kinds = ("integer", "real", "text", "blob")
    asked = ",\n".join(
        ", ".join(
            [
                *(f"total(typeof({quoted(name)}) = '{kind}')" for kind in kinds),
                f"total({quoted(name)} IS NOT NULL AND NOT {_IS_TIME.format(quoted(name))})",
            ]
        )
        for name in names
    )
    [found] = moment.over(selection, asked)
    for at in range(0, len(found), 5):
        *counts, no_times = found[at : at + 5]
        seen = frozenset(kind for kind, count in zip(kinds, counts, strict=True) if count)
        yield TIME if seen == {"text"} and not no_times else SEEN.get(seen, pa.string())


def _groups(rows: Iterable[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    group: list[tuple[Any, ...]] = []
    size = 0
    for row in rows:
        group.append(row)
        size += sum(len(value) for value in row if isinstance(value, (str, bytes)))
        if len(group) >= ROWS or size >= BYTES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _array(kind: Any, values: Sequence[Any]) -> Any:
    """Values of a column as Arrow has them."""
    if kind == TIME:
        return pa.array(values, pa.string()).cast(TIME)
    if pa.types.is_string(kind):
        values = [_text(value) for value in values]
    return pa.array(values, kind)


def _text(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    return value.hex() if isinstance(value, bytes) else str(value)
