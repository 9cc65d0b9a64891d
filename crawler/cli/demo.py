"""How can the crawler be tried?"""

from __future__ import annotations

import errno
from pathlib import Path
from urllib.parse import urlsplit

from crawler.cli.group import DATA, cli, db_option, face_for, json_option, quiet_option
from crawler.cli.running import run
from crawler.config import load
from crawler.crawl import Plan
from crawler.errors import UsageError
from crawler.policy.seeds import read_line
from crawler.store import queries

DEMO = "demo"
"""Stands for the seeds file in the runs of a demo."""


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
            return run(plan, face_for(quiet=quiet, as_json=as_json))
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    raise UsageError(f"{path}: the port of that demo is taken; name another file with --db")


def _demo_port(path: Path) -> int:
    """The port on which a database's demo was served before; 0, for any, where there is none."""
    if not path.exists():
        return 0
    with queries.reading(path) as connection:
        last, seed = queries.last_run(connection), queries.first_seed(connection)
    if last is not None and last.seeds_file != DEMO:
        raise UsageError(f"{path}: is a crawl of your own; name another file with --db")
    return 0 if seed is None else urlsplit(seed).port or 0
