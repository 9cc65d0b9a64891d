"""Which pages are kept from search engines, and do they say so clearly and on purpose?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import msgspec

from crawler.analyse.check import Check, Found, Limits
from crawler.parse.robots_directives import wishes, wishes_of_header
from crawler.policy import robots
from crawler.store.database import Connection

_KNOWN: Final = frozenset(
    {
        # https://developers.google.com/search/docs/crawling-indexing/robots-meta-tag
        *("all", "index", "follow", "noindex", "nofollow", "none", "nosnippet", "indexifembedded"),
        *("max-snippet", "max-image-preview", "max-video-preview", "notranslate", "noimageindex"),
        *("unavailable_after", "noarchive", "nocache", "nositelinkssearchbox"),
        # of other search engines and of those who train models; and two that once meant something
        *("noai", "noimageai", "nopagereadaloud", "noodp", "noydir", "archive", "snippet"),
    }
)
_FORBIDS: Final = frozenset({"noindex", "none"})
_PERMITS: Final = frozenset({"index", "all"})


def has(*directives: str, said: str = "pages.meta_robots") -> str:
    """Whether a page asks one of these of robots, as SQL; NULL where it asks nothing."""
    words = f"', ' || {said} || ','"
    return "(" + " OR ".join(f"{words} LIKE '%, {word},%'" for word in directives) + ")"


_NOINDEX: Final = has("noindex", "none")


def _asking(condition: str) -> str:
    return f"""
        SELECT pages.id AS url_id, pages.meta_robots
        FROM good_pages AS pages
        WHERE {condition}
    """


_BOTH: Final = """
    SELECT pages.id, facts.robots, json_extract(visits.headers, '$."x-robots-tag"')
    FROM good_pages AS pages
    JOIN facts ON facts.body_id = pages.body_id AND facts.robots IS NOT NULL
    JOIN visits ON visits.id = (
        SELECT max(id)
        FROM visits
        WHERE url_id = pages.id AND kind = 'page' AND headers IS NOT NULL
    )
    WHERE pages.meta_robots IS NOT NULL
        AND json_extract(visits.headers, '$."x-robots-tag"') IS NOT NULL
    ORDER BY pages.id
"""


def _mismatches(connection: Connection, _limits: Limits) -> Iterator[Found]:
    """One says that the page may be indexed, and the other that it may not."""
    for url_id, meta, header in connection.execute(_BOTH):
        in_meta, in_header = set(wishes(meta)), set(_of_headers(header))
        if _contradict(in_meta, in_header) or _contradict(in_header, in_meta):
            yield url_id, "", {"meta": meta, "header": header}


def _contradict(one: set[str], other: set[str]) -> bool:
    return bool(_FORBIDS & one and _PERMITS & other and not _FORBIDS & other)


def _of_headers(value: str | None) -> list[str]:
    """The words of X-Robots-Tag for all robots; a JSON list where it was sent several times."""
    if not value:
        return []
    sent = msgspec.json.decode(value, type=list[str]) if value.startswith('["') else [value]
    return [word for text in sent for word in wishes_of_header(text, "*")]


_DIRECTIVES: Final = """
    SELECT id, meta_robots
    FROM good_pages
    WHERE meta_robots <> ''
    ORDER BY id
"""


def _unknown_directives(connection: Connection, _limits: Limits) -> Iterator[Found]:
    for url_id, directives in connection.execute(_DIRECTIVES):
        for word in wishes(directives):
            name = word.replace("=", ":").partition(":")[0].strip()
            if name not in _KNOWN:
                yield url_id, name, {"directives": directives}


def _past_dates(connection: Connection, _limits: Limits) -> Iterator[Found]:
    (started,) = connection.execute("SELECT max(started_at) FROM runs").fetchone()
    for url_id, directives in connection.execute(_DIRECTIVES):
        for word in wishes(directives):
            name, _, value = word.replace("=", ":", 1).partition(":")
            date = _date(value.strip()) if name.strip() == "unavailable_after" else None
            if date is not None and date < _utc(datetime.fromisoformat(started)):
                yield url_id, "", {"unavailable_after": value.strip()}


def _date(text: str) -> datetime | None:
    """A date as RFC 822 or RFC 850 or ISO 8601 write it."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return _utc(read(text.upper() if read is datetime.fromisoformat else text))
        except (ValueError, IndexError):
            continue
    return None


def _utc(date: datetime) -> datetime:
    return date if date.tzinfo else date.replace(tzinfo=UTC)


_BEFORE: Final = """
    WITH before AS (
        SELECT url_id, max(id) AS id
        FROM visits
        WHERE kind = 'page'
            AND run_id < (SELECT max(id) FROM runs)
            AND status IS NOT NULL
            AND not_modified = 0
        GROUP BY url_id
    )
    SELECT pages.id, facts.robots, json_extract(visits.headers, '$."x-robots-tag"'),
        pages.indexability_reason, pages.status, pages.meta_robots, pages.canonical
    FROM pages
    JOIN before ON before.url_id = pages.id
    JOIN visits ON visits.id = before.id
    LEFT JOIN renders ON renders.visit_id = visits.id
    JOIN facts ON facts.body_id = coalesce(renders.body_id, visits.body_id)
    WHERE pages.indexable = 0
        AND pages.indexability_reason NOT IN ('error', 'challenge')
        AND (pages.status < 500 AND pages.status <> 429)
        AND visits.status = 200
        AND visits.error IS NULL
        AND visits.challenge IS NULL
        AND coalesce(visits.canonical, pages.url) = pages.url
    ORDER BY pages.id
"""


def _became(connection: Connection, _limits: Limits) -> Iterator[Found]:
    """What failed for the moment is not told: nobody knows what stands there."""
    for url_id, meta, header, reason, status, directives, canonical in connection.execute(_BEFORE):
        if not _FORBIDS.intersection([*wishes(meta or ""), *_of_headers(header)]):
            yield url_id, "", {
                "reason": reason, "status": status, "meta_robots": directives,
                "canonical": canonical,
            }  # fmt: skip


_CONFLICTS: Final = """
    WITH blocked AS (
        SELECT urls.id, count(DISTINCT links.source_id) AS inlinks
        FROM urls
        CROSS JOIN links ON links.target_id = urls.id AND links.kind IN ('a', 'area')
        CROSS JOIN good_pages ON good_pages.id = links.source_id
        WHERE urls.state = 'skipped' AND urls.reason = 'robots' AND urls.kind = 'page'
        GROUP BY urls.id
    ),
    kept_out AS (
        SELECT id, indexability_reason AS signal, inlinks
        FROM pages
        WHERE indexability_reason IN ('noindex', 'canonical')
        UNION ALL
        SELECT urls.id, 'robots', coalesce(blocked.inlinks, 0)
        FROM urls
        LEFT JOIN blocked ON blocked.id = urls.id
        WHERE urls.state = 'skipped' AND urls.reason = 'robots' AND urls.kind = 'page'
    ),
    alternates AS MATERIALIZED (
        SELECT source_id, position, target_id
        FROM links
        WHERE kind = 'alternate'
    ),
    members AS MATERIALIZED (
        SELECT DISTINCT alternates.target_id
        FROM alternates
        JOIN good_pages ON good_pages.id = alternates.source_id
        JOIN link_facts ON link_facts.body_id = good_pages.body_id
            AND link_facts.position = alternates.position
        WHERE link_facts.hreflang <> ''
    ),
    wanted AS (
        SELECT kept_out.*,
            kept_out.id IN (SELECT url_id FROM sitemap_entries) AS in_sitemap,
            kept_out.id IN (SELECT target_id FROM members) AS hreflang_member
        FROM kept_out
    )
    SELECT id AS url_id, signal, in_sitemap, inlinks, hreflang_member
    FROM wanted
    WHERE in_sitemap OR inlinks >= :inlinks OR hreflang_member
"""

_URLS: Final = "SELECT id, url, origin_id FROM urls WHERE origin_id IS NOT NULL ORDER BY id"
_USERS: Final = """
    SELECT links.source_id, links.kind
    FROM links
    JOIN good_pages ON good_pages.id = links.source_id
    WHERE links.target_id = ? AND links.kind IN ('script', 'stylesheet', 'img', 'srcset')
    ORDER BY links.source_id, links.position
"""


def _blocked_assets(connection: Connection, _limits: Limits) -> Iterator[Found]:
    """By the rules that hold for this crawler, of the hosts whose robots.txt it has read."""
    rules = _rules(connection)
    urls = connection.execute(_URLS) if rules else ()
    for asset_id, url, origin_id in urls:
        if origin_id not in rules:
            continue
        verdict = rules[origin_id].verdict(url)
        if not verdict.allowed:
            for source_id, kind in connection.execute(_USERS, (asset_id,)):
                yield source_id, url, {"kind": kind, "rule": verdict.rule}


def _rules(connection: Connection) -> Mapping[int, robots.Rules]:
    """Of the origins whose robots.txt has any."""
    sql = "SELECT id, robots_rules FROM origins WHERE robots_rules IS NOT NULL"
    read = {
        origin_id: robots.compiled(robots.unpacked(rules))
        for origin_id, rules in connection.execute(sql)
    }
    return {origin_id: rules for origin_id, rules in read.items() if rules.count}


CHECKS: Final = (
    Check(
        name="noindex",
        severity="note",
        definition="a good page asks not to be indexed, by meta robots or X-Robots-Tag",
        sql=f"""
            SELECT pages.id AS url_id, pages.meta_robots, pages.inlinks,
                pages.id IN (SELECT url_id FROM sitemap_entries) AS in_sitemap
            FROM good_pages AS pages
            WHERE {_NOINDEX}
        """,
    ),
    Check(
        name="nofollow_page",
        severity="note",
        definition="a good page asks that none of its links be followed",
        sql=_asking(has("nofollow", "none")),
    ),
    Check(
        name="robots_none",
        severity="warning",
        definition='a good page says "none" to robots, which is noindex and nofollow',
        sql=_asking(has("none")),
    ),
    Check(
        name="noindex_mismatch",
        severity="error",
        definition="of meta robots and X-Robots-Tag one lets a page be indexed, the other does not",
        find=_mismatches,
        needs=("facts", "headers"),
    ),
    Check(
        name="directive_outside_head",
        severity="error",
        definition="meta robots stands behind the point where the head ended",
        sql="""
            SELECT good_pages.id AS url_id, facts.robots, facts.robots_outside,
                facts.head_ended_by
            FROM good_pages
            JOIN facts ON facts.body_id = good_pages.body_id
            WHERE facts.error IS NULL AND facts.robots_outside > 0
        """,
        needs=("facts",),
    ),
    Check(
        name="directive_unknown",
        severity="note",
        definition="a page asks robots for something that no search engine knows",
        find=_unknown_directives,
    ),
    Check(
        name="noindex_and_canonical",
        severity="warning",
        definition="a page asks not to be indexed and names another as its canonical",
        sql=f"""
            SELECT pages.id AS url_id, pages.meta_robots, pages.canonical
            FROM good_pages AS pages
            WHERE pages.canonical <> pages.url AND {_NOINDEX}
        """,
    ),
    Check(
        name="nosnippet",
        severity="note",
        definition="a page lets nothing of its text be shown (nosnippet, max-snippet:0)",
        sql=_asking(
            f"{has('nosnippet')} OR ',' || replace(replace(pages.meta_robots, ' ', ''), '=', ':')"
            " || ',' LIKE '%,max-snippet:0,%'"
        ),
    ),
    Check(
        name="noimageindex",
        severity="note",
        definition="a page lets none of its images be indexed",
        sql=_asking(has("noimageindex")),
    ),
    Check(
        name="unavailable_after_past",
        severity="warning",
        definition="the date is past after which a page is not to be shown any more",
        find=_past_dates,
    ),
    Check(
        name="indexability_conflict",
        severity="warning",
        definition="a page is kept from search engines (noindex, canonical, robots.txt) and yet"
        " recommended to them (sitemap, many inlinks, hreflang)",
        sql=_CONFLICTS,
        limits={"inlinks": 10},
    ),
    Check(
        name="became_nonindexable",
        severity="error",
        definition="a page that could be indexed when an earlier run saw it cannot any more",
        find=_became,
        needs=("earlier_run", "facts"),
    ),
    Check(
        name="section_noindex",
        severity="warning",
        definition="all good pages of a folder, and they are many, ask not to be indexed",
        sql=f"""
            WITH placed AS (
                SELECT pages.id,
                    rtrim(
                        substr(pages.url, 1, instr(pages.url || '?', '?') - 1),
                        replace(substr(pages.url, 1, instr(pages.url || '?', '?') - 1), '/', '')
                    ) AS folder,
                    coalesce({_NOINDEX}, 0) AS is_noindex
                FROM good_pages AS pages
            ),
            counted AS (
                SELECT id, folder, count(*) OVER of_folder AS pages,
                    min(is_noindex) OVER of_folder AS all_noindex
                FROM placed
                WINDOW of_folder AS (PARTITION BY folder)
            )
            SELECT id AS url_id, folder, pages
            FROM counted
            WHERE all_noindex AND pages >= :pages
        """,
        limits={"pages": 10},
    ),
    Check(
        name="robots_blocked_linked",
        severity="warning",
        definition="good pages link to what robots.txt forbids to fetch",
        sql="""
            SELECT urls.id AS url_id, count(DISTINCT links.source_id) AS inlinks,
                min(good_pages.url) AS found_on
            FROM urls
            CROSS JOIN links ON links.target_id = urls.id AND links.kind IN ('a', 'area')
            CROSS JOIN good_pages ON good_pages.id = links.source_id
            WHERE urls.state = 'skipped'
                AND urls.reason = 'robots'
                AND links.source_id <> urls.id
            GROUP BY urls.id
        """,
        needs=("robots",),
    ),
    Check(
        name="robots_blocks_assets",
        severity="error",
        definition="robots.txt forbids a script, style sheet or image of a good page",
        find=_blocked_assets,
        needs=("robots",),
    ),
)
