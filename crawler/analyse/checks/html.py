"""Which HTML do readers trip over: browsers, search engines, and people who do not see the page?

What makes a page be read wrongly counts on every good page; what makes it hard to use counts where
a search engine may send people, on indexable ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from crawler.analyse.check import Check, Found, Limits
from crawler.parse.labels import named
from crawler.store.database import Connection

_SENT_AS: Final = """
    WITH sent AS (
        SELECT good_pages.id, good_pages.body_id, good_pages.content_type, facts.charset AS meta,
            CASE json_type(visits.headers, '$."content-type"')
                WHEN 'array' THEN json_extract(visits.headers, '$."content-type"[#-1]')
                ELSE json_extract(visits.headers, '$."content-type"')
            END AS header,
            facts.byte_order_mark
        FROM good_pages
        JOIN facts ON facts.body_id = good_pages.body_id AND facts.error IS NULL
        JOIN visits ON visits.id = (
            SELECT max(id)
            FROM visits
            WHERE url_id = good_pages.id AND kind = 'page' AND headers IS NOT NULL
        )
    )
"""
_SILENT: Final = f"""{_SENT_AS}
    SELECT sent.id AS url_id, sent.header AS content_type
    FROM sent
    WHERE sent.meta IS NULL
        AND sent.content_type = 'text/html'
        AND coalesce(sent.header, '') NOT LIKE '%charset=%'
        AND sent.byte_order_mark = 0
"""
_TWICE_SAID: Final = f"""{_SENT_AS}
    SELECT id, header, meta
    FROM sent
    WHERE meta IS NOT NULL AND header LIKE '%charset=%'
    ORDER BY id
"""
_IN_HEADER: Final = re.compile(r";\s*charset\s*=\s*[\"']?([^\s\"';]+)", re.IGNORECASE)


def _charset_conflict(connection: Connection, _limits: Limits) -> Iterator[Found]:
    for url_id, header, meta in connection.execute(_TWICE_SAID):
        said = _IN_HEADER.search(header)
        if said is not None and _encoding(said[1]) != _encoding(meta, in_page=True):
            yield url_id, "", {"header": said[1], "meta": meta}


def _encoding(label: str, *, in_page: bool = False) -> str:
    """The encoding that a label means; a page that can be read far enough to say UTF-16 is none
    (https://html.spec.whatwg.org/#prescan-a-byte-stream-to-determine-its-encoding)."""
    encoding = named(label) or label.lower()
    return "utf-8" if in_page and encoding.startswith("utf-16") else encoding


_VIEWPORTS: Final = """
    SELECT indexable_pages.id, facts.viewport
    FROM indexable_pages
    JOIN facts ON facts.body_id = indexable_pages.body_id AND facts.error IS NULL
    ORDER BY indexable_pages.id
"""
_SETTINGS: Final = re.compile(r"([a-z-]+)\s*=\s*([^\s,;]+)")
_FAST: Final = "width=device-width, initial-scale=1"


def _viewport_missing(connection: Connection, limits: Limits) -> Iterator[Found]:
    for url_id, viewport in connection.execute(_VIEWPORTS):
        wrong = None if viewport == _FAST else _wrong_viewport(viewport, limits["maximum_scale"])
        if wrong:
            yield url_id, "", {"viewport": viewport, "wrong": wrong}


def _wrong_viewport(viewport: str | None, least_scale: float) -> str | None:
    """What is wrong with it: missing, width, or zoom where people cannot enlarge the page."""
    if not viewport:
        return "missing"
    said = dict(_SETTINGS.findall(viewport.lower()))
    if said.get("width") != "device-width":
        return "width"
    barred = said.get("user-scalable") in ("no", "0", "false")
    scale = re.match(r"\d*\.?\d+", said.get("maximum-scale", ""))
    return "zoom" if barred or (scale and float(scale[0]) < least_scale) else None


_BASES: Final = """
    SELECT good_pages.id, good_pages.url, facts.base_href
    FROM facts
    JOIN good_pages ON good_pages.body_id = facts.body_id
    WHERE facts.base_href LIKE '%//%'
    ORDER BY good_pages.id
"""


def _base_elsewhere(connection: Connection, _limits: Limits) -> Iterator[Found]:
    for url_id, url, base in connection.execute(_BASES):
        try:
            host = urlsplit(base.strip()).hostname
        except ValueError:
            continue
        if host and host != urlsplit(url).hostname:
            yield url_id, "", {"base": base}


def _of_facts(columns: str, condition: str, pages: str = "indexable_pages") -> str:
    return f"""
        SELECT {pages}.id AS url_id, {columns}
        FROM {pages}
        JOIN facts ON facts.body_id = {pages}.body_id
        WHERE facts.error IS NULL AND {condition}
    """


_READ: Final = (
    Check(
        name="doctype_missing",
        severity="note",
        definition="no doctype of HTML stands first, so that browsers show the page as if it were"
        " of the nineties",
        sql=_of_facts("facts.doctype", "facts.doctype = 0", "good_pages")
        + " AND good_pages.content_type = 'text/html'",
        needs=("facts",),
    ),
    Check(
        name="charset_undeclared",
        severity="warning",
        definition="neither the header, nor a byte order mark, nor a meta in the first 1,024 bytes"
        " says how the page is encoded",
        sql=_SILENT,
        needs=("facts",),
    ),
    Check(
        name="charset_conflict",
        severity="warning",
        definition="the header says another encoding than the page itself",
        find=_charset_conflict,
        needs=("facts",),
    ),
    Check(
        name="head_ended_early",
        severity="error",
        definition="something that may not stand in a head ended it before the title, canonical,"
        " robots or hreflang, which are ignored there",
        sql="""
            WITH alternates AS MATERIALIZED (
                SELECT body_id, count(*) AS hreflangs
                FROM link_facts
                WHERE hreflang IS NOT NULL AND ' ' || flags || ' ' LIKE '% outside_head %'
                GROUP BY body_id
            )
            SELECT good_pages.id AS url_id, facts.head_ended_by,
                facts.titles_outside AS titles, facts.canonicals_outside AS canonicals,
                facts.robots_outside AS robots, coalesce(alternates.hreflangs, 0) AS hreflangs
            FROM good_pages
            JOIN facts ON facts.body_id = good_pages.body_id
            LEFT JOIN alternates ON alternates.body_id = facts.body_id
            WHERE facts.head_ended_by NOT IN ('body', 'frameset')
                AND facts.titles_outside + facts.canonicals_outside + facts.robots_outside
                    + coalesce(alternates.hreflangs, 0) > 0
        """,
        needs=("facts",),
    ),
    Check(
        name="head_or_body_wrong",
        severity="warning",
        definition="the source has no head or body of its own, or several, or text before all of"
        " it",
        sql=_of_facts(
            "facts.heads, facts.bodies, facts.text_first",
            "(facts.heads <> 1 OR facts.bodies <> 1 OR facts.text_first)",
            "good_pages",
        )
        + " AND (facts.bodies <> 0 OR coalesce(facts.frames, 0) = 0)",
        needs=("facts",),
    ),
    Check(
        name="meta_in_body",
        severity="note",
        definition="a meta or link that belongs in the head stands behind it",
        sql=_of_facts("facts.metas_outside AS elements", "facts.metas_outside > 0", "good_pages"),
        needs=("facts",),
    ),
)
_USED: Final = (
    Check(
        name="ids_duplicate",
        severity="note",
        definition="an id stands on more than one element",
        sql=_of_facts("facts.ids_duplicate AS ids", "facts.ids_duplicate <> ''"),
        needs=("facts",),
    ),
    Check(
        name="viewport_missing",
        severity="warning",
        definition="there is no viewport, it is not as wide as the device, or it keeps people from"
        " enlarging the page",
        find=_viewport_missing,
        limits={"maximum_scale": 2},
        needs=("facts",),
    ),
    Check(
        name="dom_too_large",
        severity="note",
        definition="a page has very many elements, or very many within each other; severe where"
        " they are deeper still",
        sql=_of_facts(
            "facts.nodes, facts.depth, facts.depth > :severe_depth AS severe",
            "(facts.nodes > :nodes OR facts.depth > :depth)",
        ),
        limits={"nodes": 1500, "depth": 30, "severe_depth": 50},
        needs=("facts",),
    ),
    Check(
        name="frames_or_plugins",
        severity="note",
        definition="a page holds a frame, object, embed or applet",
        sql=_of_facts("facts.frames AS elements", "facts.frames > 0"),
        needs=("facts",),
    ),
    Check(
        name="base_elsewhere",
        severity="warning",
        definition="the page's base is on another host, so that all that it names is looked for"
        " there",
        find=_base_elsewhere,
        needs=("facts",),
    ),
    Check(
        name="names_missing",
        severity="note",
        definition="a link, button, field or frame has neither a name nor a label, so that nobody"
        " hears what it is",
        sql=_of_facts("facts.names_missing AS elements", "facts.names_missing > 0"),
        needs=("facts",),
    ),
    Check(
        name="main_landmark_missing",
        severity="note",
        definition="nothing says which part of the page is the main one",
        sql=_of_facts("facts.mains", "facts.mains = 0"),
        needs=("facts",),
    ),
    Check(
        name="refresh_timed",
        severity="note",
        definition="a page loads itself again after a time",
        sql="""
            WITH moved AS MATERIALIZED (
                SELECT source_id, min(target_id) AS target_id
                FROM links
                WHERE kind = 'refresh'
                GROUP BY source_id
            )
            SELECT indexable_pages.id AS url_id, facts.refresh
            FROM indexable_pages
            JOIN facts ON facts.body_id = indexable_pages.body_id
            LEFT JOIN moved ON moved.source_id = indexable_pages.id
            WHERE CAST(facts.refresh AS REAL) >= :seconds
                AND coalesce(moved.target_id, indexable_pages.id) = indexable_pages.id
        """,
        limits={"seconds": 1},
        needs=("facts",),
    ),
)

CHECKS: Final = (*_READ, *_USED)
