"""How long does a test wait for what has to come?

For a condition and not for a time: as short as the machine allows, and as long as it needs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import gevent

PATIENT_S: Final = 90.0
"""Far more than anything takes on a busy machine; only what never comes is waited for so long."""


def until(condition: Callable[[], object], patient_s: float = PATIENT_S) -> None:
    """Wait for something to come true."""
    with gevent.Timeout(patient_s, AssertionError(f"not within {patient_s} s")):
        while not condition():
            gevent.sleep(0.005)
