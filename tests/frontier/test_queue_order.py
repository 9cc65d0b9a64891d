"""Does every URL of a host get its turn, in order, whatever moves in the queue meanwhile?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.frontier.schedule import Windows
from crawler.store.queue import supply
from tests.frontier.stage import Stage, settings

SMALL = Windows(own=4, public=4, least=2, kept=1000)


def pages(host: str, *numbers: int) -> list[str]:
    return [f"http://{host}/{number}" for number in numbers]


def crawl(stage: Stage, links: Callable[[str], list[str]], limit: int = 1000) -> list[str]:
    """Answer every request at once with the links of its page; the URLs in their order."""
    fetched = []
    for _ in range(limit):
        stage.commit()
        if stage.frontier.next_due(stage.now, stage.wall) is None:
            return fetched
        lease, _ = stage.next()
        fetched.append(lease.entry.url)
        stage.answer(lease, links=links(lease.entry.url))
    raise AssertionError("the crawl does not end")


def test_pages_of_a_host_come_in_the_order_of_their_depth(tmp_path: Path) -> None:
    stage = Stage(tmp_path, windows=SMALL)
    stage.open_hosts("http://a.example/")
    tree = {
        "http://a.example/": pages("a.example", *range(10)),
        "http://a.example/0": pages("a.example", *range(100, 110)),
        "http://a.example/100": pages("a.example", *range(1000, 1010)),
    }
    fetched = crawl(stage, lambda url: tree.get(url, []))
    depth = {url: int(str(d)) for url, d in stage.rows("SELECT url, depth FROM urls")}
    assert [depth[url] for url in fetched] == sorted(depth[url] for url in fetched)
    assert len(fetched) == 31


def test_a_redirects_target_goes_before_other_pages(tmp_path: Path) -> None:
    stage = Stage(tmp_path, windows=SMALL)
    stage.open_hosts("http://a.example/")
    home, _ = stage.next()
    stage.answer(home, links=pages("a.example", *range(20)))
    stage.commit()
    first, _ = stage.next()
    stage.answer(first, status=302, location="http://a.example/moved")
    stage.commit()
    assert stage.next()[0].entry.url == "http://a.example/moved"


def test_a_url_that_a_nearer_link_moves_past_what_was_read_is_not_lost(tmp_path: Path) -> None:
    stage = Stage(tmp_path, windows=SMALL)
    stage.open_hosts("http://a.example/")
    tree = {
        "http://a.example/": pages("a.example", 0, 1),
        "http://a.example/0": pages("a.example", *range(100, 140)),
        # Depth 3, behind the window; then the same at depth 2, when the window is within depth 2.
        "http://a.example/100": pages("a.example", 200),
    }
    late = "http://a.example/200"
    fetched = []
    for _ in range(1000):
        stage.commit()
        if stage.frontier.next_due(stage.now, stage.wall) is None:
            break
        lease, _ = stage.next()
        fetched.append(lease.entry.url)
        stage.answer(lease, links=tree.get(lease.entry.url, []))
        if lease.entry.url == "http://a.example/110":
            stage.seed(late)
    assert stage.queued() == 0
    assert len(fetched) == len(set(fetched)) == 1 + 2 + 40 + 1
    assert fetched.index(late) == fetched.index("http://a.example/110") + 1


@pytest.mark.parametrize("returned", [1, 3])
def test_a_job_that_comes_back_undone_is_given_out_again(tmp_path: Path, returned: int) -> None:
    stage = Stage(tmp_path, settings(), windows=SMALL)
    stage.open_hosts("http://127.0.0.1/")
    home, _ = stage.next()
    stage.answer(home, links=pages("127.0.0.1", *range(30)), ip="127.0.0.1")
    stage.commit()
    leases = stage.lease_all()[:returned]
    for _ in range(3):
        stage.refill()  # the windows read on, past what is out
        for lease in stage.lease_all():
            stage.answer(lease, ip="127.0.0.1")
        stage.commit()
    for lease in leases:
        stage.frontier.give_back(lease.token, stage.now)
        assert stage.frontier.give_back(lease.token, stage.now) is None
    again = crawl_out(stage)
    assert {lease.entry.url for lease in leases} <= again
    assert stage.queued() == 0


def test_a_job_that_comes_back_while_the_queue_is_read_is_not_lost(tmp_path: Path) -> None:
    stage = Stage(tmp_path, settings(), windows=SMALL)
    stage.open_hosts("http://127.0.0.1/")
    home, _ = stage.next()
    stage.answer(home, links=pages("127.0.0.1", *range(6)), ip="127.0.0.1")
    stage.commit()
    first, *others = stage.lease_all()
    stage.refill()
    for lease in [*others, *stage.lease_all()]:
        stage.answer(lease, links=pages("127.0.0.1", *range(100, 120)), ip="127.0.0.1")
    stage.commit()
    for _ in range(2):
        stage.lease_all()
        stage.refill()
    stage.lease_all()
    needs = stage.frontier.needs(stage.wall)
    assert needs.refills
    supplies = supply(stage.queue, needs, stage.wall)
    stage.frontier.give_back(first.token, stage.now)
    stage.frontier.supplied(supplies, stage.now, stage.wall)
    assert first.entry.url in crawl_out(stage)
    assert stage.queued() == 0


def crawl_out(stage: Stage) -> set[str]:
    """Answer everything that is out or comes out."""
    fetched = set()
    for token_lease in stage.frontier.entries_leased():
        stage.answer(token_lease)
        fetched.add(token_lease.entry.url)
    for _ in range(1000):
        stage.commit()
        if stage.frontier.next_due(stage.now, stage.wall) is None:
            return fetched
        lease, _ = stage.next()
        assert lease.entry.attempts == 0
        fetched.add(lease.entry.url)
        stage.answer(lease)
    raise AssertionError("the crawl does not end")


def test_a_returned_job_is_asked_for_again_only_if_the_new_rules_allow_it(tmp_path: Path) -> None:
    stage = Stage(tmp_path, settings(robots={"max_age_s": 100}))
    stage.open_hosts("http://127.0.0.1/")
    home, _ = stage.next()
    links = pages("127.0.0.1", *range(5))
    stage.answer(home, links=links, ip="127.0.0.1")
    stage.commit()
    out = stage.lease_all()
    assert len(out) == 5
    stage.sleep(101)
    for lease in out[:4]:
        stage.answer(lease, links=["http://127.0.0.1/more"])
    stage.commit()
    robots, _ = stage.next()
    assert robots.entry.kind == "robots"
    stage.answer(robots, body="User-agent: *\nDisallow: /4")
    stage.commit()
    stage.frontier.give_back(out[4].token, stage.now)
    assert crawl_out(stage) == {"http://127.0.0.1/more"}
    assert stage.state("http://127.0.0.1/4") == ("skipped", "robots")
    assert stage.queued() == 0
