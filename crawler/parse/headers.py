"""What do the headers say about the document?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from crawler.model import Link, LinkColumns
from crawler.parse.content_type import extracted
from crawler.parse.elements import rel_kind
from crawler.parse.refresh import Refresh, read_refresh
from crawler.parse.robots_directives import forbid_following, wishes_of_header
from crawler.parse.targets import Targets
from crawler.parse.text import clean, fold
from crawler.policy.urls import UrlRules, resolve

_MAX_LINK_HEADER: Final = 65_536
_KINDS: Final = frozenset({"canonical", "alternate", "feed", "next", "prev"})


class Declared(msgspec.Struct, frozen=True):
    """What stands beside a body.

    media_type: without parameters, lower case, None where no Content-Type is one.
    charset: its parameter as written. language: the first of Content-Language.
    robots: directives of X-Robots-Tag that hold for this crawler, in order.
    links: target and parameters of each entry of Link. refresh: what Refresh says.
    """

    media_type: str | None = None
    charset: str | None = None
    language: str | None = None
    robots: list[str] = []
    links: list[tuple[str, dict[str, str]]] = []
    refresh: Refresh | None = None


def declared(headers: tuple[tuple[str, str], ...], robot: str) -> Declared:
    """Reads the headers that say something about the meaning of a body.

    robot: the name under which X-Robots-Tag may address this crawler.
    """
    types: list[str] = []
    language: str | None = None
    refresh: Refresh | None = None
    robots: list[str] = []
    links: list[tuple[str, dict[str, str]]] = []
    for name, value in headers:
        match name.lower():
            case "content-type":
                types.append(value)
            case "content-language":
                language = fold(clean(value.partition(",")[0])) or None
            case "x-robots-tag":
                robots.extend(wishes_of_header(value, robot))
            case "link":
                links.extend(_links(value))
            case "refresh":
                refresh = read_refresh(value)
    named = extracted(types)
    return Declared(
        named.essence if named else None,
        named.parameters.get("charset") if named else None,
        language,
        robots,
        links,
        refresh,
    )


class Beside(msgspec.Struct, frozen=True):
    """What headers add to a document: its links, then theirs.

    canonical: the first that is an address. overflow: there were more than are kept. leads_on: the
    target of a refresh that stands for a redirect.
    """

    columns: LinkColumns
    canonical: str | None = None
    overflow: bool = False
    leads_on: int | None = None


def with_links(
    links: LinkColumns,
    targets: Targets,
    said: Declared,
    url: str,
    *,
    max_links: int,
    rules: UrlRules,
) -> Beside:
    """The links of a document and those that stand beside it.

    They stand on the document's own address, whatever <base> says (RFC 8288, section 3.2).
    """
    if not said.links and not said.refresh:
        return Beside(links)
    canonical, overflow, leads_on = None, False, None
    nofollow = forbid_following(said.robots)
    more: list[Link] = []
    for kind, rel, href in _named(said):
        target, fragment = resolve(href, url, rules=rules)
        if kind == "canonical" and canonical is None and not target.refusal:
            canonical = target.url
        if len(links) + len(more) >= max_links:
            overflow = True
            continue
        more.append(Link(targets.index(target), kind, None, rel, nofollow, fragment))
        if kind == "refresh" and said.refresh is not None and said.refresh.is_soon:
            leads_on = more[-1].target
    columns = LinkColumns.of([*links.links(), *more]) if more else links
    return Beside(columns, canonical, overflow, leads_on)


def _named(said: Declared) -> Iterator[tuple[str, str | None, str]]:
    """Kind, rel and address of what Link and Refresh name."""
    for href, parameters in said.links:
        rel = fold(parameters.get("rel", "").lower())
        kind = rel_kind(rel, parameters.get("type", ""))
        if kind in _KINDS:
            yield kind, rel, href
    if said.refresh:
        yield "refresh", None, said.refresh.url


def _links(value: str) -> list[tuple[str, dict[str, str]]]:
    from requests.utils import parse_header_links  # half the start of an isolated parser

    found = parse_header_links(value[:_MAX_LINK_HEADER])
    return [
        (link["url"], {key.lower(): text for key, text in link.items() if key != "url"})
        for link in found
        if "url" in link
    ]
