"""Which distinct addresses does a document name?"""

from __future__ import annotations

import re
from urllib.parse import quote

from crawler.model import Target
from crawler.parse.charset import codec_of
from crawler.policy.urls import MAX_KEPT_URL, Resolver

_PLAIN_FRAGMENT = re.compile(r"[\w.~:/?@!$&'()*+,;=%-]*", re.ASCII)

_FOREIGN = re.compile(r"[^\x00-\x7f]+")
_OTHER_SCHEME = re.compile(r"\s*(?!https?:)[a-z][a-z0-9+.-]*:", re.IGNORECASE)


class Targets:
    """The addresses of one document, each once, in order of first mention.

    Most links of a page repeat: the same text is read once, and of ``#section`` only the fragment
    is new.
    """

    __slots__ = ("_by_hash", "_codec", "_resolve", "found", "known")

    def __init__(self, base: str, max_url_bytes: int, charset: str | None = "utf-8") -> None:
        codec = codec_of(charset)
        self._codec = None if codec.startswith("utf-") else codec
        self._resolve = Resolver(base, max_bytes=max_url_bytes).resolve
        self._by_hash: dict[int, int] = {}
        self.known: dict[str, tuple[int, str | None]] = {}
        self.found: list[Target] = []

    def __repr__(self) -> str:
        return f"<Targets {len(self.found)} distinct of {len(self.known)} texts>"

    def place(self, href: str) -> tuple[int, str | None]:
        """The index of a link's target, and its fragment."""
        return self.known.get(href) or self.learn(href)

    def learn(self, href: str) -> tuple[int, str | None]:
        """The same for a text that is not in `known`."""
        section = "#" in href
        if section:
            place = self._section(href)
            if place is not None:
                return place
        codec = self._codec
        if codec is not None and not href.isascii():
            target, fragment = self._resolve(_with_query_in(href, codec))
        else:
            target, fragment = self._resolve(href)
        place = self.known[href] = self.index(target), fragment
        if section and target.refusal is None:
            before = href.partition("#")[0]
            if _ends_plainly(before):
                self.known[before] = place[0], None
        return place

    def index(self, target: Target) -> int:
        """The index of a target that has been read already."""
        found = self.found
        index = self._by_hash.setdefault(target.hash, len(found))
        if index == len(found):
            found.append(target)
        return index

    def _section(self, href: str) -> tuple[int, str | None] | None:
        """The place of ``page#section`` when the page is known and the section needs no reading."""
        before, _, fragment = href.partition("#")
        page = self.known.get(before) if _ends_plainly(before) else None
        # A fragment of these characters alone comes out of the URL parser as it went in.
        if page is None or self.found[page[0]].refusal or not _PLAIN_FRAGMENT.fullmatch(fragment):
            return None
        place = self.known[href] = page[0], fragment[:MAX_KEPT_URL]
        return place


def _with_query_in(href: str, codec: str) -> str:
    """The query of a link is sent in the encoding of its page, the path always in UTF-8.

    https://url.spec.whatwg.org/#query-state
    """
    before, hashmark, fragment = href.partition("#")
    path, mark, query = before.partition("?")
    if not mark or _OTHER_SCHEME.match(path):
        return href
    encoded = _FOREIGN.sub(lambda found: _percent_encoded(found[0], codec), query)
    return f"{path}?{encoded}{hashmark}{fragment}"


def _percent_encoded(text: str, codec: str) -> str:
    return "".join(
        quote(char.encode(codec), safe="") if _has(codec, char) else f"%26%23{ord(char)}%3B"
        for char in text
    )


def _has(codec: str, char: str) -> bool:
    try:
        char.encode(codec)
    except UnicodeEncodeError:
        return False
    return True


def _ends_plainly(before: str) -> bool:
    """White space before ``#`` belongs to the path, at the end of an address it does not."""
    return before[-1:] > " " or not before
