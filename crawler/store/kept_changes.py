"""Which runs were compared already, and what differed?

Comparing two runs costs 6 us for each page of which a visit between them said something new: 6 s
where a million pages have all changed. So an analysis keeps what differs between the newest run and
the one before it (`crawler.analyse.comparing`), and the views of `changes` read it from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from crawler.store.analysis import Column, create

VERSION: Final = 1
"""Of how runs are compared; what an older one found is looked for again."""

COMPARED_RUNS: Final[Mapping[str, Column]] = {
    "from_run": ("INTEGER NOT NULL REFERENCES runs(id)", "the earlier run"),
    "to_run": ("INTEGER NOT NULL REFERENCES runs(id)", "the later one"),
    "version": ("INTEGER NOT NULL", "of the comparison; an older one is made again"),
}
RUN_DIFFERENCES: Final[Mapping[str, Column]] = {
    "from_run": ("INTEGER NOT NULL REFERENCES runs(id)", "the earlier run"),
    "to_run": ("INTEGER NOT NULL REFERENCES runs(id)", "the later one"),
    "url_id": ("INTEGER NOT NULL REFERENCES urls(id)", "the page (urls.id)"),
    "change": ("TEXT NOT NULL", "what became of it; see the view differences"),
    "new_status": ("INTEGER NOT NULL", "1: its status is another"),
    "new_place": ("INTEGER NOT NULL", "1: it redirects elsewhere"),
    "new_title": ("INTEGER NOT NULL", "1: its title is another"),
    "new_text": ("INTEGER NOT NULL", "1: its text is another"),
    "new_canonical": ("INTEGER NOT NULL", "1: its canonical is another"),
    "answer_before_id": ("INTEGER", "the visit that tells its answer before (visits.id)"),
    "document_before_id": ("INTEGER", "the visit that brought its document before (visits.id)"),
    "now_id": ("INTEGER NOT NULL", "its last visit (visits.id)"),
    "answer_id": ("INTEGER NOT NULL", "the visit that tells its answer (visits.id)"),
    "document_id": ("INTEGER", "the visit that brought its document (visits.id)"),
}
TABLES: Final = {"compared_runs": COMPARED_RUNS, "run_differences": RUN_DIFFERENCES}
ROWS: Final = {
    "compared_runs": "two runs of which run_differences has all that differs",
    "run_differences": "a page that differs between two runs; the view differences tells more",
}
"""What a row is, by table."""

IS_KNOWN: Final = f"""EXISTS (
            SELECT 1
            FROM compared_runs
            WHERE compared_runs.from_run = {{older}}
                AND compared_runs.to_run = {{newer}}
                AND compared_runs.version = {VERSION}
        )"""
"""Are two runs (older, newer: as SQL) compared already?"""

TOLD: Final = """answer_before.status AS status_before,
            answer.status,
            answer.error,
            document_before.title AS title_before,
            document.title,
            document_before.canonical AS canonical_before,
            document.canonical,
            document_before.body_id AS body_id_before,
            document.body_id,
            answer_before.redirect_to_id AS redirect_to_id_before,
            answer.redirect_to_id"""
"""What is told of a page before and now: of the visits that tell its answers and its documents."""

JUDGED: Final = f"""
        SELECT
            known.*,
            now.started_at AS changed_at,
            {TOLD}
        FROM run_differences AS known
        LEFT JOIN visits AS now ON now.id = known.now_id
        LEFT JOIN visits AS answer_before ON answer_before.id = known.answer_before_id
        LEFT JOIN visits AS document_before ON document_before.id = known.document_before_id
        LEFT JOIN visits AS answer ON answer.id = known.answer_id
        LEFT JOIN visits AS document ON document.id = known.document_id
"""
"""What differs, as far as it is kept, by the names that `changes` gives to what it compares."""


def statements() -> list[str]:
    """What brings the tables into a file."""
    keys = {"compared_runs": "PRIMARY KEY (from_run, to_run)"}
    return [
        *(create(name, columns, keys.get(name)) for name, columns in TABLES.items()),
        "CREATE UNIQUE INDEX run_differences_pages"
        " ON run_differences(to_run, from_run, change, url_id)",
    ]
