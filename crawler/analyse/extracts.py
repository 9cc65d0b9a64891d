"""Which pages were not yet read by the person's rules, and what do these take out of them?

What a rule takes depends on the page's body and address, so it is kept by page. A page is read
again when its body or the rules are others, and no other. Values belong to pages that are there:
one that answers 404 or redirects has none, though its last document is kept; what is only out of
reach, for an error, 429, 5xx or a wall, has those that it had. Where a configuration names no rule,
those that the file was read by last hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final

import msgspec

from crawler import failpoints
from crawler.analyse.facts import Progress
from crawler.channels.bodies import in_chunks
from crawler.channels.patience import OF_PAGES, Patience, Usual
from crawler.channels.readers import Packed, Read, read_all
from crawler.config import ExtractRule
from crawler.store.database import Connection
from crawler.store.extracts import keep_rules, stored_rules

Taken = tuple[list[tuple[str, int, str | float | int]], bool]
"""Rows of a page, and whether there are more than are kept."""
RULE_S: Final = 0.02
"""What a rule may take of a page before that counts for its site."""
_VERSION: Final = 2
"""Of how values are taken; what an older one took is taken again."""
_IS_GONE: Final = """(
    pages.error IS NULL
    AND pages.challenge IS NULL
    AND (pages.status < 200 OR pages.status BETWEEN 300 AND 499)
    AND pages.status <> 429
)"""
_READ_AS: Final = "('text/html', 'application/xhtml+xml')"
_OUTDATED: Final = f"""
    DELETE FROM {{table}}
    WHERE page_id IN (
        SELECT extract_pages.page_id
        FROM extract_pages
        LEFT JOIN pages ON pages.id = extract_pages.page_id
        WHERE extract_pages.rules <> :rules
            OR extract_pages.body_id IS NOT pages.body_id
            OR extract_pages.error IN ('no_body', 'gone')
            OR {_IS_GONE}
    )
"""
_NOT_READ: Final = f"""
    INSERT OR REPLACE INTO extract_pages (page_id, body_id, rules, error)
    SELECT pages.id, pages.body_id, :rules, CASE WHEN {_IS_GONE} THEN 'gone' ELSE 'no_body' END
    FROM pages
    LEFT JOIN bodies ON bodies.id = pages.body_id
    WHERE pages.document_at IS NOT NULL
        AND coalesce(nullif(bodies.content_type, ''), pages.content_type) IN {_READ_AS}
        AND (bodies.body IS NULL OR {_IS_GONE})
"""
_MISSING: Final = f"""
    SELECT bodies.id, bodies.charset, length(bodies.body), pages.id, pages.url
    FROM pages
    JOIN bodies ON bodies.id = pages.body_id
    LEFT JOIN extract_pages ON extract_pages.page_id = pages.id
    WHERE bodies.body IS NOT NULL
        AND bodies.content_type IN {_READ_AS}
        AND pages.document_at IS NOT NULL
        AND extract_pages.page_id IS NULL
    ORDER BY pages.id
"""


def extract_values(
    connection: Connection,
    rules: Mapping[str, ExtractRule],
    progress: Progress,
    *,
    processes: int,
) -> int:
    """Read every page that was not read by these rules; returns how many there were."""
    stored = stored_rules(connection)
    wanted = dict(rules) or stored
    if not wanted:
        return 0
    digest = _digest(wanted)
    connection.execute("BEGIN IMMEDIATE")
    if list(wanted.items()) != list(stored.items()):
        keep_rules(connection, wanted)
    for table in ("extracts", "extract_pages"):
        connection.execute(_OUTDATED.format(table=table), {"rules": digest})
    connection.execute(_NOT_READ, {"rules": digest})
    connection.execute("COMMIT")
    return _read_missing(connection, wanted, digest, progress, processes=processes)


def _digest(rules: Mapping[str, ExtractRule]) -> str:
    said = msgspec.json.encode([_VERSION, *rules.items()])
    return sha256(said).hexdigest()[:16]


def _read_missing(
    connection: Connection,
    rules: Mapping[str, ExtractRule],
    digest: str,
    progress: Progress,
    *,
    processes: int,
) -> int:
    from crawler.parse import extraction  # selectors and dates, for those who have rules

    ready = extraction.ready(rules)
    missing = connection.execute(_MISSING).fetchall()
    bodies = {page_id: body_id for body_id, _, _, page_id, _ in missing}

    def look(body: bytes, packed: Packed) -> Taken:
        of_page = extraction.of_page(ready, packed.url)
        if not of_page:
            return [], False
        return extraction.extract(body, packed.charset, packed.url, of_page)

    done = 0
    chunks = in_chunks(connection, missing)
    usual = Usual(any_s=RULE_S * (1 + len(rules)), megabyte_s=RULE_S * 10 * (1 + len(rules)))
    patience = Patience(connection, OF_PAGES, usual)
    for answers in read_all(chunks, look, Taken, processes=max(1, processes), patience=patience):
        _store(connection, answers, bodies, digest)
        done += len(answers)
        progress("extraction", done, len(missing))
    return done


def _store(
    connection: Connection, answers: list[Read[Any]], bodies: Mapping[int, int], digest: str
) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT INTO extracts (page_id, rule, position, value, number) VALUES (?, ?, ?, ?, ?)",
        [
            (read.number, *_columns(*row))
            for read in answers
            for row in (read.found or ([], False))[0]
        ],
    )
    connection.executemany(
        "INSERT INTO extract_pages (page_id, body_id, rules, error) VALUES (?, ?, ?, ?)",
        [(read.number, bodies[read.number], digest, _error(read)) for read in answers],
    )
    failpoints.reached("before-commit")
    connection.execute("COMMIT")
    failpoints.reached("after-commit")


def _error(read: Read[Any]) -> str | None:
    return "cut" if read.found and read.found[1] else read.error


def _columns(rule: str, position: int, value: str | float) -> tuple[object, ...]:
    return rule, position, str(value), None if isinstance(value, str) else float(value)
