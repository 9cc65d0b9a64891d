"""How long does a test wait for what has to come?

For a condition and not for a time: as short as the machine allows, and as long as it needs.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Final

import gevent
from gevent import subprocess

PATIENT_S: Final = 240.0
"""Far more than anything takes on a busy machine; only what never comes is waited for so long."""


def until(condition: Callable[[], object], patient_s: float = PATIENT_S) -> None:
    """Wait for something to come true."""
    with gevent.Timeout(patient_s, AssertionError(f"not within {patient_s} s")):
        while not condition():
            gevent.sleep(0.005)


SPIN: Final = """
import time
began, spent = time.monotonic(), time.process_time()
while time.process_time() - spent < 0.3:
    pass
print((time.monotonic() - began) / 0.3)
"""


def stretch() -> float:
    """By how much what has limits of time takes longer here and now; 1 where nobody else works.

    Two processes count, as a crawl and its web are two, and how long they wait for a processor is
    told. Where they wait, half as much again is added for what may come.
    """
    command = [sys.executable, "-S", "-c", SPIN]
    counting = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(2)]
    slowest = max(float(one.communicate()[0]) for one in counting)
    return 1.0 if slowest < 1.5 else 1.5 * slowest
