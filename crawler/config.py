"""What did the person ask for, and what holds where they said nothing?

One frozen section per room. Every default of the program stands here and nowhere else;
``config/crawl.toml`` is generated from this module.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
Scope = Literal["page", "prefix", "host", "domain", "any"]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Shared by all sections: frozen, and an unknown key is refused."""


class ScopeConfig(Section, frozen=True):
    """Which URLs belong to this crawl?

    mode: page (only the seeds), prefix (below the seeds' folders), host (the seeds' hosts; http,
        https and www. count as one), domain (their registered domains) or any.
    include: when given, a URL outside the seeds must match one of these regular expressions.
    exclude: a URL that matches one of these is skipped; it wins over include.
    max_depth: clicks from a seed.
    max_pages_per_host: pages of one host; more are ``skipped: host_cap``.
    allow_private: hosts, addresses or CIDR blocks on private or loopback addresses that may be
        fetched.
    follow_nofollow: fetch targets of rel=nofollow links too.
    check: also ask for ``assets`` and ``external`` links with HEAD, without reading them.
    traps: skip URLs of endless series (repeated segments, session identifiers) as ``trap``.
    """

    mode: Scope = "host"
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    max_depth: Count = 50
    max_pages_per_host: AtLeastOne = 100_000
    allow_private: tuple[str, ...] = ()
    follow_nofollow: bool = False
    check: tuple[Literal["assets", "external"], ...] = ()
    traps: bool = True


class RobotsConfig(Section, frozen=True):
    """How is robots.txt kept?

    obey: robots.txt is fetched and obeyed (RFC 9309).
    max_age_s: rules older than this are fetched again.
    max_bytes: of a rules file, what lies beyond is ignored (RFC 9309, section 2.5).
    crawl_delay_max_s: a Crawl-delay above this counts as this.
    """

    obey: bool = True
    max_age_s: Positive = 86_400
    max_bytes: AtLeastOne = 500 * 1024
    crawl_delay_max_s: NotNegative = 60


class PaceConfig(Section, frozen=True):
    """How hard may a host be asked?

    gap_s: least rest between the end of a reply and the next request to a public host.
    response_factor: the rest is at least this times the host's recent response time.
    own_gap_s, own_in_flight: the same for the person's own hosts (loopback or private, and
        allowed), and how many requests may be in flight to one of them.
    own_is_public: treat own hosts like public ones (for trials of politeness).
    per_ip, per_domain: requests in flight to one public address, and to one registered domain.
    retry_after_max_s: a longer Retry-After counts as this.
    tries: fetches of one URL before it is given up.
    retry_base_s: first back-off; each further one doubles it.
    park_after: errors in a row that park a host. park_s: how long.
    patience_s: when all work lies further ahead than this, the run ends and says so.
    """

    gap_s: NotNegative = 0.5
    response_factor: NotNegative = 1.0
    own_gap_s: NotNegative = 0.0
    own_in_flight: AtLeastOne = 64
    own_is_public: bool = False
    per_ip: AtLeastOne = 4
    per_domain: AtLeastOne = 4
    retry_after_max_s: NotNegative = 3600
    tries: AtLeastOne = 3
    retry_base_s: NotNegative = 5.0
    park_after: AtLeastOne = 20
    park_s: NotNegative = 900
    patience_s: NotNegative = 900


class FetchConfig(Section, frozen=True):
    """How is a URL fetched, and when is enough enough?

    user_agent: product token and version; contact: a URL or e-mail address put behind it.
    connect_s, read_s, total_s: limits for connecting, for silence, and for the whole URL.
    max_body_bytes, max_sitemap_bytes: decoded; more is ``too_large``. max_header_bytes: all.
    max_redirects: hops of one chain. max_url_bytes: longer URLs are ``skipped: url_too_long``.
    resolver: ``thread`` (the system's resolver in gevent's thread pool) or ``ares`` (c-ares).
    verify_tls: check certificates. accept_language: sent when not empty.
    blocked_ports: never connected to.
    """

    user_agent: str = ""
    contact: str = ""
    connect_s: Positive = 10
    read_s: Positive = 20
    total_s: Positive = 60
    max_body_bytes: AtLeastOne = 10 * 1024 * 1024
    max_sitemap_bytes: AtLeastOne = 50 * 1024 * 1024
    max_header_bytes: AtLeastOne = 256 * 1024
    max_redirects: Count = 10
    max_url_bytes: AtLeastOne = 2083
    resolver: Literal["thread", "ares"] = "thread"
    verify_tls: bool = True
    accept_language: str = ""


class ParseConfig(Section, frozen=True):
    """How much of a document is read?

    max_links: of one page; more are ``truncated: links``.
    max_seconds: a parse that takes longer is killed (not with workers in the conductor).
    """

    max_links: AtLeastOne = 10_000
    max_seconds: Positive = 5


class StoreConfig(Section, frozen=True):
    """What is kept, and how often is it committed?

    bodies: keep the bytes of pages. texts: keep the visible text.
    batch: visits in one transaction at most. batch_s: seconds between two transactions at most.
    backlog_bytes: visits that wait for the writer; above it nothing new is fetched.
    """

    bodies: bool = True
    texts: bool = True
    batch: AtLeastOne = 500
    batch_s: Positive = 0.25
    backlog_bytes: AtLeastOne = 64 * 1024 * 1024


class RunConfig(Section, frozen=True):
    """How long and how wide does a run go?

    workers: processes that fetch and parse; -1 is one per core, 0 keeps the work in the conductor.
    concurrency: greenlets of one worker. bodies_in_flight_bytes: memory for bodies of one worker.
    max_pages: pages of this run, 0 for no limit. max_seconds: of this run, 0 for no limit.
    retry_failed: fetch only what failed before.
    drain_s: how long the first Ctrl-C waits for what is in flight.
    """

    workers: Annotated[int, msgspec.Meta(ge=-1, le=256)] = -1
    concurrency: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 256
    bodies_in_flight_bytes: AtLeastOne = 128 * 1024 * 1024
    max_pages: Count = 0
    max_seconds: NotNegative = 0
    retry_failed: bool = False
    drain_s: NotNegative = 10


class Config(Section, frozen=True):
    """All of it."""

    scope: ScopeConfig = ScopeConfig()
    robots: RobotsConfig = RobotsConfig()
    pace: PaceConfig = PaceConfig()
    fetch: FetchConfig = FetchConfig()
    parse: ParseConfig = ParseConfig()
    store: StoreConfig = StoreConfig()
    run: RunConfig = RunConfig()
