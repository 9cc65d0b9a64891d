"""Are the promises of politeness kept whatever happens, in whatever order?

Hypothesis makes up a web's behaviour step by step. A `Witness` that knows nothing of the schedule
judges every lease by what it saw: what was out, when replies came, what they asked for.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from crawler.frontier.schedule import Lease, Windows
from tests.frontier.stage import Stage
from tests.frontier.stage import settings as crawler_settings

GAP_S, CRAWL_DELAY_S, PER_CAP, OWN_LIMIT, PARK_AFTER = 0.5, 5.0, 2, 3, 3
SLACK_S = 1e-6
HOSTS = [
    *[f"http://h{number}.one.example" for number in range(4)],
    *[f"http://site{number}.example" for number in range(3)],
    "https://site0.example",
    "http://127.0.0.1",
    "http://127.0.0.2",
]
ADDRESSES = {"127.0.0.1": "127.0.0.1", "127.0.0.2": "127.0.0.2"}
SHARED_IP = "93.184.215.14"
PATHS = [f"/{number}" for number in range(12)] + [f"/secret/{number}" for number in range(4)]
ROBOTS = {
    "allow": "User-agent: *\nAllow: /",
    "secret": "User-agent: *\nDisallow: /secret",
    "slow": f"User-agent: *\nCrawl-delay: {CRAWL_DELAY_S:g}",
}
CONFIG = crawler_settings(
    pace={
        "gap_s": GAP_S, "per_domain": PER_CAP, "per_ip": PER_CAP, "own_in_flight": OWN_LIMIT,
        "park_after": PARK_AFTER, "park_s": 50, "retry_base_s": 3, "tries": 2,
    },
    robots={"max_age_s": 400},
    scope={"mode": "any"},
)  # fmt: skip
STEPS_TO_END = 10_000
"""The longest Retry-After is 300 s; a step is 50 ms where others wait for a place."""

hosts = st.sampled_from(HOSTS)
links = st.lists(st.tuples(hosts, st.sampled_from(PATHS)).map("".join), max_size=8)
waits = st.sampled_from([0.0, 0.01, 0.3, 0.5, 0.6, 2.0, 6.0, 60.0, 450.0])
retries = st.sampled_from([None, 0, 1, 20, 300])
places = st.sampled_from(range(64))


def host_of(url: str) -> str:
    return url.split("/")[2]


def is_own(host: str) -> bool:
    return host.startswith("127.")


@dataclass
class Witness:
    """What is known of the hosts from their replies alone.

    out: the host of each lease, and the URL of a page.
    """

    out: dict[int, tuple[str, str]] = field(default_factory=dict)
    last_reply: dict[str, float] = field(default_factory=dict)
    crawl_delay: dict[str, float] = field(default_factory=dict)
    blocked_until: dict[str, float] = field(default_factory=dict)
    rules: dict[str, tuple[str, float]] = field(default_factory=dict)
    replies: list[float] = field(default_factory=list)
    settled: set[str] = field(default_factory=set)

    def given(self, lease: Lease, now: float) -> None:
        """Judge a lease."""
        url = lease.entry.url
        host = host_of(url)
        assert now >= self.blocked_until.get(host, 0.0) - SLACK_S, "Retry-After not kept"
        delay = self.crawl_delay.get(host, 0.0)
        gap = max(delay, 0.0 if is_own(host) else GAP_S)
        if host in self.last_reply:
            assert now >= self.last_reply[host] + gap - SLACK_S, "gap too short"
        beside = [other for other, _ in self.out.values() if other == host]
        limit = OWN_LIMIT if is_own(host) and not delay else 1
        assert len(beside) < limit, "too many in flight to one host"
        if not is_own(host):
            self.check_caps(host, now)
        if lease.entry.kind == "page":
            self.check_rules(url, now)
        # A robots.txt may be redirected to what is a page, too: it is fetched for either.
        page = url if lease.entry.kind == "page" else ""
        assert not page or all(page != other for _, other in self.out.values()), "twice at once"
        self.out[lease.token] = (host, page)

    def check_caps(self, host: str, now: float) -> None:
        domain = [other for other, _ in self.out.values() if other.endswith("one.example")]
        if host.endswith("one.example"):
            assert len(domain) < PER_CAP, "too many in flight to one domain"
        shared = [other for other, _ in self.out.values() if not is_own(other)]
        resting = [at for at in self.replies if now < at + GAP_S - SLACK_S]
        assert len(shared) + len(resting) < PER_CAP, "too many to one address"

    def check_rules(self, url: str, now: float) -> None:
        origin = url[: url.index("/", 8)]
        assert origin in self.rules, "robots.txt not asked for first"
        name, until = self.rules[origin]
        assert now <= until, "rules too old"
        assert not (name == "secret" and "/secret" in url), "forbidden"
        assert name != "closed", "fetched although robots.txt could not be had"

    def came(self, lease: Lease, now: float) -> None:
        """A reply came, or the job came back."""
        host, _ = self.out.pop(lease.token)
        self.last_reply[host] = now
        if not is_own(host):
            self.replies.append(now)


class Promises(RuleBasedStateMachine):
    """Any sequence of leases, replies, returned jobs, commits and time."""

    @initialize(kept=st.sampled_from([2, 3, 50]))
    def begin(self, kept: int) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="promises-"))
        self.stage = Stage(
            self.folder, CONFIG, hosts_kept=kept, windows=Windows(own=4, public=2, least=1, kept=20)
        )
        self.stage.at = {host_of(name): (SHARED_IP,) for name in HOSTS if not is_own(host_of(name))}
        self.witness = Witness()
        self.leases: list[Lease] = []
        self.rules: dict[str, str] = {}
        self.stage.seed(f"{HOSTS[0]}/0", f"{HOSTS[-1]}/0", f"{HOSTS[-2]}/0")

    @rule(found=links)
    def seeds_come(self, found: list[str]) -> None:
        self.stage.seed(*found)

    @rule(seconds=waits)
    def time_passes(self, seconds: float) -> None:
        self.stage.sleep(seconds)
        self.stage.frontier.tidy(self.stage.now)

    @rule(count=st.integers(1, 5))
    def jobs_go_out(self, count: int) -> None:
        for _ in range(count):
            self.take(self.stage.lease())

    def take(self, lease: Lease | None) -> None:
        if lease is not None:
            self.witness.given(lease, self.stage.now)
            self.leases.append(lease)

    def pick(self, place: int) -> Lease:
        lease = self.leases.pop(place % len(self.leases))
        self.witness.came(lease, self.stage.now)
        return lease

    @precondition(lambda self: self.leases)
    @rule(place=places, found=links, slow_ms=st.sampled_from([1, 300, 3000]))
    def a_page_comes(self, place: int, found: list[str], slow_ms: int) -> None:
        self.good(self.pick(place), found, "allow", slow_ms)

    @precondition(lambda self: self.leases)
    @rule(place=places, name=st.sampled_from(sorted(ROBOTS)))
    def rules_come(self, place: int, name: str) -> None:
        self.good(self.pick(place), [], name, 1)

    def good(self, lease: Lease, found: list[str], name: str, total_ms: float) -> None:
        host = host_of(lease.entry.url)
        ip = ADDRESSES.get(host, SHARED_IP)
        if lease.for_origin:
            self.note_rules(lease, name)
        self.stage.answer(
            lease, links=found, body=ROBOTS[name] if lease.for_origin else "", ip=ip,
            total_ms=total_ms,
        )  # fmt: skip

    def note_rules(self, lease: Lease, name: str) -> None:
        """What the rules will be once this reply is stored."""
        sql = "SELECT origin FROM origins WHERE id = ?"
        origin = str(self.stage.rows(sql, lease.for_origin)[0][0])
        self.rules[origin] = name

    @precondition(lambda self: self.leases)
    @rule(place=places, status=st.sampled_from([404, 429, 500, 503]), seconds=retries)
    def a_refusal_comes(self, place: int, status: int, seconds: int | None) -> None:
        lease = self.pick(place)
        host = host_of(lease.entry.url)
        if status in (429, 503) and seconds:
            until = self.stage.now + seconds
            self.witness.blocked_until[host] = max(until, self.witness.blocked_until.get(host, 0.0))
        if lease.for_origin:
            self.note_rules(lease, "allow" if status == 404 else "closed")
        self.stage.answer(lease, status=status, retry_after_s=seconds)

    @precondition(lambda self: self.leases)
    @rule(
        place=places,
        error=st.sampled_from(["timeout", "conn_reset", "dns_fail", "tls_verify", "blocked_addr"]),
    )
    def no_answer_comes(self, place: int, error: str) -> None:
        lease = self.pick(place)
        if lease.for_origin:
            self.note_rules(lease, "closed")
        self.stage.fail(lease, error)

    @precondition(lambda self: self.leases)
    @rule(place=places, location=st.tuples(hosts, st.sampled_from(PATHS)).map("".join))
    def a_redirect_comes(self, place: int, location: str) -> None:
        lease = self.pick(place)
        if lease.for_origin:
            location = "/".join([*location.split("/")[:3], "robots.txt"])
        if lease.for_origin and lease.entry.hops >= 5:
            self.note_rules(lease, "allow")
        self.stage.answer(lease, status=302, location=location)

    @precondition(lambda self: self.leases)
    @rule(place=places)
    def a_job_comes_back_undone(self, place: int) -> None:
        lease = self.pick(place)
        self.stage.frontier.give_back(lease.token, self.stage.now)

    @rule()
    def all_is_stored(self) -> None:
        self.stage.commit()
        until = self.stage.now + CONFIG.robots.max_age_s
        for origin, name in self.rules.items():
            self.witness.rules[origin] = (name, until)
        for origin in self.rules:
            self.witness.crawl_delay[host_of(origin + "/")] = self.delay_of(host_of(origin + "/"))
        self.rules.clear()

    def delay_of(self, host: str) -> float:
        """The greatest Crawl-delay of the host's origins, as far as they are stored."""
        sql = """
            SELECT coalesce(max(crawl_delay), 0.0)
            FROM origins
            JOIN hosts ON hosts.id = origins.host_id
            WHERE hosts.host = ?
        """
        return float(str(self.stage.rows(sql, host)[0][0]))

    def teardown(self) -> None:
        if hasattr(self, "stage"):
            self.nothing_is_lost_and_nobody_starves()
            self.stage.close()
            shutil.rmtree(self.folder)

    def nothing_is_lost_and_nobody_starves(self) -> None:
        """From here on every request is answered well: the crawl ends, and nothing is left."""
        for _ in range(STEPS_TO_END):
            while self.leases:
                self.good(self.pick(0), [], "allow", 1)
            self.all_is_stored()
            lease = self.stage.lease()
            self.take(lease)
            if lease is None:
                if self.stage.frontier.next_due(self.stage.now, self.stage.wall) is None:
                    break
                self.stage.wait()
        assert self.stage.queued() == 0
        assert self.stage.frontier.idle
        assert self.stage.rows("SELECT host, queued FROM hosts WHERE queued <> 0") == []


TestPromises = Promises.TestCase
TestPromises.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    phases=[Phase.reuse, Phase.generate],  # to make a failure shorter would take minutes
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
