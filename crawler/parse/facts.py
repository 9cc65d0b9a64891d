"""What does a page say about itself that only an audit asks?

A second, slower look than the crawl's (`scan`), taken after the crawl at bodies that were kept: a
pure function of a body, so that it is taken once of each. What leads elsewhere is told by the same
table of elements (`elements.HANDLERS`), so that the numbers of links are those of the table
``links``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from lxml import etree

from crawler.parse._scan_py import _html_parser
from crawler.parse.charset import decode
from crawler.parse.elements import HANDLERS, LANDMARKS, Survey
from crawler.parse.head import Head, read_head
from crawler.parse.html import one_body
from crawler.parse.language import language_of
from crawler.parse.link_facts import LinkNotes, names_itself
from crawler.parse.main_text import MainText
from crawler.parse.prose import count_sentences, count_syllables
from crawler.parse.root_tags import read_root_tags
from crawler.parse.secrets import find_secrets
from crawler.parse.signature import signature_of
from crawler.parse.structured_data import StructuredData
from crawler.parse.text import HIDDEN, fold
from crawler.store.facts import BodyFacts, Row

MAX_TEXT: Final = 1000
_MAX_IDS: Final = 256 * 1024
_DECLARED: Final = re.compile(rb"<meta[^>]*?charset\s*=\s*[\"']?\s*([^\s\"'/>;]+)", re.IGNORECASE)
_KEPT_METAS: Final = re.compile(r"robots|.*bot\b|og:|twitter:|article:|refresh|referrer|content-")
_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_SCRIPT_TYPES: Final = re.compile(r"(?:module|(?:text|application)/(?:x-)?(?:java|ecma|j)script|)")
_BODY_RELS: Final = frozenset(
    {
        *("dns-prefetch", "modulepreload", "pingback", "preconnect", "prefetch", "preload"),
        *("prerender", "stylesheet"),
    }
)
"""What a link element in the body may be: https://html.spec.whatwg.org/#body-ok"""
_FRAMES: Final = frozenset({"frame", "object", "embed", "applet"})
_OG: Final = ("title", "type", "image", "url")

_MARKS: Final = (b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")
"""Byte order marks: https://encoding.spec.whatwg.org/#bom-sniff"""


def read_facts(body: bytes, charset: str | None, *, max_links: int = 10_000) -> BodyFacts:
    """Facts of a page as it was sent; charset: what it was read as."""
    data, _ = decode(body, charset)
    look = _Look(read_head(data), max_links)
    root: etree._Element | None = etree.fromstring(one_body(data), _html_parser())
    if root is not None:
        look.walk(root)
    facts = look.facts()
    declared = _DECLARED.search(body[:1024])
    heads, bodies, text_first = read_root_tags(data)
    facts.values = {
        **(facts.values or {}),
        "charset": declared and declared[1].decode("ascii", "replace").lower(),
        "byte_order_mark": int(body.startswith(_MARKS)),
        "secrets": find_secrets(data),
        "heads": heads,
        "bodies": bodies,
        "text_first": int(text_first),
    }
    return facts


def read_main_text(body: bytes, charset: str | None) -> str:
    """The main text of a page, as `read_facts` finds it."""
    data, _ = decode(body, charset)
    look = _Look(read_head(data), 0)
    root: etree._Element | None = etree.fromstring(one_body(data), _html_parser())
    if root is not None:
        look.walk(root)
    return look.main_text()


class _Open(msgspec.Struct):
    """A heading that is open: its row's number, and what of it is text."""

    element: Any
    level: int
    text: list[str] = []
    alt: list[str] = []


class _Numbers(Survey):
    """Of links only their kinds, in the order of their numbers, and where they lead."""

    def add(self, kind: str, url: str, anchor: str | None = None, rel: str | None = None) -> None:
        self.kinds.append(kind)
        self.texts.append(url)


class _Look:
    """One walk over a tree, with what is open and what was noted."""

    def __init__(self, head: Head, max_links: int) -> None:
        self._head = head
        self._survey = _Numbers()
        self._links = LinkNotes(max_links)
        self._main = MainText()
        self._data = StructuredData()
        self._values: dict[str, Any] = {}
        self._counts = dict.fromkeys(_COUNTS, 0)
        self._seen = {"title": 0, "meta": 0, "link": 0, "base": 0}
        self._canonicals: dict[str, None] = {}
        self._robots: list[str] = []
        self._ids: dict[str, None] = {}
        self._twice: dict[str, None] = {}
        self._headings: list[_Open] = []
        self._heading: _Open | None = None
        self._metas: list[Row] = []
        self._svgs = 0

    def walk(self, root: etree._Element) -> None:
        """Look at every element in document order; what stands in a template is none of the page's
        (https://html.spec.whatwg.org/#the-template-element)."""
        self._values["lang"] = root.get("lang") or root.get("xml:lang")
        depth = deepest = nodes = 0
        for part in (root, *root.itersiblings()):
            walk = etree.iterwalk(part, events=("start", "end"))
            for event, element in walk:
                tag: Any = element.tag
                if event == "end":
                    depth -= 1
                    if tag in _ENDS:
                        self._end(tag, element)
                    if not self._main.leave_light():
                        self._main.end(tag)
                        self._links.in_main = self._main.in_main > 0
                    if tail := element.tail:
                        self._say(tail)
                    continue
                depth += 1
                nodes += 1
                if depth > deepest:
                    deepest = depth
                if tag == "template":
                    self._main.enter_light(tag)
                    walk.skip_subtree()
                    continue
                self._start(tag, element)
        self._values |= {"nodes": nodes, "depth": deepest}

    def _start(self, tag: str, element: etree._Element) -> None:
        names = element.keys()  # asking it for one that is not there takes longer than this
        if tag not in _SPECIAL and _TELLING.isdisjoint(names):
            if "id" in names:
                self._note_id(element)
            self._main.enter_light(tag)
            if text := element.text:
                self._say(text)
            return
        if names:
            self._note_attributes(tag, element, names)
        if tag in _PLACES or not _PLACING.isdisjoint(names):
            self._main.start(tag, element, names)
            self._links.in_main = self._main.in_main > 0
        else:
            self._main.enter_light(tag)
        if tag == "a":
            self._open_anchor(element, names)
        if text := element.text:
            self._say(text)
        noted = _STARTS.get(tag)
        if noted is not None:
            noted(self, tag, element)
        if tag in HANDLERS:
            self._lead(tag, element)

    def _open_anchor(self, element: etree._Element, names: Sequence[str]) -> None:
        """Before its text, which is what names it."""
        href = element.get("href")
        leads_to = element.get("xlink:href") if href is None else href
        first = -1
        if leads_to is not None:
            first = len(self._survey.texts)
            self._survey.add("a", leads_to)
        self._links.open_anchor(element, names, first, href)

    def _end(self, tag: str, element: etree._Element) -> None:
        if tag == "a":
            self._counts["names_missing"] += self._links.close_anchor()
        elif tag == "svg":
            self._svgs -= 1
        elif tag == "label":
            self._links.end_label()
        elif self._heading is not None and self._heading.element is element:
            self._heading = None

    def _say(self, text: str) -> None:
        """Text stands here, within an element or behind it."""
        if self._main.hidden:
            return
        self._main.add(text)
        if self._links.anchors:
            self._links.text(text)
        if self._heading is not None:
            self._heading.text.append(text)

    def _lead(self, tag: str, element: etree._Element) -> None:
        """What the table of elements says of this one, with the numbers of its links."""
        first = len(self._survey.texts)
        attributes = {str(name): str(value) for name, value in element.items()}
        HANDLERS[tag](self._survey, attributes)
        if len(self._survey.texts) > first:
            kind = self._survey.kinds[first]
            self._links.element(tag, attributes, kind, first, self._is_outside(tag))

    def _is_outside(self, tag: str) -> bool:
        """Does this one, which was counted last, stand behind the end of the head?"""
        return tag in self._seen and self._seen[tag] > self._head.counts.get(tag, 0)

    def _note_id(self, element: etree._Element) -> None:
        if name := element.get("id"):
            (self._twice if name in self._ids else self._ids)[name] = None

    def _note_attributes(self, tag: str, element: etree._Element, names: Sequence[str]) -> None:
        if "id" in names:
            self._note_id(element)
        if tag == "a" and "name" in names and (name := element.get("name")):
            self._ids.setdefault(str(name))
        if "itemscope" in names:
            self._data.add_microdata(element)
        if "typeof" in names:
            self._data.add_rdfa(element)

    # what single elements mean

    def _title(self, tag: str, element: etree._Element) -> None:
        if self._svgs:
            self._links.names_anchor(element.text)
            return
        self._seen[tag] += 1
        self._count("titles", self._is_outside(tag))
        self._values.setdefault("title", fold(element.text or "")[:MAX_TEXT])

    def _meta(self, tag: str, element: etree._Element) -> None:
        number = self._seen[tag]
        self._seen[tag] += 1
        outside = self._is_outside(tag)
        names = map(element.get, ("name", "property", "http-equiv"))
        name = fold(next(filter(None, names), None) or "").lower()
        content = element.get("content")
        if outside and element.get("itemprop") is None and name:
            self._counts["metas_outside"] += 1
        if content is None:
            return
        content = fold(content)[:MAX_TEXT]
        self._note_meta(name, content, outside=outside)
        self._data.saw_date(content if name.startswith("article:") else None)
        if _KEPT_METAS.match(name):
            self._metas.append((number, name, content, int(not outside)))

    def _note_meta(self, name: str, content: str, *, outside: bool) -> None:
        if name == "description":
            self._count("descriptions", outside)
            self._values.setdefault("description", content)
        elif name == "robots":
            self._robots.append(content)
            self._counts["robots_outside"] += outside
        elif name in ("viewport", "refresh"):
            self._values.setdefault(name, content)
        elif name == "twitter:card":
            self._values.setdefault("twitter_card", content)
        elif name.startswith("og:") and name[3:] in _OG:
            self._values.setdefault(f"og_{name[3:]}", content)

    def _link(self, tag: str, element: etree._Element) -> None:
        self._seen[tag] += 1
        rels = element.get("rel", "").lower().split()
        outside = self._is_outside(tag)
        may_stand_here = element.get("itemprop") is not None or _BODY_RELS.intersection(rels)
        if outside and not may_stand_here:
            self._counts["metas_outside"] += 1
        if "canonical" in rels:
            href = element.get("href", "")
            self._count("canonicals", outside)
            self._canonicals[href.strip()] = None
            self._values.setdefault("canonical_href", href[:MAX_TEXT])
            odd = [name for name in ("hreflang", "lang", "media", "type") if element.get(name)]
            if odd:
                self._values.setdefault("canonical_attributes", " ".join(odd))

    def _base(self, tag: str, element: etree._Element) -> None:
        self._seen[tag] += 1
        href = element.get("href")
        if href is not None:
            self._values.setdefault("base_href", href[:MAX_TEXT])

    def _heading_starts(self, tag: str, element: etree._Element) -> None:
        text = [] if self._main.hidden or not element.text else [element.text]
        self._heading = _Open(element, _HEADINGS[tag], text)
        self._headings.append(self._heading)

    def _img(self, _tag: str, element: etree._Element) -> None:
        alt = element.get("alt")
        self._links.image(alt)
        if self._heading is not None:
            self._heading.alt.append(alt or "")

    def _script(self, tag: str, element: etree._Element) -> None:
        kind = element.get("type", "").partition(";")[0].strip().lower()
        if kind == "application/ld+json":
            self._data.add_jsonld(element.text or "")
        elif tag == "script" and _SCRIPT_TYPES.fullmatch(kind):
            self._counts["scripts"] += 1
        if element.text and element.get("src") is None:
            self._counts["inline_bytes"] += len(element.text.encode())

    def _field(self, tag: str, element: etree._Element) -> None:
        kind = element.get("type", "").strip().lower()
        self._counts["passwords"] += tag == "input" and kind == "password"
        if kind not in ("hidden", "submit", "reset", "button"):
            self._links.field(element, is_image=kind == "image")

    def _button(self, _tag: str, element: etree._Element) -> None:
        self._counts["names_missing"] += not (
            names_itself(element) or fold("".join(element.itertext())) or _alt_within(element)
        )

    def _iframe(self, _tag: str, element: etree._Element) -> None:
        self._counts["names_missing"] += not names_itself(element)

    def _frame(self, _tag: str, _element: etree._Element) -> None:
        self._counts["frames"] += 1

    def _form(self, _tag: str, _element: etree._Element) -> None:
        self._counts["forms"] += 1

    def _picture(self, _tag: str, element: etree._Element) -> None:
        self._counts["pictures_empty"] += element.find(".//img") is None

    def _svg(self, _tag: str, _element: etree._Element) -> None:
        self._svgs += 1

    def _time(self, _tag: str, element: etree._Element) -> None:
        self._data.saw_date(element.get("datetime"))

    def _label(self, _tag: str, element: etree._Element) -> None:
        self._links.label(element)

    def _count(self, name: str, outside: bool) -> None:
        self._counts[name] += 1
        self._counts[f"{name}_outside"] += outside

    def main_text(self) -> str:
        """What of the page is its own."""
        self._main.values()
        return self._main.text

    def facts(self) -> BodyFacts:
        """Everything as rows."""
        shown = [(fold("".join(one.text)), fold(" ".join(one.alt))) for one in self._headings]
        levels = [one.level for one in self._headings]
        counts = self._counts
        counts["names_missing"] += self._links.unnamed_fields()
        return BodyFacts(
            {
                **self._values,
                **counts,
                **self._main.values(),
                "signature": signature_of(self._main.text),
                "sentences": count_sentences(self._main.text),
                "syllables": count_syllables(self._main.text, self._values["lang"] or ""),
                **language_of(self._main.text),
                **self._data.values(),
                "doctype": int(self._head.doctype),
                "head_ended_by": self._head.ended_by,
                "robots": ", ".join(self._robots)[:MAX_TEXT] or None,
                "canonical_values": len(self._canonicals),
                "outline": "".join(map(str, levels)),
                "anchors": sum(map(self._survey.kinds.count, ("a", "area"))),
                "h1s": levels.count(1),
                "h2s": levels.count(2),
                "headings_empty": sum(not text and not alt for text, alt in shown),
                "ids": " ".join(self._ids)[:_MAX_IDS] or None,
                "ids_duplicate": " ".join(self._twice)[:MAX_TEXT] or None,
                "links_uncrawlable": self._links.uncrawlable,
            },
            [
                (number, level, " ".join(filter(None, (text, alt)))[:MAX_TEXT], int(not text))
                for number, (level, (text, alt)) in enumerate(zip(levels, shown, strict=True))
                if level < 3 and (text or alt)
            ],
            self._metas,
            self._links.rows(),
            self._data.rows,
        )


def _alt_within(element: etree._Element) -> bool:
    return any(names_itself(inner) or inner.get("alt") for inner in element.iterdescendants())


_COUNTS: Final = (
    *("titles", "titles_outside", "descriptions", "descriptions_outside", "robots_outside"),
    *("canonicals", "canonicals_outside", "metas_outside", "forms", "passwords", "scripts"),
    *("inline_bytes", "frames", "names_missing", "pictures_empty"),
)
_STARTS: Final = {
    "title": _Look._title,
    "meta": _Look._meta,
    "link": _Look._link,
    "base": _Look._base,
    **dict.fromkeys(_HEADINGS, _Look._heading_starts),
    "img": _Look._img,
    "script": _Look._script,
    "style": _Look._script,
    **dict.fromkeys(("input", "select", "textarea"), _Look._field),
    "button": _Look._button,
    "iframe": _Look._iframe,
    **dict.fromkeys(_FRAMES, _Look._frame),
    "form": _Look._form,
    "picture": _Look._picture,
    "svg": _Look._svg,
    "time": _Look._time,
    "label": _Look._label,
}
_ENDS: Final = frozenset({"a", "svg", "label", *_HEADINGS})
"""Elements whose end tells something beside what is shown."""
_PLACES: Final = frozenset({"aside", *HIDDEN, *LANDMARKS})
_PLACING: Final = frozenset({"role", "style"})
"""What tells whether, and in which part of the page, something is shown."""
_SPECIAL: Final = frozenset({"a", "svg", "label", "template", *_STARTS, *HANDLERS, *_PLACES})
"""Elements that are told apart; of others there is nothing to say but their id and their text, and
what these of their attributes tell."""
_TELLING: Final = frozenset({"itemscope", "typeof", *_PLACING})
assert "script" in HIDDEN  # its text is none of a heading's or an anchor's
