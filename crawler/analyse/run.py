"""In which order is a crawl analysed?

Facts, PDFs, full text, extraction, changes, graph, near-duplicates, fragments, checks: each builds
on those before it, each is stored in transactions of its own, and each may be killed at any moment
and begun again.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from crawler.analyse.check import read_limits
from crawler.analyse.checks import CHECKS, GROUPS
from crawler.analyse.comparing import compare_last_runs
from crawler.analyse.extracts import extract_values
from crawler.analyse.facts import Progress, gather_facts
from crawler.analyse.findings import judge_run
from crawler.analyse.fragments import find_missing_fragments
from crawler.analyse.full_text import index_texts
from crawler.analyse.graph import measure_graph
from crawler.analyse.indexable import judge_indexability
from crawler.analyse.near_duplicates import group_near_duplicates
from crawler.analyse.pdfs import read_pdfs
from crawler.config import Config
from crawler.store import plan
from crawler.store.database import (
    Connection,
    SQLiteError,
    interruptible,
    is_stop,
    open_for_reading,
    open_for_writing,
    storage_errors,
)
from crawler.store.lock import WriterLock
from crawler.store.scratch import scratch
from crawler.store.writer import close_for_readers

NOT_SYNCED = "PRAGMA synchronous = NORMAL"
"""All of it can be found out again: when the power fails, the last transactions may be gone, and
the file is whole (SQLite, WAL). Waiting for the disk after each check took a second a run."""


def analyse(
    path: Path, config: Config, progress: Progress, *, processes: int | None = None
) -> None:
    """Analyse the crawl in this file; nobody else may write to it meanwhile.

    processes: that read bodies; one per core where nothing is said. Raises StorageError, and
    UsageError for a limit that no check has. After KeyboardInterrupt, as after a kill, the
    same goes on where it was.
    """
    limits = read_limits(config.audit.limits, CHECKS.values())
    open_for_reading(path).close()  # a name mistyped makes no file
    if processes is None:
        processes = len(os.sched_getaffinity(0))
    lock = WriterLock(path)
    try:
        with _writing(path, lock) as connection:
            gather_facts(
                connection, progress, processes=processes, max_links=config.parse.max_links
            )
            read_pdfs(
                connection,
                progress,
                processes=processes,
                max_text_bytes=config.store.text_max_bytes * config.store.texts,
            )
            index_texts(connection, progress)
            _plan_revisits(connection, config, progress)
            extract_values(connection, config.extract, progress, processes=processes)
            _relate(connection, progress, processes=processes)
            with scratch(connection, path):
                judge_run(
                    connection,
                    GROUPS,
                    limits,
                    progress,
                    host_characters=config.scope.max_bytes_per_host,
                )
            lock.refuse_another()
    finally:
        lock.release()


@contextmanager
def _writing(path: Path, lock: WriterLock) -> Iterator[Connection]:
    """A connection that is closed for readers; KeyboardInterrupt ends what SQLite is at."""
    with storage_errors(path):
        connection = open_for_writing(path)
        connection.execute(NOT_SYNCED)
        # A signal that came while SQLite worked is raised in here, and ends that work.
        interruptible(connection, lambda: False)
        try:
            yield connection
        except SQLiteError as error:
            if is_stop(error):
                raise KeyboardInterrupt from None
            raise
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            close_for_readers(connection, path, lock, ended_well=True)


def _plan_revisits(connection: Connection, config: Config, progress: Progress) -> None:
    """When each page that was visited is to be visited again."""
    progress("plan", 0, 1)
    connection.execute("BEGIN IMMEDIATE")
    plan.update(connection, often_s=config.revisit.often_s)
    connection.execute("COMMIT")
    progress("plan", 1, 1)


def _relate(connection: Connection, progress: Progress, *, processes: int) -> None:
    """What only all pages together tell."""
    steps = (
        ("changes", compare_last_runs),
        ("indexable", judge_indexability),
        ("links", measure_graph),
        ("near-duplicates", partial(group_near_duplicates, processes=processes)),
        ("fragments", find_missing_fragments),
    )
    for name, step in steps:
        progress(name, 0, 1)
        step(connection)
        progress(name, 1, 1)
