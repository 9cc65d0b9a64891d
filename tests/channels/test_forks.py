"""What becomes of workers, of their server and of descriptors, whoever is killed?"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import gevent
import psutil
import pytest
from gevent import subprocess

from crawler.channels import open_channel
from crawler.channels.forks import Process
from crawler.channels.forkserver import SERVER_NAME, WORKER_NAME
from crawler.channels.processes import ProcessChannel
from crawler.model import Job, Visit
from tests.channels.test_processes import HTML, children_of
from tests.crawls import check_whole, config, crawl, ends
from tests.patience import PATIENT_S, until
from tests.sites import generated
from tests.sites.burning import STALLS
from tests.sites.generated import GeneratedSite
from tests.sites.skip import ROOT
from tests.sites.web import Web


@pytest.fixture
def channel() -> Iterator[ProcessChannel]:
    made = open_channel(config(), 2)
    assert isinstance(made, ProcessChannel)
    made.start()
    yield made
    made.close()


def server_of(pid: int) -> psutil.Process:
    """The fork server that has forked a worker."""
    server = psutil.Process(pid).parent()
    assert server is not None
    assert server.name() == SERVER_NAME
    return server


def all_fetch(channel: ProcessChannel, web: Web) -> bool:
    """Does every worker answer?"""
    web.page("/")
    for number in range(100):
        channel.send(Job(number + 1, 1, web.url(), private_ok=True))
    with gevent.Timeout(PATIENT_S):
        arrivals = channel.arrivals()
        visits = [next(arrivals) for _ in range(100)]
    return all(isinstance(visit, Visit) and visit.reply.status == 200 for visit in visits)


def test_a_worker_that_was_killed_is_replaced_and_leaves_no_zombie(
    web: Web, channel: ProcessChannel
) -> None:
    killed = channel._children[0]
    server = server_of(killed.process.pid)
    killed.process.kill()
    until(lambda: killed.process.returncode is not None)
    assert killed.process.returncode == -signal.SIGKILL
    assert channel._children[0].process.pid != killed.process.pid
    assert all_fetch(channel, web)
    assert [one.status() == psutil.STATUS_ZOMBIE for one in server.children()] == [False] * 2


def test_who_has_ended_is_never_signalled_again(channel: ProcessChannel) -> None:
    process = channel._children[0].process
    assert isinstance(process, Process)
    process.kill()
    assert (process.wait(PATIENT_S), process.wait()) == (-signal.SIGKILL, -signal.SIGKILL)
    process.kill()


def test_two_may_wait_for_the_end_of_one(web: Web, channel: ProcessChannel) -> None:
    process = channel._children[0].process
    server = server_of(process.pid)
    waiting = [gevent.spawn(process.wait, PATIENT_S) for _ in range(2)]
    gevent.sleep(0)
    process.kill()
    assert [one.get(timeout=PATIENT_S) for one in waiting] == [-signal.SIGKILL] * 2
    until(lambda: channel._children[0].process is not process)
    assert all_fetch(channel, web)
    assert server_of(channel._children[0].process.pid) == server


def test_workers_whose_server_was_killed_are_replaced(web: Web, channel: ProcessChannel) -> None:
    workers = [child.process for child in channel._children]
    server = server_of(workers[0].pid)
    killed = [server, *server.children()]
    server.kill()
    until(lambda: all(one.returncode is not None for one in workers))
    assert [one.returncode for one in workers] == [-signal.SIGKILL] * 2
    assert psutil.wait_procs(killed, timeout=PATIENT_S)[1] == []
    assert all_fetch(channel, web)
    assert len({server_of(child.process.pid).pid for child in channel._children}) == 1


def test_a_crawl_whose_fork_server_is_killed_comes_to_the_same_end(tmp_path: Path) -> None:
    site = GeneratedSite(pages=300, links_per_page=6, latency_ms=40)
    log = tmp_path / "log"
    with generated.serve_apart(site, log=log) as served:
        crawl(tmp_path / "calm.db", served.url())
        begun = len(served.hits())
        channel = open_channel(config(run={"concurrency": 20}), 2)
        assert isinstance(channel, ProcessChannel)
        crawling = gevent.spawn(crawl, tmp_path / "killed.db", served.url(), channel=channel)
        for more in (50, 150):
            until(lambda more=more: len(served.hits()) > begun + more)
            server_of(channel._children[0].process.pid).kill()
        outcome = crawling.get(timeout=PATIENT_S)
    assert outcome.reason == "finished"
    assert ends(tmp_path / "killed.db") == ends(tmp_path / "calm.db")
    check_whole(tmp_path / "killed.db")


def test_a_channel_that_is_closed_leaves_no_process(web: Web) -> None:
    """Even when a worker is deep in C code that no greenlet can interrupt."""
    channel = open_channel(config(parse={"max_seconds": 60}), 2)
    assert isinstance(channel, ProcessChannel)
    channel.start()
    workers = [child.process.pid for child in channel._children]
    server = server_of(workers[0])
    web.raw("/", headers=HTML, body=STALLS)
    channel.send(Job(5, 1, web.url(), private_ok=True))
    until(lambda: any(child.cell.read()[1] == 5 for child in channel._children))
    channel.close()
    assert not any(psutil.pid_exists(pid) for pid in (server.pid, *workers))


# As the command forks them


@pytest.fixture
def crawling(tmp_path: Path) -> Iterator[psutil.Process]:
    """A crawl by the command, with two workers; its database lies in the test's folder."""
    site = GeneratedSite(pages=2000, latency_ms=50)
    log = tmp_path / "log"
    with generated.serve_apart(site, log=log) as served:
        seeds = tmp_path / "seeds.txt"
        seeds.write_text(served.url())
        command = [sys.executable, "-m", "crawler", "crawl", str(seeds), "--workers", "2"]
        options = ["--db", str(tmp_path / "crawl.db"), "--set", "robots.sitemaps=false", "--quiet"]
        process = subprocess.Popen([*command, *options], cwd=ROOT, stdin=subprocess.PIPE)
        until(lambda: len(served.hits()) > 40)
        yield psutil.Process(process.pid)
        process.kill()
        process.wait()
        process.stdin.close()


def test_a_conductor_that_is_killed_takes_everybody_along(crawling: psutil.Process) -> None:
    others = children_of(crawling.pid)
    assert sorted(one.name() for one in others) == [SERVER_NAME, WORKER_NAME, WORKER_NAME]
    assert [one.name() for one in crawling.children()] == [SERVER_NAME]
    crawling.kill()
    _, alive = psutil.wait_procs(others, timeout=PATIENT_S)
    assert alive == []


def test_nobody_holds_descriptors_of_another(crawling: psutil.Process, tmp_path: Path) -> None:
    """A socket that somebody else held would keep a channel open after its owner's death; a
    database, SQLite's locks."""
    others = children_of(crawling.pid)
    held = {one.pid: _held(one.pid) for one in (crawling, *others)}
    database = str(tmp_path / "crawl.db")
    assert any(name.startswith(database) for name in held[crawling.pid])
    for one in others:
        assert not [name for name in held[one.pid] if name.startswith(str(tmp_path))]
        assert os.readlink(f"/proc/{one.pid}/fd/0") == os.devnull
    sockets = Counter(name for names in held.values() for name in names if "socket:" in name)
    assert sockets
    assert max(sockets.values()) == 1
    [server] = [one.pid for one in others if one.name() == SERVER_NAME]
    assert len([name for name in held[server] if "socket:" in name]) == 1
    assert not [name for name in held[server] if "anon_inode" in name]


def _held(pid: int) -> set[str]:
    """What stands behind a process's descriptors, but for its outputs."""
    names = set()
    for number in os.listdir(f"/proc/{pid}/fd"):
        if int(number) > 2:
            try:
                names.add(os.readlink(f"/proc/{pid}/fd/{number}"))
            except FileNotFoundError:  # a connection was closed
                continue
    return names


def test_a_server_that_nobody_needs_is_gone_when_the_command_ends(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "crawler", "crawl", str(tmp_path / "none.txt")]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True)
    _, said = process.communicate(timeout=PATIENT_S)
    assert process.returncode == 2, said
    assert said.count(b"\n") == 1
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
