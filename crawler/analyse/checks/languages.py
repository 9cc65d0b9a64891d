"""Which pages do not say well what comes next, and in which language they are?"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

from crawler.analyse.check import Check, Found, Limits
from crawler.analyse.checks.hreflang import ALTERNATES
from crawler.analyse.checks.hreflang import CHECKS as OF_ALTERNATES
from crawler.analyse.checks.language_codes import is_hreflang, is_language_tag
from crawler.analyse.checks.series import CHECKS as OF_SERIES
from crawler.store.database import Connection

_LANG: Final = """
    SELECT indexable_pages.id, trim(coalesce(
        CASE WHEN facts.error IS NULL AND facts.body_id IS NOT NULL THEN coalesce(facts.lang, '')
            ELSE indexable_pages.lang END,
        ''
    )) AS lang
    FROM indexable_pages
    LEFT JOIN facts ON facts.body_id = indexable_pages.body_id
"""
"""The language of the html element; where no facts were read, what the page declares."""
_TAGS: Final = f"SELECT DISTINCT lang FROM ({_LANG}) WHERE lang <> '' ORDER BY lang"
_WITH_TAGS: Final = f"""
    SELECT id, lang
    FROM ({_LANG})
    WHERE lang IN (SELECT value FROM json_each(:tags))
    ORDER BY id
"""
_OWN: Final = f"""{ALTERNATES}
    SELECT own.id, own.lang, group_concat(DISTINCT alternates.code)
    FROM alternates
    JOIN ({_LANG}) AS own ON own.id = alternates.source_id
    WHERE alternates.target_id = alternates.source_id
        AND alternates.code <> 'x-default'
        AND own.lang <> ''
    GROUP BY own.id
    ORDER BY own.id
"""


def _invalid(connection: Connection, _limits: Limits) -> Iterator[Found]:
    tags = [tag for (tag,) in connection.execute(_TAGS) if not is_language_tag(tag)]
    for url_id, tag in connection.execute(_WITH_TAGS, {"tags": json.dumps(tags)}):
        yield url_id, "", {"lang": tag}


def _agree(lang: str, code: str) -> bool:
    """Do both name one language, one of them perhaps more exactly: en and en-GB?"""
    one, other = lang.lower().split("-"), code.lower().split("-")
    shorter, longer = sorted((one, other), key=len)
    return shorter[0] == longer[0] and set(shorter) <= set(longer)


def _differ(connection: Connection, _limits: Limits) -> Iterator[Found]:
    for url_id, lang, codes in connection.execute(_OWN):
        valid = [code for code in codes.split(",") if is_hreflang(code)]
        if valid and not any(_agree(lang, code) for code in valid):
            yield url_id, "", {"lang": lang, "hreflang": codes}


CHECKS: Final = (
    *OF_SERIES,
    *OF_ALTERNATES,
    Check(
        name="lang_missing",
        severity="note",
        definition="a page does not say its language (html lang), or says nothing there",
        sql=f"SELECT id AS url_id FROM ({_LANG}) WHERE lang = ''",
    ),
    Check(
        name="lang_invalid",
        severity="note",
        definition="the language that a page says is no tag of BCP 47",
        find=_invalid,
    ),
    Check(
        name="lang_differs",
        severity="note",
        definition="the language that a page says is another than that of its own hreflang",
        find=_differ,
        needs=("facts",),
    ),
)
