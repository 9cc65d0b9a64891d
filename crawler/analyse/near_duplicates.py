"""Which pages say almost the same?

Main texts are compared by the MinHash signatures that reading the facts left: pages that agree in
one of 16 bands of 8 numbers are looked at (that finds all pairs at 0.90). Boilerplate makes bands
of thousands, so that each member is compared with the first of its band and with its neighbour
only; what is joined in this way is a group, told by its first body.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from typing import Final

from crawler import failpoints
from crawler.store.database import Connection

ALIKE: Final = 0.9
BANDS: Final = 16
WIDTH: Final = 8
SIGNATURE: Final = struct.Struct(f"<{BANDS * WIDTH}I")
_BAND_BYTES: Final = WIDTH * 4
_SIGNED: Final = """
    SELECT facts.body_id, facts.signature
    FROM facts
    WHERE facts.signature IS NOT NULL
        AND facts.body_id IN (SELECT body_id FROM good_pages)
    ORDER BY facts.body_id
"""

Signatures = Mapping[int, bytes]


def group_near_duplicates(connection: Connection) -> None:
    """Fill ``near_duplicates``, anew and in one transaction."""
    rows = near_duplicates(dict(connection.execute(_SIGNED).fetchall()))
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM near_duplicates")
    connection.executemany("INSERT INTO near_duplicates VALUES (?, ?, ?)", rows)
    failpoints.reached("before-commit")
    connection.execute("COMMIT")
    failpoints.reached("after-commit")


def near_duplicates(signatures: Signatures) -> list[tuple[int, int, float]]:
    """body_id, leader_id, similarity of every body that has another like it."""
    leaders: dict[int, int] = {}
    for one, other in _candidates(signatures):
        a, b = _leader(leaders, one), _leader(leaders, other)
        if a != b and similarity(signatures[one], signatures[other]) >= ALIKE:
            leaders[max(a, b)] = min(a, b)
    members: dict[int, list[int]] = {}
    for body_id in signatures:
        members.setdefault(_leader(leaders, body_id), []).append(body_id)
    return [
        (body_id, leader, round(similarity(signatures[body_id], signatures[leader]), 3))
        for leader, group in members.items()
        if len(group) > 1
        for body_id in group
    ]


def _candidates(signatures: Signatures) -> Iterator[tuple[int, int]]:
    """Pairs that share a band: each member with the first and the one before it."""
    for band in range(0, BANDS * _BAND_BYTES, _BAND_BYTES):
        seen: dict[bytes, tuple[int, int]] = {}
        for body_id, signature in signatures.items():
            key = signature[band : band + _BAND_BYTES]
            first, last = seen.get(key, (body_id, body_id))
            if first != body_id:
                yield first, body_id
                if last != first:
                    yield last, body_id
            seen[key] = first, body_id


def _leader(leaders: dict[int, int], body_id: int) -> int:
    while (above := leaders.get(body_id, body_id)) != body_id:
        leaders[body_id] = leaders.get(above, above)
        body_id = above
    return body_id


def similarity(one: bytes, other: bytes) -> float:
    """Share of 3-word shingles that two texts have in common, as their signatures estimate it."""
    if one == other:
        return 1.0
    pairs = zip(SIGNATURE.unpack(one), SIGNATURE.unpack(other), strict=True)
    return sum(bool(a == b) for a, b in pairs) / (BANDS * WIDTH)
