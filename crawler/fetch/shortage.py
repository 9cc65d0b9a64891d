"""Is it this machine that lacks something, and not the site that is to blame?"""

from __future__ import annotations

import _socket
import errno
from collections.abc import Iterator
from typing import Final

OWN: Final = frozenset(
    {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL}
)
"""No descriptor, memory or port left here."""

_FIRST_S: Final = 0.05
_LONGEST_S: Final = 2.0
_TRIES: Final = 60


class Shortage(Exception):
    """A connection could not even be tried for want of descriptors, ports or memory."""


def starved() -> bool:
    """Whether no socket can be made now. A resolver in that state says that a name is unknown."""
    try:
        _socket.socket(_socket.AF_INET, _socket.SOCK_DGRAM).close()
    except OSError as failure:
        return failure.errno in OWN
    return False


def pauses() -> Iterator[float]:
    """Seconds to wait between tries; about two minutes in all."""
    pause_s = _FIRST_S
    for _ in range(_TRIES):
        yield pause_s
        pause_s = min(pause_s * 2, _LONGEST_S)
