"""Where is a site open to those who listen, change, frame or guess?

What headers say is said by a server, not by a page, so it is told once a host, on its front page,
with one page as an example.
"""

from __future__ import annotations

from typing import Final

from crawler.analyse.check import Check
from crawler.analyse.checks import headers
from crawler.analyse.needs import AUTHORITY

_MIXED: Final = """
    WITH loaded AS MATERIALIZED (
        SELECT source_id, target_id, kind
        FROM links
        WHERE kind IN ({kinds})
    ),
    plain AS MATERIALIZED (
        SELECT id, url
        FROM urls
        WHERE url >= 'http:' AND url < 'http;'
    )
    SELECT loaded.source_id AS url_id, plain.url AS item, loaded.kind
    FROM loaded
    JOIN plain ON plain.id = loaded.target_id
    JOIN good_pages ON good_pages.id = loaded.source_id
    WHERE good_pages.url LIKE 'https:%'
"""
"""Links of these kinds from pages over https to addresses over http."""

_IN_PAGES: Final = (
    Check(
        name="http_pages",
        severity="error",
        definition="a page is given out over http, so that anybody between may read and change it",
        sql="""
            SELECT id AS url_id
            FROM good_pages
            WHERE url LIKE 'http:%'
        """,
    ),
    Check(
        name="http_not_redirected",
        severity="error",
        definition="a site over https answers over http, too, instead of redirecting",
        sql=f"""
            WITH secure AS MATERIALIZED (
                SELECT DISTINCT {AUTHORITY} AS authority
                FROM good_pages
                WHERE url LIKE 'https:%'
            )
            SELECT min(id) AS url_id, count(*) AS pages, min(url) AS example
            FROM good_pages
            WHERE url LIKE 'http:%' AND {AUTHORITY} IN (SELECT authority FROM secure)
            GROUP BY {AUTHORITY}
        """,
        needs=("both_schemes",),
    ),
    Check(
        name="mixed_active",
        severity="error",
        definition="a page over https takes a script, style sheet or frame over http, which"
        " browsers refuse",
        sql=_MIXED.format(kinds="'script', 'stylesheet', 'iframe', 'frame', 'embed'"),
    ),
    Check(
        name="mixed_passive",
        severity="warning",
        definition="a page over https takes an image, sound or film over http",
        sql=_MIXED.format(kinds="'img', 'srcset', 'media', 'icon'"),
    ),
    Check(
        name="form_insecure",
        severity="error",
        definition="a form on a page over https sends what people write over http",
        sql=_MIXED.format(kinds="'form'"),
    ),
    Check(
        name="form_on_http",
        severity="error",
        definition="a form stands on a page over http; passwords counts its password fields",
        sql="""
            SELECT good_pages.id AS url_id, facts.forms, facts.passwords
            FROM facts
            JOIN good_pages ON good_pages.body_id = facts.body_id
            WHERE facts.forms > 0 AND good_pages.url LIKE 'http:%'
        """,
        needs=("facts",),
    ),
)
_BEYOND: Final = (
    Check(
        name="certificate_expiring",
        severity="error",
        definition="a host's certificate, as the last connection showed it, ends soon",
        sql="""
            WITH last AS MATERIALIZED (
                SELECT urls.origin_id, max(visits.id) AS visit_id
                FROM visits
                JOIN urls ON urls.id = visits.url_id
                WHERE visits.certificate_until IS NOT NULL AND urls.origin_id IS NOT NULL
                GROUP BY urls.origin_id
            ),
            ending AS MATERIALIZED (
                SELECT last.origin_id, visits.url_id, visits.certificate_until AS valid_until,
                    julianday(visits.certificate_until) - julianday(visits.started_at) AS days_left
                FROM last
                JOIN visits ON visits.id = last.visit_id
            )
            SELECT coalesce(min(front.id), ending.url_id) AS url_id, origins.origin AS item,
                ending.valid_until, CAST(ending.days_left AS INTEGER) AS days
            FROM ending
            JOIN origins ON origins.id = ending.origin_id
            LEFT JOIN urls AS front ON front.origin_id = ending.origin_id AND front.kind = 'page'
            WHERE ending.days_left < :days
            GROUP BY ending.origin_id
        """,
        limits={"days": 30},
        needs=("certificates",),
    ),
    Check(
        name="certificate_wrong",
        severity="error",
        definition="a host's certificate does not prove who it is: it is out of date, of another"
        " name, or of nobody who is trusted",
        sql="""
            SELECT min(urls.id) AS url_id, origins.origin AS item, count(*) AS urls,
                max(visits.error_detail) AS detail
            FROM urls
            JOIN origins ON origins.id = urls.origin_id
            LEFT JOIN visits ON visits.id = (
                SELECT max(id) FROM visits WHERE url_id = urls.id
            )
            WHERE urls.state = 'failed' AND urls.reason = 'tls_verify'
            GROUP BY urls.origin_id
        """,
    ),
    Check(
        name="tls_old",
        severity="warning",
        definition="a host agrees to a version of TLS before 1.2",
        needs=("probe",),
    ),
    Check(
        name="sri_missing",
        severity="note",
        definition="a script of another site is run without an integrity that it must have",
        sql="""
            WITH scripts AS MATERIALIZED (
                SELECT source_id, target_id, position
                FROM links
                WHERE kind = 'script'
            )
            SELECT scripts.source_id AS url_id, urls.url AS item
            FROM scripts
            JOIN good_pages ON good_pages.id = scripts.source_id
            JOIN facts ON facts.body_id = good_pages.body_id AND facts.error IS NULL
            JOIN hosts AS own ON own.id = good_pages.host_id
            JOIN urls ON urls.id = scripts.target_id
            JOIN hosts AS other ON other.id = urls.host_id
            LEFT JOIN link_facts ON link_facts.body_id = good_pages.body_id
                AND link_facts.position = scripts.position
            WHERE coalesce(other.registered_domain, other.host)
                    <> coalesce(own.registered_domain, own.host)
                AND ' ' || coalesce(link_facts.flags, '') || ' ' NOT LIKE '% integrity %'
        """,
        needs=("facts",),
    ),
    Check(
        name="secrets_in_page",
        severity="error",
        definition="a page holds what looks like a key that nobody should see; all but its"
        " beginning is left out",
        sql="""
            SELECT good_pages.id AS url_id, facts.secrets
            FROM facts
            JOIN good_pages ON good_pages.body_id = facts.body_id
            WHERE facts.secrets <> ''
        """,
        needs=("facts",),
    ),
    Check(
        name="source_maps_public",
        severity="note",
        definition="a script names a map of its source that anybody can have",
        needs=("probe",),
    ),
)

CHECKS: Final = (*_IN_PAGES, *headers.CHECKS, *_BEYOND)
