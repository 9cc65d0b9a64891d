"""What is a check?

A question that is asked of every crawl: which pages have this fault? Its SQL, or its function where
SQL cannot tell, gives the pages to mend, each with what is wrong there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from crawler.errors import UsageError
from crawler.store.database import Connection

Severity = Literal["error", "warning", "note"]
Limits = Mapping[str, float]
Evidence = Mapping[str, Any]
Found = tuple[int, str, Evidence]
"""url_id of the page that one would edit; which thing on it, empty where there can be but one; the
values that made it fire."""
Finder = Callable[[Connection, Limits], Iterable[Found]]

NOT_YET: Final = frozenset({"probe"})
"""Needs of checks that cannot be made of any crawl yet."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of the catalogue.

    name: its word. definition: when it fires, in a sentence. limits: its thresholds by name; people
    set ``NAME.LIMIT``, and SQL names them ``:LIMIT``. needs: what must be there for it to be judged
    (`needs.NEEDS`). sql: columns ``url_id`` and, where a page may have several, ``item``; all
    others are evidence. find: instead of SQL. One that needs what no crawl has yet has neither.
    of_crawl: it tells of the crawl, not of a page, so that what a run does not find is mended
    though it did not see the page.
    """

    name: str
    severity: Severity
    definition: str
    sql: str | None = None
    find: Finder | None = None
    limits: Limits = {}
    needs: tuple[str, ...] = ()
    of_crawl: bool = False

    def __post_init__(self) -> None:
        if (self.sql is None) == (self.find is None) and not NOT_YET.intersection(self.needs):
            raise TypeError(f"{self.name}: either sql or find")


def judge(check: Check, connection: Connection, limits: Limits) -> Iterable[Found]:
    """What the check finds, one after the other, in no order."""
    if check.find is not None:
        return check.find(connection, limits)
    assert check.sql is not None
    # As the first part of a join its order is of no use, so that SQLite sorts nothing: it would do
    # so in memory (`store/scratch.py`).
    unsorted = f"SELECT found.* FROM ({check.sql}) AS found CROSS JOIN (SELECT 1)"
    cursor = connection.execute(unsorted, dict(limits))
    names = [column[0] for column in cursor.description]
    return (_found(dict(zip(names, row, strict=True))) for row in cursor)


def _found(row: dict[str, Any]) -> Found:
    return row.pop("url_id"), str(row.pop("item", "") or ""), row


def limits_of(check: Check, settings: Mapping[str, float]) -> dict[str, float]:
    """Its thresholds as people set them: ``{"title_too_long.characters": 70}``."""
    return {
        name: settings.get(f"{check.name}.{name}", value) for name, value in check.limits.items()
    }


def read_limits(lines: Iterable[str], checks: Iterable[Check]) -> dict[str, float]:
    """Settings of the form ``title_too_long.characters=70``. Raises UsageError."""
    known = {f"{check.name}.{name}" for check in checks for name in check.limits}
    limits = {}
    for line in lines:
        name, _, text = line.partition("=")
        name = name.strip()
        if name not in known:
            raise UsageError(f"audit.limits: there is no {name!r}; crawler audit CHECK names them")
        try:
            limits[name] = float(text) if "." in text else int(text)
        except ValueError:
            raise UsageError(f"audit.limits: {name}: {text.strip()!r} is no number") from None
    return limits
