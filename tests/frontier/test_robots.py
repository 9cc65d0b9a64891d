"""When is a robots.txt asked for, and whom does it hold up?"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.frontier.stage import Stage, settings

HOST = "http://a.example/"
FORBID = "User-agent: *\nDisallow: /secret"


def test_robots_comes_before_any_page_of_its_origin(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.seed(HOST)
    lease = stage.lease()
    assert lease is not None
    assert lease.entry.url == "http://a.example/robots.txt"
    stage.sleep(1000)
    assert stage.lease() is None


def test_without_robots_nothing_is_asked_first(tmp_path: Path) -> None:
    stage = Stage(tmp_path, settings(robots={"obey": False}))
    stage.seed(HOST)
    lease = stage.lease()
    assert lease is not None
    assert lease.entry.url == HOST


def test_rules_are_asked_for_again_after_a_day_and_hold_from_then_on(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.open_hosts(HOST)
    home, _ = stage.next()
    stage.answer(home, links=[f"{HOST}secret/{number}" for number in range(50)])
    stage.commit()
    for _ in range(5):
        page, _ = stage.next()
        assert "/secret/" in page.entry.url
        stage.answer(page)
        stage.commit()
    stage.sleep(86_401)
    robots, _ = stage.next()
    assert robots.entry.url == "http://a.example/robots.txt"
    stage.answer(robots, body=FORBID)
    stage.commit()
    assert stage.lease() is None
    assert stage.queued() == 0
    assert len(stage.rows("SELECT id FROM urls WHERE reason = 'robots'")) == 45


def test_a_url_that_rested_is_judged_by_the_rules_of_its_next_try(tmp_path: Path) -> None:
    stage = Stage(tmp_path, settings(robots={"max_age_s": 300}, pace={"retry_base_s": 400}))
    stage.open_hosts(HOST)
    home, _ = stage.next()
    stage.answer(home, links=[f"{HOST}secret", *[f"{HOST}{number}" for number in range(9)]])
    stage.commit()
    secret, _ = stage.next()
    assert secret.entry.url == f"{HOST}secret"
    stage.answer(secret, status=500)
    stage.commit()
    stage.sleep(301)
    robots, _ = stage.next()
    assert robots.entry.kind == "robots"
    stage.answer(robots, body=FORBID)
    stage.commit()
    fetched = set()
    for _ in range(200):
        if stage.frontier.next_due(stage.now, stage.wall) is None:
            break
        lease = stage.lease()
        if lease is None:
            stage.wait()
            continue
        fetched.add(lease.entry.url)
        stage.answer(lease, body=FORBID)
        stage.commit()
    assert f"{HOST}secret" not in fetched
    assert stage.state(f"{HOST}secret") == ("skipped", "robots")


def test_a_url_found_while_the_rules_are_old_is_judged_by_the_new_ones(tmp_path: Path) -> None:
    stage = Stage(tmp_path, settings(robots={"max_age_s": 100}))
    stage.open_hosts(HOST, body="User-agent: *\nDisallow: /")
    assert stage.state(HOST) == ("skipped", "robots")
    stage.sleep(101)
    stage.seed("http://a.example/late")
    robots, _ = stage.next()
    assert robots.entry.kind == "robots"
    stage.answer(robots, status=404)
    stage.commit()
    assert stage.next()[0].entry.url == "http://a.example/late"


@pytest.mark.parametrize(
    ("statuses", "fate"),
    [
        # RFC 9309, section 2.3.1.3: "unavailable" allows everything
        ([404], ("queued", None)),
        ([408, 408, 408], ("queued", None)),
        ([425, 408, 425], ("queued", None)),
        ([401], ("queued", None)),
        ([403], ("queued", None)),
        ([410], ("queued", None)),
        # section 2.3.1.4: "unreachable" forbids everything; 429 counts as such here
        ([500, 500, 500], ("skipped", "robots_unreachable")),
        ([503, 503, 503], ("skipped", "robots_unreachable")),
        ([429, 429, 429], ("skipped", "robots_unreachable")),
        ([503, 503, 200], ("queued", None)),
        # RFC 9110, section 15: a status beyond all classes counts as the server's error
        ([600], ("skipped", "robots_unreachable")),
        ([999], ("skipped", "robots_unreachable")),
    ],
)
def test_what_robots_answers_decides_for_the_origin(
    tmp_path: Path, statuses: list[int], fate: tuple[str, str | None]
) -> None:
    stage = Stage(tmp_path)
    stage.seed(HOST)
    for status in statuses:
        robots, _ = stage.next()
        assert robots.entry.kind == "robots"
        stage.answer(robots, status=status)
        stage.commit()
    assert stage.state(HOST) == fate
    assert (stage.frontier.next_due(stage.now, stage.wall) is None) == (fate[0] != "queued")


@pytest.mark.parametrize(
    ("error", "tries", "fate"),
    [
        ("dns_fail", 2, ("failed", "dns_fail")),
        ("connect_refused", 3, ("failed", "connect_refused")),
        ("timeout", 3, ("failed", "timeout")),
        ("tls_verify", 1, ("failed", "tls_verify")),
        ("blocked_addr", 1, ("skipped", "blocked_addr")),
    ],
)
def test_without_an_answer_the_waiting_urls_take_that_error(
    tmp_path: Path, error: str, tries: int, fate: tuple[str, str]
) -> None:
    stage = Stage(tmp_path)
    stage.seed(HOST, "http://a.example/more")
    for number in range(tries):
        robots, _ = stage.next()
        assert (robots.entry.kind, robots.entry.attempts) == ("robots", number)
        stage.fail(robots, error)
        stage.commit()
    assert stage.state(HOST) == stage.state("http://a.example/more") == fate
    assert stage.frontier.next_due(stage.now, stage.wall) is None


def test_five_redirects_of_robots_are_followed_and_the_rules_are_the_first_origins(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path)
    stage.seed("http://a.example/", "http://a.example/secret")
    hops = ["https://a.example/robots.txt"] + [f"http://r{n}.example/robots.txt" for n in range(4)]
    for hop in hops:
        robots, _ = stage.next()
        stage.answer(robots, status=301, location=hop)
        stage.commit()
    last, _ = stage.next()
    assert last.entry.url == hops[-1]
    stage.answer(last, body=FORBID)
    stage.commit()
    assert stage.state("http://a.example/secret") == ("skipped", "robots")
    home, _ = stage.next()
    assert home.entry.url == "http://a.example/"
    # the hosts it led over were asked for nothing of their own
    assert stage.rows("SELECT count(*) FROM origins WHERE robots_fetched_at IS NOT NULL") == [(1,)]


def test_a_sixth_redirect_of_robots_allows_everything(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.seed(HOST)
    for number in range(6):
        robots, _ = stage.next()
        stage.answer(robots, status=302, location=f"/robots{number}.txt")
        stage.commit()
    home, _ = stage.next()
    assert home.entry.url == HOST


def test_a_redirected_robots_keeps_the_pace_of_the_host_it_leads_to(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.open_hosts("http://b.example/")
    page, _ = stage.next()
    assert page.entry.url == "http://b.example/"
    stage.seed("http://a.example/")
    robots = stage.lease()
    assert robots is not None
    stage.answer(robots, status=301, location="http://b.example/rules")
    stage.commit()
    stage.sleep(100)
    assert stage.lease() is None
    stage.answer(page)
    assert stage.lease() is None
    rules, waited = stage.next()
    assert (rules.entry.url, waited) == ("http://b.example/rules", 0.5)


def test_many_robots_that_lead_to_one_host_do_not_keep_it_from_its_own_pages(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path)
    stage.open_hosts("http://b.example/")
    home, _ = stage.next()
    stage.answer(home, links=[f"http://b.example/{number}" for number in range(9)])
    stage.commit()
    stage.seed(*[f"http://a{number}.example/" for number in range(20)])
    for lease in stage.lease_all():
        stage.answer(lease, status=301, location="http://b.example/rules")
    stage.commit()
    asked = []
    for _ in range(10):
        lease, _ = stage.next()
        asked.append(lease.entry.kind)
        stage.answer(lease)
        stage.commit()
    assert asked.count("page") >= 4


def test_a_dead_robots_does_not_hold_up_another_origin_of_its_host(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    stage.seed("http://a.example/", "https://a.example/")
    first, _ = stage.next()
    stage.fail(first, "timeout", total_ms=100)
    stage.commit()
    second, waited = stage.next()
    assert waited <= 0.5
    assert second.entry.url != first.entry.url
    stage.answer(second, status=404)
    stage.commit()
    page, waited = stage.next()
    assert (page.entry.kind, waited) == ("page", 0.5)


def test_rules_in_force_when_robots_cannot_be_had_again_close_the_origin(tmp_path: Path) -> None:
    stage = Stage(tmp_path, settings(robots={"max_age_s": 100}))
    stage.open_hosts("http://127.0.0.1/")
    home, _ = stage.next()
    links = [f"http://127.0.0.1/{number}" for number in range(100)]
    stage.answer(home, links=links, ip="127.0.0.1")
    stage.commit()
    out = stage.lease_all()
    assert len(out) == 64
    stage.sleep(101)
    for lease in out[:10]:
        stage.answer(lease, ip="127.0.0.1")
    stage.commit()
    for _ in range(3):
        robots, _ = stage.next()
        assert robots.entry.kind == "robots"
        stage.answer(robots, status=500, ip="127.0.0.1")
        stage.commit()
    for lease in out[10:]:
        stage.answer(lease, ip="127.0.0.1")
    stage.commit()
    assert stage.frontier.next_due(stage.now, stage.wall) is None
    states = dict(stage.rows("SELECT state, count(*) FROM urls WHERE kind = 'page' GROUP BY state"))
    assert states == {"done": 1 + 64, "skipped": 36}
    assert stage.rows("SELECT queued FROM hosts") == [(0,)]


def test_new_rules_do_not_count_a_page_twice_that_was_out_meanwhile(tmp_path: Path) -> None:
    stage = Stage(tmp_path, settings(robots={"max_age_s": 100}))
    stage.open_hosts("http://127.0.0.1/")
    home, _ = stage.next()
    links = [f"http://127.0.0.1/secret/{number}" for number in range(10)]
    stage.answer(home, links=links, ip="127.0.0.1")
    stage.commit()
    out = stage.lease_all()
    stage.sleep(101)
    stage.answer(out[0], links=["http://127.0.0.1/more"], ip="127.0.0.1")
    stage.commit()
    robots, _ = stage.next()
    stage.answer(robots, body=FORBID, ip="127.0.0.1")
    stage.commit()
    for lease in out[1:]:
        stage.answer(lease, ip="127.0.0.1")
    stage.commit()
    assert stage.rows("SELECT queued FROM hosts") == [(1,)]
    assert stage.queued() == 1


# Redirects of others' robots.txt


@pytest.mark.parametrize(
    ("target", "rules", "asked"),
    [
        pytest.param("http://victim.example/robots.txt", None, True, id="its robots.txt"),
        pytest.param("http://victim.example/rules?id=1", None, True, id="no rules there"),
        pytest.param(
            "http://victim.example/private/x", "unknown", False, id="forbidden, as it turns out"
        ),
        pytest.param("http://victim.example/r", "unknown", True, id="allowed, as it turns out"),
        pytest.param("http://victim.example/r", "closed", False, id="rules that cannot be had"),
        pytest.param(
            "http://victim.example/private/x", "Disallow: /private", False, id="forbidden there"
        ),
        pytest.param("http://victim.example/r", "Disallow: /private", True, id="allowed there"),
        pytest.param("http://a.example/rules", None, True, id="the same host"),
        pytest.param("http://a.example:8080/robots", None, True, id="its other port"),
        pytest.param("http://victim.example/robots.txt?x", "unknown", True, id="with a query"),
    ],
)
def test_a_redirect_asks_another_host_only_for_what_its_own_rules_allow(
    tmp_path: Path, target: str, rules: str | None, asked: bool
) -> None:
    stage = Stage(tmp_path, settings())
    if rules not in (None, "unknown", "closed"):
        stage.open_hosts("http://victim.example/", body=f"User-agent: *\n{rules}\n")
    stage.seed("http://a.example/", "http://a.example/secret")
    seen = set()
    for _ in range(16):
        if stage.frontier.next_due(stage.now, stage.wall) is None:
            break
        lease, _ = stage.next()
        seen.add(lease.entry.url)
        if lease.entry.url == "http://a.example/robots.txt":
            stage.answer(lease, status=302, location=target)
        elif lease.entry.url == "http://victim.example/robots.txt" and rules == "closed":
            stage.answer(lease, status=500)
        elif lease.entry.url == "http://victim.example/robots.txt" and rules == "unknown":
            stage.answer(lease, body="User-agent: *\nDisallow: /private\n")
        else:
            stage.answer(lease, body="User-agent: *\nDisallow: /secret\n")
        stage.commit()
    assert (target in seen) == asked
    assert stage.state("http://a.example/secret") == (
        ("skipped", "robots") if asked else ("done", None)
    ), "the rules hold for the host that was asked first (RFC 9309, section 2.3.1.2)"
    assert "http://a.example/" in seen, "what may not be asked for is as good as not there"
    stage.close()


def test_one_host_is_not_asked_often_for_the_sake_of_others(tmp_path: Path) -> None:
    stage = Stage(tmp_path, settings(pace={"gap_s": 0}))
    stage.seed(*(f"http://h{number}.example/" for number in range(30)))
    for lease in stage.lease_all():
        assert lease.entry.kind == "robots"
        victim = f"http://victim.example:{8000 + lease.host_id}/robots.txt"
        stage.answer(lease, status=302, location=victim)
    stage.commit()
    asked = stage.rows("SELECT count(*) FROM urls WHERE kind = 'robots' AND url LIKE '%victim%'")
    waiting = stage.rows(
        "SELECT count(*) FROM origins WHERE robots_fetched_at IS NULL AND origin LIKE 'http://h%'"
    )
    assert (asked, waiting) == ([(30,)], [(20,)]), "of the others none is taken to be there"
    stage.close()
