"""How is a smaller file handed over that is asked as this one is?

A crawl's own file, of some hosts, of one run, or without bodies (`store/part.py`); all commands
open it. Its table ``export`` says what was left out.
"""

from __future__ import annotations

from pathlib import Path

from crawler import plain
from crawler.errors import UsageError
from crawler.exports.format import Export, Written
from crawler.store.database import refuse_older
from crawler.store.moment import PAGES_OF_RUNS
from crawler.store.part import Part, copy


def write(export: Export, out: Path) -> Written:
    """Fill the file."""
    asked = Part(
        hosts=tuple(export.options["host"]),
        run=export.choice.run,
        bodies=not export.options["without_bodies"],
    )
    if any(not host.strip(".") for host in asked.hosts):
        raise UsageError("--host: is empty; give the name of a host")
    if asked.run is not None and PAGES_OF_RUNS not in export.moment.names():
        refuse_older(export.moment.connection, export.moment.path)
    copied = copy(export.moment.path, out, asked, export.progress, named=export.out)
    remarks = [
        *(f"{name}: a virtual table of your own, stays behind" for name in copied.skipped),
        *([_OF_RUN] if asked.run is not None else []),
        *([_LATER.format(plain.count(copied.later, "page"))] if copied.later else []),
    ]
    return Written(copied.pages, "page", tuple(remarks))


_OF_RUN = "Findings are of the last run alone; crawler analyse makes those of this one"
_LATER = (
    "{} visited again by later runs: of what has changed the links of then are not known any more"
)
