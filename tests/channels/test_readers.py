"""Is the body that hangs or kills its reader to blame, and no other?"""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zlib
from contextlib import closing
from pathlib import Path

import pytest

from crawler.channels import patience, readers
from crawler.channels.patience import Patience, Usual
from crawler.channels.readers import Packed, read_all
from crawler.parse import language
from crawler.parse.facts import read_facts
from crawler.store.database import open_for_writing
from crawler.store.facts import BodyFacts

FINE = zlib.compress(b"<!doctype html><title>fine</title><p>text")
SLOW = zlib.compress(b"<title>x</title>" + b"<p>so <b>it</b> goes on" * 700_000)
"""Takes a reader more than a second."""
BROKEN = b"no zlib stream"
CHUNKS = [
    [Packed(number, "utf-8", SLOW if number == 5 else FINE) for number in numbers]
    for numbers in (range(1, 4), range(4, 8), range(8, 10))
]
KILLER = """
import os, sys, time, psutil
for _ in range(3000):
    for child in psutil.Process(int(sys.argv[1])).children():
        if child.pid != os.getpid() and child.cpu_times().user > 0.5:
            child.kill()
            sys.exit()
    time.sleep(0.01)
"""


@pytest.fixture(autouse=True, scope="module")
def _ready() -> None:
    """What facts are read with is loaded before processes are forked, as an analysis does it."""
    language.load()


def look(body: bytes, packed: Packed) -> BodyFacts:
    """What a page says."""
    return read_facts(body, packed.charset, max_links=9)


def errors(processes: int) -> dict[int, str | None]:
    """What kept each body from being read."""
    found = [read for answers in read_all(CHUNKS, look, BodyFacts, processes=processes)
             for read in answers]  # fmt: skip
    assert len(found) == 9
    return {read.number: read.error for read in found}


@pytest.mark.parametrize("processes", [1, 2])
def test_a_body_that_hangs_is_to_blame_and_all_others_are_read(
    monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    monkeypatch.setattr(readers, "LIMIT_S", 0.5)
    assert errors(processes) == dict.fromkeys(range(1, 10)) | {5: "timeout"}


def test_a_body_that_kills_its_reader_is_to_blame_and_all_others_are_read() -> None:
    killer = subprocess.Popen([sys.executable, "-c", KILLER, str(os.getpid())])
    try:
        assert errors(2) == dict.fromkeys(range(1, 10)) | {5: "lost"}
    finally:
        killer.kill()
        killer.wait()


def test_a_body_that_is_broken_keeps_no_other_from_being_read() -> None:
    chunk = [Packed(1, None, FINE), Packed(2, None, BROKEN), Packed(3, None, FINE)]
    [answers] = read_all([chunk], look, BodyFacts, processes=1)
    assert [read.error for read in answers] == [None, "error", None]
    assert [read.found and read.found.values["title"] for read in answers] == ["fine", None, "fine"]


def test_a_body_whose_reader_waits_is_not_late(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has other things to do makes every reader wait; it is the time that a reader
    works that counts."""
    monkeypatch.setattr(readers, "LIMIT_S", 0.3)

    def look(_: bytes, packed: Packed) -> int:
        time.sleep(1.5)
        return packed.number

    [answers] = read_all([[Packed(1, None, FINE)]], look, int, processes=1)
    assert [(read.found, read.error) for read in answers] == [(1, None)]


def test_a_body_that_takes_all_memory_is_to_blame_and_no_other() -> None:
    def look(_: bytes, packed: Packed) -> int:
        return len(bytearray(8 * 1024**3 if packed.number == 2 else 8))

    chunk = [Packed(number, None, FINE) for number in (1, 2, 3)]
    [answers] = read_all([chunk], look, int, processes=1)
    assert [read.error for read in answers] == [None, "MemoryError", None]


def test_a_site_whose_bodies_take_too_long_is_read_no_further(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(patience, "MOST_S", 0.5)

    def look(_: bytes, packed: Packed) -> int:
        until = time.process_time() + 0.3 * (packed.number < 10)
        while time.process_time() < until:
            pass
        return packed.number

    owned = ", ".join(f"({number}, '{'slow' if number < 10 else 'quick'}')" for number in range(20))
    chunks = [[Packed(number, None, FINE) for number in part] for part in (
        range(1, 10), range(10, 20),
    )]  # fmt: skip
    monkeypatch.setattr(readers, "TELL_S", 0.1)
    with closing(open_for_writing(tmp_path / "owners.db")) as connection:
        asked = Patience(connection, f"VALUES {owned}", Usual(any_s=0.02))
        answers = list(read_all(chunks, look, int, processes=1, patience=asked))
    errors = {read.number: read.error for part in answers for read in part}
    assert errors == dict.fromkeys(range(1, 20)) | dict.fromkeys(range(3, 10), "site_too_slow")
