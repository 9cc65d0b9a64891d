"""What does a shard do otherwise than a whole crawl, when links and seeds come in?

Lives on the writer's thread. Links to hosts of other shards are passed on to them, once for each
way in which a link is better than those before; here their URLs have a row without a fate. Verdicts
on them are the other shard's, which alone knows what its seeds cover.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from crawler.config import Config
from crawler.model import Document, Target
from crawler.policy import urls
from crawler.policy.link_kinds import FOLLOWED, REQUISITES
from crawler.policy.scope import Judge, Standing, moves_with
from crawler.policy.seeds import Seed
from crawler.policy.urls import UrlRules
from crawler.store import redirects, rows
from crawler.store.database import Connection
from crawler.store.mail import Chained, Item, Mail, PassedLink, PassedSeed
from crawler.store.scopes import Scopes
from crawler.store.shards import OTHER_SHARD
from crawler.store.url_table import GENERATION, Known, UrlTable, standing_of


def _everything(_key: str) -> bool:
    return True


class ShardedUrlTable(UrlTable):
    """The URLs of a shard, and those of others that its pages link to."""

    def __init__(self, mail: Mail, connection: Connection, config: Config, *given: Any) -> None:
        self._mail = mail
        self._first_id = mail.which.first_id
        super().__init__(connection, config, *given)
        self._afar = Judge.of(config, _everything, _everything)
        self._parts_passed: set[int] = set()

    def _last_id(self) -> int:
        return max(self._first_id, super()._last_id())

    def forget(self) -> None:
        """After a rollback: nothing in memory may be newer than the rows."""
        super().forget()
        self._parts_passed.clear()

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
        """Take notice of a link, or pass it on; the id of its target."""
        peer = self._mail.peer_of(target.origin) if target.origin else None
        if peer is None or target.refusal is not None:  # what that means is the same everywhere
            return super().admit(
                target, kind, depth, hops=hops, source_id=source_id, nofollow=nofollow,
                fetch_kind=fetch_kind,
            )  # fmt: skip
        link = PassedLink(target.url, kind, depth, hops, nofollow, fetch_kind)
        verdict = self._afar.verdict(target, kind, depth, nofollow=nofollow, fetch_kind=fetch_kind)
        standing = standing_of(verdict, kind, fetch_kind)
        known = self._young.get(target.hash)
        is_part = self._judge.keeps_assets and (kind in REQUISITES or fetch_kind == "asset")
        if is_part and target.hash not in self._parts_passed:
            if len(self._parts_passed) > GENERATION:
                self._parts_passed.clear()
            self._parts_passed.add(target.hash)
        elif known is not None and not _is_better(link, standing, known):
            return known.id
        self._mail.post(peer, link)
        return self._note_afar(target, link, standing, known, source_id)

    def _note_afar(
        self, target: Target, link: PassedLink, standing: Standing, known: Known | None,
        source_id: int | None,
    ) -> int:  # fmt: skip
        """The row of a URL whose fate another shard keeps: by its best link so far."""
        what = link.fetch_kind if standing >= Standing.ASSET else "check"
        if known is None:
            self._next_id += 1
            origin = self._origins.origin(target.origin)
            self._rows.append(
                rows.URLS.row(
                    self._next_id, target, origin.host.id, origin.id, what, "skipped", OTHER_SHARD,
                    link.depth, link.hops, 1, link.kind, source_id, self.now, self._run_id,
                )
            )  # fmt: skip
            self._young[target.hash] = Known(self._next_id, standing, link.depth, link.hops)
            return self._next_id
        best = Known(
            known.id, max(standing, known.standing), min(link.depth, known.depth),
            min(link.hops, known.hops),
        )  # fmt: skip
        self.write()
        better = standing > known.standing
        self._connection.execute(
            NEARER, (best.depth, best.hops, better, what, better, link.kind, known.id)
        )
        self._young[target.hash] = best
        return known.id

    def _admit_parts(self, document: Document, depth: int, *, source_id: int) -> None:
        """The same; one of another shard is passed on as a part though it is known as a page."""
        super()._admit_parts(document, depth, source_id=source_id)
        for index, kind in zip(document.columns.targets, document.columns.kinds, strict=True):
            if kind in REQUISITES and document.targets.hashes[index] not in self._parts_passed:
                target = document.targets[index]
                if target.origin and self._mail.peer_of(target.origin) is not None:
                    self.admit(target, kind, depth, source_id=source_id)


def _is_better(link: PassedLink, standing: Standing, known: Known) -> bool:
    """Can a link change what the links before it made of a URL?"""
    if standing > known.standing:
        return True
    is_nearer = link.depth < known.depth or link.hops < known.hops
    counts = standing == known.standing or (link.kind in FOLLOWED and not link.nofollow)
    return is_nearer and counts


class ShardedScopes(Scopes):
    """The seeds of a shard. What they cover stays covered in later runs: which of them other
    shards would name again, nobody here can know."""

    def __init__(self, mail: Mail, rules: UrlRules, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._mail = mail
        self._rules = rules
        self._since_run = 0
        self._loading = ""

    def load(self, batch: Sequence[Seed]) -> None:
        """Store those of this shard, and pass on the others."""
        own = []
        for seed in batch:
            if (peer := self._peer_of(seed)) is None:
                own.append(seed)
            else:
                self._mail.post_once(peer, PassedSeed(seed))
        self._load_new(own)

    def _peer_of(self, seed: Seed) -> int | None:
        """What is no address belongs to the first."""
        if seed.target.origin:
            return self._mail.peer_of(seed.target.origin)
        return 1 if self._mail.which.number != 1 else None

    def _load_new(self, batch: Sequence[Seed]) -> None:
        """A line that several shards have read is there once."""
        self._url_table.recall(seed.target.hash for seed in batch)
        super().load([seed for seed in batch if not self._is_there(seed)])

    def _is_there(self, seed: Seed) -> bool:
        known = self._url_table.known(seed.target.hash)
        if known is None:
            return False
        self._url_table.write()
        asked = (known.id, self._run_id, seed.line, seed.text)
        return self._connection.execute(SAME_LINE, asked).fetchone() is not None

    def close(self) -> None:
        """Seeds may come as long as any shard reads some."""

    def take(self, items: Sequence[Item]) -> None:
        """What another shard has found for this one."""
        seeds = [item.seed for item in items if isinstance(item, PassedSeed)]
        if seeds:
            self._load_new(seeds)
        found = [
            (item, urls.resolve(item.url, rules=self._rules)[0])
            for item in items
            if not isinstance(item, PassedSeed)
        ]
        self._url_table.recall(target.hash for _, target in found)
        for item, target in found:
            if isinstance(item, Chained):
                self._take_chain(item, target)
            else:
                self._url_table.admit(
                    target, item.kind, item.depth, hops=item.hops, nofollow=item.nofollow,
                    fetch_kind=item.fetch_kind,
                )  # fmt: skip

    def _take_chain(self, item: Chained, target: Target) -> None:
        self._connection.execute(KEEP_CHAIN, (target.hash, item.seed))
        if moves_with(item.seed, target.url):
            self._join(target.url)
        known = self._url_table.known(target.hash)
        if known is not None:
            self._url_table.write()
            for url in redirects.chain_from(self._connection, known.id):
                self._lead(item.seed, url)

    def _admit_seed(self, target: Target) -> int:
        self._loading = target.url
        return super()._admit_seed(target)

    def move(self, url_id: int, target: str) -> None:
        """What stands on a seed's chain of redirects leads on to `target`."""
        seed_id, seed = redirects.start_of_chain(self._connection, url_id)
        row = self._connection.execute(CHAIN, (seed_id,)).fetchone()
        if row is not None:
            self._lead(row[0], target)
        elif self._is_named(seed_id):
            self._lead(seed, target)

    def _lead(self, seed: str, url: str) -> None:
        """A chain that began at a seed comes to `url`."""
        peer = self._mail.peer_of(urls.resolve(url)[0].origin)
        if peer is not None:
            self._mail.post_once(peer, Chained(url, seed))
        elif moves_with(seed, url):
            self._join(url)

    def _join(self, url: str) -> None:
        peer = self._mail.peer_of(urls.resolve(url)[0].origin)
        if peer is None:
            super()._join(url)
        else:
            self._mail.post_once(peer, Chained(url, self._loading))

    def _is_named(self, url_id: int) -> bool:
        """In any run: seeds of others come when they come."""
        return self._connection.execute(NAMED_EVER, (url_id,)).fetchone() is not None


def parts_of(mail: Mail, config: Config) -> tuple[Any, Any]:
    """What makes the table of URLs and the scopes of a shard, as a whole crawl's are made."""
    return partial(ShardedUrlTable, mail), partial(ShardedScopes, mail, UrlRules.of(config))


NEARER = f"""
    UPDATE urls
    SET depth = ?, hops = ?, kind = CASE WHEN ? THEN ? ELSE kind END,
        via = CASE WHEN ? THEN ? ELSE via END
    WHERE id = ? AND reason = '{OTHER_SHARD}'
"""
SAME_LINE = """
    SELECT 1
    FROM seeds
    WHERE url_id = ? AND run_id = ? AND line = ? AND text = ?
"""
NAMED_EVER = """
    SELECT 1
    FROM seeds
    WHERE url_id = ?
"""
KEEP_CHAIN = """
    INSERT OR REPLACE INTO shard_chains (hash, seed)
    VALUES (?, ?)
"""
CHAIN = """
    SELECT shard_chains.seed
    FROM urls
    JOIN shard_chains ON shard_chains.hash = urls.hash
    WHERE urls.id = ?
"""
