"""What does a row say of a host, and what is written of one?

In the database moments are those of the wall clock, in memory those of the monotonic one. A clock
that was set makes nobody wait longer than any rule would.
"""

from __future__ import annotations

from collections.abc import Sequence

from crawler.config import Config
from crawler.frontier.schedule import HostState, OriginState
from crawler.policy import logins, pace
from crawler.policy.sites import Sites
from crawler.store.clock import iso
from crawler.store.contract import HostPace, WaitingHost, WaitingOrigin


class HostRows:
    """Hosts and origins, between the database and the schedule."""

    def __init__(self, config: Config, sites: Sites) -> None:
        self._config = config
        self._sites = sites

    def host(
        self, waiting: WaitingHost, origins: Sequence[OriginState], now: float, wall: float, *,
        all_rest: bool,
    ) -> HostState:  # fmt: skip
        """The host of a row. all_rest: it rests a Crawl-delay, whatever the row says."""
        delay_s = max((origin.crawl_delay_s for origin in origins), default=0.0)
        rest = self.rest(waiting, wall)
        if all_rest:
            rest = max(rest, delay_s)
        blocked = waiting.blocked_until > wall
        return HostState(
            waiting.id,
            waiting.name,
            waiting.domain,
            waiting.own,
            now + rest,
            waiting.ip,
            response_s=self._response_s(waiting, origins, delay_s),
            penalty_s=waiting.penalty_s,
            errors_in_row=waiting.errors_in_row,
            outcomes=pace.outcomes_of(self._config.pace, waiting.errors_in_row),
            blocked_until=now + rest if blocked else 0.0,
            block_reason=waiting.block_reason if blocked else None,
            origins={origin.id: origin for origin in origins},
        )

    def rest(self, waiting: WaitingHost, wall: float) -> float:
        """Seconds that a host has still to rest, never more than any rest can be.

        So a wall clock that was set back keeps nobody waiting.
        """
        longest = waiting.delay_s
        if waiting.blocked_until > wall:
            longest = pace.longest_rest_s(self._config.pace)
        return min(max(waiting.next_fetch_at - wall, 0.0), longest)

    def _response_s(
        self, waiting: WaitingHost, origins: Sequence[OriginState], crawl_delay_s: float
    ) -> float:
        """How slow a host was, where that made its gap."""
        config = self._config.pace
        if self._sites and origins:
            config = self._sites.config(f"{origins[0].name}/").pace
        others = max(crawl_delay_s, waiting.penalty_s, config.gap_s, config.own_gap_s)
        slow = waiting.delay_s > others and config.response_factor > 0
        return waiting.delay_s / config.response_factor if slow else 0.0

    def origin(
        self, waiting: WaitingOrigin, now: float, wall: float, *, entered: bool, stopped: bool
    ) -> OriginState:
        """The origin of a row. entered: somebody is logged in. stopped: it was left."""
        until = self.monotonic(waiting.known_until, now, wall)
        closed = waiting.closed and until > now
        return OriginState(
            waiting.id, waiting.name, until, waiting.crawl_delay_s, self._sites.obeys(waiting.name),
            closed=closed, complete=stopped or not waiting.waiting,
            guarded=bool(self._sites) and logins.of_site(self._sites, waiting.name) is not None,
            entered=entered, stopped=stopped,
        )  # fmt: skip

    def monotonic(self, epoch_s: float, now: float, wall: float) -> float:
        """A stored moment on the clock that never goes back, however the wall clock was set."""
        ahead = min(epoch_s - wall, self._config.robots.max_age_s)
        return now + ahead if epoch_s else now - 1.0

    def row(self, host: HostState, now: float, wall: float) -> HostPace:
        """The pace of a host, as it is written."""
        rest = max(0.0, host.due - now)
        blocked = host.blocked_until > now
        return HostPace(
            host.id,
            host.own,
            host.ip,
            round(1000 * host.gap_s),
            iso(wall + rest) if rest > 0 else None,
            iso(wall + host.blocked_until - now) if blocked else None,
            host.block_reason if blocked else None,
            host.errors_in_row,
            round(1000 * host.penalty_s),
        )
