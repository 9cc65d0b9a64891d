"""What differs between two runs?

A page's state after a run is what its last visit up to then said: what it answered, and the
document that was known of it. Title, text, status and canonical make a change; bytes alone make
a page `touched`. Nobody can tell what became of a page behind an error, 429, 5xx or a wall.
"""

from __future__ import annotations

from crawler.policy.words import which

KEPT = ", ".join(f"'{word}'" for word in sorted(which(kept=True)))
"""Errors with which a document is there all the same."""

GOOD = f"""visits.status BETWEEN 200 AND 299
                    AND (visits.error IS NULL OR visits.error IN ({KEPT}))
                    AND visits.challenge IS NULL"""
"""A visit that brought a document."""

ALL_PAIRS = """
        SELECT older.id AS from_run, newer.id AS to_run
        FROM runs AS older
        JOIN runs AS newer ON newer.id > older.id
"""

LAST_PAIR = """
        SELECT max(older.id) AS from_run, newest.id AS to_run
        FROM (SELECT max(id) AS id FROM runs) AS newest
        JOIN runs AS older ON older.id < newest.id
        WHERE older.finish_reason = 'finished'
        GROUP BY newest.id
"""
"""The newest run and the last one before it that came to its end; what lies between them are parts
of the newest crawl that were stopped."""

GIVEN_PAIR = "SELECT CAST(:older AS INTEGER) AS from_run, CAST(:newer AS INTEGER) AS to_run"


def _state(visit: str, document: str) -> str:
    """What became of a page, in SQL: by its last answer and its last document."""
    return f"""CASE
                WHEN {visit}.id IS NULL THEN NULL
                WHEN {document}.id = {visit}.id THEN 'there'
                WHEN {visit}.error IS NOT NULL THEN 'unreachable'
                WHEN {visit}.challenge IS NOT NULL THEN 'unreachable'
                WHEN {visit}.status = 429 OR {visit}.status >= 500 THEN 'unreachable'
                WHEN {visit}.status IN (404, 410) THEN 'gone'
                WHEN {visit}.redirect_to_id IS NOT NULL THEN 'moved'
                ELSE 'refused'
            END"""


def differences(pairs: str) -> str:
    """The SQL that compares these pairs of runs (from_run, to_run).

    Only pages are looked at of which a visit between them said something new: of a million pages
    few do, and the index `visits_changed` names them.
    """
    return f"""
    WITH pairs AS ({pairs}),
    candidates AS (
        SELECT DISTINCT pairs.from_run, pairs.to_run, visits.url_id
        FROM pairs
        JOIN visits ON visits.run_id > pairs.from_run AND visits.run_id <= pairs.to_run
        WHERE visits.changed = 1 AND visits.kind = 'page' AND visits.run_id > 1
    ),
    last_visits AS (
        SELECT
            candidates.from_run,
            candidates.to_run,
            candidates.url_id,
            (
                SELECT max(visits.id)
                FROM visits
                WHERE visits.url_id = candidates.url_id
                    AND visits.kind = 'page'
                    AND visits.run_id <= candidates.from_run
            ) AS before_id,
            (
                SELECT max(visits.id)
                FROM visits
                WHERE visits.url_id = candidates.url_id
                    AND visits.kind = 'page'
                    AND visits.run_id <= candidates.to_run
            ) AS now_id
        FROM candidates
    ),
    last_documents AS (
        SELECT
            last_visits.from_run,
            last_visits.to_run,
            last_visits.url_id,
            last_visits.before_id,
            last_visits.now_id,
            (
                SELECT max(visits.id)
                FROM visits
                WHERE visits.url_id = last_visits.url_id
                    AND visits.kind = 'page'
                    AND visits.id <= last_visits.before_id
                    AND {GOOD}
            ) AS document_before_id,
            (
                SELECT max(visits.id)
                FROM visits
                WHERE visits.url_id = last_visits.url_id
                    AND visits.kind = 'page'
                    AND visits.id <= last_visits.now_id
                    AND {GOOD}
            ) AS document_id
        FROM last_visits
    ),
    seen AS (
        SELECT
            last_documents.from_run,
            last_documents.to_run,
            last_documents.url_id,
            last_documents.document_before_id,
            last_documents.document_id,
            now.started_at,
            CASE
                WHEN before.not_modified = 1
                THEN coalesce(last_documents.document_before_id, before.id)
                ELSE before.id
            END AS answer_before_id,
            CASE
                WHEN now.not_modified = 1 THEN coalesce(last_documents.document_id, now.id)
                ELSE now.id
            END AS answer_id
        FROM last_documents
        JOIN visits AS now ON now.id = last_documents.now_id
        LEFT JOIN visits AS before ON before.id = last_documents.before_id
    ),
    compared AS (
        SELECT
            seen.from_run,
            seen.to_run,
            seen.url_id,
            seen.started_at AS changed_at,
            {_state("answer_before", "document_before")} AS state_before,
            {_state("answer", "document")} AS state,
            answer_before.status AS status_before,
            answer.status,
            answer.error,
            document_before.title AS title_before,
            document.title,
            document_before.canonical AS canonical_before,
            document.canonical,
            document_before.body_id AS body_id_before,
            document.body_id,
            document_before.text_hash AS text_hash_before,
            document.text_hash,
            document_before.truncated AS truncated_before,
            document.truncated,
            answer_before.redirect_to_id AS redirect_to_id_before,
            answer.redirect_to_id
        FROM seen
        JOIN visits AS answer ON answer.id = seen.answer_id
        LEFT JOIN visits AS answer_before ON answer_before.id = seen.answer_before_id
        LEFT JOIN visits AS document ON document.id = seen.document_id
        LEFT JOIN visits AS document_before ON document_before.id = seen.document_before_id
    ),
    differing AS (
        SELECT
            compared.*,
            CASE
                WHEN coalesce(status_before, 0) <> coalesce(status, 0) THEN 1
                ELSE 0
            END AS new_status,
            CASE WHEN coalesce(title_before, '') <> coalesce(title, '') THEN 1 ELSE 0 END
                AS new_title,
            CASE
                WHEN coalesce(truncated_before, '') IN ('disconnect', 'time') THEN 0
                WHEN coalesce(truncated, '') IN ('disconnect', 'time') THEN 0
                WHEN coalesce(text_hash_before, -1) <> coalesce(text_hash, -1) THEN 1
                ELSE 0
            END AS new_text,
            CASE
                WHEN coalesce(canonical_before, '') <> coalesce(canonical, '') THEN 1
                ELSE 0
            END AS new_canonical,
            CASE
                WHEN state_before = 'moved'
                    AND state = 'moved'
                    AND coalesce(redirect_to_id_before, 0) <> coalesce(redirect_to_id, 0)
                THEN 1
                ELSE 0
            END AS new_place,
            CASE WHEN body_id_before <> body_id THEN 1 ELSE 0 END AS new_bytes
        FROM compared
    ),
    judged AS (
        SELECT
            differing.*,
            CASE
                WHEN state = 'there' AND state_before IS NULL THEN 'new'
                WHEN state_before IS NULL THEN NULL
                WHEN state = 'there' AND state_before IN ('gone', 'unreachable', 'moved')
                THEN 'returned'
                WHEN state IN ('gone', 'unreachable') AND state_before <> state THEN state
                WHEN state = 'unreachable' THEN NULL
                WHEN state = 'moved' AND (state_before <> 'moved' OR new_place = 1) THEN 'moved'
                WHEN new_status + new_title + new_text + new_canonical > 0 THEN 'changed'
                WHEN new_bytes = 1 THEN 'touched'
            END AS change
        FROM differing
    )
    SELECT
        urls.url,
        judged.change,
        CASE
            WHEN judged.change NOT IN ('new', 'touched')
            THEN nullif(
                substr(
                    CASE WHEN judged.new_status = 1 THEN ', status' ELSE '' END
                        || CASE WHEN judged.new_place = 1 THEN ', redirect' ELSE '' END
                        || CASE WHEN judged.new_title = 1 THEN ', title' ELSE '' END
                        || CASE WHEN judged.new_text = 1 THEN ', text' ELSE '' END
                        || CASE WHEN judged.new_canonical = 1 THEN ', canonical' ELSE '' END,
                    3
                ),
                ''
            )
        END AS what,
        CASE
            WHEN judged.change IN ('new', 'touched') THEN NULL
            WHEN judged.new_place = 1 THEN moved_before.url
            WHEN judged.new_status = 1 THEN CAST(judged.status_before AS TEXT)
            WHEN judged.new_title = 1 THEN judged.title_before
            WHEN judged.new_canonical = 1 THEN judged.canonical_before
        END AS before,
        judged.status_before,
        judged.status,
        judged.error,
        judged.title_before,
        judged.title,
        judged.canonical_before,
        judged.canonical,
        moved_to.url AS moved_to,
        judged.body_id_before,
        judged.body_id,
        judged.changed_at,
        judged.from_run,
        judged.to_run,
        judged.url_id AS id
    FROM judged
    JOIN urls ON urls.id = judged.url_id
    LEFT JOIN urls AS moved_to ON moved_to.id = judged.redirect_to_id
    LEFT JOIN urls AS moved_before ON moved_before.id = judged.redirect_to_id_before
    WHERE judged.change IS NOT NULL
"""


VIEWS = {
    "differences": f"""
        -- Any two runs compared: what is new, changed, gone, moved or touched between them.
        {differences(ALL_PAIRS)}
    """,
    "changes_between_runs": """
        -- Any two runs compared: what is new, changed, gone, moved, unreachable or back again.
        SELECT *
        FROM differences
        WHERE change <> 'touched'
    """,
    "changes": f"""
        -- What the last crawl found new, changed or gone, when there was one before it.
        {differences(LAST_PAIR)}
            AND judged.change <> 'touched'
    """,
    "touched": f"""
        -- Pages of which the last crawl found only the bytes changed, and nothing that one reads.
        {differences(LAST_PAIR)}
            AND judged.change = 'touched'
    """,
}

BETWEEN = f"""
    SELECT change, url, what, before, status, error, title, moved_to
    FROM ({differences(GIVEN_PAIR)})
    WHERE change <> 'touched'
    ORDER BY change = 'changed', change, url
"""
"""What differs between two runs (:older, :newer), the pages that are gone first."""
