"""What does a batch of visits change?

Lives on the writer's thread. A URL's fate, its results and the links it brought change in one
transaction, so that whatever is committed is whole.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Container, Iterable, Sequence
from itertools import chain, compress, count, repeat
from typing import Any, NamedTuple

import msgspec

from crawler import failpoints
from crawler.config import Config
from crawler.model import FOLLOWED, Document, Reply, Target, Visit
from crawler.policy import outage, pace, seeds, urls, words
from crawler.policy.scope import Judge, Standing, seed_key
from crawler.policy.seeds import Seed
from crawler.store import rows
from crawler.store.clock import iso
from crawler.store.contract import Arrival, Entry, HostPace, RobotsOutcome, Settled
from crawler.store.database import UNFIT, Connection, DatabaseError
from crawler.store.origins import Origin, Origins
from crawler.store.url_table import NEVER_LINKED, Known, UrlTable

MAX_LOOP = 64
"""Redirects in a loop that is found out."""
MAX_SITEMAPS = 100
"""Sitemaps of one robots.txt that are read."""
MAX_SITEMAP_DEPTH = 3
"""Sitemap indexes within indexes."""
MAX_ROBOTS_HOPS = 5
"""RFC 9309, section 2.3.1.2: at least five consecutive redirects should be followed."""


class Before(NamedTuple):
    """What stood in the tables of a URL before a visit to it.

    waited: it was queued; a robots.txt that was asked for again may have stopped it while it was
    out. is_page: it has a row in ``pages``, and the rest is from there.
    """

    waited: int = 0
    is_page: int = 0
    document_at: str | None = None
    text_hash: int | None = None
    body_id: int | None = None
    changed_at: str | None = None


class Recorder:
    """Turns visits into rows. One instance a run, used by one thread."""

    def __init__(self, connection: Connection, config: Config, run_id: int, agent: str) -> None:
        self._connection = connection
        self._config = config
        self._run_id = run_id
        self.url_rules = urls.UrlRules.of(config)
        self.origins = Origins(connection, config, agent)
        self.judge = Judge(config.scope, self._covers)
        self.url_table = UrlTable(connection, config, self.origins, self.judge, run_id)
        self._keys: dict[str, bool] = {}
        self._chance = random.Random(run_id)
        self._clear()

    def __repr__(self) -> str:
        return f"<Recorder run {self._run_id}, {self.url_table!r}>"

    # What a transaction changes

    def record(self, arrivals: Sequence[Arrival], paces: Sequence[HostPace], now: float) -> Settled:
        """Store a batch in one transaction; one that cannot be stored spoils no other."""
        try:
            return self._transaction(lambda: self._record(arrivals, paces, now), now)
        except Exception as error:
            of_the_disk = isinstance(error, DatabaseError) and not isinstance(error, UNFIT)
            if of_the_disk or not arrivals:
                raise
            if len(arrivals) == 1:
                return self._transaction(
                    lambda: self._record([_without_document(arrivals[0])], paces, now), now
                )
        first, *others = arrivals
        settled = [self.record([first], paces, now)]
        settled += [self.record([arrival], (), now) for arrival in others]
        return _sum(settled)

    def load_seeds(self, batch: Sequence[Seed], now: float) -> Settled:
        """Store lines of the seeds file; what they name joins the scope and the queue."""
        return self._transaction(lambda: self._load_seeds(batch), now)

    def change(self, change: Callable[[], None], now: float) -> Settled:
        """Run a change of the table of URLs as one transaction."""
        return self._transaction(change, now)

    def _transaction(self, change: Callable[[], None], now: float) -> Settled:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self.url_table.begin(iso(now))
            self.origins.now = now
            self._settled = Settled()
            change()
            self.url_table.write()
            self._write()
            self._settle_redirects()
            self.url_table.age()
            self.origins.flush()
            self._count_run()
            failpoints.reached("before-commit")
            self._connection.execute("COMMIT")
            failpoints.reached("after-commit")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self.url_table.forget()
            self.origins.forget()
            self._keys.clear()
            self._clear()
            raise
        self._settled.fresh = self.url_table.fresh
        self._settled.queued = self.origins.queued
        return self._settled

    def _record(self, arrivals: Sequence[Arrival], paces: Sequence[HostPace], now: float) -> None:
        self.url_table.recall(_hashes(arrivals))
        for arrival in arrivals:
            if arrival.for_origin:
                self._record_robots(arrival, now)
            elif self._config.store.obey_noindex and _asks_not_to_be_indexed(arrival):
                self._record_visit(_without_content(arrival), now)
            else:
                self._record_visit(arrival, now)
        self._write_paces(paces)

    # Seeds

    def _load_seeds(self, batch: Sequence[Seed]) -> None:
        self.url_table.recall(seed.target.hash for seed in batch)
        seed_rows = []
        for seed in batch:
            url_id = None
            if seed.target.hash and (seed.error is None or seed.target.refusal):
                url_id = self._admit_seed(seed.target)
            seed_rows.append(rows.SEEDS.row(self._run_id, seed, url_id))
        self._connection.executemany(rows.SEEDS.insert, seed_rows)

    def _admit_seed(self, target: Target) -> int:
        if target.refusal is None:
            self._join_scope(target.url)
            host = urls.host_of(target.origin).removesuffix(".")
            if urls.is_private_literal(host):
                self.origins.mark_own(self.origins.host(host))
        return self.url_table.admit(target, "seed", 0)

    def _join_scope(self, url: str) -> None:
        """Add a seed's key to the scope; what was out of scope there is judged again."""
        key = seed_key(url, self._config.scope.mode)
        if key is None or self._covers(key):
            return
        self._connection.execute("INSERT OR IGNORE INTO scopes (key) VALUES (?)", (key,))
        self._keys[key] = True
        self.url_table.write()
        name = urls.fold_host(urls.host_of(urls.resolve(url)[0].origin))
        hosts = (name, f"www.{name}", urls.registered_domain(name), self._config.scope.mode)
        for row in self._connection.execute(SKIPPED_BY_SCOPE, hosts).fetchall():
            self._readmit(*row)

    def _readmit(
        self, url_id: int, url: str, number: int, origin: str, via: str, depth: int, hops: int,
        found_on: int | None,
    ) -> None:  # fmt: skip
        """Take a URL back to "never linked", then admit it by its best link again."""
        self.url_table.unlink(url_id, number, depth, hops)
        target = Target(url, number, origin)
        self.url_table.admit(target, via, depth, hops=hops, source_id=found_on)

    def _covers(self, key: str) -> bool:
        known = self._keys.get(key)
        if known is None:
            row = self._connection.execute("SELECT 1 FROM scopes WHERE key = ?", (key,)).fetchone()
            if len(self._keys) > 50_000:
                self._keys.clear()
            known = self._keys[key] = row is not None
        return known

    # Robots

    def _record_robots(self, arrival: Arrival, now: float) -> None:
        visit, entry = arrival.visit, arrival.entry
        origin = self.origins.origin_by_id(arrival.for_origin)
        target, _ = urls.resolve(entry.url, rules=urls.UNLIMITED)
        url_id = self.url_table.record_robots(target)
        reply = visit.reply
        redirect_to = None
        usable = reply.redirect is not None and reply.redirect.refusal is None
        if reply.redirect is not None and usable:
            self.url_table.recall((reply.redirect.hash,))
            redirect_to = self.url_table.record_robots(reply.redirect)
        outcome = self._robots_outcome(arrival, origin, now)
        self._settled.robots.append(outcome)
        self._add_visit(visit, url_id, reply.error, redirect_to, None)
        reason = pace.failure(reply.status, reply.error)
        self._robots_fates.append(
            ("failed" if reason else "done", reason, reply.status, arrival.attempts, url_id)
        )

    def _robots_outcome(self, arrival: Arrival, origin: Origin, now: float) -> RobotsOutcome:
        """Decide what a reply for robots.txt means (RFC 9309, section 2.3.1)."""
        visit, entry = arrival.visit, arrival.entry
        reply = visit.reply
        redirect = reply.redirect
        if redirect is not None and redirect.refusal is None and entry.hops < MAX_ROBOTS_HOPS:
            place = self.origins.origin(redirect.origin)
            return RobotsOutcome(
                origin.id,
                entry,
                next_url=redirect.url,
                next_host_id=place.host.id,
                next_origin_id=place.id,
            )
        if arrival.blameless:
            as_before = entry._replace(attempts=entry.attempts - 1)
            return RobotsOutcome(origin.id, as_before, retry_in_s=outage.PROBE_S)
        error = None if reply.status is not None and words.of(reply.error).rules else reply.error
        fate = self._fate(arrival, error)
        plain = words.of(fate.reason).unconnected and self._fall_back_to_http(origin)
        if fate.state == "queued" and not plain:
            return RobotsOutcome(origin.id, entry, retry_in_s=fate.retry_in_s)
        failed = fate.reason if fate.state != "done" else None
        good = failed is None and reply.status is not None and 200 <= reply.status < 300
        self.origins.learn(
            origin,
            status=reply.status,
            body=visit.robots_body if good else None,
            fetched_at=iso(now),
            error=failed,
        )
        if origin.closure is not None:
            self._close_waiting(origin)
        else:
            self._admit_sitemaps(origin)
        return RobotsOutcome(
            origin.id,
            entry,
            open=origin.closure is None,
            known_until=origin.known_until,
            crawl_delay_s=origin.crawl_delay_s,
        )

    def _admit_sitemaps(self, origin: Origin) -> None:
        """The sitemaps that robots.txt names, or the well-known place where it names none.

        https://www.sitemaps.org/protocol.html#submit_robots
        """
        config = self._config
        if not config.robots.sitemaps or config.scope.mode == "page":
            return
        rules = self.origins.rules(origin)
        named = rules.sitemaps[:MAX_SITEMAPS] if rules is not None else ()
        for place in named or ("/sitemap.xml",):
            target, _ = urls.resolve(place, f"{origin.name}/", rules=self.url_rules)
            at_home = bool(target.origin) and (
                urls.host_of(target.origin).removesuffix(".") == origin.host.name
            )
            if not named and not self.judge.in_scope(f"{origin.name}/"):
                return
            self.url_table.recall((target.hash,))
            self.url_table.admit(
                target, "robots" if at_home else "sitemap", 0, fetch_kind="sitemap"
            )

    def _close_waiting(self, origin: Origin) -> None:
        """The URLs that waited for a robots.txt that could not be had get its fate."""
        self.url_table.write()
        closure = origin.closure
        assert closure is not None
        changed = self._connection.execute(
            """
            UPDATE urls
            SET state = ?, reason = ?, not_before = NULL
            WHERE origin_id = ? AND state = 'queued'
            """,
            (closure.state, closure.reason, origin.id),
        ).rowcount
        self.origins.count(origin.host, queued=-changed)
        self.url_table.fresh = [
            entry for entry in self.url_table.fresh if entry.origin_id != origin.id
        ]
        if closure.state == "failed":
            self._settled.errors += changed
            self._settled.statuses[closure.reason] += changed

    def _fall_back_to_http(self, origin: Origin) -> bool:
        """Seeds written without a scheme are tried over http where https cannot connect."""
        if not origin.name.startswith("https:"):
            return False
        self.url_table.write()
        found = self._connection.execute(
            """
            SELECT seeds.id, urls.url
            FROM urls
            JOIN seeds ON seeds.url_id = urls.id
            WHERE urls.origin_id = ? AND urls.via = 'seed' AND seeds.run_id = ?
                AND seeds.scheme_assumed = 1
            """,
            (origin.id, self._run_id),
        ).fetchall()
        for seed_id, url in found:
            secure, _ = urls.resolve(url, rules=urls.UNLIMITED)
            target = seeds.over_http(secure)
            self.url_table.recall((target.hash,))
            url_id = self._admit_seed(target)
            self.url_table.write()
            self._connection.execute(
                "UPDATE seeds SET url_id = ?, scheme_assumed = 0 WHERE id = ?", (url_id, seed_id)
            )
        return bool(found)

    # Pages

    def _record_visit(self, arrival: Arrival, now: float) -> None:
        visit, entry = arrival.visit, arrival.entry
        reply, document = visit.reply, visit.document
        known = self.url_table.known(entry.hash)
        depth, hops = (known.depth, known.hops) if known else (entry.depth, entry.hops)
        error = reply.error or document.error
        redirect_to = None
        if reply.redirect is not None and error is None:
            error = self._chain_error(entry, reply.redirect, hops)
            redirect_to = self._admit_redirect(entry, reply.redirect, depth, hops, error)
        fate = self._fate(arrival, error)
        origin = self.origins.origin_by_id(entry.origin_id)
        is_unasked_seed = entry.priority == 0 and not self._config.robots.obey
        unconnected = words.of(fate.reason).unconnected and not arrival.blameless
        if unconnected and is_unasked_seed and self._fall_back_to_http(origin):
            fate = pace.Fate("failed", fate.reason)
        if known and known.standing == Standing.ACCEPTED and entry.kind in ("check", "sitemap"):
            self.url_table.requeue_as_page(entry, depth, hops)
            fate = pace.Fate("queued")
            before = Before()
        else:
            before = Before(*self._connection.execute(BEFORE, (entry.id,)).fetchone())
            self._settle(arrival, fate, origin, now, waited=before.waited)
        body_id = self._body_id(visit)
        self._add_visit(visit, entry.id, error, redirect_to, body_id)
        if entry.kind == "page" and fate.state in ("done", "failed"):
            self._record_page(arrival, error, depth, body_id, before)
        elif document.entries and fate.state != "queued":
            self._record_sitemap(arrival)

    def _fate(self, arrival: Arrival, error: str | None) -> pace.Fate:
        if arrival.blameless:
            return pace.Fate("queued", error, outage.PROBE_S)
        reply = arrival.visit.reply
        refused = reply.status is not None and reply.status >= 400
        if arrival.visit.job.method == "HEAD" and refused and reply.status not in pace.PENALISED:
            return HEAD_REFUSED
        return pace.fate(
            reply.status,
            error,
            arrival.attempts,
            self._config.pace,
            retry_after_s=reply.retry_after_s,
            try_again=reply.try_again,
            chance=self._chance.random(),
        )

    def _settle(
        self, arrival: Arrival, fate: pace.Fate, origin: Origin, now: float, *, waited: int
    ) -> None:
        entry, reply = arrival.entry, arrival.visit.reply
        not_before = None
        settled = self._settled
        if fate.state == "queued":
            at = now + (fate.retry_in_s or 0.0)
            not_before = iso(at)
            settled.retry(origin.host.name, at)
        else:
            is_page = entry.kind == "page"
            self.origins.count(origin.host, pages=int(is_page))
            settled.pages += is_page
            settled.errors += fate.state == "failed"
            settled.statuses[str(reply.status) if fate.state == "done" else fate.reason or ""] += 1
        settled.bytes += reply.wire_bytes
        self.origins.count(origin.host, queued=int(fate.state == "queued") - waited)
        self._connection.execute(
            UPDATE_FATE,
            (fate.state, fate.reason, reply.status, arrival.attempts, not_before, entry.id),
        )

    def _chain_error(self, entry: Entry, target: Target, hops: int) -> str | None:
        """Why a redirect cannot be followed: to itself, or too long a chain.

        Longer loops are found by `_settle_redirects`.
        """
        if target.hash == entry.hash:
            return "redirect_loop"
        if hops >= self._config.fetch.max_redirects:
            return "too_many_redirects"
        return None

    def _admit_redirect(
        self, entry: Entry, target: Target, depth: int, hops: int, error: str | None
    ) -> int | None:
        if error == "redirect_loop":
            known = self.url_table.known(target.hash)
            return known.id if known else None
        if error is not None:
            return None
        self._redirected.add(entry.id)
        if depth == 0 and entry.kind == "page" and target.refusal is None:
            self._join_scope(target.url)
        fetch_kind = entry.kind if entry.kind in ("sitemap", "feed", "check") else "page"
        return self.url_table.admit(
            target, "redirect", depth, hops=hops + 1, source_id=entry.id, fetch_kind=fetch_kind
        )

    def _settle_redirects(self) -> None:
        """What redirects mean beyond their own hop, once the batch is written.

        A seed's redirect target joins the scope, however late it turned out to be a seed's. A
        redirect on a loop that leads no further (to no greater number of hops) is an error, so
        that the end does not depend on which of the loop came first.
        """
        redirected = set(self._redirected)
        self._redirected.clear()
        while nearer := self.url_table.carry_depths():
            redirected |= nearer
            for url_id in nearer:
                row = self._connection.execute(SEED_REDIRECT, (url_id,)).fetchone()
                if row is not None:
                    self._join_scope(row[0])
        seen: set[int] = set()
        for url_id in redirected:
            loop = [] if url_id in seen else self._loop(url_id)
            seen.update(loop)
            for place, member in enumerate(loop):
                self._settle_on_loop(member, loop[(place + 1) % len(loop)])

    def _loop(self, url_id: int) -> list[int]:
        """The redirects that lead from this URL back to it, in order; empty when none do."""
        loop = [url_id]
        for _ in range(MAX_LOOP):
            row = self._connection.execute(NEXT_HOP, (loop[-1],)).fetchone()
            if row is None or row[0] is None or row[0] in loop[1:]:
                return []
            if row[0] == url_id:
                return loop if len(loop) > 1 else []
            loop.append(row[0])
        return []

    def _settle_on_loop(self, url_id: int, target_id: int) -> None:
        hops, reason, target_hops = self._connection.execute(
            """
            SELECT urls.hops, urls.reason, target.hops
            FROM urls
            JOIN urls AS target ON target.id = ?
            WHERE urls.id = ?
            """,
            (target_id, url_id),
        ).fetchone()
        fails, failed = target_hops <= hops, reason == "redirect_loop"
        if fails == failed:
            return
        error = "redirect_loop" if fails else None
        execute = self._connection.execute
        execute(
            "UPDATE urls SET state = ?, reason = ? WHERE id = ?",
            ("failed" if fails else "done", error, url_id),
        )
        execute("UPDATE pages SET error = ? WHERE id = ?", (error, url_id))
        execute(
            """
            UPDATE visits
            SET error = ?
            WHERE id = (SELECT max(id) FROM visits WHERE url_id = ? AND kind <> 'robots')
            """,
            (error, url_id),
        )
        self._settled.errors += 1 if fails else -1

    def _record_page(
        self,
        arrival: Arrival,
        error: str | None,
        depth: int,
        body_id: int | None,
        before: Before,
    ) -> None:
        """The row people query, and the links, when the document is a good one."""
        visit, entry = arrival.visit, arrival.entry
        reply, document = visit.reply, visit.document
        now = visit.started_at
        asked = entry.etag or entry.last_modified
        if reply.status == 304 and error is None and asked and before.is_page:
            self._connection.execute(NOT_MODIFIED, (now, entry.id))
            return
        good = _is_good(reply, document, error, had_document=bool(before.document_at))
        if before.document_at and not good:
            self._connection.execute(
                FAILED_REVISIT, (reply.status, error, now, reply.ttfb_ms, entry.id)
            )
            return
        outlinks = self._record_links(entry, document, depth, bool(before.is_page)) if good else 0
        changed_at: str | None = now
        same = (before.text_hash, before.body_id) == (document.text_hash, body_id)
        if before.is_page and same:
            changed_at = before.changed_at
        row = rows.PAGES.row(
            entry, visit, reply, document, depth, error, now if good else None, changed_at,
            body_id, outlinks,
        )  # fmt: skip
        self._page_rows.append(row)
        if before.is_page:
            self._write_pages()

    def _record_links(self, entry: Entry, document: Document, depth: int, again: bool) -> int:
        """Replace the links of a page; returns how many there are."""
        if again:
            self._connection.execute("DELETE FROM links WHERE source_id = ?", (entry.id,))
        ids = self._admit_targets(entry, document, depth)
        links = document.columns
        optional = {
            name: column
            for name, field in rows.OPTIONAL_IN_LINKS.items()
            if (column := getattr(links, field))
        }
        link_rows = zip(
            repeat(entry.id),
            count(),
            map(ids.__getitem__, links.targets),
            links.kinds,
            *optional.values(),
            strict=False,
        )
        self._link_rows.setdefault(tuple(optional), []).append(link_rows)
        return len(links)

    def _admit_targets(self, entry: Entry, document: Document, depth: int) -> list[int]:
        """Ids of a document's targets, each admitted by the best of the links that lead to it."""
        known = self.url_table.known
        accepted, refused = Standing.ACCEPTED, Standing.REFUSED
        deeper = depth + 1
        ids: list[int] = []
        unsure: dict[int, Known | None] = {}
        for index, seen in enumerate(map(known, document.targets.hashes)):
            if seen is not None and seen[2] <= deeper:
                url_id, standing, _, hops = seen
                if (standing == accepted and not hops) or standing == refused:
                    ids.append(url_id)
                    continue
            unsure[index] = seen
            ids.append(0)
        best = self._best_links(document, unsure) if unsure else {}
        for index, seen in unsure.items():
            rank, kind = best.get(index, (0, "link"))
            if (
                not rank
                and seen is not None
                and seen.standing > NEVER_LINKED
                and seen.depth <= deeper
            ):
                ids[index] = seen.id  # a link that is not followed adds nothing
                continue
            ids[index] = self.url_table.admit(
                document.targets[index], kind, deeper, source_id=entry.id, nofollow=rank == 1
            )
        return ids

    def _best_links(self, document: Document, wanted: Container[int]) -> dict[int, tuple[int, str]]:
        """By target, rank and kind of the first of the best links that lead to it."""
        best: dict[int, tuple[int, str]] = {}
        follow_nofollow = self._config.scope.follow_nofollow
        links = document.columns
        targets, kinds, nofollows = links.targets, links.kinds, links.nofollows
        for at in compress(count(), map(wanted.__contains__, targets)):
            target, kind, rank = targets[at], kinds[at], 0
            if kind in FOLLOWED:
                rank = 1 if nofollows and nofollows[at] and not follow_nofollow else 2
            held = best.get(target)
            if held is None or rank > held[0]:
                best[target] = rank, kind
        return best

    def _record_sitemap(self, arrival: Arrival) -> None:
        """Entries of a sitemap or feed: they are links like others, one click from a seed."""
        entry, document = arrival.entry, arrival.visit.document
        self._connection.execute("DELETE FROM sitemap_entries WHERE sitemap_id = ?", (entry.id,))
        for item in document.entries:
            target = document.targets[item.target]
            kind = "sitemap" if item.is_sitemap else "page"
            depth = entry.depth + 1 if item.is_sitemap else 1
            if item.is_sitemap and depth >= MAX_SITEMAP_DEPTH:
                target = msgspec.structs.replace(target, refusal="depth")
            url_id = self.url_table.admit(
                target, "sitemap", depth, source_id=entry.id, fetch_kind=kind
            )
            self._sitemap_rows.append(rows.SITEMAP_ENTRIES.row(entry.id, url_id, item))

    # Rows

    def _body_id(self, visit: Visit) -> int | None:
        if visit.body_sha256 is None:
            return None
        sha256 = visit.body_sha256.hex()
        execute = self._connection.execute
        row = execute(INSERT_BODY, (sha256, visit.body_bytes, visit.body)).fetchone()
        if row is None:
            row = execute("SELECT id FROM bodies WHERE sha256 = ?", (sha256,)).fetchone()
            return int(row[0])
        if visit.document.text is not None and self._config.store.texts:
            self._text_rows.append((row[0], visit.document.text))
        return int(row[0])

    def _add_visit(
        self,
        visit: Visit,
        url_id: int,
        error: str | None,
        redirect_to: int | None,
        body_id: int | None,
    ) -> None:
        reply, document, job = visit.reply, visit.document, visit.job
        not_modified = reply.status == 304 and bool(job.etag or job.last_modified)
        self._visit_rows.append(
            rows.VISITS.row(
                self._run_id, url_id, visit, reply, document, job, error, redirect_to,
                None if not_modified else _headers(reply), not_modified, body_id,
            )
        )  # fmt: skip

    def _clear(self) -> None:
        self._settled = Settled()
        self._visit_rows: list[tuple[object, ...]] = []
        self._page_rows: list[tuple[object, ...]] = []
        self._link_rows: dict[tuple[str, ...], list[Iterable[tuple[object, ...]]]] = {}
        self._text_rows: list[tuple[object, ...]] = []
        self._sitemap_rows: list[tuple[object, ...]] = []
        self._redirected: set[int] = set()
        self._robots_fates: list[tuple[object, ...]] = []

    def _write(self) -> None:
        many = self._connection.executemany
        many(rows.VISITS.insert, self._visit_rows)
        many("INSERT OR IGNORE INTO texts (body_id, text) VALUES (?, ?)", self._text_rows)
        for names, link_rows in self._link_rows.items():
            many(rows.insert_links(names), chain.from_iterable(link_rows))
        many(rows.SITEMAP_ENTRIES.insert, self._sitemap_rows)
        many(UPDATE_ROBOTS_FATE, self._robots_fates)
        self._write_pages()
        settled, redirected = self._settled, self._redirected
        self._clear()
        self._settled, self._redirected = settled, redirected

    def _write_pages(self) -> None:
        self._connection.executemany(rows.PAGES.insert, self._page_rows)
        self._page_rows.clear()

    def _write_paces(self, paces: Sequence[HostPace]) -> None:
        self._connection.executemany(
            """
            UPDATE hosts
            SET own = ?, ip = coalesce(?, ip), delay_ms = ?, next_fetch_at = ?, blocked_until = ?,
                block_reason = ?, errors_in_row = ?
            WHERE id = ?
            """,
            [
                (
                    host.own, host.ip, host.delay_ms, host.next_fetch_at, host.blocked_until,
                    host.block_reason, host.errors_in_row, host.host_id,
                )
                for host in paces
            ],
        )  # fmt: skip

    def _count_run(self) -> None:
        settled = self._settled
        self._connection.execute(
            """
            UPDATE runs
            SET pages = pages + ?, errors = errors + ?, bytes = bytes + ?
            WHERE id = ?
            """,
            (settled.pages, settled.errors, settled.bytes, self._run_id),
        )


HEAD_REFUSED = pace.Fate("queued", "head_refused", 0.0)
"""Servers that refuse HEAD do so with any status; only a GET tells whether the URL is broken."""


def _hashes(arrivals: Sequence[Arrival]) -> set[int]:
    """Identities of all that a batch speaks of."""
    hashes = set()
    for arrival in arrivals:
        hashes.add(arrival.entry.hash)
        redirect = arrival.visit.reply.redirect
        if redirect is not None:
            hashes.add(redirect.hash)
        hashes.update(arrival.visit.document.targets.hashes)
    return hashes


def _is_good(reply: Reply, document: Document, error: str | None, *, had_document: bool) -> bool:
    """Does this visit bring a new version of the document, rather than a failure to fetch it?"""
    if reply.status is None or not 200 <= reply.status < 300:
        return False
    return error is None or words.of(error).kept or not had_document


def _headers(reply: Reply) -> str | None:
    """Headers as a JSON object: lower-case names, a list where a name came more than once."""
    if reply.status is None:
        return None
    folded: dict[str, Any] = {}
    for name, value in reply.headers:
        key = name.lower()
        if key not in folded:
            folded[key] = value
        elif isinstance(folded[key], list):
            folded[key].append(value)
        else:
            folded[key] = [folded[key], value]
    return msgspec.json.encode(folded).decode()


def _asks_not_to_be_indexed(arrival: Arrival) -> bool:
    asked = (arrival.visit.document.meta_robots or "").replace(",", " ").split()
    return "noindex" in asked or "none" in asked


def _without_content(arrival: Arrival) -> Arrival:
    """A visit that says what was answered and where it leads, but nothing of what was written."""
    visit = arrival.visit
    document = msgspec.structs.replace(
        visit.document, title=None, description=None, h1=None, text=None, word_count=None,
        text_hash=None,
    )  # fmt: skip
    bare = msgspec.structs.replace(visit, document=document, body=None, body_sha256=None)
    return msgspec.structs.replace(arrival, visit=bare)


def _without_document(arrival: Arrival) -> Arrival:
    """A visit whose content cannot be stored keeps its place in history, with the error."""
    visit = arrival.visit
    reply = Reply(
        status=visit.reply.status,
        error=visit.reply.error or "decode_error",
        error_detail="the document could not be stored",
        total_ms=visit.reply.total_ms,
    )
    bare = msgspec.structs.replace(
        visit, reply=reply, document=Document(), body=None, body_sha256=None
    )
    return msgspec.structs.replace(arrival, visit=bare)


def _sum(parts: Iterable[Settled]) -> Settled:
    whole = Settled()
    for part in parts:
        whole.fresh += part.fresh
        whole.robots += part.robots
        whole.pages += part.pages
        whole.errors += part.errors
        whole.bytes += part.bytes
        whole.statuses += part.statuses
        whole.queued = part.queued
        for host, at in part.retries.items():
            whole.retry(host, at)
    return whole


INSERT_BODY = """
    INSERT INTO bodies (sha256, body_bytes, body)
    VALUES (?, ?, ?)
    ON CONFLICT (sha256) DO NOTHING
    RETURNING id
"""

UPDATE_FATE = """
    UPDATE urls
    SET state = ?, reason = ?, status = ?, attempts = ?, not_before = ?
    WHERE id = ?
"""

UPDATE_ROBOTS_FATE = """
    UPDATE urls
    SET state = ?, reason = ?, status = ?, attempts = ?
    WHERE id = ? AND kind = 'robots'
"""

BEFORE = """
    SELECT urls.state = 'queued', pages.id IS NOT NULL, pages.document_at, pages.text_hash,
        pages.body_id, pages.changed_at
    FROM urls
    LEFT JOIN pages ON pages.id = urls.id
    WHERE urls.id = ?
"""

NOT_MODIFIED = """
    UPDATE pages
    SET fetched_at = ?, error = NULL, visits = visits + 1
    WHERE id = ?
"""

FAILED_REVISIT = """
    UPDATE pages
    SET status = ?, error = ?, fetched_at = ?, ttfb_ms = ?, visits = visits + 1
    WHERE id = ?
"""

NEXT_HOP = """
    SELECT visits.redirect_to_id
    FROM urls
    JOIN visits ON visits.id = (
        SELECT max(id) FROM visits WHERE url_id = urls.id AND kind <> 'robots'
    )
    WHERE urls.id = ? AND urls.state <> 'queued'
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
