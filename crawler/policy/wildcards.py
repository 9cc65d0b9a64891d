"""Which of many wildcard patterns fits a path, and ranks highest?

A pattern is a literal beginning, then segments with ``*`` between them, then perhaps an end that
must stand last (``$``). The leftmost place of each segment, one after the other, finds a match
whenever there is one, so nothing here ever backtracks. Patterns that begin with the same segments
share that work in a tree, and a tree with many branches is entered only at segments that occur in
the path at all.

A hostile file can still make a match long: past ``BUDGET`` units of work `PathPatterns.best` raises
`Exhausted`, after about 4 ms, and its caller must take the answer that cannot do harm.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

BUDGET: Final = 64_000
"""Units of work for one path; a unit is 40 to 70 ns, about a dictionary look-up."""

_FEW: Final = 48
_GRAMS: Final = (32, 16, 8, 4, 2, 1)
_NOTHING: Final[Mapping[str, int]] = {}


class Exhausted(Exception):
    """The budget was spent before the answer was known."""


class Pattern(NamedTuple):
    """One pattern, split at its wildcards.

    prefix: what the path begins with. segments: what follows, in this order, anything between.
    end: what the path ends with after that, None when anything may follow.
    rank: at least 1, and of two patterns that fit the higher rank wins.
    """

    prefix: str
    segments: tuple[str, ...]
    end: str | None
    rank: int


class PathPatterns:
    """A frozen set of patterns; `best` may be called from any number of greenlets."""

    __slots__ = ("_count", "_prefix_sizes", "_roots", "_sightings")

    def __init__(self, patterns: Iterable[Pattern]) -> None:
        by_prefix: dict[str, list[Pattern]] = defaultdict(list)
        self._count = 0
        for pattern in patterns:
            by_prefix[pattern.prefix].append(pattern)
            self._count += 1
        self._roots = {prefix: _grow(rows) for prefix, rows in by_prefix.items()}
        self._prefix_sizes = tuple(sorted({len(prefix) for prefix in by_prefix}))
        self._sightings = _Sightings(_keys(self._roots.values()))

    def __repr__(self) -> str:
        return f"<PathPatterns {self._count:,} under {len(self._roots):,} beginnings>"

    def best(self, path: str, floor: int = 0) -> int:
        """The highest rank above floor of a pattern that fits, else floor. Raises `Exhausted`."""
        size = len(path)
        open_nodes = [
            (node, end)
            for end in self._prefix_sizes
            if end <= size and (node := self._roots.get(path[:end])) and node.top > floor
        ]
        if not open_nodes:
            return floor
        budget = _Budget(BUDGET - len(self._prefix_sizes))
        return _walk(path, open_nodes, self._sightings.last(path, budget), floor, budget)


class _Budget:
    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, units: int) -> None:
        self.left -= units
        if self.left < 0:
            raise Exhausted


def _find_units(size: int, length: int) -> int:
    """What one search costs at worst: CPython's is quadratic on short texts."""
    return 1 + (size * length >> 7)


class _Node:
    """A place in the tree of segments.

    label: segments to find, one after the other, before this place is reached; the first of them
        is the key under which the parent holds this node.
    rank: of the pattern that is complete here, 0 when none is. top: the highest rank from here on.
    ends: last parts of patterns that end with ``$``, and their ranks; sizes: their lengths.
    leaves: next segments after which a pattern is complete and nothing more follows.
    branches: next segments after which more follows.
    """

    __slots__ = ("branches", "ends", "label", "leaves", "rank", "sizes", "top")

    def __init__(self, label: tuple[str, ...]) -> None:
        self.label = label
        self.rank = 0
        self.top = 0
        self.ends: Mapping[str, int] = _NOTHING
        self.sizes: tuple[int, ...] = ()
        self.leaves: dict[str, int] = {}
        self.branches: dict[str, _Node] = {}


def _grow(patterns: list[Pattern]) -> _Node:
    """The tree of all patterns with one prefix; grouped by hashing, because one long sort would
    hold every other thread of the process."""
    root = _Node(())
    waiting = [(root, patterns, 0)]
    while waiting:
        node, rows, depth = waiting.pop()
        node.top = max(row.rank for row in rows)
        groups: dict[str, list[Pattern]] = defaultdict(list)
        ends: dict[str, int] = {}
        for row in rows:
            if len(row.segments) > depth:
                groups[row.segments[depth]].append(row)
            elif row.end is None:
                node.rank = max(node.rank, row.rank)
            else:
                ends[row.end] = max(row.rank, ends.get(row.end, 0))
        if ends:
            node.ends = ends
            node.sizes = tuple({len(end) for end in ends})
        for segment, group in groups.items():
            if len(group) == 1 and len(group[0].segments) == depth + 1 and group[0].end is None:
                node.leaves[segment] = group[0].rank
                continue
            shared = _shared(group, depth)
            node.branches[segment] = child = _Node(group[0].segments[depth:shared])
            waiting.append((child, group, shared))
    return root


def _shared(group: list[Pattern], depth: int) -> int:
    """How many first segments all patterns of a group have in common, depth + 1 at least."""
    first = group[0].segments
    shared = len(first)
    for row in group[1:]:
        shared = min(shared, len(row.segments))
        for at in range(depth + 1, shared):
            if row.segments[at] != first[at]:
                shared = at
                break
    return shared


def _keys(roots: Iterable[_Node]) -> Iterator[str]:
    """Every segment by which some node is entered."""
    waiting = list(roots)
    while waiting:
        node = waiting.pop()
        yield from node.leaves
        yield from node.branches
        waiting.extend(node.branches.values())


def _walk(
    path: str,
    open_nodes: list[tuple[_Node, int]],
    last: dict[str, int],
    best: int,
    budget: _Budget,
) -> int:
    """Goes down wherever a rank above the best so far may be; ``last`` says which segments occur
    in the path, and where for the last time."""
    size = len(path)
    while open_nodes:
        node, start = open_nodes.pop()
        if node.top <= best:
            continue
        budget.spend(3 + len(node.sizes) + 2 * min(len(node.leaves), len(last)))
        best = max(best, node.rank)
        for length in node.sizes:
            if start + length <= size:
                best = max(best, node.ends.get(path[size - length :], 0))
        if node.leaves:
            best = max(best, _best_leaf(node.leaves, last, start))
        for segment in node.branches.keys() & last.keys() if node.branches else ():
            child = node.branches[segment]
            if child.top > best and last[segment] >= start:
                at = _follow(path, child.label, start, budget)
                if at >= 0:
                    open_nodes.append((child, at))
            else:
                budget.spend(1)
    return best


def _best_leaf(leaves: dict[str, int], last: dict[str, int], start: int) -> int:
    if len(leaves) > len(last):
        ranks = [leaves[key] for key, at in last.items() if at >= start and key in leaves]
    else:
        ranks = [rank for key, rank in leaves.items() if last.get(key, -1) >= start]
    return max(ranks, default=0)


def _follow(path: str, label: tuple[str, ...], start: int, budget: _Budget) -> int:
    """Where the segments of a label have been found, each behind the other; -1 if they are not."""
    size = len(path)
    for segment in label:
        budget.spend(3 + _find_units(size - start, len(segment)))
        found = path.find(segment, start)
        if found < 0:
            return -1
        start = found + len(segment)
    return start


class _Sightings:
    """Tells which of many segments occur in a path.

    Few segments are looked for one by one. Of many, each is filed under one of its grams (a run
    of 1, 2, 4 ... 32 characters, the rarest of three), and only those whose gram occurs in the
    path are looked for.
    """

    __slots__ = ("_few", "_files")

    def __init__(self, segments: Iterable[str]) -> None:
        distinct = dict.fromkeys(segments)
        self._few = _by_length(distinct) if len(distinct) <= _FEW else None
        self._files = {} if self._few is not None else _file(distinct)

    def last(self, path: str, budget: _Budget) -> dict[str, int]:
        """Each segment that occurs, with the place where it does so for the last time."""
        if self._few is not None:
            return _last_places(path, self._few, budget)
        seen: dict[str, int] = {}
        suspects: list[str] = []
        for length, file in self._files.items():
            if length > len(path):
                continue
            grams = _grams(path, length, budget)
            hits = grams.keys() & file.keys()
            budget.spend(min(len(grams), len(file)) >> 2)
            for gram in hits:
                for segment in file[gram]:
                    if len(segment) == length:
                        seen[segment] = grams[gram]
                    else:
                        suspects.append(segment)
                budget.spend(2 * len(file[gram]))
        seen.update(_last_places(path, _by_length(suspects), budget))
        return seen


def _by_length(segments: Iterable[str]) -> dict[int, list[str]]:
    lengths: dict[int, list[str]] = defaultdict(list)
    for segment in segments:
        lengths[len(segment)].append(segment)
    return dict(lengths)


def _file(segments: Iterable[str]) -> dict[int, dict[str, tuple[str, ...]]]:
    """Length of gram, gram, segments."""
    counts: dict[str, int] = defaultdict(int)
    for segment in segments:
        for gram in _choices(segment):
            counts[gram] += 1
    files: dict[int, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for segment in segments:
        gram = min(_choices(segment), key=counts.__getitem__)
        files[len(gram)][gram].append(segment)
    return {
        length: {gram: tuple(found) for gram, found in file.items()}
        for length, file in files.items()
    }


def _choices(segment: str) -> tuple[str, ...]:
    length = next(length for length in _GRAMS if length <= len(segment))
    middle = (len(segment) - length) // 2
    return segment[-length:], segment[:length], segment[middle : middle + length]


def _grams(path: str, length: int, budget: _Budget) -> dict[str, int]:
    """Every run of so many characters, and the last place where it begins."""
    places = len(path) - length + 1
    budget.spend(places * (2 + (length >> 6)))
    return {path[at : at + length]: at for at in range(places)}


def _last_places(path: str, lengths: dict[int, list[str]], budget: _Budget) -> dict[str, int]:
    """By one search for each segment, or by all runs of its length where that is cheaper."""
    size = len(path)
    seen: dict[str, int] = {}
    for length, segments in lengths.items():
        if length > size:
            continue
        units = len(segments) * (1 + _find_units(size, length))
        if units <= 4 * size:
            budget.spend(units)
            for segment in segments:
                at = path.rfind(segment)
                if at >= 0:
                    seen[segment] = at
        else:
            grams = _grams(path, length, budget)
            budget.spend(len(segments))
            for segment in segments:
                if segment in grams:
                    seen[segment] = grams[segment]
    return seen
