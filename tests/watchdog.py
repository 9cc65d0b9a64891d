"""Does a crawl idle while work is due?

One watch for crawls in this process, which can be asked, and one for those in a process of their
own, of which only the file is seen. Time passes for them while they look: what a busy machine keeps
from running is not idle.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import gevent
import psutil
from gevent import subprocess

from crawler.conductor import Conductor
from crawler.crawl import Crawl
from crawler.errors import StorageError
from crawler.store.clock import iso
from crawler.store.database import SQLiteError, open_for_reading
from crawler.store.place import wal_of

IDLE_S = 20.0
"""So long a crawl in this process may do nothing, though something is due."""
LOOK_S = 0.25
DUE = """
    SELECT count(*)
    FROM urls
    JOIN hosts ON hosts.id = urls.host_id
    WHERE urls.state = 'queued'
        AND coalesce(urls.not_before, '') <= :now
        AND coalesce(hosts.next_fetch_at, '') <= :now
        AND coalesce(hosts.blocked_until, '') <= :now
"""


@contextmanager
def never_idle(crawl: Crawl | Conductor, idle_s: float = IDLE_S) -> Iterator[None]:
    """Raises AssertionError in the block when the crawl has something due, nothing in flight or on
    its way into the file, and does nothing about it for `idle_s`."""
    watching = gevent.spawn(_watch_crawl, crawl, idle_s, gevent.getcurrent())
    try:
        yield
    finally:
        watching.kill()


def _watch_crawl(crawl: Crawl | Conductor, limit_s: float, crawling: gevent.Greenlet) -> None:
    before, idle_s = None, 0.0
    while True:
        gevent.sleep(LOOK_S)
        stats = crawl.stats()
        waits = any(name == "the network" for name, _, _ in stats.resting)
        busy = stats.phase != "crawling" or stats.in_flight or stats.storing or waits
        done = (stats.pages, stats.errors, stats.bytes, stats.queued)
        if busy or stats.next_due_s != 0.0 or done != before:
            before, idle_s = done, 0.0
        elif idle_s > limit_s:
            gevent.kill(crawling, AssertionError(f"idle for {limit_s:g} s: {crawl!r}"))
            return
        else:
            idle_s += LOOK_S


def watch(process: subprocess.Popen[bytes], database: Path, stall_s: float, said: Path) -> None:
    """Until the process ends. When nothing was written to its file for `stall_s`, though URLs are
    due, it is killed, and that is added to what it `said`.

    What is in flight is due too, as the file sees it: `stall_s` is to be more than an answer takes.
    """
    before, idle_s = _marks(database), 0.0
    while process.poll() is None:
        gevent.sleep(LOOK_S)
        marks = _marks(database)
        if marks != before or _is_stopped(process.pid):
            before, idle_s = marks, 0.0
        elif idle_s <= stall_s:
            idle_s += LOOK_S
        elif process.poll() is None:  # to look into the file of one that was killed changes it
            if due := _due(database):
                with said.open("a") as lines:
                    lines.write(f"watchdog: idle for {stall_s:g} s with {due} URLs due\n")
                process.kill()
                return
            idle_s = 0.0


def _marks(database: Path) -> list[tuple[int, int]]:
    """When the file and its log were written last, and how large they are."""
    marks = []
    for file in (database, wal_of(database)):
        try:
            found = os.stat(file)
        except OSError:
            continue
        marks.append((found.st_mtime_ns, found.st_size))
    return marks


def _is_stopped(pid: int) -> bool:
    try:
        status: Callable[[], str] = psutil.Process(pid).status
        return status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


def _due(database: Path) -> int:
    """URLs that might be fetched now; none in a file that is no crawl's yet."""
    try:
        connection = open_for_reading(database)
    except StorageError:
        return 0
    try:
        due: int = connection.execute(DUE, {"now": iso(time.time())}).fetchone()[0]
    except SQLiteError:
        return 0
    finally:
        connection.close()
    return due
