"""What do the headers say about the document?"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from crawler.parse.text import clean, fold

PRODUCT: Final = "crawler"
"""The name under which robots directives may address this program."""

_TYPE = re.compile(r"\s*([\w!#$&^.+*-]+/[\w!#$&^.+*-]+)\s*(?:;|$)", re.ASCII)
_CHARSET = re.compile(r""";\s*charset\s*=\s*(?:"([^"]*)"|'([^']*)'|([^;\s]*))""", re.IGNORECASE)
_SCOPE = re.compile(r"\s*([\w-]+)\s*:(.*)", re.ASCII | re.DOTALL)
_WITH_VALUE: Final = frozenset(
    {"unavailable_after", "max-snippet", "max-image-preview", "max-video-preview"}
)
_REFRESH = re.compile(
    r"""\s*(?:\d+(?:\.[\d.]*)?|\.[\d.]*)\s*[;,\s]\s*(?:url\s*=\s*)?(?:"([^"]*)|'([^']*)|(.*))""",
    re.IGNORECASE | re.DOTALL,
)
_MAX_LINK_HEADER: Final = 65_536


class Declared(msgspec.Struct, frozen=True):
    """What stands beside a body.

    media_type: of the last Content-Type that is one, without parameters, lower case.
    charset: its parameter as written. language: the first of Content-Language.
    robots: directives of X-Robots-Tag that hold for this crawler, in order.
    links: target and parameters of each entry of Link. refresh: the address in Refresh.
    """

    media_type: str | None = None
    charset: str | None = None
    language: str | None = None
    robots: list[str] = []
    links: list[tuple[str, dict[str, str]]] = []
    refresh: str | None = None


def declared(headers: tuple[tuple[str, str], ...]) -> Declared:
    """Reads the headers that say something about the meaning of a body."""
    media_type = charset = language = refresh = None
    robots: list[str] = []
    links: list[tuple[str, dict[str, str]]] = []
    for name, value in headers:
        match name.lower():
            case "content-type" if found := _TYPE.match(value):
                media_type = found[1].lower()
                parameter = _CHARSET.search(value)
                charset = (parameter[1] or parameter[2] or parameter[3]) if parameter else None
            case "content-language":
                language = fold(clean(value.partition(",")[0])) or None
            case "x-robots-tag":
                robots.extend(_for_us(value))
            case "link":
                links.extend(_links(value))
            case "refresh":
                refresh = refresh_target(value)
    return Declared(media_type, charset, language, robots, links, refresh)


def refresh_target(content: str) -> str | None:
    """The address in a refresh, header or meta; None when it only reloads.

    https://html.spec.whatwg.org/multipage/semantics.html#shared-declarative-refresh-steps
    """
    found = _REFRESH.match(content)
    if found is None:
        return None
    url = found[1] if found[1] is not None else found[2] if found[2] is not None else found[3]
    return url.strip() or None


def directives(content: str) -> list[str]:
    """The comma-separated words of a robots directive, lower case."""
    return [word for part in content.lower().split(",") if (word := fold(clean(part)))]


def _for_us(value: str) -> list[str]:
    """X-Robots-Tag may begin with the name of the one robot that it addresses."""
    scope = _SCOPE.match(value)
    if scope is None or scope[1].lower() in _WITH_VALUE:
        return directives(value)
    return directives(scope[2]) if scope[1].lower() == PRODUCT else []


def _links(value: str) -> list[tuple[str, dict[str, str]]]:
    from requests.utils import parse_header_links  # half the start of an isolated parser

    found = parse_header_links(value[:_MAX_LINK_HEADER])
    return [
        (link["url"], {key.lower(): text for key, text in link.items() if key != "url"})
        for link in found
        if "url" in link
    ]
