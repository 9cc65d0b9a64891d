"""Is it known of each job what became of it, whatever the engine loses?"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from crawler.channels.outbox import FRAME_ITEMS
from crawler.channels.redis.fleet import MOST_EXPELLED, SLACK, Machines
from crawler.channels.redis.machine import HOARD_S, MOST_LOSSES, NUDGE_BEATS, Machine
from crawler.channels.redis.wire import About, Beat
from crawler.model import NOTHING_ELSE, Job, Reply
from crawler.policy.outage import LASTING_S, PROBE_S
from tests.crawls import config

ABOUT = About("a machine", 1)


def beat(number: int, cursor: int = 0, hand: Sequence[int] = (), room: int = 100) -> Beat:
    return Beat(number, ABOUT, cursor, list(hand), room)


def machine(*tokens: int) -> Machine:
    """One that has been sent a frame with these."""
    made = Machine("a", beat(1), 0.0)
    made.id = 1
    give(made, *tokens)
    return made


def give(one: Machine, *tokens: int) -> None:
    for token in tokens:
        one.give(Job(token, token, f"http://a.test/{token}"), 0.0, 60.0)
    one.gather()
    one.frames.clear()  # the engine has them


def test_what_is_on_its_way_or_in_the_hand_is_not_undone() -> None:
    one = machine(1, 2)
    assert one.judge(beat(2)) == []
    assert one.judge(beat(3, cursor=1, hand=[1, 2])) == []
    one.arrived(1)
    assert one.judge(beat(4, cursor=1, hand=[2])) == []


def test_what_was_sent_and_has_not_come_is_undone() -> None:
    one = machine(1, 2, 3)
    one.arrived(1)
    assert one.judge(beat(2, cursor=1, hand=[2])) == [3]


def test_a_frame_that_was_passed_over_is_undone() -> None:
    one = machine(1, 2)
    give(one, 3)
    assert one.judge(beat(2, cursor=2, hand=[3])) == [1, 2]


def test_a_frame_that_nobody_reads_is_pushed_by_an_empty_one() -> None:
    one = machine(1, 2)
    for number in range(NUDGE_BEATS + 1):
        assert one.judge(beat(2 + number)) == []
    assert list(one.frames) == [(2, [])]
    one.frames.clear()
    assert one.judge(beat(9, cursor=2)) == [1, 2]


def test_what_was_not_sent_yet_is_never_undone() -> None:
    one = machine(1)
    one.give(Job(2, 2, "http://a.test/2"), 0.0, 60.0)
    assert one.judge(beat(2, cursor=1)) == [1]
    one.gather()
    assert one.judge(beat(3, cursor=1)) == [1]


def test_jobs_share_frames_up_to_a_number() -> None:
    one = Machine("a", beat(1), 0.0)
    for token in range(FRAME_ITEMS + 1):
        one.give(Job(token, token, "http://a.test/"), 0.0, 60.0)
    one.gather()
    assert [len(jobs) for _, jobs in one.frames] == [FRAME_ITEMS, 1]


def test_a_repeated_visit_is_of_no_job() -> None:
    one = machine(1)
    assert one.arrived(1) is not None
    assert one.arrived(1) is None


def test_silence_counts_until_a_new_beat() -> None:
    one = machine(1)
    one.hears(beat(1), 1.0)
    one.missed(1.0)
    assert one.silent_s == 2.0
    one.hears(beat(2), 1.0)
    assert one.silent_s == 0.0


def test_who_keeps_a_job_for_ever_hoards() -> None:
    one = machine(1)
    one.hears(beat(2, cursor=1, hand=[1]), 1.0)
    assert not one.hoards(60 + HOARD_S, parse_s=10)
    assert one.hoards(71 + HOARD_S, parse_s=10)


def test_who_loses_all_that_it_takes_is_told_from_one_whose_engine_forgot() -> None:
    one = machine()
    for number in range(MOST_LOSSES):
        give(one, number)
        one.give_up(one.judge(beat(2 + number, cursor=one.written)))
    assert one.losses == MOST_LOSSES
    one.visited(100)
    give(one, 77)
    assert one.judge(beat(99, cursor=one.written)) == [77]
    assert one.losses == 1


def test_a_machine_without_network_gets_a_probe_at_a_time() -> None:
    one = machine()
    failed = Reply(error="connect_timeout", doubt=NOTHING_ELSE)
    one.outage.observe("a.test", failed, 0.0)
    one.outage.observe("a.test", failed, LASTING_S)
    assert one.outage.down
    now = LASTING_S + PROBE_S
    assert (one.free(LASTING_S), one.free(now)) == (0, 1)
    one.give(Job(1, 1, "http://a.test/"), now, 60.0)
    assert one.free(now + PROBE_S) == 0
    one.arrived(1)
    assert one.free(now + PROBE_S) == 1


def fleet(*keys: str) -> Machines:
    made = Machines(config(), None)
    for key in keys:
        made.joins(key, beat(1))
    made.admit({key: number for number, key in enumerate(keys, 1)})
    return made


def test_a_machine_gets_nothing_before_its_row_is_there() -> None:
    machines = Machines(config(), None)
    machines.joins("a", beat(1))
    assert machines.free == 0
    [state] = machines.unwritten()
    machines.admit({state.key: 7})
    assert machines.free == 100


def test_a_host_stays_with_its_machine_and_few_move_when_one_joins() -> None:
    few, more = fleet("a", "b", "c"), fleet("a", "b", "c", "d")
    moved = 0
    for number in range(400):
        asked = Job(number, number, f"http://host{number}.test/")
        first, second = few.give(asked), more.give(asked)
        assert first is not None
        assert second is not None
        moved += first.key != second.key
        for machines, one in ((few, first), (more, second)):
            assert machines.give(asked) is one
            one.give_up([number])
    assert 60 < moved < 140


def test_a_machine_that_has_much_more_to_do_gives_way() -> None:
    machines = fleet("a", "b")
    for number in range(2 * SLACK):
        machines.give(Job(number, number, "http://one.test/"))
    assert sorted(len(one.out) for one in machines) == [SLACK // 2, SLACK + SLACK // 2]


def test_what_a_lost_machine_had_rests_and_what_it_never_got_does_not() -> None:
    machines = fleet("a")
    [one] = machines
    one.give(Job(1, 1, "http://a.test/"), -100.0, 60.0)
    one.gather()
    one.give(Job(2, 2, "http://b.test/"), 0.0, 60.0)
    assert machines.leaves(one, "silence", clean=False) == [2]
    assert machines.rested() == [1]
    assert machines.joins("a", beat(2)) is None
    assert [state.left for state in machines.unwritten()] == ["silence"]


def test_no_more_machines_are_listened_to_than_can_be_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("crawler.channels.redis.fleet.MOST_MACHINES", 2)
    machines = fleet("a", "b", "c")
    assert set(machines.by_key) == {"a", "b"}


def test_of_a_run_that_has_expelled_very_many_no_other_machine_becomes_a_part() -> None:
    """One that comes back under new keys would fill the session, which all read each second."""
    machines = fleet("honest")
    for number in range(MOST_EXPELLED):
        one = machines.joins(f"{number:016x}", beat(1))
        assert one is not None
        machines.expelled[one.key] = "rubbish"
        machines.leaves(one, "expelled", clean=False)
    assert machines.joins("f" * 16, beat(1)) is None
    assert machines.shut == "1,000 machines were expelled"
    assert list(machines.by_key) == ["honest"]


def test_machines_that_come_and_go_without_end_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("crawler.channels.redis.fleet.MOST_JOINED", 3)
    machines = fleet("a", "b")
    for machine in list(machines):
        machines.leaves(machine, "it said so", clean=True)
    assert not machines.shut
    machines.joins("c", beat(1))
    assert machines.shut == "3 machines have come"
    assert machines.joins("d", beat(1)) is None
