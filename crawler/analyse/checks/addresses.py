"""Which addresses are written badly, and which stand for what another stands for already?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from typing import Final

from crawler.analyse.check import Check, Finder, Found, Limits
from crawler.analyse.checks.sites import IS_HOME
from crawler.analyse.checks.tracking import is_tracked
from crawler.store.database import Connection

_PARTS: Final = """
    WITH named AS (
        SELECT id, url, substr(url, instr(url, '://') + 3) AS rest
        FROM good_pages
    ),
    parts AS (
        SELECT id, url,
            substr(rest, instr(rest, '/'), instr(rest || '?', '?') - instr(rest, '/')) AS path,
            substr(rest, instr(rest || '?', '?') + 1) AS query
        FROM named
    )
"""
"""Path and query of every good page; the query is empty where there is none."""

_GOOD: Final = "SELECT id, url FROM good_pages WHERE url LIKE '%?%' ORDER BY id"
_DIGITS: Final = re.compile(r"[0-9]+")
_INDEX: Final = re.compile(r"/index\.[a-z0-9]+$", re.IGNORECASE)
_SESSION: Final = re.compile(
    r"(?:^|[?&;])((?:phpsessid|jsessionid|sessionid|sid)=[^&;/?]*[^0-9&;/?][^&;/?]*)",
    re.IGNORECASE,
)
"""Identifiers of sessions; of a mere number nobody knows whether it is not a story's."""
Part = tuple[str, str, str]
"""Scheme, host and port; path; query."""


def _split(url: str) -> Part:
    address, _, query = url.partition("?")
    slash = address.find("/", address.find("://") + 3)
    return address[:slash], address[slash:], query


def _wherever(condition: str, *evidence: str) -> str:
    columns = "".join(f", {name}" for name in evidence)
    return f"""{_PARTS}
        SELECT id AS url_id{columns}
        FROM parts
        WHERE {condition}
    """


def _repeated_segments(connection: Connection, limits: Limits) -> Iterator[Found]:
    """Of a series of such addresses the crawl fetches none: they are there as skipped."""
    sql = """
        SELECT urls.id, urls.url
        FROM urls
        LEFT JOIN good_pages ON good_pages.id = urls.id
        WHERE good_pages.id IS NOT NULL OR (urls.state = 'skipped' AND urls.reason = 'trap')
        ORDER BY urls.id
    """
    for url_id, url in connection.execute(sql):
        segments = Counter(filter(None, _split(url)[1].split("/")))
        segment, times = max(segments.items(), key=lambda item: item[1], default=("", 0))
        if times >= limits["times"]:
            yield url_id, "", {"segment": segment, "times": times}


def _keys(query: str) -> list[tuple[str, str, str]]:
    """Key, whether there is a ``=``, and value of each parameter."""
    return [part.partition("=") for part in query.split("&") if part]


def _empty_parameters(connection: Connection, _limits: Limits) -> Iterator[Found]:
    for url_id, url in connection.execute(_GOOD):
        empty = [key for key, equals, value in _keys(_split(url)[2]) if equals and not value]
        if empty:
            yield url_id, "", {"parameters": " ".join(empty)}


def _duplicate_parameters(connection: Connection, _limits: Limits) -> Iterator[Found]:
    for url_id, url in connection.execute(_GOOD):
        counted = Counter(key for key, _, _ in _keys(_split(url)[2]))
        twice = [key for key, count in counted.items() if count > 1 and not _is_list(key)]
        if twice:
            yield url_id, "", {"parameters": " ".join(twice)}


def _is_list(key: str) -> bool:
    """Does a key say that it comes several times? So write PHP and its kin."""
    return key.lower().endswith(("[]", "%5b%5d"))


_SESSION_LINKS: Final = """
    SELECT pages.id, count(*), min(link_facts.href), min(target.url)
    FROM link_facts
    JOIN good_pages AS pages ON pages.body_id = link_facts.body_id
    JOIN links ON links.source_id = pages.id AND links.position = link_facts.position
    JOIN urls AS target ON target.id = links.target_id
    WHERE ' ' || link_facts.flags || ' ' LIKE '% session %' AND target.kind = 'page'
    GROUP BY pages.id
    ORDER BY pages.id
"""


def _session_ids(connection: Connection, _limits: Limits) -> Iterator[Found]:
    """In links, where the crawl takes out what it knows for one, and in addresses of pages."""
    in_links = {url_id: told for url_id, *told in connection.execute(_SESSION_LINKS)}
    for url_id, url in connection.execute("SELECT id, url FROM good_pages ORDER BY id"):
        links, href, target = in_links.get(url_id, (0, None, None))
        found = _SESSION.search(url)
        if links or found:
            yield url_id, "", {
                "parameter": found and found[1], "links": links, "href": href, "leads_to": target
            }  # fmt: skip


def _variants(key: Callable[[str], Hashable], *, same_text: bool = False) -> Finder:
    """Indexable pages whose addresses have the same key; each with the first of the others."""
    sql = "SELECT id, url, text_hash FROM indexable_pages ORDER BY id"

    def find(connection: Connection, _limits: Limits) -> Iterator[Found]:
        seen: set[int] = set()
        twice: set[int] = set()
        for _, url, _ in connection.execute(sql):  # a hash each, or a million URLs fill memory
            number = hash(key(url))
            (twice if number in seen else seen).add(number)
        groups: dict[Hashable, list[tuple[int, str]]] = {}
        for url_id, url, text_hash in connection.execute(sql):
            known = key(url)
            if hash(known) in twice:
                group = (known, text_hash if same_text else None)
                groups.setdefault(group, []).append((url_id, url))
        for members in groups.values():
            for url_id, url in members if len(members) > 1 else ():
                other = next(there for _, there in members if there != url)
                yield url_id, "", {"variant": other, "variants": len(members)}

    return find


def _in_order(url: str) -> Hashable:
    address, _, query = url.partition("?")
    return address, tuple(sorted(query.split("&")))


def _without_slash(url: str) -> Hashable:
    host, path, query = _split(url)
    return host, path.removesuffix("/"), query


def _without_index(url: str) -> Hashable:
    host, path, query = _split(url)
    return host, _INDEX.sub("/", path), query


def _explosions(connection: Connection, limits: Limits) -> Iterator[Found]:
    """Each template of addresses at its first page."""
    sql = "SELECT id, url, text_hash FROM good_pages WHERE url LIKE '%?%' ORDER BY id"
    texts: dict[str, set[int]] = {}
    urls: Counter[str] = Counter()
    first: dict[str, int] = {}
    for url_id, url, text_hash in connection.execute(sql):
        host, path, query = _split(url)
        keys = "&".join(sorted({key for key, _, _ in _keys(query)}))
        template = f"{host}{_DIGITS.sub('*', path)}?{keys}"
        first.setdefault(template, url_id)
        urls[template] += 1
        texts.setdefault(template, set()).add(text_hash)
    for template, count in urls.items():
        different = len(texts[template])
        if count >= limits["urls"] and different <= limits["share"] * count:
            yield first[template], template, {"urls": count, "different_texts": different}


_HOMES: Final = f"""
    WITH homes AS (
        SELECT id, url,
            CASE
                WHEN url LIKE '%://www.%' THEN substr(url, instr(url, '://www.') + 7)
                ELSE substr(url, instr(url, '://') + 3)
            END AS name
        FROM good_pages
        WHERE {IS_HOME}
    )
    SELECT one.id AS url_id, min(other.url) AS other
    FROM homes AS one
    JOIN homes AS other ON other.name = one.name AND other.id <> one.id
    GROUP BY one.id
"""

_WRITING: Final = (
    Check(
        name="url_non_ascii",
        severity="note",
        definition="a path has characters that are not ASCII",
        sql=_wherever("path GLOB '*%[89A-Fa-f][0-9A-Fa-f]*'", "path"),
    ),
    Check(
        name="url_uppercase",
        severity="note",
        definition="a path has capital letters, besides those of percent signs",
        sql=_wherever("'//' || path GLOB '*[^%][^%][A-Z]*'", "path"),
    ),
    Check(
        name="url_underscores",
        severity="note",
        definition="a path has underscores",
        sql=_wherever("instr(path, '_') > 0", "path"),
    ),
    Check(
        name="url_spaces",
        severity="warning",
        definition="a path has spaces, as %20 or +",
        sql=_wherever("instr(path, '%20') > 0 OR instr(path, '+') > 0", "path"),
    ),
    Check(
        name="url_double_slashes",
        severity="warning",
        definition="a path has two slashes in a row",
        sql=_wherever("instr(path, '//') > 0", "path"),
    ),
    Check(
        name="url_repeated_segments",
        severity="warning",
        definition="a segment of a path stands in it several times",
        find=_repeated_segments,
        limits={"times": 3},
    ),
    Check(
        name="url_parameters",
        severity="note",
        definition="an address has more parameters than the limit allows",
        sql=_wherever(
            "query <> '' AND 1 + length(query) - length(replace(query, '&', '')) > :parameters",
            "1 + length(query) - length(replace(query, '&', '')) AS parameters",
        ),
        limits={"parameters": 0},
    ),
    Check(
        name="url_tracking_parameters",
        severity="note",
        definition="pages link to an address with parameters of campaigns (utm_*, gclid ...)",
        sql=f"""
            SELECT pages.id AS url_id, substr(pages.url, instr(pages.url, '?') + 1) AS query,
                pages.inlinks, found_on.url AS found_on
            FROM pages
            JOIN urls ON urls.id = pages.id
            LEFT JOIN urls AS found_on ON found_on.id = urls.found_on_id
            WHERE pages.inlinks > 0 AND {is_tracked("pages.url")}
        """,
    ),
    Check(
        name="url_session_ids",
        severity="warning",
        definition="a link or an address has the identifier of a session",
        find=_session_ids,
    ),
    Check(
        name="url_internal_search",
        severity="note",
        definition="what looks like a result of the site's own search is indexable",
        sql=_wherever(
            """id IN (SELECT id FROM indexable_pages)
            AND (
                lower(path) || '/' LIKE '%/search/%'
                OR lower(path) GLOB '*/search.*'
                OR '&' || lower(query) GLOB '*&q=*'
                OR '&' || lower(query) GLOB '*&s=*'
                OR '&' || lower(query) GLOB '*&query=*'
                OR '&' || lower(query) GLOB '*&search=*'
            )"""
        ),
    ),
    Check(
        name="url_too_long",
        severity="note",
        definition="an address has many characters",
        sql=_wherever("length(url) > :characters", "length(url) AS characters"),
        limits={"characters": 115},
    ),
    Check(
        name="url_empty_parameters",
        severity="note",
        definition="an address has parameters without a value",
        find=_empty_parameters,
    ),
    Check(
        name="url_duplicate_parameters",
        severity="note",
        definition="an address has a parameter twice",
        find=_duplicate_parameters,
    ),
)
_VARIANTS: Final = (
    Check(
        name="variants_parameter_order",
        severity="warning",
        definition="indexable pages of one text differ in the order of their parameters only",
        find=_variants(_in_order, same_text=True),
    ),
    Check(
        name="variants_trailing_slash",
        severity="warning",
        definition="indexable pages differ in the slash at the end of their path only",
        find=_variants(_without_slash),
    ),
    Check(
        name="variants_case",
        severity="warning",
        definition="the addresses of indexable pages differ in capital letters only",
        find=_variants(str.lower),
    ),
    Check(
        name="variants_index_file",
        severity="warning",
        definition="a folder and its index file are both indexable pages",
        find=_variants(_without_index),
    ),
    Check(
        name="variants_www_or_scheme",
        severity="error",
        definition="a front page was fetched with and without www, or over http and https, and"
        " none of the two redirects",
        sql=_HOMES,
    ),
    Check(
        name="parameter_explosion",
        severity="warning",
        definition="one path with the same parameters has very many addresses and hardly any"
        " different texts",
        find=_explosions,
        limits={"urls": 1000, "share": 0.05},
    ),
    Check(
        name="broken_fragments",
        severity="note",
        definition="a link leads to a place (#) that its good target does not have",
        sql="""
            SELECT missing_fragments.source_id AS url_id,
                target.url || '#' || missing_fragments.fragment AS item, links.anchor,
                links.region, missing_fragments.position
            FROM missing_fragments
            JOIN good_pages ON good_pages.id = missing_fragments.source_id
            JOIN links ON links.source_id = missing_fragments.source_id
                AND links.position = missing_fragments.position
            JOIN urls AS target ON target.id = missing_fragments.target_id
        """,
        needs=("facts",),
    ),
)

CHECKS: Final = (*_WRITING, *_VARIANTS)
