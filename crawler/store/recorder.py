"""What does a batch of visits change?

Lives on the writer's thread. What is known of each visit is looked up, `store/ruling.py` decides,
and the rows are written. A URL's fate, its results and the links it brought change in one
transaction, so that whatever is committed is whole.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from crawler import failpoints
from crawler.config import Config
from crawler.policy import logins, urls
from crawler.policy.scope import Judge, Standing
from crawler.policy.seeds import Seed
from crawler.store import analysis, news, redirects, rows, space
from crawler.store.batch import Batch
from crawler.store.clock import iso
from crawler.store.contract import Arrival, HostPace, Settled
from crawler.store.database import UNFIT, Connection, DatabaseError
from crawler.store.origins import Origins
from crawler.store.outlinks import Outlinks
from crawler.store.robots_txt import RobotsFiles
from crawler.store.ruling import (
    Before,
    Facts,
    Ruling,
    as_kept,
    may_try_http,
    rule,
    settings_of,
    without_document,
)
from crawler.store.scopes import Keys, Scopes
from crawler.store.url_table import UrlTable

if TYPE_CHECKING:
    from crawler.store.logins import Logins
    from crawler.store.mail import Mail, Message
    from crawler.store.shards import Which

LOOK_UP = 200
NEEDED = "request"
"""The kind of what a page asked for while it was shown."""
SEEN_AT = len(Before._fields) - 1


class Recorder:
    """Turns visits into rows. One instance a run, used by one thread."""

    keys = Keys

    def __init__(
        self, connection: Connection, config: Config, run_id: int, agent: str,
        which: Which | None = None,
    ) -> None:  # fmt: skip
        self._connection = connection
        self._config = config
        self.url_rules = urls.UrlRules.of(config)
        self.origins = Origins(connection, config, agent)
        self._keys = self.keys(connection, run_id)
        judge = Judge.of(config, self._keys.covers, self._keys.cover_below)
        self._mail: Mail | None = None
        table, scopes = UrlTable, Scopes
        if which is not None:
            from crawler.store import mail, sharded  # few crawls have shards

            self._mail = mail.Mail(connection, which)
            table, scopes = sharded.parts_of(self._mail, config)
        self.url_table = table(connection, config, self.origins, judge, run_id)
        self._batch = Batch(connection, run_id)
        self._scopes = scopes(
            connection, self._keys, self.origins, self.url_table, judge, mode=config.scope.mode,
            run_id=run_id,
        )  # fmt: skip
        self._robots = RobotsFiles(
            connection, config, self.origins, self.url_table, self._scopes, judge, self._batch
        )
        self._outlinks = Outlinks(connection, config, self.url_table, self._batch)
        self._settings: int | None = settings_of(config)
        self._chance = random.Random(run_id)
        if not config.store.bodies:
            analysis.complete(connection)

    def __repr__(self) -> str:
        return f"<Recorder {self._batch!r}, {self.url_table!r}>"

    @cached_property
    def _logins(self) -> Logins:
        from crawler.store.logins import Logins  # few crawls log in anywhere

        return Logins(self._connection, self._config, self.origins, self._robots, self._batch)

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
                    lambda: self._record([without_document(arrivals[0])], paces, now), now
                )
        first, *others = arrivals
        settled = [self.record([first], paces, now)]
        settled += [self.record([arrival], (), now) for arrival in others]
        return _sum(settled)

    def load_seeds(self, batch: Sequence[Seed], now: float) -> Settled:
        """Store lines of the seeds file; what they name joins the scope and the queue."""
        return self._transaction(lambda: self._scopes.load(batch), now)

    def seeds_read(self, now: float) -> Settled:
        """All seeds of this run have been stored: what only others brought in falls out."""
        return self._transaction(self._scopes.close, now)

    def begin_logins(self, origin_ids: Sequence[int], now: float) -> Settled:
        """Of these origins something waits that needs a login first."""
        return self._transaction(lambda: self._logins.begin(origin_ids, now), now)

    def take(self, messages: Sequence[Message], now: float) -> Settled:
        """Take what other shards have found, and move their marks."""
        return self._transaction(lambda: self._take(messages), now)

    def _take(self, messages: Sequence[Message]) -> None:
        assert self._mail is not None
        for message in messages:
            if self._mail.mark(message.peer, message.number):
                self._scopes.take(message.items())

    def change(self, change: Callable[[], None], now: float) -> Settled:
        """Run a change of the table of URLs as one transaction."""
        return self._transaction(change, now)

    def _transaction(self, change: Callable[[], None], now: float) -> Settled:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self.url_table.begin(iso(now))
            self.origins.now = now
            self._batch.clear()
            if self._mail is not None:
                self._mail.begin()
            change()
            self._scopes.readmit_joined()
            self._robots.admit_left_aside()
            self.url_table.write()
            self._batch.write()
            self._settle_redirects()
            self.url_table.age()
            self.origins.flush()
            self._batch.count_run()
            if self._mail is not None:
                self._mail.write()
            failpoints.reached("before-commit")
            self._connection.execute("COMMIT")
            failpoints.reached("after-commit")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            self.url_table.forget()
            self.origins.forget()
            self._keys.forget()
            self._scopes.forget()
            self._batch.clear()
            if self._mail is not None:
                self._mail.forget()
            raise
        settled = self._batch.settled
        settled.fresh = self.url_table.fresh
        settled.queued = self.origins.queued
        return settled

    def _record(self, arrivals: Sequence[Arrival], paces: Sequence[HostPace], now: float) -> None:
        self.url_table.recall(_hashes(arrivals))
        for arrival in arrivals:
            if arrival.for_origin:
                self._record_aside(arrival, now)
        # Only now: a robots.txt of the same batch may have stopped what was out.
        visits = [arrival for arrival in arrivals if not arrival.for_origin]
        before = self._before([arrival.entry.id for arrival in visits])
        for arrival in visits:
            host, url = self.origins.origin_by_id(arrival.entry.origin_id).host, arrival.entry.url
            has_space = not self.origins.is_out_of_space(host, url)
            kept = as_kept(arrival, self._config, has_space=has_space)
            self._record_visit(kept, before[kept.entry.id], now)
        self._batch.write_paces(paces)

    def _record_aside(self, arrival: Arrival, now: float) -> None:
        """What is asked for before a site is."""
        record = self._robots.record
        if arrival.visit.job.login is not None:
            is_step = arrival.entry.kind == "login"
            record = self._logins.record if is_step else self._logins.record_rules
        record(arrival, now, chance=self._chance.random())

    # What is known

    def _before(self, url_ids: Sequence[int]) -> dict[int, Before]:
        """What stands in the tables of these URLs, by id."""
        self.url_table.write()
        found: dict[int, Before] = {}
        for start in range(0, len(url_ids), LOOK_UP):
            part = list(url_ids[start : start + LOOK_UP])
            part += [0] * (LOOK_UP - len(part))
            for url_id, *row in self._connection.execute(BEFORE, part):
                if row[SEEN_AT] is not None:  # None for all pages of a first run
                    row[SEEN_AT:] = [news.seen_by(row[SEEN_AT:])]
                found[url_id] = Before._make(row[: SEEN_AT + 1])
        return found

    def _facts(self, arrival: Arrival, before: Before) -> Facts:
        entry = arrival.entry
        known = self.url_table.known(entry.hash)
        bare = may_try_http(arrival, self.origins.asks(entry.url)) and bool(
            self._scopes.bare_seeds(self.origins.origin_by_id(entry.origin_id))
        )
        if known is None:
            return Facts(entry.depth, entry.hops, False, before, bare)
        standing = known.standing
        return Facts(
            known.depth, known.hops, standing >= Standing.ECHO, before, bare,
            is_echo=standing == Standing.ECHO,
        )  # fmt: skip

    # What is written

    def _record_visit(self, arrival: Arrival, before: Before, now: float) -> None:
        if arrival.visit.reply.error == logins.OVER:
            arrival = self._logins.excused(arrival)
        facts = self._facts(arrival, before)
        entry, visit = arrival.entry, arrival.visit
        asks = self.origins.asks(entry.url)
        ruling = rule(arrival, facts, asks, settings=self._settings, chance=self._chance.random())
        if ruling.over_http:
            origin = self.origins.origin_by_id(entry.origin_id)
            self._scopes.fall_back_to_http(origin, self._scopes.bare_seeds(origin), out=entry.id)
        if ruling.again_as_page:
            self.url_table.requeue_as_page(entry, facts.depth, facts.hops)
        else:
            self._settle(arrival, ruling, before, now)
        if ruling.error == logins.OVER and ruling.fate.state == "queued":
            self._logins.doubt(arrival, now)
        redirect_to = self._admit_redirect(arrival, ruling, facts)
        if ruling.ends_links:
            self._outlinks.forget(entry)
        body_id, taken = self._batch.body(visit, texts=self._config.store.texts)
        is_news = before.seen is None or news.is_news(
            before.seen,
            news.seen_now(
                visit, error=ruling.error, redirect_to=redirect_to, body_id=body_id,
                not_modified=ruling.is_not_modified,
            ),
        )  # fmt: skip
        taken += self._batch.visit(
            visit, entry.id, error=ruling.error, redirect_to=redirect_to, body_id=body_id,
            not_modified=ruling.is_not_modified, changed=is_news,
        )  # fmt: skip
        page_body = body_id
        if visit.rendering is not None:
            page_body, more = self._record_rendering(arrival, facts, body_id)
            taken += more
        if ruling.entries:
            self._outlinks.replace_sitemap(arrival)
        if ruling.change is not None:
            if ruling.is_good and facts.depth == 0 and visit.document.leads_on is not None:
                self._lead_on(arrival, facts)
            self._write_page(arrival, ruling, facts, page_body)
        elif ruling.styles:
            self._outlinks.replace_styles(arrival, facts)
        if ruling.change is not None and not before.is_page:
            taken += space.of_page(visit.document) + space.of_links(visit.document.columns)
        taken += self.url_table.taken_since()
        self.origins.count(self.origins.origin_by_id(entry.origin_id).host, stored_bytes=taken)

    def _record_rendering(
        self, arrival: Arrival, facts: Facts, body_id: int | None
    ) -> tuple[int | None, int]:
        """What a browser made of a page: the body that the page has now, and what all of it takes.
        What it asked for is recorded as addresses, like the images of a page."""
        visit, about = arrival.visit, arrival.visit.rendering
        assert about is not None
        admit = self.url_table.admit
        self.url_table.recall({need.target.hash for need in about.needs})
        ids = [
            admit(need.target, NEEDED, facts.depth + 1, source_id=arrival.entry.id)
            for need in about.needs
        ]
        shown_id, taken = self._batch.shown_body(visit, texts=self._config.store.texts)
        taken += self._batch.rendering(about, target_ids=ids, body_id=shown_id)
        return (body_id if shown_id is None else shown_id), taken

    def _settle(self, arrival: Arrival, ruling: Ruling, before: Before, now: float) -> None:
        """The fate of the URL, and what is counted of it."""
        entry, reply, fate = arrival.entry, arrival.visit.reply, ruling.fate
        host = self.origins.origin_by_id(entry.origin_id).host
        settled, waits = self._batch.settled, fate.state == "queued"
        not_before = None
        if waits:
            at = now + (fate.retry_in_s or 0.0)
            not_before = iso(at)
            settled.retry(host.name, at)
        else:
            settled.pages += entry.kind == "page"
            settled.hops += entry.kind == "page" and ruling.follows
            if entry.kind != "sitemap":
                settled.errors += fate.state == "failed"
                word = str(reply.status) if fate.state == "done" else fate.reason or ""
                settled.statuses[word] += 1
        settled.bytes += reply.wire_bytes
        is_page = entry.kind == "page" and not waits
        self.origins.count(host, queued=waits - before.waited, pages=int(is_page))
        self._connection.execute(
            UPDATE_FATE,
            (fate.state, fate.reason, ruling.status, arrival.attempts, not_before, entry.id),
        )

    def _admit_redirect(self, arrival: Arrival, ruling: Ruling, facts: Facts) -> int | None:
        """The id of a redirect's target, if it has one; it is a link like any other."""
        entry, target = arrival.entry, arrival.visit.reply.redirect
        if ruling.loops:
            return entry.id
        if target is None or not ruling.follows:
            return None
        self._batch.redirected.add(entry.id)
        if facts.depth == 0 and entry.kind == "page" and target.refusal is None:
            self._scopes.move(entry.id, target.url)
        kind = "canonical" if facts.is_echo else "redirect"
        url_id = self.url_table.admit(
            target, kind, facts.depth, hops=facts.hops + 1, source_id=entry.id,
            fetch_kind=entry.kind,
        )  # fmt: skip
        if arrival.new_cookies:
            self.url_table.ask_again(url_id, most=self.origins.asks(target.url).pace.tries)
        return url_id

    def _lead_on(self, arrival: Arrival, facts: Facts) -> None:
        """Where a seed's page leads by itself is where a redirect of the seed would lead."""
        entry, document = arrival.entry, arrival.visit.document
        target = document.targets[document.leads_on or 0]
        if target.refusal is None and facts.hops < self._config.fetch.max_redirects:
            self._scopes.move(entry.id, target.url)
            self.url_table.admit(target, "refresh", 0, hops=facts.hops + 1, source_id=entry.id)

    def _write_page(
        self, arrival: Arrival, ruling: Ruling, facts: Facts, body_id: int | None
    ) -> None:
        """The row people query, and the links of a new document."""
        visit, entry, before = arrival.visit, arrival.entry, facts.before
        reply, document, now = visit.reply, visit.document, visit.started_at
        if ruling.change == "unchanged":
            self._connection.execute(NOT_MODIFIED, (now, entry.id))
            return
        if ruling.change == "failure":
            self._connection.execute(
                FAILED_REVISIT,
                (
                    reply.status,
                    ruling.error,
                    document.challenge,
                    now,
                    reply.ttfb_ms,
                    ruling.ends_links,
                    entry.id,
                ),
            )
            return
        outlinks = self._outlinks.replace(arrival, facts) if ruling.is_good else 0
        is_rendered = visit.rendering is not None and visit.rendering.error is None
        # what scripts make may differ where nobody sees it
        same = before.text_hash == document.text_hash and (is_rendered or before.body_id == body_id)
        self._batch.page(
            rows.PAGES.row(
                entry, visit, reply, document, ruling, facts.depth,
                now if ruling.is_good else None,
                before.changed_at if before.is_page and same else now, body_id, outlinks,
                is_rendered,
            )
        )  # fmt: skip

    def _settle_redirects(self) -> None:
        """What redirects mean beyond their own hop, once the batch is written.

        A seed's redirect target joins the scope, however late it turned out to be a seed's.
        """
        redirected = set(self._batch.redirected)
        self._batch.redirected.clear()
        while nearer := self.url_table.shorter_ways.carry_on():
            redirected |= nearer
            for url_id in nearer:
                target = redirects.target_of_seed(self._connection, url_id)
                if target is not None:
                    self._scopes.move(url_id, target)
        for loop in redirects.loops_through(self._connection, redirected):
            self._batch.settled.errors += redirects.settle_loop(self._connection, loop)


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


def _sum(parts: Iterable[Settled]) -> Settled:
    whole = Settled()
    for part in parts:
        whole.fresh += part.fresh
        whole.robots += part.robots
        whole.logins += part.logins
        whole.pages += part.pages
        whole.hops += part.hops
        whole.errors += part.errors
        whole.bytes += part.bytes
        whole.statuses += part.statuses
        whole.queued = part.queued
        for host, at in part.retries.items():
            whole.retry(host, at)
    return whole


UPDATE_FATE = """
    UPDATE urls
    SET state = ?, reason = ?, status = ?, attempts = ?, not_before = ?
    WHERE id = ?
"""

BEFORE = f"""
    SELECT urls.id, urls.state = 'queued', pages.id IS NOT NULL, pages.document_at,
        pages.document_status, pages.text_hash, pages.body_id, pages.changed_at,
        {news.SEEN}
    FROM urls
    LEFT JOIN pages ON pages.id = urls.id
    LEFT JOIN visits AS last ON last.id = CASE
        WHEN pages.id IS NOT NULL
        THEN (
            SELECT max(visits.id)
            FROM visits
            WHERE visits.url_id = urls.id AND visits.kind <> 'login'
        )
    END
    WHERE urls.id IN ({",".join("?" * LOOK_UP)})
"""

NOT_MODIFIED = """
    UPDATE pages
    SET fetched_at = ?, status = document_status, error = NULL, challenge = NULL,
        visits = visits + 1
    WHERE id = ?
"""

FAILED_REVISIT = """
    UPDATE pages
    SET status = ?1, error = ?2, challenge = ?3, fetched_at = ?4, ttfb_ms = ?5,
        outlinks = CASE WHEN ?6 THEN 0 ELSE outlinks END,
        made_under = CASE WHEN ?6 THEN NULL ELSE made_under END,
        visits = visits + 1
    WHERE id = ?7
"""
