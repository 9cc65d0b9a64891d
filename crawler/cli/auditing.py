"""What is wrong with the site that was crawled?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from crawler import whole
from crawler.cli.asking import show
from crawler.cli.group import (
    cli,
    db_option,
    face_for,
    fail_on_option,
    form_options,
    newest,
    quiet_option,
    standard_output,
)
from crawler.config import load
from crawler.crawl import analyse_crawl, audit_complaint, conditions
from crawler.errors import UsageError
from crawler.faces import audit as audit_told
from crawler.faces import wording
from crawler.faces.screen import Screen, Stream
from crawler.store import audit as store_audit
from crawler.store import queries
from crawler.store.audit import Audit, all_findings
from crawler.store.database import Connection

AUDIT_EXAMPLES = """\b
Examples:
  crawler audit
  crawler audit title_missing --db data/example.db
  crawler audit title_missing --csv > titles.csv
  crawler audit --since 3
  crawler audit --fail-on broken_links,severity=error --junit audit.xml --sarif audit.sarif
"""


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
    path = db or newest()
    analyse_crawl(path, load(config_file, overrides), face_for(quiet=quiet, as_json=False))


@cli.command(name="audit", epilog=AUDIT_EXAMPLES)
@click.argument("check", required=False)
@db_option("The database.  [default: the one in data/ that was written last]")
@click.option(
    "--since",
    type=int,
    metavar="RUN",
    help="The baseline: new is what began after this run, and nothing else counts for --fail-on "
    "and --junit.",
)
@fail_on_option
@click.option("--junit", type=click.Path(path_type=Path), help="Write JUnit XML to this file, too.")
@click.option("--sarif", type=click.Path(path_type=Path), help="Write SARIF 2.1.0 to it, too.")
@form_options
def show_audit(
    check: str | None,
    db: Path | None,
    since: int | None,
    fail_on: Sequence[str],
    junit: Path | None,
    sarif: Path | None,
    **shape: Any,
) -> None:
    """Tell what is wrong with a site, by group; with a CHECK, its definition, SQL and findings.

    Files and conditions are always of the whole audit. A group's score is 100 less the share of
    pages whose worst finding in it is an error, and 0.3 of the share of those where it is a
    warning; the score of all is the mean of the groups that were judged.
    """
    asked = conditions(fail_on)
    path = db or newest()
    for option, target in (("--junit", junit), ("--sarif", sarif)):
        if target is not None and whole.is_database(target):
            raise UsageError(f"{option} {target}: is a database; name another file")
    with queries.reading(path) as connection:
        audit = store_audit.audit(connection, since=since)
        with standard_output():
            _tell(connection, audit, check, **shape)
        if junit is not None or sarif is not None:
            _write_files(connection, audit, junit=junit, sarif=sarif)
    if (wrong := audit_complaint(audit, asked)) is not None:
        raise wrong


def _tell(connection: Connection, audit: Audit, check: str | None, **shape: Any) -> None:
    since = audit.since if audit.baseline else 0
    if check is None and shape["form"] is not None:
        show(store_audit.every_finding(connection, since=since), **shape)
        return
    if check is None:
        screen = Screen(Stream(1))
        told = map(wording.plain, audit_told.lines(audit))
        click.echo(
            "\n".join(audit_told.folded(told, screen.places) if screen.is_terminal else told)
        )
        return
    about = store_audit.definition(connection, check)
    if shape["form"] is None:
        click.echo("\n".join(map(wording.plain, audit_told.definition_lines(about))))
    show(store_audit.findings(connection, check, since=since), **shape)


def _write_files(
    connection: Connection, audit: Audit, *, junit: Path | None, sarif: Path | None
) -> None:
    from crawler.faces import junit as in_junit  # on the way to a crawl nobody needs them
    from crawler.faces import sarif as in_sarif

    if junit is not None:
        with whole.file(junit) as part, part.open("wb") as out:
            in_junit.write(audit, all_findings(connection), out)
    if sarif is not None:
        with whole.file(sarif) as part, part.open("wb") as out:
            in_sarif.write(audit, all_findings(connection), out)
