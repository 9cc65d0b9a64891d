"""Which distinct addresses does a document name?"""

from __future__ import annotations

import re
from typing import Final

from crawler.model import Distinct, Target, worth_keeping
from crawler.parse.encodings import output_of, percent_encoded
from crawler.parse.loops import indexes
from crawler.policy.urls import MAX_KEPT_URL, Resolver, UrlRules, resolve

REMEMBERED_BYTES: Final = 8 * 1024 * 1024
"""Memory, roughly, for the addresses that texts of links mean, of all documents."""
MAX_REMEMBERED: Final = 300
"""Characters of a text that is worth keeping."""
ENTRY_BYTES: Final = 260
"""What an address takes besides its characters."""

_PLAIN_FRAGMENT = re.compile(r"[\w.~:/?@!$&'()*+,;=%-]*", re.ASCII)
_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_OTHER_SCHEME = re.compile(r"\s*(?!https?:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_WEB: Final = ("http://", "https://")

_Addresses = dict[str, tuple[int, Target]]
"""What link texts mean, without fragments: identity and target of each that may be fetched. (To ask
the target for its identity, link by link, took as long as to look it up.)"""


class _Memory:
    """What link texts meant in the documents before: those of a site have most of theirs in common.

    What a text means depends on the folder of its document alone, of one that begins with a slash
    on the site, unless it speaks of the document itself (``?page=2``).
    """

    def __init__(self) -> None:
        self._known: dict[tuple[str | None, UrlRules], dict[str, _Addresses]] = {}
        self._bytes = 0

    def of(
        self, folder: str, site: str, charset: str | None, rules: UrlRules
    ) -> tuple[_Addresses, _Addresses]:
        """The addresses known in a folder, and on a site."""
        if self._bytes > REMEMBERED_BYTES:
            self._known.clear()
            self._bytes = 0
        places = self._known.get((charset, rules))
        if places is None:
            places = self._known[charset, rules] = {}
        return self._at(places, folder), self._at(places, site)

    def _at(self, places: dict[str, _Addresses], place: str) -> _Addresses:
        addresses = places.get(place)
        if addresses is None:
            self._bytes += ENTRY_BYTES + len(place)
            addresses = places[place] = {}
        return addresses

    def add(self, addresses: _Addresses, text: str, target: Target) -> None:
        """Keep one, unless it is very long or no address."""
        if len(text) <= MAX_REMEMBERED and target.refusal is None:
            addresses[text] = target.hash, target
            self._bytes += ENTRY_BYTES + len(text) + len(target.url)


_memory = _Memory()


class Targets:
    """The addresses of one document, each once, in order of first mention.

    base: what relative addresses stand on; it is read only when a text is new.
    """

    __slots__ = (
        *(
            "_base",
            "_by_hash",
            "_charset",
            "_here",
            "_known",
            "_odd",
            "_of_folder",
            "_of_site",
        ),
        *("_resolver", "_rules", "found"),
    )

    def __init__(self, base: str, rules: UrlRules, charset: str | None = "utf-8") -> None:
        self._charset = output_of(charset)
        self._base = base
        self._rules = rules
        self._resolver: Resolver | None = None
        self._of_folder, self._of_site = self._remembered()
        self._by_hash: dict[int, int] = {}
        self._known: dict[str, int] = {}
        self._odd: dict[str, tuple[int, str | None]] = {}
        self.found: list[Target] = []

    def __repr__(self) -> str:
        return f"<Targets {len(self.found)} distinct of {len(self._known)} texts>"

    def distinct(self) -> Distinct:
        """All that were found, as they travel."""
        return Distinct.identified(list(self._by_hash), self.found)

    def places(
        self, texts: list[str], fragments: list[str | None], *, plain: bool
    ) -> tuple[list[int], list[str | None]]:
        """The index of each link's target; each link's fragment, nothing where there is none.

        texts, fragments: what stands before and behind ``#``. plain: as `Survey` says.
        """
        if not plain:
            hrefs = map(_joined, texts, fragments)
            places = [self.place(href) for href in hrefs]
            return [index for index, _ in places], worth_keeping([exact for _, exact in places])

        def other(number: int) -> int:
            index, fragments[number] = self.place(_joined(texts[number], fragments[number]))
            return index

        memories, targets = (self._of_site, self._of_folder), (self._by_hash, self.found)
        places_of = indexes(texts, self._known, memories, targets, other)
        return places_of, worth_keeping(fragments)

    def place(self, href: str) -> tuple[int, str | None]:
        """The index of a link's target, and its fragment."""
        text, mark, fragment = href.partition("#")
        index = self._known.get(text)
        # White space before ``#`` belongs to the path, at the end of an address it does not; and
        # a fragment of plain characters alone comes out of the URL parser as it went in.
        plain = text[-1:] > " " or not text
        if mark and not (plain and _PLAIN_FRAGMENT.fullmatch(fragment)):
            return self._place_oddly(href)
        if index is None:
            target = self._read(text)
            if target.refusal:
                return self._place_oddly(href)
            index = self._known[text] = self.index(target)
        return index, fragment[:MAX_KEPT_URL] if mark else None

    def place_on(self, href: str, bases: tuple[str, ...]) -> int:
        """The index of a target that stands on bases of its own, each on the one before."""
        base = self._base
        for part in bases:
            target, _ = resolve(part, base, rules=self._rules)
            base = base if target.refusal else target.url
        if base == self._base:
            return self.place(href)[0]
        return self.index(resolve(href, base, rules=self._rules)[0])

    def _place_oddly(self, href: str) -> tuple[int, str | None]:
        """The same for what must be read as a whole: the fragment of what is no address belongs to
        its text."""
        place = self._odd.get(href)
        if place is None:
            target, fragment = self._resolve(href)
            place = self._odd[href] = self.index(target), fragment
        return place

    def index(self, target: Target) -> int:
        """The index of a target that has been read already."""
        found = self.found
        index = self._by_hash.setdefault(target.hash, len(found))
        if index == len(found):
            found.append(target)
        return index

    def _read(self, text: str) -> Target:
        """What a text without fragment means; it is not among those found for that."""
        addresses = self._addresses(text)
        known = None if addresses is None else addresses.get(text)
        if known is not None:
            return known[1]
        target, _ = self._resolve(text)
        if addresses is not None:
            _memory.add(addresses, text, target)
        return target

    def _addresses(self, text: str) -> _Addresses | None:
        """Where a text is remembered; None if it must be read with the whole base."""
        first = text[:1]
        if first == "/":
            return self._of_site
        if ":" in text:
            return self._of_site if text.startswith(_WEB) else None
        return self._of_folder if first.isalnum() or first == "." else None

    def _remembered(self) -> tuple[_Addresses, _Addresses]:
        base = self._base
        path = base.find("/", 8) if base.startswith(_WEB) else -1
        if path < 0:
            return {}, {}
        folder = base.partition("#")[0].partition("?")[0].rpartition("/")[0]
        return _memory.of(folder + "/", base[:path], self._charset, self._rules)

    def _resolve(self, href: str) -> tuple[Target, str | None]:
        if self._resolver is None:
            self._resolver = Resolver(self._base, self._rules)
        charset = self._charset
        if charset is not None and not href.isascii():
            href = _with_query_in(href, charset)
        return self._resolver.resolve(href)


def _joined(text: str, fragment: str | None) -> str:
    return text if fragment is None else f"{text}#{fragment}"


def _with_query_in(href: str, charset: str) -> str:
    """The query of a link is sent in the encoding of its page, the path always in UTF-8.

    https://url.spec.whatwg.org/#query-state
    """
    before, hashmark, fragment = href.partition("#")
    path, mark, query = before.partition("?")
    if not mark or _OTHER_SCHEME.match(path):
        return href
    encoded = _FOREIGN.sub(lambda found: percent_encoded(found[0], charset), query)
    return f"{path}?{encoded}{hashmark}{fragment}"
