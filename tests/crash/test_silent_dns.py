"""The resolver falls silent: a signal ends the crawl all the same, and no name is blamed for it."""

from __future__ import annotations

import errno
import os
import random
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gevent import subprocess

from crawler.errors import Interrupted
from tests.crash.trial import IN_FLIGHT, Count, Trial, check_untorn, wait, whole_end
from tests.crawls import rows
from tests.fetch.nameserver import Found, Nameserver
from tests.patience import until
from tests.sites.web import Web

pytestmark = pytest.mark.timeout(600)
INTERRUPTED = Interrupted.exit_code
DRAIN_S = 0.5
ENDS_S = 200
"""An end takes less, however busy the machine is; every wait for a name takes longer."""
SILENT_S = 300
LIMITS = dict.fromkeys(("robots.first_s", "fetch.connect_s", "fetch.total_s"), SILENT_S)
RESOLV_CONF = "nameserver {}\noptions timeout:30 attempts:3\n"
PATIENT_ARES = {"GEVENTARES_TIMEOUT": "60"}
NAMES = [f"site{number}.test" for number in range(IN_FLIGHT - 2)]
"""Fewer than may be in flight, so that the host without a name gets its turn."""
DNS_PORT = 53
"""The system's resolver asks no other port."""
SYSTEM, ARES = "the system's resolver", "c-ares"
ENDED_WITHOUT_ANSWER = "SELECT url FROM urls WHERE url LIKE '%.test:%' AND state <> 'queued'"
BLAMED = "SELECT url FROM urls WHERE attempts > 0 AND state = 'queued'"


@dataclass(slots=True)
class Town:
    """A web of names that all lead to one server, beside a host that needs no name."""

    web: Web
    calm: Mapping[str, list[tuple[Any, ...]]]
    asked: int

    @property
    def seeds(self) -> list[str]:
        """The host without a name, then the names."""
        return seeds_of(self.web)


def seeds_of(web: Web) -> list[str]:
    return [web.url(), *(f"http://{name}:{web.port}/" for name in NAMES)]


class Asking(Trial):
    """A trial that has a resolver of the test's own.

    For the system's resolver it gets an /etc/resolv.conf of its own, in a namespace of mounts.
    """

    resolver: Nameserver
    is_system = False

    @property
    def command(self) -> list[str]:
        """The command, always the same one."""
        words = [*super().command, "--allow-private", "127.0.0.0/8"]
        if not self.is_system:
            return words
        file = self.folder / "resolv.conf"
        file.write_text(RESOLV_CONF.format(self.resolver.ip))
        script = 'mount --bind "$0" /etc/resolv.conf && exec "$@"'
        return ["unshare", "--mount", "--", "sh", "-c", script, str(file), *words]


@pytest.fixture(params=[SYSTEM, ARES])
def trial(tmp_path: Path, town: Town, request: pytest.FixtureRequest) -> Iterator[Asking]:
    """A crawl of the town whose resolver is silent from the start."""
    is_system = request.param == SYSTEM
    probe = ["unshare", "--mount", "true"]
    if is_system and (os.geteuid() != 0 or subprocess.run(probe, check=False).returncode):
        pytest.skip("a resolver of its own for the system: only root may mount one")
    zone = {name: ["127.0.0.1"] for name in NAMES}
    with closing(of_the_system(zone) if is_system else Nameserver(zone)) as server:
        server.silent = True
        settings = {"run.drain_s": DRAIN_S, **LIMITS}
        one = Asking(tmp_path / "trial", town.seeds, settings=settings, stall_s=SILENT_S)
        one.resolver, one.is_system = server, is_system
        one.environment = {} if is_system else server.environment() | PATIENT_ARES
        yield one


def of_the_system(zone: Mapping[str, Found]) -> Nameserver:
    """At an address where nobody listens; other tests may be at this one at the same time."""
    while True:
        ip = f"127.53.{random.randrange(256)}.{random.randrange(1, 255)}"
        try:
            return Nameserver(zone, (ip, DNS_PORT))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """The town, and what a crawl of it finds when every name is answered."""
    web = Web()
    web.page("/", links=["/a", "/b"], wait_s=0.02)
    web.page("/a", wait_s=0.02)
    web.page("/b", wait_s=0.02)
    zone = {name: ["127.0.0.1"] for name in NAMES}
    with closing(web), closing(Nameserver(zone)) as server:
        one = Asking(tmp_path_factory.mktemp("calm"), seeds_of(web))
        one.environment = server.environment()
        one.finish()
        check_untorn(one.database)
        yield Town(web, whole_end(one.database), len(web.whole_log))


def hang(trial: Asking) -> subprocess.Popen[bytes]:
    """The crawl, when the host without a name is done and all that is in flight asks for names.

    Done is what is stored: what was only answered may be fetched again after an end at once.
    """
    process = trial.start()
    until(lambda: len(set(trial.resolver.asked)) == len(NAMES))
    until(lambda: len(trial.settled()) >= 4)
    return process


def goes_on(trial: Asking, town: Town, mark: int, count: Count) -> None:
    """With names answered again the same command comes to the calm end, and fetches all once."""
    assert rows(trial.database, ENDED_WITHOUT_ANSWER) == []
    assert rows(trial.database, BLAMED) == []
    count.rounds += 1
    trial.resolver.silent = False
    trial.environment = {} if trial.is_system else trial.resolver.environment()
    trial.finish()
    check_untorn(trial.database)
    end = whole_end(trial.database)
    count.lost += len(set(town.calm["urls"]) - set(end["urls"]))
    asked = len(town.web.whole_log) - mark
    count.refetched += max(0, asked - town.asked)
    for name, expected in town.calm.items():
        assert end[name] == expected, name
    assert asked == town.asked


@pytest.mark.parametrize(
    ("number", "workers"),
    [
        (signal.SIGTERM, 2),
        (signal.SIGINT, 0),
        pytest.param(signal.SIGTERM, 0, marks=pytest.mark.torture),
        pytest.param(signal.SIGINT, 2, marks=pytest.mark.torture),
    ],
)
def test_a_signal_ends_a_crawl_whose_names_are_not_answered(
    trial: Asking, town: Town, count: Callable[[str], Count], number: int, workers: int
) -> None:
    trial.workers, mark = workers, len(town.web.whole_log)
    process = hang(trial)
    os.kill(process.pid, number)
    assert wait(process, ENDS_S) == INTERRUPTED, trial.said
    assert "Traceback" not in trial.said
    state = rows(trial.database, "SELECT state, finish_reason FROM runs")
    assert state == [("interrupted", "signal")]
    goes_on(trial, town, mark, count("one signal while DNS hangs"))


def test_a_second_signal_does_not_wait_for_names(
    trial: Asking, town: Town, count: Callable[[str], Count]
) -> None:
    trial.settings = {**trial.settings, "run.drain_s": SILENT_S}
    mark = len(town.web.whole_log)
    process = hang(trial)
    os.kill(process.pid, signal.SIGTERM)
    os.kill(process.pid, signal.SIGINT)
    assert wait(process, ENDS_S) == INTERRUPTED, trial.said
    goes_on(trial, town, mark, count("two signals while DNS hangs"))


def test_a_kill_while_names_are_not_answered_loses_nothing(
    trial: Asking, town: Town, count: Callable[[str], Count]
) -> None:
    mark = len(town.web.whole_log)
    process = hang(trial)
    process.kill()
    wait(process)
    goes_on(trial, town, mark, count("kill -9 while DNS hangs"))
