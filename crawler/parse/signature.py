"""By which few numbers can two texts be told alike?

MinHash over 3-word shingles: of two texts the share of equal numbers is the share of shingles that
they have in common (Broder, "On the resemblance and containment of documents", 1997). SimHash
within 3 bits finds 7 % of the pairs at 0.90 that this finds.
"""

from __future__ import annotations

import struct
from hashlib import blake2b
from typing import Final

NUMBERS: Final = 128
SHINGLE: Final = 3
FEWEST_WORDS: Final = 20
"""Shorter texts are alike by accident."""
_SEED: Final = 42
_PACKED: Final = struct.Struct(f"<{NUMBERS}I")


def shingles_of(text: str) -> list[str]:
    """Three words on end, from each word but the last two; none of a short text."""
    words = text.lower().split()
    if len(words) < FEWEST_WORDS:
        return []
    return [" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1)]


def packed_shingles(text: str) -> bytes:
    """A number of 64 bits for each different shingle of a text, the smallest first."""
    return b"".join(
        sorted({blake2b(one.encode(), digest_size=8).digest() for one in shingles_of(text)})
    )


def share_in_common(one: bytes, other: bytes) -> float:
    """Of the shingles that two texts have, packed, those that both have."""
    here, there = ({side[at : at + 8] for at in range(0, len(side), 8)} for side in (one, other))
    return len(here & there) / len(here | there) if here or there else 0.0


def signature_of(text: str) -> bytes | None:
    """128 numbers of 32 bits, little-endian; None of a short text."""
    shingles = shingles_of(text)
    if not shingles:
        return None
    from rensa import RMinHash  # 2 ms, and only an analysis needs it

    sketch = RMinHash(num_perm=NUMBERS, seed=_SEED)
    sketch.update(shingles)
    return _PACKED.pack(*sketch.digest())
