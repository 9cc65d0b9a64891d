"""Where does a page lead, and what does it say about itself?

The tree is built and walked in C; Python sees only the elements that can matter, once, in document
order (`_survey`), and turns what was found into links afterwards, when the base is known.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from lxml import etree

from crawler.model import Document, Link, LinkColumns, Target, worth_keeping
from crawler.parse.headers import PRODUCT, Declared, directives, refresh_target
from crawler.parse.targets import Targets
from crawler.parse.text import BLOCKS, HIDDEN, count_words, fingerprint, fold, visible_text
from crawler.policy.urls import resolve

MAX_ANCHOR: Final = 1000
MAX_FACT: Final = 2000
"""Characters that are kept of an anchor, and of a title, description or heading."""

_MAX_PARTS: Final = 4000
_SHOW_AS: Final = {
    **dict.fromkeys(BLOCKS, "block"),
    **dict.fromkeys(HIDDEN, "nothing"),
    "img": "alt",
}
# No anchor holds another, though libxml2 leaves them so; the text is the inner one's.
_SHOW_IN_ANCHOR: Final = {**_SHOW_AS, "a": "nothing"}
_HTML_ENDS = (b"</html", b"</HTML", b"</Html")
_END_TAGS = re.compile(rb"</(?:html|body)\b[^>]*>", re.IGNORECASE)
_MAX_NESTING: Final = 200

_REGIONS: Final = {"nav": "nav", "header": "header", "main": "main", "footer": "footer"}
_ROLES: Final = {
    "navigation": "nav",
    "banner": "header",
    "main": "main",
    "contentinfo": "footer",
}
_ROLE_HOLDERS: Final = (
    *("article", "aside", "center", "div", "ol", "section", "table", "tbody", "td", "tr"),
    "ul",
)
"""Elements besides the landmarks themselves that are asked for a role."""

_MAX_LANDMARKS: Final = 1000
_FEED_TYPES: Final = frozenset(
    {
        *("application/rss+xml", "application/atom+xml", "application/rdf+xml"),
        "application/feed+json",
    }
)
_PAGE_TYPES: Final = frozenset({"", "text/html", "application/xhtml+xml", "text/plain"})
# The first word of rel that stands here decides; an alternate style sheet is a style sheet.
_REL_KINDS: Final = (
    ("stylesheet", "stylesheet"),
    ("canonical", "canonical"),
    ("alternate", "alternate"),
    ("next", "next"),
    ("prev", "prev"),
    ("previous", "prev"),
    ("icon", "icon"),
    ("apple-touch-icon", "icon"),
    ("apple-touch-icon-precomposed", "icon"),
    ("mask-icon", "icon"),
)
_WITH_REL: Final = frozenset(
    {"a", "area", "form", "canonical", "alternate", "feed", "next", "prev", "stylesheet", "icon"}
    | {"link"}
)
# A URL, then descriptors up to a comma outside parentheses.
_CANDIDATE = re.compile(r"[\s,]*(\S*[^\s,])[^,(]*(?:\([^)]*\)?[^,(]*)*")


_HEADER_KINDS: Final = frozenset({"canonical", "alternate", "feed", "next", "prev"})
_ROBOTS_NAMES: Final = frozenset({"robots", PRODUCT})


_Found = tuple[str, str, etree._Element, str | None]
"""Kind, address as written, where it stands, and its alt text."""


class _Survey:
    """What one walk over the tree finds; everything else is made of it."""

    __slots__ = (
        *("base", "canonical", "description", "found", "h1", "landmarks", "overflow", "robots"),
        "title",
    )

    def __init__(self) -> None:
        self.found: list[_Found] = []
        self.landmarks: list[tuple[etree._Element, int, str]] = []
        self.overflow = False
        self.base: str | None = None
        self.title: str | None = None
        self.description: str | None = None
        self.h1: etree._Element | None = None
        self.robots: list[str] = []
        self.canonical: str | None = None

    def add(self, kind: str, url: str | None, element: etree._Element) -> None:
        """Records a link whose empty address would mean nothing."""
        if url and not url.isspace():
            self.found.append((kind, url, element, None))


def read_html(
    data: bytes,
    url: str,
    said: Declared,
    *,
    content_type: str | None,
    charset: str | None,
    max_links: int,
    max_url_bytes: int,
) -> Document:
    """Reads a page from UTF-8; `url` is the page's own, `said` what its headers say."""
    root, truncated = _tree(data)
    survey = _Survey() if root is None else _survey(root, max_links, _watched(data))
    targets = Targets(_base(url, survey.base), max_url_bytes, charset)
    robots = survey.robots + said.robots
    nofollow = "nofollow" in robots or "none" in robots
    links = _links(survey, targets, nofollow)
    canonical = _canonical(survey.canonical, targets)
    overflow = survey.overflow
    more: list[Link] = []
    for kind, rel, (target, fragment) in _header_links(said, url, max_url_bytes):
        overflow = overflow or len(links) + len(more) >= max_links
        if not overflow:
            more.append(Link(targets.index(target), kind, None, rel, nofollow, fragment))
        if kind == "canonical" and not canonical and not target.refusal:
            canonical = target.url
    if more:
        links = LinkColumns.of([*links.links(), *more])
    if overflow:
        truncated = truncated or "links"
    text = "" if root is None else visible_text(root)
    return Document(
        content_type,
        charset,
        title=survey.title,
        description=survey.description,
        h1=None if survey.h1 is None else _shown(survey.h1, _SHOW_AS, MAX_FACT),
        lang=_language(root) or said.language,
        canonical=canonical,
        meta_robots=", ".join(robots)[:MAX_FACT] or None,
        text=text,
        word_count=count_words(text),
        text_hash=fingerprint(text),
        targets=tuple(targets.found),
        columns=links,
        truncated=truncated,
    )


def _tree(data: bytes) -> tuple[etree._Element | None, str | None]:
    """The tree, None for a document without elements, and ``parse`` where it had to be bent."""
    if _goes_on_after_its_end(data):
        data = _END_TAGS.sub(b"", data)
    parser = _parser()
    root: etree._Element | None = etree.fromstring(data, parser)
    if not any(error.type == etree.ErrorTypes.ERR_RESOURCE_LIMIT for error in parser.error_log):
        return root, None
    # libxml2 drops everything from the 2,048th level on; its tokenizer has no such limit.
    target: Any = _Shallow()  # the stubs ask for the whole protocol, lxml for what is there
    flat: bytes = etree.fromstring(data, etree.HTMLParser(target=target, encoding="utf-8"))
    return etree.fromstring(flat, _parser()), "parse"


def _goes_on_after_its_end(data: bytes) -> bool:
    """Does something stand behind ``</html>``? To the HTML standard it is part of the body (section
    13.2.6.4.22), libxml2 drops it."""
    first = next((at for name in _HTML_ENDS if (at := data.find(name)) >= 0), -1)
    if first < 0:
        return False
    close = data.find(b">", first)
    return close >= 0 and bool(data[close + 1 :].strip())


def _parser() -> etree.HTMLParser:
    return etree.HTMLParser(
        encoding="utf-8",
        huge_tree=True,
        remove_comments=True,
        remove_pis=True,
        collect_ids=False,
    )


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


def _survey(root: etree._Element, max_links: int, watched: tuple[str, ...]) -> _Survey:
    survey = _Survey()
    found = survey.found
    handlers = _HANDLERS
    for element in root.iter(*watched):
        tag = element.tag
        if tag == "a":
            href = element.get("href")
            if href is not None or (href := element.get("xlink:href")) is not None:
                found.append(("a", href, element, None))
        else:
            handler = handlers.get(tag)  # type: ignore[arg-type]  # an element's tag is a str
            if handler is not None:
                handler(survey, element)
            elif element.get("role") is not None:
                _on_landmark(survey, element)
        if len(found) > max_links:
            survey.overflow = True
            del found[max_links:]
            break
    return survey


def _links(survey: _Survey, targets: Targets, nofollow: bool) -> LinkColumns:
    found = survey.found
    indexes, fragments = targets.places([href for _, href, _, _ in found])
    anchors: list[str | None] = []
    rels: list[str | None] = []
    shy: list[bool] = [True] * len(found) if nofollow else []
    for kind, _, element, anchor in found:
        if kind == "a":
            if len(element):
                anchor = _shown(element, _SHOW_IN_ANCHOR, MAX_ANCHOR)
            else:
                anchor = element.text
                anchor = " ".join(anchor.split())[:MAX_ANCHOR] if anchor else ""
        rel = element.get("rel") if kind in _WITH_REL else None
        if rel is not None:
            rel = fold(rel.lower())
            if "nofollow" in rel.split():
                shy = shy or [False] * len(found)
                shy[len(rels)] = True
        anchors.append(anchor)
        rels.append(rel)
    kinds = [kind for kind, _, _, _ in found]
    return LinkColumns(
        indexes,
        kinds,
        anchors,
        worth_keeping(rels),
        shy,
        fragments,
        _regions(survey) if survey.landmarks else [],
    )


def _regions(survey: _Survey) -> list[str | None]:
    """The nearest landmark around each link found.

    The links inside an element stand together, so its last one is searched for by halves instead
    of climbing from every link to the root.
    """
    found = survey.found
    regions: list[str | None] = [None] * len(found)
    for element, first, region in survey.landmarks:
        end = _end_of(element, found, first)
        regions[first:end] = [region] * (end - first)
    return regions


def _end_of(landmark: etree._Element, found: list[_Found], first: int) -> int:
    """The index behind the last link inside a landmark, the first of which may be `first`."""
    low, step = first, 1
    while low + step <= len(found) and _holds(landmark, found[low + step - 1][2]):
        low += step
        step *= 2
    high = min(low + step - 1, len(found))
    while low < high:
        middle = (low + high) // 2
        if _holds(landmark, found[middle][2]):
            low = middle + 1
        else:
            high = middle
    return low


def _holds(landmark: etree._Element, element: etree._Element) -> bool:
    return landmark in element.iterancestors(str(landmark.tag))


def _shown(element: etree._Element, show_as: dict[str, str], limit: int) -> str:
    """The visible text of a small part of a page, with the alt texts of its images."""
    parts = [element.text or ""]
    _gather(element, show_as, parts, _MAX_NESTING)
    return fold("".join(parts))[:limit]


def _gather(
    element: etree._Element, show_as: dict[str, str], parts: list[str], levels: int
) -> None:
    for child in element:
        if len(parts) > _MAX_PARTS:
            return
        show = show_as.get(child.tag)  # type: ignore[arg-type]  # an element's tag is a str
        if show is None:
            parts.append(child.text or "")
            if levels and len(child):
                _gather(child, show_as, parts, levels - 1)
        elif show == "block":
            parts.append(f" {child.text or ''}")
            if levels:
                _gather(child, show_as, parts, levels - 1)
            parts.append(" ")
        elif show == "alt":
            parts.append(f" {child.get('alt', '')} ")
        tail = child.tail
        if tail:
            parts.append(tail)


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
    said: Declared, url: str, max_url_bytes: int
) -> Iterator[tuple[str, str | None, tuple[Target, str | None]]]:
    """Kind, rel and target of what Link and Refresh name.

    They stand on the page's own address, whatever <base> says (RFC 8288, section 3.2).
    """
    for href, parameters in said.links:
        rel = fold(parameters.get("rel", "").lower())
        kind = _rel_kind(rel, parameters.get("type", ""))
        if kind in _HEADER_KINDS:
            yield kind, rel, resolve(href, url, max_bytes=max_url_bytes)
    if said.refresh:
        yield "refresh", None, resolve(said.refresh, url, max_bytes=max_url_bytes)


def _rel_kind(rel: str, media_type: str) -> str:
    words = rel.split()
    kind = next((kind for word, kind in _REL_KINDS if word in words), "link")
    if kind != "alternate":
        return kind
    media_type = media_type.partition(";")[0].strip().lower()
    if media_type in _FEED_TYPES:
        return "feed"
    return "alternate" if media_type in _PAGE_TYPES else "link"


def _language(root: etree._Element | None) -> str | None:
    if root is None:
        return None
    return fold(root.get("lang") or root.get("xml:lang") or "")[:MAX_FACT] or None


def _on_link(survey: _Survey, element: etree._Element) -> None:
    href = element.get("href")
    kind = _rel_kind(element.get("rel", "").lower(), element.get("type", ""))
    survey.add(kind, href, element)
    if kind == "canonical" and survey.canonical is None and href and not href.isspace():
        survey.canonical = href


def _on_meta(survey: _Survey, element: etree._Element) -> None:
    content = element.get("content")
    if content is None:
        return
    name = element.get("name", "").strip().lower()
    if name == "description":
        if survey.description is None:
            survey.description = fold(content)[:MAX_FACT] or None
    elif name in _ROBOTS_NAMES:
        survey.robots.extend(directives(content))
    elif element.get("http-equiv", "").strip().lower() == "refresh":
        survey.add("refresh", refresh_target(content), element)


def _on_title(survey: _Survey, element: etree._Element) -> None:
    if survey.title is None and next(element.iterancestors("svg"), None) is None:
        survey.title = fold(element.text or "")[:MAX_FACT]


def _on_h1(survey: _Survey, element: etree._Element) -> None:
    if survey.h1 is None:
        survey.h1 = element


def _on_base(survey: _Survey, element: etree._Element) -> None:
    if survey.base is None:
        survey.base = element.get("href")


def _on_area(survey: _Survey, element: etree._Element) -> None:
    href = element.get("href")
    if href is not None:
        survey.found.append(("area", href, element, _alt(element)))


def _on_form(survey: _Survey, element: etree._Element) -> None:
    action = element.get("action")
    if action is not None:
        survey.found.append(("form", action, element, None))


def _on_img(survey: _Survey, element: etree._Element) -> None:
    alt = _alt(element)
    src = element.get("src")
    if src and not src.isspace():
        survey.found.append(("img", src, element, alt))
    _on_srcset(survey, element, alt)


def _on_input(survey: _Survey, element: etree._Element) -> None:
    if element.get("type", "").strip().lower() == "image":
        _on_img(survey, element)


def _on_source(survey: _Survey, element: etree._Element) -> None:
    survey.add("media", element.get("src"), element)
    _on_srcset(survey, element, None)


def _on_srcset(survey: _Survey, element: etree._Element, alt: str | None) -> None:
    srcset = element.get("srcset")
    if srcset:
        for found in _CANDIDATE.finditer(srcset.rstrip(" \t\n\f\r,")):
            survey.found.append(("srcset", found[1], element, alt))


def _on_video(survey: _Survey, element: etree._Element) -> None:
    survey.add("media", element.get("src"), element)
    survey.add("media", element.get("poster"), element)


def _on_landmark(survey: _Survey, element: etree._Element) -> None:
    region = _ROLES.get(element.get("role", "")) or _REGIONS.get(str(element.tag))
    if region and len(survey.landmarks) < _MAX_LANDMARKS:
        survey.landmarks.append((element, len(survey.found), region))


def _alt(element: etree._Element) -> str | None:
    alt = element.get("alt")
    return None if alt is None else fold(alt)[:MAX_ANCHOR]


def _on(kind: str, attribute: str) -> Callable[[_Survey, etree._Element], None]:
    def handler(survey: _Survey, element: etree._Element) -> None:
        survey.add(kind, element.get(attribute), element)

    return handler


_HANDLERS: Final[dict[str, Callable[[_Survey, etree._Element], None]]] = {
    "area": _on_area,
    "audio": _on("media", "src"),
    "base": _on_base,
    "embed": _on("embed", "src"),
    "form": _on_form,
    "footer": _on_landmark,
    "frame": _on("frame", "src"),
    "h1": _on_h1,
    "header": _on_landmark,
    "iframe": _on("iframe", "src"),
    "img": _on_img,
    "input": _on_input,
    "link": _on_link,
    "main": _on_landmark,
    "meta": _on_meta,
    "nav": _on_landmark,
    "object": _on("embed", "data"),
    "script": _on("script", "src"),
    "source": _on_source,
    "title": _on_title,
    "track": _on("media", "src"),
    "video": _on_video,
}
_WATCHED: Final = ("a", *_HANDLERS)
_WITH_ROLES: Final = (*_WATCHED, *_ROLE_HOLDERS)


def _watched(data: bytes) -> tuple[str, ...]:
    """Elements that can matter on this page; looking at every <div> costs a page in ten."""
    return _WITH_ROLES if b"role=" in data else _WATCHED
