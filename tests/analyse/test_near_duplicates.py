"""Is it counted, not guessed, whether two pages say almost the same?"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.analyse.near_duplicates import ALIKE, UNSURE, similarity
from crawler.analyse.run import analyse
from crawler.config import Config
from crawler.parse.signature import packed_shingles, share_in_common, signature_of
from tests.crawls import config, crawl, rows
from tests.sites.web import Web

WORDS = 500
FOUND = """
    SELECT pages.url, near_duplicates.similarity, near_duplicates.exact
    FROM near_duplicates
    JOIN pages ON pages.body_id = near_duplicates.body_id
    ORDER BY near_duplicates.body_id <> near_duplicates.leader_id, pages.url
"""


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.close()


def text_of(seed: int, changed: int = 0) -> str:
    """Words that no other seed has; of these so many are others, far from each other."""
    words = [f"w{seed}x{at}" for at in range(WORDS)]
    for at in range(changed):
        words[10 + at * 20] += "changed"
    return " ".join(words)


def shared(changed: int) -> float:
    """What the two have in common: of 498 shingles each changed word is in three."""
    same = WORDS - 2 - 3 * changed
    return same / (WORDS - 2 + 3 * changed)


def misjudged(changed: int) -> int:
    """The first seed for which signatures say the opposite of what is so."""
    is_alike = shared(changed) >= ALIKE
    for seed in range(2000):
        one, other = (signature_of(text_of(seed, many)) for many in (0, changed))
        assert one is not None
        assert other is not None
        if (similarity(one, other) >= ALIKE) != is_alike:
            return seed
    pytest.fail("signatures are always right")


@pytest.mark.parametrize("changed", [8, 9])
def test_what_signatures_misjudge_is_counted(web: Web, tmp_path: Path, changed: int) -> None:
    seed = misjudged(changed)
    assert abs(shared(changed) - ALIKE) < UNSURE
    for path, many in (("/", 0), ("/other", changed)):
        web.page(path, links=["/other"], body=f"<main>{text_of(seed, many)}</main>")
    crawl(tmp_path / "a.db", web.url("/"), settings=config(run={"concurrency": 1}))
    analyse(tmp_path / "a.db", Config(), lambda *_: None, processes=1)
    told = [(url.removeprefix(web.url("")), *rest) for url, *rest in rows(tmp_path / "a.db", FOUND)]
    pair = [("/", 1.0, 0), ("/other", round(shared(changed), 3), 1)]
    assert told == (pair if shared(changed) >= ALIKE else [])


def test_where_no_bodies_are_kept_estimates_hold(web: Web, tmp_path: Path) -> None:
    for path, many in (("/", 0), ("/other", 1)):
        web.page(path, links=["/other"], body=f"<main>{text_of(1, many)}</main>")
    crawl(tmp_path / "a.db", web.url("/"), settings=config(store={"bodies": False}))
    analyse(tmp_path / "a.db", Config(), lambda *_: None, processes=1)
    assert [exact for *_, exact in rows(tmp_path / "a.db", FOUND)] == [0, 0]


@pytest.mark.parametrize("changed", [0, 1, 8, 24])
def test_shingles_are_counted_as_they_are(changed: int) -> None:
    one, other = packed_shingles(text_of(3)), packed_shingles(text_of(3, changed))
    assert share_in_common(one, other) == shared(changed)
    words = text_of(3).split()
    random.Random(3).shuffle(words)
    assert share_in_common(one, packed_shingles(" ".join(words))) < 0.02


def test_short_texts_have_nothing_in_common() -> None:
    assert share_in_common(packed_shingles("too short"), packed_shingles("too short")) == 0
