"""Where does the time of a crawl go?

py-spy samples the conductor and its workers from outside, each run once: a flame graph for the eye
and, in the terminal, the functions in which most samples were taken.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import mkdtemp

from tests.bench import race, workshop
from tests.bench.contestants import crawl_command, our_command
from tests.bench.race import Course
from tests.bench.stopwatch import take_time
from tests.bench.workshop import Absent, Tell
from tests.sites import nginx
from tests.sites.skip import ROOT

PY_SPY = "py-spy==0.4.3"
SAMPLES_PER_S = "200"


def profile(course: Course, *, limit_s: float, tell: Tell) -> tuple[Path, Counter[str]]:
    """Where the flame graph lies, and samples by function. Raises Absent."""
    python = workshop.python_environment("py-spy", PY_SPY, tell)
    recorder = str(python.with_name("py-spy"))
    stacks = workshop.folder("profiles") / f"{course.name}.txt"
    graph = stacks.with_suffix(".svg")
    workshop.program("nginx", "apt-get install nginx-light")
    with nginx.serve_folder(course.folder, access_log=False) as served:
        for form, file in (("raw", stacks), ("flamegraph", graph)):
            tell(f"crawling {course.name} under py-spy for {file.name}")
            _record(recorder, form, file, served.url(course.start), limit_s)
    return graph, own_samples(stacks.read_text(encoding="utf-8").splitlines())


def _record(recorder: str, form: str, file: Path, start: str, limit_s: float) -> None:
    home = Path(mkdtemp(prefix="profile-", dir=workshop.folder("laps")))
    command = [recorder, "record", "--subprocesses", "--rate", SAMPLES_PER_S, "--format", form]
    command += ["--output", str(file), "--", *map(str, crawl_command(our_command(), start, home))]
    file.unlink(missing_ok=True)
    try:
        take_time(command, limit_s=limit_s, log=home / "log", folder=ROOT)
        if not file.exists():
            said = race.last_words(home / "log")
            raise Absent(f"py-spy could not watch the crawl (it needs ptrace): {said}")
    finally:
        shutil.rmtree(home)


def own_samples(stacks: list[str]) -> Counter[str]:
    """Samples by innermost function, from lines such as ``outer;inner 12``."""
    found: Counter[str] = Counter()
    for function, count in _innermost(stacks):
        found[function] += count
    return found


def _innermost(stacks: list[str]) -> Iterator[tuple[str, int]]:
    for line in stacks:
        frames, _, count = line.rpartition(" ")
        yield frames.rpartition(";")[2], int(count)
