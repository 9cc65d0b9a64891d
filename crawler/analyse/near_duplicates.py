"""Which pages say almost the same?

Main texts are compared by the MinHash signatures that reading the facts left: pages that agree in
one of 16 bands of 8 numbers are looked at (that finds all pairs at 0.90). Boilerplate makes bands
of thousands, so that each member is compared with the first of its band and with its neighbour
only; what is joined in this way is a group, told by its first body. A signature estimates: where it
comes close to what counts as alike, both texts are read again and their shingles counted.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from crawler import failpoints
from crawler.channels.bodies import in_chunks
from crawler.channels.patience import OF_BODIES, Patience
from crawler.channels.readers import Packed, read_all
from crawler.parse.facts import read_main_text
from crawler.parse.signature import packed_shingles, share_in_common
from crawler.store.database import Connection

ALIKE: Final = 0.9
UNSURE: Final = 0.06
"""How far from it an estimate decides nothing: it is wrong by 0.027 at 0.9, one time in three (the
standard deviation of 128 draws), and by so much one time in forty."""
MOST_READ: Final = 20_000
"""Bodies that are read again, half a minute's work; of others the estimate holds."""
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
_KEPT: Final = """
    SELECT id, charset, length(body), id, ''
    FROM bodies
    WHERE id = ? AND body IS NOT NULL
"""

Signatures = Mapping[int, bytes]
Pair = tuple[int, int]
Counted = Mapping[Pair, float]
Count = Callable[[Iterable[Pair]], Counted]
"""Counts the shingles of pairs of bodies: what they have in common, of pairs that can be read."""


def group_near_duplicates(connection: Connection, *, processes: int = 1) -> None:
    """Fill ``near_duplicates``, anew and in one transaction. processes: that read bodies."""

    def count(pairs: Iterable[Pair]) -> Counted:
        return _counted(connection, pairs, processes)

    rows = near_duplicates(dict(connection.execute(_SIGNED).fetchall()), count)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("DELETE FROM near_duplicates")
    connection.executemany(
        "INSERT INTO near_duplicates (body_id, leader_id, similarity, exact) VALUES (?, ?, ?, ?)",
        rows,
    )
    failpoints.reached("before-commit")
    connection.execute("COMMIT")
    failpoints.reached("after-commit")


def near_duplicates(signatures: Signatures, count: Count) -> list[tuple[int, int, float, int]]:
    """body_id, leader_id, similarity and whether it was counted, of every body that has another
    like it."""
    leaders: dict[int, int] = {}
    unsure: dict[Pair, float] = {}
    for pair in _candidates(signatures):
        a, b = (_leader(leaders, one) for one in pair)
        if a == b or pair in unsure:
            continue
        alike = similarity(signatures[pair[0]], signatures[pair[1]])
        if alike >= ALIKE + UNSURE:
            leaders[max(a, b)] = min(a, b)
        elif alike >= ALIKE - UNSURE:
            unsure[pair] = alike
    apart = [pair for pair in unsure if len({_leader(leaders, one) for one in pair}) == 2]
    counted = dict(count(apart))
    for pair in apart:
        a, b = (_leader(leaders, one) for one in pair)
        if a != b and counted.get(pair, unsure[pair]) >= ALIKE:
            leaders[max(a, b)] = min(a, b)
    return _members(signatures, leaders, counted, count)


def _members(
    signatures: Signatures, leaders: dict[int, int], counted: dict[Pair, float], count: Count
) -> list[tuple[int, int, float, int]]:
    """Each group's members, with how like they are to its leader."""
    groups: dict[int, list[int]] = {}
    for body_id in signatures:
        groups.setdefault(_leader(leaders, body_id), []).append(body_id)
    alike = {
        (leader, body_id): similarity(signatures[body_id], signatures[leader])
        for leader, group in groups.items()
        if len(group) > 1
        for body_id in group
    }
    close = [
        pair for pair, near in alike.items() if abs(near - ALIKE) < UNSURE and pair not in counted
    ]
    counted |= count(close)
    return [
        (body_id, leader, round(counted.get((leader, body_id), near), 3),
         int((leader, body_id) in counted))
        for (leader, body_id), near in alike.items()
    ]  # fmt: skip


def _counted(connection: Connection, pairs: Iterable[Pair], processes: int) -> Counted:
    """What bodies have in common that were kept, as far as they may be read."""
    wanted: dict[int, None] = {}
    asked = []
    for pair in pairs:
        new = [one for one in pair if one not in wanted]
        if len(wanted) + len(new) <= MOST_READ:
            wanted |= dict.fromkeys(new)
            asked.append(pair)

    def look(body: bytes, packed: Packed) -> bytes:
        return packed_shingles(read_main_text(body, packed.charset))

    rows = (connection.execute(_KEPT, (body_id,)).fetchone() for body_id in sorted(wanted))
    kept = [row for row in rows if row is not None]
    shingles = {
        read.number: read.found
        for answers in read_all(
            in_chunks(connection, kept),
            look,
            bytes,
            processes=processes,
            patience=Patience(connection, OF_BODIES),
        )
        for read in answers
    }
    return {
        (one, other): share_in_common(here, there)
        for one, other in asked
        if (here := shingles.get(one)) and (there := shingles.get(other))
    }


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
