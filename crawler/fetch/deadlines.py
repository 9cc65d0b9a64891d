"""Did the other side take too long, or did this process?

When a process was stopped, or one greenlet kept the processor, a time-out is due before what came
in the meantime has been seen. One that is late proves nothing, so there is another chance.

Limits have no timers of their own: one timer looks at all that run, every 50 ms. Nearly all are
kept, and one that is kept costs an entry in a set.
"""

from __future__ import annotations

from operator import attrgetter
from time import monotonic
from types import TracebackType
from typing import Any, Final, NamedTuple

from gevent import get_hub, getcurrent
from gevent.event import AsyncResult

TICK_S: Final = 0.05
LATE_S: Final = 0.1
"""What comes so much after its time was kept from being on time."""
CHANCES: Final = 3


class Limit:
    """How long a greenlet may be at something; then an error is thrown into it.

    limit_s: seconds, from `start` to `stop`. due: by the monotonic clock.
    """

    limit_s: float
    due: float
    _chances: int
    _greenlet: Any

    def start(self) -> None:
        """Runs from now on, for the current greenlet."""
        self.due = monotonic() + self.limit_s
        self._chances = CHANCES
        self._greenlet = getcurrent()
        _running.add(self)
        if not _watch.looks:
            _watch.begin()

    def stop(self) -> None:
        """Runs no more."""
        _running.discard(self)
        self._greenlet = None

    def look(self, now: float) -> None:
        """What comes of it that it is due."""
        late_s = now - self.due
        if late_s >= LATE_S and self._chances:
            self._chances -= 1
            self.due = now + min(late_s, self.limit_s)
            return
        greenlet = self._greenlet
        self.stop()
        greenlet.throw(self._over())

    def _over(self) -> BaseException:
        """What is thrown."""
        return TimeoutError("timed out")


class Deadline(Limit, BaseException):
    """The limit of a block, and what is raised at its end."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s

    def _over(self) -> BaseException:
        return self

    def __enter__(self) -> Deadline:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


class Silence(Limit):
    """The limit of one wait after another for what the other side does; raises TimeoutError."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s


class _Watch:
    """The one timer, on the one hub on which a process fetches.

    looks: whether it runs, which it does while there are limits.
    """

    def __init__(self) -> None:
        self.looks = False
        self._timer: Any = None

    def begin(self) -> None:
        self.looks = True
        # After sockets, so that what has come is read before anybody is blamed.
        self._timer = get_hub().loop.timer(TICK_S, TICK_S, priority=-1)
        self._timer.start(self._look)

    def _look(self) -> None:
        if not _running:
            self.looks = False
            self._timer.stop()
            self._timer.close()
            return
        now = monotonic()
        for limit in sorted((one for one in _running if one.due <= now), key=attrgetter("due")):
            if limit in _running and limit.due <= now:  # not ended by what came of one before it
                limit.look(now)


_running: Final[set[Limit]] = set()
_watch: Final = _Watch()


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


class Times(NamedTuple):
    """Seconds for connecting, for silence, and for the whole URL.

    is_first: they are short because the next try has more.
    """

    connect_s: float
    read_s: float
    total_s: float
    is_first: bool = False

    def within(self, first_s: float) -> Times:
        """For a first try of so many seconds; what hangs is named before they are up."""
        if first_s >= self.total_s:
            return self
        most_s = 0.8 * first_s
        return Times(min(self.connect_s, most_s), min(self.read_s, most_s), first_s, True)
