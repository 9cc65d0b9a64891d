"""What is done for every byte or link of a document, where nothing is compiled."""

from __future__ import annotations

from collections.abc import Callable

from crawler.model import Target


def find(data: bytes, needle: bytes) -> int:
    """Where the needle stands first, or -1."""
    return data.find(needle)


def is_utf8(data: bytes) -> bool:
    """Is this UTF-8?"""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def indexes(
    texts: list[str],
    known: dict[str, int],
    memories: tuple[dict[str, tuple[int, Target]], dict[str, tuple[int, Target]]],
    targets: tuple[dict[int, int], list[Target]],
    other: Callable[[int], int],
) -> list[int]:
    """Which target each text means, by its place among the targets.

    known: texts that were met before. memories: identities and targets that texts meant in other
    documents. targets: places by identity, and the targets. other: tells the place of the text with
    this number, which is in no memory.
    """
    places = []
    site, folder = memories
    by_hash, found = targets
    for number, text in enumerate(texts):
        place = known.get(text)
        if place is None:
            meant = site.get(text) or folder.get(text)
            if meant is None:
                place = other(number)
            else:
                place = by_hash.setdefault(meant[0], len(found))
                if place == len(found):
                    found.append(meant[1])
                known[text] = place
        places.append(place)
    return places
