"""How does one see what differs between two versions of a page?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec
from rich.text import Text

from crawler.faces import wording
from crawler.faces.screen import Screen
from crawler.store.history import Compared, Difference, Version
from crawler.store.queries import Rows

MOST_WORDS = 40
"""Words that went or came in one place, which are shown of many."""
ELLIPSIS = "\u2026"
REMOVED, ADDED = "red", "green"
MARKS = {REMOVED: ("[-", "-]"), ADDED: ("{+", "+}")}
"""What stands around words where there are no colours, as ``git diff --word-diff`` has it."""
WIDTH = 10


def rows(compared: Compared) -> Rows:
    """A row a difference."""
    found = map(msgspec.structs.astuple, compared.differences)
    return Rows(Difference.__struct_fields__, iter(found))


def show(url: str, compared: Compared, screen: Screen, *, wide: bool = False) -> None:
    """Print what differs. In colours on a terminal, with marks elsewhere; wide: with every word."""
    for line in lines(url, compared, plain=not screen.is_terminal, wide=wide):
        screen.print(line, soft_wrap=True)


def lines(url: str, compared: Compared, *, plain: bool, wide: bool) -> Iterator[Text]:
    """What differs, a line each. plain: with marks in place of colours."""
    yield Text(wording.plain(url), style="" if plain else "bold")
    for name, version in (("from", compared.older), ("to", compared.newer)):
        yield Text(f"{name:{WIDTH}}{_told(version)}")
    if not compared.differences:
        yield Text("Nothing differs")
    for difference in compared.differences:
        label = difference.part if difference.part != "text" else f"word {difference.name}"
        yield Text(f"{label:{WIDTH}}").append_text(_change(difference, plain=plain, wide=wide))
    for what in compared.unknown:
        yield Text(f"{'unknown':{WIDTH}}{wording.plain(what)}")


def _told(version: Version) -> str:
    answer = version.error or version.status
    known = version.document_at
    since = f", the document of {known}" if known and known != version.at else ""
    return wording.plain(f"run {version.run}, {version.at}, {answer}{since}")


def _change(difference: Difference, *, plain: bool, wide: bool) -> Text:
    shown = Text()
    if difference.part in ("link", "header"):
        shown.append(f"{wording.plain(difference.name)}  ")
    parts = [(REMOVED, difference.before), (ADDED, difference.after)]
    if difference.part == "link" and difference.change != "changed":
        # the address itself came or went, whatever its words
        shown = Text()
        parts = [
            (style, f"{difference.name}  {words}".rstrip())
            for style, words in parts
            if words is not None
        ]
    marked = [_marked(words, style, plain=plain, wide=wide) for style, words in parts if words]
    ahead = [Text(f"{ELLIPSIS} {wording.plain(difference.ahead)}")] if difference.ahead else []
    behind = [Text(f"{wording.plain(difference.behind)} {ELLIPSIS}")] if difference.behind else []
    return shown.append_text(Text(" ").join([*ahead, *marked, *behind]))


def _marked(text: str, style: str, *, plain: bool, wide: bool) -> Text:
    shown = wording.plain(" ".join(_cut(text.split(), wide=wide)))
    opening, closing = MARKS[style] if plain else ("", "")
    return Text(f"{opening}{shown}{closing}", style="" if plain else style)


def _cut(words: list[str], *, wide: bool) -> Iterable[str]:
    """The first and last words of many."""
    if wide or len(words) <= MOST_WORDS:
        return words
    half = MOST_WORDS // 2
    return [*words[:half], f"{ELLIPSIS} {len(words) - 2 * half:,} words {ELLIPSIS}", *words[-half:]]
