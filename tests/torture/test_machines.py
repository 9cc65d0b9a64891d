"""Machines, their engine and their conductor fail: nothing is lost, and no host is asked two things
at once.

Judged by the sites' own logs. What cuts off a machine from its engine needs root and `ip`.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import gevent
import pytest
from gevent import subprocess

from tests import engines
from tests.channels.redis.storm import (
    HOSTS,
    LATENCY_MS,
    LOST_S,
    PAGES,
    Machine,
    Storm,
    overlaps,
    repeats,
    storm,
)
from tests.crawls import check_whole, rows
from tests.engines import KINDS, Engine
from tests.patience import PATIENT_S, until
from tests.sites import generated
from tests.sites.generated import GeneratedSite
from tests.sites.skip import ROOT, require_program
from tests.torture.test_network import run

pytestmark = pytest.mark.timeout(900)
ROUNDS = 5
FENCED_S = 2.5 * LOST_S
"""So long a machine stands still that has been given up."""


def a_machine_stands_still_for_a_moment(storm: Storm) -> None:
    storm.wait(40)
    storm.machines[0].stand_still(3)


def a_machine_stands_still_until_it_is_given_up(storm: Storm) -> None:
    storm.wait(40)
    storm.machines[0].stand_still(FENCED_S)


def a_relay_stands_still_and_its_children_do_not(storm: Storm) -> None:
    storm.wait(40)
    relay = storm.machines[0].family()[0]
    relay.suspend()
    gevent.sleep(FENCED_S)
    relay.resume()


def machines_are_killed_again_and_again(storm: Storm) -> None:
    for number in range(ROUNDS):
        storm.wait(30 + 25 * number)
        storm.machines[number].end()
        storm.join()


def keys_are_deleted(storm: Storm) -> None:
    chance = Random(7)
    for number in range(ROUNDS):
        storm.wait(30 + 25 * number)
        for key in storm.engine.ask("KEYS", "*"):
            if chance.random() < 0.6:
                storm.engine.ask("DEL", key)


def the_engine_stands_still(storm: Storm) -> None:
    storm.wait(40)
    os.kill(storm.engine.pid, signal.SIGSTOP)
    gevent.sleep(FENCED_S)
    os.kill(storm.engine.pid, signal.SIGCONT)


def the_engine_is_away(storm: Storm) -> None:
    storm.wait(40)
    storm.engine.kill()
    gevent.sleep(FENCED_S)
    storm.engine.start()


def the_engine_is_killed_and_comes_back(storm: Storm) -> None:
    for number in range(ROUNDS):
        storm.wait(30 + 25 * number)
        storm.engine.kill()
        storm.engine.start()


def the_engine_comes_back_as_it_was_before(storm: Storm) -> None:
    for number in range(ROUNDS):
        storm.wait(30 + 25 * number)
        storm.engine.ask("SAVE")
        gevent.sleep(3)
        storm.engine.kill()
        storm.engine.start()


def the_engine_is_full(storm: Storm) -> None:
    storm.wait(40)
    storm.engine.ask("CONFIG", "SET", "maxmemory", 1)
    until(lambda: "is full (maxmemory)" in (storm.channel.notice() or ""))
    gevent.sleep(4)
    storm.engine.ask("CONFIG", "SET", "maxmemory", 0)


FAULTS = [
    (a_machine_stands_still_for_a_moment, 0, ()),
    (a_machine_stands_still_until_it_is_given_up, 1, ()),
    (a_relay_stands_still_and_its_children_do_not, 1, ()),
    (machines_are_killed_again_and_again, ROUNDS, ()),
    (keys_are_deleted, ROUNDS, ()),
    (the_engine_stands_still, 2, ()),
    (the_engine_is_away, 2, ()),
    (the_engine_is_killed_and_comes_back, ROUNDS, ()),
    (the_engine_is_killed_and_comes_back, ROUNDS, ("appendonly", "yes")),
    (the_engine_comes_back_as_it_was_before, ROUNDS, ("save", "3600 1000000")),
    (the_engine_is_full, 1, ()),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("fault", "times", "options"), FAULTS, ids=lambda part: getattr(part, "__name__", None)
)
def test_nothing_is_lost_and_no_host_is_asked_two_things_at_once(
    tmp_path: Path, kind: str, fault: Callable[[Storm], None], times: int, options: tuple[str, ...]
) -> None:
    with storm(tmp_path, kind, *options) as made:
        made.run(fault)
        made.check(most_repeats=times * HOSTS)


class Chaos:
    """All of it, by chance."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(seed)
        self._standing: list[gevent.Greenlet] = []

    def __call__(self, storm: Storm) -> None:
        ways = (
            *(self._kill, self._stand_still, self._empty, self._delete, self._restart),
            *(self._write_garbage, self._end),
        )
        for number in range(2 * ROUNDS):
            until(lambda after=20 * number: len(storm.served.hits()) > after or _is_over(storm))
            if _is_over(storm):
                break
            self._chance.choice(ways)(storm)
        gevent.joinall(self._standing)

    def _living(self, storm: Storm) -> Machine:
        return self._chance.choice([one for one in storm.machines if one.process.poll() is None])

    def _kill(self, storm: Storm) -> None:
        self._living(storm).end()
        storm.join()

    def _end(self, storm: Storm) -> None:
        self._living(storm).process.terminate()
        storm.join()

    def _stand_still(self, storm: Storm) -> None:
        seconds = self._chance.choice((2, FENCED_S))
        self._standing.append(gevent.spawn(self._living(storm).stand_still, seconds))
        storm.join()

    def _empty(self, storm: Storm) -> None:
        storm.engine.ask("FLUSHALL")

    def _delete(self, storm: Storm) -> None:
        for key in storm.engine.ask("KEYS", "*"):
            if self._chance.random() < 0.5:
                storm.engine.ask("DEL", key)

    def _restart(self, storm: Storm) -> None:
        storm.engine.kill()
        storm.engine.start()

    def _write_garbage(self, storm: Storm) -> None:
        """Under the name of a machine, which is expelled for it."""
        for key in storm.engine.ask("KEYS", "*:visits:*")[:1]:
            storm.engine.ask("XADD", key, "*", "f", self._chance.randbytes(40))


def _is_over(storm: Storm) -> bool:
    return storm.crawl.stats().phase == "finishing"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_lost_whatever_happens_at_once(tmp_path: Path, kind: str, seed: int) -> None:
    with storm(tmp_path, kind, machines=3, latency_ms=2 * LATENCY_MS) as made:
        made.run(Chaos(seed))
        made.check(most_repeats=2 * ROUNDS * HOSTS)


# With a conductor of its own, and a person's limits of time


class Conductor:
    """A `crawler crawl` that has no workers of its own."""

    def __init__(self, engine: Engine, database: Path, seeds: list[str], *command: str) -> None:
        options = ["--workers", "0", "--name", "tests", "--no-analyse", "--quiet"]
        options += ["--set", "pace.own_in_flight=1", "--set", "robots.sitemaps=false"]
        words = ["crawl", *seeds, "--db", str(database), "--redis", engine.url, *options]
        self.process = subprocess.Popen(
            [*command, sys.executable, "-m", "crawler", *words], cwd=ROOT, stdin=subprocess.DEVNULL
        )

    def finish(self) -> None:
        """It comes to its end, which is a good one."""
        assert self.process.wait(PATIENT_S) == 0


def check(database: Path, log: Path, most_repeats: int) -> None:
    """All is stored, by the sites' own log."""
    check_whole(database)
    asked = "SELECT state, count(*) FROM urls WHERE kind = 'page' GROUP BY state"
    assert rows(database, asked) == [("done", HOSTS * PAGES)]
    hits = generated.Served(0, (), 0, log).hits()
    assert overlaps(hits) == []
    assert repeats(hits) <= most_repeats


@pytest.mark.parametrize("forgotten", [False, True], ids=["kept", "emptied"])
@pytest.mark.parametrize("still", [False, True], ids=["machines go on", "a machine stands still"])
def test_a_conductor_is_killed_again_and_again(
    tmp_path: Path, forgotten: bool, still: bool
) -> None:
    """Also where a machine stands still meanwhile, and the engine has forgotten everything."""
    site = GeneratedSite(pages=PAGES, links_per_page=4, latency_ms=3 * LATENCY_MS)
    addresses = [f"127.0.0.{number}" for number in range(2, 2 + HOSTS)]
    database, log, kills = tmp_path / "crawl.db", tmp_path / "log", 3
    with (
        engines.serve("redis") as engine,
        generated.serve_apart(site, addresses=addresses, log=log) as served,
    ):
        seeds = [served.url("/", address) for address in addresses]
        machines = [Machine(engine) for _ in range(2)]
        for number in range(kills):
            conductor = Conductor(engine, database, seeds)
            until(lambda after=25 + 40 * number: len(served.hits()) > after)
            family = machines[0].family() if still else []
            for one in family:
                one.suspend()
            conductor.process.kill()
            conductor.process.wait()
            if forgotten:
                engine.ask("FLUSHALL")
            waking = gevent.spawn_later(6, lambda family=family: [one.resume() for one in family])
            if not number:
                waking.join()
        Conductor(engine, database, seeds).finish()
        for machine in machines:
            assert machine.end(signal.SIGTERM) == 0
            machine.process.stderr.close()
    # Of each host a page may be on its way, and one have come that is not stored yet.
    check(database, log, 2 * kills * HOSTS)


HUB, AWAY = "crawler-hub", "crawler-away"
NETWORK = "10.78"


@pytest.fixture
def cables() -> Iterator[None]:
    """Two namespaces and two cables between them: one to the sites, one to the engine."""
    require_program("ip", "apt-get install iproute2")
    if os.geteuid() != 0 or run("ip", "netns", "add", HUB, check=False):
        pytest.skip("network namespaces: only root may make them, and few containers let it")
    try:
        run("ip", "netns", "add", AWAY)
        for name, block in (("sites", 0), ("engine", 1)):
            peer = ["type", "veth", "peer", "name", name, "netns", AWAY]
            run("ip", "-n", HUB, "link", "add", name, *peer)
            ours = range(2, 2 + HOSTS) if name == "sites" else (2,)
            for number in ours:
                address = f"{NETWORK}.{block}.{number}/24"
                run("ip", "-n", HUB, "addr", "add", address, "dev", name)
            run("ip", "-n", AWAY, "addr", "add", f"{NETWORK}.{block}.1/24", "dev", name)
            for namespace in (HUB, AWAY):
                run("ip", "-n", namespace, "link", "set", name, "up")
        for namespace in (HUB, AWAY):
            run("ip", "-n", namespace, "link", "set", "lo", "up")
        yield
    finally:
        for namespace in (HUB, AWAY):
            run("ip", "netns", "del", namespace, check=False)


@contextmanager
def daemon(namespace: str, *words: str) -> Iterator[subprocess.Popen]:
    """A program in a namespace; it does not outlive the test."""
    nothing = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}
    command = ["ip", "netns", "exec", namespace, *words]
    process = subprocess.Popen(command, cwd=ROOT, **nothing)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@contextmanager
def listening(*ports: int) -> Iterator[None]:
    """All of these servers of the hub take connections."""
    asked = ["ip", "netns", "exec", HUB, "cat", "/proc/net/tcp"]

    def are_up() -> bool:
        table = subprocess.run(asked, stdout=subprocess.PIPE, check=True).stdout.decode()
        return all(f":{port:04X} 00000000:0000 0A" in table for port in ports)

    until(are_up)
    yield


@pytest.mark.parametrize("answer_ms", [100, 14_000], ids=["quick answers", "answers of 14 s"])
def test_a_machine_that_is_cut_off_from_its_engine_asks_nothing_that_another_asks(
    cables: None, tmp_path: Path, answer_ms: int
) -> None:
    """For 16 s, in which it sees the sites and not the engine; another machine goes on."""
    database, log = tmp_path / "crawl.db", tmp_path / "log"
    slow = answer_ms > 1000
    pages = 3 if slow else PAGES
    sites = [f"{NETWORK}.0.{number}" for number in range(2, 2 + HOSTS)]
    site = [sys.executable, "-m", "tests.sites.generated", f"--pages={pages}", "--port=8080"]
    site += [f"--latency-ms={answer_ms}", f"--log={log}", *(f"--address={one}" for one in sites)]
    options = ["--bind", f"{NETWORK}.1.2", "127.0.0.1", "--protected-mode", "no", "--save", ""]
    redis = [engines.binary("redis"), "--port", "6379", *options]
    hits = generated.Served(0, (), 0, log).hits
    log.touch()
    seeds = [f"http://{one}:8080/" for one in sites]
    with (
        daemon(HUB, *site),
        daemon(HUB, *redis),
        listening(8080, 6379),
        daemon(AWAY, *_work(f"redis://{NETWORK}.1.2")) as away,
        daemon(HUB, *_work("redis://127.0.0.1")) as near,
        daemon(HUB, *_crawl(database, seeds)) as conductor,
    ):
        until(lambda: len(hits()) > (HOSTS if slow else 60))
        run("ip", "-n", HUB, "link", "set", "engine", "down")
        gevent.sleep(16)
        run("ip", "-n", HUB, "link", "set", "engine", "up")
        assert conductor.wait(PATIENT_S) == 0
        for machine in (away, near):
            machine.terminate()
            assert machine.wait(PATIENT_S) == 0
    check_whole(database)
    assert rows(database, "SELECT count(*) FROM urls WHERE kind = 'page' AND state = 'done'") == [
        (HOSTS * pages,)
    ]
    assert overlaps(hits()) == []
    assert repeats(hits()) <= HOSTS
    assert rows(database, "SELECT count(*) FROM workers")[0][0] >= 2


def _work(url: str) -> list[str]:
    return [sys.executable, "-m", "crawler", "work", "--redis", url, "--workers", "1", "--quiet"]


def _crawl(database: Path, seeds: list[str]) -> list[str]:
    options = ["--redis", "redis://127.0.0.1", "--workers", "0", "--no-analyse", "--quiet"]
    options += ["--set", "pace.own_in_flight=1", "--set", "robots.sitemaps=false"]
    options += ["--set", "robots.first_s=60"]  # else one is given up whose answer is under way
    return [sys.executable, "-m", "crawler", "crawl", *seeds, "--db", str(database), *options]
