"""By which few numbers can two texts be told alike?

MinHash over 3-word shingles: of two texts the share of equal numbers is the share of shingles that
they have in common (Broder, "On the resemblance and containment of documents", 1997). SimHash
within 3 bits finds 7 % of the pairs at 0.90 that this finds.
"""

from __future__ import annotations

import struct
from typing import Final

NUMBERS: Final = 128
SHINGLE: Final = 3
FEWEST_WORDS: Final = 20
"""Shorter texts are alike by accident."""
_SEED: Final = 42
_PACKED: Final = struct.Struct(f"<{NUMBERS}I")


def signature_of(text: str) -> bytes | None:
    """128 numbers of 32 bits, little-endian; None of a short text."""
    words = text.lower().split()
    if len(words) < FEWEST_WORDS:
        return None
    from rensa import RMinHash  # 2 ms, and only an analysis needs it

    sketch = RMinHash(num_perm=NUMBERS, seed=_SEED)
    sketch.update([" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1)])
    return _PACKED.pack(*sketch.digest())
