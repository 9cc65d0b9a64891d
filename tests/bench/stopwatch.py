"""What did a command cost, with every process that it started?

A small program of its own, so that nothing of whoever measures is counted: it starts the command,
adopts whatever that leaves behind, looks at the memory of the tree every 50 ms, and reads the CPU
time when the last process has been reaped.

    python stopwatch.py COST.json LIMIT_S COMMAND...
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

POLL_S = 0.05
GRACE_S = 5.0
"""For processes that outlive the command."""
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took.

    exit_code: negative for a signal, None when it was killed at its limit of time.
    started: seconds of the monotonic clock. wall_s: from its start to the end of its first process.
    cpu_s: user and system time of all its processes. peak_bytes: greatest sum of their memory, with
    shared pages shared out among those that share them (PSS).
    """

    exit_code: int | None
    started: float
    wall_s: float
    cpu_s: float
    peak_bytes: int


def take_time(
    command: Sequence[str | Path],
    *,
    limit_s: float,
    log: Path,
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> Cost:
    """Run a command with this program around it; what it prints goes to `log`."""
    with TemporaryDirectory(prefix="cost-") as home, log.open("wb") as output:
        cost = Path(home, "cost.json")
        words = [sys.executable, __file__, str(cost), str(limit_s), *map(str, command)]
        subprocess.run(
            words,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            timeout=limit_s + 2 * GRACE_S + 10,
            check=True,
        )
        return Cost(**json.loads(cost.read_text()))


def main(given: Sequence[str]) -> None:
    """Measure."""
    file, limit_s, *command = given
    end_with_parent()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    cost = measure(command, float(limit_s))
    Path(file).write_text(json.dumps(asdict(cost)))


def end_with_parent() -> None:
    """Whoever started this process takes it along; what it has begun is cleared away first."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def measure(command: Sequence[str], limit_s: float) -> Cost:
    """Run a command to its end or its limit, whichever comes first."""
    started = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    watched = os.pidfd_open(process.pid)
    peak = 0
    try:
        while not select.select([watched], [], [], POLL_S)[0]:
            peak = max(peak, sum(map(memory, tree(process.pid))))
            if time.monotonic() - started > limit_s:
                break
        wall_s = time.monotonic() - started
        in_time = wall_s <= limit_s
        exit_code = process.wait() if in_time else None
        _reap(GRACE_S if in_time else 0.0)
    finally:
        _reap(0.0)
        os.close(watched)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(exit_code, started, wall_s, used.ru_utime + used.ru_stime, peak)


def tree(pid: int) -> Iterator[int]:
    """A process and all below it; those that end meanwhile are left out."""
    yield pid
    with suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            children = Path(f"/proc/{pid}/task/{thread}/children").read_text()
            for child in children.split():
                yield from tree(int(child))


def memory(pid: int) -> int:
    """Bytes of a process, its part of shared ones; 0 when it has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return 1024 * int(line.split()[1])
    return 0


def _reap(grace_s: float) -> None:
    """Wait for every process below this one; those that outlast the grace are killed."""
    deadline = time.monotonic() + grace_s
    with suppress(ChildProcessError):
        while True:
            if os.waitpid(-1, os.WNOHANG) != (0, 0):
                continue
            if time.monotonic() >= deadline:
                _kill_all()
            time.sleep(0.01)


def _kill_all() -> None:
    for pid in list(tree(os.getpid()))[1:]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


if __name__ == "__main__":
    main(sys.argv[1:])
