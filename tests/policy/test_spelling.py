"""Is what readers take for one word spelt alike, and nothing else?"""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.policy.spelling import GAP, Respelt, respelt

ALIKE = [
    # German: sharp s, also as a capital (DIN 5008 allows SS)
    ("Straße", "Strasse"),
    ("GROẞ", "GROSS"),
    # Turkish: the i without a dot is what a capital I is folded to
    ("\u0131ş\u0131k", "işik"),
    # Arabic: vowel signs, tatweel, hamza on alef, teh marbuta, alef maksura; Persian kaf and yeh
    ("كِتَابٌ", "كتاب"),
    ("كـتـاب", "كتاب"),
    ("الإسلام", "الاسلام"),
    ("مدرسة", "مدرسه"),
    ("على", "علي"),
    ("کتابی", "كتابي"),
    # Hebrew points
    ("שָׁלוֹם", "שלום"),
    # Greek accents, Cyrillic io
    ("άνθρωπος", "ανθρωπος"),
    ("Ελλάδα", "Ελλαδα"),
    ("\u0451ж", "\u0435ж"),
    # letters that no accent is taken from
    ("łódź", "lódź"),
    ("smørrebrød", "smorrebrod"),
    ("œuvre", "oeuvre"),
    # ligatures of PDFs, full width, half width, superscripts
    ("\ufb01nance", "finance"),
    ("\uff21\uff22\uff23\uff11", "ABC1"),
    ("\uff76\uff9e", "\u30ac" + GAP),
    ("m\u00b2", "m2"),
    # marks that nobody sees
    ("light\u00adhouse", "lighthouse"),
    # every character a word: Japanese, Thai, Korean; also beside Latin letters
    ("東京", f"東{GAP}京{GAP}"),
    ("ไทย", f"ไ{GAP}ท{GAP}ย{GAP}"),
    ("한국", f"한{GAP}국{GAP}"),
    ("towerタワーx", f"tower{GAP}タ{GAP}ワ{GAP}ー{GAP}x"),
]
SAME = [
    "plain words", "Müller", "“quoted”, and so on…", "naïve café", "हिन्दी", "йод", "3½",
    "Foo™", "İzmir",
]  # fmt: skip


@pytest.mark.parametrize(("written", "spelt"), ALIKE)
def test_what_is_one_word_is_spelt_alike(written: str, spelt: str) -> None:
    assert respelt(written) == spelt


@pytest.mark.parametrize("written", SAME)
def test_all_else_stays_as_it_was_written(written: str) -> None:
    assert respelt(written) == written


def test_what_is_composed_and_what_is_not_are_spelt_alike() -> None:
    """Else a Russian or Japanese page in the other form would never be found."""
    for word in ("йод", "がぎぐ", "한국어", "ё"):
        assert respelt(normalize("NFD", word)) == respelt(word)


TEXTS = st.text(
    st.one_of(
        st.sampled_from("ab \u00df\u0131東京ไทย한ـكَﬁé\u0301\u3099がﾊﾞØ²" + GAP),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=40,
)


@given(TEXTS)
def test_each_place_of_it_stands_somewhere_in_what_was_written(text: str) -> None:
    whole = Respelt(text)
    assert whole.spelt == respelt(text)
    places = [whole.written(at) for at in range(len(whole.spelt))]
    assert places == sorted(places)
    assert all(0 <= place < len(text) for place in places)


@given(TEXTS)
def test_what_is_spelt_so_is_not_spelt_otherwise_again(text: str) -> None:
    """Else a query would differ from the texts."""
    once = respelt(text).replace(GAP, "")
    assert respelt(once).replace(GAP, "") == once
