"""What can be looked at of a crawl, and handed over?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from crawler import whole
from crawler.cli.group import DASHBOARD_PORT, cli, complain, db_option, newest
from crawler.errors import UsageError
from crawler.faces import wording
from crawler.store import queries

REPORT_EXAMPLES = """\b
Examples:
  crawler report
  crawler report --db data/example.db --out example.html
  crawler report --pdf
"""

DASHBOARD_EXAMPLES = """\b
Examples:
  crawler dashboard
  crawler dashboard --db data/example.db --port 9000
"""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@cli.command(name="report", epilog=REPORT_EXAMPLES)
@db_option("The database.  [default: the one in data/ that was written last]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write.  [default: beside the database, as .html]",
)
@click.option("--pdf", is_flag=True, help="Print it as a PDF, too; needs Chromium.")
def write_report(db: Path | None, out: Path | None, pdf: bool) -> None:
    """Write one HTML file that tells how the crawl went and what is wrong with the site.

    It needs nothing beside it: hand it over, or open it without a network.
    """
    from crawler.faces import paper, report  # templates, on the way to a crawl nobody needs them

    path = db or newest()
    target = out or path.with_suffix(".html")
    if target.resolve() == path.resolve():
        raise UsageError(f"--out {target}: is the database itself")
    if whole.is_database(target):
        raise UsageError(f"--out {target}: is a database; name another file")
    printed = target.with_suffix(".pdf")
    for made in ([target] if out is None else []) + ([printed] if pdf else []):
        if not report.is_ours(made):
            raise UsageError(f"{made}: is there, and no report of ours; name one with --out")
    if pdf:
        paper.browser()
    with queries.reading(path) as connection:
        report.write(connection, target, name=path.stem, now=datetime.now(UTC))
    complain(f"Written: {wording.plain(str(target))}, {wording.size(target.stat().st_size)}")
    if pdf:
        paper.print_pdf(target, printed)
        complain(f"Written: {wording.plain(str(printed))}, {wording.size(printed.stat().st_size)}")


@cli.command(name="dashboard", epilog=DASHBOARD_EXAMPLES)
@db_option("The database.  [default: the one in data/ that was written last]")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    help="Where to listen; 0 for any.  [default: 8100, any where that is taken]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--password",
    envvar="CRAWLER_DASHBOARD_PASSWORD",
    help="Asked of everybody; needed where --host is no loopback address. "
    "CRAWLER_DASHBOARD_PASSWORD keeps it out of the list of processes.",
)
@click.option("--feed", type=int, hidden=True, help="A socket to a crawl that runs.")
def show_dashboard(
    db: Path | None, port: int | None, host: str, password: str | None, feed: int | None
) -> None:
    """Look around in a crawl with a browser; nothing is written.

    During a crawl, crawler crawl --dashboard shows it live.
    """
    from crawler.faces.dashboard import server

    if host not in LOOPBACK and not password:
        raise UsageError(f"--host {host}: others can reach it there, so it needs a --password")
    path = db or newest()
    with queries.reading(path):
        pass
    listener = server.listen(
        host, DASHBOARD_PORT if port is None else port, exactly=port is not None
    )
    told = nothing if feed is not None else complain
    server.serve(
        path, listener, host=host, password=password or "", feed=feed,
        told=lambda address: told(f"Dashboard: {address}  (Ctrl-C ends it)"),
    )  # fmt: skip


def nothing(_text: str) -> None:
    """Somebody else tells it."""


@cli.command(name="browse")
@db_option("The database.  [default: the one in data/ that was written last]")
@click.option("--port", type=click.IntRange(1, 65535), default=8101, show_default=True)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where Datasette's files are made.  [default: NAME.browse beside the database]",
)
@click.option("--only-folder", is_flag=True, help="Make the files, and start nothing.")
def browse(db: Path | None, port: int, folder: Path | None, only_folder: bool) -> None:
    """Browse a crawl in Datasette: tables with what they mean, facets, questions, search.

    Needs Datasette (make browse brings it); it runs as a program of its own, and only reads.
    """
    from crawler.faces import browse as datasette

    path = db or newest()
    made = folder or path.with_suffix(".browse")
    words = [] if only_folder else datasette.command(made, port)
    with queries.reading(path) as connection:
        datasette.make_folder(connection, path, made)
    complain(f"Made {wording.plain(str(made))}")
    if words:
        complain(f"Datasette: http://127.0.0.1:{port}/  (Ctrl-C ends it)")
        datasette.become(words)
