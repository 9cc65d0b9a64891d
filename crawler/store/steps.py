"""How is a file's schema brought from an earlier version to this one?

sqlite-utils applies what is missing. It is loaded only where something is: that takes 50 ms, a
quarter of all that stands before the first request.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crawler.store.library import Database

Step = Callable[["Database"], None]


class Steps:
    """Migrations in their order, each by the name of its function. name: of the whole set."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._steps: dict[str, Step] = {}

    def __repr__(self) -> str:
        return f"<Steps {self.name}: {len(self._steps)}>"

    def __call__(self) -> Callable[[Step], Step]:
        """Decorates the next step."""
        return self._add

    def _add(self, step: Step) -> Step:
        self._steps[step.__name__] = step
        return step

    @property
    def names(self) -> Set[str]:
        """All that there are in this version."""
        return self._steps.keys()

    def applied(self, connection: Any) -> set[str]:
        """Names of those that a file has."""
        has_some = "SELECT 1 FROM sqlite_master WHERE name = '_sqlite_migrations'"
        if connection.execute(has_some).fetchone() is None:
            return set()
        rows = connection.execute(
            "SELECT name FROM _sqlite_migrations WHERE migration_set = ?", (self.name,)
        )
        return {name for (name,) in rows}

    def pending(self, connection: Any) -> bool:
        """Does a file lack any?"""
        return not self._steps.keys() <= self.applied(connection)

    def apply(self, database: Database, *, stop_before: str | None = None) -> None:
        """Apply what a file lacks, up to the step of that name where one is given."""
        from crawler.store.library import Migrations

        known = Migrations(self.name)
        for name, step in self._steps.items():
            known(name=name)(step)
        known.apply(database, stop_before=stop_before)
