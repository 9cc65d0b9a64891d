"""Where does an export go, and may it?

To a pipe or a file for what is a stream, to a file or a folder for the rest. A file that nobody
named is never replaced; one that was named is, as by a shell, but no database. Of folders only
those are replaced that an export made and nobody put anything into: they hold `MARK`, or their
format knows them.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import msgspec

from crawler import __version__, whole
from crawler.errors import StorageError, UsageError
from crawler.exports import formats
from crawler.exports.format import Export, Format, Into, Progress, Written
from crawler.exports.several import refuse_twice, sources
from crawler.plain import printable
from crawler.store.database import is_export
from crawler.store.moment import Choice, asking, moment
from crawler.store.packing import Damaged

STDOUT: Final = Path("-")
MARK: Final = "crawler-export.json"
"""Stands in a folder that an export made."""
BUFFER_BYTES: Final = 1 << 20
ITS_FILES: Final = ("", *whole.BESIDE, ".lock")
"""How the names of a database's files end."""
CHOICE: Final = ("table", "query", "sql", "where", "run")


def find(name: str) -> Format:
    """A format by name. Raises UsageError: there is none, or what it needs is not installed."""
    try:
        found = formats.FORMATS[name]
    except KeyError:
        from difflib import get_close_matches

        near = get_close_matches(name, formats.FORMATS, 1)
        hint = f'did you mean "{near[0]}"? ' if near else ""
        known = ", ".join(formats.FORMATS)
        raise UsageError(f'no format "{name}" ({hint}there are: {known})') from None
    if any(find_spec(module) is None for module in found.needs):
        raise UsageError(f"{name}: needs more: pip install 'crawler[{found.extra}]'")
    return found


def refuse_untaken(format: Format, options: Mapping[str, Any]) -> None:
    """Raises UsageError for an option that was given and means nothing to this format."""
    for one in formats.OPTIONS:
        if options.get(one.key) not in (None, False, ()) and one.name not in format.takes:
            others = [name for name, other in formats.FORMATS.items() if one.name in other.takes]
            raise UsageError(f"{format.name} takes no --{one.name} (of {', '.join(others)})")


def destination(format: Format, path: Path, options: Mapping[str, Any]) -> Path:
    """Where an export goes that nobody named a place for: beside the database; a stream to the
    standard output where that is no terminal. Raises UsageError where something is there."""
    if formats.into(format, options) is Into.STREAM and not os.isatty(1):
        return STDOUT
    named = options.get("table") or options.get("query") or ("rows" if options.get("sql") else "")
    suffix = f".{named}{format.suffix}" if named else format.suffix
    made = path.with_name(f"{path.stem}{suffix}")
    if formats.into(format, options) is Into.FOLDER:
        return made
    if os.path.lexists(made):
        raise UsageError(f"{made}: is there; --out {made} replaces it, or name another")
    return made


def export(
    format: Format,
    paths: Sequence[Path],
    out: Path,
    *,
    options: Mapping[str, Any],
    now: datetime,
    progress: Progress,
) -> Written:
    """Write a moment of these databases, mostly of one, to `out`, which is `STDOUT` for that.

    Raises UsageError, StorageError, and KeyboardInterrupt after a signal; then nothing is there.
    """
    refuse_untaken(format, options)
    _refuse_several(format, paths)
    kind = formats.into(format, options) if len(paths) == 1 else Into.FOLDER
    _refuse_to_replace(paths, out, kind, format)
    write = import_module(format.module).write
    choice = Choice(**{name: options.get(name) for name in CHOICE})
    with ExitStack() as held:
        moments = [held.enter_context(moment(path)) for path in paths]
        for one in moments:
            with asking(one, choice):
                one.refuse_unknown_run(choice.run)
        told = sources(moments) if len(moments) > 1 else ()
        given = Export(moments[0], format.name, out, choice, options, now, progress, told)
        with (
            asking(moments[0], choice),
            _damage_told(paths[0]),
            _opened(out, kind, format) as place,
        ):
            written: Written = write(given, place)
            _refuse_to_replace(paths, out, kind, format)  # what came to be there meanwhile
            if kind is Into.FOLDER and not format.knows:
                _mark(place, given)
        return written


def _refuse_several(format: Format, paths: Sequence[Path]) -> None:
    if len(paths) > 1 and not format.several:
        takers = ", ".join(name for name, one in formats.FORMATS.items() if one.several)
        raise UsageError(
            f"{format.name} takes one database ({takers} takes several); crawler merge makes one"
        )
    refuse_twice(paths)


def _refuse_to_replace(paths: Sequence[Path], out: Path, kind: Into, format: Format) -> None:
    """Raises UsageError where `out` is something that no export may replace."""
    if out == STDOUT:
        if kind is not Into.STREAM:
            raise UsageError(f"--out -: a {kind.value} is written; name one with --out")
        return
    with _told(out):
        _refuse_place(paths, out, Path(os.path.realpath(out)), kind, format)


def _refuse_place(
    paths: Sequence[Path], out: Path, place: Path, kind: Into, format: Format
) -> None:
    if not place.parent.is_dir():
        raise UsageError(f"--out {out}: there is no folder {out.parent}; make it with mkdir -p")
    if any(str(place).removeprefix(os.path.realpath(path)) in ITS_FILES for path in paths):
        raise UsageError(f"--out {out}: is the database itself")
    if place.is_dir():
        _refuse_folder(out, place, kind, format)
    elif place.exists() and kind is Into.FOLDER:
        raise UsageError(f"--out {out}: is a file, and a folder is written; name another")
    elif whole.is_database(place) and not is_export(place):
        raise UsageError(f"--out {out}: is a database; an export replaces none, name another file")


def _refuse_folder(out: Path, place: Path, kind: Into, format: Format) -> None:
    if kind is not Into.FOLDER:
        raise UsageError(f"--out {out}: is a folder; name a file")
    if not any(place.iterdir()):
        return
    if (place / MARK).is_file():
        if _marked(place) != _names_in(place):
            raise UsageError(
                f"--out {out}: holds other files than the export that made it; "
                "name another folder, or remove this one"
            )
    elif not (format.knows and import_module(format.module).is_export(place)):
        raise UsageError(f"--out {out}: is a folder of something else; name another")


@contextmanager
def _opened(out: Path, kind: Into, format: Format) -> Iterator[Any]:
    """What a format writes to."""
    if out == STDOUT:
        with _standard_output(format) as stream:
            yield stream
    elif kind is Into.FOLDER:
        with whole.folder(out) as place:
            yield place
    elif kind is Into.FILE:
        with whole.file(out) as place:
            yield place
    elif _is_pipe(out):
        with _told(out), out.open("wb", buffering=BUFFER_BYTES) as stream:
            yield stream
    else:
        with whole.file(out) as place, place.open("wb", buffering=BUFFER_BYTES) as stream:
            yield stream


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """Bodies that cannot be unpacked, and headers that are none: somebody wrote them there."""
    try:
        yield
    except (Damaged, msgspec.DecodeError) as error:
        raise StorageError(
            f"{path}: the file is damaged; restore a copy ({type(error).__name__}: {error})"
        ) from None


def _is_pipe(out: Path) -> bool:
    """A pipe or a device, such as /dev/null: it is written to as it is."""
    try:
        mode = out.stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


@contextmanager
def _told(out: Path) -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise StorageError(f"{out}: cannot be written: {error.strerror}") from None


@contextmanager
def _standard_output(format: Format) -> Iterator[BinaryIO]:
    """The standard output, where a terminal is shown nothing that commands it."""
    sys.stdout.flush()
    if not os.isatty(1):
        with open(1, "wb", buffering=BUFFER_BYTES, closefd=False) as stream:
            yield stream
        return
    if not format.text:
        raise UsageError(f"{format.name} is nothing for a terminal; name a file with --out")
    with open(1, "wb", buffering=0, closefd=False) as screen:
        yield cast(BinaryIO, _Shown(screen))


class _Shown(io.RawIOBase):
    """A stream whose lines a terminal shows instead of obeying them."""

    def __init__(self, screen: io.RawIOBase) -> None:
        self._screen = screen

    def writable(self) -> bool:
        """Nothing else."""
        return True

    def write(self, data: Any) -> int:
        """Whole lines, as formats write them."""
        self._screen.write(printable(bytes(data).decode("utf-8", "replace")).encode())
        return len(data)


def _mark(folder: Path, export: Export) -> None:
    told = {
        "format": export.format,
        "database": export.moment.path.name,
        "made_at": export.now.isoformat(timespec="seconds"),
        "by": f"crawler {__version__}",
        "names_sha256": _names_in(folder),
    }
    (folder / MARK).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def _marked(folder: Path) -> str | None:
    """The digest of all names that a mark tells; None where it tells none."""
    try:
        told = json.loads((folder / MARK).read_bytes())
    except ValueError:
        return None
    return told.get("names_sha256") if isinstance(told, dict) else None


def _names_in(folder: Path) -> str:
    """A digest of the names of all that is in a folder, but for the mark: a file that a person has
    put there, such as the database itself, would go with the folder."""
    names = sorted(
        os.path.relpath(os.path.join(place, name), folder)
        for place, folders, files in os.walk(folder)
        for name in (*folders, *files)
    )
    told = "\0".join(name for name in names if name != MARK)
    return hashlib.sha256(os.fsencode(told)).hexdigest()
