"""Which row is this URL, and what does another link to it change?

Lives on the writer's thread. Ids are given out in order; the 63-bit hash is the identity. What is
known of recently seen URLs is kept in two generations of a dict, so that most links cost one
look-up and no SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from typing import NamedTuple

from crawler.config import Config
from crawler.model import Document, Target
from crawler.policy import words
from crawler.policy.link_kinds import FOLLOWED, REQUISITES
from crawler.policy.scope import ECHOES, Judge, Standing, Verdict
from crawler.store import rows, space
from crawler.store.contract import Entry
from crawler.store.database import Connection
from crawler.store.origins import Origins
from crawler.store.query_paths import QueryPaths
from crawler.store.ruling import best_links
from crawler.store.shorter_ways import ShorterWays

GENERATION = 50_000
LOOK_UP = 200
ASIDE = ("robots", "login")
"""Kinds of what is asked for before a site is."""
ORDINARY, FIRST = 1, 0
"""Priorities: seeds and redirects come first, and what a page needs before the next page."""

NEVER_LINKED = -1
"""Less than any standing."""


class Found(NamedTuple):
    """A link as its target sees it.

    kind: of the link. depth, hops: where it puts its target. source_id: the page it stands on.
    fetch_kind: what the target would be fetched for.
    """

    target: Target
    kind: str
    depth: int
    hops: int
    source_id: int | None
    fetch_kind: str


class Known(NamedTuple):
    """What is remembered of a URL: row id, best standing, smallest depth and hops."""

    id: int
    standing: int
    depth: int
    hops: int


def is_settled(known: Known, depth: int) -> bool:
    """Can no further link from this depth change what becomes of the URL?"""
    standing = known.standing
    return known.depth <= depth and (
        (standing == Standing.ACCEPTED and not known.hops) or standing == Standing.REFUSED
    )


class UrlTable:
    """The URLs of a crawl. Buffers new rows until `flush`."""

    def __init__(
        self, connection: Connection, config: Config, origins: Origins, judge: Judge, run_id: int
    ) -> None:
        self._connection = connection
        self._origins = origins
        self._judge = judge
        self._run_id = run_id
        self.query_paths = QueryPaths(connection, config.scope.max_queries_per_path)
        self.shorter_ways = ShorterWays(self, connection, config, origins)
        self._nofollow_counts = config.scope.follow_nofollow
        self._young: dict[int, Known] = {}
        self._old: dict[int, Known] = {}
        self._next_id = self._last_id()
        self._rows: list[tuple[object, ...]] = []
        self._taken_bytes = 0
        self.fresh: list[Entry] = []
        self.now = ""

    def __repr__(self) -> str:
        return f"<UrlTable {self._next_id} urls, {len(self._young) + len(self._old)} in memory>"

    def _last_id(self) -> int:
        return self._connection.execute("SELECT max(id) FROM urls").fetchone()[0] or 0

    def begin(self, now: str) -> None:
        """Start a batch at this time."""
        self.now = now
        self._taken_bytes = 0
        self.fresh = []

    def forget(self) -> None:
        """After a rollback: nothing in memory may be newer than the rows."""
        self._young.clear()
        self._old.clear()
        self._rows.clear()
        self.shorter_ways.forget()
        self.query_paths.forget()
        self.fresh = []
        self._next_id = self._last_id()

    def taken_since(self) -> int:
        """Roughly the bytes of the URLs that are new since this was asked last."""
        taken, self._taken_bytes = self._taken_bytes, 0
        return taken

    def recall(self, hashes: Iterable[int]) -> None:
        """Load what is known of these URLs, so that `known` answers from memory."""
        young, old = self._young, self._old
        missing = []
        for number in hashes:
            if number not in young:
                found = old.get(number)
                if found is None:
                    missing.append(number)
                else:
                    young[number] = found
        for start in range(0, len(missing), LOOK_UP):
            part = missing[start : start + LOOK_UP]
            part += [-1] * (LOOK_UP - len(part))
            for row in self._connection.execute(LOOK_UP_SQL, part):
                young[row[0]] = Known(row[1], _standing(*row[2:4], *row[6:8]), row[4], row[5])

    @property
    def known(self) -> Callable[[int], Known | None]:
        """Tells what is known of a URL that `recall` was asked for or that this batch found."""
        return self._young.get

    def remembered(self, number: int) -> Known:
        """What is known of a URL, by its hash, that is in memory."""
        return self._young[number]

    def remember(self, number: int, known: Known) -> None:
        """This is known of a URL, by its hash, from now on."""
        self._young[number] = known

    def admit(
        self,
        target: Target,
        kind: str,
        depth: int,
        *,
        hops: int = 0,
        source_id: int | None = None,
        nofollow: bool = False,
        fetch_kind: str = "page",
    ) -> int:
        """Take notice of a link and return the id of its target.

        A URL seen first gets a row and a fate; one that is known gets a better fate when this link
        is a better one. `nofollow` is False where the person chose to follow such links.
        """
        known = self._young.get(target.hash)
        if known is None:
            verdict = self._judge.verdict(
                target, kind, depth, nofollow=nofollow, fetch_kind=fetch_kind
            )
            return self._add(Found(target, kind, depth, hops, source_id, fetch_kind), verdict)
        is_part = self._judge.keeps_assets and (kind in REQUISITES or fetch_kind == "asset")
        if (
            known.standing == Standing.REFUSED
            and not is_part
            and kind != "seed"
            and depth >= known.depth
        ):
            return known.id
        if known.standing >= Standing.ECHO:
            if kind in FOLLOWED and not nofollow and not is_part:
                self._come_nearer(known, Found(target, kind, depth, hops, source_id, fetch_kind))
            return known.id
        verdict = self._judge.verdict(target, kind, depth, nofollow=nofollow, fetch_kind=fetch_kind)
        standing = standing_of(verdict, kind, fetch_kind)
        if standing > known.standing or (standing == known.standing and depth < known.depth):
            found = Found(target, kind, depth, hops, source_id, fetch_kind)
            self._improve(known, found, verdict)
        return known.id

    def _come_nearer(self, known: Known, found: Found) -> None:
        """A link to a page that is fetched already, or waits: it may be a shorter way there, or the
        first that is more than another page's canonical."""
        depth, hops = found.depth, found.hops
        promotes = (
            known.standing == Standing.ECHO
            and found.kind not in ECHOES
            and self._judge.verdict(found.target, found.kind, depth).standing == Standing.ACCEPTED
        )
        if promotes:
            self.write()
            self._connection.execute(PROMOTE, (found.kind, found.source_id, known.id))
            self._young[found.target.hash] = known._replace(standing=Standing.ACCEPTED)
            self.shorter_ways.promote(known.id)
        if promotes or depth < known.depth or hops < known.hops:
            self.shorter_ways.note(known.id, depth, hops)

    def admit_links(
        self, document: Document, depth: int, *, source_id: int, of_echo: bool = False
    ) -> list[int]:
        """Ids of a document's targets, each admitted by the best of the links that lead to it.

        depth: where they put their targets. of_echo: see `best_links`. Most targets are known, and
        a further link changes nothing of them: they cost one look-up. Which links matter is known
        only by the rows.
        """
        known = self.known
        accepted, refused = Standing.ACCEPTED, Standing.REFUSED
        ids: list[int] = []
        unsure: dict[int, Known | None] = {}
        for index, seen in enumerate(map(known, document.targets.hashes)):
            if seen is not None and seen[2] <= depth:
                url_id, standing, _, hops = seen
                if (standing == accepted and not hops) or standing == refused:
                    ids.append(url_id)
                    continue
            unsure[index] = seen
            ids.append(0)
        if unsure:
            self._admit_unsure(document, ids, unsure, depth, source_id=source_id, of_echo=of_echo)
        if self._judge.keeps_assets:
            self._admit_parts(document, depth, source_id=source_id)
        return ids

    def _admit_unsure(
        self, document: Document, ids: list[int], unsure: dict[int, Known | None], depth: int, *,
        source_id: int, of_echo: bool,
    ) -> None:  # fmt: skip
        """Put the ids of targets, of which a link may change something, into their places."""
        best = best_links(document, unsure, follow_nofollow=self._nofollow_counts, of_echo=of_echo)
        for index, seen in unsure.items():
            rank, kind = best.get(index, (0, "link"))
            if not rank and seen and seen.standing > NEVER_LINKED and seen.depth <= depth:
                ids[index] = seen.id  # a link that is not followed adds nothing
            else:
                ids[index] = self.admit(
                    document.targets[index], kind, depth, source_id=source_id, nofollow=rank == 1
                )

    def _admit_parts(self, document: Document, depth: int, *, source_id: int) -> None:
        """What a page needs to look right, though a link of another kind came before it: one to
        a page that does not belong to the crawl, or a hint."""
        columns, known = document.columns, self.known
        parts = {
            target: kind
            for target, kind in zip(reversed(columns.targets), reversed(columns.kinds), strict=True)
            if kind in REQUISITES
        }
        for index, kind in parts.items():
            seen = known(document.targets.hashes[index])
            if seen is None or (seen.standing, -seen.depth) < (Standing.ASSET, -depth):
                self.admit(document.targets[index], kind, depth, source_id=source_id)

    def withdraw(self, url_ids: Container[int]) -> None:
        """What this batch queued waits no longer."""
        self.fresh = [entry for entry in self.fresh if entry.id not in url_ids]

    def requeue_as_page(self, entry: Entry, depth: int, hops: int) -> None:
        """A page links to what was out for a check or as a sitemap: it waits to be a page."""
        self.fresh = [waiting for waiting in self.fresh if waiting.id != entry.id]
        self.fresh.append(entry._replace(kind="page", attempts=0, depth=depth, hops=hops))

    def record_aside(self, target: Target, kind: str) -> int:
        """The row of a robots.txt or a step of a login (`kind`): no page until one links to it,
        skipped until it is asked for."""
        known = self._young.get(target.hash)
        if known is not None:
            return known.id
        origin = self._origins.origin(target.origin)
        self._next_id += 1
        self._rows.append(
            rows.URLS.row(
                self._next_id, target, origin.host.id, origin.id, kind, "skipped",
                "not_followed", 0, 0, ORDINARY, kind, None, self.now, self._run_id,
            )
        )  # fmt: skip
        self._young[target.hash] = Known(self._next_id, Standing.RECORDED, 0, 0)
        return self._next_id

    def age(self) -> None:
        """Forget what was not asked for lately, when there is much of it."""
        if len(self._young) > GENERATION:
            self._old, self._young = self._young, {}

    def unlink(self, url_id: int, number: int, depth: int, hops: int) -> None:
        """Take a URL back to "never linked": the next link that is admitted decides its fate."""
        self._young[number] = Known(url_id, NEVER_LINKED, depth, hops)

    def write(self) -> None:
        """Write new rows."""
        self.query_paths.write()
        self._connection.executemany(rows.URLS.insert, self._rows)
        self._rows.clear()

    def _add(self, found: Found, verdict: Verdict) -> int:
        self._next_id += 1
        url_id = self._next_id
        target, kind, depth, hops, source_id, fetch_kind = found
        what, state, reason, host_id, origin_id = self._fate(url_id, found, verdict)
        self._rows.append(
            rows.URLS.row(
                url_id, target, host_id, origin_id, what, state, reason, depth, hops,
                _priority(what, kind), kind, source_id, self.now, self._run_id,
            )
        )  # fmt: skip
        self._young[target.hash] = Known(
            url_id, standing_of(verdict, kind, fetch_kind), depth, hops
        )
        self._taken_bytes += space.of_url(target.url)
        return url_id

    def _improve(self, known: Known, found: Found, verdict: Verdict) -> None:
        """Give a known URL the fate of a better link; one queued for a check becomes a page."""
        self.write()
        target, kind, depth, hops, source_id, fetch_kind = found
        old_state, old_kind = self._connection.execute(
            "SELECT state, kind FROM urls WHERE id = ?", (known.id,)
        ).fetchone()
        self._young[target.hash] = Known(
            known.id, standing_of(verdict, kind, fetch_kind), depth, hops
        )
        if old_kind == "check" and (verdict.check or verdict.reason is not None):
            self._connection.execute(
                "UPDATE urls SET depth = min(depth, ?) WHERE id = ?", (depth, known.id)
            )
            return
        if old_kind == "asset" and known.standing == verdict.standing == Standing.ASSET:
            self._young[target.hash] = known
            self.shorter_ways.note(known.id, depth, known.hops)
            return
        if old_state == "queued" and target.origin:
            self._origins.count(self._origins.origin(target.origin).host, queued=-1)
            self.fresh = [entry for entry in self.fresh if entry.id != known.id]
        what, state, reason, host_id, origin_id = self._fate(known.id, found, verdict)
        if old_kind in ASIDE and state == "skipped":
            return
        self._connection.execute(
            """
            UPDATE urls
            SET kind = ?, state = ?, reason = ?, depth = ?, hops = ?, priority = ?, via = ?,
                found_on_id = ?, host_id = ?, origin_id = ?, attempts = 0, not_before = NULL
            WHERE id = ?
            """,
            (
                what, state, reason, depth, hops, _priority(what, kind), kind, source_id, host_id,
                origin_id, known.id,
            ),
        )  # fmt: skip

    def _fate(
        self, url_id: int, found: Found, verdict: Verdict
    ) -> tuple[str, str, str | None, int | None, int | None]:
        """kind, state, reason, host_id and origin_id of a URL with this verdict."""
        target, fetch_kind = found.target, found.fetch_kind
        if not target.origin:
            return fetch_kind, "skipped", verdict.reason, None, None
        origin = self._origins.origin(target.origin)
        host = origin.host
        if verdict.reason is not None:
            return fetch_kind, "skipped", verdict.reason, host.id, origin.id
        what = verdict.kind(fetch_kind)
        full = self._origins.is_full(host, target.url) or self._endless(origin.id, target.url)
        if full is not None:
            return what, "skipped", full, host.id, origin.id
        stop = self._origins.stop_reason(origin, target.url)
        if stop is not None:
            return what, stop.state, stop.reason, host.id, origin.id
        self._origins.count(host, queued=1)
        self.fresh.append(
            Entry(
                _priority(what, found.kind), found.depth, url_id, target.url, target.hash, what, 0,
                found.hops, host.id, origin.id,
            )
        )  # fmt: skip
        return what, "queued", None, host.id, origin.id

    def _endless(self, origin_id: int, url: str) -> str | None:
        """``trap`` for one query too many of the same path, as in a calendar without end."""
        return None if self.query_paths.take(origin_id, url) else "trap"

    def ask_again(self, url_id: int, *, most: int) -> None:
        """A page that has only redirected so far waits once more, now that it is sent cookies, but
        is not asked for more than so many times."""
        self.write()
        row = self._connection.execute(ONLY_REDIRECTED, (url_id, most)).fetchone()
        if row is None:
            return
        url, number, kind, priority, depth, attempts, hops, host_id, origin_id, origin = row
        self._origins.count(self._origins.origin(origin).host, queued=1, pages=-1)
        self._connection.execute(
            "UPDATE urls SET state = 'queued', reason = NULL WHERE id = ?", (url_id,)
        )
        self.fresh.append(
            Entry(priority, depth, url_id, url, number, kind, attempts, hops, host_id, origin_id)
        )


def _priority(what: str, kind: str) -> int:
    """When what a link of this kind leads to is fetched, for whatever it is."""
    return FIRST if what == "asset" or kind in ("seed", "redirect") else ORDINARY


def _standing(state: str, reason: str | None, kind: str, via: str) -> int:
    if kind in (*ASIDE, "check"):
        return Standing.RECORDED
    accepted = Standing.ECHO if via in ECHOES else Standing.ACCEPTED
    accepted = _NO_PAGES.get(kind, accepted)
    if state != "skipped":
        return accepted
    # Every reason that says nothing of links came after the URL had been accepted.
    standing = words.of(reason).standing
    return accepted if standing is None else standing


_NO_PAGES = {"sitemap": Standing.SITEMAP, "asset": Standing.ASSET}


def standing_of(verdict: Verdict, kind: str, fetch_kind: str) -> Standing:
    """What a verdict is worth: a sitemap that a page links to as well becomes a page."""
    if verdict.standing == Standing.ACCEPTED and fetch_kind == "sitemap":
        return Standing.SITEMAP
    if verdict.standing == Standing.ACCEPTED and kind in ECHOES:
        return Standing.ECHO
    return verdict.standing


# By its index, whatever the statistics of a time when the table was small make of it.
LOOK_UP_SQL = f"""
    SELECT hash, id, state, reason, depth, hops, kind, via
    FROM urls INDEXED BY urls_hash
    WHERE hash IN ({",".join("?" * LOOK_UP)})
"""

PROMOTE = """
    UPDATE urls
    SET via = ?, found_on_id = ?
    WHERE id = ?
"""

ONLY_REDIRECTED = """
    SELECT urls.url, urls.hash, urls.kind, urls.priority, urls.depth, urls.attempts, urls.hops,
        urls.host_id, urls.origin_id, origins.origin
    FROM urls
    JOIN origins ON origins.id = urls.origin_id
    WHERE urls.id = ? AND urls.attempts < ? AND urls.state = 'done' AND urls.kind = 'page'
        AND urls.status BETWEEN 300 AND 399
"""
