"""What lies nearer to a seed when a shorter way to a page is found?

Lives on the writer's thread. All that a page leads to lies as much nearer, and so does what that
leads to; it is carried on when all else of a batch is written.
"""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from crawler.config import Config
from crawler.model import Target
from crawler.policy import words
from crawler.policy.scope import ECHOES, Standing
from crawler.store.contract import Entry
from crawler.store.database import Connection
from crawler.store.origins import Origins
from crawler.store.ruling import UNFOLLOWED, settings_of

if TYPE_CHECKING:
    from crawler.store.url_table import Known, UrlTable


class ShorterWays:
    """Shorter ways that a batch has found, by depth and hops, until they are carried on.

    promoted: ids of URLs that were another page's canonical only, and are pages now.
    redirecting: ids of URLs that redirect, and came nearer.
    """

    def __init__(
        self, table: UrlTable, connection: Connection, config: Config, origins: Origins
    ) -> None:
        self._table = table
        self._connection = connection
        self._origins = origins
        self._max_hops = config.fetch.max_redirects
        self._settings = settings_of(config)
        self._nofollow_counts = config.scope.follow_nofollow
        self._found: list[tuple[int, int, int]] = []
        self._redirecting: set[int] = set()
        self._promoted: set[int] = set()

    def note(self, url_id: int, depth: int, hops: int) -> None:
        """There is a way to a URL that is shorter than those before."""
        heapq.heappush(self._found, (depth, hops, url_id))

    def promote(self, url_id: int) -> None:
        """What a URL leads to is to be looked at again, though it lies no nearer."""
        self._promoted.add(url_id)

    def forget(self) -> None:
        """After a rollback: nothing has been found."""
        self._found.clear()
        self._redirecting.clear()
        self._promoted.clear()

    def carry_on(self) -> set[int]:
        """Carry smaller depths on to what lies behind, once all else of the batch is written.

        Returns the ids of redirecting URLs that came nearer.
        """
        self._table.write()
        while self._found:
            depth, hops, url_id = heapq.heappop(self._found)
            self._bring_nearer(url_id, depth, hops)
            self._table.write()
        redirecting, self._redirecting = self._redirecting, set()
        return redirecting

    def _bring_nearer(self, url_id: int, depth: int, hops: int) -> None:
        """A shorter way to an accepted URL was found: it and all behind it lie nearer."""
        row = self._connection.execute(
            """
            SELECT urls.url, urls.hash, urls.depth, urls.hops, urls.state, urls.reason,
                origins.origin, urls.kind, urls.priority
            FROM urls
            JOIN origins ON origins.id = urls.origin_id
            WHERE urls.id = ?
            """,
            (url_id,),
        ).fetchone()
        url, number, old_depth, old_hops, state, reason, origin_name, kind, priority = row
        new_depth, new_hops = min(depth, old_depth), min(hops, old_hops)
        if (new_depth, new_hops) == (old_depth, old_hops) and url_id not in self._promoted:
            return
        self._promoted.discard(url_id)
        self._connection.execute(
            "UPDATE urls SET depth = ?, hops = ? WHERE id = ?", (new_depth, new_hops, url_id)
        )
        self._connection.execute("UPDATE pages SET depth = ? WHERE id = ?", (new_depth, url_id))
        known = self._table.remembered(number)._replace(depth=new_depth, hops=new_hops)
        self._table.remember(number, known)
        if reason == "too_many_redirects" and new_hops < old_hops:
            self._requeue(url_id, url, number, kind, priority, new_depth, new_hops, origin_name)
        if state != "queued":
            self._bring_children_nearer(known)
        else:
            self._move_forward(url_id)

    def _move_forward(self, url_id: int) -> None:
        """A URL that waits stands nearer in its queue, perhaps where the frontier has read on."""
        row = self._connection.execute(WAITING_ENTRY, (self._settings, url_id)).fetchone()
        if row is not None:
            self._table.fresh.append(Entry._make(row))

    def _requeue(
        self,
        url_id: int,
        url: str,
        number: int,
        kind: str,
        priority: int,
        depth: int,
        hops: int,
        origin_name: str,
    ) -> None:
        """A chain that ended in an error has a shorter way now: try again."""
        origin = self._origins.origin(origin_name)
        self._origins.count(origin.host, queued=1, pages=-1)
        self._connection.execute(
            "UPDATE urls SET state = 'queued', reason = NULL, attempts = 0 WHERE id = ?", (url_id,)
        )
        self._table.fresh.append(
            Entry(priority, depth, url_id, url, number, kind, 0, hops, origin.host.id, origin.id)
        )

    def _bring_children_nearer(self, known: Known) -> None:
        url_id, standing, depth, hops = known
        is_echo = standing == Standing.ECHO
        links = self._connection.execute(LINKS_OF, (url_id,)).fetchall()
        self._table.recall([link[1] for link in links])
        for url, number, origin, reason, kind, nofollow in links:
            refusal = reason if words.of(reason).of_url else None
            target = Target(url, number, origin or "", refusal)
            shy = bool(nofollow) and not self._nofollow_counts
            if is_echo and kind in ECHOES:
                kind = UNFOLLOWED
            self._table.admit(target, kind, depth + 1, source_id=url_id, nofollow=shy)
        redirect = self._connection.execute(LAST_REDIRECT, (url_id,)).fetchone()
        if redirect is None:
            return
        self._redirecting.add(url_id)
        if hops < self._max_hops:
            url, number, origin, reason = redirect
            self._table.recall((number,))
            refusal = reason if words.of(reason).of_url else None
            target = Target(url, number, origin or "", refusal)
            kind = "canonical" if is_echo else "redirect"
            what = "asset" if standing == Standing.ASSET else "page"
            self._table.admit(target, kind, depth, hops=hops + 1, source_id=url_id, fetch_kind=what)


WAITING_ENTRY = """
    SELECT urls.priority, urls.depth, urls.id, urls.url, urls.hash, urls.kind, urls.attempts,
        urls.hops, urls.host_id, urls.origin_id, pages.etag, pages.last_modified
    FROM urls
    LEFT JOIN pages ON pages.id = urls.id AND pages.made_under = ?
    WHERE urls.id = ? AND urls.not_before IS NULL
"""

LINKS_OF = """
    SELECT urls.url, urls.hash, origins.origin, urls.reason, links.kind, links.nofollow
    FROM links
    JOIN urls ON urls.id = links.target_id
    LEFT JOIN origins ON origins.id = urls.origin_id
    WHERE links.source_id = ?
"""

LAST_REDIRECT = """
    SELECT urls.url, urls.hash, origins.origin, urls.reason
    FROM visits
    JOIN urls ON urls.id = visits.redirect_to_id
    LEFT JOIN origins ON origins.id = urls.origin_id
    WHERE visits.id = (
        SELECT max(id) FROM visits WHERE url_id = ? AND kind NOT IN ('robots', 'login')
    )
"""
