"""What can be looked at of a crawl, and handed over?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import click

from crawler.cli.group import cli, complain, db_option, newest
from crawler.errors import UsageError
from crawler.faces import wording
from crawler.store import queries

REPORT_EXAMPLES = """\b
Examples:
  crawler report
  crawler report --db data/example.db --out example.html
  crawler report --pdf
"""


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
    if pdf:
        paper.browser()
    with queries.reading(path) as connection:
        report.write(connection, target, name=path.stem, now=datetime.now(UTC))
    complain(f"Written: {wording.plain(str(target))}, {wording.size(target.stat().st_size)}")
    if pdf:
        printed = target.with_suffix(".pdf")
        paper.print_pdf(target, printed)
        complain(f"Written: {wording.plain(str(printed))}, {wording.size(printed.stat().st_size)}")
