"""Which pages are called badly: by their title, description or headings?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from crawler.analyse.check import Check, Finder, Found, Limits
from crawler.analyse.checks.widths import pixels
from crawler.store.database import Connection

TITLE_PX: Final = 20.0
DESCRIPTION_PX: Final = 14.0
"""Sizes of the font in a search engine's list of results."""
_SEPARATORS: Final = (" | ", " - ", " \u2013 ", " \u2014 ", " · ", " :: ", " » ", " • ")
_MARKS: Final = "".join(_SEPARATORS)
_TEXTS: Final = {
    "title": "SELECT id, title FROM indexable_pages WHERE title <> '' ORDER BY id",
    "description": """
        SELECT id, description FROM indexable_pages WHERE description <> '' ORDER BY id
    """,
}


def _too_wide(column: str, size: float) -> Finder:
    def find(connection: Connection, limits: Limits) -> Iterator[Found]:
        for url_id, text in connection.execute(_TEXTS[column]):
            characters, width = len(text), pixels(text, size)
            if width > limits["pixels"] or characters > limits.get("characters", characters):
                yield url_id, "", {column: text, "characters": characters, "pixels": width}

    return find


def _too_narrow(column: str, size: float) -> Finder:
    def find(connection: Connection, limits: Limits) -> Iterator[Found]:
        for url_id, text in connection.execute(_TEXTS[column]):
            characters, width = len(text), pixels(text, size)
            if width < limits["pixels"] or characters < limits.get("characters", characters):
                yield url_id, "", {column: text, "characters": characters, "pixels": width}

    return find


def _suffix(title: str) -> str | None:
    """The last separator of a title with what follows it."""
    at, separator = max((title.rfind(separator), separator) for separator in _SEPARATORS)
    return title[at:] if at > 0 and separator else None


def _off_pattern(connection: Connection, limits: Limits) -> Iterator[Found]:
    """Pages of a host where nearly all others end in the same words."""
    titles: dict[int, list[tuple[int, str]]] = {}
    sql = "SELECT host_id, id, title FROM indexable_pages WHERE title <> '' ORDER BY host_id, id"
    for host_id, url_id, title in connection.execute(sql):
        titles.setdefault(host_id, []).append((url_id, title))
    for pages in titles.values():
        counted = Counter(filter(None, (_suffix(title) for _, title in pages)))
        if len(pages) < limits["pages"] or not counted:
            continue
        suffix, count = min(counted.items(), key=lambda item: (-item[1], item[0]))
        if count < limits["share"] * len(pages):
            continue
        for url_id, title in pages:
            if not title.endswith(suffix) and title != suffix.lstrip(_MARKS):
                yield url_id, "", {"title": title, "others_end_in": suffix, "others": count}


def _duplicates(column: str) -> str:
    return f"""
        SELECT id AS url_id, {column}, pages
        FROM (
            SELECT id, {column}, count(*) OVER (PARTITION BY {column}) AS pages
            FROM indexable_pages
            WHERE {column} <> ''
        )
        WHERE pages > 1
    """


def _missing(column: str) -> str:
    return f"""
        SELECT id AS url_id, title, h1
        FROM indexable_pages
        WHERE coalesce({column}, '') = ''
    """


def _fact(condition: str, *evidence: str) -> str:
    columns = "".join(f", facts.{name}" for name in evidence)
    return f"""
        SELECT indexable_pages.id AS url_id{columns}
        FROM indexable_pages
        JOIN facts ON facts.body_id = indexable_pages.body_id
        WHERE facts.error IS NULL AND {condition}
    """


CHECKS: Final = (
    Check(
        name="title_missing",
        severity="error",
        definition="an indexable page has no title, or an empty one",
        sql=_missing("title"),
    ),
    Check(
        name="title_multiple",
        severity="error",
        definition="an indexable page has more than one title element",
        sql=_fact("facts.titles > 1", "titles", "title"),
        needs=("facts",),
    ),
    Check(
        name="title_outside_head",
        severity="error",
        definition="a title stands behind the point where the head ended",
        sql=_fact("facts.titles_outside > 0", "titles_outside", "title", "head_ended_by"),
        needs=("facts",),
    ),
    Check(
        name="title_duplicate",
        severity="warning",
        definition="several indexable pages have the same title",
        sql=_duplicates("title"),
    ),
    Check(
        name="title_too_long",
        severity="note",
        definition="a title has more characters than a list of results shows",
        sql="""
            SELECT id AS url_id, title, length(title) AS characters
            FROM indexable_pages
            WHERE length(title) > :characters
        """,
        limits={"characters": 60},
    ),
    Check(
        name="title_too_short",
        severity="note",
        definition="a title has so few characters that it says little",
        sql="""
            SELECT id AS url_id, title, length(title) AS characters
            FROM indexable_pages
            WHERE title <> '' AND length(title) < :characters
        """,
        limits={"characters": 30},
    ),
    Check(
        name="title_too_wide",
        severity="note",
        definition="a title is wider than a list of results shows (Arial, 20 px)",
        find=_too_wide("title", TITLE_PX),
        limits={"pixels": 561},
    ),
    Check(
        name="title_too_narrow",
        severity="note",
        definition="a title is so narrow that it says little (Arial, 20 px)",
        find=_too_narrow("title", TITLE_PX),
        limits={"pixels": 200},
    ),
    Check(
        name="title_same_as_h1",
        severity="note",
        definition="title and first heading are the same text",
        sql="""
            SELECT id AS url_id, title
            FROM indexable_pages
            WHERE title <> '' AND lower(title) = lower(h1)
        """,
    ),
    Check(
        name="title_same_as_description",
        severity="note",
        definition="title and description are the same text",
        sql="""
            SELECT id AS url_id, title
            FROM indexable_pages
            WHERE title <> '' AND lower(title) = lower(description)
        """,
    ),
    Check(
        name="title_off_pattern",
        severity="note",
        definition="nearly all titles of the host end in the same words, this one does not",
        find=_off_pattern,
        limits={"pages": 10, "share": 0.7},
    ),
    Check(
        name="description_missing",
        severity="warning",
        definition="an indexable page has no meta description, or an empty one",
        sql=_missing("description"),
    ),
    Check(
        name="description_multiple",
        severity="warning",
        definition="an indexable page has more than one meta description",
        sql=_fact("facts.descriptions > 1", "descriptions", "description"),
        needs=("facts",),
    ),
    Check(
        name="description_outside_head",
        severity="warning",
        definition="a meta description stands behind the point where the head ended",
        sql=_fact("facts.descriptions_outside > 0", "description", "head_ended_by"),
        needs=("facts",),
    ),
    Check(
        name="description_duplicate",
        severity="note",
        definition="several indexable pages have the same description",
        sql=_duplicates("description"),
    ),
    Check(
        name="description_too_long",
        severity="note",
        definition="a description has more than a list of results shows (Arial, 14 px)",
        find=_too_wide("description", DESCRIPTION_PX),
        limits={"characters": 155, "pixels": 985},
    ),
    Check(
        name="description_too_short",
        severity="note",
        definition="a description has so little that it says little (Arial, 14 px)",
        find=_too_narrow("description", DESCRIPTION_PX),
        limits={"characters": 70, "pixels": 400},
    ),
    Check(
        name="h1_missing",
        severity="warning",
        definition="an indexable page has no first heading, or only empty ones",
        sql=_missing("h1"),
    ),
    Check(
        name="h1_multiple",
        severity="note",
        definition="an indexable page has more than one h1",
        sql=_fact("facts.h1s > 1", "h1s"),
        needs=("facts",),
    ),
    Check(
        name="h1_duplicate",
        severity="note",
        definition="several indexable pages have the same first heading",
        sql=_duplicates("h1"),
    ),
    Check(
        name="h1_too_long",
        severity="note",
        definition="a first heading is longer than one reads at a glance",
        sql="""
            SELECT id AS url_id, h1, length(h1) AS characters
            FROM indexable_pages
            WHERE length(h1) > :characters
        """,
        limits={"characters": 70},
    ),
    Check(
        name="h1_is_image_alt",
        severity="note",
        definition="the text of the first h1 comes from the alt text of images alone",
        sql="""
            SELECT indexable_pages.id AS url_id, headings.text AS alt
            FROM indexable_pages
            JOIN headings ON headings.body_id = indexable_pages.body_id
            WHERE headings.level = 1
                AND headings.image_only = 1
                AND headings.position = (
                    SELECT min(position)
                    FROM headings AS first
                    WHERE first.body_id = indexable_pages.body_id AND first.level = 1
                )
        """,
        needs=("facts",),
    ),
    Check(
        name="h1_not_first",
        severity="note",
        definition="another heading stands before the first h1",
        sql=_fact("facts.outline GLOB '[2-6]*1*'", "outline"),
        needs=("facts",),
    ),
    Check(
        name="h2_missing",
        severity="note",
        definition="an indexable page has no h2",
        sql=_fact("facts.h2s = 0", "outline"),
        needs=("facts",),
    ),
    Check(
        name="h2_duplicate",
        severity="note",
        definition="several indexable pages have the same first h2",
        sql="""
            SELECT url_id, h2, pages
            FROM (
                SELECT indexable_pages.id AS url_id, headings.text AS h2,
                    count(*) OVER (PARTITION BY headings.text) AS pages
                FROM indexable_pages
                JOIN headings ON headings.body_id = indexable_pages.body_id
                WHERE headings.position = (
                    SELECT min(position)
                    FROM headings AS first
                    WHERE first.body_id = indexable_pages.body_id AND first.level = 2
                )
            )
            WHERE pages > 1
        """,
        needs=("facts",),
    ),
    Check(
        name="heading_levels_skipped",
        severity="note",
        definition="a heading is more than one level below the one before it",
        sql=_fact(
            "(facts.outline GLOB '*1[3-6]*' OR facts.outline GLOB '*2[4-6]*'"
            " OR facts.outline GLOB '*3[56]*' OR facts.outline GLOB '*46*')",
            "outline",
        ),
        needs=("facts",),
    ),
    Check(
        name="heading_empty",
        severity="note",
        definition="a heading has neither text nor the alt text of an image",
        sql=_fact("facts.headings_empty > 0", "headings_empty", "outline"),
        needs=("facts",),
    ),
)
