"""Whose crawl of the same site is faster, and what does each cost?

All take turns (A B C, A B C), each run starts from nothing, and what counts is the median. The
server is nginx and writes no log; it counts what it was asked.
"""

from __future__ import annotations

import json
import os
import shutil
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import mkdtemp

from tests.bench import workshop
from tests.bench.contestants import OURS, Command, Contestant
from tests.bench.stopwatch import Cost, take_time
from tests.bench.workshop import Absent, Tell
from tests.sites import nginx, walk
from tests.sites.generated import GeneratedSite
from tests.sites.skip import ROOT

SMALL = GeneratedSite(pages=10_001, links_per_page=50, page_bytes=20 * 1024)
DOCS = Path("/usr/share/doc/python3.11-doc/html")
COUNTER = "/requests-so-far"


@dataclass(frozen=True, slots=True)
class Course:
    """A site to be crawled. folder: its documents. start: path of its first. pages: of HTML."""

    name: str
    folder: Path
    start: str
    pages: int
    about: str


@dataclass(frozen=True, slots=True)
class Lap:
    """One run of one contestant.

    pages: as it counts them. requests: as the server counts them. kept_bytes: on disk at the end.
    error: why it does not count, or None.
    """

    cost: Cost
    pages: int
    requests: int
    kept_bytes: int
    error: str | None = None

    @property
    def pages_per_s(self) -> float:
        """From the start of the command to its end."""
        return self.pages / self.cost.wall_s


@dataclass(frozen=True, slots=True)
class Placing:
    """What a contestant achieved; the figures are medians of its laps, 0 where it has none.

    ours: pages/s of this crawler divided by its own. cpu_s: for 1,000 pages. spread: fastest lap
    divided by slowest. remark: what must be known of it, or empty.
    """

    name: str
    keeps: str
    pages_per_s: float = 0.0
    ours: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: float = 0.0
    bytes_per_page: float = 0.0
    pages: int = 0
    requests: int = 0
    spread: float = 0.0
    remark: str = ""


def small() -> Course:
    """The generated site, laid out as files once."""
    return lay_out(SMALL, workshop.folder("sites"))


def lay_out(site: GeneratedSite, below: Path) -> Course:
    """Write a generated site to a folder, unless it is there."""
    name = f"{site.pages}-{site.links_per_page}-{site.page_bytes}-{site.seed}"
    home, done = below / name, below / f"{name}.done"
    if not done.exists():
        site.write(home)
        done.touch()
    size = f"{site.page_bytes // 1024} KB, {site.links_per_page} links on each"
    about = f"{site.pages:,} pages of {size}"
    return Course("small", home, "/", site.pages, about)


def docs() -> Course:
    """The Python manual of Debian; its pages are counted once, by a walk. Raises Absent."""
    if not DOCS.is_dir():
        raise Absent(f"{DOCS} is not here: apt-get install python3.11-doc")
    start = "/index.html"
    stamp = str((DOCS / start[1:]).stat().st_mtime_ns)
    note = workshop.folder("sites") / "docs.json"
    known = json.loads(note.read_text()) if note.exists() else {}
    if known.get("stamp") != stamp:
        with nginx.serve_folder(DOCS, access_log=False) as served:
            found = walk.walk(served.url(start))
        known = {"stamp": stamp, "pages": len(found.pages), "anchors": len(found.anchors)}
        note.write_text(json.dumps(known))
    about = f"the Python manual: {known['pages']:,} pages, {known['anchors']:,} anchors"
    return Course("docs", DOCS, start, known["pages"], about)


COURSES = {"small": small, "docs": docs}


def race(
    course: Course, contestants: Sequence[Contestant], *, runs: int, limit_s: float, tell: Tell
) -> list[Placing]:
    """Let them run in turn and place them, this crawler first."""
    commands, absent = _made_ready(contestants, tell)
    laps: dict[str, list[Lap]] = {name: [] for name in commands}
    takers = [one for one in contestants if one.name in commands]
    with served(course) as site:
        for turn in range(1, runs + 1):
            for one in takers:
                lap = run_once(one, commands[one.name], site, course, limit_s=limit_s)
                laps[one.name].append(lap)
                tell(f"{course.name} {turn}/{runs}  {one.name}: {_told(lap)}")
    ours = median([lap.pages_per_s for lap in laps.get(OURS.name, [])] or [0.0])
    placings = [place(one, laps[one.name], course, ours) for one in takers]
    return placings + [Placing(one.name, one.keeps, remark=why) for one, why in absent]


def _made_ready(
    contestants: Sequence[Contestant], tell: Tell
) -> tuple[dict[str, Command], list[tuple[Contestant, str]]]:
    commands: dict[str, Command] = {}
    absent = []
    for one in contestants:
        try:
            commands[one.name] = one.ready(tell)
        except Absent as why:
            absent.append((one, str(why)))
    return commands, absent


@contextmanager
def served(course: Course) -> Iterator[nginx.Nginx]:
    """The course from nginx, which counts. Raises Absent."""
    workshop.program("nginx", "apt-get install nginx-light")
    counter = f"location = {COUNTER} {{ stub_status; }}"
    with nginx.serve_folder(course.folder, access_log=False, inside_server=counter) as served:
        yield served


def run_once(
    one: Contestant, command: Command, served: nginx.Nginx, course: Course, *, limit_s: float
) -> Lap:
    """One run in a folder of its own, which is removed afterwards."""
    home = Path(mkdtemp(prefix="lap-", dir=workshop.folder("laps")))
    log = home / "log"
    try:
        os.sync()  # or the writes of the one before would be paid by this one
        before = _requests(served)
        whole = one.finish(command, served.url(course.start), home)
        cost = take_time(whole, limit_s=limit_s, log=log, folder=ROOT)
        requests = _requests(served) - before - 1
        if cost.exit_code is None:
            return Lap(cost, 0, requests, 0, f"stopped after {limit_s:g} s")
        if cost.exit_code not in one.fine:
            return Lap(cost, 0, requests, 0, f"exit {cost.exit_code}: {last_words(log)}")
        return Lap(cost, one.pages(home), requests, _weight(home, one.kept))
    finally:
        shutil.rmtree(home)


def last_words(log: Path) -> str:
    """The end of what a command printed, on one line."""
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")
    return " | ".join(line.strip() for line in lines if line.strip())[-300:] or "(it said nothing)"


def _requests(served: nginx.Nginx) -> int:
    """All requests that nginx has had; this question is one of them."""
    with urllib.request.urlopen(served.url(COUNTER), timeout=10) as reply:
        words = reply.read().split()
    return int(words[words.index(b"requests") + 3])


def _weight(home: Path, pattern: str | None) -> int:
    """Bytes of files, or of all files in folders."""
    found = home.glob(pattern) if pattern else ()
    return sum(
        file.stat().st_size
        for path in found
        for file in ([path] if path.is_file() else path.rglob("*"))
        if file.is_file()
    )


def place(one: Contestant, laps: Sequence[Lap], course: Course, ours: float) -> Placing:
    """The medians of the laps that count: those that fetched all, or of what there is.

    ours: this crawler's pages/s, 0 when it did not run.
    """
    some = [lap for lap in laps if lap.error is None and lap.pages]
    good = [lap for lap in some if lap.pages >= course.pages] or some
    errors = [lap.error for lap in laps if lap.error is not None]
    if not good:
        return Placing(one.name, one.keeps, remark=errors[0] if errors else "fetched nothing")
    rates = [lap.pages_per_s for lap in good]
    pages = min(lap.pages for lap in good)
    remarks = [f"{len(errors)} of {len(laps)} runs failed: {errors[0]}"] if errors else []
    short = [lap.pages for lap in some if lap.pages < course.pages]
    if short:
        fewest = f"{min(short):,} of {course.pages:,} pages"
        remarks.append(f"{len(short)} of {len(laps)} runs fetched too little: {fewest}")
    return Placing(
        one.name,
        one.keeps,
        pages_per_s=median(rates),
        ours=ours / median(rates),
        cpu_s=median(1000 * lap.cost.cpu_s / lap.pages for lap in good),
        peak_bytes=median(lap.cost.peak_bytes for lap in good),
        bytes_per_page=median(lap.kept_bytes / lap.pages for lap in good),
        pages=pages,
        requests=int(median(lap.requests for lap in good)),
        spread=max(rates) / min(rates),
        remark="; ".join(remarks),
    )


def _told(lap: Lap) -> str:
    if lap.error is not None:
        return lap.error
    return f"{lap.pages:,} pages in {lap.cost.wall_s:.1f} s, {lap.pages_per_s:,.0f} a second"
