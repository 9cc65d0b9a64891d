"""Which canonicals are missing, unclear, or lead where a search engine cannot follow?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import groupby
from typing import Final
from urllib.parse import urlsplit

from crawler.analyse.check import Check, Found, Limits
from crawler.analyse.checks.sites import front_pages
from crawler.analyse.checks.tracking import is_tracked
from crawler.parse.elements import rel_kind
from crawler.parse.headers import declared
from crawler.policy.urls import resolve
from crawler.store.database import Connection

_NAMED: Final = """
    WITH named AS MATERIALIZED (
        SELECT source_id, count(*) AS canonicals, count(DISTINCT target_id) AS addresses,
            min(target_id) AS first_id, max(target_id) AS last_id
        FROM links
        WHERE kind = 'canonical'
        GROUP BY source_id
        HAVING count(*) > 1
    )
    SELECT good_pages.id AS url_id, good_pages.canonical, named.canonicals, named.addresses,
        CASE WHEN one.url <> good_pages.canonical THEN one.url ELSE other.url END AS other
    FROM named
    JOIN good_pages ON good_pages.id = named.source_id
    JOIN urls AS one ON one.id = named.first_id
    JOIN urls AS other ON other.id = named.last_id
    WHERE named.addresses"""
_HEADERS: Final = f"""
    WITH unclear AS MATERIALIZED ({_NAMED} > 1)
    SELECT unclear.url_id, unclear.canonical, unclear.canonicals, urls.url, visits.headers
    FROM unclear
    JOIN urls ON urls.id = unclear.url_id
    JOIN visits ON visits.id = (
        SELECT max(id)
        FROM visits
        WHERE url_id = unclear.url_id AND kind = 'page' AND headers IS NOT NULL
    )
    WHERE visits.headers LIKE '%canonical%'
    ORDER BY unclear.url_id
"""
_ELSEWHERE: Final = """
    SELECT id, url, canonical, canonical_id
    FROM good_pages
    WHERE canonical <> url
    ORDER BY id
"""
_SERIES: Final = """
    SELECT source_id, min(target_id)
    FROM links
    WHERE kind = 'prev'
    GROUP BY source_id
"""
_PAGE_NUMBER: Final = re.compile(
    r"(?:[?&;](?:page|paged|pg|p|seite|pagina)=|/(?:page|seite|pagina)[/-]?)(\d{1,6})(?=[/&;?]|$)",
    re.IGNORECASE,
)
_MOST_PAGES: Final = 1000
_FORMS: Final = """
    SELECT origins.host_id, good_pages.canonical
    FROM good_pages
    JOIN urls ON urls.id = good_pages.id
    JOIN origins ON origins.id = urls.origin_id
    WHERE good_pages.canonical IS NOT NULL
    ORDER BY origins.host_id, good_pages.canonical
"""


def _header_differs(connection: Connection, _limits: Limits) -> Iterator[Found]:
    """Pages whose Link header names another canonical than their markup."""
    for url_id, canonical, canonicals, url, headers in connection.execute(_HEADERS):
        named = _of_headers(headers, url)
        if named and len(named) < canonicals and any(one != canonical for one in named):
            yield url_id, "", {"canonical": canonical, "header": named}


def _of_headers(headers: str, url: str) -> list[str]:
    """The canonicals that headers name, resolved."""
    lines = json.loads(headers).get("link", ())
    pairs = tuple(("link", line) for line in ([lines] if isinstance(lines, str) else lines))
    return [
        resolve(href, url)[0].url
        for href, parameters in declared(pairs, "").links
        if rel_kind(parameters.get("rel", "").lower(), parameters.get("type", "")) == "canonical"
    ]


def _loops(connection: Connection, limits: Limits) -> Iterator[Found]:
    """Pages from whose canonical one comes back to them."""
    rows = connection.execute(_ELSEWHERE).fetchall()
    following = {url_id: canonical_id for url_id, _, _, canonical_id in rows}
    urls = {url_id: url for url_id, url, _, _ in rows}
    for url_id, _, canonical, at in rows:
        way = [canonical]
        while at is not None and at != url_id and len(way) <= limits["hops"]:
            at = following.get(at)
            way.append(urls.get(at, ""))
        if at == url_id:
            yield url_id, "", {"canonical": canonical, "way": way}


def _paginated(connection: Connection, _limits: Limits) -> Iterator[Found]:
    """Pages of a series that say that only its first page counts."""
    before = dict(connection.execute(_SERIES).fetchall())
    for url_id, url, canonical, canonical_id in connection.execute(_ELSEWHERE).fetchall():
        if _is_later(url, canonical) or _is_first(before, url_id, canonical_id):
            yield url_id, "", {"canonical": canonical}


def _is_later(url: str, canonical: str) -> bool:
    """Does the URL name a page past the first, and the canonical the first, or no page, of it?"""
    found = _PAGE_NUMBER.search(url)
    if found is None or int(found[1]) < 2:
        return False
    bare = url[: found.start()], url[found.end() :]
    first = url[: found.start(1)] + "1" + url[found.end(1) :]
    without = {"".join(bare), "/".join(bare), f"{bare[0]}?{bare[1][1:]}"}
    return canonical == first or canonical.rstrip("/?&") in {one.rstrip("/?&") for one in without}


def _is_first(before: dict[int, int], url_id: int, canonical_id: int | None) -> bool:
    """Does the way back by rel=prev end at the canonical?"""
    at: int | None = url_id
    for _ in range(_MOST_PAGES):
        at = before.get(at) if at is not None else None
        if at is None:
            return False
        if at == canonical_id:
            return at not in before
    return False


def _drift(connection: Connection, _limits: Limits) -> Iterator[Found]:
    """Hosts whose canonicals write the same thing in several ways; told of their front page."""
    fronts = front_pages(connection)
    rows = connection.execute(_FORMS).fetchall()
    for host_id, group in groupby(rows, key=lambda row: row[0]):
        mixed = _mixed(sorted({canonical for _, canonical in group}))
        if mixed:
            yield fronts[host_id], "", mixed


def _mixed(canonicals: list[str]) -> dict[str, list[str]]:
    """By what is mixed, two examples."""
    first: dict[tuple[str, ...], str] = {}
    mixed: dict[str, list[str]] = {}
    for url in canonicals:
        parts = urlsplit(url)
        host, address = parts.netloc.removeprefix("www."), parts.netloc + parts.path + parts.query
        forms = {
            "scheme": (host, parts.scheme),
            "www": (host, parts.netloc),
            "slash": (address.rstrip("/"), address),
            "case": (address.lower(), address),
        }
        for what, (same, form) in forms.items():
            other = first.setdefault((what, same), url)
            if other != url and _form_of(what, other) != form:
                mixed.setdefault(what, [other, url])
    return mixed


def _form_of(what: str, url: str) -> str:
    parts = urlsplit(url)
    whole = parts.netloc + parts.path + parts.query
    return {"scheme": parts.scheme, "www": parts.netloc}.get(what, whole)


def _fact(condition: str, *evidence: str) -> str:
    columns = "".join(f", facts.{name}" for name in evidence)
    return f"""
        SELECT good_pages.id AS url_id, good_pages.canonical{columns}
        FROM good_pages
        JOIN facts ON facts.body_id = good_pages.body_id
        WHERE facts.error IS NULL AND facts.canonicals > 0 AND {condition}
    """


def _target(condition: str, *evidence: str, also: str = "") -> str:
    columns = "".join(f", {name}" for name in evidence)
    return f"""
        SELECT good_pages.id AS url_id, good_pages.canonical{columns}
        FROM good_pages
        JOIN urls AS target ON target.id = good_pages.canonical_id{also}
        WHERE good_pages.canonical <> good_pages.url AND {condition}
    """


_ITS_PAGE: Final = """
        JOIN pages AS named ON named.id = target.id"""
_HOSTS: Final = """
        JOIN hosts AS here ON here.id = good_pages.host_id
        JOIN hosts AS there ON there.id = target.host_id"""
_HREF: Final = "trim(facts.canonical_href, char(9, 10, 12, 13, 32))"
_HAS_SCHEME: Final = f"(lower({_HREF}) LIKE 'http:%' OR lower({_HREF}) LIKE 'https:%')"
_PATH: Final = "substr(good_pages.url, instr(good_pages.url, '://') + 3)"

CHECKS: Final = (
    Check(
        name="canonical_missing",
        severity="note",
        definition="neither the markup nor a header of an indexable page names its canonical",
        sql="""
            SELECT indexable_pages.id AS url_id, indexable_pages.title
            FROM indexable_pages
            LEFT JOIN facts ON facts.body_id = indexable_pages.body_id
            WHERE indexable_pages.canonical IS NULL AND coalesce(facts.canonicals, 0) = 0
        """,
    ),
    Check(
        name="canonical_multiple",
        severity="note",
        definition="a page names its canonical more than once, always the same",
        sql=f"{_NAMED} = 1",
    ),
    Check(
        name="canonical_conflicting",
        severity="error",
        definition="a page names different canonicals, in its markup or its headers",
        sql=f"{_NAMED} > 1",
    ),
    Check(
        name="canonical_header_differs",
        severity="error",
        definition="the Link header of a page names another canonical than its markup",
        find=_header_differs,
        needs=("headers",),
    ),
    Check(
        name="canonical_outside_head",
        severity="error",
        definition="a canonical stands behind the point where the head ended",
        sql=_fact("facts.canonicals_outside > 0", "canonical_href", "head_ended_by"),
        needs=("facts",),
    ),
    Check(
        name="canonical_relative",
        severity="note",
        definition="a canonical is written without a scheme",
        sql=_fact(
            f"{_HREF} <> '' AND good_pages.canonical IS NOT NULL AND NOT {_HAS_SCHEME}",
            "canonical_href",
        ),
        needs=("facts",),
    ),
    Check(
        name="canonical_fragment",
        severity="warning",
        definition="a canonical has a fragment",
        sql=_fact("instr(facts.canonical_href, '#') > 0", "canonical_href"),
        needs=("facts",),
    ),
    Check(
        name="canonical_invalid",
        severity="error",
        definition="a canonical is empty, or no address of a page",
        sql=_fact(f"({_HREF} = '' OR good_pages.canonical IS NULL)", "canonical_href"),
        needs=("facts",),
    ),
    Check(
        name="canonical_bad_attribute",
        severity="warning",
        definition="a canonical has hreflang, lang, media or type, so that it may be ignored",
        sql=_fact("facts.canonical_attributes IS NOT NULL", "canonical_attributes"),
        needs=("facts",),
    ),
    Check(
        name="canonical_elsewhere",
        severity="note",
        definition="a page names another URL as its canonical",
        sql="""
            SELECT id AS url_id, canonical
            FROM good_pages
            WHERE canonical <> url
        """,
    ),
    Check(
        name="canonical_to_error",
        severity="error",
        definition="a canonical leads to an error",
        sql=_target(
            "((target.status >= 400 AND target.status <> 429) OR target.state = 'failed')",
            *("target.status", "target.reason"),
        ),
    ),
    Check(
        name="canonical_to_redirect",
        severity="warning",
        definition="a canonical leads to a redirect",
        sql=_target("target.status BETWEEN 300 AND 399", "target.status"),
    ),
    Check(
        name="canonical_to_noindex",
        severity="error",
        definition="a canonical leads to a page that asks not to be indexed",
        sql=_target("named.indexability_reason = 'noindex'", "named.meta_robots", also=_ITS_PAGE),
    ),
    Check(
        name="canonical_to_blocked",
        severity="error",
        definition="a canonical leads to a page that robots.txt forbids",
        sql=_target("target.reason = 'robots'"),
    ),
    Check(
        name="canonical_chain",
        severity="warning",
        definition="the page that a canonical names has another canonical itself",
        sql=_target(
            "named.status = 200 AND named.error IS NULL AND named.canonical <> named.url",
            "named.canonical AS canonical_of_that",
            also=_ITS_PAGE,
        ),
    ),
    Check(
        name="canonical_loop",
        severity="error",
        definition="canonicals lead back to the page that one came from",
        find=_loops,
        limits={"hops": 10},
    ),
    Check(
        name="canonical_to_http",
        severity="error",
        definition="a page of https names a canonical of http",
        sql="""
            SELECT id AS url_id, canonical
            FROM good_pages
            WHERE url LIKE 'https:%' AND canonical LIKE 'http:%'
        """,
    ),
    Check(
        name="canonical_from_http",
        severity="note",
        definition="a page of http names a canonical of https, and does not redirect there",
        sql="""
            SELECT id AS url_id, canonical
            FROM good_pages
            WHERE url LIKE 'http:%' AND canonical LIKE 'https:%'
        """,
    ),
    Check(
        name="canonical_to_home",
        severity="warning",
        definition="a page that is not the home page names it as its canonical",
        sql=f"""
            WITH homes AS MATERIALIZED (
                SELECT id, url, canonical, {_PATH} AS rest
                FROM good_pages
                WHERE canonical <> url AND canonical LIKE '%/'
            )
            SELECT id AS url_id, canonical
            FROM homes
            WHERE substr(canonical, instr(canonical, '://') + 3)
                    = substr(rest, 1, instr(rest, '/'))
                AND substr(rest, instr(rest, '/')) NOT LIKE '/?%'
                AND substr(rest, instr(rest, '/')) NOT LIKE '/index.%'
                AND substr(rest, instr(rest, '/')) NOT LIKE '/default.%'
                AND rest LIKE '%/_%'
        """,
    ),
    Check(
        name="canonical_other_domain",
        severity="note",
        definition="a canonical leads to another domain",
        sql=_target(
            "here.registered_domain <> there.registered_domain",
            "there.registered_domain AS domain",
            also=_HOSTS,
        ),
    ),
    Check(
        name="canonical_unlinked",
        severity="note",
        definition="no page links to the page that a canonical names",
        sql=_target("named.inlinks = 0", also=_ITS_PAGE),
    ),
    Check(
        name="canonical_of_tracking_url",
        severity="warning",
        definition="an address with a parameter of a campaign is its own canonical",
        sql=f"""
            SELECT id AS url_id, canonical
            FROM indexable_pages
            WHERE {is_tracked("url")}
        """,
    ),
    Check(
        name="canonical_form_drift",
        severity="note",
        definition="canonicals of a host differ in scheme, www, slash or case alone",
        find=_drift,
    ),
    Check(
        name="paginated_to_first",
        severity="warning",
        definition="a page of a series names the first page as its canonical",
        find=_paginated,
    ),
)
