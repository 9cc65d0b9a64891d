"""How do rows become Parquet, with the types that notebooks work with?

Whole numbers are int64, others doubles, times (ISO-8601 text here) timestamps in UTC, bytes binary.
Columns of our own tables are what they were declared to be; others what all of their values are,
and text where these differ. With --by-run a folder of Hive's kind, ``run_id=1/part-0.parquet``; so
are several crawls, ``shard=2/part-0.parquet``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import Any, BinaryIO, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from crawler import __version__
from crawler.errors import UsageError
from crawler.exports.format import Export, Item, Written
from crawler.exports.several import Source
from crawler.store import columns
from crawler.store.moment import (
    PAGES,
    PAGES_OF_RUNS,
    RUN_COLUMN,
    Choice,
    Moment,
    Selection,
    asking,
    quoted,
)

NAME: Final = "part-0.parquet"
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


Row = tuple[Any, ...]


class Column(msgspec.Struct, frozen=True):
    """A column. type: Arrow's; a timestamp is written from text."""

    name: str
    type: Any


class Part(msgspec.Struct, frozen=True):
    """Rows that become one file.

    folder: its place in the export, as Hive has it. told: columns that the folder tells of.
    """

    moment: Moment
    choice: Choice
    folder: str = ""
    told: tuple[str, ...] = ()

    def select(self) -> Selection:
        """Its rows. Raises UsageError."""
        return self.moment.select(self.choice)


def write(export: Export, out: Any) -> Written:
    """Write all rows to a stream, or part by part to a folder."""
    parts = list(_parts(export))
    typed = _columns(export)
    if not (export.sources or export.options["by_run"]):
        return Written(_write(export.counted, parts[0], typed, out), "row")
    written = 0
    for part in parts:
        place = out / part.folder
        place.mkdir(parents=True)
        done = partial(_counted_on, export, written)
        with asking(part.moment, part.choice), (place / NAME).open("wb") as stream:
            written += _write(done, part, typed, stream)
            part.moment.forget()
    return Written(written, "row", tuple(_lacking(export.sources)))


def is_export(folder: Path) -> bool:
    """Is it a folder of parts that were written here?"""
    return all(one.is_dir() and _is_part(one) for one in folder.iterdir())


def _is_part(place: Path) -> bool:
    """A file that was written here, or a folder that holds one, or folders of them."""
    try:
        if place.is_dir():
            inside = list(place.iterdir())
            return bool(inside) and all(map(_is_part, inside))
        return place.name == NAME and MADE_BY in (pq.read_schema(place).metadata or {})
    except (OSError, ValueError):  # another kind of file
        return False


def _parts(export: Export) -> Iterator[Part]:
    """By crawls where several were asked for, and by runs where those were."""
    choice = _choice(export)
    for source in export.sources or (None,):
        moment = source.moment if source else export.moment
        above, told = (source.folder, (source.column,)) if source else ("", ())
        if not export.options["by_run"]:
            yield Part(moment, choice, above, told)
            continue
        with asking(moment, choice):
            listed = moment.connection.execute("SELECT id FROM runs ORDER BY id").fetchall()
        for (run,) in listed:
            if choice.run in (None, run):
                folder = str(PurePath(above, f"{RUN_COLUMN}={run}"))
                of_run = msgspec.structs.replace(choice, run=run)
                yield Part(moment, of_run, folder, (*told, RUN_COLUMN))


def _choice(export: Export) -> Choice:
    choice = export.choice
    pages = choice.query is None and choice.sql is None and choice.table in (None, PAGES)
    if export.options["by_run"] and pages:
        return msgspec.structs.replace(choice, table=PAGES_OF_RUNS)
    return choice


def _lacking(sources: Sequence[Source]) -> Iterator[str]:
    if sources and len(sources) < sources[0].of:
        yield f"{len(sources)} of {sources[0].of} shards are in it"


def _counted_on(export: Export, before: int, rows: Iterable[Item]) -> Iterator[Item]:
    """Count rows on from those of other parts."""
    told = msgspec.structs.replace(
        export, progress=lambda done, whole: export.progress(before + done, whole)
    )
    return told.counted(rows)


def _write(
    counted: Callable[[Iterable[Row]], Iterable[Row]],
    part: Part,
    typed: Sequence[Column],
    out: BinaryIO,
) -> int:
    """Write rows without what their folder tells, and give how many there were."""
    kept = [at for at, column in enumerate(typed) if column.name not in part.told]
    schema = pa.schema([(typed[at].name, typed[at].type) for at in kept])
    schema = schema.with_metadata({MADE_BY: __version__})
    count = 0
    with pq.ParquetWriter(out, schema, compression=COMPRESSION) as writer:
        for group in _groups(counted(part.moment.rows(part.select()).rows)):
            count += len(group)
            values = list(zip(*group, strict=True))
            arrays = [_array(typed[at].type, values[at]) for at in kept]
            writer.write_table(pa.table(arrays, schema=schema))
    return count


def _columns(export: Export) -> list[Column]:
    """The columns with their types, the same in every part; values are looked at where nothing is
    declared."""
    choice = _choice(export)
    moments = [one.moment for one in export.sources] or [export.moment]
    asked = [(one, _selected(one, choice)) for one in moments]
    _, selection = asked[0]
    for moment, other in asked:
        _refuse_others(moment, other, selection, export.sources)
    ours = selection.name in columns.HELP
    types: dict[str, Any] = {}
    for name, declared in zip(selection.columns, selection.types, strict=True):
        if ours and declared in DECLARED and not name.endswith(TIMES):
            types[name] = DECLARED[declared]
    unknown = [name for name in selection.columns if name not in types]
    types |= zip(unknown, _looked_at(asked, choice, unknown), strict=True)
    return [Column(name, types[name]) for name in selection.columns]


def _selected(moment: Moment, choice: Choice) -> Selection:
    with asking(moment, choice):
        return moment.select(choice)


def _refuse_others(
    moment: Moment, selection: Selection, first: Selection, sources: Sequence[Source]
) -> None:
    """Raises UsageError where parts have other columns, or one that tells them apart."""
    if selection.columns != first.columns:
        named = ", ".join(sorted({*selection.columns} ^ {*first.columns})) or "their order"
        raise UsageError(
            f"{moment.path}: has other columns than {sources[0].moment.path} ({named})"
        )
    for source in sources[:1]:
        if source.column in selection.columns:
            raise UsageError(
                f'"{source.column}" tells the files apart; give that column another name'
            )


def _looked_at(
    asked: Sequence[tuple[Moment, Selection]], choice: Choice, names: Sequence[str]
) -> Iterator[Any]:
    """The types of columns by all of their values."""
    if not names:
        return
    kinds = ("integer", "real", "text", "blob")
    counted = ",\n".join(
        ", ".join(
            [
                *(f"total(typeof({quoted(name)}) = '{kind}')" for kind in kinds),
                f"total({quoted(name)} IS NOT NULL AND NOT {_IS_TIME.format(quoted(name))})",
            ]
        )
        for name in names
    )
    found = [0.0] * (len(kinds) + 1) * len(names)
    for moment, selection in asked:
        with asking(moment, choice):
            [more] = moment.over(selection, counted)
            moment.forget()
        found = [one + other for one, other in zip(found, more, strict=True)]
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
