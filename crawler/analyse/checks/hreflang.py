"""Which pages in several languages do not agree on which page is which?

Judged are the alternates that pages name in their HTML. A page that names some in a header is
compared with that alone; what a sitemap says of languages is not kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from crawler.analyse.check import Check, Found, Limits
from crawler.analyse.checks.language_codes import is_hreflang
from crawler.analyse.checks.sites import SEEDS
from crawler.parse.headers import declared
from crawler.policy.urls import UrlRules, resolve
from crawler.store.database import Connection

ALTERNATES: Final = """
    WITH alternates AS MATERIALIZED (
        SELECT good_pages.id AS source_id, links.target_id, links.position,
            lower(trim(link_facts.hreflang)) AS code, link_facts.hreflang, link_facts.href,
            ' ' || coalesce(link_facts.flags, '') || ' ' AS flags
        FROM good_pages
        CROSS JOIN link_facts ON link_facts.body_id = good_pages.body_id
        CROSS JOIN links
            ON links.source_id = good_pages.id AND links.position = link_facts.position
        WHERE link_facts.hreflang IS NOT NULL AND links.kind = 'alternate'
    ),
    pairs AS MATERIALIZED (
        SELECT DISTINCT source_id, target_id
        FROM alternates
    )
"""
_CODES: Final = f"{ALTERNATES} SELECT DISTINCT code FROM alternates ORDER BY code"
_WITH_CODES: Final = f"""{ALTERNATES}
    SELECT alternates.source_id, alternates.hreflang, target.url
    FROM alternates
    JOIN urls AS target ON target.id = alternates.target_id
    WHERE alternates.code IN (SELECT value FROM json_each(:codes))
    ORDER BY alternates.source_id, alternates.position
"""
_HEADERS: Final = """
    SELECT good_pages.id, good_pages.url, json_extract(visits.headers, '$."link"')
    FROM good_pages
    JOIN visits ON visits.id = (
        SELECT max(id)
        FROM visits AS latest
        WHERE latest.url_id = good_pages.id AND latest.headers IS NOT NULL
    )
    WHERE visits.headers LIKE '%hreflang%'
    ORDER BY good_pages.id
"""
_IN_HTML: Final = f"""{ALTERNATES}
    SELECT alternates.source_id, alternates.code, target.url
    FROM alternates
    JOIN urls AS target ON target.id = alternates.target_id
    WHERE alternates.source_id IN (SELECT value FROM json_each(:pages))
"""


def _invalid(connection: Connection, _limits: Limits) -> Iterator[Found]:
    codes = [code for (code,) in connection.execute(_CODES) if not is_hreflang(code)]
    for url_id, written, url in connection.execute(_WITH_CODES, {"codes": json.dumps(codes)}):
        yield url_id, written, {"hreflang": written, "alternate": url}


def _in_header(value: str, url: str) -> set[tuple[str, str]]:
    """Code and address of each alternate of a Link header; several are JSON."""
    values = json.loads(value) if value.startswith("[") else [value]
    said = declared(tuple(("link", text) for text in values), "")
    return {
        (code.strip().lower(), resolve(href, url, rules=UrlRules())[0].url)
        for href, parameters in said.links
        if (code := parameters.get("hreflang")) and "alternate" in parameters.get("rel", "").lower()
    }


def _sources_differ(connection: Connection, _limits: Limits) -> Iterator[Found]:
    headers = {
        url_id: _in_header(value, url)
        for url_id, url, value in connection.execute(_HEADERS)
        if value
    }
    named: dict[int, set[tuple[str, str]]] = {}
    pages = {"pages": json.dumps(list(headers))}
    for url_id, code, url in connection.execute(_IN_HTML, pages):
        named.setdefault(url_id, set()).add((code, url))
    for url_id, said in headers.items():
        here = named.get(url_id, set())
        if said and here and said != here:
            evidence = {"only_in_html": sorted(here - said), "only_in_header": sorted(said - here)}
            yield url_id, "", evidence


def _targets(condition: str, *evidence: str) -> str:
    """Alternates of which this holds."""
    columns = "".join(f", {name}" for name in evidence)
    return f"""{ALTERNATES}
        SELECT alternates.source_id AS url_id, target.url AS item, alternates.hreflang{columns}
        FROM alternates
        JOIN urls AS target ON target.id = alternates.target_id
        LEFT JOIN good_pages AS page ON page.id = target.id
        WHERE {condition}
        ORDER BY alternates.source_id, alternates.position
    """


def _sets(condition: str, *evidence: str) -> str:
    """Pages whose whole set fulfils this."""
    columns = "".join(f", {name}" for name in evidence)
    return f"""{ALTERNATES}
        SELECT page.id AS url_id, group_concat(alternates.code, ' ') AS codes{columns}
        FROM alternates
        JOIN pages AS page ON page.id = alternates.source_id
        GROUP BY page.id
        HAVING {condition}
    """


def _twice(once: str, twice: str, name: str) -> str:
    """Sets in which the first stands with several of the second."""
    return f"""{ALTERNATES}
        SELECT alternates.source_id AS url_id, {once} AS item,
            group_concat(DISTINCT {twice}) AS {name}
        FROM alternates
        JOIN urls AS target ON target.id = alternates.target_id
        WHERE {twice} <> 'x-default'
        GROUP BY alternates.source_id, {once}
        HAVING count(DISTINCT {twice}) > 1
    """


_NO_RETURN: Final = f"""{ALTERNATES}
    SELECT pairs.source_id AS url_id, target.url AS item
    FROM pairs
    JOIN good_pages AS target ON target.id = pairs.target_id
    LEFT JOIN pairs AS back
        ON back.source_id = pairs.target_id AND back.target_id = pairs.source_id
    WHERE pairs.source_id <> pairs.target_id
        AND back.source_id IS NULL
        AND target.id NOT IN (
            SELECT url_id
            FROM visits
            WHERE headers LIKE '%hreflang%'
        )
"""
_RETURN_DIFFERS: Final = f"""{ALTERNATES}
    SELECT own.source_id AS url_id, target.url AS item, group_concat(DISTINCT own.code) AS own_code,
        group_concat(DISTINCT back.code) AS there
    FROM alternates AS own
    JOIN alternates AS back
        ON back.target_id = own.source_id AND back.source_id <> own.source_id
    JOIN pairs ON pairs.source_id = own.source_id AND pairs.target_id = back.source_id
    JOIN urls AS target ON target.id = back.source_id
    WHERE own.target_id = own.source_id
        AND own.code <> 'x-default'
        AND back.code <> 'x-default'
    GROUP BY own.source_id, back.source_id
    HAVING sum(own.code = back.code) = 0
"""
_INCOMPLETE: Final = f"""{ALTERNATES},
    sets AS MATERIALIZED (
        SELECT source_id, group_concat(code || ' ' || target_id) AS members
        FROM (
            SELECT DISTINCT source_id, code, target_id
            FROM alternates
            ORDER BY source_id, code, target_id
        )
        GROUP BY source_id
    )
    SELECT pairs.source_id AS url_id, target.url AS item,
        CASE WHEN theirs.source_id IS NULL THEN 'not crawled' ELSE 'lists others' END AS what,
        target.reason
    FROM pairs
    JOIN sets AS ours ON ours.source_id = pairs.source_id
    JOIN urls AS target ON target.id = pairs.target_id
    LEFT JOIN sets AS theirs ON theirs.source_id = pairs.target_id
    WHERE theirs.members <> ours.members
        OR theirs.source_id IS NULL AND target.state IN ('queued', 'skipped')
"""

CHECKS: Final = (
    Check(
        name="hreflang_bad_status",
        severity="error",
        definition="a page in another language redirects, or ends in an error or in none at all",
        sql=_targets(
            "target.state = 'failed' OR target.state = 'done' AND target.status >= 300",
            "target.status",
            "target.reason",
        ),
        needs=("facts",),
    ),
    Check(
        name="hreflang_noindex",
        severity="error",
        definition="a page in another language is noindex",
        sql=_targets("page.indexability_reason = 'noindex'", "page.meta_robots"),
        needs=("facts",),
    ),
    Check(
        name="hreflang_noncanonical",
        severity="error",
        definition="a page in another language names another page as its canonical",
        sql=_targets("page.indexability_reason = 'canonical'", "page.canonical"),
        needs=("facts",),
    ),
    Check(
        name="hreflang_no_return",
        severity="error",
        definition="a page names one in another language, which does not name it",
        sql=_NO_RETURN,
        needs=("facts",),
    ),
    Check(
        name="hreflang_return_differs",
        severity="warning",
        definition="a page in another language names this one under another code than its own",
        sql=_RETURN_DIFFERS,
        needs=("facts",),
    ),
    Check(
        name="hreflang_no_self",
        severity="warning",
        definition="an indexable page is not among the languages that it names",
        sql=_sets("page.indexable = 1 AND sum(alternates.target_id = page.id) = 0"),
        needs=("facts",),
    ),
    Check(
        name="hreflang_not_own_canonical",
        severity="error",
        definition="a page names itself among its languages, and another page as its canonical",
        sql=_sets(
            "page.indexability_reason = 'canonical' AND sum(alternates.target_id = page.id) > 0",
            "page.canonical",
        ),
        needs=("facts",),
    ),
    Check(
        name="hreflang_code_invalid",
        severity="error",
        definition="a code is no language of ISO 639-1 with, if any, a script and a region of ISO"
        " 3166-1, and not x-default",
        find=_invalid,
        needs=("facts",),
    ),
    Check(
        name="hreflang_duplicate_code",
        severity="error",
        definition="a page names several pages under one code",
        sql=_twice("alternates.code", "target.url", "urls"),
        needs=("facts",),
    ),
    Check(
        name="hreflang_duplicate_url",
        severity="note",
        definition="a page names another under several codes besides x-default",
        sql=_twice("target.url", "alternates.code", "codes"),
        needs=("facts",),
    ),
    Check(
        name="hreflang_no_default",
        severity="note",
        definition="a page names others in other languages, and none as x-default",
        sql=_sets("sum(alternates.code = 'x-default') = 0"),
        needs=("facts",),
    ),
    Check(
        name="hreflang_relative",
        severity="error",
        definition="the address of a page in another language is written without its scheme",
        sql=_targets(
            "alternates.flags LIKE '% relative %' OR alternates.flags LIKE '% protocol_relative %'",
            "alternates.href",
        ),
        needs=("facts",),
    ),
    Check(
        name="hreflang_outside_head",
        severity="error",
        definition="a page in another language is named after the head had ended",
        sql=_targets("alternates.flags LIKE '% outside_head %'"),
        needs=("facts",),
    ),
    Check(
        name="hreflang_unlinked",
        severity="note",
        definition="no page has an anchor to a page in another language that is no seed",
        sql=_targets(f"page.inlinks = 0 AND page.id NOT IN ({SEEDS})"),
        needs=("facts",),
    ),
    Check(
        name="hreflang_sources_differ",
        severity="warning",
        definition="the HTML and the headers of a page name different pages in other languages",
        find=_sources_differ,
        needs=("facts", "headers"),
    ),
    Check(
        name="hreflang_group_incomplete",
        severity="warning",
        definition="pages in several languages list different sets, or one was not crawled",
        sql=_INCOMPLETE,
        needs=("facts",),
    ),
)
