"""On which pages does a word stand?"""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from crawler.cli.asking import show
from crawler.cli.group import ROWS, cli, complain, db_option, newest, standard_output
from crawler.faces import wording
from crawler.faces.screen import Screen, Stream
from crawler.store import queries

SEARCH_EXAMPLES = """\b
Examples:
  crawler search lantern
  crawler search '"keeper of the light" OR lighthous*' --site example.org
  crawler search 'title : harbour NOT storm' --since 2026-11-01
  crawler search lantern --limit 1000 --csv > lantern.csv
"""


@cli.command(name="search", epilog=SEARCH_EXAMPLES)
@click.argument("words", nargs=-1, required=True)
@db_option("The database.  [default: the one in data/ that was written last]")
@click.option("--site", metavar="HOST", help="Only this host, and those below it.")
@click.option("--since", metavar="DATE", help="Only pages first found as they are on or after it.")
@click.option("--until", metavar="DATE", help="Only pages first found as they are on or before it.")
@click.option("--run", type=int, metavar="RUN", help="Pages as this run left them, not as now.")
@click.option("--limit", type=ROWS, default=20, show_default=True, help="Pages at most.")
@click.option("--json", "form", flag_value="json", help="Write a JSON object a page.")
@click.option("--csv", "form", flag_value="csv", help="Write CSV.")
def search_pages(
    words: tuple[str, ...], db: Path | None, form: str | None, **asked: object
) -> None:
    """Find the pages that hold WORDS, the best first, with the words around.

    "A phrase" in quotes, the beginning of a word with *, AND, OR, NOT and brackets; title : word
    asks the title alone. What is none of this is read as words.
    """
    # patterns that take 20 ms to be made ready, which a crawl has no need of
    from crawler.faces import hits
    from crawler.store.search import Asked, search

    question = Asked(words=" ".join(words), **asked)  # type: ignore[arg-type]  # click has them typed
    path = db or newest()
    with queries.reading(path) as connection, standard_output():
        found = search(connection, question)
        for line in hits.remarks(question, found, shlex.quote(str(path))):
            complain(wording.plain(line))
        if form is not None:
            show(hits.rows(found.hits), form=form, limit=None, wide=True)
        else:
            hits.show(found.hits, Screen(Stream(1)))
