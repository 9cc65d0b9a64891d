"""Which hosts and origins are known, and what do their rules say?

Lives on the writer's thread. A host has the pace, an origin (scheme, name and port) has the
robots.txt. Both are kept in bounded memory; the rows are the truth.
"""

from __future__ import annotations

from collections import OrderedDict

import msgspec

from crawler.config import Config
from crawler.policy import robots, urls, words
from crawler.policy.robots import Asked, Rules
from crawler.policy.sites import Sites
from crawler.store.clock import epoch
from crawler.store.contract import KnownRules
from crawler.store.database import Connection

ORIGINS_KEPT = 20_000
RULES_KEPT_BYTES = 16 * 1024 * 1024
UNREACHABLE = "robots_unreachable"


class Domain(msgspec.Struct):
    """What a registered domain has: hosts with at least one URL to fetch, and such URLs."""

    hosts: int
    urls: int


class Host(msgspec.Struct):
    """A row of ``hosts``; the counters are written back once a batch."""

    id: int
    name: str
    domain: str
    own: bool
    queued: int
    pages: int
    stored_bytes: int = 0


class Closure(msgspec.Struct, frozen=True):
    """No URL of this origin can be fetched: what becomes of each of them."""

    state: str
    reason: str


class Origin(msgspec.Struct):
    """A row of ``origins``.

    known_until: epoch seconds until which the rules hold; 0 when robots.txt was not fetched yet.
    closure: set when robots.txt could not be had.
    has_rules: a body is stored. rules: parsed when first needed. obey: they are kept.
    """

    id: int
    name: str
    host: Host
    known_until: float = 0.0
    closure: Closure | None = None
    has_rules: bool = False
    crawl_delay_s: float = 0.0
    rules: Rules | None = None
    obey: bool = True


def closure_for(reason: str) -> Closure:
    """What a robots.txt that could not be had means for the URLs that waited for it.

    A server error leaves them skipped (RFC 9309, section 2.3.1.4); where there was no HTTP answer
    they fail with that same error; our own refusal skips them by its name.
    """
    if reason.startswith("http_"):
        return Closure("skipped", UNREACHABLE)
    if words.of(reason).skips:
        return Closure("skipped", reason)
    return Closure("failed", reason)


class Origins(msgspec.Struct):
    """The hosts and origins of a crawl. now: epoch seconds. queued: URLs of all hosts."""

    connection: Connection
    config: Config
    agent: str
    _by_name: OrderedDict[str, Origin] = msgspec.field(default_factory=OrderedDict)
    _by_id: dict[int, Origin] = {}
    _hosts: dict[str, Host] = {}
    _domains: dict[str, Domain] = {}
    _dirty: dict[int, Host] = {}
    _with_rules: OrderedDict[int, Origin] = msgspec.field(default_factory=OrderedDict)
    _rules_bytes: int = 0
    now: float = 0.0
    queued: int = 0
    _sites: Sites | None = None
    _barred: dict[str, Closure] = {}

    def __post_init__(self) -> None:
        self._sites = Sites(self.config) or None
        self._count_queued()

    def __repr__(self) -> str:
        return f"<Origins {len(self._by_name)} in memory, {self._rules_bytes} bytes of rules>"

    def origin(self, name: str) -> Origin:
        """The origin of this name; made when new."""
        found = self._by_name.get(name)
        if found is None:
            found = self._load("origins.origin = ?", name) or self._create(name)
            self._keep(found)
        return found

    def origin_by_id(self, origin_id: int) -> Origin:
        """The origin of this row id. Raises KeyError when there is none."""
        found = self._by_id.get(origin_id)
        if found is None:
            found = self._load("origins.id = ?", origin_id)
            if found is None:
                raise KeyError(origin_id)
            self._keep(found)
        return found

    def _keep(self, origin: Origin) -> None:
        self._by_name[origin.name] = origin
        self._by_id[origin.id] = origin

    def host(self, name: str) -> Host:
        """The host of this name; made when new."""
        host = self._hosts.get(name)
        if host is None:
            host = self._load_host(name) or self._create_host(name)
            self._hosts[name] = host
        return host

    def asks(self, url: str) -> Config:
        """The settings that hold for an address."""
        return self.config if self._sites is None else self._sites.config(url)

    def is_full(self, host: Host, url: str) -> str | None:
        """Why no more URLs such as this are taken of its host: ``host_cap``, ``domain_cap``, or
        None."""
        scope = self.asks(url).scope
        has = host.pages + host.queued
        if has >= scope.max_pages_per_host or host.stored_bytes >= scope.max_bytes_per_host:
            return "host_cap"
        domain = self._domain(host)
        if domain.urls >= scope.max_pages_per_domain:
            return "domain_cap"
        if not has and domain.hosts >= scope.max_hosts_per_domain:
            return "domain_cap"
        return None

    def is_out_of_space(self, host: Host, url: str) -> bool:
        """Has as much been stored of this host as may be for such a URL of it?"""
        return host.stored_bytes >= self.asks(url).scope.max_bytes_per_host

    def _domain(self, host: Host) -> Domain:
        domain = self._domains.get(host.domain)
        if domain is None:
            self._write_counters()
            hosts, pages = self.connection.execute(DOMAIN, (host.domain,)).fetchone()
            domain = self._domains[host.domain] = Domain(hosts, pages or 0)
        return domain

    def count(self, host: Host, *, queued: int = 0, pages: int = 0, stored_bytes: int = 0) -> None:
        """Change a host's counters; `flush` writes them."""
        domain = self._domains.get(host.domain)
        if domain is not None:
            domain.hosts += not (host.queued + host.pages) and queued + pages > 0
            domain.urls += queued + pages
        host.queued += queued
        self.queued += queued
        host.pages += pages
        host.stored_bytes += stored_bytes
        self._dirty[host.id] = host

    def mark_own(self, host: Host) -> None:
        """A seed names this private host: it is the person's own."""
        if not host.own:
            host.own = True
            self.connection.execute("UPDATE hosts SET own = 1 WHERE id = ?", (host.id,))

    def flush(self) -> None:
        """Write counters, then drop what exceeds the memory kept."""
        self._write_counters()
        if len(self._domains) > ORIGINS_KEPT:
            self._domains.clear()
        while len(self._by_name) > ORIGINS_KEPT:
            _, origin = self._by_name.popitem(last=False)
            self._by_id.pop(origin.id, None)
            self._drop_rules(origin)
            self._hosts.pop(origin.host.name, None)

    def _write_counters(self) -> None:
        self.connection.executemany(
            "UPDATE hosts SET queued = ?, pages = ?, stored_bytes = ? WHERE id = ?",
            [
                (host.queued, host.pages, host.stored_bytes, host.id)
                for host in self._dirty.values()
            ],
        )
        self._dirty.clear()

    def forget(self) -> None:
        """After a rollback: nothing in memory may be newer than the rows."""
        self._by_name.clear()
        self._by_id.clear()
        self._hosts.clear()
        self._domains.clear()
        self._dirty.clear()
        self._with_rules.clear()
        self._rules_bytes = 0
        self._count_queued()

    def _count_queued(self) -> None:
        row = self.connection.execute("SELECT sum(queued) FROM hosts").fetchone()
        self.queued = int(row[0] or 0)

    def rules(self, origin: Origin) -> Rules | None:
        """The rules of an origin, or None where everything is allowed."""
        if not origin.obey or not origin.has_rules:
            return None
        if origin.rules is None:
            row = self.connection.execute(RULES, (origin.id,)).fetchone()
            return self._keep_rules(origin, self._asked(*row))
        self._with_rules.move_to_end(origin.id)
        return origin.rules

    def _asked(self, body: bytes, agent: str | None, packed: bytes | None) -> Asked:
        """What a file asks of this agent; read anew where that was done for another one."""
        if packed is not None and agent == self.agent:
            return robots.unpacked(packed)
        return robots.read(body, self.agent, max_bytes=self.config.robots.max_bytes)

    def _keep_rules(self, origin: Origin, asked: Asked) -> Rules:
        """Rules are made ready, and those that were asked longest ago leave, one by one."""
        rules = robots.compiled(asked)
        origin.rules = rules
        self._with_rules[origin.id] = origin
        self._rules_bytes += rules.weight
        while self._rules_bytes > RULES_KEPT_BYTES and len(self._with_rules) > 1:
            self._drop_rules(next(iter(self._with_rules.values())))
        return rules

    def _drop_rules(self, origin: Origin) -> None:
        if origin.rules is not None:
            del self._with_rules[origin.id]
            self._rules_bytes -= origin.rules.weight
            origin.rules = None

    def told(self, name: str, now: float) -> KnownRules:
        """What is known of an origin's robots.txt, which is made no new row for."""
        row = self.connection.execute(
            """
            SELECT robots_error, robots_fetched_at, robots_body, robots_agent, robots_rules
            FROM origins
            WHERE origin = ? AND robots_fetched_at IS NOT NULL
            """,
            (name,),
        ).fetchone()
        if row is None:
            return KnownRules()
        error, fetched_at, body, agent, rules = row
        known_for_s = epoch(fetched_at) + self.config.robots.max_age_s - now
        if error is not None:
            return KnownRules(known_for_s, refusal=UNREACHABLE)
        if body is not None and (rules is None or agent != self.agent):
            rules = robots.packed(self._asked(body, agent, rules))
        return KnownRules(known_for_s, rules if body is not None else None)

    def stop_reason(self, origin: Origin, url: str) -> Closure | None:
        """Why a URL of this origin may not be fetched, as far as is known yet."""
        if self._barred and origin.name in self._barred:
            return self._barred[origin.name]
        if not origin.obey or origin.known_until <= self.now:
            return None
        if self._sites is not None and not self._sites.config(url).robots.obey:
            return None
        if origin.closure is not None:
            return origin.closure
        rules = self.rules(origin)
        if rules is not None and not rules.allows(url):
            return Closure("skipped", "robots")
        return None

    def bar(self, origin: Origin, closure: Closure) -> None:
        """Nothing of an origin is fetched in this run, whatever its rules are."""
        self._barred[origin.name] = closure

    def learn(
        self,
        origin: Origin,
        *,
        status: int | None,
        body: bytes | None,
        fetched_at: str,
        error: str | None = None,
        rules: bytes | None = None,
    ) -> tuple[str, ...]:
        """Store what robots.txt said, or why it could not be had (`error`); the sitemaps it names.

        rules: the body as it was read for this agent, by `robots.packed`. They are made ready when
        a URL is first judged by them.
        """
        kept = body if error is None and body else None
        origin.closure = closure_for(error) if error is not None else None
        origin.known_until = epoch(fetched_at) + self.config.robots.max_age_s
        origin.has_rules = kept is not None
        self._drop_rules(origin)
        asked = Asked() if kept is None else self._asked(kept, self.agent, rules)
        if kept is not None and rules is None:
            rules = robots.packed(asked)
        origin.crawl_delay_s = self._capped(origin.name, asked.crawl_delay)
        self.connection.execute(
            """
            UPDATE origins
            SET robots_status = ?, robots_error = ?, robots_fetched_at = ?, robots_body = ?,
                robots_agent = ?, robots_rules = ?, robots_widened = ?, crawl_delay = ?
            WHERE id = ?
            """,
            (
                status, error, fetched_at, kept, self.agent, None if kept is None else rules,
                asked.widened, asked.crawl_delay, origin.id,
            ),
        )  # fmt: skip
        return asked.sitemaps

    def sitemaps(self, origin: Origin) -> tuple[str, ...]:
        """Those that the robots.txt of an origin names, as it was read last."""
        row = self.connection.execute(RULES, (origin.id,)).fetchone()
        return () if row is None or row[0] is None else self._asked(*row).sitemaps

    def _capped(self, name: str, delay_s: float | None) -> float:
        return min(delay_s or 0.0, self.asks(f"{name}/").robots.crawl_delay_max_s)

    def obeys(self, name: str) -> bool:
        """Is the robots.txt of an origin kept?"""
        return self.config.robots.obey if self._sites is None else self._sites.obeys(name)

    def _load(self, where: str, value: str | int) -> Origin | None:
        row = self.connection.execute(
            f"""
            SELECT origins.id, origins.origin, hosts.host, robots_error, robots_fetched_at,
                robots_body IS NOT NULL, crawl_delay
            FROM origins
            JOIN hosts ON hosts.id = origins.host_id
            WHERE {where}
            """,
            (value,),
        ).fetchone()
        if row is None:
            return None
        origin_id, name, host, error, fetched_at, has_rules, delay = row
        until = epoch(fetched_at) + self.config.robots.max_age_s if fetched_at else 0.0
        return Origin(
            origin_id,
            name,
            self.host(host),
            known_until=until,
            closure=closure_for(error) if error and fetched_at else None,
            has_rules=bool(has_rules),
            crawl_delay_s=self._capped(name, delay),
            obey=self.obeys(name),
        )

    def _create(self, name: str) -> Origin:
        # example.org. and example.org are two URLs and one machine: they share its pace.
        host = self.host(urls.host_of(name).removesuffix("."))
        row = self.connection.execute(
            "INSERT INTO origins (origin, host_id) VALUES (?, ?) RETURNING id", (name, host.id)
        ).fetchone()
        return Origin(row[0], name, host, obey=self.obeys(name))

    def _load_host(self, name: str) -> Host | None:
        row = self.connection.execute(
            """
            SELECT id, host, registered_domain, own, queued, pages, stored_bytes
            FROM hosts
            WHERE host = ?
            """,
            (name,),
        ).fetchone()
        return Host(row[0], row[1], row[2], bool(row[3]), *row[4:]) if row else None

    def _create_host(self, name: str) -> Host:
        domain = urls.registered_domain(name)
        row = self.connection.execute(
            "INSERT INTO hosts (host, registered_domain) VALUES (?, ?) RETURNING id",
            (name, domain),
        ).fetchone()
        return Host(row[0], name, domain, own=False, queued=0, pages=0)


RULES = "SELECT robots_body, robots_agent, robots_rules FROM origins WHERE id = ?"

DOMAIN = """
    SELECT count(*), sum(queued + pages)
    FROM hosts
    WHERE registered_domain = ? AND queued + pages > 0
"""

COUNT_HOSTS = """
    UPDATE hosts
    SET queued = counted.queued, pages = counted.pages
    FROM (
        SELECT host_id, sum(state = 'queued') AS queued,
            sum(state IN ('done', 'failed') AND kind = 'page') AS pages
        FROM urls
        GROUP BY host_id
    ) AS counted
    WHERE counted.host_id = hosts.id
"""
"""Brings the counters of hosts that have URLs in line with these."""
