"""Which pages say too little, say what others say, or say it badly?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from crawler.analyse.check import Check, Found, Limits
from crawler.analyse.checks.language_codes import macrolanguage
from crawler.analyse.checks.phrases import (
    NOT_FOUND_TITLE,
    mojibake,
    placeholder,
    says_not_found,
)
from crawler.store.database import Connection

_TEXTS: Final = """
    SELECT indexable_pages.id, coalesce(title, ''), coalesce(lang, ''), texts.text
    FROM indexable_pages
    JOIN texts ON texts.body_id = indexable_pages.body_id
    ORDER BY indexable_pages.id
"""
_BEGINNINGS: Final = """
    SELECT indexable_pages.id, coalesce(title, ''), substr(coalesce(texts.text, ''), 1, :characters)
    FROM indexable_pages
    LEFT JOIN texts ON texts.body_id = indexable_pages.body_id
    ORDER BY indexable_pages.id
"""
_WORDS: Final = """
    SELECT host_id, id, url, word_count
    FROM indexable_pages
    WHERE word_count IS NOT NULL
    ORDER BY id
"""
_PROSE: Final = """
    SELECT indexable_pages.id, lower(indexable_pages.lang), facts.main_words, facts.sentences,
        facts.syllables
    FROM indexable_pages
    JOIN facts ON facts.body_id = indexable_pages.body_id
    WHERE facts.main_words >= :words
        AND facts.sentences > 0
        AND facts.main_words <= :words_per_sentence * facts.sentences
        AND indexable_pages.lang IS NOT NULL
    ORDER BY indexable_pages.id
"""
_FLESCH: Final = {
    "de": (180.0, 1.0, 58.5),  # Amstad 1978
    "en": (206.835, 1.015, 84.6),  # Flesch 1948
    "es": (206.84, 1.02, 60.0),  # Fernández Huerta 1959
    "fr": (207.0, 1.015, 73.6),  # Kandel and Moles 1958
    "it": (217.0, 1.3, 60.0),  # Franchina and Vacca 1986
    "nl": (206.835, 0.93, 77.0),  # Douma 1960
    "ru": (206.835, 1.3, 60.1),  # Oborneva 2006
}
"""Reading ease by language: what is given, and taken for words a sentence and syllables a word."""
_SEEN: Final = 80


def _not_found(connection: Connection, limits: Limits) -> Iterator[Found]:
    """Pages that answer 200 and say that they are not there."""
    for url_id, title, beginning in connection.execute(_BEGINNINGS, dict(limits)):
        says = says_not_found(title) or says_not_found(beginning)
        if says or NOT_FOUND_TITLE.search(title):
            yield url_id, "", {"says": says or title, "title": title}


def _placeholders(connection: Connection, _limits: Limits) -> Iterator[Found]:
    for url_id, title, lang, text in connection.execute(_TEXTS):
        whole = f"{title} {text}"
        at = placeholder(whole, lang)
        if at is not None:
            yield url_id, "", {"says": whole[at:][:_SEEN]}


def _language_differs(connection: Connection, limits: Limits) -> Iterator[Found]:
    sql = """
        SELECT indexable_pages.id, indexable_pages.lang, facts.language, facts.language_score
        FROM indexable_pages
        JOIN facts ON facts.body_id = indexable_pages.body_id
        WHERE facts.language_score >= :score
            AND (facts.main_words >= :words OR facts.language IN ('dz', 'ja', 'km', 'lo', 'my',
                'th', 'wuu', 'yue', 'zh'))
            AND facts.language <> 'zxx'
            AND indexable_pages.lang <> ''
        ORDER BY indexable_pages.id
    """
    for url_id, lang, language, score in connection.execute(sql, dict(limits)):
        if macrolanguage(lang) != macrolanguage(language):
            yield url_id, "", {"lang": lang, "language": language, "language_score": score}


def _mojibake(connection: Connection, limits: Limits) -> Iterator[Found]:
    for url_id, _, _, text in connection.execute(_TEXTS):
        found = mojibake(text)
        if len(found) >= limits["characters"]:
            yield url_id, "", {"characters": len(found), "such_as": found[:5]}


def _group(url: str) -> str:
    """The folder that a page stands in."""
    return urlsplit(url).path.rstrip("/").rpartition("/")[0] + "/"


def _thin(connection: Connection, limits: Limits) -> Iterator[Found]:
    """Pages that are far shorter than those beside them, which are all of about one length."""
    groups: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for host_id, url_id, url, words in connection.execute(_WORDS):
        groups.setdefault((host_id, _group(url)), []).append((url_id, words))
    for (_, folder), pages in groups.items():
        if len(pages) < limits["pages"]:
            continue
        middle = median(words for _, words in pages)
        alike = sum(abs(words - middle) <= limits["around"] * middle for _, words in pages)
        if alike < limits["share"] * len(pages):
            continue
        for url_id, words in pages:
            if words <= limits["words"] * middle:
                yield url_id, "", {"words": words, "median": middle, "group": folder}


def _hard_to_read(connection: Connection, limits: Limits) -> Iterator[Found]:
    for url_id, lang, words, sentences, syllables in connection.execute(_PROSE, dict(limits)):
        weights = _FLESCH.get(re.split("[-_]", lang)[0])
        if weights is None:
            continue
        base, of_sentences, of_words = weights
        ease = round(base - of_sentences * words / sentences - of_words * syllables / words, 1)
        if ease < limits["ease"]:
            grade = "very difficult" if ease < limits["very_difficult"] else "difficult"
            yield url_id, "", {"ease": ease, "grade": grade, "words": words, "lang": lang}


CHECKS: Final = (
    Check(
        name="duplicate_pages",
        severity="warning",
        definition="several indexable pages show the very same text",
        sql="""
            SELECT id AS url_id, text_hash, pages, same_as
            FROM (
                SELECT id, text_hash,
                    count(*) OVER (PARTITION BY text_hash) AS pages,
                    min(url) OVER (PARTITION BY text_hash) AS same_as
                FROM indexable_pages
                WHERE text_hash IS NOT NULL AND word_count > 0
            )
            WHERE pages > 1
        """,
    ),
    Check(
        name="duplicate_bodies",
        severity="warning",
        definition="several indexable pages are the same document, byte for byte",
        sql="""
            SELECT id AS url_id, body_id, pages, same_as
            FROM (
                SELECT id, body_id,
                    count(*) OVER (PARTITION BY body_id) AS pages,
                    min(url) OVER (PARTITION BY body_id) AS same_as
                FROM indexable_pages
                WHERE body_id IS NOT NULL
            )
            WHERE pages > 1
        """,
    ),
    Check(
        name="near_duplicates",
        severity="warning",
        definition="several indexable pages have nearly the same main text",
        sql="""
            SELECT id AS url_id, similarity, pages, like_that_of
            FROM (
                SELECT indexable_pages.id, near_duplicates.similarity,
                    count(*) OVER alike AS pages,
                    min(indexable_pages.url) OVER alike AS like_that_of,
                    min(text_hash) OVER alike AS first_hash,
                    max(text_hash) OVER alike AS last_hash
                FROM near_duplicates
                JOIN indexable_pages ON indexable_pages.body_id = near_duplicates.body_id
                WHERE near_duplicates.similarity >= :similarity
                WINDOW alike AS (PARTITION BY near_duplicates.leader_id)
            )
            WHERE first_hash <> last_hash
        """,
        limits={"similarity": 0.9},
        needs=("signatures",),
    ),
    Check(
        name="duplicates_without_canonical",
        severity="warning",
        definition="of pages that show the same text none names another as its canonical",
        sql="""
            WITH copies AS MATERIALIZED (
                SELECT id, url, text_hash, canonical_id, indexable,
                    sum(indexable) OVER (PARTITION BY text_hash) AS pages
                FROM good_pages
                WHERE text_hash IS NOT NULL AND word_count > 0
            ),
            settled AS MATERIALIZED (
                SELECT DISTINCT copies.text_hash
                FROM copies
                JOIN copies AS original ON original.id = copies.canonical_id
                WHERE original.text_hash = copies.text_hash
                    AND original.id <> copies.id
                    AND copies.pages > 0
            )
            SELECT id AS url_id, text_hash, pages
            FROM copies
            WHERE pages > 1
                AND indexable = 1
                AND text_hash NOT IN (SELECT text_hash FROM settled)
        """,
    ),
    Check(
        name="low_word_count",
        severity="note",
        definition="an indexable page has few words",
        sql="""
            SELECT id AS url_id, word_count AS words
            FROM indexable_pages
            WHERE word_count < :words
        """,
        limits={"words": 200},
    ),
    Check(
        name="thin_for_its_group",
        severity="note",
        definition="a page is far shorter than the pages of its folder, which are alike",
        find=_thin,
        limits={"pages": 8, "words": 0.5, "around": 0.5, "share": 0.7},
    ),
    Check(
        name="no_main_text",
        severity="warning",
        definition="beside what frames an indexable page there is next to no text",
        sql="""
            SELECT indexable_pages.id AS url_id, facts.main_words, indexable_pages.word_count
            FROM indexable_pages
            JOIN facts ON facts.body_id = indexable_pages.body_id
            WHERE facts.error IS NULL AND facts.main_words < :words
        """,
        limits={"words": 50},
        needs=("facts",),
    ),
    Check(
        name="text_ratio_low",
        severity="note",
        definition="little of what is sent of a page is text that one sees",
        sql="""
            SELECT id AS url_id, body_bytes, text_bytes,
                round(100.0 * text_bytes / body_bytes, 1) AS percent
            FROM (
                SELECT indexable_pages.id, indexable_pages.body_bytes,
                    length(CAST(texts.text AS BLOB)) AS text_bytes
                FROM indexable_pages
                JOIN texts ON texts.body_id = indexable_pages.body_id
                WHERE indexable_pages.body_bytes > 0
            )
            WHERE 100.0 * text_bytes < :percent * body_bytes
        """,
        limits={"percent": 10},
        needs=("texts",),
    ),
    Check(
        name="content_too_long",
        severity="note",
        definition="an indexable page has more words than one reads in one go",
        sql="""
            SELECT id AS url_id, word_count AS words
            FROM indexable_pages
            WHERE word_count > :words
        """,
        limits={"words": 10_000},
    ),
    Check(
        name="soft_404_phrases",
        severity="warning",
        definition="a page answers 200 and says that it was not found",
        find=_not_found,
        limits={"characters": 500},
    ),
    Check(
        name="soft_404_site",
        severity="error",
        definition="a host answers 200 to an address that was made up",
        needs=("probe",),
    ),
    Check(
        name="soft_404_like_probe",
        severity="error",
        definition="a page shows what its host shows at an address that was made up",
        limits={"similarity": 0.9},
        needs=("probe",),
    ),
    Check(
        name="login_wall",
        severity="note",
        definition="where pages link to content there is a form for a password and little else",
        sql="""
            WITH forms AS MATERIALIZED (
                SELECT indexable_pages.id, facts.passwords, indexable_pages.word_count
                FROM indexable_pages
                JOIN facts ON facts.body_id = indexable_pages.body_id
                WHERE facts.passwords > 0 AND indexable_pages.word_count < :words
            )
            SELECT id AS url_id, passwords, word_count AS words
            FROM forms
            WHERE EXISTS (
                SELECT 1
                FROM links
                WHERE links.target_id = forms.id
                    AND links.kind IN ('a', 'area')
                    AND links.source_id <> forms.id
                    AND coalesce(links.region, 'main') = 'main'
            )
        """,
        limits={"words": 100},
        needs=("facts",),
    ),
    Check(
        name="placeholder_text",
        severity="warning",
        definition="a text holds what was to be replaced: lorem ipsum, TODO, [insert ...]",
        find=_placeholders,
        needs=("texts",),
    ),
    Check(
        name="readability",
        severity="note",
        definition="the main text is hard to read, by Flesch's formula for its language",
        find=_hard_to_read,
        limits={"ease": 50, "very_difficult": 30, "words": 100, "words_per_sentence": 60},
        needs=("facts",),
    ),
    Check(
        name="language_differs",
        severity="note",
        definition="the language that a page declares is not the one it is written in",
        find=_language_differs,
        limits={"score": 0.9, "words": 50},
        needs=("facts", "languages"),
    ),
    Check(
        name="mojibake",
        severity="warning",
        definition="a text was stored or read in the wrong encoding",
        find=_mojibake,
        limits={"characters": 3},
        needs=("texts",),
    ),
    Check(
        name="hidden_text",
        severity="note",
        definition="an inline style hides many words",
        sql="""
            SELECT indexable_pages.id AS url_id, facts.hidden_words
            FROM indexable_pages
            JOIN facts ON facts.body_id = indexable_pages.body_id
            WHERE facts.hidden_words >= :words
        """,
        limits={"words": 50},
        needs=("facts",),
    ),
    Check(
        name="stale_dates",
        severity="note",
        definition="the newest date in a page's markup is years old",
        sql="""
            SELECT indexable_pages.id AS url_id, facts.newest_date
            FROM indexable_pages
            JOIN facts ON facts.body_id = indexable_pages.body_id
            WHERE facts.newest_date < (
                SELECT date(max(started_at), '-' || CAST(:years * 12 AS INTEGER) || ' months')
                FROM runs
            )
        """,
        limits={"years": 3},
        needs=("facts",),
    ),
    Check(
        name="empty_shell",
        severity="warning",
        definition="a page has next to no text and runs scripts: it likely needs a browser",
        sql="""
            SELECT indexable_pages.id AS url_id, indexable_pages.word_count AS words,
                facts.scripts
            FROM indexable_pages
            JOIN facts ON facts.body_id = indexable_pages.body_id
            WHERE indexable_pages.word_count < :words AND facts.scripts > 0
        """,
        limits={"words": 50},
        needs=("facts",),
    ),
)
