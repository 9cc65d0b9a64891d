"""What differs between two runs?

A page's state after a run is what its last visit up to then said: what it answered, and the
document that was known of it. Title, text, status and canonical make a change; bytes alone make
a page `touched`. Nobody can tell what became of a page behind an error, 429, 5xx or a wall.
"""

from __future__ import annotations

from crawler.policy.words import which

KEPT = ", ".join(f"'{word}'" for word in sorted(which(kept=True)))
"""Errors with which a document is there all the same."""

DIFFERENCES = f"""
    -- Any two runs compared: what is new, changed, gone, moved or touched from one to the other.
    WITH known AS (
        SELECT
            visits.id,
            visits.url_id,
            visits.run_id,
            visits.started_at,
            visits.not_modified,
            max(
                CASE
                    WHEN visits.status BETWEEN 200 AND 299
                        AND (visits.error IS NULL OR visits.error IN ({KEPT}))
                        AND visits.challenge IS NULL
                    THEN visits.id
                END
            ) OVER up_to_it AS document_id,
            max(CASE WHEN visits.not_modified = 0 THEN visits.id END) OVER up_to_it AS answer_id,
            lead(visits.run_id) OVER up_to_it AS next_run_id
        FROM visits
        WHERE visits.kind = 'page'
        WINDOW up_to_it AS (
            PARTITION BY visits.url_id
            ORDER BY visits.id
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        )
    ),
    states AS (
        SELECT
            known.url_id,
            known.run_id,
            known.started_at,
            coalesce(known.next_run_id, 9007199254740991) AS until_run_id,
            answer.status,
            answer.error,
            answer.redirect_to_id,
            CASE
                WHEN known.document_id = answer.id THEN 'there'
                WHEN answer.error IS NOT NULL THEN 'unreachable'
                WHEN answer.challenge IS NOT NULL THEN 'unreachable'
                WHEN answer.status = 429 OR answer.status >= 500 THEN 'unreachable'
                WHEN answer.status IN (404, 410) THEN 'gone'
                WHEN answer.redirect_to_id IS NOT NULL THEN 'moved'
                ELSE 'refused'
            END AS state,
            document.title,
            document.text_hash,
            document.canonical,
            document.body_id,
            document.truncated
        FROM known
        JOIN visits AS answer
            ON answer.id = CASE
                WHEN known.not_modified = 1 THEN coalesce(known.document_id, known.answer_id)
                ELSE known.id
            END
        LEFT JOIN visits AS document ON document.id = known.document_id
        WHERE known.next_run_id IS NULL OR known.next_run_id > known.run_id
    ),
    compared AS (
        SELECT
            older.id AS from_run,
            newer.id AS to_run,
            now.url_id,
            now.started_at AS changed_at,
            before.state AS state_before,
            now.state,
            before.status AS status_before,
            now.status,
            now.error,
            before.title AS title_before,
            now.title,
            before.canonical AS canonical_before,
            now.canonical,
            before.body_id AS body_id_before,
            now.body_id,
            before.redirect_to_id AS redirect_to_id_before,
            now.redirect_to_id,
            CASE
                WHEN coalesce(before.status, 0) <> coalesce(now.status, 0) THEN 1
                ELSE 0
            END AS new_status,
            CASE
                WHEN coalesce(before.title, '') <> coalesce(now.title, '') THEN 1
                ELSE 0
            END AS new_title,
            CASE
                WHEN coalesce(before.truncated, '') IN ('disconnect', 'time') THEN 0
                WHEN coalesce(now.truncated, '') IN ('disconnect', 'time') THEN 0
                WHEN coalesce(before.text_hash, -1) <> coalesce(now.text_hash, -1) THEN 1
                ELSE 0
            END AS new_text,
            CASE
                WHEN coalesce(before.canonical, '') <> coalesce(now.canonical, '') THEN 1
                ELSE 0
            END AS new_canonical,
            CASE
                WHEN before.state = 'moved'
                    AND now.state = 'moved'
                    AND coalesce(before.redirect_to_id, 0) <> coalesce(now.redirect_to_id, 0)
                THEN 1
                ELSE 0
            END AS new_place,
            CASE WHEN before.body_id <> now.body_id THEN 1 ELSE 0 END AS new_bytes
        FROM runs AS older
        JOIN runs AS newer ON newer.id > older.id
        JOIN states AS now
            ON now.run_id > older.id AND now.run_id <= newer.id AND now.until_run_id > newer.id
        LEFT JOIN states AS before
            ON before.url_id = now.url_id
                AND before.run_id <= older.id
                AND before.until_run_id > older.id
    ),
    judged AS (
        SELECT
            compared.*,
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
        FROM compared
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

BETWEEN_LAST_CRAWLS = """
        WHERE to_run = (SELECT max(id) FROM runs)
            AND from_run = (
                SELECT max(id)
                FROM runs
                WHERE finish_reason = 'finished' AND id < (SELECT max(id) FROM runs)
            )
"""
"""The newest run and the last one before it that came to its end; what lies between them are parts
of the newest crawl that were stopped."""

VIEWS = {
    "differences": DIFFERENCES,
    "changes_between_runs": """
        -- Any two runs compared: what is new, changed, gone, moved, unreachable or back again.
        SELECT *
        FROM differences
        WHERE change <> 'touched'
    """,
    "changes": f"""
        -- What the last crawl found new, changed or gone, when there was one before it.
        SELECT *
        FROM differences
        WHERE change <> 'touched' AND{BETWEEN_LAST_CRAWLS.replace("WHERE", "", 1)}
    """,
    "touched": f"""
        -- Pages of which the last crawl found only the bytes changed, and nothing that one reads.
        SELECT *
        FROM differences
        WHERE change = 'touched' AND{BETWEEN_LAST_CRAWLS.replace("WHERE", "", 1)}
    """,
}
