"""How do several crawls, or the shards of one, become one file?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from crawler.cli.exporting import ended_by_signals
from crawler.cli.group import cli, complain, face_for, quiet_option
from crawler.config import Setting, load
from crawler.crawl import analyse_crawl
from crawler.exports import merge
from crawler.faces import wording
from crawler.faces.screen import Screen, Stream
from crawler.store.merging import Merged

MERGE_EXAMPLES = """\b
Examples:
  crawler merge data/all.db data/north.db data/south.db
  crawler merge data/seeds.db data/seeds.shard*.db
"""


@cli.command(name="merge", epilog=MERGE_EXAMPLES)
@click.argument("out", metavar="OUT", type=click.Path(path_type=Path))
@click.argument("files", metavar="FILE...", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--no-analyse", is_flag=True, help="Leave facts, graph and checks to crawler analyse."
)
@quiet_option
def merge_crawls(out: Path, files: tuple[Path, ...], no_analyse: bool, quiet: bool) -> int:
    """Make one database OUT of several: of the shards of a crawl, or of any crawls.

    What two of them have fetched is there once, as the later one found it; the visits of both stay.
    Their last runs count as one. OUT is there whole or not at all; the others stay as they are.
    """
    from crawler.faces.bar import Bar  # rich, on the way to a crawl nobody needs it

    with ended_by_signals(out, "merging"):
        screen = Screen(Stream(2))
        screen.quiet = quiet
        with Bar(screen, "merge") as bar:
            made = merge.merge(out, files, bar)
    if not no_analyse:
        config = load(None, (), [Setting("merge", "audit.analyse", True)])
        face = face_for(quiet=quiet, as_json=False)
        analyse_crawl(out, config, face)
        face.close()
    for line in _told(made, out, files=len(files), analysed=not no_analyse):
        if not quiet:
            complain(wording.plain(line))
    return 0


def _told(made: Merged, out: Path, *, files: int, analysed: bool) -> Iterator[str]:
    same = f", {wording.count(made.same, 'URL')} in more than one" if made.same else ""
    ids = "ids kept" if made.kept_ids else "ids given anew"
    yield (
        f"Merged: {out}, {wording.count(made.pages, 'page')} and "
        f"{wording.count(made.urls, 'URL')} of {files} files{same}, {ids}"
    )
    if made.undelivered or made.stubs:
        yield (
            f"{wording.count(made.stubs, 'URL')} belong to a shard that was not merged, or that "
            "has not ended yet"
        )
    if not analysed:
        yield f"Findings, full text and link scores are made by: crawler analyse --db {out}"
