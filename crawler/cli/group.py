"""What is common to all commands: the group, the options that several have, errors, exit codes?"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import Any, Final, TextIO, TypeVar, cast

import click
import gevent

from crawler import __version__
from crawler.errors import CrawlError, Interrupted, StorageError, UsageError
from crawler.faces import progress, wording
from crawler.faces.progress import Face
from crawler.faces.screen import Screen, Stream
from crawler.plain import log_plainly
from crawler.store import database, place, queries

DASHBOARD_PORT = 8100


ROWS = click.IntRange(0, 10**15)
"""How many rows somebody wants; SQLite and Python count no further than 2^63."""


class Port(click.ParamType[int]):
    """A port, which may be left out."""

    name = "port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The port. An option whose value may be left out takes the next word for it."""
        text = str(value)
        if not (text.isascii() and text.isdigit() and len(text) < 10 and int(text) <= 65535):
            self.fail(f"{text[:60]!r} is no port; write --dashboard behind it, or --dashboard=8100")
        return int(text)


Command = TypeVar("Command", bound=Callable[..., Any])
DATA = place.DATA
EPILOG = """\b
A first look, without internet:
  crawler demo
\b
Exit codes:
  0 finished   2 wrong usage, seeds or settings   3 storage
  4 what --fail-on names   5 no seed could be fetched   130 interrupted   1 a bug
"""


PLACES: Final = {
    "analyse": "auditing",
    "audit": "auditing",
    "browse": "showing",
    "changes": "history",
    "crawl": "crawl",
    "dashboard": "showing",
    "demo": "demo",
    "diff": "history",
    "explain": "asking",
    "export": "exporting",
    "import": "importing",
    "log": "history",
    "merge": "merging",
    "plan": "history",
    "query": "asking",
    "redis-acl": "machines",
    "report": "showing",
    "schema": "asking",
    "search": "searching",
    "settings": "settings",
    "status": "asking",
    "work": "machines",
}
"""In which file of `crawler.cli` each command is."""


class Front(click.Group):
    """All commands; the one place where an error becomes a line and an exit code.

    places: in which file of `crawler.cli` each is that is imported only when it is asked for.
    """

    def __init__(self, *given: Any, places: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(*given, **more)
        self._places = places or {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All of them, imported or not."""
        return sorted({*self._places, *self.commands})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """One of them, or None."""
        is_known = cmd_name in self._places
        for name in [cmd_name] if is_known else self._places:  # or whichever is spelt like it
            self.load(name)
        return super().get_command(ctx, cmd_name)

    def load(self, name: str) -> None:
        """Import the file of a command, if there is one."""
        if name in self._places:
            import_module(f"crawler.cli.{self._places[name]}")

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run under one name, however it was called."""
        return super().main(*args, **{**extra, "prog_name": "crawler"})

    def invoke(self, ctx: click.Context) -> None:
        """Run a command and end with the exit code that it gives; errors become exit codes."""
        # These are told here, in one line; the hub need not print where they passed a thread.
        log_plainly()
        hub = gevent.get_hub()
        hub.NOT_ERROR = (*hub.NOT_ERROR, CrawlError, database.SQLiteError, KeyboardInterrupt)
        try:
            code = super().invoke(ctx)
            sys.stdout.flush()
        except CrawlError as error:
            complain(f"crawler: {wording.plain(str(error))}")
            ctx.exit(error.exit_code)
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else "crawler"
            complain(f"{path}: {wording.plain(_short(error.format_message()))} See {path} --help")
            ctx.exit(UsageError.exit_code)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except (KeyboardInterrupt, click.Abort):
            ctx.exit(Interrupted.exit_code)
        except BrokenPipeError:
            silence(sys.stdout)
            ctx.exit(0)
        except Exception:
            complain(
                f"crawler: this is a bug in crawler {__version__}; please report it with all that "
                f"follows\n{wording.plain_lines(traceback.format_exc())}"
            )
            ctx.exit(CrawlError.exit_code)
        ctx.exit(code or 0)


def _short(message: str) -> str:
    """A message that repeats what was typed, however long that was."""
    return message if len(message) <= 300 else f"{message[:200]} ... {message[-80:]}"


def complain(text: str) -> None:
    try:
        click.echo(text, err=True)
    except OSError:
        silence(sys.stderr)


def silence(stream: TextIO) -> None:
    """Nobody reads it any more: what is still held back goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


@click.group(
    cls=Front,
    places=PLACES,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="crawler", message="%(prog)s %(version)s")
def cli() -> None:
    """A web crawler whose whole crawl is one SQLite file."""


def db_option(help: str) -> Callable[[Command], Command]:
    """``--db``, with what is used where it is not given."""
    return click.option("--db", type=click.Path(path_type=Path), help=help)


netrc_option = click.option(
    "--netrc",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Passwords of hosts, as a netrc file has them; no such file is read unless named.",
)
quiet_option = click.option("--quiet", is_flag=True, help="Show nothing but errors.")
fail_on_option = click.option(
    "--fail-on",
    multiple=True,
    metavar="CONDITION,...",
    help="End with exit code 4 when one is met: unfinished (URLs are left to fetch), the name of a "
    "check, severity=error (or warning, note: that or worse), new (errors and warnings that began "
    "since the run before). A check that is named and cannot be judged counts as met.",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Write a JSON object a second to the standard output."
)


def form_options(command: Command) -> Command:
    """How rows are given: passes ``form``, ``limit`` and ``wide`` on."""

    @wraps(command)
    def shaped(*given: Any, as_csv: bool, as_objects: bool, **more: Any) -> Any:
        if as_csv and as_objects:
            raise UsageError("--csv and --json are two ways to write the rows; give one of them")
        form = "csv" if as_csv else "json" if as_objects else None
        return command(*given, form=form, **more)

    chosen: Any = shaped
    for option in (
        click.option(
            "--wide", is_flag=True, help="Shorten nothing to fit the window; show ids, too."
        ),
        click.option(
            "--limit",
            type=ROWS,
            help="Rows.  [default: 50 on a terminal, all for a file or a pipe]",
        ),
        click.option("--json", "as_objects", is_flag=True, help="Write a JSON object a row."),
        click.option("--csv", "as_csv", is_flag=True, help="Write CSV."),
    ):
        chosen = option(chosen)
    return cast(Command, chosen)


def newest() -> Path:
    """The database that is asked where none is named; its name is told."""
    path = queries.newest(DATA)
    complain(f"{wording.plain(str(path))}, the last one written in {DATA}/; --db names another")
    return path


@contextmanager
def standard_output() -> Iterator[None]:
    """Tell where nothing could be written. A reader that has gone away is no error."""
    try:
        yield
    except BrokenPipeError:
        silence(sys.stdout)
    except OSError as error:
        raise StorageError(f"standard output: cannot be written: {error.strerror}") from None


def face_for(*, quiet: bool, as_json: bool) -> Face:
    people = Screen(Stream(2))
    people.quiet = quiet
    if as_json:
        return progress.JsonLines(Stream(1), people, only_the_end=quiet)
    if quiet or not people.is_terminal:
        return progress.PlainLines(people)
    from crawler.faces.panel import LivePanel  # rich takes 20 ms to load

    return LivePanel(people)
