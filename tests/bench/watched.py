"""What does a crawl lose by being watched in a browser?"""

from __future__ import annotations

import http.client
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from statistics import median

from tests.bench import race, workshop
from tests.bench.contestants import crawl_command, our_command
from tests.bench.loads import Figure, lap_folder, timed_run
from tests.bench.workshop import Tell

PAGES = 30_000
"""A crawl so long that the start of the dashboard's process is no more than what it is."""
CLIENTS = 3
PAIRS = 10


def dashboard(runs: int, limit_s: float, tell: Tell) -> Iterator[Figure]:
    """A crawl with three browsers on its dashboard, and the same without, in turn."""
    course = race.lay_out(replace(race.SMALL, pages=PAGES), workshop.folder("sites"))
    rates: list[float] = []
    costs: list[float] = []
    heard = 0
    with race.served(course) as site:
        url = site.url(course.start)
        for turn in range(1, max(runs, PAIRS) + 1):
            alone, _ = _once(url, limit_s, watched=False)
            seen, events = _once(url, limit_s, watched=True)
            heard += events
            rates.append(alone[0] / seen[0])
            costs.append(seen[1] / alone[1])
            tell(f"dashboard {turn}  {alone[0]:.2f} s alone, {seen[0]:.2f} s watched")
    yield Figure("pages", f"{PAGES:,}")
    yield Figure("events that the clients got", f"{heard:,}", "> 0")
    yield Figure("rate, watched to alone", f"{median(rates):.3f}", "0.97")
    yield Figure("CPU, watched to alone", f"{median(costs):.3f}")


def _once(url: str, limit_s: float, *, watched: bool) -> tuple[tuple[float, float], int]:
    """Seconds of the clock and of CPU that a crawl takes, and the events that clients got."""
    with lap_folder() as folder:
        command = crawl_command(our_command(), url, folder)
        if not watched:
            cost = timed_run(command, folder, limit_s)
            return (cost.wall_s, cost.cpu_s), 0
        port = _free_port()
        with _clients(port) as heard:
            cost = timed_run([*command, f"--dashboard={port}"], folder, limit_s)
        return (cost.wall_s, cost.cpu_s), sum(heard)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


@contextmanager
def _clients(port: int) -> Iterator[list[int]]:
    """Threads that read events while this goes on; how many each got."""
    heard = [0] * CLIENTS
    over = threading.Event()
    threads = [
        threading.Thread(target=_listen, args=(port, number, heard, over), daemon=True)
        for number in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield heard
    finally:
        over.set()
        for thread in threads:
            thread.join(timeout=10)


def _listen(port: int, number: int, heard: list[int], over: threading.Event) -> None:
    while not over.is_set():
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/events")
            answer = connection.getresponse()
            while line := answer.readline():
                heard[number] += line.startswith(b"data:")
        except OSError:
            time.sleep(0.1)
