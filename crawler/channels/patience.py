"""How long are the pages of one site read for?

A page may be made so that reading it takes a minute, and a site may have a hundred thousand such.
What a body takes beyond what one of its size may take counts for its site, and when that is too
much, what is left of the site is not read: each such body says so in its error.
"""

from __future__ import annotations

from typing import Final

import msgspec

from crawler.store.database import Connection

MOST_S: Final = 120.0
"""Of CPU, beyond the usual, for each registered domain in each pass."""
SPENT: Final = "site_too_slow"
"""The error of what is not read any more."""
OF_BODIES: Final = """
    SELECT visits.body_id, hosts.registered_domain
    FROM visits
    JOIN urls ON urls.id = visits.url_id
    JOIN hosts ON hosts.id = urls.host_id
    WHERE visits.body_id IS NOT NULL
"""
OF_PAGES: Final = """
    SELECT pages.id, hosts.registered_domain
    FROM pages
    JOIN hosts ON hosts.id = pages.host_id
"""
"""Whose is it, by the number under which it is read?"""


class Usual(msgspec.Struct, frozen=True):
    """What reading a body may take, in seconds of CPU: for any, and for each of its megabytes."""

    any_s: float = 0.02
    megabyte_s: float = 0.5

    def excess_s(self, taken_s: float, size: int) -> float:
        """What was taken beyond that."""
        return max(0.0, taken_s - self.any_s - self.megabyte_s * size / 1e6)


class Patience:
    """What is left for each site in one pass. owners: `OF_BODIES` or `OF_PAGES`."""

    def __init__(self, connection: Connection, owners: str, usual: Usual | None = None) -> None:
        self.usual = usual or Usual()
        self._connection = connection
        self._owners_sql = owners
        self._owners: dict[int, str] = {}
        self._taken: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Patience {len(self._taken)} sites took longer than is usual>"

    def charge(self, number: int, excess_s: float) -> None:
        """A body took so much more than is usual. Whose it is, is looked up with the first."""
        if not self._owners:
            names: dict[str, str] = {}
            for owned, domain in self._connection.execute(self._owners_sql):
                self._owners[owned] = names.setdefault(domain, domain)
        owner = self._owners.get(number, "")
        self._taken[owner] = self._taken.get(owner, 0.0) + excess_s

    def is_spent(self, number: int) -> bool:
        """Is this a site's that has taken all it may?"""
        return bool(self._taken) and self._taken.get(self._owners.get(number, ""), 0.0) > MOST_S
