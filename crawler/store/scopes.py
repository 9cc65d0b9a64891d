"""What do the seeds cover?

Lives on the writer's thread. A seed gets a row, and its key joins the scope; what was skipped as
out of scope there is judged again.
"""

from __future__ import annotations

from collections.abc import Sequence

from crawler.model import Target
from crawler.policy import seeds, urls
from crawler.policy.scope import seed_key
from crawler.policy.seeds import Seed
from crawler.store import rows
from crawler.store.database import Connection
from crawler.store.origins import Origin, Origins
from crawler.store.url_table import UrlTable

KEYS_KEPT = 50_000


class Keys:
    """The keys of the scope: the rows are the truth, recent ones are remembered."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, bool] = {}

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

    def add(self, key: str) -> None:
        """One more."""
        self._connection.execute("INSERT OR IGNORE INTO scopes (key) VALUES (?)", (key,))
        self._known[key] = True

    def forget(self) -> None:
        """After a rollback: nothing in memory may be newer than the rows."""
        self._known.clear()


class Scopes:
    """The seeds of a run, and the scope that they make."""

    def __init__(
        self, connection: Connection, keys: Keys, origins: Origins, url_table: UrlTable, *,
        mode: str, run_id: int,
    ) -> None:  # fmt: skip
        self._connection = connection
        self._keys = keys
        self._origins = origins
        self._url_table = url_table
        self._mode = mode
        self._run_id = run_id

    def __repr__(self) -> str:
        return f"<Scopes {self._mode}, {self._keys!r}>"

    def load(self, batch: Sequence[Seed]) -> None:
        """Store lines of the seeds file; what they name joins the scope and the queue."""
        self._url_table.recall(seed.target.hash for seed in batch)
        found = []
        for seed in batch:
            url_id = None
            if seed.target.hash and (seed.error is None or seed.target.refusal):
                url_id = self._admit_seed(seed.target)
            found.append(rows.SEEDS.row(self._run_id, seed, url_id))
        self._connection.executemany(rows.SEEDS.insert, found)

    def _admit_seed(self, target: Target) -> int:
        if target.refusal is None:
            self.join(target.url)
            host = urls.host_of(target.origin).removesuffix(".")
            if urls.is_private_literal(host):
                self._origins.mark_own(self._origins.host(host))
        return self._url_table.admit(target, "seed", 0)

    def join(self, url: str) -> None:
        """Add a seed's key to the scope; what was out of scope there is judged again."""
        key = seed_key(url, self._mode)
        if key is None or self._keys.covers(key):
            return
        self._keys.add(key)
        self._url_table.write()
        name = urls.fold_host(urls.host_of(urls.resolve(url)[0].origin))
        hosts = (name, f"www.{name}", urls.registered_domain(name), self._mode)
        for row in self._connection.execute(SKIPPED_BY_SCOPE, hosts).fetchall():
            self._readmit(*row)

    def _readmit(
        self, url_id: int, url: str, number: int, origin: str, via: str, depth: int, hops: int,
        found_on: int | None,
    ) -> None:  # fmt: skip
        """Take a URL back to "never linked", then admit it by its best link again."""
        self._url_table.unlink(url_id, number, depth, hops)
        target = Target(url, number, origin)
        self._url_table.admit(target, via, depth, hops=hops, source_id=found_on)

    def bare_seeds(self, origin: Origin) -> list[tuple[int, str]]:
        """Id and https address of this run's seeds of an origin that were written without a scheme
        and have not been tried over http yet."""
        if not origin.name.startswith("https:"):
            return []
        self._url_table.write()
        found: list[tuple[int, str]] = self._connection.execute(
            BARE_SEEDS, (origin.id, self._run_id)
        ).fetchall()
        return found

    def fall_back_to_http(self, bare: Sequence[tuple[int, str]]) -> None:
        """Try these seeds over http instead."""
        for seed_id, url in bare:
            secure, _ = urls.resolve(url, rules=urls.UNLIMITED)
            target = seeds.over_http(secure)
            self._url_table.recall((target.hash,))
            url_id = self._admit_seed(target)
            self._url_table.write()
            self._connection.execute(
                "UPDATE seeds SET url_id = ?, scheme_assumed = 0 WHERE id = ?", (url_id, seed_id)
            )


SKIPPED_BY_SCOPE = """
    SELECT urls.id, urls.url, urls.hash, origins.origin, urls.via, urls.depth, urls.hops,
        urls.found_on_id
    FROM hosts
    JOIN urls ON urls.host_id = hosts.id
    JOIN origins ON origins.id = urls.origin_id
    WHERE (hosts.host IN (?1, ?2) OR (hosts.registered_domain = ?3 AND ?4 = 'domain'))
        AND urls.state = 'skipped'
        AND urls.reason = 'scope'
"""

BARE_SEEDS = """
    SELECT seeds.id, urls.url
    FROM urls
    JOIN seeds ON seeds.url_id = urls.id
    WHERE urls.origin_id = ? AND urls.via = 'seed' AND seeds.run_id = ?
        AND seeds.scheme_assumed = 1
"""
