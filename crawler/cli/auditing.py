"""What is wrong with the site that was crawled?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from crawler.cli.asking import show
from crawler.cli.front import (
    cli,
    db_option,
    face_for,
    form_options,
    newest,
    quiet_option,
    standard_output,
)
from crawler.config import load
from crawler.crawl import analyse_crawl
from crawler.faces import audit as audit_told
from crawler.faces import wording
from crawler.store import audit as store_audit
from crawler.store import queries

AUDIT_EXAMPLES = """\b
Examples:
  crawler audit
  crawler audit title_missing --db data/example.db
  crawler audit title_missing --csv > titles.csv
  crawler audit --since 3
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
@click.option("--since", type=int, metavar="RUN", help="Call new what began after this run.")
@form_options
def show_audit(check: str | None, db: Path | None, since: int | None, **shape: Any) -> None:
    """Tell what is wrong with a site, by group; with a CHECK, its definition, SQL and findings."""
    path = db or newest()
    with queries.reading(path) as connection, standard_output():
        if check is None:
            told = audit_told.lines(store_audit.audit(connection, since=since))
            click.echo("\n".join(map(wording.plain, told)))
            return
        about = store_audit.definition(connection, check)
        if shape["form"] is None:
            click.echo("\n".join(map(wording.plain, audit_told.definition_lines(about))))
        show(store_audit.findings(connection, check, since=since or 0), **shape)
