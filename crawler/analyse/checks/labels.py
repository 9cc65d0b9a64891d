"""Is an answer what its Content-Type says?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from crawler.analyse.check import Check, Found, Limits
from crawler.store.database import Connection

_LABELLED: Final = """
    WITH sent AS (
        SELECT pages.id, visits.content_type, visits.body_bytes, visits.body_id,
            CASE
                WHEN json_type(visits.headers, '$."content-type"') = 'array'
                    THEN json_extract(visits.headers, '$."content-type"[#-1]')
                ELSE json_extract(visits.headers, '$."content-type"')
            END AS declared
        FROM pages
        JOIN visits ON visits.id = (
            SELECT max(id)
            FROM visits
            WHERE url_id = pages.id AND kind = 'page' AND headers IS NOT NULL
        )
        WHERE pages.status BETWEEN 200 AND 299
    ),
    named AS (
        SELECT *, lower(trim(substr(declared, 1, instr(declared || ';', ';') - 1))) AS label
        FROM sent
        WHERE body_bytes > 0 AND content_type IS NOT NULL
    )
    SELECT named.id, named.declared, named.label, named.content_type, body_forms.sniffed,
        body_forms.is_page
    FROM named
    LEFT JOIN body_forms ON body_forms.body_id = named.body_id
        AND named.content_type NOT IN ('text/html', 'application/xhtml+xml')
    WHERE coalesce(named.label, '') <> named.content_type OR body_forms.sniffed IS NOT NULL
    ORDER BY named.id
"""
"""What the crawl took for another type than was declared, and bodies that are no HTML."""
_DOWNLOADS: Final = frozenset(
    {"application/octet-stream", "binary/octet-stream", "application/force-download"}
)
"""Labels that ask a browser to store what comes, whatever it is."""
_SAME: Final = {
    "image/jpg": "image/jpeg", "image/pjpeg": "image/jpeg", "image/x-png": "image/png",
    "application/x-pdf": "application/pdf",
}  # fmt: skip
_TOLD_BY_BYTES: Final = frozenset(
    {"image/png", "image/gif", "image/jpeg", "image/webp", "application/pdf"}
)
"""Types of which the first bytes leave no doubt; those of others are shared by several."""


def _wrong_labels(connection: Connection, _limits: Limits) -> Iterator[Found]:
    for url_id, declared, label, read_as, sniffed, is_page in connection.execute(_LABELLED):
        found = read_as if label != read_as else _otherwise(label, sniffed, is_page=bool(is_page))
        if found is not None:
            yield url_id, "", {"declared": declared, "found": found}


def _otherwise(label: str, sniffed: str, *, is_page: bool) -> str | None:
    """The type that the bytes have instead of this one; None where they may well be of it."""
    if sniffed == "text/html" and is_page:
        return sniffed
    fits = _SAME.get(label, label) == sniffed or label in _DOWNLOADS
    return sniffed if sniffed in _TOLD_BY_BYTES and not fits else None


CHECKS: Final = (
    Check(
        name="content_type_wrong",
        severity="warning",
        definition="an answer is labelled as another type than its bytes are, as none, or as what"
        " is no type",
        find=_wrong_labels,
        needs=("headers",),
    ),
)
