"""Which open connection can carry the next request?

Holds idle connections only; one in use belongs to whoever took it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, Generic, Protocol, TypeVar

from crawler.fetch.route import Route

IDLE_S: Final = 15.0
PER_HOST: Final = 64
TOTAL: Final = 512


class Poolable(Protocol):
    """A connection, as far as the pool cares.

    route: where it goes. idle_since: monotonic seconds.
    """

    route: Route
    idle_since: float

    def quiet(self) -> bool:
        """Whether nothing came since the last answer: neither bytes nor the end."""

    def close(self) -> None:
        """Ends it."""


C = TypeVar("C", bound=Poolable)


class Idle(Generic[C]):
    """Idle connections, the longest idle first to go.

    per_host, total: how many are kept. idle_s: for how long.
    """

    def __init__(
        self, *, per_host: int = PER_HOST, total: int = TOTAL, idle_s: float = IDLE_S
    ) -> None:
        self._per_host = per_host
        self._total = total
        self._idle_s = idle_s
        self._of: dict[Route, list[C]] = {}
        self._by_age: OrderedDict[int, C] = OrderedDict()

    def __len__(self) -> int:
        return len(self._by_age)

    def __repr__(self) -> str:
        return f"<Idle {len(self._by_age):,} connections to {len(self._of):,} hosts>"

    def take(self, route: Route, now: float) -> C | None:
        """The connection that was used last and is still good, or None."""
        self.sweep(now)
        while stack := self._of.get(route):
            found = stack.pop()
            self._forget(found, stack)
            if found.quiet():
                return found
            found.close()
        return None

    def put(self, connection: C, now: float) -> None:
        """Keeps a connection, or closes one: this, when its host has enough; else the oldest."""
        stack = self._of.setdefault(connection.route, [])
        if len(stack) >= self._per_host:
            connection.close()
            return
        connection.idle_since = now
        stack.append(connection)
        self._by_age[id(connection)] = connection
        if len(self._by_age) > self._total:
            self._drop(next(iter(self._by_age.values())))

    def sweep(self, now: float) -> None:
        """Closes what has been idle for too long."""
        while self._by_age:
            oldest = next(iter(self._by_age.values()))
            if now - oldest.idle_since < self._idle_s:
                return
            self._drop(oldest)

    def clear(self) -> None:
        """Closes all."""
        for connection in list(self._by_age.values()):
            self._drop(connection)

    def _drop(self, connection: C) -> None:
        stack = self._of[connection.route]
        stack.remove(connection)
        self._forget(connection, stack)
        connection.close()

    def _forget(self, connection: C, stack: list[C]) -> None:
        del self._by_age[id(connection)]
        if not stack:
            del self._of[connection.route]
