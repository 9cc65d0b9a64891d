"""What does a page say, with its headings, lists, tables and links, as Markdown?

Its main part (as `main_text` has it) without what nobody sees is turned into Markdown (CommonMark,
tables as GitHub's) by html-to-markdown, which ran tenfold faster over real manuals than its kin,
and loses no table or code. Links and pictures are absolute; what leads to no web page or address
for mail is text. What Markdown would read as a mark or as HTML is escaped, and nothing else: the
library's own way to escape spoils every full stop for those who read it as it stands.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final

import msgspec
from lxml import etree

from crawler.parse.elements import region_of
from crawler.parse.main_text import ASIDE, HIDES
from crawler.parse.text import HIDDEN, clean
from crawler.parse.tree import base_of, read_tree
from crawler.policy.urls import UNLIMITED, resolve, scheme_of

MAX_BYTES: Final = 4 * 1024 * 1024
"""Of the Markdown of a page: absolute links may be a hundred times as long as they stood there."""
_MAX_ADDRESS: Final = 8192
_UNSEEN: Final = (
    *sorted(HIDDEN),
    *("audio", "button", "canvas", "embed", "head", "input", "meter", "progress", "select", "svg"),
    *("textarea", "video"),
)
_DROPPED: Final = "dropped"
"""Elements that are to be taken out get this name; to take them out one by one is quadratic."""
_SECTIONS: Final = frozenset({"article", "aside", "nav", "section"})
_TITLES: Final = ("h1", "h2", "h3", "h4", "h5", "h6", "dt")
_SIGNS: Final = frozenset({"", "#", "\u00a7", "\u00b6", "\U0001f517", "\uf0c1"})
_LINES: Final = frozenset({"br", "div", "li", "p", "tr"})
"""Elements of a block of code that end a line."""
_KEPT_SCHEMES: Final = frozenset({"mailto", "tel", "ftp"})
_AS_IT_STANDS: Final = frozenset({"code", "kbd", "pre", "samp", "tt"})
"""In these no character is a mark."""
_MARK: Final = re.compile(
    r"""\\(?=[!-/:-@\[-`{-~])              # what escapes punctuation (CommonMark 0.31, 2.4)
    |`|\[|\]
    |\*(?:(?=\S)|(?<=\S\*))               # emphasis (6.2)
    |_(?:(?!\w)|(?<!\w_))
    |<(?=[A-Za-z/!?]|\Z)                  # HTML and autolinks (6.5, 6.6), which may go on behind
    |&(?=\#?\w+;)                         # references to characters (2.5)
    |~(?:(?=~)|(?<=~~))                   # what is struck out (GitHub, 6.5)
    |=(?<=^=)(?==*\s*$)|-(?<=^-)(?=-*\s*$) # lines beneath headings, between parts (4.1, 4.3)
    """,
    re.VERBOSE,
)
_BEGINS: Final = re.compile(r"( *(?:\d{1,9}(?=[.)](?:\s|$))|(?=(?:#{1,6}|[-+*])(?:\s|$)|>)))(.)")
"""Where a text could begin a heading, a list or a quotation (4.2, 5.1, 5.2)."""
_STAND_INS: Final = {mark: 0xFDD0 + place for place, mark in enumerate("\\`[]*_<&~=-.)#+>")}
"""What stands for marks while the library is at work: characters that are none (Unicode, 23.7)."""
_ENDS_CODE: Final = "\ufdef"
"""Stands behind code within a line: what touches the next would be one mark with its own (6.1)."""
_ESCAPED: Final = {code: f"\\{mark}" for mark, code in _STAND_INS.items()} | {ord(_ENDS_CODE): ""}
_SPACES: Final = re.compile(r"[ \t\r\n\f]{2,}|[\t\r\n\f]")
_CONTROLS: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_NOT_OF_XML: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufdd0-\ufdef\ufffe\uffff]")
"""What a tree gives and does not take (XML 1.0, section 2.2), and what stands for marks: white
space here."""


class Markdown(msgspec.Struct, frozen=True, array_like=True):
    """A page's main part. cut: there is more of it than `MAX_BYTES`."""

    text: str
    cut: bool = False


def read_markdown(body: bytes, charset: str | None, url: str) -> Markdown:
    """The Markdown of a page as it was sent. charset: what it was read as. url: its own."""
    root = read_tree(body, charset)
    base = base_of(root, url)
    part = _main_part(root)
    _make_absolute(part, base)
    for pre in _outermost(part, lambda element: element.tag == "pre"):
        _flatten(pre)
    _escape(part)
    made = _converted(etree.tostring(part, encoding="unicode", method="html"))
    apart = made.replace(f"{_ENDS_CODE}`", " `").translate(_ESCAPED)
    text = clean(_CONTROLS.sub(" ", apart))
    data = text.encode()
    if len(data) <= MAX_BYTES:
        return Markdown(text)
    whole = data[:MAX_BYTES].decode("utf-8", "ignore")
    return Markdown(whole[: whole.rfind("\n") + 1] or whole, cut=True)


def _main_part(root: etree._Element) -> etree._Element:
    """What ``main`` holds, or where there is none, all but what frames it; the tree is changed."""
    for element in [*_outermost(root, _is_unseen), *_permalinks(root)]:
        element.tag = _DROPPED
    etree.strip_elements(root, *_UNSEEN, _DROPPED, with_tail=False)
    mains = list(_outermost(root, lambda element: _region(element) == "main"))
    if mains:
        whole = etree.Element("div")
        for main in mains:
            main.tail = None
            whole.append(main)
        return whole
    for element in list(_frames(root)):
        element.tag = _DROPPED
    etree.strip_elements(root, _DROPPED, with_tail=False)
    return root


def _outermost(
    part: etree._Element, wanted: Callable[[etree._Element], bool]
) -> list[etree._Element]:
    """Elements that are wanted and lie in none such."""
    found = []
    walk = etree.iterwalk(part, events=("start",))
    for _, element in walk:
        if wanted(element):
            found.append(element)
            walk.skip_subtree()
    return found


def _is_unseen(element: etree._Element) -> bool:
    hidden = element.get("hidden")
    if hidden is not None and hidden.lower() != "until-found":
        return True
    style = element.get("style")
    return style is not None and HIDES.search(style) is not None


def _permalinks(root: etree._Element) -> Iterator[etree._Element]:
    """Links by which headings, and terms, link to themselves."""
    inside = 0
    for event, element in etree.iterwalk(root, events=("start", "end"), tag=(*_TITLES, "a")):
        if element.tag != "a":
            inside += 1 if event == "start" else -1
        elif inside and event == "end" and _is_sign(element):
            yield element


def _is_sign(link: etree._Element) -> bool:
    return (
        str(link.get("href", "")).startswith("#")
        and not len(link)
        and (link.text or "").strip() in _SIGNS
    )


def _frames(root: etree._Element) -> Iterator[etree._Element]:
    """What is around the page's own; the header of a section is its own (HTML-AAM 1.0)."""
    sections = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        if element.tag in _SECTIONS:
            sections += 1 if event == "start" else -1
        if event == "start":
            region = _region(element)
            if element.tag == "aside" or region == "nav" or (region in ASIDE and not sections):
                yield element


def _region(element: etree._Element) -> str | None:
    return region_of(str(element.tag), element.get("role"))


def _make_absolute(part: etree._Element, base: str) -> None:
    room = MAX_BYTES
    for element in part.iter("a", "img"):
        name = "src" if element.tag == "img" else "href"
        element.attrib.pop("title", None)
        said = element.attrib.pop(name, None)
        address = None if said is None or room <= 0 else _address(str(said), base)
        if address is not None:
            room -= len(address)
            element.set(name, address)
        elif name == "src":
            element.tag, element.text = "span", _of_xml(element.get("alt", ""))


def _address(said: str, base: str) -> str | None:
    target, fragment = resolve(said, base, rules=UNLIMITED)
    if target.refusal and scheme_of(target.url) not in _KEPT_SCHEMES:
        return None
    address = target.url if fragment is None else f"{target.url}#{fragment}"
    return address if len(address) <= _MAX_ADDRESS else None


def _flatten(pre: etree._Element) -> None:
    """Leave of a block of code its lines, and the element that names the language."""
    said = next((one for one in pre.iter("code") if one.get("class")), None)
    parts = []
    for event, element in etree.iterwalk(pre, events=("start", "end")):
        if event == "start":
            parts.append(element.text or "")
        elif element is not pre:
            parts += ("\n" if element.tag in _LINES else "", element.tail or "")
    pre[:] = []
    pre.text = _of_xml("".join(parts))
    if said is not None:
        code = etree.SubElement(pre, "code", {"class": _of_xml(said.get("class", ""))})
        pre.text, code.text = None, pre.text


def _escape(part: etree._Element) -> None:
    """Texts outside of code, and words for pictures, on one line each, without marks."""
    plain = 0
    for event, element in etree.iterwalk(part, events=("start", "end")):
        is_plain = element.tag in _AS_IT_STANDS
        if event == "start":
            plain += is_plain
            as_shown = _of_xml if plain else _unmarked
            if element.text:
                element.text = as_shown(element.text)
            if said := element.get("alt"):
                element.set("alt", as_shown(said))
        else:
            plain -= is_plain
            tail = element.tail or ""
            if plain:
                element.tail = _of_xml(tail)
            else:
                ends = _ENDS_CODE if is_plain and element.tag != "pre" else ""
                element.tail = ends + _unmarked(tail)


def _unmarked(text: str) -> str:
    text = _of_xml(_SPACES.sub(" ", text))
    if begins := _BEGINS.match(text):
        text = f"{begins[1]}{_stand_in(begins[2])}{text[begins.end() :]}"
    return _MARK.sub(lambda mark: _stand_in(mark[0]), text)


def _of_xml(text: str) -> str:
    return _NOT_OF_XML.sub(" ", text)


def _stand_in(mark: str) -> str:
    return chr(_STAND_INS[mark])


@cache
def _options() -> Any:
    from html_to_markdown import ConversionOptions, PreprocessingOptions

    return ConversionOptions(
        autolinks=False,
        compact_tables=True,
        expand_abbreviations=False,
        extract_metadata=False,
        highlight_style="none",
        include_blockquote_citations=False,
        preprocessing=PreprocessingOptions(enabled=False),
        sup_symbol="^",
    )


def _converted(html: str) -> str:
    from html_to_markdown import convert

    return str(convert(html, _options()).content or "")
