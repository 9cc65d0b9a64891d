"""What became of pages, run by run?"""

from __future__ import annotations

import shlex
from functools import partial
from pathlib import Path
from typing import Any

import click

from crawler.cli.asking import show
from crawler.cli.group import cli, complain, db_option, form_options, newest, standard_output
from crawler.errors import UsageError
from crawler.faces.screen import Screen, Stream
from crawler.store import history, queries
from crawler.store.database import Connection
from crawler.store.history import Known, Pair

CHANGES_EXAMPLES = """\b
Examples:
  crawler changes
  crawler changes --since 2026-11-01 --csv > changes.csv
  crawler changes --from 2 --to 5
"""
LOG_EXAMPLES = """\b
Examples:
  crawler log https://www.example.org/prices
  crawler log www.example.org/prices --db data/example.db --csv > prices.csv
"""
DIFF_EXAMPLES = """\b
Examples:
  crawler diff https://www.example.org/prices
  crawler diff www.example.org/prices --from 1 --to 5
"""
PLAN_EXAMPLES = """\b
Examples:
  crawler plan
  crawler plan --csv > plan.csv
  crawler crawl seeds.txt --due
"""
from_option = partial(click.option, "--from", "older", type=int, metavar="RUN")
to_option = partial(click.option, "--to", "newer", type=int, metavar="RUN")


@cli.command(name="changes", epilog=CHANGES_EXAMPLES)
@db_option("The database.  [default: the one in data/ that was written last]")
@click.option("--since", metavar="DATE", help="Compare with the last run before this date.")
@from_option(help="Compare with this run.")
@to_option(help="Compare this one, not the newest.")
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
    path = db or newest()
    with queries.reading(path) as connection, standard_output():
        compared = history.pair(connection, since=since, older=older, newer=newer)
        if compared is None:
            complain("There is no finished run before; nothing to compare with")
            return
        complain(f"From run {compared.older} to run {compared.newer}")
        if history.are_many(connection, compared):
            complain(
                f"More than {history.MOST_SORTED:,} pages differ: they come as they were found, "
                "not by their addresses"
            )
        show(history.changes(connection, compared), **shape)


@cli.command(name="log", epilog=LOG_EXAMPLES)
@click.argument("url")
@db_option("The database.  [default: the one in data/ that was written last]")
@form_options
def show_log(url: str, db: Path | None, **shape: Any) -> None:
    """Tell every visit to a URL, the last first: when, what it answered, and what was new."""
    path = db or newest()
    with queries.reading(path) as connection, standard_output():
        found = history.find(connection, url)
        why = history.why_unvisited(connection, found)
        if why is not None:
            complain(f"{found.url}: no run has visited it ({why})")
            if shape["form"] is None:
                return
        show(history.log(connection, found), **shape)


@cli.command(name="diff", epilog=DIFF_EXAMPLES)
@click.argument("url")
@db_option("The database.  [default: the one in data/ that was written last]")
@from_option(help="The page as this run left it.  [default: when it was last another]")
@to_option(help="The page as this run left it.  [default: as it is now]")
@form_options
def show_diff(
    url: str, db: Path | None, older: int | None, newer: int | None, **shape: Any
) -> None:
    """Tell what differs between two versions of a page: status, title, words, links, headers.

    Removed is what stands in [-...-], added in {+...+}; on a terminal in colours.
    """
    from crawler.analyse import versions  # with the parser, which no other question needs
    from crawler.faces import difference

    path = db or newest()
    with queries.reading(path) as connection, standard_output():
        page = history.find(connection, url)
        pair = _pair(connection, page, older=older, newer=newer)
        if pair is None:
            complain(f"{page.url}: has one version in this crawl; nothing to compare")
            return
        before, after = (_version(connection, page, run) for run in (pair.older, pair.newer))
        compared = versions.compare(page.url, before, after, history.config_of(connection))
        if shape["form"] is None:
            difference.show(page.url, compared, Screen(Stream(1)), wide=shape["wide"])
        else:
            show(difference.rows(compared), **shape)


def _pair(
    connection: Connection, page: Known, *, older: int | None, newer: int | None
) -> Pair | None:
    """The runs that were named, or those between which the page last became another."""
    if older is None and newer is None:
        return history.runs_apart(connection, page)
    return history.pair(connection, older=older, newer=newer)


def _version(connection: Connection, page: Known, run: int) -> history.Version:
    found = history.version(connection, page, run)
    if found is None:
        raise UsageError(f"{page.url}: no run up to {run} visited it as a page")
    return found


@cli.command(name="plan", epilog=PLAN_EXAMPLES)
@db_option("The database.  [default: the one in data/ that was written last]")
@form_options
def show_plan(db: Path | None, **shape: Any) -> None:
    """Tell when each page is to be visited again, and why then; crawler crawl --due goes by it.

    How often a page changes is estimated from its visits; revisit.often_s says how often those are
    visited that change most.
    """
    path = db or newest()
    with queries.reading(path) as connection, standard_output():
        if history.is_plan_older(connection):
            complain(
                "This plan is older than the last run; "
                f"make it anew with: crawler analyse --db {shlex.quote(str(path))}"
            )
        show(history.plan(connection), **shape)
