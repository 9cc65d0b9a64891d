"""What does an answer for a robots.txt change?

Lives on the writer's thread. Its origin opens or closes, and the sitemaps that it names are queued.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from crawler.config import Config
from crawler.policy import pace, urls, words
from crawler.policy.scope import Judge, asks_for_sitemaps
from crawler.policy.urls import UrlRules
from crawler.store.batch import Batch
from crawler.store.clock import iso
from crawler.store.contract import Arrival, Entry, RobotsOutcome
from crawler.store.database import Connection
from crawler.store.origins import Closure, Origin, Origins
from crawler.store.ruling import (
    MAX_ROBOTS_HOPS,
    MAX_STRANGE_ROBOTS,
    RobotsRuling,
    is_robots_txt,
    may_be_asked,
    may_try_http,
    rule_robots,
)
from crawler.store.scopes import Scopes
from crawler.store.url_table import UrlTable

MAX_SITEMAPS = 100
"""Sitemaps of one robots.txt that are read."""


class RobotsFiles(msgspec.Struct, frozen=True):
    """Stores what came for each robots.txt."""

    connection: Connection
    config: Config
    origins: Origins
    url_table: UrlTable
    scopes: Scopes
    judge: Judge
    batch: Batch
    _strangers: Counter[str] = msgspec.field(default_factory=Counter)
    _detours: dict[int, Arrival] = msgspec.field(default_factory=dict)
    """By origin the redirect that waits for the rules of the host that it leads to."""

    def record(self, arrival: Arrival, now: float, *, chance: float) -> None:
        """A visit to the robots.txt of an origin, or to where one redirects."""
        origin = self.origins.origin_by_id(arrival.for_origin)
        led_here = self._detours.pop(origin.id, None)
        if led_here is not None and arrival.entry.origin_id != origin.id:
            self._record_detour(arrival, origin, led_here, now, chance=chance)
            return
        if self._must_ask_first(arrival, origin):
            self.record_visit(arrival)
            self.batch.settled.robots.append(self._detour(arrival, origin))
            return
        asks = self.origins.asks(arrival.entry.url)
        bare = self.scopes.bare_seeds(origin) if may_try_http(arrival, asks) else []
        ruling = rule_robots(
            arrival, asks, bare_seeds=bool(bare),
            leads_astray=not self._may_follow(arrival, origin), chance=chance,
        )  # fmt: skip
        if ruling.over_http:
            self.scopes.fall_back_to_http(origin, bare)
        self.record_visit(arrival)
        self.batch.settled.robots.append(self._outcome(arrival, ruling, origin, now))

    def _may_follow(self, arrival: Arrival, origin: Origin) -> bool:
        """May the target of a redirect be asked for?"""
        target = arrival.visit.reply.redirect
        if target is None or target.refusal is not None:
            return True
        place = self.origins.origin(target.origin)
        at_home = place.host.id == origin.host.id
        known = place.known_until > self.origins.now
        allowed = may_be_asked(
            target,
            at_home=at_home,
            is_allowed=known and self.origins.stop_reason(place, target.url) is None,
            asked=self._strangers[place.host.name],
        )
        self._strangers[place.host.name] += allowed and not at_home
        return allowed

    def _must_ask_first(self, arrival: Arrival, origin: Origin) -> bool:
        """Does a redirect lead to a place of another host whose rules are not known yet?"""
        target = arrival.visit.reply.redirect
        if target is None or target.refusal is not None or arrival.entry.hops >= MAX_ROBOTS_HOPS:
            return False
        place = self.origins.origin(target.origin)
        return (
            place.host.id != origin.host.id
            and place.known_until <= self.origins.now
            and not is_robots_txt(target)
            and self._strangers[place.host.name] < MAX_STRANGE_ROBOTS
        )

    def _detour(self, arrival: Arrival, origin: Origin) -> RobotsOutcome:
        """The rules of the host that a redirect leads to are asked for first."""
        redirect = arrival.visit.reply.redirect
        assert redirect is not None
        place = self.origins.origin(redirect.origin)
        self._strangers[place.host.name] += 1
        self._detours[origin.id] = arrival
        return self._next(origin, arrival.entry, f"{place.name}/robots.txt", place)

    def _record_detour(
        self, arrival: Arrival, origin: Origin, led_here: Arrival, now: float, *, chance: float
    ) -> None:
        """What was asked for first has come: the redirect is followed, or as good as not there."""
        place = self.origins.origin_by_id(arrival.entry.origin_id)
        ruling = rule_robots(
            arrival, self.origins.asks(arrival.entry.url), bare_seeds=False, leads_astray=True,
            chance=chance,
        )  # fmt: skip
        self.record_visit(arrival)
        if ruling.retry_in_s is not None:
            self._detours[origin.id] = led_here
            outcome = self._again(arrival, ruling, origin)
        else:
            if ruling.failed is None:
                self.learn(arrival, ruling, place, now)
            target = led_here.visit.reply.redirect
            assert target is not None
            if ruling.failed is None and self.origins.stop_reason(place, target.url) is None:
                outcome = self._next(origin, led_here.entry, target.url, place)
            else:
                outcome = self._known(led_here, RobotsRuling(), origin, now)
        self.batch.settled.robots.append(outcome)

    def record_visit(self, arrival: Arrival) -> None:
        """A line of history, and the fate of a URL that is no page."""
        reply = arrival.visit.reply
        target, _ = urls.resolve(arrival.entry.url, rules=urls.UNLIMITED)
        kind = arrival.entry.kind
        url_id = self.url_table.record_aside(target, kind)
        redirect_to = None
        if reply.redirect is not None and reply.redirect.refusal is None:
            self.url_table.recall((reply.redirect.hash,))
            redirect_to = self.url_table.record_aside(reply.redirect, kind)
        self.batch.visit(
            arrival.visit, url_id, error=reply.error, redirect_to=redirect_to,
            body_id=self._keep_text(arrival),
        )  # fmt: skip
        reason = pace.failure(reply.status, reply.error)
        self.batch.robots_fate(
            ("failed" if reason else "done", reason, reply.status, arrival.attempts, url_id)
        )

    def _keep_text(self, arrival: Arrival) -> int | None:
        """What stood in it, so that a later run can be compared; an error's page is none."""
        if not 200 <= (arrival.visit.reply.status or 0) <= 299 or arrival.entry.kind != "robots":
            return None
        body_id, stored = self.batch.body(arrival.visit, texts=False)
        host = self.origins.origin_by_id(arrival.entry.origin_id).host
        self.origins.count(host, stored_bytes=stored)
        return body_id

    def _outcome(
        self, arrival: Arrival, ruling: RobotsRuling, origin: Origin, now: float
    ) -> RobotsOutcome:
        entry, redirect = arrival.entry, arrival.visit.reply.redirect
        if ruling.follows and redirect is not None:
            return self._next(origin, entry, redirect.url, self.origins.origin(redirect.origin))
        if ruling.retry_in_s is not None:
            return self._again(arrival, ruling, origin)
        return self._known(arrival, ruling, origin, now)

    def _next(self, origin: Origin, asked: Entry, url: str, place: Origin) -> RobotsOutcome:
        """Another place is asked, for the rules of this origin."""
        return RobotsOutcome(
            origin.id, asked, next_url=url, next_host_id=place.host.id, next_origin_id=place.id
        )

    def _again(self, arrival: Arrival, ruling: RobotsRuling, origin: Origin) -> RobotsOutcome:
        """The same is asked once more."""
        entry = arrival.entry
        asked = entry if ruling.counted else entry._replace(attempts=entry.attempts - 1)
        return RobotsOutcome(origin.id, asked, retry_in_s=ruling.retry_in_s)

    def _known(
        self, arrival: Arrival, ruling: RobotsRuling, origin: Origin, now: float
    ) -> RobotsOutcome:
        """All is known of this origin."""
        self.learn(arrival, ruling, origin, now)
        return RobotsOutcome(
            origin.id,
            arrival.entry,
            open=origin.closure is None,
            known_until=origin.known_until,
            crawl_delay_s=origin.crawl_delay_s,
        )

    def learn(self, arrival: Arrival, ruling: RobotsRuling, origin: Origin, now: float) -> None:
        """The rules of an origin are what an answer says."""
        visit = arrival.visit
        sitemaps = self.origins.learn(
            origin,
            status=visit.reply.status,
            body=visit.robots_body if ruling.has_rules else None,
            rules=visit.robots_rules,
            fetched_at=iso(now),
            error=ruling.failed,
        )
        if origin.closure is not None:
            self.close_waiting(origin, origin.closure, visit.started_at)
        else:
            self._admit_sitemaps(origin, sitemaps)

    def admit_left_aside(self) -> None:
        """The sitemaps of origins that have come into the scope behind their robots.txt."""
        for name in self.scopes.origins_joined():
            origin = self.origins.origin(name)
            if origin.closure is None and origin.known_until > self.origins.now:
                self._admit_sitemaps(origin, self.origins.sitemaps(origin))

    def _admit_sitemaps(self, origin: Origin, sitemaps: Sequence[str]) -> None:
        """The sitemaps that robots.txt names, or the well-known place where it names none.

        https://www.sitemaps.org/protocol.html#submit_robots
        """
        config = self.config
        home = f"{origin.name}/"
        if not asks_for_sitemaps(config) or not self.judge.touches(home):
            return
        robots_id = self._row_of_robots(origin)
        named = sitemaps[:MAX_SITEMAPS] if origin.obey else ()
        for place in named or ("/sitemap.xml",):
            target, _ = urls.resolve(place, home, rules=UrlRules.of(config))
            self.url_table.recall((target.hash,))
            self.url_table.admit(target, "robots", 0, source_id=robots_id, fetch_kind="sitemap")

    def _row_of_robots(self, origin: Origin) -> int:
        target, _ = urls.resolve(f"{origin.name}/robots.txt", rules=urls.UNLIMITED)
        self.url_table.recall((target.hash,))
        return self.url_table.record_aside(target, "robots")

    def close_waiting(self, origin: Origin, closure: Closure, asked_at: str) -> None:
        """The URLs that waited for a robots.txt or a login that could not be had get its fate.

        Pages that were held before are as out of reach as if they had been asked for themselves,
        and their history says so.
        """
        self.url_table.write()
        refused = words.of(closure.reason).skips
        if not refused:
            self.batch.missed(origin.id, asked_at, closure.reason)
        changed = self.connection.execute(
            CLOSE_WAITING, (closure.state, closure.reason, refused, origin.id)
        ).rowcount
        self.origins.count(origin.host, queued=-changed)
        self.url_table.fresh = [
            entry for entry in self.url_table.fresh if entry.origin_id != origin.id
        ]
        if closure.state == "failed":
            self.batch.settled.errors += changed
            self.batch.settled.statuses[closure.reason] += changed


CLOSE_WAITING = """
    UPDATE urls
    SET state = ?, reason = ?, status = CASE WHEN ? THEN status END, not_before = NULL
    WHERE origin_id = ? AND state = 'queued'
"""
