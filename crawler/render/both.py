"""Which links are in the source of a page, which only in what a browser shows, and which in both?

What is shown decides what a page says; its links come first, in their order, and those that stand
in the source alone behind them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from crawler.model import Distinct, Document, LinkColumns

SOURCE, RENDERED, BOTH = "source", "rendered", "both"


def merged(raw: Document, seen: Document, max_links: int) -> Document:
    """The document that was shown, with the links of the one that was sent."""
    in_source = _kinds(raw)
    in_seen = _kinds(seen)
    hashes = list(seen.targets.hashes)
    vias: list[str | None] = [
        BOTH if (hashes[target], kind) in in_source else RENDERED
        for target, kind in zip(seen.columns.targets, seen.columns.kinds, strict=True)
    ]
    room = max(0, max_links - len(vias))
    only = [
        at
        for at, (target, kind) in enumerate(
            zip(raw.columns.targets, raw.columns.kinds, strict=True)
        )
        if (raw.targets.hashes[target], kind) not in in_seen
    ][:room]
    if not only:
        columns = msgspec.structs.replace(seen.columns, vias=vias)
        return msgspec.structs.replace(seen, columns=columns)
    targets = list(seen.targets)
    places = {number: at for at, number in enumerate(hashes)}
    moved = []
    for at in only:
        target = raw.columns.targets[at]
        number = raw.targets.hashes[target]
        if number not in places:
            places[number] = len(targets)
            targets.append(raw.targets[target])
        moved.append(places[number])
    columns = _joined(seen.columns, raw.columns, only, moved, vias)
    return msgspec.structs.replace(seen, targets=Distinct.of(targets), columns=columns)


def _kinds(document: Document) -> set[tuple[int, str]]:
    """Which targets it names, as what."""
    hashes, columns = document.targets.hashes, document.columns
    return {
        (hashes[target], kind) for target, kind in zip(columns.targets, columns.kinds, strict=True)
    }


def _joined(
    seen: LinkColumns, raw: LinkColumns, only: list[int], moved: list[int],
    vias: list[str | None],
) -> LinkColumns:  # fmt: skip
    """Columns of both; one that only one of them has is filled up."""

    def column(mine: list[Any], theirs: list[Any], nothing: object) -> list[Any]:
        if not mine and not theirs:
            return []
        filled = mine or [nothing] * len(seen)
        return filled + [theirs[at] if theirs else nothing for at in only]

    return LinkColumns(
        seen.targets + moved,
        seen.kinds + _at(raw.kinds, only),
        column(seen.anchors, raw.anchors, None),
        column(seen.rels, raw.rels, None),
        column(seen.nofollows, raw.nofollows, False),
        column(seen.fragments, raw.fragments, None),
        column(seen.regions, raw.regions, None),
        [*vias, *[SOURCE] * len(only)],
    )


def _at(column: list[str], places: Iterable[int]) -> list[str]:
    return [column[at] for at in places]


def adds_nothing(raw: Document, seen: Document, sent: bytes, shown: bytes) -> bool:
    """Does a browser show what was sent, as far as anybody asks? sent, shown: the bytes of both."""
    return (
        _says(raw) == _says(seen)
        and _kinds(raw) == _kinds(seen)
        and _for_machines(sent) == _for_machines(shown)
    )


def _for_machines(html: bytes) -> list[int]:
    """How much there is that no visitor sees and the audit reads: scripts add such, too."""
    folded = html.lower()
    return [folded.count(mark) for mark in (b"<meta ", b"application/ld+json", b"itemscope")]


def _says(document: Document) -> tuple[object, ...]:
    return (
        document.title,
        document.description,
        document.h1,
        document.lang,
        document.canonical,
        document.meta_robots,
        document.text_hash,
    )
