"""What crosses the door of the store?

Values only: what the conductor and the frontier give to the writer's thread, and what they get
back. Importing them loads no SQLite.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal, NamedTuple

import msgspec

from crawler.model import LoginStep, Visit

Key = tuple[int, int, int]
"""Where an entry stands in its queue: priority, depth, id."""
FIRST_KEY: Key = (-1, -1, -1)


class Entry(NamedTuple):
    """A queued URL, in the order in which it wants to be fetched.

    hash: its identity. kind: what it is fetched for. attempts: tries so far.
    etag, last_modified: validators of its last good visit.
    """

    priority: int
    depth: int
    id: int
    url: str
    hash: int
    kind: str
    attempts: int
    hops: int
    host_id: int
    origin_id: int
    etag: str | None = None
    last_modified: str | None = None


class Arrival(msgspec.Struct, frozen=True):
    """A visit that came back for a lease.

    entry: what was leased. for_origin: of a robots fetch, the origin whose rules are asked for.
    blameless: the network failed, so this counts as no try. new_cookies: it has set some, so that
    what was asked for before may answer otherwise now.
    """

    visit: Visit
    entry: Entry
    for_origin: int = 0
    blameless: bool = False
    new_cookies: bool = False

    @property
    def attempts(self) -> int:
        """Tries that this URL has had."""
        return self.entry.attempts + (not self.blameless)


class HostPace(msgspec.Struct, frozen=True):
    """What the schedule wants written of a host: times are ISO text, None for "now"."""

    host_id: int
    own: bool
    ip: str | None
    delay_ms: int
    next_fetch_at: str | None
    blocked_until: str | None
    block_reason: str | None
    errors_in_row: int
    penalty_ms: int = 0


class RobotsOutcome(msgspec.Struct, frozen=True):
    """What a fetch of robots.txt means for its origin.

    origin_id: whose rules. asked: what was fetched. open: its URLs may be fetched as far as the
    rules allow.
    known_until: epoch seconds; 0 when there is more to do.
    crawl_delay_s: capped. retry_in_s: rest before the next try, None for none.
    next_url, next_host_id, next_origin_id: where a redirect leads.
    """

    origin_id: int
    asked: Entry
    open: bool = False
    known_until: float = 0.0
    crawl_delay_s: float = 0.0
    retry_in_s: float | None = None
    next_url: str | None = None
    next_host_id: int = 0
    next_origin_id: int = 0


class LoginOutcome(msgspec.Struct, frozen=True):
    """What follows from a step of a login.

    origin_id: whose login. state: ``in``, ``failed``, ``over``, or ``more``: then `entry` is asked
    for, as `step` says, after `rest_s`; or ``doubt``: `url_id` looks as if nobody were logged in.
    """

    origin_id: int
    state: Literal["in", "failed", "over", "more", "doubt"]
    entry: Entry | None = None
    step: LoginStep | None = None
    rest_s: float = 0.0
    url_id: int = 0


class KnownRules(msgspec.Struct, frozen=True):
    """What the file knows of an origin's robots.txt.

    known_for_s: how long that holds; 0 where nothing is known. rules: as `policy.robots.packed`
    writes them, None where everything is allowed. refusal: why nothing may be asked for.
    """

    known_for_s: float = 0.0
    rules: bytes | None = None
    refusal: str | None = None


class Settled(msgspec.Struct):
    """What the conductor must know of a transaction that has been committed.

    fresh: URLs that are queued now. robots: what was learnt of origins. retries: by host, epoch
    seconds of its earliest new retry. pages, errors, bytes: to add to the run's. hops: of these
    pages, redirects that lead on. statuses: count by
    status or error. queued: URLs that wait now. logins: what came of steps of logins, in order.
    """

    fresh: list[Entry] = []
    robots: list[RobotsOutcome] = []
    retries: dict[str, float] = {}
    pages: int = 0
    hops: int = 0
    errors: int = 0
    bytes: int = 0
    statuses: Counter[str] = msgspec.field(default_factory=Counter)
    queued: int = 0
    logins: list[LoginOutcome] = []

    def retry(self, host: str, at: float) -> None:
        """Remember a host's earliest retry."""
        self.retries[host] = min(at, self.retries.get(host, at))


class WaitingOrigin(msgspec.Struct, frozen=True):
    """An origin of a host. waiting: it has something queued.

    known_until: epoch seconds until which its robots.txt holds; 0 when it must be fetched.
    closed: its robots.txt could not be had.
    """

    id: int
    name: str
    known_until: float
    crawl_delay_s: float
    closed: bool
    waiting: bool


class WaitingHost(msgspec.Struct, frozen=True):
    """A host that has something queued, as its row says.

    next_fetch_at, blocked_until: epoch seconds, or 0. delay_s: its gap as it was last.
    penalty_s: the gap that its 429 and 503 have brought about.
    """

    id: int
    name: str
    domain: str
    own: bool
    ip: str | None
    delay_s: float
    next_fetch_at: float
    blocked_until: float
    block_reason: str | None
    errors_in_row: int
    penalty_s: float
    origins: tuple[WaitingOrigin, ...]


class Refill(msgspec.Struct, frozen=True):
    """The next entries of an origin's queue; `complete` when nothing lies behind them."""

    origin_id: int
    entries: list[Entry]
    complete: bool
    after: Key


class Needs(msgspec.Struct, frozen=True):
    """What the frontier wants from the store.

    hosts: ids of hosts to look up. after_host: go on reading waiting hosts behind this id, at most
    host_limit of them, or None.
    refills: origin, key to go on behind, how many. due: look for URLs whose rest is over.
    parts_only: of all this, only what pages are made of is wanted. logins: origins whose logins
    are to begin.
    """

    hosts: tuple[int, ...]
    after_host: int | None
    host_limit: int
    refills: tuple[tuple[int, Key, int], ...]
    due: bool
    parts_only: bool = False
    logins: tuple[int, ...] = ()

    def __bool__(self) -> bool:
        wanted = self.hosts or self.refills or self.due or self.logins
        return bool(wanted) or self.after_host is not None


class Supplies(msgspec.Struct, frozen=True):
    """The answer to `Needs`.

    hosts: those asked for by id. swept: those read in the order of their ids; read_up_to: the last
    of them, -1 when there are no more, None when none were asked for.
    next_due: epoch seconds of the next rest that ends. stopped: URLs settled instead, by reason.
    logins: how those begin that were asked for.
    """

    hosts: tuple[WaitingHost, ...]
    swept: tuple[WaitingHost, ...]
    read_up_to: int | None
    refills: tuple[Refill, ...]
    due: tuple[Entry, ...]
    next_due: float | None
    asked_due: bool
    stopped: dict[str, int]
    logins: tuple[LoginOutcome, ...] = ()
