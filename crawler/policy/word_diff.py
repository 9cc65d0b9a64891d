"""Which words of a text are others now?

Words are compared by difflib. Where texts are long, pieces of them are first, of which most are in
both: pieces end where the words themselves say (an end of a sentence, or a word's checksum), so
that they end at the same words in both texts, whatever stands before.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import accumulate

import msgspec

CONTEXT = 6
"""Words that are shown before and behind a change."""
MOST_STEPS = 8_000_000
"""Words that are held against others, about two seconds; what is left then is told as a whole.
Texts can be made so that difflib alone would take minutes for some thousand words."""
MOST_PIECES = 2_000
SHORT = 400
"""Words of a text that is not cut into pieces."""
PIECE_WORDS = 16
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Thai, Lao, Burmese, Khmer, kana and Han are written without spaces: each letter is a word."""
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")
_ENDS = (".", "!", "?", "\u3002", "\uff01", "\uff1f")


class Hunk(msgspec.Struct, frozen=True):
    """Words that went, and words that stand in their place.

    word: the place of the first in the new text, from 1. ahead, behind: words around them.
    """

    word: int
    removed: str
    added: str
    ahead: str = ""
    behind: str = ""


class _Text(msgspec.Struct, frozen=True):
    """A text, its words, and where each begins and ends."""

    text: str
    words: list[str]
    spans: list[tuple[int, int]]

    def part(self, start: int, end: int) -> str:
        """The text of these words, with what stands between them."""
        if start >= end:
            return ""
        return self.text[self.spans[start][0] : self.spans[end - 1][1]]


Span = tuple[int, int, int, int]
"""From which word to which in the old text, and in the new one."""


def changed_words(before: str, after: str) -> list[Hunk]:
    """What differs, from beginning to end."""
    old, new = _text(before), _text(after)
    return [
        Hunk(
            start + 1,
            old.part(old_start, old_end),
            new.part(start, end),
            new.part(max(0, start - CONTEXT), start),
            new.part(end, min(len(new.words), end + CONTEXT)),
        )
        for old_start, old_end, start, end in differing(old.words, new.words)
    ]


def _text(text: str) -> _Text:
    found = list(_WORD.finditer(text))
    return _Text(text, [word.group() for word in found], [word.span() for word in found])


def differing(old: Sequence[str], new: Sequence[str]) -> Iterator[Span]:
    """The runs of words, or of lines, that differ."""
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    inner_old, inner_new = old[head : len(old) - tail], new[head : len(new) - tail]
    patience = _Patience()
    if max(len(inner_old), len(inner_new)) <= SHORT:
        spans = patience.differing(inner_old, inner_new)
    else:
        spans = _by_pieces(inner_old, inner_new, patience)
    for span in spans:
        yield _moved(span, head, head)


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """How many words at the beginning are the same."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


def _by_pieces(old: Sequence[str], new: Sequence[str], patience: _Patience) -> Iterator[Span]:
    """The same for long texts: pieces are compared, then words within those that differ."""
    size = max(PIECE_WORDS, max(len(old), len(new)) // MOST_PIECES)
    old_pieces, new_pieces = _pieces(old, size), _pieces(new, size)
    old_at = [0, *accumulate(map(len, old_pieces))]
    new_at = [0, *accumulate(map(len, new_pieces))]
    for one, two, three, four in patience.differing(old_pieces, new_pieces):
        whole = (old_at[one], old_at[two], new_at[three], new_at[four])
        for span in patience.differing(old[whole[0] : whole[1]], new[whole[2] : whole[3]]):
            yield _moved(span, whole[0], whole[2])


def _pieces(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """About so many words each; short ones end with a sentence, too."""
    ends = _ENDS if size == PIECE_WORDS else ()
    pieces: list[tuple[str, ...]] = []
    piece: list[str] = []
    for word in words:
        piece.append(word)
        if word.endswith(ends) or zlib.crc32(word.encode("utf-8", "replace")) % size == 0:
            pieces.append(tuple(piece))
            piece = []
    return [*pieces, tuple(piece)] if piece else pieces


class _Patience:
    """Compares as difflib does, in a bounded number of steps."""

    def __init__(self) -> None:
        self._left = MOST_STEPS

    def differing(self, old: Sequence[object], new: Sequence[object]) -> Iterator[Span]:
        """The runs that differ; of a part for which no steps are left, the whole."""
        matcher = SequenceMatcher(None, old, new, autojunk=False)
        places = matcher.b2j  # type: ignore[attr-defined]  # documented, but not in typeshed
        steps = [0, *accumulate(1 + len(places.get(one, ())) for one in old)]
        same: list[tuple[int, int, int]] = []
        parts = [(0, len(old), 0, len(new))]
        while parts:
            one, two, three, four = parts.pop()
            if one == two or three == four or steps[two] - steps[one] > self._left:
                continue
            self._left -= steps[two] - steps[one]
            at, there, size = matcher.find_longest_match(one, two, three, four)
            if size:
                same.append((at, there, size))
                parts += ((one, at, three, there), (at + size, two, there + size, four))
        old_at = new_at = 0
        for at, there, size in (*sorted(same), (len(old), len(new), 0)):
            if at > old_at or there > new_at:
                yield old_at, at, new_at, there
            old_at, new_at = at + size, there + size


def _moved(span: Span, old: int, new: int) -> Span:
    return (span[0] + old, span[1] + old, span[2] + new, span[3] + new)
