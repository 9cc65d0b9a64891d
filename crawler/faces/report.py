"""What can be handed over of a crawl? One HTML file that needs nothing beside it.

Every section shows the SQL that made it. Its size is bounded: of long lists the beginning is shown,
and how many there are.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from crawler import whole
from crawler.errors import UsageError
from crawler.faces import templating, wording
from crawler.faces.audit import RULE
from crawler.store import audit as store_audit
from crawler.store import figures, queries, shown
from crawler.store.audit import Audit, Judged
from crawler.store.database import Connection
from crawler.store.figures import Figure, Filled

ROWS: Final = 100
"""Of one list."""
FINDINGS: Final = 20
"""Of one check."""
PICTURES: Final = 6
PICTURE_BYTES: Final = 1_200_000
"""Pictures of pages, and the bytes of all of them."""
_TITLE: Final = "Report on "
_MARKS: Final = (
    f"<title>{_TITLE}".encode(),
    f"/Title ({_TITLE}".encode(),
    f"/Title <FEFF{_TITLE.encode('utf-16-be').hex().upper()}".encode(),
)
"""How a report of ours begins, and what Chromium prints of it (ISO 32000-1, 7.9.2.2)."""


class Check(msgspec.Struct, frozen=True):
    """A check that found something, with the first of its pages."""

    judged: Judged
    found: Filled


def write(connection: Connection, out: Path, *, name: str, now: datetime) -> None:
    """Write the report; the file is there whole or not at all. Raises StorageError."""
    made = render(connection, name=name, now=now)
    with whole.file(out) as part:
        part.write_text(made, encoding="utf-8", errors="replace")


def is_ours(path: Path) -> bool:
    """May a file be written over: is none there, or a report of ours?"""
    try:
        with path.open("rb") as there:
            beginning = there.read(2000)
    except OSError:
        return not path.exists()
    return any(mark in beginning for mark in _MARKS)


def render(connection: Connection, *, name: str, now: datetime) -> str:
    """The report as text."""
    audit = _audit(connection)
    checks = [] if audit is None else list(_checks(connection, audit))
    return templating.render(
        "report.html",
        name=name,
        made_at=f"{now:%Y-%m-%d %H:%M} UTC",
        run=queries.last_run(connection),
        tiles=_tiles(connection),
        audit=audit,
        rule=RULE,
        checks={
            severity: [one for one in checks if one.judged.severity == severity]
            for severity in store_audit.WEIGHTS
        },
        charts=_filled(connection, figures.CHARTS),
        rendered=_rendered(connection),
        pictures=[
            (one, base64.b64encode(one.image).decode())
            for one in shown.pictures(connection, most=PICTURES, most_bytes=PICTURE_BYTES)
        ],
        tables=_filled(connection, figures.TABLES),
        doubts=_filled(connection, figures.DOUBTS),
    )


def _audit(connection: Connection) -> Audit | None:
    try:
        return store_audit.audit(connection)
    except UsageError:  # not analysed yet, which the report says
        return None


def _filled(connection: Connection, wanted: tuple[Figure, ...]) -> list[Filled]:
    return [figures.fill(connection, figure, limit=ROWS) for figure in wanted]


def _rendered(connection: Connection) -> list[Filled]:
    """Of a crawl that looked at pages as a browser shows them."""
    (some,) = connection.execute("SELECT EXISTS (SELECT 1 FROM renders)").fetchone()
    return _filled(connection, figures.RENDERED) if some else []


def _checks(connection: Connection, audit: Audit) -> Iterator[Check]:
    for judged in sorted(audit.checks, key=lambda one: -one.found):
        if judged.judged and judged.found:
            yield Check(judged, figures.fill(connection, _of_check(audit, judged), limit=FINDINGS))


def _of_check(audit: Audit, judged: Judged) -> Figure:
    return Figure(
        judged.name,
        judged.name,
        judged.definition,
        f"""
        SELECT {"state, " if audit.compared else ""}url, nullif(item, '') AS item,
            nullif(evidence, '{{}}') AS evidence
        FROM audit_findings
        WHERE check_name = '{judged.name}' AND state <> 'fixed'
        ORDER BY CASE state WHEN 'new' THEN 0 ELSE 1 END, url, item
        """,
    )


def _tiles(connection: Connection) -> list[tuple[str, str]]:
    """The figures that stand first: what, and how many."""
    asked = (
        ("pages", "SELECT count(*) FROM pages WHERE status BETWEEN 200 AND 299"),
        ("URLs seen", "SELECT count(*) FROM urls"),
        ("given up", "SELECT count(*) FROM urls WHERE state = 'failed'"),
        ("waiting", "SELECT count(*) FROM urls WHERE state = 'queued'"),
        ("hosts", "SELECT count(*) FROM hosts WHERE pages > 0"),
        ("links", "SELECT count(*) FROM links"),
    )
    counted: list[tuple[str, str]] = []
    for what, sql in asked:
        (value,) = connection.execute(sql).fetchone()
        counted.append((what, f"{value:,}"))
    received: Any = connection.execute("SELECT coalesce(sum(bytes), 0) FROM runs").fetchone()[0]
    return [*counted, ("received", wording.size(received))]
