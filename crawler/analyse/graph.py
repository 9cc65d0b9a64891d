"""How do the pages of a crawl link to each other, and which of them does it favour?

The score is PageRank over followed links between good pages, as site auditors compute it: damping
0.85, redirects and canonicals folded into where they lead, on a logarithmic scale from 0 to 100.
Such a scale puts half of all pages below 2, so a percentile stands beside it.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from crawler import failpoints
from crawler.store.database import Connection

DAMPING: Final = 0.85
CLOSE_ENOUGH: Final = 1e-9
MOST_ROUNDS: Final = 200
_MAX_FOLDS: Final = 20

_PAIRS: Final = """
    CREATE TEMP TABLE pairs AS
    SELECT links.source_id, links.target_id, max(
        links.nofollow = 0
        AND ' ' || coalesce(links.rel, '') || ' ' NOT LIKE '% ugc %'
        AND ' ' || coalesce(links.rel, '') || ' ' NOT LIKE '% sponsored %'
    ) AS followed
    FROM links
    JOIN good_pages ON good_pages.id = links.source_id
    WHERE links.kind IN ('a', 'area') AND links.source_id <> links.target_id
    GROUP BY links.target_id, links.source_id
"""
_INLINKS: Final = """
    UPDATE pages
    SET inlinks = coalesce(counted.inlinks, 0),
        followed_inlinks = coalesce(counted.followed, 0),
        indexable_inlinks = coalesce(counted.indexable, 0),
        link_score = NULL,
        score_percentile = NULL,
        clicks = NULL
    FROM pages AS same
    LEFT JOIN (
        SELECT pairs.target_id, count(*) AS inlinks, sum(pairs.followed) AS followed,
            sum(pairs.followed AND source.indexable = 1) AS indexable
        FROM temp.pairs
        JOIN pages AS source ON source.id = pairs.source_id
        GROUP BY pairs.target_id
    ) AS counted ON counted.target_id = same.id
    WHERE same.id = pages.id
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


def measure_graph(connection: Connection) -> None:
    """Fill inlinks, scores and clicks of all pages, anew and in one transaction, and keep what an
    earlier run was judged by."""
    connection.execute("DROP TABLE IF EXISTS temp.pairs")
    connection.execute(_PAIRS)
    folds = {here: there for here, there in connection.execute(_FOLDS) if there is not None}
    followed = "SELECT source_id, target_id FROM temp.pairs WHERE followed"
    pairs = connection.execute(followed).fetchall()
    nodes = [row[0] for row in connection.execute("SELECT id FROM good_pages ORDER BY id")]
    seeds = [row[0] for row in connection.execute(_SEEDS)]
    scored = _scored(nodes, pairs, folds)
    clicks = count_clicks(seeds, pairs, folds)
    connection.execute("BEGIN IMMEDIATE")
    before = _held(connection)
    connection.execute(_INLINKS)
    connection.executemany(
        "UPDATE pages SET link_score = ?, score_percentile = ? WHERE id = ?", scored
    )
    connection.executemany(
        "UPDATE pages SET clicks = ? WHERE id = ?",
        [(count, url_id) for url_id, count in clicks.items()],
    )
    if before is not None:
        connection.execute(_KEEP, (before,))
        connection.execute("DROP TABLE temp.held")
    failpoints.reached("before-commit")
    connection.execute("COMMIT")
    failpoints.reached("after-commit")
    connection.execute("DROP TABLE temp.pairs")


def _held(connection: Connection) -> int | None:
    """Set aside what pages say now, if that is of an earlier run; returns which."""
    judged, last = connection.execute(_RUNS).fetchone()
    if judged is None or judged == last:
        return None
    connection.execute(_HELD)
    return int(judged)


def _scored(
    nodes: Sequence[int], pairs: Iterable[tuple[int, int]], folds: Mapping[int, int]
) -> list[tuple[float, float, int]]:
    """Score, percentile and id of every node that nothing folds away."""
    kept = [node for node in nodes if end_of(node, folds) == node]
    place = {node: number for number, node in enumerate(kept)}
    ends = {node: place.get(end_of(node, folds)) for node in {*nodes, *folds}}
    folded = {(ends.get(source), ends.get(target)) for source, target in pairs}
    edges = sorted(
        (source, target)
        for source, target in folded
        if source is not None and target is not None and source != target
    )
    sources, targets = [edge[0] for edge in edges], [edge[1] for edge in edges]
    ranks = page_ranks(len(kept), (sources, targets))
    return [
        (score, percentile, node)
        for (score, percentile), node in zip(on_scale(ranks), kept, strict=True)
    ]


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


def count_clicks(
    seeds: Iterable[int], pairs: Iterable[tuple[int, int]], folds: Mapping[int, int]
) -> dict[int, int]:
    """Followed links from the nearest seed; what redirects or names a canonical costs no click."""
    following: dict[int, list[int]] = {}
    for source, target in pairs:
        following.setdefault(source, []).append(target)
    clicks: dict[int, int] = {}
    edge, distance = list(seeds), 0
    while edge:
        reached: list[int] = []
        for node in edge:
            if node not in clicks:
                clicks[node] = distance
                reached.append(node)
                if node in folds and folds[node] not in clicks:
                    edge.append(folds[node])  # looked at in this same round
        edge = [target for node in reached for target in following.get(node, ())]
        distance += 1
    return clicks
