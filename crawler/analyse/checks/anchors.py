"""Which links do not say where they lead?"""

from __future__ import annotations

from typing import Final

from crawler.analyse.check import Check
from crawler.analyse.checks.sites import INTERNAL

GENERIC: Final = {
    "en": (
        *("click here", "click", "here", "more", "read more", "learn more", "link", "this"),
        *("this link", "this page", "go", "go here", "continue", "details", "more info"),
        *("more information", "find out more", "see more", "view more", "start", "right here"),
    ),
    "de": (
        *("hier", "hier klicken", "klicken sie hier", "klick hier", "mehr", "mehr lesen"),
        *("mehr erfahren", "weiterlesen", "weiter", "mehr infos", "mehr informationen"),
        *("dieser link", "diese seite"),
    ),
    "fr": (
        *("ici", "cliquez ici", "cliquer ici", "plus", "lire la suite", "en savoir plus"),
        *("voir plus", "la suite", "suite", "lien", "ce lien", "cette page"),
    ),
    "es": (
        *("aquí", "haga clic aquí", "haz clic aquí", "clic aquí", "pulse aquí", "más"),
        *("leer más", "saber más", "ver más", "más información", "enlace", "este enlace"),
    ),
    "pt": (
        *("aqui", "clique aqui", "mais", "leia mais", "ler mais", "saiba mais", "ver mais"),
        *("mais informações", "este link"),
    ),
    "it": (
        *("qui", "clicca qui", "più", "leggi tutto", "leggi di più", "scopri di più"),
        *("per saperne di più", "continua", "questo link"),
    ),
    "nl": (
        *("hier", "klik hier", "meer", "lees meer", "lees verder", "meer informatie"),
        *("meer info", "deze link", "verder"),
    ),
    "sv": ("här", "klicka här", "mer", "läs mer", "mer information", "länk", "denna länk"),
    "da": ("her", "klik her", "mere", "læs mere", "mere information", "dette link"),
    "nb": ("her", "klikk her", "mer", "les mer", "mer informasjon", "denne lenken"),
    "no": ("her", "klikk her", "mer", "les mer", "mer informasjon", "denne lenken"),
    "fi": ("tästä", "klikkaa tästä", "lisää", "lue lisää", "lisätietoja", "linkki"),
    "pl": ("tutaj", "kliknij tutaj", "kliknij", "więcej", "czytaj więcej", "dowiedz się więcej"),
    "cs": ("zde", "klikněte zde", "více", "číst více", "více informací", "odkaz"),
    "ru": ("здесь", "тут", "нажмите здесь", "подробнее", "далее", "читать далее", "ссылка"),
    "ja": (
        "こちら",
        "ここ",
        "ここをクリック",
        "続きを読む",
        "もっと見る",
        "詳細",
        "詳しくはこちら",
    ),
    "zh": ("这里", "點擊這裡", "点击这里", "更多", "阅读更多", "了解更多", "詳情", "详情"),
}
"""Texts that any link could have, by language; those of English hold everywhere."""


def _rows() -> str:
    pairs = [(language, text) for language, texts in GENERIC.items() for text in texts]
    forms = dict.fromkeys((language, form) for language, text in pairs for form in _forms(text))
    return ",\n                ".join(f"('{language}', '{text}')" for language, text in forms)


def _forms(text: str) -> tuple[str, ...]:
    """As SQLite's lower() leaves it, which knows ASCII alone."""
    return tuple(
        "".join(character.lower() if character.isascii() else character for character in form)
        for form in (text, text.capitalize(), text.upper())
    )


CHECKS: Final = (
    Check(
        name="anchor_empty",
        severity="note",
        definition="a link to a page of the site has neither text nor alt, aria-label or title",
        sql=f"""
            WITH unnamed AS MATERIALIZED (
                SELECT body_id, position
                FROM link_facts
                WHERE ' ' || flags || ' ' LIKE '% unnamed %'
            )
            SELECT good_pages.id AS url_id, target.url AS item, links.position, links.region
            FROM unnamed
            JOIN good_pages ON good_pages.body_id = unnamed.body_id
            CROSS JOIN links
                ON links.source_id = good_pages.id AND links.position = unnamed.position
            CROSS JOIN urls AS target ON target.id = links.target_id
            WHERE links.kind IN ('a', 'area') AND {INTERNAL}
        """,
        needs=("facts",),
    ),
    Check(
        name="anchor_generic",
        severity="note",
        definition="the text of a link could be that of any link, such as: click here",
        sql=f"""
            WITH generic(language, text) AS (
                VALUES {_rows()}
            ),
            l AS MATERIALIZED (
                SELECT source_id, position, target_id, anchor,
                    lower(trim(anchor, ' .!:>\u2026\u00bb\u203a\u2192\u00a0')) AS text
                FROM links
                WHERE kind = 'a'
                    AND length(anchor) <= 40
                    AND lower(trim(anchor, ' .!:>\u2026\u00bb\u203a\u2192\u00a0')) IN (
                        SELECT text FROM generic
                    )
            )
            SELECT l.source_id AS url_id, target.url AS item, l.anchor, l.position
            FROM l
            JOIN good_pages ON good_pages.id = l.source_id
            JOIN urls AS target ON target.id = l.target_id
            WHERE l.target_id <> l.source_id
                AND EXISTS (
                    SELECT 1
                    FROM generic
                    WHERE generic.text = l.text
                        AND generic.language IN (
                            'en', lower(substr(trim(coalesce(good_pages.lang, '')), 1, 2))
                        )
                )
        """,
    ),
    Check(
        name="anchor_ambiguous",
        severity="note",
        definition="links of a page's main region have one text, and lead to many pages",
        sql="""
            WITH l AS MATERIALIZED (
                SELECT source_id, lower(trim(anchor)) AS anchor, target_id
                FROM links
                WHERE kind = 'a' AND region = 'main' AND trim(anchor) <> ''
            )
            SELECT l.source_id AS url_id, l.anchor AS item, count(DISTINCT l.target_id) AS targets
            FROM l
            JOIN good_pages ON good_pages.id = l.source_id
            GROUP BY l.source_id, l.anchor
            HAVING count(DISTINCT l.target_id) >= :targets
        """,
        limits={"targets": 3},
    ),
)
