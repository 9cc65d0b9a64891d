"""What can whoever reaches the dashboard do to it: by connections, by addresses, by SQL?"""

from __future__ import annotations

import itertools
import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import monkey, socket

from crawler.faces.dashboard import connections
from crawler.faces.dashboard.counts import MOST_JOBS, THREADS, Counts
from crawler.faces.dashboard.guard import Guard
from crawler.faces.dashboard.live import Live
from crawler.faces.dashboard.server import Application, listen
from crawler.store import figures, free_sql, looks, queries
from crawler.store.looks import Look
from tests.patience import PATIENT_S, until

_lock = monkey.get_original("_thread", "allocate_lock")
HALF = b"GET / HTTP/1.1\r\nHost: localhost\r\n"
WHOLE = HALF + b"\r\n"
STREAM = b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Gate:
    """Of threads, not of greenlets: counts are made in those. An event of threads that are patched
    may miss who opens it."""

    def __init__(self) -> None:
        self._closed = _lock()
        self._closed.acquire()

    def wait(self, most_s: float) -> None:
        """Until it is open, or for so long."""
        if self._closed.acquire(timeout=most_s):
            self._closed.release()

    def set(self) -> None:
        """Open it for ever."""
        self._closed.release()


# Connections


def application(environ: dict[str, Any], start: Any) -> Iterator[bytes]:
    """Answers at once; a stream tells something now and then."""
    start("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/stream":
        for _ in itertools.count():
            yield b"beat\n"
            gevent.sleep(0.05)
    yield b"whole"


@contextmanager
def listening() -> Iterator[int]:
    """The port of a server."""
    listener = listen("127.0.0.1", 0, exactly=True)
    server = connections.Server(listener, application)
    server.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.stop(timeout=0)


def connected(port: int, said: bytes) -> Any:
    """A connection over which this was said."""
    made = socket.create_connection(("127.0.0.1", port), timeout=PATIENT_S)
    made.sendall(said)
    return made


def answered(port: int) -> bool:
    """Is somebody answered who asks now?"""
    with connected(port, WHOLE) as asking:
        return bool(asking.recv(1000).startswith(b"HTTP/1.1 200"))


def ends(link: Any) -> bool:
    """Does a connection end without an answer?"""
    with suppress(ConnectionResetError):
        return link.recv(1000) == b""
    return True


def test_nobody_is_shut_out_by_requests_that_do_not_end() -> None:
    with listening() as port, ExitStack() as held:
        for _ in range(3 * connections.MAX_OF_ADDRESS):
            held.enter_context(connected(port, HALF))
        assert answered(port)


@pytest.mark.parametrize("said", [b"", HALF, b"G"])
def test_a_request_that_does_not_come_ends_at_its_deadline(
    said: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.2)
    with listening() as port, connected(port, said) as waiting:
        assert ends(waiting)


@pytest.mark.parametrize(
    "said", [HALF + b"X: y\r\n" * 101 + b"\r\n", HALF + b"X" * 70_000 + b"\r\n\r\n"]
)
def test_a_head_that_is_too_long_is_refused_and_nothing_is_printed(
    said: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with listening() as port, connected(port, said) as asking:
        with suppress(ConnectionResetError):
            assert asking.recv(1000).startswith(b"HTTP/1.1 400")
        assert answered(port)
    assert capfd.readouterr() == ("", "")


def test_a_head_that_drips_ends_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.3)
    with listening() as port, connected(port, HALF) as dripping:

        def drip() -> None:
            with suppress(OSError):
                while True:
                    dripping.sendall(b"X: y\r\n")
                    gevent.sleep(0.05)

        dropping = gevent.spawn(drip)
        assert ends(dripping)
        dropping.kill()


def test_streams_go_on_while_others_are_shut_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_S", 0.2)
    with listening() as port, ExitStack() as held:
        stream = held.enter_context(connected(port, STREAM))
        for _ in range(2 * connections.MAX_OF_ADDRESS):
            held.enter_context(connected(port, HALF))
        gevent.sleep(3 * connections.HEAD_S)
        told = b""
        while told.count(b"beat") < 20:
            piece = stream.recv(1000)
            assert piece
            told += piece


def test_where_all_are_at_work_a_new_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_OF_ADDRESS", 3)
    with listening() as port, ExitStack() as held:
        for _ in range(3):
            stream = held.enter_context(connected(port, STREAM))
            assert stream.recv(1000)
        with connected(port, WHOLE) as refused:
            assert ends(refused)


# Addresses

ODD = (
    "",
    "&" * 60,
    "&".join(f"a{number}=1" for number in range(60)),
    *(
        f"{name}={value}"
        for name in ("q", "sort", "status", "after", "state", "reason", "prefix", "x", "")
        for value in (
            *("", "-1", "9" * 400, "%00", "%ff", "%ED%A0%80", "%zz", "%", "{order}", "'", "1e400"),
            *("http://[", "http://127.0.0.1:99999/", "http://a b/", "http://%ff/", "//", "\u00e9"),
        )
    ),
)
PATHS = (
    *("/", "/hosts", "/queue", "/pages", "/findings", "/runs", "/map", "/metrics"),
    *("/hosts/127.0.0.1", "/hosts/\0", "/pages/1", "/pages/\u00b2", "/pages/1/2", "/pages/-1"),
    *("/findings/title_missing", "/findings/\0", "/static/\0", "/\0", "/\u00ff\u00fe", "/command"),
)


def status_of(application: Application, path: str, query: str, method: str = "GET") -> int:
    """What an address is answered with."""
    told: list[str] = []
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path.encode().decode("latin-1"),
        "QUERY_STRING": query.encode().decode("latin-1"),
        "HTTP_HOST": "127.0.0.1:8100",
    }
    b"".join(application(environ, lambda status, headers: told.append(status)))
    return int(told[0][:3])


@pytest.mark.parametrize("path", PATHS)
def test_no_address_is_an_error_of_the_server(crawled: Path, path: str) -> None:
    application = Application(crawled, Guard("127.0.0.1", 8100, "token"), Live())
    for query in ODD:
        assert status_of(application, path, query) in {200, 400, 404, 405}, query


# SQL

LONG_STEP = """
    WITH RECURSIVE n(i, s) AS (
        SELECT 1, 'aaaaaaaaaaaaaaaa'
        UNION ALL
        SELECT i + 1, s || s FROM n WHERE i < 24
    )
    SELECT {}
    FROM n
    ORDER BY i DESC
    LIMIT 1
"""


@pytest.mark.parametrize(
    "step", ["s LIKE '%a%a%a%a%a%b'", "instr(s, substr(s, 1, 60000000) || 'b')"]
)
def test_a_step_that_nothing_interrupts_is_ended_with_its_process(crawled: Path, step: str) -> None:
    assert free_sql.ask_apart(crawled, LONG_STEP.format(step), budget_s=0.3).late
    with sqlite3.connect(crawled, timeout=0) as connection:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("BEGIN EXCLUSIVE")


def test_what_takes_too_much_memory_is_refused(
    crawled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    endless = LONG_STEP.replace("24", "40").format("length(s)")
    assert free_sql.ask_apart(crawled, endless, budget_s=30).error == free_sql.TOO_LARGE


@pytest.mark.parametrize(
    ("sql", "gives"),
    [
        ("SELECT 1 AS one -- said", Look("", ("one",), [(1,)])),
        ("SELECT CAST(x'ff' AS TEXT) AS t", Look("", ("t",), [("\ufffd",)])),
        ("SELECT x'00ff' AS b, NULL AS n", Look("", ("b", "n"), [("2 bytes", None)])),
        ("SELECT 1 AS a, 2 AS a", Look("", ("a", "a"), [(1, 2)])),
        ("", Look("", error="this gives no rows; only SELECT, WITH and EXPLAIN do")),
    ],
)
def test_a_statement_gives_the_same_apart(crawled: Path, sql: str, gives: Look) -> None:
    found = free_sql.ask_apart(crawled, sql, budget_s=PATIENT_S)
    assert (found.columns, [*map(tuple, found.rows)], found.error) == (
        gives.columns,
        [*gives.rows],
        gives.error,
    )


def test_no_process_of_ours_runs_what_lies_in_the_folder_that_one_stands_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of what a site has sent, perhaps (`crawler export mirror`)."""
    package = Path(free_sql.__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    mark = tmp_path / "ran"
    (tmp_path / "msgspec.py").write_text(f"open({str(mark)!r}, 'w').close()")
    monkeypatch.chdir(tmp_path)
    assert free_sql.ask_apart(tmp_path / "none.db", "SELECT 1").error
    assert not mark.exists()
    with_python = [file.name for file in package.rglob("*.py") if "executable" in file.read_text()]
    assert with_python == ["children.py"]


# Long texts


def test_of_long_texts_no_more_is_held_than_is_shown(crawled: Path) -> None:
    long_texts = """
        WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20)
        SELECT replace(hex(zeroblob(1000000)), '00', 'abcd') AS title FROM n
    """
    figure = figures.Figure("long", "Long", "Texts of 4 MB.", long_texts)
    tracemalloc.start()
    try:
        with queries.reading(crawled) as connection:
            looked = looks.look(connection, long_texts, budget_s=PATIENT_S)
            filled = figures.fill(connection, figure, limit=20)
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [len(title) for (title,) in (*looked.rows, *filled.rows)] == [figures.MAX_CELL] * 40
    assert held < 20_000_000


# Counts


def test_a_page_waits_for_no_count_however_many_are_being_made(crawled: Path) -> None:
    goes_on = Gate()

    def slow(_connection: Any) -> str:
        goes_on.wait(PATIENT_S)
        return "counted"

    asks = {str(number): partial(slow) for number in range(3 * THREADS)}
    counts = Counts(crawled)
    with gevent.Timeout(PATIENT_S):
        assert counts.known(asks) == dict.fromkeys(asks)
        assert counts.known({"1": asks["1"]}) == {"1": None}
        goes_on.set()
        while counts.known(asks) != dict.fromkeys(asks, "counted"):
            gevent.sleep(0.01)


def test_counts_without_end_are_not_all_begun_and_come_in_the_end(crawled: Path) -> None:
    goes_on = Gate()

    def slow(_connection: Any) -> str:
        goes_on.wait(PATIENT_S)
        return "counted"

    asks = {str(number): partial(slow) for number in range(4 * MOST_JOBS)}
    counts = Counts(crawled)
    with gevent.Timeout(PATIENT_S):
        for name, ask in asks.items():
            assert counts.known({name: ask}) == {name: None}
        assert repr(counts) == f"<Counts 0 known, {MOST_JOBS} being made>"
        goes_on.set()
        while counts.known(asks) != dict.fromkeys(asks, "counted"):
            gevent.sleep(0.01)


def test_who_watches_hears_that_the_crawl_has_ended() -> None:
    ours, theirs = socket.socketpair()
    live = Live(theirs)
    told: list[bytes] = []
    watching = gevent.spawn(lambda: told.extend(live.stream()))
    listening = gevent.spawn(live.listen)
    until(lambda: live.clients)
    ours.close()
    listening.get(timeout=PATIENT_S)
    watching.get(timeout=PATIENT_S)
    assert told[-1] == b'event: over\ndata: {"live": false, "ended": true}\n\n'
    theirs.close()
