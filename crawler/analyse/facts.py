"""Which bodies have no facts yet, and how do they get them?

Facts are kept by body with the version of their reading: an unchanged body is read once, however
many runs or checks there are. A chunk of bodies is a transaction; whoever comes after a kill goes
on with what has no facts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from crawler.channels.bodies import in_chunks
from crawler.channels.patience import OF_BODIES, Patience, Usual
from crawler.channels.readers import Packed, Read, read_all
from crawler.parse import language
from crawler.parse.body_facts import read_body
from crawler.parse.sniff import HTML_TYPES
from crawler.store import analysis, facts
from crawler.store.analysis import VERSION
from crawler.store.database import Connection
from crawler.store.facts import BodyFacts, Known, unread

_MISSING: Final = """
    WITH sitemaps AS MATERIALIZED (
        SELECT DISTINCT body_id
        FROM visits
        WHERE kind = 'sitemap' AND body_id IS NOT NULL
    ),
    parts AS MATERIALIZED (
        SELECT body_id
        FROM visits
        WHERE :has_parts AND kind = 'asset'
        UNION
        SELECT body_id
        FROM requests
        WHERE body_id IS NOT NULL
        EXCEPT
        SELECT body_id
        FROM visits
        WHERE :has_parts AND kind <> 'asset'
        EXCEPT
        SELECT body_id
        FROM renders
    ),
    kept AS (
        SELECT id, content_type, charset, length(body) AS packed_bytes,
            content_type IN ('text/html', 'application/xhtml+xml') AS is_page,
            id IN (SELECT body_id FROM sitemaps) AS is_sitemap
        FROM bodies
        WHERE body IS NOT NULL AND id NOT IN (SELECT body_id FROM parts WHERE body_id > 0)
    )
    SELECT kept.id, kept.charset, kept.packed_bytes, kept.id, '', kept.content_type,
        kept.is_sitemap
    FROM kept
    LEFT JOIN facts ON facts.body_id = kept.id
    LEFT JOIN body_forms ON body_forms.body_id = kept.id
    WHERE (
            kept.is_page
            AND (
                coalesce(facts.version, 0) < :version
                OR (:detector IS NOT NULL AND facts.language_by IS NULL AND facts.error IS NULL)
            )
        )
        OR ((kept.is_sitemap OR NOT kept.is_page) AND coalesce(body_forms.version, 0) < :version)
    ORDER BY kept.id
"""

_HAS_PARTS: Final = """
    SELECT EXISTS (SELECT 1 FROM runs WHERE json_extract(config, '$.assets.mode') = 'fetch')
        OR EXISTS (SELECT 1 FROM requests)
"""
"""Were images, style sheets and the like kept? They are no pages, and nobody asks anything of them.
"""
USUAL: Final = Usual()
"""What a page may take before that counts for its site."""

Progress = Callable[[str, int, int], None]
"""Called with a pass's name, how much is done, and how much there is."""


def gather_facts(
    connection: Connection, progress: Progress, *, processes: int, max_links: int
) -> int:
    """Read every body that has no facts of this version, or whose language nobody looked for though
    somebody can by now; returns how many there were."""
    analysis.complete(connection)
    has_parts = connection.execute(_HAS_PARTS).fetchone()[0]
    asked = {
        "version": VERSION, "detector": language.detector_name(), "has_parts": has_parts,
    }  # fmt: skip
    missing = connection.execute(_MISSING, asked).fetchall()
    if missing:
        language.load()
    kinds = {body_id: (kind, bool(is_sitemap)) for body_id, *_, kind, is_sitemap in missing}

    def look(body: bytes, packed: Packed) -> BodyFacts:
        kind, is_sitemap = kinds[packed.number]
        return read_body(body, kind, packed.charset, is_sitemap=is_sitemap, max_links=max_links)

    def known(read: Read[BodyFacts]) -> Known:
        kind, is_sitemap = kinds[read.number]
        found = read.found or unread(is_page=kind in HTML_TYPES, is_sitemap=is_sitemap)
        return Known(read.number, found, read.error)

    done = 0
    chunks = in_chunks(connection, (row[:5] for row in missing))
    patience = Patience(connection, OF_BODIES, USUAL)
    for answers in read_all(
        chunks, look, BodyFacts, processes=max(1, processes), patience=patience
    ):
        facts.commit(connection, [known(read) for read in answers])
        done += len(answers)
        progress("facts", done, len(missing))
    return done
