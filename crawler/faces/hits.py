"""How is it told on which pages a word was found?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from rich.text import Text

from crawler.faces import wording
from crawler.faces.screen import Screen
from crawler.policy.spelling import GAP
from crawler.store.queries import Rows
from crawler.store.search import MOST_RANKED, Asked, Found, Hit
from crawler.store.snippets import MARKS

_BRACKETS = str.maketrans(dict(zip(MARKS, "[]", strict=True)))


def show(hits: Iterable[Hit], screen: Screen) -> None:
    """Each page with its title, its address and the words around those that were found."""
    for number, hit in enumerate(hits):
        if number:
            screen.print()
        screen.print(Text(wording.plain(hit.title or hit.url), style="bold"), soft_wrap=True)
        screen.print(Text(_address(hit)), soft_wrap=True)
        if hit.snippet:
            screen.print(_marked(hit.snippet, screen), soft_wrap=True)


def rows(hits: Iterable[Hit]) -> Rows:
    """The same for programs; brackets mark what was found."""
    told = (msgspec.structs.replace(hit, snippet=hit.snippet.translate(_BRACKETS)) for hit in hits)
    return Rows(Hit.__struct_fields__, map(msgspec.structs.astuple, told))


def remarks(asked: Asked, found: Found, path: str) -> Iterator[str]:
    """What else is to be known of a search, a line each."""
    remedy = f"bring it up to date with: crawler analyse --db {path}"
    if found.behind is None:
        yield f"There is no index to search yet; {remedy}"
        return
    if found.behind:
        yield f"The index lacks {wording.count(found.behind, 'text')}; {remedy}"
    if found.read_as:
        yield f"Read as words, since it is no query: {found.read_as.replace(GAP, '')}"
    if found.crowded:
        yield (
            f"More than {MOST_RANKED:,} texts hold this: those with it in their title come first "
            "(a phrase: of the first 100,000 texts), then those found first; name more words to "
            "have them ranked"
        )
    if found.hits:
        return
    where = f" of {asked.site}" if asked.site else ""
    yield f"Nothing in {wording.count(found.searched, 'page')}{where}: {asked.words}"
    if found.unread_pdfs:
        yield (
            f"{wording.count(found.unread_pdfs, 'PDF')} were not read: pip install 'crawler[pdf]', "
            "then crawler analyse"
        )


def _address(hit: Hit) -> str:
    gone = "" if hit.status is None or 200 <= hit.status < 300 else f"  (HTTP {hit.status} now)"
    return wording.plain(hit.url) + gone


def _marked(snippet: str, screen: Screen) -> Text:
    """Bold on a terminal, in brackets elsewhere."""
    told = Text("  ")
    opening, closing = MARKS
    before, *pieces = snippet.split(opening)
    told.append(wording.plain(before))
    for piece in pieces:
        word, _, after = piece.partition(closing)
        word = wording.plain(word)
        told.append(*((word, "bold") if screen.is_terminal else (f"[{word}]", "")))
        told.append(wording.plain(after))
    return told
