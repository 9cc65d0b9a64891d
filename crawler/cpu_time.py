"""How long has a process worked?

Where a limit is to meet what a page costs, the clock on the wall is unfair: on a machine that has
much else to do a good page takes seconds.
"""

from __future__ import annotations

import os
from typing import Final

_TICKS_S: Final = 1 / os.sysconf("SC_CLK_TCK")
_USER, _SYSTEM = 11, 12
"""Places in ``/proc/PID/stat`` behind the name, which may hold anything (proc_pid_stat(5))."""


def worked_s(pid: int) -> float:
    """Seconds of CPU that a process took, with all of its threads; 0 where there is none."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as told:
            words = told.read().rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return (int(words[_USER]) + int(words[_SYSTEM])) * _TICKS_S
