"""Which words around those that were found are told?

Pages of a site have words in common, such as the names of its sections: one that stands there says
nothing of a page. So words are told that stand elsewhere, where there are such: what a text shares
with those of other pages of its site is known by runs of words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

from crawler.policy.spelling import GAP, Respelt
from crawler.store.database import Connection

MARKS: Final = "\x02", "\x03"
"""Around each word that was found, in a snippet."""
CUT: Final = "\u2026"
WORDS_SHOWN: Final = 32
SIGNS_SHOWN: Final = 64
"""Of a snippet, in words, and where every character is one; FTS5 gives no more than 64."""
SHORT: Final = 4_000
"""Characters of a text in which FTS5 chooses a snippet for one word, fewer for several: it compares
each place with each other, which takes 25 ms here, and half an hour in a mebibyte of one word."""
_MOST_PLACES: Final = 50
_RUN_OF_WORDS: Final = 3
_RUN_OF_SIGNS: Final = 6
"""So many that two texts have in common are no chance."""
_LOOKED_AT: Final = 10_000
"""Signs of another text, of its beginning and of its end."""
_AHEAD: Final = 8
"""Words before the first that was found."""
_BEHIND: Final = 2_000
"""Characters behind the last place that is looked at."""
_NEIGHBOURS: Final = 12
_SHARED_WITH: Final = 2
"""Pages of the same site that a text is compared with, among those stored next to it."""
_PIECE: Final = re.compile(rf"[^\s{GAP}]+")
_NO_MARKS: Final = str.maketrans(dict.fromkeys(MARKS, ""))

_MARKED: Final = """
    SELECT highlight(search, 1, char(2), char(3))
    FROM search
    WHERE search MATCH ? AND rowid = ?
"""
_TEXT: Final = "SELECT text FROM searchable WHERE body_id = ?"
_HOST: Final = "SELECT host_id FROM pages WHERE body_id = ? LIMIT 1"
_NEXT_TO: Final = """
    SELECT body_id, host_id
    FROM (
        SELECT body_id, host_id
        FROM pages
        WHERE body_id > :body_id
        ORDER BY body_id
        LIMIT :most
    )
    UNION ALL
    SELECT body_id, host_id
    FROM (
        SELECT body_id, host_id
        FROM pages
        WHERE body_id < :body_id
        ORDER BY body_id DESC
        LIMIT :most
    )
"""


def telling(connection: Connection, query: str, body_id: int, snippet: str) -> str:
    """The snippet that FTS5 chose; another, where it tells what pages of the site share."""
    others = [_joined(text) for text in _others(connection, body_id)] if snippet else []
    words = _PIECE.findall(snippet.strip(CUT))
    run = _RUN_OF_SIGNS if GAP in snippet else _RUN_OF_WORDS
    if not any(_is_shared(words, at, run, others) for at in range(len(words))):
        return snippet
    marked = connection.execute(_MARKED, (query, body_id)).fetchone()
    return (marked and _elsewhere(marked[0], others, run)) or snippet


def chosen(connection: Connection, query: str, body_id: int, marked: str) -> str:
    """A snippet of a longer text, as `MARKS` stand in the whole of it; its beginning, where no word
    was found there."""
    begins = [found.end() for found in islice(re.finditer(MARKS[1], marked), _MOST_PLACES)]
    looked_at = marked[: (begins[-1] if begins else 0) + _BEHIND]
    others = [_joined(text) for text in _others(connection, body_id)] if begins else []
    run = _RUN_OF_SIGNS if GAP in query else _RUN_OF_WORDS
    told = _elsewhere(looked_at, others, run) or _elsewhere(looked_at, (), run)
    return told or _told(looked_at, list(_PIECE.finditer(looked_at)), 0)


def _others(connection: Connection, body_id: int) -> Iterator[str]:
    """Texts of pages of the same site that are stored next to this one."""
    host = connection.execute(_HOST, (body_id,)).fetchone()
    near = connection.execute(_NEXT_TO, {"body_id": body_id, "most": _NEIGHBOURS}).fetchall()
    ids = {other: None for other, of_host in near if host and of_host == host[0]}
    for other in list(ids)[:_SHARED_WITH]:
        row: Any = connection.execute(_TEXT, (other,)).fetchone()
        if row:
            text = row[0]
            is_long = len(text) > 2 * _LOOKED_AT
            yield f"{text[:_LOOKED_AT]} {text[-_LOOKED_AT:]}" if is_long else text


def _joined(text: str) -> str:
    return f" {' '.join(_PIECE.findall(text))} "


def _is_shared(words: Sequence[str], at: int, run: int, others: Iterable[str]) -> bool:
    """Does a word stand in a run of words that others have, too?"""
    begins = range(max(0, at - run + 1), min(at, len(words) - run) + 1)
    runs = [f" {' '.join(words[begin : begin + run]).translate(_NO_MARKS)} " for begin in begins]
    return any(one in other for other in others for one in runs)


def _elsewhere(marked: str, others: Sequence[str], run: int) -> str | None:
    """The words around the best place that is not shared; None where there is none.

    marked: the whole text, with `MARKS`. The best place has the most different words found.
    """
    pieces = list(_PIECE.finditer(marked))
    words = [piece[0] for piece in pieces]
    found = [at for at, word in enumerate(words) if MARKS[0] in word][:_MOST_PLACES]
    places = [at for at in found if not _is_shared(words, at, run, others)]
    if not places:
        return None
    first = max(places, key=lambda at: (_found(pieces[at : at + WORDS_SHOWN - _AHEAD]), -at))
    for _ in range(_AHEAD):
        first -= first > 0 and not _is_shared(words, first - 1, run, others)
    return _told(marked, pieces, first)


def _told(marked: str, pieces: Sequence[re.Match[str]], first: int) -> str:
    """The words from this one on, as many as are shown."""
    if not pieces:
        return ""
    last = _last(marked, pieces, first)
    told = marked[pieces[first].start() : pieces[last].end()]
    closed = MARKS[1] if told.count(MARKS[0]) > told.count(MARKS[1]) else ""
    return f"{CUT if first else ''}{told}{closed}{CUT if last < len(pieces) - 1 else ''}"


def _last(marked: str, pieces: Sequence[re.Match[str]], first: int) -> int:
    """The last piece that is told, where a sign among signs takes half the room of a word."""
    room = SIGNS_SHOWN
    for at in range(first, len(pieces)):
        room -= 1 if marked.startswith(GAP, pieces[at].end()) else SIGNS_SHOWN // WORDS_SHOWN
        if room <= 0:
            return at
    return len(pieces) - 1


def _found(pieces: Iterable[re.Match[str]]) -> int:
    return len({piece[0].casefold() for piece in pieces if MARKS[0] in piece[0]})


def as_written(snippet: str, text: str) -> str:
    """A snippet of a text that is searched in another spelling, as it was written."""
    begins, ends = snippet.startswith(CUT), snippet.endswith(CUT)
    marked = snippet[len(CUT) if begins else 0 : -len(CUT) if ends else None]
    plain = marked.replace(MARKS[0], "").replace(MARKS[1], "")
    whole = Respelt(text)
    at = whole.spelt.find(plain)
    if at < 0:
        return snippet.replace(GAP, "")
    parts = [CUT] if begins else []
    last = whole.written(at)
    for piece in re.split(f"([{''.join(MARKS)}])", marked):
        if piece in MARKS:
            parts.append(piece)
            continue
        if seen := len(piece.rstrip(GAP)):  # a gap may be of the word behind it
            end = _end(whole, at + seen)
            parts.append(text[last:end])
            last = end
        at += len(piece)
    return "".join([*parts, CUT] if ends else parts)


def _end(whole: Respelt, at: int) -> int:
    """Where what is written ends that is spelt until there, with the signs that belong to it."""
    if at >= len(whole.spelt):
        return len(whole.text)
    return whole.written(at - 1) + 1 if whole.spelt[at] == GAP else whole.written(at)
