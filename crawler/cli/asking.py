"""What does a database tell: where its crawl is, the answer to a question, what a word means?"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from crawler.cli.group import cli, complain, db_option, form_options, newest, standard_output
from crawler.faces import explain, schema, summary, table
from crawler.faces.screen import Screen, Stream
from crawler.store import figures, queries
from crawler.store.queries import Rows

ROWS_SHOWN = 50
FORMS = {"csv": table.write_csv, "json": table.write_json}
QUERY_EXAMPLES = """\b
Examples:
  crawler query
  crawler query broken_links --db data/example.db
  crawler query skipped_urls --csv > skipped.csv
"""


@cli.command()
@db_option("The database.  [default: the one in data/ that was written last]")
def status(db: Path | None) -> None:
    """Tell where a crawl is, also while it runs."""
    path = db or newest()
    with queries.reading(path) as connection, standard_output():
        summary.show(summary.of_moment(connection, path), Screen(Stream(1)))


@cli.command(epilog=QUERY_EXAMPLES)
@click.argument("name", required=False)
@db_option("The database.  [default: the one in data/ that was written last]")
@form_options
def query(name: str | None, db: Path | None, **shape: Any) -> None:
    """Answer a question by its NAME, such as broken_links; without one, list them all."""
    path = db or newest()
    with queries.reading(path) as connection, standard_output():
        if name is None:
            table.show_views(queries.views(connection), Screen(Stream(1)))
            return
        if shape["form"] is not None:
            show(queries.ask(connection, name), **shape)
            return
        with figures.texts_cut(connection, table.CELL_MAX):
            show(queries.ask(connection, name), **shape)


def show(rows: Rows, *, form: str | None, limit: int | None, wide: bool) -> None:
    if form is None:
        screen = Screen(Stream(1))
        most = ROWS_SHOWN if limit is None and screen.is_terminal else limit
        shown = table.show_table(rows, most, screen, wide=wide)
        if shown.more:
            complain(f"There are more than {most} rows; --limit N shows more")
        if shown.shortened:
            complain("Shortened to fit this window; --wide shows all of it")
        if shown.cut:
            complain(f"Texts are cut after {table.CELL_MAX:,} characters; --csv has all of them")
        return
    with open(1, "w", encoding="utf-8", errors="replace", newline="", closefd=False) as out:
        FORMS[form](rows, limit, out)


@cli.command(name="schema")
@db_option("The database.  [default: the one in data/ that was written last]")
def show_schema(db: Path | None) -> None:
    """Tell what each table and column means, and how to unpack a body."""
    path = db or newest()
    with queries.reading(path) as connection, standard_output():
        told = schema.lines(queries.tables(connection), queries.views(connection), str(path))
        for line in told:
            click.echo(line)


@cli.command(name="explain")
@click.argument("word", required=False)
def explain_word(word: str | None) -> None:
    """Tell what a WORD of the database means, such as tls_verify; without one, list them all."""
    with standard_output():
        for line in explain.listed() if word is None else explain.told(word):
            click.echo(line)
