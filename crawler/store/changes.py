"""What differs between two runs?

A page's state after a run is what its last visit up to then said: what it answered, and the
document that was known of it. Title, text, status and canonical make a change; bytes alone make
a page `touched`. Nobody can tell what became of a page behind an error, 429, 5xx or a wall.
"""

from __future__ import annotations

from crawler.policy.words import which
from crawler.store import kept_changes

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


def _last_visits(pairs: str) -> str:
    """The last visits to a page by two runs (from_run, to_run).

    Only pages are looked at of which a visit between them said something new: of a million pages
    few do, and the index `visits_changed` names them.
    """
    return f"""
    pairs AS ({pairs}),
    candidates AS (
        SELECT DISTINCT pairs.from_run, pairs.to_run, visits.url_id
        FROM pairs
        JOIN visits ON visits.run_id > pairs.from_run AND visits.run_id <= pairs.to_run
        WHERE visits.changed = 1 AND visits.kind = 'page' AND visits.run_id > 1
    ),
    compared_visits AS (
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
    )
    """


SUCCESSIVE_VISITS = """
    compared_visits AS (
        SELECT
            lag(visits.run_id) OVER in_turn AS from_run,
            visits.run_id AS to_run,
            visits.url_id,
            lag(visits.id) OVER in_turn AS before_id,
            visits.id AS now_id
        FROM visits
        WHERE visits.url_id = :url_id AND visits.kind = 'page'
        WINDOW in_turn AS (ORDER BY visits.id)
    )
"""
"""Each visit to a page (:url_id) and the one before it."""


def _judged(compared_visits: str) -> str:
    """The SQL that begins a statement with what became of pages (``judged``) from one visit to
    another (the common table ``compared_visits``)."""
    return f"""
    WITH {compared_visits},
    last_documents AS (
        SELECT
            compared_visits.from_run,
            compared_visits.to_run,
            compared_visits.url_id,
            compared_visits.before_id,
            compared_visits.now_id,
            (
                SELECT max(visits.id)
                FROM visits
                WHERE visits.url_id = compared_visits.url_id
                    AND visits.kind = 'page'
                    AND visits.id <= compared_visits.before_id
                    AND {GOOD}
            ) AS document_before_id,
            (
                SELECT max(visits.id)
                FROM visits
                WHERE visits.url_id = compared_visits.url_id
                    AND visits.kind = 'page'
                    AND visits.id <= compared_visits.now_id
                    AND {GOOD}
            ) AS document_id
        FROM compared_visits
    ),
    seen AS (
        SELECT
            last_documents.from_run,
            last_documents.to_run,
            last_documents.url_id,
            last_documents.document_before_id,
            last_documents.document_id,
            last_documents.now_id,
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
            seen.now_id,
            seen.answer_before_id,
            seen.document_before_id,
            seen.answer_id,
            seen.document_id,
            seen.started_at AS changed_at,
            {_state("answer_before", "document_before")} AS state_before,
            {_state("answer", "document")} AS state,
            document_before.text_hash AS text_hash_before,
            document.text_hash,
            document_before.truncated AS truncated_before,
            document.truncated,
            {kept_changes.TOLD}
        FROM seen
        JOIN visits AS answer ON answer.id = seen.answer_id
        LEFT JOIN visits AS answer_before ON answer_before.id = seen.answer_before_id
        LEFT JOIN visits AS document ON document.id = seen.document_id
        LEFT JOIN visits AS document_before ON document_before.id = seen.document_before_id
    ),
    differing AS (
        SELECT
            compared.*,
            CASE WHEN coalesce(status_before, 0) <> coalesce(status, 0) THEN 1 ELSE 0 END
                AS new_status,
            CASE WHEN coalesce(title_before, '') <> coalesce(title, '') THEN 1 ELSE 0 END
                AS new_title,
            CASE
                WHEN coalesce(truncated_before, '') IN ('disconnect', 'time') THEN 0
                WHEN coalesce(truncated, '') IN ('disconnect', 'time') THEN 0
                WHEN coalesce(text_hash_before, -1) <> coalesce(text_hash, -1) THEN 1
                ELSE 0
            END AS new_text,
            CASE WHEN coalesce(canonical_before, '') <> coalesce(canonical, '') THEN 1 ELSE 0 END
                AS new_canonical,
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
    """


WHAT = """CASE
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
        END"""
"""What differs, in words."""

BEFORE = """CASE
            WHEN judged.change IN ('new', 'touched') THEN NULL
            WHEN judged.new_place = 1 THEN moved_before.url
            WHEN judged.new_status = 1 THEN CAST(judged.status_before AS TEXT)
            WHEN judged.new_title = 1 THEN judged.title_before
            WHEN judged.new_canonical = 1 THEN judged.canonical_before
        END"""
"""The value before, of the first thing that differs and has one."""


TOLD = f"""
    SELECT
        urls.url,
        judged.change,
        {WHAT} AS what,
        {BEFORE} AS before,
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
    FROM {{judged}} AS judged
    LEFT JOIN urls ON urls.id = judged.url_id
    LEFT JOIN urls AS moved_to ON moved_to.id = judged.redirect_to_id
    LEFT JOIN urls AS moved_before ON moved_before.id = judged.redirect_to_id_before
"""
"""What people are told of pages that were compared."""

KEPT_DIFFERENCES = TOLD.format(judged=f"({kept_changes.JUDGED})")
"""What an analysis has found to differ."""


def differences(pairs: str, which: str = "change IS NOT NULL") -> str:
    """The SQL that compares these pairs of runs (from_run, to_run): what is kept of them, and
    what has to be looked for. which: the changes that are told, as SQL."""
    known = kept_changes.IS_KNOWN.format(older="wanted.from_run", newer="wanted.to_run")
    unknown = f"SELECT wanted.* FROM ({pairs}) AS wanted WHERE NOT {known}"
    return f"""
    {_judged(_last_visits(unknown))}
    {TOLD.format(judged="judged")}
    WHERE judged.{which}
    UNION ALL
    {KEPT_DIFFERENCES}
    JOIN ({pairs}) AS asked
        ON asked.from_run = judged.from_run AND asked.to_run = judged.to_run
    WHERE judged.{which}
        AND {kept_changes.IS_KNOWN.format(older="asked.from_run", newer="asked.to_run")}
    """


COMPARED = _judged(_last_visits(GIVEN_PAIR))
"""Begins a statement with what became of pages (``judged``) between two runs (:older, :newer)."""


VIEWS = {
    "differences": f"""
        -- Any two runs compared: what is new, changed, gone, moved or touched between them.
        -- Runs that no analysis compared are compared now: 6 s where a million pages changed.
        {differences(ALL_PAIRS)}
    """,
    "changes_between_runs": """
        -- Any two runs compared: what is new, changed, gone, moved, unreachable or back again.
        -- Runs that no analysis compared are compared now: 6 s where a million pages changed.
        SELECT *
        FROM differences
        WHERE change <> 'touched'
    """,
    "changes": f"""
        -- What the last crawl found new, changed or gone, when there was one before it.
        -- An analysis keeps it; before, up to 6 s where a million pages changed.
        {differences(LAST_PAIR, "change <> 'touched'")}
    """,
    "touched": f"""
        -- Pages of which the last crawl found only the bytes changed, and nothing that one reads.
        -- An analysis keeps it; before, up to 6 s where a million pages changed.
        {differences(LAST_PAIR, "change = 'touched'")}
    """,
    "page_versions": f"""
        -- Each page as each run left it: its answer, and what the document said that was known.
        SELECT
            urls.url,
            known.run_id,
            known.started_at AS visited_at,
            CASE WHEN known.not_modified = 1 THEN document.status ELSE known.status END AS status,
            known.error,
            document.title,
            (
                SELECT headings.text
                FROM headings
                WHERE headings.body_id = document.body_id AND headings.level = 1
                ORDER BY headings.position
                LIMIT 1
            ) AS h1,
            document.canonical,
            facts.description,
            facts.robots,
            facts.lang,
            facts.main_words,
            facts.newest_date,
            document.text_hash,
            bodies.sha256,
            document.body_bytes,
            document.run_id AS document_run_id,
            document.started_at AS document_at,
            document.body_id,
            known.url_id
        FROM urls
        CROSS JOIN (
            SELECT
                visits.url_id,
                visits.run_id,
                visits.started_at,
                visits.status,
                visits.error,
                visits.not_modified,
                (
                    SELECT max(later.id)
                    FROM visits AS later
                    WHERE later.url_id = visits.url_id
                        AND later.kind = 'page'
                        AND later.run_id = visits.run_id
                ) AS last_id,
                (
                    SELECT max(earlier.id)
                    FROM visits AS earlier
                    WHERE earlier.url_id = visits.url_id
                        AND earlier.kind = 'page'
                        AND earlier.id <= visits.id
                        AND {GOOD.replace("visits.", "earlier.")}
                ) AS document_id,
                visits.id
            FROM visits
            WHERE visits.kind = 'page'
        ) AS known
        LEFT JOIN visits AS document ON document.id = known.document_id
        LEFT JOIN bodies ON bodies.id = document.body_id
        LEFT JOIN facts ON facts.body_id = document.body_id
        WHERE known.url_id = urls.id AND known.id = known.last_id
    """,
}

_COLUMNS = "change, url, what, before, status, error, title, moved_to"
BETWEEN = f"""
    SELECT {_COLUMNS}
    FROM ({differences(GIVEN_PAIR, "change <> 'touched'")})
    ORDER BY change = 'changed', change, url
"""
"""What differs between two runs (:older, :newer), the pages that are gone first."""

BETWEEN_MANY = f"""
    {COMPARED}
    SELECT {_COLUMNS}
    FROM ({TOLD.format(judged="judged")} WHERE judged.change <> 'touched')
"""
"""The same, as it is found: the first ones are there at once."""

MANY_BETWEEN = f"""
    SELECT {_COLUMNS}
    FROM ({KEPT_DIFFERENCES})
    WHERE from_run = :older AND to_run = :newer AND change = :change
    ORDER BY id
"""
"""What is kept of it, by one :change, in the order in which pages were found."""

LOG = f"""
    {_judged(SUCCESSIVE_VISITS)}
    SELECT
        visits.started_at AS "when",
        visits.run_id AS run,
        CASE
            WHEN judged.change IS NOT NULL THEN judged.change
            WHEN judged.state = 'unreachable' THEN judged.state
            WHEN judged.state_before IS NOT NULL THEN 'same'
        END AS change,
        {WHAT} AS what,
        {BEFORE} AS before,
        visits.status,
        judged.title,
        CASE
            WHEN visits.not_modified = 1 OR document.id = visits.id THEN document.body_bytes
            ELSE visits.body_bytes
        END AS bytes,
        visits.error,
        moved_to.url AS moved_to,
        visits.kind,
        visits.id
    FROM visits
    LEFT JOIN judged ON judged.now_id = visits.id
    LEFT JOIN visits AS document ON document.id = judged.document_id
    LEFT JOIN urls AS moved_to ON moved_to.id = judged.redirect_to_id
    LEFT JOIN urls AS moved_before ON moved_before.id = judged.redirect_to_id_before
    WHERE visits.url_id = :url_id
    ORDER BY visits.id DESC
"""
"""Every visit to a URL (:url_id), the last first: what it found other than the one before it."""

VERSION = f"""
    WITH last_visit AS (
        SELECT max(visits.id) AS id
        FROM visits
        WHERE visits.url_id = :url_id AND visits.kind = 'page' AND visits.run_id <= :run_id
    ),
    known AS (
        SELECT
            last_visit.id,
            (
                SELECT max(visits.id)
                FROM visits
                WHERE visits.url_id = :url_id
                    AND visits.kind = 'page'
                    AND visits.id <= last_visit.id
                    AND {GOOD}
            ) AS document_id
        FROM last_visit
    )
    SELECT
        last.run_id,
        last.started_at,
        CASE WHEN last.not_modified = 1 THEN document.status ELSE last.status END AS status,
        last.error,
        redirected.url AS redirect_to,
        CASE WHEN last.not_modified = 1 THEN document.headers ELSE last.headers END AS headers,
        document.started_at AS document_at,
        document.title,
        document.canonical,
        document.text_hash,
        coalesce(renders.body_id, document.body_id) AS body_id,
        CASE WHEN renders.body_id IS NULL THEN document.charset ELSE 'utf-8' END AS charset,
        document.content_type,
        texts.text,
        bodies.body
    FROM known
    JOIN visits AS last ON last.id = known.id
    LEFT JOIN visits AS document ON document.id = known.document_id
    LEFT JOIN urls AS redirected ON redirected.id = last.redirect_to_id
    LEFT JOIN renders ON renders.visit_id = document.id
    LEFT JOIN texts ON texts.body_id = coalesce(renders.body_id, document.body_id)
    LEFT JOIN bodies ON bodies.id = coalesce(renders.body_id, document.body_id)
"""
"""A page (:url_id) as a run (:run_id) left it, as a browser showed it where one did."""
