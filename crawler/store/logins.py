"""How far is the login of each site, and what becomes of a site whose login fails?

Lives on the writer's thread. What comes of each step is judged by `policy/logins.py`; robots.txt is
kept on every host that a login leads to. A site without its login is not asked for anything, and
one that shows that nobody is logged in any more is asked for nothing else in this run.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

import msgspec

from crawler.config import Config, LoginConfig
from crawler.model import LoginPage, LoginStep, Target
from crawler.policy import logins, outage, urls
from crawler.policy.logins import Turn
from crawler.policy.sites import Sites
from crawler.store.batch import Batch
from crawler.store.clock import iso
from crawler.store.contract import Arrival, Entry, LoginOutcome
from crawler.store.database import Connection
from crawler.store.origins import Closure, Origin, Origins
from crawler.store.robots_txt import RobotsFiles
from crawler.store.ruling import rule_robots

CLOSED = Closure("skipped", logins.FAILED)
log = logging.getLogger(__name__)


class Logins:
    """Begins logins and takes them on, answer by answer."""

    def __init__(
        self, connection: Connection, config: Config, origins: Origins, robots: RobotsFiles,
        batch: Batch,
    ) -> None:  # fmt: skip
        self._connection = connection
        self._sites = Sites(config)
        self._origins = origins
        self._robots = robots
        self._batch = batch
        self._proofs: dict[int, str] = {}

    def __repr__(self) -> str:
        return f"<Logins of {self._sites!r}>"

    def begin(self, origin_ids: Iterable[int], now: float) -> None:
        """Of these origins something waits that needs a login first."""
        for origin_id in origin_ids:
            origin = self._origins.origin_by_id(origin_id)
            target, _ = urls.resolve(self._login(origin).url, rules=urls.UNLIMITED)
            self._go_on(origin, target, LoginStep(origin.name), 0, now)

    def record(self, arrival: Arrival, now: float, *, chance: float) -> None:
        """The answer to a step."""
        origin = self._origins.origin_by_id(arrival.for_origin)
        entry, visit = arrival.entry, arrival.visit
        step = visit.job.login
        assert step is not None
        if arrival.blameless:
            self._robots.record_visit(arrival)
            if step.form is None:
                self._wait(origin, entry, step, outage.PROBE_S)
            else:  # nobody knows whether it was taken: all is begun anew, as a person would
                self._wait(origin, self._first(origin), LoginStep(origin.name), outage.PROBE_S)
            return
        asks = self._origins.asks(entry.url)
        turn = logins.turn(
            self._login(origin), visit.job, visit.reply, visit.login or LoginPage(),
            steps=entry.hops, config=asks, chance=chance,
        )  # fmt: skip
        self._robots.record_visit(_told(arrival, turn))
        match turn.state:
            case "in":
                self._proofs[origin.id] = entry.url
                self._note(origin, "in", None)
                self._batch.settled.logins.append(LoginOutcome(origin.id, "in"))
            case "again":
                self._wait(origin, entry._replace(attempts=entry.attempts + 1), step, turn.rest_s)
            case "more" if turn.target is not None and turn.step is not None:
                self._go_on(origin, turn.target, turn.step, entry.hops + 1, now)
            case _:
                self._end(origin, step, turn.why, now)

    def record_rules(self, arrival: Arrival, now: float, *, chance: float) -> None:
        """The robots.txt of another host, to which a login leads."""
        origin = self._origins.origin_by_id(arrival.for_origin)
        entry, step = arrival.entry, arrival.visit.job.login
        place = self._origins.origin_by_id(entry.origin_id)
        ruling = rule_robots(
            arrival, self._origins.asks(entry.url), bare_seeds=False, leads_astray=True,
            chance=chance,
        )  # fmt: skip
        self._robots.record_visit(arrival)
        assert step is not None
        assert step.goal is not None
        if ruling.retry_in_s is not None:
            attempts = entry.attempts + ruling.counted
            self._wait(origin, entry._replace(attempts=attempts), step, ruling.retry_in_s)
        elif ruling.failed is not None:
            self._end(origin, step, f"{entry.url} could not be had: {ruling.failed}", now)
        else:
            self._robots.learn(arrival, ruling, place, now)
            goal, rest = step.goal, msgspec.structs.replace(step, goal=None)
            self._go_on(origin, goal, rest, entry.hops, now)

    def excused(self, arrival: Arrival) -> Arrival:
        """Of answers that look as if nobody were logged in the first alone counts as a try."""
        known = self._state(arrival.entry.origin_id) in ("doubt", "over")
        return msgspec.structs.replace(arrival, blameless=True) if known else arrival

    def doubt(self, arrival: Arrival, now: float) -> None:
        """A page looks as if nobody were logged in: the one that has shown the opposite is asked
        for once more, and tells whose fault it is."""
        origin = self._origins.origin_by_id(arrival.entry.origin_id)
        state = self._state(origin.id)
        if state == "over":
            return
        suspect = LoginOutcome(origin.id, "doubt", url_id=arrival.entry.id)
        self._batch.settled.logins.append(suspect)
        if state != "doubt":
            url = arrival.entry.url
            self._note(origin, "doubt", f"{url} looks as if nobody were logged in")
            proof, _ = urls.resolve(self._proofs[origin.id], rules=urls.UNLIMITED)
            self._go_on(origin, proof, LoginStep(origin.name, sent=True, check=True), 0, now)

    def _state(self, origin_id: int) -> str | None:
        row = self._connection.execute(
            "SELECT login_state FROM origins WHERE id = ?", (origin_id,)
        ).fetchone()
        return None if row is None else row[0]

    def _end(self, origin: Origin, step: LoginStep, why: str, now: float) -> None:
        """A step came to nothing."""
        if not step.check:
            self._fail(origin, why, now)
            return
        [told] = self._connection.execute(
            "UPDATE origins SET login_state = 'over' WHERE id = ? RETURNING login_detail",
            (origin.id,),
        ).fetchone()
        log.warning("%s: %s; the next run logs in again", origin.name, told)
        self._batch.settled.logins.append(LoginOutcome(origin.id, "over"))

    def _login(self, origin: Origin) -> LoginConfig:
        login = logins.of_site(self._sites, origin.name)
        assert login is not None
        return login

    def _first(self, origin: Origin) -> Entry:
        target, _ = urls.resolve(self._login(origin).url, rules=urls.UNLIMITED)
        return _entry(target.url, "login", 0, origin)

    def _go_on(
        self, origin: Origin, target: Target, step: LoginStep, steps: int, now: float
    ) -> None:
        """The next request, as soon as the rules of its host are known, and if they let it."""
        place = self._origins.origin(target.origin)
        if place.obey and place.known_until <= self._origins.now:
            step = msgspec.structs.replace(step, goal=target)
            self._wait(origin, _entry(f"{place.name}/robots.txt", "robots", steps, place), step)
            return
        stop = self._origins.stop_reason(place, target.url)
        if stop is not None:
            why = f"{target.url}: {stop.reason}, the rules of its site forbid it"
            self._end(origin, step, why, now)
            return
        self._wait(origin, _entry(target.url, "login", steps, place), step)

    def _wait(self, origin: Origin, entry: Entry, step: LoginStep, rest_s: float = 0.0) -> None:
        self._batch.settled.logins.append(LoginOutcome(origin.id, "more", entry, step, rest_s))

    def _fail(self, origin: Origin, why: str, now: float) -> None:
        """Nothing of a site is asked for without its login."""
        self._origins.bar(origin, CLOSED)
        self._robots.close_waiting(origin, CLOSED, iso(now))
        self._note(origin, "failed", why)
        log.warning("%s: the login failed: %s", origin.name, why)
        self._batch.settled.logins.append(LoginOutcome(origin.id, "failed"))

    def _note(self, origin: Origin, state: str, detail: str | None) -> None:
        self._connection.execute(
            "UPDATE origins SET login_state = ?, login_detail = ? WHERE id = ?",
            (state, detail, origin.id),
        )


def _entry(url: str, kind: str, steps: int, place: Origin) -> Entry:
    return Entry(-1, 0, 0, url, urls.identity(url), kind, 0, steps, place.host.id, place.id)


def _told(arrival: Arrival, turn: Turn) -> Arrival:
    """The visit that made a login fail says so, and why."""
    visit = arrival.visit
    if turn.state != "failed" or visit.reply.error is not None:
        return arrival
    step = visit.job.login
    error = logins.OVER if step is not None and step.check else logins.FAILED
    reply = msgspec.structs.replace(visit.reply, error=error, error_detail=turn.why)
    visit = msgspec.structs.replace(visit, reply=reply)
    return msgspec.structs.replace(arrival, visit=visit)
