"""What do the checks find, and since when?

A finding lives: new in the run that first shows it, open while it stays, fixed by the run that sees
its page without it. A page that a run did not get to see, or that did not answer, mends nothing.
A check is a transaction, and judging a run again gives what judging it once gave. What is not kept
for being too much (`found.py`) mends nothing either, nor does a check that is given up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from crawler import failpoints
from crawler.analyse import found
from crawler.analyse.check import Check, Found, judge, limits_of
from crawler.analyse.facts import Progress
from crawler.analyse.needs import unmet
from crawler.errors import CrawlError
from crawler.store.database import Connection, SQLiteError, interruptible, is_stop

CHECK_S: Final = 60.0
PAGE_S: Final = 0.002
"""What a check may take, of CPU: so much, and more for each page. Of a million pages none takes a
minute; but of 300 that name each other in 5,000 languages one would find billions of pairs."""
_encode = msgspec.json.Encoder(order="deterministic").encode

_UPSERT: Final = """
    INSERT INTO findings (
        check_name, url_id, item, evidence, first_run_id, since_run_id, last_run_id
    )
    SELECT :check, url_id, item, evidence, :run, :run, :run
    FROM scratch.found
    WHERE kept
    ORDER BY url_id, item
    ON CONFLICT (check_name, url_id, item) DO UPDATE SET
        evidence = excluded.evidence,
        last_run_id = excluded.last_run_id,
        since_run_id = CASE
            WHEN fixed_run_id < excluded.last_run_id THEN excluded.last_run_id
            ELSE since_run_id
        END,
        fixed_run_id = NULL
"""
_NEVER_WAS: Final = """
    DELETE FROM findings
    WHERE check_name = :check
        AND first_run_id = :run
        AND NOT EXISTS (
            SELECT 1
            FROM scratch.found
            WHERE found.url_id = findings.url_id AND found.item = findings.item
        )
"""
_FIXED: Final = """
    UPDATE findings
    SET fixed_run_id = :run,
        last_run_id = min(last_run_id, (SELECT max(id) FROM runs WHERE id < :run))
    WHERE check_name = :check
        AND fixed_run_id IS NULL
        AND NOT EXISTS (
            SELECT 1
            FROM scratch.found
            WHERE found.url_id = findings.url_id AND found.item = findings.item
        )
        AND (:of_crawl OR url_id IN (SELECT url_id FROM temp.judged))
"""
_JUDGED: Final = """
    CREATE TEMP TABLE judged AS
    SELECT DISTINCT url_id
    FROM visits
    WHERE run_id > coalesce(
            (
                SELECT max(run_id)
                FROM runs_checks
                WHERE run_id < :run
                    AND run_id NOT IN (SELECT run_id FROM runs_checks WHERE reason = :not_yet)
            ),
            0
        )
        AND error IS NULL
        AND status < 500
        AND status <> 429
    UNION
    SELECT urls.id
    FROM urls
    WHERE urls.state = 'skipped'
        AND EXISTS (SELECT 1 FROM runs WHERE id = :run AND finish_reason = 'finished')
"""
"""URLs that were seen since all checks were made last: a run that was stopped before its analysis
or in it, and resumed, is judged with the run that went on with it."""
_COUNTED: Final = """
    INSERT OR REPLACE INTO runs_checks (run_id, check_name, judged, reason, found, new, fixed)
    SELECT :run, :check, :judged, :reason,
        count(*) FILTER (WHERE fixed_run_id IS NULL),
        count(*) FILTER (WHERE fixed_run_id IS NULL AND since_run_id = :run),
        count(*) FILTER (WHERE fixed_run_id = :run)
    FROM findings
    WHERE check_name = :check
"""


_NOT_YET: Final = "the analysis was stopped before it: crawler analyse goes on"
"""What is said of a check until it is made: who is killed before that must not seem to have found
nothing."""
_SAY_NOT_YET: Final = """
    INSERT OR IGNORE INTO runs_checks (run_id, check_name, judged, reason) VALUES (?, ?, 0, ?)
"""


def judge_run(
    connection: Connection,
    groups: Mapping[str, Sequence[Check]],
    settings: Mapping[str, float],
    progress: Progress,
    *,
    host_characters: int,
) -> None:
    """Make every check of the last run, as its end is stored; the connection has a scratch file.

    host_characters: what the findings of one host may take.
    """
    (run_id,) = connection.execute("SELECT max(id) FROM runs").fetchone()
    if run_id is None:
        return
    _register(connection, groups, settings, run_id)
    connection.execute("DROP TABLE IF EXISTS temp.judged")
    connection.execute(_JUDGED, {"run": run_id, "not_yet": _NOT_YET})
    connection.execute("CREATE INDEX temp.judged_url_id ON judged(url_id)")
    found.begin(connection)
    (pages,) = connection.execute("SELECT count(*) FROM pages").fetchone()
    patience = _Patience(CHECK_S + PAGE_S * pages)
    interruptible(connection, patience.stops)
    checks = [check for group in groups.values() for check in group]
    for number, check in enumerate(checks, 1):
        patience.begin()
        _judge(connection, check, settings, run_id, patience, host_characters=host_characters)
        progress("checks", number, len(checks))


class _SpentError(Exception):
    """A check has taken all that it may."""


class _Patience:
    """What is left of the time of one check; seconds: of CPU."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._looks = False
        self.begin()

    def begin(self) -> None:
        """Another check."""
        self._until = time.process_time() + self.seconds

    def is_spent(self) -> bool:
        """Is nothing left?"""
        return time.process_time() > self._until

    def stops(self) -> bool:
        """SQLite asks this while it works. What it writes is never stopped: the scratch file has no
        journal, and does not survive that."""
        return self._looks and self.is_spent()

    def said(self) -> str | None:
        """Why there is nothing, where all of it is spent."""
        spent = f"given up after {self.seconds:,.0f} s of work: the site makes it find too much"
        return spent if self.is_spent() else None

    def limited(self, look: Callable[[], Iterable[Found]]) -> Iterator[Found]:
        """What is found, as long as there is time. Raises _SpentError, and SQLiteError."""
        found: Iterator[Found] | None = None
        while True:
            self._looks = True
            try:
                found = iter(look()) if found is None else found
                row = next(found, None)
            finally:
                self._looks = False
            if row is None:
                return
            if self.is_spent():
                raise _SpentError
            yield row


def _register(
    connection: Connection,
    groups: Mapping[str, Sequence[Check]],
    settings: Mapping[str, float],
    run_id: int,
) -> None:
    """The catalogue as a table, of which nothing is judged yet. What is no longer in it keeps its
    row, for its findings."""
    rows = [
        (check.name, group, check.severity, check.definition,
         _encode(limits_of(check, settings)).decode(), " ".join(check.needs), check.sql)
        for group, members in groups.items()
        for check in members
    ]  # fmt: skip
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        """
        INSERT OR REPLACE INTO checks
            (name, position, group_name, severity, definition, limits, needs, sql)
        VALUES (?2, ?1, ?3, ?4, ?5, ?6, ?7, ?8)
        """,
        [(number, *row) for number, row in enumerate(rows, 1)],
    )
    connection.executemany(_SAY_NOT_YET, [(run_id, name, _NOT_YET) for name, *_ in rows])
    failpoints.reached("before-commit")
    connection.execute("COMMIT")
    failpoints.reached("after-commit")


def _judge(
    connection: Connection,
    check: Check,
    settings: Mapping[str, float],
    run_id: int,
    patience: _Patience,
    *,
    host_characters: int,
) -> None:
    reason, is_judged = unmet(connection, check.needs), False
    connection.execute("BEGIN IMMEDIATE")
    if reason is None:
        try:
            limits = limits_of(check, settings)
            rows = patience.limited(lambda: judge(check, connection, limits))
            reason = found.gather(connection, check.name, rows, host_characters=host_characters)
            is_judged = True
        except (_SpentError, SQLiteError) as error:
            reason = patience.said() or f"its SQL failed: {error}"
            if is_stop(error) and not patience.is_spent():
                raise
        except (CrawlError, MemoryError):  # a stop, the disk: no matter of one check
            raise
        except Exception as error:  # of values that no crawl writes: another check takes them
            reason = f"it failed: {type(error).__name__}: {error}"
    if is_judged:
        _replace(connection, check, run_id)
    judged = {"run": run_id, "check": check.name, "judged": is_judged, "reason": reason}
    connection.execute(_COUNTED, judged)
    failpoints.reached("before-commit")
    connection.execute("COMMIT")
    failpoints.reached("after-commit")


def _replace(connection: Connection, check: Check, run_id: int) -> None:
    """Findings of a check as this run shows them."""
    judged = {"check": check.name, "run": run_id}
    connection.execute(_UPSERT, judged)
    connection.execute(_NEVER_WAS, judged)
    connection.execute(_FIXED, {**judged, "of_crawl": check.of_crawl})
