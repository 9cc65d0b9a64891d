"""How do the pages of a crawl link to each other, and which of them does it favour?

The score is PageRank over followed links between good pages, as site auditors compute it: damping
0.85, redirects and canonicals folded into where they lead, on a logarithmic scale from 0 to 100.
Such a scale puts half of all pages below 2, so a percentile stands beside it.
"""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from crawler import failpoints
from crawler.store.database import Connection

DAMPING: Final = 0.85
CLOSE_ENOUGH: Final = 1e-9
MOST_ROUNDS: Final = 200
_MAX_FOLDS: Final = 20
_UINT32: Final = "I"

_PAGES: Final = """
    SELECT pages.id, coalesce(pages.indexable, 0), good_pages.id IS NOT NULL
    FROM pages
    LEFT JOIN good_pages ON good_pages.id = pages.id
    ORDER BY pages.id
"""
_LINKS: Final = """
    SELECT links.source_id, links.target_id, links.nofollow = 0 AND (
        links.rel IS NULL
        OR (
            ' ' || links.rel || ' ' NOT LIKE '% ugc %'
            AND ' ' || links.rel || ' ' NOT LIKE '% sponsored %'
        )
    )
    FROM good_pages
    CROSS JOIN links
    WHERE links.source_id = good_pages.id AND links.kind IN ('a', 'area')
    ORDER BY links.source_id
"""
_FOLDS: Final = """
    SELECT pages.id, coalesce(
        visits.redirect_to_id,
        CASE WHEN pages.indexability_reason = 'canonical' THEN pages.canonical_id END
    )
    FROM pages
    LEFT JOIN visits ON visits.id = (
        SELECT max(id) FROM visits WHERE url_id = pages.id AND kind = 'page'
    )
    WHERE pages.indexability_reason IN ('redirect', 'canonical')
"""
_SEEDS: Final = """
    SELECT DISTINCT url_id
    FROM seeds
    WHERE url_id IS NOT NULL AND run_id = (SELECT max(run_id) FROM seeds)
"""
_STORE: Final = """
    UPDATE pages
    SET inlinks = ?, followed_inlinks = ?, indexable_inlinks = ?, link_score = ?,
        score_percentile = ?, clicks = ?
    WHERE id = ?
"""

_RUNS: Final = "SELECT (SELECT max(run_id) FROM runs_checks), (SELECT max(id) FROM runs)"
_HELD: Final = """
    CREATE TEMP TABLE held AS
    SELECT id, inlinks, clicks
    FROM pages
    WHERE inlinks IS NOT NULL
"""
_KEEP: Final = """
    INSERT INTO run_pages (run_id, page_id, inlinks, clicks)
    SELECT ?, held.id, held.inlinks, held.clicks
    FROM temp.held
    JOIN pages ON pages.id = held.id
    WHERE (held.inlinks, held.clicks) IS NOT (pages.inlinks, pages.clicks)
    ON CONFLICT DO NOTHING
"""
"""Of a run that was judged only what is otherwise now: what never changes takes no space. After an
analysis that was killed, pages may say what the run after it made of them; it is in here by then.
"""

Edges = tuple[Sequence[int], Sequence[int]]
"""Sources and targets, as places among the nodes."""


class Graph(msgspec.Struct):
    """Pages by their place in the order of ids, and links between them, one for each pair.

    indexable, good: by place, 0 or 1. sources, targets, followed: of the pairs, by source.
    folds: where a page leads on, as places.
    """

    ids: list[int]
    indexable: bytearray
    good: bytearray
    sources: array[int]
    targets: array[int]
    followed: bytearray
    folds: dict[int, int]

    def followed_from(self, place: int) -> Iterator[int]:
        """Pages to which a page has a link that may be followed."""
        first, end = (bisect_right(self.sources, at) for at in (place - 1, place))
        return (self.targets[at] for at in range(first, end) if self.followed[at])


def measure_graph(connection: Connection) -> None:
    """Fill inlinks, scores and clicks of all pages, anew and in one transaction, and keep what an
    earlier run was judged by."""
    graph = read_graph(connection)
    places = {url_id: place for place, url_id in enumerate(graph.ids)}
    seeds = [places[row[0]] for row in connection.execute(_SEEDS) if row[0] in places]
    scored = _scored(graph)
    clicks = count_clicks(seeds, graph)
    inlinks = count_inlinks(graph)
    connection.execute("BEGIN IMMEDIATE")
    before = _held(connection)
    connection.executemany(
        _STORE,
        (
            (*(counts[at] for counts in inlinks), *scored.get(at, (None, None)), clicks.get(at), id)
            for at, id in enumerate(graph.ids)
        ),
    )
    if before is not None:
        connection.execute(_KEEP, (before,))
        connection.execute("DROP TABLE temp.held")
    failpoints.reached("before-commit")
    connection.execute("COMMIT")
    failpoints.reached("after-commit")


def _held(connection: Connection) -> int | None:
    """Set aside what pages say now, if that is of an earlier run; returns which."""
    judged, last = connection.execute(_RUNS).fetchone()
    if judged is None or judged == last:
        return None
    connection.execute(_HELD)
    return int(judged)


def read_graph(connection: Connection) -> Graph:
    """The graph of the last good version of each page, in one look at the links."""
    rows = connection.execute(_PAGES).fetchall()
    places = {row[0]: place for place, row in enumerate(rows)}
    folds = {
        places[here]: places.get(there, -1)
        for here, there in connection.execute(_FOLDS)
        if there is not None
    }
    graph = Graph(
        [row[0] for row in rows],
        bytearray(row[1] for row in rows),
        bytearray(row[2] for row in rows),
        array(_UINT32),
        array(_UINT32),
        bytearray(),
        folds,
    )
    for source, led in _by_source(connection.execute(_LINKS)):
        led.pop(source, None)
        found = [(places[target], may) for target, may in led.items() if target in places]
        graph.sources.extend([places[source]] * len(found))
        graph.targets.extend(target for target, _ in found)
        graph.followed.extend(may for _, may in found)
    return graph


def _by_source(links: Iterable[tuple[int, int, int]]) -> Iterator[tuple[int, dict[int, int]]]:
    """Of each source its targets, and whether any link to one may be followed."""
    led: dict[int, int] = {}
    current = None
    for source, target, may in links:
        if source != current:
            if current is not None:
                yield current, led
            current, led = source, {}
        if may or target not in led:
            led[target] = may
    if current is not None:
        yield current, led


def count_inlinks(graph: Graph) -> tuple[list[int], list[int], list[int]]:
    """By place: pages that link there, with a link to follow, and indexable ones of these."""
    inlinks, followed, indexable = ([0] * len(graph.ids) for _ in range(3))
    pairs = zip(graph.sources, graph.targets, graph.followed, strict=True)
    for source, target, may in pairs:
        inlinks[target] += 1
        if may:
            followed[target] += 1
            indexable[target] += graph.indexable[source]
    return inlinks, followed, indexable


def _scored(graph: Graph) -> dict[int, tuple[float, float]]:
    """Score and percentile of every good page that nothing folds away, by place."""
    kept = [at for at, good in enumerate(graph.good) if good and end_of(at, graph.folds) == at]
    node = {at: number for number, at in enumerate(kept)}
    ranks = page_ranks(len(kept), folded_edges(graph, node))
    return dict(zip(kept, on_scale(ranks), strict=True))


def folded_edges(graph: Graph, node: Mapping[int, int]) -> Edges:
    """Links to follow between nodes, each once; what is folded away counts as where it leads."""
    ends = {at: node.get(end_of(at, graph.folds), -1) for at in graph.folds}
    nodes = array("q", (ends.get(at, node.get(at, -1)) for at in range(len(graph.ids))))
    sources, targets = array(_UINT32), array(_UINT32)
    folded: dict[tuple[int, int], None] = {}
    for at, may in enumerate(graph.followed):
        if may and (graph.sources[at] in ends or graph.targets[at] in ends):
            folded[nodes[graph.sources[at]], nodes[graph.targets[at]]] = None
    for here, there, may in zip(graph.sources, graph.targets, graph.followed, strict=True):
        source, target = nodes[here], nodes[there]
        if may and here not in ends and there not in ends and source >= 0 and target >= 0:
            folded.pop((source, target), None)
            sources.append(source)
            targets.append(target)
    for source, target in folded:
        if source >= 0 and target >= 0 and source != target:
            sources.append(source)
            targets.append(target)
    return sources, targets


def end_of(node: int, folds: Mapping[int, int]) -> int:
    """Where redirects and canonicals lead from here; itself where they lead round."""
    seen = {node}
    end = node
    for _ in range(_MAX_FOLDS):
        following = folds.get(end)
        if following is None:
            return end
        if following in seen:
            return node
        seen.add(following)
        end = following
    return end


def page_ranks(nodes: int, edges: Edges) -> list[float]:
    """PageRank of nodes 0 to `nodes` - 1, with numpy where it is installed."""
    if not nodes:
        return []
    try:
        import numpy  # noqa: F401  # an extra; 2 ms a round for 2.4 M links instead of 60
    except ImportError:
        return ranks_in_python(nodes, edges)
    return ranks_in_numpy(nodes, edges)


def ranks_in_python(nodes: int, edges: Edges) -> list[float]:
    """As `page_ranks`."""
    out = [0] * nodes
    for source in edges[0]:
        out[source] += 1
    ranks = [1.0 / nodes] * nodes
    for _ in range(MOST_ROUNDS):
        shares = [rank / count if count else 0.0 for rank, count in zip(ranks, out, strict=True)]
        lost = math.fsum(rank for rank, count in zip(ranks, out, strict=True) if not count)
        fresh = [0.0] * nodes
        for source, target in zip(*edges, strict=True):
            fresh[target] += shares[source]
        rest = (1.0 - DAMPING + DAMPING * lost) / nodes
        fresh = [rest + DAMPING * value for value in fresh]
        moved = math.fsum(abs(new - old) for new, old in zip(fresh, ranks, strict=True))
        ranks = fresh
        if moved < CLOSE_ENOUGH:
            break
    return ranks


def ranks_in_numpy(nodes: int, edges: Edges) -> list[float]:
    """As `page_ranks`."""
    import numpy as np

    sources, targets = (np.asarray(side, dtype=np.int64) for side in edges)
    out = np.bincount(sources, minlength=nodes)
    dangling = out == 0
    weights = 1.0 / np.maximum(out, 1)
    ranks = np.full(nodes, 1.0 / nodes)
    for _ in range(MOST_ROUNDS):
        flow = np.bincount(targets, weights=(ranks * weights)[sources], minlength=nodes)
        rest = (1.0 - DAMPING + DAMPING * ranks[dangling].sum()) / nodes
        fresh = rest + DAMPING * flow
        moved = float(np.abs(fresh - ranks).sum())
        ranks = fresh
        if moved < CLOSE_ENOUGH:
            break
    return [float(rank) for rank in ranks]


def on_scale(ranks: Sequence[float]) -> list[tuple[float, float]]:
    """Score from 0 to 100 on a logarithmic scale, and the percentile, each with one decimal."""
    if not ranks:
        return []
    logs = [round(math.log(rank), 6) for rank in ranks]  # numpy and Python add in other orders
    ordered = sorted(logs)
    low, wide = ordered[0], ordered[-1] - ordered[0]
    return [
        (
            round(100.0 * (value - low) / wide, 1) if wide else 100.0,
            round(100.0 * bisect_right(ordered, value) / len(ordered), 1),
        )
        for value in logs
    ]


def count_clicks(seeds: Iterable[int], graph: Graph) -> dict[int, int]:
    """Followed links from the nearest seed, by place; what redirects or names a canonical costs no
    click."""
    clicks: dict[int, int] = {}
    edge, distance = list(seeds), 0
    while edge:
        reached: list[int] = []
        for place in edge:
            if place not in clicks:
                clicks[place] = distance
                reached.append(place)
                onward = graph.folds.get(place, -1)
                if onward >= 0 and onward not in clicks:
                    edge.append(onward)  # looked at in this same round
        edge = [target for place in reached for target in graph.followed_from(place)]
        distance += 1
    return clicks
