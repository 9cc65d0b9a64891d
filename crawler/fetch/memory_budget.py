"""How much memory may bodies take that are on their way?

Each fetch has a `Share`. The first 64 KiB of a body are free; beyond them a share takes from what
all bodies may have together, and waits where nothing is left. It cannot lock: the share that has
held something for longest never waits, so there is always one that comes to its end and gives back.
"""

from __future__ import annotations

from collections import OrderedDict
from time import monotonic
from types import TracebackType
from typing import Final

from gevent.event import Event

FREE: Final = 64 * 1024
"""Bytes of each body that cost nothing: most pages never ask."""
UNIT: Final = 256 * 1024
"""Bytes taken at once."""


class Budget:
    """Bytes that the bodies of one worker may hold together. limit: how many."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0
        self._shares: OrderedDict[int, Share] = OrderedDict()
        self._waiting: OrderedDict[int, Event] = OrderedDict()

    def __repr__(self) -> str:
        return f"<Budget {self.held:,} of {self.limit:,} bytes, {len(self._waiting)} wait>"

    @property
    def waiting(self) -> int:
        """Shares that wait."""
        return len(self._waiting)

    def share(self) -> Share:
        """What one body holds; nothing yet."""
        return Share(self)

    def _take(self, share: Share, size: int) -> None:
        number = id(share)
        while self.held + size > self.limit and self._is_behind(number):
            woken = self._waiting[number] = Event()
            try:
                woken.wait()
            finally:
                self._waiting.pop(number, None)
        self.held += size
        self._shares[number] = share

    def _is_behind(self, number: int) -> bool:
        """Whether another share has held something for longer."""
        return bool(self._shares) and next(iter(self._shares)) != number

    def _give(self, share: Share, size: int) -> None:
        self.held -= size
        self._shares.pop(id(share), None)
        # All of them look again: few wait, and only those that are served go on.
        for woken in self._waiting.values():
            woken.set()


class Share:
    """What one body holds of a budget, until `close`.

    waited_s: seconds it has waited. waits: it waits now.
    """

    __slots__ = ("_budget", "_granted", "_taken", "waited_s", "waits")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._granted = FREE
        self._taken = 0
        self.waited_s = 0.0
        self.waits = False

    def __enter__(self) -> Share:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def reach(self, size: int) -> None:
        """Make room for `size` bytes in all; waits, without limit, while there is none."""
        if size <= self._granted:
            return
        more = -(-(size - self._granted) // UNIT) * UNIT
        began = monotonic()
        self.waits = True
        self._budget._take(self, more)
        self.waits = False
        self.waited_s += monotonic() - began
        self._granted += more
        self._taken += more

    def close(self) -> None:
        """Give everything back."""
        if self._taken:
            self._budget._give(self, self._taken)
            self._taken, self._granted = 0, FREE
