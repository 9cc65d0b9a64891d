"""Does the checker of politeness see what is impolite, and only that?"""

from __future__ import annotations

from tests.politeness.checker import Manners, offences
from tests.sites.server import Hit

HOST = "127.0.0.1"


def hit(started: float, ended: float, path: str = "/", status: int = 200) -> Hit:
    return Hit(started, ended, "GET", HOST, HOST, path, status, {})


def rules(manners: Manners, *log: Hit) -> list[str]:
    return [offence.rule for offence in offences(log, {HOST: manners})]


def test_a_polite_log_is_without_offence() -> None:
    log = [hit(0, 1, "/robots.txt"), hit(1.5, 2), hit(2.5, 9), hit(9.5, 10)]
    assert rules(Manners(gap_s=0.5), *log) == []


def test_requests_that_overlap_are_seen_in_whatever_order_they_end() -> None:
    assert rules(Manners(), hit(0, 2), hit(1, 3)) == ["overlap"]
    assert rules(Manners(), hit(0, 9), hit(1, 2), hit(3, 4)) == ["overlap", "overlap"]


def test_a_gap_is_measured_from_the_end_of_the_reply() -> None:
    assert rules(Manners(gap_s=0.5), hit(0, 2), hit(2.4, 3)) == ["gap"]


def test_a_crawl_delay_holds_once_it_was_told() -> None:
    log = [hit(0, 1), hit(2, 3, "/robots.txt"), hit(4, 5)]
    assert rules(Manners(gap_s=0.5, crawl_delay_s=2), *log) == ["gap"]


def test_what_the_rules_forbid_is_seen() -> None:
    assert rules(Manners(forbidden=("/secret",)), hit(0, 1, "/secret/1")) == ["forbidden"]


def test_a_retry_after_holds_for_the_whole_host() -> None:
    manners = Manners(retry_after_s={"/busy": 10})
    log = [hit(0, 1, "/busy", 429), hit(8, 9, "/other"), hit(11.1, 12, "/busy")]
    assert rules(manners, *log) == ["retry_after"]
