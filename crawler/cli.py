"""What can a person ask of the crawler?

Words, flags and exit codes; what is done stands in the rooms below. A parameter with two
underscores in its name is a setting: ``run__max_pages`` is ``run.max_pages``.
"""

from __future__ import annotations

import errno
import itertools
import os
import signal
import ssl
import sys
import traceback
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TextIO, TypeVar
from urllib.parse import urlsplit

import click
import gevent

from crawler import __version__
from crawler.config import AUTHORITIES, Setting, load
from crawler.crawl import CONDITIONS, Crawl, Plan, analyse_crawl, complaint
from crawler.errors import CrawlError, Interrupted, StorageError, UsageError
from crawler.faces import audit as audit_told
from crawler.faces import explain, progress, schema, summary, table, wording
from crawler.faces.log import told_by
from crawler.faces.progress import Face
from crawler.faces.screen import Screen, Stream
from crawler.loader import STDIN, default_database, read_seeds, refuse_to_mix
from crawler.plain import log_plainly
from crawler.policy import urls
from crawler.policy.agent import PRODUCT, robots_token
from crawler.policy.seeds import Seed, read_line
from crawler.policy.urls import UrlRules
from crawler.store import audit as store_audit
from crawler.store import database, queries
from crawler.store.queries import Rows

Command = TypeVar("Command", bound=Callable[..., Any])
DATA = database.DATA
ROWS_SHOWN = 50
MOST_SIGNALS = 2
FORMS = {"csv": table.write_csv, "json": table.write_json}
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
DEMO = "demo"
"""Stands for the seeds file in the runs of a demo."""
EXAMPLES = """\b
Examples:
  crawler crawl seeds.txt
  crawler crawl seeds.txt --max-pages 500 --exclude '\\.pdf$'
  crawler crawl https://example.org/
  cut -f 2 list.tsv | crawler crawl - --db data/list.db
  crawler crawl seeds.txt --set pace.gap_s=2 --set fetch.contact=me@example.org
"""
TAKEN_FOR_GRANTED = """\b
How it reads what you ask for:
  A seed without a scheme means https, and http where https cannot connect.
  An address in place of a file is a seed; the database is named by its host.
  The scope is that of this run's seeds; a port is a part of it.
  A front page that redirects takes its site along, a deeper page does not.
  Identifiers of sessions, such as ;jsessionid=, are taken out of addresses.
  A finished crawl is visited again as a whole, with --new-only what is new.
  Exit code 5 means that no seed has given a page, not even by redirects.
  A limit that is reached is no failure, but --fail-on unfinished makes it one.
"""
AUDIT_EXAMPLES = """\b
Examples:
  crawler audit
  crawler audit title_missing --db data/example.db
  crawler audit title_missing --csv > titles.csv
  crawler audit --since 3
"""
QUERY_EXAMPLES = """\b
Examples:
  crawler query
  crawler query broken_links --db data/example.db
  crawler query skipped_urls --csv > skipped.csv
"""
CHANGES_EXAMPLES = """\b
Examples:
  crawler changes
  crawler changes --since 2026-11-01 --csv > changes.csv
  crawler changes --from 2 --to 5
"""
EPILOG = """\b
A first look, without internet:
  crawler demo
\b
Exit codes:
  0 finished   2 wrong usage, seeds or settings   3 storage
  4 what --fail-on names   5 no seed could be fetched   130 interrupted   1 a bug
"""


class Front(click.Group):
    """All commands; the one place where an error becomes a line and an exit code."""

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
            _complain(f"crawler: {wording.plain(str(error))}")
            ctx.exit(error.exit_code)
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else "crawler"
            _complain(f"{path}: {wording.plain(_short(error.format_message()))} See {path} --help")
            ctx.exit(UsageError.exit_code)
        except (click.ClickException, click.exceptions.Exit):
            raise
        except (KeyboardInterrupt, click.Abort):
            ctx.exit(Interrupted.exit_code)
        except BrokenPipeError:
            _silence(sys.stdout)
            ctx.exit(0)
        except Exception:
            _complain(
                f"crawler: this is a bug in crawler {__version__}; please report it with all that "
                f"follows\n{wording.plain_lines(traceback.format_exc())}"
            )
            ctx.exit(CrawlError.exit_code)
        ctx.exit(code or 0)


def _short(message: str) -> str:
    """A message that repeats what was typed, however long that was."""
    return message if len(message) <= 300 else f"{message[:200]} ... {message[-80:]}"


def _complain(text: str) -> None:
    try:
        click.echo(text, err=True)
    except OSError:
        _silence(sys.stderr)


def _silence(stream: TextIO) -> None:
    """Nobody reads it any more: what is still held back goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


@click.group(cls=Front, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="crawler", message="%(prog)s %(version)s")
def cli() -> None:
    """A web crawler whose whole crawl is one SQLite file."""


def db_option(help: str) -> Callable[[Command], Command]:
    """``--db``, with what is used where it is not given."""
    return click.option("--db", type=click.Path(path_type=Path), help=help)


quiet_option = click.option("--quiet", is_flag=True, help="Show nothing but errors.")
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Write a JSON object a second to the standard output."
)


def setting_option(*names: str, help: str, **kinds: Any) -> Callable[[Command], Command]:
    """A flag that is a setting; the configuration holds where it is not given."""
    return click.option(*names, help=help, default=None, **kinds)


@cli.command(epilog=f"{TAKEN_FOR_GRANTED}\n{EXAMPLES}")
@click.argument("sources", metavar="SEEDS|URL...", nargs=-1, required=True)
@db_option(
    "The database, made where it is not there.  "
    "[default: data/NAME.db for NAME.txt, data/HOST.db for http://HOST/]"
)
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
@setting_option(
    "--workers", "run__workers", type=int, help="Processes; 0 for none.  [default: one per core]"
)
@setting_option("--concurrency", "run__concurrency", type=int, help="Fetches at once of a worker.")
@setting_option("--max-pages", "run__max_pages", type=int, help="Stop after so many pages.")
@setting_option("--max-depth", "scope__max_depth", type=int, help="Clicks from a seed.")
@setting_option("--max-time", "run__max_seconds", type=float, help="Stop after so many seconds.")
@setting_option(
    "--scope",
    "scope__mode",
    metavar="[page|prefix|host|domain|any]",
    help="What belongs to the crawl: the seeds alone, what is below their folders, their hosts, "
    "their domains, everything.  [default: host]",
)
@setting_option(
    "--include",
    "scope__include",
    multiple=True,
    metavar="RE",
    help="Only pages that match; sitemaps, and where a seed moved, are read all the same.",
)
@setting_option(
    "--exclude",
    "scope__exclude",
    multiple=True,
    metavar="RE",
    help="No pages that match, but for the same.",
)
@setting_option(
    "--ignore-robots",
    "robots__obey",
    is_flag=True,
    flag_value=False,
    help="Do not ask for robots.txt. For your own sites.",
)
@setting_option(
    "--allow-private",
    "scope__allow_private",
    multiple=True,
    metavar="HOST|CIDR",
    help="Fetch from this host or network though it is private or loopback.",
)
@setting_option(
    "--check",
    "scope__check",
    metavar="assets,external",
    callback=lambda _context, _option, value: value and value.split(","),
    help="Also see whether images, scripts and so on, or links that leave, are there.",
)
@setting_option(
    "--retry-failed",
    "run__retry_failed",
    is_flag=True,
    flag_value=True,
    help="Fetch only what failed before.",
)
@setting_option(
    "--new-only",
    "run__new_only",
    is_flag=True,
    flag_value=True,
    help="Visit nothing a second time: only new seeds, and what a limit left.",
)
@setting_option(
    "--insecure",
    "fetch__verify_tls",
    is_flag=True,
    flag_value=False,
    help="Accept certificates that prove nothing.",
)
@setting_option(
    "--no-analyse",
    "audit__analyse",
    is_flag=True,
    flag_value=False,
    help="Leave facts, graph and checks to crawler analyse.",
)
@click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice(CONDITIONS),
    help="End with exit code 4 when URLs are left to fetch (unfinished).",
)
@quiet_option
@json_option
@click.pass_context
def crawl(
    context: click.Context,
    /,
    sources: tuple[str, ...],
    db: Path | None,
    config_file: Path | None,
    overrides: Sequence[str],
    fail_on: Sequence[str],
    quiet: bool,
    as_json: bool,
    **flags: Any,
) -> int:
    """Crawl the addresses in SEEDS, files with one a line ("-" is the standard input), or each URL.

    Everything goes into one SQLite file. Run the same command again to go on with a crawl that was
    stopped, or to visit a finished one again. Ctrl-C stops at any time; nothing is lost.
    """
    config = load(config_file, overrides, _settings(context, flags))
    if config.fetch.verify_tls and (authorities := os.environ.get(AUTHORITIES)):
        _check_authorities(authorities)
    face = _face(quiet=quiet, as_json=as_json)
    if STDIN in sources and os.isatty(0):
        face.say("Reading addresses from standard input, one a line; Ctrl-D ends them")
    found = read_seeds(
        *sources, rules=UrlRules.of(config), patience_s=config.run.max_seconds or None
    )
    for notice in found.notices:
        face.say(notice)
    path = db or default_database(sources, DATA)
    if db is None:
        refuse_to_mix(path, sources, found)
    seeds = iter(found)
    if not config.fetch.contact:
        seeds = _with_warning(seeds, config.scope.allow_private, face)
    if (token := robots_token(config.fetch)) != PRODUCT:
        face.say(f"Sites' wishes for robots are kept that are addressed to {token} or to all")
    return _crawl(Plan(config, path, seeds, " ".join(sources)), face, fail_on=fail_on)


def _with_warning(seeds: Iterator[Seed], own: Collection[str], face: Face) -> Iterator[Seed]:
    """The seeds; before the first that is on others' hosts, a warning that nobody is named."""
    told = False
    for seed in seeds:
        host = urls.host_of(seed.target.origin)
        if not (told or seed.error or host in own or urls.is_private_literal(host)):
            face.say("Warning: sites cannot reach you: set fetch.contact (--set fetch.contact=...)")
            told = True
        yield seed


def _check_authorities(path: str) -> None:
    """Load them once: a wrong file should be known before anything is fetched."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cafile=path)
    except ssl.SSLError:
        raise UsageError(f"{AUTHORITIES}: {path}: no certificates in PEM form") from None
    except OSError as error:
        raise UsageError(f"{AUTHORITIES}: {path}: {error.strerror}") from None


@cli.command(name=DEMO)
@db_option("The database; a second demo visits the same site again.  [default: data/demo.db]")
@quiet_option
@json_option
def show_demo(db: Path | None, quiet: bool, as_json: bool) -> int:
    """Crawl a small web made up on this machine, without internet.

    It has the faults that real sites have: broken links, redirect chains, a loop, pages that
    robots.txt forbids. Afterwards try: crawler query broken_links
    """
    from crawler import demo  # with a web server that nobody else needs

    path = db or DATA / "demo.db"
    try:
        with demo.serve(port=_demo_port(path)) as address:
            seed = read_line(1, address)
            seeds = iter([] if seed is None else [seed])
            plan = Plan(load(None), path, seeds, DEMO)
            return _crawl(plan, _face(quiet=quiet, as_json=as_json))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    raise UsageError(f"{path}: the port of that demo is taken; name another file with --db")


def _demo_port(path: Path) -> int:
    """The port on which a database's demo was served before; 0, for any, where there is none."""
    if not path.exists():
        return 0
    with queries.reading(path) as connection:
        run, seed = queries.last_run(connection), queries.first_seed(connection)
    if run is not None and run.seeds_file != DEMO:
        raise UsageError(f"{path}: is a crawl of your own; name another file with --db")
    return 0 if seed is None else urlsplit(seed).port or 0


@cli.command()
@db_option("The database.  [default: the one in data/ that was written last]")
def status(db: Path | None) -> None:
    """Tell where a crawl is, also while it runs."""
    path = db or _newest()
    with queries.reading(path) as connection, _standard_output():
        summary.show(summary.of_moment(connection, path), Screen(Stream(1)))


def form_options(command: Command) -> Command:
    """How rows are given."""
    for option in (
        click.option(
            "--wide", is_flag=True, help="Shorten nothing to fit the window; show ids, too."
        ),
        click.option(
            "--limit", type=click.IntRange(min=0), help="Rows.  [default: 50, all for a file]"
        ),
        click.option("--json", "form", flag_value="json", help="Write a JSON object a row."),
        click.option("--csv", "form", flag_value="csv", help="Write CSV."),
    ):
        command = option(command)
    return command


@cli.command(epilog=QUERY_EXAMPLES)
@click.argument("name", required=False)
@db_option("The database.  [default: the one in data/ that was written last]")
@form_options
def query(name: str | None, db: Path | None, **shape: Any) -> None:
    """Answer a question by its NAME, such as broken_links; without one, list them all."""
    path = db or _newest()
    with queries.reading(path) as connection, _standard_output():
        if name is None:
            table.show_views(queries.views(connection), Screen(Stream(1)))
            return
        _show(queries.ask(connection, name), **shape)


def _show(rows: Rows, *, form: str | None, limit: int | None, wide: bool) -> None:
    if form is None:
        most = ROWS_SHOWN if limit is None else limit
        shown = table.show_table(rows, most, Screen(Stream(1)), wide=wide)
        if shown.more:
            _complain(f"There are more than {most} rows; --limit N shows more")
        if shown.shortened:
            _complain("Shortened to fit this window; --wide shows all of it")
        return
    with open(1, "w", encoding="utf-8", errors="replace", newline="", closefd=False) as out:
        FORMS[form](rows, limit, out)


@cli.command(name="changes", epilog=CHANGES_EXAMPLES)
@db_option("The database.  [default: the one in data/ that was written last]")
@click.option("--since", metavar="DATE", help="Compare with the last run before this date.")
@click.option("--from", "older", type=int, metavar="RUN", help="Compare with this run.")
@click.option("--to", "newer", type=int, metavar="RUN", help="Compare this one, not the newest.")
@form_options
def show_changes(
    db: Path | None,
    since: str | None,
    older: int | None,
    newer: int | None,
    **shape: Any,
) -> None:
    """Tell what changed since the crawl before: what is new, changed, gone, moved or back again."""
    if since is not None and older is not None:
        raise UsageError("--since and --from both say what to compare with; give one of them")
    path = db or _newest()
    with queries.reading(path) as connection, _standard_output():
        compared = queries.pair(connection, since=since, older=older, newer=newer)
        if compared is None:
            _complain("There is no finished run before; nothing to compare with")
            return
        _complain(f"From run {compared.older} to run {compared.newer}")
        _show(queries.changes(connection, compared), **shape)


@cli.command(name="analyse")
@db_option("The database.  [default: the one in data/ that was written last]")
@click.option("--config", "config_file", type=click.Path(path_type=Path), help="Settings in TOML.")
@click.option("--set", "overrides", multiple=True, metavar="SECTION.KEY=VALUE", help="One setting.")
@quiet_option
def analyse_again(
    db: Path | None, config_file: Path | None, overrides: Sequence[str], quiet: bool
) -> None:
    """Read the stored pages, relate them and make all checks; nothing is fetched.

    A crawl does it by itself when it ends. Killed at any moment, the same command goes on.
    """
    path = db or _newest()
    analyse_crawl(path, load(config_file, overrides), _face(quiet=quiet, as_json=False))


@cli.command(name="audit", epilog=AUDIT_EXAMPLES)
@click.argument("check", required=False)
@db_option("The database.  [default: the one in data/ that was written last]")
@click.option("--since", type=int, metavar="RUN", help="Call new what began after this run.")
@form_options
def show_audit(check: str | None, db: Path | None, since: int | None, **shape: Any) -> None:
    """Tell what is wrong with a site, by group; with a CHECK, its definition, SQL and findings."""
    path = db or _newest()
    with queries.reading(path) as connection, _standard_output():
        if check is None:
            told = audit_told.lines(store_audit.audit(connection, since=since))
            click.echo("\n".join(map(wording.plain, told)))
            return
        about = store_audit.definition(connection, check)
        if shape["form"] is None:
            click.echo("\n".join(map(wording.plain, audit_told.definition_lines(about))))
        _show(store_audit.findings(connection, check, since=since or 0), **shape)


@cli.command(name="schema")
@db_option("The database.  [default: the one in data/ that was written last]")
def show_schema(db: Path | None) -> None:
    """Tell what each table and column means, and how to unpack a body."""
    path = db or _newest()
    with queries.reading(path) as connection, _standard_output():
        told = schema.lines(queries.tables(connection), queries.views(connection), str(path))
        for line in told:
            click.echo(line)


@cli.command(name="explain")
@click.argument("word", required=False)
def explain_word(word: str | None) -> None:
    """Tell what a WORD of the database means, such as tls_verify; without one, list them all."""
    with _standard_output():
        for line in explain.listed() if word is None else explain.told(word):
            click.echo(line)


def _newest() -> Path:
    """The database that is asked where none is named; its name is told."""
    path = queries.newest(DATA)
    _complain(f"{wording.plain(str(path))}, the last one written in {DATA}/; --db names another")
    return path


@contextmanager
def _standard_output() -> Iterator[None]:
    """Tell where nothing could be written. A reader that has gone away is no error."""
    try:
        yield
    except BrokenPipeError:
        _silence(sys.stdout)
    except OSError as error:
        raise StorageError(f"standard output: cannot be written: {error.strerror}") from None


# How a crawl is shown and stopped


def _settings(context: click.Context, flags: dict[str, Any]) -> list[Setting]:
    """The settings that were given as flags."""
    names = {parameter.name: parameter.opts[0] for parameter in context.command.params}
    return [
        Setting(
            names[name],
            name.replace("__", "."),
            list(value) if isinstance(value, tuple) else value,
        )
        for name, value in flags.items()
        if value is not None and value != ()
    ]


def _face(*, quiet: bool, as_json: bool) -> Face:
    people = Screen(Stream(2))
    people.quiet = quiet
    if as_json:
        return progress.JsonLines(Stream(1), people, only_the_end=quiet)
    return progress.LivePanel(people) if people.is_terminal else progress.PlainLines(people)


def _crawl(plan: Plan, face: Face, *, fail_on: Sequence[str] = ()) -> int:
    """Crawl, show it, tell what came of it; gives the exit code. Raises what there is to mend."""
    run = Crawl(plan, face=face)
    with _stopped_by_signals(run, face), told_by(face):
        ended = run.run()
    if plan.config.audit.analyse and ended.outcome.state != "interrupted":
        analyse_crawl(plan.path, plan.config, face)
    with queries.reading(plan.path) as connection, _standard_output():
        face.end(partial(summary.of_run, connection, plan.path))
    if ended.outcome.state == "interrupted":
        return Interrupted.exit_code
    wrong = complaint(ended, fail_on=fail_on)
    if wrong is not None:
        raise wrong
    return 0


@contextmanager
def _stopped_by_signals(crawl: Crawl, face: Face) -> Iterator[None]:
    """The first signal lets finish what is in flight, the second ends it, the third kills."""

    received = itertools.count(1)

    def stop() -> None:
        before = crawl.stats()
        crawl.stop()
        if next(received) > MOST_SIGNALS:
            face.close()
            os._exit(Interrupted.exit_code)
        if before.phase == "draining":
            face.say("Stopping at once: what is not stored yet will be fetched again")
        else:
            face.say(
                f"Stopping: finishing {before.in_flight:,} in flight (Ctrl-C again to stop at once)"
            )

    watchers = [
        gevent.signal_handler(number, stop)
        for number in STOPPING
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    try:
        yield
    finally:
        for watcher in watchers:
            watcher.cancel()
