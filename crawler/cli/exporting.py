"""What can be taken along of a crawl, in a format that other tools open?"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

import click

from crawler.cli.group import Command, cli, complain, db_option, newest, standard_output
from crawler.errors import Interrupted, UsageError
from crawler.exports import formats, run
from crawler.exports.format import Option, Written
from crawler.faces import wording
from crawler.faces.screen import Screen, Stream

EXPORT_EXAMPLES = f"""\b
Formats:
{chr(10).join(f"  {one.name:<9} {one.help}" for one in formats.FORMATS.values())}
\b
Examples:
  crawler export csv > pages.csv
  crawler export csv --query broken_links --out broken.csv
  crawler export jsonl --where "status = 404" --out missing.jsonl
  crawler export parquet data/seeds.shard*.db --out pages
"""

NUMBER = click.IntRange(0, 10**15)


def format_options(command: Command) -> Command:
    """Every option that a format takes."""
    for one in reversed(formats.OPTIONS):
        takers = [name for name, format in formats.FORMATS.items() if one.name in format.takes]
        command = _option(one, f"{one.help}  [{', '.join(takers)}]")(command)
    return command


def _option(one: Option, help: str) -> Callable[[Command], Command]:
    flag = f"--{one.name}"
    if one.value is None:
        return click.option(flag, is_flag=True, help=help)
    kind: Any = click.Choice(one.choices) if one.choices else NUMBER if one.number else str
    return click.option(flag, type=kind, metavar=one.value, multiple=one.many, help=help)


@cli.command(name="export", epilog=EXPORT_EXAMPLES)
@click.argument("format", required=False)
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
@db_option("The database.  [default: the one in data/ that was written last]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="The file or folder to write; - for the standard output.  [default: that where it is no "
    "terminal and the format is a stream, else beside the database]",
)
@format_options
def export_crawl(
    format: str | None, files: tuple[Path, ...], db: Path | None, out: Path | None, **options: Any
) -> None:
    """Write a crawl, or rows of it, in a FORMAT that other tools open; without one, list them.

    A crawl that still runs is exported as it was when the export began. What is written is there
    whole or not at all.

    A FILE says the same as --db. To parquet several may be given, such as all shards of a crawl:
    their rows become one folder of Hive's kind, shard=2/part-0.parquet (crawl=NAME for whole
    crawls), which DuckDB reads as one table that has this column.
    """
    if format is None:
        with standard_output():
            for one in formats.FORMATS.values():
                click.echo(f"{one.name:<9} {one.help}")
        return
    from crawler.faces.bar import Bar  # rich, on the way to a crawl nobody needs it

    chosen = run.find(format)
    run.refuse_untaken(chosen, options)
    paths = _databases(files, db)
    path = paths[0]
    if len(paths) > 1 and out is None:
        raise UsageError("several databases become a folder; name it with --out")
    target = out or run.destination(chosen, path, options)
    with ended_by_signals(path, "export"), standard_output():
        with Bar(Screen(Stream(2)), chosen.name) as bar:
            made = run.export(
                chosen, paths, target, options=options, now=datetime.now(UTC), progress=bar
            )
        for line in _told(made, target):
            complain(wording.plain(line))


def _databases(files: Sequence[Path], db: Path | None) -> Sequence[Path]:
    """Those that were named, or the newest one. Raises UsageError."""
    if files and db is not None:
        raise UsageError(f"--db {db}: databases are named behind the format, too; do one of both")
    return files or [db or newest()]


def _told(made: Written, target: Path) -> Iterator[str]:
    yield from made.remarks
    if target == run.STDOUT:
        return
    size = f", {wording.size(target.stat().st_size)}" if target.is_file() else ""
    yield f"Written: {target}, {wording.count(made.count, made.noun)}{size}"


@contextmanager
def ended_by_signals(path: Path, what: str) -> Iterator[None]:
    """What ends a process ends this as Ctrl-C does: it takes away what it began."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, stop)
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(f"{path}: the {what} was stopped; nothing of it is left") from None
