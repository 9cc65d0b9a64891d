"""Does a body that is kept come back as it was, and cost no more than it says?"""

from __future__ import annotations

import tracemalloc
import zlib

import pytest

from crawler.store.packing import MOST_BYTES, Damaged, unpacked

BODY = b"a body\n" * 10_000
PACKED = zlib.compress(BODY)


@pytest.mark.parametrize("body", [b"", b"x", BODY])
def test_a_body_comes_back(body: bytes) -> None:
    assert unpacked(zlib.compress(body), len(body), 1) == body


@pytest.mark.parametrize(
    ("packed", "size"),
    [
        (PACKED, len(BODY) - 1),
        (PACKED, len(BODY) + 1),
        (PACKED, -1),
        (PACKED, MOST_BYTES << 10),
        (PACKED[:-1], len(BODY)),
        (PACKED[:100], len(BODY)),
        (b"", 1),
        (b"", 0),
        (b"no stream", 9),
    ],
)
def test_what_is_no_body_of_its_size_is_damaged(packed: bytes, size: int) -> None:
    with pytest.raises(Damaged, match="body 7 is damaged"):
        unpacked(packed, size, 7)


def test_a_bomb_takes_no_more_memory_than_the_body_that_it_says_it_is() -> None:
    """Who sends a file may have written a gigabyte of zeros into it, which is a megabyte there."""
    bomb = zlib.compress(bytes(256 << 20))
    tracemalloc.start()
    try:
        with pytest.raises(Damaged):
            unpacked(bomb, 1000, 1)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()
