"""Do the benchmarks still run, and are their figures what they say?

Never how fast anything is: that is for people to read.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.bench import contestants, flame, loads, machines, race, stopwatch, table, versions
from tests.bench.contestants import OURS
from tests.bench.race import Course, Lap
from tests.bench.server import Counts
from tests.bench.stopwatch import Cost, take_time
from tests.sites import nginx
from tests.sites.generated import GeneratedSite

SITE = GeneratedSite(pages=20, links_per_page=5, page_bytes=2048)
COST = Cost(exit_code=0, started=0.0, wall_s=2.0, cpu_s=1.0, peak_bytes=10)
COURSE = Course("tiny", Path(), "/", 20, "")
BUSY = "import time\nwhile time.process_time() < 0.3: pass"


def quiet(line: str) -> None:
    """Nobody waits for a test."""


def test_the_machine_is_named() -> None:
    assert table.machine().startswith(f"{os.cpu_count()} cores")


def test_this_crawler_runs_the_course_and_its_figures_are_of_it(tmp_path: Path) -> None:
    nginx.require_nginx()
    course = race.lay_out(SITE, tmp_path)
    [placing] = race.race(course, [OURS], runs=1, limit_s=60, tell=quiet)
    assert (placing.remark, placing.pages) == ("", SITE.pages)
    assert placing.requests >= SITE.pages + 1  # robots.txt
    assert placing.ours == 1
    assert placing.pages_per_s > 0
    assert placing.cpu_s > 0
    assert placing.peak_bytes > 10_000_000
    assert placing.bytes_per_page > 0


def test_a_load_counts_at_the_server_what_the_crawler_asks() -> None:
    figures = {one.what: one for one in loads.waiting(4, 2, 50.0, 1, 60, quiet)}
    pages = next(one for what, one in figures.items() if what.endswith(": pages"))
    assert (pages.value, pages.against) == ("8", "8")


@pytest.mark.parametrize("way", machines.WAYS)
def test_who_works_for_a_crawl_is_watched_for_a_while(way: str) -> None:
    work = machines.Work(way=way, hosts=20, latency_ms=20, concurrency=2)
    found = machines.watch(work, 120, window_s=3)
    assert found.wall_s >= 3
    assert found.rate > 0
    expected = {"conductor"} if way == "processes" else {"conductor", "engine", "workers"}
    assert found.cpu_s.keys() == expected
    assert found.cost("conductor") > 0


def test_versions_of_http_are_held_against_each_other_on_the_same_site(tmp_path: Path) -> None:
    nginx.require_nginx()
    course = race.lay_out(SITE, tmp_path)
    figures = {one.what: one for one in versions.http2(1, 60, quiet, course=course)}
    assert float(figures["HTTP/1.1: CPU ms a page"].value) > 0
    assert float(figures["HTTP/2: CPU ms a page"].value) > 0


def test_a_file_of_many_pages_is_analysed_and_asked() -> None:
    """Of a hundredth of the size; the faults that were sown are found."""
    figures = {one.what: one for one in loads.million(1, 60, quiet, pages=10_000, told_s=0.0)}
    views = figures["views within a second"]
    assert int(views.against) > 30
    assert {"pass links, s", "check title_missing, s", "view orphan_pages, s"} <= figures.keys()


def test_the_stopwatch_counts_what_grandchildren_use(tmp_path: Path) -> None:
    started = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', sys.argv[1]])"
    command = [sys.executable, "-c", started, BUSY]
    cost = take_time(command, limit_s=30, log=tmp_path / "log")
    assert cost.exit_code == 0
    assert cost.cpu_s >= 0.3
    assert cost.peak_bytes > 5_000_000


def test_the_stopwatch_ends_what_takes_too_long(tmp_path: Path) -> None:
    child = "import subprocess\nsubprocess.run(['sleep', '100'])"
    cost = take_time([sys.executable, "-c", child], limit_s=0.5, log=tmp_path / "log")
    assert cost.exit_code is None
    assert cost.wall_s < 20


def test_the_stopwatch_passes_on_how_a_command_ended(tmp_path: Path) -> None:
    log = tmp_path / "log"
    cost = take_time([sys.executable, "-c", "exit('no seeds')"], limit_s=30, log=log)
    assert cost.exit_code == 1
    assert race.last_words(log) == "no seeds"


def test_a_tree_has_the_process_itself_and_its_memory() -> None:
    assert next(stopwatch.tree(os.getpid())) == os.getpid()
    assert stopwatch.memory(os.getpid()) > 5_000_000
    assert stopwatch.memory(2**22 + 1) == 0


def test_medians_count_and_failed_runs_are_told() -> None:
    laps = [
        Lap(COST, 20, 21, 2000),
        Lap(COST, 0, 3, 0, "exit 1: no memory"),
        Lap(Cost(0, 0.0, 4.0, 3.0, 30), 20, 23, 4000),
    ]
    placing = race.place(OURS, laps, COURSE, ours=15.0)
    assert placing.pages_per_s == 7.5
    assert (placing.ours, placing.spread, placing.cpu_s) == (2.0, 2.0, 100.0)
    assert (placing.peak_bytes, placing.bytes_per_page, placing.requests) == (20, 150, 22)
    assert placing.remark == "1 of 3 runs failed: exit 1: no memory"


def test_whoever_fetched_too_little_is_marked() -> None:
    placing = race.place(OURS, [Lap(COST, 19, 20, 0)], COURSE, ours=1.0)
    assert placing.remark == "1 of 1 runs fetched too little: 19 of 20 pages"
    assert placing.pages == 19


def test_runs_that_fetched_too_little_do_not_count_beside_whole_ones() -> None:
    short = Lap(Cost(0, 0.0, 0.1, 0.1, 1), 2, 3, 0)
    placing = race.place(OURS, [short, Lap(COST, 20, 21, 0), short], COURSE, ours=1.0)
    assert placing.pages_per_s == 10.0
    assert placing.remark == "2 of 3 runs fetched too little: 2 of 20 pages"


@pytest.mark.parametrize(
    ("per_second", "plateau"), [([], 0.0), ([9], 0.0), ([1, 5, 6, 7, 1, 9], 6.0)]
)
def test_a_plateau_leaves_out_start_and_end(per_second: list[int], plateau: float) -> None:
    assert Counts(per_second=per_second).plateau() == plateau


def test_samples_belong_to_the_innermost_function() -> None:
    stacks = ["process 7;main;parse (html.py:3) 4", "process 8;main 2", "a;parse (html.py:3) 1"]
    assert flame.own_samples(stacks) == {"parse (html.py:3)": 5, "main": 2}


def test_every_contestant_is_told_apart() -> None:
    names = [one.name for one in contestants.CONTESTANTS]
    assert len(set(names)) == len(names)


def test_an_analysis_is_timed_at_first_and_again(tmp_path: Path) -> None:
    nginx.require_nginx()
    course = race.lay_out(SITE, tmp_path)
    with race.served(course) as site:
        command = contestants.crawl_command(
            contestants.our_command(), site.url(course.start), tmp_path
        )
        assert take_time(command, limit_s=60, log=tmp_path / "log").exit_code == 0
    figures = {one.what: one.value for one in loads.analysed(tmp_path / "crawl.db", 1, 60, quiet)}
    assert figures["pages"] == str(SITE.pages)
    assert float(figures["first analysis, CPU ms a page"]) > 0
    assert figures["the file grows by"] != "0%"
