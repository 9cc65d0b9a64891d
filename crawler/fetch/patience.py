"""Did the other side take too long, or did this process?

When a process was stopped, or one greenlet kept the processor, a time-out is due before what came
in the meantime has been seen. One that is late proves nothing, so there is another chance.
One that is early was counted from a moment before that, for the loop looks at the clock but once
a round.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Any, Final, TypeVar

from gevent import Timeout, get_hub
from gevent.event import AsyncResult

LATE_S: Final = 0.1
"""What comes so much after its time was kept from being on time."""
CHANCES: Final = 3
Result = TypeVar("Result")


class Deadline(Timeout):
    """A Timeout that gives back the time for which the process stood still when it was due."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(limit_s)
        self._until = monotonic() + limit_s
        self._chances = CHANCES

    def _on_expiration(self, prev_greenlet: Any, ex: BaseException) -> None:
        """gevent's hook for subclasses."""
        now = monotonic()
        late_s = now - self._until
        if late_s < LATE_S or not self._chances:
            prev_greenlet.throw(ex)
            return
        self._chances -= 1
        wait_s = min(late_s, self.seconds or 0.0)
        self._until = now + wait_s
        self.timer.stop()
        self.timer.close()
        self.timer = get_hub().loop.timer(wait_s, priority=-1)
        self.timer.start(self._on_expiration, prev_greenlet, ex, update=True)


def patiently(limit_s: float | None, wait: Callable[..., Result], *given: object) -> Result:
    """What a call on a socket gives that waits for `limit_s`, once more if that was ill counted."""
    for _ in range(CHANCES):
        began = monotonic()
        try:
            return wait(*given)
        except TimeoutError as expired:
            off_s = 0.0 if limit_s is None else abs(monotonic() - began - limit_s)
            if expired.errno is not None or off_s < LATE_S:
                raise
    return wait(*given)


def landed(flight: AsyncResult[Any], limit_s: float) -> bool:
    """Whether a result came within its time, or as soon as this process looked."""
    for _ in range(CHANCES):
        began = monotonic()
        flight.wait(limit_s)
        late_s = monotonic() - began - limit_s
        if flight.ready() or late_s < LATE_S:
            break
        limit_s = min(limit_s, late_s)
    return bool(flight.ready())
