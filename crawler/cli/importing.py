"""How are archives brought into a crawl?"""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

import click

from crawler.cli.group import DATA, cli, db_option, face_for, quiet_option
from crawler.config import Setting, load
from crawler.crawl import analyse_crawl
from crawler.errors import Interrupted
from crawler.faces import wording
from crawler.faces.progress import Face

if TYPE_CHECKING:
    from crawler.imports.run import Counts

TOLD_AT_MOST = 1000
"""Lines on records that are damaged, or say what is not so; more are only counted."""
SUFFIXES = (".warc.gz", ".warc.zst", ".warc", ".wacz")
IMPORT_EXAMPLES = """\b
Examples:
  crawler import archive.warc.gz
  crawler import 2019/*.warc.gz --db data/site.db
  crawler import site.wacz --db data/site.db
"""


@cli.command(name="import", epilog=IMPORT_EXAMPLES)
@click.argument(
    "files", metavar="FILE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@db_option("The database, made where it is not there.  [default: data/NAME.db for NAME.warc.gz]")
@click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    help="Settings in TOML; config/crawl.toml shows all of them.",
)
@click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="One setting; may be given again.",
)
@click.option(
    "--no-analyse", is_flag=True, help="Leave facts, graph and checks to crawler analyse."
)
@quiet_option
def import_archives(
    files: tuple[Path, ...],
    db: Path | None,
    config_file: Path | None,
    overrides: Sequence[str],
    no_analyse: bool,
    quiet: bool,
) -> int:
    """Bring WARC or WACZ files into a database, as a run whose pages others fetched.

    Nothing is asked for. Pages, links, texts and findings can be asked as those of a crawl; what is
    older than what is there becomes history. The same command again passes over what was brought.
    Links in styles are read with --set assets.mode=fetch, as in a crawl.
    """
    from crawler.imports import run  # nobody who crawls needs it

    without = [Setting("--no-analyse", "audit.analyse", False)] if no_analyse else []
    config = load(config_file, overrides, without)
    face = face_for(quiet=quiet, as_json=False)
    path = db or DATA / f"{_stem(files[0])}.db"
    telling = _Telling(face)
    run.refuse_unready(files)
    with _stopped(path):
        counts = run.bring(files, path, config, tell=telling.damage, progress=telling.progress)
    if config.audit.analyse:
        analyse_crawl(path, config, face)
    for line in _came_of(counts, path):
        face.say(line)
    face.close()
    return 0


def _stem(path: Path) -> str:
    name = path.name
    for suffix in SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)] or name
    return path.stem


class _Telling:
    """Says what there is to say while an import goes on."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self._told = 0

    def damage(self, line: str) -> None:
        """On a record that could not be read, or says what is not so."""
        self._told += 1
        if self._told <= TOLD_AT_MOST:
            self._face.warn(wording.plain(line))
        elif self._told == TOLD_AT_MOST + 1:
            self._face.warn("More records are damaged; they are counted")

    def progress(self, records: int) -> None:
        """How many records were read."""
        if records % 10_000 == 0:
            self._face.say(f"Importing: {records:,} records")


def _came_of(counts: Counts, path: Path) -> Iterator[str]:
    more = (
        (counts.known, "there already"),
        (counts.damaged, "not readable"),
        (counts.untrue, "with a digest that is not theirs"),
        (counts.unresolved, "without the answer that they say is the same"),
        (counts.passed, "that hold no answer to a GET"),
    )
    told = "".join(f", {number:,} {what}" for number, what in more if number)
    yield (
        f"Imported into {path}: {wording.count(counts.brought, 'answer')} of "
        f"{wording.count(counts.files, 'file')}{told}"
    )


@contextmanager
def _stopped(path: Path) -> Iterator[None]:
    """A signal ends an import between two records; what it has stored stays."""

    def stop(_number: int, _frame: FrameType | None) -> NoReturn:
        raise KeyboardInterrupt

    before = {
        number: signal.signal(number, stop)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    except KeyboardInterrupt:
        raise Interrupted(
            f"{path}: the import was stopped; the same command again goes on"
        ) from None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
