"""What do redirects mean beyond their own hop?

A redirect on a loop that leads no further (to no greater number of hops) is an error, so that the
end does not depend on which of the loop came first.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from crawler.store.database import Connection
from crawler.store.views import led_on

MAX_LOOP = 64
"""Redirects in a loop that is found out."""


def loops_through(connection: Connection, url_ids: Iterable[int]) -> Iterator[list[int]]:
    """The loops on which these redirecting URLs stand, each once, in order."""
    seen: set[int] = set()
    for url_id in url_ids:
        if url_id not in seen:
            loop = _loop(connection, url_id)
            seen.update(loop)
            if loop:
                yield loop


def _loop(connection: Connection, url_id: int) -> list[int]:
    """The redirects that lead from this URL back to it, in order; empty when none do."""
    loop = [url_id]
    for _ in range(MAX_LOOP):
        row = connection.execute(NEXT_HOP, (loop[-1],)).fetchone()
        if row is None or row[0] is None or row[0] in loop[1:]:
            return []
        if row[0] == url_id:
            return loop if len(loop) > 1 else []
        loop.append(row[0])
    return []


def settle_loop(connection: Connection, loop: list[int]) -> int:
    """Give every redirect of a loop its end; returns by how many the errors grew."""
    return sum(
        _settle(connection, member, loop[(place + 1) % len(loop)])
        for place, member in enumerate(loop)
    )


def _settle(connection: Connection, url_id: int, target_id: int) -> int:
    hops, reason, target_hops = connection.execute(HOPS_OF_BOTH, (target_id, url_id)).fetchone()
    fails, failed = target_hops <= hops, reason == "redirect_loop"
    if fails == failed:
        return 0
    error = "redirect_loop" if fails else None
    connection.execute(
        "UPDATE urls SET state = ?, reason = ? WHERE id = ?",
        ("failed" if fails else "done", error, url_id),
    )
    connection.execute("UPDATE pages SET error = ? WHERE id = ?", (error, url_id))
    connection.execute(SET_ERROR_OF_VISIT, (error, url_id))
    return 1 if fails else -1


def chain_from(connection: Connection, url_id: int) -> Iterator[str]:
    """The URLs to which this one led when it last answered, hop by hop: by redirects, or by the
    refreshes of seeds' pages that stand for such."""
    for _ in range(MAX_LOOP):
        row = connection.execute(LAST_HOP, (url_id,)).fetchone()
        row = row or connection.execute(REFRESH, (url_id,)).fetchone()
        if row is None:
            return
        url_id, url = row
        yield url


def start_of_chain(connection: Connection, url_id: int) -> tuple[int, str]:
    """Id and URL of what stands at the beginning of the redirects that led to this one first, or
    the refreshes that stand for such."""
    url = ""
    for _ in range(MAX_LOOP):
        url, via, found_on_id = connection.execute(FOUND, (url_id,)).fetchone()
        if via not in ("redirect", "refresh") or found_on_id is None:
            break
        url_id = found_on_id
    return url_id, url


def target_of_seed(connection: Connection, url_id: int) -> str | None:
    """Where a URL that is a seed, or stands on a seed's chain, redirects to."""
    row = connection.execute(SEED_REDIRECT, (url_id,)).fetchone()
    return row[0] if row else None


NEXT_HOP = """
    SELECT visits.redirect_to_id
    FROM urls
    JOIN visits ON visits.id = (
        SELECT max(id) FROM visits WHERE url_id = urls.id AND kind NOT IN ('robots', 'login')
    )
    WHERE urls.id = ? AND urls.state <> 'queued'
"""

HOPS_OF_BOTH = """
    SELECT urls.hops, urls.reason, target.hops
    FROM urls
    JOIN urls AS target ON target.id = ?
    WHERE urls.id = ?
"""

SET_ERROR_OF_VISIT = """
    UPDATE visits
    SET error = ?
    WHERE id = (SELECT max(id) FROM visits WHERE url_id = ? AND kind NOT IN ('robots', 'login'))
"""

REFRESH = f"""
    SELECT id, url
    FROM urls
    WHERE id = ({led_on("?1")})
"""

LAST_HOP = """
    SELECT target.id, target.url
    FROM visits
    JOIN urls AS target ON target.id = visits.redirect_to_id
    WHERE visits.id = (
            SELECT max(id)
            FROM visits
            WHERE url_id = ? AND kind = 'page' AND status < 500 AND status <> 429
        )
        AND target.origin_id IS NOT NULL
"""

FOUND = """
    SELECT url, via, found_on_id
    FROM urls
    WHERE id = ?
"""

SEED_REDIRECT = """
    SELECT target.url
    FROM urls
    JOIN visits ON visits.id = (
        SELECT max(id) FROM visits WHERE url_id = urls.id AND kind = 'page'
    )
    JOIN urls AS target ON target.id = visits.redirect_to_id
    WHERE urls.id = ? AND urls.depth = 0 AND target.origin_id IS NOT NULL
"""
