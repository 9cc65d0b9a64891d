"""What did the audit of a crawl find, and how far is it to be trusted?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from crawler.errors import UsageError
from crawler.store import search_index
from crawler.store.database import Connection
from crawler.store.queries import Rows

WEIGHTS: Final = {"error": 1.0, "warning": 0.3, "note": 0.0}
"""What a page's worst finding takes from the score of its group; the gravest severity first."""

_CHECKS: Final = """
    SELECT checks.name, checks.group_name, checks.severity, checks.definition, judged.judged,
        judged.reason, judged.found,
        CASE WHEN checks.needs LIKE '%earlier%' THEN 0 ELSE judged.fixed END, (
            SELECT count(*)
            FROM findings
            WHERE findings.check_name = checks.name
                AND findings.fixed_run_id IS NULL
                AND findings.since_run_id > :since
        )
    FROM runs_checks AS judged
    JOIN checks ON checks.name = judged.check_name
    WHERE judged.run_id = :run
    ORDER BY checks.position
"""
_WORST: Final = """
    SELECT group_name, sum(worst = 2), sum(worst = 1)
    FROM (
        SELECT checks.group_name, findings.url_id,
            max(CASE checks.severity WHEN 'error' THEN 2 WHEN 'warning' THEN 1 ELSE 0 END) AS worst
        FROM findings
        JOIN checks ON checks.name = findings.check_name
        WHERE findings.fixed_run_id IS NULL
        GROUP BY checks.group_name, findings.url_id
    )
    GROUP BY group_name
"""
_FOUND: Final = """
    SELECT state, url, nullif(item, '') AS item, evidence, since_run_id AS since_run
    FROM audit_findings
    WHERE check_name = ? AND state <> 'fixed' AND since_run_id > ?
    ORDER BY CASE state WHEN 'new' THEN 0 ELSE 1 END, url, item
"""
_ALL: Final = """
    SELECT findings.check_name, urls.url, findings.item, findings.evidence, findings.since_run_id
    FROM findings
    JOIN checks ON checks.name = findings.check_name
    JOIN urls ON urls.id = findings.url_id
    WHERE findings.fixed_run_id IS NULL
    ORDER BY checks.position, urls.url, findings.item
"""
_JUDGED_BEFORE: Final = "SELECT 1 FROM runs_checks WHERE run_id <= ? AND judged = 1 LIMIT 1"
_QUEUED: Final = "SELECT count(*) FROM urls WHERE state = 'queued'"
_DOUBTS: Final = (
    (
        "runs came after this one and are not analysed: crawler analyse does it",
        """
        SELECT count(*)
        FROM runs
        WHERE id > (SELECT max(run_id) FROM runs_checks) AND state <> 'running'
        """,
    ),
    (
        "URLs are left to fetch: what they hold and link to is not known",
        _QUEUED,
    ),
    (
        "pages were cut or parsed in part: some of their facts and links are missing",
        "SELECT count(*) FROM pages WHERE partial IS NOT NULL",
    ),
    (
        "pages answered with a challenge, a captcha or a login instead of themselves",
        "SELECT count(*) FROM pages WHERE challenge IS NOT NULL",
    ),
    (
        "URLs ended in 403, 429 or 503: their hosts may be refusing the crawler",
        "SELECT count(*) FROM urls WHERE status IN (403, 429, 503)",
    ),
    (
        "hosts were parked when the run ended",
        "SELECT count(*) FROM hosts WHERE queued > 0 AND blocked_until IS NOT NULL",
    ),
    (
        "PDFs were not read: pip install 'crawler[pdf]', then crawler analyse",
        search_index.UNREAD_PDFS,
    ),
    (
        "checks found more than is kept of one page or host: see reason in runs_checks",
        """
        SELECT count(*)
        FROM runs_checks
        WHERE judged = 1
            AND reason IS NOT NULL
            AND run_id = (SELECT max(run_id) FROM runs_checks)
        """,
    ),
    (
        "bodies could not be read for their facts",
        "SELECT count(*) FROM facts WHERE error IS NOT NULL",
    ),
)


class Judged(msgspec.Struct, frozen=True):
    """A check and what came of it. judged: 1, or 0 with the reason why not. fixed: nothing of what
    tells of a change, which no run sees twice. new: findings since a run."""

    name: str
    group: str
    severity: str
    definition: str
    judged: int
    reason: str | None
    found: int
    fixed: int
    new: int


class Audit(msgspec.Struct, frozen=True):
    """An audit. since: the run after which findings are new; baseline: somebody named it.

    scores: 0 to 100, by group; None where none of its checks could be made. queued: URLs left to
    fetch. compared: a run up to `since` was judged, so that it can be told what is new. doubts: how
    many of what there is, and what that keeps the audit from knowing.
    """

    run_id: int
    since: int
    pages: int
    checks: Sequence[Judged]
    scores: dict[str, int | None]
    doubts: Sequence[tuple[int, str]]
    baseline: bool
    queued: int
    compared: bool = True

    @property
    def score(self) -> int | None:
        """The mean of the scores of the groups that were judged; None where none was."""
        known = [score for score in self.scores.values() if score is not None]
        return round(sum(known) / len(known)) if known else None

    @property
    def not_judged(self) -> dict[str, list[str]]:
        """By the reason why not, the checks that could not be made."""
        reasons: dict[str, list[str]] = {}
        for check in self.checks:
            if not check.judged and check.reason:
                reasons.setdefault(check.reason, []).append(check.name)
        return reasons


class Finding(msgspec.Struct, frozen=True):
    """What a check found on a page. evidence: JSON. since_run: the run in which it began."""

    check: str
    url: str
    item: str
    evidence: str
    since_run: int


def audit(connection: Connection, *, since: int | None = None) -> Audit:
    """The last audit of a file. Raises UsageError where there is none, or no run to compare with.

    since: what began after this run is new; the run before the last one where nothing is said.
    """
    run_id = _last_run(connection)
    if since is not None and not 0 < since <= run_id:
        raise UsageError(f"--since {since}: there is no such run; the last one is {run_id}")
    baseline, since = since is not None, run_id - 1 if since is None else since
    rows = connection.execute(_CHECKS, {"run": run_id, "since": since}).fetchall()
    checks = [Judged(*row) for row in rows]
    (pages,) = connection.execute("SELECT count(*) FROM good_pages").fetchone()
    worst = {group: (errors, warnings) for group, errors, warnings in connection.execute(_WORST)}
    judged = {check.group for check in checks if check.judged}
    scores = {
        group: _score(*worst.get(group, (0, 0)), pages) if group in judged else None
        for group in dict.fromkeys(check.group for check in checks)
    }
    counted = [(connection.execute(sql).fetchone()[0], said) for said, sql in _DOUBTS]
    doubts = [(count, said) for count, said in counted if count]
    (queued,) = connection.execute(_QUEUED).fetchone()
    compared = baseline or connection.execute(_JUDGED_BEFORE, (since,)).fetchone() is not None
    return Audit(run_id, since, pages, checks, scores, doubts, baseline, queued, compared)


def all_findings(connection: Connection) -> Iterator[Finding]:
    """What all checks found and nobody has mended, check by check."""
    return (Finding(*row) for row in connection.execute(_ALL))


def every_finding(connection: Connection, *, since: int = 0) -> Rows:
    """What all checks found and nobody has mended, that began after a run, as rows."""
    rows = (row for row in all_findings(connection) if row.since_run > since)
    return Rows(Finding.__struct_fields__, map(msgspec.structs.astuple, rows))


def _last_run(connection: Connection) -> int:
    run_id: int | None = connection.execute("SELECT max(run_id) FROM runs_checks").fetchone()[0]
    if run_id is None:
        raise UsageError("this crawl was not analysed yet; do it with: crawler analyse --db FILE")
    return run_id


def _score(errors: int, warnings: int, pages: int) -> int:
    lost = errors * WEIGHTS["error"] + warnings * WEIGHTS["warning"]
    return max(0, round(100 * (1 - lost / max(pages, 1))))


def counts(connection: Connection) -> dict[str, int]:
    """Findings that nobody has mended, by severity."""
    rows = connection.execute(
        """
        SELECT checks.severity, count(*)
        FROM findings
        JOIN checks ON checks.name = findings.check_name
        WHERE findings.fixed_run_id IS NULL
        GROUP BY checks.severity
        """
    )
    return dict.fromkeys(WEIGHTS, 0) | dict(rows.fetchall())


class Definition(msgspec.Struct, frozen=True):
    """A check as it was made last. limits: JSON."""

    name: str
    group: str
    severity: str
    definition: str
    limits: str
    needs: str
    sql: str | None


def definition(connection: Connection, name: str) -> Definition:
    """A check by its name. Raises UsageError where there is none."""
    _last_run(connection)
    row = connection.execute(
        """
        SELECT name, group_name, severity, definition, limits, needs, sql
        FROM checks
        WHERE name = ?
        """,
        (name,),
    ).fetchone()
    if row is None:
        raise UsageError(f"there is no check {name!r}; crawler audit names them all")
    return Definition(*row)


def findings(connection: Connection, name: str, *, since: int = 0) -> Rows:
    """What a check found and nobody has mended, that began after a run."""
    cursor = connection.execute(_FOUND, (name, since))
    return Rows(tuple(column[0] for column in cursor.description), iter(cursor))
