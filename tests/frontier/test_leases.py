"""Does a visit end the lease it was made for, and no other?"""

from __future__ import annotations

from pathlib import Path

import pytest

from crawler.frontier.schedule import Lease
from crawler.model import Job, Reply
from tests.frontier.stage import Stage, settings

ANSWER = Reply(200, total_ms=1.0)


def job(lease: Lease, **other: object) -> Job:
    fields = {"token": lease.token, "url_id": lease.entry.id, "url": lease.entry.url}
    return Job(**fields | other)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"token": 7}, id="another token"),
        pytest.param({"url_id": 4711}, id="another URL's id"),
        pytest.param({"url": "http://127.0.0.1/other"}, id="another address"),
    ],
)
def test_a_visit_that_nothing_was_leased_for_is_dropped(
    tmp_path: Path, other: dict[str, object]
) -> None:
    stage = Stage(tmp_path, settings())
    stage.open_hosts("http://127.0.0.1/")
    lease = stage.lease()
    assert lease is not None
    assert stage.frontier.arrived(job(lease, **other), ANSWER, stage.now) is None
    assert stage.frontier.leased == 1, "what was leased is still out"
    assert stage.frontier.arrived(job(lease), ANSWER, stage.now) == lease
    assert stage.frontier.arrived(job(lease), ANSWER, stage.now) is None
    stage.close()


def test_a_robots_txt_answers_for_its_own_address_alone(tmp_path: Path) -> None:
    stage = Stage(tmp_path, settings())
    stage.seed("http://127.0.0.1/", "http://127.0.0.2/")
    one, two = stage.lease_all()
    crossed = job(one, url=two.entry.url)
    assert stage.frontier.arrived(crossed, ANSWER, stage.now) is None
    assert stage.frontier.arrived(job(one), ANSWER, stage.now) == one
    stage.close()


def test_leases_of_two_runs_are_never_the_same(tmp_path: Path) -> None:
    tokens = []
    for nonce in (1, (1 << 31) - 1):
        folder = tmp_path / str(nonce)
        folder.mkdir()
        stage = Stage(folder, settings(), nonce=nonce)
        stage.seed("http://127.0.0.1/")
        lease = stage.lease()
        assert lease is not None
        tokens.append(lease.token)
        stage.close()
    assert tokens[0] != tokens[1]
    assert max(tokens) < 1 << 63, "it must cross a process border as an integer"


def test_as_many_may_wait_for_the_writer_as_may_be_out_and_no_more(tmp_path: Path) -> None:
    stage = Stage(tmp_path, settings(), room=3)
    stage.open_hosts(*(f"http://127.0.0.{number}/" for number in range(1, 10)))
    first = stage.lease_all()
    assert len(first) == 3
    for lease in first[:2]:
        stage.answer(lease)
    second = stage.lease_all()
    assert len(second) == 2, "what waits for the writer is not out"
    stage.answer(first[2])
    assert stage.lease_all() == [], "the writer is behind"
    stage.commit()
    assert len(stage.lease_all()) == 1
    stage.close()
