"""Where does a page lead, and what does it say about itself?

A page is read in one go (`scan`); what was found (`Survey`) becomes links afterwards, when
the base is known.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any, Final

from lxml import etree

from crawler.model import Distinct, Document, Link, LinkColumns, Target, worth_keeping
from crawler.parse.elements import MAX_FACT, Survey, rel_kind
from crawler.parse.headers import Declared
from crawler.parse.loops import find
from crawler.parse.scan import scan
from crawler.parse.targets import Targets
from crawler.parse.text import fingerprint, fold
from crawler.policy.urls import UrlRules, resolve

_HTML_ENDS = (b"</html", b"</HTML", b"</Html")
_END_TAGS = re.compile(rb"</(?:html|body)\b[^>]*>", re.IGNORECASE)
_MAX_NESTING: Final = 200

_HEADER_KINDS: Final = frozenset({"canonical", "alternate", "feed", "next", "prev"})


def read_html(
    data: bytes,
    url: str,
    said: Declared,
    *,
    content_type: str | None,
    charset: str | None,
    max_links: int,
    rules: UrlRules,
) -> Document:
    """Reads a page from UTF-8; `url` is the page's own, `said` what its headers say."""
    survey, truncated = _survey(data, max_links)
    targets = Targets(_base(url, survey.base), rules, charset)
    robots = survey.robots + said.robots
    nofollow = "nofollow" in robots or "none" in robots
    links = _links(survey, targets, nofollow)
    canonical = _canonical(survey.canonical, targets)
    overflow = survey.overflow
    more: list[Link] = []
    for kind, rel, (target, fragment) in _header_links(said, url, rules):
        overflow = overflow or len(links) + len(more) >= max_links
        if not overflow:
            more.append(Link(targets.index(target), kind, None, rel, nofollow, fragment))
        if kind == "canonical" and not canonical and not target.refusal:
            canonical = target.url
    if more:
        links = LinkColumns.of([*links.links(), *more])
    if overflow:
        truncated = truncated or "links"
    return Document(
        content_type,
        charset,
        title=survey.title,
        description=survey.description,
        h1=survey.h1,
        lang=fold(survey.lang or "")[:MAX_FACT] or said.language,
        canonical=canonical,
        meta_robots=", ".join(robots)[:MAX_FACT] or None,
        text=survey.text,
        word_count=survey.words,
        text_hash=fingerprint(survey.text),
        targets=Distinct.of(targets.found),
        columns=links,
        truncated=truncated,
    )


def _survey(data: bytes, max_links: int) -> tuple[Survey, str | None]:
    """What a page shows, and ``parse`` where it had to be bent."""
    if _goes_on_after_its_end(data):
        data = _END_TAGS.sub(b"", data)
    survey = scan(data, max_links)
    if survey is not None:
        return survey, None
    # libxml2's tokenizer has no limit of depth.
    target: Any = _Shallow()  # the stubs ask for the whole protocol, lxml for what is there
    flat: bytes = etree.fromstring(data, etree.HTMLParser(target=target, encoding="utf-8"))
    survey = scan(flat, max_links)
    assert survey is not None
    return survey, "parse"


def _goes_on_after_its_end(data: bytes) -> bool:
    """Does something stand behind ``</html>``? To the HTML standard it is part of the body (section
    13.2.6.4.22), libxml2 puts it beside the root, out of all that is open there."""
    first = next((at for name in _HTML_ENDS if (at := find(data, name)) >= 0), -1)
    if first < 0:
        return False
    close = data.find(b">", first)
    return close >= 0 and bool(data[close + 1 :].strip())


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
    shy = [nofollow or (rel is not None and "nofollow" in rel.split()) for rel in rels]
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


def _canonical(href: str | None, targets: Targets) -> str | None:
    if href is None:
        return None
    target = targets.found[targets.place(href)[0]]
    return None if target.refusal else target.url


def _header_links(
    said: Declared, url: str, rules: UrlRules
) -> Iterator[tuple[str, str | None, tuple[Target, str | None]]]:
    """Kind, rel and target of what Link and Refresh name.

    They stand on the page's own address, whatever <base> says (RFC 8288, section 3.2).
    """
    for href, parameters in said.links:
        rel = fold(parameters.get("rel", "").lower())
        kind = rel_kind(rel, parameters.get("type", ""))
        if kind in _HEADER_KINDS:
            yield kind, rel, resolve(href, url, rules=rules)
    if said.refresh:
        yield "refresh", None, resolve(said.refresh, url, rules=rules)
