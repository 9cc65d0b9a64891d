"""How many queries of each path were taken so far, in all runs of a crawl?

Lives on the writer's thread. A path with few queries is counted in memory alone; one that has many
has a row, so that neither other paths nor another run make a calendar without end begin anew.
"""

from __future__ import annotations

from crawler.store.database import Connection

KEPT_FROM = 100
"""Queries from which on a path's count outlives the memory."""
LIGHT = 50_000
"""Paths with fewer that are remembered."""

Path = tuple[int, str]
"""An origin's id, and a URL up to its question mark."""


class QueryPaths:
    """Counts up to `most` for each path."""

    def __init__(self, connection: Connection, most: int, *, light: int = LIGHT) -> None:
        self._connection = connection
        self._most = most
        self._kept_from = max(1, min(KEPT_FROM, most // 10))
        self._max_light = light
        self._light: dict[Path, int] = {}
        self._heavy: dict[Path, int] = {}
        self._changed: set[Path] = set()
        self.forget()

    def __repr__(self) -> str:
        return f"<QueryPaths {len(self._light)} with few, {len(self._heavy)} with many>"

    def take(self, origin_id: int, url: str) -> bool:
        """Count one more URL, where it has a query; False when its path has had enough."""
        place, mark, _ = url.partition("?")
        if not mark:
            return True
        path = (origin_id, place)
        count = self._heavy.get(path) or self._light.get(path, 0)
        if count >= self._most:
            return False
        self._note(path, count + 1)
        return True

    def _note(self, path: Path, count: int) -> None:
        if count >= self._kept_from:
            self._light.pop(path, None)
            self._heavy[path] = count
            self._changed.add(path)
            return
        if len(self._light) >= self._max_light:
            self._light.clear()
        self._light[path] = count

    def write(self) -> None:
        """Write down the counts that have changed."""
        if self._changed:
            rows = [(*path, self._heavy[path]) for path in self._changed]
            self._connection.executemany(UPSERT, rows)
            self._changed.clear()

    def forget(self) -> None:
        """After a rollback: nothing in memory may be newer than the rows."""
        self._light.clear()
        self._changed.clear()
        rows = self._connection.execute("SELECT origin_id, path, queries FROM query_paths")
        self._heavy = {(row[0], row[1]): row[2] for row in rows.fetchall()}

    def count_anew(self) -> None:
        """Count only what was fetched: all that waits is about to be judged again."""
        self._connection.execute("DELETE FROM query_paths")
        self._connection.execute(COUNT_FETCHED, (self._kept_from,))
        self.forget()


UPSERT = """
    INSERT INTO query_paths (origin_id, path, queries)
    VALUES (?, ?, ?)
    ON CONFLICT (origin_id, path) DO UPDATE
    SET queries = excluded.queries
"""

COUNT_FETCHED = """
    INSERT INTO query_paths (origin_id, path, queries)
    SELECT origin_id, substr(url, 1, instr(url, '?') - 1) AS path, count(*) AS queries
    FROM urls
    WHERE origin_id IS NOT NULL
        AND instr(url, '?') > 0
        AND state IN ('done', 'failed')
    GROUP BY origin_id, path
    HAVING count(*) >= ?
"""
