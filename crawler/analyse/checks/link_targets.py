"""Which links lead where they should not, or are written so that they may?"""

from __future__ import annotations

from typing import Final

from crawler.analyse.check import Check
from crawler.analyse.checks.sites import EXTERNAL, INTERNAL

_LOCAL: Final = """
    local AS MATERIALIZED (
        SELECT id, host
        FROM hosts
        WHERE host = 'localhost'
            OR host GLOB '*.localhost'
            OR host GLOB '*.local'
            OR host GLOB '*.test'
            OR host NOT GLOB '*[a-z]*' AND (
                host GLOB '127.*'
                OR host GLOB '10.*'
                OR host GLOB '192.168.*'
                OR host GLOB '169.254.*'
                OR host GLOB '172.1[6-9].*'
                OR host GLOB '172.2[0-9].*'
                OR host GLOB '172.3[01].*'
                OR host = '0.0.0.0'
            )
            OR host LIKE '%:%' AND (
                trim(host, '[]') = '::1'
                OR trim(host, '[]') GLOB 'f[cd]*:*'
                OR trim(host, '[]') GLOB 'fe[89ab]*:*'
            )
    )
"""
"""Hosts that only the machine itself or its network can reach: RFC 1918, 3927, 4193, 6761, 6762."""


def _to(targets: str, *evidence: str) -> str:
    """Links of good pages to targets, a SELECT of ids that are few."""
    columns = "".join(f", {name}" for name in evidence)
    return f"""
        WITH aims AS MATERIALIZED (
            {targets}
        )
        SELECT links.source_id AS url_id, target.url AS item, links.kind, links.anchor,
            links.position{columns}
        FROM aims
        CROSS JOIN urls AS target ON target.id = aims.id
        CROSS JOIN links ON links.target_id = aims.id
        CROSS JOIN good_pages ON good_pages.id = links.source_id
        WHERE links.kind IN ('a', 'area')
    """


def _written(flag: str, condition: str = "links.kind IN ('a', 'area')") -> str:
    """Links with a flag of `link_facts`. What is held of them is no text: that may be long."""
    return f"""
        WITH flagged AS MATERIALIZED (
            SELECT body_id, position
            FROM link_facts
            WHERE ' ' || flags || ' ' LIKE '% {flag} %'
        )
        SELECT good_pages.id AS url_id, target.url AS item, written.href, links.kind,
            links.anchor, links.position
        FROM flagged
        JOIN good_pages ON good_pages.body_id = flagged.body_id
        CROSS JOIN links ON links.source_id = good_pages.id AND links.position = flagged.position
        CROSS JOIN urls AS target ON target.id = links.target_id
        CROSS JOIN link_facts AS written
            ON written.body_id = flagged.body_id AND written.position = flagged.position
        WHERE {condition}
    """


def _between(page: str, target: str, more: str) -> str:
    return f"""
        WITH l AS MATERIALIZED (
            SELECT DISTINCT links.source_id, links.target_id
            FROM good_pages
            CROSS JOIN links ON links.source_id = good_pages.id
            WHERE good_pages.url LIKE '{page}:%' AND links.kind IN ('a', 'area')
        )
        SELECT l.source_id AS url_id, target.url AS item
        FROM urls AS target
        JOIN l ON l.target_id = target.id
        JOIN pages AS page ON page.id = l.source_id
        WHERE target.url LIKE '{target}:%' AND {more}
    """


CHECKS: Final = (
    Check(
        name="links_to_localhost",
        severity="error",
        definition="a page of the public web links to an address that only a private network has",
        sql=f"""
            WITH {_LOCAL}
            SELECT links.source_id AS url_id, target.url AS item, links.kind, links.anchor,
                links.position
            FROM local
            CROSS JOIN urls AS target ON target.host_id = local.id
            CROSS JOIN links ON links.target_id = target.id
            CROSS JOIN good_pages ON good_pages.id = links.source_id
            WHERE links.kind IN ('a', 'area', 'img', 'script', 'stylesheet', 'iframe', 'form')
                AND good_pages.host_id NOT IN (SELECT id FROM local)
                AND EXISTS (
                    SELECT 1
                    FROM pages
                    WHERE host_id NOT IN (SELECT id FROM local)
                )
        """,
    ),
    Check(
        name="links_to_files",
        severity="error",
        definition="a link leads to a file of the machine of whoever wrote it (file:, C:, UNC)",
        sql=f"""
            WITH found AS (
                {
            _to(
                "SELECT id FROM urls WHERE reason = 'scheme'"
                " AND (url LIKE 'file:%' OR url GLOB '[a-zA-Z]:*')",
                "NULL AS href",
            )
        }
                UNION ALL
                SELECT url_id, item, kind, anchor, position, href
                FROM (
                    {_written("unc")}
                )
            )
            SELECT *
            FROM found
        """,
        needs=("facts",),
    ),
    Check(
        name="links_malformed",
        severity="warning",
        definition="a link is no address",
        sql=_to("SELECT id FROM urls WHERE reason = 'url_invalid'"),
    ),
    Check(
        name="links_with_white_space",
        severity="note",
        definition="the address of a link has white space before, behind or within it",
        sql=_written("spaces"),
        needs=("facts",),
    ),
    Check(
        name="links_uncrawlable",
        severity="warning",
        definition="a page leads people on by what no crawler follows: javascript:, a bare #, or"
        " onclick without an address",
        sql="""
            SELECT good_pages.id AS url_id, facts.links_uncrawlable AS links
            FROM good_pages
            JOIN facts ON facts.body_id = good_pages.body_id
            WHERE facts.links_uncrawlable > 0
        """,
        needs=("facts",),
    ),
    Check(
        name="links_https_to_http",
        severity="warning",
        definition="a page of https links to a page of its own site by http",
        sql=_between("https", "http", INTERNAL),
    ),
    Check(
        name="links_from_http",
        severity="note",
        definition="a page of http links to its own host by https",
        sql=_between("http", "https", "target.host_id = page.host_id"),
    ),
    Check(
        name="links_to_media_pages",
        severity="note",
        definition="a link leads to a bare image or video instead of a page",
        sql=_to(
            """
            SELECT DISTINCT url_id AS id
            FROM visits
            WHERE (content_type LIKE 'image/%' OR content_type LIKE 'video/%') AND status = 200
            """
        ),
    ),
    Check(
        name="links_unsafe_blank",
        severity="note",
        definition="a link to another site opens a window that may reach back (no noopener)",
        sql=_written("blank", f"links.kind = 'a' AND {EXTERNAL}"),
        needs=("facts",),
    ),
    Check(
        name="links_protocol_relative",
        severity="note",
        definition="an address is written without its scheme: //host/path",
        sql=_written("protocol_relative", "TRUE"),
        needs=("facts",),
    ),
)
