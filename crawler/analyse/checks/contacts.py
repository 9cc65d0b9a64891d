"""Which ways to write or to call do not work?"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote

from crawler.analyse.check import Check, Found, Limits
from crawler.store.database import Connection

_LINKS: Final = """
    WITH l AS MATERIALIZED (
        SELECT id, url
        FROM urls
        WHERE reason = 'scheme' AND (url LIKE 'mailto:%' OR url LIKE 'tel:%')
    )
    SELECT DISTINCT links.source_id, l.url
    FROM l
    CROSS JOIN links ON links.target_id = l.id
    CROSS JOIN good_pages ON good_pages.id = links.source_id
    ORDER BY links.source_id, l.url
"""
_TEXTS: Final = """
    SELECT indexable_pages.id, texts.text
    FROM indexable_pages
    JOIN texts ON texts.body_id = indexable_pages.body_id
    WHERE texts.text GLOB '*+[1-9]*'
    ORDER BY indexable_pages.id
"""
_ADDRESS: Final = re.compile(r"[^\s@<>,;:\"()\[\]]+@[^\s@<>,;:\"()\[\]]+\.[^\s@.<>,;:\"()\[\]]+")
"""What RFC 5322 calls an addr-spec, of those that people have on the web."""
_NUMBER: Final = re.compile(r"\+?[\d().\-*# ]{3,}(?:;[a-z0-9-]+(?:=[^;]*)?)*", re.IGNORECASE)
"""RFC 3966, section 3, and spaces, which phones leave out."""
_SHOWN: Final = re.compile(r"(?<![\w+])\+[1-9](?:[ ()./\u2011\u00a0-]{0,3}\d){7,14}(?![\w])")
"""A number as it is dialled from abroad: ITU-T E.123, at most 15 digits."""


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _wrong(url: str) -> str | None:
    """What is wrong with a mailto: or tel: address."""
    scheme, _, rest = url.partition(":")
    before, _, query = unquote(rest).partition("?")
    if scheme.lower() == "mailto":
        addresses = [part.strip() for part in before.split(",") if part.strip()]
        if not addresses:
            return None if re.search(r"(?:^|&)(?:to|subject|body)=", query) else "no address"
        odd = next((part for part in addresses if not _ADDRESS.fullmatch(part)), None)
        return None if odd is None else f"no address: {odd}"
    number = before.strip()
    if not _NUMBER.fullmatch(number) or not _digits(number.partition(";")[0]):
        return "no number"
    return None


def _contacts(connection: Connection, _limits: Limits) -> Iterator[Found]:
    dialled: dict[int, set[str]] = {}
    for url_id, url in connection.execute(_LINKS):
        wrong = _wrong(url)
        if wrong:
            yield url_id, url, {"wrong": wrong}
        if url[:4].lower() == "tel:":
            dialled.setdefault(url_id, set()).add(_digits(unquote(url).partition(";")[0]))
    for url_id, text in connection.execute(_TEXTS):
        for found in _SHOWN.finditer(text):
            digits = _digits(found[0])
            if not any(_same(digits, number) for number in dialled.get(url_id, ())):
                yield url_id, found[0], {"wrong": "a phone number that is no link"}


def _same(shown: str, dialled: str) -> bool:
    """+44 (0)20 and +4420 are the same number, and so are both with 00 before them."""
    return shown[-7:] == dialled[-7:]


CHECKS: Final = (
    Check(
        name="contact_links",
        severity="note",
        definition="a mailto: or tel: link cannot work, or an international phone number is shown"
        " and is no link",
        find=_contacts,
    ),
)
