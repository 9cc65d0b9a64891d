"""What do the styles of a page name, those of its style elements and of its elements' attributes?

Read beside the page itself, with a tree, and only where somebody wants to know: that takes as long
again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final
from urllib.parse import quote

from lxml import etree

from crawler.parse import css

CSS_TYPE: Final = "text/css"
_MOST_REMEMBERED: Final = 20_000
"""Characters of a style that is worth remembering: pages of a site have most in common."""
_has_any = re.compile(rb"<style|style\s*=|background\s*=|<image|<use|<feimage", re.IGNORECASE)
may_name = re.compile(r"url|src|image|import|\\", re.IGNORECASE).search
"""A style in which none of these stands names nothing."""
_styled = etree.XPath(
    "//*[@style or @background or self::style or self::image or self::use or self::feimage]"
)
_DRAWN: Final = frozenset({"image", "use", "feimage"})
"""Elements of drawings within a page that name what they show
(https://svgwg.org/svg2-draft/linking.html#processingURL)."""
_PAINTED: Final = frozenset({"body", "table", "thead", "tbody", "tfoot", "tr", "td", "th"})
"""Elements whose ``background`` is an image (HTML, sections 15.3.1 and 15.3.8)."""

Named = tuple[str, str]
"""A kind of link, and where it points as written."""


def in_page(data: bytes) -> Iterator[Named]:
    """What the styles of a page in UTF-8 name, and its drawings, in their order."""
    if not _has_any.search(data):
        return
    parser = etree.HTMLParser(encoding="utf-8", huge_tree=True, collect_ids=False)
    root = etree.fromstring(data, parser)
    if root is None:
        return
    for element in _styled(root):
        yield from _of_element(element)


def in_sheet(text: str) -> Iterator[Named]:
    """What a style sheet names. Raises `css.TooDeep` behind the last."""
    for found in css.references(text):
        yield found.kind, as_utf8(found.url)


def _of_element(element: etree._Element) -> Iterator[Named]:
    tag = element.tag
    if tag == "style":
        if (element.get("type") or CSS_TYPE).lower() == CSS_TYPE:
            yield from _of_text(element.text or "", is_attribute=False)
        return
    if tag in _DRAWN:
        href = element.get("href", element.get("xlink:href", ""))
        if href.strip() and not href.lstrip().startswith("#"):
            yield "img", href
    background = element.get("background", "")
    if tag in _PAINTED and background.strip():
        yield "img", background
    style = element.get("style")
    if style:
        yield from _of_text(style, is_attribute=True)


def _of_text(text: str, *, is_attribute: bool) -> Iterator[Named]:
    if not may_name(text):
        return iter(())
    if len(text) > _MOST_REMEMBERED:
        return iter(_named(text, is_attribute))
    return iter(_remembered(text, is_attribute))


def _named(text: str, is_attribute: bool) -> tuple[Named, ...]:
    found: list[Named] = []
    try:
        for one in css.references(text, is_attribute=is_attribute):
            found.append((one.kind, as_utf8(one.url)))
    except css.TooDeep:
        pass  # nobody writes so: what came before it stands
    return tuple(found)


_remembered = lru_cache(maxsize=512)(_named)


def as_utf8(url: str) -> str:
    """The same address for a page in whatever encoding: styles send theirs in UTF-8, whatever the
    page is in (https://drafts.csswg.org/css-values-4/#url-processing)."""
    before, mark, query = url.partition("?")
    if not mark or query.isascii():
        return url
    return before + mark + quote(query, safe="".join(map(chr, range(0x20, 0x7F))))
