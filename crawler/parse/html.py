"""Where does a page lead, and what does it say about itself?

A page is read in one go (`scan`); what was found (`Survey`) becomes links afterwards, when
the base is known.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
from lxml import etree

from crawler.model import Document, LinkColumns, worth_keeping
from crawler.parse.elements import Survey, words_of
from crawler.parse.headers import Declared, with_links
from crawler.parse.loops import find
from crawler.parse.robots_directives import forbid_following
from crawler.parse.scan import scan
from crawler.parse.targets import Targets
from crawler.parse.text import MAX_FACT, fact, fingerprint, fold, kept
from crawler.policy.urls import UrlRules, resolve

_HTML_ENDS = (b"</html", b"</HTML", b"</Html")
_END_TAGS = re.compile(rb"</(?:html|body)\b[^>]*>", re.IGNORECASE)
_IN_CAPITALS: Final = (b"<TEMPLATE", b"<Template")
_TEMPLATE: Final = (
    rb"<!--.*?(?:-->|\Z)|<(script|style|textarea|title|xmp)\b[^>]*+>.*?(?:</\1|\Z)"
    rb"|(?P<begin><template\b(?:[^<>\"']++|\"[^\"]{0,1000}+\"|'[^']{0,1000}+')*+>)"
    rb"|(?P<end></template\b[^>]*+>)"
)
_SHADOW = re.compile(rb"""\sshadowrootmode\s*=\s*["']?(?:open|closed)\b""", re.IGNORECASE)
_MAX_NESTING: Final = 200


def read_html(
    data: bytes,
    url: str,
    said: Declared,
    *,
    content_type: str | None,
    charset: str | None,
    max_links: int,
    max_text_bytes: int,
    rules: UrlRules,
    robot: str,
    with_styles: bool = False,
) -> Document:
    """Reads a page from UTF-8.

    url: the page's own. said: what its headers say. max_text_bytes: what is kept of its text.
    robot: the name under which it may address this crawler. with_styles: what its styles name are
    links, too, behind all others, so that these keep their positions.
    """
    survey, truncated = _survey(data, max_links, robot)
    if with_styles:
        _add_styles(survey, data, max_links)
    targets = Targets(_base(url, survey.base), rules, charset)
    robots = survey.robots + said.robots
    said = msgspec.structs.replace(said, robots=robots)
    links = _links(survey, targets, forbid_following(robots))
    canonical = _canonical(survey.canonical, targets)
    beside = with_links(links, targets, said, url, max_links=max_links, rules=rules)
    leads_on = _leads_on(survey.leads_on, targets, beside.leads_on)
    if survey.overflow or beside.overflow:
        truncated = truncated or "links"
    text, cut = kept(survey.text, max_text_bytes)
    return Document(
        content_type,
        charset,
        title=survey.title,
        description=survey.description,
        h1=survey.h1,
        lang=fact(survey.lang or "") or fact(survey.language or "") or said.language,
        canonical=canonical or beside.canonical,
        meta_robots=", ".join(robots)[:MAX_FACT] or None,
        text=text,
        word_count=survey.words,
        text_hash=fingerprint(survey.text),
        targets=targets.distinct(),
        columns=beside.columns,
        truncated=truncated or cut,
        leads_on=leads_on,
    )


def _survey(data: bytes, max_links: int, robot: str) -> tuple[Survey, str | None]:
    """What a page shows, and ``parse`` where it had to be bent."""
    data = one_body(data)
    survey = scan(data, max_links, robot)
    if survey is not None:
        return survey, None
    survey = scan(flattened(data), max_links, robot)
    assert survey is not None
    return survey, "parse"


def flattened(data: bytes) -> bytes:
    """A page that is nested too deep for a tree, with what lies so deep side by side."""
    # libxml2's tokenizer has no limit of depth.
    target: Any = _Shallow()  # the stubs ask for the whole protocol, lxml for what is there
    flat: bytes = etree.fromstring(data, etree.HTMLParser(target=target, encoding="utf-8"))
    return flat


def _add_styles(survey: Survey, data: bytes, max_links: int) -> None:
    from crawler.parse import styles  # few crawls ask for them

    for kind, url in styles.in_page(one_body(data)):
        survey.add(kind, url)
    survey.end(max_links)


def one_body(data: bytes) -> bytes:
    """The page as libxml2 must see it: with what stands behind its end within its body, and with
    its templates empty."""
    if _goes_on_after_its_end(data):
        data = _END_TAGS.sub(b"", data)
    if _has_templates(data):
        data = b"".join(_outside_of_templates(data))
    return data


def _has_templates(data: bytes) -> bool:
    """Each search reads all of the page, and few pages have tags in capitals."""
    if find(data, b"<template") >= 0:
        return True
    return find(data, b"<T") >= 0 and any(find(data, name) >= 0 for name in _IN_CAPITALS)


def _goes_on_after_its_end(data: bytes) -> bool:
    """Does something stand behind ``</html>``? To the HTML standard it is part of the body (section
    13.2.6.4.22), libxml2 puts it beside the root, out of all that is open there."""
    first = next((at for name in _HTML_ENDS if (at := find(data, name)) >= 0), -1)
    if first < 0:
        return False
    close = data.find(b">", first)
    return close >= 0 and bool(data[close + 1 :].strip())


def _outside_of_templates(data: bytes) -> Iterator[bytes]:
    """The page without its templates. What is left open in one ends with it, which libxml2 does not
    know; one that never ends is left to `scan`."""
    done, begun, inert, opened = 0, 0, 0, list[bool]()
    for token in re.finditer(_TEMPLATE, data, re.IGNORECASE | re.DOTALL):
        if token["begin"]:
            begun = begun if inert else token.start()
            opened.append(not _SHADOW.search(token["begin"]))
            inert += opened[-1]
        elif token["end"] and opened and opened.pop():
            inert -= 1
            if not inert:
                yield data[done:begun]
                done = token.end()
    yield data[done:]


class _Shallow:
    """Writes a document again, with what is nested too deep side by side."""

    def __init__(self) -> None:
        self._written: list[str] = []
        self._open: list[str] = []
        self._beyond = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= _MAX_NESTING:
            self._written.append(f"</{self._open.pop()}>")
            self._beyond += 1
        self._open.append(tag)
        values = (f' {name}="{html.escape(value)}"' for name, value in attributes.items())
        self._written.append(f"<{tag}{''.join(values)}>")

    def end(self, tag: str) -> None:
        if self._beyond:
            self._beyond -= 1
        elif self._open:
            self._written.append(f"</{self._open.pop()}>")

    def data(self, text: str) -> None:
        self._written.append(html.escape(text))

    def close(self) -> bytes:
        return "".join(self._written).encode()


def _links(survey: Survey, targets: Targets, nofollow: bool) -> LinkColumns:
    indexes, fragments = targets.places(survey.texts, survey.fragments, plain=survey.plain)
    rels = worth_keeping([None if rel is None else fold(rel.lower()) for rel in survey.rels])
    shy = [nofollow or (rel is not None and "nofollow" in words_of(rel)) for rel in rels]
    return LinkColumns(
        indexes,
        survey.kinds,
        survey.anchors,
        rels,
        worth_keeping(shy or [nofollow] * len(indexes)),
        fragments,
        survey.regions(),
    )


def _base(url: str, href: str | None) -> str:
    """What relative links stand on: the first <base> that is an address."""
    if href is None:
        return url
    target, _ = resolve(href, url)
    return url if target.refusal in ("url_invalid", "scheme") else target.url


def _leads_on(href: str | None, targets: Targets, by_header: int | None) -> int | None:
    """A header comes before what stands in the page."""
    return by_header if by_header is not None or href is None else targets.place(href)[0]


def _canonical(href: str | None, targets: Targets) -> str | None:
    if href is None:
        return None
    target = targets.found[targets.place(href)[0]]
    return None if target.refusal else target.url
