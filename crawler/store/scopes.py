"""What do the seeds cover?

Lives on the writer's thread. A seed gets a row, and its key joins the scope; what was skipped as
out of scope there is judged again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from crawler.model import Target
from crawler.policy import seeds, urls
from crawler.policy.scope import Judge, moves_with, seed_key
from crawler.policy.seeds import Seed
from crawler.store import redirects, rows
from crawler.store.database import Connection
from crawler.store.origins import Origin, Origins
from crawler.store.url_table import UrlTable

KEYS_KEPT = 50_000


class Keys:
    """The keys of the scope: the rows are the truth, recent ones are remembered.

    A key bears the number of the last run whose seeds made it.
    """

    def __init__(self, connection: Connection, run_id: int) -> None:
        self._connection = connection
        self._run_id = run_id
        self._known: dict[str, bool] = {}
        self._renewed: set[str] = set()

    def __repr__(self) -> str:
        return f"<Keys {len(self._known)} in memory>"

    def covers(self, key: str) -> bool:
        """Is this one of them?"""
        known = self._known.get(key)
        if known is None:
            row = self._connection.execute("SELECT 1 FROM scopes WHERE key = ?", (key,)).fetchone()
            if len(self._known) > KEYS_KEPT:
                self._known.clear()
            known = self._known[key] = row is not None
        return known

    def cover_below(self, start: str) -> bool:
        """Is there one that begins so?"""
        row = self._connection.execute(BEGINNING_SO, (start, start + "\U0010ffff")).fetchone()
        return row is not None

    def add(self, key: str) -> bool:
        """This run's seeds make this key; whether it is new."""
        if key in self._renewed:
            return False
        is_new = not self.covers(key)
        self._connection.execute(ADD_KEY, (key, self._run_id))
        if len(self._renewed) > KEYS_KEPT:
            self._renewed.clear()
        self._renewed.add(key)
        self._known[key] = True
        return is_new

    def drop_others(self) -> bool:
        """Drop the keys of earlier runs that this one's seeds did not make; whether there were."""
        dropped = self._connection.execute(DROP_KEYS, (self._run_id,)).rowcount
        self._known.clear()
        return bool(dropped)

    def forget(self) -> None:
        """After a rollback: nothing in memory may be newer than the rows."""
        self._known.clear()
        self._renewed.clear()


class NoKeys(Keys):
    """Of a run without seeds: nothing is in its scope."""

    def covers(self, key: str) -> bool:
        """Never: what its pages link to is judged by the crawl that comes next."""
        return False

    def cover_below(self, start: str) -> bool:
        """Never."""
        return False


HostsOf = tuple[str, str, str, str]
"""Which hosts a seed brings in: its own, that with www., its registered domain, and the mode."""


class Scopes:
    """The seeds of a run, and the scope that they make."""

    def __init__(
        self, connection: Connection, keys: Keys, origins: Origins, url_table: UrlTable,
        judge: Judge, *, mode: str, run_id: int,
    ) -> None:  # fmt: skip
        self._connection = connection
        self._keys = keys
        self._origins = origins
        self._url_table = url_table
        self._judge = judge
        self._mode = mode
        self._run_id = self._since_run = run_id
        self._joined: dict[HostsOf, None] = {}

    def __repr__(self) -> str:
        return f"<Scopes {self._mode}, {self._keys!r}>"

    # Seeds come in

    def load(self, batch: Sequence[Seed]) -> None:
        """Store lines of the seeds file; what they name joins the scope and the queue."""
        self._url_table.recall(seed.target.hash for seed in batch)
        found = []
        for seed in batch:
            url_id, bare = None, seed.scheme_assumed
            if seed.target.hash and (seed.error is None or seed.target.refusal):
                url_id = self._admit_seed(seed.target)
            if url_id is not None and bare and self._has_no_https(url_id):
                url_id, bare = self._admit_over_http(seed.target), False
            found.append(rows.SEEDS.row(self._run_id, seed, url_id, bare))
        self._connection.executemany(rows.SEEDS.insert, found)

    def _admit_seed(self, target: Target) -> int:
        known = self._url_table.known(target.hash)
        if target.refusal is None:
            self._join(target.url)
            host = urls.host_of(target.origin).removesuffix(".")
            if urls.is_private_literal(host):
                self._origins.mark_own(self._origins.host(host))
        if known is not None:
            for url in redirects.chain_from(self._connection, known.id):
                if moves_with(target.url, url):
                    self._join(url)
        return self._url_table.admit(target, "seed", 0)

    def move(self, url_id: int, target: str) -> None:
        """What stands on a seed's chain of redirects leads on to `target`."""
        seed_id, seed = redirects.start_of_chain(self._connection, url_id)
        if moves_with(seed, target) and self._is_named(seed_id):
            self._join(target)

    def _join(self, url: str) -> None:
        """Add a seed's key to the scope; what was out of scope there is judged again."""
        key = seed_key(url, self._mode)
        if key is None or not self._keys.add(key):
            return
        target, _ = urls.resolve(url, rules=urls.UNLIMITED)
        if self._mode == "page":
            self._readmit_all(SKIPPED_AT, (target.hash,))
            return
        name = urls.fold_host(urls.host_of(target.origin))
        self._joined[name, f"www.{name}", urls.registered_domain(name), self._mode] = None

    def readmit_joined(self) -> None:
        """Judge again what was out of scope on hosts of which something joined it: once, however
        many keys of theirs did."""
        for hosts in self._joined:
            self._readmit_all(SKIPPED_BY_SCOPE, hosts)

    def _readmit_all(self, which: str, values: Sequence[Any]) -> None:
        self._url_table.write()
        for row in self._connection.execute(which, values).fetchall():
            self._readmit(*row)

    def origins_joined(self) -> list[str]:
        """Origins that came into the scope since this was asked last, and whose robots.txt had been
        read before; the sitemaps that it names were left aside then."""
        joined, self._joined = self._joined, {}
        return [
            name
            for hosts in joined
            for (name,) in self._connection.execute(WITH_ROBOTS, hosts).fetchall()
        ]

    def forget(self) -> None:
        """After a rollback: nothing has joined."""
        self._joined.clear()

    def _readmit(
        self, url_id: int, url: str, number: int, origin: str, via: str, depth: int, hops: int,
        found_on: int | None, kind: str,
    ) -> None:  # fmt: skip
        """Take a URL back to "never linked", then admit it by its best link again."""
        self._url_table.unlink(url_id, number, depth, hops)
        target = Target(url, number, origin)
        self._url_table.admit(
            target, via, depth, hops=hops, source_id=found_on,
            fetch_kind=fetch_kind_again(kind, via),
        )  # fmt: skip

    def take(self, items: Sequence[Any]) -> None:
        """What other shards have found: none, where this is a whole crawl."""

    # Seeds without a scheme

    def _has_no_https(self, url_id: int) -> bool:
        row = self._connection.execute(
            "SELECT 1 FROM urls WHERE id = ? AND reason = 'no_https'", (url_id,)
        ).fetchone()
        return row is not None

    def bare_seeds(self, origin: Origin) -> list[BareSeed]:
        """This run's seeds of an origin that were written without a scheme and have not been tried
        over http yet."""
        if not origin.name.startswith("https:"):
            return []
        self._url_table.write()
        found = self._connection.execute(BARE_SEEDS, (origin.id, self._since_run))
        return [BareSeed._make(row) for row in found.fetchall()]

    def fall_back_to_http(self, origin: Origin, bare: Sequence[BareSeed], *, out: int = 0) -> None:
        """Try these seeds over http instead: nothing more is expected of their https addresses.

        out: the one that is being settled otherwise.
        """
        for seed in bare:
            secure, _ = urls.resolve(seed.url, rules=urls.UNLIMITED)
            url_id = self._admit_over_http(secure)
            self._url_table.write()
            self._connection.execute(
                "UPDATE seeds SET url_id = ?, scheme_assumed = 0 WHERE id = ?", (url_id, seed.id)
            )
        waiting = {seed.url_id for seed in bare} - {out}
        for url_id in waiting:
            stopped = self._connection.execute(STOP, ("no_https", url_id)).rowcount
            self._origins.count(origin.host, queued=-stopped)
        self._url_table.withdraw(waiting)

    def _admit_over_http(self, secure: Target) -> int:
        target = seeds.over_http(secure)
        self._url_table.recall((target.hash,))
        return self._admit_seed(target)

    # Seeds that are no more

    def close(self) -> None:
        """All seeds of the run are known: what waits only by those of earlier runs falls out."""
        self._url_table.forget()
        if not self._keys.drop_others():
            return
        last = 0
        while found := self._connection.execute(WAITING, (last,)).fetchall():
            last = found[-1][0]
            for row in found:
                if not self._stays(Place._make(row)):
                    stopped = self._connection.execute(STOP, ("scope", row[0])).rowcount
                    origin = self._origins.origin_by_id(row[-1])
                    self._origins.count(origin.host, queued=-stopped)

    def _stays(self, place: Place) -> bool:
        """Does a seed of this run cover a URL, or what it belongs to?"""
        for _ in range(redirects.MAX_LOOP):
            if self._judge.in_scope(place.url):
                return True
            if place.kind in ("robots", "sitemap") and self._judge.touches(place.url):
                return True
            if place.via == "seed":
                return self._is_named(place.id)
            belongs = place.kind in ("check", "sitemap", "asset") or (
                place.via in ("redirect", "refresh") and place.depth == 0
            )
            if not belongs or place.found_on_id is None:
                return False
            row = self._connection.execute(PLACE, (place.found_on_id,)).fetchone()
            place = Place._make(row)
        return False

    def _is_named(self, url_id: int) -> bool:
        return self._connection.execute(NAMED, (url_id, self._run_id)).fetchone() is not None


def fetch_kind_again(kind: str, via: str) -> str:
    """What a URL may be fetched for that is judged anew by its best link: what is no page by this
    link alone becomes none by that. Where a part of pages redirects is one, too, and so is what an
    archive brought as one."""
    if kind == "check" or (kind == "asset" and via not in ("redirect", "archive")):
        return "page"
    return kind


class BareSeed(NamedTuple):
    """A seed without a scheme: its row, and the row and text of its https address."""

    id: int
    url_id: int
    url: str


class Place(NamedTuple):
    """Where a URL stands, and how it came in."""

    id: int
    url: str
    kind: str
    via: str
    depth: int
    found_on_id: int | None
    origin_id: int | None


PLACE_COLUMNS = "id, url, kind, via, depth, found_on_id, origin_id"

WAITING = f"""
    SELECT {PLACE_COLUMNS}
    FROM urls
    WHERE id > ? AND state = 'queued'
    ORDER BY id
    LIMIT 2000
"""

PLACE = f"""
    SELECT {PLACE_COLUMNS}
    FROM urls
    WHERE id = ?
"""

NAMED = """
    SELECT 1
    FROM seeds
    WHERE url_id = ? AND run_id = ?
"""

STOP = """
    UPDATE urls
    SET state = 'skipped', reason = ?, not_before = NULL
    WHERE id = ? AND state = 'queued'
"""

BEGINNING_SO = """
    SELECT 1
    FROM scopes
    WHERE key >= ? AND key < ?
    LIMIT 1
"""

ADD_KEY = """
    INSERT INTO scopes (key, run_id)
    VALUES (?, ?)
    ON CONFLICT (key) DO UPDATE
    SET run_id = excluded.run_id
"""

DROP_KEYS = """
    DELETE FROM scopes
    WHERE run_id IS NULL OR run_id <> ?
"""

SKIPPED_COLUMNS = (
    "urls.id, urls.url, urls.hash, origins.origin, urls.via, urls.depth, urls.hops, "
    "urls.found_on_id, urls.kind"
)

SKIPPED_AT = f"""
    SELECT {SKIPPED_COLUMNS}
    FROM urls
    JOIN origins ON origins.id = urls.origin_id
    WHERE urls.hash = ?
        AND urls.state = 'skipped'
        AND urls.reason = 'scope'
"""

SKIPPED_BY_SCOPE = f"""
    SELECT {SKIPPED_COLUMNS}
    FROM hosts
    JOIN urls ON urls.host_id = hosts.id
    JOIN origins ON origins.id = urls.origin_id
    WHERE (hosts.host IN (?1, ?2) OR (hosts.registered_domain = ?3 AND ?4 = 'domain'))
        AND urls.state = 'skipped'
        AND urls.reason = 'scope'
"""

WITH_ROBOTS = """
    SELECT origins.origin
    FROM hosts
    JOIN origins ON origins.host_id = hosts.id
    WHERE (hosts.host IN (?1, ?2) OR (hosts.registered_domain = ?3 AND ?4 = 'domain'))
        AND robots_fetched_at IS NOT NULL
        AND robots_error IS NULL
"""

BARE_SEEDS = """
    SELECT seeds.id, urls.id, urls.url
    FROM urls INDEXED BY urls_queue
    CROSS JOIN seeds INDEXED BY seeds_url_id ON seeds.url_id = urls.id
    WHERE urls.origin_id = ? AND urls.state = 'queued' AND urls.via = 'seed' AND seeds.run_id >= ?
        AND seeds.scheme_assumed = 1
"""
