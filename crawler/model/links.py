"""Where do links lead, and where do they stand?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import repeat
from typing import NamedTuple, TypeVar

import msgspec

Value = TypeVar("Value")


class Target(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a link points.

    url: the WHATWG href without fragment and userinfo, at most ``MAX_KEPT_URL`` bytes of it; of an
        address that cannot be parsed, the text as it stood, cut likewise.
    hash: 63-bit identity of the whole URL, never of the cut one.
    origin: scheme, name and port (``https://example.org:8443``); empty for other schemes.
    refusal: why this can never be fetched (``scheme``, ``url_invalid``, ``url_too_long``,
        ``blocked_port``), or None.
    """

    url: str
    hash: int
    origin: str
    refusal: str | None = None


class Distinct(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The targets that a document names, each once: a sequence of `Target`.

    hashes: their identities, which is all that matters of a target that is known already.
    packed: the targets themselves as msgpack, unpacked when one is asked for.
    """

    hashes: list[int] = []
    packed: bytes = b"\x90"

    @classmethod
    def of(cls, targets: Sequence[Target]) -> Distinct:
        """These targets. Raises ValueError where an address has a lone surrogate."""
        return cls.identified([target.hash for target in targets], targets)

    @classmethod
    def identified(cls, hashes: list[int], targets: Sequence[Target]) -> Distinct:
        """The same, of targets whose identities, in this order, are known."""
        return cls(hashes, msgspec.msgpack.encode(targets))

    def __getitem__(self, index: int) -> Target:
        return _unpacked(self.packed)[index]

    def __iter__(self) -> Iterator[Target]:
        return iter(_unpacked(self.packed))

    def __len__(self) -> int:
        return len(self.hashes)


@lru_cache(maxsize=1)
def _unpacked(packed: bytes) -> list[Target]:
    return _targets.decode(packed)


_targets = msgspec.msgpack.Decoder(list[Target])


class Link(NamedTuple):
    """One occurrence of a link in a document; its position is its place in `Document.columns`.

    target: index into `Document.targets`.
    kind: one of `crawler.policy.link_kinds`.
    anchor: visible text of an anchor, or the alt text of an image; None where neither can be.
    rel: the rel attribute as written, lower case, or None.
    nofollow: rel has nofollow, or the whole page asks for it (meta robots, X-Robots-Tag).
    fragment: what stood behind ``#``, without it; None when there was none.
    region: ``nav``, ``header``, ``main``, ``footer`` by the nearest such ancestor, or None.
    via: of a page that a browser has shown, where the link stands: ``source``, ``rendered``, or
        ``both``; None of any other page.
    """

    target: int
    kind: str
    anchor: str | None = None
    rel: str | None = None
    nofollow: bool = False
    fragment: str | None = None
    region: str | None = None
    via: str | None = None


def worth_keeping(column: list[Value]) -> list[Value]:
    """The column, or an empty one where it has nothing but None or False."""
    # Most have something at once, or the same throughout, where counting compares identities only.
    starts_empty = bool(column) and (column[0] is None or column[0] is False)
    if starts_empty and column.count(column[0]) == len(column):
        return []
    for value in column:
        if value is not None and value is not False:
            return column
    return []


class LinkColumns(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """All links of a document in document order: a column for each field of `Link`.

    As values of their own they would cost more to send and to store than all else of a page. A
    column of which no link has anything is empty.
    """

    targets: list[int] = []
    kinds: list[str] = []
    anchors: list[str | None] = []
    rels: list[str | None] = []
    nofollows: list[bool] = []
    fragments: list[str | None] = []
    regions: list[str | None] = []
    vias: list[str | None] = []

    @classmethod
    def of(cls, links: Iterable[Link]) -> LinkColumns:
        """The columns of these links."""
        columns = [list(column) for column in zip(*links, strict=True)]
        return cls(*columns[:2], *(worth_keeping(column) for column in columns[2:]))

    def links(self) -> Iterator[Link]:
        """The links, one by one."""
        columns = [column or repeat(None) for column in msgspec.structs.astuple(self)]
        for link in map(Link._make, zip(self.targets, *columns[1:], strict=False)):
            yield link._replace(nofollow=bool(link.nofollow))

    def __len__(self) -> int:
        return len(self.targets)
