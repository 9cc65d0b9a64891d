"""Documents that may hurt are parsed in processes of their own, of which none is left behind."""

from __future__ import annotations

import errno
import gzip
import os
import signal
import socket
import subprocess
import sys
import time

import gevent
import psutil
import pytest

from crawler.config import Config, ParseConfig
from crawler.model import Job, Reply
from crawler.parse import isolated, parse
from crawler.parse.isolated import GIVEN_UP, LARGE_BYTES, LONG_TAG_BYTES, IsolatedParser, is_risky
from tests.patience import PATIENT_S, stretch, until
from tests.sites.burning import BURNS, LINGERS
from tests.sites.skip import ROOT

JOB = Job(1, 1, "http://h.test/d/p.html")
PAGE = b"<title>t</title><a href=x>y</a>" + b"<p>word</p>" * (LARGE_BYTES // 11 + 1)
BURNING = BURNS.encode()
LINGERING = f"<title>t</title><p title={'x' * LONG_TAG_BYTES}>{LINGERS}".encode()


def reply(body: bytes) -> Reply:
    return Reply(200, headers=(("Content-Type", "text/html; charset=utf-8"),), body=body)


def parser(max_seconds: float = PATIENT_S) -> IsolatedParser:
    return IsolatedParser(Config(parse=ParseConfig(max_seconds=max_seconds)))


def ended(process: psutil.Process, within_s: float = PATIENT_S) -> bool:
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_a_large_document_means_what_it_means_here() -> None:
    assert is_risky(PAGE)
    document = parser().parse(JOB, reply(PAGE))
    assert document == parse(JOB, reply(PAGE), Config())
    assert document.title == "t"


def test_what_is_packed_is_unpacked_elsewhere() -> None:
    # a few KB may become 50 MiB
    assert is_risky(gzip.compress(b"<urlset>"))
    assert not is_risky(b"<urlset>")


def test_who_waits_meanwhile_is_not_forgotten() -> None:
    """The new process has the loop's epoll in common with this one."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        waiting = gevent.spawn(ours.recv, 10)
        gevent.sleep(0.01)
        parser().parse(JOB, reply(PAGE))
        theirs.sendall(b"here")
        assert waiting.get(timeout=PATIENT_S) == b"here"


def test_one_that_has_to_wait_for_the_machine_is_not_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A process that is stopped is one that gets no processor."""
    monkeypatch.setattr(isolated, "START_S", 0.5)
    before = set(psutil.Process().children())
    limit_s = stretch()
    assert is_risky(LINGERING)
    parsing = gevent.spawn(parser(limit_s).parse, JOB, reply(LINGERING))
    until(lambda: set(psutil.Process().children()) - before)
    [child] = set(psutil.Process().children()) - before
    child.send_signal(signal.SIGSTOP)
    gevent.sleep(2 * limit_s)
    child.send_signal(signal.SIGCONT)
    assert parsing.get(timeout=PATIENT_S).title == "t"


def test_one_that_takes_too_long_is_given_up_and_leaves_no_process(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert is_risky(BURNING)
    monkeypatch.setattr(isolated, "START_S", 0.5)
    before = set(psutil.Process().children())
    assert parser(0.5).parse(JOB, reply(BURNING)) == GIVEN_UP
    assert all(ended(child) for child in set(psutil.Process().children()) - before)


def test_one_that_takes_all_memory_is_cut_short() -> None:
    """Asked in a process of its own: this one may hold memory that earlier tests let go, on which
    a parser could live however little more it may take."""
    program = (
        "import crawler._patch; from tests.parse.test_isolated import *;"
        "isolated.MEMORY_BYTES = 4 * 1024 * 1024;"
        "document = parser(60).parse(JOB, reply(24 * PAGE));"
        "print(document.error, document.truncated, document.title)"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("None parse None\n", "")


def test_one_for_which_there_is_no_room_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "pidfd_open", full)
    monkeypatch.setattr(isolated, "PAUSES_S", (0.01, 0.01))
    before = set(psutil.Process().children())
    assert parser().parse(JOB, reply(BURNING)) == GIVEN_UP
    assert all(ended(child) for child in set(psutil.Process().children()) - before)


def test_no_parser_outlives_its_worker() -> None:
    program = (
        "import crawler._patch; from tests.parse.test_isolated import *;"
        "parser(60).parse(JOB, reply(BURNING))"
    )
    worker = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT)
    try:
        watched = psutil.Process(worker.pid)
        deadline = time.monotonic() + PATIENT_S
        while not (children := watched.children()) and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
        assert children
        assert all(ended(child) for child in children)
    finally:
        worker.kill()
