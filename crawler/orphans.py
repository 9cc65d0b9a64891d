"""How does no process outlive the one that needs it?"""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def end_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies, however that comes about."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def let_go(kept: int) -> None:
    """Close every descriptor but one and the three standard ones.

    What a forked process still holds is not closed when its parent ends: sockets, locks, files.
    """
    for number in map(int, os.listdir("/proc/self/fd")):
        if number > 2 and number != kept:
            # Not by close(): gevent's would tell the loop, whose epoll is the parent's, too.
            os.closerange(number, number + 1)
