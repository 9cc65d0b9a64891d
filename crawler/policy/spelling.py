"""How is a text spelt so that its words are found?

SQLite's unicode61 folds case and the accents of Latin letters. What it leaves apart, though readers
take it for one word, is spelt alike here, in texts and in what is looked for: letters and vowel
signs that people leave out, the forms that fonts and keyboards have of one letter, ligatures.
Chinese, Japanese, Thai and the like have no spaces between words, and Korean joins its particles to
them: there every character becomes a word of its own, so that a word of one or two is found as a
phrase.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final
from unicodedata import category, is_normalized, normalize

GAP: Final = "\u200b"
"""ZERO WIDTH SPACE: it parts words, and is not seen where a text is shown."""

_SPACED: Final = (
    "\u0e00-\u0e3a\u0e40-\u0e4e\u0e80-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17d3"  # Myanmar, Khmer
    "\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3041-\u3096\u3099-\u309a\u309d-\u309f"  # Hiragana
    "\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31a0-\u31bf\u31f0-\u31ff"  # Katakana, Bopomofo
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"  # Han, Hangul
    "\U00020000-\U0003ffff"
)
_DROPPED: Final = (
    "\u00ad\u2060\ufeff"  # soft hyphens and other marks within words that nobody sees
    "\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7"  # Hebrew points
    "\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e4\u06e7\u06e8\u06ea-\u06ed"
)
"""Among the Arabic ones: tatweel, which only makes a word longer."""
_COMPATIBLE: Final = (
    "\u00b2\u00b3\u00b9\u2070-\u209c\u2160-\u217f\u2e80-\u2fdf\u3131-\u318e\u3200-\u33ff"
    "\uf900-\ufaff\ufb00-\ufb4f\ufb50-\ufdfb\ufe70-\ufefc\uff10-\uffdc"
    "\U0001d400-\U0001d7ff\U0002f800-\U0002fa1f"
)
"""Letters and digits in another shape: ligatures, full and half width, forms of Arabic fonts."""
_LETTERS: Final = {
    **{"ß": "ss", "ẞ": "SS", "\u0131": "i", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE"},
    **{"ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th"},
    **{
        "ł": "l",
        "Ł": "L",
        "ħ": "h",
        "Ħ": "H",
        "ŧ": "t",
        "Ŧ": "T",
        "\u0451": "\u0435",
        "\u0401": "\u0415",
    },
    **dict(zip("άέήίϊΐόύϋΰώΆΈΉΊΪΌΎΫΏ", "αεηιιιουυυωΑΕΗΙΙΟΥΥΩ", strict=True)),
    # as Lucene's Arabic normalizer does; and the Persian forms of kaf and yeh
    **dict(zip("أإآٱىیکة", "ااااييكه", strict=True)),
}
_ODD: Final = f"[{_SPACED}]+|[{_DROPPED}]+|[{''.join(_LETTERS)}]|[{_COMPATIBLE}]+"
_JAMO: Final = "[\u1100-\u1112][\u1161-\u1175][\u11a8-\u11c2]?"
_COMPOSED: Final = re.compile(_ODD)
_COMPOSING: Final = re.compile(f"\\w[\u0300-\u036f]+|(?:{_JAMO})+|{_ODD}")
_ANY: Final = re.compile(f"[{_SPACED}{_DROPPED}{''.join(_LETTERS)}{_COMPATIBLE}]")
"""Most texts have none of these, and one class is looked for at 10 ns a character."""
_RUNS: Final = re.compile(f"[{_SPACED}]+")
_HIDDEN: Final = re.compile(f"[{_DROPPED}]")
_SHAPED: Final = re.compile(f"[{_COMPATIBLE}]")


class Respelt:
    """A text as it is searched, and where each place of it stands in the text as it was written."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._starts: list[int] = []
        self._pieces: list[tuple[int, int, int, int]] = []
        parts: list[str] = []
        written = at = 0
        for match in _pattern(text).finditer(text):
            parts.append(text[written : match.start()])
            at += len(parts[-1])
            parts.append(_respell(match))
            self._starts.append(at)
            self._pieces.append((at, len(parts[-1]), match.start(), len(match[0])))
            at += len(parts[-1])
            written = match.end()
        parts.append(text[written:])
        self.spelt = "".join(parts)

    def __repr__(self) -> str:
        return f"<Respelt {len(self.text)} characters in {len(self._pieces)} pieces>"

    def written(self, at: int) -> int:
        """Where the character stands that this one of the searched text was made of."""
        found = bisect_right(self._starts, at) - 1
        if found < 0:
            return at
        start, length, was_at, was_long = self._pieces[found]
        beyond = at - start
        if beyond >= length:
            return min(was_at + was_long + beyond - length, len(self.text))
        return was_at + beyond * was_long // length


def respelt(text: str) -> str:
    """A text as it is searched; most texts are as they were written."""
    if text.isascii() or (is_normalized("NFC", text) and not _ANY.search(text)):
        return text
    return _pattern(text).sub(_respell, text)


def _pattern(text: str) -> re.Pattern[str]:
    return _COMPOSED if is_normalized("NFC", text) else _COMPOSING


def _respell(match: re.Match[str]) -> str:
    """One odd piece; what is to be a word of its own is parted from the one before it."""
    found = match[0]
    alike = _LETTERS.get(found)
    if alike is not None:
        return alike
    spelt = normalize("NFC", found)
    if not _RUNS.fullmatch(spelt):
        spelt = normalize("NFC", "".join(map(_alike, spelt)))
    start = match.start()
    joined = start > 0 and _RUNS.match(spelt) and match.string[start - 1].isalnum()
    return f"{GAP if joined else ''}{_RUNS.sub(_apart, spelt)}"


def _alike(character: str) -> str:
    """A letter or digit in its usual shape; nothing for what only people see."""
    if character in _LETTERS:
        return _LETTERS[character]
    if _HIDDEN.match(character):
        return ""
    if category(character)[0] in "LN" and _SHAPED.match(character):
        return normalize("NFKC", character)
    return character


def _apart(match: re.Match[str]) -> str:
    return GAP.join(match[0]) + GAP
