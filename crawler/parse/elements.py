"""What on a page matters, and what is made of it?

`Survey` is what one look at a page finds. The look itself (`scan`) knows anchors, landmarks,
the title, the first heading and how text is shown; what all other elements mean is said here, once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final, TypeGuard

from crawler.parse.refresh import read_refresh
from crawler.parse.robots_directives import wishes
from crawler.parse.srcset import candidates
from crawler.parse.text import fact
from crawler.policy.agent import PRODUCT
from crawler.policy.urls import MAX_KEPT_URL

MAX_ANCHOR: Final = 1000
"""Characters that are kept of an anchor."""

LANDMARKS: Final = {"nav": "nav", "header": "header", "main": "main", "footer": "footer"}
"""Elements that are a region of their page."""

ROLES: Final = {
    "navigation": "nav",
    "banner": "header",
    "main": "main",
    "contentinfo": "footer",
}
ROLE_HOLDERS: Final = (
    *("article", "aside", "center", "div", "ol", "section", "table", "tbody", "td", "tr"),
    "ul",
)
"""Elements besides the landmarks themselves that are asked for a role."""

SHADOWS: Final = frozenset({"open", "closed"})
"""Values of ``shadowrootmode`` with which a template is shown."""

_MAX_LANDMARKS: Final = 1000
_FEED_TYPES: Final = frozenset(
    {
        *("application/rss+xml", "application/atom+xml", "application/rdf+xml"),
        "application/feed+json",
    }
)
_PAGE_TYPES: Final = frozenset({"", "text/html", "application/xhtml+xml", "text/plain"})
_HINTS: Final = (
    *("preconnect", "dns-prefetch", "pingback", "edituri", "profile", "webmention", "hub"),
    *("micropub", "indieauth-metadata", "authorization_endpoint", "token_endpoint"),
    *("openid.server", "openid2.provider", "schema.dc", "schema.dcterms"),
)
"""Words of rel that name origins, endpoints and vocabularies."""

# The first word of rel that stands here decides; an alternate style sheet is a style sheet.
_REL_KINDS: Final = (
    ("stylesheet", "stylesheet"),
    ("canonical", "canonical"),
    ("alternate", "alternate"),
    ("next", "next"),
    ("prev", "prev"),
    ("previous", "prev"),
    ("preload", "preload"),
    ("modulepreload", "preload"),
    ("icon", "icon"),
    ("apple-touch-icon", "icon"),
    ("apple-touch-icon-precomposed", "icon"),
    ("mask-icon", "icon"),
    *((word, "hint") for word in _HINTS),
)
PLAIN: Final = re.compile(rf"[!#-;=?-_a-~]{{0,{MAX_KEPT_URL}}}")
"""Of such an address the fragment comes out of the URL parser as it went in.

https://url.spec.whatwg.org/#fragment-percent-encode-set
"""


Attributes = Mapping[str, str]
"""An element's, by name, empty where only a name stands. Nobody may ask for those that HTML 4 calls
boolean (``checked``): libxml2's trees give them their name as value."""


@dataclass(slots=True)
class Landmarks:
    """Which of a page's links stand in which landmark?

    found: of each its first link, the one behind its last, and the region it is. inside: places of
    those that are open, -1 where there are more than are kept. links: how many there are so far.
    """

    found: list[tuple[int, int, str]] = field(default_factory=list)
    inside: list[int] = field(default_factory=list)

    def enter(self, region: str, links: int) -> None:
        """What follows stands in it."""
        if len(self.found) < _MAX_LANDMARKS:
            self.inside.append(len(self.found))
            self.found.append((links, -1, region))
        else:
            self.inside.append(-1)

    def leave(self, links: int) -> None:
        """The one entered last ends."""
        place = self.inside.pop()
        if place >= 0:
            first, _, region = self.found[place]
            self.found[place] = first, links, region

    def end(self, links: int) -> None:
        """So does the page."""
        while self.inside:
            self.leave(links)

    def regions(self, links: int) -> list[str | None]:
        """The nearest landmark around each link; nothing where there is no landmark."""
        if not self.found:
            return []
        regions: list[str | None] = [None] * links
        for first, end, region in self.found:
            regions[first:end] = [region] * (end - first)
        return regions


class Survey:
    """What one look at a page finds.

    kinds, texts, fragments, anchors, rels: columns of the links in document order; the text is the
    address as written up to ``#``, the fragment what stands behind it, None where there is none.
    plain: no fragment needs the URL parser, no address is very long.
    overflow: there were more links than are wanted. base, canonical: href as written;
    leads_on: that of the first refresh which stands for a redirect.
    lang: of the whole page, as written; language: as a meta element gives it. robots: directives,
    in order of mention, for all or for the robot called `robot`. title: the first; h1, description:
    the first that is not empty; all folded and cut. text: what is shown, white space folded to
    single spaces; words: how many it has.
    """

    __slots__ = (
        *("anchors", "base", "canonical", "description", "fragments", "h1", "kinds", "landmarks"),
        *(
            "lang",
            "language",
            "leads_on",
            "overflow",
            "plain",
            "rels",
            "robot",
            "robots",
            "text",
        ),
        *("texts", "title", "words"),
    )

    def __init__(self, robot: str = PRODUCT) -> None:
        self.robot = robot
        self.kinds: list[str] = []
        self.texts: list[str] = []
        self.fragments: list[str | None] = []
        self.plain = True
        self.anchors: list[str | None] = []
        self.rels: list[str | None] = []
        self.landmarks = Landmarks()
        self.overflow = False
        self.base: str | None = None
        self.title: str | None = None
        self.description: str | None = None
        self.h1: str | None = None
        self.lang: str | None = None
        self.language: str | None = None
        self.robots: list[str] = []
        self.canonical: str | None = None
        self.leads_on: str | None = None
        self.text = ""
        self.words = 0

    def __repr__(self) -> str:
        return f"<Survey {len(self.texts)} links, {len(self.landmarks.found)} landmarks>"

    def add(self, kind: str, url: str, anchor: str | None = None, rel: str | None = None) -> None:
        """Record a link."""
        text, mark, fragment = url.partition("#")
        self.kinds.append(kind)
        self.texts.append(text)
        self.fragments.append(fragment if mark else None)
        self.anchors.append(anchor)
        self.rels.append(rel)
        if self.plain and not PLAIN.fullmatch(url):
            self.plain = False

    def enter(self, region: str) -> None:
        """What follows stands in a landmark, until `leave`."""
        self.landmarks.enter(region, len(self.texts))

    def leave(self) -> None:
        """The landmark entered last ends here."""
        self.landmarks.leave(len(self.texts))

    def end(self, max_links: int) -> None:
        """All links are found, or more than are wanted."""
        if len(self.texts) > max_links:
            self.overflow = True
            for column in (self.kinds, self.texts, self.fragments, self.anchors, self.rels):
                del column[max_links:]
        self.landmarks.end(len(self.texts))

    def regions(self) -> list[str | None]:
        """The nearest landmark around each link; nothing where there is no landmark."""
        return self.landmarks.regions(len(self.texts))


@lru_cache(maxsize=1024)
def rel_kind(rel: str, media_type: str) -> str:
    """The kind of a link with this rel, lower case, to something of this type."""
    words = words_of(rel)
    kind = next((kind for word, kind in _REL_KINDS if word in words), "link")
    if kind != "alternate":
        return kind
    media_type = media_type.partition(";")[0].strip().lower()
    if media_type in _FEED_TYPES:
        return "feed"
    return "alternate" if media_type in _PAGE_TYPES else "link"


def words_of(rel: str) -> list[str]:
    """The words of a rel attribute; some write commas or semicolons between them."""
    return rel.replace(",", " ").replace(";", " ").split()


def region_of(tag: str, role: str | None) -> str | None:
    """What a landmark, or an element with a role, is to its page."""
    return ROLES.get(role or "") or LANDMARKS.get(tag)


def _names(url: str | None) -> TypeGuard[str]:
    """Does this name an address? An empty one is the page's own, which only an anchor can mean."""
    return bool(url) and not str(url).isspace()


def _on_link(survey: Survey, attributes: Attributes) -> None:
    href, rel = attributes.get("href"), attributes.get("rel")
    kind = rel_kind((rel or "").lower(), attributes.get("type", ""))
    if kind == "preload":
        for url in candidates(attributes.get("imagesrcset", "")):
            survey.add("srcset", url)
    if not _names(href):
        return
    survey.add(kind, href, None, rel)
    if kind == "canonical" and survey.canonical is None:
        survey.canonical = href


def _on_meta(survey: Survey, attributes: Attributes) -> None:
    content = attributes.get("content")
    if content is None:
        return
    name = attributes.get("name", "").strip().lower()
    if name == "description":
        if survey.description is None:
            survey.description = fact(content) or None
    elif name == "robots" or name == survey.robot:
        survey.robots.extend(wishes(content))
    elif not name or "http-equiv" in attributes:
        _on_pragma(survey, attributes.get("http-equiv", "").strip().lower(), content)


def _on_pragma(survey: Survey, pragma: str, content: str) -> None:
    """https://html.spec.whatwg.org/multipage/semantics.html#pragma-directives"""
    if pragma == "refresh":
        refresh = read_refresh(content)
        if refresh is not None and _names(refresh.url):
            survey.add("refresh", refresh.url)
            if refresh.is_soon and survey.leads_on is None:
                survey.leads_on = refresh.url
    elif pragma == "content-language" and "," not in content and content.strip():
        survey.language = content.split()[0]


def _on_base(survey: Survey, attributes: Attributes) -> None:
    if survey.base is None:
        survey.base = attributes.get("href")


def _on_area(survey: Survey, attributes: Attributes) -> None:
    href = attributes.get("href")
    if href is not None:
        survey.add("area", href, _alt(attributes), attributes.get("rel"))


def _on_form(survey: Survey, attributes: Attributes) -> None:
    action = attributes.get("action")
    if action is not None:
        survey.add("form", action, None, attributes.get("rel"))


def _on_img(survey: Survey, attributes: Attributes) -> None:
    alt = _alt(attributes)
    src = attributes.get("src")
    if _names(src):
        survey.add("img", src, alt)
    _on_srcset(survey, attributes, alt)


def _on_input(survey: Survey, attributes: Attributes) -> None:
    if attributes.get("type", "").strip().lower() == "image":
        _on_img(survey, attributes)


def _on_source(survey: Survey, attributes: Attributes) -> None:
    _on_src(survey, attributes)
    _on_srcset(survey, attributes, None)


def _on_srcset(survey: Survey, attributes: Attributes, alt: str | None) -> None:
    srcset = attributes.get("srcset")
    if srcset:
        for url in candidates(srcset):
            survey.add("srcset", url, alt)


def _on_video(survey: Survey, attributes: Attributes) -> None:
    _on_src(survey, attributes)
    _on_poster(survey, attributes)


def _alt(attributes: Attributes) -> str | None:
    alt = attributes.get("alt")
    return None if alt is None else fact(alt)[:MAX_ANCHOR]


Handler = Callable[[Survey, Attributes], None]


def _on(kind: str, attribute: str) -> Handler:
    def handler(survey: Survey, attributes: Attributes) -> None:
        url = attributes.get(attribute)
        if _names(url):
            survey.add(kind, url)

    return handler


_on_src: Final = _on("media", "src")
_on_poster: Final = _on("media", "poster")

HANDLERS: Final[dict[str, Handler]] = {
    "area": _on_area,
    "audio": _on_src,
    "base": _on_base,
    "embed": _on("embed", "src"),
    "form": _on_form,
    "frame": _on("frame", "src"),
    "iframe": _on("iframe", "src"),
    "img": _on_img,
    "input": _on_input,
    "link": _on_link,
    "meta": _on_meta,
    "object": _on("embed", "data"),
    "script": _on("script", "src"),
    "source": _on_source,
    "track": _on_src,
    "video": _on_video,
}
"""What is done at an element that the look does not know itself."""
