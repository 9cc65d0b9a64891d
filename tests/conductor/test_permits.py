"""Do pages that are shown ask for what they need under the rules that hold for all?"""

from __future__ import annotations

from collections.abc import Callable

import gevent

from crawler.conductor.permits import IN_FLIGHT, Permits
from crawler.config import Config
from crawler.model import Answer, Ask, Fetched, Grant, Learnt, Refusal
from crawler.model.permits import PACE, ROBOTS
from crawler.policy import robots
from crawler.store.contract import KnownRules
from tests.crawls import config
from tests.patience import PATIENT_S

RULES = robots.packed(robots.read(b"User-agent: *\nDisallow: /no\n", "crawler"))
SITE, OTHER = "https://example.org", "https://cdn.example"


class Hosts:
    """What the frontier would know; longer: what it was told."""

    def __init__(self) -> None:
        self.resting: set[str] = set()
        self.longer: list[tuple[str, float]] = []

    def rests(self, host: str, now: float) -> bool:
        return host in self.resting

    def is_near(self, host: str) -> bool:
        return False

    def rest_longer(self, host: str, now: float, seconds: float) -> None:
        self.longer.append((host, seconds))


class Desk:
    """Permits whose clock stands until a test moves it, and the answers that they gave."""

    def __init__(self, settings: Config | None = None) -> None:
        self.hosts = Hosts()
        self.now = 1000.0
        self.known = {SITE: KnownRules(3600.0, RULES)}
        self.answers: dict[int, Answer] = {}
        self.permits = Permits(
            settings or config(pace={"gap_s": 0.5}),
            self.hosts,
            lambda name: self.known.get(name, KnownRules()),
            lambda: self.now,
        )

    def ask(
        self, number: int, url: str, token: int = 1, kind: str = "Script", ips: tuple[str, ...] = ()
    ) -> None:
        self.permits.hear(Ask(token, number, url, kind, ips), self._answered)
        gevent.sleep(0)

    def _answered(self, answer: Answer) -> None:
        self.answers[answer.number] = answer


def until(is_so: Callable[[], object]) -> None:
    with gevent.Timeout(PATIENT_S):
        while not is_so():
            gevent.sleep(0.001)


def test_robots_txt_of_the_origin_that_is_asked_is_kept() -> None:
    desk = Desk()
    desk.ask(1, f"{SITE}/yes.js")
    desk.ask(2, f"{SITE}/no.js")
    assert desk.answers == {1: Grant(1, 1), 2: Refusal(1, 2, "robots")}


def test_rules_that_nobody_knows_are_asked_for_first_and_by_one_alone() -> None:
    desk = Desk()
    desk.ask(1, f"{OTHER}/no.js", token=1)
    desk.ask(2, f"{OTHER}/yes.js", token=2)
    assert desk.answers == {1: Grant(1, 1, robots_first=True)}
    desk.permits.hear(Learnt(1, OTHER, RULES), desk._answered)
    until(lambda: 2 in desk.answers)
    desk.ask(3, f"{OTHER}/no.js", token=1)
    assert desk.answers[2] == Grant(2, 2)
    assert desk.answers[3] == Refusal(1, 3, "robots")


def test_rules_that_could_not_be_had_forbid_everything() -> None:
    desk = Desk()
    desk.permits.hear(Learnt(1, OTHER, refusal="robots_unreachable"), desk._answered)
    desk.ask(1, f"{OTHER}/yes.js")
    assert desk.answers == {1: Refusal(1, 1, "robots_unreachable")}


def test_who_leaves_robots_txt_aside_is_granted_everything() -> None:
    desk = Desk(config(robots={"obey": False}))
    desk.ask(1, f"{OTHER}/no.js")
    assert desk.answers == {1: Grant(1, 1)}


def test_a_host_is_asked_by_few_at_once_and_rests_for_each() -> None:
    desk = Desk()
    for number in range(IN_FLIGHT + 1):
        desk.ask(number, f"{SITE}/{number}.js")
    assert len(desk.answers) == IN_FLIGHT
    desk.permits.hear(Fetched(1, f"{SITE}/0.js", 200), desk._answered)
    until(lambda: len(desk.answers) == IN_FLIGHT + 1)
    desk.permits.over(1, f"{SITE}/")
    assert desk.hosts.longer == [("example.org", (IN_FLIGHT + 1) * 0.5)]


def test_an_address_is_asked_by_few_at_once_whatever_its_names_are() -> None:
    desk = Desk()
    for number in range(IN_FLIGHT + 1):
        desk.ask(
            number, f"https://name{number}.example/robots.txt", kind=ROBOTS, ips=("192.0.2.1",)
        )
    assert len(desk.answers) == IN_FLIGHT
    done = Fetched(1, "https://name0.example/robots.txt", 404, addresses=("192.0.2.1",))
    desk.permits.hear(done, desk._answered)
    until(lambda: len(desk.answers) == IN_FLIGHT + 1)


def test_rules_that_a_host_had_no_time_for_are_asked_for_by_the_next() -> None:
    desk = Desk()
    desk.ask(1, f"{OTHER}/yes.js", token=1)
    desk.ask(2, f"{OTHER}/yes.js", token=2)
    desk.permits.hear(Learnt(1, OTHER, refusal=PACE), desk._answered)
    until(lambda: 2 in desk.answers)
    assert desk.answers[2] == Grant(2, 2, robots_first=True)


def test_another_page_waits_until_a_host_has_rested() -> None:
    desk = Desk()
    desk.ask(1, f"{SITE}/a.js", token=1)
    desk.permits.hear(Fetched(1, f"{SITE}/a.js", 200), desk._answered)
    desk.ask(2, f"{SITE}/b.js", token=2)
    assert 2 not in desk.answers
    desk.now += 0.5
    until(lambda: 2 in desk.answers)
    assert desk.answers[2] == Grant(2, 2)


def test_a_host_that_asks_for_rest_is_left_alone() -> None:
    desk = Desk()
    desk.ask(1, f"{SITE}/a.js")
    desk.permits.hear(Fetched(1, f"{SITE}/a.js", 429, 120.0), desk._answered)
    desk.ask(2, f"{SITE}/b.js")
    desk.hosts.resting.add("cdn.example")
    desk.known[OTHER] = KnownRules(3600.0)
    desk.ask(3, f"{OTHER}/c.js")
    assert desk.answers[2] == Refusal(1, 2, "render_pace")
    assert desk.answers[3] == Refusal(1, 3, "render_pace")
    assert ("example.org", 120.0) in desk.hosts.longer
