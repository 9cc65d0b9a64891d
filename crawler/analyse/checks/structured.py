"""Which pages tell machines nothing, or what machines cannot use?"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from crawler.analyse.check import Check, Found, Limits
from crawler.analyse.checks.schema_org import (
    VERSION,
    Unknown,
    plain,
    read_context,
    unknown_names,
    vocabulary,
)
from crawler.store.database import Connection

REQUIRED: Final = {
    "AggregateOffer": (("lowPrice",), ("priceCurrency",)),
    "AggregateRating": (("ratingValue",), ("ratingCount", "reviewCount")),
    "BreadcrumbList": (("itemListElement",),),
    "Course": (("name",), ("description",)),
    "Event": (("name",), ("startDate",), ("location",)),
    "JobPosting": (
        *(("title",), ("description",), ("datePosted",), ("hiringOrganization",)),
        ("jobLocation", "applicantLocationRequirements"),
    ),
    "ListItem": (("position",),),
    "LocalBusiness": (("name",), ("address",)),
    "Offer": (("price", "priceSpecification"),),
    "Product": (("name",), ("offers", "review", "aggregateRating")),
    "QAPage": (("mainEntity",),),
    "Rating": (("ratingValue",),),
    "Recipe": (("name",), ("image",)),
    "Review": (("author",), ("reviewRating",)),
    "SoftwareApplication": (("name",), ("offers",), ("aggregateRating", "review")),
    "VideoObject": (("name",), ("thumbnailUrl",), ("uploadDate",)),
}
"""Properties without which Google shows no rich result, by type; one of each group is enough.

https://developers.google.com/search/docs/appearance/structured-data/search-gallery, as of 2026.
"""
RETIRED: Final = {
    "ClaimReview": "since June 2025",
    "FAQPage": "since May 2026",
    "HowTo": "since September 2023",
    "SpecialAnnouncement": "since June 2025",
}
"""Types for which Google has no rich result any more."""
_SHOWN: Final = ("ratingValue", "price", "lowPrice", "highPrice")
_MOST: Final = 10_000
"""Objects that are looked at in one item."""

_ITEMS: Final = """
    SELECT indexable_pages.id, structured_data.position, structured_data.data
    FROM indexable_pages
    JOIN structured_data ON structured_data.body_id = indexable_pages.body_id
    WHERE structured_data.syntax = 'json-ld' AND structured_data.data IS NOT NULL
    ORDER BY indexable_pages.id, structured_data.position
"""
_TEXTS: Final = """
    SELECT indexable_pages.id, indexable_pages.title || ' ' || texts.text
    FROM indexable_pages
    JOIN texts ON texts.body_id = indexable_pages.body_id
    WHERE indexable_pages.body_id IN (
        SELECT body_id
        FROM structured_data
        WHERE data LIKE '%"ratingValue"%' OR data LIKE '%rice"%'
    )
    ORDER BY indexable_pages.id
"""
_TYPES: Final = """
    SELECT DISTINCT indexable_pages.host_id, indexable_pages.id, indexable_pages.url,
        structured_data.type
    FROM indexable_pages
    JOIN facts ON facts.body_id = indexable_pages.body_id AND facts.error IS NULL
    LEFT JOIN structured_data ON structured_data.body_id = indexable_pages.body_id
    ORDER BY indexable_pages.id, structured_data.type
"""


def _objects(item: Any) -> Iterator[dict[str, Any]]:
    """Every object of an item, itself first."""
    waiting = [item]
    for _ in range(_MOST):
        if not waiting:
            return
        one = waiting.pop(0)
        if isinstance(one, dict):
            yield one
            waiting.extend(one.values())
        elif isinstance(one, list):
            waiting.extend(one)


def types_of(thing: dict[str, Any]) -> list[str]:
    """Its types without the vocabulary's address."""
    kinds = thing.get("@type")
    names = kinds if isinstance(kinds, list) else [kinds]
    return [re.split("[/#:]", name)[-1] for name in names if isinstance(name, str)]


def _is_empty(value: Any) -> bool:
    return value is None or value in ("", [], {})


def _missing(thing: dict[str, Any], kind: str) -> list[str]:
    return [
        " or ".join(group)
        for group in REQUIRED.get(kind, ())
        if all(_is_empty(thing.get(name)) for name in group)
    ]


def _unknown(connection: Connection, _limits: Limits) -> Iterator[Found]:
    sql = """
        SELECT indexable_pages.id, structured_data.type, structured_data.context,
            structured_data.data
        FROM indexable_pages
        JOIN structured_data ON structured_data.body_id = indexable_pages.body_id
        WHERE structured_data.error IS NULL
        ORDER BY indexable_pages.id, structured_data.position
    """
    for url_id, kinds, context, data in connection.execute(sql):
        if data is not None:
            strangers = list(unknown_names(json.loads(data), read_context(context)))
        else:
            strangers = _unknown_types((kinds or "").split())
        for one in strangers:
            evidence = {"did_you_mean": one.meant(), "vocabulary": VERSION}
            if one.of is not None:
                evidence |= {"of_type": one.of}
            yield url_id, f"{one.kind} {one.name[:200]}", {one.kind: one.name[:200]} | evidence


def _unknown_types(kinds: list[str]) -> list[Unknown]:
    """Of microdata and RDFa, whose types are told: those that schema.org is said to have."""
    told = [(kind, plain(kind)) for kind in kinds]
    own = [name for kind, name in told if name is not None and name != kind]
    return [Unknown(name, None) for name in own if name not in vocabulary().types]


def _required(connection: Connection, _limits: Limits) -> Iterator[Found]:
    for url_id, position, data in connection.execute(_ITEMS):
        for thing in _objects(json.loads(data)):
            for kind in types_of(thing):
                missing = _missing(thing, kind)
                if missing and set(thing) - {"@type", "@id", "@context"}:
                    yield url_id, f"{position} {kind}", {"type": kind, "missing": missing}


def _retired(connection: Connection, _limits: Limits) -> Iterator[Found]:
    sql = """
        SELECT indexable_pages.id, structured_data.type, structured_data.syntax
        FROM indexable_pages
        JOIN structured_data ON structured_data.body_id = indexable_pages.body_id
        WHERE structured_data.type IS NOT NULL
        ORDER BY indexable_pages.id, structured_data.position
    """
    for url_id, kinds, syntax in connection.execute(sql):
        for kind in types_of({"@type": kinds.split()}):
            if kind in RETIRED:
                yield url_id, kind, {"type": kind, "no_result": RETIRED[kind], "syntax": syntax}


def _numbers(text: str) -> set[str]:
    """Numbers of a text, in all ways in which their marks may be read."""
    found = set()
    for number in re.findall(r"\d(?:[\d.,'\u00a0\u202f ]*\d)?", text):
        for part in (number, *re.split(r"[ \u00a0\u202f]", number)):
            found |= {_plain(part), _plain(part.replace(".", "").replace(",", "."))}
    return found


def _plain(number: str) -> str:
    """Without marks between thousands and zeros at the end: 1,299.00 is 1299."""
    bare = re.sub(r"[^\d.]", "", number)
    whole, point, part = bare.rpartition(".")
    if not point:
        return bare.lstrip("0") or "0"
    part = part.rstrip("0")
    whole = whole.replace(".", "").lstrip("0") or "0"
    return f"{whole}.{part}" if part else whole


def _not_visible(connection: Connection, _limits: Limits) -> Iterator[Found]:
    named: dict[int, dict[str, str]] = {}
    for url_id, _, data in connection.execute(_ITEMS):
        for thing in _objects(json.loads(data)):
            for name in _SHOWN:
                value = thing.get(name)
                if isinstance(value, str | int | float) and re.search(r"\d", str(value)):
                    named.setdefault(url_id, {}).setdefault(f"{name} {value}", str(value))
    for url_id, text in connection.execute(_TEXTS):
        if url_id not in named:
            continue
        shown = _numbers(text or "")
        for what, value in named[url_id].items():
            if not _numbers(value) & shown and _plain(value) != "0":
                yield url_id, what, {"in_markup": what}


def _missing_in_group(connection: Connection, limits: Limits) -> Iterator[Found]:
    """Pages of a folder of which nearly all others have a type that they have not."""
    groups: dict[tuple[int, str], dict[int, set[str]]] = {}
    for host_id, url_id, url, kinds in connection.execute(_TYPES):
        path = urlsplit(url).path.rstrip("/")
        if not path:
            continue  # a front page is like no other
        folder = path.rpartition("/")[0] + "/"
        page = groups.setdefault((host_id, folder), {}).setdefault(url_id, set())
        page.update(types_of({"@type": (kinds or "").split()}))
    for (_, folder), pages in groups.items():
        if len(pages) < limits["pages"]:
            continue
        for kind in sorted(set().union(*pages.values())):
            with_it = sum(kind in page for page in pages.values())
            if with_it < limits["share"] * len(pages):
                continue
            for url_id, page in pages.items():
                if kind not in page:
                    evidence = {"type": kind, "group": folder, "with": with_it, "of": len(pages)}
                    yield url_id, kind, evidence


CHECKS: Final = (
    Check(
        name="structured_data_none",
        severity="note",
        definition="a page has neither JSON-LD nor microdata nor RDFa",
        sql="""
            SELECT indexable_pages.id AS url_id
            FROM indexable_pages
            JOIN facts ON facts.body_id = indexable_pages.body_id
            WHERE facts.error IS NULL
                AND facts.jsonld_blocks = 0
                AND facts.microdata = 0
                AND facts.rdfa = 0
        """,
        needs=("facts",),
    ),
    Check(
        name="jsonld_invalid",
        severity="error",
        definition="a block of JSON-LD is no JSON, or no object",
        sql="""
            SELECT indexable_pages.id AS url_id, CAST(structured_data.position AS TEXT) AS item,
                structured_data.error
            FROM indexable_pages
            JOIN structured_data ON structured_data.body_id = indexable_pages.body_id
            WHERE structured_data.syntax = 'json-ld' AND structured_data.error IS NOT NULL
        """,
        needs=("facts",),
    ),
    Check(
        name="jsonld_no_type",
        severity="error",
        definition="an item of JSON-LD has no @type, or no @context of schema.org",
        sql="""
            SELECT indexable_pages.id AS url_id, CAST(structured_data.position AS TEXT) AS item,
                structured_data.type, structured_data.context
            FROM indexable_pages
            JOIN structured_data ON structured_data.body_id = indexable_pages.body_id
            WHERE structured_data.syntax = 'json-ld'
                AND structured_data.error IS NULL
                AND (
                    structured_data.type IS NULL
                    OR coalesce(structured_data.context, '') NOT LIKE '%schema.org%'
                )
        """,
        needs=("facts",),
    ),
    Check(
        name="schema_unknown",
        severity="warning",
        definition=f"an item has a type or a property that is not in {VERSION}",
        find=_unknown,
        needs=("facts",),
    ),
    Check(
        name="schema_required",
        severity="error",
        definition="an item of JSON-LD lacks what a rich result of its type needs",
        find=_required,
        needs=("facts",),
    ),
    Check(
        name="schema_retired",
        severity="note",
        definition="an item is of a type for which there is no rich result any more",
        find=_retired,
        needs=("facts",),
    ),
    Check(
        name="schema_not_visible",
        severity="warning",
        definition="a rating or price of the JSON-LD does not stand in the text of the page",
        find=_not_visible,
        needs=("facts", "texts"),
    ),
    Check(
        name="schema_missing_in_group",
        severity="note",
        definition="nearly all pages of a folder have structured data of a type, this one has not",
        find=_missing_in_group,
        limits={"pages": 8, "share": 0.7},
        needs=("facts",),
    ),
)
