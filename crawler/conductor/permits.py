"""May a page that is being shown ask for this, and when?

What a page needs is asked for under the same robots.txt and pace as pages: the rules of the file,
or those that a worker has fetched for a host that the crawl knows nothing of; at most six requests
in flight to a host, and to an address, which may have thousands of names; and a host rests the
longer, the more was asked of it. A page gets what it needs of one host in one go, as with any
visitor; others wait until the host has rested.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

import gevent
import msgspec
from gevent.event import Event

from crawler.config import Config
from crawler.model import Answer, Ask, Fetched, Grant, Learnt, Question, Refusal
from crawler.model.permits import PACE, ROBOTS
from crawler.policy import pace, robots, urls
from crawler.policy.robots import Rules
from crawler.policy.sites import Sites
from crawler.store.contract import KnownRules

IN_FLIGHT: Final = 6
"""Requests to one host, as browsers have it, and to one address. A robots.txt is one of them: else
whoever names a thousand ports, or names, would have as many asked for at once."""
PATIENCE_S: Final = 10.0
"""What a page is kept waiting for a host."""
MAX_REST_S: Final = 5.0
"""What one page's needs may have another page wait for, of hosts that the crawl itself asks not."""
LONGEST_REST_S: Final = 30.0
"""What they may have the page's own host rest."""
SLOWED_S: Final = 60.0
"""The rest of a host that says 429 or 503 and not for how long."""
HOSTS_KEPT: Final = 10_000
ORIGINS_KEPT: Final = 2_000


class Places(Protocol):
    """What the frontier knows of hosts."""

    def rests(self, host: str, now: float) -> bool:
        """Has it asked to be left alone?"""

    def is_near(self, host: str) -> bool:
        """Is it the person's own?"""

    def rest_longer(self, host: str, now: float, seconds: float) -> None:
        """It is asked again so much later."""


class _Host(msgspec.Struct, eq=False):
    """What is going on at a host, or at an address, which has no rest of its own.

    free_at: others than the pages in `pages` wait until then. in_flight, asked: by page.
    changed: set when there may be room.
    """

    free_at: float = 0.0
    in_flight: dict[int, int] = {}
    asked: dict[int, int] = {}
    changed: Event = msgspec.field(default_factory=Event)

    @property
    def busy(self) -> int:
        """Requests in flight."""
        return sum(self.in_flight.values())


class _Origin(msgspec.Struct, eq=False):
    """What is known of an origin's robots.txt, and until when."""

    until: float
    rules: Rules | None = None
    refusal: str | None = None


class Permits:
    """Answers the questions of all workers.

    rules_of: what the file knows of an origin; waits. clock: seconds that never go back.
    """

    def __init__(
        self,
        config: Config,
        places: Places,
        rules_of: Callable[[str], KnownRules],
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._sites = Sites(config)
        self._places = places
        self._rules_of = rules_of
        self._clock = clock
        self._hosts: OrderedDict[str, _Host] = OrderedDict()
        self._origins: OrderedDict[str, _Origin] = OrderedDict()
        self._learning: dict[str, Event] = {}
        self._pages: dict[int, set[str]] = {}

    def __repr__(self) -> str:
        return f"<Permits {len(self._pages)} pages, {len(self._hosts)} hosts>"

    def hear(self, question: Question, answer: Callable[[Answer], None]) -> None:
        """Take a question; one that wants an answer gets it, perhaps later."""
        if isinstance(question, Ask):
            gevent.spawn(lambda: answer(self._answer(question)))
        elif isinstance(question, Fetched):
            self._done(question)
        else:
            self._learn(question)

    def over(self, token: int, url: str) -> None:
        """A page came back: its host rests as long as what it needed asks for."""
        now = self._clock()
        for name in self._pages.pop(token, ()):
            host = self._hosts.get(name)
            if host is None:
                continue
            host.in_flight.pop(token, None)
            asked = host.asked.pop(token, 0)
            host.changed.set()
            if name == urls.host_of(url):
                rest_s = min(asked * self._gap_s(url, name), LONGEST_REST_S)
                self._places.rest_longer(name, now, rest_s)
        self._forget()

    # Robots

    def _answer(self, ask: Ask) -> Answer:
        refusal = None if ask.kind == ROBOTS else self._robots(ask)
        if isinstance(refusal, Grant):
            return refusal
        refusal = refusal or self._wait_for(ask)
        if refusal is not None:
            return Refusal(ask.token, ask.number, refusal)
        return Grant(ask.token, ask.number)

    def _robots(self, ask: Ask) -> str | Grant | None:
        """Why robots.txt forbids it; a grant to ask for that file where nobody knows it."""
        if not self._sites.config(ask.url).robots.obey:
            return None
        name = urls.resolve(ask.url, rules=urls.UNLIMITED)[0].origin
        known = self._known(name)
        if known is None and name in self._learning:
            self._learning[name].wait(PATIENCE_S)
            known = self._known(name)
        if known is None:
            self._learning[name] = Event()
            return Grant(ask.token, ask.number, robots_first=True)
        if known.refusal is not None:
            return known.refusal
        return "robots" if known.rules is not None and not known.rules.allows(ask.url) else None

    def _known(self, name: str) -> _Origin | None:
        now = self._clock()
        held = self._origins.get(name)
        if held is not None and held.until > now:
            return held
        told = self._rules_of(name)
        if not told.known_for_s > 0:
            return None
        return self._keep(name, told.known_for_s, told.rules, told.refusal)

    def _learn(self, learnt: Learnt) -> None:
        """A worker has fetched the rules of an origin; they hold for this run."""
        if learnt.refusal != PACE:
            self._keep(learnt.origin, self._config.robots.max_age_s, learnt.rules, learnt.refusal)
        waiting = self._learning.pop(learnt.origin, None)
        if waiting is not None:
            waiting.set()

    def _keep(self, name: str, for_s: float, rules: bytes | None, refusal: str | None) -> _Origin:
        compiled = robots.compiled(robots.unpacked(rules)) if rules else None
        origin = self._origins[name] = _Origin(self._clock() + for_s, compiled, refusal)
        self._origins.move_to_end(name)
        while len(self._origins) > ORIGINS_KEPT:
            self._origins.popitem(last=False)
        return origin

    # Pace

    def _wait_for(self, ask: Ask) -> str | None:
        """Wait until the host may be asked; the word for one that may not be for long."""
        name, token, began = urls.host_of(ask.url), ask.token, self._clock()
        host, *_ = places = [self._place(each, token) for each in _names(ask)]
        while True:
            now = self._clock()
            if self._places.rests(name, now):
                return PACE
            wait_s = 0.0 if token in host.asked else host.free_at - now
            left_s = began + PATIENCE_S - now
            if wait_s > left_s or left_s <= 0:
                return PACE
            full = next((place for place in places if place.busy >= IN_FLIGHT), None)
            if wait_s <= 0 and full is None:
                break
            awaited = full or host
            awaited.changed.clear()
            awaited.changed.wait(min(left_s, wait_s) if wait_s > 0 else left_s)
        if token not in self._pages:
            return PACE  # its page came back meanwhile
        for place in places:
            place.in_flight[token] = place.in_flight.get(token, 0) + 1
        self._take(host, ask, name, now)
        return None

    def _place(self, name: str, token: int) -> _Host:
        """A host or an address, of which a page asks something."""
        place = self._hosts.setdefault(name, _Host())
        self._hosts.move_to_end(name)
        self._pages.setdefault(token, set()).add(name)
        return place

    def _take(self, host: _Host, ask: Ask, name: str, now: float) -> None:
        token = ask.token
        host.asked[token] = host.asked.get(token, 0) + 1
        rest_s = max(host.free_at, now) + self._gap_s(ask.url, name)
        host.free_at = max(host.free_at, min(rest_s, now + MAX_REST_S))

    def _done(self, fetched: Fetched) -> None:
        name, *addresses = _names(fetched)
        host = self._free(name, fetched.token)
        for address in addresses:
            self._free(address, fetched.token)
        if host is not None and fetched.status in pace.PENALISED:
            rest_s = min(fetched.retry_after_s or SLOWED_S, self._config.pace.retry_after_max_s)
            host.free_at = max(host.free_at, self._clock() + rest_s)
            host.asked.pop(fetched.token, None)  # this page, too, waits now
            self._places.rest_longer(name, self._clock(), rest_s)

    def _free(self, name: str, token: int) -> _Host | None:
        """A request of a page is over; None where nothing is known of one."""
        place = self._hosts.get(name)
        if place is None or token not in place.in_flight:
            return None
        place.in_flight[token] -= 1
        if not place.in_flight[token]:
            del place.in_flight[token]
        place.changed.set()
        return place

    def _gap_s(self, url: str, name: str) -> float:
        """The rest that one request to a host asks for."""
        asks = self._sites.config(url).pace
        own = urls.is_private_literal(name) or self._places.is_near(name)
        return asks.own_gap_s if own and not asks.own_is_public else asks.gap_s

    def _forget(self) -> None:
        """The hosts that were asked longest ago, and of which nothing is under way."""
        if len(self._hosts) <= HOSTS_KEPT:
            return
        for name in list(self._hosts)[: HOSTS_KEPT // 2]:
            if not self._hosts[name].asked and not self._hosts[name].in_flight:
                del self._hosts[name]


def _names(asked: Ask | Fetched) -> tuple[str, ...]:
    """The host that is asked, and the addresses at which it is; no host is called so."""
    return urls.host_of(asked.url), *(f"ip {address}" for address in asked.addresses)
