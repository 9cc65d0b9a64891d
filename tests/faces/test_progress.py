"""Is what goes on told as it is?"""

from __future__ import annotations

import io
import json
import re

import msgspec
import pytest
from rich.console import Console

from crawler.faces import panel, progress
from crawler.model import MachineState, Stats
from tests.faces.conftest import STYLE, Terminal

AT_WORK = Stats(
    phase="crawling",
    elapsed_s=80.0,
    pages=1204,
    pages_per_s=60.2,
    pages_per_s_average=15.05,
    queued=3402,
    in_flight=31,
    storing=3,
    bytes=12_400_000,
    errors=1,
    statuses=(("200", 1100), ("404", 103), ("timeout", 1)),
    hosts_due=2,
    resting=(("slow.example", 12.0, "pace"),),
    next_due_s=None,
    workers=2,
    max_pages=0,
)


def changed(**values: object) -> Stats:
    """The snapshot, but for these values."""
    return msgspec.structs.replace(AT_WORK, **values)


def drawn(stats: Stats, *rates: float) -> str:
    """The panel as a terminal of 100 columns shows it."""
    console = Console(file=io.StringIO(), width=100, force_terminal=True, color_system=None)
    console.print(panel.panel(stats, rates))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_line_tells_rate_queue_and_errors() -> None:
    assert progress.line(AT_WORK) == (
        "1,204 visited in 1 min 20 s, 60/s now, 15/s average, 3,402 queued, 31 in flight, 12.4 MB, "
        "1 error, 2 hosts to ask now"
    )


MACHINE = MachineState(1, "k", "north", 2, out=3, room=512, beat_s=1.0, network="up")


def test_machines_are_told_with_load_last_beat_and_network() -> None:
    shown = changed(machines=(MACHINE,))
    assert "2 hosts to ask now, 1 machine" in progress.line(shown)
    assert "north: 3 of 512 in flight, last beat 1 s ago, network up" in drawn(shown)


def test_a_phase_other_than_crawling_is_named() -> None:
    assert progress.line(changed(phase="draining")).startswith("finishing what is in flight: 1,204")


def test_why_it_waits_is_told_with_the_host_that_rests() -> None:
    waits = changed(in_flight=0, hosts_due=0, next_due_s=12.0)
    told = "waiting 12 s, slow.example rests 12 s (pace)"
    assert progress.waiting(waits) == told
    assert progress.line(waits).endswith(told)
    assert re.search(r"waiting +12 s ", drawn(waits))


@pytest.mark.parametrize("name", progress.STANDING)
def test_what_holds_up_the_whole_crawl_is_told_whatever_goes_on(name: str) -> None:
    why = "12 MB are free on its disk; nothing new is fetched until there is more"
    held = changed(resting=((name, 0.5, why), ("slow.example", 12.0, "pace")), hosts_due=3)
    assert why in progress.line(held)
    assert re.search(rf"held up +{re.escape(why)}", drawn(held))
    assert "slow.example rests 12 s (pace)" in drawn(held)
    assert name not in drawn(held)


def test_a_wait_that_is_over_before_it_is_read_is_not_told() -> None:
    short = changed(
        in_flight=0, hosts_due=0, next_due_s=0.9, resting=(("slow.example", 0.9, "pace"),)
    )
    assert progress.waiting(short) == ""
    assert "rests" not in drawn(short)
    assert "waiting" not in drawn(short)


@pytest.mark.parametrize("busy", [{"in_flight": 1}, {"hosts_due": 1}, {"next_due_s": None}])
def test_it_does_not_wait_while_something_goes_on(busy: dict[str, object]) -> None:
    waits = {"in_flight": 0, "hosts_due": 0, "next_due_s": 12.0}
    assert progress.waiting(changed(**{**waits, **busy})) == ""


def test_a_limit_of_pages_tells_when_it_will_be_done() -> None:
    limited = changed(max_pages=1806, pages_per_s=60.2)
    assert progress.remaining(limited) == "done in about 10 s"
    assert "1,204 of 1,806" in drawn(limited)
    assert progress.remaining(changed(max_pages=1204)) == ""
    assert progress.remaining(changed(max_pages=9999, pages_per_s_average=0.0)) != ""
    assert progress.remaining(changed(max_pages=9999, pages_per_s=0, pages_per_s_average=0)) == ""


def test_no_more_pages_are_counted_on_than_are_known() -> None:
    ends = changed(max_pages=1_000_000, queued=569, in_flight=31, pages_per_s=60.0)
    assert progress.remaining(ends) == "done in about 10 s"
    assert progress.remaining(changed(max_pages=0, pages_per_s=60.0)) == ""
    assert progress.remaining(changed(max_pages=9999, queued=0, in_flight=5)) == ""


def test_the_panel_shows_answers_and_resting_hosts() -> None:
    text = drawn(AT_WORK)
    assert "200: 1,100   404: 103 " in text
    assert re.search(r"errors +1   timeout: 1 ", text)
    assert "slow.example rests 12 s (pace)" in text
    assert "60/s now, 15/s on average" in text


def test_the_panel_shows_the_file_its_disk_and_what_each_worker_has() -> None:
    told = changed(
        loads=(12, 19), database_bytes=12_300_000, log_bytes=4_100_000, disk_free_bytes=80 * 10**9
    )
    text = drawn(told)
    assert "12.3 MB   4.1 MB in its log   80.0 GB free" in text
    assert re.search(r"workers +2   12 \+ 19 in flight", text)
    assert "database" not in drawn(AT_WORK)


@pytest.mark.parametrize(
    ("rates", "shown"),
    [((), ""), ((0.0, 0.0), ""), ((0.0, 4.0, 8.0), "▁▅█"), ((5.0,), "█"), ((1.0, 1000.0), "▁█")],
)
def test_rates_are_drawn_as_a_curve(rates: tuple[float, ...], shown: str) -> None:
    assert panel.curve(rates) == shown


def test_the_panel_says_how_many_kinds_of_answers_it_leaves_out() -> None:
    many = changed(statuses=tuple((str(status), 1) for status in range(400, 411)))
    assert "407: 1   and 3 more" in drawn(many)


def test_what_a_terminal_echoes_lands_on_a_line_of_its_own_below_the_panel(
    terminal: Terminal,
) -> None:
    face = panel.LivePanel(terminal.screen)
    face.show(AT_WORK)
    shown = STYLE.sub("", terminal.shown())
    face.close()
    assert shown.endswith("╯\r\n")
    assert shown.count("\r\n") == drawn(AT_WORK, AT_WORK.pages_per_s).count("\n")


def test_no_host_commands_the_terminal() -> None:
    hostile = changed(
        resting=(("\x1b[2J\x9b[red]x[/red]", 3.0, "\x07"),), statuses=(("\x1b]0;a", 1),)
    )
    text = drawn(hostile)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    assert r"\x1b[2J\x9b[red]x[/red] rests 3.0 s (\x07)" in text


def test_a_json_line_is_one_line_of_ascii() -> None:
    line = progress.json_line("stats", {"host": "\x1b\x9bé\n"})
    assert line.isascii()
    assert line.count("\n") == 1
    assert json.loads(line) == {"event": "stats", "host": "\x1b\x9bé\n"}


def test_watching_shows_a_snapshot_after_each_pause() -> None:
    class Enough(Exception):
        """The test has seen enough."""

    pauses: list[float] = []
    shown: list[Stats] = []

    class Paper:
        every_s = 7.0

        def show(self, stats: Stats) -> None:
            shown.append(stats)

        def say(self, text: str) -> None: ...

        def close(self) -> None: ...

        def end(self, told: object) -> None: ...

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise Enough

    with pytest.raises(Enough):
        progress.watch(lambda: AT_WORK, Paper(), sleep)
    assert (pauses, shown) == ([7.0] * 3, [AT_WORK] * 2)
