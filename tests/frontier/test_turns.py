"""Does every host get its turn when more of them wait than are held in memory?"""

from __future__ import annotations

from pathlib import Path

from crawler.frontier.schedule import Windows
from tests.frontier.stage import Stage, settings

KEPT = 10


def crowd(folder: Path, hosts: int, **pace: object) -> Stage:
    stage = Stage(folder, settings(pace=pace), hosts_kept=KEPT, windows=Windows(4, 4, 2, 1000))
    stage.seed(*[f"http://h{number}.site{number}.example/" for number in range(hosts)])
    return stage


def held(stage: Stage) -> int:
    return len(stage.frontier._schedule.hosts)


def test_no_more_hosts_are_in_memory_than_are_allowed_and_all_are_fetched(tmp_path: Path) -> None:
    stage = crowd(tmp_path, 100)
    asked: set[str] = set()
    most = 0
    for _ in range(5000):
        most = max(most, held(stage))
        if stage.frontier.next_due(stage.now, stage.wall) is None:
            break
        for lease in stage.lease_all():
            asked.add(lease.entry.url)
            stage.answer(lease, status=404)
        stage.commit()
        if stage.frontier.next_due(stage.now, stage.wall) is not None:
            stage.wait()
    assert stage.queued() == 0
    assert len(asked) == 200
    assert most <= 2 * KEPT


def test_hosts_with_much_work_make_room_for_others(tmp_path: Path) -> None:
    stage = crowd(tmp_path, 30)
    served: dict[int, int] = {}
    for _ in range(20_000):
        lease = stage.lease()
        if lease is None:
            stage.commit()
            stage.wait()
            continue
        served[lease.host_id] = served.get(lease.host_id, 0) + 1
        if len(served) == 30 and min(served.values()) > 100:
            break
        home = served[lease.host_id] == 2
        links = [f"{lease.entry.url}{number}" for number in range(400)] if home else []
        stage.answer(lease, status=404 if lease.entry.kind == "robots" else 200, links=links)
    assert len(served) == 30
    assert min(served.values()) > 100
    assert max(served.values()) < 300


def test_a_long_rest_survives_being_out_of_memory(tmp_path: Path) -> None:
    stage = crowd(tmp_path, 40)
    blocked: dict[str, float] = {}
    fetched: dict[str, float] = {}
    for _ in range(5000):
        if stage.now > 1000 + 600:
            break
        lease = stage.lease()
        if lease is None:
            stage.commit()
            stage.wait()
            continue
        host = lease.entry.url.split("/")[2]
        assert stage.now >= blocked.get(host, 0)
        fetched[host] = stage.now
        if lease.entry.kind == "robots":
            stage.answer(lease, status=404)
        else:
            stage.answer(lease, status=429, retry_after_s=1800)
            blocked[host] = stage.now + 1800
    assert len(blocked) == 40


def test_all_hosts_at_rest_are_told_from_nothing_left(tmp_path: Path) -> None:
    stage = crowd(tmp_path, 40)
    for _ in range(5000):
        due = stage.frontier.next_due(stage.now, stage.wall)
        assert due is not None
        if stage.frontier.idle and due > stage.now + 900:
            break
        lease = stage.lease()
        if lease is None:
            stage.commit()
            stage.wait()
            continue
        if lease.entry.kind == "robots":
            stage.answer(lease, status=404)
        else:
            stage.answer(lease, status=429, retry_after_s=3600)
    assert stage.queued() == 40
    assert held(stage) <= 2 * KEPT


def test_one_capped_domain_with_many_hosts_does_not_keep_others_out(tmp_path: Path) -> None:
    stage = Stage(tmp_path, hosts_kept=KEPT)
    stage.seed(*[f"http://h{number}.crowded.example/" for number in range(200)])
    stage.seed("http://lonely.example/")
    for _ in range(400):
        lease = stage.lease()
        if lease is None:
            stage.commit()
            stage.sleep(0.5)
            stage.frontier.tidy(stage.now)
            stage.refill()
        elif "lonely" in lease.entry.url:
            return
        # the others are never answered: four requests are out to their domain for ever
    raise AssertionError("the lonely host never had its turn")
