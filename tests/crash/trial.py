"""How is a crawl disturbed, and what became of it?

A `Trial` runs the command line in a process of its own, again and again on the same file, and
keeps count; `Calm` is the same crawl left in peace.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gevent
import psutil
from gevent import subprocess

from crawler.channels.forkserver import WORKER_NAME
from crawler.store.database import open_for_reading
from tests.crash.maze import Maze
from tests.crawls import check_whole, ends, rows
from tests.patience import PATIENT_S
from tests.sites.skip import ROOT
from tests.watchdog import watch

TORTURE = "CRAWLER_TORTURE"
IS_LONG = os.environ.get(TORTURE) == "1"
STALL_S = 15.0
"""A crawl that stores nothing for so long, though work is due, idles."""
IN_FLIGHT = 8
UNSETTLED = 2 * IN_FLIGHT
"""What one kill may cost: what is out, and as much that waits for the writer."""
SETTINGS: Mapping[str, object] = {
    "run.concurrency": IN_FLIGHT,
    "pace.own_in_flight": IN_FLIGHT,
    "pace.retry_base_s": 0.05,
    "robots.sitemaps": "false",
    "store.batch": 40,
    "store.batch_s": 0.05,
}
BODIES = """
    SELECT pages.url, hex(bodies.sha256)
    FROM pages
    LEFT JOIN bodies ON bodies.id = pages.body_id
    ORDER BY pages.url
"""
SETTLED = "SELECT url FROM urls WHERE state IN ('done', 'failed')"
TORN = """
    SELECT urls.url
    FROM urls
    LEFT JOIN pages ON pages.id = urls.id
    WHERE urls.kind = 'page' AND (urls.state IN ('done', 'failed')) <> (pages.id IS NOT NULL)
        AND NOT (urls.state = 'failed' AND urls.attempts = 0)
"""
"""Pages without their fate, and fates without their page. What failed without a try of its own,
because of its robots.txt, has none."""
TORN_LINKS = """
    SELECT url
    FROM pages
    WHERE outlinks <> (SELECT count(*) FROM links WHERE source_id = pages.id)
"""
UNTOLD = """
    SELECT url
    FROM urls
    WHERE kind = 'page' AND state = 'done'
        AND NOT EXISTS (SELECT 1 FROM visits WHERE url_id = urls.id)
"""


@dataclass(slots=True)
class Count:
    """What a fault did, for the table at the end of the tests."""

    rounds: int = 0
    lost: int = 0
    doubled: int = 0
    refetched: int = 0
    stall_s: float = 0.0


@dataclass(slots=True)
class Trial:
    """One crawl that is not left in peace.

    folder: where its seeds and database lie. workers: processes. environment: besides one's own.
    stall_s: for so long nothing may be stored while work is due; more than an answer may take.
    analyse: its pages, too, when it has ended, which takes as long as the crawl; tests/analyse
    kills analyses.
    """

    folder: Path
    seeds: Sequence[str]
    workers: int = 0
    settings: Mapping[str, object] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    database: Path = Path()
    stall_s: float = STALL_S
    analyse: bool = IS_LONG

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.database == Path():
            self.database = self.folder / "crawl.db"
        (self.folder / "seeds.txt").write_text("\n".join(self.seeds) + "\n")

    @property
    def command(self) -> list[str]:
        """The command, always the same one."""
        chosen = {**SETTINGS, **self.settings}
        words = [sys.executable, "-m", "crawler", "crawl", str(self.folder / "seeds.txt")]
        words += ["--db", str(self.database), "--workers", str(self.workers), "--quiet"]
        words += [] if self.analyse else ["--no-analyse"]
        return words + [part for key in chosen for part in ("--set", f"{key}={chosen[key]}")]

    def start(
        self,
        *more: str,
        environment: Mapping[str, str] | None = None,
        before: Callable[[], object] | None = None,
        out: int = subprocess.DEVNULL,
    ) -> subprocess.Popen[bytes]:
        """Start the command; what it says on stderr goes to `said`."""
        with (self.folder / "stderr").open("wb") as errors:
            process = subprocess.Popen(
                [*self.command, *more],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                env={**os.environ, **self.environment, **(environment or {})},
                start_new_session=True,
                preexec_fn=lambda: (_heed_signals(), before and before()),
            )
        gevent.spawn(watch, process, self.database, self.stall_s, self.folder / "stderr")
        return process

    @property
    def said(self) -> str:
        """What the last process wrote to stderr."""
        return (self.folder / "stderr").read_text(errors="replace")

    def run(self, *more: str, **how: Any) -> int:
        """Run the command to its end; gives the exit code."""
        return wait(self.start(*more, **how))

    def finish(self) -> None:
        """Run the command once more, to a good end."""
        assert self.run() == 0, self.said
        assert "Traceback" not in self.said

    def go_on(self) -> None:
        """Finish, unless the run came to its end just before it was to be killed."""
        if not self.has_finished():
            self.finish()

    def has_finished(self) -> bool:
        """Does the file say that the last run is over? Another one would visit all again."""
        if not self.settled():
            return False
        last = "SELECT state FROM runs ORDER BY id DESC LIMIT 1"
        return rows(self.folder / "copy.db", last) == [("finished",)]

    def settled(self) -> set[str]:
        """What stands in the file now, read from a copy, so that the file itself stays as it is."""
        copy = self.folder / "copy.db"
        for ending in ("", "-wal"):
            Path(f"{copy}{ending}").unlink(missing_ok=True)
            if Path(f"{self.database}{ending}").exists():
                shutil.copyfile(f"{self.database}{ending}", f"{copy}{ending}")
        return settled(copy) if copy.exists() and copy.stat().st_size else set()


def _heed_signals() -> None:
    """A shell may have told the tests, and so their children, to ignore these."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def wait(process: subprocess.Popen[bytes], patient_s: float = PATIENT_S) -> int:
    """The exit code; a process that does not end is shown and killed."""
    try:
        code: int = process.wait(patient_s)
    except subprocess.TimeoutExpired:
        kill_all(process)
        raise AssertionError(f"{process.args} did not end within {patient_s} s") from None
    return code


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for a process and all its children."""
    for one in [process.pid, *children_of(process)]:
        kill(one)
    process.wait()


def kill(pid: int) -> None:
    """SIGKILL for one process, if it is still there."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def workers_of(process: subprocess.Popen[bytes]) -> list[int]:
    """Those of its children that fetch."""
    return [pid for pid in children_of(process) if _name(pid) == WORKER_NAME]


def _name(pid: int) -> str:
    try:
        return psutil.Process(pid).name()
    except psutil.NoSuchProcess:
        return ""


def children_of(process: subprocess.Popen[bytes]) -> list[int]:
    """All of its children, and theirs."""
    try:
        return [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def settled(database: Path) -> set[str]:
    """URLs whose fate is committed; empty when the file is not a crawl's yet."""
    with closing(open_for_reading(database)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
        return {row[0] for row in connection.execute(SETTLED)} if "urls" in tables else set()


def whole_end(database: Path) -> dict[str, list[tuple[Any, ...]]]:
    """All that must not depend on what happened on the way."""
    urls, pages, links = ends(database)
    return {"urls": urls, "pages": pages, "links": links, "bodies": rows(database, BODIES)}


def check_untorn(database: Path) -> None:
    """Sound, and no page without its fate, no fate without its page, no page without its links."""
    check_whole(database)
    for question in (TORN, TORN_LINKS, UNTOLD):
        assert rows(database, question) == []


@dataclass(frozen=True, slots=True)
class Calm:
    """A crawl of a maze that was left in peace: its end, how often the maze was asked, its file."""

    maze: Maze
    end: Mapping[str, list[tuple[Any, ...]]]
    asked: int
    database: Path

    @classmethod
    def of(cls, maze: Maze, folder: Path, **how: Any) -> Calm:
        """Crawl it."""
        mark = maze.asked
        trial = Trial(folder, [maze.seed], **how)
        trial.finish()
        check_untorn(trial.database)
        return cls(maze, whole_end(trial.database), maze.asked - mark, trial.database)

    def judge(self, trial: Trial, mark: int, count: Count, unsettled: int) -> None:
        """The trial came to the same end, and asked for little more than was unsettled."""
        check_untorn(trial.database)
        end = whole_end(trial.database)
        count.lost += len(set(self.end["urls"]) - set(end["urls"]))
        fetched = Counter(row[0] for row in end["pages"])
        count.doubled += sum(many - 1 for many in fetched.values())
        asked = self.maze.asked - mark
        count.refetched += max(0, asked - self.asked)
        for name, expected in self.end.items():
            assert end[name] == expected, name
        assert asked <= self.asked + count.rounds * unsettled, (asked, self.asked, count)


@dataclass(slots=True)
class Watch:
    """What was settled when a crawl was killed must not be asked for again."""

    maze: Maze
    marks: list[tuple[int, set[str]]] = field(default_factory=list)

    def note(self, trial: Trial) -> None:
        """The crawl was killed just now."""
        self.marks.append((self.maze.asked, trial.settled()))

    def again(self) -> set[str]:
        """What was asked for though it was settled."""
        return {
            url for mark, known in self.marks for url in self.maze.urls_since(mark) if url in known
        }
