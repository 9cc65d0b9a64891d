"""What becomes of the work when a worker stalls, dies, or loses its conductor?"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import gevent
import msgspec
import psutil
import pytest
from gevent import subprocess

from crawler.channels import Returned, child, open_channel, processes
from crawler.channels.forkserver import SERVER_NAME, WORKER_NAME
from crawler.channels.frames import Cell, Frames
from crawler.channels.processes import ProcessChannel
from crawler.errors import CrawlError
from crawler.model import Document, Job, Reply, Visit
from tests.crawls import check_whole, config, crawl, crawl_apart, ends, rows
from tests.patience import PATIENT_S, stretch, until
from tests.sites import generated
from tests.sites.burning import LINGERS, STALLS
from tests.sites.generated import GeneratedSite, Served
from tests.sites.skip import ROOT
from tests.sites.web import Web

HTML = {"Content-Type": "text/html"}


def children_of(pid: int) -> list[psutil.Process]:
    return psutil.Process(pid).children(recursive=True)


def test_workers_that_are_killed_again_and_again_cost_nothing(tmp_path: Path) -> None:
    site, kills = GeneratedSite(pages=600, links_per_page=6, latency_ms=40), 8
    log = tmp_path / "log"
    with generated.serve_apart(site, log=log) as served:
        crawl(tmp_path / "calm.db", served.url())
        channel = open_channel(config(run={"concurrency": 40}), 2)
        assert isinstance(channel, ProcessChannel)
        killing = gevent.spawn(_kill_workers, channel, served, kills)
        outcome = crawl(tmp_path / "killed.db", served.url(), channel=channel)
        assert killing.get(timeout=PATIENT_S) == kills
    assert outcome.reason == "finished"
    assert ends(tmp_path / "killed.db") == ends(tmp_path / "calm.db")
    check_whole(tmp_path / "killed.db")


def _kill_workers(channel: ProcessChannel, served: Served, times: int) -> int:
    """SIGKILL one worker, then the other, each time so many pages more were answered.

    Not while it reads a page that one was killed over before: such a page is to blame.
    """
    begun = len(served.hits())
    for number in range(times):
        until(lambda after=50 * number + 20: len(served.hits()) > begun + after)
        until(lambda number=number: _kill(channel._children[number % 2]))
    return times


def _kill(child: processes._Child) -> bool:
    """SIGKILL a worker, unless it reads a page for the second time."""
    child.process.send_signal(signal.SIGSTOP)
    until(lambda: psutil.Process(child.process.pid).status() == psutil.STATUS_STOPPED)
    job = child.out.get(child.cell.read()[1])
    blamed = job is not None and job.attempt > 1
    child.process.send_signal(signal.SIGCONT if blamed else signal.SIGKILL)
    return not blamed


def test_a_page_that_stalls_its_worker_is_given_up_alone(web: Web, tmp_path: Path) -> None:
    database = tmp_path / "crawl.db"
    web.raw("/stalls", headers=HTML, body=STALLS)
    beside = [f"/beside/{number}" for number in range(60)]
    web.page("/", links=["/stalls", *beside])
    for number in range(60):
        web.page(beside[number], wait_s=0.05 * (number % 30))
    settings = config(parse={"max_seconds": 1.0})
    crawl(database, web.url(), settings=settings, workers=2)
    failed = "SELECT url, reason, attempts FROM urls WHERE state = 'failed'"
    assert rows(database, failed) == [(web.url("/stalls"), "parse_timeout", 1)]
    assert rows(database, "SELECT max(attempt) FROM visits") == [(1,)]
    assert rows(database, "SELECT count(*) FROM pages") == [(62,)]
    check_whole(database)


def test_a_worker_that_has_to_wait_for_the_machine_blames_no_page(web: Web) -> None:
    """One that is stopped while it parses is one that gets no processor: it works no longer."""
    limit_s = stretch()
    channel = open_channel(config(parse={"max_seconds": limit_s}), 1)
    assert isinstance(channel, ProcessChannel)
    channel.start()
    web.raw("/", headers=HTML, body=LINGERS)
    [worker] = channel._children
    channel.send(Job(1, 1, web.url(), private_ok=True))
    until(lambda: worker.cell.read()[1] == 1)
    worker.process.send_signal(signal.SIGSTOP)
    gevent.sleep(2 * limit_s)
    worker.process.send_signal(signal.SIGCONT)
    with gevent.Timeout(PATIENT_S):
        [visit] = arrivals_of(channel.arrivals(), 1)
    channel.close()
    assert (visit.reply.status, visit.reply.error, visit.document.error) == (200, None, None)


def test_a_worker_that_stalls_gets_no_more_jobs(web: Web) -> None:
    """It stands still for as long as the test likes."""
    settings = config(parse={"max_seconds": 60})
    channel = open_channel(settings, 2)
    assert isinstance(channel, ProcessChannel)
    channel.start()
    web.raw("/", headers=HTML, body=LINGERS)
    web.page("/quick")
    until(lambda: all(worker.cell.read()[0] for worker in channel._children))
    until(lambda: channel.free == 2 * settings.run.concurrency)
    channel.send(Job(1, 1, web.url(), private_ok=True))
    until(lambda: any(worker.cell.read()[1] == 1 for worker in channel._children))
    [stalled] = [worker for worker in channel._children if worker.cell.read()[1] == 1]
    stalled.process.send_signal(signal.SIGSTOP)
    until(lambda: channel.free <= settings.run.concurrency)
    for token in range(2, 12):
        channel.send(Job(token, 1, web.url("/quick"), private_ok=True))
    arrivals = channel.arrivals()
    with gevent.Timeout(PATIENT_S):
        tokens = [visit.job.token for visit in arrivals_of(arrivals, 10)]
        assert sorted(tokens) == list(range(2, 12))
        stalled.process.send_signal(signal.SIGCONT)
        assert arrivals_of(arrivals, 1)[0].job.token == 1
    channel.close()


def arrivals_of(arrivals: Iterator[Visit | Returned], count: int) -> list[Visit]:
    taken = [next(arrivals) for _ in range(count)]
    return [arrival for arrival in taken if isinstance(arrival, Visit)]


def test_a_stopped_conductor_and_its_workers_blame_nobody(tmp_path: Path) -> None:
    site = GeneratedSite(pages=300, links_per_page=6, latency_ms=120)
    slower = stretch()
    settings = config(parse={"max_seconds": slower * 1.0}, pace={"own_in_flight": 32})
    database, log = tmp_path / "crawl.db", tmp_path / "log"
    with generated.serve_apart(site, log=log) as served:
        process = crawl_apart(database, served.url(), settings=settings, workers=2)
        until(lambda: len(served.hits()) > 60)
        family = [process.pid, *(one.pid for one in children_of(process.pid))]
        assert len(family) == 4  # the fork server is one of them
        for number in (signal.SIGSTOP, signal.SIGCONT):
            for pid in family:
                os.kill(pid, number)
            gevent.sleep(slower * 2 if number == signal.SIGSTOP else 0)
        output, _ = process.communicate(timeout=PATIENT_S)
    assert output.split()[:2] == [b"finished", b"finished"]
    assert rows(database, "SELECT count(*), max(attempt), count(error) FROM visits") == [
        (301, 1, 0)
    ]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_worker_outlives_its_conductor(tmp_path: Path, number: signal.Signals) -> None:
    site = GeneratedSite(pages=2000, latency_ms=50)
    log = tmp_path / "log"
    with generated.serve_apart(site, log=log) as served:
        process = crawl_apart(tmp_path / "crawl.db", served.url(), workers=2)
        until(lambda: len(served.hits()) > 20)
        others = children_of(process.pid)
        assert sorted(one.name() for one in others) == [SERVER_NAME, WORKER_NAME, WORKER_NAME]
        process.send_signal(number)
        process.wait(timeout=PATIENT_S)
        _, alive = psutil.wait_procs(others, timeout=PATIENT_S)
    assert alive == []


def test_a_worker_ignores_the_terminals_interrupt(web: Web, tmp_path: Path) -> None:
    channel = open_channel(config(), 1)
    assert isinstance(channel, ProcessChannel)
    channel.start()
    web.page("/")
    [worker] = channel._children
    until(lambda: worker.cell.read()[0])
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        worker.process.send_signal(number)
    channel.send(Job(1, 1, web.url(), private_ok=True))
    with gevent.Timeout(PATIENT_S):
        visit = next(iter(channel.arrivals()))
    assert isinstance(visit, Visit)
    assert visit.reply.status == 200
    channel.close()


def test_a_job_whose_worker_died_while_parsing_it_is_blamed(web: Web) -> None:
    channel = open_channel(config(parse={"max_seconds": 60}), 1)
    assert isinstance(channel, ProcessChannel)
    channel.start()
    web.raw("/", headers=HTML, body=STALLS)
    [worker] = channel._children
    channel.send(Job(5, 1, web.url(), private_ok=True))
    until(lambda: worker.cell.read()[1] == 5)
    worker.process.send_signal(signal.SIGKILL)
    with gevent.Timeout(PATIENT_S):
        visit = next(iter(channel.arrivals()))
    assert isinstance(visit, Visit)
    assert (visit.job.token, visit.reply.error) == (5, "worker_lost")
    assert visit.reply.error_detail == "the worker died while parsing (exit status -9)"
    channel.close()


TAKES_NOTHING = """
import crawler._patch
import sys
import gevent, psutil
from crawler.channels import open_channel
from crawler.model import Job
from tests.crawls import config
from tests.patience import until

channel = open_channel(config(run={"concurrency": 256}), 1)
channel.start()
[worker] = channel._children
until(lambda: worker.cell.read()[0])
before = psutil.Process().memory_info().rss
for number in range(256):
    channel.send(Job(number + 1, 1, f"{sys.argv[1]}{number}", private_ok=True))
gevent.sleep(2)
print(len(channel._arrivals), psutil.Process().memory_info().rss - before)
channel.close()
"""
"""A conductor that sends 256 jobs and takes none of their visits: how many of these it holds, and
by how many bytes its memory grew. In a process of its own, whose memory is nobody else's."""


def test_what_nobody_takes_is_bounded_by_bytes(web: Web) -> None:
    body = os.urandom(500_000)
    for number in range(256):
        web.raw(f"/{number}", body=body + number.to_bytes(2, "big"))
    ended = subprocess.run(
        [sys.executable, "-c", TAKES_NOTHING, web.url()], cwd=ROOT, capture_output=True, check=True
    )
    held, grown = map(int, ended.stdout.split())
    assert held <= 4
    assert grown < 40 * 2**20


def test_workers_that_end_as_soon_as_they_start_end_the_crawl(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")  # no interpreter starts like this
    monkeypatch.setattr(processes, "DEATHS_WITHIN_S", PATIENT_S)  # starts take long on a busy one
    channel = open_channel(config(), 1)
    channel.start()
    with gevent.Timeout(PATIENT_S), pytest.raises(CrawlError, match="end as soon as they start"):
        list(channel.arrivals())
    channel.close()


@pytest.mark.parametrize(
    "document", [Document(title="\ud800"), Document(text_hash=2**64)], ids=["surrogate", "integer"]
)
def test_a_visit_that_cannot_be_written_down_spoils_no_other(document: Document) -> None:
    ours, theirs = gevent.socket.socketpair()
    served = child.Child(Frames(theirs), Cell.create(), config(run={"concurrency": 1}))
    good = Visit(Job(1, 1, "http://a.test/"), Reply(status=200), Document(title="good"), "now")
    bad = Visit(Job(2, 2, "http://a.test/b"), Reply(status=200), document, "now")
    for visit in (bad, good):
        served._deliver(visit)
    sending = gevent.spawn(served._send)
    with gevent.Timeout(PATIENT_S):
        frame = Frames(ours).read()
    sending.kill()
    spoilt, whole = msgspec.msgpack.decode(frame, type=list[Visit])
    assert whole == good
    assert (spoilt.job, spoilt.reply.status, spoilt.reply.error) == (bad.job, 200, "decode_error")
