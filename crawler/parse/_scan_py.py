"""What stands on a page, and what of it is shown?

A tree and two walks over it: one for what a person reads, one for links and facts. `_scan_c` does
the same several times as fast, without a tree; where there is none, this does its work, and this
decides what becomes of documents that are too deep for it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from lxml import etree

from crawler.parse.elements import (
    HANDLERS,
    LANDMARKS,
    MAX_ANCHOR,
    ROLE_HOLDERS,
    SHADOWS,
    Survey,
    region_of,
)
from crawler.parse.text import BLOCKS, HIDDEN, count_words, fact, fold
from crawler.policy.agent import PRODUCT

_SHOW_AS: Final = {
    **dict.fromkeys(BLOCKS, "block"),
    **dict.fromkeys(HIDDEN, "nothing"),
    "img": "alt",
}
# No anchor holds another, though libxml2 leaves them so; the text is the inner one's.
_SHOW_IN_ANCHOR: Final = {**_SHOW_AS, "a": "nothing"}
_WATCHED: Final = ("a", "h1", "title", "template", *HANDLERS, *LANDMARKS, *ROLE_HOLDERS)

_SHEET: Final = f"""
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:output method="text"/>
  <xsl:template match="/">
    <xsl:variable name="shown"><xsl:apply-templates/></xsl:variable>
    <xsl:value-of select="normalize-space($shown)"/>
  </xsl:template>
  <xsl:template match="{"|".join(sorted(HIDDEN - {"template"}))}"/>
  <xsl:template match="template[not(@shadowrootmode='open' or @shadowrootmode='closed')]"/>
  <xsl:template match="{"|".join(sorted(BLOCKS))}">
    <xsl:text> </xsl:text><xsl:apply-templates/><xsl:text> </xsl:text>
  </xsl:template>
</xsl:stylesheet>
"""
_text_of = etree.XSLT(etree.XML(_SHEET))


def scan(data: bytes, max_links: int, robot: str = PRODUCT) -> Survey | None:
    """What a page in UTF-8 shows and where it leads; None where it is nested deeper than a tree may
    be: libxml2 drops everything from the 2,048th level on."""
    root, is_whole = parsed(data)
    if not is_whole:
        return None
    survey = Survey(robot)
    if root is not None:
        survey.lang = root.get("lang") or root.get("xml:lang")
        _look(root, survey, max_links)
        survey.text = _visible_text(root)
        survey.words = count_words(survey.text)
    return survey


def parsed(data: bytes) -> tuple[etree._Element | None, bool]:
    """The tree of a page in UTF-8, and whether it is nested no deeper than a tree may be."""
    parser = _html_parser()
    root: etree._Element | None = etree.fromstring(data, parser)
    limits = etree.ErrorTypes.ERR_RESOURCE_LIMIT
    return root, all(error.type != limits for error in parser.error_log)


def _html_parser() -> etree.HTMLParser:
    """A parser for pages; comments and processing instructions mean nothing to a reader."""
    return etree.HTMLParser(
        encoding="utf-8",
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )


def _visible_text(root: etree._Element) -> str:
    shown: Any = _text_of(root)  # the stubs do not know that it turns into bytes
    text = bytes(shown).decode()  # as a str it would lose what looks like an XML declaration
    # XML folds the four spaces of its own; the rest is rare enough to be looked for first.
    return fold(text) if "\xa0" in text or "\f" in text or "\u3000" in text else text


def _look(root: etree._Element, survey: Survey, max_links: int) -> None:
    """Walk over a document once, in its order, and fill in where it leads."""
    open_landmarks: list[etree._Element] = []
    inert = 0
    for event, element in _events(root):
        if _is_inert(element):
            inert += 1 if event == "start" else -1
            continue
        if inert:
            continue
        if event == "end":
            if open_landmarks and open_landmarks[-1] is element:
                open_landmarks.pop()
                survey.leave()
            continue
        tag = str(element.tag)
        handler = HANDLERS.get(tag)
        if tag == "a":
            href = element.get("href", element.get("xlink:href"))
            if href is not None:
                anchor = _shown(element, _SHOW_IN_ANCHOR)[:MAX_ANCHOR]
                survey.add("a", href, anchor, element.get("rel"))
        elif handler is not None:
            handler(survey, {str(name): str(value) for name, value in element.items()})
        elif tag == "title":
            if survey.title is None and next(element.iterancestors("svg"), None) is None:
                survey.title = fact(element.text or "")
        elif tag == "h1":
            if not survey.h1 and next(element.iterancestors("h1"), None) is None:
                survey.h1 = _shown(element, _SHOW_AS)
        elif (region := region_of(tag, element.get("role"))) is not None:
            open_landmarks.append(element)
            survey.enter(region)
        if len(survey.texts) > max_links:
            break
    survey.end(max_links)


def _events(root: etree._Element) -> Iterator[tuple[str, etree._Element]]:
    """Where elements that are watched begin and end; what came behind the root's end is a root of
    its own."""
    for part in (root, *root.itersiblings()):
        yield from etree.iterwalk(part, events=("start", "end"), tag=_WATCHED)


def _is_inert(element: etree._Element) -> bool:
    """Is this a template? Its content is no part of the page, unless it is shown as a shadow
    (https://html.spec.whatwg.org/multipage/scripting.html#attr-template-shadowrootmode)."""
    return element.tag == "template" and element.get("shadowrootmode") not in SHADOWS


def _shown(element: etree._Element, show_as: dict[str, str]) -> str:
    """The visible text of a small part of a page, with the alt texts of its images."""
    parts = [element.text or ""]
    if not len(element):
        return fact(parts[0])
    walk = etree.iterwalk(element, events=("start", "end"))
    for event, inner in walk:
        if inner is element:
            continue
        show = show_as.get(str(inner.tag))
        if inner.tag == "template" and not _is_inert(inner):
            show = None
        if event == "end":
            parts += (" " if show == "block" else "", inner.tail or "")
        elif show in ("alt", "nothing"):
            parts.append(f" {inner.get('alt', '')} " if show == "alt" else "")
            walk.skip_subtree()
        else:
            parts += (" " if show == "block" else "", inner.text or "")
    return fact("".join(parts))
