"""Which tables, indexes and views does a crawl have?

Migrations are appended, never edited. Plain SQL, so that any SQLite reads the file: STRICT tables,
no custom function in a view or trigger. Times are ISO-8601 UTC text; ``_ms`` and ``_bytes`` say
their unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crawler.store import (
    analysis,
    columns,
    cookies,
    extracts,
    kept_changes,
    machines,
    plan,
    rendering,
    search_index,
    shards,
)
from crawler.store.steps import Steps

if TYPE_CHECKING:
    from crawler.store.library import Database

APPLICATION_ID = 0x43524C52
"""``PRAGMA application_id``: "CRLR", so that we know our own files."""

migrations = Steps("crawler")


@migrations()
def first_schema(db: Database) -> None:
    """Tables and indexes of version 0.1."""
    from crawler.store import first_tables  # a new file begins with what all of it comes to

    for statement in first_tables.STATEMENTS:
        db.execute(columns.annotated(statement))


@migrations()
def first_views(db: Database) -> None:
    """Version 0.1 made views here. They are no migrations any more: see `views.refresh`."""


LINKS_BY_TARGET = "CREATE INDEX IF NOT EXISTS links_target_id ON links(target_id)"
"""Made when a file's first run ends: only readers need it. Kept up link by link it costs as much as
the links themselves (0.75 us each, and most of what is written), at the end half of that."""

CANONICALS = """
    CREATE INDEX IF NOT EXISTS links_canonical ON links(source_id, target_id)
    WHERE kind = 'canonical'
"""
"""A row a page among twenty times as many links; made by an analysis, so that a first crawl pays
nothing for it."""


@migrations()
def links_are_indexed_at_the_end(db: Database) -> None:
    """A file without links does without the index for now; its views need none."""
    if db.execute("SELECT 1 FROM links LIMIT 1").fetchone() is None:
        db.execute("DROP INDEX links_target_id")


@migrations()
def changes_are_computed_from_visits(db: Database) -> None:
    """A visit keeps the canonical that it saw; of earlier ones only the last is known."""
    db.execute("ALTER TABLE visits ADD COLUMN canonical TEXT")
    db.execute(
        """
        UPDATE visits
        SET canonical = pages.canonical
        FROM pages
        WHERE pages.id = visits.url_id
            AND pages.canonical IS NOT NULL
            AND visits.kind = 'page'
            AND visits.status BETWEEN 200 AND 299
        """
    )


@migrations()
def views_made(db: Database) -> None:
    """The names of the views that are the crawler's own, so that it replaces no others."""
    db.execute("CREATE TABLE _crawler_views (name TEXT NOT NULL UNIQUE) STRICT")


@migrations()
def visits_tell_their_tls(db: Database) -> None:
    """What secured a connection; 1 for what RFC 9325 does not recommend any more."""
    for column in ("tls_version TEXT", "tls_cipher TEXT", "tls_weak INTEGER"):
        db.execute(f"ALTER TABLE visits ADD COLUMN {column}")


@migrations()
def documents_are_held_whole_or_not(db: Database) -> None:
    """A page says what its document answered, why it is not whole, and how it was made.

    Under which settings an earlier document was made is not known: it is read again.
    """
    for column in ("document_status INTEGER", "partial TEXT", "made_under INTEGER"):
        db.execute(f"ALTER TABLE pages ADD COLUMN {column}")
    for table in ("pages", "visits"):
        db.execute(f"ALTER TABLE {table} ADD COLUMN challenge TEXT")
    db.execute(
        """
        UPDATE pages
        SET document_status = status
        WHERE status BETWEEN 200 AND 299 AND document_at IS NOT NULL
        """
    )
    db.execute(
        """
        UPDATE urls
        SET status = pages.status
        FROM pages
        WHERE pages.id = urls.id AND urls.status = 304
        """
    )


@migrations()
def bodies_are_told_apart_by_how_they_are_read(db: Database) -> None:
    """The same bytes mean something else as another media type or in another charset."""
    db.execute(
        """
        CREATE TABLE bodies_as_read (
            id INTEGER PRIMARY KEY,
            sha256 TEXT NOT NULL,
            body_bytes INTEGER NOT NULL,
            body BLOB,
            content_type TEXT NOT NULL DEFAULT '',
            charset TEXT NOT NULL DEFAULT '',
            UNIQUE (sha256, content_type, charset)
        ) STRICT
        """
    )
    db.execute(
        """
        INSERT INTO bodies_as_read (id, sha256, body_bytes, body, content_type, charset)
        SELECT bodies.id, bodies.sha256, bodies.body_bytes, bodies.body,
            coalesce(first.content_type, ''), coalesce(first.charset, '')
        FROM bodies
        LEFT JOIN (
            SELECT body_id, content_type, charset, min(id)
            FROM visits
            WHERE body_id IS NOT NULL
            GROUP BY body_id
        ) AS first ON first.body_id = bodies.id
        """
    )
    db.execute("DROP TABLE bodies")
    db.execute("ALTER TABLE bodies_as_read RENAME TO bodies")


@migrations()
def scopes_are_those_of_a_run(db: Database) -> None:
    """A key tells which run's seeds made it last, so that it goes when its seeds do."""
    db.execute("ALTER TABLE scopes ADD COLUMN run_id INTEGER")
    db.execute("CREATE INDEX seeds_url_id ON seeds(url_id)")


@migrations()
def rules_are_kept_as_they_were_read(db: Database) -> None:
    """What a robots.txt asks of one agent, and for how many lines that is more than it says; and
    the gap that a host's 429 and 503 have brought about, which is not its whole gap."""
    for column in ("robots_agent TEXT", "robots_rules BLOB", "robots_widened INTEGER"):
        db.execute(f"ALTER TABLE origins ADD COLUMN {column}")
    db.execute("ALTER TABLE hosts ADD COLUMN penalty_ms INTEGER")


@migrations()
def columns_have_a_dictionary(db: Database) -> None:
    """What each column means; filled whenever a version says something else of them."""
    db.execute(
        """
        CREATE TABLE columns_help (
            "table" TEXT NOT NULL,
            "column" TEXT NOT NULL,
            meaning TEXT NOT NULL,
            unit TEXT,
            UNIQUE ("table", "column")
        ) STRICT
        """
    )


@migrations()
def queries_of_a_path_are_counted_over_all_runs(db: Database) -> None:
    """Of paths that have many: the count began anew with each run, and after other paths."""
    db.execute(
        """
        CREATE TABLE query_paths (
            origin_id INTEGER NOT NULL REFERENCES origins(id),
            path TEXT NOT NULL,
            queries INTEGER NOT NULL,
            PRIMARY KEY (origin_id, path)
        ) STRICT, WITHOUT ROWID
        """
    )
    db.execute(
        """
        INSERT INTO query_paths (origin_id, path, queries)
        SELECT origin_id, substr(url, 1, instr(url, '?') - 1) AS path, count(*)
        FROM urls
        WHERE origin_id IS NOT NULL
            AND instr(url, '?') > 0
            AND state IN ('queued', 'done', 'failed')
        GROUP BY origin_id, path
        HAVING count(*) >= 100
        """
    )


@migrations()
def visits_have_notes(db: Database) -> None:
    """What is worth knowing of an answer that is none the worse for it, in one line."""
    db.execute("ALTER TABLE visits ADD COLUMN note TEXT")


@migrations()
def what_analysis_finds(db: Database) -> None:
    """Facts of bodies, the graph of links, checks and their findings."""
    for statement in analysis.statements():
        db.execute(statement)


@migrations()
def hosts_tell_what_is_stored_of_them(db: Database) -> None:
    """Bodies as they are packed, texts and links, roughly; of earlier pages only their bodies."""
    db.execute("ALTER TABLE hosts ADD COLUMN stored_bytes INTEGER NOT NULL DEFAULT 0")
    db.execute(
        """
        UPDATE hosts
        SET stored_bytes = held.bytes
        FROM (
            SELECT pages.host_id, sum(length(bodies.body)) AS bytes
            FROM pages
            JOIN bodies ON bodies.id = pages.body_id
            WHERE bodies.body IS NOT NULL
            GROUP BY pages.host_id
        ) AS held
        WHERE held.host_id = hosts.id
        """
    )


@migrations()
def what_rules_take_out_of_pages(db: Database) -> None:
    """Values that a person's rules select, and which pages were read for them."""
    for statement in extracts.statements():
        db.execute(statement)


@migrations()
def visits_tell_whether_they_found_anything_new(db: Database) -> None:
    """Whoever compares runs looks at those that did. A file's first run is compared with nothing,
    and is not indexed: its visits cost what they did. Of earlier visits it is not known."""
    db.execute("ALTER TABLE visits ADD COLUMN changed INTEGER NOT NULL DEFAULT 1")
    db.execute(
        """
        CREATE INDEX visits_changed ON visits(run_id, url_id)
        WHERE changed = 1 AND kind = 'page' AND run_id > 1
        """
    )


@migrations()
def forms_of_bodies_and_what_pages_counted(db: Database) -> None:
    """What bodies that are no pages begin with, and inlinks and clicks run by run."""
    for statement in analysis.later_statements():
        db.execute(statement)


@migrations()
def texts_are_searched(db: Database) -> None:
    """What is in the full-text index, which an analysis makes."""
    for statement in search_index.statements():
        db.execute(statement)


@migrations()
def when_pages_are_visited_again(db: Database) -> None:
    """Planned from their visits, by whoever analyses a crawl or asks for what is due."""
    for statement in plan.statements():
        db.execute(statement)


@migrations()
def visits_tell_when_certificates_end(db: Database) -> None:
    """Of the visit that made the connection; of earlier ones it is not known."""
    db.execute("ALTER TABLE visits ADD COLUMN certificate_until TEXT")


@migrations()
def what_differs_between_runs(db: Database) -> None:
    """Kept by an analysis, so that a million changes are read and not looked for."""
    for statement in kept_changes.statements():
        db.execute(statement)


@migrations()
def runs_tell_whether_they_fetched(db: Database) -> None:
    """A run may have brought in what others fetched."""
    db.execute("ALTER TABLE runs ADD COLUMN via TEXT NOT NULL DEFAULT 'crawl'")


@migrations()
def cookies_go_on_from_run_to_run(db: Database) -> None:
    """Of sites of which a person said that they are kept."""
    for statement in cookies.statements():
        db.execute(statement)


@migrations()
def pages_are_seen_as_browsers_show_them(db: Database) -> None:
    """What was shown beside what was sent, and what it asked for."""
    for statement in rendering.statements():
        db.execute(statement)


@migrations()
def crawls_have_shards(db: Database) -> None:
    """Which shard of a crawl a file is, and what it has for the others."""
    for statement in shards.statements():
        db.execute(statement)


@migrations()
def visits_tell_which_machine_fetched(db: Database) -> None:
    """Of those that work for a crawl over Redis or Valkey; NULL for the conductor's own."""
    for statement in machines.statements():
        db.execute(statement)


@migrations()
def origins_tell_how_far_their_logins_are(db: Database) -> None:
    """Of those that a person said need one."""
    db.execute("ALTER TABLE origins ADD COLUMN login_state TEXT")
    db.execute("ALTER TABLE origins ADD COLUMN login_detail TEXT")


@migrations()
def rules_of_extraction_are_for_some_sites(db: Database) -> None:
    """Those that a person names; until then a rule was for all."""
    for statement in extracts.later_statements():
        db.execute(statement)


@migrations()
def shards_know_what_they_have_passed_on(db: Database) -> None:
    """Of a crawl that is under way it is not known: its seeds are passed on once more."""
    for statement in shards.later_statements():
        db.execute(statement)
