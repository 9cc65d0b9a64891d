"""Are sentences and syllables counted as a reader would, nearly?"""

from __future__ import annotations

import pytest

from crawler.parse.prose import count_sentences, count_syllables


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", 0),
        ("A title without an end", 1),
        ("One. Two! Three?", 3),
        ("Version 1.2.3 of example.org", 1),
        ("One. And a half", 2),
    ],
)
def test_a_sentence_ends_before_a_space_or_where_all_ends(text: str, sentences: int) -> None:
    assert count_sentences(text) == sentences


@pytest.mark.parametrize(
    ("text", "language", "syllables"),
    [
        ("", "en", 0),
        ("The cat sat on the mat.", "en", 6),
        ("made late, walked home.", "en", 4),
        ("we see the table wanted", "en", 7),
        ("Katze \u00fcber \u00d6fen", "de", 6),
        ("1 2 3 %", "en", 4),
        ("tsk hmm", "en", 2),
    ],
)
def test_a_group_of_vowels_is_a_syllable_unless_it_is_a_mute_e(
    text: str, language: str, syllables: int
) -> None:
    assert count_syllables(text, language) == syllables
